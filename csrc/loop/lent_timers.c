/* Timers lent to Python code that looks into asyncio's `_scheduled`, a list kept by
 * heapq.
 *
 * heapq writes to the storage of a list and asks no method of it, so timers are lent:
 * all that are handles move to the list, smallest first, and what that holds when the
 * next turn begins moves back.  Timers of devices stay.
 *
 * A timer that is an asyncio.TimerHandle, made by code that wraps or copies asyncio's
 * call_at(), or another loop's, is put in a TimerHandle of ours, whose callback is
 * `run_python_handle`.
 */
#include "loop/loop_object.h"

#include <math.h>

#include "py/exceptions.h"

static PyObject *
run_python_handle(PyObject *Py_UNUSED(module), PyObject *handle)
{
    if (loop_run_python_handle(handle) < 0) { /* runs Python */
        return NULL;
    }
    Py_RETURN_NONE;
}

static PyMethodDef run_python_handle_methods[] = {
    {"run_python_handle", run_python_handle, METH_O, NULL}};

static bool
wraps_python_handle(LoopObject *self, TimerHandleObject *handle)
{
    return handle->base.callback == self->st->run_python_handle;
}

/* The timer leaves the heap, which is made whole again later. */
static void
take_entry(struct heap *heap, size_t i)
{
    heap->entries[i].node->index = -1;
    heap->entries[i].node = NULL;
    heap->empty++;
}

/* Timers that are handles move to the end of the list, smallest first.  Their number,
 * or -1. */
static Py_ssize_t
lend_timers(LoopObject *self, PyObject *list)
{
    PyObject *wrappers = PyList_New(0); /* dropped when the heap is whole again */
    if (wrappers == NULL) {
        return -1;
    }
    struct heap *heap = &self->timers;
    Py_ssize_t count = 0;
    int status = 0;
    heap_sort(heap);
    for (size_t i = 0; i < heap->size && status == 0; i++) {
        struct ah_timer *timer = (struct ah_timer *)heap->entries[i].node;
        if (timer->func != loop_timer_handle_due) {
            continue;
        }
        TimerHandleObject *handle = timer_handle_of(timer);
        PyObject *lent = (PyObject *)handle;
        if (wraps_python_handle(self, handle)) {
            lent = handle->base.args;
            status = PyList_Append(wrappers, (PyObject *)handle);
        }
        if (status == 0) {
            status = PyList_Append(list, lent);
        }
        if (status == 0) {
            handle->base.lent = true;
            take_entry(heap, i);
            Py_CLEAR(timer->owner); /* never the last */
            count++;
        }
    }
    heap_tidy(heap);
    Py_DECREF(wrappers); /* runs Python */
    return status < 0 ? -1 : count;
}

/* One of what the list held.  asyncio skips cancelled ones when they come to the top.
 */
static int
take_timer_back(LoopObject *self, PyObject *item)
{
    TimerHandleObject *handle = (TimerHandleObject *)item;
    if (Py_TYPE(item) == self->st->timer_handle_type && handle->base.loop == self) {
        handle->base.lent = false;
        if (handle->base.cancelled || handle->base.timer.node.index >= 0) {
            return 0;
        }
        return loop_arm_timer_handle(self, handle);
    }
    PyObject *cancelled = PyObject_GetAttrString(item, "_cancelled"); /* runs Python */
    int is_cancelled = cancelled != NULL ? PyObject_IsTrue(cancelled) : -1;
    Py_XDECREF(cancelled);
    if (is_cancelled != 0) {
        return is_cancelled < 0 ? -1 : 0;
    }
    PyObject *attribute = PyObject_GetAttrString(item, "_when"); /* runs Python */
    double when = attribute != NULL ? PyFloat_AsDouble(attribute) : -1.0;
    Py_XDECREF(attribute);
    if (when == -1.0 && PyErr_Occurred()) {
        return -1;
    }
    if (isnan(when)) {
        PyErr_SetString(PyExc_ValueError, "when must be a time, not NaN");
        return -1;
    }
    handle =
        ah_timer_handle_new(self, when, self->st->run_python_handle, &item, 1, NULL);
    int status = handle != NULL ? loop_arm_timer_handle(self, handle) : -1;
    Py_XDECREF(handle);
    return status;
}

int
loop_take_timers_back(LoopObject *self)
{
    PyObject *list = self->lent;
    self->lent = NULL;
    Py_ssize_t count = PyList_GET_SIZE(list);
    PyObject *items = count > 0 ? PyList_GetSlice(list, 0, count) : NULL;
    PyObject *exc = NULL;
    if (items != NULL && PyList_SetSlice(list, 0, count, NULL) < 0) {
        Py_CLEAR(items);
    }
    if (count > 0 && items == NULL) {
        self->lent = list; /* no memory: they stay where they are */
        return -1;
    }
    Py_DECREF(list); /* runs Python */
    for (Py_ssize_t i = 0; i < count; i++) {
        if (take_timer_back(self, PyList_GET_ITEM(items, i)) < 0) { /* runs Python */
            Py_XDECREF(exc);
            exc = ah_take_exception(); /* the others are timers still */
        }
    }
    Py_XDECREF(items); /* runs Python */
    if (exc != NULL) {
        ah_restore_exception(exc);
        return -1;
    }
    return 0;
}

/* Lend to this list.  `all`: what is in the heap moves to it now; else what is put in
 * it moves to the heap, and that is all. */
static PyObject *
Loop_lend_timers(LoopObject *self, PyObject *args)
{
    PyObject *list;
    int all;
    if (!PyArg_ParseTuple(args, "O!p:_lend_timers", &PyList_Type, &list, &all)) {
        return NULL;
    }
    if (self->lent != NULL && self->lent != list) {
        PyErr_SetString(PyExc_ValueError, "the timers are lent to another list");
        return NULL;
    }
    if (self->lent == NULL) {
        self->lent = Py_NewRef(list);
    }
    Py_ssize_t count = all ? lend_timers(self, list) : 0; /* runs Python */
    return count < 0 ? NULL : PyLong_FromSsize_t(count);
}

PyMethodDef lent_timers_methods[] = {
    {"_lend_timers", (PyCFunction)Loop_lend_timers, METH_VARARGS, NULL},
    {NULL, NULL, 0, NULL},
};

int
ah_lent_timers_setup(PyObject *module)
{
    ModuleState *st = ah_state(module);
    st->run_python_handle = PyCFunction_New(run_python_handle_methods, NULL);
    return st->run_python_handle != NULL ? 0 : -1;
}
