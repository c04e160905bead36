/* The simulated board: its life, its locks, and how time passes on it; see world.h. */
#include "sim/world.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/block.h"
#include "base/lock.h"
#include "sim/world_chip.h"

static struct world *
world_of_virtual(struct clock_driver *driver)
{
    return (struct world *)((char *)driver - offsetof(struct world, virtual_driver));
}

static struct world *
world_of_real(struct clock_driver *driver)
{
    return (struct world *)((char *)driver - offsetof(struct world, real_driver));
}

static int64_t
next_due_locked(struct world *world)
{
    int64_t due = bank_next_due(&world->lines);
    int64_t mine = heap_first_when(&world->due);
    due = mine < due ? mine : due;
    mine = pwm_next_due(&world->waves);
    due = mine < due ? mine : due;
    for (struct world_chip *chip = world->chips; chip != NULL; chip = chip->next) {
        mine = mfrc522_sim_next_due(chip->mfrc522);
        due = mine < due ? mine : due;
    }
    return due;
}

/* Everything up to `now`, in order of time. */
static void
advance_locked(struct world *world, int64_t now)
{
    world_apply_pins_locked(world);
    if (world->waiting != NULL) {
        world_start_actions_locked(world); /* a line may have been requested */
    }
    for (;;) {
        int64_t due = next_due_locked(world);
        int64_t stop = due < now ? due : now;
        world_run_actions_locked(world, stop);
        for (struct world_chip *chip = world->chips; chip != NULL; chip = chip->next) {
            mfrc522_sim_advance(chip->mfrc522, stop);
        }
        if (due > now) {
            break; /* no line has moved */
        }
        pwm_advance(&world->waves, stop, now);
        bank_advance(&world->lines, stop);
        world_apply_pins_locked(world);
        if (due == now) {
            break;
        }
    }
}

/* Locks. */

/* In real time: is the thread awake when the next thing is due? */
static void
mind_thread_locked(struct world *world)
{
    if (world->lines.clock == NULL) {
        int64_t due = bank_clock_time_locked(&world->lines, next_due_locked(world));
        world->thread_error = wall_clock_expect(&world->wall, due);
    }
}

/* The outermost unlock: effects of what was done meanwhile. */
static void
leaving_locked(struct world *world)
{
    if (world->depth == 1 && !world->closed) {
        advance_locked(world, bank_now_locked(&world->lines));
        mind_thread_locked(world);
    }
    world->depth--;
}

static void
entered(struct world *world)
{
    if (world->depth++ == 0 && !world->closed) {
        advance_locked(world, bank_now_locked(&world->lines));
    }
}

/* A line was moved, or its debounce began, under the lines' lock alone.  If the
 * world is taken, its owner looks again after it let go. */
static void
look_again(struct world *world)
{
    while (atomic_load(&world->stirred) && pthread_mutex_trylock(&world->lock) == 0) {
        bool inside = world->depth > 0; /* then the outermost unlock sees to it */
        if (!inside) {
            atomic_store(&world->stirred, false);
            entered(world);
            leaving_locked(world);
        }
        pthread_mutex_unlock(&world->lock);
        if (inside) {
            return;
        }
    }
}

static void
lines_stirred(void *owner)
{
    struct world *world = owner;
    atomic_store(&world->stirred, true);
    look_again(world);
}

void
world_lock(struct world *world)
{
    pthread_mutex_lock(&world->lock);
    entered(world);
}

static void
take(struct world *world)
{
    if (pthread_mutex_trylock(&world->lock) != 0) {
        void *released = world_release_host(world);
        pthread_mutex_lock(&world->lock);
        world_acquire_host(world, released);
    }
}

void
world_enter(struct world *world)
{
    take(world);
    entered(world);
}

void
world_enter_behind(struct world *world)
{
    take(world);
    world->depth++;
}

void
world_catch_up_locked(struct world *world, int64_t until)
{
    if (!world->closed) {
        advance_locked(world, until);
    }
}

void
world_unlock(struct world *world)
{
    leaving_locked(world);
    bool outermost = world->depth == 0;
    pthread_mutex_unlock(&world->lock);
    if (outermost) {
        look_again(world);
    }
}

bool
world_is_inside(struct world *world)
{
    if (pthread_mutex_trylock(&world->lock) != 0) {
        return false;
    }
    bool inside = world->depth > 0;
    pthread_mutex_unlock(&world->lock);
    return inside;
}

/* An action without a time, or lines that moved, may have something due at any time. */
static bool
is_foreseen_locked(struct world *world)
{
    return world->waiting == NULL && !atomic_load(&world->stirred);
}

bool
world_is_quiet_locked(struct world *world, int64_t until)
{
    return is_foreseen_locked(world) && next_due_locked(world) > until;
}

