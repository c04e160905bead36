/* The virtual clock: its life, and the one verb, to wait, which lets it jump; see
 * clock.h. */
#include "base/clock.h"

#include <errno.h>
#include <string.h>

#include "base/clock_drivers.h"
#include "base/clock_teller.h"
#include "base/clock_verdict.h"
#include "base/clock_waits.h"
#include "base/lock.h"
#include "base/ready.h"

#define GRACE_NS NS_PER_MS          /* for work that holds, where no loop waits */
#define RECHECK_NS (10 * NS_PER_MS) /* somebody is about to leave its wait */
#define SIGNALS_NS (10 * NS_PER_MS) /* between two looks for signals */

static int
init_locks(struct vclock *clock)
{
    int err = lock_init(&clock->driving, PTHREAD_MUTEX_RECURSIVE);
    if (err < 0) {
        return err;
    }
    err = monitor_init(&clock->lock, &clock->told);
    if (err < 0) {
        pthread_mutex_destroy(&clock->driving);
    }
    return err;
}

int
vclock_init(struct vclock *clock, int64_t start_ns)
{
    memset(clock, 0, sizeof *clock);
    clock->now = start_ns;
    clock->limit_ns = clock->end = NS_NEVER;
    return init_locks(clock);
}

void
vclock_after_fork(struct vclock *clock)
{
    clock->drivers = NULL;
    clock->tellers = NULL;
    clock->waits = NULL;
    memset(clock->holds, 0, sizeof clock->holds);
    clock->drives = 0;
    clock->has_loop = false;
    clock->forks++;
    (void)init_locks(clock); /* on Linux it cannot fail */
}

