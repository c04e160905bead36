/* dev/mfrc522*.c (the driver's steps) against sim/mfrc522_sim.c (the chip).
 *
 * The driver meets a chip with times, a FIFO that empties and cards that answer
 * late, collide, need time to power up, or leave in the middle of anything.
 */
#include "driver_bench.h"
#include "random.h"

static void
test_open(void)
{
    setup(true, true);
    CHECK_EQ(do_open(), 0);
    CHECK_EQ(chip.version, 0x92);
    CHECK(chip.irq_works);
    CHECK(field.carrier);
    teardown();
    setup(true, false);
    irq_broken = true;
    CHECK_EQ(do_open(), 0);
    CHECK(!chip.irq_works);
    teardown();
}

static void
test_no_chip(void)
{
    setup(true, false);
    mfrc522_sim_set_nrstpd(sim, false, now);
    CHECK_EQ(do_open(), MFRC522_NO_CHIP);
    teardown();
}

static void
test_request(void)
{
    struct test_card card = test_card_make(0xA6, 0x1D, 0x22, 0x7E);
    for (int has_irq = 0; has_irq < 2; has_irq++) {
        setup(has_irq, true);
        CHECK_EQ(do_open(), 0);
        CHECK_EQ(do_request(), MFRC522_TIMEOUT);
        enter(&card);
        pass(now + 5 * NS_PER_MS, false);
        unsigned before = messages;
        CHECK_EQ(do_request(), 0);
        CHECK_BYTES(chip.atqa, 0x04, 0x00);
        if (has_irq) {
            CHECK_EQ(messages - before, 2);
            CHECK_EQ(chip.edges_missed, 0);
        }
        field_leave(&field, &card.card, now);
        teardown();
    }
}

static void
test_power_up_time_needs_no_care(void)
{
    /* The first exchange after the field went on finds the slowest card. */
    struct test_card card = test_card_make(1, 2, 3, 4);
    card.card.power_up_ns = 5 * NS_PER_MS;
    setup(true, true);
    enter(&card);
    CHECK_EQ(do_request(), 0);
    teardown();
}

static void
test_uid_sizes(void)
{
    static const uint8_t sizes[] = {4, 7, 10};
    for (unsigned i = 0; i < 3; i++) {
        struct test_card card = test_card_make(0x04, 0x11, 0x22, 0x33);
        card.uid_size = sizes[i];
        for (unsigned k = 4; k < sizes[i]; k++) {
            card.uid[k] = (uint8_t)(0x40 + k);
        }
        setup(true, true);
        enter(&card);
        CHECK_EQ(do_select(), 0);
        CHECK(is_uid(&card));
        CHECK_EQ(chip.uid.sak, 0x08);
        CHECK_EQ(card.state, CARD_ACTIVE);
        CHECK_EQ(do_halt(), 0);
        CHECK_EQ(card.state, CARD_HALT);
        CHECK_EQ(do_request(), MFRC522_TIMEOUT);
        mfrc522_start_request(&chip, true);
        CHECK_EQ(run(), 0);
        CHECK_EQ(mfrc522_start_select(&chip, card.uid, card.uid_size), 0);
        CHECK_EQ(run(), 0);
        CHECK_EQ(card.state, CARD_ACTIVE);
        teardown();
    }
}

/* Select, halt, select the next one: every card, once. */
static void
check_inventory(struct test_card *cards, unsigned n)
{
    bool seen[FIELD_CARDS_MAX] = {false};
    setup(true, true);
    for (unsigned i = 0; i < n; i++) {
        enter(&cards[i]);
    }
    for (unsigned i = 0; i < n; i++) {
        int error = do_select();
        if (error == MFRC522_TIMEOUT) {
            /* Those that lost an anticollision ignore nothing but a turn. */
            error = do_select();
        }
        REQUIRE(error == 0);
        for (unsigned k = 0; k < n; k++) {
            if (is_uid(&cards[k])) {
                CHECK(!seen[k]);
                seen[k] = true;
                CHECK_EQ(cards[k].state, CARD_ACTIVE);
            }
        }
        CHECK_EQ(do_halt(), 0);
    }
    for (unsigned k = 0; k < n; k++) {
        CHECK(seen[k]);
    }
    CHECK_EQ(do_request(), MFRC522_TIMEOUT);
    teardown();
}

static void
test_collisions(void)
{
    struct test_card cards[5] = {
        test_card_make(0xA6, 0x1D, 0x22, 0x7E), test_card_make(0xA6, 0x1D, 0x22, 0x7F),
        test_card_make(0xA6, 0x1D, 0xA2, 0x7E), test_card_make(0x01, 0x02, 0x03, 0x04),
        test_card_make(0xA6, 0x1D, 0x22, 0xFE)};
    cards[3].uid_size = 7;
    cards[3].atqa = 0x0044;
    check_inventory(cards, 5);
}

