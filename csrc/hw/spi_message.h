/* What Python hands to SPIDevice.message() as struct spi_xfer, and the answers back.
 *
 * A message owns the buffers of its transfers until message_free().  A transfer of
 * more than 64 bytes goes out as several, with chip select asserted in between.
 */
#ifndef AH_HW_SPI_MESSAGE_H
#define AH_HW_SPI_MESSAGE_H

#include "dev/spi_bus.h"
#include "module.h"

struct transfer;

struct message {
    struct transfer *transfers; /* as they were given */
    Py_ssize_t num_transfers;
    struct spi_xfer *xfers; /* as they go out */
    unsigned num_xfers;
};

/* `items`: bytes-like, or tuples (data, speed_hz, delay_us, cs_change,
 * bits_per_word).  -1: an exception, and there is nothing to free. */
AH_RAISES int message_build(struct message *message, PyObject *const *items,
                            Py_ssize_t n); /* runs Python */

/* After the transfer, once: a list of bytes, one for each item. */
AH_RAISES PyObject *message_answers(struct message *message);

void message_free(struct message *message);

#endif
