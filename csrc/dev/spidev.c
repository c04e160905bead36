/* SPI devices of the kernel; see spidev.h. */
#include "dev/spidev.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "dev/ioctl.h"

/* linux/spi/spidev.h; a copy of our own, as in gpio_abi.h. */
struct spi_ioc_xfer {
    _Alignas(8) uint64_t tx_buf;
    _Alignas(8) uint64_t rx_buf;
    uint32_t len;
    uint32_t speed_hz;
    uint16_t delay_usecs;
    uint8_t bits_per_word;
    uint8_t cs_change;
    uint8_t tx_nbits;
    uint8_t rx_nbits;
    uint8_t word_delay_usecs;
    uint8_t pad;
};

#define SPI_WR_MODE _IOW('k', 1, uint8_t)
#define SPI_WR_BITS_PER_WORD _IOW('k', 3, uint8_t)
#define SPI_WR_MAX_SPEED_HZ _IOW('k', 4, uint32_t)
#define SPI_WR_MODE32 _IOW('k', 5, uint32_t)
#define SPI_RD_MODE _IOR('k', 1, uint8_t)
#define SPI_RD_BITS_PER_WORD _IOR('k', 3, uint8_t)
#define SPI_RD_MAX_SPEED_HZ _IOR('k', 4, uint32_t)
#define SPI_RD_MODE32 _IOR('k', 5, uint32_t)
#define SPI_MESSAGE(n) \
    _IOC(_IOC_WRITE, 'k', 0, (unsigned)((n) * sizeof(struct spi_ioc_xfer)))

_Static_assert(sizeof(struct spi_ioc_xfer) == 32, "spi_ioc_transfer");
_Static_assert(SPI_WR_MODE == 0x40016b01u, "SPI_IOC_WR_MODE");
_Static_assert(SPI_RD_MODE32 == 0x80046b05u, "SPI_IOC_RD_MODE32");
_Static_assert(SPI_MESSAGE(1) == 0x40206b00u, "SPI_IOC_MESSAGE(1)");
_Static_assert(SPI_MESSAGE_MAX * sizeof(struct spi_ioc_xfer) < (1u << _IOC_SIZEBITS),
               "a message must fit into the ioctl number");

#define BUFSIZ_DEFAULT 4096
#define BUFSIZ_PARAMETER "/sys/module/spidev/parameters/bufsiz"

struct kernel_spi {
    struct spi_device device;
    int fd;
    uint32_t bufsiz;
    uint8_t *unwanted; /* owned: receives what the caller does not want */
};

static uint32_t
read_bufsiz(void)
{
    unsigned long bufsiz = 0;
    FILE *file = fopen(BUFSIZ_PARAMETER, "re");
    if (file != NULL) {
        if (fscanf(file, "%lu", &bufsiz) != 1) {
            bufsiz = 0;
        }
        fclose(file);
    }
    return bufsiz > 0 && bufsiz <= INT32_MAX ? (uint32_t)bufsiz : BUFSIZ_DEFAULT;
}

/* What the kernel has made of it: a driver may lower the speed, and add flags. */
static int
read_config(const struct kernel_spi *spi, struct spi_config *config)
{
    int err;
    if (config->mode <= UINT8_MAX) {
        uint8_t mode = 0;
        err = ioctl_retry(spi->fd, SPI_RD_MODE, &mode);
        config->mode = err >= 0 ? mode : config->mode;
    }
    else {
        err = ioctl_retry(spi->fd, SPI_RD_MODE32, &config->mode);
    }
    if (err >= 0) {
        err = ioctl_retry(spi->fd, SPI_RD_BITS_PER_WORD, &config->bits_per_word);
    }
    if (err >= 0) {
        err = ioctl_retry(spi->fd, SPI_RD_MAX_SPEED_HZ, &config->speed_hz);
    }
    return err;
}

