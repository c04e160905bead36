/* sim/world.h under random messages, lines, cards, actions and clocks (fixed seeds).
 *
 * Whatever was done: a board has nothing overdue afterwards, and a clock that lets
 * it happen comes to where it was sent.  So nobody who waits for what is due next
 * goes round in circles.
 */
#include "sim/world.h"

#include <stdlib.h>
#include <unistd.h>

#include "dev/iso14443a.h"
#include "check.h"
#include "random.h"

enum { CHIPS = 2, CARDS = 3, CLOCKS = 2, SEEDS = 300, STEPS = 600, PATIENCE_S = 240 };

static const int irq_lines[CHIPS] = {24, 22};
static const int reset_lines[CHIPS] = {25,
                                       24}; /* the one's interrupt resets the other */

static uint32_t seed;
static struct world world;
static struct vclock clocks[CLOCKS];
static struct world_chip *chips[CHIPS];
static struct spi_device *buses[CHIPS];
static struct line_request *buttons;
static struct field_card cards[CARDS];
static unsigned heard; /* frames, by cards */

static unsigned
below(unsigned n)
{
    return next_random(&seed) % n;
}

static int64_t
random_duration(void)
{
    static const int64_t longest[] = {NS_PER_US,      100 * NS_PER_US, NS_PER_MS,
                                      20 * NS_PER_MS, NS_PER_S,        100 * NS_PER_S};
    if (below(2000) == 0) {
        return CLOCK_LAST / (1 + below(3));
    }
    return longest[below(6)] * (1 + below(1000)) / 1000;
}

static void
move_clock(void)
{
    struct vclock *clock = &clocks[below(CLOCKS)];
    int64_t to = time_after(vclock_now(clock), random_duration());
    vclock_advance_to(clock, to);
    CHECK_EQ(vclock_now(clock), to < CLOCK_LAST ? to : CLOCK_LAST);
}

/* Most often one of the buttons: the others reset the chips. */
static unsigned
any_line(void)
{
    return 17 + below(below(16) == 0 ? 9 : 2);
}

static void
move_line(void)
{
    bank_drive(&world.lines, any_line(), (int)below(3) - 1, NS_NEVER);
}

/* Also from card code. */
static void
move_card(void)
{
    struct field_card *card = &cards[below(CARDS)];
    world_lock(&world);
    if (card->field != NULL) {
        world_remove_locked(&world, card);
    }
    else {
        (void)world_present_locked(chips[below(CHIPS)], card);
    }
    world_unlock(&world);
}

static void
behave(void)
{
    switch (below(12)) {
        case 0:
            move_clock();
            break;
        case 1:
            move_line();
            break;
        case 2:
            move_card();
            break;
        default:
            break;
    }
}

static void
card_power_up(struct field_card *card)
{
    (void)card;
    behave();
}

static int
card_exchange(struct field_card *card, const struct field_frame *in,
              struct field_frame *out)
{
    (void)card;
    (void)in;
    heard++;
    behave();
    out->bits = (uint16_t)(1 + below(below(3) == 0 ? 500 : 40));
    for (unsigned i = 0; i < (out->bits + 7) / 8u; i++) {
        out->data[i] = (uint8_t)below(256);
    }
    out->delay_ns = below(4) == 0 ? below(2000000) : 0;
    return below(4) != 0;
}

static int
card_authenticate(struct field_card *card, const struct field_auth *auth)
{
    (void)card;
    (void)auth;
    behave();
    return (int)below(3);
}

static const struct field_card_ops card_ops = {
    .power_up = card_power_up,
    .exchange = card_exchange,
    .authenticate = card_authenticate,
};

static void
put(uint8_t *tx, size_t *n, uint8_t reg, uint8_t value)
{
    tx[(*n)++] = MFRC522_SPI_WRITE(reg);
    tx[(*n)++] = value;
}

/* Each write is a transfer of its own, as chip select has to rise after it. */
static void
send_writes(struct spi_device *spi, const uint8_t *tx, size_t n)
{
    struct spi_xfer xfers[64] = {0};
    for (size_t i = 0; i < n / 2; i++) {
        xfers[i] = (struct spi_xfer){.tx = tx + 2 * i, .len = 2, .cs_change = 1};
    }
    CHECK_EQ(spi->ops->message(spi->self, xfers, (unsigned)n / 2), (int)n);
}

