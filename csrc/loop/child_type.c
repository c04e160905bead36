/* A child process as the loop sees it: start one, be told of its exit.
 *
 * A Child owns the pidfd.  While it is watched, the loop owns the Child, and a loop
 * that is closed lets go of it; so no order of kill, close and cancel leaks the
 * descriptor.  No thread and no SIGCHLD handler is involved; somebody else may well
 * collect the exit status first, and then the callback hears None.
 */
#include <errno.h>
#include <limits.h>
#include <unistd.h>

#include "base/child.h"
#include "loop/loop.h"
#include "py/errors.h"
#include "py/exceptions.h"

extern char **environ;

typedef struct {
    PyObject_HEAD
    ModuleState *st;
    pid_t pid;
    int pidfd;               /* -1: none, or no longer needed */
    struct ah_reader reader; /* armed: the loop owns us */
    PyObject *callback;      /* owned, while armed */
    PyObject *context;       /* owned: what the callback runs in, while armed */
} ChildObject;

/* Arguments of exec: a NULL-terminated array that points into `owner`. */
struct strings {
    PyObject *owner; /* owned: tuple of bytes, or NULL */
    char **items;    /* owned */
};

/* -- arguments of exec ----------------------------------------------------- */

static void
strings_clear(struct strings *strings)
{
    PyMem_Free(strings->items);
    strings->items = NULL;
    Py_CLEAR(strings->owner);
}

/* From a sequence of str, bytes and PathLike; ValueError for an embedded null. */
AH_RAISES static int
strings_from(struct strings *strings, PyObject *sequence)
{
    PyObject *fast = PySequence_Tuple(sequence); /* runs Python */
    if (fast == NULL) {
        return -1;
    }
    Py_ssize_t count = PyTuple_GET_SIZE(fast);
    strings->owner = PyTuple_New(count);
    strings->items = PyMem_New(char *, (size_t)count + 1);
    if (strings->owner == NULL || strings->items == NULL) {
        Py_DECREF(fast);
        PyErr_NoMemory();
        return -1;
    }
    for (Py_ssize_t i = 0; i < count; i++) {
        PyObject *bytes;
        if (!PyUnicode_FSConverter(PyTuple_GET_ITEM(fast, i), &bytes)) {
            Py_DECREF(fast);
            return -1;
        }
        PyTuple_SET_ITEM(strings->owner, i, bytes);
        strings->items[i] = PyBytes_AS_STRING(bytes);
    }
    strings->items[count] = NULL;
    Py_DECREF(fast);
    return 0;
}

AH_RAISES static int
strings_from_one(struct strings *strings, PyObject *string)
{
    PyObject *one = PyTuple_Pack(1, string);
    int status = one != NULL ? strings_from(strings, one) : -1;
    Py_XDECREF(one);
    return status;
}

/* The process's own environment: another thread may resize the array that `environ`
 * is, once we release the GIL, but never frees what is in it. */
AH_RAISES static int
strings_from_environ(struct strings *strings)
{
    size_t count = 0;
    while (environ != NULL && environ[count] != NULL) {
        count++;
    }
    strings->items = PyMem_New(char *, count + 1);
    if (strings->items == NULL) {
        PyErr_NoMemory();
        return -1;
    }
    for (size_t i = 0; i < count; i++) {
        strings->items[i] = environ[i];
    }
    strings->items[count] = NULL;
    return 0;
}

/* Ascending descriptors from a tuple; *keep is the caller's to free. */
AH_RAISES static int
keep_from(PyObject *tuple, int **keep, size_t *count)
{
    size_t size = (size_t)PyTuple_GET_SIZE(tuple);
    long last = -1;
    *keep = PyMem_New(int, size + 1);
    if (*keep == NULL) {
        PyErr_NoMemory();
        return -1;
    }
    for (size_t i = 0; i < size; i++) {
        long fd = PyLong_AsLong(PyTuple_GET_ITEM(tuple, (Py_ssize_t)i));
        if (fd == -1 && PyErr_Occurred()) {
            return -1;
        }
        if (fd <= last || fd > INT_MAX) {
            PyErr_SetString(PyExc_ValueError,
                            "bad value(s) in pass_fds: give open file descriptors");
            return -1;
        }
        (*keep)[i] = (int)(last = fd);
    }
    *count = size;
    return 0;
}

