/* Executor, the base type of pyasync_hw.executor.ThreadPoolExecutor, and the loop's
 * run_in_executor(), which gives a job to it without a concurrent.futures future in
 * between.  Foreign executors go asyncio's way, in Python.
 */
#include <errno.h>
#include <limits.h>

#include "base/block.h"
#include "exec/exec.h"
#include "py/blocking.h"
#include "py/errors.h"
#include "py/exceptions.h"
#include "py/lookup.h"
#include "setup.h"

#define IDLE_TIMEOUT_MAX 1e9 /* seconds */

/* -- giving a job to the pool ---------------------------------------------- */

AH_RAISES static int
check_open(ExecutorObject *self)
{
    if (self->pool == NULL) {
        PyErr_SetString(PyExc_RuntimeError,
                        "this executor is not initialized: call super().__init__()");
        return -1;
    }
    return 0;
}

/* True: the seat has a thread.  *exc: owned, what starting it raised, or NULL; both
 * when Ctrl+C ended the wait for a thread that runs. */
static bool
start_thread(ExecutorObject *self, struct pool_seat *seat, PyObject **exc)
{
    PyObject *started = NULL;
    WorkerObject *worker = ah_worker_new(self->st, self->pool, seat);
    if (worker != NULL) {
        started =
            PyObject_CallMethodOneArg((PyObject *)self, self->st->name_start_worker,
                                      (PyObject *)worker); /* runs Python */
    }
    *exc = started == NULL ? ah_take_exception() : NULL;
    bool has_thread =
        started != NULL || (worker != NULL && !ah_worker_withdraw(worker));
    Py_XDECREF(started);
    Py_XDECREF((PyObject *)worker);
    return has_thread;
}

static bool
is_ctrl_c(PyObject *exc)
{
    return !PyErr_GivenExceptionMatches(exc, PyExc_Exception);
}

/* Give the seat up, for which no thread could be started. */
static void
leave(ExecutorObject *self, struct pool_seat *seat, PyObject *exc)
{
    PyObject *error = Py_NewRef(exc);
    if (is_ctrl_c(exc)) { /* which is not that of others */
        PyErr_SetString(PyExc_RuntimeError, "can't start new thread");
        Py_SETREF(error, ah_take_exception());
    }
    ah_thread_pool_leave(self->pool, seat, error); /* runs Python */
    Py_DECREF(error);
}

/* A thread for the job that was just queued.  The job goes when there is none. */
AH_RAISES static int
start_worker(ExecutorObject *self, JobObject *job, struct pool_seat *seat)
{
    struct pool *pool = &self->pool->pool;
    PyObject *exc, *second = NULL;
    bool has_thread = start_thread(self, seat, &exc); /* runs Python */
    if (exc == NULL) {
        return 0;
    }
    bool removed = pool_remove(pool, &job->node);
    if (removed) {
        ah_job_drop(job); /* runs Python */
    }
    /* Jobs of other threads that count on this seat get an attempt of their own. */
    if (!has_thread && pool_is_wanted(pool, seat)) {
        has_thread = start_thread(self, seat, &second); /* runs Python */
    }
    if (!has_thread) {
        leave(self, seat, second != NULL ? second : exc); /* runs Python */
    }
    if (second != NULL && is_ctrl_c(second)) {
        Py_SETREF(exc, second);
    }
    else {
        Py_XDECREF(second);
    }
    if (removed || is_ctrl_c(exc)) {
        ah_restore_exception(exc);
        return -1;
    }
    /* Another thread has taken it meanwhile, so that it needs none of its own. */
    Py_DECREF(exc);
    return 0;
}

/* Queue a job; the pool has a reference then. */
AH_RAISES static int
submit(ExecutorObject *self, JobObject *job)
{
    struct pool_seat *seat = NULL;
    Py_INCREF(job);
    int result = pool_submit(&self->pool->pool, &job->node, &seat);
    if (result == POOL_SUBMITTED) {
        return 0;
    }
    if (result == POOL_NEEDS_WORKER) {
        return start_worker(self, job, seat); /* runs Python */
    }
    ah_job_drop(job); /* runs Python */
    if (result != -ESHUTDOWN) {
        PyErr_NoMemory();
        return -1;
    }
    PyObject *none = PyObject_CallMethodNoArgs((PyObject *)self, self->st->name_refuse);
    Py_XDECREF(none);
    if (none != NULL) {
        PyErr_SetString(PyExc_RuntimeError, "the executor is closed");
    }
    return -1;
}

/* -- loop.run_in_executor() ------------------------------------------------ */

/* A new reference to the executor to use. */
AH_RAISES static PyObject *
default_executor(ModuleState *st, PyObject *loop)
{
    PyObject *called = PyObject_GetAttr(loop, st->name_executor_shutdown_called);
    int is_called = called != NULL ? PyObject_IsTrue(called) : -1;
    Py_XDECREF(called);
    if (is_called != 0) {
        if (is_called > 0) {
            PyErr_SetString(PyExc_RuntimeError, "Executor shutdown has been called");
        }
        return NULL;
    }
    PyObject *executor = PyObject_GetAttr(loop, st->name_default_executor);
    if (executor == Py_None) {
        Py_DECREF(executor);
        executor = PyObject_CallMethodNoArgs(loop, st->name_new_default_executor);
    }
    return executor;
}

