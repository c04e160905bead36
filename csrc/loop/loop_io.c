/* Descriptors: readers and writers of Python code, readers of native code.
 *
 * An event is dispatched in the turn that found it: a Python reader's handle goes to
 * the ready ring, a native reader is called at once.
 *
 * epoll knows files, we know numbers.  A file that is closed while a duplicate of it
 * lives stays in the epoll under a number that is no longer its own, reports for ever,
 * and cannot be removed.  So each registration has a generation, which tells an event
 * that belongs to nobody; now and then an event makes us ask whether its file still
 * has the number; and where one has not, a new epoll takes the place of the old one.
 */
#include "loop/loop_type.h"

#include <errno.h>
#include <limits.h>
#include <sys/epoll.h>

#include "loop/loop_args.h"
#include "py/errors.h"
#include "py/exceptions.h"

/* epoll data of the wake-up eventfd; no descriptor is that large. */
#define WAKE_DATA UINT64_MAX

/* Of so many events of a descriptor, one is asked whose it is. */
#define ASK_EVERY 16

/* -- registrations --------------------------------------------------------- */

static uint64_t
event_data(int fd, uint32_t generation)
{
    return ((uint64_t)generation << 32) | (uint32_t)fd;
}

static HandleObject **
entry_slot(struct fd_entry *entry, uint32_t event)
{
    return event == EPOLLIN ? &entry->reader : &entry->writer;
}

static void
entry_set_events(LoopObject *self, struct fd_entry *entry, uint32_t events)
{
    if (entry->native == NULL || !entry->native->simulated) {
        self->fds_outside += (size_t)(events != 0) - (size_t)(entry->events != 0);
    }
    entry->events = events;
}

/* Has the file that was registered still this number? */
static bool
entry_is_live(LoopObject *self, int fd, const struct fd_entry *entry)
{
    uint64_t data = event_data(fd, entry->generation);
    return entry->events != 0 &&
           poller_modify(&self->poller, fd, entry->events, data) == 0;
}

/* Drop an entry; what it owned is the caller's to release, by release_gone(). */
static struct fd_entry
entry_take(LoopObject *self, int fd, struct fd_entry *entry)
{
    entry_set_events(self, entry, 0);
    struct fd_entry gone = *entry;
    if (gone.native != NULL) {
        gone.native->fd = -1;
    }
    fd_table_drop(&self->fds, fd);
    return gone;
}

/* Handles are cancelled.  -1 when making the text of one, in debug mode, failed. */
static int
release_gone(struct fd_entry gone)
{
    int status = 0;
    HandleObject *handles[] = {gone.reader, gone.writer};
    for (int i = 0; i < 2; i++) {
        if (handles[i] != NULL) {
            status |= ah_handle_cancel(handles[i]); /* runs Python */
            Py_DECREF(handles[i]);                  /* runs Python */
        }
    }
    Py_XDECREF(gone.owner); /* runs Python */
    return status;
}

/* The entry of fd, with `event` registered besides what was.  If that was of another
 * file that had this number, nobody will hear of it again: it goes to *gone. */
static struct fd_entry *
entry_register(LoopObject *self, int fd, uint32_t event, struct fd_entry *gone)
{
    struct fd_entry *entry = fd_table_find(&self->fds, fd);
    if (entry != NULL && entry->events != 0) {
        uint32_t events = entry->events | event;
        int err =
            poller_modify(&self->poller, fd, events, event_data(fd, entry->generation));
        if (err == 0) {
            entry_set_events(self, entry, events);
            return entry;
        }
        if (err != -ENOENT) {
            ah_raise_errno(err, NULL);
            return NULL;
        }
    }
    uint32_t generation = ++self->fd_generation;
    int err = poller_add(&self->poller, fd, event, event_data(fd, generation));
    if (err < 0) {
        ah_raise_errno(err, NULL);
        return NULL;
    }
    if (entry != NULL) {
        *gone = entry_take(self, fd, entry);
    }
    entry = fd_table_add(&self->fds, fd);
    if (entry == NULL) {
        poller_remove(&self->poller, fd);
        PyErr_NoMemory();
        return NULL;
    }
    entry->generation = generation;
    entry_set_events(self, entry, event);
    return entry;
}

/* Forget the reader, the writer or both: the last one takes the entry along, and so
 * does one whom the kernel does not let go alone, with OSError, as with selectors. */
