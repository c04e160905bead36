/* The operations that go on by themselves: until a card is there, or is gone.
 *
 * poll: one REQA per interval, two SPI messages, field always on.  absence: wake,
 * select and halt the card, again and again.  Each is a phase and one function
 * that gets the outcome of every exchange.
 */
#include <errno.h>
#include <string.h>

#include "dev/mfrc522_card.h"
#include "dev/mfrc522_chip.h"

#define POLL_RETRIES 2
#define RESTARTS 3 /* in one operation */
#define ABSENCES 2 /* misses in a row after which a card is gone */

enum poll_phase { HALTING, WAKING, WAKING_SELECT, PAUSE, REQUESTING, SELECTING };

static void
waited(struct mfrc522 *chip, enum mfrc522_event event)
{
    (void)event;
    chip->then(chip, 0);
}

static void
pause_then(struct mfrc522 *chip, mfrc522_then then)
{
    chip->poll_phase = PAUSE;
    chip->cycle_ns += chip->interval_ns;
    if (chip->cycle_ns < chip->now_ns) {
        chip->cycle_ns = chip->now_ns; /* the bus is slower than the interval */
    }
    chip->then = then;
    step_wait(chip, chip->cycle_ns, waited);
}

/* An answer, or the lack of one, is for the caller.  Anything else ends the
 * operation, but for a chip that was reset by a disturbance: set it up again. */
static bool
is_beyond_radio(struct mfrc522 *chip, int error)
{
    switch (error) {
        case 0:
        case MFRC522_TIMEOUT:
        case MFRC522_COLLISION:
        case MFRC522_FRAME_ERROR:
        case MFRC522_NAK:
            return false;
        case MFRC522_LOST_REGISTERS:
            if (chip->restarts < RESTARTS) {
                chip->restarts++;
                operation_restart(chip);
                return true;
            }
            break;
        default:
            break;
    }
    step_end(chip, error);
    return true;
}

static void
poll_request(struct mfrc522 *chip, mfrc522_then then)
{
    chip->poll_phase = REQUESTING;
    card_request(chip, ISO14443A_REQA, then);
}

static void
poll_found(struct mfrc522 *chip)
{
    chip->reported = true;
    memcpy(chip->reported_uid, chip->uid.bytes, sizeof chip->reported_uid);
    chip->reported_size = chip->uid.size;
    step_end(chip, 0);
}

/* No card, or none that could be selected.  One that got a wrong frame ignores
 * the next request, so after any sign of life one or two more follow at once. */
static void
poll_nothing(struct mfrc522 *chip, bool sign_of_life, mfrc522_then then)
{
    bool again = sign_of_life || chip->retry_silence;
    chip->retry_silence = sign_of_life;
    if (again && chip->retries > 0) {
        chip->retries--;
        poll_request(chip, then);
    }
    else {
        pause_then(chip, then);
    }
}

static void
poll_next(struct mfrc522 *chip, int error)
{
    if (is_beyond_radio(chip, error)) {
        return;
    }
    switch ((enum poll_phase)chip->poll_phase) {
        case WAKING:
            if (card_requested(chip, error) == 0) {
                chip->poll_phase = WAKING_SELECT;
                memcpy(chip->wanted, chip->reported_uid, sizeof chip->wanted);
                chip->wanted_size = chip->reported_size;
                card_select(chip, poll_next);
                return;
            }
            if (chip->retry_silence) {
                chip->retry_silence = false;
                card_request(chip, ISO14443A_WUPA, poll_next);
                return;
            }
            break;
        case WAKING_SELECT:
            if (error == 0) {
                chip->poll_phase = HALTING;
                card_halt(chip, poll_next);
                return;
            }
            break;
        case REQUESTING:
            error = card_requested(chip, error);
            if (error == 0) {
                chip->poll_phase = SELECTING;
                card_select(chip, poll_next);
            }
            else {
                poll_nothing(chip, error != MFRC522_TIMEOUT, poll_next);
            }
            return;
        case SELECTING:
            if (error == 0) {
                poll_found(chip);
            }
            else {
                poll_nothing(chip, true, poll_next);
            }
            return;
        case HALTING:
        case PAUSE:
            break;
    }
    /* The card before is dealt with, or a new turn begins. */
    chip->reported = false;
    chip->wanted_size = 0;
    chip->retries = POLL_RETRIES;
    chip->retry_silence = chip->unsettled;
    poll_request(chip, poll_next);
}

/* Puts the card of the poll before to sleep.  If something has failed since it
 * was selected, it may be anywhere: wake, select and halt it. */
static void
poll(struct mfrc522 *chip, enum mfrc522_event event)
{
    (void)event;
    chip->cycle_ns = chip->now_ns;
    chip->wanted_size = 0;
    if (chip->reported && chip->tag_active) {
        chip->poll_phase = HALTING;
        card_halt(chip, poll_next);
    }
    else if (chip->reported) {
        chip->poll_phase = WAKING;
        chip->retry_silence = true; /* it ignores the first if it is awake */
        card_request(chip, ISO14443A_WUPA, poll_next);
    }
    else {
        chip->poll_phase = PAUSE;
        poll_next(chip, 0);
    }
}

static void
absence_next(struct mfrc522 *chip, int error)
{
    if (is_beyond_radio(chip, error)) {
        return;
    }
    switch ((enum poll_phase)chip->poll_phase) {
        case WAKING:
            if (card_requested(chip, error) == 0) {
                chip->poll_phase = WAKING_SELECT;
                card_select(chip, absence_next);
                return;
            }
            break;
        case WAKING_SELECT:
            if (error == 0) {
                chip->absences = 0;
                chip->poll_phase = HALTING;
                card_halt(chip, absence_next);
                return;
            }
            break;
        case HALTING:
            pause_then(chip, absence_next);
            return;
        default:
            chip->poll_phase = WAKING;
            card_request(chip, ISO14443A_WUPA, absence_next);
            return;
    }
    /* Missing: it may have ignored this one, ask again before saying so. */
    if (++chip->absences >= ABSENCES) {
        chip->reported = false;
        step_end(chip, 0);
        return;
    }
    chip->poll_phase = WAKING;
    card_request(chip, ISO14443A_WUPA, absence_next);
}

static void
absence(struct mfrc522 *chip, enum mfrc522_event event)
{
    (void)event;
    chip->cycle_ns = chip->now_ns;
    chip->absences = 0;
    if (chip->tag_active) {
        chip->poll_phase = HALTING;
        card_halt(chip, absence_next);
    }
    else {
        chip->poll_phase = PAUSE;
        absence_next(chip, 0);
    }
}

void
mfrc522_start_poll(struct mfrc522 *chip, int64_t interval_ns)
{
    chip->interval_ns = interval_ns;
    chip->restarts = 0;
    operation_start(chip, poll);
    chip->goes_on = true;
}

int
mfrc522_start_absence(struct mfrc522 *chip, const uint8_t *uid, unsigned size,
                      int64_t interval_ns)
{
    if (size == 0 || card_want(chip, uid, size) < 0) {
        return -EINVAL;
    }
    chip->interval_ns = interval_ns;
    chip->restarts = 0;
    operation_start(chip, absence);
    chip->goes_on = true;
    return 0;
}
