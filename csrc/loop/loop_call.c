/* call_soon(), call_later(), call_at(), call_soon_threadsafe(), time().
 *
 * Times are nanoseconds of the loop's clock; a timer is due when its time, rounded up,
 * has come, so loop.time() in its callback is never below when().
 */
#include "loop/loop_args.h"
#include "loop/loop_object.h"

#include <math.h>

static const struct signature call_soon_signature = {
    "BaseEventLoop.call_soon", 1, {"callback"}};
static const struct signature threadsafe_signature = {
    "BaseEventLoop.call_soon_threadsafe", 1, {"callback"}};
static const struct signature call_at_signature = {
    "BaseEventLoop.call_at", 2, {"when", "callback"}};
static const struct signature call_later_signature = {
    "BaseEventLoop.call_later", 2, {"delay", "callback"}};

/* Debug mode: right thread, and something that can be called. */
static int
check_debug(LoopObject *self, PyObject *callback, const char *method, bool thread)
{
    PyObject *result;
    if (thread) {
        result = PyObject_CallMethod((PyObject *)self, "_check_thread", NULL);
        if (result == NULL) {
            return -1;
        }
        Py_DECREF(result);
    }
    result = PyObject_CallMethod((PyObject *)self, "_check_callback", "Os", callback,
                                 method);
    if (result == NULL) {
        return -1;
    }
    Py_DECREF(result);
    return 0;
}

int
ah_loop_check_callback(LoopObject *self, PyObject *callback, const char *method)
{
    return self->debug ? check_debug(self, callback, method, false) : 0;
}

/* Seconds, rounded up to nanoseconds so that ns / 1e9 >= seconds. */
int64_t
loop_seconds_to_ns_up(double seconds)
{
    if (seconds >= 9.2e9) {
        return NS_NEVER - 1;
    }
    if (seconds <= -9.2e9) {
        return -NS_NEVER / 2; /* differences to it do not overflow */
    }
    int64_t ns = (int64_t)ceil(seconds * 1e9);
    while (clock_seconds(ns) < seconds) {
        ns++;
    }
    return ns;
}

/* -- Python methods -------------------------------------------------------- */

static PyObject *
Loop_call_soon(LoopObject *self, PyObject *const *args, Py_ssize_t nargs,
               PyObject *kwnames)
{
    struct call call;
    if (loop_parse_call(self, &call_soon_signature, args, nargs, kwnames, &call) < 0 ||
        loop_check_open(self) < 0 ||
        (self->debug && check_debug(self, call.params[0], "call_soon", true) < 0) ||
        loop_collect(self) < 0) { /* what this thread posted before comes first */
        return NULL;
    }
    HandleObject *handle =
        ah_handle_new(self, call.params[0], call.args, call.nargs, call.context, true);
    if (handle == NULL) {
        return NULL;
    }
    if (ring_push(&self->ready, handle, READY_HANDLE) < 0) {
        Py_DECREF(handle);
        return PyErr_NoMemory();
    }
    return Py_NewRef((PyObject *)handle);
}

static PyObject *
Loop_call_soon_threadsafe(LoopObject *self, PyObject *const *args, Py_ssize_t nargs,
                          PyObject *kwnames)
{
    struct call call;
    if (loop_parse_call(self, &threadsafe_signature, args, nargs, kwnames, &call) < 0 ||
        loop_check_open(self) < 0 ||
        (self->debug &&
         check_debug(self, call.params[0], "call_soon_threadsafe", false) < 0)) {
        return NULL;
    }
    HandleObject *handle = ah_handle_new_threadsafe(self, call.params[0], call.args,
                                                    call.nargs, call.context);
    if (handle != NULL && loop_post_handle(self, handle) < 0) {
        Py_CLEAR(handle);
    }
    return (PyObject *)handle;
}

/* A number of seconds that is an argument.  `none` is what asyncio says of None. */
static int
parse_seconds(const struct signature *signature, PyObject *arg, const char *none,
              double *seconds)
{
    if (arg == Py_None) {
        PyErr_SetString(PyExc_TypeError, none);
        return -1;
    }
    *seconds = PyFloat_AsDouble(arg); /* runs Python */
    if (*seconds == -1.0 && PyErr_Occurred()) {
        return -1;
    }
    if (isnan(*seconds)) {
        PyErr_Format(PyExc_ValueError, "%s must be a time, not NaN",
                     signature->names[0]);
        return -1;
    }
    return 0;
}

int
loop_arm_timer_handle(LoopObject *self, TimerHandleObject *handle)
{
    return ah_loop_timer_start(self, &handle->base.timer,
                               loop_seconds_to_ns_up(handle->when),
                               loop_timer_handle_due, (PyObject *)handle);
}

