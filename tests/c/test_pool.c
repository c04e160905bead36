/* base/pool.h: order, who is woken, removal exactly once, close, threads that start
 * slowly or not at all, and a stress of all.
 */
#include <errno.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/pool.h"
#include "check.h"

#define CONTAINER(ptr, type, member) ((type *)((char *)(ptr) - offsetof(type, member)))

static struct pool_seat *
submit_new_worker(struct pool *pool, struct pool_job *job)
{
    struct pool_seat *seat = NULL;
    CHECK_EQ(pool_submit(pool, job, &seat), POOL_NEEDS_WORKER);
    return seat;
}

static void
submit_to_a_worker(struct pool *pool, struct pool_job *job)
{
    struct pool_seat *none = NULL;
    CHECK_EQ(pool_submit(pool, job, &none), POOL_SUBMITTED);
    CHECK(none == NULL);
}

static void
test_first_in_first_out(void)
{
    struct pool pool;
    struct pool_job jobs[3] = {0};
    CHECK_EQ(pool_init(&pool, 1), 0);
    struct pool_seat *seat = submit_new_worker(&pool, &jobs[0]);
    REQUIRE(seat != NULL);
    struct pool_seat *none = NULL;
    CHECK_EQ(pool_submit(&pool, &jobs[1], &none), POOL_SUBMITTED);
    CHECK_EQ(pool_submit(&pool, &jobs[2], &none), POOL_SUBMITTED);
    CHECK(none == NULL);
    CHECK_EQ(pool_count(&pool).queued, 3);
    for (int i = 0; i < 3; i++) {
        CHECK(pool_take(&pool, seat) == &jobs[i]);
        CHECK_EQ(jobs[i].state, POOL_JOB_TAKEN);
    }
    CHECK(pool_take(&pool, seat) == NULL);
    CHECK_EQ(pool_count(&pool).idle, 1);
    CHECK_EQ(pool_sleep(&pool, seat, 0), POOL_LEAVE);
    CHECK_EQ(pool_count(&pool).workers, 0);
    pool_destroy(&pool);
}

static void
test_a_worker_per_waiting_job_up_to_the_limit(void)
{
    struct pool pool;
    struct pool_job jobs[4] = {0};
    struct pool_seat *seats[2];
    CHECK_EQ(pool_init(&pool, 2), 0);
    seats[0] = submit_new_worker(&pool, &jobs[0]);
    seats[1] = submit_new_worker(&pool, &jobs[1]);
    REQUIRE(seats[0] != NULL && seats[1] != NULL);
    CHECK_EQ(seats[0]->index, 0);
    CHECK_EQ(seats[1]->index, 1);
    struct pool_seat *none = NULL;
    CHECK_EQ(pool_submit(&pool, &jobs[2], &none), POOL_SUBMITTED);
    for (int i = 0; i < 3; i++) {
        CHECK(pool_take(&pool, seats[i % 2]) == &jobs[i]);
    }
    /* Seat 0 is idle, and is woken for the next job; no thread is started. */
    CHECK(pool_take(&pool, seats[0]) == NULL);
    CHECK_EQ(pool_submit(&pool, &jobs[3], &none), POOL_SUBMITTED);
    CHECK_EQ(pool_sleep(&pool, seats[0], 0), POOL_AWAKE);
    CHECK(pool_take(&pool, seats[0]) == &jobs[3]);
    /* Its number is free again when a thread has left. */
    CHECK(pool_take(&pool, seats[0]) == NULL);
    CHECK_EQ(pool_sleep(&pool, seats[0], NS_PER_MS), POOL_LEAVE);
    struct pool_job again = {0};
    CHECK(submit_new_worker(&pool, &again) == seats[0]);
    pool_destroy(&pool);
}

/* A pool of two workers that have run two jobs and are idle; b slept last. */
static void
make_two_idle(struct pool *pool, struct pool_job *jobs, struct pool_seat **a,
              struct pool_seat **b)
{
    CHECK_EQ(pool_init(pool, 2), 0);
    *a = submit_new_worker(pool, &jobs[0]);
    *b = submit_new_worker(pool, &jobs[1]);
    REQUIRE(*a != NULL && *b != NULL);
    CHECK(pool_take(pool, *a) == &jobs[0]);
    CHECK(pool_take(pool, *a) == &jobs[1]);
    CHECK(pool_take(pool, *a) == NULL);
    CHECK(pool_take(pool, *b) == NULL);
}

