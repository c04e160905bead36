/* The ready queue, asyncio's `_ready`: a ring that owns a reference to each item. */
#include "loop/loop_object.h"

int
loop_push(LoopObject *self, PyObject *handle, enum ready_tag tag)
{
    if (ring_push(&self->ready, handle, tag) < 0) {
        PyErr_NoMemory();
        return -1;
    }
    Py_INCREF(handle);
    return 0;
}

void
loop_timer_handle_due(LoopObject *self, struct ah_timer *timer)
{
    PyObject *handle = (PyObject *)timer_handle_of(timer);
    if (loop_push(self, handle, READY_HANDLE) < 0) {
        ah_loop_report(self, "Out of memory for a timer", handle);
    }
}

int
loop_ready_tag(LoopObject *self, PyObject *handle, int *cancelled)
{
    if (Py_TYPE(handle) == self->st->handle_type ||
        Py_TYPE(handle) == self->st->timer_handle_type) {
        *cancelled = ((HandleObject *)handle)->cancelled;
        return READY_HANDLE;
    }
    PyObject *attribute =
        PyObject_GetAttrString(handle, "_cancelled"); /* runs Python */
    *cancelled = attribute != NULL ? PyObject_IsTrue(attribute) : -1;
    Py_XDECREF(attribute);
    return *cancelled < 0 ? -1 : READY_PYTHON_HANDLE;
}

int
loop_run_python_handle(PyObject *handle)
{
    PyObject *cancelled = PyObject_GetAttrString(handle, "_cancelled");
    int skip = cancelled != NULL ? PyObject_IsTrue(cancelled) : -1;
    Py_XDECREF(cancelled);
    if (skip != 0) {
        return skip < 0 ? -1 : 0;
    }
    PyObject *result = PyObject_CallMethod(handle, "_run", NULL); /* runs Python */
    if (result == NULL) {
        return -1;
    }
    Py_DECREF(result);
    return 0;
}

void
loop_release_ring(struct ring *ring)
{
    while (ring_count(ring) > 0) {
        Py_DECREF(ready_owner(ring_pop(ring))); /* runs Python */
    }
    ring_free(ring);
}

int
loop_traverse_ring(struct ring *ring, visitproc visit, void *arg)
{
    for (size_t i = 0; i < ring_count(ring); i++) {
        Py_VISIT(ready_owner(ring_peek(ring, i)));
    }
    return 0;
}
