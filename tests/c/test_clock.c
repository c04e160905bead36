/* base/clock.c and block.c: drivers, jumps, holds, waiters in real threads. */
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdatomic.h>
#include <sys/eventfd.h>
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
    CHECK_EQ(a.num_seen, 0);
    vclock_advance_to(&clock, 1100);
    CHECK_EQ(vclock_now(&clock), 1100);
    CHECK_EQ(a.num_seen, 3);
    CHECK_EQ(a.seen[0], 1010);
    CHECK_EQ(a.seen[2], 1030);
    CHECK_EQ(b.seen[0], 1015);
    vclock_advance_to(&clock, 50);
    CHECK_EQ(vclock_now(&clock), 1100);
    vclock_remove_driver(&clock, &a.driver);
    vclock_remove_driver(&clock, &b.driver);
    vclock_destroy(&clock);
}

static void
test_jump_goes_to_the_earliest(void)
{
    struct vclock clock;
    REQUIRE(vclock_init(&clock, 0) == 0);
    CHECK_EQ(vclock_jump(&clock, NS_NEVER, vclock_epoch(&clock)), VCLOCK_NOTHING);
    struct ticker t = ticker_make(20, 1, 1);
    vclock_add_driver(&clock, &t.driver);
    CHECK_EQ(vclock_jump(&clock, 30, vclock_epoch(&clock)), VCLOCK_JUMPED);
    CHECK_EQ(vclock_now(&clock), 20);
    CHECK_EQ(vclock_jump(&clock, 30, vclock_epoch(&clock)), VCLOCK_JUMPED);
    CHECK_EQ(vclock_now(&clock), 30);
    CHECK_EQ(vclock_jump(&clock, NS_NEVER, vclock_epoch(&clock)), VCLOCK_NOTHING);
    vclock_remove_driver(&clock, &t.driver);
    vclock_destroy(&clock);
}

static void
test_hold_stops_time(void)
{
    struct vclock clock;
    REQUIRE(vclock_init(&clock, 0) == 0);
    vclock_hold(&clock);
    CHECK_EQ(vclock_jump(&clock, 10, vclock_epoch(&clock)), VCLOCK_HELD);
    CHECK_EQ(vclock_now(&clock), 0);
    vclock_release(&clock);
    CHECK_EQ(vclock_jump(&clock, 10, vclock_epoch(&clock)), VCLOCK_JUMPED);
    CHECK_EQ(vclock_now(&clock), 10);
    vclock_destroy(&clock);
}

/* Whoever looked for results before a release must look again, not jump over them. */
static void
test_release_after_looking(void)
{
    struct vclock clock;
    REQUIRE(vclock_init(&clock, 0) == 0);
    vclock_hold(&clock);
    uint64_t epoch = vclock_epoch(&clock);
    vclock_release(&clock);
    CHECK_EQ(vclock_jump(&clock, 10, epoch), VCLOCK_JUMPED);
    CHECK_EQ(vclock_now(&clock), 0);
    CHECK_EQ(vclock_jump(&clock, 10, vclock_epoch(&clock)), VCLOCK_JUMPED);
    CHECK_EQ(vclock_now(&clock), 10);
    vclock_destroy(&clock);
}

static void
test_one_loop_at_most(void)
{
    struct vclock clock;
    int fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    REQUIRE(fd >= 0);
    REQUIRE(vclock_init(&clock, 0) == 0);
    CHECK(vclock_is_mine_to_move(&clock));
    CHECK_EQ(vclock_attach_loop(&clock, fd), 0);
    CHECK_EQ(vclock_attach_loop(&clock, fd), -EBUSY);
    CHECK(vclock_is_mine_to_move(&clock));
    vclock_detach_loop(&clock);
    CHECK_EQ(vclock_attach_loop(&clock, fd), 0);
    vclock_detach_loop(&clock);
    vclock_destroy(&clock);
    close(fd);
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
    sem_t *about_to_wait;
    int result;
    int64_t woke_at;
};

static void *
sleeper_run(void *arg)
{
    struct sleeper *s = arg;
    sem_post(s->about_to_wait);
    s->result = block_until(s->clock, -1, NULL, s->deadline);
    s->woke_at = vclock_now(s->clock);
    vclock_release(s->clock);
    return NULL;
}

