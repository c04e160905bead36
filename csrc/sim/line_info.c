/* What is known of simulated lines, and who hears of its changes; see line_sim.h.
 *
 * The rules are those of gpiolib-cdev.c: whoever watches a line hears of its being
 * requested, released and set up anew, has room for 32 events, and loses the newest
 * when that is full.
 */
#include "sim/line_impl.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/list.h"
#include "base/wake.h"
#include "dev/gpio_flags.h"

static void
fill_info_locked(const struct line_bank *bank, uint32_t offset,
                 struct gpio_line_info *info)
{
    const struct sim_line *line = &bank->lines[offset];
    memset(info, 0, sizeof *info);
    info->offset = offset;
    memcpy(info->name, line->name, sizeof info->name);
    info->flags = GPIO_FLAG_INPUT;
    if (line->request == NULL) {
        return;
    }
    const struct line_settings *settings = &line->request->lines[line->index].settings;
    memcpy(info->consumer, line->request->consumer, sizeof info->consumer);
    uint64_t as_is = settings->direction == LINE_AS_IS ? GPIO_FLAG_INPUT : 0;
    info->flags = GPIO_FLAG_USED | gpio_flags_of(settings) | as_is;
    if (settings->debounce_us != 0) {
        info->num_attrs = 1;
        info->attrs[0].id = GPIO_ATTR_DEBOUNCE;
        info->attrs[0].debounce_period_us = settings->debounce_us;
    }
}

void
bank_note_info_locked(struct line_bank *bank, unsigned offset,
                      enum gpio_info_event_type type, int64_t now)
{
    for (struct info_watch *watch = bank->watches; watch != NULL; watch = watch->next) {
        if (!watch->watched[offset] || watch->count == INFO_EVENTS) {
            continue;
        }
        unsigned at = (watch->first + watch->count) % INFO_EVENTS;
        struct gpio_info_event *event = &watch->events[at];
        memset(event, 0, sizeof *event);
        fill_info_locked(bank, offset, &event->info);
        event->timestamp_ns = (uint64_t)now;
        event->type = type;
        if (watch->count++ == 0) {
            (void)wake_up(watch->fd); /* it is open */
        }
    }
}

int
bank_open_watch(struct line_bank *bank, struct info_watch *watch)
{
    memset(watch, 0, sizeof *watch);
    watch->watched = calloc(bank->num_lines, sizeof *watch->watched);
    watch->events = calloc(INFO_EVENTS, sizeof *watch->events);
    watch->fd = wake_open();
    if (watch->watched == NULL || watch->events == NULL || watch->fd < 0) {
        int err = watch->fd < 0 ? watch->fd : -ENOMEM;
        bank_close_watch(bank, watch);
        return err;
    }
    int err = 0;
    pthread_mutex_lock(&bank->lock);
    if (bank->gone) {
        err = -ENODEV;
    }
    else {
        watch->next = bank->watches;
        bank->watches = watch;
    }
    pthread_mutex_unlock(&bank->lock);
    if (err < 0) {
        bank_close_watch(bank, watch);
    }
    return err;
}

void
bank_close_watch(struct line_bank *bank, struct info_watch *watch)
{
    pthread_mutex_lock(&bank->lock);
    LIST_REMOVE(bank->watches, watch);
    pthread_mutex_unlock(&bank->lock);
    wake_close(&watch->fd);
    free(watch->watched);
    free(watch->events);
}

int
bank_line_info(struct line_bank *bank, uint32_t offset, struct info_watch *watch,
               struct gpio_line_info *info)
{
    int err = 0;
    memset(info, 0, sizeof *info);
    pthread_mutex_lock(&bank->lock);
    if (bank->gone) {
        err = -ENODEV;
    }
    else if (offset >= bank->num_lines) {
        err = -EINVAL;
    }
    else if (watch != NULL && watch->watched[offset]) {
        err = -EBUSY;
    }
    else {
        fill_info_locked(bank, offset, info);
        if (watch != NULL) {
            watch->watched[offset] = true;
        }
    }
    pthread_mutex_unlock(&bank->lock);
    return err;
}

int
bank_unwatch(struct line_bank *bank, struct info_watch *watch, uint32_t offset)
{
    int err = 0;
    pthread_mutex_lock(&bank->lock);
    if (bank->gone) {
        err = -ENODEV;
    }
    else if (offset >= bank->num_lines) {
        err = -EINVAL;
    }
    else if (!watch->watched[offset]) {
        err = -EBUSY;
    }
    else {
        watch->watched[offset] = false;
    }
    pthread_mutex_unlock(&bank->lock);
    return err;
}

int
bank_read_info(struct line_bank *bank, struct info_watch *watch,
               struct gpio_info_event *event)
{
    int err = 0;
    pthread_mutex_lock(&bank->lock);
    if (bank->gone) {
        err = -ENODEV;
    }
    else if (watch->count == 0) {
        err = -EAGAIN;
    }
    else {
        *event = watch->events[watch->first];
        event->timestamp_ns -= (uint64_t)bank->offset;
        watch->first = (watch->first + 1) % INFO_EVENTS;
        if (--watch->count == 0) {
            (void)wake_drain(watch->fd);
        }
    }
    pthread_mutex_unlock(&bank->lock);
    return err;
}
