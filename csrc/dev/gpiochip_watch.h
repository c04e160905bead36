/* A GPIO chip of the kernel behind dev/line_chip.h. */
#ifndef AH_DEV_GPIOCHIP_WATCH_H
#define AH_DEV_GPIOCHIP_WATCH_H

#include "dev/line_chip.h"

/* 0 or -errno, as gpiochip_open(). */
int gpiochip_open_watch(const char *path, struct line_chip **out);

#endif
