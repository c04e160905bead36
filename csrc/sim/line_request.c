/* A request of simulated lines behind dev/line.h: what the kernel's descriptor does.
 *
 * Rules and errors are those of gpiolib-cdev.c; time stamps are kept in own time
 * and given out on the clock of the moment.
 */
#include "sim/line_impl.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/block.h"
#include "base/clock.h"
#include "base/list.h"
#include "base/wake.h"
#include "dev/line_rules.h"

static int
output_level(const struct line_settings *s, bool value)
{
    int level = value != (s->active_low != 0) ? LINE_HIGH : LINE_LOW;
    if ((s->drive == LINE_OPEN_DRAIN && level == LINE_HIGH) ||
        (s->drive == LINE_OPEN_SOURCE && level == LINE_LOW)) {
        return LINE_UNDRIVEN;
    }
    return level;
}

static void
configure_line_locked(struct sim_request *request, unsigned index,
                      const struct line_settings *settings, int64_t now)
{
    struct request_line *mine = &request->lines[index];
    struct sim_line *line = &request->bank->lines[mine->offset];
    mine->settings = *settings;
    mine->settings.active_low = settings->active_low != 0;
    mine->debounce_at = NS_NEVER;
    if (settings->bias != LINE_BIAS_AS_IS) {
        line->pull = settings->bias;
    }
    line->output = settings->direction == LINE_OUTPUT
                       ? output_level(settings, settings->output_value != 0)
                       : LINE_UNDRIVEN;
    /* What this very call does to the line is no edge for its own request. */
    line->request = NULL;
    bank_settle_line_locked(request->bank, mine->offset, now);
    line->request = request;
    mine->level = line->level;
    if (request->bank->clock == NULL) {
        view_begin(&mine->view, mine->level);
    }
    else {
        mine->view.is_read = false;
    }
}

/* Operations of line.h. */

/* What is to be added to a time of the bank's clock. */
static int64_t
since_epoch(struct line_bank *bank)
{
    struct timespec wall;
    clock_gettime(CLOCK_REALTIME, &wall);
    return (int64_t)wall.tv_sec * NS_PER_S + wall.tv_nsec - clock_now(bank->clock);
}

/* No lock is needed for that. */
static bool
nothing_to_read(struct sim_request *request)
{
    struct line_bank *bank = request->bank;
    return atomic_load(&request->count) == 0 && !atomic_load(&bank->debouncing) &&
           !atomic_load(&bank->gone);
}

static int
request_read_events(void *self, struct line_event *buf, int n)
{
    struct sim_request *request = self;
    struct line_bank *bank = request->bank;
    if (n <= 0) {
        return -EINVAL;
    }
    if (nothing_to_read(request)) {
        return -EAGAIN;
    }
    int result = 0;
    (void)bank_enter(bank);
    if (bank->gone) {
        result = -ENODEV;
    }
    else if (request->count == 0) {
        result = -EAGAIN;
    }
    else {
        while (result < n && request->count > 0) {
            struct line_event event = request->ring[request->first];
            event.timestamp_ns -= bank->offset;
            if (request->num_lines == 1) {
                event.seqno = event.line_seqno;
            }
            for (unsigned i = 0; i < request->num_lines; i++) {
                if (request->lines[i].offset == event.offset &&
                    request->lines[i].settings.event_clock == LINE_REALTIME) {
                    event.timestamp_ns += since_epoch(bank);
                }
            }
            buf[result++] = event;
            request->first = (request->first + 1) % request->capacity;
            request->count--;
        }
        if (request->count == 0) {
            (void)wake_drain(request->fd);
        }
    }
    bank_leave(bank);
    return result;
}

/* In real time, of an input: what the calling thread is shown. */
static int
polled_level_locked(struct line_bank *bank, struct request_line *mine,
                    const struct line_reader *began, int64_t now)
{
    struct line_backlog backlog = {.first = NS_NEVER};
    struct line_view *view = &mine->view;
    bool is_late = view->count > 0;
    for (struct sim_request *r = bank->requests; is_late && r != NULL; r = r->next) {
        for (unsigned i = 0; i < r->num_lines; i++) {
            view_add_other(view, &r->lines[i].view, began, &backlog);
        }
    }
    int level = view_read(view, began, &backlog, mine->level, now);
    bool has_slept = view->reader.sleeps != began->sleeps;
    for (struct sim_request *r = bank->requests; (is_late || has_slept) && r != NULL;
         r = r->next) {
        for (unsigned i = 0; i < r->num_lines; i++) {
            view_keep_pace(&r->lines[i].view, view, began, &backlog);
        }
    }
    return level;
}

