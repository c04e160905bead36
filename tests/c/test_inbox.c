/* base/inbox.h: order, one wake for a batch, closing, and many producers at once. */
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <stdlib.h>

#include "base/inbox.h"
#include "check.h"

#define PRODUCERS 4
#define POSTS 20000

struct letter {
    struct inbox_node node;
    int producer;
    int number;
};

static bool
is_readable(int fd)
{
    struct pollfd p = {.fd = fd, .events = POLLIN};
    return poll(&p, 1, 0) == 1;
}

static uint64_t
wakes(struct inbox *inbox)
{
    uint64_t count = 0;
    return read(inbox->wake_fd, &count, sizeof count) == sizeof count ? count : 0;
}

static void
test_oldest_first(void)
{
    struct inbox inbox = INBOX_INIT;
    struct letter letters[3] = {{.number = 0}, {.number = 1}, {.number = 2}};
    REQUIRE(inbox_open(&inbox) == 0);
    CHECK(inbox_is_empty(&inbox));
    CHECK_EQ(inbox_take(&inbox), 0);
    for (int i = 0; i < 3; i++) {
        CHECK_EQ(inbox_post(&inbox, &letters[i].node, i % 2), 0);
    }
    CHECK(!inbox_is_empty(&inbox));
    inbox_item item = inbox_take(&inbox);
    for (int i = 0; i < 3; i++) {
        REQUIRE(inbox_node_of(item) == &letters[i].node);
        CHECK_EQ(inbox_bit_of(item), i % 2);
        item = letters[i].node.next;
    }
    CHECK_EQ(item, 0);
    CHECK_EQ(inbox_take(&inbox), 0);
    CHECK_EQ(inbox_close(&inbox), 0);
}

static void
test_one_wake_for_a_batch(void)
{
    struct inbox inbox = INBOX_INIT;
    struct letter letters[5] = {0};
    REQUIRE(inbox_open(&inbox) == 0);
    CHECK_EQ(inbox_post(&inbox, &letters[0].node, 0 % 2),
             0); /* it does not sleep: no wake */
    CHECK_EQ(wakes(&inbox), 0);
    CHECK(!inbox_sleep(&inbox)); /* something is there */
    CHECK(inbox_node_of(inbox_take(&inbox)) == &letters[0].node);
    CHECK(inbox_sleep(&inbox));
    for (int i = 1; i < 5; i++) {
        CHECK_EQ(inbox_post(&inbox, &letters[i].node, i % 2), 0);
    }
    CHECK_EQ(wakes(&inbox), 1);
    CHECK_EQ(inbox_wake(&inbox), 0);
    CHECK_EQ(wakes(&inbox), 0);
    CHECK(inbox_node_of(inbox_take(&inbox)) == &letters[1].node);
    CHECK(inbox_sleep(&inbox));
    inbox_awake(&inbox);
    CHECK_EQ(inbox_wake(&inbox), 0);
    CHECK_EQ(wakes(&inbox), 0);
    CHECK_EQ(inbox_close(&inbox), 0);
}

static void
test_closed(void)
{
    struct inbox inbox = INBOX_INIT;
    struct letter letters[2] = {0};
    REQUIRE(inbox_open(&inbox) == 0);
    CHECK_EQ(inbox_post(&inbox, &letters[0].node, 0 % 2), 0);
    CHECK_EQ(inbox_post(&inbox, &letters[1].node, 1 % 2), 0);
    CHECK(inbox_node_of(inbox_close(&inbox)) == &letters[0].node);
    CHECK_EQ(inbox.wake_fd, -1);
    CHECK_EQ(inbox_post(&inbox, &letters[0].node, 0 % 2), -ESHUTDOWN);
    CHECK(inbox_is_empty(&inbox));
    CHECK_EQ(inbox_take(&inbox), 0);
    CHECK_EQ(inbox_close(&inbox), 0);
    CHECK_EQ(inbox_post(&inbox, &letters[0].node, 0 % 2), -ESHUTDOWN);
}

struct producer {
    struct inbox *inbox;
    int id;
    int refused;
    pthread_t thread;
};

static void *
produce(void *arg)
{
    struct producer *self = arg;
    for (int i = 0; i < POSTS; i++) {
        struct letter *letter = malloc(sizeof *letter);
        if (letter == NULL) {
            abort();
        }
        *letter = (struct letter){.producer = self->id, .number = i};
        if (inbox_post(self->inbox, &letter->node, i % 2) == -ESHUTDOWN) {
            free(letter);
            self->refused++;
        }
    }
    return NULL;
}

static void
start(struct producer *producers, struct inbox *inbox)
{
    for (int i = 0; i < PRODUCERS; i++) {
        producers[i] = (struct producer){.inbox = inbox, .id = i};
        CHECK_EQ(pthread_create(&producers[i].thread, NULL, produce, &producers[i]), 0);
    }
}

