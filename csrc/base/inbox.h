/* Inbox: where other threads leave things for one thread, which may be asleep.
 *
 * Many producers, one consumer, no lock: nodes are intrusive, so posting cannot
 * fail for want of memory, and each producer's nodes arrive in its order.  The
 * consumer says that it goes to sleep and looks once more; the first producer
 * after that wakes it, and the others of the batch see that they need
 * not.  Correct without any lock of the caller's around it.  Each post carries a bit of
 * the producer's beside its node.  Python-free.
 */
#ifndef AH_BASE_INBOX_H
#define AH_BASE_INBOX_H

#include <errno.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <time.h>

#include "base/wake.h"

/* A node and a bit: the node's address, or that plus one. */
typedef uintptr_t inbox_item;

struct inbox_node {
    inbox_item next; /* 0: the last */
};

struct inbox {
    _Atomic inbox_item newest; /* of a stack; INBOX_CLOSED at the end */
    atomic_bool sleeping;      /* the consumer waits for wake_fd */
    atomic_int pins;           /* producers that use this now */
    int wake_fd;               /* a wake-up; negative: not open */
};

#define INBOX_CLOSED ((inbox_item)1)
#define INBOX_INIT {.wake_fd = -1}

static inline struct inbox_node *
inbox_node_of(inbox_item item)
{
    return (struct inbox_node *)(item & ~(inbox_item)1);
}

static inline bool
inbox_bit_of(inbox_item item)
{
    return item & 1;
}

/* 0 or -errno. */
static inline int
inbox_open(struct inbox *inbox)
{
    atomic_store(&inbox->newest, 0);
    atomic_store(&inbox->sleeping, false);
    atomic_store(&inbox->pins, 0);
    inbox->wake_fd = wake_open();
    return inbox->wake_fd < 0 ? inbox->wake_fd : 0;
}

/* A producer: inbox_close() does not return before the unpin. */
static inline void
inbox_pin(struct inbox *inbox)
{
    atomic_fetch_add(&inbox->pins, 1);
}

static inline void
inbox_unpin(struct inbox *inbox)
{
    atomic_fetch_sub(&inbox->pins, 1);
}

/* Any thread: would a post wake the consumer, as far as one can tell? */
static inline bool
inbox_is_asleep(struct inbox *inbox)
{
    return atomic_load_explicit(&inbox->sleeping, memory_order_relaxed);
}

/* Any thread: end the consumer's sleep, if it sleeps.  0 or -errno. */
static inline int
inbox_wake(struct inbox *inbox)
{
    int err = 0;
    if (!atomic_load(&inbox->sleeping)) {
        return 0;
    }
    inbox_pin(inbox); /* the descriptor stays open until we are done */
    if (atomic_exchange(&inbox->sleeping, false)) {
        err = wake_up(inbox->wake_fd);
    }
    inbox_unpin(inbox);
    return err;
}

/* Any thread.  0, -ESHUTDOWN when it is closed (the node is the caller's again), or
 * the -errno of a wake-up that failed (the node is in). */
static inline int
inbox_post(struct inbox *inbox, struct inbox_node *node, bool bit)
{
    inbox_item newest = atomic_load(&inbox->newest);
    do {
        if (newest == INBOX_CLOSED) {
            return -ESHUTDOWN;
        }
        node->next = newest;
    } while (
        !atomic_compare_exchange_weak(&inbox->newest, &newest, (inbox_item)node | bit));
    return inbox_wake(inbox);
}

static inline bool
inbox_is_empty(struct inbox *inbox)
{
    inbox_item newest = atomic_load_explicit(&inbox->newest, memory_order_acquire);
    return newest == 0 || newest == INBOX_CLOSED;
}

/* A stack of newest first becomes a list of oldest first. */
static inline inbox_item
inbox_reverse(inbox_item newest)
{
    inbox_item oldest = 0;
    while (newest != 0) {
        inbox_item next = inbox_node_of(newest)->next;
        inbox_node_of(newest)->next = oldest;
        oldest = newest;
        newest = next;
    }
    return oldest;
}

/* Consumer: all there is, oldest first, or 0. */
static inline inbox_item
inbox_take(struct inbox *inbox)
{
    if (inbox_is_empty(inbox)) {
        return 0;
    }
    return inbox_reverse(atomic_exchange(&inbox->newest, 0));
}

/* Consumer: from now on a post wakes.  False: something is there, don't sleep. */
static inline bool
inbox_sleep(struct inbox *inbox)
{
    atomic_store(&inbox->sleeping, true);
    if (atomic_load(&inbox->newest) == 0) {
        return true;
    }
    atomic_store(&inbox->sleeping, false);
    return false;
}

static inline void
inbox_awake(struct inbox *inbox)
{
    atomic_store(&inbox->sleeping, false);
}

/* Consumer: no more posts.  What is still there, oldest first. */
static inline inbox_item
inbox_close(struct inbox *inbox)
{
    inbox_item left = atomic_exchange(&inbox->newest, INBOX_CLOSED);
    atomic_store(&inbox->sleeping, false);
    while (atomic_load(&inbox->pins) > 0) {
        /* Sleep: a producer of lower priority on this CPU gets no turn by a yield. */
        const struct timespec moment = {.tv_nsec = 50000};
        (void)nanosleep(&moment, NULL);
    }
    wake_close(&inbox->wake_fd);
    return left == INBOX_CLOSED ? 0 : inbox_reverse(left);
}

/* The same in the child of a fork, which has no other threads and shares wake_fd. */
static inline inbox_item
inbox_close_in_child(struct inbox *inbox)
{
    atomic_store(&inbox->pins, 0);
    return inbox_close(inbox);
}

#endif
