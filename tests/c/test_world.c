/* Simulated lines and the world around them, bare: no Python, many threads. */
#include "sim/world.h"

#include <errno.h>
#include <poll.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <unistd.h>

#include "check.h"
#include "random.h"

#define BUTTON 17
#define IRQ 24
#define RESET 25
#define VERSION_READ {0x80 | 0x37 << 1, 0}

static const struct line_settings both_edges = {
    .direction = LINE_INPUT, .edge = LINE_EDGE_BOTH, .bias = LINE_PULL_UP};

static bool
is_readable(int fd)
{
    struct pollfd p = {.fd = fd, .events = POLLIN};
    return poll(&p, 1, 0) == 1;
}

static struct line_request *
request_line(struct world *world, uint32_t offset, const struct line_settings *settings)
{
    struct line_request *request = NULL;
    struct line_conflict conflict;
    CHECK_EQ(world_request_lines(world, &offset, 1, settings, "test", 0, &request,
                                 &conflict),
             0);
    return request;
}

static struct spi_device *
open_spi(struct world *world, unsigned cs)
{
    const struct spi_config config = {.speed_hz = 1000000, .bits_per_word = 8};
    struct spi_device *spi = NULL;
    CHECK_EQ(world_open_spi(world, 0, cs, &config, &spi), 0);
    return spi;
}

static struct world_chip *
attach(struct world *world, unsigned cs)
{
    struct world_chip *chip = NULL;
    world_enter(world);
    CHECK_EQ(world_attach_locked(world, 0, cs, IRQ, RESET, 0x92, &chip), 0);
    world_unlock(world);
    return chip;
}

/* What it was told before. */
static struct vclock *
tell(struct spi_device *spi, struct vclock *clock)
{
    CHECK_EQ(spi->ops->use_clock(spi->self, &clock), 0);
    return clock;
}

static uint8_t
read_version(struct spi_device *spi)
{
    const uint8_t tx[2] = VERSION_READ;
    uint8_t rx[2] = {0};
    const struct spi_xfer xfer = {.tx = tx, .rx = rx, .len = 2};
    CHECK_EQ(spi->ops->message(spi->self, &xfer, 1), 2);
    return rx[1];
}

static void
test_ring_drops_the_oldest(void)
{
    struct line_bank bank;
    const uint32_t offset = BUTTON;
    struct line_request request;
    struct line_event events[20];
    REQUIRE(bank_init(&bank, 54) == 0);
    REQUIRE(bank_request(&bank, &offset, 1, &both_edges, "test", 0, &request) == 0);
    CHECK(!is_readable(request.fd));
    for (int i = 0; i < LINE_EVENTS_PER_LINE + 3; i++) {
        bank_drive(&bank, BUTTON, i & 1, NS_NEVER);
    }
    CHECK(is_readable(request.fd));
    CHECK_EQ(line_read_events(&request, events, 20), LINE_EVENTS_PER_LINE);
    for (uint32_t i = 0; i < LINE_EVENTS_PER_LINE; i++) {
        CHECK_EQ(events[i].seqno, i + 4);
        CHECK_EQ(events[i].line_seqno, i + 4);
        CHECK(i == 0 || events[i].timestamp_ns >= events[i - 1].timestamp_ns);
    }
    CHECK(!is_readable(request.fd));
    CHECK_EQ(line_read_events(&request, events, 20), -EAGAIN);
    CHECK_EQ(line_read_events(&request, events, 0), -EINVAL);
    line_close(&request);
    bank_destroy(&bank);
}

static void
test_settings_have_the_kernels_rules(void)
{
    static const struct {
        struct line_settings settings;
        int result;
    } cases[] = {
        {{.direction = LINE_AS_IS}, 0},
        {{.edge = LINE_EDGE_BOTH}, -EINVAL},
        {{.direction = LINE_OUTPUT, .edge = LINE_EDGE_BOTH}, -EINVAL},
        {{.direction = LINE_OUTPUT, .debounce_us = 1}, -EINVAL},
        {{.direction = LINE_INPUT, .drive = LINE_OPEN_DRAIN}, -EINVAL},
        {{.bias = LINE_PULL_UP}, -EINVAL},
        {{.direction = LINE_OUTPUT, .bias = LINE_PULL_UP}, 0},
        {{.direction = LINE_INPUT, .event_clock = LINE_HTE}, -EOPNOTSUPP},
        {{.direction = LINE_INPUT, .event_clock = LINE_REALTIME}, 0},
    };
    struct line_bank bank;
    REQUIRE(bank_init(&bank, 54) == 0);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        const uint32_t offset = BUTTON;
        struct line_request request;
        int result =
            bank_request(&bank, &offset, 1, &cases[i].settings, "test", 0, &request);
        CHECK_EQ(result, cases[i].result);
        if (result == 0) {
            line_close(&request);
        }
    }
    const uint32_t beyond = 54;
    struct line_request request;
    CHECK_EQ(bank_request(&bank, &beyond, 1, &both_edges, "test", 0, &request),
             -EINVAL);
    CHECK_EQ(bank_request(&bank, &beyond, 0, &both_edges, "test", 0, &request),
             -EINVAL);
    bank_destroy(&bank);
}

