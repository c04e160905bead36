/* Who keeps a virtual clock from jumping; see clock_verdict.h. */
#include "base/clock_verdict.h"

#include <errno.h>

#include "base/clock_teller.h"
#include "base/clock_waits.h"
#include "base/list.h"
#include "base/stuck.h"

#define PERHAPS_NS                                                     \
    (10 * LOOK_NS) /* nobody is awake: where a sleep may end by itself \
                    */
#define UNREST_NS \
    (100 * LOOK_NS) /* somebody is, now and then: not for this callback? */
#define STUCK_FOREVER_NS NS_PER_S /* so long, before that is an error */
#define PERHAPS_FOREVER_NS (10 * NS_PER_S)

enum verdict
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
    if (tellers_are_busy_locked(clock)) {
        return LATER;
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

void
verdict_pass_on_locked(struct vclock *clock)
{
    const struct despite nobody = {false, false};
    if (clock->waits != NULL && clock->drives == 0 &&
        verdict_locked(clock, nobody) == FREE) {
        struct clock_wait *loop = waits_of_loop_locked(clock);
        waits_wake(loop != NULL ? loop : clock->waits);
    }
}

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
    verdict_pass_on_locked(clock);
    pthread_mutex_unlock(&clock->lock);
    return held ? 0 : -EINVAL;
}

void
vclock_add_teller(struct vclock *clock, struct clock_teller *teller)
{
    pthread_mutex_lock(&clock->lock);
    teller->next = clock->tellers;
    clock->tellers = teller;
    pthread_mutex_unlock(&clock->lock);
}

void
vclock_remove_teller(struct vclock *clock, struct clock_teller *teller)
{
    pthread_mutex_lock(&clock->lock);
    LIST_REMOVE(clock->tellers, teller);
    pthread_cond_broadcast(&clock->told);
    verdict_pass_on_locked(clock);
    pthread_mutex_unlock(&clock->lock);
}

void
vclock_told(struct vclock *clock)
{
    pthread_mutex_lock(&clock->lock);
    pthread_cond_broadcast(&clock->told);
    verdict_pass_on_locked(clock);
    pthread_mutex_unlock(&clock->lock);
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
        clock->loop_cpu_ns = clock->sleeps = -1;
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
    verdict_pass_on_locked(clock);
    pthread_mutex_unlock(&clock->lock);
}

/* For how long the loop's thread has taken no CPU time, and nobody was seen awake. */
static int64_t
loop_quiet_for_locked(struct vclock *clock)
{
    int64_t cpu_ns = thread_cpu_ns(clock->loop_thread);
    int64_t now_ns = clock_monotonic_ns();
    if (cpu_ns < 0 || cpu_ns != clock->loop_cpu_ns) {
        clock->loop_cpu_ns = cpu_ns;
        clock->quiet_since = now_ns;
    }
    return now_ns - clock->quiet_since;
}

/* For how long no thread has gone to sleep, and so none was awake. */
static int64_t
silent_for_locked(struct vclock *clock, int64_t sleeps)
{
    int64_t now_ns = clock_monotonic_ns();
    if (sleeps < 0 || sleeps != clock->sleeps) {
        clock->sleeps = sleeps;
        clock->silent_since = now_ns;
    }
    return now_ns - clock->silent_since;
}

bool
verdict_loop_is_stuck_locked(struct vclock *clock, bool *for_ever)
{
    int64_t quiet_ns = loop_quiet_for_locked(clock);
    if (quiet_ns < LOOK_NS) {
        return false;
    }
    int waits = -1;
    for (struct clock_wait *w = clock->waits; w != NULL; w = w->next) {
        waits++;
    }
    pid_t number = clock->loop_number;
    int64_t sleeps;
    /* Who wants the lock would be asleep on it, and is at work. */
    pthread_mutex_unlock(&clock->lock);
    enum stuck stuck = thread_is_stuck(number, waits, &sleeps);
    pthread_mutex_lock(&clock->lock);
    if (!clock->has_loop || loop_quiet_for_locked(clock) < quiet_ns) {
        return false; /* that callback has ended */
    }
    int64_t silent_ns = silent_for_locked(clock, sleeps);
    if (stuck == NOT_STUCK) {
        clock->quiet_since = clock_monotonic_ns();
        return false;
    }
    if (stuck == STUCK) {
        *for_ever = quiet_ns >= STUCK_FOREVER_NS;
        return true;
    }
    *for_ever = silent_ns >= PERHAPS_FOREVER_NS;
    return silent_ns >= PERHAPS_NS || quiet_ns >= UNREST_NS;
}
