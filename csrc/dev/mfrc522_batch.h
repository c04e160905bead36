/* Register accesses of the MFRC522, gathered into one SPI message.
 *
 * Chip select goes up between accesses (cs_change), as the chip asks for
 * (datasheet 8.1.2).  No transfer is longer than 64 bytes and each has a receive
 * buffer: what the Raspberry Pi 5's controller needs.  Reads return where in
 * batch->rx the answer will be once the message has gone.
 */
#ifndef AH_DEV_MFRC522_BATCH_H
#define AH_DEV_MFRC522_BATCH_H

#include "dev/mfrc522.h"

void batch_clear(struct mfrc522_batch *batch);
void batch_write(struct mfrc522_batch *batch, unsigned reg, uint8_t value);
void batch_write_fifo(struct mfrc522_batch *batch, const uint8_t *data, unsigned size);

/* Index into batch->rx. */
unsigned batch_read(struct mfrc522_batch *batch, unsigned reg);

/* Index of the first access; batch_fifo_bytes() takes it apart. */
unsigned batch_read_fifo(struct mfrc522_batch *batch, unsigned size);
void batch_fifo_bytes(const struct mfrc522_batch *batch, unsigned at, uint8_t *data,
                      unsigned size);

/* The message is complete: no cs_change behind the last transfer. */
void batch_finish(struct mfrc522_batch *batch);

#endif
