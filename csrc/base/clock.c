/* The virtual clock; see clock.h for who takes part and in which lock order. */
#include "base/clock.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <unistd.h>

static int
init_locks(struct vclock *clock)
{
    pthread_mutexattr_t attr;
    int err = pthread_mutexattr_init(&attr);
    if (err != 0) {
        return -err;
    }
    pthread_mutexattr_settype(&attr, PTHREAD_MUTEX_RECURSIVE);
    err = pthread_mutex_init(&clock->driving, &attr);
    pthread_mutexattr_destroy(&attr);
    if (err != 0) {
        return -err;
    }
    err = pthread_mutex_init(&clock->lock, NULL);
    if (err != 0) {
        pthread_mutex_destroy(&clock->driving);
    }
    return -err;
}

int
vclock_init(struct vclock *clock, int64_t start_ns)
{
    memset(clock, 0, sizeof *clock);
    clock->now = start_ns;
    clock->loop_fd = -1;
    return init_locks(clock);
}

void
vclock_after_fork(struct vclock *clock)
{
    clock->drivers = NULL;
    clock->waiters = NULL;
    clock->holds = 0;
    clock->loop_fd = -1;
    (void)init_locks(clock); /* on Linux it cannot fail */
}

void
vclock_destroy(struct vclock *clock)
{
    pthread_mutex_destroy(&clock->lock);
    pthread_mutex_destroy(&clock->driving);
}

int64_t
vclock_now(struct vclock *clock)
{
    pthread_mutex_lock(&clock->lock);
    int64_t now = clock->now;
    pthread_mutex_unlock(&clock->lock);
    return now;
}

/* An eventfd write fails only when the counter is full: then it is readable. */
static void
wake(int fd)
{
    const uint64_t one = 1;
    if (fd >= 0) {
        while (write(fd, &one, sizeof one) < 0 && errno == EINTR) {
        }
    }
}

static void
wake_loop_locked(struct vclock *clock)
{
    wake(clock->loop_fd);
}

/* Set now, and wake whoever waited for it. */
static void
arrive_at(struct vclock *clock, int64_t when_ns)
{
    pthread_mutex_lock(&clock->lock);
    if (when_ns > clock->now) {
        clock->now = when_ns;
    }
    for (struct clock_waiter *w = clock->waiters; w != NULL; w = w->next) {
        if (!w->signalled && w->deadline <= clock->now) {
            w->signalled = true;
            wake(w->wake_fd);
        }
    }
    pthread_mutex_unlock(&clock->lock);
}

static int64_t
drivers_next_due(struct vclock *clock)
{
    int64_t due = NS_NEVER;
    for (struct clock_driver *d = clock->drivers; d != NULL; d = d->next) {
        int64_t mine = d->next_due(d);
        due = mine < due ? mine : due;
    }
    return due;
}

void
vclock_advance_to(struct vclock *clock, int64_t when_ns)
{
    pthread_mutex_lock(&clock->driving);
    for (;;) {
        int64_t due = drivers_next_due(clock);
        int64_t stop = due < when_ns ? due : when_ns;
        arrive_at(clock, stop);
        for (struct clock_driver *d = clock->drivers; d != NULL; d = d->next) {
            d->advance(d, stop);
        }
        if (stop >= when_ns) {
            break;
        }
    }
    pthread_mutex_unlock(&clock->driving);
    pthread_mutex_lock(&clock->lock);
    if (clock->loop_fd >= 0 && !pthread_equal(clock->loop_thread, pthread_self())) {
        wake_loop_locked(clock);
    }
    pthread_mutex_unlock(&clock->lock);
}

void
vclock_advance(struct vclock *clock, int64_t duration_ns)
{
    vclock_advance_to(clock, time_after(vclock_now(clock), duration_ns));
}

void
vclock_add_driver(struct vclock *clock, struct clock_driver *driver)
{
    pthread_mutex_lock(&clock->driving);
    driver->next = clock->drivers;
    clock->drivers = driver;
    pthread_mutex_unlock(&clock->driving);
}

void
vclock_remove_driver(struct vclock *clock, struct clock_driver *driver)
{
    pthread_mutex_lock(&clock->driving);
    for (struct clock_driver **p = &clock->drivers; *p != NULL; p = &(*p)->next) {
        if (*p == driver) {
            *p = driver->next;
            break;
        }
    }
    pthread_mutex_unlock(&clock->driving);
}