static void
test_taking_a_job_calls_a_successor(void)
{
    struct pool pool;
    struct pool_job jobs[4] = {0};
    struct pool_seat *none = NULL;
    struct pool_seat *a = NULL, *b = NULL;
    make_two_idle(&pool, jobs, &a, &b);
    REQUIRE(a != NULL && b != NULL);
    /* b slept last: it is woken, and only it, for two jobs. */
    CHECK_EQ(pool_submit(&pool, &jobs[2], &none), POOL_SUBMITTED);
    CHECK_EQ(pool_submit(&pool, &jobs[3], &none), POOL_SUBMITTED);
    CHECK_EQ(pool_count(&pool).idle, 1);
    CHECK_EQ(pool_sleep(&pool, b, POOL_NO_TIMEOUT), POOL_AWAKE);
    CHECK(pool_take(&pool, b) == &jobs[2]);
    /* Now a is on its way, in case that job blocks. */
    CHECK_EQ(pool_count(&pool).idle, 0);
    CHECK_EQ(pool_sleep(&pool, a, POOL_NO_TIMEOUT), POOL_AWAKE);
    CHECK(pool_take(&pool, a) == &jobs[3]);
    pool_destroy(&pool);
}

static void
test_nobody_times_out_on_a_queued_job(void)
{
    struct pool pool;
    struct pool_job jobs[4] = {0};
    struct pool_seat *none = NULL;
    struct pool_seat *a = NULL, *b = NULL;
    make_two_idle(&pool, jobs, &a, &b);
    REQUIRE(a != NULL && b != NULL);
    CHECK_EQ(pool_submit(&pool, &jobs[2], &none), POOL_SUBMITTED);
    CHECK_EQ(pool_submit(&pool, &jobs[3], &none), POOL_SUBMITTED);
    /* a was not called, and its time is over; but b alone might block. */
    CHECK_EQ(pool_sleep(&pool, a, 0), POOL_AWAKE);
    CHECK(pool_take(&pool, a) == &jobs[2]);
    CHECK_EQ(pool_sleep(&pool, b, 0), POOL_AWAKE);
    CHECK(pool_take(&pool, b) == &jobs[3]);
    pool_destroy(&pool);
}

static void
test_remove_and_drain(void)
{
    struct pool pool;
    struct pool_job jobs[4] = {0};
    struct pool_seat *none = NULL;
    CHECK_EQ(pool_init(&pool, 1), 0);
    struct pool_seat *seat = submit_new_worker(&pool, &jobs[0]);
    REQUIRE(seat != NULL);
    for (int i = 1; i < 4; i++) {
        CHECK_EQ(pool_submit(&pool, &jobs[i], &none), POOL_SUBMITTED);
    }
    CHECK(pool_remove(&pool, &jobs[1]));
    CHECK(!pool_remove(&pool, &jobs[1]));
    CHECK_EQ(jobs[1].state, POOL_JOB_DROPPED);
    CHECK(pool_take(&pool, seat) == &jobs[0]);
    CHECK(!pool_remove(&pool, &jobs[0]));
    struct pool_job *left = pool_drain(&pool);
    CHECK(left == &jobs[2] && left->next == &jobs[3] && jobs[3].next == NULL);
    CHECK(!pool_remove(&pool, &jobs[3]));
    CHECK_EQ(pool_count(&pool).queued, 0);
    CHECK(pool_take(&pool, seat) == NULL);
    pool_destroy(&pool);
}

