/* Simulated GPIO lines; see line_sim.h.
 *
 * Everything that changes a line ends in settle_line_locked(): it resolves who
 * wins, tells the sinks, and starts the debounce or queues the event.
 */
#include "sim/line_sim.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

#include "base/block.h"
#include "base/clock.h"

struct request_line {
    struct line_settings settings;
    uint32_t offset;
    uint32_t seqno;      /* of the line */
    int level;           /* physical, after the debounce */
    int64_t debounce_at; /* own time, or NS_NEVER */
};

struct sim_request {
    struct sim_request *next; /* in the bank */
    struct line_bank *bank;
    int fd;                  /* eventfd, readable while count > 0 or bank->gone */
    struct line_event *ring; /* own time stamps; capacity events */
    unsigned first;
    unsigned count;
    unsigned capacity;
    uint32_t seqno;
    char consumer[LINE_CONSUMER_MAX];
    unsigned num_lines;
    struct request_line lines[];
};

static int64_t
now_locked(struct line_bank *bank)
{
    return clock_now(bank->clock) + bank->offset;
}

/* The eventfd's counter is 0 or 1, so neither call can block or overflow. */
static void
mark_readable(int fd)
{
    const uint64_t one = 1;
    while (write(fd, &one, sizeof one) < 0 && errno == EINTR) {
    }
}

static void
mark_drained(int fd)
{
    uint64_t count;
    while (read(fd, &count, sizeof count) < 0 && errno == EINTR) {
    }
}

static void
queue_event_locked(struct sim_request *request, unsigned index, int level, int64_t when)
{
    struct request_line *line = &request->lines[index];
    const struct line_settings *settings = &line->settings;
    bool rising = (level ^ settings->active_low) != 0;
    if (!(settings->edge & (rising ? LINE_EDGE_RISING : LINE_EDGE_FALLING))) {
        return;
    }
    struct line_bank *bank = request->bank;
    bank->last = when > bank->last ? when : bank->last;
    line->seqno++;
    request->seqno++;
    if (request->count == request->capacity) {
        request->first = (request->first + 1) % request->capacity;
        request->count--;
    }
    unsigned at = (request->first + request->count) % request->capacity;
    request->ring[at] = (struct line_event){
        .timestamp_ns = bank->last,
        .id = rising ? LINE_RISING_EDGE : LINE_FALLING_EDGE,
        .offset = line->offset,
        .seqno = request->seqno,
        .line_seqno = line->seqno,
    };
    if (request->count++ == 0) {
        mark_readable(request->fd);
    }
}

/* LINE_UNDRIVEN when nothing but a pull is on the line. */
static int
resolve_drivers(const struct sim_line *line)
{
    if (line->driven != LINE_UNDRIVEN) {
        return line->driven;
    }
    int level = line->output;
    for (const struct line_source *s = line->sources; s != NULL; s = s->next) {
        if (level == LINE_UNDRIVEN || s->level == LINE_LOW) {
            level = s->level;
        }
        if (level == LINE_LOW) {
            break;
        }
    }
    return level;
}

/* What a line is at that nobody drives. */
static int
resting_level(const struct sim_line *line)
{
    if (line->sinks != NULL) {
        return LINE_HIGH; /* the module's pull-up, stronger than the Pi's pulls */
    }
    switch (line->pull) {
        case LINE_PULL_UP:
            return LINE_HIGH;
        case LINE_PULL_DOWN:
            return LINE_LOW;
        default:
            /* It floats: it keeps its level, as its capacitance does for a while. */
            return line->level;
    }
}