/* How many there were; each producer's own come in its order. */
static int
read_all(inbox_item item, int *next)
{
    int count = 0;
    while (item != 0) {
        struct letter *letter = (struct letter *)inbox_node_of(item);
        CHECK_EQ(inbox_bit_of(item), letter->number % 2);
        item = letter->node.next;
        CHECK_EQ(letter->number, next[letter->producer]);
        next[letter->producer] = letter->number + 1;
        count++;
        free(letter);
    }
    return count;
}

/* The consumer sleeps whenever it finds nothing, and no post is left behind asleep:
 * a lost wake-up ends in poll()'s timeout. */
static void
test_no_wake_is_lost(void)
{
    struct inbox inbox = INBOX_INIT;
    struct producer producers[PRODUCERS];
    int next[PRODUCERS] = {0};
    int count = 0;
    REQUIRE(inbox_open(&inbox) == 0);
    start(producers, &inbox);
    while (count < PRODUCERS * POSTS) {
        count += read_all(inbox_take(&inbox), next);
        if (count < PRODUCERS * POSTS && inbox_sleep(&inbox)) {
            struct pollfd p = {.fd = inbox.wake_fd, .events = POLLIN};
            REQUIRE(poll(&p, 1, 30000) == 1);
            inbox_awake(&inbox);
            (void)wakes(&inbox);
        }
    }
    for (int i = 0; i < PRODUCERS; i++) {
        pthread_join(producers[i].thread, NULL);
        CHECK_EQ(producers[i].refused, 0);
    }
    CHECK_EQ(inbox_close(&inbox), 0);
}

/* Each post is either taken or refused, and nobody writes a closed descriptor. */
static void
test_closing_while_they_post(void)
{
    for (int round = 0; round < 20; round++) {
        struct inbox inbox = INBOX_INIT;
        struct producer producers[PRODUCERS];
        int next[PRODUCERS] = {0};
        REQUIRE(inbox_open(&inbox) == 0);
        bool asleep = inbox_sleep(&inbox);
        start(producers, &inbox);
        while (asleep && !is_readable(inbox.wake_fd)) {
            sched_yield();
        }
        int count = read_all(inbox_take(&inbox), next);
        (void)inbox_sleep(&inbox);
        count += read_all(inbox_close(&inbox), next);
        for (int i = 0; i < PRODUCERS; i++) {
            pthread_join(producers[i].thread, NULL);
            count += producers[i].refused;
        }
        CHECK_EQ(count, PRODUCERS * POSTS);
    }
}

/* It wakes the consumer, which outranks it, and only then has done. */
static void *
wake_and_unpin(void *arg)
{
    struct inbox *inbox = arg;
    const uint64_t one = 1;
    inbox_pin(inbox);
    bool woken = write(inbox->wake_fd, &one, sizeof one) == sizeof one;
    inbox_unpin(inbox);
    return woken ? inbox : NULL;
}

static void *
close_as_realtime(void *arg)
{
    struct inbox *inbox = arg;
    struct sched_param realtime = {.sched_priority = 1};
    struct pollfd p = {.fd = inbox->wake_fd, .events = POLLIN};
    cpu_set_t cpu;
    CPU_ZERO(&cpu);
    CPU_SET(sched_getcpu(), &cpu);
    pthread_t producer;
    struct timespec before, after;
    if (pthread_setaffinity_np(pthread_self(), sizeof cpu, &cpu) != 0 ||
        pthread_create(&producer, NULL, wake_and_unpin, inbox) != 0) {
        return NULL;
    }
    /* Where it is not permitted, this tests nothing. */
    (void)pthread_setschedparam(pthread_self(), SCHED_FIFO, &realtime);
    (void)poll(&p, 1, -1);
    clock_gettime(CLOCK_MONOTONIC, &before);
    (void)inbox_close(inbox);
    clock_gettime(CLOCK_MONOTONIC, &after);
    void *woken;
    pthread_join(producer, &woken);
    CHECK(woken == inbox);
    CHECK((after.tv_sec - before.tv_sec) * 1000 +
              (after.tv_nsec - before.tv_nsec) / 1000000 <
          500);
    return inbox;
}

/* Closing waits for a producer that gets the CPU only when the closer sleeps. */
static void
test_closing_with_a_higher_priority(void)
{
    for (int round = 0; round < 5; round++) {
        struct inbox inbox = INBOX_INIT;
        pthread_t thread;
        void *done;
        REQUIRE(inbox_open(&inbox) == 0);
        REQUIRE(pthread_create(&thread, NULL, close_as_realtime, &inbox) == 0);
        pthread_join(thread, &done);
        CHECK(done == &inbox);
    }
}

int
main(void)
{
    RUN(test_oldest_first);
    RUN(test_one_wake_for_a_batch);
    RUN(test_closed);
    RUN(test_no_wake_is_lost);
    RUN(test_closing_while_they_post);
    RUN(test_closing_with_a_higher_priority);
    return check_done();
}
