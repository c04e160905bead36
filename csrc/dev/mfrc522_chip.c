/* The chip itself: reset, set-up, antenna, cancel, and the turn of the steps.
 *
 * A chip that is not ready is opened first, whatever operation is started: reset
 * (by the line if there is one, and by command), version, registers with read
 * back, and the interrupt line tried by setting TimerIRq by hand (ComIrqReg.Set1).
 * Set up once; polls don't touch these registers again, so the field stays on.
 */
#include "dev/mfrc522_chip.h"

#include <errno.h>
#include <string.h>

#include "dev/mfrc522_exchange.h"

#define RESET_LOW_NS (100 * US_NS) /* the datasheet asks for 100 ns (8.8.1) */
#define START_NS (1 * MS_NS)       /* oscillator start-up, then look again */
#define START_MAX_NS (50 * MS_NS)
#define ABSENT_NS (10 * MS_NS)     /* a chip that reads 00 or FF is given up */
#define IRQ_TRIAL_NS (200 * MS_NS) /* a busy machine may be late */
#define RELOAD_UNKNOWN 0x10000
#define RESET_MARK 0x5A
#define FIELD_OFF_NS (5100 * US_NS) /* forces a reset of every card (ISO 14443-3) */

#define MODE_SETUP 0x3D /* TxWaitRF, PolMFin, CRCPreset 6363 */
#define COM_IEN_NONE COM_IEN_IRQ_INV
#define TX_CONTROL_OFF 0x80 /* InvTx2RFOn, its reset value */

void
mfrc522_init(struct mfrc522 *chip, bool has_irq, bool has_reset)
{
    memset(chip, 0, sizeof *chip);
    chip->has_irq = has_irq;
    chip->has_reset = has_reset;
    chip->gain = 4;
    chip->field = true;
    chip->reload = RELOAD_UNKNOWN;
    chip->step.need = MFRC522_DONE;
}

static uint8_t
tx_control(const struct mfrc522 *chip)
{
    return chip->field ? TX_CONTROL_OFF | TX_CONTROL_RF_EN : TX_CONTROL_OFF;
}

/* The field is as configured; cards need their time when it has just come on. */
static void
field_written(struct mfrc522 *chip)
{
    if (chip->field && !chip->field_is_on) {
        chip->field_guard_ns = chip->now_ns + ISO14443A_GUARD_MS * MS_NS;
    }
    if (chip->field_is_on && !chip->field) {
        chip->field_off_ns = chip->now_ns;
    }
    chip->field_is_on = chip->field;
}

static void
write_field(struct mfrc522 *chip)
{
    batch_write(&chip->batch, TX_CONTROL_REG, tx_control(chip));
    chip->radiates = chip->radiates || chip->field;
}

/* Idle, timer stopped, interrupt masked, nothing pending. */
static void
batch_idle(struct mfrc522 *chip)
{
    batch_clear(&chip->batch);
    batch_write(&chip->batch, COMMAND_REG, CMD_IDLE);
    batch_write(&chip->batch, CONTROL_REG, CONTROL_T_STOP_NOW);
    batch_write(&chip->batch, COM_IEN_REG, COM_IEN_NONE);
    batch_write(&chip->batch, COM_IRQ_REG, COM_IRQ_ALL);
    batch_write(&chip->batch, FIFO_LEVEL_REG, FIFO_LEVEL_FLUSH_BUFFER);
    chip->com_ien = COM_IEN_NONE;
    chip->timer_may_run = false;
}

static void
opened(struct mfrc522 *chip, enum mfrc522_event event)
{
    chip->ready = true;
    if (chip->operation == NULL) {
        step_end(chip, 0);
        return;
    }
    chip->operation(chip, event);
}

/* The trial of the interrupt line is over. */
static void
open_tried_irq(struct mfrc522 *chip, enum mfrc522_event event)
{
    chip->irq_works = event == MFRC522_EDGE;
    batch_idle(chip);
    step_transfer(chip, opened);
}

