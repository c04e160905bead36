/* PWM on a requested line; see pwm_line.h. */
#include "dev/pwm_line.h"

#include <errno.h>
#include <stddef.h>
#include <stdlib.h>

struct pwm_line {
    struct pwm_device device;
    struct pwm_channel channel; /* of the thread's */
    struct line_request *line;  /* owned */
    struct pwm_thread *thread;
    bool rest;
};

static int
set_line(struct pwm_channel *channel, bool level, int64_t when_ns)
{
    struct pwm_line *pwm =
        (struct pwm_line *)((char *)channel - offsetof(struct pwm_line, channel));
    (void)when_ns; /* it is now */
    return line_set(pwm->line, 1, level);
}

/* By the thread. */

static int
thread_start(void *self, const struct pwm_wave *wave)
{
    struct pwm_line *pwm = self;
    int err = pwm_thread_start(pwm->thread, &pwm->channel, wave);
    if (err < 0) {
        (void)line_set(pwm->line, 1, pwm->rest); /* it may be high by now */
    }
    return err;
}

static int
thread_stop(void *self)
{
    struct pwm_line *pwm = self;
    pwm_thread_stop(pwm->thread, &pwm->channel);
    return line_set(pwm->line, 1, pwm->rest);
}

static int
thread_jitter(void *self, struct pwm_jitter *jitter)
{
    struct pwm_line *pwm = self;
    return pwm_thread_jitter(pwm->thread, &pwm->channel, jitter);
}

static int
thread_be_realtime(void *self)
{
    struct pwm_line *pwm = self;
    return pwm_thread_be_realtime(pwm->thread);
}

static bool
thread_is_realtime(void *self)
{
    struct pwm_line *pwm = self;
    return pwm->channel.running && pwm_thread_is_realtime(pwm->thread);
}

static int
line_clock(void *self, struct vclock **clock)
{
    struct pwm_line *pwm = self;
    return line_use_clock(pwm->line, clock);
}

static void
thread_close(void *self)
{
    struct pwm_line *pwm = self;
    (void)thread_stop(pwm); /* an unplugged line has no level */
    line_close(pwm->line);
    free(pwm);
}

static void
thread_in_child(void *self)
{
    struct pwm_line *pwm = self;
    line_close(pwm->line); /* the parent's stays as it is */
    free(pwm);
}

static const struct pwm_ops thread_ops = {
    .start = thread_start,
    .stop = thread_stop,
    .jitter = thread_jitter,
    .be_realtime = thread_be_realtime,
    .is_realtime = thread_is_realtime,
    .use_clock = line_clock,
    .close = thread_close,
    .in_child = thread_in_child,
};

/* By the line itself. */

static int
wave_start(void *self, const struct pwm_wave *wave)
{
    struct pwm_line *pwm = self;
    return line_wave(pwm->line, wave, pwm->rest);
}

static int
wave_stop(void *self)
{
    struct pwm_line *pwm = self;
    return line_wave(pwm->line, NULL, pwm->rest);
}

static int
wave_jitter(void *self, struct pwm_jitter *jitter)
{
    struct pwm_line *pwm = self;
    return line_wave_jitter(pwm->line, jitter);
}

static void
wave_settle(void *self)
{
    struct pwm_line *pwm = self;
    line_settle(pwm->line);
}

static void
wave_close(void *self)
{
    struct pwm_line *pwm = self;
    (void)wave_stop(pwm); /* an unplugged line has no level */
    line_close(pwm->line);
    free(pwm);
}

static void
wave_in_child(void *self)
{
    struct pwm_line *pwm = self;
    line_in_child(pwm->line);
}

static const struct pwm_ops wave_ops = {
    .start = wave_start,
    .stop = wave_stop,
    .settle = wave_settle,
    .jitter = wave_jitter,
    .use_clock = line_clock,
    .close = wave_close,
    .in_child = wave_in_child,
};

int
pwm_line_open(struct line_request *line, struct pwm_thread *thread, bool rest,
              struct pwm_device **out)
{
    struct pwm_jitter jitter;
    struct pwm_line *pwm = calloc(1, sizeof *pwm);
    if (pwm == NULL) {
        return -ENOMEM;
    }
    bool by_itself = line_wave_jitter(line, &jitter) != -EOPNOTSUPP;
    pwm->device = (struct pwm_device){
        .ops = by_itself ? &wave_ops : &thread_ops,
        .self = pwm,
        .time = &line->time,
        .made_by = by_itself ? "simulator" : "thread",
    };
    pwm->channel.set = set_line;
    pwm->line = line;
    pwm->thread = thread;
    pwm->rest = rest;
    *out = &pwm->device;
    return 0;
}
