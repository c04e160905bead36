/* The ready queue and the timers, for Python code that looks into them as if they were
 * asyncio's `_ready` (a deque of handles) and `_scheduled` (a list, kept by heapq).
 *
 * `_ready` is looked at where it is, in the ring; its Python half is
 * pyasync_hw/loop/views.py.  heapq writes to the storage of a list and asks no
 * method of it, so timers are lent: all that are handles move to the list, smallest
 * first, and what that holds when the next turn begins moves back.  Timers of devices
 * stay.
 *
 * A timer that is an asyncio.TimerHandle, made by code that wraps or copies asyncio's
 * call_at(), or another loop's, is put in a TimerHandle of ours, whose callback is
 * `run_python_handle`.
 */
#include "loop/loop_object.h"

#include <math.h>

#include "py/exceptions.h"

/* -- handles --------------------------------------------------------------- */

#define POST_NAME "pyasync_hw._core.post"

/* args: the loop, the post in a capsule, and the post's owner. */
static PyObject *
run_post(PyObject *args, PyObject *Py_UNUSED(ignored))
{
    LoopObject *loop = (LoopObject *)PyTuple_GET_ITEM(args, 0);
    struct ah_post *post = PyCapsule_GetPointer(PyTuple_GET_ITEM(args, 1), POST_NAME);
    if (post == NULL || post->func == NULL) {
        return Py_XNewRef(post != NULL ? Py_None : NULL); /* called by hand, twice */
    }
    ah_post_func func = post->func;
    post->func = NULL;
    func(loop, post); /* runs Python */
    if (loop_raise_pending(loop) < 0) {
        return NULL;
    }
    Py_RETURN_NONE;
}

static PyMethodDef run_post_methods[] = {{"run_post", run_post, METH_NOARGS, NULL}};

/* A handle that runs the post, and owns its owner. */
static HandleObject *
handle_for_post(LoopObject *self, struct ah_post *post)
{
    HandleObject *handle = NULL;
    PyObject *owner = Py_NewRef(post->owner);
    PyObject *capsule = PyCapsule_New(post, POST_NAME, NULL);
    PyObject *args = capsule != NULL ? PyTuple_Pack(3, self, capsule, owner) : NULL;
    PyObject *callback = args != NULL ? PyCFunction_New(run_post_methods, args) : NULL;
    if (callback != NULL) {
        handle = ah_handle_new(self, callback, NULL, 0, NULL, false); /* runs Python */
    }
    Py_XDECREF(callback);
    Py_XDECREF(args);
    Py_XDECREF(capsule);
    Py_DECREF(owner);
    return handle;
}

/* The i-th ready handle, owned; NULL: there is none, or with an exception.  A post
 * becomes a handle, where it is. */
static PyObject *
ready_at(LoopObject *self, size_t i)
{
    while (i < ring_count(&self->ready)) {
        struct ring_item item = ring_peek(&self->ready, i);
        if (item.tag != READY_POST) {
            return Py_NewRef((PyObject *)item.ptr);
        }
        struct ah_post *post = item.ptr;
        HandleObject *handle = handle_for_post(self, post); /* runs Python */
        if (handle == NULL) {
            return NULL;
        }
        if (i < ring_count(&self->ready) && ring_peek(&self->ready, i).ptr == post) {
            ring_set(&self->ready, i, Py_NewRef((PyObject *)handle), READY_HANDLE);
            Py_DECREF(post->owner); /* the handle has it */
        }
        Py_DECREF(handle); /* runs Python */
    }
    return NULL;
}

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

/* -- lending timers -------------------------------------------------------- */

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

/* -- Python methods -------------------------------------------------------- */

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

static PyObject *
Loop_ready_count(LoopObject *self, PyObject *Py_UNUSED(ignored))
{
    if (loop_collect(self) < 0) {
        return NULL;
    }
    return PyLong_FromSize_t(ring_count(&self->ready));
}

static PyObject *
Loop_ready_list(LoopObject *self, PyObject *Py_UNUSED(ignored))
{
    PyObject *list = PyList_New(0);
    if (list == NULL || loop_collect(self) < 0) {
        Py_CLEAR(list);
    }
    for (size_t i = 0; list != NULL; i++) {
        PyObject *handle = ready_at(self, i); /* runs Python */
        if (handle == NULL && !PyErr_Occurred()) {
            break;
        }
        if (handle == NULL || PyList_Append(list, handle) < 0) {
            Py_CLEAR(list);
        }
        Py_XDECREF(handle);
    }
    return list;
}