/* Physical; `began` NULL: on a virtual clock. */
static int
seen_level_locked(struct sim_request *request, unsigned index,
                  const struct line_reader *began, int64_t now)
{
    struct request_line *mine = &request->lines[index];
    bool is_output = mine->settings.direction == LINE_OUTPUT;
    if (began == NULL || is_output) {
        return mine->level;
    }
    return polled_level_locked(request->bank, mine, began, now);
}

static int
request_get(void *self, uint64_t mask, uint64_t *bits)
{
    struct sim_request *request = self;
    struct line_bank *bank = request->bank;
    int result = 0;
    mask &= line_mask(request->num_lines);
    bool is_real = bank->clock == NULL;
    struct line_reader began = {0};
    if (is_real) {
        began = line_reader_now(); /* before it sleeps for a lock */
        bank_look(bank);
    }
    int64_t now = bank_enter(bank);
    if (bank->gone) {
        result = -ENODEV;
    }
    else if (mask == 0) {
        result = -EINVAL;
    }
    else {
        *bits = 0;
        for (unsigned i = 0; i < request->num_lines; i++) {
            if (mask >> i & 1) {
                int level = seen_level_locked(request, i, is_real ? &began : NULL, now);
                uint64_t value =
                    (uint64_t)(level ^ request->lines[i].settings.active_low);
                *bits |= value << i;
            }
        }
    }
    bank_leave(bank);
    return result;
}

static int
request_set(void *self, uint64_t mask, uint64_t bits)
{
    struct sim_request *request = self;
    struct line_bank *bank = request->bank;
    int result = 0;
    mask &= line_mask(request->num_lines);
    int64_t now = bank_enter(bank);
    if (bank->gone) {
        result = -ENODEV;
    }
    else if (mask == 0) {
        result = -EINVAL;
    }
    for (unsigned i = 0; result == 0 && i < request->num_lines; i++) {
        if ((mask >> i & 1) && request->lines[i].settings.direction != LINE_OUTPUT) {
            result = -EPERM;
        }
    }
    for (unsigned i = 0; result == 0 && i < request->num_lines; i++) {
        struct request_line *mine = &request->lines[i];
        if (mask >> i & 1) {
            bank->lines[mine->offset].output =
                output_level(&mine->settings, bits >> i & 1);
            bank_settle_line_locked(bank, mine->offset, now);
        }
    }
    bank_leave(bank);
    return result;
}

static int
request_config(void *self, const struct line_settings *settings)
{
    struct sim_request *request = self;
    struct line_bank *bank = request->bank;
    for (unsigned i = 0; i < request->num_lines; i++) {
        int err = line_settings_check(&settings[i]);
        if (err < 0) {
            return err;
        }
    }
    int64_t now = bank_enter(bank);
    int result = bank->gone ? -ENODEV : 0;
    for (unsigned i = 0; result == 0 && i < request->num_lines; i++) {
        /* As it is: the kernel leaves such a line alone (since 6.10). */
        if (settings[i].direction != LINE_AS_IS) {
            configure_line_locked(request, i, &settings[i], now);
            bank_note_info_locked(bank, request->lines[i].offset, GPIO_INFO_CONFIG,
                                  now);
        }
    }
    bank_leave(bank);
    return result;
}

int
bank_set_output(struct line_bank *bank, unsigned offset, bool value, int64_t when)
{
    pthread_mutex_lock(&bank->lock);
    struct sim_line *line = &bank->lines[offset];
    const struct request_line *mine =
        line->request != NULL ? &line->request->lines[line->index] : NULL;
    int err = 0;
    if (bank->gone) {
        err = -ENODEV;
    }
    else if (mine == NULL || mine->settings.direction != LINE_OUTPUT) {
        err = -EPERM;
    }
    else {
        line->output = output_level(&mine->settings, value);
        bank_settle_line_locked(bank, offset, when);
    }
    bank_leave(bank);
    return err;
}

/* The clock is the bank's owner's to choose: see world_line.c. */
static int
request_use_clock(void *self, struct vclock **clock)
{
    (void)self;
    (void)clock;
    return -EXDEV;
}

static void
request_free(struct sim_request *request)
{
    wake_close(&request->fd);
    free(request->ring);
    free(request);
}

static void
request_in_child(void *self)
{
    struct sim_request *request = self;
    wake_close(&request->fd);
}

