/* What the kernel has found: the handle of a Python reader or writer goes to the ready
 * ring, a native reader is called at once.
 */
#include "loop/fd_register.h"
#include "py/exceptions.h"
#include "py/errors.h"

/* Of so many events of a descriptor, one is asked whose it is. */
#define ASK_EVERY 16

/* NULL: it belongs to nobody (any more). */
static inline struct fd_entry *
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
             !fd_is_live(self, (int)(uint32_t)events[i].data.u64, entry))) {
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
    return fd_unregister(self, fd, entry, cancelled); /* runs Python */
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
        int err = fd_renew_poller(self);
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