bool
world_pass_quietly_locked(struct world *world, int64_t duration_ns, int64_t *now_ns)
{
    struct vclock *clock = world->lines.clock;
    if (clock == NULL || !is_foreseen_locked(world)) {
        return false;
    }
    int64_t due = bank_clock_time_locked(&world->lines, next_due_locked(world));
    if (!vclock_advance_alone(clock, &world->virtual_driver, duration_ns, due,
                              now_ns)) {
        return false;
    }
    *now_ns = bank_own_time_locked(&world->lines, *now_ns);
    return true;
}

void
world_pass_time(struct world *world, int64_t duration_ns)
{
    struct vclock *clock = bank_clock(&world->lines);
    if (clock == NULL) {
        return;
    }
    if (world->host != NULL) {
        world->host->keep_clock(clock);
    }
    void *released = world_release_host(world);
    vclock_advance(clock, duration_ns);
    world_acquire_host(world, released);
    if (world->host != NULL) {
        world->host->drop_clock(clock);
    }
}

void
world_settle(struct world *world)
{
    if (watch_is_telling(&world->watch) && !world_is_inside(world)) {
        void *released = world_release_host(world);
        watch_settle(&world->watch);
        world_acquire_host(world, released);
    }
}

void
world_told(struct world *world, int count)
{
    watch_told(&world->watch, count);
    struct vclock *clock = bank_clock(&world->lines);
    if (clock != NULL) {
        vclock_told(clock);
    }
}

int64_t
world_now(struct world *world)
{
    return bank_now(&world->lines);
}

/* Clocks. */

/* Whoever was in the world has let happen all that was due by then, so this only looks:
 * it is asked for at each step of a clock.  Nothing is due while card code moves one.
 */
static int64_t
next_due(struct world *world)
{
    pthread_mutex_lock(&world->lock);
    int64_t due = NS_NEVER;
    if (world->depth == 0 && !world->closed) {
        due = bank_clock_time_locked(&world->lines, next_due_locked(world));
    }
    pthread_mutex_unlock(&world->lock);
    look_again(world);
    return due;
}

static void
advance(struct world *world, int64_t now_ns)
{
    pthread_mutex_lock(&world->lock);
    /* Not from card code, for which time stands still. */
    if (world->depth++ == 0 && !world->closed) {
        advance_locked(world, bank_own_time_locked(&world->lines, now_ns));
    }
    world->depth--;
    pthread_mutex_unlock(&world->lock);
    look_again(world);
}

static int64_t
virtual_next_due(struct clock_driver *driver)
{
    return next_due(world_of_virtual(driver));
}

static void
virtual_advance(struct clock_driver *driver, int64_t now_ns)
{
    advance(world_of_virtual(driver), now_ns);
}

static int64_t
real_next_due(struct clock_driver *driver)
{
    struct world *world = world_of_real(driver);
    return bank_clock(&world->lines) == NULL ? next_due(world) : NS_NEVER;
}

static void
real_advance(struct clock_driver *driver, int64_t now_ns)
{
    struct world *world = world_of_real(driver);
    pthread_mutex_lock(&world->lock); /* until then it stays on its clock */
    if (bank_clock(&world->lines) == NULL) {
        advance(world, now_ns);
    }
    pthread_mutex_unlock(&world->lock);
    look_again(world);
}

static void
set_clock_switching(struct world *world, struct vclock *clock)
{
    struct vclock *old = bank_clock(&world->lines);
    if (old == clock) {
        return;
    }
    if (old != NULL) {
        vclock_remove_driver(old, &world->virtual_driver);
        vclock_remove_teller(old, &world->watch.teller);
    }
    world_lock(world);
    bank_set_clock(&world->lines, clock);
    for (struct world_device *d = world->devices; d != NULL; d = d->next) {
        d->time->clock = clock;
    }
    world_unlock(world);
    if (clock != NULL && !world->closed) {
        vclock_add_driver(clock, &world->virtual_driver);
        vclock_add_teller(clock, &world->watch.teller);
    }
}

struct vclock *
world_set_home(struct world *world, struct vclock *clock)
{
    pthread_mutex_lock(&world->switching);
    struct vclock *before = world->home;
    world->home = clock;
    set_clock_switching(world, clock);
    pthread_mutex_unlock(&world->switching);
    return before;
}

int
world_use_clock(struct world *world, struct device_time *time, struct vclock **clock)
{
    pthread_mutex_lock(&world->switching);
    struct vclock *before = time->told;
    time->told = *clock;
    time->speaks = true;
    set_clock_switching(world, *clock);
    *clock = before;
    pthread_mutex_unlock(&world->switching);
    return 0;
}

void
world_add_device(struct world *world, struct world_device *device,
                 struct device_time *time)
{
    pthread_mutex_lock(&world->switching);
    device->time = time;
    *time = (struct device_time){.clock = bank_clock(&world->lines)};
    device->next = world->devices;
    world->devices = device;
    pthread_mutex_unlock(&world->switching);
}

