/* The loop's run_in_executor(), which gives a job to an executor of ours without a
 * concurrent.futures future in between.  Foreign executors go asyncio's way, in Python.
 */
#include "exec/exec.h"

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
    if (ah_executor_check_open(self) < 0) {
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
    if (added == NULL || ah_executor_submit(self, job) < 0) { /* runs Python */
        Py_CLEAR(future);
    }
    Py_XDECREF((PyObject *)job);
    Py_XDECREF(added);
    return future;
}

/* As asyncio does: by its ah_executor_submit().  args: the function and its arguments.
 */
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

static PyMethodDef run_in_executor_methods[] = {
    {"run_in_executor", (PyCFunction)(void (*)(void))Loop_run_in_executor,
     METH_FASTCALL | METH_KEYWORDS,
     PyDoc_STR(
         "run_in_executor($self, executor, func, *args)\n--\n\n"
         "Call func(*args) in a thread of the executor (None: the default one);\n"
         "return a future.  Cancelling the future drops the call when it has not\n"
         "begun, and cancels its token (executor.current_token()) when it has.")},
    {NULL, NULL, 0, NULL},
};

int
ah_run_in_executor_setup(PyObject *module)
{
    return ah_loop_add_methods(ah_state(module), run_in_executor_methods);
}
