/* One RF exchange as steps: arm, wait for the interrupt, collect.
 *
 * The chip's timer (TAuto) starts when the frame has left and stops with the
 * first bits of an answer, so RxIRq, IdleIRq or TimerIRq ends every exchange.
 * The host's guard time is only there for a chip or a wire that is dead: when it
 * comes, ComIrqReg is read.  If the chip is done although no edge came, the
 * interrupt line is at fault: the exchange counts, the edge is noted as missed,
 * and after two in a row the line is not waited for any more.
 * Without interrupt line ComIrqReg is read alone, first when an answer can be
 * complete, then at growing intervals (or, where a card answers at once or never,
 * when the timer has run out); the FIFO is read only when all is there.
 */
#include "dev/mfrc522_exchange.h"

#define BIT_NS 9440
#define FRAME_OVERHEAD_BITS 2 /* start and end of communication */
#define AUTH_AIR_BYTES 24     /* MFAuthent: command, nonces and answers */
#define QUIET_MAX_NS (10 * MS_NS + 100 * US_NS) /* a MIFARE card may write so long */
#define GUARD_NS (5 * MS_NS)
#define GUARDS_MAX 3
#define MISSES_MAX 2
#define ANSWER_NS (250 * US_NS) /* frame delay time and some slack */
#define CHECK_NS (500 * US_NS)
#define CHECK_MAX_NS (4 * MS_NS)

enum phase { FIELD_GUARD, ARMING, WAITING, CHECKING, COLLECTING, REST, DIAGNOSING };
enum { AT_COM_IRQ, AT_ERROR, AT_FIFO_LEVEL, AT_CONTROL, AT_COLL, AT_FIFO };

static void
ask(struct mfrc522 *chip, enum mfrc522_need need, int64_t until_ns)
{
    chip->step = (struct mfrc522_step){.need = need, .until_ns = until_ns};
}

static void
ask_transfer(struct mfrc522 *chip)
{
    batch_finish(&chip->batch);
    chip->step = (struct mfrc522_step){.need = MFRC522_TRANSFER,
                                       .xfers = chip->batch.xfers,
                                       .num_xfers = chip->batch.num_xfers};
}

void
step_transfer(struct mfrc522 *chip, mfrc522_handler handler)
{
    ask_transfer(chip);
    chip->handler = handler;
}

void
step_wait(struct mfrc522 *chip, int64_t until_ns, mfrc522_handler handler)
{
    ask(chip, MFRC522_WAIT, until_ns);
    chip->handler = handler;
}

void
step_wait_irq(struct mfrc522 *chip, int64_t until_ns, mfrc522_handler handler)
{
    ask(chip, MFRC522_WAIT_IRQ, until_ns);
    chip->handler = handler;
}

void
step_reset(struct mfrc522 *chip, int level, mfrc522_handler handler)
{
    chip->step = (struct mfrc522_step){.need = MFRC522_RESET, .level = level};
    chip->reset_low = level == 0;
    chip->handler = handler;
}

void
step_end(struct mfrc522 *chip, int error)
{
    chip->step = (struct mfrc522_step){
        .need = error == 0 ? MFRC522_DONE : MFRC522_FAILED, .error = error};
    chip->running = false;
}

void
command_end(struct mfrc522 *chip, int error)
{
    if (error == MFRC522_TIMEOUT) {
        chip->reported = false; /* it has left: what answers next is an arrival */
    }
    step_end(chip, error);
}

static int64_t
air_ns(unsigned bytes)
{
    return ((int64_t)bytes * 9 + FRAME_OVERHEAD_BITS) * BIT_NS;
}

static bool
is_auth(const struct mfrc522 *chip)
{
    return chip->frame.command == CMD_MF_AUTHENT;
}

/* What the chip sets when it is done; a host-written Idle sets none of them.
 * MFAuthent does not end by itself on an error (10.3.1.9). */
static uint8_t
end_irq(const struct mfrc522 *chip)
{
    uint8_t bits = COM_IRQ_RX | COM_IRQ_IDLE | COM_IRQ_TIMER;
    return is_auth(chip) ? (uint8_t)(bits | COM_IRQ_ERR) : bits;
}

static void
end_exchange(struct mfrc522 *chip, int error)
{
    chip->unsettled = true;
    if (error != 0) {
        /* A card that got or gave a wrong frame goes back to IDLE or HALT, and
         * the cipher, if any, is out of step. */
        chip->tag_active = false;
        chip->crypto_to_clear = chip->crypto_to_clear || chip->crypto || is_auth(chip);
        chip->crypto = false;
    }
    chip->then(chip, error);
}

