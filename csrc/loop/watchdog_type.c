/* Watchdog; a leaf: the loop and the watching thread own it, it refers to nothing. */
#include "loop/watchdog_type.h"

#include "py/errors.h"
#include "setup.h"

static PyObject *
Watchdog_new(PyTypeObject *type, PyObject *args, PyObject *kwargs)
{
    static char *kwlist[] = {NULL};
    if (!PyArg_ParseTupleAndKeywords(args, kwargs, ":Watchdog", kwlist)) {
        return NULL;
    }
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

static PyObject *
Watchdog_wait(WatchdogObject *self, PyObject *arg)
{
    unsigned long last = PyLong_AsUnsignedLong(arg);
    if (last == (unsigned long)-1 && PyErr_Occurred()) {
        return NULL;
    }
    unsigned found;
    Py_BEGIN_ALLOW_THREADS
    found = watchdog_wait(&self->dog, (unsigned)last);
    Py_END_ALLOW_THREADS
    return PyLong_FromUnsignedLong(found);
}

static PyObject *
Watchdog_now(WatchdogObject *self, PyObject *Py_UNUSED(ignored))
{
    return PyLong_FromUnsignedLong(watchdog_now(&self->dog));
}

static PyObject *
Watchdog_elapsed(WatchdogObject *self, PyObject *Py_UNUSED(ignored))
{
    return PyFloat_FromDouble((double)watchdog_elapsed_ns(&self->dog) / 1e9);
}

static PyObject *
Watchdog_stop(WatchdogObject *self, PyObject *Py_UNUSED(ignored))
{
    watchdog_stop(&self->dog);
    Py_RETURN_NONE;
}

static PyMethodDef Watchdog_methods[] = {
    {"wait", (PyCFunction)Watchdog_wait, METH_O,
     PyDoc_STR("wait($self, last, /)\n--\n\n"
               "Wait until a callback has run for the limit; return its stamp, or 0\n"
               "after stop(). Given that stamp, return it again while it goes on.")},
    {"now", (PyCFunction)Watchdog_now, METH_NOARGS,
     PyDoc_STR("now($self, /)\n--\n\nThe stamp of the callback that runs, or 0.")},
    {"elapsed", (PyCFunction)Watchdog_elapsed, METH_NOARGS,
     PyDoc_STR("elapsed($self, /)\n--\n\nHow many seconds that callback has run.")},
    {"stop", (PyCFunction)Watchdog_stop, METH_NOARGS,
     PyDoc_STR("stop($self, /)\n--\n\nEnd wait(), now and ever after.")},
    {NULL, NULL, 0, NULL},
};

static PyType_Slot Watchdog_slots[] = {
    {Py_tp_doc, PyDoc_STR("Watchdog()\n--\n\n"
                          "Tells a second thread that a callback of a loop takes too "
                          "long.")},
    {Py_tp_new, Watchdog_new},
    {Py_tp_dealloc, Watchdog_dealloc},
    {Py_tp_methods, Watchdog_methods},
    {0, NULL},
};

static PyType_Spec Watchdog_spec = {
    .name = "pyasync_hw._core.Watchdog",
    .basicsize = sizeof(WatchdogObject),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_IMMUTABLETYPE,
    .slots = Watchdog_slots,
};

int
ah_watchdog_type_setup(PyObject *module)
{
    ModuleState *st = ah_state(module);
    st->watchdog_type =
        (PyTypeObject *)PyType_FromModuleAndSpec(module, &Watchdog_spec, NULL);
    if (st->watchdog_type == NULL) {
        return -1;
    }
    return PyModule_AddType(module, st->watchdog_type);
}
