/* Time: int64 nanoseconds.  The monotonic clock, and the virtual one.
 *
 * A virtual clock stands still until someone who has nothing else to do moves
 * it.  Who takes part:
 *   - drivers: simulated devices, which have something due at a time;
 *   - waiters: threads in block_until(), which wait for a descriptor or a time;
 *   - holds: work that takes no virtual time but is not finished (an executor
 *     job, a child, a look-up); as long as a hold runs, nobody jumps;
 *   - one loop at most, which jumps when it has nothing ready (vclock_jump).
 * Every function is thread-safe.  Lock order: `driving` (recursive, held while
 * drivers run and while their list changes), a driver's own locks, `lock`.  So
 * whoever moves the clock holds no lock that a driver takes, nor the GIL if a
 * holder of such a lock may wait for it.  Python-free.
 */
#ifndef AH_BASE_CLOCK_H
#define AH_BASE_CLOCK_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <time.h>

#include "base/token.h"

#define NS_PER_S INT64_C(1000000000)
#define NS_PER_MS INT64_C(1000000)
#define NS_PER_US INT64_C(1000)
#define NS_NEVER INT64_MAX

static inline int64_t
clock_monotonic_ns(void)
{
    struct timespec ts;
    clock_gettime(CLOCK_MONOTONIC, &ts);
    return (int64_t)ts.tv_sec * NS_PER_S + ts.tv_nsec;
}

/* A time plus a duration of 0 or more; ends short of NS_NEVER. */
static inline int64_t
time_after(int64_t when_ns, int64_t duration_ns)
{
    int64_t sum;
    bool overflow = __builtin_add_overflow(when_ns, duration_ns, &sum);
    return overflow || sum == NS_NEVER ? NS_NEVER - 1 : sum;
}

/* Something with events of its own on a virtual clock (a simulated world). */
struct clock_driver {
    struct clock_driver *next; /* the clock's list */
    /* When something is due next, or NS_NEVER. */
    int64_t (*next_due)(struct clock_driver *driver);
    /* Let happen everything that is due up to and including `now`. */
    void (*advance)(struct clock_driver *driver, int64_t now_ns);
};

struct clock_waiter {
    struct clock_waiter *next;
    int64_t deadline;               /* NS_NEVER: only a descriptor ends this wait */
    int fd;                         /* what the waiter waits for besides, or -1 */
    const struct token_set *tokens; /* what cancels its wait, or NULL */
    int wake_fd;                    /* eventfd: written when the deadline has come */
    bool signalled;                 /* it has come, the thread is about to run */
};

struct vclock {
    pthread_mutex_t driving;
    pthread_mutex_t lock;
    int64_t now;
    struct clock_driver *drivers;
    struct clock_waiter *waiters;
    int holds; /* unfinished work; a waiter is expected to be one of it */
    uint64_t
        epoch;   /* counts releases and new waiters: what they did before may count */
    int loop_fd; /* eventfd of the loop that runs on this clock, or -1 */
    pthread_t loop_thread;
};

/* What vclock_jump() found. */
enum vclock_verdict {
    VCLOCK_JUMPED,  /* time moved, or a waiter's descriptor is ready: look again */
    VCLOCK_HELD,    /* work is outstanding: wait for it in real time */
    VCLOCK_NOTHING, /* nothing is due, ever */
};

int vclock_init(struct vclock *clock, int64_t start_ns); /* 0 or -errno */
void vclock_destroy(struct vclock *clock);
/* In the child of a fork, whose threads, loop and devices are not there. */
void vclock_after_fork(struct vclock *clock);
int64_t vclock_now(struct vclock *clock);

/* Time passes: now += or becomes; drivers advance through every due time on the way. */
void vclock_advance(struct vclock *clock, int64_t duration_ns);
void vclock_advance_to(struct vclock *clock, int64_t when_ns);

void vclock_add_driver(struct vclock *clock, struct clock_driver *driver);
void vclock_remove_driver(struct vclock *clock, struct clock_driver *driver);

void vclock_hold(struct vclock *clock);
void vclock_release(struct vclock *clock);

/* The loop that runs on this clock says where it can be woken; -1: it stopped.
 * -EBUSY when another loop runs on it already. */
int vclock_attach_loop(struct vclock *clock, int wake_fd);
void vclock_detach_loop(struct vclock *clock);

/* Read it, then look for what is ready, then jump. */
uint64_t vclock_epoch(struct vclock *clock);

/* Jump to the earliest of `timer_ns` (the caller's own next timer, or
 * NS_NEVER), the drivers' next due time and the waiters' deadlines; not when
 * the epoch is another by now: something may be ready. */
enum vclock_verdict vclock_jump(struct vclock *clock, int64_t timer_ns, uint64_t epoch);

/* For block.c: is it the caller's own business to move the clock? */
bool vclock_is_mine_to_move(struct vclock *clock);
void vclock_add_waiter(struct vclock *clock, struct clock_waiter *waiter);
void vclock_remove_waiter(struct vclock *clock, struct clock_waiter *waiter);

#endif
