/* Executor, the base type of pyasync_hw.executor.ThreadPoolExecutor. */
#include <limits.h>

#include "exec/exec.h"
#include "py/errors.h"

#define IDLE_TIMEOUT_MAX 1e9 /* seconds */

static PyObject *
Executor_new(PyTypeObject *type, PyObject *Py_UNUSED(args), PyObject *Py_UNUSED(kwargs))
{
    ModuleState *st = ah_state_of_type(type);
    if (st == NULL) {
        return NULL;
    }
    ExecutorObject *self = (ExecutorObject *)type->tp_alloc(type, 0);
    if (self != NULL) {
        self->st = st;
        st->live[AH_LIVE_Executor]++;
    }
    return (PyObject *)self;
}

/* Its threads run what is queued, and end. */
static void
Executor_dealloc(ExecutorObject *self)
{
    PyTypeObject *type = Py_TYPE(self);
    if (self->pool != NULL) {
        pool_close(&self->pool->pool);
        Py_DECREF(self->pool);
    }
    self->st->live[AH_LIVE_Executor]--;
    type->tp_free((PyObject *)self);
    Py_DECREF(type);
}

static PyObject *
Executor_open(ExecutorObject *self, PyObject *args)
{
    PyObject *max_arg, *timeout_arg;
    long long max_workers;
    int direct;
    int64_t idle_timeout = POOL_NO_TIMEOUT;
    if (!PyArg_ParseTuple(args, "OOp:_open", &max_arg, &timeout_arg, &direct) ||
        ah_integer_arg(max_arg, "max_workers", 1, INT_MAX, &max_workers) < 0) {
        return NULL;
    }
    if (timeout_arg != Py_None) {
        double seconds;
        if (ah_seconds_arg(timeout_arg, "idle_timeout", &seconds) < 0) {
            return NULL;
        }
        if (!(seconds >= 0.0 && seconds <= IDLE_TIMEOUT_MAX)) {
            PyErr_Format(PyExc_ValueError,
                         "idle_timeout must be a number of seconds from 0 to 1e9, or "
                         "None for threads that stay, not %R",
                         timeout_arg);
            return NULL;
        }
        idle_timeout = (int64_t)(seconds * 1e9);
    }
    if (self->pool != NULL) {
        PyErr_SetString(PyExc_RuntimeError, "this executor is initialized already");
        return NULL;
    }
    self->pool = ah_thread_pool_new(self->st, (unsigned)max_workers, idle_timeout);
    self->direct = direct;
    return Py_XNewRef((PyObject *)self->pool);
}

static PyObject *
Executor_put(ExecutorObject *self, PyObject *const *args, Py_ssize_t nargs)
{
    if (nargs < 2) {
        PyErr_SetString(PyExc_TypeError, "_put() needs a future and a function");
        return NULL;
    }
    if (ah_executor_check_open(self) < 0) {
        return NULL;
    }
    JobObject *job =
        ah_job_new(self->st, self->pool, NULL, args[0], args[1], args + 2, nargs - 2);
    if (job != NULL && ah_executor_submit(self, job) < 0) { /* runs Python */
        Py_CLEAR(job);
    }
    return (PyObject *)job;
}

/* `exc`: None for a cancel. */
static PyObject *
Executor_drain(ExecutorObject *self, PyObject *exc)
{
    if (ah_executor_check_open(self) < 0) {
        return NULL;
    }
    if (exc != Py_None && !PyExceptionInstance_Check(exc)) {
        PyErr_SetString(PyExc_TypeError, "_drain() needs an exception or None");
        return NULL;
    }
    ah_jobs_end(pool_drain(&self->pool->pool),
                exc != Py_None ? exc : NULL); /* runs Python */
    Py_RETURN_NONE;
}

static PyMethodDef Executor_methods[] = {
    {"_open", (PyCFunction)Executor_open, METH_VARARGS,
     PyDoc_STR("_open($self, max_workers, idle_timeout, direct, /)\n--\n\n"
               "Make the ThreadPool and return it.")},
    {"_put", (PyCFunction)(void (*)(void))Executor_put, METH_FASTCALL,
     PyDoc_STR("_put($self, future, func, /, *args)\n--\n\n"
               "Queue func(*args), which tells the future; return the Job.")},
    {"_drain", (PyCFunction)Executor_drain, METH_O,
     PyDoc_STR("_drain($self, exception, /)\n--\n\n"
               "What is queued ends with an exception, or cancelled (None).")},
    {NULL, NULL, 0, NULL},
};

static PyType_Slot Executor_slots[] = {
    {Py_tp_doc, PyDoc_STR("The native half of ThreadPoolExecutor.")},
    {Py_tp_new, Executor_new},
    {Py_tp_dealloc, Executor_dealloc},
    {Py_tp_methods, Executor_methods},
    {0, NULL},
};

PyType_Spec Executor_spec = {
    .name = "pyasync_hw._core.Executor",
    .basicsize = sizeof(ExecutorObject),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_BASETYPE,
    .slots = Executor_slots,
};