static void
drain(int fd)
{
    uint64_t count;
    struct pollfd p = {.fd = fd, .events = POLLIN};
    CHECK(poll(&p, 1, 5000) == 1);
    CHECK_EQ(read(fd, &count, sizeof count), sizeof count);
}

static void
test_waiters_beside_a_loop(void)
{
    enum { SLEEPERS = 3 };
    struct vclock clock;
    struct sleeper sleepers[SLEEPERS];
    pthread_t threads[SLEEPERS];
    sem_t about_to_wait;
    REQUIRE(sem_init(&about_to_wait, 0, 0) == 0);
    int loop_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    REQUIRE(loop_fd >= 0);
    REQUIRE(vclock_init(&clock, 0) == 0);
    CHECK_EQ(vclock_attach_loop(&clock, loop_fd), 0);
    for (int i = 0; i < SLEEPERS; i++) {
        vclock_hold(&clock);
        sleepers[i] = (struct sleeper){.clock = &clock,
                                       .deadline = (i + 1) * NS_PER_S,
                                       .about_to_wait = &about_to_wait};
        REQUIRE(pthread_create(&threads[i], NULL, sleeper_run, &sleepers[i]) == 0);
        sem_wait(&about_to_wait);
    }
    /* Held until every job waits on the clock; each release lets it go on. */
    while (vclock_now(&clock) < SLEEPERS * NS_PER_S) {
        switch (vclock_jump(&clock, NS_NEVER, vclock_epoch(&clock))) {
            case VCLOCK_JUMPED:
                break;
            case VCLOCK_HELD:
                drain(loop_fd);
                break;
            case VCLOCK_NOTHING:
                CHECK(!"a sleeper is lost");
                return;
        }
    }
    for (int i = 0; i < SLEEPERS; i++) {
        CHECK_EQ(pthread_join(threads[i], NULL), 0);
        CHECK_EQ(sleepers[i].result, BLOCK_TIMEOUT);
        CHECK_EQ(sleepers[i].woke_at, sleepers[i].deadline);
    }
    vclock_detach_loop(&clock);
    vclock_destroy(&clock);
    close(loop_fd);
    sem_destroy(&about_to_wait);
}

struct early {
    struct vclock *clock;
    int fd;
    int result;
};

/* A thread that blocks before there is a loop leaves the clock to the loop then. */
static void *
run_blocked_early(void *arg)
{
    struct early *early = arg;
    early->result = block_until(early->clock, early->fd, NULL, NS_NEVER);
    return NULL;
}

static void
test_a_loop_comes_to_a_blocked_thread(void)
{
    struct vclock clock;
    pthread_t thread;
    CHECK_EQ(vclock_init(&clock, 0), 0);
    int fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    int loop_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    struct early early = {.clock = &clock, .fd = fd, .result = -1};
    vclock_hold(&clock); /* the thread's */
    CHECK_EQ(pthread_create(&thread, NULL, run_blocked_early, &early), 0);
    poll(NULL, 0, 20); /* in most runs it blocks by now; the outcome is the same */
    CHECK_EQ(vclock_attach_loop(&clock, loop_fd), 0);
    enum vclock_verdict verdict = VCLOCK_HELD;
    for (int i = 0; i < 5000 && verdict == VCLOCK_HELD; i++) {
        verdict = vclock_jump(&clock, NS_PER_S, vclock_epoch(&clock));
        poll(NULL, 0, 1);
    }
    CHECK_EQ(verdict, VCLOCK_JUMPED);
    CHECK_EQ(vclock_now(&clock), NS_PER_S);
    vclock_detach_loop(&clock);
    const uint64_t one = 1;
    CHECK_EQ(write(fd, &one, sizeof one), (ssize_t)sizeof one);
    CHECK_EQ(pthread_join(thread, NULL), 0);
    CHECK_EQ(early.result, BLOCK_READY);
    vclock_destroy(&clock);
    close(fd);
    close(loop_fd);
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
    RUN(test_time_ends);
    RUN(test_a_loop_comes_to_a_blocked_thread);
    RUN(test_advance_visits_every_due_time);
    RUN(test_jump_goes_to_the_earliest);
    RUN(test_hold_stops_time);
    RUN(test_release_after_looking);
    RUN(test_one_loop_at_most);
    RUN(test_block_moves_the_clock);
    RUN(test_block_until_a_driver_signals);
    RUN(test_waiters_beside_a_loop);
    return check_done();
}
