/* A PWM output: what a line that the program drives, a simulated one and the kernel's
 * PWM have in common.  Every function returns >= 0 or -errno; none but settle() needs
 * the GIL; one thread at a time. */
#ifndef AH_DEV_PWM_H
#define AH_DEV_PWM_H

#include "base/pwm.h"

struct pwm_ops {
    /* From the next period on; the first one begins now. */
    int (*start)(void *self, const struct pwm_wave *wave);
    int (*stop)(void *self); /* to its resting level, now */
    /* After start and stop: until who watches has heard of it; may be NULL.  This alone
     * is called with the GIL, which it may give up. */
    void (*settle)(void *self);
    int (*jitter)(void *self, struct pwm_jitter *jitter);
    /* Of one that runs: have its thread before all that have no real-time priority, for
     * as long as that lives.  NULL: it has no thread. */
    int (*be_realtime)(void *self);
    bool (*is_realtime)(void *self);
    int (*use_clock)(void *self, struct vclock **clock);
    void (*close)(void *self); /* stops, and frees self */
    /* In a fork's child, where it is not used any more: close the descriptors. */
    void (*in_child)(void *self);
};

struct pwm_device {
    const struct pwm_ops *ops;
    void *self;
    const struct device_time *time;
    const char *made_by; /* "thread", "simulator", "kernel" */
};

#endif
