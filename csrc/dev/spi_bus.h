/* One SPI device: what spidev, the simulator and an adapter have in common.
 *
 * A message is what one SPI_IOC_MESSAGE is: transfers back to back; with
 * cs_change, chip select goes up between this transfer and the next one.
 * On the last transfer cs_change must be 0.  >= 0 or -errno.  Call message()
 * without the GIL, unless the device says needs_gil (its other side is Python).
 */
#ifndef AH_DEV_SPI_BUS_H
#define AH_DEV_SPI_BUS_H

#include <stdint.h>

#include "base/clock.h"

#define SPI_MESSAGE_MAX 511    /* transfers in one SPI_IOC_MESSAGE: 14-bit ioctl size */
#define SPI_TRANSFER_MAX 64    /* RP1 times out on longer ones (linux issue 6020) */
#define SPI_CS_CHANGE_NS 10000 /* what the kernel waits at each cs_change */

#define SPI_THREE_WIRE 0x10u /* mode: one wire for both directions */

struct spi_xfer {
    const uint8_t *tx; /* NULL: zeros */
    uint8_t *rx;       /* NULL: not wanted (the backend still gives a buffer) */
    uint32_t len;
    uint32_t speed_hz; /* 0: the device's */
    uint16_t delay_us; /* after the transfer */
    uint8_t cs_change;
    uint8_t bits_per_word; /* 0: the device's */
};

struct spi_config {
    uint32_t speed_hz;
    uint32_t mode; /* SPI_MODE_0..3 and flags of linux/spi/spi.h */
    uint8_t bits_per_word;
};

struct spi_ops {
    /* Total number of bytes transferred, or -errno. */
    int (*message)(void *self, const struct spi_xfer *xfers, unsigned n);
    /* *config becomes what was accepted. */
    int (*config)(void *self, struct spi_config *config);
    int (*use_clock)(void *self, struct vclock **clock); /* see line.h */
    void (*close)(void *self);
};

struct spi_device {
    const struct spi_ops *ops;
    void *self;
    struct spi_config config;
    uint32_t max_bytes;    /* of one message */
    uint32_t max_transfer; /* a longer one is split, with chip select held */
    int needs_gil;         /* call ops->message with the GIL held */
    struct device_time time;
    char name[32]; /* for messages: "spi0.0" */
};

#endif
