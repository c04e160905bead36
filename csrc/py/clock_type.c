/* VirtualClock: a leaf, it refers to no other object. */
#include "py/clock_type.h"

#include <math.h>

#include "py/errors.h"

static int
check_own(VirtualClockObject *self)
{
    return ah_is_inherited(&self->fork)
               ? ah_raise_inherited(&self->fork, "VirtualClock", "make a new one")
               : 0;
}

int
ah_virtual_clock_arg(ModuleState *st, PyObject *arg, struct vclock **clock)
{
    if (arg == NULL || arg == Py_None) {
        *clock = NULL;
        return 0;
    }
    if (!PyObject_TypeCheck(arg, st->virtual_clock_type)) {
        PyErr_Format(PyExc_TypeError,
                     "clock must be a VirtualClock or None, not %.100s",
                     Py_TYPE(arg)->tp_name);
        return -1;
    }
    *clock = &((VirtualClockObject *)arg)->clock;
    return check_own((VirtualClockObject *)arg);
}

int
ah_virtual_clock_attach(PyObject *clock, PyObject *loop)
{
    VirtualClockObject *self = (VirtualClockObject *)clock;
    if (vclock_attach_loop(&self->clock) < 0) {
        PyErr_SetString(PyExc_RuntimeError,
                        "another loop is running on this VirtualClock");
        return -1;
    }
    self->loop = loop;
    return 0;
}

void
ah_virtual_clock_detach(PyObject *clock)
{
    VirtualClockObject *self = (VirtualClockObject *)clock;
    self->loop = NULL;
    vclock_detach_loop(&self->clock);
}

int
ah_raise_sleep(struct vclock *clock, int err, const char *what)
{
    PyObject *module = PyImport_ImportModule("pyasync_hw.loop.sleep_forever");
    if (module == NULL) {
        return -1;
    }
    PyObject *exc =
        PyObject_CallMethod(module, "error", "OzO", ah_virtual_clock_object(clock),
                            what, err == -ETIME ? Py_True : Py_False); /* runs Python */
    Py_DECREF(module);
    if (exc != NULL) {
        PyErr_SetObject((PyObject *)Py_TYPE(exc), exc);
        Py_DECREF(exc);
    }
    return -1;
}

static void
virtual_clock_in_child(PyObject *object)
{
    VirtualClockObject *self = (VirtualClockObject *)object;
    self->loop = NULL;
    vclock_after_fork(&self->clock);
}

static PyObject *
VirtualClock_new(PyTypeObject *type, PyObject *args, PyObject *kwargs)
{
    static char *kwlist[] = {"start", "limit", NULL};
    PyObject *start_arg = NULL, *limit_arg = NULL;
    double start = 0.0, limit = 0.0;
    if (!PyArg_ParseTupleAndKeywords(args, kwargs, "|OO:VirtualClock", kwlist,
                                     &start_arg, &limit_arg) ||
        (start_arg != NULL && ah_seconds_arg(start_arg, "start", &start) < 0)) {
        return NULL;
    }
    bool has_limit = limit_arg != NULL && limit_arg != Py_None;
    if (has_limit && ah_seconds_arg(limit_arg, "limit", &limit) < 0) {
        return NULL;
    }
    if (!(limit >= 0.0 && limit < 9e9)) {
        PyErr_SetString(PyExc_ValueError, "limit must be between 0 and 9e9 seconds");
        return NULL;
    }
    if (!(start >= 0.0 && start < 9e9)) {
        PyErr_SetString(PyExc_ValueError, "start must be between 0 and 9e9 seconds");
        return NULL;
    }
    ModuleState *st = ah_state_of_type(type);
    if (st == NULL) {
        return NULL;
    }
    VirtualClockObject *self = (VirtualClockObject *)type->tp_alloc(type, 0);
    if (self == NULL) {
        return NULL;
    }
    st->live[AH_LIVE_VirtualClock]++;
    self->st = st;
    int err = vclock_init(&self->clock, (int64_t)llround(start * 1e9));
    if (err < 0) {
        Py_DECREF(self);
        ah_raise_errno(err, "VirtualClock");
        return NULL;
    }
    if (has_limit) {
        vclock_set_limit(&self->clock, (int64_t)llround(limit * 1e9));
    }
    ah_fork_register(st, &self->fork, (PyObject *)self, virtual_clock_in_child);
    return (PyObject *)self;
}

