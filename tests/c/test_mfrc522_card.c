/* Cards, polls and cancels of dev/mfrc522*.c against a script. */
#include <errno.h>

#include "scripted_chip.h"

/* 04 A1 B2 C3 D4 E5 F6: two levels. */
#define CL1 0x88, 0x04, 0xA1, 0xB2, 0x9F
#define CL2 0xC3, 0xD4, 0xE5, 0xF6, 0x04
#define SAK_MORE 0x04, 0xDA, 0x17
#define SAK_CLASSIC 0x08, 0xB6, 0xDD

static void
test_select_through_two_levels(void)
{
    RIG(rig, true, ANSWER(5, CL1), ANSWER(3, SAK_MORE), ANSWER(5, CL2),
        ANSWER(3, SAK_CLASSIC));
    open_chip(&rig);
    CHECK_EQ(mfrc522_start_select(&rig.chip, NULL, 0), 0);
    CHECK_EQ(finish(&rig), 0);
    CHECK_EQ(rig.chip.uid.size, 7);
    CHECK_BYTES(rig.chip.uid.bytes, 0x04, 0xA1, 0xB2, 0xC3, 0xD4, 0xE5, 0xF6);
    CHECK_EQ(rig.chip.uid.sak, 0x08);
    CHECK_EQ(rig.script.messages, 8);
    CHECK_BYTES(rig.script.sent[1], 0x93, 0x70, CL1);
    CHECK_BYTES(rig.script.sent[2], 0x95, 0x20);
    CHECK_BYTES(rig.script.sent[3], 0x95, 0x70, CL2);
    CHECK(rig.chip.tag_active);
}

static void
test_select_of_a_known_uid_needs_no_anticollision(void)
{
    const uint8_t uid[] = {0x04, 0xA1, 0xB2, 0xC3, 0xD4, 0xE5, 0xF6};
    RIG(rig, true, ANSWER(3, SAK_MORE), ANSWER(3, SAK_CLASSIC));
    open_chip(&rig);
    CHECK_EQ(mfrc522_start_select(&rig.chip, uid, 5), -EINVAL);
    CHECK_EQ(mfrc522_start_select(&rig.chip, uid, 7), 0);
    CHECK_EQ(finish(&rig), 0);
    CHECK_EQ(rig.script.num_sent, 2);
    CHECK_BYTES(rig.chip.uid.bytes, 0x04, 0xA1, 0xB2, 0xC3, 0xD4, 0xE5, 0xF6);
}

static void
test_collision_in_a_byte(void)
{
    /* A6 1D 22 7E against A2 ..: the third bit collides, and the 1 is A6. */
    RIG(rig, true,
        {.irq = COM_IRQ_RX, .errors = ERROR_COLL, .coll = 3, .size = 5, .data = {0x02}},
        ANSWER(5, 0xA0, 0x1D, 0x22, 0x7E, 0xE7), ANSWER(3, SAK_CLASSIC));
    open_chip(&rig);
    CHECK_EQ(mfrc522_start_select(&rig.chip, NULL, 0), 0);
    CHECK_EQ(finish(&rig), 0);
    CHECK_BYTES(rig.script.sent[1], 0x93, 0x23, 0x06);
    CHECK_EQ(rig.script.sent_size[1], 3);
    CHECK_BYTES(rig.chip.uid.bytes, 0xA6, 0x1D, 0x22, 0x7E);
}

static void
test_collision_that_makes_no_sense(void)
{
    RIG(rig, true,
        {.irq = COM_IRQ_RX,
         .errors = ERROR_COLL,
         .coll = COLL_POS_NOT_VALID,
         .size = 5},
        {.irq = COM_IRQ_RX, .errors = ERROR_COLL, .coll = 3, .size = 5},
        {.irq = COM_IRQ_RX, .errors = ERROR_COLL, .coll = 2, .size = 5});
    open_chip(&rig);
    for (int i = 0; i < 2; i++) {
        CHECK_EQ(mfrc522_start_select(&rig.chip, NULL, 0), 0);
        CHECK_EQ(finish(&rig), MFRC522_COLLISION);
    }
}

static void
test_wrong_bcc_and_crc(void)
{
    RIG(rig, true, ANSWER(5, 0xA6, 0x1D, 0x22, 0x7E, 0xE6),
        ANSWER(5, 0xA6, 0x1D, 0x22, 0x7E, 0xE7), ANSWER(3, 0x08, 0xB6, 0xDE));
    open_chip(&rig);
    for (int i = 0; i < 2; i++) {
        CHECK_EQ(mfrc522_start_select(&rig.chip, NULL, 0), 0);
        CHECK_EQ(finish(&rig), MFRC522_FRAME_ERROR);
    }
    CHECK_EQ(rig.script.num_sent, 3);
}