static void
test_masks(void)
{
    struct line_bank bank;
    const uint32_t offsets[2] = {5, 6};
    const struct line_settings settings[2] = {
        {.direction = LINE_OUTPUT, .output_value = 1}, {.direction = LINE_INPUT}};
    struct line_request request;
    uint64_t bits = 0;
    REQUIRE(bank_init(&bank, 54) == 0);
    REQUIRE(bank_request(&bank, offsets, 2, settings, "test", 0, &request) == 0);
    CHECK_EQ(line_get(&request, 3, &bits), 0);
    CHECK_EQ(bits, 1);
    CHECK_EQ(line_get(&request, 0, &bits), -EINVAL);
    CHECK_EQ(line_get(&request, 4, &bits), -EINVAL);
    CHECK_EQ(line_set(&request, 0, 0), -EINVAL);
    CHECK_EQ(line_set(&request, 3, 0), -EPERM);
    CHECK_EQ(bank_level(&bank, 5), LINE_HIGH);
    CHECK_EQ(line_set(&request, 1, 0), 0);
    CHECK_EQ(bank_level(&bank, 5), LINE_LOW);
    line_close(&request);
    bank_destroy(&bank);
}

/* Wired-AND of open-drain sources; the world's hand wins. */
static void
test_sources(void)
{
    struct line_bank bank;
    struct line_source one = {.level = LINE_UNDRIVEN}, two = {.level = LINE_UNDRIVEN};
    REQUIRE(bank_init(&bank, 54) == 0);
    bank_pull(&bank, IRQ, LINE_PULL_UP);
    bank_add_source(&bank, IRQ, &one);
    bank_add_source(&bank, IRQ, &two);
    CHECK_EQ(bank_level(&bank, IRQ), LINE_HIGH);
    bank_set_source(&bank, IRQ, &one, LINE_LOW, NS_NEVER);
    bank_set_source(&bank, IRQ, &two, LINE_HIGH, NS_NEVER);
    CHECK_EQ(bank_level(&bank, IRQ), LINE_LOW);
    bank_drive(&bank, IRQ, LINE_HIGH, NS_NEVER);
    CHECK_EQ(bank_level(&bank, IRQ), LINE_HIGH);
    bank_drive(&bank, IRQ, LINE_UNDRIVEN, NS_NEVER);
    bank_set_source(&bank, IRQ, &one, LINE_UNDRIVEN, NS_NEVER);
    CHECK_EQ(bank_level(&bank, IRQ), LINE_HIGH);
    bank_destroy(&bank);
}

static void
test_virtual_time(void)
{
    struct vclock clock;
    struct world world;
    REQUIRE(vclock_init(&clock, 5 * NS_PER_S) == 0);
    REQUIRE(world_init(&world, 54, &clock, NULL) == 0);
    (void)attach(&world, 0);
    struct spi_device *spi = open_spi(&world, 0);
    CHECK(spi->time.clock == &clock);
    CHECK_EQ(world_now(&world), 0);
    CHECK_EQ(read_version(spi), 0x92);
    CHECK_EQ(world_now(&world), 16 * NS_PER_US); /* 16 bits at 1 MHz */
    world_close(&world);
    const struct spi_xfer xfer = {.len = 1};
    CHECK_EQ(spi->ops->message(spi->self, &xfer, 1), -ESHUTDOWN);
    spi->ops->close(spi->self);
    world_destroy(&world);
    vclock_destroy(&clock);
}

