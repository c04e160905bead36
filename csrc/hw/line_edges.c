/* The edges of a line request: its queues, and who waits; see line_edges.h. */
#include "hw/line_edges.h"

#include "base/list.h"

#define EDGES_PER_LINE 64 /* capacity of a request's own ring */

void
ah_edges_attach(struct line_edges *edges, struct edge_queue *queue, PyObject *owner,
                unsigned capacity)
{
    edge_queue_init(queue, owner, capacity);
    queue->next = edges->queues;
    edges->queues = queue;
}

void
ah_edges_detach(struct line_edges *edges, struct edge_queue *queue)
{
    LIST_REMOVE(edges->queues, queue);
    queue->next = NULL;
}

bool
ah_edges_is_attached(struct line_edges *edges, const struct edge_queue *queue)
{
    const struct edge_queue *q = edges->queues;
    while (q != NULL && q != queue) {
        q = q->next;
    }
    return q != NULL;
}

void
ah_edges_hold_queue(struct line_edges *edges, struct edge_queue *queue)
{
    if (!queue->held && queue->owner != (PyObject *)edges->line) {
        Py_INCREF(queue->owner);
        queue->held = 1;
    }
}

bool
ah_edges_has_given(const struct line_edges *edges)
{
    const struct edge_queue *queue = edges->queues;
    while (queue != NULL && queue->given.first == NULL) {
        queue = queue->next;
    }
    return queue != NULL;
}

void
ah_edges_release_idle(struct line_edges *edges)
{
    bool waited_on = false;
    Py_INCREF(edges->line);
    struct edge_queue *queue = edges->queues;
    while (queue != NULL) {
        if (!edge_queue_is_waited_on(queue) && queue->held) {
            queue->held = 0;
            Py_DECREF(queue->owner); /* runs Python */
            waited_on = false;
            queue = edges->queues; /* the list may have changed */
            continue;
        }
        waited_on = waited_on || edge_queue_is_waited_on(queue);
        queue = queue->next;
    }
    if (!waited_on) {
        hw_wait_disarm(&edges->wait); /* runs Python */
    }
    Py_DECREF(edges->line);
}

struct edge_waiter *
ah_edges_take_waiters(struct line_edges *edges)
{
    struct edge_waiter *all = NULL, **end = &all;
    for (struct edge_queue *queue = edges->queues; queue != NULL; queue = queue->next) {
        *end = edge_queue_take_waiting(queue);
        while (*end != NULL) {
            end = &(*end)->next;
        }
    }
    return all;
}

void
ah_edges_drop_waiters(struct line_edges *edges)
{
    edge_waiters_free(ah_edges_take_waiters(edges)); /* runs Python */
}

int
ah_edges_forget_closed_loop(struct line_edges *edges)
{
    PyObject *loop = edges->wait.loop;
    int is_closed = loop == NULL ? 0 : hw_loop_is_closed(loop); /* runs Python */
    if (is_closed > 0) {
        ah_edges_drop_waiters(edges); /* runs Python */
        ah_edges_release_idle(edges); /* runs Python */
    }
    return is_closed;
}

void
ah_edges_wake_blockers(struct line_edges *edges)
{
    for (struct edge_blocker *b = edges->blockers; b != NULL; b = b->next) {
        (void)token_cancel(&b->woken); /* it cannot fail: see wake_up() */
    }
}

void
ah_edges_init(struct line_edges *edges, DeviceObject *line, unsigned num_lines)
{
    edges->line = line;
    hw_wait_init(&edges->wait);
    unsigned capacity = EDGES_PER_LINE * num_lines;
    ah_edges_attach(edges, &edges->queue, (PyObject *)edges->line, capacity);
}

int
ah_edges_traverse(struct line_edges *edges, visitproc visit, void *arg)
{
    int visited = edge_queue_traverse(&edges->queue, visit, arg);
    if (visited != 0) {
        return visited;
    }
    for (struct edge_queue *queue = edges->queues; queue != NULL; queue = queue->next) {
        if (queue->held) {
            Py_VISIT(queue->owner);
        }
    }
    return hw_wait_traverse(&edges->wait, visit, arg);
}

void
ah_edges_clear(struct line_edges *edges)
{
    ah_edges_drop_waiters(edges);           /* runs Python */
    edge_queue_drop_waiters(&edges->queue); /* runs Python */
    ah_edges_release_idle(edges);           /* runs Python */
}

void
ah_edges_free(struct line_edges *edges)
{
    hw_wait_disarm(&edges->wait); /* on another loop, which is garbage as well */
    edge_queue_free(&edges->queue);
}
