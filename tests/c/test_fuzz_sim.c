/* sim/mfrc522_sim.c under random accesses, cards and times (fixed seeds).
 *
 * Two worlds get the same accesses at the same times.  In one the chip is also
 * advanced in between, at every time that next_due() names and at random ones;
 * in the other it sleeps until the next access.  Nothing that can be seen from
 * outside may depend on that.
 */
#include <stdlib.h>

#include "check.h"
#include "random.h"
#include "sim/mfrc522_sim.h"
#include "sim_card.h"

enum { CARDS = 4, EDGES = 512, SEEDS = 300, ACCESSES = 1500 };

struct fuzz_card {
    struct field_card card; /* first */
    uint32_t random;
    struct fuzz_card *friend;
};

struct edge {
    enum mfrc522_irq_level level;
    int64_t at;
};

struct world {
    struct field_sim field;
    struct mfrc522_sim *chip;
    struct fuzz_card cards[CARDS];
    struct edge edges[EDGES];
    unsigned num_edges;
    int64_t now;
    int64_t accessed; /* time of the access before */
};

static struct world lively; /* advanced all the time */
static struct world sleepy; /* advanced by accesses only */
static uint32_t seed;

static unsigned
below(unsigned n)
{
    return next_random(&seed) % n;
}

static void
on_irq(void *ctx, enum mfrc522_irq_level level, int64_t at_ns)
{
    struct world *w = ctx;
    CHECK(at_ns <= w->now);
    CHECK(at_ns >= w->accessed);
    if (w->num_edges > 0) {
        struct edge *last = &w->edges[(w->num_edges - 1) % EDGES];
        CHECK(last->level != level);
        CHECK(last->at <= at_ns);
    }
    w->edges[w->num_edges++ % EDGES] = (struct edge){level, at_ns};
}

static void
fuzz_power_up(struct field_card *card)
{
    (void)card;
}

static int
fuzz_exchange(struct field_card *card, const struct field_frame *in,
              struct field_frame *out)
{
    struct fuzz_card *self = (struct fuzz_card *)card;
    uint32_t *random = &self->random;
    CHECK(in->bits > 0 && in->bits <= 8 * (FIFO_SIZE + 2));
    out->bits = (uint16_t)(next_random(random) % 3 == 0 ? next_random(random) % 700
                                                        : next_random(random) % 50);
    for (unsigned i = 0; i < (out->bits + 7) / 8u; i++) {
        out->data[i] = (uint8_t)next_random(random);
    }
    if (next_random(random) % 3 == 0 && out->bits >= 16) {
        out->bits = (uint16_t)(8 * iso14443a_add_crc(out->data, out->bits / 8u - 1));
    }
    if (next_random(random) % 4 == 0) {
        out->delay_ns = next_random(random) % 2000000;
    }
    out->flags = (uint8_t)next_random(random);
    unsigned leaving = next_random(random) % 40;
    if (leaving == 0) {
        field_leave(card->field, card, field_now(card->field));
    }
    else if (leaving == 1 && self->friend->card.field != NULL) {
        field_leave(card->field, &self->friend->card, field_now(card->field));
    }
    return next_random(random) % 4 != 0;
}

static int
fuzz_authenticate(struct field_card *card, const struct field_auth *auth)
{
    (void)auth;
    return (int)(next_random(&((struct fuzz_card *)card)->random) % 3);
}

static const struct field_card_ops fuzz_ops = {
    .power_up = fuzz_power_up,
    .exchange = fuzz_exchange,
    .authenticate = fuzz_authenticate,
};

static void
world_open(struct world *w)
{
    struct mfrc522_sim_config config = {
        .field = &w->field, .irq = on_irq, .irq_ctx = w, .seed = 3};
    memset(w, 0, sizeof *w);
    field_init(&w->field, 0);
    w->chip = mfrc522_sim_new(&config, 0);
    for (unsigned i = 0; i < CARDS; i++) {
        w->cards[i].card.ops = &fuzz_ops;
        w->cards[i].card.power_up_ns = i * NS_PER_MS / 2;
        w->cards[i].random = seed + i;
        w->cards[i].friend = &w->cards[(i + 1) % CARDS];
    }
}

