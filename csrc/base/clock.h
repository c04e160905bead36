/* Time: int64 nanoseconds.  The monotonic clock, and the virtual one.
 *
 * A virtual clock stands still until nobody has anything left to do; then it jumps to
 * what is due next.  Who takes part:
 *   - waits: threads in vclock_wait_until(), and the loop when it has nothing ready;
 *   - one loop at most: while it runs a callback, nobody jumps;
 *   - holds: work that takes no virtual time but is not finished (an executor job, a
 *     child, a look-up): while one of them is not in a wait, nobody jumps;
 *   - drivers: simulated devices, which have something due at a time.
 * Whether the clock may jump, and where to, is decided in one place, by whoever waits,
 * with both locks held; a thread leaves the jump to the loop if that waits, too.  Every
 * change that may let the clock go on wakes a wait, which decides anew.
 *
 * Every function is thread-safe.  Lock order: `driving` (recursive, held while drivers
 * run and while their list changes), a driver's own locks, `lock`.  So whoever moves
 * the clock holds no lock that a driver takes, nor the GIL if a holder of such a lock
 * may wait for it.  Python-free.
 */
#ifndef AH_BASE_CLOCK_H
#define AH_BASE_CLOCK_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>
#include <time.h>

#include "base/token.h"

#define NS_PER_S INT64_C(1000000000)
#define NS_PER_MS INT64_C(1000000)
#define NS_PER_US INT64_C(1000)
#define NS_NEVER INT64_MAX
/* The end of time: no virtual clock goes further, so what is due soon is a number. */
#define CLOCK_LAST (INT64_C(9000000000) * NS_PER_S)

static inline int64_t
clock_monotonic_ns(void)
{
    struct timespec ts;
    clock_gettime(CLOCK_MONOTONIC, &ts);
    return (int64_t)ts.tv_sec * NS_PER_S + ts.tv_nsec;
}

static inline double
clock_seconds(int64_t ns)
{
    return (double)ns / 1e9;
}

/* A time plus a duration of 0 or more; ends short of NS_NEVER. */
static inline int64_t
time_after(int64_t when_ns, int64_t duration_ns)
{
    int64_t sum;
    bool overflow = __builtin_add_overflow(when_ns, duration_ns, &sum);
    return overflow || sum == NS_NEVER ? NS_NEVER - 1 : sum;
}

/* A device in time; all those of a simulated board are on one clock. */
struct device_time {
    struct vclock *clock; /* the present one, NULL: monotonic; told to any of them */
    struct vclock *told;  /* by its own use_clock; whoever calls that owns it */
    bool speaks;          /* it was told, if only of real time; a real device: true */
};

/* Something with events of its own on a virtual clock (a simulated world). */
struct clock_driver {
    struct clock_driver *next; /* the clock's list */
    /* When something is due next, or NS_NEVER. */
    int64_t (*next_due)(struct clock_driver *driver);
    /* Let happen everything that is due up to and including `now`; not called while
     * nothing is. */
    void (*advance)(struct clock_driver *driver, int64_t now_ns);
};

/* Who tells others, in a thread of its own, what has happened on the clock (a board its
 * parts): it tells that at the time it happened, so until then time stands still. */
struct clock_teller {
    struct clock_teller *next; /* the clock's list */
    atomic_int untold;
    pthread_t thread; /* set before anything is untold */
};

/* What kind of work holds; and of which kind is a thread that waits, which so makes up
 * for one such hold: it is its own. */
enum clock_work {
    WORK_JOB,    /* a job of our executor */
    WORK_THREAD, /* of any other thread: VirtualClock.hold() */
    WORK_CHILD,  /* a process */
    WORK_JOIN,   /* the end of all jobs is waited for: they hold, or else this does */
    WORK_KINDS,  /* of a wait: the loop's thread or the main one, which hold nothing */
};

/* One wait, on the stack of who waits. */
struct clock_wait {
    int64_t deadline;               /* NS_NEVER: none */
    int fd;                         /* readable: the wait is over; -1: none */
    const struct token_set *tokens; /* cancelled: so is the wait; or NULL */
    bool is_loop; /* it has nothing ready; else a thread that blocks */
    bool outside; /* real time may bring something, too: it is never for ever */
    int wake_fd;  /* a loop's: a wake-up that makes fd readable; else the clock's own */

    /* The clock's own. */
    struct clock_wait *next;
    pthread_t thread;
    enum clock_work work;
    int over; /* -errno that ends it, or 0 */

