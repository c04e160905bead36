/* base/mfrc522*.c against a script: what the steps ask for, in which order.
 *
 * The scripted chip keeps registers and, when a frame is started, takes the next
 * answer from a list.  It has no time: the answer is there at once, or never.
 */
#include <errno.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/mfrc522.h"
#include "check.h"

struct answer {
    uint8_t irq; /* 0: the chip never finishes */
    uint8_t errors;
    uint8_t last_bits;
    uint8_t coll;
    uint8_t size;
    uint8_t data[20];
};

struct script {
    const struct answer *answers; /* ends with the list */
    unsigned num_answers;
    unsigned next;
    uint8_t regs[MFRC522_REGISTERS];
    uint8_t fifo[FIFO_SIZE];
    unsigned level;
    bool edge; /* the interrupt line fell and nobody has seen it */
    bool irq_wired;
    bool absent;
    unsigned messages;
    uint8_t sent[32][FIFO_SIZE]; /* frames in order */
    unsigned sent_size[32];
    unsigned num_sent;
    int spi_error;
};

static const struct answer silence = {.irq = COM_IRQ_TIMER};

static void
raise_irq(struct script *s, uint8_t bits)
{
    bool was = (s->regs[COM_IRQ_REG] & s->regs[COM_IEN_REG] & COM_IRQ_ALL) != 0;
    s->regs[COM_IRQ_REG] |= bits;
    bool is = (s->regs[COM_IRQ_REG] & s->regs[COM_IEN_REG] & COM_IRQ_ALL) != 0;
    s->edge = s->edge || (is && !was && s->irq_wired);
}

static void
send(struct script *s)
{
    const struct answer *a =
        s->next < s->num_answers ? &s->answers[s->next++] : &silence;
    if (s->num_sent < 32) {
        memcpy(s->sent[s->num_sent], s->fifo, s->level);
        s->sent_size[s->num_sent++] = s->level;
    }
    memcpy(s->fifo, a->data, a->size);
    s->level = a->size;
    s->regs[ERROR_REG] = a->errors;
    s->regs[CONTROL_REG] = a->last_bits;
    s->regs[COLL_REG] = a->coll;
    if (s->regs[COMMAND_REG] == CMD_MF_AUTHENT && a->irq == COM_IRQ_IDLE) {
        s->regs[STATUS2_REG] |= STATUS2_MF_CRYPTO1_ON;
    }
    raise_irq(s, a->irq);
}

static void
write_register(struct script *s, unsigned reg, uint8_t value)
{
    switch (reg) {
        case COM_IRQ_REG:
            if ((value & COM_IRQ_SET1) != 0) {
                raise_irq(s, value & COM_IRQ_ALL);
            }
            else {
                s->regs[reg] &= (uint8_t)~value;
            }
            return;
        case FIFO_LEVEL_REG:
            s->level = (value & FIFO_LEVEL_FLUSH_BUFFER) != 0 ? 0 : s->level;
            return;
        case FIFO_DATA_REG:
            s->fifo[s->level++ % FIFO_SIZE] = value;
            return;
        case COMMAND_REG:
            s->regs[reg] = value;
            if (value == CMD_SOFT_RESET) {
                memset(s->regs, 0, sizeof s->regs);
                s->regs[COM_IEN_REG] = 0x80;
                s->regs[VERSION_REG] = VERSION_MFRC522_2;
            }
            else if (value == CMD_MF_AUTHENT ||
                     (value == CMD_TRANSCEIVE &&
                      (s->regs[BIT_FRAMING_REG] & BIT_FRAMING_START_SEND) != 0)) {
                send(s);
            }
            return;
        case BIT_FRAMING_REG:
            s->regs[reg] = value;
            if ((value & BIT_FRAMING_START_SEND) != 0 &&
                s->regs[COMMAND_REG] == CMD_TRANSCEIVE) {
                send(s);
            }
            return;
        default:
            s->regs[reg] = value;
    }
}

static uint8_t
read_register(struct script *s, unsigned reg)
{
    uint8_t value = s->regs[reg];
    if (reg == FIFO_LEVEL_REG) {
        value = (uint8_t)s->level;
    }
    else if (reg == FIFO_DATA_REG && s->level > 0) {
        value = s->fifo[0];
        memmove(s->fifo, s->fifo + 1, --s->level);
    }
    return s->absent ? 0x00 : value;
}