static void
test_authenticate_then_failure_drops_the_cipher(void)
{
    const uint8_t key[6] = {255, 255, 255, 255, 255, 255};
    const uint8_t uid[4] = {1, 2, 3, 4};
    RIG(rig, true, {.irq = COM_IRQ_IDLE}, {.irq = COM_IRQ_TIMER},
        {.irq = COM_IRQ_TIMER});
    open_chip(&rig);
    mfrc522_start_authenticate(&rig.chip, MIFARE_AUTH_KEY_A, 7, key, uid);
    CHECK_EQ(finish(&rig), 0);
    CHECK(rig.chip.crypto);
    CHECK_BYTES(rig.script.sent[0], 0x60, 7, 255, 255, 255, 255, 255, 255, 1, 2, 3, 4);
    mfrc522_start_read(&rig.chip, 7);
    CHECK_EQ(finish(&rig), MFRC522_TIMEOUT);
    CHECK(!rig.chip.crypto);
    CHECK((rig.script.regs[STATUS2_REG] & STATUS2_MF_CRYPTO1_ON) != 0);
    mfrc522_start_request(&rig.chip, false);
    CHECK_EQ(finish(&rig), MFRC522_TIMEOUT);
    CHECK_EQ(rig.script.regs[STATUS2_REG] & STATUS2_MF_CRYPTO1_ON, 0);
}

static void
test_authentication_fails(void)
{
    const uint8_t key[6] = {0};
    RIG(rig, true, {.irq = COM_IRQ_TIMER},
        {.irq = COM_IRQ_ERR, .errors = ERROR_PROTOCOL});
    open_chip(&rig);
    for (int i = 0; i < 2; i++) {
        mfrc522_start_authenticate(&rig.chip, MIFARE_AUTH_KEY_B, 7, key, key);
        CHECK_EQ(finish(&rig), MFRC522_AUTH_FAILED);
    }
}

static void
test_write_and_nak(void)
{
    uint8_t data[16] = {1, 2, 3};
    RIG(rig, true, {.irq = COM_IRQ_RX, .last_bits = 4, .size = 1, .data = {0x0A}},
        {.irq = COM_IRQ_RX, .last_bits = 4, .size = 1, .data = {0x0A}},
        {.irq = COM_IRQ_RX, .last_bits = 4, .size = 1, .data = {0x04}});
    open_chip(&rig);
    mfrc522_start_write(&rig.chip, 4, data);
    CHECK_EQ(finish(&rig), 0);
    CHECK_EQ(rig.script.messages, 4);
    CHECK_BYTES(rig.script.sent[0], 0xA0, 0x04);
    CHECK_EQ(rig.script.sent_size[1], 18);
    mfrc522_start_write(&rig.chip, 4, data);
    CHECK_EQ(finish(&rig), MFRC522_NAK);
    CHECK_EQ(rig.chip.rx[0], 4);
}

static void
test_long_answer_takes_one_message_more(void)
{
    const uint8_t tx[] = {0x60};
    RIG(rig, true, ANSWER(8, 1, 2, 3, 4, 5, 6, 7, 8));
    open_chip(&rig);
    CHECK_EQ(mfrc522_start_transceive(&rig.chip, tx, 1, 0, false, false, 5000), 0);
    rig.chip.frame.expect = 3;
    CHECK_EQ(finish(&rig), 0);
    CHECK_EQ(rig.chip.rx_size, 8);
    CHECK_BYTES(rig.chip.rx, 1, 2, 3, 4, 5, 6, 7, 8);
    CHECK_EQ(rig.script.messages, 3);
}

static void
test_transceive_checks_its_arguments(void)
{
    uint8_t tx[65] = {0};
    struct mfrc522 chip;
    mfrc522_init(&chip, true, false);
    CHECK_EQ(mfrc522_start_transceive(&chip, tx, 0, 0, false, false, 1000), -EINVAL);
    CHECK_EQ(mfrc522_start_transceive(&chip, tx, 65, 0, false, false, 1000), -EINVAL);
    CHECK_EQ(mfrc522_start_transceive(&chip, tx, 63, 0, true, false, 1000), -EINVAL);
    CHECK_EQ(mfrc522_start_transceive(&chip, tx, 4, 8, false, false, 1000), -EINVAL);
    CHECK_EQ(mfrc522_start_transceive(&chip, tx, 4, 3, true, false, 1000), -EINVAL);
    CHECK_EQ(mfrc522_start_transceive(&chip, tx, 4, 0, true, false, 0), -EINVAL);
    CHECK_EQ(mfrc522_start_transceive(&chip, tx, 4, 0, true, false, 1600001), -EINVAL);
    CHECK(!mfrc522_is_running(&chip));
}

