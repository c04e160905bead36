/* Handle as Python code sees it; see handle.h for ownership, timer_handle_type.c for
 * timers.
 *
 * What is not hot (repr, the text of an error report) is asyncio's own Python:
 * asyncio.Handle's functions are called with our object as self.
 */
#include "loop/handle_type.h"

#include "loop/handle_threadsafe.h"
#include "loop/loop_object.h"

/* The argument tuple, as asyncio.Handle._args. */
PyObject *
Handle_get_args(HandleObject *self, void *Py_UNUSED(closure))
{
    if (self->callback == NULL) {
        Py_RETURN_NONE;
    }
    if (self->nargs != 1) {
        return self->nargs == 0 ? PyTuple_New(0) : Py_NewRef(self->args);
    }
    PyObject *arg = Py_NewRef(self->args);
    PyObject *tuple = PyTuple_Pack(1, arg); /* runs Python: the collector */
    Py_DECREF(arg);
    return tuple;
}

static PyObject *
Handle_cancel(HandleObject *self, PyObject *Py_UNUSED(ignored))
{
    if (ah_handle_wait(self) < 0 || ah_handle_cancel(self) < 0) {
        return NULL;
    }
    Py_RETURN_NONE;
}

PyObject *
Handle_cancelled(HandleObject *self, PyObject *Py_UNUSED(ignored))
{
    if (ah_handle_wait(self) < 0) {
        return NULL;
    }
    return PyBool_FromLong(self->cancelled);
}

PyObject *
Handle_get_context(HandleObject *self, PyObject *Py_UNUSED(ignored))
{
    return ah_handle_own_context(self);
}

PyObject *
Handle_run(HandleObject *self, PyObject *Py_UNUSED(ignored))
{
    PyObject *patched = Py_XNewRef(ah_handle_patched_run(self->loop->st));
    if (patched != NULL) {
        PyObject *result = ah_handle_run_patched(self, patched); /* runs Python */
        Py_DECREF(patched);                                      /* runs Python */
        return result;
    }
    if (!self->cancelled && ah_handle_run(self) < 0) {
        return NULL;
    }
    Py_RETURN_NONE;
}

PyObject *
Handle_repr_info(HandleObject *self, PyObject *Py_UNUSED(ignored))
{
    return PyObject_CallMethod(self->loop->st->asyncio_handle, "_repr_info", "O", self);
}

PyObject *
Handle_repr(HandleObject *self)
{
    if (self->callback == NULL && self->args != NULL) {
        return Py_NewRef(self->args);
    }
    int inside = Py_ReprEnter((PyObject *)self); /* its arguments may lead back to it */
    if (inside != 0) {
        return inside > 0 ? PyUnicode_FromString("<Handle ...>") : NULL;
    }
    PyObject *repr = PyObject_CallMethod(self->loop->st->asyncio_handle, "__repr__",
                                         "O", self); /* runs Python */
    Py_ReprLeave((PyObject *)self);
    return repr;
}

static PyObject *
Handle_get_class(HandleObject *self, void *Py_UNUSED(closure))
{
    ModuleState *st = self->loop->st;
    bool threadsafe = self->threadsafe && st->asyncio_threadsafe_handle != NULL;
    return Py_NewRef(threadsafe ? st->asyncio_threadsafe_handle : st->asyncio_handle);
}

/* An owned object, or None; the closure is the field's offset. */
PyObject *
Handle_get_object(HandleObject *self, void *offset)
{
    PyObject *object = *(PyObject **)((char *)self + (uintptr_t)offset);
    return Py_NewRef(object != NULL ? object : Py_None);
}

PyObject *
Handle_get_repr(HandleObject *self, void *Py_UNUSED(closure))
{
    return Py_NewRef(self->callback == NULL && self->args != NULL ? self->args
                                                                  : Py_None);
}

PyObject *
Handle_get_cancelled(HandleObject *self, void *Py_UNUSED(closure))
{
    return PyBool_FromLong(self->cancelled);
}

/* -- tables ---------------------------------------------------------------- */

static PyMethodDef Handle_methods[] = {
    {"cancel", (PyCFunction)Handle_cancel, METH_NOARGS,
     PyDoc_STR("cancel($self, /)\n--\n\n"
               "Cancel the callback; callback and arguments are dropped at once.")},
    {"_repr_info", (PyCFunction)Handle_repr_info, METH_NOARGS, NULL},
    HANDLE_COMMON_METHODS,
    {NULL, NULL, 0, NULL},
};

static PyGetSetDef Handle_getset[] = {
    {"__class__", (getter)Handle_get_class, NULL, NULL, NULL},
    HANDLE_COMMON_GETSET,
    {NULL, NULL, NULL, NULL, NULL},
};

static PyMemberDef Handle_members[] = {
    {"__weaklistoffset__", T_PYSSIZET, offsetof(HandleObject, weakrefs), READONLY,
     NULL},
    {NULL, 0, 0, 0, NULL},
};

static PyType_Slot Handle_slots[] = {
    {Py_tp_doc, PyDoc_STR("A scheduled callback; see asyncio.Handle.")},
    {Py_tp_dealloc, Handle_dealloc},
    {Py_tp_traverse, ah_handle_traverse},
    {Py_tp_clear, ah_handle_clear},
    {Py_tp_repr, Handle_repr},
    {Py_tp_methods, Handle_methods},
    {Py_tp_getset, Handle_getset},
    {Py_tp_members, Handle_members},
    {0, NULL},
};

PyType_Spec Handle_spec = {
    .name = "pyasync_hw._core.Handle",
    .basicsize = sizeof(HandleObject),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC | Py_TPFLAGS_IMMUTABLETYPE |
             Py_TPFLAGS_DISALLOW_INSTANTIATION,
    .slots = Handle_slots,
};
