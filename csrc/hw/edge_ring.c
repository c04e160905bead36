/* A ring of untaken edges; see edge_ring.h. */
#include "hw/edge_ring.h"

#include <errno.h>

#include "module.h"

static struct edge_record *
ring_at(const struct edge_ring *ring, unsigned i)
{
    return &ring->records[(ring->first + i) % ring->capacity];
}

int
edge_ring_reserve(struct edge_ring *ring)
{
    if (ring->records == NULL) {
        ring->records = PyMem_Calloc(ring->capacity, sizeof *ring->records);
    }
    return ring->records == NULL ? -ENOMEM : 0;
}

static bool
is_older(const struct edge_record *a, const struct edge_record *b)
{
    return (int32_t)(a->event.seqno - b->event.seqno) < 0; /* the number may wrap */
}

void
edge_ring_put(struct edge_ring *ring, struct edge_record record)
{
    uint32_t lost = 0;
    if (ring->size == ring->capacity) { /* the oldest goes, as in the kernel */
        struct edge_record *oldest = ring_at(ring, 0);
        if (is_older(&record, oldest)) {
            oldest->dropped += record.dropped + 1;
            return;
        }
        lost = oldest->dropped + 1;
        ring->first = (ring->first + 1) % ring->capacity;
        ring->size--;
    }
    unsigned i = ring->size++;
    for (; i > 0 && is_older(&record, ring_at(ring, i - 1)); i--) {
        *ring_at(ring, i) = *ring_at(ring, i - 1);
    }
    *ring_at(ring, i) = record;
    ring_at(ring, 0)->dropped += lost;
}

bool
edge_ring_pop(struct edge_ring *ring, unsigned edges, struct edge_record *record)
{
    unsigned found = 0;
    while (found < ring->size && (edge_kind(ring_at(ring, found)) & edges) == 0) {
        found++;
    }
    if (found == ring->size) {
        return false;
    }
    *record = *ring_at(ring, found);
    for (unsigned i = found; i > 0; i--) {
        *ring_at(ring, i) = *ring_at(ring, i - 1);
    }
    ring->first = (ring->first + 1) % ring->capacity;
    ring->size--;
    return true;
}

void
edge_ring_free(struct edge_ring *ring)
{
    PyMem_Free(ring->records);
    ring->records = NULL;
    ring->size = 0;
}
