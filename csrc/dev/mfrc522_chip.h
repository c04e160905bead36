/* Inside the driver: how an operation starts, on a chip that may have to be opened
 * first. */
#ifndef AH_DEV_MFRC522_CHIP_H
#define AH_DEV_MFRC522_CHIP_H

#include "dev/mfrc522.h"

/* `operation` gets the turn when the chip is ready. */
void operation_start(struct mfrc522 *chip, mfrc522_handler operation);

/* From the beginning, with a reset: the chip has lost its registers. */
void operation_restart(struct mfrc522 *chip);

/* Start an operation that begins with chip->frame. */
void exchange_start(struct mfrc522 *chip, mfrc522_then then);

#endif
