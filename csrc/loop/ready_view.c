/* The ready queue, for Python code that looks into it as if it were asyncio's `_ready`,
 * a deque of handles: looked at where it is, in the ring.  A post of another thread
 * becomes a handle then.  The Python half is pyasync_hw/loop/views.py.
 */
#include "loop/loop_object.h"

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

PyMethodDef ready_view_methods[] = {
    {"_ready_count", (PyCFunction)Loop_ready_count, METH_NOARGS, NULL},
    {"_ready_list", (PyCFunction)Loop_ready_list, METH_NOARGS, NULL},
    {"_ready_popleft", (PyCFunction)Loop_ready_popleft, METH_NOARGS, NULL},
    {"_ready_replace", (PyCFunction)Loop_ready_replace, METH_VARARGS, NULL},
    {NULL, NULL, 0, NULL},
};
