/* A ring of untaken edges, in the order in which they came.
 *
 * The ring has the kernel's rule: when it is full the oldest edge goes, and the next
 * one that is taken says how many went (dropped).  Knows nothing of who waits.
 */
#ifndef AH_HW_EDGE_RING_H
#define AH_HW_EDGE_RING_H

#include <stdbool.h>

#include "dev/line.h"

enum { EDGE_RISING = 1, EDGE_FALLING = 2, EDGE_BOTH = 3 };

struct edge_record {
    struct line_event event;
    uint32_t dropped; /* edges that were lost right before this one */
};

struct edge_ring {
    struct edge_record *records; /* NULL: not reserved yet */
    unsigned capacity, first, size;
};

static inline unsigned
edge_kind(const struct edge_record *record)
{
    return record->event.id == LINE_RISING_EDGE ? EDGE_RISING : EDGE_FALLING;
}

/* Have the memory that put() needs: 0 or -ENOMEM. */
int edge_ring_reserve(struct edge_ring *ring);

/* In its place by seqno: at the end when it is new, before that when it comes back.
 * Reserve first. */
void edge_ring_put(struct edge_ring *ring, struct edge_record record);

/* Take the oldest record of one of `edges`; those before it stay. */
bool edge_ring_pop(struct edge_ring *ring, unsigned edges, struct edge_record *record);

void edge_ring_free(struct edge_ring *ring);

#endif
