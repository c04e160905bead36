/* Timed callbacks: in debug mode, and while somebody watches (pyasync_hw/insight.py).
 *
 * Each callback is then announced to the watchdog, if there is one, and timed.  What
 * took as long as the limit is reported to the Python half: a callback at once, or a
 * turn of many callbacks none of which was slow.  Outside of that, nothing here runs.
 */
#include <math.h>

#include "loop/loop_object.h"
#include "loop/watchdog_type.h"
#include "py/exceptions.h"

/* Of the limit for an iteration: a callback that took less is not worth naming. */
#define NAMED_SHARE 100

/* Of the limit, when the watchdog first looks: what ran before that is not seen. */
#define LOOKS_FROM 4

/* -- limits ---------------------------------------------------------------- */

static int64_t
seconds_to_limit(double limit)
{
    if (limit <= 0.0) {
        return 0; /* everything is slow */
    }
    return limit < 9e9 ? (int64_t)(limit * 1e9) : NS_NEVER;
}

void
loop_slow_update(LoopObject *self)
{
    int64_t limit_ns = self->watch_limit_ns;
    int64_t look_ns = limit_ns; /* with a limit of 0, everything is slow: nothing is */
    int64_t debug_ns = seconds_to_limit(self->slow_callback_duration);
    if (self->debug && debug_ns < limit_ns) {
        limit_ns = debug_ns;
        look_ns = debug_ns > 0 ? debug_ns : look_ns;
    }
    self->slow_limit_ns = limit_ns;
    if (self->watchdog != NULL) {
        look_ns = look_ns == NS_NEVER ? NS_NEVER : look_ns / LOOKS_FROM;
        watchdog_limit(&self->watchdog->dog, look_ns);
    }
}

void
loop_slow_init(LoopObject *self)
{
    self->slow_callback_duration = 0.1;
    self->watch_limit = Py_HUGE_VAL;
    self->watch_limit_ns = NS_NEVER;
    loop_slow_update(self);
}

void
loop_slow_clear(LoopObject *self)
{
    if (self->watchdog != NULL) {
        watchdog_stop(&self->watchdog->dog); /* its thread ends */
    }
    Py_CLEAR(self->watchdog);       /* runs Python */
    Py_CLEAR(self->current_handle); /* runs Python */
}

/* -- timing ---------------------------------------------------------------- */

void
loop_timed_begin(LoopObject *self, struct timed_turn *timed, PyObject *handle)
{
    Py_XSETREF(self->current_handle, Py_NewRef(handle)); /* runs Python */
    timed->outer_ns = self->timed_ns;
    timed->began_ns = self->timed_ns = clock_monotonic_ns();
    if (timed->count++ == 0) {
        timed->first_ns = timed->began_ns;
    }
    if (self->watchdog != NULL) {
        ah_watchdog_begin(self->watchdog, PyThreadState_Get(), timed->began_ns);
    }
}

void
loop_timed_overtake(LoopObject *self, struct timed_turn *timed)
{
    timed->first_ns = timed->began_ns = self->timed_ns;
    timed->count = 1;
}

/* What a run inside of a callback has run ends; the callback goes on. */
static void
timed_back(LoopObject *self, int64_t outer_ns)
{
    self->timed_ns = outer_ns;
    if (self->watchdog != NULL && outer_ns != 0) {
        ah_watchdog_begin(self->watchdog, PyThreadState_Get(), outer_ns);
    }
    else if (self->watchdog != NULL) {
        ah_watchdog_end(self->watchdog);
    }
}

static int
told(PyObject *result)
{
    Py_XDECREF(result);
    return result != NULL ? 0 : -1;
}

/* Its text, not the handle: what that refers to goes when it has run, as in asyncio. */
static int
note_slowest(LoopObject *self, struct timed_turn *timed, PyObject *handle)
{
    PyObject *text = PyObject_CallMethod((PyObject *)self, "_describe_handle", "O",
                                         handle); /* runs Python */
    Py_XSETREF(timed->slowest, text);
    return text != NULL ? 0 : -1;
}

/* Also of a callback that ends the run, by Ctrl+C: its exception is the one that stays.
 */
static int
tell_slow(LoopObject *self, const struct timed_turn *timed, PyObject *handle,
          int64_t took_ns)
{
    PyObject *exc = ah_take_exception();
    int status = told(PyObject_CallMethod((PyObject *)self, "_slow_callback", "OId",
                                          handle, watchdog_stamp(timed->began_ns),
                                          clock_seconds(took_ns))); /* runs Python */
    if (exc != NULL && status < 0) {
        PyErr_WriteUnraisable(handle); /* runs Python */
        status = 0;
    }
    if (exc != NULL) {
        ah_restore_exception(exc);
    }
    return status;
}

int
loop_timed_end(LoopObject *self, struct timed_turn *timed, PyObject *handle, int status)
{
    timed->ended_ns = clock_monotonic_ns();
    timed_back(self, timed->outer_ns);
    int64_t took_ns = timed->ended_ns - timed->began_ns;
    if (took_ns > timed->slowest_ns) {
        timed->slowest_ns = took_ns;
        if (status == 0 && took_ns >= self->slow_limit_ns / NAMED_SHARE) {
            status = note_slowest(self, timed, handle); /* runs Python */
        }
    }
    if (took_ns >= self->slow_limit_ns) {
        timed->reported = true;
        if (tell_slow(self, timed, handle, took_ns) < 0) { /* runs Python */
            status = -1;
        }
    }
    PyObject *current = self->current_handle;
    self->current_handle = NULL;
    PyObject *exc = ah_take_exception();
    Py_XDECREF(current); /* runs Python */
    ah_restore_exception(exc);
    return status;
}

