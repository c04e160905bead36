/* I2C buses of the kernel: /dev/i2c-<bus>, by ioctl.  >= 0 or -errno.  Python-free. */
#ifndef AH_DEV_I2CDEV_H
#define AH_DEV_I2CDEV_H

#include "dev/i2c_bus.h"

/* `name` is for messages ("i2c-1").  -ENOTTY: not an I2C bus.  *out is freed by its
 * ops->close().  transfer() is one I2C_RDWR; smbus() one I2C_SMBUS, for an address that
 * no driver of the kernel has (-EBUSY). */
int i2cdev_open(const char *path, const char *name, struct i2c_bus **out);

#endif
