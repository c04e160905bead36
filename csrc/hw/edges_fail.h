/* Errors for whoever waits for edges: the line was closed, or cannot be read. */
#ifndef AH_HW_EDGES_FAIL_H
#define AH_HW_EDGES_FAIL_H

#include "hw/line_edges.h"

/* Everybody who waits gets a copy of OSError(err); the exception stays as it is. */
void ah_edges_fail_waiters(struct line_edges *edges, int err); /* runs Python */

/* The request is closed: wake all who wait. */
void ah_edges_fail(struct line_edges *edges); /* runs Python */

#endif