static void
settle_line_locked(struct line_bank *bank, unsigned offset, int64_t when)
{
    struct sim_line *line = &bank->lines[offset];
    int level = resolve_drivers(line);
    if (level == LINE_UNDRIVEN) {
        level = resting_level(line);
    }
    for (struct line_sink *sink = line->sinks; sink != NULL; sink = sink->next) {
        if (level != sink->level) {
            sink->level = level;
            sink->changed_at = when;
            sink->pulsed = sink->pulsed || level == sink->seen;
            bank->stirred = true;
        }
    }
    if (level == line->level) {
        return;
    }
    line->level = level;
    struct sim_request *request = line->request;
    if (request == NULL) {
        return;
    }
    struct request_line *mine = &request->lines[line->index];
    if (mine->settings.debounce_us != 0) {
        mine->debounce_at = when + (int64_t)mine->settings.debounce_us * NS_PER_US;
        bank->stirred = true;
    }
    else {
        mine->level = level;
        queue_event_locked(request, line->index, level, when);
    }
}

/* The debounce period of a line is over: gpiolib-cdev.c, debounce_work_func(). */
static void
end_debounce_locked(struct sim_request *request, unsigned index)
{
    struct request_line *line = &request->lines[index];
    int64_t when = line->debounce_at;
    int level = request->bank->lines[line->offset].level;
    line->debounce_at = NS_NEVER;
    if (level != line->level) {
        line->level = level;
        queue_event_locked(request, index, level, when);
    }
}

static int64_t
next_due_locked(struct line_bank *bank, struct sim_request **whose, unsigned *index)
{
    int64_t due = NS_NEVER;
    for (struct sim_request *r = bank->requests; r != NULL; r = r->next) {
        for (unsigned i = 0; i < r->num_lines; i++) {
            if (r->lines[i].debounce_at < due) {
                due = r->lines[i].debounce_at;
                *whose = r;
                *index = i;
            }
        }
    }
    return due;
}

static void
advance_locked(struct line_bank *bank, int64_t now)
{
    struct sim_request *request = NULL;
    unsigned index = 0;
    while (next_due_locked(bank, &request, &index) <= now) {
        end_debounce_locked(request, index);
    }
}

/* Lock, and bring the lines up to now.  Returns now, in own time. */
static int64_t
enter(struct line_bank *bank)
{
    pthread_mutex_lock(&bank->lock);
    int64_t now = now_locked(bank);
    advance_locked(bank, now);
    return now;
}

static void
leave(struct line_bank *bank)
{
    bool stirred = bank->stirred;
    bank->stirred = false;
    pthread_mutex_unlock(&bank->lock);
    if (stirred && bank->stir != NULL) {
        bank->stir(bank->owner);
    }
}

/* The flag rules of gpio_v2_line_config_flags_validate(). */
static int
check_settings(const struct line_settings *s)
{
    bool input = s->direction == LINE_INPUT;
    bool output = s->direction == LINE_OUTPUT;
    if ((s->edge != LINE_EDGE_NONE || s->debounce_us != 0) && !input) {
        return -EINVAL;
    }
    if ((s->drive != LINE_PUSH_PULL && !output) ||
        (s->bias != LINE_BIAS_AS_IS && !input && !output)) {
        return -EINVAL;
    }
    return s->event_clock == LINE_HTE ? -EOPNOTSUPP : 0;
}

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
    settle_line_locked(request->bank, mine->offset, now);
    line->request = request;
    mine->level = line->level;
}

/* Operations of line.h. */

static int
request_read_events(void *self, struct line_event *buf, int n)
{
    struct sim_request *request = self;
    struct line_bank *bank = request->bank;
    if (n <= 0) {
        return -EINVAL;
    }
    int result = 0;
    (void)enter(bank);
    if (bank->gone) {
        result = -ENODEV;
    }
    else if (request->count == 0) {
        result = -EAGAIN;
    }
    else {
        struct timespec wall;
        clock_gettime(CLOCK_REALTIME, &wall);
        int64_t epoch =
            (int64_t)wall.tv_sec * NS_PER_S + wall.tv_nsec - clock_now(bank->clock);
        while (result < n && request->count > 0) {
            struct line_event event = request->ring[request->first];
            event.timestamp_ns -= bank->offset;
            if (request->num_lines == 1) {
                event.seqno = event.line_seqno;
            }
            for (unsigned i = 0; i < request->num_lines; i++) {
                if (request->lines[i].offset == event.offset &&
                    request->lines[i].settings.event_clock == LINE_REALTIME) {
                    event.timestamp_ns += epoch;
                }
            }
            buf[result++] = event;
            request->first = (request->first + 1) % request->capacity;
            request->count--;
        }
        if (request->count == 0) {
            mark_drained(request->fd);
        }
    }
    leave(bank);
    return result;
}

