/* add_reader(), add_writer() and their opposites, and what the selector view shows. */
#include <limits.h>

#include "loop/fd_register.h"
#include "loop/loop_args.h"
#include "py/errors.h"

/* What selectors makes of it: an int, or int(obj.fileno()).  *fd is -1 for a number
 * that no descriptor can have. */
static int
fd_of(PyObject *obj, int *fd)
{
    PyObject *number;
    if (PyLong_Check(obj)) {
        number = Py_NewRef(obj);
    }
    else {
        PyObject *result = PyObject_CallMethod(obj, "fileno", NULL); /* runs Python */
        number = result != NULL ? PyNumber_Long(result) : NULL;      /* runs Python */
        Py_XDECREF(result);
        if (number == NULL && (PyErr_ExceptionMatches(PyExc_TypeError) ||
                               PyErr_ExceptionMatches(PyExc_AttributeError) ||
                               PyErr_ExceptionMatches(PyExc_ValueError))) {
            PyErr_Clear();
            PyErr_Format(PyExc_ValueError, "Invalid file object: %R", obj);
        }
        if (number == NULL) {
            return -1;
        }
    }
    int overflow;
    long value = PyLong_AsLongAndOverflow(number, &overflow);
    bool negative = overflow < 0 || (overflow == 0 && value < 0);
    if (negative) {
        PyErr_Format(PyExc_ValueError, "Invalid file descriptor: %S", number);
    }
    *fd = overflow > 0 || value > INT_MAX ? -1 : (int)value;
    Py_DECREF(number);
    return negative ? -1 : 0;
}

/* The same for what may be closed by now: then by what it was registered with.  The
 * entry, or NULL, with or without an exception. */
static struct fd_entry *
registered_entry(LoopObject *self, PyObject *obj, int *fd)
{
    if (fd_of(obj, fd) == 0) { /* runs Python */
        return fd_table_find(&self->fds, *fd);
    }
    if (!PyErr_ExceptionMatches(PyExc_ValueError)) {
        return NULL;
    }
    for (*fd = -1; (*fd = fd_table_next(&self->fds, *fd + 1)) >= 0;) {
        struct fd_entry *entry = fd_table_find(&self->fds, *fd);
        if (entry->native == NULL && entry->owner == obj) {
            PyErr_Clear();
            return entry;
        }
    }
    return NULL;
}

/* Where add_reader() and add_writer() want to go: -1 with the reason if they may not.
 */
static int
fd_to_add(LoopObject *self, PyObject *obj)
{
    int fd;
    if (fd_of(obj, &fd) < 0 || loop_check_open(self) < 0) { /* runs Python */
        return -1;
    }
    if (fd < 0) {
        PyErr_SetString(PyExc_OverflowError,
                        "Python int too large to convert to C int");
        return -1;
    }
    struct fd_entry *entry = fd_table_find(&self->fds, fd);
    if (entry != NULL && entry->native != NULL && fd_is_live(self, fd, entry)) {
        PyErr_Format(PyExc_ValueError, "file descriptor %d is watched already", fd);
        return -1;
    }
    return fd;
}

static PyObject *
add_handle(LoopObject *self, PyObject *const *args, Py_ssize_t nargs, PyObject *kwnames,
           uint32_t event, const struct signature *signature)
{
    struct call call;
    if (loop_parse_call(self, signature, args, nargs, kwnames, &call) < 0 ||
        loop_check_open(self) < 0) {
        return NULL;
    }
    HandleObject *handle =
        ah_handle_new(self, call.params[1], call.args, call.nargs, call.context, false);
    int fd = handle != NULL ? fd_to_add(self, call.params[0]) : -1; /* runs Python */
    if (fd < 0) {
        Py_XDECREF(handle);
        return NULL;
    }
    struct fd_entry gone = {0};
    struct fd_entry *entry = fd_table_find(&self->fds, fd);
    bool is_first = entry == NULL || entry->native != NULL;
    entry = fd_register(self, fd, event, &gone);
    if (entry != NULL) {
        HandleObject **slot = entry_slot(entry, event);
        if (*slot != NULL) {
            *entry_slot(&gone, event) = *slot; /* replaced */
        }
        *slot = (HandleObject *)Py_NewRef((PyObject *)handle);
        /* As in selectors, a number is known by what it was first registered with,
         * until that is removed: closed or not, and whoever has the number now. */
        if (is_first) {
            entry->owner =
                PyLong_Check(call.params[0]) ? NULL : Py_NewRef(call.params[0]);
        }
        else if (gone.used) {
            entry->owner = gone.owner;
            gone.owner = NULL;
        }
    }
    if (fd_release(gone) < 0 || entry == NULL) { /* runs Python */
        Py_CLEAR(handle);
    }
    return (PyObject *)handle;
}