static void
arm(struct mfrc522 *chip)
{
    const struct mfrc522_frame *frame = &chip->frame;
    struct mfrc522_batch *batch = &chip->batch;
    uint8_t com_ien = COM_IEN_IRQ_INV | end_irq(chip);
    uint32_t reload = frame->timeout_us / MFRC522_TICK_US;
    batch_clear(batch);
    batch_write(batch, COMMAND_REG, CMD_IDLE);
    if (chip->timer_may_run) {
        batch_write(batch, CONTROL_REG, CONTROL_T_STOP_NOW);
    }
    if (chip->com_ien != com_ien) {
        batch_write(batch, COM_IEN_REG, com_ien);
    }
    if (chip->reload != reload) {
        batch_write(batch, T_RELOAD_REG_H, (uint8_t)(reload >> 8));
        batch_write(batch, T_RELOAD_REG_L, (uint8_t)reload);
    }
    if (chip->crypto_to_clear) {
        batch_write(batch, STATUS2_REG, 0);
    }
    batch_write(batch, COM_IRQ_REG, COM_IRQ_ALL);
    batch_write(batch, FIFO_LEVEL_REG, FIFO_LEVEL_FLUSH_BUFFER);
    batch_write_fifo(batch, frame->data, frame->size);
    /* First without StartSend: a bit that is still set would start the command
     * with the framing of the last frame. */
    uint8_t framing = BIT_FRAMING_RX_ALIGN(frame->rx_align) | frame->last_bits;
    batch_write(batch, BIT_FRAMING_REG, framing);
    batch_write(batch, COMMAND_REG, frame->command);
    if (!is_auth(chip)) {
        batch_write(batch, BIT_FRAMING_REG, BIT_FRAMING_START_SEND | framing);
    }
    chip->com_ien = com_ien;
    chip->reload = reload;
    chip->crypto_to_clear = false;
    chip->exchanges++;
    chip->timer_may_run = true;
    chip->touched = true;
    chip->guards = 0;
    chip->check_every_ns = CHECK_NS;
    chip->phase = ARMING;
    ask_transfer(chip);
    chip->step.drop_edges = true;
}

static void
wait_for_end(struct mfrc522 *chip)
{
    chip->phase = WAITING;
    if (chip->irq_works) {
        ask(chip, MFRC522_WAIT_IRQ, chip->expiry_ns + chip->guards * GUARD_NS);
        return;
    }
    int64_t until = chip->now_ns + chip->check_every_ns;
    if (chip->now_ns < chip->expiry_ns &&
        (until > chip->expiry_ns || chip->frame.prompt)) {
        until = chip->expiry_ns;
    }
    if (chip->check_every_ns < CHECK_MAX_NS) {
        chip->check_every_ns *= 2;
    }
    ask(chip, MFRC522_WAIT, until);
}

static void
armed(struct mfrc522 *chip)
{
    const struct mfrc522_frame *frame = &chip->frame;
    unsigned out = is_auth(chip) ? AUTH_AIR_BYTES : frame->size;
    int64_t answer_ns = air_ns(out) + ANSWER_NS + air_ns(frame->expect);
    int64_t timeout_ns = (int64_t)frame->timeout_us * US_NS;
    chip->expiry_ns = chip->now_ns + answer_ns + timeout_ns;
    if (chip->irq_works) {
        chip->expiry_ns += GUARD_NS;
        wait_for_end(chip);
    }
    else {
        chip->phase = WAITING;
        ask(chip, MFRC522_WAIT, chip->now_ns + answer_ns);
    }
}

/* The time has come and no edge: is the chip done all the same? */
static void
check(struct mfrc522 *chip)
{
    batch_clear(&chip->batch);
    chip->read_at[AT_COM_IRQ] = (uint8_t)batch_read(&chip->batch, COM_IRQ_REG);
    chip->phase = CHECKING;
    chip->edge_came_late = false;
    ask_transfer(chip);
    chip->step.take_edges = true;
}

