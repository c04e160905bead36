/* _core.I2CBus: one I2C bus, the kernel's or the simulator's. */
#ifndef AH_HW_I2C_TYPE_H
#define AH_HW_I2C_TYPE_H

#include "module.h"
#include "dev/i2c_bus.h"
#include "hw/device.h"

/* An I2CBus around `bus`, which lives until bus->ops->close() and is freed by it.  On
 * failure it is closed.  `owner` is kept alive until then (the simulated world); NULL:
 * a real bus. */
AH_RAISES PyObject *ah_i2c_bus_new(ModuleState *st, AH_STEALS struct i2c_bus *bus,
                                   PyObject *owner);

#endif
