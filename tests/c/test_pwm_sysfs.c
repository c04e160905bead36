/* The kernel's PWM, on a folder that looks like /sys/class/pwm/pwmchip0. */
#include "dev/pwm_sysfs.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "check.h"

#define MS NS_PER_MS

static char chip[128];
static bool refuses_duty; /* the driver */

static const char *const files[] = {"export",          "unexport",      "pwm1/period",
                                    "pwm1/duty_cycle", "pwm1/polarity", "pwm1/enable"};

static void
path_of(const char *name, char path[256])
{
    snprintf(path, 256, "%s/%s", chip, name);
}

static void
write_file(const char *name, const char *text)
{
    char path[256];
    path_of(name, path);
    FILE *file = fopen(path, "w");
    if (CHECK(file != NULL)) {
        fputs(text, file);
        fclose(file);
    }
}

/* The first line; sysfs has no other. */
static const char *
text_of(const char *name)
{
    static char text[64];
    char path[256];
    path_of(name, path);
    FILE *file = fopen(path, "r");
    text[0] = '\0';
    if (CHECK(file != NULL)) {
        CHECK(fgets(text, sizeof text, file) != NULL);
        fclose(file);
    }
    text[strcspn(text, "\n")] = '\0';
    return text;
}

/* As sysfs does: no period is 0, or shorter than the time on, when anything is set. */
ssize_t
pwrite(int fd, const void *text, size_t size, off_t at)
{
    char link[64], path[256] = "", period[32] = "0", duty[32] = "0";
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    CHECK(readlink(link, path, sizeof path - 1) > 0);
    char *name = strrchr(path, '/') + 1;
    const bool is_channel = strstr(path, "/pwm1/") != NULL;
    if (is_channel) {
        snprintf(period, sizeof period, "%s", text_of("pwm1/period"));
        snprintf(duty, sizeof duty, "%s", text_of("pwm1/duty_cycle"));
    }
    if (strcmp(name, "period") == 0) {
        snprintf(period, sizeof period, "%.*s", (int)size, (const char *)text);
    }
    if (strcmp(name, "duty_cycle") == 0) {
        if (refuses_duty) {
            errno = ERANGE;
            return -1;
        }
        snprintf(duty, sizeof duty, "%.*s", (int)size, (const char *)text);
    }
    if (is_channel && (atoll(period) == 0 || atoll(duty) > atoll(period))) {
        errno = EINVAL;
        return -1;
    }
    CHECK_EQ(lseek(fd, at, SEEK_SET), at);
    return write(fd, text, size);
}

static void
make_chip(void)
{
    char path[256];
    snprintf(chip, sizeof chip, "/tmp/pwmchip-XXXXXX");
    CHECK(mkdtemp(chip) != NULL);
    path_of("pwm1", path);
    CHECK(mkdir(path, 0700) == 0);
    for (unsigned i = 0; i < sizeof files / sizeof *files; i++) {
        write_file(files[i], "0\n");
    }
}

static void
remove_chip(void)
{
    char path[256];
    for (unsigned i = 0; i < sizeof files / sizeof *files; i++) {
        path_of(files[i], path);
        (void)unlink(path);
    }
    path_of("pwm1", path);
    (void)rmdir(path);
    (void)rmdir(chip);
}

static void
check_written(const char *period, const char *duty, const char *enable)
{
    CHECK(strcmp(text_of("pwm1/period"), period) == 0);
    CHECK(strcmp(text_of("pwm1/duty_cycle"), duty) == 0);
    CHECK(strcmp(text_of("pwm1/enable"), enable) == 0);
}