AH_RAISES static PyObject *
run_native(ExecutorObject *self, LoopObject *loop, PyObject *func,
           PyObject *const *args, Py_ssize_t nargs)
{
    ModuleState *st = self->st;
    PyObject *added = NULL;
    if (check_open(self) < 0) {
        return NULL;
    }
    PyObject *future =
        PyObject_CallMethodNoArgs((PyObject *)loop, st->name_create_future);
    if (future == NULL) {
        return NULL;
    }
    JobObject *job = ah_job_new(st, self->pool, loop, future, func, args, nargs);
    if (job != NULL) {
        added = PyObject_CallMethodOneArg(future, st->name_add_done_callback,
                                          (PyObject *)job); /* runs Python */
    }
    if (added == NULL || submit(self, job) < 0) { /* runs Python */
        Py_CLEAR(future);
    }
    Py_XDECREF((PyObject *)job);
    Py_XDECREF(added);
    return future;
}

/* As asyncio does: by its submit().  args: the function and its arguments. */
AH_RAISES static PyObject *
run_foreign(ModuleState *st, PyObject *loop, PyObject *executor, PyObject *const *args,
            Py_ssize_t nargs)
{
    PyObject *future = NULL;
    PyObject *method = PyObject_GetAttr(loop, st->name_run_in_foreign_executor);
    PyObject *all = PyTuple_New(nargs + 1);
    if (method != NULL && all != NULL) {
        PyTuple_SET_ITEM(all, 0, Py_NewRef(executor));
        for (Py_ssize_t i = 0; i < nargs; i++) {
            PyTuple_SET_ITEM(all, i + 1, Py_NewRef(args[i]));
        }
        future = PyObject_Call(method, all, NULL); /* runs Python */
    }
    Py_XDECREF(method);
    Py_XDECREF(all);
    return future;
}

static void
raise_missing(bool executor, bool func)
{
    PyErr_Format(
        PyExc_TypeError,
        "BaseEventLoop.run_in_executor() missing %s required positional argument%s",
        executor && func ? "2" : "1",
        executor && func ? "s: 'executor' and 'func'"
        : executor       ? ": 'executor'"
                         : ": 'func'");
}

/* executor= and func= by name, as asyncio allows, into their positions. */
AH_RAISES static int
take_named(PyObject *const *args, Py_ssize_t nargs, PyObject *kwnames,
           PyObject **by_position)
{
    by_position[0] = nargs > 0 ? args[0] : NULL;
    by_position[1] = nargs > 1 ? args[1] : NULL;
    static const char *const names[] = {"executor", "func"};
    for (Py_ssize_t i = 0; i < PyTuple_GET_SIZE(kwnames); i++) {
        PyObject *name = PyTuple_GET_ITEM(kwnames, i);
        int at = 0;
        while (at < 2 && PyUnicode_CompareWithASCIIString(name, names[at]) != 0) {
            at++;
        }
        if (at == 2 || by_position[at] != NULL) {
            PyErr_Format(PyExc_TypeError,
                         at == 2 ? "BaseEventLoop.run_in_executor() got an unexpected "
                                   "keyword argument '%U'"
                                 : "BaseEventLoop.run_in_executor() got multiple "
                                   "values for argument '%U'",
                         name);
            return -1;
        }
        by_position[at] = args[nargs + i];
    }
    if (by_position[0] == NULL || by_position[1] == NULL) {
        raise_missing(by_position[0] == NULL, by_position[1] == NULL);
        return -1;
    }
    return 0;
}

static PyObject *
Loop_run_in_executor(PyObject *self, PyObject *const *args, Py_ssize_t nargs,
                     PyObject *kwnames)
{
    LoopObject *loop = (LoopObject *)self;
    PyObject *by_position[2];
    if (kwnames != NULL && PyTuple_GET_SIZE(kwnames) > 0) {
        if (take_named(args, nargs, kwnames, by_position) < 0) {
            return NULL;
        }
        args = by_position;
        nargs = 2;
    }
    if (nargs < 2) {
        raise_missing(nargs == 0, true);
        return NULL;
    }
    if (ah_loop_check_open(loop) < 0 ||
        ah_loop_check_callback(loop, args[1], "run_in_executor") < 0) {
        return NULL;
    }
    ModuleState *st = ah_loop_state(loop);
    PyObject *executor =
        args[0] == Py_None ? default_executor(st, self) : Py_NewRef(args[0]);
    if (executor == NULL) {
        return NULL;
    }
    bool direct = PyObject_TypeCheck(executor, st->executor_type) &&
                  ((ExecutorObject *)executor)->direct;
    PyObject *future = direct ? run_native((ExecutorObject *)executor, loop, args[1],
                                           args + 2, nargs - 2)
                              : run_foreign(st, self, executor, args + 1, nargs - 1);
    Py_DECREF(executor);
    return future;
}