static PyObject *
remove_handle(LoopObject *self, PyObject *arg, uint32_t event)
{
    if (self->closed) {
        Py_RETURN_FALSE;
    }
    int fd;
    struct fd_entry *entry = registered_entry(self, arg, &fd); /* runs Python */
    if (entry == NULL && PyErr_Occurred()) {
        return NULL;
    }
    if (entry == NULL || *entry_slot(entry, event) == NULL) {
        Py_RETURN_FALSE;
    }
    if (fd_unregister(self, fd, entry, event) < 0) { /* runs Python */
        return NULL;
    }
    Py_RETURN_TRUE;
}

static const struct signature add_reader_signature = {
    "BaseSelectorEventLoop._add_reader", 2, {"fd", "callback"}};
static const struct signature add_writer_signature = {
    "BaseSelectorEventLoop._add_writer", 2, {"fd", "callback"}};

static PyObject *
Loop_add_reader(LoopObject *self, PyObject *const *args, Py_ssize_t nargs,
                PyObject *kwnames)
{
    return add_handle(self, args, nargs, kwnames, EPOLLIN, &add_reader_signature);
}

static PyObject *
Loop_add_writer(LoopObject *self, PyObject *const *args, Py_ssize_t nargs,
                PyObject *kwnames)
{
    return add_handle(self, args, nargs, kwnames, EPOLLOUT, &add_writer_signature);
}

static PyObject *
Loop_remove_reader(LoopObject *self, PyObject *fd)
{
    return remove_handle(self, fd, EPOLLIN);
}

static PyObject *
Loop_remove_writer(LoopObject *self, PyObject *fd)
{
    return remove_handle(self, fd, EPOLLOUT);
}

/* For the selector view: (fileobj, fd, events, reader, writer), or None. */
static PyObject *
Loop_registered(LoopObject *self, PyObject *arg)
{
    int fd;
    struct fd_entry *entry = registered_entry(self, arg, &fd); /* runs Python */
    if (entry == NULL) {
        return PyErr_Occurred() ? NULL : Py_NewRef(Py_None);
    }
    PyObject *number = PyLong_FromLong(fd);
    if (number == NULL) {
        return NULL;
    }
    PyObject *fileobj =
        entry->native == NULL && entry->owner != NULL ? entry->owner : number;
    PyObject *reader = entry->reader != NULL ? (PyObject *)entry->reader : Py_None;
    PyObject *writer = entry->writer != NULL ? (PyObject *)entry->writer : Py_None;
    uint32_t events =
        (entry->reader != NULL ? EPOLLIN : 0) | (entry->writer != NULL ? EPOLLOUT : 0);
    return Py_BuildValue("(NNINN)", Py_NewRef(fileobj), number,
                         entry->native != NULL ? EPOLLIN : events, Py_NewRef(reader),
                         Py_NewRef(writer)); /* runs Python: the collector */
}

static PyObject *
Loop_registered_fds(LoopObject *self, PyObject *Py_UNUSED(ignored))
{
    PyObject *fds = PyList_New(0);
    for (int fd = -1; fds != NULL && (fd = fd_table_next(&self->fds, fd + 1)) >= 0;) {
        PyObject *number = PyLong_FromLong(fd);
        if (number == NULL || PyList_Append(fds, number) < 0) {
            Py_CLEAR(fds);
        }
        Py_XDECREF(number);
    }
    return fds;
}

static PyObject *
Loop_write_to_self(LoopObject *self, PyObject *Py_UNUSED(ignored))
{
    return ah_none_or_errno(inbox_wake(&self->inbox), "eventfd");
}

#define FASTCALL(func) (PyCFunction)(void (*)(void)) func, METH_FASTCALL | METH_KEYWORDS

PyMethodDef loop_readers_methods[] = {
    {"_add_reader", FASTCALL(Loop_add_reader), NULL},
    {"_add_writer", FASTCALL(Loop_add_writer), NULL},
    {"_remove_reader", (PyCFunction)Loop_remove_reader, METH_O, NULL},
    {"_remove_writer", (PyCFunction)Loop_remove_writer, METH_O, NULL},
    {"_registered", (PyCFunction)Loop_registered, METH_O, NULL},
    {"_registered_fds", (PyCFunction)Loop_registered_fds, METH_NOARGS, NULL},
    {"_write_to_self", (PyCFunction)Loop_write_to_self, METH_NOARGS, NULL},
    {NULL, NULL, 0, NULL},
};
