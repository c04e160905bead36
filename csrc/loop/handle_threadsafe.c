#include "loop/handle_threadsafe.h"

#include "base/list.h"
#include "loop/loop_object.h"

struct run_waiter {
    struct run_waiter *next;
    PyThread_type_lock lock; /* held until the handle has run */
};

static struct running_handle *
running_elsewhere(HandleObject *handle)
{
    struct running_handle *note = handle->loop->running;
    while (note != NULL &&
           (note->handle != handle || note->thread == PyThread_get_thread_ident())) {
        note = note->next;
    }
    return note;
}

static int
wait_for(struct running_handle *note)
{
    struct run_waiter me = {note->waiters, PyThread_allocate_lock()};
    if (me.lock == NULL) {
        PyErr_NoMemory();
        return -1;
    }
    PyThread_acquire_lock(me.lock, NOWAIT_LOCK); /* whoever runs it releases this */
    note->waiters = &me;
    PyLockStatus status;
    do {
        Py_BEGIN_ALLOW_THREADS
        status = PyThread_acquire_lock_timed(me.lock, -1, 1);
        Py_END_ALLOW_THREADS
    } while (status == PY_LOCK_INTR && PyErr_CheckSignals() == 0); /* runs Python */
    bool ended =
        status == PY_LOCK_ACQUIRED || PyThread_acquire_lock(me.lock, NOWAIT_LOCK) != 0;
    if (!ended) {
        LIST_REMOVE(note->waiters, &me);
    }
    PyThread_release_lock(me.lock);
    PyThread_free_lock(me.lock);
    return status == PY_LOCK_ACQUIRED ? 0 : -1;
}

int
ah_handle_wait(HandleObject *handle)
{
    struct running_handle *note;
    while ((note = running_elsewhere(handle)) != NULL) {
        if (wait_for(note) < 0) {
            return -1;
        }
    }
    return 0;
}

int
ah_running_begin(struct running_handle *note, HandleObject *handle)
{
    if (ah_handle_wait(handle) < 0) {
        return -1;
    }
    LoopObject *loop = handle->loop;
    *note = (struct running_handle){loop->running, handle, PyThread_get_thread_ident(),
                                    NULL};
    loop->running = note;
    return 0;
}

void
ah_running_end(struct running_handle *note)
{
    struct running_handle **link = &note->handle->loop->running;
    while (*link != NULL && *link != note) {
        link = &(*link)->next;
    }
    if (*link == NULL) {
        return; /* in a forked child, which has none of those who wait */
    }
    *link = note->next;
    while (note->waiters != NULL) {
        struct run_waiter *waiter = note->waiters;
        note->waiters = waiter->next;
        PyThread_release_lock(waiter->lock);
    }
}
