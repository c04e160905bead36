/* dev/spidev.c against a driver of our own: ioctl() is defined here.  It answers
 * every byte with its complement, and checks what linux/spi/spidev.h asks for. */
#include "dev/spidev.h"

#include <errno.h>
#include <stdarg.h>
#include <sys/ioctl.h>

#include "check.h"

struct wire_xfer { /* struct spi_ioc_transfer */
    uint64_t tx_buf, rx_buf;
    uint32_t len, speed_hz;
    uint16_t delay_usecs;
    uint8_t bits_per_word, cs_change, tx_nbits, rx_nbits, word_delay_usecs, pad;
};

static uint8_t mode;
static uint32_t mode32, speed_hz;
static uint8_t bits_per_word;
static unsigned messages, last_count;
static struct wire_xfer last[SPI_MESSAGE_MAX];
static int next_error, cut_off;
static uint32_t fastest = UINT32_MAX; /* that the controller can do */

static int
fake_message(const struct wire_xfer *xfers, unsigned n)
{
    int total = 0;
    messages++;
    last_count = n;
    memcpy(last, xfers, n * sizeof *xfers);
    for (unsigned i = 0; i < n; i++) {
        const uint8_t *tx = (const uint8_t *)(uintptr_t)xfers[i].tx_buf;
        uint8_t *rx = (uint8_t *)(uintptr_t)xfers[i].rx_buf;
        CHECK(rx != NULL || ((mode & SPI_THREE_WIRE) != 0 && tx != NULL));
        for (uint32_t b = 0; rx != NULL && b < xfers[i].len; b++) {
            rx[b] = (uint8_t) ~(tx != NULL ? tx[b] : 0);
        }
        total += (int)xfers[i].len;
    }
    return total - cut_off;
}

int
ioctl(int fd, unsigned long number, ...)
{
    va_list args;
    va_start(args, number);
    void *arg = va_arg(args, void *);
    va_end(args);
    (void)fd;
    if (next_error != 0) {
        errno = next_error;
        next_error = 0;
        return -1;
    }
    switch ((uint32_t)number) {
        case 0x40016b01u:
            mode = *(uint8_t *)arg;
            return 0;
        case 0x40016b03u:
            bits_per_word = *(uint8_t *)arg;
            return 0;
        case 0x40046b04u:
            speed_hz = *(uint32_t *)arg;
            speed_hz = speed_hz < fastest ? speed_hz : fastest;
            return 0;
        case 0x40046b05u:
            mode32 = *(uint32_t *)arg;
            return 0;
        case 0x80016b01u:
            *(uint8_t *)arg = mode;
            return 0;
        case 0x80016b03u:
            *(uint8_t *)arg = bits_per_word;
            return 0;
        case 0x80046b04u:
            *(uint32_t *)arg = speed_hz;
            return 0;
        case 0x80046b05u:
            *(uint32_t *)arg = mode32;
            return 0;
        default:
            break;
    }
    if (_IOC_TYPE(number) == 'k' && _IOC_NR(number) == 0) {
        return fake_message(arg, (unsigned)(_IOC_SIZE(number) / sizeof last[0]));
    }
    errno = ENOTTY;
    return -1;
}

static struct spi_device *
open_device(void)
{
    const struct spi_config config = {
        .speed_hz = 4000000, .mode = 1, .bits_per_word = 8};
    struct spi_device *device = NULL;
    CHECK_EQ(spidev_open("/dev/null", "spi0.0", &config, &device), 0);
    return device;
}

static void
test_open(void)
{
    struct spi_device *device = open_device();
    REQUIRE(device != NULL);
    CHECK_EQ(mode, 1);
    CHECK_EQ(bits_per_word, 8);
    CHECK_EQ(speed_hz, 4000000);
    CHECK_EQ(device->needs_gil, 0);
    struct spi_config config = device->config;
    config.mode = 0x10000;
    CHECK_EQ(device->ops->config(device->self, &config), 0);
    CHECK_EQ(mode32, 0x10000);
    struct vclock *virtual_clock = (struct vclock *)device;
    CHECK_EQ(device->ops->use_clock(device->self, &virtual_clock), -EXDEV);
    device->ops->close(device->self);

    CHECK_EQ(spidev_open("/dev/no/such/device", "x", &config, &device), -ENOENT);
    next_error = EINVAL; /* a mode that the controller can't do */
    CHECK_EQ(spidev_open("/dev/null", "x", &config, &device), -EINVAL);
}

