/* Errors for whoever waits for edges; see edges_fail.h. */
#include "hw/edges_fail.h"

#include <errno.h>

#include "hw/loop_future.h"
#include "py/exceptions.h"

/* OSError(err) as an object; owned. */
static PyObject *
line_error(struct line_edges *edges, int err)
{
    (void)ah_device_raise(edges->line, err);
    return ah_take_exception();
}

void
ah_edges_fail_waiters(struct line_edges *edges, int err)
{
    PyObject *exc = ah_take_exception();
    PyObject *loop = Py_XNewRef(edges->wait.loop); /* closed: then nobody comes back */
    int is_closed = loop != NULL ? hw_loop_is_closed(loop) : 0; /* runs Python */
    if (is_closed < 0) {
        PyErr_WriteUnraisable((PyObject *)edges->line);
    }
    struct edge_waiter *waiter = ah_edges_take_waiters(edges);
    while (waiter != NULL) {
        struct edge_waiter *next = waiter->next;
        if (is_closed == 0) {
            PyObject *error = line_error(edges, err);
            if (hw_future_tell(edges->line->st, loop, waiter->future, error) < 0) {
                PyErr_WriteUnraisable((PyObject *)edges->line); /* runs Python */
            }
            Py_DECREF(error);
        }
        edge_waiter_free(waiter); /* runs Python */
        waiter = next;
    }
    hw_loop_wake(edges->line->st, loop); /* runs Python */
    Py_XDECREF(loop);                    /* runs Python */
    ah_restore_exception(exc);
}

void
ah_edges_fail(struct line_edges *edges)
{
    ah_edges_fail_waiters(edges, -EBADF); /* runs Python */
    ah_edges_wake_blockers(edges);
    ah_edges_release_idle(edges); /* runs Python */
}
