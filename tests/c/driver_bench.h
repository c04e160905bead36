/* dev/mfrc522*.c (the driver's steps) on sim/mfrc522_sim.c: who drives them.
 *
 * One SPI bus at 4 MHz, 10 us per chip select; all times are virtual.  A card can
 * leave and an operation can be cancelled at any time.
 */
#ifndef TESTS_DRIVER_BENCH_H
#define TESTS_DRIVER_BENCH_H

#include "dev/mfrc522.h"
#include "check.h"
#include "sim/mfrc522_sim.h"
#include "sim_card.h"

#define BYTE_NS 2000
#define STEPS_MAX 20000

static struct field_sim field;
static struct mfrc522_sim *sim;
static struct mfrc522 chip;
static int64_t now;
static bool irq_low;
static bool edge;       /* the line fell and nobody has seen it */
static bool irq_broken; /* the wire is not connected */
static unsigned messages;
static unsigned steps;

/* When it is cancelled; NS_NEVER: not.  Blind: an edge before that is not seen. */
static int64_t cancel_at = NS_NEVER;
static bool cancel_blind;

/* What happens to a card meanwhile, and when; NS_NEVER: nothing. */
static int64_t leave_at = NS_NEVER;
static struct test_card *leaver;
static unsigned cancel_at_step; /* or at the first one after that is no TRANSFER */

static inline void
on_irq(void *ctx, enum mfrc522_irq_level level, int64_t at_ns)
{
    (void)ctx;
    CHECK(at_ns <= now);
    bool low = level == MFRC522_IRQ_LOW;
    edge = edge || (low && !irq_low && !irq_broken);
    irq_low = low;
}

static inline void
setup(bool has_irq, bool has_reset)
{
    struct mfrc522_sim_config config = {.field = &field, .irq = on_irq};
    now = NS_PER_S;
    irq_low = edge = irq_broken = false;
    messages = steps = cancel_at_step = 0;
    leave_at = cancel_at = NS_NEVER;
    leaver = NULL;
    field_init(&field, now);
    sim = mfrc522_sim_new(&config, now);
    mfrc522_init(&chip, has_irq, has_reset);
    chip.field = true;
}

static inline void
teardown(void)
{
    mfrc522_sim_free(sim);
    sim = NULL;
}

/* Time passes up to `until`, or up to an edge if that ends it. */
static inline void
pass(int64_t until, bool edge_ends)
{
    bool left = false;
    while (now < until && !(edge_ends && edge)) {
        int64_t next = mfrc522_sim_next_due(sim);
        CHECK(next > now || (next == now && left));
        left = false;
        next = next < until ? next : until;
        if (leave_at <= next) {
            next = leave_at > now ? leave_at : now;
        }
        now = next;
        mfrc522_sim_advance(sim, now);
        if (leave_at <= now) {
            left = true;
            leave_at = NS_NEVER;
            field_leave(&field, &leaver->card, now);
        }
    }
}

static inline void
message(const struct spi_xfer *xfers, unsigned n)
{
    messages++;
    for (unsigned i = 0; i < n; i++) {
        CHECK(xfers[i].len <= 64);
        mfrc522_sim_select(sim);
        for (unsigned k = 0; k < xfers[i].len; k++) {
            pass(now + BYTE_NS, false);
            uint8_t miso = mfrc522_sim_shift(sim, xfers[i].tx[k], now);
            xfers[i].rx[k] = miso;
        }
        if (xfers[i].cs_change || i + 1 == n) {
            mfrc522_sim_deselect(sim);
        }
        pass(now + SPI_CS_CHANGE_NS, false);
    }
}

/* Wait as the step asks.  Was the operation cancelled meanwhile? */
static inline bool
wait_or_cancel(bool edge_ends)
{
    int64_t until = chip.step.until_ns;
    bool cancels = cancel_at <= until;
    pass(cancels ? cancel_at : until, edge_ends && !(cancels && cancel_blind));
    if (now < cancel_at) {
        return false;
    }
    cancel_at = NS_NEVER;
    mfrc522_cancel(&chip, now);
    return true;
}

/* Run the operation that was started; 0 or its error. */
static inline int
run(void)
{
    unsigned start = steps;
    mfrc522_next(&chip, MFRC522_BEGIN, now, 0);
    while (mfrc522_is_running(&chip)) {
        enum mfrc522_event event = MFRC522_TRANSFERRED;
        if (++steps - start > STEPS_MAX) {
            CHECK(!"it never ends");
            return -1;
        }
        if (cancel_at_step != 0 && steps - start >= cancel_at_step &&
            chip.step.need != MFRC522_TRANSFER) {
            cancel_at_step = 0;
            mfrc522_cancel(&chip, now);
            if (!mfrc522_is_running(&chip)) {
                break;
            }
        }
        switch (chip.step.need) {
            case MFRC522_TRANSFER:
                edge = edge && !chip.step.drop_edges;
                message(chip.step.xfers, chip.step.num_xfers);
                break;
            case MFRC522_WAIT_IRQ:
                if (wait_or_cancel(true)) {
                    continue;
                }
                event = edge ? MFRC522_EDGE : MFRC522_TIME;
                edge = false;
                break;
            case MFRC522_WAIT:
                if (wait_or_cancel(false)) {
                    continue;
                }
                event = MFRC522_TIME;
                break;
            case MFRC522_RESET:
                mfrc522_sim_set_nrstpd(sim, chip.step.level != 0, now);
                event = MFRC522_RESET_SET;
                break;
            case MFRC522_DONE:
            case MFRC522_FAILED:
                CHECK(!"it runs, and has ended");
                return -1;
        }
        mfrc522_next(&chip, event, now, 0);
    }
    return chip.step.need == MFRC522_DONE ? 0 : chip.step.error;
}

static inline int
do_open(void)
{
    mfrc522_start_open(&chip);
    return run();
}

static inline int
do_request(void)
{
    mfrc522_start_request(&chip, false);
    return run();
}

static inline int
do_select(void)
{
    int error = do_request();
    if (error != 0) {
        return error;
    }
    CHECK_EQ(mfrc522_start_select(&chip, NULL, 0), 0);
    return run();
}

static inline int
do_halt(void)
{
    mfrc522_start_halt(&chip);
    return run();
}

static inline int
do_authenticate(const uint8_t *key)
{
    const uint8_t *uid4 = chip.uid.bytes + chip.uid.size - 4;
    mfrc522_start_authenticate(&chip, MIFARE_AUTH_KEY_A, 4, key, uid4);
    return run();
}

static inline void
enter(struct test_card *card)
{
    CHECK_EQ(field_enter(&field, &card->card, now), 0);
}

static inline bool
is_uid(const struct test_card *card)
{
    return chip.uid.complete && chip.uid.size == card->uid_size &&
           memcmp(chip.uid.bytes, card->uid, card->uid_size) == 0;
}

#endif
