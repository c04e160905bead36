/* Inside the driver: the kinds of step, and one RF exchange.
 *
 * For mfrc522_chip.c (the chip) and mfrc522_card.c (cards).  Each step_*() sets
 * chip->step and the handler that gets the event; only one may be asked for in
 * a turn.  An exchange ends in then(chip, error) with the answer in chip->rx.
 */
#ifndef AH_DEV_MFRC522_EXCHANGE_H
#define AH_DEV_MFRC522_EXCHANGE_H

#include "dev/mfrc522.h"
#include "dev/mfrc522_batch.h"

#define US_NS INT64_C(1000)
#define MS_NS INT64_C(1000000)

/* The timer of the chip: TPrescaler 169, 13.56 MHz / (2 * 169 + 1) = 40 kHz. */
#define MFRC522_T_PRESCALER 169
#define MFRC522_TICK_US 25

/* The batch that is built goes out; then `handler` gets MFRC522_TRANSFERRED. */
void step_transfer(struct mfrc522 *chip, mfrc522_handler handler);
void step_wait(struct mfrc522 *chip, int64_t until_ns, mfrc522_handler handler);
void step_wait_irq(struct mfrc522 *chip, int64_t until_ns, mfrc522_handler handler);
void step_reset(struct mfrc522 *chip, int level, mfrc522_handler handler);

/* The operation ends: done for error 0, else failed. */
void step_end(struct mfrc522 *chip, int error);

/* The same after a command to the selected card. */
void command_end(struct mfrc522 *chip, int error);

/* A new chip->frame: no data yet. */
struct mfrc522_frame *exchange_frame(struct mfrc522 *chip, uint8_t command,
                                     uint8_t expect, uint32_t timeout_us);

/* Send chip->frame and get the answer; waits for the field guard first. */
void exchange(struct mfrc522 *chip, mfrc522_then then);

/* It is given up in the middle: a card may still answer or write, and hears
 * nothing meanwhile, so no exchange begins before that is over. */
void exchange_broken(struct mfrc522 *chip);

#endif
