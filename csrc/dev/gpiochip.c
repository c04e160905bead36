/* GPIO chips of the kernel; see gpiochip.h. */
#include "dev/gpiochip.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "dev/gpio_flags.h"
#include "dev/ioctl.h"

#define EVENTS_PER_READ 16

struct kernel_lines {
    struct line_request request;
};

/* -- chips ----------------------------------------------------------------- */

int
gpiochip_open(struct gpiochip *chip, const char *path)
{
    memset(chip, 0, sizeof *chip);
    chip->fd = -1;
    size_t length = strlen(path);
    if (length >= sizeof chip->path) {
        return -ENAMETOOLONG;
    }
    memcpy(chip->path, path, length + 1);
    chip->fd = open(path, O_RDWR | O_CLOEXEC);
    if (chip->fd < 0) {
        return -errno;
    }
    int err = ioctl_retry(chip->fd, GPIO_IOC_CHIP_INFO, &chip->info);
    if (err < 0) {
        gpiochip_close(chip);
        return err == -EINVAL ? -ENOTTY : err; /* some files say so */
    }
    chip->info.name[GPIO_NAME_SIZE - 1] = '\0';
    chip->info.label[GPIO_NAME_SIZE - 1] = '\0';
    return 0;
}

void
gpiochip_close(struct gpiochip *chip)
{
    if (chip->fd >= 0) {
        close(chip->fd);
        chip->fd = -1;
    }
}

int
gpiochip_line_info(const struct gpiochip *chip, uint32_t offset,
                   struct gpio_line_info *info)
{
    memset(info, 0, sizeof *info);
    info->offset = offset;
    int err = ioctl_retry(chip->fd, GPIO_IOC_LINE_INFO, info);
    info->name[GPIO_NAME_SIZE - 1] = '\0';
    info->consumer[GPIO_NAME_SIZE - 1] = '\0';
    return err;
}

int
gpiochip_find_line(const struct gpiochip *chip, const char *line, uint32_t *offset)
{
    for (uint32_t i = 0; i < chip->info.lines; i++) {
        struct gpio_line_info info;
        int err = gpiochip_line_info(chip, i, &info);
        if (err < 0) {
            return err;
        }
        if (strcmp(info.name, line) == 0) {
            *offset = i;
            return 0;
        }
    }
    return -ENOENT;
}

struct chip_search {
    const char *label;
    const char *const *compatible;
    const char *line;
    uint32_t *offset;
};

/* The strings of the device tree's "compatible", one after the other. */
static bool
is_compatible(const struct gpiochip *chip, const char *const *wanted)
{
    char path[128], text[512];
    snprintf(path, sizeof path, "/sys/bus/gpio/devices/%s/of_node/compatible",
             chip->info.name);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) {
        return false;
    }
    ssize_t size = read(fd, text, sizeof text - 1);
    close(fd);
    if (size <= 0) {
        return false;
    }
    text[size] = '\0';
    for (const char *word = text; word < text + size; word += strlen(word) + 1) {
        for (const char *const *w = wanted; *w != NULL; w++) {
            if (strcmp(word, *w) == 0) {
                return true;
            }
        }
    }
    return false;
}

static bool
chip_matches(const struct gpiochip *chip, const struct chip_search *search)
{
    if (search->label != NULL) {
        return strcmp(chip->info.label, search->label) == 0 ||
               strcmp(chip->info.name, search->label) == 0;
    }
    if (search->compatible != NULL) {
        return is_compatible(chip, search->compatible);
    }
    return gpiochip_find_line(chip, search->line, search->offset) == 0;
}

static int
is_chip_name(const struct dirent *entry)
{
    return strncmp(entry->d_name, "gpiochip", 8) == 0;
}

