/* A ring of untaken edges and its waiters; see edge_ring.h. */
#include "hw/edge_ring.h"

#include <errno.h>
#include <string.h>

static unsigned
edge_bit(const struct line_event *event)
{
    return event->id == LINE_RISING_EDGE ? EDGE_RISING : EDGE_FALLING;
}

static struct edge_record *
queue_at(const struct edge_queue *queue, unsigned i)
{
    return &queue->records[(queue->first + i) % queue->capacity];
}

int
edge_queue_push(struct edge_queue *queue, struct edge_record record)
{
    if (queue->records == NULL) {
        queue->records = PyMem_Calloc(queue->capacity, sizeof *queue->records);
        if (queue->records == NULL) {
            return -ENOMEM;
        }
    }
    uint32_t lost = 0;
    if (queue->size == queue->capacity) { /* the oldest goes, as in the kernel */
        lost = queue_at(queue, 0)->dropped + 1;
        queue->first = (queue->first + 1) % queue->capacity;
        queue->size--;
    }
    queue->size++;
    *queue_at(queue, queue->size - 1) = record;
    queue_at(queue, 0)->dropped += lost;
    queue->unannounced[record.event.id == LINE_RISING_EDGE ? 0 : 1]++;
    return 0;
}

int
edge_queue_find(const struct edge_queue *queue, unsigned edges)
{
    for (unsigned i = 0; i < queue->size; i++) {
        if ((edge_bit(&queue_at(queue, i)->event) & edges) != 0) {
            return (int)i;
        }
    }
    return -1;
}

bool
edge_queue_pop(struct edge_queue *queue, unsigned edges, struct edge_record *record)
{
    int found = edge_queue_find(queue, edges);
    if (found < 0) {
        return false;
    }
    *record = *queue_at(queue, (unsigned)found);
    for (unsigned i = (unsigned)found; i > 0; i--) {
        *queue_at(queue, i) = *queue_at(queue, i - 1);
    }
    queue->first = (queue->first + 1) % queue->capacity;
    queue->size--;
    return true;
}

void
edge_queue_forget(struct edge_queue *queue)
{
    queue->size = 0;
    memset(queue->unannounced, 0, sizeof queue->unannounced);
}

int
edge_queue_add_waiter(struct edge_queue *queue, PyObject *future, unsigned edges)
{
    if (queue->num_waiters == queue->max_waiters) {
        size_t max = queue->max_waiters != 0 ? queue->max_waiters * 2 : 4;
        struct edge_waiter *waiters =
            PyMem_Realloc(queue->waiters, max * sizeof *waiters);
        if (waiters == NULL) {
            PyErr_NoMemory();
            return -1;
        }
        queue->waiters = waiters;
        queue->max_waiters = max;
    }
    queue->waiters[queue->num_waiters++] =
        (struct edge_waiter){Py_NewRef(future), edges};
    return 0;
}

PyObject *
edge_queue_remove_waiter(struct edge_queue *queue, size_t i)
{
    PyObject *future = queue->waiters[i].future;
    queue->num_waiters--;
    memmove(&queue->waiters[i], &queue->waiters[i + 1],
            (queue->num_waiters - i) * sizeof *queue->waiters);
    return future;
}

void
edge_queue_drop_waiters(struct edge_queue *queue)
{
    while (queue->num_waiters > 0) {
        Py_DECREF(edge_queue_remove_waiter(queue, queue->num_waiters - 1));
    }
}

void
edge_queue_free(struct edge_queue *queue)
{
    edge_queue_drop_waiters(queue);
    PyMem_Free(queue->waiters);
    PyMem_Free(queue->records);
    queue->waiters = NULL;
    queue->records = NULL;
    queue->max_waiters = queue->size = 0;
}

int
edge_future_complete(ModuleState *st, PyObject *future, PyObject *error)
{
    PyObject *done = PyObject_CallMethodNoArgs(future, st->name_done); /* runs Python */
    if (done == NULL) {
        return -1;
    }
    int is_done = PyObject_IsTrue(done);
    Py_DECREF(done);
    if (is_done != 0) {
        return is_done < 0 ? -1 : 0;
    }
    PyObject *result =
        error != NULL
            ? PyObject_CallMethod(future, "set_exception", "O", error) /* runs Python */
            : PyObject_CallMethodOneArg(future, st->name_set_result,
                                        Py_None); /* runs Python */
    Py_XDECREF(result);
    return result == NULL ? -1 : 1;
}

int
edge_queue_wake(ModuleState *st, struct edge_queue *queue, unsigned edges)
{
    for (size_t i = 0; i < queue->num_waiters;) {
        if ((queue->waiters[i].edges & edges) == 0) {
            i++;
            continue;
        }
        PyObject *future = edge_queue_remove_waiter(queue, i);
        int woken = edge_future_complete(st, future, NULL); /* runs Python */
        Py_DECREF(future);
        if (woken != 0) {
            return woken < 0 ? -1 : 0;
        }
        i = 0;
    }
    return 0;
}