static void
open_set_up(struct mfrc522 *chip, enum mfrc522_event event)
{
    (void)event;
    const uint8_t *rx = chip->batch.rx;
    if (rx[chip->read_at[0]] != T_MODE_T_AUTO ||
        rx[chip->read_at[1]] != MFRC522_T_PRESCALER ||
        rx[chip->read_at[2]] != MODE_SETUP) {
        step_end(chip, MFRC522_BAD_READBACK);
        return;
    }
    field_written(chip);
    if (chip->has_irq) {
        step_wait_irq(chip, chip->now_ns + IRQ_TRIAL_NS, open_tried_irq);
    }
    else {
        open_tried_irq(chip, MFRC522_TIME);
    }
}

static void
open_registers(struct mfrc522 *chip)
{
    struct mfrc522_batch *batch = &chip->batch;
    batch_idle(chip);
    batch_write(batch, DIV_IEN_REG, 0); /* open drain: several may share a line */
    batch_write(batch, T_MODE_REG, T_MODE_T_AUTO);
    batch_write(batch, T_PRESCALER_REG, MFRC522_T_PRESCALER);
    batch_write(batch, TX_ASK_REG, TX_ASK_FORCE_100);
    batch_write(batch, MODE_REG, MODE_SETUP);
    batch_write(batch, COLL_REG, 0); /* bits after a collision read 0 */
    batch_write(batch, RF_CFG_REG, (uint8_t)(chip->gain << RF_CFG_RX_GAIN_SHIFT));
    write_field(chip);
    chip->read_at[0] = (uint8_t)batch_read(batch, T_MODE_REG);
    chip->read_at[1] = (uint8_t)batch_read(batch, T_PRESCALER_REG);
    chip->read_at[2] = (uint8_t)batch_read(batch, MODE_REG);
    if (chip->has_irq) {
        chip->com_ien = COM_IEN_IRQ_INV | COM_IRQ_TIMER;
        batch_write(batch, COM_IEN_REG, chip->com_ien);
        batch_write(batch, COM_IRQ_REG, COM_IRQ_SET1 | COM_IRQ_TIMER);
    }
    chip->reload = RELOAD_UNKNOWN;
    chip->crypto = chip->crypto_to_clear = false; /* the reset did that */
    chip->tag_active = false;
    chip->unsettled = true; /* a field that was off so shortly resets not every card */
    chip->misses_in_row = 0;
    step_transfer(chip, open_set_up);
    chip->step.drop_edges = true;
}

/* Reads CommandReg and VersionReg until the oscillator runs. */
static void
open_version(struct mfrc522 *chip, enum mfrc522_event event)
{
    if (event == MFRC522_TIME) {
        batch_clear(&chip->batch);
        chip->read_at[0] = (uint8_t)batch_read(&chip->batch, COMMAND_REG);
        chip->read_at[1] = (uint8_t)batch_read(&chip->batch, VERSION_REG);
        step_transfer(chip, open_version);
        return;
    }
    uint8_t command = chip->batch.rx[chip->read_at[0]];
    chip->version = chip->batch.rx[chip->read_at[1]];
    bool absent = chip->version == 0x00 || chip->version == 0xFF;
    if (!absent && (command & COMMAND_POWER_DOWN) == 0) {
        open_registers(chip);
    }
    else if (chip->now_ns - chip->open_ns >= (absent ? ABSENT_NS : START_MAX_NS)) {
        step_end(chip, MFRC522_NO_CHIP);
    }
    else {
        step_wait(chip, chip->now_ns + START_NS, open_version);
    }
}

static void
open_started(struct mfrc522 *chip, enum mfrc522_event event)
{
    (void)event;
    chip->open_ns = chip->now_ns;
    if (chip->pulsed) {
        chip->reset_works = chip->batch.rx[chip->read_at[2]] != RESET_MARK;
        chip->reset_tried = true;
    }
    step_wait(chip, chip->now_ns + START_NS, open_version);
}

