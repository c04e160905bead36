/* dev/gpiochip.c against a kernel of our own: ioctl() is defined here, and says
 * no where linux/gpio.h and gpiolib-cdev.c do.  The lines' descriptor is a pipe. */
#include "dev/gpiochip.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <unistd.h>

#include "check.h"
#include "dev/gpiochip_watch.h"

#define CHIP_LINES 54

static struct gpio_line_req last_request;
static struct gpio_line_config last_config;
static struct gpio_line_values values;
static bool watched[CHIP_LINES];
static int pipe_fds[2];
static int next_error; /* of the next ioctl on a line or chip */

static bool
all_zero(const void *data, size_t size)
{
    const uint8_t *bytes = data;
    for (size_t i = 0; i < size; i++) {
        if (bytes[i] != 0) {
            return false;
        }
    }
    return true;
}

/* The flags of line i, as the kernel finds them: the first attribute counts. */
static uint64_t
effective_flags(const struct gpio_line_config *config, unsigned i)
{
    for (uint32_t a = 0; a < config->num_attrs; a++) {
        if (config->attrs[a].attr.id == GPIO_ATTR_FLAGS &&
            (config->attrs[a].mask >> i & 1) != 0) {
            return config->attrs[a].attr.flags;
        }
    }
    return config->flags;
}

static int
check_config(const struct gpio_line_config *config, unsigned n)
{
    if (config->num_attrs > GPIO_ATTRS_MAX ||
        !all_zero(config->padding, sizeof config->padding)) {
        return EINVAL;
    }
    for (uint32_t a = 0; a < config->num_attrs; a++) {
        if (config->attrs[a].attr.padding != 0 || config->attrs[a].mask == 0) {
            return EINVAL;
        }
    }
    for (unsigned i = 0; i < n; i++) {
        uint64_t flags = effective_flags(config, i);
        uint64_t edges = GPIO_FLAG_EDGE_RISING | GPIO_FLAG_EDGE_FALLING;
        if (((flags & GPIO_FLAG_INPUT) != 0 && (flags & GPIO_FLAG_OUTPUT) != 0) ||
            ((flags & edges) != 0 && (flags & GPIO_FLAG_INPUT) == 0)) {
            return EINVAL;
        }
    }
    return 0;
}

static int
fake_chip(unsigned long number, void *arg)
{
    if (number == GPIO_IOC_CHIP_INFO) {
        struct gpio_chip_info *info = arg;
        memset(info, 0xff, sizeof *info); /* no terminator */
        strcpy(info->name, "gpiochip0");
        strcpy(info->label, "pinctrl-bcm2835");
        info->lines = CHIP_LINES;
        return 0;
    }
    if (number == GPIO_IOC_UNWATCH_LINE_INFO) {
        uint32_t offset = *(uint32_t *)arg;
        int err = watched[offset] ? 0 : EBUSY;
        watched[offset] = false;
        return err;
    }
    if (number == GPIO_IOC_WATCH_LINE_INFO) {
        struct gpio_line_info *info = arg;
        if (watched[info->offset]) {
            return EBUSY;
        }
        watched[info->offset] = true;
        number = GPIO_IOC_LINE_INFO;
    }
    if (number == GPIO_IOC_LINE_INFO) {
        struct gpio_line_info *info = arg;
        if (info->offset >= CHIP_LINES ||
            !all_zero(info->padding, sizeof info->padding)) {
            return EINVAL;
        }
        snprintf(info->name, sizeof info->name, "GPIO%u", (unsigned)info->offset);
        strcpy(info->consumer, info->offset == 4 ? "w1" : "");
        info->flags = info->offset == 4 ? GPIO_FLAG_USED : 0;
        return 0;
    }
    if (number == GPIO_IOC_GET_LINE) {
        struct gpio_line_req *request = arg;
        last_request = *request;
        last_config = request->config;
        if (!all_zero(request->padding, sizeof request->padding)) {
            return EINVAL;
        }
        int err = check_config(&request->config, request->num_lines);
        if (err == 0 && request->offsets[0] == 4) {
            err = EBUSY;
        }
        if (err == 0) {
            request->fd = dup(pipe_fds[0]);
        }
        return err;
    }
    return ENOTTY;
}

