/* One turn of the loop: read this first.
 *
 *   poll for descriptors        events are dispatched at once: Python readers
 *                               to the ready ring, native watches right here
 *   due timers to the ring      all of them, before any of them runs
 *   run what is ready           only what was there when we began; what it
 *                               schedules belongs to the next turn
 *
 * The poll blocks (and releases the GIL) only when nothing is ready.  While
 * callbacks keep the ring full, turns may skip the poll, for a bounded number
 * of turns and of nanoseconds, so neither I/O nor timers wait for long.
 * On a virtual clock, a loop with nothing to do moves the clock instead.
 */
#include "loop/loop_type.h"

#include <errno.h>
#include <math.h>
#include <signal.h>
#include <sys/prctl.h>

#include "py/clock_type.h"
#include "py/compat.h"
#include "py/errors.h"

#define SKIPPED_POLLS_MAX 32
#define SELECT_MAX_S 1e9 /* longer is for ever */
#define SKIPPED_POLLS_NS (50 * NS_PER_US)
#define SHARED_WAKE_NS (150 * NS_PER_US)

/* -- errors of native callbacks -------------------------------------------- */

void
ah_loop_report(LoopObject *self, const char *message, PyObject *source)
{
    PyObject *exc = ah_take_exception();
    if (PyErr_GivenExceptionMatches(exc, PyExc_SystemExit) ||
        PyErr_GivenExceptionMatches(exc, PyExc_KeyboardInterrupt)) {
        Py_XSETREF(self->pending_exc, exc);
        return;
    }
    PyObject *result = NULL;
    PyObject *context = Py_BuildValue("{sssO}", "message", message, "exception", exc);
    if (context != NULL &&
        (source == NULL || PyDict_SetItemString(context, "source", source) == 0)) {
        result = PyObject_CallMethod((PyObject *)self, "call_exception_handler", "O",
                                     context); /* runs Python */
    }
    Py_XDECREF(context);
    Py_DECREF(exc);
    if (result == NULL) {
        Py_XSETREF(self->pending_exc, ah_take_exception());
    }
    Py_XDECREF(result);
}

/* A native callback asked for the end of the run. */
int
loop_raise_pending(LoopObject *self)
{
    if (self->pending_exc == NULL) {
        return 0;
    }
    PyObject *exc = self->pending_exc;
    self->pending_exc = NULL;
    ah_restore_exception(exc);
    return -1;
}

/* -- polling --------------------------------------------------------------- */

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

static int
poll_and_dispatch(LoopObject *self, int64_t now_ns)
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

/* A busy loop need not ask the kernel each turn; and a task that waited for a
 * descriptor runs in the turn after its reader's, before the next poll. */
static bool
may_skip_poll(LoopObject *self, int64_t now_ns)
{
    if (ring_count(&self->ready) == 0 || self->stopping ||
        self->turns_since_poll >= SKIPPED_POLLS_MAX) {
        return false;
    }
    if (self->turns_since_poll == 0 && self->polled_events) {
        return true;
    }
    return now_ns - self->last_poll_ns < SKIPPED_POLLS_NS;
}

/* -- running --------------------------------------------------------------- */

int
loop_run_foreign(PyObject *handle)
{
    PyObject *cancelled = PyObject_GetAttrString(handle, "_cancelled");
    int skip = cancelled != NULL ? PyObject_IsTrue(cancelled) : -1;
    Py_XDECREF(cancelled);
    if (skip != 0) {
        return skip < 0 ? -1 : 0;
    }
    PyObject *result = PyObject_CallMethod(handle, "_run", NULL); /* runs Python */
    if (result == NULL) {
        return -1;
    }
    Py_DECREF(result);
    return 0;
}

static int
run_item(LoopObject *self, struct ring_item item)
{
    if (item.tag == READY_HANDLE) {
        return ah_handle_run(item.ptr); /* runs Python */
    }
    if (item.tag == READY_POST) {
        struct ah_post *post = item.ptr;
        post->func(self, post); /* runs Python */
        return loop_raise_pending(self);
    }
    return loop_run_foreign((PyObject *)item.ptr); /* runs Python */
}

