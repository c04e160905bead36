/* SMBus calls as I2C messages, as the kernel makes them for an adapter that knows I2C
 * only, a Raspberry Pi's (drivers/i2c/i2c-core-smbus.c; SMBus 3.1, 6.5).  Python-free.
 */
#ifndef AH_DEV_SMBUS_H
#define AH_DEV_SMBUS_H

#include "dev/i2c_bus.h"

/* A packet error code (CRC-8: x^8 + x^2 + x + 1) over `len` more bytes. */
uint8_t smbus_pec(uint8_t pec, const uint8_t *data, uint32_t len);

/* By bus->ops->transfer().  -EBADMSG: a wrong PEC; -EPROTO: a count above 32; -EINVAL;
 * -EOPNOTSUPP: the adapter can't do it. */
int smbus_emulate(struct i2c_bus *bus, struct smbus_call *call);

#endif
