/* A GPIO chip of the kernel, to be looked at; see gpiochip_watch.h. */
#include "dev/gpiochip_watch.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "dev/gpiochip.h"
#include "dev/ioctl.h"

struct kernel_chip {
    struct line_chip seen;
    struct gpiochip chip;
};

static void
end_names(struct gpio_line_info *info)
{
    info->name[GPIO_NAME_SIZE - 1] = '\0';
    info->consumer[GPIO_NAME_SIZE - 1] = '\0';
}

static int
kernel_line_info(void *self, uint32_t offset, bool watch, struct gpio_line_info *info)
{
    struct kernel_chip *chip = self;
    if (!watch) {
        return gpiochip_line_info(&chip->chip, offset, info);
    }
    memset(info, 0, sizeof *info);
    info->offset = offset;
    int err = ioctl_retry(chip->chip.fd, GPIO_IOC_WATCH_LINE_INFO, info);
    end_names(info);
    return err;
}

static int
kernel_unwatch(void *self, uint32_t offset)
{
    struct kernel_chip *chip = self;
    return ioctl_retry(chip->chip.fd, GPIO_IOC_UNWATCH_LINE_INFO, &offset);
}

static int
kernel_read_event(void *self, struct gpio_info_event *event)
{
    struct kernel_chip *chip = self;
    ssize_t size;
    do {
        size = read(chip->chip.fd, event, sizeof *event);
    } while (size < 0 && errno == EINTR);
    if (size < 0) {
        return -errno;
    }
    if ((size_t)size != sizeof *event) {
        return -EPROTO;
    }
    end_names(&event->info);
    return 0;
}

static int
kernel_use_clock(void *self, struct vclock **clock)
{
    (void)self;
    return *clock == NULL ? 0 : -EXDEV;
}

static void
kernel_close(void *self)
{
    struct kernel_chip *chip = self;
    gpiochip_close(&chip->chip);
    free(chip);
}

static const struct chip_ops kernel_ops = {
    .line_info = kernel_line_info,
    .unwatch = kernel_unwatch,
    .read_event = kernel_read_event,
    .use_clock = kernel_use_clock,
    .close = kernel_close,
};

int
gpiochip_open_watch(const char *path, struct line_chip **out)
{
    struct kernel_chip *chip = calloc(1, sizeof *chip);
    if (chip == NULL) {
        return -ENOMEM;
    }
    int err = gpiochip_open(&chip->chip, path);
    if (err == 0 && fcntl(chip->chip.fd, F_SETFL, O_NONBLOCK) < 0) {
        err = -errno;
        gpiochip_close(&chip->chip);
    }
    if (err < 0) {
        free(chip);
        return err;
    }
    chip->seen = (struct line_chip){.ops = &kernel_ops,
                                    .self = chip,
                                    .fd = chip->chip.fd,
                                    .num_lines = chip->chip.info.lines,
                                    .time = {.speaks = true}};
    memcpy(chip->seen.path, chip->chip.path, sizeof chip->seen.path);
    memcpy(chip->seen.name, chip->chip.info.name, sizeof chip->seen.name);
    memcpy(chip->seen.label, chip->chip.info.label, sizeof chip->seen.label);
    *out = &chip->seen;
    return 0;
}
