/* The watchdog with a real second thread; also meant for the thread sanitizer. */
#include "base/watchdog.h"

#include "base/clock.h"
#include "check.h"

struct watcher {
    struct watchdog dog;
    pthread_t thread;
    atomic_uint found[4]; /* what wait() returned, in order */
    atomic_uint count;
};

static void *
watch(void *argument)
{
    struct watcher *watcher = argument;
    unsigned last = 0;
    while ((last = watchdog_wait(&watcher->dog, last)) != 0) {
        unsigned i = atomic_load(&watcher->count);
        if (i < 4) {
            atomic_store(&watcher->found[i], last);
        }
        atomic_fetch_add(&watcher->count, 1);
    }
    return NULL;
}

static bool
watcher_start(struct watcher *watcher, int64_t limit_ns)
{
    memset(watcher, 0, sizeof *watcher);
    if (watchdog_open(&watcher->dog) < 0) {
        return false;
    }
    watchdog_limit(&watcher->dog, limit_ns);
    return pthread_create(&watcher->thread, NULL, watch, watcher) == 0;
}

static void
watcher_stop(struct watcher *watcher)
{
    watchdog_stop(&watcher->dog);
    pthread_join(watcher->thread, NULL);
    watchdog_close(&watcher->dog);
}

static bool
wait_for_count(struct watcher *watcher, unsigned count)
{
    int64_t end = clock_monotonic_ns() + 10 * NS_PER_S;
    while (atomic_load(&watcher->count) < count) {
        if (clock_monotonic_ns() > end) {
            return false;
        }
    }
    return true;
}

static void
test_what_runs_too_long_is_found_again_and_again(void)
{
    struct watcher watcher;
    REQUIRE(watcher_start(&watcher, 5 * NS_PER_MS));
    int64_t began = clock_monotonic_ns();
    watchdog_begin(&watcher.dog, began);
    CHECK(wait_for_count(&watcher, 3));
    CHECK(clock_monotonic_ns() - began >= 5 * NS_PER_MS + 2 * 2 * NS_PER_MS);
    for (int i = 0; i < 3; i++) {
        CHECK(atomic_load(&watcher.found[i]) == watchdog_stamp(began));
    }
    CHECK(watchdog_now(&watcher.dog) == watchdog_stamp(began));
    int64_t elapsed_ns = watchdog_elapsed_ns(&watcher.dog);
    CHECK(elapsed_ns >= 8 * NS_PER_MS &&
          elapsed_ns <= clock_monotonic_ns() - began + 2048);
    watchdog_end(&watcher.dog);
    CHECK(watchdog_now(&watcher.dog) == 0);
    CHECK(watchdog_elapsed_ns(&watcher.dog) == 0);
    watcher_stop(&watcher);
}

static void
test_short_work_is_not_found_and_wakes_the_parked(void)
{
    struct watcher watcher;
    REQUIRE(watcher_start(&watcher, 3600 * NS_PER_S));
    for (int i = 0; i < 20000; i++) {
        watchdog_begin(&watcher.dog, clock_monotonic_ns());
        if (i % 7 == 0) {
            watchdog_end(&watcher.dog);
        }
    }
    CHECK(atomic_load(&watcher.count) == 0);
    watcher_stop(&watcher);
}

static void
test_a_new_limit_counts_at_once(void)
{
    struct watcher watcher;
    REQUIRE(watcher_start(&watcher, NS_NEVER));
    watchdog_begin(&watcher.dog, clock_monotonic_ns());
    watchdog_limit(&watcher.dog, 3600 * NS_PER_S);
    watchdog_limit(&watcher.dog, 0);
    CHECK(wait_for_count(&watcher, 1));
    watcher_stop(&watcher);
}

static void
test_stop_ends_a_parked_wait_and_every_later_one(void)
{
    struct watcher watcher;
    REQUIRE(watcher_start(&watcher, NS_PER_MS));
    watchdog_stop(&watcher.dog);
    pthread_join(watcher.thread, NULL);
    watchdog_begin(&watcher.dog, clock_monotonic_ns());
    CHECK(watchdog_wait(&watcher.dog, 0) == 0);
    watchdog_close(&watcher.dog);
}

int
main(void)
{
    RUN(test_what_runs_too_long_is_found_again_and_again);
    RUN(test_short_work_is_not_found_and_wakes_the_parked);
    RUN(test_a_new_limit_counts_at_once);
    RUN(test_stop_ends_a_parked_wait_and_every_later_one);
    return check_done();
}
