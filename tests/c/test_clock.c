/* base/clock.h and block.c: drivers, jumps, holds, waiters in real threads. */
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/block.h"
#include "base/clock.h"
#include "check.h"

/* A device that is due every `period`, `left` times; writes fd when done. */
struct ticker {
    struct clock_driver driver;
    int64_t due;
    int64_t period;
    int left;
    int fd;
    int64_t seen[16];
    int num_seen;
    int calls;
};

static int64_t
ticker_next_due(struct clock_driver *driver)
{
    struct ticker *t = (struct ticker *)driver;
    return t->left > 0 ? t->due : NS_NEVER;
}

static void
ticker_advance(struct clock_driver *driver, int64_t now)
{
    struct ticker *t = (struct ticker *)driver;
    t->calls++;
    while (t->left > 0 && t->due <= now) {
        t->seen[t->num_seen++ % 16] = now;
        t->due += t->period;
        if (--t->left == 0 && t->fd >= 0) {
            const uint64_t one = 1;
            CHECK_EQ(write(t->fd, &one, sizeof one), sizeof one);
        }
    }
}

static struct ticker
ticker_make(int64_t due, int64_t period, int count)
{
    return (struct ticker){
        .driver = {.next_due = ticker_next_due, .advance = ticker_advance},
        .due = due,
        .period = period,
        .left = count,
        .fd = -1,
    };
}

static void
test_advance_visits_every_due_time(void)
{
    struct vclock clock;
    REQUIRE(vclock_init(&clock, 1000) == 0);
    struct ticker a = ticker_make(1010, 10, 3);
    struct ticker b = ticker_make(1015, 100, 1);
    vclock_add_driver(&clock, &a.driver);
    vclock_add_driver(&clock, &b.driver);
    vclock_advance(&clock, 5);
    CHECK_EQ(vclock_now(&clock), 1005);
    CHECK_EQ(a.calls, 0); /* nothing is due */
    vclock_advance_to(&clock, 1100);
    CHECK_EQ(vclock_now(&clock), 1100);
    CHECK_EQ(a.num_seen, 3);
    CHECK_EQ(a.seen[0], 1010);
    CHECK_EQ(a.seen[2], 1030);
    CHECK_EQ(b.seen[0], 1015);
    CHECK_EQ(a.calls, 4);
    vclock_advance_to(&clock, 50);
    CHECK_EQ(vclock_now(&clock), 1100);
    vclock_remove_driver(&clock, &a.driver);
    vclock_remove_driver(&clock, &b.driver);
    vclock_destroy(&clock);
}

/* What a loop does that has nothing ready until timer_ns. */
static int
loop_wait(struct vclock *clock, int loop_fd, int64_t timer_ns)
{
    struct clock_wait wait = {
        .deadline = timer_ns, .fd = loop_fd, .is_loop = true, .wake_fd = loop_fd};
    int result = vclock_wait_until(clock, &wait);
    uint64_t count;
    if (read(loop_fd, &count, sizeof count) < 0) {
        CHECK_EQ(errno, EAGAIN);
    }
    return result;
}

static int
new_eventfd(void)
{
    int fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    CHECK(fd >= 0);
    return fd;
}

static void
test_a_loop_jumps_to_the_earliest(void)
{
    struct vclock clock;
    int loop_fd = new_eventfd();
    REQUIRE(vclock_init(&clock, 0) == 0);
    CHECK_EQ(vclock_attach_loop(&clock), 0);
    CHECK_EQ(loop_wait(&clock, loop_fd, NS_NEVER), -EDEADLK);
    struct ticker t = ticker_make(20, 1, 1);
    vclock_add_driver(&clock, &t.driver);
    CHECK_EQ(loop_wait(&clock, loop_fd, 30), BLOCK_TIMEOUT); /* each jump ends it */
    CHECK_EQ(vclock_now(&clock), 20);
    CHECK_EQ(t.num_seen, 1);
    CHECK_EQ(loop_wait(&clock, loop_fd, 30), BLOCK_TIMEOUT);
    CHECK_EQ(vclock_now(&clock), 30);
    CHECK_EQ(loop_wait(&clock, loop_fd, NS_NEVER), -EDEADLK);
    CHECK_EQ(wake_up(loop_fd), 0); /* a post: it is ready, and nobody jumps */
    CHECK_EQ(loop_wait(&clock, loop_fd, 50), BLOCK_READY);
    CHECK_EQ(vclock_now(&clock), 30);
    vclock_detach_loop(&clock);
    vclock_remove_driver(&clock, &t.driver);
    vclock_destroy(&clock);
    close(loop_fd);
}

