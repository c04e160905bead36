/* Cards, ISO/IEC 14443-3 type A: request, anticollision and select, halt, any frame.
 *
 * cascade() goes through all levels of a UID: a phase, and one function that gets
 * the outcome of every exchange.  Collisions are resolved bit by bit; the branch
 * with a 1 is taken.  A wanted UID is selected without anticollision.
 */
#include "dev/mfrc522_card.h"

#include <errno.h>
#include <string.h>

#include "dev/mfrc522_chip.h"

#define REQUEST_TIMEOUT_US 2000 /* the answer begins 86 us after the frame */
#define SELECT_TIMEOUT_US 5000
#define HALT_TIMEOUT_US 1000 /* silence for 1 ms is the acknowledgement (6.4.3) */

enum cascade_phase { ANTICOLLISION, SELECT };

/* request */

static void
request_frame(struct mfrc522 *chip, uint8_t command)
{
    struct mfrc522_frame *frame =
        exchange_frame(chip, CMD_TRANSCEIVE, 2, REQUEST_TIMEOUT_US);
    frame->data[0] = command;
    frame->size = 1;
    frame->last_bits = ISO14443A_SHORT_FRAME_BITS;
    frame->prompt = true;
    if (chip->crypto) {
        chip->crypto = false;
        chip->crypto_to_clear = true;
    }
    chip->tag_active = false;
}

void
card_request(struct mfrc522 *chip, uint8_t command, mfrc522_then then)
{
    chip->polls++;
    request_frame(chip, command);
    exchange(chip, then);
}

/* What a request has brought.  Cards whose ATQAs collide have answered too. */
int
card_requested(struct mfrc522 *chip, int error)
{
    if (error == 0 && (chip->rx_size != 2 || chip->rx_last_bits != 0)) {
        error = MFRC522_FRAME_ERROR;
    }
    if (error == 0 || error == MFRC522_COLLISION) {
        chip->atqa[0] = chip->rx_size > 0 ? chip->rx[0] : 0;
        chip->atqa[1] = chip->rx_size > 1 ? chip->rx[1] : 0;
        return 0;
    }
    if (error == MFRC522_TIMEOUT) {
        /* Who was READY or ACTIVE took it for a wrong frame, and is IDLE now. */
        chip->unsettled = false;
    }
    return error;
}

/* anticollision and select */

static void
send_anticollision(struct mfrc522 *chip, mfrc522_then then)
{
    struct mfrc522_frame *frame =
        exchange_frame(chip, CMD_TRANSCEIVE, 0, SELECT_TIMEOUT_US);
    unsigned bits;
    frame->size = (uint8_t)iso14443a_anticollision_frame(
        frame->data, chip->uid.level, chip->cl, chip->known_bits, &bits);
    frame->last_bits = bits % 8;
    frame->rx_align = bits % 8;
    frame->expect = ISO14443A_CL_SIZE - chip->known_bits / 8;
    frame->prompt = true;
    exchange(chip, then);
}

/* The answer continues the known bits: put both together. */
static void
merge_answer(struct mfrc522 *chip)
{
    unsigned first = chip->known_bits / 8;
    uint8_t known = (uint8_t)((1 << chip->known_bits % 8) - 1);
    for (unsigned i = 0; i < chip->rx_size && first + i < ISO14443A_CL_SIZE; i++) {
        uint8_t keep = i == 0 ? known : 0;
        uint8_t *byte = &chip->cl[first + i];
        *byte = (uint8_t)((*byte & keep) | (chip->rx[i] & ~keep));
    }
}

/* After a collision, go on with the cards that have a 1 there.  The position
 * counts from the first byte in the FIFO, RxAlign included.  -1: no good. */
