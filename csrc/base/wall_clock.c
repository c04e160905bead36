/* The wall-clock thread; see wall_clock.h. */
#include "base/wall_clock.h"

#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include "base/lock.h"

/* When the thread wakes; while it sleeps, too, without waking it before. */
static int
set_alarm_locked(struct wall_clock *wall, int64_t when_ns)
{
    struct itimerspec when = {0}; /* NS_NEVER: none */
    if (when_ns != NS_NEVER) {
        when_ns = when_ns > 0 ? when_ns : 1;
        when.it_value.tv_sec = (time_t)(when_ns / NS_PER_S);
        when.it_value.tv_nsec = (long)(when_ns % NS_PER_S);
    }
    wall->until = when_ns;
    return timerfd_settime(wall->alarm_fd, TFD_TIMER_ABSTIME, &when, NULL) < 0 ? -errno
                                                                               : 0;
}

static void *
run_wall_clock(void *arg)
{
    struct wall_clock *wall = arg;
    int err = 0;
    pthread_mutex_lock(&wall->lock);
    while (!wall->stop && err == 0) {
        wall->until = NS_NEVER; /* from here on it is told what is due sooner */
        pthread_mutex_unlock(&wall->lock);
        wall->driver->advance(wall->driver, clock_monotonic_ns());
        int64_t due = wall->driver->next_due(wall->driver);
        pthread_mutex_lock(&wall->lock);
        if (due < wall->until && !wall->stop) {
            err = set_alarm_locked(wall, due);
        }
        pthread_mutex_unlock(&wall->lock);
        uint64_t count;
        while (err == 0 && read(wall->alarm_fd, &count, sizeof count) < 0) {
            err = errno == EINTR ? 0 : -errno;
        }
        pthread_mutex_lock(&wall->lock);
    }
    wall->error = err;
    pthread_mutex_unlock(&wall->lock);
    return NULL;
}

int
wall_clock_init(struct wall_clock *wall, struct clock_driver *driver, const char *name)
{
    memset(wall, 0, sizeof *wall);
    wall->name = name;
    wall->driver = driver;
    wall->until = NS_NEVER;
    wall->alarm_fd = -1;
    return lock_init(&wall->lock, PTHREAD_MUTEX_NORMAL);
}

static void
close_alarm(struct wall_clock *wall)
{
    if (wall->alarm_fd >= 0) {
        close(wall->alarm_fd);
        wall->alarm_fd = -1;
    }
}

static int
start_locked(struct wall_clock *wall)
{
    sigset_t all, before;
    wall->alarm_fd = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC);
    if (wall->alarm_fd < 0) {
        return -errno;
    }
    sigfillset(&all);
    /* Signals are for the program's own threads. */
    int err = -pthread_sigmask(SIG_SETMASK, &all, &before);
    if (err < 0) {
        return err;
    }
    err = -pthread_create(&wall->thread, NULL, run_wall_clock, wall);
    wall->has_thread = err == 0;
    if (wall->has_thread) {
        pthread_setname_np(wall->thread, wall->name);
    }
    int restored = -pthread_sigmask(SIG_SETMASK, &before, NULL);
    return err < 0 ? err : restored;
}

/* Is there a thread, after this? */
static int
ensure_started_locked(struct wall_clock *wall)
{
    if (wall->has_thread || wall->stop) {
        return 0;
    }
    int err = start_locked(wall);
    if (!wall->has_thread) {
        close_alarm(wall);
    }
    return err;
}

int
wall_clock_be_realtime(struct wall_clock *wall)
{
    const struct sched_param lowest = {.sched_priority =
                                           sched_get_priority_min(SCHED_FIFO)};
    pthread_mutex_lock(&wall->lock);
    int err = ensure_started_locked(wall);
    if (err == 0 && wall->has_thread) {
        err = -pthread_setschedparam(wall->thread, SCHED_FIFO, &lowest);
    }
    pthread_mutex_unlock(&wall->lock);
    return err;
}

bool
wall_clock_is_realtime(struct wall_clock *wall)
{
    int policy = SCHED_OTHER;
    struct sched_param param;
    pthread_mutex_lock(&wall->lock);
    bool is = wall->has_thread &&
              pthread_getschedparam(wall->thread, &policy, &param) == 0 &&
              policy == SCHED_FIFO;
    pthread_mutex_unlock(&wall->lock);
    return is;
}

int
wall_clock_expect(struct wall_clock *wall, int64_t due_ns)
{
    int err = 0;
    if (due_ns == NS_NEVER) {
        return 0;
    }
    pthread_mutex_lock(&wall->lock);
    if (!wall->has_thread) {
        err = ensure_started_locked(wall);
    }
    else if (due_ns < wall->until && !wall->stop) {
        err = wall->error < 0 ? wall->error : set_alarm_locked(wall, due_ns);
    }
    pthread_mutex_unlock(&wall->lock);
    return err;
}

void
wall_clock_stop(struct wall_clock *wall)
{
    pthread_mutex_lock(&wall->lock);
    wall->stop = true;
    bool join = wall->has_thread;
    if (join) {
        (void)set_alarm_locked(wall, 1); /* a descriptor and a time that are right */
    }
    wall->has_thread = false;
    pthread_mutex_unlock(&wall->lock);
    if (join) {
        pthread_join(wall->thread, NULL);
    }
    close_alarm(wall);
}

void
wall_clock_in_child(struct wall_clock *wall)
{
    close_alarm(wall);
}

void
wall_clock_destroy(struct wall_clock *wall)
{
    close_alarm(wall);
    pthread_mutex_destroy(&wall->lock);
}