static void
test_a_loop_is_told_when_it_need_not_ask_again(void)
{
    struct vclock clock;
    int fd = new_eventfd();
    struct clock_wait wait = {.deadline = 10, .fd = fd, .is_loop = true, .wake_fd = fd};
    REQUIRE(vclock_init(&clock, 0) == 0);
    CHECK_EQ(vclock_attach_loop(&clock), 0);
    struct ticker t = ticker_make(20, 10, 2);
    vclock_add_driver(&clock, &t.driver);
    CHECK_EQ(vclock_wait_until(&clock, &wait), BLOCK_TIMEOUT);
    CHECK(wait.undisturbed); /* its own time */
    wait.deadline = 25;
    CHECK_EQ(vclock_wait_until(&clock, &wait), BLOCK_TIMEOUT);
    CHECK(!wait.undisturbed); /* a device's */
    CHECK_EQ(vclock_wait_until(&clock, &wait), BLOCK_TIMEOUT);
    CHECK(wait.undisturbed);
    wait.deadline = 30;
    CHECK_EQ(vclock_wait_until(&clock, &wait), BLOCK_TIMEOUT);
    CHECK(!wait.undisturbed); /* both */
    CHECK_EQ(wake_up(fd), 0);
    wait.deadline = 40;
    CHECK_EQ(vclock_wait_until(&clock, &wait), BLOCK_READY);
    CHECK(!wait.undisturbed);
    vclock_detach_loop(&clock);
    vclock_remove_driver(&clock, &t.driver);
    vclock_destroy(&clock);
    close(fd);
}

struct holder {
    struct vclock *clock;
    enum clock_work work;
    int loop_fd; /* written before the release, as a result is posted */
    int64_t held_at;
};

static void *
release_soon(void *arg)
{
    struct holder *h = arg;
    poll(NULL, 0, 5); /* in most runs the loop sleeps by now */
    h->held_at = vclock_now(h->clock);
    CHECK_EQ(wake_up(h->loop_fd), 0);
    CHECK_EQ(vclock_release(h->clock, h->work), 0);
    return NULL;
}

static void
test_a_hold_stops_time(void)
{
    for (int work = 0; work < WORK_KINDS; work++) {
        struct vclock clock;
        pthread_t thread;
        int loop_fd = new_eventfd();
        REQUIRE(vclock_init(&clock, 0) == 0);
        CHECK_EQ(vclock_attach_loop(&clock), 0);
        vclock_hold(&clock, (enum clock_work)work);
        struct holder holder = {&clock, (enum clock_work)work, loop_fd, -1};
        REQUIRE(pthread_create(&thread, NULL, release_soon, &holder) == 0);
        CHECK_EQ(loop_wait(&clock, loop_fd, 10), BLOCK_READY);
        CHECK_EQ(vclock_now(&clock), 0);
        CHECK_EQ(pthread_join(thread, NULL), 0);
        CHECK_EQ(holder.held_at, 0);
        CHECK_EQ(vclock_release(&clock, (enum clock_work)work), -EINVAL);
        int result = BLOCK_READY; /* the release may have woken it once more */
        while (result == BLOCK_READY) {
            result = loop_wait(&clock, loop_fd, 10);
        }
        CHECK_EQ(result, BLOCK_TIMEOUT);
        CHECK_EQ(vclock_now(&clock), 10);
        vclock_detach_loop(&clock);
        vclock_destroy(&clock);
        close(loop_fd);
    }
}

static void
test_a_limit(void)
{
    struct vclock clock;
    int loop_fd = new_eventfd();
    REQUIRE(vclock_init(&clock, 5) == 0);
    vclock_set_limit(&clock, 10);
    CHECK_EQ(block_until(&clock, -1, NULL, 15), BLOCK_TIMEOUT);
    CHECK_EQ(block_until(&clock, -1, NULL, 16), -ETIME);
    CHECK_EQ(vclock_now(&clock), 15);
    CHECK_EQ(block_until(&clock, -1, NULL, 25), BLOCK_TIMEOUT); /* it counts anew */
    CHECK_EQ(vclock_attach_loop(&clock), 0);
    CHECK_EQ(loop_wait(&clock, loop_fd, 26), -ETIME);
    CHECK_EQ(loop_wait(&clock, loop_fd, NS_NEVER), -EDEADLK);
    vclock_advance_to(&clock, 1000);
    CHECK_EQ(vclock_now(&clock), 1000);
    vclock_detach_loop(&clock);
    vclock_destroy(&clock);
    close(loop_fd);
}