static void
test_a_wave_and_its_end(void)
{
    struct pwm_device *pwm = NULL;
    const struct pwm_wave wave = {20 * MS, 3 * MS / 2}, fast = {MS, MS / 4};
    make_chip();
    REQUIRE(pwm_sysfs_open(chip, 1, false, false, &pwm) == 0);
    CHECK(strcmp(text_of("export"), "1") == 0);
    CHECK(strcmp(text_of("pwm1/polarity"), "normal") == 0);
    CHECK_EQ(pwm->ops->start(pwm->self, &wave), 0);
    check_written("20000000", "1500000", "1");
    CHECK_EQ(pwm->ops->start(pwm->self, &fast), 0);
    check_written("1000000", "250000", "1");
    CHECK_EQ(pwm->ops->start(pwm->self, &wave), 0);
    check_written("20000000", "1500000", "1");
    CHECK_EQ(pwm->ops->stop(pwm->self), 0);
    check_written("20000000", "0", "0");
    pwm->ops->close(pwm->self);
    CHECK(strcmp(text_of("unexport"), "1") == 0);
    remove_chip();
}

static void
test_one_that_rests_high(void)
{
    struct pwm_device *pwm = NULL;
    make_chip();
    REQUIRE(pwm_sysfs_open(chip, 1, true, true, &pwm) == 0);
    CHECK(strcmp(text_of("pwm1/polarity"), "inversed") == 0);
    CHECK_EQ(pwm->ops->stop(pwm->self), 0);
    check_written("1000000", "1000000", "1");
    pwm->ops->close(pwm->self);
    remove_chip();
}

static void
test_what_it_was_before_is_no_obstacle(void)
{
    struct pwm_device *pwm = NULL;
    const struct pwm_wave wave = {2 * MS, MS};
    make_chip();
    write_file("pwm1/period", "9000000\n");
    write_file("pwm1/duty_cycle", "8000000\n");
    write_file("pwm1/enable", "1\n");
    REQUIRE(pwm_sysfs_open(chip, 1, false, false, &pwm) == 0);
    CHECK(strcmp(text_of("pwm1/enable"), "0") == 0);
    CHECK_EQ(pwm->ops->start(pwm->self, &wave), 0);
    check_written("2000000", "1000000", "1");
    pwm->ops->in_child(pwm->self); /* leaves it as it is */
    check_written("2000000", "1000000", "1");
    CHECK(strcmp(text_of("unexport"), "0") == 0);
    remove_chip();
}

static void
test_what_was_refused_half_way_is_written_again(void)
{
    struct pwm_device *pwm = NULL;
    const struct pwm_wave wave = {2 * MS, MS}, slow = {20 * MS, 3 * MS};
    make_chip();
    REQUIRE(pwm_sysfs_open(chip, 1, false, false, &pwm) == 0);
    CHECK_EQ(pwm->ops->start(pwm->self, &wave), 0);
    refuses_duty = true;
    CHECK_EQ(pwm->ops->start(pwm->self, &slow), -ERANGE);
    refuses_duty = false;
    check_written("20000000", "1000000", "1");
    CHECK_EQ(pwm->ops->start(pwm->self, &wave), 0);
    check_written("2000000", "1000000", "1");
    pwm->ops->close(pwm->self);
    remove_chip();
}

static void
test_no_such_chip_or_channel(void)
{
    struct pwm_device *pwm = NULL;
    struct vclock *clock = NULL;
    CHECK_EQ(pwm_sysfs_open("/nowhere", 1, false, false, &pwm), -ENOENT);
    make_chip();
    CHECK_EQ(pwm_sysfs_open(chip, 0, false, false, &pwm), -ENOENT);
    CHECK(strcmp(text_of("unexport"), "0") == 0);
    REQUIRE(pwm_sysfs_open(chip, 1, false, false, &pwm) == 0);
    CHECK_EQ(pwm->ops->use_clock(pwm->self, &clock), 0);
    clock = (struct vclock *)chip; /* any */
    CHECK_EQ(pwm->ops->use_clock(pwm->self, &clock), -EXDEV);
    pwm->ops->close(pwm->self);
    remove_chip();
}

int
main(void)
{
    RUN(test_a_wave_and_its_end);
    RUN(test_one_that_rests_high);
    RUN(test_what_it_was_before_is_no_obstacle);
    RUN(test_what_was_refused_half_way_is_written_again);
    RUN(test_no_such_chip_or_channel);
    return check_done();
}
