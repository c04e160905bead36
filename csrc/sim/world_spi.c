/* The simulated SPI bus behind dev/spi_bus.h.
 *
 * A message takes its time: what the board's kernel and driver need for it, bits/speed,
 * the delays it asks for, and the kernel's 10 us at each change of chip select.  The
 * bytes of a transfer reach the chip at the transfer's end, so nothing that they cause
 * lies in the future.  A part (struct world_part) is given a whole frame, at its end.
 * Where nothing answers, and for what cannot follow (the mode, the speed), MISO reads
 * 0.
 */

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sim/world_bus.h"

#define SPI_BUFSIZ 4096u         /* spidev's, bytes per message */
#define MFRC522_SPI_HZ 10000000u /* datasheet 8.1.2: up to 10 Mbit/s */
#define SPI_MODE_OF_CLOCK 0x3u   /* SPI_CPHA | SPI_CPOL */
/* CS high, 3 wires, no CS: what the Pi's controller can do (spi-bcm2835.c). */
#define SPI_MODE_SUPPORTED (SPI_MODE_OF_CLOCK | 0x04u | 0x10u | 0x40u)

struct world_spi {
    struct spi_device device; /* what the program sees */
    struct world_device pin;
    struct world *world;
    unsigned bus, cs;
    uint8_t sent[SPI_BUFSIZ], got[SPI_BUFSIZ]; /* a frame, for a part */
};

static uint32_t
speed_of(const struct world_spi *spi, const struct spi_xfer *xfer)
{
    return xfer->speed_hz != 0 ? xfer->speed_hz : spi->device.config.speed_hz;
}

static struct world_chip *
listener_locked(const struct world_spi *spi, const struct spi_xfer *xfer)
{
    if ((spi->device.config.mode & SPI_MODE_OF_CLOCK) != 0 ||
        speed_of(spi, xfer) > MFRC522_SPI_HZ) {
        return NULL;
    }
    return world_find_chip_locked(spi->world, spi->bus, spi->cs);
}

static int64_t
bits_ns(const struct world_spi *spi, const struct spi_xfer *xfer)
{
    return (int64_t)xfer->len * 8 * NS_PER_S / speed_of(spi, xfer);
}

/* What passes between a transfer and the next one. */
static int64_t
pause_ns(const struct spi_xfer *xfer, bool is_last)
{
    bool changes = xfer->cs_change && !is_last;
    return xfer->delay_us * NS_PER_US + (changes ? SPI_CS_CHANGE_NS : 0);
}

static struct bus_progress
begin_locked(const struct world_spi *spi, const struct spi_xfer *xfers, unsigned n)
{
    int64_t total_ns = spi->world->spi_message_ns;
    for (unsigned i = 0; i < n; i++) {
        total_ns += bits_ns(spi, &xfers[i]) + pause_ns(&xfers[i], i + 1 == n);
    }
    return bus_begin_locked(spi->world, total_ns);
}

static uint32_t
fastest(const struct world_spi *spi, const struct spi_xfer *frame, unsigned n)
{
    uint32_t hz = 0;
    for (unsigned i = 0; i < n; i++) {
        uint32_t own = speed_of(spi, &frame[i]);
        hz = own > hz ? own : hz;
    }
    return hz;
}

/* A frame's bytes, at its end, if there is a part that hears them. */
static int
exchange_frame_locked(struct world_spi *spi, const struct spi_xfer *frame, unsigned n)
{
    struct world_part *part = world_find_part_locked(spi->world, spi->bus, spi->cs);
    if (part == NULL || spi->world->closed) {
        return 0;
    }
    unsigned mode = spi->device.config.mode & SPI_MODE_OF_CLOCK;
    uint32_t hz = fastest(spi, frame, n);
    if ((part->modes >> mode & 1) == 0 || (part->max_hz != 0 && hz > part->max_hz)) {
        return part->unheard == NULL ? 0
                                     : part->unheard(part, hz, mode); /* runs Python */
    }
    uint32_t len = 0;
    for (unsigned i = 0; i < n; i++) {
        if (frame[i].tx != NULL) {
            memcpy(spi->sent + len, frame[i].tx, frame[i].len);
        }
        else {
            memset(spi->sent + len, 0, frame[i].len);
        }
        len += frame[i].len;
    }
    int err = part->transfer(part, spi->sent, spi->got, len); /* runs Python */
    if (err < 0) {
        return err;
    }
    len = 0;
    for (unsigned i = 0; i < n; i++) {
        if (frame[i].rx != NULL) {
            memcpy(frame[i].rx, spi->got + len, frame[i].len);
        }
        len += frame[i].len;
    }
    return 0;
}

