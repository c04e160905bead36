/* base/ring.h: order, growth while it wraps, and what is given back. */
#include "base/ring.h"
#include "check.h"

static char things[5000];

static void
push(struct ring *ring, int i)
{
    CHECK_EQ(ring_push(ring, &things[i], (uintptr_t)i % 3), 0);
}

static void
pop(struct ring *ring, int i)
{
    struct ring_item item = ring_pop(ring);
    CHECK(item.ptr == &things[i]);
    CHECK_EQ(item.tag, (uintptr_t)i % 3);
}

static void
test_order_while_it_grows_and_wraps(void)
{
    struct ring ring = {0};
    int in = 0, out = 0;
    while (in < 4000) {
        for (int i = 0; i < 7; i++) {
            push(&ring, in++);
        }
        for (int i = 0; i < 3; i++) {
            pop(&ring, out++);
        }
        CHECK_EQ(ring_count(&ring), (size_t)(in - out));
        CHECK(ring_peek(&ring, 0).ptr == &things[out]);
        CHECK(ring_peek(&ring, ring_count(&ring) - 1).ptr == &things[in - 1]);
    }
    while (out < in) {
        pop(&ring, out++);
    }
    CHECK_EQ(ring_count(&ring), 0);
    ring_free(&ring);
}

static void
test_trim_keeps_what_is_in_it_and_room_for_more(void)
{
    struct ring ring = {0};
    ring_trim(&ring, 64); /* never used: nothing to give back */
    CHECK(ring.items == NULL);
    for (int i = 0; i < 4096; i++) {
        push(&ring, i);
    }
    ring_trim(&ring, 64); /* full */
    CHECK_EQ(ring.mask + 1, 4096);
    for (int i = 0; i < 3996; i++) {
        pop(&ring, i);
    }
    ring_trim(&ring, 64);
    CHECK_EQ(ring.mask + 1, 256); /* twice the 100 that are left */
    for (int i = 4096; i < 4196; i++) {
        push(&ring, i);
    }
    for (int i = 3996; i < 4196; i++) {
        pop(&ring, i);
    }
    ring_trim(&ring, 64);
    CHECK_EQ(ring.mask + 1, 64);
    ring_trim(&ring, 64);
    CHECK_EQ(ring.mask + 1, 64);
    push(&ring, 0);
    pop(&ring, 0);
    ring_free(&ring);
}

int
main(void)
{
    RUN(test_order_while_it_grows_and_wraps);
    RUN(test_trim_keeps_what_is_in_it_and_room_for_more);
    return check_done();
}