static uint64_t
all_lines(const struct sim_request *request)
{
    return request->num_lines == 64 ? UINT64_MAX
                                    : (UINT64_C(1) << request->num_lines) - 1;
}

static int
request_get(void *self, uint64_t mask, uint64_t *bits)
{
    struct sim_request *request = self;
    struct line_bank *bank = request->bank;
    int result = 0;
    mask &= all_lines(request);
    (void)enter(bank);
    if (bank->gone) {
        result = -ENODEV;
    }
    else if (mask == 0) {
        result = -EINVAL;
    }
    else {
        *bits = 0;
        for (unsigned i = 0; i < request->num_lines; i++) {
            const struct request_line *mine = &request->lines[i];
            int level = mine->settings.debounce_us != 0
                            ? mine->level
                            : bank->lines[mine->offset].level;
            if ((mask >> i & 1) && (level ^ mine->settings.active_low)) {
                *bits |= UINT64_C(1) << i;
            }
        }
    }
    leave(bank);
    return result;
}

static int
request_set(void *self, uint64_t mask, uint64_t bits)
{
    struct sim_request *request = self;
    struct line_bank *bank = request->bank;
    int result = 0;
    mask &= all_lines(request);
    int64_t now = enter(bank);
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
            settle_line_locked(bank, mine->offset, now);
        }
    }
    leave(bank);
    return result;
}

static int
request_config(void *self, const struct line_settings *settings)
{
    struct sim_request *request = self;
    struct line_bank *bank = request->bank;
    for (unsigned i = 0; i < request->num_lines; i++) {
        int err = check_settings(&settings[i]);
        if (err < 0) {
            return err;
        }
    }
    int64_t now = enter(bank);
    int result = bank->gone ? -ENODEV : 0;
    for (unsigned i = 0; result == 0 && i < request->num_lines; i++) {
        /* As it is: the kernel leaves such a line alone (since 6.10). */
        if (settings[i].direction != LINE_AS_IS) {
            configure_line_locked(request, i, &settings[i], now);
        }
    }
    leave(bank);
    return result;
}

static int
request_use_clock(void *self, struct vclock *clock)
{
    struct line_bank *bank = ((struct sim_request *)self)->bank;
    return bank->use_clock != NULL ? bank->use_clock(bank->owner, clock) : -EXDEV;
}

static void
request_free(struct sim_request *request)
{
    if (request->fd >= 0) {
        close(request->fd);
    }
    free(request->ring);
    free(request);
}

static void
request_close(void *self)
{
    struct sim_request *request = self;
    struct line_bank *bank = request->bank;
    int64_t now = enter(bank);
    for (struct sim_request **p = &bank->requests; *p != NULL; p = &(*p)->next) {
        if (*p == request) {
            *p = request->next;
            break;
        }
    }
    for (unsigned i = 0; i < request->num_lines; i++) {
        struct sim_line *line = &bank->lines[request->lines[i].offset];
        line->request = NULL;
        line->output = LINE_UNDRIVEN;
        settle_line_locked(bank, request->lines[i].offset, now);
    }
    leave(bank);
    request_free(request);
}

static const struct line_ops request_ops = {
    .read_events = request_read_events,
    .get = request_get,
    .set = request_set,
    .config = request_config,
    .use_clock = request_use_clock,
    .close = request_close,
};

/* The bank. */

