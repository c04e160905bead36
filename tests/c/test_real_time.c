/* A simulated board in real time: what takes time, and how much. */
#include "sim/world.h"

#include <errno.h>
#include <stdlib.h>

#include "base/nap.h"
#include "check.h"
#include "sim/line_view.h"

#define SPEED_HZ 1000000
#define MESSAGE_NS (100 * NS_PER_US)

static struct spi_device *
board_with_chip(struct world *world, struct vclock *clock)
{
    const struct spi_config config = {.speed_hz = SPEED_HZ, .bits_per_word = 8};
    struct world_chip *chip = NULL;
    struct spi_device *spi = NULL;
    CHECK_EQ(world_init(world, 54, clock, NULL), 0);
    world->spi_message_ns = MESSAGE_NS;
    world_enter(world);
    CHECK_EQ(world_attach_locked(world, 0, 0, 24, 25, 0x92, &chip), 0);
    world_unlock(world);
    CHECK_EQ(world_open_spi(world, 0, 0, &config, &spi), 0);
    return spi;
}

static void
unplug(struct world *world, struct spi_device *spi)
{
    spi->ops->close(spi->self);
    world_close(world);
    world_destroy(world);
}

/* A message starts the chip's timer, 10 us a tick, pauses, and reads how far it is. */
static int
ticks_in_a_message(struct spi_device *spi)
{
    enum { XFERS = 5 };
    static const uint8_t tx[XFERS][2] = {{T_PRESCALER_REG << 1, 67},
                                         {T_RELOAD_REG_H << 1, 0xFF},
                                         {T_RELOAD_REG_L << 1, 0xFF},
                                         {CONTROL_REG << 1, 0x40},
                                         {0x80 | T_COUNTER_VAL_REG_L << 1, 0}};
    uint8_t rx[XFERS][2];
    struct spi_xfer xfers[XFERS];
    for (unsigned i = 0; i < XFERS; i++) {
        xfers[i] = (struct spi_xfer){
            .tx = tx[i], .rx = rx[i], .len = 2, .cs_change = i + 1 < XFERS};
    }
    xfers[3].delay_us = 500;
    CHECK_EQ(spi->ops->message(spi->self, xfers, XFERS), 2 * XFERS);
    return 0xFF - rx[4][1];
}

/* The same in real time: as long at least, and what is in it at the same times. */
static void
test_a_message_in_real_and_in_virtual_time(void)
{
    struct vclock clock;
    struct world worlds[2];
    REQUIRE(vclock_init(&clock, 0) == 0);
    struct spi_device *imagined = board_with_chip(&worlds[0], &clock);
    struct spi_device *real = board_with_chip(&worlds[1], NULL);
    int ticks = ticks_in_a_message(imagined);
    CHECK(ticks > 50);
    int64_t began_ns = clock_monotonic_ns();
    CHECK_EQ(ticks_in_a_message(real), ticks);
    CHECK(clock_monotonic_ns() - began_ns >= vclock_now(&clock));
    CHECK_EQ(vclock_now(&clock),
             MESSAGE_NS + 5 * 16 * NS_PER_US + 4 * SPI_CS_CHANGE_NS + 500 * NS_PER_US);
    unplug(&worlds[0], imagined);
    unplug(&worlds[1], real);
    vclock_destroy(&clock);
}

static void
drive_at(struct world *world, int level, int64_t when)
{
    struct world_action *action = calloc(1, sizeof *action);
    REQUIRE(action != NULL);
    *action = (struct world_action){.node = HEAP_NODE_INIT,
                                    .deed = WORLD_DRIVE,
                                    .after_ns = when,
                                    .line = 17,
                                    .level = level};
    world_enter(world);
    CHECK_EQ(world_schedule_locked(world, action), 0);
    world_unlock(world);
}

/* Without the board's own thread. */
static void
test_reading_a_line_carries_out_what_is_due(void)
{
    static const struct line_settings input = {.direction = LINE_INPUT};
    const uint32_t offset = 17;
    struct world world;
    struct line_request *line;
    struct line_conflict conflict;
    REQUIRE(world_init(&world, 54, NULL, NULL) == 0);
    wall_clock_stop(&world.wall);
    REQUIRE(world_request_lines(&world, &offset, 1, &input, "test", 0, &line,
                                &conflict) == 0);
    int64_t due = world_now(&world) + NS_PER_MS;
    drive_at(&world, LINE_HIGH, due);
    int64_t now;
    do {
        uint64_t bits = 0;
        now = world_now(&world);
        CHECK_EQ(line_get(line, 1, &bits), 0);
        CHECK(now < due || bits == 1);
    } while (now < due);
    CHECK_EQ(bank_level(&world.lines, 17), LINE_HIGH);
    drive_at(&world, LINE_LOW, world_now(&world));
    CHECK_EQ(bank_level(&world.lines, 17), LINE_LOW);
    line_close(line);
    world_close(&world);
    world_destroy(&world);
}

