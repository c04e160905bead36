/* Job queue of a thread pool; see pool.h. */
#include "base/pool.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "base/lock.h"

/* -- seats ----------------------------------------------------------------- */

/* The free seat with the lowest index, or a new one; NULL: no memory. */
static struct pool_seat *
seat_claim_locked(struct pool *pool)
{
    struct pool_seat **link = &pool->seats;
    unsigned index = 0;
    while (*link != NULL && (*link)->state != POOL_SEAT_FREE) {
        link = &(*link)->next;
        index++;
    }
    if (*link == NULL) {
        struct pool_seat *seat = calloc(1, sizeof *seat);
        if (seat == NULL) {
            return NULL;
        }
        if (sem_init(&seat->wakeup, 0, 0) < 0) {
            free(seat);
            return NULL;
        }
        seat->index = index;
        *link = seat;
    }
    (*link)->state = POOL_SEAT_CLAIMED;
    (*link)->starter = pthread_self();
    pool->starting++;
    pool->workers++;
    return *link;
}

static void
seat_free_locked(struct pool *pool, struct pool_seat *seat)
{
    seat->state = POOL_SEAT_FREE;
    pool->workers--;
}

/* What was expected of it has come, or will not. */
static void
seat_arrived_locked(struct pool *pool, struct pool_seat *seat)
{
    if (seat->state == POOL_SEAT_CLAIMED || seat->state == POOL_SEAT_STARTING) {
        pool->starting--;
    }
    else if (seat->state == POOL_SEAT_WOKEN) {
        pool->woken--;
    }
}

static void
push_idle_locked(struct pool *pool, struct pool_seat *seat)
{
    seat->state = POOL_SEAT_IDLE;
    seat->above = NULL;
    seat->below = pool->idle;
    if (pool->idle != NULL) {
        pool->idle->above = seat;
    }
    pool->idle = seat;
    pool->idle_count++;
}

static void
unlink_idle_locked(struct pool *pool, struct pool_seat *seat)
{
    if (seat->above != NULL) {
        seat->above->below = seat->below;
    }
    else {
        pool->idle = seat->below;
    }
    if (seat->below != NULL) {
        seat->below->above = seat->above;
    }
    pool->idle_count--;
}

/* The sleeper to be woken (by sem_post, without the lock), or NULL. */
static struct pool_seat *
call_sleeper_locked(struct pool *pool)
{
    struct pool_seat *seat = pool->idle;
    if (seat != NULL) {
        unlink_idle_locked(pool, seat);
        seat->state = POOL_SEAT_WOKEN;
        pool->woken++;
    }
    return seat;
}

/* The same, when there is a job that nobody is on his way for. */
static struct pool_seat *
call_if_needed_locked(struct pool *pool)
{
    return pool->queued > 0 && pool->woken == 0 ? call_sleeper_locked(pool) : NULL;
}

static void
wake(struct pool_seat *sleeper)
{
    if (sleeper != NULL) {
        sem_post(&sleeper->wakeup);
    }
}

/* -- the queue ------------------------------------------------------------- */

static void
append_locked(struct pool *pool, struct pool_job *job)
{
    job->state = POOL_JOB_QUEUED;
    job->next = NULL;
    job->prev = pool->tail;
    if (pool->tail != NULL) {
        pool->tail->next = job;
    }
    else {
        pool->head = job;
    }
    pool->tail = job;
    pool->queued++;
}

static void
unlink_locked(struct pool *pool, struct pool_job *job, enum pool_job_state state)
{
    if (job->prev != NULL) {
        job->prev->next = job->next;
    }
    else {
        pool->head = job->next;
    }
    if (job->next != NULL) {
        job->next->prev = job->prev;
    }
    else {
        pool->tail = job->prev;
    }
    job->next = job->prev = NULL;
    job->state = state;
    pool->queued--;
}

static struct pool_job *
drain_locked(struct pool *pool)
{
    struct pool_job *first = pool->head;
    for (struct pool_job *job = first; job != NULL; job = job->next) {
        job->state = POOL_JOB_DROPPED;
    }
    pool->head = pool->tail = NULL;
    pool->queued = 0;
    return first;
}

/* -- life ------------------------------------------------------------------ */

int
pool_init(struct pool *pool, unsigned max_workers)
{
    memset(pool, 0, sizeof *pool);
    pool->max_workers = max_workers;
    return monitor_init(&pool->lock, &pool->settled);
}

static void
free_seats(struct pool_seat *seat)
{
    while (seat != NULL) {
        struct pool_seat *next = seat->next;
        sem_destroy(&seat->wakeup);
        free(seat);
        seat = next;
    }
}

void
pool_destroy(struct pool *pool)
{
    free_seats(pool->seats);
    free_seats(pool->lost);
    monitor_destroy(&pool->lock, &pool->settled);
}

