/* Inside the driver: what poll and absence are made of. */
#ifndef AH_DEV_MFRC522_CARD_H
#define AH_DEV_MFRC522_CARD_H

#include "dev/mfrc522_exchange.h"

/* REQA or WUPA; card_requested() then says what it has brought: 0 or an error. */
void card_request(struct mfrc522 *chip, uint8_t command, mfrc522_then then);
int card_requested(struct mfrc522 *chip, int error);

/* Which card card_select() selects; size 0: whoever answers.  0 or -EINVAL. */
int card_want(struct mfrc522 *chip, const uint8_t *uid, unsigned size);
void card_select(struct mfrc522 *chip, mfrc522_then then);

/* HLTA; silence is success. */
void card_halt(struct mfrc522 *chip, mfrc522_then then);

#endif
