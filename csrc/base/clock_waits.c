/* The waits on a virtual clock; see clock_waits.h. */
#include "base/clock_waits.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <unistd.h>

#include "base/list.h"
#include "base/ready.h"
#include "base/stuck.h"
#include "base/wake.h"

/* One that has no descriptor yet is awake, and so is the caller's own. */
void
waits_wake(struct clock_wait *wait)
{
    if (wait->wake_fd >= 0 && !pthread_equal(wait->thread, pthread_self())) {
        (void)wake_up(wait->wake_fd); /* it is open: it cannot fail */
    }
}

struct clock_wait *
waits_of_loop_locked(struct vclock *clock)
{
    struct clock_wait *w = clock->waits;
    while (w != NULL && !w->is_loop) {
        w = w->next;
    }
    return w;
}

struct clock_wait *
waits_lookout_locked(struct vclock *clock)
{
    struct clock_wait *w = clock->waits;
    while (w != NULL && w->is_loop) {
        w = w->next;
    }
    return w;
}

void
waits_enter_locked(struct vclock *clock, struct clock_wait *me)
{
    me->thread = pthread_self();
    me->wake_fd = me->is_loop ? me->wake_fd : -1;
    me->over = 0;
    me->undisturbed = false;
    if (me->is_loop || thread_number() == getpid() ||
        (clock->has_loop && pthread_equal(me->thread, clock->loop_thread))) {
        me->work = WORK_KINDS;
    }
    else {
        bool is_job = me->tokens != NULL && me->tokens->job_clock == clock;
        me->work = is_job ? WORK_JOB : WORK_THREAD;
    }
    me->next = clock->waits;
    clock->waits = me;
    clock->sleeps = -1; /* who looks now counts others */
}

void
waits_leave_locked(struct vclock *clock, struct clock_wait *me)
{
    bool looked = me == waits_lookout_locked(clock);
    clock->sleeps = -1;
    LIST_REMOVE(clock->waits, me);
    if (!me->is_loop) {
        wake_close(&me->wake_fd);
    }
    struct clock_wait *next = looked ? waits_lookout_locked(clock) : NULL;
    if (next != NULL) {
        waits_wake(next);
    }
}

void
waits_arrive_locked(struct vclock *clock, int64_t when_ns)
{
    int64_t before = clock->now;
    clock->now = when_ns > before ? when_ns : before;
    for (struct clock_wait *w = clock->waits; w != NULL; w = w->next) {
        if (w->deadline > before && w->deadline <= clock->now) {
            waits_wake(w);
        }
    }
}

void
waits_end_all_locked(struct vclock *clock, int err, bool loop_first)
{
    clock->num_ended = 0;
    for (struct clock_wait *w = clock->waits; w != NULL; w = w->next) {
        if (w->is_loop || !loop_first) {
            w->over = err;
            waits_wake(w);
        }
        if (!w->is_loop && clock->num_ended < CLOCK_ENDED_MAX) {
            clock->ended[clock->num_ended++] = (unsigned long)w->thread;
        }
    }
}

void
vclock_end_waits(struct vclock *clock, int err)
{
    pthread_mutex_lock(&clock->lock);
    waits_end_all_locked(clock, err, false);
    pthread_mutex_unlock(&clock->lock);
}

int
vclock_ended(struct vclock *clock, unsigned long *threads)
{
    pthread_mutex_lock(&clock->lock);
    int n = clock->num_ended;
    memcpy(threads, clock->ended, (size_t)n * sizeof *threads);
    pthread_mutex_unlock(&clock->lock);
    return n;
}

struct clock_wait *
waits_ready_locked(struct vclock *clock, int *err)
{
    enum { BATCH = 32 };
    struct clock_wait *w = clock->waits;
    while (w != NULL) {
        struct pollfd fds[BATCH];
        struct clock_wait *waits[BATCH];
        nfds_t n = 0;
        for (; w != NULL && n < BATCH; w = w->next) {
            if (w->tokens != NULL && tokens_are_cancelled(w->tokens)) {
                return w;
            }
            if (w->fd >= 0) {
                waits[n] = w;
                fds[n++] = (struct pollfd){.fd = w->fd, .events = POLLIN};
            }
        }
        int found = n > 0 ? poll(fds, n, 0) : 0;
        if (found < 0) {
            *err = -errno;
            return NULL;
        }
        if (found == 0) {
            continue;
        }
        for (nfds_t i = 0; i < n; i++) {
            if (fds[i].revents != 0) {
                return waits[i];
            }
        }
    }
    return NULL;
}

int
waits_end_of_locked(struct vclock *clock, struct clock_wait *me, bool *ended)
{
    int result = me->over;
    if (result == 0) {
        result = ready_wait(me->fd, me->tokens, -1, 0);
    }
    *ended = result != BLOCK_TIMEOUT || me->deadline <= clock->now;
    return result;
}

int
waits_rest(struct vclock *clock, struct clock_wait *me, int64_t limit_ns, bool *woken)
{
    int result = BLOCK_TIMEOUT;
    int wake_fd = me->wake_fd;
    bool first = wake_fd < 0;
    pthread_mutex_unlock(&clock->lock);
    if (first) {
        wake_fd = wake_open();
        result = wake_fd < 0 ? wake_fd : BLOCK_TIMEOUT;
    }
    else {
        /* A loop's is in its poller, edge-triggered, and stays readable for ever. */
        result = ready_wait(me->fd, me->tokens, me->is_loop ? -1 : wake_fd, limit_ns);
    }
    pthread_mutex_lock(&clock->lock);
    me->wake_fd = wake_fd;
    *woken = first || (!me->is_loop && wake_drain(wake_fd) > 0);
    return result;
}
