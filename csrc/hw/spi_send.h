/* The one way to an SPI bus: what an SPIDevice sends, in its turn.
 *
 * It counts what is sent, lets the GIL go meanwhile and puts off a close() that comes.
 */
#ifndef AH_HW_SPI_SEND_H
#define AH_HW_SPI_SEND_H

#include "dev/spi_bus.h"
#include "hw/bus_wait.h"
#include "hw/spi_message.h"

typedef struct {
    BusDeviceObject bus_device; /* its handle: a struct spi_device */
    uint64_t messages, transfers;
} SPIDeviceObject;

/* For who has the turn: all of a message, in as many calls of the driver as it needs;
 * between two it may be stopped (NULL: only by its job's cancel).  -1 with an
 * exception. */
AH_RAISES int ah_spi_send(SPIDeviceObject *self, struct message *message,
                          const bool *stopped); /* runs Python */

/* One message of the driver's, in a turn of its own, if it can have one or `waits`;
 * `spi` is an SPIDevice.  GIL held on entry and exit.  Number of bytes, or -errno
 * (-EBADF: closed); with an exception set if Python code of an adapter, a simulated
 * card or part has raised it. */
int ah_spi_message(DeviceObject *spi, const struct spi_xfer *xfers, unsigned n,
                   bool waits);

#endif