/* A read by the thread that read last, which has slept so often since. */
static int
read_at(struct line_view *view, int sleeps, int level, int64_t now)
{
    struct line_reader began = view->reader;
    began.thread = pthread_self();
    began.sleeps += sleeps;
    struct line_backlog alone = {.first = NS_NEVER};
    return view_read(view, &began, &alone, level, now);
}

static void
two_pulses(struct line_view *view)
{
    view_begin(view, LINE_LOW);
    for (int i = 0; i < 4; i++) {
        view_changed(view, (10 + i) * NS_PER_MS);
    }
}

/* It had no CPU from 0 to 30 ms: two pulses of 1 ms, 1 ms apart, begin 20 ms late. */
static void
test_who_polls_misses_no_pulse(void)
{
    static const struct {
        int64_t at_us;
        int level;
    } seen[] = {{30000, 1}, {30999, 1}, {31000, 0}, {31999, 0},
                {32000, 1}, {32999, 1}, {33000, 0}, {50000, 0}};
    struct line_view view;
    two_pulses(&view);
    for (unsigned i = 0; i < sizeof seen / sizeof *seen; i++) {
        CHECK_EQ(read_at(&view, 0, LINE_LOW, seen[i].at_us * NS_PER_US), seen[i].level);
    }
    /* Now it is in time again. */
    view_changed(&view, 60 * NS_PER_MS);
    CHECK_EQ(read_at(&view, 0, LINE_HIGH, 60 * NS_PER_MS), LINE_HIGH);
    view_changed(&view, 61 * NS_PER_MS);
    CHECK_EQ(read_at(&view, 0, LINE_LOW, 61 * NS_PER_MS), LINE_LOW);
}

/* A read of one of two lines that are polled in turn, which are low in the end. */
static int
read_in_turn(struct line_view views[2], int which, int64_t at_us)
{
    struct line_view *view = &views[which];
    struct line_reader began = view->reader;
    struct line_backlog backlog = {.first = NS_NEVER};
    view_add_other(view, &views[!which], &began, &backlog);
    int level = view_read(view, &began, &backlog, LINE_LOW, at_us * NS_PER_US);
    view_keep_pace(&views[!which], view, &began, &backlog);
    views[0].reader = views[1].reader = began; /* it may have slept, for the test */
    return level;
}

/* A quadrature encoder's step, at 10, 11, 12 and 13 ms, of which a thread that had no
 * CPU from 0 to 30 ms is shown all, 20 ms late. */
static void
test_lines_that_are_polled_in_turn_keep_their_order(void)
{
    static const struct {
        int64_t at_us;
        int levels[2];
    } seen[] = {{30000, {1, 0}}, {30999, {1, 0}}, {31000, {1, 1}}, {31999, {1, 1}},
                {32000, {0, 1}}, {32999, {0, 1}}, {33000, {0, 0}}, {50000, {0, 0}}};
    for (int first = 0; first < 2; first++) {
        struct line_view views[2];
        view_begin(&views[0], LINE_LOW);
        view_begin(&views[1], LINE_LOW);
        views[0].reader = views[1].reader;
        views[0].cpu_time_ns = views[1].cpu_time_ns;
        for (int i = 0; i < 4; i++) {
            view_changed(&views[i % 2], (10 + i) * NS_PER_MS);
        }
        if (first == 1) { /* what came later is not shown before */
            CHECK_EQ(read_in_turn(views, 1, 29999), LINE_LOW);
        }
        for (unsigned i = 0; i < sizeof seen / sizeof *seen; i++) {
            CHECK_EQ(read_in_turn(views, 0, seen[i].at_us), seen[i].levels[0]);
            CHECK_EQ(read_in_turn(views, 1, seen[i].at_us), seen[i].levels[1]);
        }
    }
}

/* Of a line that it has ceased to poll nothing is waited for. */
static void
test_a_line_that_is_polled_no_more_holds_up_none(void)
{
    struct line_view views[2];
    view_begin(&views[0], LINE_LOW);
    view_begin(&views[1], LINE_LOW);
    views[0].reader = views[1].reader;
    view_changed(&views[0], 10 * NS_PER_MS);
    view_changed(&views[1], 11 * NS_PER_MS);
    views[0].cpu_time_ns = views[1].cpu_time_ns - 1;
    (void)read_in_turn(views, 1, 11000);
    CHECK_EQ(views[1].count, 0); /* it was shown */
}

static void
test_who_sleeps_sees_the_line_as_it_is(void)
{
    struct line_view view;
    two_pulses(&view);
    CHECK_EQ(read_at(&view, 1, LINE_LOW, 30 * NS_PER_MS), LINE_LOW);
    CHECK_EQ(read_at(&view, 0, LINE_LOW, 31 * NS_PER_MS), LINE_LOW);

    two_pulses(&view); /* it drives the line itself */
    view_changed_by_hand(&view);
    CHECK_EQ(read_at(&view, 0, LINE_LOW, 30 * NS_PER_MS), LINE_LOW);

    two_pulses(&view); /* it was busy with something else for longer than a pulse */
    view.cpu_time_ns -= 2 * NS_PER_MS;
    CHECK_EQ(read_at(&view, 0, LINE_LOW, 30 * NS_PER_MS), LINE_LOW);
}

