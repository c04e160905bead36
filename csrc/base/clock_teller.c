/* The tellers of a virtual clock; see clock_teller.h. */
#include "base/clock_teller.h"

static bool
is_waiting_locked(const struct vclock *clock, pthread_t thread)
{
    for (const struct clock_wait *w = clock->waits; w != NULL; w = w->next) {
        if (pthread_equal(w->thread, thread)) {
            return true;
        }
    }
    return false;
}

bool
tellers_are_busy_locked(const struct vclock *clock)
{
    for (const struct clock_teller *t = clock->tellers; t != NULL; t = t->next) {
        if (atomic_load(&t->untold) > 0 && !is_waiting_locked(clock, t->thread)) {
            return true;
        }
    }
    return false;
}

static bool
is_teller_locked(const struct vclock *clock)
{
    const struct clock_teller *t = clock->tellers;
    while (t != NULL && (atomic_load(&t->untold) == 0 ||
                         !pthread_equal(t->thread, pthread_self()))) {
        t = t->next;
    }
    return t != NULL;
}

struct timespec
teller_patience(void)
{
    int64_t until_ns = time_after(clock_monotonic_ns(), TELLER_PATIENCE_NS);
    return (struct timespec){.tv_sec = (time_t)(until_ns / NS_PER_S),
                             .tv_nsec = (long)(until_ns % NS_PER_S)};
}

bool
tellers_wait_locked(struct vclock *clock)
{
    if (!tellers_are_busy_locked(clock) || is_teller_locked(clock)) {
        return false;
    }
    struct timespec until = teller_patience();
    int err = 0;
    while (err == 0 && tellers_are_busy_locked(clock)) {
        err = pthread_cond_timedwait(&clock->told, &clock->lock, &until);
    }
    return true;
}
