/* The edges of one line request: the queues that see them, and who waits.
 *
 * Read from the descriptor into every queue (edges_read.h), where each edge is given to
 * the first who waits for its kind.  One waits on a loop (edges_await.h), or in threads
 * that block (edges_block.h): not both at once.  Knows the request as a device that has
 * a struct line_request; hw/line_type.h embeds this.  GIL held, and one thread at a
 * time: the loop's, or the one that blocks.
 */
#ifndef AH_HW_LINE_EDGES_H
#define AH_HW_LINE_EDGES_H

#include "hw/device.h"
#include "hw/edge_queue.h"
#include "hw/wait.h"

/* A thread that blocks. */
struct edge_blocker {
    struct edge_blocker *next;
    struct cancel_token woken; /* look again */
};

struct line_edges {
    DeviceObject *line;      /* borrowed: embeds this */
    struct hw_wait wait;     /* armed while somebody awaits an edge; and one turn on */
    struct edge_queue queue; /* the request's own */
    struct edge_queue *queues; /* all of them, `queue` too */
    struct edge_blocker *blockers;
    uint64_t num_armed; /* futures, so far */
    uint32_t last_seqno;
    bool drained; /* in this turn of the loop that waits */
};

/* A queue sees every event that is read from now on.  `owner` embeds it. */
void ah_edges_attach(struct line_edges *edges, struct edge_queue *queue,
                     AH_BORROWED PyObject *owner, unsigned capacity);
void ah_edges_detach(struct line_edges *edges, struct edge_queue *queue);
bool ah_edges_is_attached(struct line_edges *edges, const struct edge_queue *queue);

/* The request keeps a queue that is waited on alive: its loop holds the request. */
void ah_edges_hold_queue(struct line_edges *edges, struct edge_queue *queue);

/* Has somebody been given an edge that it has not collected yet? */
bool ah_edges_has_given(const struct line_edges *edges);

/* Let go of queues that nobody waits on any more, and disarm when that is all of
 * them.  May drop the last reference to the request. */
void ah_edges_release_idle(struct line_edges *edges); /* runs Python */

/* All who wait now, as a list of the caller's: whom we wake may wait again, and is not
 * among them. */
struct edge_waiter *ah_edges_take_waiters(struct line_edges *edges);
void ah_edges_drop_waiters(struct line_edges *edges); /* runs Python */

/* A closed loop's waiters never come back.  1: there is one, and they are dropped; 0:
 * they wait on one that is open, or nobody does; -1. */
AH_RAISES int ah_edges_forget_closed_loop(struct line_edges *edges); /* runs Python */

/* Every blocked thread looks again. */
void ah_edges_wake_blockers(struct line_edges *edges);

/* Life of the request. */
void ah_edges_init(struct line_edges *edges, AH_BORROWED DeviceObject *line,
                   unsigned num_lines);
int ah_edges_traverse(struct line_edges *edges, visitproc visit, void *arg);
void ah_edges_clear(struct line_edges *edges); /* runs Python */
void ah_edges_free(struct line_edges *edges);  /* for dealloc */

#endif