static void
test_one_loop_at_most(void)
{
    struct vclock clock;
    REQUIRE(vclock_init(&clock, 0) == 0);
    CHECK_EQ(vclock_attach_loop(&clock), 0);
    CHECK_EQ(vclock_attach_loop(&clock), -EBUSY);
    CHECK_EQ(block_until(&clock, -1, NULL, 7), BLOCK_TIMEOUT); /* in a callback */
    CHECK_EQ(vclock_now(&clock), 7);
    vclock_detach_loop(&clock);
    CHECK_EQ(vclock_attach_loop(&clock), 0);
    vclock_detach_loop(&clock);
    vclock_destroy(&clock);
}

static void
test_block_moves_the_clock(void)
{
    struct vclock clock;
    REQUIRE(vclock_init(&clock, 0) == 0);
    int64_t before = clock_monotonic_ns();
    CHECK_EQ(block_until(&clock, -1, NULL, 3600 * NS_PER_S), BLOCK_TIMEOUT);
    CHECK_EQ(vclock_now(&clock), 3600 * NS_PER_S);
    CHECK(clock_monotonic_ns() - before < 5 * NS_PER_S);
    CHECK_EQ(block_until(&clock, -1, NULL, NS_NEVER), -EDEADLK);
    vclock_destroy(&clock);
}

static void
test_block_until_a_driver_signals(void)
{
    struct vclock clock;
    REQUIRE(vclock_init(&clock, 0) == 0);
    struct ticker t = ticker_make(NS_PER_MS, NS_PER_MS, 5);
    t.fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    REQUIRE(t.fd >= 0);
    vclock_add_driver(&clock, &t.driver);
    CHECK_EQ(block_until(&clock, t.fd, NULL, NS_PER_S), BLOCK_READY);
    CHECK_EQ(vclock_now(&clock), 5 * NS_PER_MS);
    vclock_remove_driver(&clock, &t.driver);
    close(t.fd);
    vclock_destroy(&clock);
}

/* Threads that wait beside a loop: the loop moves the clock for all of them. */
struct sleeper {
    struct vclock *clock;
    int64_t deadline;
    int result;
    int64_t woke_at;
};

static void *
sleeper_run(void *arg)
{
    struct sleeper *s = arg;
    s->result = block_until(s->clock, -1, NULL, s->deadline);
    s->woke_at = vclock_now(s->clock);
    CHECK_EQ(vclock_release(s->clock, WORK_THREAD), 0);
    return NULL;
}

static void
test_waits_beside_a_loop(void)
{
    enum { SLEEPERS = 3 };
    struct vclock clock;
    struct sleeper sleepers[SLEEPERS];
    pthread_t threads[SLEEPERS];
    int loop_fd = new_eventfd();
    REQUIRE(vclock_init(&clock, 0) == 0);
    CHECK_EQ(vclock_attach_loop(&clock), 0);
    for (int i = 0; i < SLEEPERS; i++) {
        vclock_hold(&clock, WORK_THREAD);
        sleepers[i] = (struct sleeper){.clock = &clock, .deadline = (i + 1) * NS_PER_S};
        REQUIRE(pthread_create(&threads[i], NULL, sleeper_run, &sleepers[i]) == 0);
    }
    /* Held until every one of them waits; each release lets it go on. */
    while (vclock_now(&clock) < SLEEPERS * NS_PER_S) {
        CHECK(loop_wait(&clock, loop_fd, NS_NEVER) >= 0);
    }
    for (int i = 0; i < SLEEPERS; i++) {
        CHECK_EQ(pthread_join(threads[i], NULL), 0);
        CHECK_EQ(sleepers[i].result, BLOCK_TIMEOUT);
        CHECK_EQ(sleepers[i].woke_at, sleepers[i].deadline);
    }
    vclock_detach_loop(&clock);
    vclock_destroy(&clock);
    close(loop_fd);
}

