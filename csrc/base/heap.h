/* 4-ary heap of intrusive nodes, ordered by (when, seq).
 *
 * Each node knows its index.  Keys live in the array, not behind the pointer.
 * Ties go in order of insertion.  The heap does not own its nodes.
 *
 * A node that is removed is forgotten at once; its entry stays, empty, until it comes
 * to the top or until half of the entries are empty.  Closing the gap at once would
 * touch three more nodes at random, which is most of the cost of a cancelled timer.
 * The top is never empty.  Python-free.
 */
#ifndef AH_BASE_HEAP_H
#define AH_BASE_HEAP_H

#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

struct heap_node {
    ptrdiff_t index; /* -1: in no heap */
};

struct heap_entry {
    int64_t when;
    uint64_t seq;
    struct heap_node *node; /* NULL: removed */
};

struct heap {
    struct heap_entry *entries;
    size_t size;  /* entries, with the empty ones */
    size_t empty; /* of these */
    size_t capacity;
    uint64_t next_seq;
};

#define HEAP_NODE_INIT {-1}
#define HEAP_EMPTY_MIN 64 /* fewer are not worth tidying */

static inline bool
heap_entry_before(const struct heap_entry *a, const struct heap_entry *b)
{
    return a->when != b->when ? a->when < b->when : a->seq < b->seq;
}

static inline void
heap_place(struct heap *heap, size_t i, struct heap_entry entry)
{
    heap->entries[i] = entry;
    if (entry.node != NULL) {
        entry.node->index = (ptrdiff_t)i;
    }
}

static inline void
heap_sift_up(struct heap *heap, size_t i, struct heap_entry entry)
{
    while (i > 0) {
        size_t parent = (i - 1) / 4;
        if (!heap_entry_before(&entry, &heap->entries[parent])) {
            break;
        }
        heap_place(heap, i, heap->entries[parent]);
        i = parent;
    }
    heap_place(heap, i, entry);
}

static inline void
heap_sift_down(struct heap *heap, size_t i, struct heap_entry entry)
{
    for (;;) {
        size_t first = 4 * i + 1;
        if (first >= heap->size) {
            break;
        }
        size_t last = first + 4 < heap->size ? first + 4 : heap->size;
        size_t best = first;
        for (size_t child = first + 1; child < last; child++) {
            if (heap_entry_before(&heap->entries[child], &heap->entries[best])) {
                best = child;
            }
        }
        if (!heap_entry_before(&heap->entries[best], &entry)) {
            break;
        }
        heap_place(heap, i, heap->entries[best]);
        i = best;
    }
    heap_place(heap, i, entry);
}

/* 0 or -ENOMEM. */
static inline int
heap_push(struct heap *heap, struct heap_node *node, int64_t when)
{
    if (heap->size == heap->capacity) {
        size_t capacity = heap->capacity != 0 ? heap->capacity * 2 : 64;
        struct heap_entry *entries = realloc(heap->entries, capacity * sizeof *entries);
        if (entries == NULL) {
            return -ENOMEM;
        }
        heap->entries = entries;
        heap->capacity = capacity;
    }
    struct heap_entry entry = {when, heap->next_seq++, node};
    heap_sift_up(heap, heap->size++, entry);
    return 0;
}

static inline void
heap_drop_first(struct heap *heap)
{
    struct heap_entry last = heap->entries[--heap->size];
    if (heap->size != 0) {
        heap_sift_down(heap, 0, last);
    }
}

/* Take the empty entries out, and make a heap of the others again: O(n). */
static inline void
heap_tidy(struct heap *heap)
{
    size_t kept = 0;
    for (size_t i = 0; i < heap->size; i++) {
        if (heap->entries[i].node != NULL) {
            heap_place(heap, kept++, heap->entries[i]);
        }
    }
    heap->size = kept;
    heap->empty = 0;
    for (size_t i = kept / 4 + 1; i-- > 0 && kept > 1;) {
        heap_sift_down(heap, i, heap->entries[i]);
    }
}

static inline int
heap_entry_compare(const void *a, const void *b)
{
    return heap_entry_before(a, b) ? -1 : 1;
}

/* All entries in order, which is a heap as well, and none empty: O(n log n). */
static inline void
heap_sort(struct heap *heap)
{
    heap_tidy(heap);
    if (heap->size > 1) {
        qsort(heap->entries, heap->size, sizeof *heap->entries, heap_entry_compare);
    }
    for (size_t i = 0; i < heap->size; i++) {
        heap->entries[i].node->index = (ptrdiff_t)i;
    }
}

/* The node must be in the heap. */
static inline void
heap_remove(struct heap *heap, struct heap_node *node)
{
    size_t i = (size_t)node->index;
    node->index = -1;
    heap->entries[i].node = NULL;
    heap->empty++;
    while (heap->size != 0 && heap->entries[0].node == NULL) {
        heap_drop_first(heap);
        heap->empty--;
    }
    if (heap->empty > HEAP_EMPTY_MIN && heap->empty > heap->size / 2) {
        heap_tidy(heap);
    }
}

/* Give back what a burst has left, down to room for `keep`. */
static inline void
heap_trim(struct heap *heap, size_t keep)
{
    size_t wanted = 2 * heap->size > keep ? 2 * heap->size : keep;
    if (wanted > heap->capacity / 2) {
        return;
    }
    struct heap_entry *entries = realloc(heap->entries, wanted * sizeof *entries);
    if (entries != NULL) {
        heap->entries = entries;
        heap->capacity = wanted;
    }
}

static inline size_t
heap_count(const struct heap *heap)
{
    return heap->size - heap->empty;
}

static inline int64_t
heap_first_when(const struct heap *heap)
{
    return heap->size != 0 ? heap->entries[0].when : INT64_MAX;
}

/* Is more due by then than the first?  Beneath an empty entry it is not seen. */
static inline bool
heap_second_by(const struct heap *heap, int64_t when)
{
    for (size_t i = 1; i < heap->size && i <= 4; i++) {
        if (heap->entries[i].when <= when && heap->entries[i].node != NULL) {
            return true;
        }
    }
    return false;
}

static inline struct heap_node *
heap_first(const struct heap *heap)
{
    return heap->size != 0 ? heap->entries[0].node : NULL;
}

static inline void
heap_free(struct heap *heap)
{
    free(heap->entries);
    *heap = (struct heap){0};
}

#endif