/* By asyncio.Handle._run() as somebody has patched it. */
static int
run_patched(PyObject *run, HandleObject *handle)
{
    PyObject *result = ah_handle_run_patched(handle, run); /* runs Python */
    Py_XDECREF(result);
    return result != NULL ? 0 : -1;
}

/* Run what is left of the batch.  -1 leaves the rest in the ring.  Inline, once for the
 * common case, and once with the timing of callbacks or a patched _run(). */
static inline int
run_batch(LoopObject *self, struct timed_turn *timed, PyObject *patched)
{
    struct loop_batch *batch = &self->batch;
    int status = 0;
    while (batch->left > 0 && status == 0 && ring_count(&self->ready) > 0) {
        struct ring_item item = ring_pop(&self->ready);
        HandleObject *handle = item.tag == READY_HANDLE ? item.ptr : NULL;
        PyObject *owner = ready_owner(item);
        batch->left--;
        batch->owner = owner;
        self->stats.callbacks++;
        if (handle != NULL && handle->cancelled) {
            status = 0;
        }
        else if (timed != NULL) {
            loop_timed_begin(self, timed, owner); /* runs Python */
            status = handle != NULL && patched != NULL
                         ? run_patched(patched, handle)
                         : run_item(self, item);                 /* runs Python */
            status = loop_timed_end(self, timed, owner, status); /* runs Python */
        }
        else if (handle != NULL && patched != NULL) {
            status = run_patched(patched, handle); /* runs Python */
        }
        else {
            status = run_item(self, item); /* runs Python */
        }
        batch->owner = NULL;
        Py_DECREF(owner); /* runs Python */
    }
    return status;
}

static int
run_timed(LoopObject *self, int status)
{
    struct timed_turn timed = {0};
    if (self->batch.overtaken) {
        PyObject *handle = Py_XNewRef(self->current_handle);
        self->batch.left = self->batch.rest;
        loop_timed_overtake(self, &timed);
        status = loop_timed_end(self, &timed, handle, status); /* runs Python */
        Py_XDECREF(handle);                                    /* runs Python */
    }
    if (status == 0) {
        status = run_batch(self, &timed, self->batch.patched); /* runs Python */
    }
    return loop_timed_turn_end(self, &timed, status); /* runs Python */
}

/* Run as many items as there are now. */
static int
run_ready(LoopObject *self)
{
    int status = 0;
    bool timed = loop_is_timed(self);
    PyObject *patched = Py_XNewRef(ah_handle_patched_run(self->st));
    self->batch = (struct loop_batch){.patched = patched};
    self->batch.left = self->closed ? 0 : ring_count(&self->ready); /* closed: a fork */
    if (!timed) {
        status = patched == NULL ? run_batch(self, NULL, NULL)     /* runs Python */
                                 : run_batch(self, NULL, patched); /* runs Python */
    }
    if (timed || self->batch.overtaken) {
        status = run_timed(self, status); /* runs Python */
    }
    Py_XDECREF(patched); /* runs Python */
    return status;
}

static int
turn(LoopObject *self)
{
    int64_t now_ns = clock_monotonic_ns(); /* once per turn, and after a sleep */
    loop_stats_turn(&self->stats, now_ns);
    if (self->lent != NULL && loop_take_timers_back(self) < 0) {
        return -1;
    }
    if (loop_collect(self) < 0) {
        return -1;
    }
    if (may_skip_poll(self, now_ns)) {
        self->turns_since_poll++;
    }
    else {
        if (poll_and_dispatch(self, now_ns) < 0 || loop_collect(self) < 0) {
            return -1;
        }
        self->turns_since_poll = 0;
        self->last_poll_ns = self->stats.stretch_ns;
    }
    if (self->timers.size > 0) {
        if (self->vclock == NULL) {
            loop_stats_due(&self->stats, now_ns, heap_first_when(&self->timers));
        }
        if (loop_push_due_timers(self, ah_loop_now(self)) < 0) {
            return loop_raise_pending(self);
        }
    }
    return run_ready(self);
}