static void
test_nothing_is_due_for_anybody(void)
{
    struct vclock clock;
    pthread_t thread;
    int loop_fd = new_eventfd();
    REQUIRE(vclock_init(&clock, 0) == 0);
    CHECK_EQ(vclock_attach_loop(&clock), 0);
    vclock_hold(&clock, WORK_THREAD);
    struct sleeper sleeper = {.clock = &clock, .deadline = NS_NEVER};
    REQUIRE(pthread_create(&thread, NULL, sleeper_run, &sleeper) == 0);
    int result;
    do {
        result = loop_wait(&clock, loop_fd, NS_NEVER);
    } while (result == BLOCK_READY);
    CHECK_EQ(result, -EDEADLK);
    unsigned long waiting[CLOCK_ENDED_MAX];
    CHECK_EQ(vclock_ended(&clock, waiting), 1);
    CHECK(waiting[0] == (unsigned long)thread);
    vclock_end_waits(&clock, result);
    CHECK_EQ(pthread_join(thread, NULL), 0);
    CHECK_EQ(sleeper.result, -EDEADLK);
    vclock_detach_loop(&clock);
    vclock_destroy(&clock);
    close(loop_fd);
}

/* The loop's thread is in a callback, and waits, on a lock, for one that sleeps. */
static void
test_a_loop_that_is_stuck_in_a_callback(void)
{
    struct vclock clock;
    pthread_t thread;
    REQUIRE(vclock_init(&clock, 0) == 0);
    CHECK_EQ(vclock_attach_loop(&clock), 0);
    vclock_hold(&clock, WORK_THREAD);
    struct sleeper sleeper = {.clock = &clock, .deadline = NS_PER_S};
    REQUIRE(pthread_create(&thread, NULL, sleeper_run, &sleeper) == 0);
    CHECK_EQ(pthread_join(thread, NULL), 0);
    CHECK_EQ(sleeper.woke_at, NS_PER_S);
    vclock_detach_loop(&clock);
    vclock_destroy(&clock);
}

/* While a callback computes, one of those that wait looks now and then, not each. */
static void
test_many_waits_beside_a_loop_that_computes(void)
{
    enum { SLEEPERS = 200, LOOKS = 15 };
    struct vclock clock;
    struct sleeper sleepers[SLEEPERS];
    pthread_t threads[SLEEPERS];
    struct rusage before, after;
    REQUIRE(vclock_init(&clock, 0) == 0);
    CHECK_EQ(vclock_attach_loop(&clock), 0);
    for (int i = 0; i < SLEEPERS; i++) {
        vclock_hold(&clock, WORK_THREAD);
        sleepers[i] = (struct sleeper){.clock = &clock, .deadline = NS_PER_S};
        REQUIRE(pthread_create(&threads[i], NULL, sleeper_run, &sleepers[i]) == 0);
    }
    for (int waits = 0; waits < SLEEPERS;) {
        waits = 0;
        pthread_mutex_lock(&clock.lock);
        for (struct clock_wait *w = clock.waits; w != NULL; w = w->next) {
            waits += w->wake_fd >= 0;
        }
        pthread_mutex_unlock(&clock.lock);
    }
    int64_t until = clock_monotonic_ns() + LOOKS * 20 * NS_PER_MS;
    getrusage(RUSAGE_SELF, &before);
    while (clock_monotonic_ns() < until) {
    }
    getrusage(RUSAGE_SELF, &after);
    CHECK(after.ru_nvcsw - before.ru_nvcsw < 2 * SLEEPERS);
    vclock_detach_loop(&clock);
    for (int i = 0; i < SLEEPERS; i++) {
        CHECK_EQ(pthread_join(threads[i], NULL), 0);
        CHECK_EQ(sleepers[i].woke_at, NS_PER_S);
    }
    vclock_destroy(&clock);
}

static void
spin(unsigned rounds)
{
    while (rounds-- > 0) {
        __asm__ volatile(""); /* keeps the loop */
    }
}

/* Loops come and go, one after the other, while threads begin and end waits, cancel
 * each other and write to each other's descriptors, and two devices tick. */
enum { WAITERS = 4, ROUNDS = 300 };