static PyObject *
schedule_at(LoopObject *self, double when, const struct call *call)
{
    TimerHandleObject *handle = ah_timer_handle_new(
        self, when, call->params[1], call->args, call->nargs, call->context);
    if (handle == NULL) {
        return NULL;
    }
    if (loop_arm_timer_handle(self, handle) < 0) {
        Py_DECREF(handle);
        return NULL;
    }
    return (PyObject *)handle;
}

static PyObject *
Loop_call_at(LoopObject *self, PyObject *const *args, Py_ssize_t nargs,
             PyObject *kwnames)
{
    struct call call;
    double when;
    if (loop_parse_call(self, &call_at_signature, args, nargs, kwnames, &call) < 0 ||
        parse_seconds(&call_at_signature, call.params[0], "when cannot be None",
                      &when) < 0 ||
        loop_check_open(self) < 0 ||
        (self->debug && check_debug(self, call.params[1], "call_at", true) < 0)) {
        return NULL;
    }
    return schedule_at(self, when, &call);
}

static PyObject *
Loop_time(LoopObject *self, PyObject *Py_UNUSED(ignored))
{
    return PyFloat_FromDouble(clock_seconds(loop_now(self)));
}

/* A delay that is no plain number: what Python makes of adding it to the time. */
static PyObject *
schedule_after(LoopObject *self, const struct call *call)
{
    double when = 0.0;
    PyObject *now = Loop_time(self, NULL);
    PyObject *sum =
        now != NULL ? PyNumber_Add(now, call->params[0]) : NULL; /* runs Python */
    int status = sum != NULL ? parse_seconds(&call_later_signature, sum,
                                             "delay must not be None", &when)
                             : -1; /* runs Python */
    Py_XDECREF(now);
    Py_XDECREF(sum); /* runs Python */
    if (status < 0 || loop_check_open(self) < 0 ||
        (self->debug && check_debug(self, call->params[1], "call_at", true) < 0)) {
        return NULL;
    }
    return schedule_at(self, when, call);
}

static PyObject *
Loop_call_later(LoopObject *self, PyObject *const *args, Py_ssize_t nargs,
                PyObject *kwnames)
{
    struct call call;
    double delay;
    if (self->asyncio_later) {
        return loop_call_base(self, self->st->asyncio_call_later, args, nargs,
                              kwnames); /* runs Python */
    }
    if (loop_parse_call(self, &call_later_signature, args, nargs, kwnames, &call) < 0) {
        return NULL;
    }
    PyObject *arg = call.params[0];
    if (!PyFloat_CheckExact(arg) && !PyLong_CheckExact(arg) && arg != Py_None) {
        return schedule_after(self, &call); /* runs Python */
    }
    if (parse_seconds(&call_later_signature, arg, "delay must not be None", &delay) <
            0 ||
        loop_check_open(self) < 0 ||
        (self->debug && check_debug(self, call.params[1], "call_at", true) < 0)) {
        return NULL;
    }
    return schedule_at(self, clock_seconds(loop_now(self)) + delay, &call);
}

/* Inherited code (signals) brings asyncio.Handle objects of its own. */
static PyObject *
Loop_add_callback(LoopObject *self, PyObject *handle)
{
    int cancelled;
    int tag = loop_ready_tag(self, handle, &cancelled); /* runs Python */
    if (tag < 0 || (!cancelled && loop_push(self, handle, (enum ready_tag)tag) < 0)) {
        return NULL;
    }
    Py_RETURN_NONE;
}

#define FASTCALL(func) (PyCFunction)(void (*)(void)) func, METH_FASTCALL | METH_KEYWORDS

PyMethodDef loop_call_methods[] = {
    {"call_soon", FASTCALL(Loop_call_soon),
     PyDoc_STR("call_soon($self, callback, *args, context=None)\n--\n\n"
               "Call callback(*args) in the next turn of the loop; return a Handle.")},
    {"call_soon_threadsafe", FASTCALL(Loop_call_soon_threadsafe),
     PyDoc_STR("call_soon_threadsafe($self, callback, *args, context=None)\n--\n\n"
               "Like call_soon(), from any thread.")},
    {"call_at", FASTCALL(Loop_call_at),
     PyDoc_STR("call_at($self, when, callback, *args, context=None)\n--\n\n"
               "Call callback(*args) at the time `when`, seconds of time(); "
               "return a TimerHandle.")},
    {"call_later", FASTCALL(Loop_call_later),
     PyDoc_STR("call_later($self, delay, callback, *args, context=None)\n--\n\n"
               "Call callback(*args) in `delay` seconds; return a TimerHandle.")},
    {"time", (PyCFunction)Loop_time, METH_NOARGS,
     PyDoc_STR("time($self, /)\n--\n\nThe loop's clock, in seconds.")},
    {"_add_callback", (PyCFunction)Loop_add_callback, METH_O, NULL},
    {NULL, NULL, 0, NULL},
};