static void
test_the_oldest_pulses_are_forgotten(void)
{
    struct line_view view;
    view_begin(&view, LINE_LOW);
    for (int i = 0; i < LINE_VIEW_CHANGES + 4; i++) {
        view_changed(&view, i * NS_PER_S);
    }
    int64_t now = 1000 * NS_PER_S;
    int changes = 0;
    for (int level = LINE_LOW; now < 2000 * NS_PER_S; now += NS_PER_S) {
        changes += level != read_at(&view, 0, LINE_LOW, now);
        level = view.shown;
    }
    CHECK_EQ(changes, LINE_VIEW_CHANGES);
    CHECK_EQ(view.shown, LINE_LOW);
}

struct idler {
    struct clock_driver driver;
    atomic_int looks;
};

static int64_t
idler_next_due(struct clock_driver *driver)
{
    (void)driver;
    return NS_NEVER;
}

static void
idler_advance(struct clock_driver *driver, int64_t now_ns)
{
    (void)now_ns;
    ((struct idler *)driver)->looks++;
}

static void
await_looks(struct idler *idler, int looks)
{
    for (int ms = 0; idler->looks < looks && ms < 60000; ms++) {
        nap_until(clock_monotonic_ns() + NS_PER_MS);
    }
    CHECK_EQ(idler->looks, looks);
}

static void
test_what_is_due_sooner_wakes_nobody(void)
{
    const int64_t hour_ns = 3600 * NS_PER_S;
    struct idler idler = {
        .driver = {.next_due = idler_next_due, .advance = idler_advance}};
    struct wall_clock wall;
    REQUIRE(wall_clock_init(&wall, &idler.driver, "idler") == 0);
    CHECK_EQ(wall_clock_expect(&wall, clock_monotonic_ns() + hour_ns), 0);
    await_looks(&idler, 1); /* it has been started */
    for (int sooner = 1; sooner <= 20; sooner++) {
        int64_t due_ns = clock_monotonic_ns() + hour_ns - sooner * NS_PER_S;
        CHECK_EQ(wall_clock_expect(&wall, due_ns), 0);
        nap_until(clock_monotonic_ns() + NS_PER_MS);
    }
    CHECK_EQ(idler.looks, 1);
    CHECK_EQ(wall_clock_expect(&wall, clock_monotonic_ns() + NS_PER_MS), 0);
    await_looks(&idler, 2);
    wall_clock_stop(&wall);
    CHECK_EQ(wall_clock_expect(&wall, clock_monotonic_ns()), 0);
    wall_clock_destroy(&wall);
    CHECK_EQ(idler.looks, 2);
}

/* Its thread's stack has no room in memory, and later it has. */
static void
test_a_thread_that_cannot_start_leaves_nothing(void)
{
    struct idler idler = {
        .driver = {.next_due = idler_next_due, .advance = idler_advance}};
    struct wall_clock wall;
    pthread_attr_t usual, huge;
    REQUIRE(pthread_getattr_default_np(&usual) == 0);
    REQUIRE(pthread_attr_init(&huge) == 0);
    REQUIRE(pthread_attr_setstacksize(&huge, SIZE_MAX / 4) == 0);
    REQUIRE(wall_clock_init(&wall, &idler.driver, "idler") == 0);
    REQUIRE(pthread_setattr_default_np(&huge) == 0);
    CHECK_EQ(wall_clock_expect(&wall, clock_monotonic_ns()), -EAGAIN);
    CHECK_EQ(wall.alarm_fd, -1);
    REQUIRE(pthread_setattr_default_np(&usual) == 0);
    CHECK_EQ(wall_clock_expect(&wall, clock_monotonic_ns()), 0);
    await_looks(&idler, 1);
    wall_clock_stop(&wall);
    wall_clock_destroy(&wall);
    pthread_attr_destroy(&usual);
    pthread_attr_destroy(&huge);
}

int
main(void)
{
    RUN(test_a_message_in_real_and_in_virtual_time);
    RUN(test_reading_a_line_carries_out_what_is_due);
    RUN(test_what_is_due_sooner_wakes_nobody);
    RUN(test_a_thread_that_cannot_start_leaves_nothing);
    RUN(test_who_polls_misses_no_pulse);
    RUN(test_lines_that_are_polled_in_turn_keep_their_order);
    RUN(test_a_line_that_is_polled_no_more_holds_up_none);
    RUN(test_who_sleeps_sees_the_line_as_it_is);
    RUN(test_the_oldest_pulses_are_forgotten);
    return check_done();
}
