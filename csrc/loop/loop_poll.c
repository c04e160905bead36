/* Polling: until when the loop sleeps, the sleep, and what the kernel has found.
 *
 * The poll blocks (and releases the GIL) only when nothing is ready.  On a virtual
 * clock, a loop with nothing to do moves the clock instead.
 */
#include "loop/loop_object.h"

#include <errno.h>
#include <sys/prctl.h>

#include "py/clock_type.h"
#include "py/errors.h"

#define SHARED_WAKE_NS (150 * NS_PER_US)

/* The kernel may be late by the thread's slack, 50 us as a rule, or by a thousandth of
 * the timeout where that is more.  For this wait only: threads and children that a
 * callback starts inherit it.  What to restore, or 0. */
static int
sharpen(int64_t timeout_ns)
{
    if (timeout_ns >= NS_PER_S) {
        return 0;
    }
    int slack_ns = prctl(PR_GET_TIMERSLACK, 0, 0, 0, 0);
    if (slack_ns <= 1 || slack_ns <= timeout_ns / 1000 ||
        prctl(PR_SET_TIMERSLACK, 1, 0, 0, 0) < 0) {
        return 0;
    }
    return slack_ns;
}

static int
wait_sharply(LoopObject *self, struct epoll_event *events, int64_t timeout_ns)
{
    int slack_ns = sharpen(timeout_ns);
    int count = poller_wait(&self->poller, events, POLL_BATCH, timeout_ns);
    if (slack_ns > 0) {
        (void)prctl(PR_SET_TIMERSLACK, (unsigned long)slack_ns, 0, 0, 0);
    }
    return count;
}

/* What a burst took goes back before a sleep. */
static void
give_back(LoopObject *self)
{
    ah_handle_free_list_trim(self, FREE_HANDLES_IDLE);
    loop_trim_schedule(self);
}

/* Wait in the kernel, without the GIL, until timeout_ns, an event or a wake-up. */
static int
poll_blocking(LoopObject *self, struct epoll_event *events, int64_t timeout_ns)
{
    int count;
    int64_t woke_ns;
    give_back(self);
    if (!inbox_sleep(&self->inbox)) {
        return poller_wait(&self->poller, events, POLL_BATCH, 0);
    }
    loop_stats_sleep(&self->stats);
    Py_BEGIN_ALLOW_THREADS
    count = wait_sharply(self, events, timeout_ns);
    inbox_awake(&self->inbox);
    woke_ns = clock_monotonic_ns(); /* waiting for the GIL is not sleep */
    Py_END_ALLOW_THREADS
    loop_stats_woke(&self->stats, woke_ns);
    return count;
}

/* When something is due that is known by now. */
static int64_t
next_due(LoopObject *self)
{
    int64_t due_ns = heap_first_when(&self->timers);
    return due_ns < self->select_until_ns ? due_ns : self->select_until_ns;
}

/* Until when to sleep for it.  Timers that follow each other closely share a wake-up,
 * for one costs more than most callbacks: it comes SHARED_WAKE_NS after the last one,
 * if more than one is due by then. */
static int64_t
wake_for_due(LoopObject *self)
{
    int64_t due_ns = next_due(self);
    int64_t shared_ns = self->timer_woke_ns + SHARED_WAKE_NS;
    if (due_ns < shared_ns && shared_ns < self->select_until_ns &&
        heap_second_by(&self->timers, shared_ns)) {
        return shared_ns;
    }
    return due_ns;
}

/* Nothing is ready, and time is virtual: wait on the clock, which jumps when nobody
 * else has anything to do, either.  The number of events, or -errno as of that wait. */
static int
poll_virtual(LoopObject *self, struct epoll_event *events)
{
    /* From here on a post makes the poller readable, which the clock sees. */
    if (!inbox_sleep(&self->inbox)) {
        return poller_wait(&self->poller, events, POLL_BATCH, 0);
    }
    struct clock_wait wait = {
        .deadline = next_due(self),
        .fd = self->poller.fd,
        .is_loop = true,
        .wake_fd = self->inbox.wake_fd,
        .outside = self->fds_outside > 1, /* the self-pipe is one */
    };
    int64_t woke_ns;
    int result;
    give_back(self);
    loop_stats_sleep(&self->stats);
    Py_BEGIN_ALLOW_THREADS
    result = vclock_wait_until(self->vclock, &wait);
    inbox_awake(&self->inbox);
    woke_ns = clock_monotonic_ns();
    Py_END_ALLOW_THREADS
    loop_stats_woke(&self->stats, woke_ns);
    if (result < 0 || wait.undisturbed) {
        return result < 0 ? result : 0;
    }
    return poller_wait(&self->poller, events, POLL_BATCH, 0);
}

int
loop_poll(LoopObject *self, int64_t now_ns)
{
    struct epoll_event events[POLL_BATCH];
    int count;
    self->stats.polls++;
    bool timers_are_lent = self->lent != NULL && self->found == NULL;
    if (ring_count(&self->ready) > 0 || self->stopping || timers_are_lent) {
        count = poller_wait(&self->poller, events, POLL_BATCH, 0);
    }
    else if (self->vclock != NULL) {
        count = poll_virtual(self, events);
    }
    else {
        int64_t timeout_ns = wake_for_due(self);
        if (timeout_ns != NS_NEVER) {
            timeout_ns -= now_ns;
            timeout_ns = timeout_ns > 0 ? timeout_ns : 0;
        }
        /* Where there were events there may be more: look before the GIL is let go. */
        count = timeout_ns == 0 || self->polled_events
                    ? poller_wait(&self->poller, events, POLL_BATCH, 0)
                    : 0;
        if (count == 0 && timeout_ns > 0) {
            count = poll_blocking(self, events, timeout_ns);
            if (count == 0) {
                self->timer_woke_ns = self->stats.stretch_ns;
            }
        }
    }
    self->polled_events = count > 0;
    /* Here what a signal's handler raises ends the run; in a callback it is reported.
     */
    if (PyErr_CheckSignals() < 0) { /* runs Python */
        return -1;
    }
    if (count > 0) {
        loop_dispatch(self, events, count); /* runs Python */
        return loop_raise_pending(self);
    }
    if (count == -EINTR) {
        return 0;
    }
    if (count == -EDEADLK || count == -ETIME) {
        int status = ah_raise_sleep(self->vclock, count, NULL); /* runs Python */
        vclock_end_waits(self->vclock, count);
        return status;
    }
    return count < 0 ? ah_raise_errno(count, "epoll_wait") : 0;
}
