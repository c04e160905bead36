/* Edges and who waits for them; see edge_queue.h. */
#include "hw/edge_queue.h"

/* -- lists ----------------------------------------------------------------- */

static void
waiters_init(struct edge_waiters *list)
{
    list->first = NULL;
    list->end = &list->first;
}

static void
waiters_append(struct edge_waiters *list, struct edge_waiter *waiter)
{
    waiter->next = NULL;
    *list->end = waiter;
    list->end = &waiter->next;
}

static struct edge_waiter *
waiters_unlink(struct edge_waiters *list, struct edge_waiter **link)
{
    struct edge_waiter *waiter = *link;
    *link = waiter->next;
    if (list->end == &waiter->next) {
        list->end = link;
    }
    return waiter;
}

/* The one with that future, unlinked, or NULL. */
static struct edge_waiter *
waiters_remove(struct edge_waiters *list, PyObject *future)
{
    struct edge_waiter **link = &list->first;
    while (*link != NULL && (*link)->future != future) {
        link = &(*link)->next;
    }
    return *link == NULL ? NULL : waiters_unlink(list, link);
}

static struct edge_waiter *
waiters_take(struct edge_waiters *list)
{
    struct edge_waiter *all = list->first;
    waiters_init(list);
    return all;
}

static void
free_all(struct edge_waiter *all)
{
    while (all != NULL) {
        struct edge_waiter *next = all->next;
        edge_waiter_free(all); /* runs Python */
        all = next;
    }
}

void
edge_waiter_free(struct edge_waiter *waiter)
{
    PyObject *future = waiter->future;
    PyMem_Free(waiter);
    Py_DECREF(future); /* runs Python */
}

/* -- the queue ------------------------------------------------------------- */

void
edge_queue_init(struct edge_queue *queue, PyObject *owner, unsigned capacity)
{
    *queue = (struct edge_queue){.owner = owner, .ring = {.capacity = capacity}};
    waiters_init(&queue->waiting);
    waiters_init(&queue->given);
}

static void
give(struct edge_queue *queue, struct edge_waiter *waiter, struct edge_record record)
{
    waiter->record = record;
    waiters_append(&queue->given, waiter);
}

int
edge_queue_put(struct edge_queue *queue, struct edge_record record, uint64_t before)
{
    unsigned kind = edge_kind(&record);
    struct edge_waiter **link = &queue->waiting.first;
    for (; *link != NULL && (*link)->number < before; link = &(*link)->next) {
        if (((*link)->edges & kind) != 0) {
            give(queue, waiters_unlink(&queue->waiting, link), record);
            return 0;
        }
    }
    int err = edge_ring_reserve(&queue->ring);
    if (err == 0) {
        edge_ring_put(&queue->ring, record);
    }
    return err;
}

int
edge_queue_add(struct edge_queue *queue, PyObject *future, unsigned edges,
               uint64_t number)
{
    struct edge_record record;
    struct edge_waiter *waiter = PyMem_Calloc(1, sizeof *waiter);
    /* The ring, too: an edge that comes back must find room. */
    if (waiter == NULL || edge_ring_reserve(&queue->ring) < 0) {
        PyMem_Free(waiter);
        PyErr_NoMemory();
        return -1;
    }
    waiter->future = Py_NewRef(future);
    waiter->edges = edges;
    waiter->number = number;
    if (!edge_ring_pop(&queue->ring, edges, &record)) {
        waiters_append(&queue->waiting, waiter);
        return 0;
    }
    waiter->told = true; /* by the caller, now */
    give(queue, waiter, record);
    return 1;
}

struct edge_waiter *
edge_queue_untold(const struct edge_queue *queue)
{
    struct edge_waiter *waiter = queue->given.first;
    while (waiter != NULL && waiter->told) {
        waiter = waiter->next;
    }
    return waiter;
}

bool
edge_queue_collect(struct edge_queue *queue, PyObject *future,
                   struct edge_record *record)
{
    struct edge_waiter *waiter = waiters_remove(&queue->given, future);
    bool has_edge = waiter != NULL;
    if (has_edge) {
        *record = waiter->record;
    }
    else {
        waiter = waiters_remove(&queue->waiting, future);
    }
    if (waiter != NULL) {
        edge_waiter_free(waiter); /* runs Python */
    }
    return has_edge;
}

void
edge_queue_withdraw(struct edge_queue *queue, PyObject *future, uint64_t before)
{
    struct edge_waiter *waiter = waiters_remove(&queue->given, future);
    if (waiter == NULL) {
        waiter = waiters_remove(&queue->waiting, future);
    }
    else if (!waiter->forgotten) {
        (void)edge_queue_put(queue, waiter->record, before); /* there is room */
    }
    if (waiter != NULL) {
        edge_waiter_free(waiter); /* runs Python */
    }
}

void
edge_queue_forget(struct edge_queue *queue)
{
    queue->ring.size = 0;
    for (struct edge_waiter *w = queue->given.first; w != NULL; w = w->next) {
        w->forgotten = true;
    }
}

struct edge_waiter *
edge_queue_take_waiting(struct edge_queue *queue)
{
    return waiters_take(&queue->waiting);
}

void
edge_queue_drop_waiters(struct edge_queue *queue)
{
    struct edge_waiter *given = waiters_take(&queue->given);
    free_all(waiters_take(&queue->waiting)); /* runs Python */
    free_all(given);                         /* runs Python */
}

int
edge_queue_traverse(const struct edge_queue *queue, visitproc visit, void *arg)
{
    const struct edge_waiters *lists[] = {&queue->waiting, &queue->given};
    for (int i = 0; i < 2; i++) {
        for (struct edge_waiter *w = lists[i]->first; w != NULL; w = w->next) {
            Py_VISIT(w->future);
        }
    }
    return 0;
}

void
edge_queue_free(struct edge_queue *queue)
{
    edge_queue_drop_waiters(queue);
    edge_ring_free(&queue->ring);
}
