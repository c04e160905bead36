/* _core.EdgeQueue: the queue of one iterator over edges.
 *
 * It has a ring of its own on somebody else's line request: it sees every edge from its
 * creation on, and is detached when it is closed or dropped.
 */
#ifndef AH_HW_EDGE_QUEUE_TYPE_H
#define AH_HW_EDGE_QUEUE_TYPE_H

#include "hw/line_edges.h"

/* The method edge_queue() of the request. */
AH_RAISES PyObject *ah_edge_queue_new(struct line_edges *edges, PyObject *args);

#endif
