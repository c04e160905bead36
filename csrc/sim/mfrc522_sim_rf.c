/* The simulated MFRC522's radio: transmitter, receiver, MFAuthent.
 *
 * An answer is known as soon as the frame is sent; here it arrives at its time:
 * first bits (they stop the timer), byte by byte into the FIFO, end.  Card code
 * runs in begin_send() and chip_begin_auth() only, when the chip's own state is
 * already that of a running command, for it may come back and change it.
 */
#include <string.h>

#include "dev/iso14443a.h"
#include "sim/mfrc522_sim_impl.h"

#define FIRST_BITS 4 /* TAuto: the timer stops after start bit and 4 data bits */

static void
timer_auto_start(struct mfrc522_sim *sim)
{
    if (chip_flag(sim, T_MODE_REG, T_MODE_T_AUTO)) {
        chip_timer_start(sim);
    }
}

static void
timer_auto_stop(struct mfrc522_sim *sim)
{
    if (chip_flag(sim, T_MODE_REG, T_MODE_T_AUTO) &&
        !chip_flag(sim, RX_MODE_REG, RX_MODE_MULTIPLE)) {
        chip_timer_stop(sim);
    }
}

/* --- transmitter --- */

/* What is in the FIFO, with CRC_A when TxCRCEn says so and it ends in a byte. */
static void
take_frame(struct mfrc522_sim *sim, struct field_frame *frame)
{
    unsigned last_bits = sim->regs[BIT_FRAMING_REG] & BIT_FRAMING_TX_LAST_BITS;
    size_t size = 0;
    memset(frame, 0, sizeof *frame);
    while (sim->fifo_level != 0) {
        frame->data[size++] = chip_fifo_pop(sim);
    }
    frame->bits = (uint16_t)(8 * size);
    if (last_bits != 0) {
        frame->bits = (uint16_t)(8 * (size - 1) + last_bits);
        frame->data[size - 1] &= (uint8_t)((1u << last_bits) - 1);
    }
    else if (chip_flag(sim, TX_MODE_REG, TX_MODE_CRC_EN)) {
        frame->bits = (uint16_t)(8 * iso14443a_add_crc(frame->data, size));
    }
    frame->rate = (uint8_t)((sim->regs[TX_MODE_REG] & TX_MODE_SPEED) >> 4 & 3);
    frame->flags = sim->crypto1_on ? FIELD_ENCRYPTED : 0;
}

static void
begin_send(struct mfrc522_sim *sim)
{
    struct field_frame frame;
    uint32_t run = sim->run;
    int64_t end;
    take_frame(sim, &frame);
    sim->error &= ERROR_TEMP | ERROR_WR | ERROR_BUFFER_OVFL;
    sim->modem = MODEM_TRANSMITTING;
    sim->tx_end = NS_NEVER;
    bool nested = sim->in_card; /* a card of this very field: nobody hears it */
    sim->in_card = true;
    field_send(sim->config.field, &frame, sim->now, &end); /* runs Python */
    sim->in_card = nested;
    if (sim->run != run) {
        field_forget(sim->config.field); /* cancelled meanwhile */
        return;
    }
    sim->tx_end = end;
}

void
chip_start_send(struct mfrc522_sim *sim)
{
    if ((sim->command != CMD_TRANSCEIVE && sim->command != CMD_TRANSMIT) ||
        sim->modem == MODEM_TRANSMITTING || sim->fifo_level == 0) {
        return;
    }
    if (!sim->config.field->carrier && chip_flag(sim, MODE_REG, MODE_TX_WAIT_RF)) {
        sim->modem = MODEM_TX_WAIT;
        return;
    }
    begin_send(sim); /* runs Python */
}

void
chip_update_carrier(struct mfrc522_sim *sim)
{
    bool on = (sim->power == CHIP_RUNNING) &&
              (sim->regs[TX_CONTROL_REG] & TX_CONTROL_RF_EN) == TX_CONTROL_RF_EN;
    field_carrier(sim->config.field, on, sim->now);
    if (on && sim->modem == MODEM_TX_WAIT) {
        chip_start_send(sim); /* runs Python */
    }
}

void
chip_transmitted(struct mfrc522_sim *sim)
{
    chip_set_com_irq(sim, COM_IRQ_TX);
    timer_auto_start(sim);
    sim->rx_since = sim->now;
    if (sim->command == CMD_TRANSMIT) {
        chip_command_done(sim);
    }
    else {
        sim->modem = MODEM_WAIT_DATA;
    }
}