    /* Afterwards: nobody's descriptor was readable when it jumped, and no driver did
     * anything since, so it need not be asked again. */
    bool undisturbed;
};

#define CLOCK_ENDED_MAX 16

struct vclock {
    pthread_mutex_t driving;
    pthread_mutex_t lock;
    int64_t now;
    int64_t limit_ns; /* how far waits may move it; NS_NEVER: no limit */
    int64_t end;      /* that is, until then */
    struct clock_driver *drivers;
    struct clock_teller *tellers;
    pthread_cond_t told; /* one of them has nothing to tell any more */
    struct clock_wait *waits;
    int holds[WORK_KINDS]; /* unfinished work */
    unsigned drives;       /* how often `driving` is taken, all by `mover` */
    pthread_t mover;
    unsigned long ended[CLOCK_ENDED_MAX]; /* threads; see vclock_ended() */
    int num_ended;
    unsigned forks; /* counts: who comes back from a fork in the child finds out */

    bool has_loop;
    pthread_t loop_thread;
    pid_t loop_number;    /* of that thread */
    int64_t loop_cpu_ns;  /* its CPU time when somebody looked, */
    int64_t quiet_since;  /* since when that is so, and nobody was seen awake */
    int64_t sleeps;       /* how often other threads had gone to sleep by then, */
    int64_t silent_since; /* since when that is so: nobody was awake in between */
};

int vclock_init(struct vclock *clock, int64_t start_ns); /* 0 or -errno */
void vclock_destroy(struct vclock *clock);
/* In the child of a fork, whose threads, loop and devices are not there. */
void vclock_after_fork(struct vclock *clock);
int64_t vclock_now(struct vclock *clock);

/* From now on waits move the clock by limit_ns at most.  When something is due later
 * than that, every wait ends with -ETIME, and the limit counts anew: for clean-up. */
void vclock_set_limit(struct vclock *clock, int64_t limit_ns);

/* Time passes: now += or becomes; drivers advance through every due time on the way. */
void vclock_advance(struct vclock *clock, int64_t duration_ns);
void vclock_advance_to(struct vclock *clock, int64_t when_ns);

/* Time passes at once, until *now_ns, for a driver that has nothing due before due_ns,
 * is the clock's only one, and may hold any lock but `lock`.  Not so, or somebody else
 * moves the clock: false, and nothing has happened. */
bool vclock_advance_alone(struct vclock *clock, const struct clock_driver *driver,
                          int64_t duration_ns, int64_t due_ns, int64_t *now_ns);

void vclock_add_driver(struct vclock *clock, struct clock_driver *driver);
void vclock_remove_driver(struct vclock *clock, struct clock_driver *driver);

void vclock_add_teller(struct vclock *clock, struct clock_teller *teller);
void vclock_remove_teller(struct vclock *clock, struct clock_teller *teller);
/* A teller has told something: has time waited for that? */
void vclock_told(struct vclock *clock);

void vclock_hold(struct vclock *clock, enum clock_work work);
/* -EINVAL: there is no such hold (any more: in the child of a fork). */
int vclock_release(struct vclock *clock, enum clock_work work);

/* The calling thread runs a loop on this clock, from now on.  -EBUSY when another loop
 * does already. */
int vclock_attach_loop(struct vclock *clock);
void vclock_detach_loop(struct vclock *clock);

/* The threads (pthread_t) that blocked when waits were last ended by -EDEADLK or
 * -ETIME, CLOCK_ENDED_MAX at most.  How many. */
int vclock_ended(struct vclock *clock, unsigned long *threads);

/* The loop's wait ended so, and it has told why: now those of threads end. */
void vclock_end_waits(struct vclock *clock, int err);

/* Wait, and let the clock jump while nobody has anything left to do.  A block_result
 * (ready.h) or -errno:
 *   -EDEADLK  nothing is due that could end this wait, or any other;
 *   -ETIME    what is due next lies beyond the clock's limit;
 *   -EINTR    a signal came, or it has jumped for a while: look for signals, come back.
 * A loop's wait is over also after each jump of its own: it looks what came of it.
 *
 * Where no loop waits, work that holds the clock gets a millisecond of real time before
 * each jump, not for ever: it may be waiting for this very thread.  A loop that is
 * stuck in a callback (stuck.h) counts as none. */
int vclock_wait_until(struct vclock *clock, struct clock_wait *wait);

#endif
