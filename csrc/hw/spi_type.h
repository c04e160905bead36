/* _core.SPIDevice: one SPI device, kernel's, simulator's or an adapter's.
 *
 * The one way to the bus: messages go through ah_spi_message(), which counts
 * them, releases the GIL and puts off a close() that comes meanwhile.
 */
#ifndef AH_HW_SPI_TYPE_H
#define AH_HW_SPI_TYPE_H

#include "module.h"
#include "dev/spi_bus.h"

/* An SPIDevice around `device`, which lives until device->ops->close() and is
 * freed by it (embed it in the backend's own struct).  On failure it is closed.
 * `owner` is kept alive until then (the simulated world); NULL: a real device. */
AH_RAISES PyObject *ah_spi_device_new(ModuleState *st,
                                      AH_STEALS struct spi_device *device,
                                      PyObject *owner);

/* Borrowed; NULL with TypeError, or with ValueError when it is closed. */
AH_RAISES struct spi_device *ah_spi_device_get(ModuleState *st, PyObject *obj);

/* "spi0.0", also of one that is closed. */
const char *ah_spi_device_name(PyObject *spi);

/* Is it of a simulated board? */
bool ah_spi_device_is_simulated(PyObject *spi);

/* One message.  GIL held on entry and exit, released between.  `spi` must be an
 * SPIDevice.  Number of bytes, or -errno (-EBADF: closed); with an exception set if
 * Python code of an adapter or a simulated card has raised it. */
int ah_spi_message(PyObject *spi, const struct spi_xfer *xfers, unsigned n);

/* Tell the device on which loop it is used.  -1: RuntimeError, a real device on a
 * virtual clock.  May release the GIL. */
AH_RAISES int ah_spi_device_use_loop(ModuleState *st, PyObject *obj, PyObject *loop);

#endif
