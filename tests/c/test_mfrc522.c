/* The chip and its exchanges against a script: set-up, lines, exchanges. */
#include <errno.h>

#include "scripted_chip.h"

static void
test_open(void)
{
    RIG(rig, true, {0});
    mfrc522_start_open(&rig.chip);
    CHECK_EQ(finish(&rig), 0);
    CHECK_EQ(rig.chip.version, 0x92);
    CHECK(rig.chip.irq_works);
    CHECK_EQ(rig.script.regs[TX_CONTROL_REG] & TX_CONTROL_RF_EN, TX_CONTROL_RF_EN);
    CHECK_EQ(rig.script.regs[COM_IEN_REG], COM_IEN_IRQ_INV);
    CHECK_EQ(rig.script.regs[RF_CFG_REG], 0x40);
    CHECK_EQ(rig.script.regs[COM_IRQ_REG], 0);
    CHECK(rig.now < 10 * NS_PER_MS);
}

static void
test_open_tries_the_reset_line(void)
{
    for (int wired = 0; wired < 2; wired++) {
        RIG(rig, true, {0});
        rig.chip.has_reset = true;
        rig.script.reset_wired = wired;
        mfrc522_start_open(&rig.chip);
        CHECK_EQ(finish(&rig), 0);
        CHECK_EQ(rig.chip.reset_works, wired);
        CHECK(rig.now < 10 * NS_PER_MS);
    }
}

static void
test_first_request_wakes_a_card_of_another_program(void)
{
    RIG(rig, true, {.irq = COM_IRQ_TIMER}, ANSWER(2, 4, 0));
    mfrc522_start_request(&rig.chip, false);
    CHECK_EQ(finish(&rig), 0);
    CHECK_EQ(rig.script.num_sent, 2);
}

static void
test_field_is_off_for_long_enough(void)
{
    RIG(rig, true, {0});
    open_chip(&rig);
    int64_t off = rig.now;
    rig.chip.field = false;
    mfrc522_start_configure(&rig.chip);
    CHECK_EQ(finish(&rig), 0);
    CHECK_EQ(rig.script.regs[TX_CONTROL_REG], 0x80);
    rig.chip.field = true;
    mfrc522_start_configure(&rig.chip);
    CHECK_EQ(finish(&rig), 0);
    CHECK_EQ(rig.script.regs[TX_CONTROL_REG], 0x83);
    CHECK(rig.now - off >= 5100 * NS_PER_US);
    CHECK(rig.chip.field_guard_ns >= rig.now + 4900 * NS_PER_US);
}

static void
test_open_notices_an_interrupt_line_that_is_not_connected(void)
{
    RIG(rig, true, {0});
    rig.script.irq_wired = false;
    mfrc522_start_open(&rig.chip);
    CHECK_EQ(finish(&rig), 0);
    CHECK(rig.chip.ready);
    CHECK(!rig.chip.irq_works);
}

static void
test_no_chip(void)
{
    RIG(rig, true, {0});
    rig.script.absent = true;
    mfrc522_start_request(&rig.chip, false);
    CHECK_EQ(finish(&rig), MFRC522_NO_CHIP);
    CHECK(rig.now < 50 * NS_PER_MS);
}

static void
test_spi_error_is_passed_on(void)
{
    RIG(rig, true, {0});
    rig.script.spi_error = -EIO;
    mfrc522_start_open(&rig.chip);
    CHECK_EQ(finish(&rig), -EIO);
    CHECK(!rig.chip.ready);
}

static void
test_first_exchange_waits_for_the_field_guard(void)
{
    RIG(rig, true, ANSWER(2, 0x04, 0x00));
    mfrc522_start_request(&rig.chip, false);
    CHECK_EQ(finish(&rig), 0);
    CHECK(rig.now >= rig.chip.field_guard_ns);
    CHECK_EQ(rig.chip.atqa[0], 0x04);
}

static void
test_request_takes_two_messages(void)
{
    RIG(rig, true, {.irq = COM_IRQ_TIMER}, ANSWER(2, 0x44, 0x03));
    open_chip(&rig);
    mfrc522_start_request(&rig.chip, true);
    CHECK_EQ(finish(&rig), MFRC522_TIMEOUT);
    CHECK_EQ(rig.script.messages, 2);
    CHECK_BYTES(rig.script.sent[0], 0x52);
    mfrc522_start_request(&rig.chip, false);
    CHECK_EQ(finish(&rig), 0);
    CHECK_BYTES(rig.chip.atqa, 0x44, 0x03);
    CHECK_EQ(rig.script.messages, 4);
    CHECK_BYTES(rig.script.sent[1], 0x26);
    CHECK_EQ(rig.script.regs[BIT_FRAMING_REG] & BIT_FRAMING_TX_LAST_BITS, 7);
}

