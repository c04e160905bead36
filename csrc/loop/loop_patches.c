/* Has somebody patched the loop, its class, or asyncio's above it?  Then the Python
 * half looks at what (pyasync_hw/loop/patches.py).
 */
#include "loop/loop_object.h"

static bool
has_patches(LoopObject *self)
{
    return self->hooked || self->turns_patched || self->asyncio_later;
}

int
loop_notice_patches(LoopObject *self)
{
    unsigned tag = Py_TYPE(self)->tp_version_tag;
    if (tag != 0 && tag == self->st->plain_tag && !has_patches(self)) {
        self->type_tag = tag; /* a loop before has looked */
        return 0;
    }
    self->type_tag = 0;
    PyObject *notice = PyObject_GetAttrString((PyObject *)self, "_notice_patches");
    /* As it is before, or what is patched while it looks would pass unseen. */
    tag = Py_TYPE(self)->tp_version_tag;
    PyObject *result = notice != NULL ? PyObject_CallNoArgs(notice) : NULL;
    Py_XDECREF(notice); /* runs Python */
    if (result == NULL) {
        return -1;
    }
    Py_DECREF(result);
    self->type_tag = tag;
    if (!has_patches(self)) {
        self->st->plain_tag = self->type_tag;
    }
    return 0;
}

static PyObject *
Loop_look_for_patches(LoopObject *self, PyObject *Py_UNUSED(ignored))
{
    if (loop_is_patched_anew(self) && loop_notice_patches(self) < 0) { /* runs Python */
        return NULL;
    }
    Py_RETURN_NONE;
}

/* In C, for asyncio's code sets attributes at moments where Ctrl+C must find none of
 * ours.  What is put over a method of the class is looked at: it may be a turn. */
int
Loop_setattro(LoopObject *self, PyObject *name, PyObject *value)
{
    if (PyObject_GenericSetAttr((PyObject *)self, name, value) < 0) { /* runs Python */
        return -1;
    }
    PyObject *on_class = PyObject_GetAttr((PyObject *)Py_TYPE(self), name);
    if (on_class == NULL) {
        if (!PyErr_ExceptionMatches(PyExc_AttributeError)) {
            return -1;
        }
        PyErr_Clear(); /* an attribute of this loop only */
        return 0;
    }
    bool is_over_method = Py_TYPE(on_class)->tp_descr_set == NULL;
    Py_DECREF(on_class);
    if (!is_over_method) {
        return 0;
    }
    self->hooked = true;
    return loop_notice_patches(self); /* runs Python */
}

PyMethodDef loop_patches_methods[] = {
    {"_look_for_patches", (PyCFunction)Loop_look_for_patches, METH_NOARGS, NULL},
    {NULL, NULL, 0, NULL},
};