/* -- life cycle ------------------------------------------------------------ */

static ChildObject *
child_new(ModuleState *st, pid_t pid, int pidfd)
{
    ChildObject *self = (ChildObject *)st->child_type->tp_alloc(st->child_type, 0);
    if (self == NULL) {
        return NULL;
    }
    st->live[AH_LIVE_Child]++;
    self->st = st;
    self->pid = pid;
    self->pidfd = pidfd;
    self->reader = (struct ah_reader)AH_READER_INIT;
    return self;
}

static PyObject *
Child_new(PyTypeObject *type, PyObject *args, PyObject *kwargs)
{
    static char *kwlist[] = {"pid", NULL};
    int pid;
    if (!PyArg_ParseTupleAndKeywords(args, kwargs, "i:Child", kwlist, &pid)) {
        return NULL;
    }
    int pidfd = child_open(pid);
    if (pidfd < 0) {
        ah_raise_errno(pidfd, "pidfd_open");
        return NULL;
    }
    ChildObject *self = child_new(ah_state_of_type(type), pid, pidfd);
    if (self == NULL) {
        close(pidfd);
    }
    return (PyObject *)self;
}

static int
Child_traverse(ChildObject *self, visitproc visit, void *arg)
{
    Py_VISIT(Py_TYPE(self));
    Py_VISIT(self->callback);
    Py_VISIT(self->context);
    return 0;
}

static int
Child_clear(ChildObject *self)
{
    Py_CLEAR(self->callback);
    Py_CLEAR(self->context);
    return 0;
}

static void
close_pidfd(ChildObject *self)
{
    if (self->pidfd >= 0) {
        close(self->pidfd);
        self->pidfd = -1;
    }
}

static void
Child_dealloc(ChildObject *self)
{
    PyTypeObject *type = Py_TYPE(self);
    PyObject_GC_UnTrack(self);
    close_pidfd(self); /* never armed here: the loop would own us */
    (void)Child_clear(self);
    self->st->live[AH_LIVE_Child]--;
    type->tp_free((PyObject *)self);
    Py_DECREF(type);
}

/* -- the exit -------------------------------------------------------------- */

/* The exit code; None: somebody else has it; or the OSError that says why it cannot be
 * had.  A tracer is served first, and then the status is late; whoever waits for it
 * lets other threads go on. */
static PyObject *
reap(ChildObject *self)
{
    int status;
    pid_t pid = self->pid;
    int pidfd = self->pidfd;
    int result = child_reap(pid, pidfd, false, &status);
    while (result == 0 || result == -EINTR) {
        Py_BEGIN_ALLOW_THREADS
        result = child_reap(pid, pidfd, true, &status);
        Py_END_ALLOW_THREADS
    }
    if (result > 0) {
        return PyLong_FromLong(status);
    }
    if (result == -ECHILD) {
        return Py_NewRef(Py_None);
    }
    ah_raise_errno(result, "waitid");
    return ah_take_exception();
}

/* NULL with an exception set if the callback raised. */
static PyObject *
call_back(PyObject *callback, PyObject *context, PyObject *code)
{
    if (code == NULL || PyContext_Enter(context) < 0) {
        return NULL;
    }
    PyObject *result = PyObject_CallOneArg(callback, code); /* runs Python */
    if (PyContext_Exit(context) < 0) {
        Py_CLEAR(result);
    }
    return result;
}

