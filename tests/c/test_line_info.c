/* What a simulated chip tells of its lines (sim/line_info.c), by the table that the
 * kernel's fills, too: gpiolib-cdev.c has the rules. */
#include "sim/world.h"

#include <errno.h>
#include <poll.h>

#include "check.h"

#define BUTTON 17
#define LAMP 27
#define LINES 54

static const struct line_settings button_settings = {.direction = LINE_INPUT,
                                                     .edge = LINE_EDGE_FALLING,
                                                     .bias = LINE_PULL_UP,
                                                     .debounce_us = 5000,
                                                     .active_low = 1};
static const struct line_settings lamp_settings = {.direction = LINE_OUTPUT,
                                                   .drive = LINE_OPEN_DRAIN};

static bool
is_readable(const struct line_chip *chip)
{
    struct pollfd p = {.fd = chip->fd, .events = POLLIN};
    return poll(&p, 1, 0) == 1;
}

static struct line_request *
request_line(struct world *world, uint32_t offset, const struct line_settings *settings)
{
    struct line_request *request = NULL;
    struct line_conflict conflict;
    CHECK_EQ(world_request_lines(world, &offset, 1, settings, "bell", 0, &request,
                                 &conflict),
             0);
    return request;
}

static int
look(struct line_chip *chip, uint32_t offset, bool watch, struct gpio_line_info *info)
{
    return chip->ops->line_info(chip->self, offset, watch, info);
}

static void
test_what_a_line_is(void)
{
    struct world world;
    struct line_chip *chip = NULL;
    struct gpio_line_info info;
    REQUIRE(world_init(&world, LINES, NULL, NULL) == 0);
    REQUIRE(world_open_gpiochip(&world, "pinctrl-test", &chip) == 0);
    CHECK_EQ(chip->num_lines, LINES);
    CHECK(strcmp(chip->label, "pinctrl-test") == 0);
    bank_name_line(&world.lines, BUTTON, "BELL");
    CHECK_EQ(look(chip, BUTTON, false, &info), 0);
    CHECK_EQ(info.offset, BUTTON);
    CHECK_EQ(info.flags, GPIO_FLAG_INPUT);
    CHECK(strcmp(info.name, "BELL") == 0 && info.consumer[0] == '\0');
    struct line_request *button = request_line(&world, BUTTON, &button_settings);
    struct line_request *lamp = request_line(&world, LAMP, &lamp_settings);
    CHECK_EQ(look(chip, BUTTON, false, &info), 0);
    CHECK_EQ(info.flags, GPIO_FLAG_USED | GPIO_FLAG_INPUT | GPIO_FLAG_EDGE_FALLING |
                             GPIO_FLAG_PULL_UP | GPIO_FLAG_ACTIVE_LOW);
    CHECK_EQ(info.num_attrs, 1);
    CHECK_EQ(info.attrs[0].id, GPIO_ATTR_DEBOUNCE);
    CHECK_EQ(info.attrs[0].debounce_period_us, 5000);
    CHECK(strcmp(info.consumer, "bell") == 0);
    CHECK_EQ(look(chip, LAMP, false, &info), 0);
    CHECK_EQ(info.flags, GPIO_FLAG_USED | GPIO_FLAG_OUTPUT | GPIO_FLAG_OPEN_DRAIN);
    CHECK_EQ(info.num_attrs, 0);
    for (uint32_t offset = LINES; offset != 0;
         offset = offset == LINES ? UINT32_MAX : 0) {
        CHECK_EQ(look(chip, offset, false, &info), -EINVAL);
        CHECK_EQ(look(chip, offset, true, &info), -EINVAL);
        CHECK_EQ(chip->ops->unwatch(chip->self, offset), -EINVAL);
    }
    line_close(button);
    line_close(lamp);
    chip->ops->close(chip->self);
    world_close(&world);
    world_destroy(&world);
}

