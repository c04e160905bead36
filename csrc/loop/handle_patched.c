/* asyncio.Handle._run() as somebody has patched it: our handles run by that.
 *
 * What stands in the class is bound as Python binds an attribute, for not everything
 * that can be called is given the handle (a Mock, a staticmethod, a builtin).
 */
#include "loop/handle_threadsafe.h"
#include "loop/loop_object.h"

/* What `_run` is in the class itself; NULL: it was deleted. */
AH_RAISES static int
run_in_class(ModuleState *st, PyObject **run)
{
    /* A look-up, of whatever, gives a changed class its version tag. */
    PyObject *slots = PyObject_GetAttrString(st->asyncio_handle, "__slots__");
    Py_XDECREF(slots);
    PyObject *names =
        slots != NULL ? PyObject_GetAttrString(st->asyncio_handle, "__dict__") : NULL;
    *run = names != NULL ? PyMapping_GetItemString(names, "_run") : NULL;
    Py_XDECREF(names);
    if (*run == NULL && PyErr_ExceptionMatches(PyExc_KeyError)) {
        PyErr_Clear();
        return 0;
    }
    return *run != NULL ? 0 : -1;
}

static bool
is_asyncios_own(ModuleState *st, PyObject *run)
{
    return PyFunction_Check(run) && PyFunction_GET_GLOBALS(run) == st->events_namespace;
}

PyObject *
ah_handle_find_run(ModuleState *st)
{
    PyObject *run;
    if (run_in_class(st, &run) < 0) {
        PyErr_Clear(); /* no memory: as it was, and looked for again next time */
        st->handle_tag = 0;
        return st->handle_run;
    }
    if (run != NULL && is_asyncios_own(st, run)) {
        Py_CLEAR(run);
    }
    st->handle_tag = ((PyTypeObject *)st->asyncio_handle)->tp_version_tag;
    Py_XSETREF(st->handle_run, run); /* runs Python, which may find another one */
    return st->handle_run;
}

static PyObject *
call_bound(HandleObject *self, PyObject *run)
{
    PyTypeObject *type = Py_TYPE(run);
    if (PyType_HasFeature(type, Py_TPFLAGS_METHOD_DESCRIPTOR)) {
        return PyObject_CallOneArg(run, (PyObject *)self); /* runs Python */
    }
    if (type->tp_descr_get == NULL) {
        return PyObject_CallNoArgs(run); /* runs Python */
    }
    PyObject *kind = PyObject_GetAttrString((PyObject *)self, "__class__");
    if (kind == NULL) {
        return NULL;
    }
    PyObject *bound = type->tp_descr_get(run, (PyObject *)self, kind); /* runs Python */
    Py_DECREF(kind);
    PyObject *result = bound != NULL ? PyObject_CallNoArgs(bound) : NULL;
    Py_XDECREF(bound); /* runs Python */
    return result;
}

PyObject *
ah_handle_run_patched(HandleObject *self, PyObject *run)
{
    if (!self->threadsafe || self->loop->st->asyncio_threadsafe_handle == NULL) {
        return call_bound(self, run); /* runs Python */
    }
    struct running_handle note;
    if (ah_running_begin(&note, self) < 0) { /* runs Python */
        return NULL;
    }
    PyObject *result =
        self->cancelled ? Py_NewRef(Py_None) : call_bound(self, run); /* runs Python */
    ah_running_end(&note);
    return result;
}
