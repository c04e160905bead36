/* The GPIO character device, uAPI v2 (linux/gpio.h of 5.10 and later).
 *
 * A copy of our own: the headers of older system images lack version 2, while
 * their kernels have it.  The asserts hold on 32 and 64 bits.  Padding must be
 * zero, or the kernel answers EINVAL.
 */
#ifndef AH_DEV_GPIO_ABI_H
#define AH_DEV_GPIO_ABI_H

#include <stdint.h>
#include <sys/ioctl.h>

#define GPIO_NAME_SIZE 32
#define GPIO_LINES_MAX 64
#define GPIO_ATTRS_MAX 10

struct gpio_chip_info {
    char name[GPIO_NAME_SIZE];
    char label[GPIO_NAME_SIZE];
    uint32_t lines;
};

enum gpio_line_flag {
    GPIO_FLAG_USED = 1 << 0,
    GPIO_FLAG_ACTIVE_LOW = 1 << 1,
    GPIO_FLAG_INPUT = 1 << 2,
    GPIO_FLAG_OUTPUT = 1 << 3,
    GPIO_FLAG_EDGE_RISING = 1 << 4,
    GPIO_FLAG_EDGE_FALLING = 1 << 5,
    GPIO_FLAG_OPEN_DRAIN = 1 << 6,
    GPIO_FLAG_OPEN_SOURCE = 1 << 7,
    GPIO_FLAG_PULL_UP = 1 << 8,
    GPIO_FLAG_PULL_DOWN = 1 << 9,
    GPIO_FLAG_BIAS_DISABLED = 1 << 10,
    GPIO_FLAG_CLOCK_REALTIME = 1 << 11,
    GPIO_FLAG_CLOCK_HTE = 1 << 12,
};

enum gpio_attr_id { GPIO_ATTR_FLAGS = 1, GPIO_ATTR_VALUES = 2, GPIO_ATTR_DEBOUNCE = 3 };

struct gpio_line_attr {
    uint32_t id; /* enum gpio_attr_id */
    uint32_t padding;
    union {
        _Alignas(8) uint64_t flags;
        _Alignas(8) uint64_t values;
        uint32_t debounce_period_us;
    };
};

/* The attribute is for the lines in mask, bit i for line i of the request; of
 * several for one line, the first counts. */
struct gpio_config_attr {
    struct gpio_line_attr attr;
    _Alignas(8) uint64_t mask;
};

struct gpio_line_config {
    _Alignas(8) uint64_t flags; /* of the lines that no attribute names */
    uint32_t num_attrs;
    uint32_t padding[5];
    struct gpio_config_attr attrs[GPIO_ATTRS_MAX];
};

struct gpio_line_req {
    uint32_t offsets[GPIO_LINES_MAX];
    char consumer[GPIO_NAME_SIZE];
    struct gpio_line_config config;
    uint32_t num_lines;
    uint32_t event_buffer_size; /* 0: 16 per line */
    uint32_t padding[5];
    int32_t fd; /* answer */
};

struct gpio_line_info {
    char name[GPIO_NAME_SIZE];
    char consumer[GPIO_NAME_SIZE];
    uint32_t offset;
    uint32_t num_attrs;
    _Alignas(8) uint64_t flags;
    struct gpio_line_attr attrs[GPIO_ATTRS_MAX];
    uint32_t padding[4];
};

enum gpio_info_event_type {
    GPIO_INFO_REQUESTED = 1,
    GPIO_INFO_RELEASED = 2,
    GPIO_INFO_CONFIG = 3,
};

struct gpio_info_event {
    struct gpio_line_info info;
    _Alignas(8) uint64_t timestamp_ns;
    uint32_t type; /* enum gpio_info_event_type */
    uint32_t padding[5];
};

struct gpio_line_values {
    _Alignas(8) uint64_t bits;
    _Alignas(8) uint64_t mask;
};

struct gpio_event {
    _Alignas(8) uint64_t timestamp_ns;
    uint32_t id; /* 1 rising, 2 falling: as enum line_event_id */
    uint32_t offset;
    uint32_t seqno;
    uint32_t line_seqno;
    uint32_t padding[6];
};

#define GPIO_IOC_CHIP_INFO _IOR(0xB4, 0x01, struct gpio_chip_info)
#define GPIO_IOC_LINE_INFO _IOWR(0xB4, 0x05, struct gpio_line_info)
#define GPIO_IOC_WATCH_LINE_INFO _IOWR(0xB4, 0x06, struct gpio_line_info)
#define GPIO_IOC_UNWATCH_LINE_INFO _IOWR(0xB4, 0x0C, uint32_t)
#define GPIO_IOC_GET_LINE _IOWR(0xB4, 0x07, struct gpio_line_req)
#define GPIO_IOC_SET_CONFIG _IOWR(0xB4, 0x0D, struct gpio_line_config)
#define GPIO_IOC_GET_VALUES _IOWR(0xB4, 0x0E, struct gpio_line_values)
#define GPIO_IOC_SET_VALUES _IOWR(0xB4, 0x0F, struct gpio_line_values)

_Static_assert(sizeof(struct gpio_chip_info) == 68, "gpiochip_info");
_Static_assert(sizeof(struct gpio_line_attr) == 16, "gpio_v2_line_attribute");
_Static_assert(sizeof(struct gpio_config_attr) == 24, "gpio_v2_line_config_attribute");
_Static_assert(sizeof(struct gpio_line_config) == 272, "gpio_v2_line_config");
_Static_assert(sizeof(struct gpio_line_req) == 592, "gpio_v2_line_request");
_Static_assert(sizeof(struct gpio_line_info) == 256, "gpio_v2_line_info");
_Static_assert(sizeof(struct gpio_info_event) == 288, "gpio_v2_line_info_changed");
_Static_assert(sizeof(struct gpio_line_values) == 16, "gpio_v2_line_values");
_Static_assert(sizeof(struct gpio_event) == 48, "gpio_v2_line_event");
_Static_assert(GPIO_IOC_CHIP_INFO == 0x8044b401u, "GPIO_GET_CHIPINFO_IOCTL");
_Static_assert(GPIO_IOC_LINE_INFO == 0xc100b405u, "GPIO_V2_GET_LINEINFO_IOCTL");
_Static_assert(GPIO_IOC_WATCH_LINE_INFO == 0xc100b406u,
               "GPIO_V2_GET_LINEINFO_WATCH_IOCTL");
_Static_assert(GPIO_IOC_UNWATCH_LINE_INFO == 0xc004b40cu,
               "GPIO_GET_LINEINFO_UNWATCH_IOCTL");
_Static_assert(GPIO_IOC_GET_LINE == 0xc250b407u, "GPIO_V2_GET_LINE_IOCTL");
_Static_assert(GPIO_IOC_SET_CONFIG == 0xc110b40du, "GPIO_V2_LINE_SET_CONFIG_IOCTL");
_Static_assert(GPIO_IOC_GET_VALUES == 0xc010b40eu, "GPIO_V2_LINE_GET_VALUES_IOCTL");
_Static_assert(GPIO_IOC_SET_VALUES == 0xc010b40fu, "GPIO_V2_LINE_SET_VALUES_IOCTL");

#endif