/* In the lively world time passes in steps, each no later than the next due. */
static void
live_until(struct world *w, int64_t until)
{
    bool first = true;
    while (w->now < until) {
        int64_t due = mfrc522_sim_next_due(w->chip);
        CHECK(first ? due >= w->now : due > w->now);
        first = false;
        int64_t stop = due < until ? due : until;
        if (below(4) == 0 && stop > w->now) {
            /* Before it is due nothing changes. */
            unsigned before = w->num_edges;
            w->now = w->now + (stop - w->now) / 2;
            mfrc522_sim_advance(w->chip, w->now);
            CHECK_EQ(w->num_edges, w->now < due ? before : w->num_edges);
        }
        unsigned before = w->num_edges;
        if (stop > w->now) {
            w->now = stop;
        }
        mfrc522_sim_advance(w->chip, w->now);
        CHECK(w->now == due || w->num_edges == before);
    }
}

static bool
expected_low(const struct mfrc522_sim *chip)
{
    uint8_t ien = mfrc522_sim_peek(chip, COM_IEN_REG);
    bool irq = (mfrc522_sim_peek(chip, COM_IRQ_REG) & ien & COM_IRQ_ALL) != 0 ||
               (mfrc522_sim_peek(chip, DIV_IRQ_REG) &
                mfrc522_sim_peek(chip, DIV_IEN_REG) & 0x14) != 0;
    CHECK_EQ((mfrc522_sim_peek(chip, STATUS1_REG) & STATUS1_IRQ) != 0, irq);
    return irq == ((ien & COM_IEN_IRQ_INV) != 0);
}

static void
check_world(const struct world *w, bool powered)
{
    const struct mfrc522_sim *chip = w->chip;
    if (!powered) {
        for (uint8_t reg = 0; reg < MFRC522_REGISTERS; reg++) {
            CHECK_EQ(mfrc522_sim_peek(chip, reg), 0);
        }
        CHECK_EQ(mfrc522_sim_irq_level(chip), MFRC522_IRQ_HIGH_Z);
        CHECK(!w->field.carrier);
        return;
    }
    unsigned level = mfrc522_sim_peek(chip, FIFO_LEVEL_REG);
    unsigned water = mfrc522_sim_peek(chip, WATER_LEVEL_REG);
    uint8_t status1 = mfrc522_sim_peek(chip, STATUS1_REG);
    CHECK(level <= FIFO_SIZE);
    CHECK_EQ((status1 & STATUS1_LO_ALERT) != 0, level <= water);
    CHECK_EQ((status1 & STATUS1_HI_ALERT) != 0, FIFO_SIZE - level <= water);
    CHECK_EQ(mfrc522_sim_irq_level(chip) == MFRC522_IRQ_LOW, expected_low(chip));
    CHECK_EQ(mfrc522_sim_peek(chip, COM_IRQ_REG) & COM_IRQ_SET1, 0);
    if (w->field.carrier) {
        CHECK_EQ(mfrc522_sim_peek(chip, TX_CONTROL_REG) & 3, 3);
    }
}

static void
check_same(void)
{
    mfrc522_sim_advance(lively.chip, lively.now);
    mfrc522_sim_advance(sleepy.chip, sleepy.now);
    for (uint8_t reg = 0; reg < MFRC522_REGISTERS; reg++) {
        if (mfrc522_sim_peek(lively.chip, reg) != mfrc522_sim_peek(sleepy.chip, reg)) {
            CHECK_EQ(mfrc522_sim_peek(lively.chip, reg),
                     mfrc522_sim_peek(sleepy.chip, reg));
            fprintf(stderr, "    register %02x at %" PRId64 "\n", reg, lively.now);
        }
    }
    CHECK_EQ(lively.num_edges, sleepy.num_edges);
    CHECK(memcmp(lively.edges, sleepy.edges, sizeof lively.edges) == 0);
    CHECK_EQ(lively.field.num_cards, sleepy.field.num_cards);
}

static void
write_both(uint8_t reg, uint8_t value)
{
    mfrc522_sim_write(lively.chip, reg, value, lively.now);
    mfrc522_sim_write(sleepy.chip, reg, value, sleepy.now);
}

/* Set up as a driver does, so that the deep states are reached often. */
static void
set_up_both(void)
{
    write_both(T_MODE_REG, T_MODE_T_AUTO | (below(8) == 0 ? T_MODE_T_AUTO_RESTART : 0));
    write_both(T_PRESCALER_REG, 169);
    write_both(T_RELOAD_REG_L, (uint8_t)below(256));
    write_both(MODE_REG, 0x3D);
    write_both(RX_MODE_REG, below(4) == 0 ? RX_MODE_CRC_EN : 0);
    write_both(TX_MODE_REG, 0);
    write_both(TX_CONTROL_REG, 0x83);
    write_both(COM_IEN_REG, (uint8_t)(COM_IEN_IRQ_INV | below(128)));
}