static void
open_soft_reset(struct mfrc522 *chip, enum mfrc522_event event)
{
    (void)event;
    batch_clear(&chip->batch);
    chip->read_at[2] = (uint8_t)batch_read(&chip->batch, T_RELOAD_REG_L);
    batch_write(&chip->batch, COMMAND_REG, CMD_SOFT_RESET);
    chip->field_is_on = false;
    step_transfer(chip, open_started);
}

/* A mark in a register shows whether the line has done anything. */
static void
open_reset(struct mfrc522 *chip, enum mfrc522_event event)
{
    switch (event) {
        case MFRC522_BEGIN:
            batch_clear(&chip->batch);
            batch_write(&chip->batch, T_RELOAD_REG_L, RESET_MARK);
            step_transfer(chip, open_reset);
            break;
        case MFRC522_TRANSFERRED:
            step_reset(chip, 0, open_reset);
            break;
        case MFRC522_RESET_SET:
            step_wait(chip, chip->now_ns + (chip->reset_low ? RESET_LOW_NS : START_NS),
                      chip->reset_low ? open_reset : open_soft_reset);
            break;
        default:
            step_reset(chip, 1, open_reset);
            break;
    }
}

/* The line was pulled by somebody else, and perhaps left low. */
static void
open_released(struct mfrc522 *chip, enum mfrc522_event event)
{
    if (event == MFRC522_RESET_SET) {
        step_wait(chip, chip->now_ns + START_NS, open_soft_reset);
        return;
    }
    chip->reset_works = chip->reset_works || !chip->reset_tried;
    step_reset(chip, 1, open_released);
}

/* The first event of every operation. */
static void
begin(struct mfrc522 *chip, enum mfrc522_event event)
{
    if (chip->ready && chip->operation != NULL) {
        chip->operation(chip, event);
        return;
    }
    chip->ready = false;
    chip->pulsed = chip->has_reset && !chip->told_reset;
    if (chip->told_reset) {
        chip->told_reset = false;
        open_released(chip, event);
    }
    else if (chip->has_reset) {
        open_reset(chip, event);
    }
    else {
        open_soft_reset(chip, event);
    }
}

void
operation_restart(struct mfrc522 *chip)
{
    chip->ready = false;
    begin(chip, MFRC522_BEGIN);
}

static void
start(struct mfrc522 *chip, mfrc522_handler handler, mfrc522_handler operation)
{
    chip->running = true;
    chip->begun = false;
    chip->touched = false;
    chip->goes_on = chip->leaving = false;
    chip->handler = handler;
    chip->operation = operation;
}

void
operation_start(struct mfrc522 *chip, mfrc522_handler operation)
{
    start(chip, begin, operation);
}

/* An operation whose first frame was built when it was started. */
static void
run_frame(struct mfrc522 *chip, enum mfrc522_event event)
{
    (void)event;
    exchange(chip, chip->then);
}

void
exchange_start(struct mfrc522 *chip, mfrc522_then then)
{
    chip->then = then;
    operation_start(chip, run_frame);
}

static void
ended(struct mfrc522 *chip, enum mfrc522_event event)
{
    (void)event;
    step_end(chip, 0);
}

static void
configured(struct mfrc522 *chip, enum mfrc522_event event)
{
    field_written(chip);
    ended(chip, event);
}

static void
configure(struct mfrc522 *chip, enum mfrc522_event event)
{
    struct mfrc522_batch *batch = &chip->batch;
    int64_t wait_ns = chip->field_off_ns + FIELD_OFF_NS - chip->now_ns;
    if (event != MFRC522_TIME && chip->field && !chip->field_is_on && wait_ns > 0) {
        wait_ns = wait_ns < FIELD_OFF_NS ? wait_ns : FIELD_OFF_NS; /* another clock */
        step_wait(chip, chip->now_ns + wait_ns, configure);
        return;
    }
    batch_clear(batch);
    batch_write(batch, RF_CFG_REG, (uint8_t)(chip->gain << RF_CFG_RX_GAIN_SHIFT));
    write_field(chip);
    if (!chip->field) {
        batch_write(batch, STATUS2_REG, 0);
        chip->crypto = chip->crypto_to_clear = false;
        chip->tag_active = chip->reported = false;
    }
    step_transfer(chip, configured);
}

