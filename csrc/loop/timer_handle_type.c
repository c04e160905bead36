/* TimerHandle: a handle with a time; see handle.h for ownership.
 *
 * Cancelling one takes it out of the heap at once, and the heap's reference to
 * it with it.  Comparing is by time, as asyncio.TimerHandle compares.
 */
#include "loop/handle_type.h"
#include "loop/loop_object.h"

TimerHandleObject *
ah_timer_handle_new(LoopObject *loop, double when, PyObject *callback,
                    PyObject *const *args, Py_ssize_t nargs, PyObject *context)
{
    TimerHandleObject *self =
        PyObject_GC_New(TimerHandleObject, loop->timer_handle_type);
    if (self == NULL) {
        return NULL;
    }
    Py_DECREF(loop->timer_handle_type); /* see handle.h */
    memset((char *)self + sizeof(PyObject), 0, sizeof *self - sizeof(PyObject));
    self->base.timer.node.index = -1;
    self->when = when;
    loop->st->live[AH_LIVE_TimerHandle]++;
    if (ah_handle_fill(&self->base, loop, callback, args, nargs, context, true) < 0) {
        Py_DECREF(self);
        return NULL;
    }
    PyObject_GC_Track(self);
    return self;
}

static void
release_handle(TimerHandleObject *self)
{
    LoopObject *loop = self->base.loop;
    ah_handle_let_go(&self->base);
    loop->st->live[AH_LIVE_TimerHandle]--;
    PyObject_GC_Del(self);
    Py_DECREF(loop);
}

static void
TimerHandle_dealloc(TimerHandleObject *self)
{
    PyObject_GC_UnTrack(self);
    if (!ah_handle_has_handle(&self->base)) {
        release_handle(self);
        return;
    }
    Py_TRASHCAN_BEGIN(self, TimerHandle_dealloc);
    release_handle(self);
    Py_TRASHCAN_END;
}

static PyObject *
TimerHandle_cancel(TimerHandleObject *self, PyObject *Py_UNUSED(ignored))
{
    ah_loop_timer_stop(self->base.loop, &self->base.timer); /* the caller holds us */
    if (ah_handle_cancel(&self->base) < 0) {
        return NULL;
    }
    Py_RETURN_NONE;
}

/* asyncio.TimerHandle._repr_info() uses super(), which wants its own instances. */
static PyObject *
TimerHandle_repr_info(TimerHandleObject *self, PyObject *Py_UNUSED(ignored))
{
    PyObject *info = Handle_repr_info(&self->base, NULL);
    if (info == NULL) {
        return NULL;
    }
    PyObject *when = PyFloat_FromDouble(self->when);
    PyObject *text = when != NULL ? PyUnicode_FromFormat("when=%R", when) : NULL;
    Py_XDECREF(when);
    if (text == NULL || PyList_Insert(info, self->base.cancelled ? 2 : 1, text) < 0) {
        Py_CLEAR(info);
    }
    Py_XDECREF(text);
    return info;
}

static PyObject *
TimerHandle_when(TimerHandleObject *self, PyObject *Py_UNUSED(ignored))
{
    return PyFloat_FromDouble(self->when);
}

static Py_hash_t
TimerHandle_hash(TimerHandleObject *self)
{
    PyObject *when = PyFloat_FromDouble(self->when);
    if (when == NULL) {
        return -1;
    }
    Py_hash_t hash = PyObject_Hash(when);
    Py_DECREF(when);
    return hash;
}

/* Equal time, callback, arguments and state, as asyncio.TimerHandle.__eq__. */
static int
timer_handles_equal(TimerHandleObject *a, TimerHandleObject *b)
{
    if (a->when != b->when || a->base.cancelled != b->base.cancelled) {
        return 0;
    }
    if (a->base.cancelled) {
        return 1;
    }
    /* Comparing may cancel both. */
    PyObject *a_callback =
        Py_NewRef(a->base.callback != NULL ? a->base.callback : Py_None);
    PyObject *b_callback =
        Py_NewRef(b->base.callback != NULL ? b->base.callback : Py_None);
    PyObject *a_args = Handle_get_args(&a->base, NULL);
    PyObject *b_args = Handle_get_args(&b->base, NULL);
    int equal = a_args == NULL || b_args == NULL ? -1 : 1;
    if (equal > 0) {
        equal = PyObject_RichCompareBool(a_callback, b_callback, Py_EQ);
    }
    if (equal > 0) {
        equal = PyObject_RichCompareBool(a_args, b_args, Py_EQ); /* runs Python */
    }
    Py_DECREF(a_callback);
    Py_DECREF(b_callback);
    Py_XDECREF(a_args);
    Py_XDECREF(b_args);
    return equal;
}

