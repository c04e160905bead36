/* Watchdog; a leaf: the loop and the watching thread own it, it refers to nothing.
 *
 * The watching thread finds out without the GIL that something takes too long, and
 * takes the GIL to look.  It tells when it was to look and when it had looked: code
 * that keeps the GIL, or the CPU, for long cannot be seen, and what is seen after it is
 * not to blame.
 * Finding and looking are one call, so that no bytecode runs in between.
 */
#include "loop/watchdog_type.h"

#include "base/clock.h"
#include "py/errors.h"

static PyObject *
Watchdog_new(PyTypeObject *type, PyObject *Py_UNUSED(args), PyObject *Py_UNUSED(kwargs))
{
    ModuleState *st = ah_state_of_type(type);
    if (st == NULL) {
        return NULL;
    }
    WatchdogObject *self = (WatchdogObject *)type->tp_alloc(type, 0);
    if (self == NULL) {
        return NULL;
    }
    st->live[AH_LIVE_Watchdog]++;
    self->st = st;
    int err = watchdog_open(&self->dog);
    if (err < 0) {
        Py_DECREF(self);
        ah_raise_errno(err, "Watchdog");
        return NULL;
    }
    self->open = true;
    return (PyObject *)self;
}

static void
Watchdog_dealloc(WatchdogObject *self)
{
    PyTypeObject *type = Py_TYPE(self);
    self->st->live[AH_LIVE_Watchdog]--;
    if (self->open) {
        watchdog_close(&self->dog);
    }
    type->tp_free((PyObject *)self);
    Py_DECREF(type);
}

/* (file, line, function) of a frame. */
static PyObject *
place_of(PyFrameObject *frame)
{
    PyCodeObject *code = PyFrame_GetCode(frame);
    int line = PyFrame_GetLineNumber(frame);
    PyObject *place =
        Py_BuildValue("(OiO)", code->co_filename,
                      line > 0 ? line : code->co_firstlineno, code->co_name);
    Py_DECREF(code);
    return place;
}

/* What runs, from its innermost frame out to the one of this code; a list. */
static PyObject *
stack_of(PyThreadState *tstate, PyObject *outer, Py_ssize_t most)
{
    PyObject *stack = PyList_New(0);
    PyFrameObject *frame =
        stack != NULL && tstate != NULL ? PyThreadState_GetFrame(tstate) : NULL;
    while (frame != NULL && PyList_GET_SIZE(stack) < most) {
        PyCodeObject *code = PyFrame_GetCode(frame);
        bool out = (PyObject *)code == outer;
        Py_DECREF(code);
        if (out) {
            break;
        }
        PyObject *place = place_of(frame);
        if (place == NULL || PyList_Append(stack, place) < 0) {
            Py_XDECREF(place);
            Py_DECREF(frame);
            Py_DECREF(stack);
            return NULL;
        }
        Py_DECREF(place);
        Py_SETREF(frame, PyFrame_GetBack(frame));
    }
    Py_XDECREF(frame);
    return stack;
}

static PyObject *
Watchdog_wait(WatchdogObject *self, PyObject *args)
{
    unsigned last;
    PyObject *outer;
    Py_ssize_t most;
    if (!PyArg_ParseTuple(args, "IOn:wait", &last, &outer, &most)) {
        return NULL;
    }
    for (;;) {
        struct watchdog_find find;
        bool found;
        Py_BEGIN_ALLOW_THREADS
        found = watchdog_wait(&self->dog, last, &find);
        Py_END_ALLOW_THREADS
        if (!found) {
            Py_RETURN_NONE;
        }
        PyObject *stack = stack_of(self->tstate, outer, most);
        if (stack == NULL) {
            return NULL;
        }
        int64_t looked_ns = watchdog_elapsed_ns(find.stamp, clock_monotonic_ns());
        if (watchdog_now(&self->dog) == find.stamp && PyList_GET_SIZE(stack) > 0) {
            return Py_BuildValue("(IddddN)", find.stamp, clock_seconds(find.watched_ns),
                                 clock_seconds(looked_ns),
                                 clock_seconds(looked_ns - find.due_ns),
                                 clock_seconds(watchdog_cpu_ns() - find.cpu_ns), stack);
        }
        last = find.stamp;
        Py_DECREF(stack); /* it has ended meanwhile */
    }
}

static PyObject *
Watchdog_now(WatchdogObject *self, PyObject *Py_UNUSED(ignored))
{
    int64_t now_ns = clock_monotonic_ns();
    unsigned stamp = watchdog_now(&self->dog);
    int64_t took_ns = stamp != 0 ? watchdog_elapsed_ns(stamp, now_ns) : 0;
    return Py_BuildValue("(Id)", stamp, clock_seconds(took_ns));
}

static PyMethodDef Watchdog_methods[] = {
    {"wait", (PyCFunction)Watchdog_wait, METH_VARARGS,
     PyDoc_STR("wait($self, last, outer, most, /)\n--\n\n"
               "Wait until a callback has run for the limit; None after the end.\n\n"
               "Else its stamp; seconds since it began: from when on it was watched,\n"
               "and when its stack was read; by how many seconds that was late, and\n"
               "CPU time that the process had while the GIL was waited for; and the\n"
               "stack, (file, line, function), innermost first, as far as the code\n"
               "object `outer`, `most` frames of it.  Given that stamp, do the same\n"
               "again while it goes on.")},
    {"now", (PyCFunction)Watchdog_now, METH_NOARGS,
     PyDoc_STR("now($self, /)\n--\n\n"
               "The stamp of the callback that runs, or 0, and for how many seconds\n"
               "it has.")},
    {NULL, NULL, 0, NULL},
};

static PyType_Slot Watchdog_slots[] = {
    {Py_tp_doc, PyDoc_STR("Watchdog(*args, **kwargs)\n--\n\n"
                          "Tells a second thread that a callback of a loop takes too "
                          "long.")},
    {Py_tp_new, Watchdog_new},
    {Py_tp_dealloc, Watchdog_dealloc},
    {Py_tp_methods, Watchdog_methods},
    {0, NULL},
};

PyType_Spec Watchdog_spec = {
    .name = "pyasync_hw._core.Watchdog",
    .basicsize = sizeof(WatchdogObject),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_BASETYPE | Py_TPFLAGS_IMMUTABLETYPE,
    .slots = Watchdog_slots,
};