static int
spi_configure(void *self, struct spi_config *config)
{
    struct kernel_spi *spi = self;
    int err;
    if (config->mode <= UINT8_MAX) { /* older kernels know no 32-bit mode */
        uint8_t mode = (uint8_t)config->mode;
        err = ioctl_retry(spi->fd, SPI_WR_MODE, &mode);
    }
    else {
        err = ioctl_retry(spi->fd, SPI_WR_MODE32, &config->mode);
    }
    if (err >= 0) {
        err = ioctl_retry(spi->fd, SPI_WR_BITS_PER_WORD, &config->bits_per_word);
    }
    if (err >= 0) {
        err = ioctl_retry(spi->fd, SPI_WR_MAX_SPEED_HZ, &config->speed_hz);
    }
    if (err >= 0) {
        err = read_config(spi, config);
    }
    return err;
}

static int
spi_message(void *self, const struct spi_xfer *xfers, unsigned n)
{
    struct kernel_spi *spi = self;
    struct spi_ioc_xfer kernel_xfers[SPI_MESSAGE_MAX];
    const bool one_wire = (spi->device.config.mode & SPI_THREE_WIRE) != 0;
    uint64_t total = 0;
    if (n < 1) {
        return -EINVAL;
    }
    if (n > SPI_MESSAGE_MAX) {
        return -EMSGSIZE;
    }
    for (unsigned i = 0; i < n; i++) {
        const struct spi_xfer *xfer = &xfers[i];
        total += xfer->len;
        if (total > spi->bufsiz) {
            return -EMSGSIZE;
        }
        kernel_xfers[i] = (struct spi_ioc_xfer){
            .tx_buf = (uintptr_t)xfer->tx,
            .rx_buf = one_wire && xfer->tx != NULL
                          ? 0 /* it has no wire to come back on */
                          : (uintptr_t)(xfer->rx != NULL ? xfer->rx : spi->unwanted),
            .len = xfer->len,
            .speed_hz = xfer->speed_hz,
            .delay_usecs = xfer->delay_us,
            .bits_per_word = xfer->bits_per_word,
            .cs_change = xfer->cs_change,
        };
    }
    if (kernel_xfers[n - 1].cs_change) {
        return -EINVAL; /* it would keep chip select asserted */
    }
    int sent = ioctl_retry(spi->fd, SPI_MESSAGE(n), kernel_xfers);
    return sent >= 0 && (uint64_t)sent < total ? -EIO : sent; /* cut off */
}

static int
spi_use_clock(void *self, struct vclock **clock)
{
    (void)self;
    return *clock == NULL ? 0 : -EXDEV;
}

static void
spi_close(void *self)
{
    struct kernel_spi *spi = self;
    if (spi->fd >= 0) {
        close(spi->fd);
    }
    free(spi->unwanted);
    free(spi);
}

static const struct spi_ops kernel_spi_ops = {
    .message = spi_message,
    .config = spi_configure,
    .use_clock = spi_use_clock,
    .close = spi_close,
};

int
spidev_open(const char *path, const char *name, const struct spi_config *config,
            struct spi_device **out)
{
    struct kernel_spi *spi = calloc(1, sizeof *spi);
    if (spi == NULL) {
        return -ENOMEM;
    }
    struct spi_config accepted = *config;
    int err;
    spi->bufsiz = read_bufsiz();
    spi->unwanted = malloc(spi->bufsiz);
    spi->fd = open(path, O_RDWR | O_CLOEXEC);
    if (spi->fd < 0) {
        err = -errno;
    }
    else if (spi->unwanted == NULL) {
        err = -ENOMEM;
    }
    else {
        err = spi_configure(spi, &accepted);
    }
    if (err < 0) {
        spi_close(spi);
        return err;
    }
    spi->device = (struct spi_device){.ops = &kernel_spi_ops,
                                      .self = spi,
                                      .config = accepted,
                                      .max_bytes = spi->bufsiz,
                                      .max_transfer = SPI_TRANSFER_MAX,
                                      .time = {.speaks = true}};
    snprintf(spi->device.name, sizeof spi->device.name, "%s", name);
    *out = &spi->device;
    return 0;
}