static void
test_random_collisions(void)
{
    uint32_t seed = 12345;
    for (int round = 0; round < 40; round++) {
        struct test_card cards[6];
        for (unsigned i = 0; i < 6; i++) {
            cards[i] = test_card_make(0, 0, 0, 0);
            cards[i].uid_size = round % 2 != 0 && i % 2 != 0 ? 7 : 4;
            for (unsigned k = 0; k < cards[i].uid_size; k++) {
                uint32_t random = next_random(&seed);
                /* Few ones: UIDs that share long beginnings. */
                cards[i].uid[k] = (uint8_t)(random >> 16 & random >> 8 & random);
            }
            cards[i].uid[3] = (uint8_t)(cards[i].uid[3] << 3 | i); /* all different */
            if (cards[i].uid[0] == ISO14443A_CT || cards[i].uid_size == 4) {
                cards[i].uid[0] &= 0x7F;
            }
        }
        check_inventory(cards, 6);
    }
}

static void
test_authenticate_read_write(void)
{
    struct test_card card = test_card_make(0xA6, 0x1D, 0x22, 0x7E);
    const uint8_t wrong[6] = {1, 2, 3, 4, 5, 6};
    const uint8_t data[16] = {9, 8, 7, 6, 5, 4, 3, 2, 1};
    for (int has_irq = 0; has_irq < 2; has_irq++) {
        card = test_card_make(0xA6, 0x1D, 0x22, 0x7E);
        card.write_ns = 9 * NS_PER_MS;
        setup(has_irq, true);
        enter(&card);
        CHECK_EQ(do_select(), 0);
        CHECK_EQ(do_authenticate(wrong), MFRC522_AUTH_FAILED);
        CHECK_EQ(do_select(), 0);
        CHECK_EQ(do_authenticate(card.key), 0);
        CHECK(chip.crypto);
        mfrc522_start_read(&chip, 4);
        CHECK_EQ(run(), 0);
        CHECK_EQ(chip.rx_size, 16);
        CHECK_BYTES(chip.rx, 0x40, 0x41, 0x42, 0);
        mfrc522_start_write(&chip, 4, data);
        CHECK_EQ(run(), 0);
        CHECK_BYTES(card.block, 9, 8, 7, 6, 5, 4, 3, 2, 1, 0);
        mfrc522_start_read(&chip, 4);
        CHECK_EQ(run(), 0);
        CHECK_BYTES(chip.rx, 9, 8, 7, 6, 5, 4, 3, 2, 1, 0);
        CHECK_EQ(do_halt(), 0);
        CHECK_EQ(card.state, CARD_HALT);
        CHECK(!card.card.encrypted);
        CHECK_EQ(card.garbled, 0);
        teardown();
    }
}

static void
test_poll(void)
{
    struct test_card card = test_card_make(0xA6, 0x1D, 0x22, 0x7E);
    setup(true, true);
    CHECK_EQ(do_open(), 0);
    /* A card comes 3 s later: two messages and one wake-up per poll until then. */
    leaver = &card;
    unsigned before = messages;
    mfrc522_start_poll(&chip, 100 * NS_PER_MS);
    cancel_at_step = 92;
    CHECK_EQ(run(), MFRC522_CANCELLED);
    CHECK(messages - before < 75);
    cancel_at_step = 0;
    enter(&card);
    mfrc522_start_poll(&chip, 100 * NS_PER_MS);
    CHECK_EQ(run(), 0);
    CHECK(is_uid(&card));
    /* It stays: not found again, until it has gone and come back. */
    mfrc522_start_poll(&chip, 100 * NS_PER_MS);
    cancel_at_step = 60;
    CHECK_EQ(run(), MFRC522_CANCELLED);
    CHECK_EQ(card.state, CARD_HALT);
    cancel_at_step = 0;
    field_leave(&field, &card.card, now);
    pass(now + NS_PER_S, false);
    enter(&card);
    mfrc522_start_poll(&chip, 100 * NS_PER_MS);
    CHECK_EQ(run(), 0);
    CHECK(is_uid(&card));
    CHECK_EQ(chip.edges_missed, 0);
    teardown();
}

static void
test_absence(void)
{
    struct test_card card = test_card_make(0xA6, 0x1D, 0x22, 0x7E);
    setup(true, true);
    enter(&card);
    mfrc522_start_poll(&chip, 100 * NS_PER_MS);
    CHECK_EQ(run(), 0);
    leaver = &card;
    leave_at = now + 2 * NS_PER_S;
    int64_t left = leave_at;
    CHECK_EQ(mfrc522_start_absence(&chip, card.uid, 4, 100 * NS_PER_MS), 0);
    CHECK_EQ(run(), 0);
    CHECK(now >= left && now < left + 300 * NS_PER_MS);
    teardown();
}