static void
test_close_runs_what_is_queued(void)
{
    struct pool pool;
    struct pool_job jobs[2] = {0}, late = {0};
    struct pool_seat *none = NULL;
    CHECK_EQ(pool_init(&pool, 1), 0);
    struct pool_seat *seat = submit_new_worker(&pool, &jobs[0]);
    REQUIRE(seat != NULL);
    CHECK_EQ(pool_submit(&pool, &jobs[1], &none), POOL_SUBMITTED);
    pool_close(&pool);
    pool_close(&pool);
    CHECK_EQ(pool_submit(&pool, &late, &none), -ESHUTDOWN);
    CHECK(pool_take(&pool, seat) == &jobs[0]);
    CHECK(pool_take(&pool, seat) == &jobs[1]);
    CHECK(pool_take(&pool, seat) == NULL);
    CHECK_EQ(pool_sleep(&pool, seat, POOL_NO_TIMEOUT), POOL_LEAVE);
    CHECK_EQ(pool_count(&pool).workers, 0);
    pool_destroy(&pool);
}

/* -- threads that start slowly, or not at all ------------------------------ */

static void
test_a_thread_that_cannot_start(void)
{
    struct pool pool;
    struct pool_job jobs[2] = {0};
    CHECK_EQ(pool_init(&pool, 4), 0);
    struct pool_seat *seat = submit_new_worker(&pool, &jobs[0]);
    REQUIRE(seat != NULL);
    CHECK(pool_remove(&pool, &jobs[0]));
    CHECK(!pool_is_wanted(&pool, seat));
    CHECK(pool_leave(&pool, seat) == NULL);
    CHECK_EQ(pool_count(&pool).workers, 0);
    CHECK(submit_new_worker(&pool, &jobs[1]) == seat);
    pool_destroy(&pool);
}

static void
test_a_thread_that_starts_keeps_no_sleeper_asleep(void)
{
    struct pool pool;
    struct pool_job jobs[4] = {0};
    CHECK_EQ(pool_init(&pool, 2), 0);
    struct pool_seat *quick = submit_new_worker(&pool, &jobs[0]);
    struct pool_seat *slow = submit_new_worker(&pool, &jobs[1]);
    REQUIRE(quick != NULL && slow != NULL);
    pool_enter(&pool, quick);
    pool_enter(&pool, slow); /* and stays in its initializer */
    CHECK(pool_take(&pool, quick) == &jobs[0]);
    CHECK(pool_take(&pool, quick) == &jobs[1]);
    CHECK(pool_take(&pool, quick) == NULL);
    submit_to_a_worker(&pool, &jobs[2]);
    CHECK_EQ(pool_count(&pool).idle, 0);
    CHECK_EQ(pool_sleep(&pool, quick, 0), POOL_AWAKE);
    CHECK(pool_take(&pool, quick) == &jobs[2]);
    /* That job may block: the next one counts on the thread that starts. */
    submit_to_a_worker(&pool, &jobs[3]);
    CHECK(pool_take(&pool, slow) == &jobs[3]);
    pool_destroy(&pool);
}

static void
test_who_takes_a_job_calls_a_successor_while_a_thread_starts(void)
{
    struct pool pool;
    struct pool_job jobs[5] = {0};
    struct pool_seat *a, *b, *slow;
    CHECK_EQ(pool_init(&pool, 3), 0);
    a = submit_new_worker(&pool, &jobs[0]);
    b = submit_new_worker(&pool, &jobs[1]);
    slow = submit_new_worker(&pool, &jobs[2]);
    REQUIRE(a != NULL && b != NULL && slow != NULL);
    for (int i = 0; i < 3; i++) {
        CHECK(pool_take(&pool, a) == &jobs[i]);
    }
    CHECK(pool_take(&pool, a) == NULL);
    CHECK(pool_take(&pool, b) == NULL);
    submit_to_a_worker(&pool, &jobs[3]);
    submit_to_a_worker(&pool, &jobs[4]);
    CHECK_EQ(pool_count(&pool).idle, 1);
    CHECK(pool_take(&pool, b) == &jobs[3]);
    CHECK_EQ(pool_count(&pool).idle, 0);
    CHECK_EQ(pool_sleep(&pool, a, 0), POOL_AWAKE);
    CHECK(pool_take(&pool, a) == &jobs[4]);
    pool_destroy(&pool);
}