static void
VirtualClock_dealloc(VirtualClockObject *self)
{
    PyTypeObject *type = Py_TYPE(self);
    self->st->live[AH_LIVE_VirtualClock]--;
    ah_fork_unregister(&self->fork);
    vclock_destroy(&self->clock);
    type->tp_free((PyObject *)self);
    Py_DECREF(type);
}

static PyObject *
VirtualClock_time(VirtualClockObject *self, PyObject *Py_UNUSED(ignored))
{
    if (check_own(self) < 0) {
        return NULL;
    }
    return PyFloat_FromDouble(clock_seconds(vclock_now(&self->clock)));
}

static PyObject *
VirtualClock_time_ns(VirtualClockObject *self, PyObject *Py_UNUSED(ignored))
{
    if (check_own(self) < 0) {
        return NULL;
    }
    return PyLong_FromLongLong(vclock_now(&self->clock));
}

static PyObject *
VirtualClock_advance(VirtualClockObject *self, PyObject *arg)
{
    double seconds;
    if (ah_seconds_arg(arg, "seconds", &seconds) < 0 || check_own(self) < 0) {
        return NULL;
    }
    if (!(seconds >= 0.0 && seconds < 9e9)) {
        PyErr_SetString(
            PyExc_ValueError,
            "seconds must be a number from 0 to 9e9: time does not go back");
        return NULL;
    }
    Py_BEGIN_ALLOW_THREADS
    vclock_advance(&self->clock, (int64_t)llround(seconds * 1e9));
    Py_END_ALLOW_THREADS
    Py_RETURN_NONE;
}

static PyObject *
hold(VirtualClockObject *self, enum clock_work work)
{
    if (check_own(self) < 0) {
        return NULL;
    }
    vclock_hold(&self->clock, work);
    Py_RETURN_NONE;
}

static PyObject *
release(VirtualClockObject *self, enum clock_work work)
{
    if (check_own(self) < 0) {
        return NULL;
    }
    if (vclock_release(&self->clock, work) < 0) {
        PyErr_SetString(PyExc_RuntimeError, "release() without hold()");
        return NULL;
    }
    Py_RETURN_NONE;
}

static PyObject *
VirtualClock_hold(VirtualClockObject *self, PyObject *Py_UNUSED(ignored))
{
    return hold(self, WORK_THREAD);
}

static PyObject *
VirtualClock_release(VirtualClockObject *self, PyObject *Py_UNUSED(ignored))
{
    return release(self, WORK_THREAD);
}

static PyObject *
VirtualClock_hold_child(VirtualClockObject *self, PyObject *Py_UNUSED(ignored))
{
    return hold(self, WORK_CHILD);
}

static PyObject *
VirtualClock_release_child(VirtualClockObject *self, PyObject *Py_UNUSED(ignored))
{
    return release(self, WORK_CHILD);
}

static PyObject *
VirtualClock_hold_join(VirtualClockObject *self, PyObject *Py_UNUSED(ignored))
{
    return hold(self, WORK_JOIN);
}

static PyObject *
VirtualClock_release_join(VirtualClockObject *self, PyObject *Py_UNUSED(ignored))
{
    return release(self, WORK_JOIN);
}

