/* base/heap.h: order, ties, removal of any node, and what removal leaves behind. */
#include "base/heap.h"
#include "check.h"
#include "random.h"

enum { N = 500 };

struct item {
    struct heap_node node;
    int64_t when;
    int id;
};

static struct item items[N];

static struct item *
pop(struct heap *heap)
{
    struct heap_node *node = heap_first(heap);
    heap_remove(heap, node);
    return (struct item *)node;
}

static void
test_empty(void)
{
    struct heap heap = {0};
    CHECK_EQ(heap_first_when(&heap), INT64_MAX);
    CHECK(heap_first(&heap) == NULL);
    heap_free(&heap);
}

static void
test_sorts(void)
{
    struct heap heap = {0};
    uint32_t seed = 1;
    for (int i = 0; i < N; i++) {
        items[i] = (struct item){HEAP_NODE_INIT, next_random(&seed) % 100, i};
        CHECK_EQ(heap_push(&heap, &items[i].node, items[i].when), 0);
    }
    int64_t last_when = INT64_MIN;
    int last_id = -1;
    while (heap.size != 0) {
        int64_t when = heap_first_when(&heap);
        struct item *item = pop(&heap);
        CHECK_EQ(item->when, when);
        CHECK_EQ(item->node.index, -1);
        CHECK(when > last_when || (when == last_when && item->id > last_id));
        last_when = when;
        last_id = item->id;
    }
    heap_free(&heap);
}

static void
test_removes_any(void)
{
    struct heap heap = {0};
    uint32_t seed = 7;
    int left = N;
    for (int i = 0; i < N; i++) {
        items[i] = (struct item){HEAP_NODE_INIT, next_random(&seed) % 1000, i};
        CHECK_EQ(heap_push(&heap, &items[i].node, items[i].when), 0);
    }
    for (int i = 0; i < N; i++) {
        if (next_random(&seed) % 2 == 0) {
            heap_remove(&heap, &items[i].node);
            CHECK_EQ(items[i].node.index, -1);
            left--;
        }
        REQUIRE(heap.entries[0].node != NULL);
        size_t empty = 0;
        for (size_t k = 0; k < heap.size; k++) {
            const struct heap_node *node = heap.entries[k].node;
            empty += node == NULL;
            REQUIRE(node == NULL || node->index == (ptrdiff_t)k);
        }
        CHECK_EQ(heap.empty, empty);
    }
    CHECK_EQ(heap_count(&heap), left);
    int64_t last = INT64_MIN;
    while (heap.size != 0) {
        struct item *item = pop(&heap);
        CHECK(item->when >= last);
        last = item->when;
    }
    heap_free(&heap);
}

/* However many are removed, at most as many entries are empty as are not. */
static void
test_removed_entries_do_not_pile_up(void)
{
    struct heap heap = {0};
    uint32_t seed = 3;
    items[0] = (struct item){HEAP_NODE_INIT, -1, 0};
    items[1] = (struct item){HEAP_NODE_INIT, INT64_MAX, 1};
    CHECK_EQ(heap_push(&heap, &items[0].node, items[0].when), 0);
    CHECK_EQ(heap_push(&heap, &items[1].node, items[1].when), 0);
    for (int i = 0; i < 100000; i++) {
        struct item *item = &items[2 + i % 300];
        if (i >= 300) {
            heap_remove(&heap, &item->node);
        }
        *item = (struct item){HEAP_NODE_INIT, next_random(&seed), i};
        CHECK_EQ(heap_push(&heap, &item->node, item->when), 0);
        REQUIRE(heap.size <= 2 * 302 + HEAP_EMPTY_MIN);
    }
    CHECK_EQ(heap_count(&heap), 302);
    int64_t last = INT64_MIN;
    while (heap_first(&heap) != NULL) {
        struct item *item = pop(&heap);
        CHECK(item->when >= last);
        last = item->when;
    }
    CHECK_EQ(heap.size, 0);
    CHECK_EQ(heap.empty, 0);
    heap_free(&heap);
}

static void
test_extreme_times(void)
{
    struct heap heap = {0};
    const int64_t when[] = {INT64_MAX, 0, INT64_MIN, INT64_MAX - 1, -1};
    const int64_t want[] = {INT64_MIN, -1, 0, INT64_MAX - 1, INT64_MAX};
    for (int i = 0; i < 5; i++) {
        items[i] = (struct item){HEAP_NODE_INIT, when[i], i};
        CHECK_EQ(heap_push(&heap, &items[i].node, when[i]), 0);
    }
    for (int i = 0; i < 5; i++) {
        CHECK_EQ(pop(&heap)->when, want[i]);
    }
    heap_free(&heap);
}

static void
test_trim_keeps_what_is_in_it(void)
{
    struct heap heap = {0};
    heap_trim(&heap, 64); /* never used: nothing to give back */
    CHECK(heap.entries == NULL);
    for (int i = 0; i < N; i++) {
        items[i] = (struct item){HEAP_NODE_INIT, i, i};
        CHECK_EQ(heap_push(&heap, &items[i].node, i), 0);
    }
    CHECK_EQ(heap.capacity, 512);
    heap_trim(&heap, 64); /* full */
    CHECK_EQ(heap.capacity, 512);
    for (int i = 0; i < N - 50; i++) {
        CHECK_EQ(pop(&heap)->id, i);
    }
    heap_trim(&heap, 64);
    CHECK_EQ(heap.capacity, 100);
    for (int i = 0; i < 100; i++) { /* grows again */
        items[i] = (struct item){HEAP_NODE_INIT, 2 * N, i};
        CHECK_EQ(heap_push(&heap, &items[i].node, 2 * N), 0);
    }
    for (int i = N - 50; i < N; i++) {
        CHECK_EQ(pop(&heap)->id, i);
    }
    for (int i = 0; i < 100; i++) {
        CHECK_EQ(pop(&heap)->id, i);
    }
    heap_trim(&heap, 64);
    CHECK_EQ(heap.capacity, 64);
    heap_free(&heap);
}

static void
test_second_by(void)
{
    struct heap heap = {0};
    CHECK(!heap_second_by(&heap, INT64_MAX));
    const int64_t when[] = {10, 40, 30, 20};
    for (int i = 0; i < 4; i++) {
        items[i] = (struct item){HEAP_NODE_INIT, when[i], i};
        CHECK_EQ(heap_push(&heap, &items[i].node, when[i]), 0);
        CHECK(!heap_second_by(&heap, 19)); /* the first does not count */
    }
    CHECK(heap_second_by(&heap, 20));
    heap_remove(&heap, &items[3].node);
    CHECK(!heap_second_by(&heap, 29)); /* nor does one that was removed */
    CHECK(heap_second_by(&heap, 30));
    heap_free(&heap);
}

int
main(void)
{
    RUN(test_empty);
    RUN(test_sorts);
    RUN(test_removes_any);
    RUN(test_removed_entries_do_not_pile_up);
    RUN(test_extreme_times);
    RUN(test_trim_keeps_what_is_in_it);
    RUN(test_second_by);
    return check_done();
}
