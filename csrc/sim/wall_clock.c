/* The wall-clock thread; see wall_clock.h. */
#include "sim/wall_clock.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <time.h>

#include "base/lock.h"

/* Until something new is expected, or until `until`. */
static void
nap_locked(struct wall_clock *wall, int64_t until)
{
    wall->until = until;
    while (!wall->look && !wall->stop) {
        if (until == NS_NEVER) {
            pthread_cond_wait(&wall->wake, &wall->lock);
            continue;
        }
        struct timespec ts = {.tv_sec = (time_t)(until / NS_PER_S),
                              .tv_nsec = (long)(until % NS_PER_S)};
        if (until <= clock_monotonic_ns() ||
            pthread_cond_timedwait(&wall->wake, &wall->lock, &ts) == ETIMEDOUT) {
            break;
        }
    }
}

static void *
run_wall_clock(void *arg)
{
    struct wall_clock *wall = arg;
    pthread_mutex_lock(&wall->lock);
    while (!wall->stop) {
        wall->look = false;
        wall->until = NS_NEVER;
        pthread_mutex_unlock(&wall->lock);
        wall->driver->advance(wall->driver, clock_monotonic_ns());
        int64_t due = wall->driver->next_due(wall->driver);
        pthread_mutex_lock(&wall->lock);
        nap_locked(wall, due);
    }
    pthread_mutex_unlock(&wall->lock);
    return NULL;
}

int
wall_clock_init(struct wall_clock *wall, struct clock_driver *driver)
{
    memset(wall, 0, sizeof *wall);
    wall->driver = driver;
    wall->until = NS_NEVER;
    return monitor_init(&wall->lock, &wall->wake);
}

static int
start_locked(struct wall_clock *wall)
{
    sigset_t all, before;
    sigfillset(&all);
    /* Signals are for the program's own threads. */
    int err = -pthread_sigmask(SIG_SETMASK, &all, &before);
    if (err < 0) {
        return err;
    }
    err = -pthread_create(&wall->thread, NULL, run_wall_clock, wall);
    wall->has_thread = err == 0;
    if (wall->has_thread) {
        pthread_setname_np(wall->thread, "simulated-board"); /* for debuggers only */
    }
    int restored = -pthread_sigmask(SIG_SETMASK, &before, NULL);
    return err < 0 ? err : restored;
}

int
wall_clock_expect(struct wall_clock *wall, int64_t due_ns)
{
    int err = 0;
    if (due_ns == NS_NEVER) {
        return 0;
    }
    pthread_mutex_lock(&wall->lock);
    if (due_ns < wall->until) {
        wall->look = true;
        if (wall->has_thread) {
            pthread_cond_signal(&wall->wake);
        }
        else if (!wall->stop) {
            err = start_locked(wall);
        }
    }
    pthread_mutex_unlock(&wall->lock);
    return err;
}

void
wall_clock_stop(struct wall_clock *wall)
{
    pthread_mutex_lock(&wall->lock);
    wall->stop = true;
    pthread_cond_signal(&wall->wake);
    bool join = wall->has_thread;
    wall->has_thread = false;
    pthread_mutex_unlock(&wall->lock);
    if (join) {
        pthread_join(wall->thread, NULL);
    }
}

void
wall_clock_destroy(struct wall_clock *wall)
{
    monitor_destroy(&wall->lock, &wall->wake);
}
