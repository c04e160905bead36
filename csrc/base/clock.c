/* The virtual clock; see clock.h for who takes part and in which lock order. */
#include "base/clock.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/ready.h"
#include "base/stuck.h"

#define GRACE_NS NS_PER_MS          /* for work that holds, where no loop waits */
#define RECHECK_NS (10 * NS_PER_MS) /* somebody is about to leave its wait */
#define LOOK_NS (20 * NS_PER_MS)    /* is the loop's thread stuck, or the loop gone? */
#define PERHAPS_NS (10 * LOOK_NS)   /* so long, where it may only look like that */
#define STUCK_FOREVER_NS NS_PER_S   /* so long, before that is an error */
#define SIGNALS_NS (10 * NS_PER_MS) /* between two looks for signals */

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
    clock->limit_ns = clock->end = NS_NEVER;
    return init_locks(clock);
}

void
vclock_after_fork(struct vclock *clock)
{
    clock->drivers = NULL;
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

int
vclock_ended(struct vclock *clock, unsigned long *threads)
{
    pthread_mutex_lock(&clock->lock);
    int n = clock->num_ended;
    memcpy(threads, clock->ended, (size_t)n * sizeof *threads);
    pthread_mutex_unlock(&clock->lock);
    return n;
}

/* -- waking ---------------------------------------------------------------- */

/* One that has no descriptor yet is awake, and so is the caller's own. */
static void
wake(struct clock_wait *wait)
{
    if (wait->wake_fd >= 0 && !pthread_equal(wait->thread, pthread_self())) {
        (void)token_write(wait->wake_fd); /* an eventfd that is open: it cannot fail */
    }
}

static bool
drain(int wake_fd)
{
    uint64_t count;
    ssize_t size;
    do {
        size = read(wake_fd, &count, sizeof count);
    } while (size < 0 && errno == EINTR);
    return size > 0;
}

static void
arrive_locked(struct vclock *clock, int64_t when_ns)
{
    int64_t before = clock->now;
    clock->now = when_ns > before ? when_ns : before;
    for (struct clock_wait *w = clock->waits; w != NULL; w = w->next) {
        if (w->deadline > before && w->deadline <= clock->now) {
            wake(w);
        }
    }
}

/* No wait can go on.  A loop's ends first, and then those of threads by
 * vclock_end_waits(): what the loop says of them is true as long as they wait. */
static void
end_all_locked(struct vclock *clock, int err, bool loop_first)
{
    clock->num_ended = 0;
    for (struct clock_wait *w = clock->waits; w != NULL; w = w->next) {
        if (w->is_loop || !loop_first) {
            w->over = err;
            wake(w);
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
    end_all_locked(clock, err, false);
    pthread_mutex_unlock(&clock->lock);
}

/* -- may it jump? ---------------------------------------------------------- */

enum verdict {
    FREE,      /* yes, as far as one can tell without the drivers and descriptors */
    LATER,     /* somebody moves it, or is about to leave its wait */
    LOOP_RUNS, /* a callback of the loop runs */
    WORK_RUNS, /* something that holds it is not in a wait */
};

/* Of whom a wait has found that they need not be waited for. */
struct despite {
    bool loop;
    bool work;
};

static struct clock_wait *
loop_wait_locked(struct vclock *clock)
{
    struct clock_wait *w = clock->waits;
    while (w != NULL && !w->is_loop) {
        w = w->next;
    }
    return w;
}

static enum verdict
verdict_locked(struct vclock *clock, struct despite despite)
{
    int waits[WORK_KINDS + 1] = {0};
    bool loop_runs = clock->has_loop && !despite.loop;
    for (struct clock_wait *w = clock->waits; w != NULL; w = w->next) {
        if (w->over != 0 || w->deadline <= clock->now) {
            return LATER;
        }
        waits[w->work]++;
        loop_runs = loop_runs && !pthread_equal(w->thread, clock->loop_thread);
    }
    if (loop_runs) {
        return LOOP_RUNS;
    }
    const int *holds = clock->holds;
    bool jobs_rest =
        waits[WORK_JOB] > 0 || (holds[WORK_THREAD] > 0 && waits[WORK_THREAD] > 0);
    bool work_runs = holds[WORK_JOB] > waits[WORK_JOB] ||
                     holds[WORK_THREAD] > waits[WORK_THREAD] || holds[WORK_CHILD] > 0 ||
                     (holds[WORK_JOIN] > 0 && !jobs_rest);
    return work_runs && !despite.work ? WORK_RUNS : FREE;
}

/* Something has changed: if the clock may go on now, somebody who waits sees to it. */
static void
pass_on_locked(struct vclock *clock)
{
    const struct despite nobody = {false, false};
    if (clock->waits != NULL && clock->drives == 0 &&
        verdict_locked(clock, nobody) == FREE) {
        struct clock_wait *loop = loop_wait_locked(clock);
        wake(loop != NULL ? loop : clock->waits);
    }
}

/* The first wait of which the descriptor is readable or a token cancelled, or NULL;
 * also with *err, a -errno, when that is not to be had. */
static struct clock_wait *
ready_wait_locked(struct vclock *clock, int *err)
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

/* -- drivers --------------------------------------------------------------- */

/* Now. */
static int64_t
lock_driving(struct vclock *clock)
{
    pthread_mutex_lock(&clock->driving);
    pthread_mutex_lock(&clock->lock);
    clock->drives++;
    clock->mover = pthread_self();
    int64_t now_ns = clock->now;
    pthread_mutex_unlock(&clock->lock);
    return now_ns;
}

static void
unlock_driving(struct vclock *clock)
{
    pthread_mutex_lock(&clock->lock);
    clock->drives -= clock->drives > 0; /* 0: a driver has forked */
    pass_on_locked(clock);
    pthread_mutex_unlock(&clock->lock);
    pthread_mutex_unlock(&clock->driving);
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

/* `due_ns`: of drivers_next_due(). */
static void
drive(struct vclock *clock, int64_t due_ns, int64_t now_ns)
{
    if (due_ns > now_ns) {
        return;
    }
    for (struct clock_driver *d = clock->drivers; d != NULL; d = d->next) {
        d->advance(d, now_ns);
    }
}

/* With `driving`. */
static void
advance_driving(struct vclock *clock, int64_t when_ns)
{
    int64_t stop;
    do {
        int64_t due = drivers_next_due(clock);
        stop = due < when_ns ? due : when_ns;
        pthread_mutex_lock(&clock->lock);
        arrive_locked(clock, stop);
        stop = clock->now; /* not before, if something is overdue */
        pthread_mutex_unlock(&clock->lock);
        drive(clock, due, stop);
    } while (stop < when_ns);
}

void
vclock_advance_to(struct vclock *clock, int64_t when_ns)
{
    lock_driving(clock);
    advance_driving(clock, when_ns);
    unlock_driving(clock);
}

void
vclock_advance(struct vclock *clock, int64_t duration_ns)
{
    int64_t began_ns = lock_driving(clock);
    advance_driving(clock, time_after(began_ns, duration_ns));
    unlock_driving(clock);
}

void
vclock_add_driver(struct vclock *clock, struct clock_driver *driver)
{
    lock_driving(clock);
    driver->next = clock->drivers;
    clock->drivers = driver;
    unlock_driving(clock);
}

void
vclock_remove_driver(struct vclock *clock, struct clock_driver *driver)
{
    lock_driving(clock);
    for (struct clock_driver **p = &clock->drivers; *p != NULL; p = &(*p)->next) {
        if (*p == driver) {
            *p = driver->next;
            break;
        }
    }
    unlock_driving(clock);
}

/* -- holds and the loop ---------------------------------------------------- */

void
vclock_hold(struct vclock *clock, enum clock_work work)
{
    pthread_mutex_lock(&clock->lock);
    clock->holds[work]++;
    pthread_mutex_unlock(&clock->lock);
}

int
vclock_release(struct vclock *clock, enum clock_work work)
{
    pthread_mutex_lock(&clock->lock);
    bool held = clock->holds[work] > 0;
    clock->holds[work] -= held;
    pass_on_locked(clock);
    pthread_mutex_unlock(&clock->lock);
    return held ? 0 : -EINVAL;
}

int
vclock_attach_loop(struct vclock *clock)
{
    int result = -EBUSY;
    pthread_mutex_lock(&clock->lock);
    if (!clock->has_loop) {
        clock->has_loop = true;
        clock->loop_thread = pthread_self();
        clock->loop_number = thread_number();
        clock->loop_cpu_ns = -1;
        result = 0;
    }
    pthread_mutex_unlock(&clock->lock);
    return result;
}

void
vclock_detach_loop(struct vclock *clock)
{
    pthread_mutex_lock(&clock->lock);
    clock->has_loop = false;
    pass_on_locked(clock);
    pthread_mutex_unlock(&clock->lock);
}

/* For how long the loop's thread has taken no CPU time. */
static int64_t
loop_quiet_for_locked(struct vclock *clock)
{
    int64_t cpu_ns = thread_cpu_ns(clock->loop_thread);
    int64_t now_ns = clock_monotonic_ns();
    if (cpu_ns < 0 || cpu_ns != clock->loop_cpu_ns) {
        clock->loop_cpu_ns = cpu_ns;
        clock->loop_cpu_since = now_ns;
    }
    return now_ns - clock->loop_cpu_since;
}

/* -- waiting --------------------------------------------------------------- */

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
    struct clock_wait *ready = ready_wait_locked(clock, &err);
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
    if (target == NS_NEVER) {
        if (outside || !may_fail) {
            return NOT_DUE;
        }
        end_all_locked(clock, -EDEADLK, me->is_loop);
        return ENDED;
    }
    if (target > clock->end) {
        end_all_locked(clock, -ETIME, me->is_loop);
        clock->end = time_after(clock->now, clock->limit_ns);
        return ENDED;
    }
    arrive_locked(clock, target);
    return JUMPED;
}

/* With and without `lock`, which is held before and after. */
static enum outcome
try_jump(struct vclock *clock, struct clock_wait *me, struct despite despite,
         bool may_fail)
{
    pthread_mutex_unlock(&clock->lock);
    lock_driving(clock);
    int64_t due = drivers_next_due(clock);
    pthread_mutex_lock(&clock->lock);
    enum outcome outcome = jump_locked(clock, me, despite, may_fail, due);
    int64_t now = clock->now;
    pthread_mutex_unlock(&clock->lock);
    if (outcome == JUMPED) {
        drive(clock, due, now);
    }
    unlock_driving(clock);
    pthread_mutex_lock(&clock->lock);
    return outcome;
}

/* Sleep until something calls this wait, or for limit_ns at most.  A block_result or
 * -errno; BLOCK_TIMEOUT: decide anew.  The first time it gets what wakes it, instead.
 */
static int
rest(struct vclock *clock, struct clock_wait *me, int64_t limit_ns, bool *woken)
{
    int result = BLOCK_TIMEOUT;
    int wake_fd = me->wake_fd;
    bool first = wake_fd < 0;
    pthread_mutex_unlock(&clock->lock);
    if (first) {
        wake_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
        result = wake_fd < 0 ? -errno : BLOCK_TIMEOUT;
    }
    else {
        /* A loop's is in its poller, edge-triggered, and stays readable for ever. */
        result = ready_wait(me->fd, me->tokens, me->is_loop ? -1 : wake_fd, limit_ns);
    }
    pthread_mutex_lock(&clock->lock);
    me->wake_fd = wake_fd;
    *woken = first || (!me->is_loop && drain(wake_fd));
    return result;
}

static void
enter_locked(struct vclock *clock, struct clock_wait *me)
{
    me->thread = pthread_self();
    me->wake_fd = me->is_loop ? me->wake_fd : -1;
    me->over = 0;
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
}

/* One thread looks out for all that wait, or they would keep each other from it. */
static struct clock_wait *
lookout_locked(struct vclock *clock)
{
    struct clock_wait *w = clock->waits;
    while (w != NULL && w->is_loop) {
        w = w->next;
    }
    return w;
}

static void
leave_locked(struct vclock *clock, struct clock_wait *me)
{
    bool looked = me == lookout_locked(clock);
    for (struct clock_wait **p = &clock->waits; *p != NULL; p = &(*p)->next) {
        if (*p == me) {
            *p = me->next;
            break;
        }
    }
    if (!me->is_loop && me->wake_fd >= 0) {
        close(me->wake_fd);
    }
    struct clock_wait *next = looked ? lookout_locked(clock) : NULL;
    if (next != NULL) {
        wake(next);
    }
    pass_on_locked(clock);
}

/* Is the wait over? A block_result or -errno; BLOCK_TIMEOUT also if it is not. */
static int
end_of_locked(struct vclock *clock, struct clock_wait *me, bool *ended)
{
    int result = me->over;
    if (result == 0) {
        result = ready_wait(me->fd, me->tokens, -1, 0);
    }
    *ended = result != BLOCK_TIMEOUT || me->deadline <= clock->now;
    return result;
}

/* Is the loop stuck in a callback, and long enough to say so? */
static bool
loop_is_stuck_locked(struct vclock *clock, bool *for_ever)
{
    int64_t quiet_ns = loop_quiet_for_locked(clock);
    if (quiet_ns < LOOK_NS) {
        return false;
    }
    int waits = -1;
    for (struct clock_wait *w = clock->waits; w != NULL; w = w->next) {
        waits++;
    }
    enum stuck stuck = thread_is_stuck(clock->loop_number, waits);
    /* It slept all the while: not on `lock`, which we hold. */
    if (stuck == NOT_STUCK || loop_quiet_for_locked(clock) < quiet_ns) {
        clock->loop_cpu_since = clock_monotonic_ns();
        return false;
    }
    *for_ever = quiet_ns >= STUCK_FOREVER_NS;
    return stuck == STUCK || quiet_ns >= PERHAPS_NS;
}

/* The one place that decides: jump, if nobody has anything left to do, or say for how
 * long to rest; 0: look again.  `rested`: work that holds has had its grace. */
static int64_t
decide(struct vclock *clock, struct clock_wait *me, bool rested, enum outcome *outcome)
{
    struct despite despite = {false, false};
    struct clock_wait *loop = loop_wait_locked(clock);
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
        if (!loop_is_stuck_locked(clock, &for_ever)) {
            return look_ns;
        }
        may_fail = may_fail && for_ever;
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
        wake(loop);
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
    int64_t began_ns = clock_monotonic_ns();
    bool look = !me->is_loop; /* else the caller just did */
    bool rested = false, ended = false;
    for (;;) {
        if (look || me->over != 0 || me->deadline <= clock->now) {
            int result = end_of_locked(clock, me, &ended);
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
            if (!me->is_loop && me != lookout_locked(clock)) {
                limit_ns = NS_NEVER;
            }
            int result = rest(clock, me, limit_ns, &woken);
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
    enter_locked(clock, me);
    int result = BLOCK_TIMEOUT;
    if (inside) { /* a driver's own code, for which time stands still */
        result = end_of_locked(clock, me, &ended);
        result = ended ? result : -EDEADLK;
    }
    else {
        result = wait_locked(clock, me);
    }
    if (clock->forks == forks) { /* else the wait, and its descriptor, are gone */
        leave_locked(clock, me);
    }
    pthread_mutex_unlock(&clock->lock);
    return result;
}