static void
test_who_leaves_last_gets_what_is_queued(void)
{
    struct pool pool;
    struct pool_job jobs[4] = {0};
    CHECK_EQ(pool_init(&pool, 1), 0);
    struct pool_seat *seat = submit_new_worker(&pool, &jobs[0]);
    REQUIRE(seat != NULL);
    submit_to_a_worker(&pool, &jobs[1]);
    submit_to_a_worker(&pool, &jobs[2]);
    CHECK(pool_remove(&pool, &jobs[0]));
    CHECK(pool_is_wanted(&pool, seat));
    struct pool_job *left = pool_leave(&pool, seat);
    CHECK(left == &jobs[1] && left->next == &jobs[2] && jobs[2].next == NULL);
    CHECK_EQ(jobs[2].state, POOL_JOB_DROPPED);
    CHECK(!pool_remove(&pool, &jobs[2]));
    CHECK_EQ(pool_count(&pool).queued, 0);
    CHECK_EQ(pool_count(&pool).workers, 0);
    CHECK(pool_settle(&pool, 0)); /* it does not wait for itself */
    pool_told(&pool, seat);
    /* The same by a thread that ends in its initializer, in a closed pool. */
    CHECK(submit_new_worker(&pool, &jobs[3]) == seat);
    pool_close(&pool);
    pool_enter(&pool, seat);
    CHECK(pool_leave(&pool, seat) == &jobs[3]);
    pool_told(&pool, seat);
    CHECK_EQ(pool_count(&pool).workers, 0);
    pool_destroy(&pool);
}

static void
test_who_does_not_leave_last_leaves_the_queue(void)
{
    struct pool pool;
    struct pool_job jobs[3] = {0};
    CHECK_EQ(pool_init(&pool, 2), 0);
    struct pool_seat *busy = submit_new_worker(&pool, &jobs[0]);
    REQUIRE(busy != NULL);
    pool_enter(&pool, busy);
    CHECK(pool_take(&pool, busy) == &jobs[0]);
    struct pool_seat *seat = submit_new_worker(&pool, &jobs[1]);
    REQUIRE(seat != NULL);
    submit_to_a_worker(&pool, &jobs[2]);
    CHECK(pool_remove(&pool, &jobs[1]));
    CHECK(pool_is_wanted(&pool, seat)); /* what is busy may be so for ever */
    CHECK(pool_leave(&pool, seat) == NULL);
    CHECK(pool_take(&pool, busy) == &jobs[2]);
    CHECK(pool_take(&pool, busy) == NULL);
    pool_destroy(&pool);
}

/* The one thread that is there was busy when another could not be started. */
static void
test_who_is_there_last_leaves_no_job_behind(void)
{
    struct pool pool;
    struct pool_job jobs[5] = {0};
    CHECK_EQ(pool_init(&pool, 2), 0);
    struct pool_seat *last = submit_new_worker(&pool, &jobs[0]);
    REQUIRE(last != NULL);
    pool_enter(&pool, last);
    CHECK(pool_take(&pool, last) == &jobs[0]);
    struct pool_seat *other = submit_new_worker(&pool, &jobs[1]);
    REQUIRE(other != NULL);
    submit_to_a_worker(&pool, &jobs[2]);
    CHECK(pool_remove(&pool, &jobs[1]));
    CHECK(pool_leave(&pool, other) == NULL);
    CHECK_EQ(pool_count(&pool).queued, 1);
    /* It comes for the job before it may be idle. */
    CHECK(pool_take(&pool, last) == &jobs[2]);
    CHECK(pool_take(&pool, last) == NULL);
    /* A job comes when its time is over, and it has not left yet. */
    submit_to_a_worker(&pool, &jobs[3]);
    CHECK_EQ(pool_sleep(&pool, last, 0), POOL_AWAKE);
    CHECK(pool_take(&pool, last) == &jobs[3]);
    CHECK(pool_take(&pool, last) == NULL);
    /* And when it has: then the job has a thread of its own. */
    CHECK_EQ(pool_sleep(&pool, last, 0), POOL_LEAVE);
    CHECK_EQ(pool_count(&pool).workers, 0);
    CHECK(submit_new_worker(&pool, &jobs[4]) == last);
    CHECK(pool_take(&pool, last) == &jobs[4]);
    pool_destroy(&pool);
}