static void
transceive_both(void)
{
    unsigned n = 1 + below(below(4) == 0 ? 70 : 10);
    uint8_t framing = (uint8_t)(below(3) == 0 ? below(128) & 0x77 : 0);
    bool auth = below(5) == 0;
    write_both(COMMAND_REG, CMD_IDLE);
    write_both(COM_IRQ_REG, COM_IRQ_ALL);
    write_both(FIFO_LEVEL_REG, FIFO_LEVEL_FLUSH_BUFFER);
    for (unsigned i = 0; i < (auth ? 12 : n); i++) {
        write_both(FIFO_DATA_REG, (uint8_t)below(256));
    }
    write_both(BIT_FRAMING_REG, framing);
    write_both(COMMAND_REG, auth ? CMD_MF_AUTHENT : CMD_TRANSCEIVE);
    write_both(BIT_FRAMING_REG, framing | BIT_FRAMING_START_SEND);
}

static void
spi_both(void)
{
    uint8_t tx[80];
    uint8_t rx[2][80];
    size_t n = 1 + below(sizeof tx);
    for (size_t i = 0; i < n; i++) {
        tx[i] = (uint8_t)below(256);
    }
    if (below(2) == 0) {
        tx[0] |= 0x80; /* a burst of reads */
    }
    mfrc522_sim_select(lively.chip);
    mfrc522_sim_select(sleepy.chip);
    mfrc522_sim_transfer(lively.chip, tx, rx[0], n, lively.now, 0);
    mfrc522_sim_transfer(sleepy.chip, tx, rx[1], n, sleepy.now, 0);
    mfrc522_sim_deselect(lively.chip);
    mfrc522_sim_deselect(sleepy.chip);
    CHECK(memcmp(rx[0], rx[1], n) == 0);
}

static void
move_card_both(void)
{
    unsigned i = below(CARDS);
    struct world *worlds[] = {&lively, &sleepy};
    bool in = worlds[0]->cards[i].card.field != NULL;
    for (unsigned k = 0; k < 2; k++) {
        struct world *w = worlds[k];
        /* As the owner of chip and field does: first all that was before. */
        mfrc522_sim_advance(w->chip, w->now);
        if (in) {
            field_leave(&w->field, &w->cards[i].card, w->now);
        }
        else {
            field_enter(&w->field, &w->cards[i].card, w->now);
        }
    }
}

static int64_t
random_duration(void)
{
    static const unsigned longest[] = {1,      100,     10000,    300000,
                                       300000, 3000000, 30000000, 2000000000};
    return below(longest[below(8)]);
}

static void
fuzz(uint32_t start)
{
    bool powered = true;
    seed = start;
    world_open(&lively);
    world_open(&sleepy);
    for (unsigned i = 0; i < ACCESSES && check_failures == 0; i++) {
        int64_t until = lively.now + random_duration();
        lively.accessed = sleepy.accessed = lively.now;
        live_until(&lively, until);
        sleepy.now = until;
        switch (below(12)) {
            case 0:
                set_up_both();
                break;
            case 1:
            case 2:
            case 3:
            case 4:
                transceive_both();
                break;
            case 5:
            case 6:
                write_both((uint8_t)below(MFRC522_REGISTERS), (uint8_t)below(256));
                break;
            case 7:
                write_both((uint8_t)below(16), (uint8_t)below(256));
                break;
            case 8:
                spi_both();
                break;
            case 9:
            case 10:
                move_card_both();
                break;
            default:
                if (below(8) == 0) {
                    powered = !powered;
                    mfrc522_sim_set_nrstpd(lively.chip, powered, lively.now);
                    mfrc522_sim_set_nrstpd(sleepy.chip, powered, sleepy.now);
                }
                break;
        }
        check_world(&lively, powered);
        check_same();
        if (check_failures != 0) {
            fprintf(stderr, "    seed %u, access %u\n", start, i);
        }
    }
    mfrc522_sim_free(lively.chip);
    mfrc522_sim_free(sleepy.chip);
}

static void
test_seeds(void)
{
    unsigned edges = 0;
    for (uint32_t start = 1; start <= SEEDS; start++) {
        fuzz(start);
        edges += lively.num_edges;
    }
    /* The test is worth something only if a lot happens. */
    CHECK(edges > SEEDS * 50);
}

int
main(void)
{
    RUN(test_seeds);
    return check_done();
}
