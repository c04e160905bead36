/* Job queue of a thread pool: what waits to be run, and which threads wait for it.
 *
 * Jobs and seats are intrusive and first in, first out; a seat is one worker thread's
 * place.  A worker calls pool_enter(), pool_take() until it gets none, then
 * pool_sleep(), and so on until that says that it must leave.
 *
 * - At most one sleeper is on its way for queued jobs at a time: whoever takes a job
 *   wakes the next when more are queued.  So a burst of short jobs wakes one or two
 *   threads, and a job that blocks always has a successor behind it.  A thread that
 *   starts is not on its way in this sense: that may take long, and fail.
 * - A thread is started for a job that finds no seat, idle or starting, to count on.
 * - Jobs are queued only while somebody has a seat: who leaves last takes them along.
 *
 * The worker that went to sleep last is woken first, so that the others can time out.
 * Every function is thread-safe.  Python-free.
 */
#ifndef AH_BASE_POOL_H
#define AH_BASE_POOL_H

#include <pthread.h>
#include <semaphore.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum pool_job_state {
    POOL_JOB_NEW,
    POOL_JOB_QUEUED,
    POOL_JOB_TAKEN,   /* a worker has it */
    POOL_JOB_DROPPED, /* it left the queue without being run */
};

struct pool_job {
    struct pool_job *next;
    struct pool_job *prev;
    enum pool_job_state state; /* changed under the pool's lock */
};

enum pool_seat_state {
    POOL_SEAT_FREE,
    POOL_SEAT_CLAIMED,  /* somebody is starting a thread for it */
    POOL_SEAT_STARTING, /* that thread runs, and has not come for a job yet */
    POOL_SEAT_BUSY,     /* it took one */
    POOL_SEAT_IDLE,     /* it sleeps, or is about to */
    POOL_SEAT_WOKEN,    /* it will take a job */
    POOL_SEAT_LEFT,     /* who left it last still has to tell whose jobs were queued */
};

struct pool_seat {
    struct pool_seat *next;          /* of all seats, by index */
    struct pool_seat *above, *below; /* of the idle ones */
    sem_t wakeup;
    enum pool_seat_state state;
    pthread_t starter; /* who claimed it, or left it */
    unsigned index;
    bool leaving; /* its thread's own: pool_take() found the pool closed, or a fork */
};

struct pool {
    pthread_mutex_t lock;
    struct pool_job *head, *tail;
    size_t queued;
    struct pool_seat *seats; /* owned; those of threads that left are used again */
    struct pool_seat *lost;  /* owned: from before a fork; one may have a thread here */
    struct pool_seat *idle;  /* the one that went to sleep last */
    unsigned idle_count;
    unsigned starting; /* seats that are claimed or starting */
    unsigned woken;
    unsigned workers; /* seats that are not free */
    unsigned max_workers;
    unsigned most_workers;
    unsigned most_seats; /* a seat for each job that was queued or running at once */
    bool closed;
    pthread_cond_t settled; /* a seat is not claimed any more, or told */
};

struct pool_counts {
    size_t queued;
    unsigned workers;
    unsigned idle;
};

enum pool_submit_result {
    POOL_SUBMITTED = 0,
    POOL_NEEDS_WORKER = 1, /* start a thread for *seat, or pool_leave(it) */
};

enum pool_sleep_result {
    POOL_AWAKE, /* take a job */
    POOL_LEAVE, /* nothing came in time, or the pool is closed: the seat is gone */
};

#define POOL_NO_TIMEOUT INT64_MAX

int pool_init(struct pool *pool, unsigned max_workers); /* 0 or -errno */

/* Nobody uses it any more; jobs that are queued are the caller's (pool_drain). */
void pool_destroy(struct pool *pool);

/* Queue a job.  A pool_submit_result, -ESHUTDOWN when closed, or -ENOMEM. */
int pool_submit(struct pool *pool, struct pool_job *job, struct pool_seat **seat);

/* Take a queued job out: true for exactly one caller, and then nobody runs it. */
bool pool_remove(struct pool *pool, struct pool_job *job);

/* All queued jobs leave the queue: the first of a list by `next`, oldest first. */
struct pool_job *pool_drain(struct pool *pool);

/* The thread of this seat runs; from now on, the seat is its own. */
void pool_enter(struct pool *pool, struct pool_seat *seat);

/* No thread could be started.  True: others' jobs count on this seat, so try again. */
bool pool_is_wanted(struct pool *pool, struct pool_seat *seat);

/* The thread of this seat was not started, or ends early.  Who leaves last gets what
 * is queued, as from pool_drain(), and calls pool_told() afterwards; else NULL. */
struct pool_job *pool_leave(struct pool *pool, struct pool_seat *seat);
void pool_told(struct pool *pool, struct pool_seat *seat);

/* Wait until no other thread is starting one, or telling that it could not, at most
 * timeout_ns: false. */
bool pool_settle(struct pool *pool, int64_t timeout_ns);

/* A worker: the oldest job, or NULL: then call pool_sleep(). */
struct pool_job *pool_take(struct pool *pool, struct pool_seat *seat);

/* A worker that got no job waits for one, at most timeout_ns. */
enum pool_sleep_result pool_sleep(struct pool *pool, struct pool_seat *seat,
                                  int64_t timeout_ns);

/* No more jobs: workers run what is queued and leave.  Idempotent. */
void pool_close(struct pool *pool);

/* In a forked child, whose only thread is the caller: no worker is left, nothing is
 * queued (drain first, it takes no lock), and it is open unless it was closed.  A
 * worker that forked, in a job, leaves after it. */
void pool_after_fork(struct pool *pool);
struct pool_job *pool_drain_after_fork(struct pool *pool);

struct pool_counts pool_count(struct pool *pool);

#endif