/* It sleeps, when a thread that a job counts on gives its seat up: it is called. */
static void
test_who_sleeps_is_called_for_what_counted_on_a_start(void)
{
    struct pool pool;
    struct pool_job jobs[4] = {0};
    CHECK_EQ(pool_init(&pool, 2), 0);
    struct pool_seat *last = submit_new_worker(&pool, &jobs[0]);
    struct pool_seat *other = submit_new_worker(&pool, &jobs[1]);
    REQUIRE(last != NULL && other != NULL);
    CHECK(pool_take(&pool, last) == &jobs[0]);
    CHECK(pool_take(&pool, last) == &jobs[1]);
    CHECK(pool_take(&pool, last) == NULL);
    submit_to_a_worker(&pool, &jobs[2]);
    submit_to_a_worker(&pool, &jobs[3]); /* counts on the one that starts */
    CHECK(pool_leave(&pool, other) == NULL);
    CHECK_EQ(pool_sleep(&pool, last, 0), POOL_AWAKE);
    CHECK(pool_take(&pool, last) == &jobs[2]);
    CHECK(pool_take(&pool, last) == &jobs[3]);
    CHECK(pool_take(&pool, last) == NULL);
    CHECK_EQ(pool_sleep(&pool, last, 0), POOL_LEAVE);
    pool_destroy(&pool);
}

struct settling {
    struct pool *pool;
    struct pool_seat *seat;
    bool settled_by_itself;
};

static void *
start_only(void *arg)
{
    struct settling *s = arg;
    struct pool_job *job = calloc(1, sizeof *job);
    s->seat = submit_new_worker(s->pool, job);
    s->settled_by_itself = pool_settle(s->pool, 0); /* its own start is no obstacle */
    return job;
}

static void *
enter(void *arg)
{
    struct settling *s = arg;
    usleep(1000);
    pool_enter(s->pool, s->seat);
    return NULL;
}

static void *
leave_untold(void *arg)
{
    struct settling *s = arg;
    return pool_leave(s->pool, s->seat);
}

static void *
tell(void *arg)
{
    struct settling *s = arg;
    usleep(1000);
    pool_told(s->pool, s->seat);
    return NULL;
}

static void
test_settle_waits_for_what_others_tell(void)
{
    struct pool pool;
    struct pool_job job = {0}, again = {0};
    pthread_t thread;
    void *left = NULL;
    CHECK_EQ(pool_init(&pool, 1), 0);
    struct settling s = {.pool = &pool, .seat = submit_new_worker(&pool, &job)};
    REQUIRE(s.seat != NULL);
    REQUIRE(pthread_create(&thread, NULL, leave_untold, &s) == 0);
    REQUIRE(pthread_join(thread, &left) == 0 && left == &job);
    CHECK(!pool_settle(&pool, 0));
    struct pool_seat *other = submit_new_worker(&pool, &again);
    CHECK(other != NULL && other != s.seat);
    CHECK(!pool_settle(&pool, 0));
    REQUIRE(pthread_create(&thread, NULL, tell, &s) == 0);
    CHECK(pool_settle(&pool, 60 * NS_PER_S));
    pthread_join(thread, NULL);
    pool_destroy(&pool);
}

static void
test_settle_waits_for_what_others_start(void)
{
    struct pool pool;
    struct settling s = {.pool = &pool};
    pthread_t thread;
    void *job = NULL;
    CHECK_EQ(pool_init(&pool, 1), 0);
    CHECK(pool_settle(&pool, 0));
    REQUIRE(pthread_create(&thread, NULL, start_only, &s) == 0);
    REQUIRE(pthread_join(thread, &job) == 0 && s.seat != NULL);
    CHECK(s.settled_by_itself);
    CHECK(!pool_settle(&pool, 0));
    CHECK(!pool_settle(&pool, NS_PER_MS));
    REQUIRE(pthread_create(&thread, NULL, enter, &s) == 0);
    const int64_t began = clock_monotonic_ns();
    CHECK(pool_settle(&pool, 60 * NS_PER_S));
    CHECK(clock_monotonic_ns() - began < 60 * NS_PER_S); /* it was told */
    pthread_join(thread, NULL);
    CHECK(pool_take(&pool, s.seat) == job);
    free(job);
    pool_destroy(&pool);
}

