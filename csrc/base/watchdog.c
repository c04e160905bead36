/* The watching side; see watchdog.h. */
#include "base/watchdog.h"

#include <errno.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/lock.h"

#define LIMIT_LEAST_NS NS_PER_MS
#define AGAIN_LEAST_NS (2 * NS_PER_MS)

int
watchdog_open(struct watchdog *dog)
{
    *dog = (struct watchdog){
        .pid = getpid(), .limit_ns = NS_NEVER, .armed_ns = clock_monotonic_ns()};
    return monitor_init(&dog->lock, &dog->changed);
}

/* In a forked child the lock may be held by a thread that is not there. */
static bool
in_child(const struct watchdog *dog)
{
    return getpid() != dog->pid;
}

void
watchdog_close(struct watchdog *dog)
{
    if (!in_child(dog)) {
        monitor_destroy(&dog->lock, &dog->changed);
    }
}

void
watchdog_unpark(struct watchdog *dog)
{
    if (in_child(dog)) {
        return;
    }
    pthread_mutex_lock(&dog->lock);
    atomic_store(&dog->parked, false);
    pthread_cond_signal(&dog->changed);
    pthread_mutex_unlock(&dog->lock);
}

void
watchdog_limit(struct watchdog *dog, int64_t limit_ns)
{
    if (in_child(dog)) {
        return;
    }
    limit_ns = limit_ns > LIMIT_LEAST_NS ? limit_ns : LIMIT_LEAST_NS;
    pthread_mutex_lock(&dog->lock);
    if (limit_ns < dog->limit_ns) {
        dog->armed_ns = clock_monotonic_ns();
    }
    dog->limit_ns = limit_ns;
    pthread_cond_signal(&dog->changed);
    pthread_mutex_unlock(&dog->lock);
}

void
watchdog_stop(struct watchdog *dog)
{
    if (in_child(dog)) {
        return;
    }
    pthread_mutex_lock(&dog->lock);
    dog->stopped = true;
    pthread_cond_signal(&dog->changed);
    pthread_mutex_unlock(&dog->lock);
}

int64_t
watchdog_elapsed_ns(unsigned stamp, int64_t now_ns)
{
    return (int64_t)(watchdog_stamp(now_ns) - stamp) * 1024;
}

int64_t
watchdog_cpu_ns(void)
{
    struct timespec used = {0};
    (void)clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &used); /* Linux has it */
    return (int64_t)used.tv_sec * NS_PER_S + used.tv_nsec;
}

static void
wait_ns_locked(struct watchdog *dog, int64_t ns)
{
    int64_t until = clock_monotonic_ns() + ns;
    struct timespec deadline = {(time_t)(until / NS_PER_S), (long)(until % NS_PER_S)};
    (void)pthread_cond_timedwait(&dog->changed, &dog->lock, &deadline);
}

/* Nothing runs: wait, without end, for something to begin. */
static void
park_locked(struct watchdog *dog)
{
    atomic_store(&dog->parked, true);
    while (atomic_load(&dog->since) == 0 && !dog->stopped &&
           atomic_load(&dog->parked)) {
        pthread_cond_wait(&dog->changed, &dog->lock);
    }
    atomic_store(&dog->parked, false);
}

bool
watchdog_wait(struct watchdog *dog, unsigned last, struct watchdog_find *find)
{
    bool found = false;
    int64_t entered_ns = clock_monotonic_ns();
    int64_t again_ns = 0; /* when `last` is next due, since its beginning */
    if (in_child(dog)) {
        return false;
    }
    pthread_mutex_lock(&dog->lock);
    while (!dog->stopped) {
        unsigned since = atomic_load(&dog->since);
        if (since == 0) {
            park_locked(dog);
            continue;
        }
        if (dog->limit_ns == NS_NEVER) {
            pthread_cond_wait(&dog->changed, &dog->lock);
            continue;
        }
        int64_t now_ns = clock_monotonic_ns();
        int64_t so_far_ns = watchdog_elapsed_ns(since, now_ns);
        if (since == last && again_ns == 0) {
            int64_t part_ns = so_far_ns / 16;
            again_ns =
                so_far_ns + (part_ns > AGAIN_LEAST_NS ? part_ns : AGAIN_LEAST_NS);
        }
        int64_t due_ns = since == last ? again_ns : dog->limit_ns;
        if (so_far_ns >= due_ns) {
            int64_t from_ns = dog->armed_ns > entered_ns ? dog->armed_ns : entered_ns;
            int64_t watched_ns = so_far_ns - (now_ns - from_ns);
            find->stamp = since;
            find->watched_ns = watched_ns > 0 ? watched_ns : 0;
            find->due_ns = due_ns > find->watched_ns ? due_ns : find->watched_ns;
            find->cpu_ns = watchdog_cpu_ns();
            found = true;
            break;
        }
        int64_t left_ns = due_ns - so_far_ns;
        wait_ns_locked(dog, left_ns < NS_PER_S ? left_ns : NS_PER_S);
    }
    pthread_mutex_unlock(&dog->lock);
    return found;
}