static void
test_who_hears_of_changes(void)
{
    static const enum gpio_info_event_type types[] = {
        GPIO_INFO_REQUESTED, GPIO_INFO_CONFIG, GPIO_INFO_RELEASED};
    struct world world;
    struct line_chip *chip = NULL, *other = NULL;
    struct gpio_line_info info;
    struct gpio_info_event event;
    REQUIRE(world_init(&world, LINES, NULL, NULL) == 0);
    REQUIRE(world_open_gpiochip(&world, "pinctrl-test", &chip) == 0);
    REQUIRE(world_open_gpiochip(&world, "pinctrl-test", &other) == 0);
    CHECK_EQ(chip->ops->unwatch(chip->self, BUTTON), -EBUSY);
    CHECK_EQ(look(chip, BUTTON, true, &info), 0);
    CHECK_EQ(look(chip, BUTTON, true, &info), -EBUSY);
    CHECK_EQ(look(other, LAMP, true, &info), 0); /* each watches for itself */
    CHECK_EQ(chip->ops->read_event(chip->self, &event), -EAGAIN);
    struct line_request *button = request_line(&world, BUTTON, &button_settings);
    CHECK_EQ(line_config(button, &lamp_settings), 0);
    line_close(button);
    CHECK(is_readable(chip) && !is_readable(other));
    uint64_t last = 0;
    for (int i = 0; i < 3; i++) {
        CHECK_EQ(chip->ops->read_event(chip->self, &event), 0);
        CHECK_EQ(event.type, types[i]);
        CHECK_EQ(event.info.offset, BUTTON);
        CHECK_EQ((event.info.flags & GPIO_FLAG_USED) != 0, i < 2);
        CHECK_EQ((event.info.flags & GPIO_FLAG_OUTPUT) != 0, i == 1);
        CHECK(event.timestamp_ns >= last);
        last = event.timestamp_ns;
    }
    CHECK(!is_readable(chip));
    CHECK_EQ(chip->ops->unwatch(chip->self, BUTTON), 0);
    line_close(request_line(&world, BUTTON, &button_settings));
    CHECK(!is_readable(chip));
    chip->ops->close(chip->self);
    line_close(request_line(&world, LAMP, &lamp_settings));
    CHECK(is_readable(other));
    other->ops->close(other->self); /* with events that nobody has read */
    world_close(&world);
    world_destroy(&world);
}

/* Room for 32; the newest is lost, and there is room again when one is read. */
static void
test_more_changes_than_there_is_room_for(void)
{
    struct world world;
    struct line_chip *chip = NULL;
    struct gpio_line_info info;
    struct gpio_info_event event;
    REQUIRE(world_init(&world, LINES, NULL, NULL) == 0);
    REQUIRE(world_open_gpiochip(&world, "pinctrl-test", &chip) == 0);
    CHECK_EQ(look(chip, BUTTON, true, &info), 0);
    for (int i = 0; i < INFO_EVENTS; i++) {
        line_close(request_line(&world, BUTTON, &button_settings));
    }
    CHECK_EQ(chip->ops->read_event(chip->self, &event), 0);
    CHECK_EQ(event.type, GPIO_INFO_REQUESTED);
    CHECK_EQ(look(chip, LAMP, true, &info), 0);
    line_close(request_line(&world, LAMP, &lamp_settings));
    int count = 0;
    while (chip->ops->read_event(chip->self, &event) == 0) {
        count++;
    }
    CHECK_EQ(count, INFO_EVENTS);
    CHECK_EQ(event.info.offset, LAMP);
    CHECK_EQ(event.type, GPIO_INFO_REQUESTED); /* its release found no room */
    CHECK(!is_readable(chip));
    chip->ops->close(chip->self);
    world_close(&world);
    world_destroy(&world);
}

static void
test_a_chip_that_is_unplugged(void)
{
    struct world world;
    struct line_chip *chip = NULL, *late = NULL;
    struct gpio_line_info info;
    struct gpio_info_event event;
    REQUIRE(world_init(&world, LINES, NULL, NULL) == 0);
    REQUIRE(world_open_gpiochip(&world, "pinctrl-test", &chip) == 0);
    CHECK_EQ(look(chip, BUTTON, true, &info), 0);
    line_close(request_line(&world, BUTTON, &button_settings));
    world_close(&world);
    CHECK(is_readable(chip));
    CHECK_EQ(chip->ops->read_event(chip->self, &event), -ENODEV);
    CHECK_EQ(look(chip, BUTTON, false, &info), -ENODEV);
    CHECK_EQ(look(chip, BUTTON, true, &info), -ENODEV);
    CHECK_EQ(chip->ops->unwatch(chip->self, BUTTON), -ENODEV);
    CHECK(is_readable(chip));
    CHECK_EQ(world_open_gpiochip(&world, "pinctrl-test", &late), -ENODEV);
    chip->ops->close(chip->self);
    world_destroy(&world);
}

int
main(void)
{
    RUN(test_what_a_line_is);
    RUN(test_who_hears_of_changes);
    RUN(test_more_changes_than_there_is_room_for);
    RUN(test_a_chip_that_is_unplugged);
    return check_done();
}
