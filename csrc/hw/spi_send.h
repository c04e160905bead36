/* The one way to an SPI bus: what an SPIDevice sends, in its turn.
 *
 * It counts what is sent, lets the GIL go meanwhile and puts off a close() that comes.
 * A thread that blocks waits for its turn behind who came before, and is woken out of
 * that by its job's cancel; one that runs a loop does not wait, for it may be that loop
 * which has the turn: the kernel's own lock is its place.
 */
#ifndef AH_HW_SPI_SEND_H
#define AH_HW_SPI_SEND_H

#include "dev/spi_bus.h"
#include "hw/device.h"
#include "hw/spi_message.h"
#include "hw/spi_turn.h"
#include "py/job_token.h"

typedef struct {
    DeviceObject device; /* its handle: a struct spi_device */
    struct spi_bus *bus; /* owned */
    uint64_t messages, transfers;
} SPIDeviceObject;

/* A thread's turn; begin with an empty one, and leave it before it goes. */
struct spi_thread_turn {
    struct spi_turn turn;
    CancelTokenObject *token; /* owned while it waits: cancelled when it is on */
};

/* Its turn, or that it need not wait for one.  -1: the wait was cancelled, or a signal
 * handler has raised. */
AH_RAISES int ah_spi_take_turn(SPIDeviceObject *self,
                               struct spi_thread_turn *turn); /* runs Python */

/* For who has the turn: all of a message, in as many calls of the driver as it needs;
 * between two it may be stopped (NULL: only by its job's cancel).  -1 with an
 * exception. */
AH_RAISES int ah_spi_send(SPIDeviceObject *self, struct message *message,
                          const bool *stopped); /* runs Python */

/* One message of the driver's, in a turn of its own; `spi` is an SPIDevice.  GIL held
 * on entry and exit.  Number of bytes, or -errno (-EBADF: closed); with an exception
 * set if Python code of an adapter, a simulated card or part has raised it. */
int ah_spi_message(DeviceObject *spi, const struct spi_xfer *xfers, unsigned n);

#endif