void
vclock_destroy(struct vclock *clock)
{
    pthread_cond_destroy(&clock->told);
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

void
vclock_set_limit(struct vclock *clock, int64_t limit_ns)
{
    pthread_mutex_lock(&clock->lock);
    clock->limit_ns = limit_ns;
    clock->end = limit_ns == NS_NEVER ? NS_NEVER : time_after(clock->now, limit_ns);
    pthread_mutex_unlock(&clock->lock);
}

/* What came of an attempt to jump. */
enum outcome {
    JUMPED,
    ENDED, /* this wait is over, look why */
    AGAIN, /* something has changed: look again */
    RESTS, /* somebody else is ready, and will leave its wait */
    NOT_DUE,
};

static enum outcome
jump_locked(struct vclock *clock, struct clock_wait *me, struct despite despite,
            bool may_fail, int64_t due_ns)
{
    if (verdict_locked(clock, despite) != FREE) {
        return AGAIN;
    }
    int err = 0;
    struct clock_wait *ready = waits_ready_locked(clock, &err);
    if (err < 0) {
        me->over = err;
        return ENDED;
    }
    if (ready != NULL) {
        return ready == me ? ENDED : RESTS;
    }
    int64_t target = due_ns;
    bool outside = false;
    for (struct clock_wait *w = clock->waits; w != NULL; w = w->next) {
        target = w->deadline < target ? w->deadline : target;
        outside = outside || w->outside;
    }
    if (target != NS_NEVER && target > clock->end) {
        waits_end_all_locked(clock, -ETIME, me->is_loop);
        clock->end = time_after(clock->now, clock->limit_ns);
        return ENDED;
    }
    if (target > CLOCK_LAST) {
        if (outside || !may_fail) {
            return NOT_DUE;
        }
        waits_end_all_locked(clock, -EDEADLK, me->is_loop);
        return ENDED;
    }
    waits_arrive_locked(clock, target);
    return JUMPED;
}

/* With and without `lock`, which is held before and after. */
static enum outcome
try_jump(struct vclock *clock, struct clock_wait *me, struct despite despite,
         bool may_fail)
{
    pthread_mutex_unlock(&clock->lock);
    drivers_lock(clock);
    int64_t due = drivers_next_due(clock);
    pthread_mutex_lock(&clock->lock);
    enum outcome outcome = jump_locked(clock, me, despite, may_fail, due);
    int64_t now = clock->now;
    pthread_mutex_unlock(&clock->lock);
    if (outcome == JUMPED) {
        me->undisturbed = due > now;
        drivers_drive(clock, due, now);
    }
    drivers_unlock(clock);
    pthread_mutex_lock(&clock->lock);
    return outcome;
}

/* The one place that decides: jump, if nobody has anything left to do, or say for how
 * long to rest; 0: look again.  `rested`: work that holds has had its grace. */
static int64_t
decide(struct vclock *clock, struct clock_wait *me, bool rested, enum outcome *outcome)
{
    struct despite despite = {false, false};
    struct clock_wait *loop = waits_of_loop_locked(clock);
    int64_t look_ns = me->is_loop ? NS_NEVER : LOOK_NS;
    /* Who holds it by hand, without a loop, may be about to do what is waited for. */
    bool may_fail = loop != NULL || clock->holds[WORK_THREAD] == 0;
    *outcome = AGAIN;
    if (clock->drives > 0) {
        return RECHECK_NS;
    }
    enum verdict verdict = verdict_locked(clock, despite);
    if (verdict == LOOP_RUNS) {
        bool for_ever;
        if (!verdict_loop_is_stuck_locked(clock, &for_ever)) {
            return look_ns;
        }
        loop = waits_of_loop_locked(clock); /* the lock was let go */
        may_fail = for_ever && (loop != NULL || clock->holds[WORK_THREAD] == 0);
        despite.loop = true;
        verdict = verdict_locked(clock, despite);
    }
    if (verdict == WORK_RUNS) {
        if (loop != NULL || !rested) {
            return loop != NULL ? look_ns : GRACE_NS;
        }
        despite.work = true;
        may_fail = false;
        verdict = verdict_locked(clock, despite);
    }
    if (verdict != FREE) {
        return RECHECK_NS;
    }
    if (loop != NULL && loop != me) {
        waits_wake(loop);
        return look_ns;
    }
    *outcome = try_jump(clock, me, despite, may_fail);
    switch (*outcome) {
        case RESTS:
            return RECHECK_NS;
        case NOT_DUE:
            return despite.work ? GRACE_NS : look_ns;
        default:
            return 0;
    }
}

/* Wait until it is over; a fork in a driver's code ends it in the child, too. */
static int
wait_locked(struct vclock *clock, struct clock_wait *me)
{
    unsigned forks = clock->forks;
    int64_t began_ns = me->is_loop ? 0 : clock_monotonic_ns(); /* one jump ends it */
    bool look = !me->is_loop; /* else the caller just did */
    bool rested = false, ended = false;
    for (;;) {
        if (look || me->over != 0 || me->deadline <= clock->now) {
            int result = waits_end_of_locked(clock, me, &ended);
            if (ended) {
                return result;
            }
        }
        enum outcome outcome;
        int64_t limit_ns = decide(clock, me, rested, &outcome);
        rested = false;
        look = outcome == ENDED;
        if (clock->forks != forks) {
            return -EINTR;
        }
        if (outcome == JUMPED) {
            if (me->is_loop) {
                return BLOCK_TIMEOUT;
            }
            if (clock_monotonic_ns() - began_ns > SIGNALS_NS) {
                return -EINTR;
            }
        }
        if (limit_ns > 0) {
            bool woken;
            if (!me->is_loop && me != waits_lookout_locked(clock)) {
                limit_ns = NS_NEVER;
            }
            int result = waits_rest(clock, me, limit_ns, &woken);
            if (result != BLOCK_TIMEOUT) {
                return result;
            }
            rested = !woken;
        }
    }
}

int
vclock_wait_until(struct vclock *clock, struct clock_wait *me)
{
    pthread_mutex_lock(&clock->lock);
    unsigned forks = clock->forks;
    bool inside = clock->drives > 0 && pthread_equal(clock->mover, pthread_self());
    bool ended = false;
    waits_enter_locked(clock, me);
    if (clock->tellers != NULL) {
        pthread_cond_broadcast(&clock->told); /* a teller waits: time may pass */
    }
    int result = BLOCK_TIMEOUT;
    if (inside) { /* a driver's own code, for which time stands still */
        result = waits_end_of_locked(clock, me, &ended);
        result = ended ? result : -EDEADLK;
    }
    else {
        result = wait_locked(clock, me);
        if (clock->forks == forks && tellers_wait_locked(clock)) {
            me->undisturbed = false;
        }
    }
    if (clock->forks == forks) { /* else the wait, and its descriptor, are gone */
        waits_leave_locked(clock, me);
        verdict_pass_on_locked(clock);
    }
    pthread_mutex_unlock(&clock->lock);
    return result;
}