static int
entry_unregister(LoopObject *self, int fd, struct fd_entry *entry, uint32_t events)
{
    struct fd_entry gone = {
        .reader = events & EPOLLIN ? entry->reader : NULL,
        .writer = events & EPOLLOUT ? entry->writer : NULL,
    };
    bool all = gone.reader == entry->reader && gone.writer == entry->writer;
    uint32_t rest = all ? 0 : entry->events & ~events;
    int err = 0;
    if (!all && rest != entry->events) {
        uint64_t data = event_data(fd, entry->generation);
        err = poller_modify(&self->poller, fd, rest, data);
        if (err == -ENOENT || err == -EBADF) {
            rest = 0; /* the other one's file is closed, too */
            err = 0;
        }
    }
    if (all || err < 0) {
        if (entry->events != 0) {
            poller_remove(&self->poller, fd);
        }
        gone = entry_take(self, fd, entry);
    }
    else {
        *entry_slot(entry, events) = NULL;
        entry_set_events(self, entry, rest);
    }
    int status = release_gone(gone); /* runs Python */
    if (status == 0 && err < 0) {
        ah_raise_errno(err, NULL);
        status = -1;
    }
    return status;
}

/* -- native readers -------------------------------------------------------- */

int
ah_loop_add_reader(LoopObject *self, struct ah_reader *reader, int fd,
                   ah_reader_func func, PyObject *owner)
{
    if (loop_check_open(self) < 0) {
        return -1;
    }
    struct fd_entry *entry = fd_table_find(&self->fds, fd);
    if (entry != NULL && entry_is_live(self, fd, entry)) {
        PyErr_Format(PyExc_ValueError, "file descriptor %d is watched already", fd);
        return -1;
    }
    struct fd_entry gone = {0};
    entry = entry_register(self, fd, EPOLLIN, &gone);
    if (entry != NULL) {
        self->fds_outside -= reader->simulated ? 1 : 0;
        entry->native = reader;
        entry->owner = Py_NewRef(owner);
        *reader = (struct ah_reader){fd, func, reader->simulated};
    }
    if (release_gone(gone) < 0) { /* runs Python */
        ah_loop_report(self, "Exception while a closed reader is cancelled", NULL);
    }
    return entry != NULL ? 0 : -1;
}

void
ah_loop_remove_reader(LoopObject *self, struct ah_reader *reader)
{
    if (reader->fd < 0) {
        return;
    }
    int fd = reader->fd;
    struct fd_entry *entry = fd_table_find(&self->fds, fd);
    reader->fd = -1;
    if (entry != NULL && entry->native == reader) {
        poller_remove(&self->poller, fd);
        Py_DECREF(entry_take(self, fd, entry).owner); /* runs Python */
    }
}

/* -- events ---------------------------------------------------------------- */

int
loop_register_fds(LoopObject *self)
{
    int err =
        poller_add(&self->poller, self->inbox.wake_fd, EPOLLIN | EPOLLET, WAKE_DATA);
    const struct fd_table *table = &self->fds;
    for (int fd = -1; err == 0 && (fd = fd_table_next(table, fd + 1)) >= 0;) {
        struct fd_entry *entry = fd_table_find(table, fd);
        if (entry->events != 0) {
            err = poller_add(&self->poller, fd, entry->events,
                             event_data(fd, entry->generation));
        }
        if (err == -EBADF) { /* closed, and not removed */
            entry_set_events(self, entry, 0);
            err = 0;
        }
    }
    return err;
}

/* Exchange the epoll for one without files that have lost their number.  What was
 * registered with such a file stays, to be removed, but hears of nothing. */
static int
renew_poller(LoopObject *self)
{
    for (int fd = -1; (fd = fd_table_next(&self->fds, fd + 1)) >= 0;) {
        struct fd_entry *entry = fd_table_find(&self->fds, fd);
        if (entry->events != 0 && !entry_is_live(self, fd, entry)) {
            entry_set_events(self, entry, 0);
        }
    }
    int err = poller_renew(&self->poller);
    return err < 0 ? err : loop_register_fds(self);
}

/* NULL: it belongs to nobody (any more). */
static struct fd_entry *
entry_of_event(LoopObject *self, const struct epoll_event *event)
{
    int fd = (int)(uint32_t)event->data.u64;
    struct fd_entry *entry = fd_table_find(&self->fds, fd);
    bool ours = entry != NULL && entry->events != 0 &&
                event->data.u64 == event_data(fd, entry->generation);
    return ours ? entry : NULL;
}

/* Before anything is called: whose registration goes later is merely late. */
static bool
belong_to_somebody(LoopObject *self, const struct epoll_event *events, int count)
{
    for (int i = 0; i < count; i++) {
        if (events[i].data.u64 == WAKE_DATA) {
            continue;
        }
        struct fd_entry *entry = entry_of_event(self, &events[i]);
        if (entry == NULL ||
            (++entry->reports % ASK_EVERY == 0 &&
             !entry_is_live(self, (int)(uint32_t)events[i].data.u64, entry))) {
            return false;
        }
    }
    return true;
}