/* --- receiver --- */

/* The answer that this receiver gets or is getting, or NULL. */
const struct field_reception *
chip_reception(struct mfrc522_sim *sim)
{
    const struct field_reception *r = field_reception(sim->config.field);
    unsigned rate = (sim->regs[RX_MODE_REG] & RX_MODE_SPEED) >> 4;
    if (r->start_ns == NS_NEVER || r->frame.rate != rate ||
        chip_flag(sim, COMMAND_REG, COMMAND_RCV_OFF)) {
        return NULL;
    }
    if (sim->modem == MODEM_WAIT_DATA && r->start_ns < sim->rx_since) {
        return NULL;
    }
    return r;
}

static unsigned
rx_align(const struct mfrc522_sim *sim)
{
    return (sim->regs[BIT_FRAMING_REG] & BIT_FRAMING_RX_ALIGN_MASK) >> 4;
}

/* Is CRC_A checked, and kept out of the FIFO? */
static bool
has_crc(const struct mfrc522_sim *sim, const struct field_reception *r)
{
    return chip_flag(sim, RX_MODE_REG, RX_MODE_CRC_EN) && r->frame.bits % 8 == 0 &&
           r->frame.bits >= 24 && rx_align(sim) == 0;
}

/* Bytes that this answer puts into the FIFO. */
static unsigned
rx_total_bytes(const struct mfrc522_sim *sim, const struct field_reception *r)
{
    unsigned bytes = (rx_align(sim) + r->frame.bits + 7) / 8;
    return has_crc(sim, r) ? bytes - 2 : bytes;
}

/* Data bits of the answer up to the end of byte k of the FIFO. */
static unsigned
rx_bits_until(const struct mfrc522_sim *sim, const struct field_reception *r,
              unsigned k)
{
    unsigned bits = 8 * (k + 1) - rx_align(sim);
    return bits < r->frame.bits ? bits : r->frame.bits;
}

static uint8_t
rx_byte(const struct mfrc522_sim *sim, const struct field_reception *r, unsigned k)
{
    uint8_t byte = 0;
    unsigned align = rx_align(sim);
    bool keep = chip_flag(sim, COLL_REG, COLL_VALUES_AFTER_COLL) || r->collision < 0;
    for (unsigned i = 0; i < 8; i++) {
        unsigned bit = 8 * k + i - align; /* wraps below the first bit */
        if (8 * k + i < align || bit >= r->frame.bits) {
            continue;
        }
        if (keep || bit < (unsigned)r->collision) {
            byte |= (uint8_t)((r->frame.data[bit / 8] >> bit % 8 & 1) << i);
        }
    }
    return byte;
}

/* When the next thing happens to the answer that is being received. */
int64_t
chip_rx_event(struct mfrc522_sim *sim, const struct field_reception *r)
{
    unsigned rate = r->frame.rate;
    if (sim->modem == MODEM_WAIT_DATA) {
        return r->frame.bits < FIRST_BITS
                   ? r->end_ns
                   : r->start_ns + field_bits_ns(FIRST_BITS, 0, rate);
    }
    if (sim->rx_bytes + 1 < rx_total_bytes(sim, r)) {
        unsigned bits = rx_bits_until(sim, r, sim->rx_bytes);
        return r->start_ns + field_bits_ns(bits, r->align, rate);
    }
    return r->end_ns;
}

static void
set_collision(struct mfrc522_sim *sim, const struct field_reception *r)
{
    sim->coll = COLL_POS_NOT_VALID;
    if (r->collision >= 0) {
        unsigned position = rx_align(sim) + (unsigned)r->collision + 1;
        chip_set_error(sim, ERROR_COLL);
        if (position <= 32) {
            sim->coll = position & COLL_POS;
        }
    }
}

static uint8_t
reception_errors(const struct mfrc522_sim *sim, const struct field_reception *r)
{
    uint8_t error = 0;
    unsigned bits = r->frame.bits;
    /* The parity bit of a split byte is where both sides agree that it ends. */
    bool misaligned = rx_align(sim) != r->align && bits >= 8u - rx_align(sim);
    if ((r->parity_error || misaligned) && r->collision < 0) {
        error |= ERROR_PARITY;
    }
    if (chip_flag(sim, RX_MODE_REG, RX_MODE_CRC_EN) &&
        (bits % 8 != 0 || !iso14443a_check_crc(r->frame.data, bits / 8))) {
        error |= ERROR_CRC;
    }
    return error;
}