int
bank_init(struct line_bank *bank, unsigned num_lines)
{
    memset(bank, 0, sizeof *bank);
    bank->lines = calloc(num_lines, sizeof *bank->lines);
    if (bank->lines == NULL) {
        return -ENOMEM;
    }
    int err = pthread_mutex_init(&bank->lock, NULL);
    if (err != 0) {
        free(bank->lines);
        bank->lines = NULL;
        return -err;
    }
    bank->num_lines = num_lines;
    bank->last = INT64_MIN;
    for (unsigned i = 0; i < num_lines; i++) {
        bank->lines[i].driven = LINE_UNDRIVEN;
        bank->lines[i].output = LINE_UNDRIVEN;
        bank->lines[i].first_requested = NS_NEVER;
        bank_pull(bank, i, LINE_PULL_DOWN);
    }
    return 0;
}

void
bank_destroy(struct line_bank *bank)
{
    if (bank->lines != NULL) {
        free(bank->lines);
        bank->lines = NULL;
        pthread_mutex_destroy(&bank->lock);
    }
}

void
bank_unplug(struct line_bank *bank)
{
    pthread_mutex_lock(&bank->lock);
    if (!bank->gone) {
        bank->gone = true;
        for (struct sim_request *r = bank->requests; r != NULL; r = r->next) {
            if (r->count == 0) {
                mark_readable(r->fd); /* the read answers -ENODEV */
            }
        }
    }
    pthread_mutex_unlock(&bank->lock);
}

int64_t
bank_now(struct line_bank *bank)
{
    pthread_mutex_lock(&bank->lock);
    int64_t now = now_locked(bank);
    pthread_mutex_unlock(&bank->lock);
    return now;
}

void
bank_set_clock(struct line_bank *bank, struct vclock *clock)
{
    pthread_mutex_lock(&bank->lock);
    int64_t own = now_locked(bank);
    bank->clock = clock;
    bank->offset = own - clock_now(clock);
    pthread_mutex_unlock(&bank->lock);
}

struct vclock *
bank_clock(struct line_bank *bank)
{
    pthread_mutex_lock(&bank->lock);
    struct vclock *clock = bank->clock;
    pthread_mutex_unlock(&bank->lock);
    return clock;
}

int64_t
bank_to_clock(struct line_bank *bank, int64_t own_ns)
{
    pthread_mutex_lock(&bank->lock);
    int64_t result = own_ns == NS_NEVER ? NS_NEVER : own_ns - bank->offset;
    pthread_mutex_unlock(&bank->lock);
    return result;
}

int64_t
bank_from_clock(struct line_bank *bank, int64_t clock_ns)
{
    pthread_mutex_lock(&bank->lock);
    int64_t result = clock_ns + bank->offset;
    pthread_mutex_unlock(&bank->lock);
    return result;
}

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
        int err = check_settings(&settings[i]);
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
    }
    request->next = bank->requests;
    bank->requests = request;
    return 0;
}

int
bank_request(struct line_bank *bank, const uint32_t *offsets, unsigned n,
             const struct line_settings *settings, const char *consumer,
             struct line_request *out)
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
    request->capacity = LINE_EVENTS_PER_LINE * n;
    request->ring = calloc(request->capacity, sizeof *request->ring);
    request->fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    if (request->ring == NULL || request->fd < 0) {
        err = request->fd < 0 ? -errno : -ENOMEM;
        request_free(request);
        return err;
    }
    strncpy(request->consumer, consumer, LINE_CONSUMER_MAX - 1);
    for (unsigned i = 0; i < n; i++) {
        request->lines[i].offset = offsets[i];
        request->lines[i].settings = settings[i];
        request->lines[i].debounce_at = NS_NEVER;
    }
    int64_t now = enter(bank);
    err = claim_lines_locked(bank, request, now);
    leave(bank);
    if (err < 0) {
        request_free(request);
        return err;
    }
    *out = (struct line_request){
        .ops = &request_ops, .self = request, .fd = request->fd, .num_lines = n};
    memcpy(out->offsets, offsets, n * sizeof *offsets);
    return 0;
}