void
world_remove_device(struct world *world, struct world_device *device)
{
    pthread_mutex_lock(&world->switching);
    struct vclock *clock = bank_clock(&world->lines);
    bool pinned = clock == world->home;
    for (struct world_device **p = &world->devices; *p != NULL;) {
        if (*p == device) {
            *p = device->next;
            continue;
        }
        const struct device_time *time = (*p)->time;
        pinned = pinned || (time->speaks && time->told == clock);
        p = &(*p)->next;
    }
    if (!pinned) {
        set_clock_switching(world, world->home);
    }
    pthread_mutex_unlock(&world->switching);
}

/* Life. */

/* SPI's, then I2C's. */
static pthread_mutex_t *
bus_lock(struct world *world, int i)
{
    return i < WORLD_BUSES ? &world->buses[i] : &world->i2c_buses[i - WORLD_BUSES];
}

static int
init_locks(struct world *world)
{
    int err = lock_init(&world->lock, PTHREAD_MUTEX_RECURSIVE);
    if (err < 0) {
        return err;
    }
    err = lock_init(&world->switching, PTHREAD_MUTEX_NORMAL);
    if (err < 0) {
        pthread_mutex_destroy(&world->lock);
        return err;
    }
    int buses = 0;
    while (err == 0 && buses < 2 * WORLD_BUSES) {
        err = lock_init(bus_lock(world, buses), PTHREAD_MUTEX_ERRORCHECK);
        buses += err == 0;
    }
    if (err == 0) {
        err = wall_clock_init(&world->wall, &world->real_driver, "simulated-board");
    }
    if (err < 0) {
        while (buses-- > 0) {
            pthread_mutex_destroy(bus_lock(world, buses));
        }
        pthread_mutex_destroy(&world->switching);
        pthread_mutex_destroy(&world->lock);
    }
    return err;
}

static void
destroy_locks(struct world *world)
{
    wall_clock_destroy(&world->wall);
    for (int i = 0; i < 2 * WORLD_BUSES; i++) {
        pthread_mutex_destroy(bus_lock(world, i));
    }
    pthread_mutex_destroy(&world->switching);
    pthread_mutex_destroy(&world->lock);
}

int
world_init(struct world *world, unsigned num_lines, struct vclock *clock,
           const struct world_host *host)
{
    memset(world, 0, sizeof *world);
    int err = bank_init(&world->lines, num_lines);
    if (err < 0) {
        return err;
    }
    err = shared_lines_init(&world->shared);
    if (err < 0) {
        bank_destroy(&world->lines);
        return err;
    }
    err = init_locks(world);
    if (err == 0) {
        err = watch_init(&world->watch);
        if (err < 0) {
            destroy_locks(world);
        }
    }
    if (err < 0) {
        shared_lines_destroy(&world->shared);
        bank_destroy(&world->lines);
        return err;
    }
    world->host = host;
    world->lines.watch = &world->watch;
    world->home = clock;
    world->lines.clock = clock;
    world->lines.offset = -clock_now(clock); /* own time begins at 0 */
    world->lines.stir = lines_stirred;
    world->lines.owner = world;
    world->virtual_driver.next_due = virtual_next_due;
    world->virtual_driver.advance = virtual_advance;
    world->real_driver.next_due = real_next_due;
    world->real_driver.advance = real_advance;
    if (clock != NULL) {
        vclock_add_driver(clock, &world->virtual_driver);
        vclock_add_teller(clock, &world->watch.teller);
    }
    return 0;
}

void
world_close(struct world *world)
{
    pthread_mutex_lock(&world->switching);
    pthread_mutex_lock(&world->lock);
    bool was_closed = world->closed;
    world->closed = true;
    pthread_mutex_unlock(&world->lock);
    if (!was_closed) {
        struct vclock *clock = bank_clock(&world->lines);
        if (clock != NULL) {
            vclock_remove_driver(clock, &world->virtual_driver);
            vclock_remove_teller(clock, &world->watch.teller);
        }
        watch_close(&world->watch);
        wall_clock_stop(&world->wall);
        bank_unplug(&world->lines);
        pthread_mutex_lock(&world->lock);
        world_clear_locked(world);
        pthread_mutex_unlock(&world->lock);
    }
    pthread_mutex_unlock(&world->switching);
}

void
world_destroy(struct world *world)
{
    heap_free(&world->due);
    while (world->chips != NULL) {
        struct world_chip *chip = world->chips;
        world->chips = chip->next;
        mfrc522_sim_free(chip->mfrc522);
        free(chip);
    }
    while (world->outputs != NULL) {
        struct world_output *output = world->outputs;
        world->outputs = output->next;
        free(output);
    }
    watch_destroy(&world->watch);
    destroy_locks(world);
    shared_lines_destroy(&world->shared);
    bank_destroy(&world->lines);
}
