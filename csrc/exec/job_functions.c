/* What the code of a job calls: current_token(), sleep(). */
#include "base/block.h"
#include "exec/exec.h"
#include "py/blocking.h"

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

static PyMethodDef job_function_methods[] = {
    {"current_token", core_current_token, METH_NOARGS,
     PyDoc_STR("current_token($module, /)\n--\n\n"
               "The CancelToken of the job that this thread runs, or None.")},
    {"sleep", core_sleep, METH_O,
     PyDoc_STR("sleep($module, seconds, /)\n--\n\n"
               "Block for a time, on the clock of the job's loop;\n"
               "concurrent.futures.CancelledError when the job is cancelled.")},
    {NULL, NULL, 0, NULL},
};

int
ah_job_functions_setup(PyObject *module)
{
    return PyModule_AddFunctions(module, job_function_methods);
}