static PyObject *
TimerHandle_richcompare(TimerHandleObject *self, PyObject *other, int op)
{
    if (Py_TYPE(other) != Py_TYPE(self)) {
        Py_RETURN_NOTIMPLEMENTED;
    }
    TimerHandleObject *b = (TimerHandleObject *)other;
    int result;
    if (op == Py_LT || (op == Py_LE && self->when < b->when)) {
        result = self->when < b->when;
    }
    else if (op == Py_GT || (op == Py_GE && self->when > b->when)) {
        result = self->when > b->when;
    }
    else {
        result = timer_handles_equal(self, b); /* runs Python */
        if (result < 0) {
            return NULL;
        }
        result = op == Py_NE ? !result : result;
    }
    return PyBool_FromLong(result);
}

static PyObject *
TimerHandle_get_class(TimerHandleObject *self, void *Py_UNUSED(closure))
{
    return Py_NewRef(self->base.loop->st->asyncio_timer_handle);
}

static PyObject *
TimerHandle_get_scheduled(TimerHandleObject *self, void *Py_UNUSED(closure))
{
    return PyBool_FromLong(self->base.timer.node.index >= 0 || self->base.lent);
}

/* Copies of asyncio's _run_once() say so of what they take out of the list. */
static int
TimerHandle_set_scheduled(TimerHandleObject *self, PyObject *value,
                          void *Py_UNUSED(closure))
{
    int scheduled = value != NULL ? PyObject_IsTrue(value) : 0; /* runs Python */
    if (scheduled < 0) {
        return -1;
    }
    self->base.lent = scheduled != 0;
    return 0;
}

/* -- tables ---------------------------------------------------------------- */

static PyMethodDef TimerHandle_methods[] = {
    {"cancel", (PyCFunction)TimerHandle_cancel, METH_NOARGS,
     PyDoc_STR("cancel($self, /)\n--\n\n"
               "Cancel the timer; it leaves the heap at once.")},
    {"when", (PyCFunction)TimerHandle_when, METH_NOARGS,
     PyDoc_STR("when($self, /)\n--\n\n"
               "The scheduled time, in seconds of loop.time().")},
    {"_repr_info", (PyCFunction)TimerHandle_repr_info, METH_NOARGS, NULL},
    HANDLE_COMMON_METHODS,
    {NULL, NULL, 0, NULL},
};

static PyGetSetDef TimerHandle_getset[] = {
    {"__class__", (getter)TimerHandle_get_class, NULL, NULL, NULL},
    HANDLE_COMMON_GETSET,
    {"_scheduled", (getter)TimerHandle_get_scheduled, (setter)TimerHandle_set_scheduled,
     NULL, NULL},
    {"_when", (getter)TimerHandle_when, NULL, NULL, NULL},
    {NULL, NULL, NULL, NULL, NULL},
};

static PyMemberDef TimerHandle_members[] = {
    {"__weaklistoffset__", T_PYSSIZET, offsetof(TimerHandleObject, base.weakrefs),
     READONLY, NULL},
    {NULL, 0, 0, 0, NULL},
};

static PyType_Slot TimerHandle_slots[] = {
    {Py_tp_doc, PyDoc_STR("A callback scheduled for a time; see asyncio.TimerHandle.")},
    {Py_tp_dealloc, TimerHandle_dealloc},
    {Py_tp_traverse, ah_handle_traverse},
    {Py_tp_clear, ah_handle_clear},
    {Py_tp_repr, Handle_repr},
    {Py_tp_hash, TimerHandle_hash},
    {Py_tp_richcompare, TimerHandle_richcompare},
    {Py_tp_methods, TimerHandle_methods},
    {Py_tp_getset, TimerHandle_getset},
    {Py_tp_members, TimerHandle_members},
    {0, NULL},
};

PyType_Spec TimerHandle_spec = {
    .name = "pyasync_hw._core.TimerHandle",
    .basicsize = sizeof(TimerHandleObject),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC | Py_TPFLAGS_IMMUTABLETYPE |
             Py_TPFLAGS_DISALLOW_INSTANTIATION,
    .slots = TimerHandle_slots,
};