static int
fake_lines(unsigned long number, void *arg)
{
    if (number == GPIO_IOC_SET_CONFIG) {
        last_config = *(struct gpio_line_config *)arg;
        return check_config(&last_config, last_request.num_lines);
    }
    struct gpio_line_values *v = arg;
    if (number == GPIO_IOC_GET_VALUES) {
        v->bits = values.bits & v->mask;
        return v->mask == 0 ? EINVAL : 0;
    }
    if (number == GPIO_IOC_SET_VALUES) {
        values.bits = (values.bits & ~v->mask) | (v->bits & v->mask);
        return v->mask == 0 ? EINVAL : 0;
    }
    return ENOTTY;
}

int
ioctl(int fd, unsigned long number, ...)
{
    va_list args;
    va_start(args, number);
    void *arg = va_arg(args, void *);
    va_end(args);
    (void)fd;
    int err = next_error;
    next_error = 0;
    if (err == 0) {
        err = fake_chip(number, arg);
    }
    if (err == ENOTTY) {
        err = fake_lines(number, arg);
    }
    errno = err;
    return err != 0 ? -1 : 0;
}

static struct gpiochip
open_chip(void)
{
    struct gpiochip chip;
    CHECK_EQ(gpiochip_open(&chip, "/dev/null"), 0);
    return chip;
}

static void
test_open(void)
{
    struct gpiochip chip = open_chip();
    CHECK(strcmp(chip.info.name, "gpiochip0") == 0);
    CHECK_EQ(chip.info.lines, CHIP_LINES);
    gpiochip_close(&chip);
    gpiochip_close(&chip);
    CHECK_EQ(gpiochip_open(&chip, "/dev/no/such/chip"), -ENOENT);
    char path[200];
    memset(path, 'x', sizeof path - 1);
    path[sizeof path - 1] = '\0';
    CHECK_EQ(gpiochip_open(&chip, path), -ENAMETOOLONG);
    next_error = EINVAL;
    CHECK_EQ(gpiochip_open(&chip, "/dev/null"), -ENOTTY);
    CHECK_EQ(chip.fd, -1);
}

static void
test_interrupted_ioctls_are_tried_again(void)
{
    struct gpiochip chip = open_chip();
    struct gpio_line_info info;
    next_error = EINTR;
    CHECK_EQ(gpiochip_line_info(&chip, 4, &info), 0);
    CHECK(strcmp(info.consumer, "w1") == 0);
    gpiochip_close(&chip);
}

static void
test_find_line(void)
{
    struct gpiochip chip = open_chip();
    uint32_t offset = 0;
    CHECK_EQ(gpiochip_find_line(&chip, "GPIO17", &offset), 0);
    CHECK_EQ(offset, 17);
    CHECK_EQ(gpiochip_find_line(&chip, "GPIO99", &offset), -ENOENT);
    gpiochip_close(&chip);
}

static struct line_request *
request_lines(const struct line_settings *settings, const uint32_t *offsets, unsigned n)
{
    struct gpiochip chip = open_chip();
    struct line_request *request = NULL;
    CHECK_EQ(gpiochip_request(&chip, offsets, n, settings,
                              "the very long name of a "
                              "consumer",
                              0, &request),
             0);
    gpiochip_close(&chip);
    return request;
}

static void
test_request_of_an_input(void)
{
    const uint32_t offset = 24;
    const struct line_settings settings = {.direction = LINE_INPUT,
                                           .edge = LINE_EDGE_FALLING,
                                           .bias = LINE_PULL_UP,
                                           .debounce_us = 5000};
    struct line_request *request = request_lines(&settings, &offset, 1);
    REQUIRE(request != NULL);
    CHECK_EQ(last_request.num_lines, 1);
    CHECK_EQ(last_request.offsets[0], 24);
    CHECK_EQ(last_request.offsets[1], 0);
    CHECK_EQ(strlen(last_request.consumer), GPIO_NAME_SIZE - 1); /* cut, terminated */
    CHECK_EQ(last_config.flags,
             GPIO_FLAG_INPUT | GPIO_FLAG_EDGE_FALLING | GPIO_FLAG_PULL_UP);
    CHECK_EQ(last_config.num_attrs, 1);
    CHECK_EQ(last_config.attrs[0].attr.id, GPIO_ATTR_DEBOUNCE);
    CHECK_EQ(last_config.attrs[0].attr.debounce_period_us, 5000);
    CHECK_EQ(last_config.attrs[0].mask, 1);
    CHECK_EQ(request->num_lines, 1);
    CHECK_EQ(request->offsets[0], 24);
    CHECK((fcntl(request->fd, F_GETFL) & O_NONBLOCK) != 0);
    line_close(request);
}