/* The clock of a device that said so is left when that device closes. */
static void
test_clock_goes_home(void)
{
    struct vclock clock;
    struct world world;
    REQUIRE(vclock_init(&clock, 0) == 0);
    REQUIRE(world_init(&world, 54, NULL, NULL) == 0);
    struct line_request *line = request_line(&world, BUTTON, &both_edges);
    struct spi_device *spi = open_spi(&world, 0);
    CHECK(line->time.clock == NULL);
    CHECK(tell(spi, &clock) == NULL);
    CHECK(line->time.clock == &clock);
    CHECK(clock.drivers != NULL);
    spi->ops->close(spi->self);
    CHECK(line->time.clock == NULL);
    CHECK(clock.drivers == NULL);
    line_close(line);
    world_close(&world);
    world_destroy(&world);
    vclock_destroy(&clock);
}

/* A device that says nothing keeps the world on no clock, be it the one that it was
 * opened on: nobody keeps that alive for it. */
static void
test_a_silent_device_pins_nothing(void)
{
    struct vclock first, second;
    struct world world;
    REQUIRE(vclock_init(&first, 0) == 0);
    REQUIRE(vclock_init(&second, 0) == 0);
    REQUIRE(world_init(&world, 54, &first, NULL) == 0);
    struct line_request *silent = request_line(&world, BUTTON, &both_edges);
    CHECK(silent->time.clock == &first);
    CHECK(world_set_home(&world, &second) == &first);
    struct vclock *const others[] = {&first, NULL};
    for (int i = 0; i < 2; i++) {
        struct spi_device *spi = open_spi(&world, 0);
        CHECK(tell(spi, others[i]) == NULL);
        CHECK(silent->time.clock == others[i]);
        spi->ops->close(spi->self);
        CHECK(silent->time.clock == &second);
        CHECK(first.drivers == NULL);
    }
    line_close(silent);
    world_close(&world);
    world_destroy(&world);
    vclock_destroy(&second);
    vclock_destroy(&first);
}

/* Everything at once, in real time; for the thread sanitizer. */

struct crowd {
    struct world world;
    struct vclock clock;
    struct spi_device *spi[2];
    struct line_request *line;
    atomic_int rounds;
};

#define ROUNDS 300

static void *
send_messages(void *arg)
{
    struct crowd *crowd = arg;
    unsigned cs = (unsigned)atomic_fetch_add(&crowd->rounds, 1) & 1;
    for (int i = 0; i < ROUNDS; i++) {
        CHECK_EQ(read_version(crowd->spi[cs]), 0x92);
    }
    return NULL;
}

static void *
move_lines(void *arg)
{
    struct crowd *crowd = arg;
    for (int i = 0; i < ROUNDS; i++) {
        bank_drive(&crowd->world.lines, BUTTON, i & 1, NS_NEVER);
        struct line_request *other = request_line(&crowd->world, 4, &both_edges);
        line_close(other);
        struct line_event events[16];
        (void)line_read_events(crowd->line, events, 16);
    }
    return NULL;
}

static void *
change_clocks(void *arg)
{
    struct crowd *crowd = arg;
    for (int i = 0; i < ROUNDS / 10; i++) {
        struct vclock *clock = &crowd->clock;
        CHECK_EQ(line_use_clock(crowd->line, &clock), 0);
        CHECK(clock == NULL);
        vclock_advance(&crowd->clock, 3 * NS_PER_MS);
        CHECK_EQ(line_use_clock(crowd->line, &clock), 0);
        CHECK(clock == &crowd->clock);
    }
    return NULL;
}

static void
test_crowd(void)
{
    struct crowd crowd = {0};
    const struct line_settings slow = {.direction = LINE_INPUT,
                                       .edge = LINE_EDGE_BOTH,
                                       .bias = LINE_PULL_UP,
                                       .debounce_us = 50};
    REQUIRE(vclock_init(&crowd.clock, 0) == 0);
    REQUIRE(world_init(&crowd.world, 54, NULL, NULL) == 0);
    for (unsigned cs = 0; cs < 2; cs++) {
        struct world_chip *chip = NULL;
        world_enter(&crowd.world);
        CHECK_EQ(
            world_attach_locked(&crowd.world, 0, cs, IRQ, WORLD_NO_LINE, 0x92, &chip),
            0);
        world_unlock(&crowd.world);
        crowd.spi[cs] = open_spi(&crowd.world, cs);
    }
    crowd.line = request_line(&crowd.world, BUTTON, &slow);
    void *(*const parts[])(void *) = {send_messages, send_messages, move_lines,
                                      change_clocks};
    pthread_t threads[4];
    for (int i = 0; i < 4; i++) {
        REQUIRE(pthread_create(&threads[i], NULL, parts[i], &crowd) == 0);
    }
    for (int i = 0; i < 4; i++) {
        pthread_join(threads[i], NULL);
    }
    crowd.spi[0]->ops->close(crowd.spi[0]->self);
    world_close(&crowd.world);
    crowd.spi[1]->ops->close(crowd.spi[1]->self);
    line_close(crowd.line);
    world_destroy(&crowd.world);
    vclock_destroy(&crowd.clock);
}

