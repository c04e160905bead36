/* Edges, from the descriptor of a line request into its queues.
 *
 * 16 at once, into every queue, where each is given to the first who waits for its
 * kind; then the futures of those are told.  An edge is kept for its future until that
 * is collected; one that was cancelled meanwhile passes its edge on.
 */
#ifndef AH_HW_EDGES_READ_H
#define AH_HW_EDGES_READ_H

#include "hw/line_edges.h"

#define EDGES_READ_MAX 16 /* in one batch */

/* One batch into all queues.  How many, or -errno.  Between begin and end. */
int ah_edges_read(struct line_edges *edges);

/* Tell all who were given an edge; who is done by then passes it on, to those who wait
 * already: who begins to wait meanwhile looks into the ring first.  `by_loop`: the loop
 * they wait on calls, so none of them is another thread's. */
AH_RAISES int ah_edges_announce(struct line_edges *edges,
                                bool by_loop); /* runs Python */

/* Read what is there by now into all queues.  Number of edges, or -1. */
AH_RAISES int ah_edges_read_all(struct line_edges *edges); /* runs Python */

/* An edge that was taken.  Behind a gap with the line's value, read now: what was lost
 * may have been the last word. */
AH_RAISES PyObject *ah_edges_event(struct line_edges *edges,
                                   const struct edge_record *record);

/* The oldest edge of those kinds in *record, of those that are kept and, with `look`,
 * of those that can be read.  1, 0 or -1.  Between begin and end. */
AH_RAISES int ah_edges_find(struct line_edges *edges, struct edge_queue *queue,
                            unsigned kinds, bool look,
                            struct edge_record *record); /* runs Python */

/* The methods take() and clear() of whoever owns the queue. */
AH_RAISES PyObject *ah_edges_take(struct line_edges *edges, struct edge_queue *queue,
                                  PyObject *args);
AH_RAISES PyObject *ah_edges_forget(struct line_edges *edges, struct edge_queue *queue);

#endif