static void
received(struct mfrc522_sim *sim, const struct field_reception *r)
{
    sim->rx_since = sim->now;
    if (r->frame.bits < FIRST_BITS && chip_flag(sim, RX_MODE_REG, RX_MODE_NO_ERR)) {
        sim->modem = MODEM_WAIT_DATA;
        return;
    }
    timer_auto_stop(sim);
    while (sim->rx_bytes < rx_total_bytes(sim, r)) {
        chip_fifo_push(sim, rx_byte(sim, r, sim->rx_bytes++));
    }
    sim->rx_last_bits = (rx_align(sim) + r->frame.bits) % 8;
    set_collision(sim, r);
    chip_set_error(sim, reception_errors(sim, r));
    chip_set_com_irq(sim, COM_IRQ_RX);
    if (chip_flag(sim, RX_MODE_REG, RX_MODE_MULTIPLE)) {
        chip_fifo_push(sim, sim->error);
        sim->modem = MODEM_WAIT_DATA;
        sim->rx_bytes = 0;
    }
    else if (sim->command == CMD_RECEIVE) {
        chip_command_done(sim);
    }
    else {
        sim->modem = MODEM_WAIT_SEND;
    }
}

void
chip_receive(struct mfrc522_sim *sim, const struct field_reception *r)
{
    if (sim->modem == MODEM_WAIT_DATA) {
        sim->rx_bytes = 0;
        sim->coll = COLL_POS_NOT_VALID;
        if (r->frame.bits < FIRST_BITS) {
            received(sim, r);
            return;
        }
        timer_auto_stop(sim);
        sim->modem = MODEM_RECEIVING;
    }
    else if (sim->now >= r->end_ns) {
        received(sim, r);
    }
    else {
        chip_fifo_push(sim, rx_byte(sim, r, sim->rx_bytes++));
    }
}

/* --- MFAuthent --- */

void
chip_begin_auth(struct mfrc522_sim *sim)
{
    struct field_auth auth;
    uint32_t run = sim->run;
    if (sim->fifo_level < MF_AUTHENT_SIZE || !sim->config.field->carrier) {
        return; /* it never gets anywhere: the host's time limit ends it */
    }
    auth.command = chip_fifo_pop(sim);
    auth.block = chip_fifo_pop(sim);
    for (unsigned i = 0; i < sizeof auth.key; i++) {
        auth.key[i] = chip_fifo_pop(sim);
    }
    for (unsigned i = 0; i < sizeof auth.uid; i++) {
        auth.uid[i] = chip_fifo_pop(sim);
    }
    bool nested = sim->in_card;
    sim->in_card = true;
    int err = field_authenticate(sim->config.field, &auth, sim->crypto1_on,
                                 sim->now); /* runs Python */
    sim->in_card = nested;
    sim->crypto1_on = false; /* until this one succeeds, also if it is one in another */
    if (err < 0) {
        return; /* from inside a card of this very field: nobody hears it */
    }
    if (sim->run != run) {
        field_forget(sim->config.field);
        return;
    }
    sim->auth = AUTH_COMMAND_END;
}

int64_t
chip_auth_event(const struct mfrc522_sim *sim)
{
    const struct field_auth_times *t = &sim->config.field->auth;
    int64_t at = NS_NEVER;
    switch (sim->auth) {
        case AUTH_NONE:
            return NS_NEVER;
        case AUTH_COMMAND_END:
            return t->command_end_ns;
        case AUTH_NONCE:
            at = t->nonce_start_ns;
            break;
        case AUTH_ANSWER_END:
            return t->answer_end_ns;
        case AUTH_TOKEN:
            at = t->token_start_ns;
            break;
        case AUTH_DONE:
            return t->done_ns;
    }
    return at != NS_NEVER ? at + field_bits_ns(FIRST_BITS, 0, 0) : NS_NEVER;
}

void
chip_auth_goes_on(struct mfrc522_sim *sim)
{
    switch (sim->auth) {
        case AUTH_NONE:
            return;
        case AUTH_COMMAND_END:
        case AUTH_ANSWER_END:
            timer_auto_start(sim);
            sim->auth++;
            return;
        case AUTH_NONCE:
        case AUTH_TOKEN:
            timer_auto_stop(sim);
            sim->auth++;
            return;
        case AUTH_DONE:
            sim->auth = AUTH_NONE;
            sim->crypto1_on = true;
            chip_command_done(sim);
            return;
    }
}
