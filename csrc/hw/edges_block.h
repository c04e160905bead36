/* Waiting for edges in a thread that blocks. */
#ifndef AH_HW_EDGES_BLOCK_H
#define AH_HW_EDGES_BLOCK_H

#include "hw/line_edges.h"

/* The method wait_edge_blocking() of whoever owns the queue. */
AH_RAISES PyObject *ah_edges_block(struct line_edges *edges, struct edge_queue *queue,
                                   PyObject *args, PyObject *kwargs);

#endif
