/* Watchdog: tells a second thread, while it happens, that something takes too long.
 *
 * The watched thread says what begins (watchdog_begin: one store) and that nothing runs
 * any more (watchdog_end).  The watching thread sleeps in watchdog_wait() until one
 * thing has run for the limit.  It wakes at most once per limit while there is work;
 * while there is none it is parked and does not wake at all, and the next beginning
 * unparks it.  A stamp names what runs: its beginning, in units of 1024 ns, never 0.
 * The watching thread may come late, for want of a CPU or of Python's lock: a find says
 * when it was due.  After a fork the child has no watching thread: there every call
 * does nothing.  Python-free.
 */
#ifndef AH_BASE_WATCHDOG_H
#define AH_BASE_WATCHDOG_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

struct watchdog {
    atomic_uint since;  /* stamp of what runs now; 0: nothing */
    atomic_bool parked; /* the watching thread waits for a beginning */
    pid_t pid;          /* of who made it */
    pthread_mutex_t lock;
    pthread_cond_t changed;
    int64_t limit_ns; /* under the lock */
    int64_t armed_ns; /* under the lock: since when the limit is as low as that */
    bool stopped;     /* under the lock */
};

/* What has run for the limit; times are since its beginning. */
struct watchdog_find {
    unsigned stamp;
    int64_t watched_ns; /* from when on it was watched: after the last find, mostly */
    int64_t due_ns;     /* when it was to be found; a busy machine makes that late */
    int64_t cpu_ns;     /* CPU time of the process when it was found */
};

/* 0 or -errno. */
int watchdog_open(struct watchdog *dog);
void watchdog_close(struct watchdog *dog); /* nobody waits any more */

static inline unsigned
watchdog_stamp(int64_t now_ns)
{
    return (unsigned)((uint64_t)now_ns >> 10) | 1U;
}

void watchdog_unpark(struct watchdog *dog);

/* Something begins; what ran before has ended. */
static inline void
watchdog_begin(struct watchdog *dog, int64_t now_ns)
{
    /* Both in one order with the other side's `parked`, `since`: one of us sees it. */
    atomic_store(&dog->since, watchdog_stamp(now_ns));
    if (atomic_load(&dog->parked)) {
        watchdog_unpark(dog);
    }
}

static inline void
watchdog_end(struct watchdog *dog)
{
    atomic_store_explicit(&dog->since, 0, memory_order_release);
}

/* What runs now, 0: nothing. */
static inline unsigned
watchdog_now(struct watchdog *dog)
{
    return atomic_load(&dog->since);
}

/* How long what began at this stamp has run, to about 1 us. */
int64_t watchdog_elapsed_ns(unsigned stamp, int64_t now_ns);

/* From any thread: how long something may take; the wait goes by it at once. */
void watchdog_limit(struct watchdog *dog, int64_t limit_ns);

/* From any thread: watchdog_wait() returns 0, now and ever after. */
void watchdog_stop(struct watchdog *dog);

/* Find what has run for the limit; false: stopped.  Given the stamp that it found
 * last, it finds it again a little later (1/16 of its time so far, at least 2 ms). */
bool watchdog_wait(struct watchdog *dog, unsigned last, struct watchdog_find *find);

/* CPU time that this process has had. */
int64_t watchdog_cpu_ns(void);

#endif
