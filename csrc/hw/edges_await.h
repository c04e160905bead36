/* Waiting for edges on a loop.
 *
 * A future is only the wake-up: its edge is kept for it until collect(), and goes on to
 * the next if it was cancelled (disarm).  These are the methods of whoever owns the
 * queue: the request, or an EdgeQueue.
 */
#ifndef AH_HW_EDGES_AWAIT_H
#define AH_HW_EDGES_AWAIT_H

#include "hw/line_edges.h"

AH_RAISES PyObject *ah_edges_next(struct line_edges *edges, struct edge_queue *queue,
                                  PyObject *args);
AH_RAISES PyObject *ah_edges_arm(struct line_edges *edges, struct edge_queue *queue,
                                 PyObject *args);
AH_RAISES PyObject *ah_edges_collect(struct line_edges *edges, struct edge_queue *queue,
                                     PyObject *future);
AH_RAISES PyObject *ah_edges_disarm(struct line_edges *edges, struct edge_queue *queue,
                                    PyObject *future);

#endif
