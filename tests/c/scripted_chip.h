/* A scripted MFRC522, and a rig that drives the steps of dev/mfrc522.h with it.
 *
 * The scripted chip keeps registers and, when a frame is started, takes the next
 * answer from a list.  It has no time: the answer is there at once, or never.
 */
#ifndef TESTS_SCRIPTED_CHIP_H
#define TESTS_SCRIPTED_CHIP_H

#include "base/clock.h"
#include "dev/mfrc522.h"
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
    bool edges_late; /* they are seen only once the time of a wait has come */
    bool reset_wired;
    bool absent;
    unsigned messages;
    uint8_t sent[32][FIFO_SIZE]; /* frames in order */
    unsigned sent_size[32];
    unsigned num_sent;
    int spi_error;
};

static const struct answer silence = {.irq = COM_IRQ_TIMER};

static inline void
raise_irq(struct script *s, uint8_t bits)
{
    bool was = (s->regs[COM_IRQ_REG] & s->regs[COM_IEN_REG] & COM_IRQ_ALL) != 0;
    s->regs[COM_IRQ_REG] |= bits;
    bool is = (s->regs[COM_IRQ_REG] & s->regs[COM_IEN_REG] & COM_IRQ_ALL) != 0;
    s->edge = s->edge || (is && !was && s->irq_wired);
}

static inline void
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

static inline void
reset_registers(struct script *s)
{
    memset(s->regs, 0, sizeof s->regs);
    s->regs[COM_IEN_REG] = COM_IEN_IRQ_INV;
    s->regs[VERSION_REG] = VERSION_MFRC522_2;
}

static inline void
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
                reset_registers(s);
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

static inline uint8_t
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

static inline void
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
static inline void
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
            if (step.take_edges) {
                chip->edge_came_late = s->edge;
                s->edge = false;
            }
            *now += 100 * NS_PER_US;
            mfrc522_next(chip, MFRC522_TRANSFERRED, *now, s->spi_error);
            break;
        case MFRC522_WAIT_IRQ:
            if (s->edge && !s->edges_late) {
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
            if (s->reset_wired) {
                reset_registers(s);
            }
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

static inline void
rig_init(struct rig *rig, bool irq, const struct answer *answers, unsigned n)
{
    memset(rig, 0, sizeof *rig);
    rig->script.irq_wired = irq;
    rig->script.answers = answers;
    rig->script.num_answers = n;
    mfrc522_init(&rig->chip, irq, false);
}

/* Run the operation that was started; 0 or its error. */
static inline int
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

static inline void
open_chip(struct rig *rig)
{
    mfrc522_start_open(&rig->chip);
    CHECK_EQ(finish(rig), 0);
    rig->now += 10 * NS_PER_MS;  /* the field guard has passed */
    rig->chip.unsettled = false; /* no card can be awake from before */
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

#endif
