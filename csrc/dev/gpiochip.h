/* GPIO chips of the kernel: find one, ask about its lines, request lines.
 *
 * A chip is found by its label, by the name of one of its lines, or by what the
 * device tree says it is compatible with: its number changes from board to board
 * and from kernel to kernel.  >= 0 or -errno.  Python-free.
 */
#ifndef AH_DEV_GPIOCHIP_H
#define AH_DEV_GPIOCHIP_H

#include <stdbool.h>

#include "dev/gpio_abi.h"
#include "dev/line.h"

struct gpiochip {
    int fd; /* -1: not open */
    char path[64];
    struct gpio_chip_info info;
};

/* 0 or -errno; -ENOTTY: not a GPIO chip. */
int gpiochip_open(struct gpiochip *chip, const char *path);
void gpiochip_close(struct gpiochip *chip);

/* Open the first chip /dev/gpiochip* of that name or label, -ENOENT when none is;
 * -EACCES when some could not be looked at. */
int gpiochip_open_label(struct gpiochip *chip, const char *label);

/* The same: one that is compatible with one of `compatible` (NULL-terminated). */
int gpiochip_open_compatible(struct gpiochip *chip, const char *const *compatible);

/* The same: one that has a line of that name; its offset. */
int gpiochip_open_line(struct gpiochip *chip, const char *line, uint32_t *offset);

int gpiochip_line_info(const struct gpiochip *chip, uint32_t offset,
                       struct gpio_line_info *info);

/* Offset of the line of that name on this chip; -ENOENT. */
int gpiochip_find_line(const struct gpiochip *chip, const char *line, uint32_t *offset);

/* Request 1 to 64 lines.  `event_buffer_size` 0: the kernel's default.  -E2BIG:
 * more different settings than one request can hold.  The descriptor does not
 * block; *out is freed by line_close(). */
int gpiochip_request(const struct gpiochip *chip, const uint32_t *offsets, unsigned n,
                     const struct line_settings *settings, const char *consumer,
                     uint32_t event_buffer_size, struct line_request **out);

#endif