static void
test_mixed_settings(void)
{
    const uint32_t offsets[] = {1, 2, 3, 5};
    const struct line_settings settings[] = {
        {.direction = LINE_INPUT, .edge = LINE_EDGE_BOTH},
        {.direction = LINE_OUTPUT, .output_value = 1, .active_low = 1},
        {.direction = LINE_OUTPUT, .drive = LINE_OPEN_DRAIN},
        {.direction = LINE_INPUT, .edge = LINE_EDGE_BOTH, .debounce_us = 10},
    };
    struct line_request *request = request_lines(settings, offsets, 4);
    REQUIRE(request != NULL);
    CHECK_EQ(effective_flags(&last_config, 0),
             GPIO_FLAG_INPUT | GPIO_FLAG_EDGE_RISING | GPIO_FLAG_EDGE_FALLING);
    CHECK_EQ(effective_flags(&last_config, 1), GPIO_FLAG_OUTPUT | GPIO_FLAG_ACTIVE_LOW);
    CHECK_EQ(effective_flags(&last_config, 2), GPIO_FLAG_OUTPUT | GPIO_FLAG_OPEN_DRAIN);
    CHECK_EQ(effective_flags(&last_config, 3), effective_flags(&last_config, 0));
    const struct gpio_config_attr *last = &last_config.attrs[last_config.num_attrs - 1];
    CHECK_EQ(last->attr.id, GPIO_ATTR_VALUES);
    CHECK_EQ(last->attr.values, 2);
    CHECK_EQ(last->mask, 6);
    CHECK_EQ(line_config(request, settings), 0);

    uint64_t bits = 0;
    CHECK_EQ(line_set(request, 6, 2), 0);
    CHECK_EQ(line_get(request, 15, &bits), 0);
    CHECK_EQ(bits, 2);
    CHECK_EQ(line_set(request, 0, 0), -EINVAL);
    struct vclock *virtual_clock = (struct vclock *)&bits;
    CHECK_EQ(line_use_clock(request, &virtual_clock), -EXDEV);
    CHECK(virtual_clock == (struct vclock *)&bits);
    virtual_clock = NULL;
    CHECK_EQ(line_use_clock(request, &virtual_clock), 0);
    CHECK(virtual_clock == NULL);
    line_close(request);
}

static void
test_more_settings_than_one_request_holds(void)
{
    struct gpiochip chip = open_chip();
    struct line_request *request;
    uint32_t offsets[12];
    struct line_settings settings[12];
    memset(settings, 0, sizeof settings);
    for (unsigned i = 0; i < 12; i++) {
        offsets[i] = i + 5;
        settings[i].direction = LINE_INPUT;
        settings[i].debounce_us = i + 1;
    }
    CHECK_EQ(gpiochip_request(&chip, offsets, 12, settings, "", 0, &request), -E2BIG);
    CHECK_EQ(gpiochip_request(&chip, offsets, 10, settings, "", 0, &request), 0);
    line_close(request);
    CHECK_EQ(gpiochip_request(&chip, offsets, 0, settings, "", 0, &request), -EINVAL);
    CHECK_EQ(gpiochip_request(&chip, offsets, 65, settings, "", 0, &request), -EINVAL);
    const uint32_t used = 4;
    CHECK_EQ(gpiochip_request(&chip, &used, 1, settings, "", 0, &request), -EBUSY);
    gpiochip_close(&chip);
}