struct crowd {
    struct vclock clock;
    atomic_bool stop;
    struct crowd_waiter {
        struct crowd *crowd;
        unsigned seed;
        int fd;
        struct cancel_token token;
        long ends[3];
    } waiters[WAITERS];
};

static void
wait_once(struct crowd_waiter *me)
{
    struct vclock *clock = &me->crowd->clock;
    struct token_set tokens = {.tokens = {&me->token}, .count = 1};
    bool holds = rand_r(&me->seed) % 4 != 0;
    if (holds) {
        vclock_hold(clock, WORK_JOB);
        tokens.job_clock = clock;
    }
    int64_t deadline = vclock_now(clock) + 1 + rand_r(&me->seed) % 1000;
    int result;
    do {
        result = block_until(clock, me->fd, &tokens, deadline);
    } while (result == -EINTR);
    if (!CHECK(result >= 0)) {
        fprintf(stderr, "    error %d\n", result);
    }
    else {
        me->ends[result]++;
    }
    CHECK(result != BLOCK_TIMEOUT || vclock_now(clock) >= deadline);
    uint64_t count;
    (void)!read(me->fd, &count, sizeof count);
    CHECK_EQ(token_reset(&me->token), 0);
    struct crowd_waiter *other = &me->crowd->waiters[rand_r(&me->seed) % WAITERS];
    switch (rand_r(&me->seed) % 4) {
        case 0:
            CHECK_EQ(wake_up(other->fd), 0);
            break;
        case 1:
            CHECK_EQ(token_cancel(&other->token), 0);
            break;
        default:
            spin(rand_r(&me->seed) % 3000);
    }
    if (holds) {
        CHECK_EQ(vclock_release(clock, WORK_JOB), 0);
    }
}

static void *
crowd_run(void *arg)
{
    struct crowd_waiter *me = arg;
    while (!atomic_load(&me->crowd->stop)) {
        wait_once(me);
    }
    return NULL;
}

/* While it runs, only it moves the clock, and never beyond its own next timer. */
static void
loop_run(struct vclock *clock, int loop_fd, unsigned *seed)
{
    REQUIRE(vclock_attach_loop(clock) == 0);
    for (int turns = rand_r(seed) % 8; turns >= 0; turns--) {
        int64_t now = vclock_now(clock);
        spin(rand_r(seed) % 20000);
        CHECK_EQ(vclock_now(clock), now);
        int64_t timer = now + 1 + rand_r(seed) % 500;
        CHECK(loop_wait(clock, loop_fd, timer) >= 0);
        CHECK(vclock_now(clock) <= timer);
    }
    vclock_detach_loop(clock);
}

static void
test_loops_come_and_go_beside_waits(void)
{
    static struct crowd crowd;
    pthread_t threads[WAITERS];
    unsigned seed = 20261126;
    int loop_fd = new_eventfd();
    REQUIRE(vclock_init(&crowd.clock, 0) == 0);
    struct ticker fast = ticker_make(1, 7, 1 << 30),
                  slow = ticker_make(5, 311, 1 << 30);
    vclock_add_driver(&crowd.clock, &fast.driver);
    vclock_add_driver(&crowd.clock, &slow.driver);
    for (int i = 0; i < WAITERS; i++) {
        struct crowd_waiter *w = &crowd.waiters[i];
        *w = (struct crowd_waiter){.crowd = &crowd, .seed = seed + 1 + (unsigned)i};
        w->fd = new_eventfd();
        token_init(&w->token);
    }
    for (int i = 0; i < WAITERS; i++) {
        REQUIRE(pthread_create(&threads[i], NULL, crowd_run, &crowd.waiters[i]) == 0);
    }
    for (int round = 0; round < ROUNDS; round++) {
        loop_run(&crowd.clock, loop_fd, &seed);
        spin(rand_r(&seed) % 50000);
    }
    atomic_store(&crowd.stop, true); /* what still waits ends without a loop */
    long ends = 0;
    for (int i = 0; i < WAITERS; i++) {
        CHECK_EQ(pthread_join(threads[i], NULL), 0);
    }
    for (int i = 0; i < WAITERS; i++) {
        ends += crowd.waiters[i].ends[BLOCK_TIMEOUT];
        token_close(&crowd.waiters[i].token);
        close(crowd.waiters[i].fd);
    }
    CHECK(ends > 0);
    CHECK(crowd.clock.waits == NULL);
    vclock_remove_driver(&crowd.clock, &fast.driver);
    vclock_remove_driver(&crowd.clock, &slow.driver);
    vclock_destroy(&crowd.clock);
    close(loop_fd);
}