static PyObject *
Loop_ready_popleft(LoopObject *self, PyObject *Py_UNUSED(ignored))
{
    if (loop_collect(self) < 0) {
        return NULL;
    }
    PyObject *handle = ready_at(self, 0); /* runs Python */
    if (handle != NULL) {
        (void)ring_pop(&self->ready);
        Py_DECREF(handle); /* the ring's */
    }
    else if (!PyErr_Occurred()) {
        PyErr_SetString(PyExc_IndexError, "pop from an empty deque");
    }
    return handle;
}

/* Does the ready queue begin with what it held when somebody looked? */
static bool
begins_with(const struct ring *ready, PyObject *list)
{
    size_t count = (size_t)PyList_GET_SIZE(list);
    bool same = ring_count(ready) >= count;
    for (size_t i = 0; same && i < count; i++) {
        struct ring_item item = ring_peek(ready, i);
        same = item.tag != READY_POST &&
               item.ptr == (void *)PyList_GET_ITEM(list, (Py_ssize_t)i);
    }
    return same;
}

/* These handles, which are not owned. */
AH_RAISES static int
fill_ring(LoopObject *self, struct ring *ring, PyObject *handles)
{
    for (Py_ssize_t i = 0; i < PyList_GET_SIZE(handles); i++) {
        PyObject *handle = PyList_GET_ITEM(handles, i);
        int cancelled;
        int tag = loop_ready_tag(self, handle, &cancelled); /* runs Python */
        if (tag < 0) {
            return -1;
        }
        if (ring_push(ring, handle, (uintptr_t)tag) < 0) {
            PyErr_NoMemory();
            return -1;
        }
    }
    return 0;
}

/* `after` takes the place of `before`; what became ready meanwhile stays behind it. */
AH_RAISES static int
replace_ready(LoopObject *self, struct ring *ring, PyObject *before, PyObject *after)
{
    if (!begins_with(&self->ready, before)) {
        PyErr_SetString(PyExc_RuntimeError, "deque mutated during iteration");
        return -1;
    }
    size_t looked_at = (size_t)PyList_GET_SIZE(before);
    for (size_t i = looked_at; i < ring_count(&self->ready); i++) {
        struct ring_item item = ring_peek(&self->ready, i);
        if (ring_push(ring, item.ptr, item.tag) < 0) {
            PyErr_NoMemory();
            return -1;
        }
    }
    for (Py_ssize_t i = 0; i < PyList_GET_SIZE(after); i++) {
        Py_INCREF(PyList_GET_ITEM(after, i));
    }
    for (size_t i = 0; i < looked_at; i++) {
        Py_DECREF((PyObject *)ring_pop(&self->ready).ptr); /* `before` has it, too */
    }
    ring_free(&self->ready);
    self->ready = *ring;
    *ring = (struct ring){0};
    return 0;
}

static PyObject *
Loop_ready_replace(LoopObject *self, PyObject *args)
{
    PyObject *before, *handles;
    struct ring ring = {0};
    if (!PyArg_ParseTuple(args, "O!O:_ready_replace", &PyList_Type, &before,
                          &handles)) {
        return NULL;
    }
    PyObject *after = PySequence_List(handles);                      /* runs Python */
    int status = after != NULL ? fill_ring(self, &ring, after) : -1; /* runs Python */
    if (status == 0) {
        status = replace_ready(self, &ring, before, after);
    }
    ring_free(&ring);
    Py_XDECREF(after); /* runs Python */
    if (status < 0) {
        return NULL;
    }
    Py_RETURN_NONE;
}

PyMethodDef loop_views_methods[] = {
    {"_lend_timers", (PyCFunction)Loop_lend_timers, METH_VARARGS, NULL},
    {"_ready_count", (PyCFunction)Loop_ready_count, METH_NOARGS, NULL},
    {"_ready_list", (PyCFunction)Loop_ready_list, METH_NOARGS, NULL},
    {"_ready_popleft", (PyCFunction)Loop_ready_popleft, METH_NOARGS, NULL},
    {"_ready_replace", (PyCFunction)Loop_ready_replace, METH_VARARGS, NULL},
    {NULL, NULL, 0, NULL},
};

int
ah_loop_views_setup(PyObject *module)
{
    ModuleState *st = ah_state(module);
    st->run_python_handle = PyCFunction_New(run_python_handle_methods, NULL);
    return st->run_python_handle != NULL ? 0 : -1;
}