static void
collect(struct mfrc522 *chip)
{
    static const uint8_t regs[] = {[AT_COM_IRQ] = COM_IRQ_REG,
                                   [AT_ERROR] = ERROR_REG,
                                   [AT_FIFO_LEVEL] = FIFO_LEVEL_REG,
                                   [AT_CONTROL] = CONTROL_REG,
                                   [AT_COLL] = COLL_REG};
    struct mfrc522_batch *batch = &chip->batch;
    batch_clear(batch);
    for (unsigned i = 0; i < AT_FIFO; i++) {
        uint8_t reg = i == AT_COLL && is_auth(chip) ? STATUS2_REG : regs[i];
        chip->read_at[i] = (uint8_t)batch_read(batch, reg);
    }
    chip->fifo_asked = is_auth(chip) ? 0 : chip->frame.expect;
    chip->read_at[AT_FIFO] = (uint8_t)batch_read_fifo(batch, chip->fifo_asked);
    chip->phase = COLLECTING;
    ask_transfer(chip);
}

/* More came than was expected: one more message. */
static void
collect_rest(struct mfrc522 *chip)
{
    batch_clear(&chip->batch);
    chip->read_at[AT_FIFO] =
        (uint8_t)batch_read_fifo(&chip->batch, chip->rx_size - chip->fifo_asked);
    chip->phase = REST;
    ask_transfer(chip);
}

/* The chip does not finish: is it there, and is it as we have set it up? */
static void
diagnose(struct mfrc522 *chip)
{
    batch_clear(&chip->batch);
    chip->read_at[0] = (uint8_t)batch_read(&chip->batch, VERSION_REG);
    chip->read_at[1] = (uint8_t)batch_read(&chip->batch, T_MODE_REG);
    chip->phase = DIAGNOSING;
    ask_transfer(chip);
}

static void
diagnosed(struct mfrc522 *chip)
{
    uint8_t version = chip->batch.rx[chip->read_at[0]];
    uint8_t t_mode = chip->batch.rx[chip->read_at[1]];
    int error = MFRC522_TIMEOUT;
    if (version == 0x00 || version == 0xFF) {
        error = MFRC522_NO_CHIP;
    }
    else if (t_mode != T_MODE_T_AUTO) {
        error = MFRC522_LOST_REGISTERS;
    }
    chip->ready = chip->ready && error == MFRC522_TIMEOUT;
    end_exchange(chip, error);
}

static void
checked(struct mfrc522 *chip)
{
    uint8_t irq = chip->batch.rx[chip->read_at[AT_COM_IRQ]];
    bool dead = irq == 0xFF; /* bit 7 is write-only: it reads 0 */
    bool late = chip->now_ns >= chip->expiry_ns;
    bool silent = !is_auth(chip) && (irq & COM_IRQ_TIMER) != 0 &&
                  (irq & (COM_IRQ_RX | COM_IRQ_IDLE | COM_IRQ_ERR)) == 0;
    uint8_t done = late ? (uint8_t)(end_irq(chip) | COM_IRQ_ERR) : end_irq(chip);
    if (!dead && (irq & done) != 0) {
        if (chip->edge_came_late) {
            chip->misses_in_row = 0;
        }
        else if (chip->irq_works) {
            chip->edges_missed++;
            chip->irq_works = ++chip->misses_in_row < MISSES_MAX;
        }
        if (silent) {
            chip->timer_may_run = false;
            end_exchange(chip, MFRC522_TIMEOUT); /* there is nothing to collect */
        }
        else {
            collect(chip);
        }
    }
    else if (dead || (late && ++chip->guards >= GUARDS_MAX)) {
        diagnose(chip);
    }
    else {
        wait_for_end(chip);
    }
}

/* CRC_A, or a 4-bit ACK or NAK: what the bytes in rx mean. */
static int
check_answer(struct mfrc522 *chip)
{
    if (!chip->frame.rx_crc) {
        return 0;
    }
    if (chip->rx_size == 1 && chip->rx_last_bits == MIFARE_ACK_BITS) {
        chip->rx[0] &= 0x0F;
        return chip->rx[0] == MIFARE_ACK ? 0 : MFRC522_NAK;
    }
    if (chip->rx_last_bits != 0 || !iso14443a_check_crc(chip->rx, chip->rx_size)) {
        return MFRC522_FRAME_ERROR;
    }
    chip->rx_size -= 2;
    return 0;
}

static int
outcome(struct mfrc522 *chip)
{
    if (is_auth(chip)) {
        /* Only success ends the command by itself; the bit alone may be left from
         * the authentication before (10.3.1.9). */
        chip->crypto = (chip->com_irq & COM_IRQ_IDLE) != 0 &&
                       (chip->status2 & STATUS2_MF_CRYPTO1_ON) != 0;
        return chip->crypto ? 0 : MFRC522_AUTH_FAILED;
    }
    if ((chip->error_reg & ERROR_COLL) != 0) {
        return MFRC522_COLLISION;
    }
    if ((chip->error_reg & (ERROR_PARITY | ERROR_PROTOCOL | ERROR_BUFFER_OVFL)) != 0) {
        return MFRC522_FRAME_ERROR;
    }
    if (chip->rx_size == 0) {
        return (chip->com_irq & COM_IRQ_TIMER) != 0 ? MFRC522_TIMEOUT
                                                    : MFRC522_FRAME_ERROR;
    }
    return check_answer(chip);
}

