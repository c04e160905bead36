/* The driver's steps on the simulated chip, at random (fixed seeds).
 *
 * Cards come and go, operations are cancelled at any time, the chip is reset, the
 * interrupt line makes false edges.  Whatever happened: no operation hangs, none
 * reports a card that was not there, and a card that is put down afterwards is
 * found by the next poll.
 */
#include "driver_bench.h"
#include "random.h"

enum { CARDS = 4, SEEDS = 400, ROUNDS = 60 };

static struct test_card cards[CARDS];
static uint32_t seed;
static uint8_t data[MIFARE_BLOCK_SIZE];

static unsigned
below(unsigned n)
{
    return next_random(&seed) % n;
}

static void
make_cards(void)
{
    for (unsigned i = 0; i < CARDS; i++) {
        cards[i] = test_card_make((uint8_t)(i & 1), (uint8_t)below(4), 3, (uint8_t)i);
        cards[i].uid_size = i == 3 ? 7 : 4;
        cards[i].card.power_up_ns = below(5000) * NS_PER_US;
        cards[i].write_ns = below(9000) * NS_PER_US;
    }
}

static void
move_cards(void)
{
    struct test_card *card = &cards[below(CARDS)];
    switch (below(4)) {
        case 0:
            if (card->card.field == NULL) {
                enter(card);
            }
            break;
        case 1:
            mfrc522_sim_advance(sim, now);
            field_leave(&field, &card->card, now);
            break;
        case 2:
            if (leave_at == NS_NEVER && card->card.field != NULL) {
                leaver = card;
                leave_at = now + below(40000) * NS_PER_US;
            }
            break;
        default:
            break;
    }
}

static int
operate(unsigned what)
{
    const uint8_t wrong[MIFARE_KEY_SIZE] = {0};
    switch (what) {
        case 0:
            mfrc522_start_request(&chip, below(2) != 0);
            return run();
        case 1:
            return do_select();
        case 2:
            return do_halt();
        case 3:
        case 4:
            return chip.tag_active ? do_authenticate(below(4) ? cards[0].key : wrong)
                                   : 0;
        case 5:
            mfrc522_start_read(&chip, 4);
            return run();
        case 6:
            mfrc522_start_write(&chip, 4, data);
            return run();
        case 7:
            if (cancel_at == NS_NEVER) {
                cancel_at = now + NS_PER_S;
            }
            mfrc522_start_poll(&chip, (1 + below(50)) * NS_PER_MS);
            return run();
        case 8:
            if (cancel_at == NS_NEVER) {
                cancel_at = now + NS_PER_S;
            }
            CHECK_EQ(
                mfrc522_start_absence(&chip, cards[below(3)].uid, 4, 30 * NS_PER_MS),
                0);
            return run();
        case 9:
            CHECK_EQ(mfrc522_start_transceive(&chip, data, 1 + below(16), 0, below(2),
                                              below(2), 25 + below(5000)),
                     0);
            return run();
        default:
            return do_open();
    }
}

static void
disturb(void)
{
    switch (below(30)) {
        case 0:
            mfrc522_sim_set_nrstpd(sim, false, now);
            mfrc522_sim_set_nrstpd(sim, true, now);
            break;
        case 1:
            edge = true; /* a false one */
            break;
        default:
            break;
    }
}

static bool
is_known(void)
{
    for (unsigned i = 0; i < CARDS; i++) {
        if (is_uid(&cards[i])) {
            return true;
        }
    }
    return false;
}

/* Only this card is in the field, which was never there: the next poll finds it. */
static void
check_recovers(uint8_t number)
{
    struct test_card card = test_card_make(0x77, number, 0, 1);
    leave_at = cancel_at = NS_NEVER;
    mfrc522_sim_advance(sim, now);
    for (unsigned i = 0; i < CARDS; i++) {
        field_leave(&field, &cards[i].card, now);
    }
    pass(now + 10 * NS_PER_MS, false);
    enter(&card);
    int64_t before = now;
    cancel_at = now + NS_PER_S;
    mfrc522_start_poll(&chip, 50 * NS_PER_MS);
    CHECK_EQ(run(), 0);
    CHECK(is_uid(&card));
    CHECK(now - before < 400 * NS_PER_MS);
    cancel_at = NS_NEVER;
    CHECK_EQ(do_authenticate(card.key), 0);
    mfrc522_start_read(&chip, 4);
    CHECK_EQ(run(), 0);
    CHECK(memcmp(chip.rx, card.block, MIFARE_BLOCK_SIZE) == 0);
    field_leave(&field, &card.card, now);
}

static void
soak(uint32_t start)
{
    seed = start;
    make_cards();
    setup(start % 4 != 0, start % 3 != 0);
    for (unsigned round = 0; round < ROUNDS && check_failures == 0; round++) {
        move_cards();
        disturb();
        pass(now + below(3000) * NS_PER_US, false);
        cancel_at = below(2) == 0 ? now + below(20000) * NS_PER_US : NS_NEVER;
        cancel_blind = below(2) == 0;
        unsigned what = below(11);
        int error = operate(what);
        cancel_at = NS_NEVER;
        if (error == MFRC522_CANCELLED) {
            CHECK_EQ(mfrc522_sim_peek(sim, COMMAND_REG) & COMMAND_MASK, CMD_IDLE);
            CHECK(!irq_low);
            CHECK(!chip.tag_active || chip.touched == false);
        }
        if (error == 0 && (what == 1 || what == 7)) {
            CHECK(is_known());
        }
        if (round % 10 == 9) {
            check_recovers((uint8_t)round);
        }
        if (check_failures != 0) {
            fprintf(stderr, "    seed %u, round %u, operation %u, error %d\n", start,
                    round, what, error);
        }
    }
    teardown();
}

static void
test_seeds(void)
{
    for (uint32_t start = 1; start <= SEEDS; start++) {
        soak(start);
    }
}

int
main(void)
{
    RUN(test_seeds);
    return check_done();
}