static void
request_close(void *self)
{
    struct sim_request *request = self;
    struct line_bank *bank = request->bank;
    int64_t now = bank_enter(bank);
    LIST_REMOVE(bank->requests, request);
    for (unsigned i = 0; i < request->num_lines; i++) {
        struct sim_line *line = &bank->lines[request->lines[i].offset];
        line->request = NULL;
        line->output = LINE_UNDRIVEN;
        bank_settle_line_locked(bank, request->lines[i].offset, now);
        bank_note_info_locked(bank, request->lines[i].offset, GPIO_INFO_RELEASED, now);
    }
    bank_leave(bank);
    request_free(request);
}

static const struct line_ops request_ops = {
    .read_events = request_read_events,
    .get = request_get,
    .set = request_set,
    .config = request_config,
    .use_clock = request_use_clock,
    .close = request_close,
    .in_child = request_in_child,
};

static int
check_request(struct line_bank *bank, const uint32_t *offsets, unsigned n,
              const struct line_settings *settings)
{
    if (n == 0 || n > LINES_MAX) {
        return -EINVAL;
    }
    for (unsigned i = 0; i < n; i++) {
        if (offsets[i] >= bank->num_lines) {
            return -EINVAL;
        }
        int err = line_settings_check(&settings[i]);
        if (err < 0) {
            return err;
        }
    }
    return 0;
}

/* Give the lines to the request, or none of them. */
static int
claim_lines_locked(struct line_bank *bank, struct sim_request *request, int64_t now)
{
    if (bank->gone) {
        return -ENODEV;
    }
    for (unsigned i = 0; i < request->num_lines; i++) {
        struct sim_line *line = &bank->lines[request->lines[i].offset];
        if (line->request != NULL) {
            while (i-- > 0) {
                bank->lines[request->lines[i].offset].request = NULL;
            }
            return -EBUSY;
        }
        line->request = request;
        line->index = i;
    }
    for (unsigned i = 0; i < request->num_lines; i++) {
        struct sim_line *line = &bank->lines[request->lines[i].offset];
        if (line->first_requested == NS_NEVER) {
            line->first_requested = now;
        }
        struct line_settings settings = request->lines[i].settings;
        configure_line_locked(request, i, &settings, now);
        bank_note_info_locked(bank, request->lines[i].offset, GPIO_INFO_REQUESTED, now);
    }
    request->next = bank->requests;
    bank->requests = request;
    return 0;
}

/* As linereq_create() and kfifo_alloc() have it. */
static unsigned
buffer_capacity(uint32_t event_buffer_size, unsigned n)
{
    const uint32_t most = LINES_MAX * LINE_EVENTS_PER_LINE;
    uint32_t wanted =
        event_buffer_size != 0 ? event_buffer_size : LINE_EVENTS_PER_LINE * n;
    unsigned capacity = 2;
    while (capacity < wanted && capacity < most) {
        capacity *= 2;
    }
    return capacity;
}

int
bank_request(struct line_bank *bank, const uint32_t *offsets, unsigned n,
             const struct line_settings *settings, const char *consumer,
             uint32_t event_buffer_size, struct line_request *out)
{
    int err = check_request(bank, offsets, n, settings);
    if (err < 0) {
        return err;
    }
    struct sim_request *request =
        calloc(1, sizeof *request + n * sizeof request->lines[0]);
    if (request == NULL) {
        return -ENOMEM;
    }
    request->bank = bank;
    request->num_lines = n;
    request->capacity = buffer_capacity(event_buffer_size, n);
    request->ring = calloc(request->capacity, sizeof *request->ring);
    request->fd = wake_open();
    if (request->ring == NULL || request->fd < 0) {
        err = request->fd < 0 ? request->fd : -ENOMEM;
        request_free(request);
        return err;
    }
    strncpy(request->consumer, consumer, LINE_CONSUMER_MAX - 1);
    for (unsigned i = 0; i < n; i++) {
        request->lines[i].offset = offsets[i];
        request->lines[i].settings = settings[i];
        request->lines[i].debounce_at = NS_NEVER;
    }
    int64_t now = bank_enter(bank);
    err = claim_lines_locked(bank, request, now);
    bank_leave(bank);
    if (err < 0) {
        request_free(request);
        return err;
    }
    *out = (struct line_request){
        .ops = &request_ops, .self = request, .fd = request->fd, .num_lines = n};
    memcpy(out->offsets, offsets, n * sizeof *offsets);
    return 0;
}