static int
open_matching(struct gpiochip *chip, const struct chip_search *search)
{
    struct dirent **entries;
    int n = scandir("/dev", &entries, is_chip_name, versionsort);
    if (n < 0) {
        return -errno;
    }
    int result = -ENOENT;
    for (int i = 0; i < n; i++) {
        char path[64];
        if (result < 0 && snprintf(path, sizeof path, "/dev/%s", entries[i]->d_name) <
                              (int)sizeof path) {
            int err = gpiochip_open(chip, path);
            if (err == 0 && chip_matches(chip, search)) {
                result = 0;
            }
            else if (err == 0) {
                gpiochip_close(chip);
            }
            else if (err == -EACCES || err == -EPERM) {
                result = err;
            }
        }
        free(entries[i]);
    }
    free(entries);
    return result;
}

int
gpiochip_open_label(struct gpiochip *chip, const char *label)
{
    return open_matching(chip, &(struct chip_search){.label = label});
}

int
gpiochip_open_compatible(struct gpiochip *chip, const char *const *compatible)
{
    return open_matching(chip, &(struct chip_search){.compatible = compatible});
}

int
gpiochip_open_line(struct gpiochip *chip, const char *line, uint32_t *offset)
{
    return open_matching(chip, &(struct chip_search){.line = line, .offset = offset});
}

/* -- settings -------------------------------------------------------------- */

static struct gpio_config_attr *
config_add(struct gpio_line_config *config, uint32_t id)
{
    if (config->num_attrs == GPIO_ATTRS_MAX) {
        return NULL;
    }
    struct gpio_config_attr *attr = &config->attrs[config->num_attrs++];
    attr->attr.id = id;
    return attr;
}

/* The attribute of that id with that value, added if there is none yet. */
static struct gpio_config_attr *
config_find(struct gpio_line_config *config, uint32_t id, uint64_t value)
{
    for (uint32_t i = 0; i < config->num_attrs; i++) {
        struct gpio_config_attr *attr = &config->attrs[i];
        uint64_t has =
            id == GPIO_ATTR_DEBOUNCE ? attr->attr.debounce_period_us : attr->attr.flags;
        if (attr->attr.id == id && has == value) {
            return attr;
        }
    }
    struct gpio_config_attr *attr = config_add(config, id);
    if (attr != NULL && id == GPIO_ATTR_DEBOUNCE) {
        attr->attr.debounce_period_us = (uint32_t)value;
    }
    else if (attr != NULL) {
        attr->attr.flags = value;
    }
    return attr;
}

/* 0 or -E2BIG.  *config is zero on entry. */
static int
config_fill(struct gpio_line_config *config, const struct line_settings *settings,
            unsigned n)
{
    uint64_t outputs = 0, values = 0;
    config->flags = gpio_flags_of(&settings[0]);
    for (unsigned i = 0; i < n; i++) {
        const uint64_t bit = UINT64_C(1) << i;
        uint64_t flags = gpio_flags_of(&settings[i]);
        struct gpio_config_attr *attr;
        if (flags != config->flags) {
            attr = config_find(config, GPIO_ATTR_FLAGS, flags);
            if (attr == NULL) {
                return -E2BIG;
            }
            attr->mask |= bit;
        }
        if (settings[i].debounce_us != 0) {
            attr = config_find(config, GPIO_ATTR_DEBOUNCE, settings[i].debounce_us);
            if (attr == NULL) {
                return -E2BIG;
            }
            attr->mask |= bit;
        }
        if (settings[i].direction == LINE_OUTPUT) {
            outputs |= bit;
            values |= settings[i].output_value ? bit : 0;
        }
    }
    if (outputs != 0) {
        struct gpio_config_attr *attr = config_add(config, GPIO_ATTR_VALUES);
        if (attr == NULL) {
            return -E2BIG;
        }
        attr->attr.values = values;
        attr->mask = outputs;
    }
    return 0;
}

/* -- requested lines ------------------------------------------------------- */