static void
test_events(void)
{
    const uint32_t offset = 24;
    const struct line_settings settings = {.direction = LINE_INPUT,
                                           .edge = LINE_EDGE_BOTH};
    struct line_request *request = request_lines(&settings, &offset, 1);
    REQUIRE(request != NULL);
    struct line_event events[32];
    CHECK_EQ(line_read_events(request, events, 32), -EAGAIN);
    for (uint32_t i = 1; i <= 20; i++) {
        struct gpio_event event = {.timestamp_ns = 1000 + i,
                                   .id = 1 + i % 2,
                                   .offset = 24,
                                   .seqno = i,
                                   .line_seqno = i};
        CHECK_EQ(write(pipe_fds[1], &event, sizeof event), (int)sizeof event);
    }
    CHECK_EQ(line_read_events(request, events, 3), 3);
    CHECK_EQ(line_read_events(request, events + 3, 29), 16);
    CHECK_EQ(line_read_events(request, events + 19, 13), 1);
    for (uint32_t i = 0; i < 20; i++) {
        CHECK_EQ(events[i].timestamp_ns, 1001 + i);
        CHECK_EQ(events[i].id, 1 + (i + 1) % 2);
        CHECK_EQ(events[i].seqno, i + 1);
        CHECK_EQ(events[i].line_seqno, i + 1);
        CHECK_EQ(events[i].offset, 24);
    }
    CHECK_EQ(write(pipe_fds[1], "half", 4), 4);
    CHECK_EQ(line_read_events(request, events, 32), -EPROTO);
    line_close(request);
}

/* The chip's descriptor is a pipe here, too: its device file is that of the pipe. */
static void
test_watch(void)
{
    int fds[2];
    char path[32];
    struct line_chip *chip;
    struct gpio_line_info info;
    struct gpio_info_event sent = {.timestamp_ns = 5, .type = GPIO_INFO_REQUESTED}, got;
    REQUIRE(pipe(fds) == 0);
    snprintf(path, sizeof path, "/proc/self/fd/%d", fds[0]);
    REQUIRE(gpiochip_open_watch(path, &chip) == 0);
    CHECK_EQ(chip->num_lines, CHIP_LINES);
    CHECK_EQ(chip->ops->line_info(chip->self, 4, false, &info), 0);
    CHECK_EQ(chip->ops->line_info(chip->self, 4, true, &info), 0);
    CHECK(strcmp(info.name, "GPIO4") == 0 && strcmp(info.consumer, "w1") == 0);
    CHECK_EQ(chip->ops->line_info(chip->self, 4, true, &info), -EBUSY);
    CHECK_EQ(chip->ops->read_event(chip->self, &got), -EAGAIN);
    sent.info.offset = 4;
    memset(sent.info.consumer, 'c', sizeof sent.info.consumer); /* no terminator */
    CHECK_EQ(write(fds[1], &sent, sizeof sent), (int)sizeof sent);
    CHECK_EQ(chip->ops->read_event(chip->self, &got), 0);
    CHECK_EQ(got.timestamp_ns, 5);
    CHECK_EQ(got.type, GPIO_INFO_REQUESTED);
    CHECK_EQ(got.info.offset, 4);
    CHECK_EQ(strlen(got.info.consumer), GPIO_NAME_SIZE - 1);
    CHECK_EQ(write(fds[1], "half", 4), 4);
    CHECK_EQ(chip->ops->read_event(chip->self, &got), -EPROTO);
    CHECK_EQ(chip->ops->unwatch(chip->self, 4), 0);
    CHECK_EQ(chip->ops->unwatch(chip->self, 4), -EBUSY);
    struct vclock *none = NULL;
    CHECK_EQ(chip->ops->use_clock(chip->self, &none), 0);
    chip->ops->close(chip->self);
    close(fds[0]);
    close(fds[1]);
    next_error = EACCES;
    CHECK_EQ(gpiochip_open_watch("/dev/null", &chip), -EACCES);
}

int
main(void)
{
    if (pipe(pipe_fds) < 0) {
        return 1;
    }
    RUN(test_open);
    RUN(test_interrupted_ioctls_are_tried_again);
    RUN(test_find_line);
    RUN(test_watch);
    RUN(test_request_of_an_input);
    RUN(test_mixed_settings);
    RUN(test_more_settings_than_one_request_holds);
    RUN(test_events);
    close(pipe_fds[0]);
    close(pipe_fds[1]);
    return check_done();
}