int
loop_timed_turn_end(LoopObject *self, struct timed_turn *timed, int status)
{
    int64_t took_ns = timed->ended_ns - timed->first_ns;
    if (status == 0 && timed->count > 1 && !timed->reported &&
        took_ns >= self->slow_limit_ns) {
        status = told(PyObject_CallMethod(
            (PyObject *)self, "_slow_iteration", "ndOd", (Py_ssize_t)timed->count,
            clock_seconds(took_ns), timed->slowest != NULL ? timed->slowest : Py_None,
            clock_seconds(timed->slowest_ns))); /* runs Python */
    }
    if (timed->slowest != NULL) {
        PyObject *exc = ah_take_exception();
        Py_CLEAR(timed->slowest); /* runs Python */
        ah_restore_exception(exc);
    }
    return status;
}

/* -- Python methods -------------------------------------------------------- */

/* A callback that runs untimed, when somebody begins to watch: it is timed now. */
static void
overtake(LoopObject *self)
{
    struct loop_batch *batch = &self->batch;
    if (batch->owner != NULL && self->timed_ns == 0 && !batch->overtaken) {
        Py_XSETREF(self->current_handle, Py_NewRef(batch->owner)); /* runs Python */
        self->timed_ns = clock_monotonic_ns();
        batch->overtaken = true;
        batch->rest = batch->left;
        batch->left = 0;
    }
}

static int
check_watchdog(LoopObject *self, PyObject *object)
{
    if (object == Py_None || PyObject_TypeCheck(object, self->st->watchdog_type)) {
        return 0;
    }
    PyErr_Format(PyExc_TypeError, "watchdog must be a Watchdog or None, not %.100s",
                 Py_TYPE(object)->tp_name);
    return -1;
}

/* Replace who watches, a Watchdog or None, and the least limit of the watches, if it
 * still is `old`; whoever changes it takes what is there as it is: no lock. */
static PyObject *
Loop_set_watchdog(LoopObject *self, PyObject *args)
{
    PyObject *old, *new;
    double limit;
    if (!PyArg_ParseTuple(args, "OOd:_set_watchdog", &old, &new, &limit) ||
        check_watchdog(self, new) < 0) {
        return NULL;
    }
    WatchdogObject *before = self->watchdog;
    WatchdogObject *after = new == Py_None ? NULL : (WatchdogObject *)new;
    if (before != (old == Py_None ? NULL : (WatchdogObject *)old)) {
        Py_RETURN_FALSE;
    }
    self->watchdog = (WatchdogObject *)Py_XNewRef(after);
    self->watch_limit = limit;
    self->watch_limit_ns = seconds_to_limit(limit);
    loop_slow_update(self);
    if (before != NULL && before != after) {
        ah_watchdog_end(before);
        watchdog_stop(&before->dog); /* its thread ends */
    }
    if (loop_is_timed(self)) {
        overtake(self); /* runs Python */
    }
    if (after != NULL && after != before && self->timed_ns != 0) {
        ah_watchdog_begin(after, self->run_tstate, self->timed_ns);
    }
    Py_XDECREF(before); /* runs Python */
    Py_RETURN_TRUE;
}

static PyObject *
Loop_get_seconds(LoopObject *self, void *offset)
{
    return PyFloat_FromDouble(*(double *)((char *)self + (uintptr_t)offset));
}

static int
Loop_set_slow_callback_duration(LoopObject *self, PyObject *value,
                                void *Py_UNUSED(closure))
{
    if (value == NULL) {
        PyErr_SetString(PyExc_AttributeError, "cannot delete slow_callback_duration");
        return -1;
    }
    double seconds = PyFloat_AsDouble(value); /* runs Python */
    if (seconds == -1.0 && PyErr_Occurred()) {
        if (PyErr_ExceptionMatches(PyExc_TypeError)) {
            PyErr_Format(PyExc_TypeError,
                         "slow_callback_duration must be a number of seconds, "
                         "not %.100s",
                         Py_TYPE(value)->tp_name);
        }
        return -1;
    }
    if (isnan(seconds)) {
        PyErr_SetString(PyExc_ValueError,
                        "slow_callback_duration must be a number of seconds, not NaN");
        return -1;
    }
    self->slow_callback_duration = seconds;
    loop_slow_update(self);
    return 0;
}

static int
Loop_set_current_handle(LoopObject *self, PyObject *value, void *Py_UNUSED(closure))
{
    bool none = value == NULL || value == Py_None;
    Py_XSETREF(self->current_handle, none ? NULL : Py_NewRef(value));
    return 0;
}

PyMethodDef slow_callbacks_methods[] = {
    {"_set_watchdog", (PyCFunction)Loop_set_watchdog, METH_VARARGS, NULL},
    {NULL, NULL, 0, NULL},
};

PyGetSetDef slow_callbacks_getset[] = {
    {"slow_callback_duration", (getter)Loop_get_seconds,
     (setter)Loop_set_slow_callback_duration,
     PyDoc_STR("In debug mode, what takes as many seconds is reported."),
     FIELD(slow_callback_duration)},
    {"_watchdog", (getter)Loop_get_object, NULL, NULL, FIELD(watchdog)},
    {"_watch_limit", (getter)Loop_get_seconds, NULL, NULL, FIELD(watch_limit)},
    {"_current_handle", (getter)Loop_get_object, (setter)Loop_set_current_handle, NULL,
     FIELD(current_handle)},
    {NULL, NULL, NULL, NULL, NULL},
};
