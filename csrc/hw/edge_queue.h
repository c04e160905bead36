/* Edges, and the futures of those who wait for one.
 *
 * One per line request and one per iterator over its edges.  An edge that comes is
 * given to the first who waits for its kind, and is kept for that one until it is
 * collected; if that one withdraws, the edge goes on to the next.  What nobody waits
 * for is in the ring.  So whoever waits never sleeps beside an edge that it wants.
 * Knows nothing of descriptors and loops; a future is told by who uses this.
 */
#ifndef AH_HW_EDGE_QUEUE_H
#define AH_HW_EDGE_QUEUE_H

#include "module.h"
#include "hw/edge_ring.h"

struct edge_waiter {
    struct edge_waiter *next;
    PyObject *future; /* owned */
    unsigned edges;   /* mask of EDGE_RISING, EDGE_FALLING */
    uint64_t number;  /* in the order of arming */
    /* Of one that was given an edge: */
    struct edge_record record;
    bool told;      /* its future is done */
    bool forgotten; /* by clear(): it may collect the edge, nobody else */
};

struct edge_waiters {
    struct edge_waiter *first, **end;
};

struct edge_queue {
    struct edge_queue *next; /* the request's list */
    PyObject *owner;         /* borrowed: the object that embeds this */
    int held;                /* the request owns a reference to owner */
    struct edge_ring ring;
    struct edge_waiters waiting; /* first in, first out */
    struct edge_waiters given;
};

void edge_queue_init(struct edge_queue *queue, PyObject *owner, unsigned capacity);

static inline bool
edge_queue_is_waited_on(const struct edge_queue *queue)
{
    return queue->waiting.first != NULL;
}

/* To the first of `edges` who waits and is numbered below `before`, or into the ring.
 * 0 or -ENOMEM. */
int edge_queue_put(struct edge_queue *queue, struct edge_record record,
                   uint64_t before);

/* One more who waits: 1 when it was given an edge at once, else 0; -1 with MemoryError.
 */
AH_RAISES int edge_queue_add(struct edge_queue *queue, PyObject *future, unsigned edges,
                             uint64_t number);

/* One who was given an edge and not told yet, or NULL. */
struct edge_waiter *edge_queue_untold(const struct edge_queue *queue);

/* Remove whoever waits by `future`.  True: with the edge that was kept for it. */
bool edge_queue_collect(struct edge_queue *queue, PyObject *future,
                        struct edge_record *record); /* runs Python */

/* The same, and the edge goes on to the next one who is numbered below `before`. */
void edge_queue_withdraw(struct edge_queue *queue, PyObject *future,
                         uint64_t before); /* runs Python */

/* Forget all edges but for those who were given them already. */
void edge_queue_forget(struct edge_queue *queue);

/* All who wait and have no edge, as a list of the caller's; free each. */
struct edge_waiter *edge_queue_take_waiting(struct edge_queue *queue);
void edge_waiter_free(struct edge_waiter *waiter); /* runs Python */

/* Nobody waits any more, and what was given is gone. */
void edge_queue_drop_waiters(struct edge_queue *queue); /* runs Python */

int edge_queue_traverse(const struct edge_queue *queue, visitproc visit, void *arg);
void edge_queue_free(struct edge_queue *queue);

#endif
