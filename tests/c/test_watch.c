/* News of a board: noted by any thread, told by one, for which a virtual clock waits.
 */
#include "sim/watch.h"

#include <errno.h>
#include <stdlib.h>

#include "base/ready.h"
#include "check.h"

static void
test_news_come_in_order(void)
{
    struct watch watch;
    struct news *news;
    REQUIRE(watch_init(&watch) == 0);
    watch_note(&watch, NEWS_LEVEL, 1, 1, 5); /* nobody listens yet */
    REQUIRE(watch_open(&watch) >= 0);
    CHECK_EQ(watch_open(&watch), -EBUSY);
    for (int i = 0; i < 100; i++) {
        watch_note(&watch, NEWS_LEVEL, i, i % 2, 10 * i);
    }
    CHECK_EQ(watch_take(&watch, &news), 100);
    for (int i = 0; i < 100; i++) {
        CHECK_EQ(news[i].line, i);
        CHECK_EQ(news[i].when, 10 * i);
    }
    free(news);
    CHECK(!watch_is_telling(&watch)); /* this is the thread that tells */
    CHECK_EQ(watch.teller.untold, 100);
    watch_told(&watch, 100);
    CHECK_EQ(watch.teller.untold, 0);
    CHECK_EQ(watch_take(&watch, &news), 0);
    free(news);
    watch_close(&watch);
    watch_close(&watch);
    CHECK_EQ(watch_open(&watch), -ENODEV);
    watch_destroy(&watch);
}

struct telling {
    struct watch watch;
    struct vclock clock;
    pthread_barrier_t ready;
    int64_t told_at; /* of the clock */
};

/* Takes its time in real time, none on the clock. */
static void *
tell(void *arg)
{
    struct telling *telling = arg;
    struct news *news;
    int count = 0;
    (void)watch_open(&telling->watch);
    pthread_barrier_wait(&telling->ready);
    pthread_barrier_wait(&telling->ready); /* it is noted, */
    struct timespec a_while = {.tv_nsec = 20 * NS_PER_MS};
    nanosleep(&a_while, NULL); /* and who moves the clock is likely to wait */
    count = watch_take(&telling->watch, &news);
    free(news);
    telling->told_at = vclock_now(&telling->clock);
    watch_told(&telling->watch, count);
    vclock_told(&telling->clock);
    return NULL;
}

static void
test_a_clock_waits_until_all_is_told(void)
{
    struct telling telling = {.told_at = -1};
    pthread_t thread;
    REQUIRE(watch_init(&telling.watch) == 0);
    REQUIRE(vclock_init(&telling.clock, 7) == 0);
    REQUIRE(pthread_barrier_init(&telling.ready, NULL, 2) == 0);
    vclock_add_teller(&telling.clock, &telling.watch.teller);
    REQUIRE(pthread_create(&thread, NULL, tell, &telling) == 0);
    pthread_barrier_wait(&telling.ready);
    watch_note(&telling.watch, NEWS_LEVEL, 0, 1, 7);
    CHECK(watch_is_telling(&telling.watch));
    pthread_barrier_wait(&telling.ready);
    struct clock_wait wait = {.deadline = NS_PER_S, .fd = -1, .wake_fd = -1};
    int result;
    do {
        result = vclock_wait_until(&telling.clock, &wait);
    } while (result == -EINTR);
    CHECK_EQ(result, BLOCK_TIMEOUT);
    REQUIRE(pthread_join(thread, NULL) == 0);
    CHECK_EQ(telling.told_at, 7);
    CHECK_EQ(vclock_now(&telling.clock), NS_PER_S);
    vclock_remove_teller(&telling.clock, &telling.watch.teller);
    pthread_barrier_destroy(&telling.ready);
    watch_close(&telling.watch);
    watch_destroy(&telling.watch);
    vclock_destroy(&telling.clock);
}

int
main(void)
{
    RUN(test_news_come_in_order);
    RUN(test_a_clock_waits_until_all_is_told);
    return check_done();
}
