/* Descriptors: readers and writers of Python code, watches of native code.
 *
 * One table indexed by descriptor.  An event is dispatched in the turn that
 * found it: a Python reader's handle goes to the ready ring, a native watch is
 * called at once.  Each registration has a generation, so that an event of a
 * descriptor number that was closed and used again in the same batch is
 * recognised as stale.
 */
#include "loop/loop_type.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "loop/loop_args.h"
#include "py/compat.h"
#include "py/errors.h"

/* epoll data of the wake-up eventfd; no descriptor is that large. */
#define WAKE_DATA UINT64_MAX

/* -- the table ------------------------------------------------------------- */

static struct fd_entry *
entry_find(LoopObject *self, int fd)
{
    return (size_t)fd < self->fds_size ? &self->fds[fd] : NULL;
}

static struct fd_entry *
entry_make(LoopObject *self, int fd)
{
    if ((size_t)fd >= self->fds_size) {
        if (fcntl(fd, F_GETFD) < 0) { /* no table for a number that is not open */
            ah_raise_errno(errno, NULL);
            return NULL;
        }
        size_t size = self->fds_size != 0 ? self->fds_size : 64;
        while (size <= (size_t)fd) {
            size *= 2;
        }
        struct fd_entry *fds = PyMem_Realloc(self->fds, size * sizeof *fds);
        if (fds == NULL) {
            PyErr_NoMemory();
            return NULL;
        }
        memset(fds + self->fds_size, 0, (size - self->fds_size) * sizeof *fds);
        self->fds = fds;
        self->fds_size = size;
    }
    return &self->fds[fd];
}

static bool
entry_used(const struct fd_entry *entry)
{
    return entry->reader != NULL || entry->writer != NULL || entry->watch != NULL;
}

/* Tell epoll what the entry wants now.  -errno leaves the entry as it was. */
static int
entry_register(LoopObject *self, int fd, struct fd_entry *entry, uint32_t events)
{
    if (entry->events == 0) {
        entry->generation++;
    }
    uint64_t data = ((uint64_t)entry->generation << 32) | (uint32_t)fd;
    int err = poller_set(&self->poller, fd, entry->events, events, data);
    if (err < 0) {
        return err;
    }
    entry->events = events;
    return 0;
}

static void
count_used(LoopObject *self, bool before, bool after, bool outside)
{
    self->fds_used += (size_t)after - (size_t)before;
    if (outside) {
        self->fds_outside += (size_t)after - (size_t)before;
    }
}

/* -- native watches -------------------------------------------------------- */

int
ah_loop_watch(LoopObject *self, struct ah_watch *watch, int fd, uint32_t events,
              ah_watch_func func, PyObject *owner)
{
    if (loop_check_open(self) < 0) {
        return -1;
    }
    struct fd_entry *entry = entry_make(self, fd);
    if (entry == NULL) {
        return -1;
    }
    if (entry_used(entry) && entry->watch != watch) {
        PyErr_Format(PyExc_ValueError, "file descriptor %d is watched already", fd);
        return -1;
    }
    int err = entry_register(self, fd, entry, events);
    if (err < 0) {
        return ah_raise_errno(err, "epoll_ctl");
    }
    count_used(self, entry->watch != NULL, true, !watch->simulated);
    entry->watch = watch;
    Py_XSETREF(entry->owner, Py_NewRef(owner)); /* never the last: it is the same */
    watch->fd = fd;
    watch->events = events;
    watch->func = func;
    return 0;
}

void
ah_loop_unwatch(LoopObject *self, struct ah_watch *watch)
{
    if (watch->fd < 0) {
        return;
    }
    PyObject *owner = NULL;
    struct fd_entry *entry = entry_find(self, watch->fd);
    if (entry != NULL && entry->watch == watch) {
        /* The worst that a failure leaves is one spurious, ignored wake-up. */
        (void)poller_set(&self->poller, watch->fd, entry->events, 0, 0);
        entry->events = 0;
        entry->watch = NULL;
        owner = entry->owner;
        entry->owner = NULL;
        count_used(self, true, false, !watch->simulated);
    }
    watch->fd = -1;
    Py_XDECREF(owner); /* runs Python */
}