/* Time passes for the whole of a message at once, or step by step where somebody else
 * is on the clock: nobody can tell which. */

#define SLOW_LINE 4

struct bench {
    struct vclock clock;
    struct world world;
    struct spi_device *spi[2];
    struct line_request *lines[3];
    struct clock_driver other; /* has nothing due, ever */
};

static int64_t
never_due(struct clock_driver *driver)
{
    (void)driver;
    return NS_NEVER;
}

static void
nothing_happens(struct clock_driver *driver, int64_t now_ns)
{
    (void)driver;
    (void)now_ns;
}

static void
bench_init(struct bench *bench, bool alone)
{
    const struct line_settings slow = {.direction = LINE_INPUT,
                                       .edge = LINE_EDGE_BOTH,
                                       .bias = LINE_PULL_UP,
                                       .debounce_us = 30};
    REQUIRE(vclock_init(&bench->clock, 0) == 0);
    if (!alone) {
        bench->other.next_due = never_due;
        bench->other.advance = nothing_happens;
        vclock_add_driver(&bench->clock, &bench->other);
    }
    REQUIRE(world_init(&bench->world, 54, &bench->clock, NULL) == 0);
    for (unsigned cs = 0; cs < 2; cs++) {
        (void)attach(&bench->world, cs); /* they share their lines */
        bench->spi[cs] = open_spi(&bench->world, cs);
    }
    bench->lines[0] = request_line(&bench->world, IRQ, &both_edges);
    bench->lines[1] = request_line(&bench->world, BUTTON, &both_edges);
    bench->lines[2] = request_line(&bench->world, SLOW_LINE, &slow);
}

static void
bench_destroy(struct bench *bench)
{
    for (unsigned i = 0; i < 3; i++) {
        line_close(bench->lines[i]);
    }
    bench->spi[0]->ops->close(bench->spi[0]->self);
    bench->spi[1]->ops->close(bench->spi[1]->self);
    world_close(&bench->world);
    world_destroy(&bench->world);
    vclock_destroy(&bench->clock);
}

static uint32_t
random_below(uint32_t *seed, uint32_t n)
{
    return next_random(seed) % n;
}

static void
drive_later(struct world *world, unsigned line, int level, int64_t when)
{
    struct world_action *action = calloc(1, sizeof *action);
    REQUIRE(action != NULL);
    *action = (struct world_action){.node = HEAP_NODE_INIT,
                                    .deed = WORLD_DRIVE,
                                    .after_ns = when,
                                    .line = line,
                                    .level = level};
    world_enter(world);
    CHECK_EQ(world_schedule_locked(world, action), 0);
    world_unlock(world);
}

/* Registers whose effects have a time: interrupts, commands, timer, field, FIFO. */
static uint8_t
random_register(uint32_t *seed)
{
    static const uint8_t registers[] = {
        COMMAND_REG,     COMMAND_REG,    COM_IEN_REG,        DIV_IEN_REG,
        COM_IRQ_REG,     COM_IRQ_REG,    DIV_IRQ_REG,        FIFO_DATA_REG,
        FIFO_DATA_REG,   FIFO_LEVEL_REG, CONTROL_REG,        CONTROL_REG,
        BIT_FRAMING_REG, TX_CONTROL_REG, T_MODE_REG,         T_PRESCALER_REG,
        T_RELOAD_REG_L,  STATUS1_REG,    T_COUNTER_VAL_REG_L};
    return registers[random_below(seed, sizeof registers)];
}