void
pool_close(struct pool *pool)
{
    pthread_mutex_lock(&pool->lock);
    pool->closed = true;
    struct pool_seat *seat;
    while ((seat = call_sleeper_locked(pool)) != NULL) {
        sem_post(&seat->wakeup);
    }
    pthread_mutex_unlock(&pool->lock);
}

struct pool_job *
pool_drain_after_fork(struct pool *pool)
{
    return drain_locked(pool);
}

void
pool_after_fork(struct pool *pool)
{
    /* Other threads of the parent may have held the lock, and waited.  Making them
     * anew cannot fail where it once has not. */
    (void)monitor_init(&pool->lock, &pool->settled);
    while (pool->seats != NULL) {
        struct pool_seat *seat = pool->seats;
        pool->seats = seat->next;
        seat->leaving = true;
        seat->next = pool->lost;
        pool->lost = seat;
    }
    pool->idle = NULL;
    pool->idle_count = pool->starting = pool->woken = pool->workers = 0;
}

/* -- who brings jobs ------------------------------------------------------- */

/* More jobs wait than have somebody to count on. */
static bool
is_short_locked(struct pool *pool, size_t jobs, unsigned starting)
{
    return jobs > (size_t)pool->idle_count + pool->woken + starting;
}

static void
note_most_locked(struct pool *pool)
{
    unsigned free = pool->idle_count + pool->woken + pool->starting;
    size_t jobs = pool->queued + pool->workers - free;
    unsigned seats = jobs < pool->max_workers ? (unsigned)jobs : pool->max_workers;
    if (seats > pool->most_seats) {
        pool->most_seats = seats;
    }
    if (pool->workers > pool->most_workers) {
        pool->most_workers = pool->workers;
    }
}

int
pool_submit(struct pool *pool, struct pool_job *job, struct pool_seat **seat)
{
    struct pool_seat *sleeper = NULL;
    int result = POOL_SUBMITTED;
    pthread_mutex_lock(&pool->lock);
    if (pool->closed) {
        result = -ESHUTDOWN;
    }
    else if (pool->workers < pool->max_workers &&
             is_short_locked(pool, pool->queued + 1, pool->starting)) {
        *seat = seat_claim_locked(pool);
        result = *seat != NULL ? POOL_NEEDS_WORKER : -ENOMEM;
    }
    if (result >= 0) {
        append_locked(pool, job);
        note_most_locked(pool);
        sleeper = call_if_needed_locked(pool);
    }
    pthread_mutex_unlock(&pool->lock);
    wake(sleeper);
    return result;
}

bool
pool_remove(struct pool *pool, struct pool_job *job)
{
    pthread_mutex_lock(&pool->lock);
    bool queued = job->state == POOL_JOB_QUEUED;
    if (queued) {
        unlink_locked(pool, job, POOL_JOB_DROPPED);
    }
    pthread_mutex_unlock(&pool->lock);
    return queued;
}

struct pool_job *
pool_drain(struct pool *pool)
{
    pthread_mutex_lock(&pool->lock);
    struct pool_job *first = drain_locked(pool);
    pthread_mutex_unlock(&pool->lock);
    return first;
}

struct pool_counts
pool_count(struct pool *pool)
{
    pthread_mutex_lock(&pool->lock);
    struct pool_counts counts = {pool->queued, pool->workers, pool->idle_count};
    pthread_mutex_unlock(&pool->lock);
    return counts;
}

/* -- workers --------------------------------------------------------------- */

void
pool_enter(struct pool *pool, struct pool_seat *seat)
{
    if (seat->leaving) {
        return;
    }
    pthread_mutex_lock(&pool->lock);
    seat->state = POOL_SEAT_STARTING;
    pthread_cond_broadcast(&pool->settled);
    pthread_mutex_unlock(&pool->lock);
}

bool
pool_is_wanted(struct pool *pool, struct pool_seat *seat)
{
    if (seat->leaving) {
        return false;
    }
    pthread_mutex_lock(&pool->lock);
    bool wanted = is_short_locked(pool, pool->queued, pool->starting - 1);
    pthread_mutex_unlock(&pool->lock);
    return wanted;
}

struct pool_job *
pool_leave(struct pool *pool, struct pool_seat *seat)
{
    struct pool_seat *sleeper = NULL;
    struct pool_job *left = NULL;
    if (seat->leaving) {
        return NULL; /* not counted any more */
    }
    pthread_mutex_lock(&pool->lock);
    seat_arrived_locked(pool, seat);
    seat_free_locked(pool, seat);
    if (pool->workers == 0) {
        left = drain_locked(pool);
        if (left != NULL) {
            seat->state = POOL_SEAT_LEFT;
            seat->starter = pthread_self();
        }
    }
    else {
        sleeper = call_if_needed_locked(pool);
    }
    pthread_cond_broadcast(&pool->settled);
    pthread_mutex_unlock(&pool->lock);
    wake(sleeper);
    return left;
}

