/* What Python hands to SPIDevice.message() as struct spi_xfer, and the answers back.
 *
 * A message owns the buffers of its transfers until message_free().  A transfer that is
 * too long for the device goes out as several, with chip select asserted in between; a
 * message that is too long for the driver as several segments, cut where chip select
 * goes up: a frame, what goes out under one chip select, is never cut.
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
    uint32_t max_bytes; /* of a segment */
    uint32_t speed_hz;  /* of the device */
};

/* `items`: bytes-like, or tuples (data, speed_hz, delay_us, cs_change,
 * bits_per_word); data is bytes-like, or how many to read while zeros go out.  -1: an
 * exception, and there is nothing to free. */
AH_RAISES int message_build(struct message *message, const struct spi_device *device,
                            PyObject *const *items, Py_ssize_t n); /* runs Python */

/* What it takes on the wire, by bits, delays and changes of chip select. */
int64_t message_ns(const struct message *message);

/* How many of xfers[at...] go out in one call of the driver.  `may_stop`: one that
 * takes long ends at the next end of a frame. */
unsigned message_segment(struct message *message, unsigned at, bool may_stop);

/* After the transfer, once: a list of bytes, one for each item. */
AH_RAISES PyObject *message_answers(struct message *message);

void message_free(struct message *message);

#endif