static int
lines_read_events(void *self, struct line_event *buf, int n)
{
    struct kernel_lines *lines = self;
    struct gpio_event events[EVENTS_PER_READ];
    size_t max = (size_t)(n < EVENTS_PER_READ ? n : EVENTS_PER_READ);
    ssize_t size;
    do {
        size = read(lines->request.fd, events, max * sizeof events[0]);
    } while (size < 0 && errno == EINTR);
    if (size < 0) {
        return -errno;
    }
    if (size == 0 || (size_t)size % sizeof events[0] != 0) {
        return -EPROTO;
    }
    int count = (int)((size_t)size / sizeof events[0]);
    for (int i = 0; i < count; i++) {
        buf[i] = (struct line_event){
            .timestamp_ns = (int64_t)events[i].timestamp_ns,
            .id = events[i].id,
            .offset = events[i].offset,
            .seqno = events[i].seqno,
            .line_seqno = events[i].line_seqno,
        };
    }
    return count;
}

static int
lines_get(void *self, uint64_t mask, uint64_t *bits)
{
    struct kernel_lines *lines = self;
    struct gpio_line_values values = {.mask = mask};
    int err = ioctl_retry(lines->request.fd, GPIO_IOC_GET_VALUES, &values);
    *bits = values.bits;
    return err;
}

static int
lines_set(void *self, uint64_t mask, uint64_t bits)
{
    struct kernel_lines *lines = self;
    struct gpio_line_values values = {.bits = bits, .mask = mask};
    return ioctl_retry(lines->request.fd, GPIO_IOC_SET_VALUES, &values);
}

static int
lines_config(void *self, const struct line_settings *settings)
{
    struct kernel_lines *lines = self;
    struct gpio_line_config config;
    memset(&config, 0, sizeof config);
    int err = config_fill(&config, settings, lines->request.num_lines);
    if (err < 0) {
        return err;
    }
    return ioctl_retry(lines->request.fd, GPIO_IOC_SET_CONFIG, &config);
}

static int
lines_use_clock(void *self, struct vclock **clock)
{
    (void)self;
    return *clock == NULL ? 0 : -EXDEV;
}

static void
lines_close(void *self)
{
    struct kernel_lines *lines = self;
    close(lines->request.fd);
    free(lines);
}

static const struct line_ops kernel_line_ops = {
    .read_events = lines_read_events,
    .get = lines_get,
    .set = lines_set,
    .config = lines_config,
    .use_clock = lines_use_clock,
    .close = lines_close,
};

int
gpiochip_request(const struct gpiochip *chip, const uint32_t *offsets, unsigned n,
                 const struct line_settings *settings, const char *consumer,
                 uint32_t event_buffer_size, struct line_request **out)
{
    struct gpio_line_req req;
    if (n < 1 || n > LINES_MAX) {
        return -EINVAL;
    }
    memset(&req, 0, sizeof req);
    memcpy(req.offsets, offsets, n * sizeof offsets[0]);
    snprintf(req.consumer, sizeof req.consumer, "%s", consumer);
    req.num_lines = n;
    req.event_buffer_size = event_buffer_size;
    int err = config_fill(&req.config, settings, n);
    if (err < 0) {
        return err;
    }
    struct kernel_lines *lines = calloc(1, sizeof *lines);
    if (lines == NULL) {
        return -ENOMEM;
    }
    err = ioctl_retry(chip->fd, GPIO_IOC_GET_LINE, &req);
    if (err < 0) {
        free(lines);
        return err;
    }
    if (fcntl(req.fd, F_SETFL, O_NONBLOCK) < 0) {
        err = -errno;
        close(req.fd);
        free(lines);
        return err;
    }
    lines->request = (struct line_request){.ops = &kernel_line_ops,
                                           .self = lines,
                                           .fd = req.fd,
                                           .num_lines = n,
                                           .time = {.speaks = true}};
    memcpy(lines->request.offsets, offsets, n * sizeof offsets[0]);
    memcpy(lines->request.name, chip->info.name, sizeof lines->request.name);
    *out = &lines->request;
    return 0;
}
