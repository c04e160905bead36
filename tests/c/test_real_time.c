/* A simulated board in real time: what takes time, and how much. */
#include "sim/world.h"

#include <stdlib.h>

#include "check.h"

#define SPEED_HZ 1000000
#define MESSAGE_NS (100 * NS_PER_US)

static struct spi_device *
board_with_chip(struct world *world, struct vclock *clock)
{
    const struct spi_config config = {.speed_hz = SPEED_HZ, .bits_per_word = 8};
    struct world_chip *chip = NULL;
    struct spi_device *spi = NULL;
    CHECK_EQ(world_init(world, 54, clock, NULL), 0);
    world->spi_message_ns = MESSAGE_NS;
    world_enter(world);
    CHECK_EQ(world_attach_locked(world, 0, 0, 24, 25, 0x92, &chip), 0);
    world_unlock(world);
    CHECK_EQ(world_open_spi(world, 0, 0, &config, &spi), 0);
    return spi;
}

static void
unplug(struct world *world, struct spi_device *spi)
{
    spi->ops->close(spi->self);
    world_close(world);
    world_destroy(world);
}

/* A message starts the chip's timer, 10 us a tick, pauses, and reads how far it is. */
static int
ticks_in_a_message(struct spi_device *spi)
{
    enum { XFERS = 5 };
    static const uint8_t tx[XFERS][2] = {{T_PRESCALER_REG << 1, 67},
                                         {T_RELOAD_REG_H << 1, 0xFF},
                                         {T_RELOAD_REG_L << 1, 0xFF},
                                         {CONTROL_REG << 1, 0x40},
                                         {0x80 | T_COUNTER_VAL_REG_L << 1, 0}};
    uint8_t rx[XFERS][2];
    struct spi_xfer xfers[XFERS];
    for (unsigned i = 0; i < XFERS; i++) {
        xfers[i] = (struct spi_xfer){
            .tx = tx[i], .rx = rx[i], .len = 2, .cs_change = i + 1 < XFERS};
    }
    xfers[3].delay_us = 500;
    CHECK_EQ(spi->ops->message(spi->self, xfers, XFERS), 2 * XFERS);
    return 0xFF - rx[4][1];
}

/* The same in real time: as long at least, and what is in it at the same times. */
static void
test_a_message_in_real_and_in_virtual_time(void)
{
    struct vclock clock;
    struct world worlds[2];
    REQUIRE(vclock_init(&clock, 0) == 0);
    struct spi_device *imagined = board_with_chip(&worlds[0], &clock);
    struct spi_device *real = board_with_chip(&worlds[1], NULL);
    int ticks = ticks_in_a_message(imagined);
    CHECK(ticks > 50);
    int64_t began_ns = clock_monotonic_ns();
    CHECK_EQ(ticks_in_a_message(real), ticks);
    CHECK(clock_monotonic_ns() - began_ns >= vclock_now(&clock));
    CHECK_EQ(vclock_now(&clock),
             MESSAGE_NS + 5 * 16 * NS_PER_US + 4 * SPI_CS_CHANGE_NS + 500 * NS_PER_US);
    unplug(&worlds[0], imagined);
    unplug(&worlds[1], real);
    vclock_destroy(&clock);
}

int
main(void)
{
    RUN(test_a_message_in_real_and_in_virtual_time);
    return check_done();
}
