/* Edges, from the descriptor of a line request to whoever waits; see edges_read.h. */
#include "hw/edges_read.h"

#include <errno.h>

#include "hw/edge_event.h"
#include "hw/loop_future.h"
#include "py/exceptions.h"

int
ah_edges_announce(struct line_edges *edges, bool by_loop)
{
    uint64_t before = edges->num_armed;
    PyObject *error = NULL; /* the first one: the others are told all the same */
    struct edge_queue *queue = edges->queues;
    while (queue != NULL) {
        struct edge_waiter *waiter = edge_queue_untold(queue);
        if (waiter == NULL) {
            queue = queue->next;
            continue;
        }
        waiter->told = true;
        PyObject *owner = Py_NewRef(queue->owner);
        PyObject *future = Py_NewRef(waiter->future);
        PyObject *loop = by_loop ? NULL : Py_XNewRef(edges->wait.loop);
        int woken =
            hw_future_tell_if_open(edges->line->st, loop, future); /* runs Python */
        Py_XDECREF(loop);
        if (woken < 0) {
            ah_keep_exception(&error, owner); /* runs Python */
        }
        if (woken <= 0) {
            edge_queue_withdraw(queue, future, before); /* runs Python */
        }
        Py_DECREF(future);
        Py_DECREF(owner);
        queue = edges->queues; /* the list may have changed */
    }
    if (error != NULL) {
        ah_restore_exception(error);
        return -1;
    }
    return 0;
}

int
ah_edges_read(struct line_edges *edges)
{
    struct line_event events[EDGES_READ_MAX];
    int n = line_read_events(edges->line->handle, events, EDGES_READ_MAX);
    if (n < 0) {
        return n == -EAGAIN ? 0 : n;
    }
    for (int i = 0; i < n; i++) {
        struct edge_record record = {events[i],
                                     events[i].seqno - edges->last_seqno - 1};
        edges->last_seqno = events[i].seqno;
        edges->line->st->uses.edges++;
        for (struct edge_queue *q = edges->queues; q != NULL; q = q->next) {
            int err = edge_queue_put(q, record, UINT64_MAX);
            if (err < 0) {
                return err;
            }
        }
    }
    if (n > 0) {
        ah_edges_wake_blockers(edges);
    }
    return n;
}

int
ah_edges_read_all(struct line_edges *edges)
{
    if (ah_device_begin(edges->line) == NULL) {
        return -1;
    }
    int n, total = 0;
    do {
        n = ah_edges_read(edges);
        total += n;
    } while (n == EDGES_READ_MAX);
    if (n < 0) {
        (void)ah_device_raise(edges->line, n);
    }
    else {
        n = ah_edges_announce(edges, false); /* runs Python */
    }
    ah_device_end(edges->line);
    return n < 0 ? -1 : total;
}

/* The value of the line with that offset; -1: it cannot be read any more. */
static int
read_value(struct line_edges *edges, uint32_t offset)
{
    if (ah_device_is_closed(edges->line) || ah_device_begin(edges->line) == NULL) {
        PyErr_Clear(); /* the parent's */
        return -1;
    }
    struct line_request *request = edges->line->handle;
    unsigned i = 0;
    while (i + 1 < request->num_lines && request->offsets[i] != offset) {
        i++;
    }
    uint64_t bits = 0;
    PyThreadState *thread = ah_device_let_gil_go(edges->line);
    int err = line_get(request, UINT64_C(1) << i, &bits);
    ah_device_take_gil(thread);
    ah_device_end(edges->line);
    return err < 0 ? -1 : (int)(bits >> i & 1);
}

PyObject *
ah_edges_event(struct line_edges *edges, const struct edge_record *record)
{
    int value = record->dropped != 0 ? read_value(edges, record->event.offset) : -1;
    return ah_edge_event_new(edges->line->st, record, value);
}

int
ah_edges_find(struct line_edges *edges, struct edge_queue *queue, unsigned kinds,
              bool look, struct edge_record *record)
{
    if (edge_ring_pop(&queue->ring, kinds, record)) {
        return 1;
    }
    int n = look ? ah_edges_read(edges) : 0; /* those who wait come first */
    if (n < 0) {
        (void)ah_device_raise(edges->line, n);
        return -1;
    }
    if (n > 0 && ah_edges_announce(edges, false) < 0) { /* runs Python */
        return -1;
    }
    return n > 0 && edge_ring_pop(&queue->ring, kinds, record);
}

PyObject *
ah_edges_take(struct line_edges *edges, struct edge_queue *queue, PyObject *args)
{
    PyObject *word = NULL;
    struct edge_record record;
    unsigned kinds;
    if (!PyArg_ParseTuple(args, "|O:take", &word) ||
        ah_edge_kinds_parse(word, &kinds) < 0 || ah_device_begin(edges->line) == NULL) {
        return NULL;
    }
    PyObject *event = NULL;
    int found = ah_edges_find(edges, queue, kinds, true, &record); /* runs Python */
    if (found >= 0) {
        event = found ? ah_edges_event(edges, &record) : Py_NewRef(Py_None);
    }
    ah_device_end(edges->line);
    return event;
}

PyObject *
ah_edges_forget(struct line_edges *edges, struct edge_queue *queue)
{
    if (ah_edges_read_all(edges) < 0) { /* runs Python */
        return NULL;
    }
    edge_queue_forget(queue);
    Py_RETURN_NONE;
}
