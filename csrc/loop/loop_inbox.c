/* What other threads leave for the loop: call_soon_threadsafe() and ah_loop_post().
 *
 * Nothing here that another thread runs touches the ring, the free list or the
 * shared context of the loop: a post goes to the inbox (base/inbox.h), and the loop's
 * thread moves it to the ready ring, at the beginning of a turn, after a poll, and
 * before it schedules something itself, so that the order of one thread's calls is
 * kept.
 */
#include <errno.h>
#include <time.h>

#include "loop/loop_object.h"
#include "py/errors.h"

/* The bit beside an inbox node: which of the two it is in. */
#define IS_POST false
#define IS_HANDLE true

/* Wake-ups closer than this are of one burst. */
#define LONE_WAKE_US 100

/* With more than BACKLOG_MAX to do for the loop, a thread pauses once per PAUSE_EVERY
 * of its posts. */
#define BACKLOG_MAX 16384
#define PAUSE_EVERY 64
#define PAUSE_NS (100 * NS_PER_US)

static HandleObject *
handle_of(struct inbox_node *node)
{
    return (HandleObject *)((char *)node - offsetof(HandleObject, node));
}

/* Is this the first wake-up for a while? */
static bool
is_lone_wake(LoopObject *self)
{
    unsigned now_us = (unsigned)(clock_monotonic_ns() / 1000); /* wraps: no matter */
    if (now_us - atomic_load(&self->lone_wake_us) < LONE_WAKE_US) {
        return false;
    }
    atomic_store(&self->lone_wake_us, now_us);
    return true;
}

/* inbox_post() by who holds the GIL, which the loop's thread needs next.  Woken while
 * we hold it, that thread goes to sleep once more, and this takes longer than all the
 * rest.  So the GIL is let go around a wake-up; but not if there was one a moment
 * ago, or a thread with many things to post would hand the GIL over for each. */
static int
post_with_gil(LoopObject *self, struct inbox_node *node, bool bit)
{
    if (!inbox_is_asleep(&self->inbox) || !is_lone_wake(self)) {
        return inbox_post(&self->inbox, node, bit);
    }
    int err;
    Py_BEGIN_ALLOW_THREADS
    err = inbox_post(&self->inbox, node, bit);
    Py_END_ALLOW_THREADS
    return err;
}

/* Threads that post without end hold the GIL nearly always, and each turn of the loop
 * would find more than the one before: timers and descriptors would wait for ever.
 * So they pause, a moment and not until the loop has caught up: its callback may wait
 * for this very thread. */
static void
pause_if_far_ahead(LoopObject *self)
{
    unsigned posted = atomic_load_explicit(&self->posted, memory_order_relaxed) + 1;
    atomic_store_explicit(&self->posted, posted, memory_order_relaxed); /* by the GIL */
    if (posted % PAUSE_EVERY != 0 || self->running_ident == 0 ||
        posted - self->collected + ring_count(&self->ready) <= BACKLOG_MAX) {
        return;
    }
    const struct timespec pause = {.tv_nsec = PAUSE_NS};
    Py_BEGIN_ALLOW_THREADS
    nanosleep(&pause, NULL); /* a signal may end it */
    Py_END_ALLOW_THREADS
}

int
ah_loop_post(LoopObject *self, struct ah_post *post, ah_post_func func, PyObject *owner)
{
    post->func = func;
    post->owner = owner;
    return inbox_post(&self->inbox, &post->node, IS_POST);
}

void
ah_loop_pin(LoopObject *self)
{
    inbox_pin(&self->inbox);
}

int
ah_loop_post_pinned(LoopObject *self, struct ah_post *post, ah_post_func func,
                    PyObject *owner)
{
    int err = ah_loop_post(self, post, func, owner);
    inbox_unpin(&self->inbox);
    return err;
}

int
ah_loop_post_with_gil(LoopObject *self, struct ah_post *post, ah_post_func func,
                      PyObject *owner)
{
    post->func = func;
    post->owner = owner;
    return post_with_gil(self, &post->node, IS_POST);
}

bool
ah_loop_runs_elsewhere(const LoopObject *self)
{
    /* What asyncio itself looks at; it is so also while a run begins and ends. */
    return PyLong_CheckExact(self->thread_id) &&
           PyLong_AsUnsignedLongMask(self->thread_id) != PyThread_get_thread_ident();
}

int
loop_post_handle(LoopObject *self, HandleObject *handle)
{
    if (self->running_ident == PyThread_get_thread_ident()) {
        return loop_push(self, (PyObject *)handle, READY_HANDLE);
    }
    Py_INCREF(handle);
    int err = post_with_gil(self, &handle->node, IS_HANDLE);
    if (err == -ESHUTDOWN) {
        Py_DECREF(handle);
        return loop_raise_closed(self);
    }
    pause_if_far_ahead(self);
    return err < 0 ? ah_raise_errno(err, "eventfd") : 0;
}

void
loop_arrive(LoopObject *self, inbox_item items)
{
    inbox_item *last = &self->arrived;
    while (*last != 0) {
        last = &inbox_node_of(*last)->next;
    }
    *last = items;
}

int
loop_collect_inbox(LoopObject *self)
{
    loop_arrive(self, inbox_take(&self->inbox));
    self->collected = atomic_load_explicit(&self->posted, memory_order_relaxed);
    while (self->arrived != 0) {
        struct inbox_node *node = inbox_node_of(self->arrived);
        bool is_handle = inbox_bit_of(self->arrived);
        void *item = is_handle ? (void *)handle_of(node) : (void *)node;
        if (ring_push(&self->ready, item, is_handle ? READY_HANDLE : READY_POST) < 0) {
            PyErr_NoMemory();
            return -1;
        }
        self->arrived = node->next;
    }
    return 0;
}

static PyObject *
owner_of(inbox_item item)
{
    struct inbox_node *node = inbox_node_of(item);
    return inbox_bit_of(item) ? (PyObject *)handle_of(node)
                              : ((struct ah_post *)node)->owner;
}

static void
drop_posts(inbox_item item)
{
    while (item != 0) {
        PyObject *owner = owner_of(item);
        item = inbox_node_of(item)->next;
        Py_DECREF(owner); /* runs Python */
    }
}

void
loop_close_inbox(LoopObject *self)
{
    inbox_item arrived = self->arrived;
    self->arrived = 0;
    drop_posts(arrived);
    drop_posts(inbox_close(&self->inbox));
}

static int
visit_posts(inbox_item item, visitproc visit, void *arg)
{
    for (; item != 0 && item != INBOX_CLOSED; item = inbox_node_of(item)->next) {
        Py_VISIT(owner_of(item));
    }
    return 0;
}

int
loop_traverse_inbox(LoopObject *self, visitproc visit, void *arg)
{
    int status = visit_posts(self->arrived, visit, arg);
    if (status != 0) {
        return status;
    }
    return visit_posts(atomic_load(&self->inbox.newest), visit, arg);
}
