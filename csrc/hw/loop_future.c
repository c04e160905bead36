/* Telling a future of a loop; see loop_future.h. */
#include "hw/loop_future.h"

#include "hw/wait.h"
#include "loop/loop.h"

/* done() or is_running().  -1 with an exception. */
static int
ask(PyObject *object, PyObject *name)
{
    PyObject *answer = PyObject_CallMethodNoArgs(object, name); /* runs Python */
    int result = answer == NULL ? -1 : PyObject_IsTrue(answer);
    Py_XDECREF(answer);
    return result;
}

/* What is to come of a future that is not done. */
static PyObject *
complete(ModuleState *st, PyObject *future, PyObject *error)
{
    return error == NULL
               ? PyObject_CallMethodOneArg(future, st->name_set_result, Py_None)
               : PyObject_CallMethodOneArg(future, st->name_set_exception, error);
}

/* What it is told when its loop looks: nothing, if it is done by then.  `self` is a
 * type of this module. */
static PyObject *
tell(PyObject *self, PyObject *args)
{
    PyObject *future, *error;
    if (!PyArg_ParseTuple(args, "OO", &future, &error)) {
        return NULL;
    }
    ModuleState *st = ah_state_of_type((PyTypeObject *)self);
    int done = st == NULL ? -1 : ask(future, st->name_done); /* runs Python */
    if (done != 0) {
        return done < 0 ? NULL : Py_NewRef(Py_None);
    }
    return complete(st, future, error == Py_None ? NULL : error); /* runs Python */
}

static PyObject *
nothing(PyObject *Py_UNUSED(self), PyObject *Py_UNUSED(ignored))
{
    Py_RETURN_NONE;
}

enum { TELL, WAKE };

static PyMethodDef tell_methods[] = {
    [TELL] = {"tell", tell, METH_VARARGS, NULL},
    [WAKE] = {"wake", nothing, METH_NOARGS, NULL},
};

/* Does it run in another thread?  -1 with an exception. */
static int
runs_elsewhere(ModuleState *st, PyObject *loop)
{
    if (ah_loop_check(st, loop)) {
        return ah_loop_runs_elsewhere((LoopObject *)loop);
    }
    int runs = ask(loop, st->name_is_running); /* runs Python */
    if (runs <= 0) {
        return runs;
    }
    PyObject *current = PyDict_GetItemString(st->events_namespace, "_get_running_loop");
    current = current == NULL ? NULL : PyObject_CallNoArgs(current);
    if (current == NULL) {
        if (!PyErr_Occurred()) {
            PyErr_SetString(PyExc_RuntimeError, "asyncio has no _get_running_loop()");
        }
        return -1;
    }
    Py_DECREF(current);
    return current != loop;
}

int
hw_future_tell_if_open(ModuleState *st, PyObject *loop, PyObject *future)
{
    int is_closed = loop == NULL ? 0 : hw_loop_is_closed(loop); /* runs Python */
    if (is_closed != 0) {
        return is_closed < 0 ? -1 : 0;
    }
    return hw_future_tell(st, loop, future, NULL); /* runs Python */
}

int
hw_future_tell(ModuleState *st, PyObject *loop, PyObject *future, PyObject *error)
{
    int done = ask(future, st->name_done); /* runs Python */
    if (done != 0) {
        return done < 0 ? -1 : 0;
    }
    int elsewhere = loop == NULL ? 0 : runs_elsewhere(st, loop); /* runs Python */
    if (elsewhere < 0) {
        return -1;
    }
    PyObject *result;
    if (elsewhere) {
        PyObject *type = (PyObject *)st->wait_callback_type;
        PyObject *func = PyCFunction_New(&tell_methods[TELL], type);
        if (func == NULL) {
            return -1;
        }
        result = PyObject_CallMethod(loop, "call_soon_threadsafe", "OOO", func, future,
                                     error == NULL ? Py_None : error); /* runs Python */
        Py_DECREF(func);
    }
    else {
        result = complete(st, future, error); /* runs Python */
    }
    Py_XDECREF(result);
    return result == NULL ? -1 : 1;
}

void
hw_loop_wake(ModuleState *st, PyObject *loop)
{
    if (loop == NULL || ah_loop_check(st, loop)) {
        return;
    }
    int runs = ask(loop, st->name_is_running); /* runs Python */
    if (runs > 0) {
        PyObject *func = PyCFunction_New(&tell_methods[WAKE], NULL);
        PyObject *handle =
            func == NULL ? NULL
                         : PyObject_CallMethod(loop, "call_soon_threadsafe", "O", func);
        runs = handle == NULL ? -1 : 1;
        Py_XDECREF(handle);
        Py_XDECREF(func);
    }
    if (runs < 0) {
        PyErr_WriteUnraisable(loop);
    }
}
