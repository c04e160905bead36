/* _core.SPIDevice: one SPI device, kernel's, simulator's or an adapter's. */
#ifndef AH_HW_SPI_TYPE_H
#define AH_HW_SPI_TYPE_H

#include "module.h"
#include "dev/spi_bus.h"
#include "hw/device.h"

/* An SPIDevice around `device`, which lives until device->ops->close() and is
 * freed by it (embed it in the backend's own struct).  On failure it is closed.
 * `owner` is kept alive until then (the simulated world); NULL: a real device. */
AH_RAISES PyObject *ah_spi_device_new(ModuleState *st,
                                      AH_STEALS struct spi_device *device,
                                      PyObject *owner);

/* Borrowed; NULL with TypeError, or with ValueError when it is closed. */
AH_RAISES struct spi_device *ah_spi_device_get(ModuleState *st, PyObject *obj);

#endif