bool
bank_consumer(struct line_bank *bank, unsigned offset, char name[LINE_CONSUMER_MAX])
{
    pthread_mutex_lock(&bank->lock);
    const struct sim_request *request = bank->lines[offset].request;
    if (request != NULL) {
        memcpy(name, request->consumer, LINE_CONSUMER_MAX);
    }
    pthread_mutex_unlock(&bank->lock);
    return request != NULL;
}

int64_t
bank_first_requested(struct line_bank *bank, unsigned offset)
{
    pthread_mutex_lock(&bank->lock);
    int64_t when = bank->lines[offset].first_requested;
    pthread_mutex_unlock(&bank->lock);
    return when;
}

void
bank_drive(struct line_bank *bank, unsigned offset, int level, int64_t when)
{
    int64_t now = enter(bank);
    bank->lines[offset].driven = level;
    settle_line_locked(bank, offset, when < now ? when : now);
    leave(bank);
}

int
bank_level(struct line_bank *bank, unsigned offset)
{
    pthread_mutex_lock(&bank->lock);
    int level = bank->lines[offset].level;
    pthread_mutex_unlock(&bank->lock);
    return level;
}

int
bank_driven(struct line_bank *bank, unsigned offset)
{
    pthread_mutex_lock(&bank->lock);
    int level = bank->lines[offset].driven;
    pthread_mutex_unlock(&bank->lock);
    return level;
}

void
bank_pull(struct line_bank *bank, unsigned offset, enum line_bias pull)
{
    int64_t now = enter(bank);
    bank->lines[offset].pull = pull;
    settle_line_locked(bank, offset, now);
    leave(bank);
}

void
bank_add_source(struct line_bank *bank, unsigned offset, struct line_source *source)
{
    int64_t now = enter(bank);
    source->next = bank->lines[offset].sources;
    bank->lines[offset].sources = source;
    settle_line_locked(bank, offset, now);
    leave(bank);
}

void
bank_set_source(struct line_bank *bank, unsigned offset, struct line_source *source,
                int level, int64_t when)
{
    int64_t now = enter(bank);
    source->level = level;
    settle_line_locked(bank, offset, when < now ? when : now);
    leave(bank);
}

void
bank_add_sink(struct line_bank *bank, unsigned offset, struct line_sink *sink)
{
    int64_t now = enter(bank);
    sink->level = LINE_HIGH;
    sink->seen = LINE_HIGH;
    sink->pulsed = false;
    sink->next = bank->lines[offset].sinks;
    bank->lines[offset].sinks = sink;
    settle_line_locked(bank, offset, now);
    leave(bank);
}

bool
bank_take_change(struct line_bank *bank, struct line_sink *sink, int *level,
                 int64_t *when)
{
    pthread_mutex_lock(&bank->lock);
    bool changed = true;
    if (sink->pulsed) {
        /* There and back: the short pulse first. */
        sink->pulsed = false;
        sink->seen = sink->level == LINE_HIGH ? LINE_LOW : LINE_HIGH;
    }
    else if (sink->level != sink->seen) {
        sink->seen = sink->level;
    }
    else {
        changed = false;
    }
    *level = sink->seen;
    *when = sink->changed_at;
    pthread_mutex_unlock(&bank->lock);
    return changed;
}

int64_t
bank_next_due(struct line_bank *bank)
{
    struct sim_request *request = NULL;
    unsigned index = 0;
    pthread_mutex_lock(&bank->lock);
    int64_t due = next_due_locked(bank, &request, &index);
    pthread_mutex_unlock(&bank->lock);
    return due;
}

void
bank_advance(struct line_bank *bank, int64_t own_ns)
{
    pthread_mutex_lock(&bank->lock);
    advance_locked(bank, own_ns);
    pthread_mutex_unlock(&bank->lock);
}
