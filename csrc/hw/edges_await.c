/* Edges that are awaited on a loop; see edges_await.h. */
#include "hw/edges_await.h"

#include <errno.h>

#include "hw/edge_event.h"
#include "hw/edges_fail.h"
#include "hw/edges_read.h"
#include "hw/loop_future.h"

/* Who was told of an edge mostly waits for the next one as soon as it runs. */
static void
stay_armed_for_a_turn(struct line_edges *edges)
{
    if (!ah_edges_has_given(edges) || !hw_wait_look_later(&edges->wait)) {
        edges->drained = false;
        ah_edges_release_idle(edges); /* runs Python */
    }
}

static int
on_readable(struct hw_wait *wait, int what)
{
    struct line_edges *edges =
        (struct line_edges *)((char *)wait - offsetof(struct line_edges, wait));
    if (ah_device_begin(edges->line) == NULL) {
        PyErr_Clear(); /* closed by an earlier callback of this turn */
        return 0;
    }
    if (what == HW_LATER) {
        edges->drained = false;
        ah_edges_release_idle(edges); /* runs Python */
        ah_device_end(edges->line);
        return 0;
    }
    int n = ah_edges_read(edges);
    if (n < 0) {
        ah_edges_fail_waiters(edges, n); /* runs Python */
    }
    edges->drained = n >= 0 && n < EDGES_READ_MAX;
    int err = ah_edges_announce(edges, true); /* runs Python */
    stay_armed_for_a_turn(edges);             /* runs Python */
    ah_device_end(edges->line);
    return err;
}

/* Is edges->wait free for `loop`? */
static int
claim_loop(struct line_edges *edges, PyObject *loop)
{
    if (edges->blockers != NULL) {
        PyErr_Format(PyExc_RuntimeError,
                     "a thread blocks on edges of %s: await them on the loop, or block "
                     "in threads, not both at once",
                     edges->line->what);
        return -1;
    }
    if (edges->wait.loop != loop) {
        ah_edges_release_idle(edges); /* runs Python */
    }
    PyObject *other = edges->wait.loop;
    if (other == NULL || other == loop) {
        return 0;
    }
    int is_closed = ah_edges_forget_closed_loop(edges); /* runs Python */
    if (is_closed == 0) {
        PyErr_Format(PyExc_RuntimeError,
                     "edges of %s are awaited on another event loop",
                     edges->line->what);
    }
    if (is_closed <= 0) {
        return -1;
    }
    if (edges->wait.loop != NULL) {
        PyErr_Format(PyExc_RuntimeError,
                     "edges of %s are awaited on a closed event loop",
                     edges->line->what);
        return -1;
    }
    return 0;
}

/* Between begin and end. */
static PyObject *
arm_future(struct line_edges *edges, struct edge_queue *queue, PyObject *loop,
           unsigned kinds)
{
    if (claim_loop(edges, loop) < 0 || ah_device_use_loop(edges->line, loop) < 0) {
        return NULL;
    }
    PyObject *future = PyObject_CallMethodNoArgs(
        loop, edges->line->st->name_create_future); /* runs Python */
    if (future == NULL) {
        return NULL;
    }
    if (claim_loop(edges, loop) < 0) { /* another thread may have been faster */
        goto error;
    }
    if (ah_device_is_closed(edges->line) || !ah_edges_is_attached(edges, queue)) {
        (void)ah_device_raise(edges->line, -EBADF);
        goto error;
    }
    int given = edge_queue_add(queue, future, kinds, edges->num_armed++);
    if (given < 0) {
        goto error;
    }
    if (given > 0) {
        if (hw_future_tell(edges->line->st, loop, future, NULL) < 0) { /* runs Python */
            edge_queue_withdraw(queue, future, edges->num_armed);
            goto error;
        }
        return future;
    }
    const struct line_request *request = edges->line->handle;
    edges->line->st->uses.edge_waits++;
    ah_edges_hold_queue(edges, queue);
    edges->wait.simulated = edges->line->owner != NULL;
    if (!hw_wait_is_armed(&edges->wait) &&
        hw_wait_arm(&edges->wait, loop, request->fd, NS_NEVER, on_readable,
                    (PyObject *)edges->line) < 0) /* runs Python */
    {
        edge_queue_withdraw(queue, future, edges->num_armed);
        ah_edges_release_idle(edges); /* runs Python */
        goto error;
    }
    return future;
error:
    Py_DECREF(future);
    return NULL;
}

PyObject *
ah_edges_arm(struct line_edges *edges, struct edge_queue *queue, PyObject *args)
{
    PyObject *loop, *word = NULL;
    unsigned kinds;
    if (!PyArg_ParseTuple(args, "O|O:arm", &loop, &word) ||
        ah_edge_kinds_parse(word, &kinds) < 0 || ah_device_begin(edges->line) == NULL) {
        return NULL;
    }
    PyObject *future = arm_future(edges, queue, loop, kinds);
    ah_device_end(edges->line);
    return future;
}

/* A real line that was read in this turn is not read again: the loop polls it before
 * it sleeps.  On a simulated one, what happens in a turn is there in that turn. */
PyObject *
ah_edges_next(struct line_edges *edges, struct edge_queue *queue, PyObject *args)
{
    PyObject *loop, *word, *result = NULL;
    struct edge_record record;
    unsigned kinds;
    if (!PyArg_ParseTuple(args, "OO:next", &loop, &word) ||
        ah_edge_kinds_parse(word, &kinds) < 0 || ah_device_begin(edges->line) == NULL) {
        return NULL;
    }
    bool read_before =
        edges->drained && edges->line->owner == NULL && edges->wait.loop == loop;
    int found = ah_edges_find(edges, queue, kinds, !read_before, &record);
    if (found >= 0) { /* it ran Python */
        result = found ? ah_edges_event(edges, &record)
                       : arm_future(edges, queue, loop, kinds);
    }
    ah_device_end(edges->line);
    return result;
}

PyObject *
ah_edges_collect(struct line_edges *edges, struct edge_queue *queue, PyObject *future)
{
    struct edge_record record;
    if (!edge_queue_collect(queue, future, &record)) { /* runs Python */
        ah_edges_release_idle(edges);                  /* runs Python */
        Py_RETURN_NONE;
    }
    return ah_edges_event(edges, &record);
}

PyObject *
ah_edges_disarm(struct line_edges *edges, struct edge_queue *queue, PyObject *future)
{
    edge_queue_withdraw(queue, future, edges->num_armed); /* runs Python */
    if (ah_edges_announce(edges, false) < 0) {            /* runs Python */
        PyErr_WriteUnraisable((PyObject *)edges->line);   /* it is not the caller's */
    }
    if (queue->ring.size > 0) {
        ah_edges_wake_blockers(edges);
    }
    ah_edges_release_idle(edges); /* runs Python */
    Py_RETURN_NONE;
}