/* (loop that runs on it or None, threads whose waits were ended) */
static PyObject *
VirtualClock_ended(VirtualClockObject *self, PyObject *Py_UNUSED(ignored))
{
    unsigned long threads[CLOCK_ENDED_MAX];
    int n = vclock_ended(&self->clock, threads);
    PyObject *list = PyList_New(0);
    for (int i = 0; list != NULL && i < n; i++) {
        PyObject *ident = PyLong_FromUnsignedLong(threads[i]);
        if (ident == NULL || PyList_Append(list, ident) < 0) {
            Py_CLEAR(list);
        }
        Py_XDECREF(ident);
    }
    if (list == NULL) {
        return NULL;
    }
    return Py_BuildValue("(ON)", self->loop != NULL ? self->loop : Py_None, list);
}

static PyObject *
VirtualClock_get_limit(VirtualClockObject *self, void *Py_UNUSED(closure))
{
    int64_t limit_ns = self->clock.limit_ns; /* set once, before anybody has it */
    if (limit_ns == NS_NEVER) {
        Py_RETURN_NONE;
    }
    return PyFloat_FromDouble(clock_seconds(limit_ns));
}

static PyGetSetDef VirtualClock_getset[] = {
    {"limit", (getter)VirtualClock_get_limit, NULL,
     PyDoc_STR("How far, in seconds, waits move it, or None: see VirtualClock."), NULL},
    {NULL, NULL, NULL, NULL, NULL},
};

static PyMethodDef VirtualClock_methods[] = {
    {"time", (PyCFunction)VirtualClock_time, METH_NOARGS,
     PyDoc_STR("time($self, /)\n--\n\nNow, in seconds.")},
    {"time_ns", (PyCFunction)VirtualClock_time_ns, METH_NOARGS,
     PyDoc_STR("time_ns($self, /)\n--\n\nNow, in nanoseconds.")},
    {"advance", (PyCFunction)VirtualClock_advance, METH_O,
     PyDoc_STR("advance($self, seconds, /)\n--\n\n"
               "Let this much time pass; what is due on the way happens.")},
    {"hold", (PyCFunction)VirtualClock_hold, METH_NOARGS,
     PyDoc_STR("hold($self, /)\n--\n\n"
               "Work outside the loop has begun: nobody jumps until release().\n"
               "A thread that waits on the clock makes up for one such hold.")},
    {"release", (PyCFunction)VirtualClock_release, METH_NOARGS,
     PyDoc_STR("release($self, /)\n--\n\nThe work that hold() announced is done.")},
    {"_ended", (PyCFunction)VirtualClock_ended, METH_NOARGS, NULL},
    {"_hold_child", (PyCFunction)VirtualClock_hold_child, METH_NOARGS, NULL},
    {"_release_child", (PyCFunction)VirtualClock_release_child, METH_NOARGS, NULL},
    {"_hold_join", (PyCFunction)VirtualClock_hold_join, METH_NOARGS, NULL},
    {"_release_join", (PyCFunction)VirtualClock_release_join, METH_NOARGS, NULL},
    {NULL, NULL, 0, NULL},
};

static PyType_Slot VirtualClock_slots[] = {
    {Py_tp_doc,
     PyDoc_STR("VirtualClock(start=0.0, limit=None)\n--\n\n"
               "A clock that stands still until nobody has anything left to do,\n"
               "and then jumps to the next thing that is due.\n\n"
               "limit: seconds.  What is due only after that ends the run of its loop\n"
               "and every blocking wait on it, by TimeLimitError, and then the limit\n"
               "counts anew, for clean-up.  advance() has none but the\n"
               "end of time, 9e9 seconds, where all waits end by SleepForeverError.")},
    {Py_tp_new, VirtualClock_new},
    {Py_tp_dealloc, VirtualClock_dealloc},
    {Py_tp_methods, VirtualClock_methods},
    {Py_tp_getset, VirtualClock_getset},
    {0, NULL},
};

PyType_Spec VirtualClock_spec = {
    .name = "pyasync_hw.VirtualClock",
    .basicsize = sizeof(VirtualClockObject),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_IMMUTABLETYPE,
    .slots = VirtualClock_slots,
};
