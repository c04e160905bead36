/* PWM of the kernel: a channel of /sys/class/pwm/pwmchipN.
 *
 * Whether a change waits for the end of the period is the driver's; period and duty are
 * two writes, so there may be one wave between them.  >= 0 or -errno.  Python-free.
 */
#ifndef AH_DEV_PWM_SYSFS_H
#define AH_DEV_PWM_SYSFS_H

#include "dev/pwm.h"

/* Export the channel of a chip ("/sys/class/pwm/pwmchip0").  -EBUSY: somebody has. */
int pwm_sysfs_open(const char *chip, unsigned channel, bool active_low, bool rest,
                   struct pwm_device **out);

#endif