/* -- life ------------------------------------------------------------------ */

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
    type->tp_free((PyObject *)self);
    Py_DECREF(type);
}

/* -- Python methods -------------------------------------------------------- */

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
    if (check_open(self) < 0) {
        return NULL;
    }
    JobObject *job =
        ah_job_new(self->st, self->pool, NULL, args[0], args[1], args + 2, nargs - 2);
    if (job != NULL && submit(self, job) < 0) { /* runs Python */
        Py_CLEAR(job);
    }
    return (PyObject *)job;
}

/* `exc`: None for a cancel. */
static PyObject *
Executor_drain(ExecutorObject *self, PyObject *exc)
{
    if (check_open(self) < 0) {
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

static PyType_Spec Executor_spec = {
    .name = "pyasync_hw._core.Executor",
    .basicsize = sizeof(ExecutorObject),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_BASETYPE,
    .slots = Executor_slots,
};

/* -- functions for the code of jobs ---------------------------------------- */

static PyObject *
core_current_token(PyObject *module, PyObject *Py_UNUSED(ignored))
{
    ModuleState *st = ah_state(module);
    struct job_cancel *job = ah_current_job(st);
    if (job == NULL) {
        Py_RETURN_NONE;
    }
    return (PyObject *)ah_job_token(st, job);
}

static PyObject *
core_sleep(PyObject *module, PyObject *seconds)
{
    ModuleState *st = ah_state(module);
    struct job_cancel *job = ah_current_job(st);
    struct wait_tokens tokens;
    int result = -1;
    if (seconds == Py_None) {
        PyErr_SetString(PyExc_TypeError, "seconds must be a number, not None");
        return NULL;
    }
    PyObject *clock = Py_XNewRef(job != NULL ? job->clock : NULL);
    if (ah_wait_tokens(st, NULL, &tokens) == 0) {
        result = ah_block(st, clock, &tokens.set, seconds, "seconds",
                          "sleep()"); /* runs Python */
    }
    if (result == BLOCK_CANCELLED) {
        result = ah_raise_block(st, result, "sleep()");
    }
    ah_wait_tokens_clear(&tokens);
    Py_XDECREF(clock);
    return result < 0 ? NULL : Py_NewRef(Py_None);
}

static PyMethodDef executor_methods[] = {
    {"current_token", core_current_token, METH_NOARGS,
     PyDoc_STR("current_token($module, /)\n--\n\n"
               "The CancelToken of the job that this thread runs, or None.")},
    {"sleep", core_sleep, METH_O,
     PyDoc_STR("sleep($module, seconds, /)\n--\n\n"
               "Block for a time, on the clock of the job's loop;\n"
               "concurrent.futures.CancelledError when the job is cancelled.")},
    {NULL, NULL, 0, NULL},
};

static PyMethodDef loop_executor_methods[] = {
    {"run_in_executor", (PyCFunction)(void (*)(void))Loop_run_in_executor,
     METH_FASTCALL | METH_KEYWORDS,
     PyDoc_STR(
         "run_in_executor($self, executor, func, *args)\n--\n\n"
         "Call func(*args) in a thread of the executor (None: the default one);\n"
         "return a future.  Cancelling the future drops the call when it has not\n"
         "begun, and cancels its token (executor.current_token()) when it has.")},
};

static int
add_to_loop(ModuleState *st)
{
    PyObject *method = PyDescr_NewMethod(st->loop_type, loop_executor_methods);
    if (method == NULL) {
        return -1;
    }
    int status = PyObject_SetAttrString((PyObject *)st->loop_type,
                                        loop_executor_methods->ml_name, method);
    Py_DECREF(method);
    return status;
}

/* Interned, or each call would leave a string in the interpreter's type cache. */
AH_RAISES static int
intern_names(ModuleState *st)
{
    const struct {
        PyObject **where;
        const char *name;
    } names[] = {
        {&st->name_add_done_callback, "add_done_callback"},
        {&st->name_default_executor, "_default_executor"},
        {&st->name_executor_shutdown_called, "_executor_shutdown_called"},
        {&st->name_new_default_executor, "_new_default_executor"},
        {&st->name_refuse, "_refuse"},
        {&st->name_run_in_foreign_executor, "_run_in_foreign_executor"},
        {&st->name_start_worker, "_start_worker"},
    };
    for (size_t i = 0; i < Py_ARRAY_LENGTH(names); i++) {
        if (ah_intern(names[i].where, names[i].name) < 0) {
            return -1;
        }
    }
    return 0;
}

int
ah_executor_type_setup(PyObject *module)
{
    ModuleState *st = ah_state(module);
    st->executor_type =
        (PyTypeObject *)PyType_FromModuleAndSpec(module, &Executor_spec, NULL);
    if (st->executor_type == NULL || intern_names(st) < 0 || add_to_loop(st) < 0 ||
        PyModule_AddFunctions(module, executor_methods) < 0) {
        return -1;
    }
    return PyModule_AddType(module, st->executor_type);
}