void
loop_dispatch(LoopObject *self, const struct epoll_event *events, int count)
{
    for (int i = 0; i < count && self->pending_exc == NULL; i++) {
        if (events[i].data.u64 == WAKE_DATA) {
            continue;
        }
        int fd = (int)(uint32_t)events[i].data.u64;
        struct fd_entry *entry = entry_find(self, fd);
        if (entry == NULL ||
            entry->generation != (uint32_t)(events[i].data.u64 >> 32)) {
            continue; /* stale */
        }
        if (entry->watch != NULL) {
            PyObject *owner = Py_NewRef(entry->owner);
            entry->watch->func(self, entry->watch, events[i].events); /* runs Python */
            Py_DECREF(owner);                                         /* runs Python */
            continue;
        }
        /* Errors and hang-ups go to whoever is there, as with selectors. */
        HandleObject *reader =
            events[i].events & ~(uint32_t)EPOLLOUT ? entry->reader : NULL;
        HandleObject *writer =
            events[i].events & ~(uint32_t)EPOLLIN ? entry->writer : NULL;
        if ((reader != NULL && loop_push(self, (PyObject *)reader, READY_HANDLE) < 0) ||
            (writer != NULL && loop_push(self, (PyObject *)writer, READY_HANDLE) < 0)) {
            ah_loop_report(self, "Out of memory for an I/O event", NULL);
        }
    }
}

int
loop_register_fds(LoopObject *self)
{
    for (size_t fd = 0; fd < self->fds_size; fd++) {
        struct fd_entry *entry = &self->fds[fd];
        uint32_t events = entry->events;
        entry->events = 0;
        int err = events != 0 ? entry_register(self, (int)fd, entry, events) : 0;
        if (err < 0 && err != -EBADF) { /* closed and not removed: as before */
            return err;
        }
    }
    return 0;
}

void
loop_clear_fds(LoopObject *self)
{
    struct fd_entry *fds = self->fds;
    size_t size = self->fds_size;
    self->fds = NULL;
    self->fds_size = self->fds_used = self->fds_outside = 0;
    /* Releasing one may run Python that closes a device: disarm all first. */
    for (size_t fd = 0; fd < size; fd++) {
        if (fds[fd].watch != NULL) {
            fds[fd].watch->fd = -1;
        }
    }
    for (size_t fd = 0; fd < size; fd++) {
        Py_XDECREF(fds[fd].owner);  /* runs Python */
        Py_XDECREF(fds[fd].reader); /* runs Python */
        Py_XDECREF(fds[fd].writer); /* runs Python */
    }
    PyMem_Free(fds);
}

int
loop_traverse_fds(LoopObject *self, visitproc visit, void *arg)
{
    for (size_t fd = 0; fd < self->fds_size; fd++) {
        Py_VISIT(self->fds[fd].reader);
        Py_VISIT(self->fds[fd].writer);
        Py_VISIT(self->fds[fd].owner);
    }
    return 0;
}

/* -- Python methods -------------------------------------------------------- */

/* An int, or an object with fileno(); ValueError as selectors raises it. */
static int
fd_of(PyObject *obj)
{
    if (PyLong_Check(obj)) {
        int overflow;
        long fd = PyLong_AsLongAndOverflow(obj, &overflow);
        if (fd >= 0 && fd <= 0x7fffffff && !overflow) {
            return (int)fd;
        }
        PyErr_Format(PyExc_ValueError, "Invalid file descriptor: %R", obj);
        return -1;
    }
    int fd = PyObject_AsFileDescriptor(obj); /* runs Python */
    if (fd < 0 && (PyErr_ExceptionMatches(PyExc_TypeError) ||
                   PyErr_ExceptionMatches(PyExc_AttributeError) ||
                   PyErr_ExceptionMatches(PyExc_ValueError))) {
        PyErr_Clear();
        PyErr_Format(PyExc_ValueError, "Invalid file object: %R", obj);
    }
    return fd;
}

