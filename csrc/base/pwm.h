/* Square waves: when which channel changes its level.
 *
 * Whoever owns a schedule lets it advance, and the channels' set() then is called for
 * each edge, in order of time.  A wave begins high, in the moment in which it is
 * started; a change begins with the next period, so no pulse is cut or doubled.  A wave
 * that is all low or all high is a level: nothing is due, and a change begins at once.
 * Times are the owner's.  One thread at a time; Python-free.
 */
#ifndef AH_BASE_PWM_H
#define AH_BASE_PWM_H

#include <stdbool.h>
#include <stdint.h>

#include "base/clock.h"
#include "base/histogram.h"

struct pwm_wave {
    int64_t period_ns; /* above 0 */
    int64_t high_ns;   /* 0: low; period_ns: high */
};

/* How late edges were. */
struct pwm_jitter {
    uint64_t edges;
    uint64_t missed; /* periods that were left out: they were over already */
    struct histogram lateness;
};

struct pwm_channel {
    struct pwm_channel *next;
    /* To that level, which was due at when_ns: 0 or -errno, which ends the wave. */
    int (*set)(struct pwm_channel *channel, bool level, int64_t when_ns);
    bool running;
    bool level;
    struct pwm_wave wave;
    struct pwm_wave coming; /* from the next period on */
    int64_t begin;          /* of this period */
    int64_t due;            /* the next edge; NS_NEVER: it is at a level */
    int error;              /* of set(), since pwm_start() */
    struct pwm_jitter jitter;
};

/* As many as there are lines, so a list will do. */
struct pwm_schedule {
    struct pwm_channel *channels; /* those that run */
};

/* Begin now, or go on with another wave.  What set() said. */
int pwm_start(struct pwm_schedule *schedule, struct pwm_channel *channel,
              const struct pwm_wave *wave, int64_t now_ns);
/* No more edges; the level stays as it is.  Idempotent. */
void pwm_stop(struct pwm_schedule *schedule, struct pwm_channel *channel);

int64_t pwm_next_due(const struct pwm_schedule *schedule);
/* All that is due up to and including until_ns; it is `now_ns` really. */
void pwm_advance(struct pwm_schedule *schedule, int64_t until_ns, int64_t now_ns);
/* Whole periods that are over do not happen any more: for who is late, and cannot act
 * in the past. */
void pwm_skip(struct pwm_schedule *schedule, int64_t now_ns);

#endif