static void
test_after_fork(void)
{
    struct pool pool;
    struct pool_job jobs[3] = {0};
    CHECK_EQ(pool_init(&pool, 2), 0);
    struct pool_seat *starting = submit_new_worker(&pool, &jobs[0]);
    REQUIRE(starting != NULL);
    struct pool_seat *forking = submit_new_worker(&pool, &jobs[1]);
    REQUIRE(forking != NULL);
    CHECK(pool_take(&pool, forking) == &jobs[0]);
#ifndef __SANITIZE_THREAD__ /* which rightly calls this a fault in one process */
    pthread_mutex_lock(&pool.lock); /* by a thread that the child has not */
#endif
    CHECK(pool_drain_after_fork(&pool) == &jobs[1]);
    pool_after_fork(&pool);
    CHECK_EQ(pool_count(&pool).workers, 0);
    struct pool_seat *seat = submit_new_worker(&pool, &jobs[2]);
    REQUIRE(seat != NULL);
    CHECK_EQ(seat->index, 0);
    /* The parent's workers: one comes back from its job, one never began. */
    CHECK(pool_take(&pool, forking) == NULL);
    CHECK_EQ(pool_sleep(&pool, forking, POOL_NO_TIMEOUT), POOL_LEAVE);
    pool_leave(&pool, starting);
    CHECK_EQ(pool_count(&pool).workers, 1);
    CHECK_EQ(pool_count(&pool).idle, 0);
    CHECK(pool_take(&pool, seat) == &jobs[2]);
    pool_destroy(&pool);
}

/* -- stress ---------------------------------------------------------------- */

enum { PRODUCERS = 3, JOBS = 4000, MAX_WORKERS = 4 };

struct counted_job {
    struct pool_job job;
    atomic_int ran;
    atomic_int removed;
    atomic_int failed; /* with the thread that was to run it */
};

struct stress {
    struct pool pool;
    struct counted_job *jobs;
    pthread_t threads[MAX_WORKERS * JOBS]; /* each start of a worker */
    atomic_int started;
};

struct worker_start {
    struct stress *stress;
    struct pool_seat *seat;
    unsigned initializer;
};

static void
leave(struct stress *s, struct pool_seat *seat)
{
    struct pool_job *left = pool_leave(&s->pool, seat);
    if (left == NULL) {
        return;
    }
    while (left != NULL) {
        struct pool_job *next = left->next;
        atomic_fetch_add(&CONTAINER(left, struct counted_job, job)->failed, 1);
        left = next;
    }
    pool_told(&s->pool, seat);
}

static void *
work(void *arg)
{
    struct worker_start start = *(struct worker_start *)arg;
    struct stress *s = start.stress;
    free(arg);
    pool_enter(&s->pool, start.seat);
    if (start.initializer % 3 == 0) {
        usleep(500); /* a slow initializer */
    }
    if (start.initializer % 5 == 0) { /* one that fails */
        leave(s, start.seat);
        return NULL;
    }
    do {
        struct pool_job *job;
        while ((job = pool_take(&s->pool, start.seat)) != NULL) {
            struct counted_job *counted = CONTAINER(job, struct counted_job, job);
            if (atomic_fetch_add(&counted->ran, 1) % 7 == 0) {
                sched_yield();
            }
        }
    } while (pool_sleep(&s->pool, start.seat, 200 * NS_PER_US) == POOL_AWAKE);
    return NULL;
}

struct producer {
    struct stress *stress;
    int first;
    pthread_t thread;
};