static void
transfer(struct script *s, const struct mfrc522_step *step)
{
    s->messages++;
    for (unsigned i = 0; i < step->num_xfers; i++) {
        const struct spi_xfer *x = &step->xfers[i];
        CHECK(x->tx != NULL && x->rx != NULL && x->len >= 2 && x->len <= 64);
        CHECK_EQ(x->cs_change, i + 1 < step->num_xfers);
        x->rx[0] = 0;
        for (unsigned k = 1; k < x->len; k++) {
            uint8_t first = MFRC522_SPI_IS_READ(x->tx[0]) ? x->tx[k - 1] : x->tx[0];
            unsigned reg = MFRC522_SPI_ADDRESS(first);
            if (MFRC522_SPI_IS_READ(x->tx[0])) {
                x->rx[k] = read_register(s, reg);
            }
            else {
                x->rx[k] = 0;
                write_register(s, reg, x->tx[k]);
            }
        }
    }
}

/* The turn of whoever drives the steps, once. */
static void
turn(struct mfrc522 *chip, struct script *s, int64_t *now)
{
    struct mfrc522_step step = chip->step;
    switch (step.need) {
        case MFRC522_TRANSFER:
            if (step.drop_edges) {
                s->edge = false;
            }
            if (s->spi_error == 0) {
                transfer(s, &step);
            }
            *now += 100 * NS_PER_US;
            mfrc522_next(chip, MFRC522_TRANSFERRED, *now, s->spi_error);
            break;
        case MFRC522_WAIT_IRQ:
            if (s->edge) {
                s->edge = false;
                mfrc522_next(chip, MFRC522_EDGE, *now, 0);
                break;
            }
            /* fall through */
        case MFRC522_WAIT:
            CHECK(step.until_ns != NS_NEVER);
            *now = step.until_ns > *now ? step.until_ns : *now;
            mfrc522_next(chip, MFRC522_TIME, *now, 0);
            break;
        case MFRC522_RESET:
            mfrc522_next(chip, MFRC522_RESET_SET, *now, 0);
            break;
        default:
            CHECK(!"no step");
    }
}

struct rig {
    struct mfrc522 chip;
    struct script script;
    int64_t now;
};

static void
rig_init(struct rig *rig, bool irq, const struct answer *answers, unsigned n)
{
    memset(rig, 0, sizeof *rig);
    rig->script.irq_wired = irq;
    rig->script.answers = answers;
    rig->script.num_answers = n;
    mfrc522_init(&rig->chip, irq, false);
}

/* Run the operation that was started; 0 or its error. */
static int
finish(struct rig *rig)
{
    mfrc522_next(&rig->chip, MFRC522_BEGIN, rig->now, 0);
    for (int turns = 0; mfrc522_is_running(&rig->chip); turns++) {
        if (!CHECK(turns < 2000)) {
            return INT32_MAX;
        }
        turn(&rig->chip, &rig->script, &rig->now);
    }
    return rig->chip.step.need == MFRC522_DONE ? 0 : rig->chip.step.error;
}

static void
open_chip(struct rig *rig)
{
    mfrc522_start_open(&rig->chip);
    CHECK_EQ(finish(rig), 0);
    rig->now += 10 * NS_PER_MS; /* the field guard has passed */
    rig->script.messages = 0;
}

#define RIG(rig, irq, ...)                                \
    static const struct answer answers[] = {__VA_ARGS__}; \
    struct rig rig;                                       \
    rig_init(&rig, irq, answers, sizeof answers / sizeof answers[0])

#define ANSWER(n, ...)                                                      \
    {                                                                       \
        .irq = COM_IRQ_RX, .coll = COLL_POS_NOT_VALID, .size = n, .data = { \
            __VA_ARGS__                                                     \
        }                                                                   \
    }

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
    RUN(test_open);
    RUN(test_open_notices_an_interrupt_line_that_is_not_connected);
    RUN(test_no_chip);
    RUN(test_spi_error_is_passed_on);
    RUN(test_first_exchange_waits_for_the_field_guard);
    RUN(test_request_takes_two_messages);
    RUN(test_request_to_a_card_that_is_awake_is_sent_twice);
    RUN(test_request_without_interrupt_line);
    RUN(test_missing_edges);
    RUN(test_chip_that_never_finishes);
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
