/* A GPIO chip that was opened to look at its lines, and to hear who takes and leaves
 * them: what the kernel and the simulator have in common.
 *
 * Every function returns >= 0 or -errno and blocks nowhere.  `fd` is pollable (EPOLLIN
 * = an event to read) and belongs to the chip.
 */
#ifndef AH_DEV_LINE_CHIP_H
#define AH_DEV_LINE_CHIP_H

#include <stdbool.h>
#include <stdint.h>

#include "base/clock.h"
#include "dev/gpio_abi.h"

struct chip_ops {
    /* What there is to know of a line now; `watch`: and hear of its changes from now on
     * (-EBUSY: it is watched already). */
    int (*line_info)(void *self, uint32_t offset, bool watch,
                     struct gpio_line_info *info);
    int (*unwatch)(void *self, uint32_t offset); /* -EBUSY: it is not watched */
    /* The oldest change; -EAGAIN when there is none. */
    int (*read_event)(void *self, struct gpio_info_event *event);
    int (*use_clock)(void *self, struct vclock **clock); /* see dev/line.h */
    void (*close)(void *self);                           /* frees self */
    /* None: a fork's child goes on using it (a real chip). */
    void (*in_child)(void *self);
};

struct line_chip {
    const struct chip_ops *ops;
    void *self;
    int fd;
    uint32_t num_lines;
    struct device_time time;
    char path[64];
    char name[GPIO_NAME_SIZE], label[GPIO_NAME_SIZE];
};

#endif
