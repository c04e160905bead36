/* Running a handle's callback in its context, or cancelling it. */
#include "loop/handle_threadsafe.h"
#include "loop/loop_object.h"
#include "py/exceptions.h"

/* The exception that is set goes to the loop's exception handler. */
static int
report_failure(HandleObject *self)
{
    if (PyErr_ExceptionMatches(PyExc_SystemExit) ||
        PyErr_ExceptionMatches(PyExc_KeyboardInterrupt)) {
        return -1;
    }
    PyObject *exc = ah_take_exception();
    PyObject *result = PyObject_CallMethod((PyObject *)self->loop, "_callback_failed",
                                           "OO", self, exc); /* runs Python */
    Py_DECREF(exc);
    if (result == NULL) {
        return -1;
    }
    Py_DECREF(result);
    return 0;
}

PyObject *
ah_handle_own_context(HandleObject *self)
{
    PyObject *context = Py_NewRef(self->context != NULL ? self->context : Py_None);
    if (self->shared_context && self->context != NULL) {
        LoopObject *loop = self->loop;
        PyObject *own = ah_context_own(loop->st, &loop->snapshot, context);
        Py_DECREF(context);
        if (own == NULL || !self->shared_context) {
            Py_XDECREF(own);
            return own != NULL ? Py_NewRef(self->context) : NULL;
        }
        context = own;
        self->shared_context = false;
        Py_SETREF(self->context, Py_NewRef(own));
    }
    return context;
}

static int
run_callback(HandleObject *self)
{
    if (self->callback == NULL) {
        return 0; /* cancelled, or cleared by the garbage collector */
    }
    /* The callback may cancel its own handle: keep what the call needs. */
    PyObject *callback = Py_NewRef(self->callback);
    PyObject *args = Py_XNewRef(self->args);
    PyObject *context = ah_handle_own_context(self);
    PyObject *result = NULL;
    if (context != NULL && PyContext_Enter(context) == 0) {
        if (self->nargs == 0) {
            result = PyObject_CallNoArgs(callback); /* runs Python */
        }
        else if (self->nargs == 1) {
            result = PyObject_CallOneArg(callback, args); /* runs Python */
        }
        else {
            result = PyObject_Vectorcall(callback, &PyTuple_GET_ITEM(args, 0),
                                         (size_t)self->nargs, NULL); /* runs Python */
        }
        if (PyContext_Exit(context) < 0) {
            Py_CLEAR(result);
        }
    }
    Py_XDECREF(context);
    Py_XDECREF(args);
    Py_DECREF(callback);
    if (result == NULL) {
        return report_failure(self);
    }
    Py_DECREF(result);
    return 0;
}

/* Other threads that cancel it, or ask, wait until it has run. */
static int
run_threadsafe(HandleObject *self)
{
    struct running_handle note;
    if (ah_running_begin(&note, self) < 0) {
        return -1;
    }
    int status = run_callback(self); /* runs Python */
    ah_running_end(&note);
    return status;
}

int
ah_handle_run(HandleObject *self)
{
    bool guarded =
        self->threadsafe && self->loop->st->asyncio_threadsafe_handle != NULL;
    return guarded ? run_threadsafe(self) : run_callback(self);
}

int
ah_handle_cancel(HandleObject *self)
{
    if (self->cancelled) {
        return 0;
    }
    PyObject *repr = NULL;
    self->cancelled = true;
    if (self->loop->debug) {
        /* Keep a representation, for "Executing <Handle ...> took". */
        repr = PyObject_Repr((PyObject *)self); /* runs Python */
        if (repr == NULL) {
            return -1;
        }
    }
    PyObject *callback = self->callback;
    PyObject *args = self->args;
    self->callback = NULL;
    self->args = repr;
    Py_XDECREF(callback); /* runs Python */
    Py_XDECREF(args);     /* runs Python */
    return 0;
}