/* As whoever submits does it; each fourth attempt fails. */
static void
start(struct stress *s, struct pool_seat *seat, struct counted_job *job,
      unsigned random)
{
    bool fails = random % 4 == 0;
    if (random % 7 == 0) {
        usleep(200); /* others count on it meanwhile */
    }
    if (fails && pool_remove(&s->pool, &job->job)) {
        atomic_fetch_add(&job->removed, 1);
    }
    if (fails && random % 8 == 0 && pool_is_wanted(&s->pool, seat)) {
        fails = false; /* the second attempt */
    }
    if (fails) {
        leave(s, seat);
        return;
    }
    struct worker_start *worker = malloc(sizeof *worker);
    if (worker == NULL) {
        abort();
    }
    *worker = (struct worker_start){s, seat, random >> 4};
    int n = atomic_fetch_add(&s->started, 1);
    if (pthread_create(&s->threads[n], NULL, work, worker) != 0) {
        abort();
    }
}

static void *
produce(void *arg)
{
    struct producer *p = arg;
    struct stress *s = p->stress;
    unsigned seed = (unsigned)p->first;
    for (int i = p->first; i < p->first + JOBS; i++) {
        struct pool_seat *seat;
        int result = pool_submit(&s->pool, &s->jobs[i].job, &seat);
        if (result == POOL_NEEDS_WORKER) {
            start(s, seat, &s->jobs[i], seed >> 16);
        }
        else if (result < 0) {
            abort();
        }
        seed = seed * 1103515245u + 12345u;
        if (seed >> 16 & 1) {
            int victim = p->first + (int)(seed >> 8) % (i - p->first + 1);
            if (pool_remove(&s->pool, &s->jobs[victim].job)) {
                atomic_fetch_add(&s->jobs[victim].removed, 1);
            }
        }
        if ((seed >> 20) % 64 == 0) {
            usleep(300); /* workers go to sleep, and some leave */
        }
    }
    return NULL;
}

static void
test_stress(void)
{
    struct stress *s = calloc(1, sizeof *s);
    struct producer producers[PRODUCERS];
    REQUIRE(s != NULL);
    s->jobs = calloc(PRODUCERS * JOBS, sizeof *s->jobs);
    REQUIRE(s->jobs != NULL);
    CHECK_EQ(pool_init(&s->pool, MAX_WORKERS), 0);
    for (int i = 0; i < PRODUCERS; i++) {
        producers[i].stress = s;
        producers[i].first = i * JOBS;
        REQUIRE(pthread_create(&producers[i].thread, NULL, produce, &producers[i]) ==
                0);
    }
    for (int i = 0; i < PRODUCERS; i++) {
        pthread_join(producers[i].thread, NULL);
    }
    pool_close(&s->pool);
    for (int i = 0; i < atomic_load(&s->started); i++) {
        pthread_join(s->threads[i], NULL);
    }
    int ran = 0, wrong = 0;
    for (int i = 0; i < PRODUCERS * JOBS; i++) {
        int times = atomic_load(&s->jobs[i].ran) + atomic_load(&s->jobs[i].removed) +
                    atomic_load(&s->jobs[i].failed);
        wrong += times != 1;
        ran += atomic_load(&s->jobs[i].ran);
    }
    CHECK_EQ(wrong, 0);
    CHECK(ran > JOBS / 2);
    CHECK_EQ(pool_count(&s->pool).workers, 0);
    CHECK_EQ(pool_count(&s->pool).idle, 0);
    pool_destroy(&s->pool);
    free(s->jobs);
    free(s);
}

int
main(void)
{
    RUN(test_first_in_first_out);
    RUN(test_a_worker_per_waiting_job_up_to_the_limit);
    RUN(test_taking_a_job_calls_a_successor);
    RUN(test_nobody_times_out_on_a_queued_job);
    RUN(test_remove_and_drain);
    RUN(test_close_runs_what_is_queued);
    RUN(test_a_thread_that_cannot_start);
    RUN(test_a_thread_that_starts_keeps_no_sleeper_asleep);
    RUN(test_who_takes_a_job_calls_a_successor_while_a_thread_starts);
    RUN(test_who_leaves_last_gets_what_is_queued);
    RUN(test_who_does_not_leave_last_leaves_the_queue);
    RUN(test_who_is_there_last_leaves_no_job_behind);
    RUN(test_who_sleeps_is_called_for_what_counted_on_a_start);
    RUN(test_settle_waits_for_what_others_start);
    RUN(test_settle_waits_for_what_others_tell);
    RUN(test_after_fork);
    RUN(test_stress);
    return check_done();
}