void
pool_told(struct pool *pool, struct pool_seat *seat)
{
    if (seat->leaving) {
        return;
    }
    pthread_mutex_lock(&pool->lock);
    seat->state = POOL_SEAT_FREE;
    pthread_cond_broadcast(&pool->settled);
    pthread_mutex_unlock(&pool->lock);
}

static bool
is_claimed_by_others_locked(const struct pool *pool)
{
    pthread_t self = pthread_self();
    for (const struct pool_seat *seat = pool->seats; seat != NULL; seat = seat->next) {
        if ((seat->state == POOL_SEAT_CLAIMED || seat->state == POOL_SEAT_LEFT) &&
            !pthread_equal(seat->starter, self)) {
            return true;
        }
    }
    return false;
}

bool
pool_settle(struct pool *pool, int64_t timeout_ns)
{
    const int64_t until_ns = clock_monotonic_ns() + timeout_ns;
    const struct timespec until = {.tv_sec = (time_t)(until_ns / NS_PER_S),
                                   .tv_nsec = (long)(until_ns % NS_PER_S)};
    int err = 0;
    bool unsettled;
    pthread_mutex_lock(&pool->lock);
    while ((unsettled = is_claimed_by_others_locked(pool)) && err == 0) {
        err = pthread_cond_timedwait(&pool->settled, &pool->lock, &until);
    }
    pthread_mutex_unlock(&pool->lock);
    return !unsettled;
}

struct pool_job *
pool_take(struct pool *pool, struct pool_seat *seat)
{
    struct pool_seat *sleeper = NULL;
    if (seat->leaving) {
        return NULL;
    }
    pthread_mutex_lock(&pool->lock);
    seat_arrived_locked(pool, seat);
    struct pool_job *job = pool->head;
    if (job != NULL) {
        unlink_locked(pool, job, POOL_JOB_TAKEN);
        seat->state = POOL_SEAT_BUSY;
        sleeper = call_if_needed_locked(pool);
    }
    else if (pool->closed) {
        seat_free_locked(pool, seat);
        seat->leaving = true; /* nobody claims it: a closed pool takes no jobs */
    }
    else {
        push_idle_locked(pool, seat);
    }
    pthread_mutex_unlock(&pool->lock);
    wake(sleeper);
    return job;
}

static void
wait_for_wakeup(struct pool_seat *seat)
{
    while (sem_wait(&seat->wakeup) < 0) {
        /* EINTR: signal handlers run in the main thread */
    }
}

/* False: the time is over.  sem_timedwait() knows CLOCK_REALTIME only; when that is
 * set, an idle thread lives shorter or longer, which does no harm. */
static bool
wait_for_wakeup_until(struct pool_seat *seat, int64_t timeout_ns)
{
    struct timespec until;
    clock_gettime(CLOCK_REALTIME, &until);
    int64_t ns = until.tv_nsec + timeout_ns % NS_PER_S;
    int64_t s = until.tv_sec + timeout_ns / NS_PER_S + ns / NS_PER_S;
    until.tv_sec = (time_t)s;
    until.tv_nsec = (long)(ns % NS_PER_S);
    if (until.tv_sec != s) { /* 32 bits: beyond 2038 */
        wait_for_wakeup(seat);
        return true;
    }
    while (sem_timedwait(&seat->wakeup, &until) < 0) {
        if (errno == ETIMEDOUT) {
            return false;
        }
    }
    return true;
}

/* True: it leaves.  False: somebody is waking it just now. */
static bool
leave_when_idle(struct pool *pool, struct pool_seat *seat)
{
    bool idle;
    pthread_mutex_lock(&pool->lock);
    idle = seat->state == POOL_SEAT_IDLE;
    if (idle) {
        unlink_idle_locked(pool, seat);
        if (pool->queued > 0) {
            /* Its absence was not reckoned with when these were queued. */
            seat->state = POOL_SEAT_WOKEN;
            pool->woken++;
            sem_post(&seat->wakeup);
            idle = false;
        }
        else {
            seat_free_locked(pool, seat);
        }
    }
    pthread_mutex_unlock(&pool->lock);
    return idle;
}

enum pool_sleep_result
pool_sleep(struct pool *pool, struct pool_seat *seat, int64_t timeout_ns)
{
    if (seat->leaving) {
        return POOL_LEAVE;
    }
    if (timeout_ns == POOL_NO_TIMEOUT) {
        wait_for_wakeup(seat);
    }
    else if (!wait_for_wakeup_until(seat, timeout_ns)) {
        if (leave_when_idle(pool, seat)) {
            return POOL_LEAVE;
        }
        wait_for_wakeup(seat);
    }
    return POOL_AWAKE;
}