/* Errors and hang-ups go to whoever is there, as with selectors. */
static int
push_handles(LoopObject *self, int fd, struct fd_entry *entry, uint32_t events)
{
    HandleObject *reader = events & ~(uint32_t)EPOLLOUT ? entry->reader : NULL;
    HandleObject *writer = events & ~(uint32_t)EPOLLIN ? entry->writer : NULL;
    uint32_t cancelled = (reader != NULL && reader->cancelled ? EPOLLIN : 0) |
                         (writer != NULL && writer->cancelled ? EPOLLOUT : 0);
    if ((reader != NULL && !reader->cancelled &&
         loop_push(self, (PyObject *)reader, READY_HANDLE) < 0) ||
        (writer != NULL && !writer->cancelled &&
         loop_push(self, (PyObject *)writer, READY_HANDLE) < 0)) {
        return -1;
    }
    if (cancelled == 0) {
        return 0;
    }
    return entry_unregister(self, fd, entry, cancelled); /* runs Python */
}

void
loop_note_event(LoopObject *self, int fd, uint32_t events)
{
    PyObject *event = Py_BuildValue("(iI)", fd, (unsigned)events);
    if (event == NULL || PyList_Append(self->found, event) < 0) {
        ah_loop_report(self, "Out of memory for an I/O event", NULL);
    }
    Py_XDECREF(event);
}

void
loop_dispatch(LoopObject *self, const struct epoll_event *events, int count)
{
    if (!belong_to_somebody(self, events, count)) {
        int err = renew_poller(self);
        if (err < 0) {
            ah_raise_errno(err, "epoll_create1");
            Py_XSETREF(self->pending_exc, ah_take_exception());
        }
    }
    for (int i = 0; i < count && self->pending_exc == NULL; i++) {
        struct fd_entry *entry = entry_of_event(self, &events[i]);
        if (entry == NULL) {
            continue; /* the wake-up, or nobody's */
        }
        if (entry->native != NULL) {
            PyObject *owner = Py_NewRef(entry->owner);
            entry->native->func(self, entry->native); /* runs Python */
            Py_DECREF(owner);                         /* runs Python */
            continue;
        }
        int fd = (int)(uint32_t)events[i].data.u64;
        if (self->found != NULL) { /* the turn is not ours: see Loop_select() */
            loop_note_event(self, fd, events[i].events);
            continue;
        }
        if (push_handles(self, fd, entry, events[i].events) < 0) { /* runs Python */
            ah_loop_report(self, "Exception while an I/O event is dispatched", NULL);
        }
    }
}

void
loop_clear_fds(LoopObject *self)
{
    struct fd_table fds = self->fds;
    self->fds = (struct fd_table){0};
    self->fds_outside = 0;
    /* Releasing one may run Python that closes a device: disarm all first. */
    for (int fd = -1; (fd = fd_table_next(&fds, fd + 1)) >= 0;) {
        struct fd_entry *entry = fd_table_find(&fds, fd);
        if (entry->native != NULL) {
            entry->native->fd = -1;
        }
    }
    for (int fd = -1; (fd = fd_table_next(&fds, fd + 1)) >= 0;) {
        struct fd_entry *entry = fd_table_find(&fds, fd);
        Py_XDECREF(entry->owner);  /* runs Python */
        Py_XDECREF(entry->reader); /* runs Python */
        Py_XDECREF(entry->writer); /* runs Python */
    }
    fd_table_free(&fds);
}

int
loop_traverse_fds(LoopObject *self, visitproc visit, void *arg)
{
    for (int fd = -1; (fd = fd_table_next(&self->fds, fd + 1)) >= 0;) {
        struct fd_entry *entry = fd_table_find(&self->fds, fd);
        Py_VISIT(entry->reader);
        Py_VISIT(entry->writer);
        Py_VISIT(entry->owner);
    }
    return 0;
}

/* -- Python methods -------------------------------------------------------- */

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
    if (entry != NULL && entry->native != NULL && entry_is_live(self, fd, entry)) {
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
    entry = entry_register(self, fd, event, &gone);
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
    if (release_gone(gone) < 0 || entry == NULL) { /* runs Python */
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
    if (entry_unregister(self, fd, entry, event) < 0) { /* runs Python */
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
    {"_registered", (PyCFunction)Loop_registered, METH_O, NULL},
    {"_registered_fds", (PyCFunction)Loop_registered_fds, METH_NOARGS, NULL},
    {"_write_to_self", (PyCFunction)Loop_write_to_self, METH_NOARGS, NULL},
    {NULL, NULL, 0, NULL},
};
