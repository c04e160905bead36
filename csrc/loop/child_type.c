/* The exit of a child process: the loop is told of it by the pidfd.
 *
 * A Child owns the pidfd.  While it is watched, the loop owns the Child, and a loop
 * that is closed lets go of it; so no order of kill, close and cancel leaks the
 * descriptor.  No thread and no SIGCHLD handler is involved; somebody else may well
 * collect the exit status first, and then the callback hears None.
 */
#include "loop/child_type.h"

#include <errno.h>
#include <unistd.h>

#include "base/child.h"
#include "py/errors.h"
#include "py/exceptions.h"

ChildObject *
ah_child_new(ModuleState *st, pid_t pid, int pidfd)
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
    ChildObject *self = ah_child_new(ah_state_of_type(type), pid, pidfd);
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