static void
child_exited(LoopObject *loop, struct ah_reader *reader)
{
    ChildObject *self = (ChildObject *)((char *)reader - offsetof(ChildObject, reader));
    PyObject *callback = self->callback;
    PyObject *context = self->context;
    self->callback = self->context = NULL;
    Py_INCREF(self);
    ah_loop_remove_reader(loop, reader);
    PyObject *code = reap(self);
    close_pidfd(self);
    PyObject *result = call_back(callback, context, code); /* runs Python */
    if (result == NULL) {
        ah_loop_report(loop, "Exception in the callback of a child's exit", NULL);
    }
    Py_XDECREF(result);
    Py_XDECREF(code);
    Py_DECREF(callback);
    Py_DECREF(context);
    Py_DECREF(self);
}

static PyObject *
Child_watch(ChildObject *self, PyObject *args)
{
    PyObject *loop, *callback;
    if (!PyArg_ParseTuple(args, "OO:watch", &loop, &callback)) {
        return NULL;
    }
    if (!ah_loop_check(self->st, loop)) {
        PyErr_Format(PyExc_TypeError, "loop must be a pyasync_hw.EventLoop, not %.100s",
                     Py_TYPE(loop)->tp_name);
        return NULL;
    }
    if (self->pidfd < 0 || self->callback != NULL) {
        PyErr_SetString(PyExc_RuntimeError, "a Child can be watched once");
        return NULL;
    }
    self->context = PyContext_CopyCurrent();
    if (self->context == NULL) {
        return NULL;
    }
    self->callback = Py_NewRef(callback);
    if (ah_loop_add_reader((LoopObject *)loop, &self->reader, self->pidfd, child_exited,
                           (PyObject *)self) < 0) {
        (void)Child_clear(self);
        return NULL;
    }
    Py_RETURN_NONE;
}

static PyObject *
Child_close(ChildObject *self, PyObject *Py_UNUSED(ignored))
{
    if (self->reader.fd >= 0) {
        PyErr_SetString(PyExc_RuntimeError,
                        "the loop watches this Child until it has exited");
        return NULL;
    }
    close_pidfd(self);
    Py_RETURN_NONE;
}

static PyObject *
Child_fileno(ChildObject *self, PyObject *Py_UNUSED(ignored))
{
    return PyLong_FromLong(self->pidfd);
}

/* -- spawn ----------------------------------------------------------------- */

static PyObject *
core_can_spawn(PyObject *module, PyObject *Py_UNUSED(ignored))
{
    ModuleState *st = ah_state(module);
    if (st->can_spawn == 0) {
        st->can_spawn = child_shares_memory() ? 1 : -1;
    }
    return PyBool_FromLong(st->can_spawn > 0);
}

/* As subprocess.Popen raises it: the file is what could not be done. */
static void
raise_failed(int err, enum child_stage stage, PyObject *cwd, PyObject *program)
{
    errno = -err;
    if (stage == CHILD_CHDIR) {
        PyErr_SetFromErrnoWithFilenameObject(PyExc_OSError, cwd);
    }
    else if (stage == CHILD_EXEC) {
        PyErr_SetFromErrnoWithFilenameObject(PyExc_OSError, program);
    }
    else {
        PyErr_SetFromErrno(PyExc_OSError);
    }
}

