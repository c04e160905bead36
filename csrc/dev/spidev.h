/* SPI devices of the kernel: /dev/spidev<bus>.<chip select>, by ioctl.
 *
 * A message is one SPI_IOC_MESSAGE.  Every transfer gets a receive buffer, for
 * some controllers (RP1) can't do without; but none that sends in 3-wire
 * mode, where the kernel refuses both.  A transfer of more than 64 bytes is
 * the caller's to split.  >= 0 or -errno.  Python-free.
 */
#ifndef AH_DEV_SPIDEV_H
#define AH_DEV_SPIDEV_H

#include "dev/spi_bus.h"

/* `name` is for messages ("spi0.0").  -ENOTTY: not an SPI device.  *out is freed
 * by its ops->close().  message(): -EMSGSIZE when it has more than 511 transfers
 * or more bytes than the driver's buffer (spidev.bufsiz, 4096 by default). */
int spidev_open(const char *path, const char *name, const struct spi_config *config,
                struct spi_device **out);

#endif