static int
choose_branch(struct mfrc522 *chip)
{
    unsigned position = chip->coll_reg & COLL_POS;
    if ((chip->coll_reg & COLL_POS_NOT_VALID) != 0) {
        return -1;
    }
    position = chip->known_bits / 8 * 8 + (position != 0 ? position : 32);
    if (position <= chip->known_bits || position > 32) {
        return -1;
    }
    merge_answer(chip);
    chip->known_bits = (uint8_t)position;
    position--;
    chip->cl[position / 8] |= (uint8_t)(1 << position % 8);
    return 0;
}

/* 1: cl is complete; 0: ask again with more bits; or -error. */
static int
anticollision_answer(struct mfrc522 *chip, int error)
{
    if (error == MFRC522_COLLISION) {
        return choose_branch(chip) < 0 ? -MFRC522_COLLISION : 0;
    }
    if (error != 0) {
        return -error;
    }
    if (chip->rx_size != ISO14443A_CL_SIZE - chip->known_bits / 8) {
        return -MFRC522_FRAME_ERROR;
    }
    merge_answer(chip);
    return iso14443a_bcc(chip->cl) == chip->cl[4] ? 1 : -MFRC522_FRAME_ERROR;
}

static void
send_select(struct mfrc522 *chip, mfrc522_then then)
{
    struct mfrc522_frame *frame =
        exchange_frame(chip, CMD_TRANSCEIVE, 3, SELECT_TIMEOUT_US);
    frame->size =
        (uint8_t)iso14443a_select_frame(frame->data, chip->uid.level, chip->cl);
    frame->rx_crc = true;
    frame->prompt = true;
    exchange(chip, then);
}

/* One level begins: `wanted` is selected at once, else who is there is asked. */
static void
begin_level(struct mfrc522 *chip, mfrc522_then cascade)
{
    chip->known_bits = 0;
    memset(chip->cl, 0, sizeof chip->cl);
    if (chip->wanted_size != 0 &&
        iso14443a_cl_of_uid(chip->cl, chip->wanted, chip->wanted_size,
                            chip->uid.level) == 0) {
        chip->card_phase = SELECT;
        send_select(chip, cascade);
    }
    else {
        chip->card_phase = ANTICOLLISION;
        send_anticollision(chip, cascade);
    }
}

static void
cascade(struct mfrc522 *chip, int error)
{
    if (chip->card_phase == ANTICOLLISION) {
        int answer = anticollision_answer(chip, error);
        if (answer < 0) {
            chip->after_card(chip, -answer);
        }
        else if (answer == 0) {
            send_anticollision(chip, cascade);
        }
        else {
            chip->card_phase = SELECT;
            send_select(chip, cascade);
        }
        return;
    }
    if (error == 0 && (chip->rx_size != 1 ||
                       iso14443a_uid_add(&chip->uid, chip->cl, chip->rx[0]) < 0)) {
        error = MFRC522_FRAME_ERROR;
    }
    if (error != 0) {
        chip->after_card(chip, error);
    }
    else if (!chip->uid.complete) {
        begin_level(chip, cascade);
    }
    else {
        chip->tag_active = true;
        chip->after_card(chip, 0);
    }
}

void
card_select(struct mfrc522 *chip, mfrc522_then then)
{
    chip->uid = (struct iso14443a_uid){0};
    chip->after_card = then;
    begin_level(chip, cascade);
}

/* halt */

static void
halted(struct mfrc522 *chip, int error)
{
    /* A halted card keeps silent, and so does one that is not there. */
    chip->tag_active = false;
    chip->unsettled = false;
    chip->crypto_to_clear = chip->crypto_to_clear || chip->crypto;
    chip->crypto = false;
    if (error == 0) {
        error = MFRC522_NAK;
    }
    else if (error == MFRC522_TIMEOUT) {
        chip->reported = false;
        error = 0;
    }
    chip->after_card(chip, error);
}

static void
halt_frame(struct mfrc522 *chip)
{
    struct mfrc522_frame *frame =
        exchange_frame(chip, CMD_TRANSCEIVE, 1, HALT_TIMEOUT_US);
    frame->size = (uint8_t)iso14443a_hlta_frame(frame->data);
    frame->prompt = true;
}