static void
test_request_to_a_card_that_is_awake_is_sent_twice(void)
{
    RIG(rig, true, ANSWER(2, 4, 0), {.irq = COM_IRQ_TIMER}, ANSWER(2, 4, 0));
    open_chip(&rig);
    for (int i = 0; i < 2; i++) {
        mfrc522_start_request(&rig.chip, false);
        CHECK_EQ(finish(&rig), 0);
    }
    CHECK_EQ(rig.script.messages, 6);
    for (int i = 0; i < 2; i++) { /* it has left */
        mfrc522_start_request(&rig.chip, false);
        CHECK_EQ(finish(&rig), MFRC522_TIMEOUT);
    }
    CHECK_EQ(rig.script.messages, 6 + 4 + 2);
}

static void
test_request_without_interrupt_line(void)
{
    RIG(rig, false, {.irq = COM_IRQ_TIMER}, ANSWER(2, 0x44, 0x03));
    open_chip(&rig);
    mfrc522_start_request(&rig.chip, false);
    CHECK_EQ(finish(&rig), MFRC522_TIMEOUT);
    mfrc522_start_request(&rig.chip, false);
    CHECK_EQ(finish(&rig), 0);
    CHECK(rig.script.messages <= 6);
}

static void
test_missing_edges(void)
{
    RIG(rig, true, ANSWER(2, 4, 0), ANSWER(2, 4, 0), ANSWER(2, 4, 0));
    open_chip(&rig);
    rig.script.irq_wired = false; /* the wire breaks */
    for (int i = 0; i < 3; i++) {
        mfrc522_start_request(&rig.chip, false);
        CHECK_EQ(finish(&rig), 0);
    }
    CHECK_EQ(rig.chip.edges_missed, 2);
    CHECK(!rig.chip.irq_works);
}

static void
test_late_edges_are_not_missing(void)
{
    RIG(rig, true, ANSWER(2, 4, 0), ANSWER(2, 4, 0), ANSWER(2, 4, 0));
    open_chip(&rig);
    rig.script.edges_late = true; /* a busy machine */
    for (int i = 0; i < 3; i++) {
        mfrc522_start_request(&rig.chip, false);
        CHECK_EQ(finish(&rig), 0);
    }
    CHECK_EQ(rig.chip.edges_missed, 0);
    CHECK(rig.chip.irq_works);
}

static void
test_chip_that_never_finishes(void)
{
    RIG(rig, true, {.irq = 0}, {.irq = 0}, {.irq = 0});
    open_chip(&rig);
    mfrc522_start_request(&rig.chip, false);
    CHECK_EQ(finish(&rig), MFRC522_TIMEOUT);
    CHECK(rig.script.messages < 10);
    rig.script.regs[T_MODE_REG] = 0; /* it has been reset meanwhile */
    mfrc522_start_request(&rig.chip, false);
    CHECK_EQ(finish(&rig), MFRC522_LOST_REGISTERS);
    CHECK(!rig.chip.ready);
    mfrc522_start_request(&rig.chip, false);
    rig.script.absent = true;
    CHECK_EQ(finish(&rig), MFRC522_NO_CHIP);
}

int
main(void)
{
    RUN(test_open);
    RUN(test_open_tries_the_reset_line);
    RUN(test_first_request_wakes_a_card_of_another_program);
    RUN(test_field_is_off_for_long_enough);
    RUN(test_open_notices_an_interrupt_line_that_is_not_connected);
    RUN(test_no_chip);
    RUN(test_spi_error_is_passed_on);
    RUN(test_first_exchange_waits_for_the_field_guard);
    RUN(test_request_takes_two_messages);
    RUN(test_request_to_a_card_that_is_awake_is_sent_twice);
    RUN(test_request_without_interrupt_line);
    RUN(test_missing_edges);
    RUN(test_late_edges_are_not_missing);
    RUN(test_chip_that_never_finishes);
    return check_done();
}