static void
shut_down(struct mfrc522 *chip, enum mfrc522_event event)
{
    (void)event;
    if (!chip->ready && !chip->radiates) {
        step_end(chip, 0);
        return;
    }
    chip->ready = chip->radiates = false;
    chip->field_is_on = false;
    batch_idle(chip);
    batch_write(&chip->batch, STATUS2_REG, 0);
    batch_write(&chip->batch, TX_CONTROL_REG, TX_CONTROL_OFF);
    step_transfer(chip, ended);
}

void
mfrc522_start_open(struct mfrc522 *chip)
{
    operation_start(chip, NULL);
}

static void
stop_crypto(struct mfrc522 *chip, enum mfrc522_event event)
{
    (void)event;
    batch_clear(&chip->batch);
    batch_write(&chip->batch, STATUS2_REG, 0);
    chip->crypto = chip->crypto_to_clear = false;
    step_transfer(chip, ended);
}

void
mfrc522_start_stop_crypto(struct mfrc522 *chip)
{
    operation_start(chip, stop_crypto);
}

void
mfrc522_start_configure(struct mfrc522 *chip)
{
    operation_start(chip, configure);
}

void
mfrc522_start_shutdown(struct mfrc522 *chip)
{
    start(chip, shut_down, NULL);
    chip->leaving = true;
}

static void
cancelled(struct mfrc522 *chip, enum mfrc522_event event)
{
    (void)event;
    step_end(chip, MFRC522_CANCELLED);
}

static void
cancel(struct mfrc522 *chip, enum mfrc522_event event)
{
    (void)event;
    batch_idle(chip);
    if (chip->touched) { /* the authentication may just have succeeded */
        batch_write(&chip->batch, STATUS2_REG, 0);
        chip->crypto = chip->crypto_to_clear = false;
    }
    step_transfer(chip, cancelled);
}

void
mfrc522_cancel(struct mfrc522 *chip, int64_t now_ns)
{
    if (!chip->running) {
        return;
    }
    chip->now_ns = now_ns;
    chip->leaving = true;
    if (!chip->begun) {
        step_end(chip, MFRC522_CANCELLED);
        return;
    }
    if (chip->touched) {
        chip->tag_active = false;
        chip->unsettled = true;
        exchange_broken(chip);
    }
    if (chip->reset_low) {
        step_reset(chip, 1, cancel);
    }
    else {
        cancel(chip, MFRC522_BEGIN);
    }
}

void
mfrc522_told_reset(struct mfrc522 *chip)
{
    chip->told_reset =
        chip->told_reset || chip->ready || (chip->running && chip->begun);
    chip->ready = false;
}

/* Somebody else has reset the chip in the middle of the operation. */
static void
resume(struct mfrc522 *chip)
{
    if (chip->goes_on || !chip->touched) {
        chip->touched = false;
        operation_restart(chip);
    }
    else {
        step_end(chip, MFRC522_LOST_REGISTERS);
    }
}

void
mfrc522_next(struct mfrc522 *chip, enum mfrc522_event event, int64_t now_ns, int result)
{
    const bool is_first = !chip->begun;
    chip->now_ns = now_ns;
    chip->begun = true;
    if (result < 0) {
        chip->ready = false;
        step_end(chip, result);
        return;
    }
    if (chip->told_reset && !is_first && !chip->leaving) {
        resume(chip);
        return;
    }
    if (is_first && chip->operation == NULL) {
        chip->told_reset = false; /* open() itself pulls the line */
    }
    chip->handler(chip, event);
}

void
mfrc522_abandon(struct mfrc522 *chip)
{
    if (chip->running) {
        chip->ready = chip->ready && !chip->begun;
        step_end(chip, MFRC522_CANCELLED);
    }
}

void
mfrc522_forget(struct mfrc522 *chip)
{
    if (chip->reported) {
        chip->reported = false;
        chip->unsettled = true;
    }
}