/* A descriptor that was readable and is not any more holds nobody for ever. */
struct thief {
    struct vclock *clock;
    int fd;
    int result;
};

static void *
wait_for_fd(void *arg)
{
    struct thief *t = arg;
    t->result = block_until(t->clock, t->fd, NULL, NS_PER_S);
    return NULL;
}

static void
test_a_descriptor_that_somebody_else_empties(void)
{
    for (unsigned round = 0; round < 50; round++) {
        struct vclock clock;
        pthread_t thread;
        int loop_fd = new_eventfd();
        REQUIRE(vclock_init(&clock, 0) == 0);
        struct thief thief = {.clock = &clock, .fd = new_eventfd()};
        CHECK_EQ(vclock_attach_loop(&clock), 0);
        REQUIRE(pthread_create(&thread, NULL, wait_for_fd, &thief) == 0);
        uint64_t count;
        spin(round * 1000);
        CHECK_EQ(wake_up(thief.fd), 0);
        (void)!read(thief.fd, &count,
                    sizeof count); /* before or after it has seen it */
        while (vclock_now(&clock) < 2 * NS_PER_S) {
            CHECK(loop_wait(&clock, loop_fd, 2 * NS_PER_S) >= 0);
        }
        vclock_detach_loop(&clock);
        CHECK_EQ(pthread_join(thread, NULL), 0);
        CHECK(thief.result == BLOCK_READY || thief.result == BLOCK_TIMEOUT);
        vclock_destroy(&clock);
        close(thief.fd);
        close(loop_fd);
    }
}

/* From a driver's own code time stands still: a wait there can only be for ever. */
struct waiting_driver {
    struct clock_driver driver;
    struct vclock *clock;
    int result;
};

static int64_t
waiting_next_due(struct clock_driver *driver)
{
    return ((struct waiting_driver *)driver)->result == 0 ? 5 : NS_NEVER;
}

static void
waiting_advance(struct clock_driver *driver, int64_t now)
{
    struct waiting_driver *w = (struct waiting_driver *)driver;
    if (w->result == 0 && now >= 5) {
        w->result = block_until(w->clock, -1, NULL, now + 1);
    }
}

static void
test_a_driver_that_waits(void)
{
    struct vclock clock;
    REQUIRE(vclock_init(&clock, 0) == 0);
    struct waiting_driver w = {
        .driver = {.next_due = waiting_next_due, .advance = waiting_advance},
        .clock = &clock,
    };
    vclock_add_driver(&clock, &w.driver);
    CHECK_EQ(block_until(&clock, -1, NULL, 10), BLOCK_TIMEOUT);
    CHECK_EQ(w.result, -EDEADLK);
    CHECK_EQ(vclock_now(&clock), 10);
    vclock_remove_driver(&clock, &w.driver);
    vclock_destroy(&clock);
}

static void
test_time_ends(void)
{
    CHECK_EQ(time_after(5, 7), 12);
    CHECK_EQ(time_after(NS_NEVER - 10, 9), NS_NEVER - 1);
    CHECK_EQ(time_after(NS_NEVER - 10, 10), NS_NEVER - 1);
    CHECK_EQ(time_after(NS_NEVER - 10, NS_NEVER), NS_NEVER - 1);
}

int
main(void)
{
    RUN(test_advance_visits_every_due_time);
    RUN(test_a_loop_jumps_to_the_earliest);
    RUN(test_a_loop_is_told_when_it_need_not_ask_again);
    RUN(test_a_hold_stops_time);
    RUN(test_a_limit);
    RUN(test_one_loop_at_most);
    RUN(test_block_moves_the_clock);
    RUN(test_block_until_a_driver_signals);
    RUN(test_waits_beside_a_loop);
    RUN(test_nothing_is_due_for_anybody);
    RUN(test_a_loop_that_is_stuck_in_a_callback);
    RUN(test_many_waits_beside_a_loop_that_computes);
    RUN(test_loops_come_and_go_beside_waits);
    RUN(test_a_descriptor_that_somebody_else_empties);
    RUN(test_a_driver_that_waits);
    RUN(test_time_ends);
    return check_done();
}