static void
test_chip_is_reset_behind_the_drivers_back(void)
{
    struct test_card card = test_card_make(0xA6, 0x1D, 0x22, 0x7E);
    setup(true, true);
    CHECK_EQ(do_request(), MFRC522_TIMEOUT);
    mfrc522_sim_set_nrstpd(sim, false, now);
    mfrc522_sim_set_nrstpd(sim, true, now + 1000);
    enter(&card);
    mfrc522_start_poll(&chip, 100 * NS_PER_MS);
    CHECK_EQ(run(), 0);
    CHECK(is_uid(&card));
    teardown();
}

/* The card leaves at any moment of select, authenticate, read: the operation ends
 * with an error or with the truth, and the next card is read as if nothing was. */
static void
test_card_leaves_at_any_time(void)
{
    struct test_card other = test_card_make(9, 9, 9, 9);
    setup(true, true);
    CHECK_EQ(do_open(), 0);
    pass(now + 10 * NS_PER_MS, false);
    for (int64_t delay = 0; delay < 14 * NS_PER_MS; delay += 37 * NS_PER_US) {
        struct test_card card = test_card_make(0xA6, 0x1D, 0x22, 0x7E);
        enter(&card);
        pass(now + NS_PER_MS, false);
        leaver = &card;
        leave_at = now + delay;
        int error = do_select();
        if (error == 0) {
            CHECK(is_uid(&card));
            error = do_authenticate(card.key);
        }
        if (error == 0) {
            mfrc522_start_read(&chip, 4);
            error = run();
        }
        if (error == 0) {
            CHECK_BYTES(chip.rx, 0x40, 0x41, 0x42);
        }
        pass(leave_at != NS_NEVER ? leave_at : now, false);
        enter(&other);
        pass(now + NS_PER_MS, false);
        CHECK_EQ(do_select(), 0);
        CHECK(is_uid(&other));
        field_leave(&field, &other.card, now);
    }
    CHECK_EQ(chip.edges_missed, 0);
    teardown();
}

/* Cancelled at any step of anything: afterwards chip and pin are idle, and the
 * card can be selected. */
static void
test_cancel_at_any_step(void)
{
    struct test_card card = test_card_make(0xA6, 0x1D, 0x22, 0x7E);
    setup(true, true);
    CHECK_EQ(do_open(), 0);
    enter(&card);
    pass(now + 5 * NS_PER_MS, false);
    for (unsigned step = 1; step < 40; step++) {
        for (int what = 0; what < 3; what++) {
            int error = 0;
            cancel_at_step = 0;
            if (what == 0) {
                cancel_at_step = step;
                error = do_select();
            }
            else {
                error = do_select();
                /* A card in READY or ACTIVE ignores one request. */
                if (error == MFRC522_TIMEOUT) {
                    error = do_select();
                }
                CHECK_EQ(error, 0);
                if (what == 1) {
                    cancel_at_step = step;
                    error = do_authenticate(card.key);
                }
                else {
                    CHECK_EQ(do_authenticate(card.key), 0);
                    cancel_at_step = step;
                    mfrc522_start_read(&chip, 4);
                    error = run();
                }
            }
            cancel_at_step = 0;
            CHECK(error == 0 || error == MFRC522_CANCELLED || error == MFRC522_TIMEOUT);
            if (error == MFRC522_CANCELLED) {
                CHECK_EQ(mfrc522_sim_peek(sim, COMMAND_REG) & COMMAND_MASK, CMD_IDLE);
                CHECK(!irq_low);
                CHECK(field.carrier);
            }
            edge = false;
            pass(now + 20 * NS_PER_MS, false);
            CHECK(!edge);
        }
    }
    teardown();
}

/* The chip has switched its cipher on, and nobody has looked: the cancel must
 * switch it off, or no card would understand the reader again. */
static void
test_cancel_of_an_authentication_that_has_succeeded(void)
{
    struct test_card card = test_card_make(0xA6, 0x1D, 0x22, 0x7E);
    setup(true, true);
    enter(&card);
    CHECK_EQ(do_select(), 0);
    cancel_at = now + 5 * NS_PER_MS;
    cancel_blind = true;
    CHECK_EQ(do_authenticate(card.key), MFRC522_CANCELLED);
    CHECK(card.card.encrypted);
    edge = false;
    CHECK_EQ(do_select(), 0);
    CHECK(is_uid(&card));
    teardown();
}

int
main(void)
{
    RUN(test_open);
    RUN(test_no_chip);
    RUN(test_request);
    RUN(test_power_up_time_needs_no_care);
    RUN(test_uid_sizes);
    RUN(test_collisions);
    RUN(test_random_collisions);
    RUN(test_authenticate_read_write);
    RUN(test_poll);
    RUN(test_absence);
    RUN(test_chip_is_reset_behind_the_drivers_back);
    RUN(test_card_leaves_at_any_time);
    RUN(test_cancel_at_any_step);
    RUN(test_cancel_of_an_authentication_that_has_succeeded);
    return check_done();
}
