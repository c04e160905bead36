/* The drivers of a virtual clock, and time that passes; see clock_drivers.h. */
#include "base/clock_drivers.h"

#include "base/clock_teller.h"
#include "base/clock_verdict.h"
#include "base/clock_waits.h"
#include "base/list.h"

int64_t
drivers_lock(struct vclock *clock)
{
    pthread_mutex_lock(&clock->driving);
    pthread_mutex_lock(&clock->lock);
    clock->drives++;
    clock->mover = pthread_self();
    int64_t now_ns = clock->now;
    pthread_mutex_unlock(&clock->lock);
    return now_ns;
}

void
drivers_unlock(struct vclock *clock)
{
    pthread_mutex_lock(&clock->lock);
    clock->drives -= clock->drives > 0; /* 0: a driver has forked */
    verdict_pass_on_locked(clock);
    pthread_mutex_unlock(&clock->lock);
    pthread_mutex_unlock(&clock->driving);
}

int64_t
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
drivers_drive(struct vclock *clock, int64_t due_ns, int64_t now_ns)
{
    if (due_ns > now_ns) {
        return;
    }
    for (struct clock_driver *d = clock->drivers; d != NULL; d = d->next) {
        d->advance(d, now_ns);
    }
}

/* With `driving`, which is let go while somebody is told what has happened. */
static void
let_tell(struct vclock *clock)
{
    pthread_mutex_lock(&clock->lock);
    bool busy = tellers_are_busy_locked(clock);
    pthread_mutex_unlock(&clock->lock);
    if (busy) {
        drivers_unlock(clock);
        pthread_mutex_lock(&clock->lock);
        (void)tellers_wait_locked(clock);
        pthread_mutex_unlock(&clock->lock);
        (void)drivers_lock(clock);
    }
}

/* With `driving`. */
static void
advance_driving(struct vclock *clock, int64_t when_ns)
{
    int64_t stop;
    when_ns = when_ns < CLOCK_LAST ? when_ns : CLOCK_LAST;
    do {
        int64_t due = drivers_next_due(clock);
        stop = due < when_ns ? due : when_ns;
        pthread_mutex_lock(&clock->lock);
        waits_arrive_locked(clock, stop);
        stop = clock->now; /* not before, if something is overdue */
        pthread_mutex_unlock(&clock->lock);
        drivers_drive(clock, due, stop);
        let_tell(clock);
    } while (stop < when_ns);
}

void
vclock_advance_to(struct vclock *clock, int64_t when_ns)
{
    drivers_lock(clock);
    advance_driving(clock, when_ns);
    drivers_unlock(clock);
}

void
vclock_advance(struct vclock *clock, int64_t duration_ns)
{
    int64_t began_ns = drivers_lock(clock);
    advance_driving(clock, time_after(began_ns, duration_ns));
    drivers_unlock(clock);
}

bool
vclock_advance_alone(struct vclock *clock, const struct clock_driver *driver,
                     int64_t duration_ns, int64_t due_ns, int64_t *now_ns)
{
    pthread_mutex_lock(&clock->lock);
    int64_t when_ns = time_after(clock->now, duration_ns);
    bool alone = clock->drivers == driver && driver->next == NULL &&
                 clock->drives == 0 && when_ns < due_ns && when_ns <= CLOCK_LAST &&
                 !tellers_are_busy_locked(clock);
    if (alone) {
        waits_arrive_locked(clock, when_ns);
        *now_ns = when_ns;
    }
    pthread_mutex_unlock(&clock->lock);
    return alone;
}

void
vclock_add_driver(struct vclock *clock, struct clock_driver *driver)
{
    drivers_lock(clock);
    pthread_mutex_lock(&clock->lock);
    driver->next = clock->drivers;
    clock->drivers = driver;
    pthread_mutex_unlock(&clock->lock);
    drivers_unlock(clock);
}

void
vclock_remove_driver(struct vclock *clock, struct clock_driver *driver)
{
    drivers_lock(clock);
    pthread_mutex_lock(&clock->lock);
    LIST_REMOVE(clock->drivers, driver);
    pthread_mutex_unlock(&clock->lock);
    drivers_unlock(clock);
}