/* -- being run ------------------------------------------------------------- */

AH_RAISES static int
begin_run(LoopObject *self)
{
    self->has_run = true;
    if (self->clock != NULL &&
        ah_virtual_clock_attach(self->clock, (PyObject *)self) < 0) {
        return -1;
    }
    loop_stats_run_begin(&self->stats);
    self->running_ident = PyThread_get_thread_ident();
    self->run_tstate = PyThreadState_Get();
    return 0;
}

static void
end_run(LoopObject *self)
{
    loop_stats_run_end(&self->stats);
    self->running_ident = 0;
    self->run_tstate = NULL;
    loop_trim_schedule(self);
    if (self->vclock != NULL) {
        ah_virtual_clock_detach(self->clock);
    }
}

/* The same around one call, which may be made inside a callback of a run. */
struct nested {
    bool outermost;
    struct loop_batch outer; /* of the run around it */
};

AH_RAISES static int
begin_nested(LoopObject *self, struct nested *nested)
{
    nested->outermost = self->running_ident == 0;
    if (loop_check_open(self) < 0 || (nested->outermost && begin_run(self) < 0)) {
        return -1;
    }
    nested->outer = self->batch;
    self->batch = (struct loop_batch){0};
    return 0;
}

static void
end_nested(LoopObject *self, const struct nested *nested)
{
    self->batch = nested->outer;
    if (nested->outermost) {
        end_run(self);
    }
}

/* Has somebody patched its class, or asyncio's above it, since we looked? */
static bool
is_patched_anew(LoopObject *self)
{
    unsigned tag = Py_TYPE(self)->tp_version_tag;
    return tag != self->type_tag || tag == 0; /* 0: it changes too often to have one */
}

static bool
has_patches(LoopObject *self)
{
    return self->hooked || self->turns_patched || self->asyncio_later;
}

int
loop_notice_patches(LoopObject *self)
{
    unsigned tag = Py_TYPE(self)->tp_version_tag;
    if (tag != 0 && tag == self->st->plain_tag && !has_patches(self)) {
        self->type_tag = tag; /* a loop before has looked */
        return 0;
    }
    self->type_tag = 0;
    PyObject *notice = PyObject_GetAttrString((PyObject *)self, "_notice_patches");
    /* As it is before, or what is patched while it looks would pass unseen. */
    tag = Py_TYPE(self)->tp_version_tag;
    PyObject *result = notice != NULL ? PyObject_CallNoArgs(notice) : NULL;
    Py_XDECREF(notice); /* runs Python */
    if (result == NULL) {
        return -1;
    }
    Py_DECREF(result);
    self->type_tag = tag;
    if (!has_patches(self)) {
        self->st->plain_tag = self->type_tag;
    }
    return 0;
}

/* -- Python methods -------------------------------------------------------- */

static PyObject *
Loop_look_for_patches(LoopObject *self, PyObject *Py_UNUSED(ignored))
{
    if (is_patched_anew(self) && loop_notice_patches(self) < 0) { /* runs Python */
        return NULL;
    }
    Py_RETURN_NONE;
}

static PyObject *
Loop_run_once(LoopObject *self, PyObject *Py_UNUSED(ignored))
{
    if (self->asyncio_turns) {
        return PyObject_CallOneArg(self->st->asyncio_run_once, (PyObject *)self);
    }
    struct nested nested;
    if (begin_nested(self, &nested) < 0) {
        return NULL;
    }
    self->turns_since_poll = SKIPPED_POLLS_MAX;
    int status = turn(self); /* runs Python */
    end_nested(self, &nested);
    if (status < 0) {
        return NULL;
    }
    Py_RETURN_NONE;
}