void
vclock_hold(struct vclock *clock)
{
    pthread_mutex_lock(&clock->lock);
    clock->holds++;
    pthread_mutex_unlock(&clock->lock);
}

void
vclock_release(struct vclock *clock)
{
    pthread_mutex_lock(&clock->lock);
    clock->holds--;
    clock->epoch++;
    wake_loop_locked(clock);
    pthread_mutex_unlock(&clock->lock);
}

int
vclock_attach_loop(struct vclock *clock, int wake_fd)
{
    int result = 0;
    pthread_mutex_lock(&clock->lock);
    if (clock->loop_fd >= 0) {
        result = -EBUSY;
    }
    else {
        clock->loop_fd = wake_fd;
        clock->loop_thread = pthread_self();
    }
    pthread_mutex_unlock(&clock->lock);
    return result;
}

void
vclock_detach_loop(struct vclock *clock)
{
    pthread_mutex_lock(&clock->lock);
    clock->loop_fd = -1;
    for (struct clock_waiter *w = clock->waiters; w != NULL; w = w->next) {
        wake(w->wake_fd); /* they move the clock themselves from now on */
    }
    pthread_mutex_unlock(&clock->lock);
}

bool
vclock_is_mine_to_move(struct vclock *clock)
{
    pthread_mutex_lock(&clock->lock);
    bool mine = clock->loop_fd < 0 || pthread_equal(clock->loop_thread, pthread_self());
    pthread_mutex_unlock(&clock->lock);
    return mine;
}

void
vclock_add_waiter(struct vclock *clock, struct clock_waiter *waiter)
{
    pthread_mutex_lock(&clock->lock);
    waiter->signalled = waiter->deadline <= clock->now;
    if (waiter->signalled) {
        wake(waiter->wake_fd);
    }
    waiter->next = clock->waiters;
    clock->waiters = waiter;
    clock->epoch++;
    wake_loop_locked(clock);
    pthread_mutex_unlock(&clock->lock);
}

void
vclock_remove_waiter(struct vclock *clock, struct clock_waiter *waiter)
{
    pthread_mutex_lock(&clock->lock);
    for (struct clock_waiter **p = &clock->waiters; *p != NULL; p = &(*p)->next) {
        if (*p == waiter) {
            *p = waiter->next;
            break;
        }
    }
    wake_loop_locked(clock);
    pthread_mutex_unlock(&clock->lock);
}

static bool
is_readable(int fd)
{
    struct pollfd p = {.fd = fd, .events = POLLIN};
    return fd >= 0 && poll(&p, 1, 0) > 0;
}

uint64_t
vclock_epoch(struct vclock *clock)
{
    pthread_mutex_lock(&clock->lock);
    uint64_t epoch = clock->epoch;
    pthread_mutex_unlock(&clock->lock);
    return epoch;
}

enum vclock_verdict
vclock_jump(struct vclock *clock, int64_t timer_ns, uint64_t epoch)
{
    int idle = 0;
    int64_t target = timer_ns;
    pthread_mutex_lock(&clock->lock);
    if (clock->epoch != epoch) {
        pthread_mutex_unlock(&clock->lock);
        return VCLOCK_JUMPED;
    }
    for (struct clock_waiter *w = clock->waiters; w != NULL; w = w->next) {
        if (w->signalled || is_readable(w->fd) ||
            (w->tokens != NULL && tokens_are_cancelled(w->tokens))) {
            pthread_mutex_unlock(&clock->lock);
            return VCLOCK_HELD;
        }
        target = w->deadline < target ? w->deadline : target;
        idle++;
    }
    bool held = clock->holds > idle;
    pthread_mutex_unlock(&clock->lock);
    if (held) {
        return VCLOCK_HELD;
    }
    pthread_mutex_lock(&clock->driving);
    int64_t due = drivers_next_due(clock);
    pthread_mutex_unlock(&clock->driving);
    target = due < target ? due : target;
    if (target == NS_NEVER) {
        return idle > 0 ? VCLOCK_HELD : VCLOCK_NOTHING;
    }
    vclock_advance_to(clock, target);
    return VCLOCK_JUMPED;
}
