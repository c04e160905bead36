/* Register accesses, gathered into one SPI message; see mfrc522_batch.h. */
#include "dev/mfrc522_batch.h"

#include <assert.h>
#include <string.h>

#define XFER_MAX 64
#define BURST_MAX (XFER_MAX - 1) /* data bytes beside the address byte */

static uint8_t *
batch_add(struct mfrc522_batch *batch, unsigned size)
{
    assert(batch->num_xfers < MFRC522_BATCH_XFERS);
    assert(batch->num_bytes + size <= MFRC522_BATCH_BYTES);
    uint8_t *tx = batch->tx + batch->num_bytes;
    batch->xfers[batch->num_xfers++] = (struct spi_xfer){
        .tx = tx, .rx = batch->rx + batch->num_bytes, .len = size, .cs_change = 1};
    batch->num_bytes += size;
    return tx;
}

void
batch_clear(struct mfrc522_batch *batch)
{
    batch->num_xfers = 0;
    batch->num_bytes = 0;
}

void
batch_write(struct mfrc522_batch *batch, unsigned reg, uint8_t value)
{
    uint8_t *tx = batch_add(batch, 2);
    tx[0] = MFRC522_SPI_WRITE(reg);
    tx[1] = value;
}

void
batch_write_fifo(struct mfrc522_batch *batch, const uint8_t *data, unsigned size)
{
    while (size > 0) {
        unsigned n = size < BURST_MAX ? size : BURST_MAX;
        uint8_t *tx = batch_add(batch, 1 + n);
        tx[0] = MFRC522_SPI_WRITE(FIFO_DATA_REG);
        memcpy(tx + 1, data, n);
        data += n;
        size -= n;
    }
}

unsigned
batch_read(struct mfrc522_batch *batch, unsigned reg)
{
    uint8_t *tx = batch_add(batch, 2);
    tx[0] = MFRC522_SPI_READ(reg);
    tx[1] = 0;
    return (unsigned)(tx - batch->tx) + 1;
}

unsigned
batch_read_fifo(struct mfrc522_batch *batch, unsigned size)
{
    unsigned at = batch->num_bytes;
    while (size > 0) {
        unsigned n = size < BURST_MAX ? size : BURST_MAX;
        uint8_t *tx = batch_add(batch, 1 + n);
        memset(tx, MFRC522_SPI_READ(FIFO_DATA_REG), n);
        tx[n] = 0;
        size -= n;
    }
    return at;
}

void
batch_fifo_bytes(const struct mfrc522_batch *batch, unsigned at, uint8_t *data,
                 unsigned size)
{
    while (size > 0) {
        unsigned n = size < BURST_MAX ? size : BURST_MAX;
        memcpy(data, batch->rx + at + 1, n); /* MISO lags one byte behind */
        at += 1 + n;
        data += n;
        size -= n;
    }
}

void
batch_finish(struct mfrc522_batch *batch)
{
    assert(batch->num_xfers > 0);
    batch->xfers[batch->num_xfers - 1].cs_change = 0;
}