/* One random message, the same on both: what came back, and all that it caused. */
static void
same_message(struct bench *benches, uint32_t *seed)
{
    enum { XFERS = 20 };
    uint8_t tx[XFERS][4], rx[2][XFERS][4];
    struct spi_xfer xfers[XFERS];
    unsigned n = 1 + random_below(seed, XFERS);
    unsigned cs = random_below(seed, 2);
    for (unsigned i = 0; i < n; i++) {
        uint8_t reg = random_register(seed);
        tx[i][0] = (uint8_t)(reg << 1 | (random_below(seed, 3) == 0 ? 0x80 : 0));
        for (unsigned k = 1; k < 4; k++) {
            tx[i][k] = (uint8_t)random_below(seed, 256);
        }
        xfers[i] = (struct spi_xfer){
            .tx = tx[i],
            .len = 1 + random_below(seed, 4),
            .speed_hz = random_below(seed, 2) ? 4000000 : 0,
            .delay_us = (uint16_t)(random_below(seed, 8) == 0 ? 40 : 0),
            .cs_change = i + 1 < n && random_below(seed, 4) != 0,
        };
    }
    for (unsigned i = random_below(seed, 4); i > 0; i--) {
        int64_t when = benches[0].clock.now + random_below(seed, 400000);
        unsigned line = random_below(seed, 2) ? BUTTON : SLOW_LINE;
        line = random_below(seed, 8) == 0 ? RESET : line;
        int level = (int)random_below(seed, 3) - 1;
        drive_later(&benches[0].world, line, level, when);
        drive_later(&benches[1].world, line, level, when);
    }
    for (unsigned b = 0; b < 2; b++) {
        for (unsigned i = 0; i < n; i++) {
            xfers[i].rx = rx[b][i];
        }
        memset(rx[b], 0, sizeof rx[b]);
        struct spi_device *spi = benches[b].spi[cs];
        CHECK(spi->ops->message(spi->self, xfers, n) > 0);
    }
    CHECK(memcmp(rx[0], rx[1], sizeof rx[0]) == 0);
}

static bool
same_events(struct bench *benches)
{
    bool same = CHECK_EQ(benches[0].clock.now, benches[1].clock.now);
    for (unsigned i = 0; i < 3; i++) {
        struct line_event events[2][16];
        int count[2];
        for (unsigned b = 0; b < 2; b++) {
            struct line_request *line = benches[b].lines[i];
            memset(events[b], 0, sizeof events[b]);
            count[b] = line_read_events(line, events[b], 16);
        }
        same = CHECK_EQ(count[0], count[1]) && same;
        same = CHECK(memcmp(events[0], events[1], sizeof events[0]) == 0) && same;
    }
    return same;
}

static void
test_messages_at_once_or_step_by_step(void)
{
    struct bench benches[2] = {0};
    uint32_t seed = 20261126;
    bench_init(&benches[0], true);
    bench_init(&benches[1], false);
    for (int i = 0; i < 3000; i++) {
        same_message(benches, &seed);
        if (!same_events(benches)) {
            break;
        }
        int64_t pause_ns = random_below(&seed, 3) ? 0 : random_below(&seed, 300000);
        vclock_advance(&benches[0].clock, pause_ns);
        vclock_advance(&benches[1].clock, pause_ns);
    }
    bench_destroy(&benches[0]);
    bench_destroy(&benches[1]);
}

/* The thread of real time, asleep for an hour, wakes for what comes earlier. */
static void
test_real_time(void)
{
    static const int64_t after[2] = {3600 * NS_PER_S, 2 * NS_PER_MS};
    struct world world;
    REQUIRE(world_init(&world, 54, NULL, NULL) == 0);
    struct line_request *line = request_line(&world, BUTTON, &both_edges);
    for (int i = 0; i < 2; i++) {
        struct world_action *action = calloc(1, sizeof *action);
        REQUIRE(action != NULL);
        *action = (struct world_action){.node = HEAP_NODE_INIT,
                                        .deed = WORLD_DRIVE,
                                        .start = WORLD_REQUESTED,
                                        .after_ns = after[i],
                                        .line = BUTTON,
                                        .level = LINE_LOW};
        world_enter(&world);
        CHECK_EQ(world_schedule_locked(&world, action), 0);
        world_unlock(&world);
    }
    struct line_event event = {0};
    struct pollfd p = {.fd = line->fd, .events = POLLIN};
    CHECK_EQ(poll(&p, 1, 10000), 1);
    CHECK_EQ(line_read_events(line, &event, 1), 1);
    int64_t first = bank_clock_time_locked(&world.lines,
                                           bank_first_requested(&world.lines, BUTTON));
    CHECK_EQ(event.timestamp_ns - first, 2 * NS_PER_MS);
    line_close(line);
    world_close(&world);
    world_close(&world);
    world_destroy(&world);
}

int
main(void)
{
    RUN(test_ring_drops_the_oldest);
    RUN(test_settings_have_the_kernels_rules);
    RUN(test_masks);
    RUN(test_sources);
    RUN(test_virtual_time);
    RUN(test_clock_goes_home);
    RUN(test_a_silent_device_pins_nothing);
    RUN(test_messages_at_once_or_step_by_step);
    RUN(test_real_time);
    RUN(test_crowd);
    return check_done();
}
