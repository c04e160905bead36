/* PWM of the kernel; see pwm_sysfs.h. */
#include "dev/pwm_sysfs.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* udev gives an exported channel to its group; until then it is root's alone. */
#define UDEV_TRIES 100
#define UDEV_PAUSE_US 10000

enum { PERIOD, DUTY, POLARITY, ENABLE, NUM_FILES };

static const char *const file_names[NUM_FILES] = {"period", "duty_cycle", "polarity",
                                                  "enable"};

struct sysfs_pwm {
    struct pwm_device device;
    struct device_time time;
    int files[NUM_FILES]; /* of the channel; -1: not open */
    char chip[PATH_MAX];
    unsigned channel;
    struct pwm_wave wave; /* as it was written */
    bool rest;
};

static int
write_text(int fd, const char *text)
{
    ssize_t n = (ssize_t)strlen(text);
    ssize_t written = pwrite(fd, text, (size_t)n, 0);
    return written == n ? 0 : written < 0 ? -errno : -EIO;
}

static int
write_number(int fd, int64_t number)
{
    char text[32];
    snprintf(text, sizeof text, "%lld\n", (long long)number);
    return write_text(fd, text);
}

/* To a file of the chip. */
static int
write_chip(const struct sysfs_pwm *pwm, const char *name)
{
    char path[PATH_MAX + 16];
    snprintf(path, sizeof path, "%s/%s", pwm->chip, name);
    int fd = open(path, O_WRONLY | O_CLOEXEC);
    if (fd < 0) {
        return -errno;
    }
    int err = write_number(fd, pwm->channel);
    close(fd);
    return err;
}

static int
open_file(const struct sysfs_pwm *pwm, const char *name)
{
    char path[PATH_MAX + 64];
    snprintf(path, sizeof path, "%s/pwm%u/%s", pwm->chip, pwm->channel, name);
    int fd = open(path, O_RDWR | O_CLOEXEC);
    for (int i = 0; fd < 0 && errno == EACCES && i < UDEV_TRIES; i++) {
        usleep(UDEV_PAUSE_US);
        fd = open(path, O_RDWR | O_CLOEXEC);
    }
    return fd < 0 ? -errno : fd;
}

static int
read_number(int fd, int64_t *number)
{
    char text[32];
    ssize_t n = pread(fd, text, sizeof text - 1, 0);
    if (n < 0) {
        return -errno;
    }
    text[n] = '\0';
    *number = strtoll(text, NULL, 10);
    return 0;
}

/* To a file whose content is `*written`. */
static int
write_change(int fd, int64_t number, int64_t *written)
{
    int err = number != *written ? write_number(fd, number) : 0;
    if (err == 0) {
        *written = number;
    }
    return err;
}

/* The time on is never longer than the period, which the kernel refuses. */
static int
write_wave(struct sysfs_pwm *pwm, const struct pwm_wave *wave)
{
    int err = 0;
    if (wave->period_ns > pwm->wave.period_ns) {
        err = write_change(pwm->files[PERIOD], wave->period_ns, &pwm->wave.period_ns);
    }
    if (err == 0) {
        err = write_change(pwm->files[DUTY], wave->high_ns, &pwm->wave.high_ns);
    }
    if (err == 0) {
        err = write_change(pwm->files[PERIOD], wave->period_ns, &pwm->wave.period_ns);
    }
    return err;
}

static int
sysfs_start(void *self, const struct pwm_wave *wave)
{
    struct sysfs_pwm *pwm = self;
    int err = write_wave(pwm, wave);
    return err < 0 ? err : write_number(pwm->files[ENABLE], 1);
}

/* One that is disabled is off; on, it is a wave without a gap. */
static int
sysfs_stop(void *self)
{
    struct sysfs_pwm *pwm = self;
    struct pwm_wave rest = pwm->wave;
    rest.high_ns = pwm->rest ? rest.period_ns : 0;
    int err = write_wave(pwm, &rest);
    return err < 0 ? err : write_number(pwm->files[ENABLE], pwm->rest);
}

/* The hardware's edges are in time, and nobody counts them. */
static int
sysfs_jitter(void *self, struct pwm_jitter *jitter)
{
    struct sysfs_pwm *pwm = self;
    int64_t period;
    *jitter = (struct pwm_jitter){0};
    return read_number(pwm->files[PERIOD], &period); /* is it still there? */
}

static int
sysfs_use_clock(void *self, struct vclock **clock)
{
    (void)self;
    return *clock == NULL ? 0 : -EXDEV;
}

static void
sysfs_free(void *self)
{
    struct sysfs_pwm *pwm = self;
    for (int i = 0; i < NUM_FILES; i++) {
        if (pwm->files[i] >= 0) {
            close(pwm->files[i]);
        }
    }
    free(pwm);
}

static void
sysfs_close(void *self)
{
    struct sysfs_pwm *pwm = self;
    (void)sysfs_stop(pwm); /* a chip that is gone has no level */
    (void)write_chip(pwm, "unexport");
    sysfs_free(pwm);
}

static const struct pwm_ops sysfs_ops = {
    .start = sysfs_start,
    .stop = sysfs_stop,
    .jitter = sysfs_jitter,
    .use_clock = sysfs_use_clock,
    .close = sysfs_close,
    .in_child = sysfs_free,
};

static int
set_up(struct sysfs_pwm *pwm, bool active_low)
{
    for (int i = 0; i < NUM_FILES; i++) {
        pwm->files[i] = open_file(pwm, file_names[i]);
        if (pwm->files[i] < 0) {
            return pwm->files[i];
        }
    }
    int err = read_number(pwm->files[PERIOD], &pwm->wave.period_ns);
    if (err == 0 && pwm->wave.period_ns == 0) {
        /* It was never used: until it has a period all else is -EINVAL
         * (drivers/pwm/core.c, pwm_apply_state() of Linux 6.6). */
        pwm->wave.period_ns = NS_PER_MS;
        err = write_number(pwm->files[PERIOD], pwm->wave.period_ns);
    }
    /* What another program has left: the polarity of one that runs stays. */
    if (err == 0) {
        err = write_number(pwm->files[ENABLE], 0);
    }
    if (err == 0) {
        err = read_number(pwm->files[DUTY], &pwm->wave.high_ns);
    }
    return err < 0 ? err
                   : write_text(pwm->files[POLARITY],
                                active_low ? "inversed\n" : "normal\n");
}

int
pwm_sysfs_open(const char *chip, unsigned channel, bool active_low, bool rest,
               struct pwm_device **out)
{
    struct sysfs_pwm *pwm = calloc(1, sizeof *pwm);
    if (pwm == NULL) {
        return -ENOMEM;
    }
    for (int i = 0; i < NUM_FILES; i++) {
        pwm->files[i] = -1;
    }
    snprintf(pwm->chip, sizeof pwm->chip, "%s", chip);
    pwm->channel = channel;
    pwm->rest = rest;
    pwm->time.speaks = true;
    pwm->device = (struct pwm_device){
        .ops = &sysfs_ops, .self = pwm, .time = &pwm->time, .made_by = "kernel"};
    int err = write_chip(pwm, "export");
    if (err == 0) {
        err = set_up(pwm, active_low);
        if (err < 0) {
            (void)write_chip(pwm, "unexport");
        }
    }
    if (err < 0) {
        sysfs_free(pwm);
        return err;
    }
    *out = &pwm->device;
    return 0;
}
