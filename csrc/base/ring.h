/* Growing FIFO of tagged pointers: the loop's ready queue.
 *
 * Power-of-two array, so an index is one mask.  The ring does not own what it
 * points to.  The tag says how to run an item (see loop/loop_turn.c).  Python-free.
 */
#ifndef AH_BASE_RING_H
#define AH_BASE_RING_H

#include <errno.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

struct ring_item {
    void *ptr;
    uintptr_t tag;
};

struct ring {
    struct ring_item *items;
    size_t mask; /* capacity - 1 */
    size_t head; /* next to pop; runs freely */
    size_t tail; /* next to push; runs freely */
};

#define RING_FIRST_CAPACITY 64

static inline size_t
ring_count(const struct ring *ring)
{
    return ring->tail - ring->head;
}

/* To a capacity that holds what is in it.  0 or -ENOMEM. */
static inline int
ring_resize(struct ring *ring, size_t capacity)
{
    size_t count = ring_count(ring);
    struct ring_item *items = malloc(capacity * sizeof *items);
    if (items == NULL) {
        return -ENOMEM;
    }
    for (size_t i = 0; i < count; i++) {
        items[i] = ring->items[(ring->head + i) & ring->mask];
    }
    free(ring->items);
    *ring = (struct ring){items, capacity - 1, 0, count};
    return 0;
}

/* 0 or -ENOMEM. */
static inline int
ring_grow(struct ring *ring)
{
    return ring_resize(
        ring, ring->items != NULL ? 2 * (ring->mask + 1) : RING_FIRST_CAPACITY);
}

/* Give back what a burst has left, down to room for `keep`, a power of two. */
static inline void
ring_trim(struct ring *ring, size_t keep)
{
    size_t capacity = ring->mask + 1, wanted = keep;
    while (wanted < 2 * ring_count(ring)) {
        wanted *= 2;
    }
    if (ring->items != NULL && wanted <= capacity / 2) {
        (void)ring_resize(ring, wanted); /* without memory for it, it stays */
    }
}

/* 0 or -ENOMEM. */
static inline int
ring_push(struct ring *ring, void *ptr, uintptr_t tag)
{
    if (ring->items == NULL || ring_count(ring) > ring->mask) {
        if (ring_grow(ring) < 0) {
            return -ENOMEM;
        }
    }
    ring->items[ring->tail++ & ring->mask] = (struct ring_item){ptr, tag};
    return 0;
}

/* The ring must not be empty. */
static inline struct ring_item
ring_pop(struct ring *ring)
{
    return ring->items[ring->head++ & ring->mask];
}

/* The i-th item from the head, 0 <= i < count. */
static inline struct ring_item
ring_peek(const struct ring *ring, size_t i)
{
    return ring->items[(ring->head + i) & ring->mask];
}

static inline void
ring_set(struct ring *ring, size_t i, void *ptr, uintptr_t tag)
{
    ring->items[(ring->head + i) & ring->mask] = (struct ring_item){ptr, tag};
}

static inline void
ring_free(struct ring *ring)
{
    free(ring->items);
    *ring = (struct ring){0};
}

#endif
