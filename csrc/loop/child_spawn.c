/* Starting a child process by base/child.h, from the arguments of a Popen. */
#include <errno.h>
#include <limits.h>

#include "base/child.h"
#include "loop/child_type.h"

extern char **environ;

/* Arguments of exec: a NULL-terminated array that points into `owner`. */
struct strings {
    PyObject *owner; /* owned: tuple of bytes, or NULL */
    char **items;    /* owned */
};

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
    child = ah_child_new(st, 0, -1);
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

static PyMethodDef child_spawn_methods[] = {
    {"_can_spawn", core_can_spawn, METH_NOARGS, NULL},
    {"_spawn", core_spawn, METH_VARARGS, NULL},
    {NULL, NULL, 0, NULL},
};

int
ah_child_spawn_setup(PyObject *module)
{
    return PyModule_AddFunctions(module, child_spawn_methods);
}
