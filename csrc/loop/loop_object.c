/* What every other file asks of a loop: is it open, what time is it, tell of an error.
 */
#include "loop/loop_object.h"

#include "py/exceptions.h"

int
ah_loop_check(ModuleState *st, PyObject *obj)
{
    return PyObject_TypeCheck(obj, st->loop_type);
}

ModuleState *
ah_loop_state(LoopObject *self)
{
    return self->st;
}

int64_t
ah_loop_now(LoopObject *self)
{
    return loop_now(self);
}

struct vclock *
ah_loop_vclock(LoopObject *self)
{
    return self->vclock;
}

int
ah_loop_check_open(LoopObject *self)
{
    return loop_check_open(self);
}

PyObject *
Loop_get_object(LoopObject *self, void *offset)
{
    PyObject *object = *(PyObject **)((char *)self + (uintptr_t)offset);
    return Py_NewRef(object != NULL ? object : Py_None);
}

int
loop_raise_closed(LoopObject *self)
{
    if (ah_is_inherited(&self->fork)) {
        return ah_raise_inherited(
            &self->fork, "event loop",
            "make a new one with pyasync_hw.new_event_loop(), or use asyncio.run()");
    }
    PyErr_SetString(PyExc_RuntimeError, "Event loop is closed");
    return -1;
}

void
ah_loop_report(LoopObject *self, const char *message, PyObject *source)
{
    PyObject *exc = ah_take_exception();
    if (PyErr_GivenExceptionMatches(exc, PyExc_SystemExit) ||
        PyErr_GivenExceptionMatches(exc, PyExc_KeyboardInterrupt)) {
        Py_XSETREF(self->pending_exc, exc);
        return;
    }
    PyObject *result = NULL;
    PyObject *context = Py_BuildValue("{sssO}", "message", message, "exception", exc);
    if (context != NULL &&
        (source == NULL || PyDict_SetItemString(context, "source", source) == 0)) {
        result = PyObject_CallMethod((PyObject *)self, "call_exception_handler", "O",
                                     context); /* runs Python */
    }
    Py_XDECREF(context);
    Py_DECREF(exc);
    if (result == NULL) {
        Py_XSETREF(self->pending_exc, ah_take_exception());
    }
    Py_XDECREF(result);
}

/* A native callback asked for the end of the run. */
int
loop_raise_pending(LoopObject *self)
{
    if (self->pending_exc == NULL) {
        return 0;
    }
    PyObject *exc = self->pending_exc;
    self->pending_exc = NULL;
    ah_restore_exception(exc);
    return -1;
}