/* One transfer's bytes, at its end.  `first`: chip select falls before it. */
static int
exchange_locked(struct world_spi *spi, const struct spi_xfer *xfer, int64_t now,
                bool first, bool last)
{
    struct world *world = spi->world;
    if (world->closed) {
        return -ESHUTDOWN;
    }
    struct world_chip *chip = listener_locked(spi, xfer);
    if (chip == NULL) {
        if (xfer->rx != NULL) {
            memset(xfer->rx, 0, xfer->len);
        }
        return (int)xfer->len;
    }
    if (first) {
        mfrc522_sim_select(chip->mfrc522);
    }
    mfrc522_sim_transfer(chip->mfrc522, xfer->tx, xfer->rx, xfer->len, now,
                         0); /* runs Python */
    if (last) {
        mfrc522_sim_deselect(chip->mfrc522);
    }
    world_notice_field_locked(world, chip);
    return (int)xfer->len;
}

static int
check_message(const struct spi_xfer *xfers, unsigned n)
{
    if (n > SPI_MESSAGE_MAX) {
        return -EINVAL;
    }
    uint64_t total = 0;
    for (unsigned i = 0; i < n; i++) {
        if (xfers[i].bits_per_word != 0 && xfers[i].bits_per_word != 8) {
            return -EINVAL;
        }
        total += xfers[i].len;
    }
    return total > SPI_BUFSIZ ? -EMSGSIZE : (int)total;
}

static int
spi_message(void *self, const struct spi_xfer *xfers, unsigned n)
{
    struct world_spi *spi = self;
    struct world *world = spi->world;
    int result = check_message(xfers, n);
    if (result < 0) {
        return result;
    }
    if (world_is_inside(world)) {
        return -EDEADLK;
    }
    bus_enter(world, &world->buses[spi->bus]);
    bool first = true;
    unsigned frame = 0; /* where it began */
    struct bus_progress progress = begin_locked(spi, xfers, n);
    int64_t pause = world->spi_message_ns; /* passed at once with what comes next */
    for (unsigned i = 0; i < n; i++) {
        const struct spi_xfer *xfer = &xfers[i];
        bus_pass_locked(world, &progress, pause + bits_ns(spi, xfer));
        bool last = i + 1 == n || xfer->cs_change;
        int done =
            exchange_locked(spi, xfer, progress.now, first, last); /* runs Python */
        if (done >= 0 && last) {
            done = exchange_frame_locked(spi, &xfers[frame], i + 1 - frame);
            frame = i + 1; /* runs Python */
        }
        if (done < 0) {
            result = done;
            break;
        }
        first = last;
        pause = pause_ns(xfer, i + 1 == n);
    }
    if (pause > 0) {
        bus_pass_locked(world, &progress, pause);
    }
    bus_leave(world, &world->buses[spi->bus]);
    return result;
}

static int
spi_config(void *self, struct spi_config *config)
{
    struct world_spi *spi = self;
    if (config->speed_hz == 0 || (config->mode & ~SPI_MODE_SUPPORTED) != 0 ||
        (config->bits_per_word != 0 && config->bits_per_word != 8)) {
        return -EINVAL;
    }
    spi->device.config = *config;
    return 0;
}

static int
spi_use_clock(void *self, struct vclock **clock)
{
    struct world_spi *spi = self;
    return world_use_clock(spi->world, &spi->device.time, clock);
}

static void
spi_close(void *self)
{
    struct world_spi *spi = self;
    void *released = world_release_host(spi->world);
    world_remove_device(spi->world, &spi->pin);
    world_acquire_host(spi->world, released);
    free(spi);
}

static const struct spi_ops world_spi_ops = {
    .message = spi_message,
    .config = spi_config,
    .use_clock = spi_use_clock,
    .close = spi_close,
};

int
world_open_spi(struct world *world, unsigned bus, unsigned cs,
               const struct spi_config *config, struct spi_device **out)
{
    struct spi_config accepted = *config;
    if (bus >= WORLD_BUSES) {
        return -ENOENT;
    }
    struct world_spi *spi = calloc(1, sizeof *spi);
    if (spi == NULL) {
        return -ENOMEM;
    }
    spi->world = world;
    spi->bus = bus;
    spi->cs = cs;
    spi->device.ops = &world_spi_ops;
    spi->device.self = spi;
    spi->device.max_bytes = SPI_BUFSIZ;
    spi->device.max_transfer = SPI_TRANSFER_MAX;
    spi->device.needs_gil = 1;
    snprintf(spi->device.name, sizeof spi->device.name, "spi%u.%u", bus, cs);
    int err = spi_config(spi, &accepted);
    if (err < 0) {
        free(spi);
        return err;
    }
    world_add_device(world, &spi->pin, &spi->device.time);
    *out = &spi->device;
    return 0;
}