static void
talk(void)
{
    struct spi_device *spi = buses[below(CHIPS)];
    uint8_t tx[128];
    size_t n = 0;
    switch (below(8)) {
        case 0:
        case 1:
        case 2: /* as a driver sets it up */
            put(tx, &n, T_MODE_REG,
                T_MODE_T_AUTO | (below(4) == 0 ? T_MODE_T_AUTO_RESTART : 0));
            put(tx, &n, T_PRESCALER_REG, (uint8_t)below(256));
            put(tx, &n, T_RELOAD_REG_L, (uint8_t)below(256));
            put(tx, &n, TX_CONTROL_REG, 0x83);
            put(tx, &n, COM_IEN_REG, (uint8_t)(COM_IEN_IRQ_INV | below(128)));
            put(tx, &n, DIV_IEN_REG, (uint8_t)below(256));
            break;
        case 3:
            for (unsigned i = below(8); i > 0; i--) {
                put(tx, &n, (uint8_t)below(MFRC522_REGISTERS), (uint8_t)below(256));
            }
            break;
        default:
            put(tx, &n, COMMAND_REG, CMD_IDLE);
            put(tx, &n, COM_IRQ_REG, COM_IRQ_ALL);
            for (unsigned i = 1 + below(14); i > 0; i--) {
                put(tx, &n, FIFO_DATA_REG, (uint8_t)below(256));
            }
            put(tx, &n, COMMAND_REG, below(4) == 0 ? CMD_MF_AUTHENT : CMD_TRANSCEIVE);
            put(tx, &n, BIT_FRAMING_REG, BIT_FRAMING_START_SEND | (below(8) << 4));
            break;
    }
    send_writes(spi, tx, n);
}

static void
schedule(void)
{
    struct world_action *action = calloc(1, sizeof *action); /* the world frees it */
    REQUIRE(action != NULL);
    action->node.index = -1;
    static const enum world_deed deeds[] = {WORLD_DRIVE, WORLD_PRESENT, WORLD_REMOVE};
    action->deed = deeds[below(3)];
    action->start = (enum world_start)below(3);
    action->after_ns = random_duration();
    action->chip = chips[below(CHIPS)];
    action->line = any_line();
    action->level = (int)below(3) - 1;
    action->card = &cards[below(CARDS)];
    world_lock(&world);
    CHECK_EQ(world_schedule_locked(&world, action), 0);
    world_unlock(&world);
}

static void
change_clock(void)
{
    struct vclock *clock = &clocks[below(CLOCKS)];
    if (below(2) == 0) {
        (void)world_set_home(&world, clock);
    }
    else {
        CHECK_EQ(line_use_clock(buttons, &clock), 0);
    }
}

static void
open_all(void)
{
    const uint32_t offsets[3] = {17, 18, 24};
    const struct line_settings slow = {.direction = LINE_INPUT,
                                       .edge = LINE_EDGE_BOTH,
                                       .bias = LINE_PULL_UP,
                                       .debounce_us = 300};
    const struct line_settings settings[3] = {slow, slow, slow};
    const struct spi_config config = {.speed_hz = 1000000, .bits_per_word = 8};
    for (int i = 0; i < CLOCKS; i++) {
        REQUIRE(vclock_init(&clocks[i], below(2) * below(100) * NS_PER_S) == 0);
    }
    REQUIRE(world_init(&world, 54, &clocks[0], NULL) == 0);
    for (unsigned i = 0; i < CHIPS; i++) {
        world_lock(&world);
        REQUIRE(world_attach_locked(&world, 0, i, irq_lines[i], reset_lines[i], 0x92,
                                    &chips[i]) == 0);
        world_unlock(&world);
        REQUIRE(world_open_spi(&world, 0, i, &config, &buses[i]) == 0);
    }
    struct line_conflict conflict;
    REQUIRE(world_request_lines(&world, offsets, 3, settings, "test", 0, &buttons,
                                &conflict) == 0);
    for (unsigned i = 0; i < CARDS; i++) {
        cards[i] = (struct field_card){.ops = &card_ops, .power_up_ns = i * NS_PER_MS};
    }
}

static void
close_all(void)
{
    for (unsigned i = 0; i < CHIPS; i++) {
        buses[i]->ops->close(buses[i]->self);
    }
    line_close(buttons);
    world_close(&world);
    world_destroy(&world);
    for (int i = 0; i < CLOCKS; i++) {
        CHECK(clocks[i].drivers == NULL);
        vclock_destroy(&clocks[i]);
    }
}

static void
fuzz(uint32_t start)
{
    static void (*const verbs[])(void) = {talk,       talk,        talk,     move_clock,
                                          move_clock, move_line,   schedule, move_card,
                                          move_card,  change_clock};
    seed = start;
    open_all();
    for (unsigned i = 0; i < STEPS && check_failures == 0; i++) {
        verbs[below(sizeof verbs / sizeof verbs[0])]();
        struct vclock *clock = bank_clock(&world.lines);
        int64_t due = world.virtual_driver.next_due(&world.virtual_driver);
        CHECK(due > vclock_now(clock));
        if (check_failures != 0) {
            fprintf(stderr, "    seed %u, step %u\n", start, i);
        }
    }
    close_all();
}

static void
test_seeds(void)
{
    alarm(PATIENCE_S); /* who goes round in circles is ended by it */
    for (uint32_t start = 1; start <= SEEDS && check_failures == 0; start++) {
        fuzz(start);
    }
    alarm(0);
    CHECK(heard > SEEDS * 10); /* else the test is worth nothing */
}

int
main(void)
{
    RUN(test_seeds);
    return check_done();
}