/* The old handle in *slot is cancelled and released; `handle` is stored. */
static int
replace_handle(HandleObject **slot, HandleObject *handle)
{
    HandleObject *old = *slot;
    *slot = handle;
    if (old == NULL) {
        return 0;
    }
    int status = ah_handle_cancel(old); /* runs Python */
    Py_DECREF(old);                     /* runs Python */
    return status;
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
    int fd = fd_of(call.params[0]); /* runs Python */
    if (fd < 0) {
        return NULL;
    }
    HandleObject *handle =
        ah_handle_new(self, call.params[1], call.args, call.nargs, call.context, false);
    if (handle == NULL) {
        return NULL;
    }
    struct fd_entry *entry = entry_make(self, fd);
    if (entry == NULL) {
        Py_DECREF(handle);
        return NULL;
    }
    if (entry->watch != NULL) {
        PyErr_Format(PyExc_ValueError, "file descriptor %d is watched already", fd);
        Py_DECREF(handle);
        return NULL;
    }
    bool used = entry_used(entry);
    int err = entry_register(self, fd, entry, entry->events | event);
    if (err < 0) {
        ah_raise_errno(err, NULL);
        Py_DECREF(handle);
        return NULL;
    }
    count_used(self, used, true, true);
    HandleObject **slot = event == EPOLLIN ? &entry->reader : &entry->writer;
    if (replace_handle(slot, (HandleObject *)Py_NewRef((PyObject *)handle)) < 0) {
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
    int fd = fd_of(arg);
    if (fd < 0) {
        return NULL;
    }
    struct fd_entry *entry = entry_find(self, fd);
    HandleObject **slot = NULL;
    if (entry != NULL) {
        slot = event == EPOLLIN ? &entry->reader : &entry->writer;
    }
    if (slot == NULL || *slot == NULL) {
        Py_RETURN_FALSE;
    }
    int err = entry_register(self, fd, entry, entry->events & ~event);
    if (err < 0) {
        ah_raise_errno(err, NULL);
        return NULL;
    }
    HandleObject *old = *slot;
    *slot = NULL;
    count_used(self, true, entry_used(entry), true);
    int status = ah_handle_cancel(old); /* runs Python */
    Py_DECREF(old);                     /* runs Python */
    if (status < 0) {
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

/* For the selector view: (events, reader, writer) of a descriptor, or None. */
static PyObject *
Loop_watched(LoopObject *self, PyObject *arg)
{
    int fd = fd_of(arg);
    if (fd < 0) {
        return NULL;
    }
    struct fd_entry *entry = entry_find(self, fd);
    if (entry == NULL || !entry_used(entry)) {
        Py_RETURN_NONE;
    }
    PyObject *reader = entry->reader != NULL ? (PyObject *)entry->reader : Py_None;
    PyObject *writer = entry->writer != NULL ? (PyObject *)entry->writer : Py_None;
    return Py_BuildValue("(INN)", (unsigned)entry->events, Py_NewRef(reader),
                         Py_NewRef(writer)); /* runs Python: the collector */
}

static PyObject *
Loop_watched_fds(LoopObject *self, PyObject *Py_UNUSED(ignored))
{
    PyObject *fds = PyList_New(0);
    for (size_t fd = 0; fds != NULL && fd < self->fds_size; fd++) {
        if (entry_used(&self->fds[fd])) {
            PyObject *number = PyLong_FromSize_t(fd);
            if (number == NULL || PyList_Append(fds, number) < 0) {
                Py_CLEAR(fds);
            }
            Py_XDECREF(number);
        }
    }
    return fds;
}

static PyObject *
Loop_write_to_self(LoopObject *self, PyObject *Py_UNUSED(ignored))
{
    int err = inbox_wake(&self->inbox);
    if (err < 0) {
        ah_raise_errno(err, "eventfd");
        return NULL;
    }
    Py_RETURN_NONE;
}

#define FASTCALL(func) (PyCFunction)(void (*)(void)) func, METH_FASTCALL | METH_KEYWORDS

PyMethodDef loop_io_methods[] = {
    {"_add_reader", FASTCALL(Loop_add_reader), NULL},
    {"_add_writer", FASTCALL(Loop_add_writer), NULL},
    {"_remove_reader", (PyCFunction)Loop_remove_reader, METH_O, NULL},
    {"_remove_writer", (PyCFunction)Loop_remove_writer, METH_O, NULL},
    {"_watched", (PyCFunction)Loop_watched, METH_O, NULL},
    {"_watched_fds", (PyCFunction)Loop_watched_fds, METH_NOARGS, NULL},
    {"_write_to_self", (PyCFunction)Loop_write_to_self, METH_NOARGS, NULL},
    {NULL, NULL, 0, NULL},
};