static void
collected(struct mfrc522 *chip)
{
    const uint8_t *rx = chip->batch.rx;
    chip->com_irq = rx[chip->read_at[AT_COM_IRQ]];
    chip->error_reg = rx[chip->read_at[AT_ERROR]];
    chip->coll_reg = rx[chip->read_at[AT_COLL]];
    chip->status2 = is_auth(chip) ? chip->coll_reg : 0;
    uint8_t level = rx[chip->read_at[AT_FIFO_LEVEL]] & FIFO_LEVEL_MASK;
    if (chip->com_irq == 0xFF) {
        diagnose(chip);
        return;
    }
    if ((chip->com_irq & (end_irq(chip) | COM_IRQ_ERR)) == 0) {
        /* An edge that the chip did not make. */
        if (chip->now_ns < chip->expiry_ns) {
            wait_for_end(chip);
        }
        else {
            diagnose(chip);
        }
        return;
    }
    /* An answer has stopped it, or it has run out: else it could end the next one. */
    chip->timer_may_run = (chip->com_irq & ~COM_IRQ_ERR & end_irq(chip)) == 0;
    chip->rx_last_bits = rx[chip->read_at[AT_CONTROL]] & CONTROL_RX_LAST_BITS;
    chip->rx_size = is_auth(chip) ? 0 : level < FIFO_SIZE ? level : FIFO_SIZE;
    if (chip->rx_size > chip->fifo_asked) {
        batch_fifo_bytes(&chip->batch, chip->read_at[AT_FIFO], chip->rx,
                         chip->fifo_asked);
        collect_rest(chip);
        return;
    }
    batch_fifo_bytes(&chip->batch, chip->read_at[AT_FIFO], chip->rx, chip->rx_size);
    end_exchange(chip, outcome(chip));
}

static void
exchange_event(struct mfrc522 *chip, enum mfrc522_event event)
{
    switch ((enum phase)chip->phase) {
        case FIELD_GUARD:
            arm(chip);
            break;
        case ARMING:
            armed(chip);
            break;
        case WAITING:
            if (event == MFRC522_EDGE) {
                chip->misses_in_row = 0;
                collect(chip);
            }
            else {
                check(chip);
            }
            break;
        case CHECKING:
            checked(chip);
            break;
        case COLLECTING:
            collected(chip);
            break;
        case REST:
            batch_fifo_bytes(&chip->batch, chip->read_at[AT_FIFO],
                             chip->rx + chip->fifo_asked,
                             chip->rx_size - chip->fifo_asked);
            end_exchange(chip, outcome(chip));
            break;
        case DIAGNOSING:
            diagnosed(chip);
            break;
    }
}

struct mfrc522_frame *
exchange_frame(struct mfrc522 *chip, uint8_t command, uint8_t expect,
               uint32_t timeout_us)
{
    chip->frame = (struct mfrc522_frame){
        .command = command, .expect = expect, .timeout_us = timeout_us};
    return &chip->frame;
}

void
exchange(struct mfrc522 *chip, mfrc522_then then)
{
    chip->then = then;
    chip->rx_size = 0;
    chip->rx_last_bits = 0;
    if (!chip->field) {
        step_end(chip, MFRC522_FIELD_OFF);
        return;
    }
    chip->handler = exchange_event;
    if (chip->field_guard_ns > chip->now_ns + QUIET_MAX_NS) {
        chip->field_guard_ns = chip->now_ns + QUIET_MAX_NS; /* another clock */
    }
    if (chip->now_ns < chip->field_guard_ns) {
        chip->phase = FIELD_GUARD;
        ask(chip, MFRC522_WAIT, chip->field_guard_ns);
    }
    else {
        arm(chip);
    }
}

void
exchange_broken(struct mfrc522 *chip)
{
    int64_t until = chip->expiry_ns;
    if (until > chip->now_ns + QUIET_MAX_NS) {
        until = chip->now_ns + QUIET_MAX_NS;
    }
    if (until > chip->field_guard_ns) {
        chip->field_guard_ns = until;
    }
}