static void
test_what_the_kernel_accepts(void)
{
    fastest = 1000000;
    struct spi_device *device = open_device();
    REQUIRE(device != NULL);
    CHECK_EQ(device->config.speed_hz, 1000000);
    CHECK_EQ(device->config.mode, 1);
    struct spi_config config = device->config;
    config.speed_hz = 2000000;
    config.bits_per_word = 16;
    CHECK_EQ(device->ops->config(device->self, &config), 0);
    CHECK_EQ(config.speed_hz, 1000000);
    CHECK_EQ(config.bits_per_word, 16);
    fastest = UINT32_MAX;
    device->ops->close(device->self);
}

/* spi.c: a message in 3-wire mode has no transfer with two buffers. */
static void
test_three_wires(void)
{
    struct spi_device *device = open_device();
    REQUIRE(device != NULL);
    struct spi_config config = device->config;
    config.mode = SPI_THREE_WIRE;
    CHECK_EQ(device->ops->config(device->self, &config), 0);
    device->config = config;
    const uint8_t tx[] = {1};
    uint8_t rx[2] = {0}, none[1] = {0};
    const struct spi_xfer xfers[] = {{.tx = tx, .rx = none, .len = 1},
                                     {.tx = NULL, .rx = rx, .len = 2}};
    CHECK_EQ(device->ops->message(device->self, xfers, 2), 3);
    CHECK_EQ(last[0].rx_buf, 0);
    CHECK(last[0].tx_buf != 0);
    CHECK_EQ(last[1].tx_buf, 0);
    CHECK_BYTES(rx, 0xff, 0xff);
    CHECK_BYTES(none, 0);
    mode = 0;
    device->ops->close(device->self);
}

static void
test_message(void)
{
    struct spi_device *device = open_device();
    REQUIRE(device != NULL);
    const uint8_t tx[] = {1, 2, 3};
    uint8_t rx[3] = {0}, zeros[2] = {0};
    const struct spi_xfer xfers[] = {
        {.tx = tx, .rx = rx, .len = 3, .cs_change = 1, .delay_us = 7, .speed_hz = 5},
        {.tx = NULL, .rx = zeros, .len = 2, .cs_change = 1},
        {.tx = tx, .rx = NULL, .len = 1, .bits_per_word = 8},
    };
    next_error = EINTR;
    unsigned before = messages;
    CHECK_EQ(device->ops->message(device->self, xfers, 3), 6);
    CHECK_EQ(messages, before + 1);
    CHECK_EQ(last_count, 3);
    CHECK_BYTES(rx, 0xfe, 0xfd, 0xfc);
    CHECK_BYTES(zeros, 0xff, 0xff);
    CHECK_EQ(last[0].cs_change, 1);
    CHECK_EQ(last[0].delay_usecs, 7);
    CHECK_EQ(last[0].speed_hz, 5);
    CHECK_EQ(last[2].bits_per_word, 8);
    CHECK_EQ(last[2].cs_change, 0);
    CHECK_EQ(last[0].pad | last[0].tx_nbits | last[0].rx_nbits, 0);
    device->ops->close(device->self);
}

static void
test_limits(void)
{
    struct spi_device *device = open_device();
    REQUIRE(device != NULL);
    static uint8_t data[5000];
    static struct spi_xfer xfers[SPI_MESSAGE_MAX + 1];
    for (unsigned i = 0; i <= SPI_MESSAGE_MAX; i++) {
        xfers[i] = (struct spi_xfer){.tx = data, .len = 1};
    }
    unsigned before = messages;
    CHECK_EQ(device->ops->message(device->self, xfers, SPI_MESSAGE_MAX),
             SPI_MESSAGE_MAX);
    CHECK_EQ(device->ops->message(device->self, xfers, SPI_MESSAGE_MAX + 1), -EMSGSIZE);
    CHECK_EQ(device->ops->message(device->self, xfers, 0), -EINVAL);
    xfers[0].cs_change = 1;
    CHECK_EQ(device->ops->message(device->self, xfers, 1), -EINVAL);
    xfers[0] = (struct spi_xfer){.tx = data, .len = 4096};
    CHECK_EQ(device->ops->message(device->self, xfers, 1), 4096);
    xfers[1].len = 5000 - 4096;
    CHECK_EQ(device->ops->message(device->self, xfers, 2), -EMSGSIZE);
    next_error = ETIMEDOUT;
    CHECK_EQ(device->ops->message(device->self, xfers, 1), -ETIMEDOUT);
    CHECK_EQ(messages, before + 2);
    cut_off = 1;
    CHECK_EQ(device->ops->message(device->self, xfers, 1), -EIO);
    cut_off = 0;
    device->ops->close(device->self);
}

int
main(void)
{
    RUN(test_open);
    RUN(test_what_the_kernel_accepts);
    RUN(test_three_wires);
    RUN(test_message);
    RUN(test_limits);
    return check_done();
}
