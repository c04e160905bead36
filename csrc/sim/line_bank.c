/* Simulated GPIO lines; see line_sim.h.
 *
 * Everything that changes a line ends in bank_settle_line_locked(): it resolves who
 * wins, tells the sinks, and starts the debounce or queues the event.
 */
#include "sim/line_impl.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/block.h"
#include "base/clock.h"
#include "base/wake.h"

int64_t
bank_now_locked(struct line_bank *bank)
{
    return bank_own_time_locked(bank, clock_now(bank->clock));
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
        (void)wake_up(request->fd); /* it is open */
    }
}

static void
request_level_changed_locked(struct sim_request *request, unsigned index, int level,
                             int64_t when)
{
    struct request_line *mine = &request->lines[index];
    mine->level = level;
    if (request->bank->clock == NULL) {
        view_changed(&mine->view, when);
    }
    queue_event_locked(request, index, level, when);
}

/* LINE_UNDRIVEN when nothing but a pull is on the line, and perhaps `without`. */
static int
resolve_drivers(const struct sim_line *line, const struct line_source *without)
{
    if (line->driven != LINE_UNDRIVEN) {
        return line->driven;
    }
    int level = line->output;
    for (const struct line_source *s = line->sources; s != NULL; s = s->next) {
        if (s != without && (level == LINE_UNDRIVEN || s->level == LINE_LOW)) {
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
trace_level_locked(struct line_trace *trace, int level, int64_t when)
{
    if (level == LINE_LOW) {
        trace->fell = when;
        return;
    }
    if (trace->rose != NS_NEVER && trace->fell != NS_NEVER) {
        trace->period_ns = when - trace->rose;
        trace->high_ns = trace->fell - trace->rose;
    }
    trace->rose = when;
}

void
bank_settle_line_locked(struct line_bank *bank, unsigned offset, int64_t when)
{
    struct sim_line *line = &bank->lines[offset];
    const int driven = resolve_drivers(line, NULL);
    const int level = driven == LINE_UNDRIVEN ? resting_level(line) : driven;
    if (line->drivers_watched && driven != line->driven_told && bank->watch != NULL) {
        line->driven_told = driven;
        watch_note(bank->watch, NEWS_DRIVEN, (int)offset, driven, when);
    }
    for (struct line_sink *sink = line->sinks; sink != NULL; sink = sink->next) {
        if (level != sink->level) {
            sink->level = level;
            sink->changed_at = when;
            sink->pulsed = sink->pulsed || level == sink->seen;
            atomic_store(&bank->sinks_moved, true);
            bank->stirred = true;
        }
    }
    if (level == line->level) {
        return;
    }
    line->level = level;
    trace_level_locked(&line->trace, level, when);
    if (line->watched && bank->watch != NULL) {
        watch_note(bank->watch, NEWS_LEVEL, (int)offset, level, when);
    }
    struct sim_request *request = line->request;
    if (request == NULL) {
        return;
    }
    struct request_line *mine = &request->lines[line->index];
    if (mine->settings.debounce_us != 0) {
        mine->debounce_at = when + (int64_t)mine->settings.debounce_us * NS_PER_US;
        atomic_store(&bank->debouncing, true);
        bank->stirred = true;
    }
    else {
        request_level_changed_locked(request, line->index, level, when);
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
        request_level_changed_locked(request, index, level, when);
    }
}

static int64_t
next_due_locked(struct line_bank *bank, struct sim_request **whose, unsigned *index)
{
    int64_t due = NS_NEVER;
    if (!atomic_load(&bank->debouncing)) {
        return NS_NEVER;
    }
    for (struct sim_request *r = bank->requests; r != NULL; r = r->next) {
        for (unsigned i = 0; i < r->num_lines; i++) {
            if (r->lines[i].debounce_at < due) {
                due = r->lines[i].debounce_at;
                *whose = r;
                *index = i;
            }
        }
    }
    if (due == NS_NEVER) {
        atomic_store(&bank->debouncing, false);
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

void
bank_look(struct line_bank *bank)
{
    if (bank->clock == NULL && bank->stir != NULL) {
        bank->stir(bank->owner);
    }
}

int64_t
bank_enter(struct line_bank *bank)
{
    pthread_mutex_lock(&bank->lock);
    int64_t now = bank_now_locked(bank);
    advance_locked(bank, now);
    return now;
}

void
bank_leave(struct line_bank *bank)
{
    bool stirred = bank->stirred;
    bank->stirred = false;
    pthread_mutex_unlock(&bank->lock);
    if (stirred && bank->stir != NULL) {
        bank->stir(bank->owner);
    }
}

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
        bank->lines[i].trace = (struct line_trace){NS_NEVER, NS_NEVER, NS_NEVER, 0};
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
                (void)wake_up(r->fd); /* the read answers -ENODEV */
            }
        }
        for (struct info_watch *w = bank->watches; w != NULL; w = w->next) {
            (void)wake_up(w->fd);
        }
    }
    pthread_mutex_unlock(&bank->lock);
}

int64_t
bank_now(struct line_bank *bank)
{
    pthread_mutex_lock(&bank->lock);
    int64_t now = bank_now_locked(bank);
    pthread_mutex_unlock(&bank->lock);
    return now;
}

void
bank_set_clock(struct line_bank *bank, struct vclock *clock)
{
    pthread_mutex_lock(&bank->lock);
    int64_t own = bank_now_locked(bank);
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

void
bank_name_line(struct line_bank *bank, unsigned offset, const char *name)
{
    pthread_mutex_lock(&bank->lock);
    char *own = bank->lines[offset].name;
    memset(own, 0, GPIO_NAME_SIZE);
    strncpy(own, name, GPIO_NAME_SIZE - 1);
    pthread_mutex_unlock(&bank->lock);
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
    int64_t now = bank_enter(bank);
    struct sim_line *line = &bank->lines[offset];
    line->driven = level;
    bank_settle_line_locked(bank, offset, when < now ? when : now);
    if (when == NS_NEVER && line->request != NULL) {
        view_changed_by_hand(&line->request->lines[line->index].view);
    }
    bank_leave(bank);
}

int
bank_level(struct line_bank *bank, unsigned offset)
{
    bank_look(bank);
    pthread_mutex_lock(&bank->lock);
    int level = bank->lines[offset].level;
    pthread_mutex_unlock(&bank->lock);
    return level;
}

bool
bank_wave(struct line_bank *bank, unsigned offset, int64_t now_ns, int64_t *period_ns,
          int64_t *high_ns)
{
    pthread_mutex_lock(&bank->lock);
    const struct sim_line *line = &bank->lines[offset];
    const struct line_trace *trace = &line->trace;
    int64_t changed = line->level == LINE_HIGH ? trace->rose : trace->fell;
    bool found =
        trace->period_ns != NS_NEVER && now_ns - changed <= 2 * trace->period_ns;
    *period_ns = trace->period_ns;
    *high_ns = trace->high_ns;
    pthread_mutex_unlock(&bank->lock);
    return found;
}

void
bank_watch(struct line_bank *bank, unsigned offset)
{
    pthread_mutex_lock(&bank->lock);
    bank->lines[offset].watched = true;
    pthread_mutex_unlock(&bank->lock);
}

void
bank_watch_drivers(struct line_bank *bank, unsigned offset)
{
    pthread_mutex_lock(&bank->lock);
    struct sim_line *line = &bank->lines[offset];
    line->drivers_watched = true;
    line->driven_told = resolve_drivers(line, NULL);
    pthread_mutex_unlock(&bank->lock);
}

int
bank_level_without(struct line_bank *bank, unsigned offset,
                   const struct line_source *source)
{
    pthread_mutex_lock(&bank->lock);
    int level = resolve_drivers(&bank->lines[offset], source);
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
    int64_t now = bank_enter(bank);
    bank->lines[offset].pull = pull;
    bank_settle_line_locked(bank, offset, now);
    bank_leave(bank);
}

void
bank_add_source(struct line_bank *bank, unsigned offset, struct line_source *source)
{
    int64_t now = bank_enter(bank);
    source->next = bank->lines[offset].sources;
    bank->lines[offset].sources = source;
    bank_settle_line_locked(bank, offset, now);
    bank_leave(bank);
}

void
bank_set_source(struct line_bank *bank, unsigned offset, struct line_source *source,
                int level, int64_t when)
{
    int64_t now = bank_enter(bank);
    source->level = level;
    bank_settle_line_locked(bank, offset, when < now ? when : now);
    bank_leave(bank);
}

void
bank_add_sink(struct line_bank *bank, unsigned offset, struct line_sink *sink)
{
    int64_t now = bank_enter(bank);
    sink->level = LINE_HIGH;
    sink->seen = LINE_HIGH;
    sink->pulsed = false;
    sink->next = bank->lines[offset].sinks;
    bank->lines[offset].sinks = sink;
    bank_settle_line_locked(bank, offset, now);
    bank_leave(bank);
}

bool
bank_sinks_moved(struct line_bank *bank)
{
    return atomic_load(&bank->sinks_moved) &&
           atomic_exchange(&bank->sinks_moved, false);
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
bank_debounce_ends(struct line_bank *bank)
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
