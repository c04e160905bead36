/* A ring of untaken edges, and the futures of those who wait for one.
 *
 * One per line request and one per iterator over its edges.  The ring has the
 * kernel's rule: when it is full the oldest edge goes, and the next one that is
 * taken says how many went (dropped).  Knows nothing of descriptors and loops.
 */
#ifndef AH_HW_EDGE_RING_H
#define AH_HW_EDGE_RING_H

#include <stdbool.h>

#include "module.h"
#include "base/line.h"

enum { EDGE_RISING = 1, EDGE_FALLING = 2, EDGE_BOTH = 3 };

struct edge_record {
    struct line_event event;
    uint32_t dropped; /* edges that were lost right before this one */
};

struct edge_waiter {
    PyObject *future; /* owned */
    unsigned edges;   /* mask of EDGE_RISING, EDGE_FALLING */
};

/* Untaken edges and who waits for them.  A request has one of its own; each
 * iterator (_core.EdgeQueue) has another.  Its waiters run on request->wait. */
struct edge_queue {
    struct edge_queue *next; /* the request's list */
    PyObject *owner;         /* borrowed: the object that embeds this */
    int held;                /* the request owns a reference to owner */
    struct edge_record *records;
    unsigned capacity, first, size;
    unsigned unannounced[2];     /* rising, falling: nobody was woken for them yet */
    struct edge_waiter *waiters; /* first in, first out */
    size_t num_waiters, max_waiters;
};

/* 0 or -ENOMEM. */
int edge_queue_push(struct edge_queue *queue, struct edge_record record);

/* Index of the oldest record of one of `edges`, or -1. */
int edge_queue_find(const struct edge_queue *queue, unsigned edges);

/* Take the oldest record of one of `edges`; those before it stay. */
bool edge_queue_pop(struct edge_queue *queue, unsigned edges,
                    struct edge_record *record);

/* Drop all records. */
void edge_queue_forget(struct edge_queue *queue);

AH_RAISES int edge_queue_add_waiter(struct edge_queue *queue, PyObject *future,
                                    unsigned edges);

/* The future of waiter i, owned by the caller now. */
PyObject *edge_queue_remove_waiter(struct edge_queue *queue, size_t i);

void edge_queue_drop_waiters(struct edge_queue *queue);

/* Wake the first waiter for one of `edges`; one that was cancelled is passed over. */
AH_RAISES int edge_queue_wake(ModuleState *st, struct edge_queue *queue,
                              unsigned edges);

/* 1: woken; 0: it was done (cancelled) before; -1.  `error` NULL: no error. */
AH_RAISES int edge_future_complete(ModuleState *st, PyObject *future, PyObject *error);

void edge_queue_free(struct edge_queue *queue);

#endif
