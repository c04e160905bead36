/* Drives one clock_driver in real time: what a virtual clock does without.
 *
 * One thread, started when something is first expected and joined by
 * wall_clock_stop(); it sleeps until the driver's next due time on the monotonic
 * clock, which moves to an earlier one without waking it.  It never runs Python and
 * blocks all signals.  The driver's functions are called without `lock`; they may call
 * wall_clock_expect().  Python-free.
 */
#ifndef AH_BASE_WALL_CLOCK_H
#define AH_BASE_WALL_CLOCK_H

#include <pthread.h>
#include <stdbool.h>

#include "base/clock.h"

struct wall_clock {
    struct clock_driver *driver;
    const char *name;
    pthread_mutex_t lock;
    pthread_t thread;
    bool has_thread;
    bool stop;
    int alarm_fd;  /* a timerfd, from when the thread is started; else -1 */
    int64_t until; /* the thread sleeps until then; NS_NEVER also while it looks */
    int error;     /* -errno that ended the thread */
};

/* `name`: of its thread, for debuggers; 15 characters. */
int wall_clock_init(struct wall_clock *wall, struct clock_driver *driver,
                    const char *name);

/* The driver has something due at `due_ns`: wake in time.  0, or -errno when the
 * thread cannot be started (then nothing will happen by itself). */
int wall_clock_expect(struct wall_clock *wall, int64_t due_ns);

/* Have the thread, which is started for that, run before all that have no real-time
 * priority (SCHED_FIFO); 0 or -errno, -EPERM above all.  It stays what it was then. */
int wall_clock_be_realtime(struct wall_clock *wall);
bool wall_clock_is_realtime(struct wall_clock *wall);

/* Join the thread; nothing is driven afterwards.  Idempotent; call with no lock
 * that the driver takes. */
void wall_clock_stop(struct wall_clock *wall);
/* In a fork's child, where the thread is not, nor is this used any more. */
void wall_clock_in_child(struct wall_clock *wall);
void wall_clock_destroy(struct wall_clock *wall); /* stopped before */

#endif