static PyObject *
core_spawn(PyObject *module, PyObject *args)
{
    ModuleState *st = ah_state(module);
    PyObject *program, *programs, *argv_obj, *env, *cwd, *keep;
    struct child_spec spec = {0};
    int close_fds, restore_signals, new_session;
    if (!PyArg_ParseTuple(args, "OOOOOO!p(iiiiii)ppii:_spawn", &program, &programs,
                          &argv_obj, &env, &cwd, &PyTuple_Type, &keep, &close_fds,
                          &spec.stdio[0], &spec.parent_ends[0], &spec.parent_ends[1],
                          &spec.stdio[1], &spec.parent_ends[2], &spec.stdio[2],
                          &restore_signals, &new_session, &spec.process_group,
                          &spec.umask)) {
        return NULL;
    }
    spec.close_fds = close_fds;
    spec.restore_signals = restore_signals;
    spec.new_session = new_session;

    struct strings paths = {0}, argv = {0}, envp = {0};
    PyObject *cwd_bytes = NULL;
    int *keep_fds = NULL;
    ChildObject *child = NULL;
    int pidfd = -1;
    if ((programs == Py_None ? strings_from_one(&paths, program)
                             : strings_from(&paths, programs)) < 0 ||
        strings_from(&argv, argv_obj) < 0 ||
        (env == Py_None ? strings_from_environ(&envp) : strings_from(&envp, env)) < 0 ||
        keep_from(keep, &keep_fds, &spec.keep_count) < 0 ||
        (cwd != Py_None && !PyUnicode_FSConverter(cwd, &cwd_bytes))) {
        goto done;
    }
    spec.programs = paths.items;
    spec.argv = argv.items;
    spec.envp = envp.items;
    spec.keep = keep_fds;
    spec.cwd = cwd_bytes != NULL ? PyBytes_AS_STRING(cwd_bytes) : NULL;
    /* Made before the child is, so that nothing can fail after it. */
    child = child_new(st, 0, -1);
    if (child == NULL) {
        goto done;
    }
    int err;
    enum child_stage stage;
    Py_BEGIN_ALLOW_THREADS
    err = child_spawn(&spec, &child->pid, &pidfd, &stage);
    Py_END_ALLOW_THREADS
    child->pidfd = pidfd;
    if (err < 0) {
        Py_CLEAR(child);
        raise_failed(err, stage, cwd, program);
    }

done:
    strings_clear(&paths);
    strings_clear(&argv);
    strings_clear(&envp);
    PyMem_Free(keep_fds);
    Py_XDECREF(cwd_bytes);
    return (PyObject *)child;
}

/* -- tables ---------------------------------------------------------------- */

static PyMethodDef Child_methods[] = {
    {"watch", (PyCFunction)Child_watch, METH_VARARGS,
     PyDoc_STR(
         "watch($self, loop, callback, /)\n--\n\n"
         "Call callback(returncode) on the loop, in the current context, when the\n"
         "child has exited, and collect it; callback(None) if somebody else has\n"
         "collected it.")},
    {"fileno", (PyCFunction)Child_fileno, METH_NOARGS,
     PyDoc_STR("fileno($self, /)\n--\n\nThe pidfd, or -1.")},
    {"close", (PyCFunction)Child_close, METH_NOARGS,
     PyDoc_STR("close($self, /)\n--\n\n"
               "Close the pidfd of a child that is not watched.")},
    {NULL, NULL, 0, NULL},
};

static PyMemberDef Child_members[] = {
    {"pid", T_INT, offsetof(ChildObject, pid), READONLY, NULL},
    {NULL, 0, 0, 0, NULL},
};

static PyType_Slot Child_slots[] = {
    {Py_tp_doc, PyDoc_STR("Child(pid)\n--\n\n"
                          "A child process, and its pidfd until it has exited.")},
    {Py_tp_new, Child_new},
    {Py_tp_dealloc, Child_dealloc},
    {Py_tp_traverse, Child_traverse},
    {Py_tp_clear, Child_clear},
    {Py_tp_methods, Child_methods},
    {Py_tp_members, Child_members},
    {0, NULL},
};

PyType_Spec Child_spec = {
    .name = "pyasync_hw._core.Child",
    .basicsize = sizeof(ChildObject),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC | Py_TPFLAGS_IMMUTABLETYPE,
    .slots = Child_slots,
};

static PyMethodDef child_methods[] = {
    {"_can_spawn", core_can_spawn, METH_NOARGS, NULL},
    {"_spawn", core_spawn, METH_VARARGS, NULL},
    {NULL, NULL, 0, NULL},
};

int
ah_child_type_setup(PyObject *module)
{
    return PyModule_AddFunctions(module, child_methods);
}
