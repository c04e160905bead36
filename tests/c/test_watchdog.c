/* The watchdog with a real second thread; also meant for the thread sanitizer. */
#include "base/watchdog.h"

#include "base/clock.h"
#include "check.h"

struct watcher {
    struct watchdog dog;
    pthread_t thread;
    atomic_uint found[4]; /* what wait() returned, in order */
    atomic_uint count;
    atomic_bool wrong; /* what was found contradicts itself */
    struct watchdog_find first;
};

static void *
watch(void *argument)
{
    struct watcher *watcher = argument;
    struct watchdog_find find = {0};
    int64_t last_ns = 0;
    while (watchdog_wait(&watcher->dog, find.stamp, &find)) {
        unsigned i = atomic_load(&watcher->count);
        if (i < 4) {
            atomic_store(&watcher->found[i], find.stamp);
        }
        if (find.watched_ns + 2048 < last_ns || find.watched_ns > find.due_ns ||
            find.cpu_ns > watchdog_cpu_ns()) {
            atomic_store(&watcher->wrong, true);
        }
        last_ns = find.due_ns;
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
    int64_t now = clock_monotonic_ns();
    int64_t elapsed_ns = watchdog_elapsed_ns(watchdog_stamp(began), now);
    CHECK(elapsed_ns >= now - began - 2048 && elapsed_ns <= now - began + 2048);
    watchdog_end(&watcher.dog);
    CHECK(watchdog_now(&watcher.dog) == 0);
    CHECK(!atomic_load(&watcher.wrong));
    watcher_stop(&watcher);
}

static void
test_time_before_anybody_waited_was_not_watched(void)
{
    struct watchdog dog;
    struct watchdog_find find;
    REQUIRE(watchdog_open(&dog) == 0);
    watchdog_limit(&dog, NS_PER_S);
    int64_t began = clock_monotonic_ns() - 10 * NS_PER_S;
    watchdog_begin(&dog, began);
    REQUIRE(watchdog_wait(&dog, 0, &find));
    CHECK(find.stamp == watchdog_stamp(began));
    CHECK(find.watched_ns >= 10 * NS_PER_S - 2048 && find.watched_ns <= find.due_ns);
    watchdog_close(&dog);
}

static void *
find_late(void *argument)
{
    struct watcher *watcher = argument;
    struct watchdog_find *find = &watcher->first;
    if (!watchdog_wait(&watcher->dog, 0, find)) {
        atomic_store(&watcher->wrong, true);
    }
    return NULL;
}

static void
test_what_is_found_late_was_due_all_the_same(void)
{
    struct watcher watcher = {0};
    REQUIRE(watchdog_open(&watcher.dog) == 0);
    REQUIRE(pthread_create(&watcher.thread, NULL, find_late, &watcher) == 0);
    int64_t until = clock_monotonic_ns() + 10 * NS_PER_S;
    while (!atomic_load(&watcher.dog.parked) && clock_monotonic_ns() < until) {
    }
    REQUIRE(atomic_load(&watcher.dog.parked));
    watchdog_limit(&watcher.dog, 5 * NS_PER_MS);
    pthread_mutex_lock(&watcher.dog.lock); /* it cannot look before it has this */
    int64_t began = clock_monotonic_ns();
    atomic_store(&watcher.dog.since, watchdog_stamp(began));
    pthread_cond_signal(&watcher.dog.changed);
    while (clock_monotonic_ns() < began + 50 * NS_PER_MS) {
    }
    pthread_mutex_unlock(&watcher.dog.lock);
    pthread_join(watcher.thread, NULL);
    CHECK(!atomic_load(&watcher.wrong));
    CHECK(watcher.first.watched_ns <= 2048); /* a stamp is that exact */
    CHECK(watcher.first.due_ns == 5 * NS_PER_MS);
    watchdog_close(&watcher.dog);
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
    CHECK(!watchdog_wait(&watcher.dog, 0, &(struct watchdog_find){0}));
    watchdog_close(&watcher.dog);
}

int
main(void)
{
    RUN(test_what_runs_too_long_is_found_again_and_again);
    RUN(test_time_before_anybody_waited_was_not_watched);
    RUN(test_what_is_found_late_was_due_all_the_same);
    RUN(test_short_work_is_not_found_and_wakes_the_parked);
    RUN(test_a_new_limit_counts_at_once);
    RUN(test_stop_ends_a_parked_wait_and_every_later_one);
    return check_done();
}
