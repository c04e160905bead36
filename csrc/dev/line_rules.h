/* Settings of a line: which are valid, and which two users can have at once. */
#ifndef AH_DEV_LINE_RULES_H
#define AH_DEV_LINE_RULES_H

#include <stdbool.h>

#include "dev/line.h"

/* The flag rules of gpio_v2_line_config_flags_validate(): 0, -EINVAL, -EOPNOTSUPP. */
int line_settings_check(const struct line_settings *settings);

/* A setting that two users of a line cannot both have, in the words of
 * hardware.LineSettings. */
struct line_difference {
    const char *setting;
    char have[16], want[16];
};

/* Is there one?  "As it is" goes with everything, and edges add up. */
bool line_settings_differ(const struct line_settings *have,
                          const struct line_settings *want,
                          struct line_difference *difference);

/* Let *all be what `one`, which agrees with it, wants as well; but its value. */
void line_settings_merge(struct line_settings *all, const struct line_settings *one);

/* The same to the kernel, but for the value. */
bool line_settings_same(const struct line_settings *a, const struct line_settings *b);

#endif