void
card_halt(struct mfrc522 *chip, mfrc522_then then)
{
    halt_frame(chip);
    chip->after_card = then;
    exchange(chip, halted);
}

/* operations */

static void
request_ended(struct mfrc522 *chip, int error)
{
    error = card_requested(chip, error);
    if (error == MFRC522_TIMEOUT && chip->retry_silence) {
        chip->retry_silence = false;
        exchange(chip, request_ended);
        return;
    }
    if (error == MFRC522_TIMEOUT && chip->frame.data[0] == ISO14443A_WUPA) {
        chip->reported = false; /* not even a halted card is there */
    }
    chip->requests++;
    chip->silences += error == MFRC522_TIMEOUT;
    step_end(chip, error);
}

static void
run_request(struct mfrc522 *chip, enum mfrc522_event event)
{
    (void)event;
    chip->retry_silence = chip->unsettled;
    exchange(chip, request_ended);
}

void
mfrc522_start_request(struct mfrc522 *chip, bool wakeup)
{
    request_frame(chip, wakeup ? ISO14443A_WUPA : ISO14443A_REQA);
    operation_start(chip, run_request);
}

static void
anticollision_next(struct mfrc522 *chip, int error)
{
    int answer = anticollision_answer(chip, error);
    if (answer == 0) {
        send_anticollision(chip, anticollision_next);
    }
    else {
        step_end(chip, answer < 0 ? -answer : 0);
    }
}

static void
run_anticollision(struct mfrc522 *chip, enum mfrc522_event event)
{
    (void)event;
    send_anticollision(chip, anticollision_next);
}

void
mfrc522_start_anticollision(struct mfrc522 *chip, unsigned level)
{
    chip->uid = (struct iso14443a_uid){.level = (uint8_t)level};
    chip->known_bits = 0;
    memset(chip->cl, 0, sizeof chip->cl);
    operation_start(chip, run_anticollision);
}

static void
run_select(struct mfrc522 *chip, enum mfrc522_event event)
{
    (void)event;
    card_select(chip, step_end);
}

int
card_want(struct mfrc522 *chip, const uint8_t *uid, unsigned size)
{
    if (size != 0 && iso14443a_levels(size) == 0) {
        return -EINVAL;
    }
    chip->wanted_size = (uint8_t)size;
    if (size != 0) {
        memcpy(chip->wanted, uid, size);
    }
    return 0;
}

int
mfrc522_start_select(struct mfrc522 *chip, const uint8_t *wanted, unsigned size)
{
    int err = card_want(chip, wanted, size);
    if (err == 0) {
        operation_start(chip, run_select);
    }
    return err;
}

void
mfrc522_start_halt(struct mfrc522 *chip)
{
    halt_frame(chip);
    chip->after_card = step_end;
    exchange_start(chip, halted);
}

int
mfrc522_start_transceive(struct mfrc522 *chip, const uint8_t *tx, unsigned size,
                         unsigned bits, bool add_crc, bool check_crc,
                         uint32_t timeout_us)
{
    unsigned room = add_crc ? FIFO_SIZE - 2 : FIFO_SIZE;
    if (size == 0 || size > room || bits > 7 || (add_crc && bits != 0) ||
        timeout_us < MFRC522_TICK_US || timeout_us > MFRC522_TIMEOUT_MAX_US) {
        return -EINVAL;
    }
    struct mfrc522_frame *frame =
        exchange_frame(chip, CMD_TRANSCEIVE, FIFO_SIZE, timeout_us);
    memcpy(frame->data, tx, size);
    frame->size = (uint8_t)(add_crc ? iso14443a_add_crc(frame->data, size) : size);
    frame->last_bits = (uint8_t)bits;
    frame->rx_crc = check_crc;
    exchange_start(chip, command_end);
    return 0;
}