/* select() of selectors, for a turn that is not ours: a list of (descriptor, events) of
 * readers and writers.  What is native is served here, as are posts of threads; where
 * there is nothing else, (-1, EPOLLIN) tells that something came, or a test clock takes
 * the wake-up for the end of the timeout. */
static PyObject *
Loop_select(LoopObject *self, PyObject *timeout)
{
    double seconds = 0.0;
    if (timeout != Py_None) {
        seconds = PyFloat_AsDouble(timeout); /* runs Python */
        if (seconds == -1.0 && PyErr_Occurred()) {
            return NULL;
        }
        if (isnan(seconds)) {
            PyErr_SetString(PyExc_ValueError, "timeout must be a time, not NaN");
            return NULL;
        }
    }
    PyObject *found = PyList_New(0);
    struct nested nested;
    if (found == NULL || begin_nested(self, &nested) < 0) {
        Py_XDECREF(found);
        return NULL;
    }
    int64_t outer_until_ns = self->select_until_ns;
    PyObject *outer_found = self->found;
    if (timeout != Py_None && seconds < SELECT_MAX_S) {
        self->select_until_ns = ah_loop_now(self) + loop_seconds_to_ns_up(seconds);
    }
    self->found = Py_NewRef(found);
    size_t ready = ring_count(&self->ready);
    int status = loop_collect(self);
    if (status == 0) {
        status = poll_and_dispatch(self, clock_monotonic_ns()); /* runs Python */
    }
    if (status == 0 && loop_push_due_timers(self, ah_loop_now(self)) < 0) {
        status = loop_raise_pending(self);
    }
    if (status == 0 && PyList_GET_SIZE(found) == 0 &&
        (self->polled_events || ring_count(&self->ready) > ready)) {
        loop_note_event(self, -1, EPOLLIN);
    }
    Py_XSETREF(self->found, outer_found);
    self->select_until_ns = outer_until_ns;
    end_nested(self, &nested);
    if (status < 0) {
        Py_CLEAR(found);
    }
    return found;
}

/* Turn until stop(), or until somebody puts another turn over ours.  The Python half
 * has set up and will clean up. */
static PyObject *
Loop_run_turns(LoopObject *self, PyObject *Py_UNUSED(ignored))
{
    struct nested nested;
    if (begin_nested(self, &nested) < 0) {
        return NULL;
    }
    self->turns_since_poll = SKIPPED_POLLS_MAX; /* a run of one turn polls, too */
    int status = 0;
    do {
        if (is_patched_anew(self)) {
            status = loop_notice_patches(self); /* runs Python */
        }
        if (status == 0 && !self->turns_patched) {
            status = turn(self); /* runs Python */
        }
    } while (status == 0 && !self->stopping && !self->turns_patched);
    end_nested(self, &nested);
    if (status == 0 && ah_is_inherited(&self->fork)) {
        status = loop_raise_closed(self); /* a callback forked: this is the child */
    }
    if (status < 0) {
        return NULL;
    }
    Py_RETURN_NONE;
}

static PyObject *
Loop_stop(LoopObject *self, PyObject *Py_UNUSED(ignored))
{
    self->stopping = true;
    Py_RETURN_NONE;
}

PyMethodDef loop_run_methods[] = {
    {"_run_once", (PyCFunction)Loop_run_once, METH_NOARGS, NULL},
    {"_look_for_patches", (PyCFunction)Loop_look_for_patches, METH_NOARGS, NULL},
    {"_run_turns", (PyCFunction)Loop_run_turns, METH_NOARGS, NULL},
    {"_select", (PyCFunction)Loop_select, METH_O, NULL},
    {"stop", (PyCFunction)Loop_stop, METH_NOARGS,
     PyDoc_STR("stop($self, /)\n--\n\n"
               "Stop after this turn; what is ready now still runs.")},
    {NULL, NULL, 0, NULL},
};
