/* Registering descriptors with the kernel's epoll; see fd_register.h. */
#include "loop/fd_register.h"

#include <errno.h>

#include "py/errors.h"

static void
entry_set_events(LoopObject *self, struct fd_entry *entry, uint32_t events)
{
    if (entry->native == NULL || !entry->native->simulated) {
        self->fds_outside += (size_t)(events != 0) - (size_t)(entry->events != 0);
    }
    entry->events = events;
}

bool
fd_is_live(LoopObject *self, int fd, const struct fd_entry *entry)
{
    uint64_t data = event_data(fd, entry->generation);
    return entry->events != 0 &&
           poller_modify(&self->poller, fd, entry->events, data) == 0;
}

/* Drop an entry; what it owned is the caller's to release, by fd_release(). */
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

int
fd_release(struct fd_entry gone)
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

struct fd_entry *
fd_register(LoopObject *self, int fd, uint32_t event, struct fd_entry *gone)
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

int
fd_unregister(LoopObject *self, int fd, struct fd_entry *entry, uint32_t events)
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
    int status = fd_release(gone); /* runs Python */
    if (status == 0 && err < 0) {
        ah_raise_errno(err, NULL);
        status = -1;
    }
    return status;
}

/* -- native readers --------------------------------------------------------- */

int
ah_loop_add_reader(LoopObject *self, struct ah_reader *reader, int fd,
                   ah_reader_func func, PyObject *owner)
{
    if (loop_check_open(self) < 0) {
        return -1;
    }
    struct fd_entry *entry = fd_table_find(&self->fds, fd);
    if (entry != NULL && fd_is_live(self, fd, entry)) {
        PyErr_Format(PyExc_ValueError, "file descriptor %d is watched already", fd);
        return -1;
    }
    struct fd_entry gone = {0};
    entry = fd_register(self, fd, EPOLLIN, &gone);
    if (entry != NULL) {
        self->fds_outside -= reader->simulated ? 1 : 0;
        entry->native = reader;
        entry->owner = Py_NewRef(owner);
        *reader = (struct ah_reader){fd, func, reader->simulated};
    }
    if (fd_release(gone) < 0) { /* runs Python */
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

/* -- all of them ------------------------------------------------------------ */

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

int
fd_renew_poller(LoopObject *self)
{
    for (int fd = -1; (fd = fd_table_next(&self->fds, fd + 1)) >= 0;) {
        struct fd_entry *entry = fd_table_find(&self->fds, fd);
        if (entry->events != 0 && !fd_is_live(self, fd, entry)) {
            entry_set_events(self, entry, 0);
        }
    }
    int err = poller_renew(&self->poller);
    return err < 0 ? err : loop_register_fds(self);
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