static void
test_poll_needs_two_messages_per_interval(void)
{
    RIG(rig, true, {.irq = COM_IRQ_TIMER}, {.irq = COM_IRQ_TIMER}, ANSWER(2, 4, 0),
        ANSWER(5, 0xA6, 0x1D, 0x22, 0x7E, 0xE7), ANSWER(3, SAK_CLASSIC));
    open_chip(&rig);
    int64_t start = rig.now;
    mfrc522_start_poll(&rig.chip, 25 * NS_PER_MS);
    CHECK_EQ(finish(&rig), 0);
    CHECK_EQ(rig.script.messages, 2 + 2 + 6);
    CHECK(rig.now >= start + 50 * NS_PER_MS && rig.now < start + 55 * NS_PER_MS);
    CHECK_BYTES(rig.chip.uid.bytes, 0xA6, 0x1D, 0x22, 0x7E);
    CHECK_EQ(rig.script.regs[TX_CONTROL_REG], 0x83);
    /* The next poll halts it first. */
    rig.script.answers = answers + 1;
    rig.script.next = 0;
    mfrc522_start_poll(&rig.chip, 25 * NS_PER_MS);
    CHECK_EQ(finish(&rig), 0);
    CHECK_BYTES(rig.script.sent[5], 0x50, 0x00, 0x57, 0xCD);
}

static void
test_poll_sets_up_a_chip_that_was_reset(void)
{
    RIG(rig, true, {.irq = 0}, ANSWER(2, 4, 0), ANSWER(5, 0xA6, 0x1D, 0x22, 0x7E, 0xE7),
        ANSWER(3, SAK_CLASSIC));
    open_chip(&rig);
    rig.script.regs[T_MODE_REG] = 0;
    mfrc522_start_poll(&rig.chip, 25 * NS_PER_MS);
    CHECK_EQ(finish(&rig), 0);
    CHECK_EQ(rig.script.regs[T_MODE_REG], T_MODE_T_AUTO);
}

/* A whole session, cancelled after `steps` turns: the chip is idle and works. */
static bool
cancel_after(unsigned steps, bool irq)
{
    const uint8_t uid[] = {0xA6, 0x1D, 0x22, 0x7E};
    RIG(rig, irq, {.irq = COM_IRQ_TIMER}, ANSWER(2, 4, 0),
        ANSWER(5, 0xA6, 0x1D, 0x22, 0x7E, 0xE7), ANSWER(3, SAK_CLASSIC));
    rig.chip.has_reset = true;
    mfrc522_start_poll(&rig.chip, 25 * NS_PER_MS);
    mfrc522_next(&rig.chip, MFRC522_BEGIN, rig.now, 0);
    for (unsigned i = 0; i < steps && mfrc522_is_running(&rig.chip); i++) {
        turn(&rig.chip, &rig.script, &rig.now);
    }
    bool ended = !mfrc522_is_running(&rig.chip);
    int64_t when = rig.now;
    mfrc522_cancel(&rig.chip, rig.now);
    while (mfrc522_is_running(&rig.chip)) {
        enum mfrc522_need need = rig.chip.step.need;
        CHECK(need == MFRC522_TRANSFER || need == MFRC522_RESET);
        turn(&rig.chip, &rig.script, &rig.now);
    }
    CHECK(rig.now - when <= 100 * NS_PER_US);
    CHECK(!rig.chip.reset_low);
    if (!ended) {
        CHECK_EQ(rig.chip.step.error, MFRC522_CANCELLED);
        CHECK_EQ(rig.script.regs[COMMAND_REG], CMD_IDLE);
        CHECK_EQ(rig.script.regs[COM_IEN_REG], COM_IEN_IRQ_INV);
        CHECK_EQ(rig.script.regs[COM_IRQ_REG], 0);
    }
    mfrc522_cancel(&rig.chip, rig.now); /* nothing runs: nothing happens */
    rig.script.next = 1;
    mfrc522_start_request(&rig.chip, false);
    CHECK_EQ(finish(&rig), 0);
    CHECK_EQ(mfrc522_start_select(&rig.chip, NULL, 0), 0);
    CHECK_EQ(finish(&rig), 0);
    CHECK(memcmp(rig.chip.uid.bytes, uid, 4) == 0);
    return ended;
}

static void
test_cancel_at_every_step(void)
{
    for (int irq = 0; irq < 2; irq++) {
        unsigned steps = 0;
        while (!cancel_after(steps, irq)) {
            REQUIRE(++steps < 200);
        }
        CHECK(steps > 15);
    }
}

int
main(void)
{
    RUN(test_select_through_two_levels);
    RUN(test_select_of_a_known_uid_needs_no_anticollision);
    RUN(test_collision_in_a_byte);
    RUN(test_collision_that_makes_no_sense);
    RUN(test_wrong_bcc_and_crc);
    RUN(test_authenticate_then_failure_drops_the_cipher);
    RUN(test_authentication_fails);
    RUN(test_write_and_nak);
    RUN(test_long_answer_takes_one_message_more);
    RUN(test_transceive_checks_its_arguments);
    RUN(test_poll_needs_two_messages_per_interval);
    RUN(test_poll_sets_up_a_chip_that_was_reset);
    RUN(test_cancel_at_every_step);
    return check_done();
}
