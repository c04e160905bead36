/* The GPIO chip of a world, opened to be looked at: see dev/line_chip.h. */
#include "sim/world.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/wake.h"

struct world_gpiochip {
    struct line_chip chip;
    struct info_watch watch;
    struct world_device device;
    struct world *world;
};

static int
chip_line_info(void *self, uint32_t offset, bool watch, struct gpio_line_info *info)
{
    struct world_gpiochip *chip = self;
    return bank_line_info(&chip->world->lines, offset, watch ? &chip->watch : NULL,
                          info);
}

static int
chip_unwatch(void *self, uint32_t offset)
{
    struct world_gpiochip *chip = self;
    return bank_unwatch(&chip->world->lines, &chip->watch, offset);
}

static int
chip_read_event(void *self, struct gpio_info_event *event)
{
    struct world_gpiochip *chip = self;
    return bank_read_info(&chip->world->lines, &chip->watch, event);
}

static int
chip_use_clock(void *self, struct vclock **clock)
{
    struct world_gpiochip *chip = self;
    return world_use_clock(chip->world, &chip->chip.time, clock);
}

static void
chip_close(void *self)
{
    struct world_gpiochip *chip = self;
    bank_close_watch(&chip->world->lines, &chip->watch);
    world_remove_device(chip->world, &chip->device);
    free(chip);
}

static void
chip_in_child(void *self)
{
    struct world_gpiochip *chip = self;
    wake_close(&chip->watch.fd);
}

static const struct chip_ops chip_ops = {
    .line_info = chip_line_info,
    .unwatch = chip_unwatch,
    .read_event = chip_read_event,
    .use_clock = chip_use_clock,
    .close = chip_close,
    .in_child = chip_in_child,
};

int
world_open_gpiochip(struct world *world, const char *label, struct line_chip **out)
{
    struct world_gpiochip *chip = calloc(1, sizeof *chip);
    if (chip == NULL) {
        return -ENOMEM;
    }
    chip->world = world;
    int err = bank_open_watch(&world->lines, &chip->watch);
    if (err < 0) {
        free(chip);
        return err;
    }
    chip->chip.ops = &chip_ops;
    chip->chip.self = chip;
    chip->chip.fd = chip->watch.fd;
    chip->chip.num_lines = world->lines.num_lines;
    snprintf(chip->chip.path, sizeof chip->chip.path, "/dev/gpiochip0");
    snprintf(chip->chip.name, sizeof chip->chip.name, "gpiochip0");
    snprintf(chip->chip.label, sizeof chip->chip.label, "%s", label);
    world_add_device(world, &chip->device, &chip->chip.time);
    *out = &chip->chip;
    return 0;
}
