/* Settings of a line as the flags of uAPI v2, but for debounce and value. */
#ifndef AH_DEV_GPIO_FLAGS_H
#define AH_DEV_GPIO_FLAGS_H

#include <stdint.h>

#include "dev/line.h"

uint64_t gpio_flags_of(const struct line_settings *settings);

#endif
