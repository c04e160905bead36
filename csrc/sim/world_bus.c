/* Turn and time of a message; see world_bus.h. */
#include "sim/world_bus.h"

#include "base/nap.h"

void
bus_enter(struct world *world, pthread_mutex_t *bus)
{
    if (pthread_mutex_trylock(bus) != 0) {
        void *released = world_release_host(world);
        pthread_mutex_lock(bus);
        world_acquire_host(world, released);
    }
    world_enter(world);
}

void
bus_leave(struct world *world, pthread_mutex_t *bus)
{
    world_unlock(world);
    pthread_mutex_unlock(bus);
}

struct bus_progress
bus_begin_locked(struct world *world, int64_t total_ns)
{
    struct bus_progress progress = {0};
    if (world->lines.clock == NULL) { /* else it needs none of this */
        progress.now = progress.waited = bank_now_locked(&world->lines);
        progress.left_ns = total_ns;
    }
    return progress;
}

/* The world is entered, and left meanwhile. */
static void
sleep_locked(struct world *world, int64_t until)
{
    int64_t when_ns = bank_clock_time_locked(&world->lines, until);
    world_unlock(world);
    void *released = world_release_host(world);
    nap_until(when_ns);
    world_acquire_host(world, released);
    world_enter_behind(world);
}

static void
pass_real_time_locked(struct world *world, struct bus_progress *progress,
                      int64_t duration_ns)
{
    progress->now = time_after(progress->now, duration_ns);
    progress->left_ns -= duration_ns;
    if (progress->now > progress->waited) {
        int64_t end = time_after(progress->now, progress->left_ns);
        sleep_locked(world, world_is_quiet_locked(world, end) ? end : progress->now);
        progress->waited = bank_now_locked(&world->lines);
        if (progress->now > progress->waited) {
            progress->now = progress->waited; /* it went on, on a virtual clock */
        }
    }
    world_catch_up_locked(world, progress->now);
}

void
bus_pass_locked(struct world *world, struct bus_progress *progress, int64_t duration_ns)
{
    if (duration_ns > 0 &&
        world_pass_quietly_locked(world, duration_ns, &progress->now)) {
        return;
    }
    if (world->lines.clock == NULL) {
        pass_real_time_locked(world, progress, duration_ns);
        return;
    }
    if (duration_ns > 0) {
        world_unlock(world);
        world_pass_time(world, duration_ns);
        world_enter(world);
    }
    progress->now = bank_now_locked(&world->lines);
}
