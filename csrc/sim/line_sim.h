/* Simulated GPIO lines behind dev/line.h, with the kernel's rules.
 *
 * A bank is what one gpiochip is: numbered lines, each with several drivers (the
 * world's hand, a chip's output, the program that requested it) and a pull.  A
 * request has the kernel's event queue (gpiolib-cdev.c): 16 events per line, the
 * oldest dropped when full, sequence numbers from 1, software debounce; an
 * descriptor is readable exactly while events are queued.
 * Thread-safe: `lock` is held for moments only and nothing is called under it,
 * so every operation may be called with the GIL.  Python-free.
 */
#ifndef AH_SIM_LINE_SIM_H
#define AH_SIM_LINE_SIM_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "dev/gpio_abi.h"
#include "dev/line.h"
#include "sim/watch.h"

#define LINE_EVENTS_PER_LINE 16 /* gpiolib-cdev.c: event_buffer_size 0 */
#define LINE_CONSUMER_MAX 32    /* GPIO_MAX_NAME_SIZE */

enum { LINE_LOW = 0, LINE_HIGH = 1, LINE_UNDRIVEN = -1 };

/* One chip output on a line (an IRQ pin). */
struct line_source {
    struct line_source *next;
    int level; /* LINE_LOW, LINE_HIGH or LINE_UNDRIVEN (open drain, off) */
};

/* One chip input on a line (a reset pin).  It is not called: whoever owns the
 * chip takes the changes with bank_take_change(), under its own lock. */
struct line_sink {
    struct line_sink *next;
    int level;          /* LINE_UNDRIVEN: nothing but the line's own pull */
    int seen;           /* what bank_take_change() returned last */
    bool pulsed;        /* it has been elsewhere since then, and came back */
    int64_t changed_at; /* own time of the last change */
};

struct sim_request;

/* What is seen of a line's waves, in own time; NS_NEVER: not yet. */
struct line_trace {
    int64_t rose, fell; /* last */
    int64_t period_ns;  /* of the last whole wave, from rise to rise */
    int64_t high_ns;
};

#define INFO_EVENTS 32 /* gpiolib-cdev.c: of a chip that watches lines */

/* Who hears of changes of lines that it watches: an open chip. */
struct info_watch {
    struct info_watch *next;        /* in the bank */
    int fd;                         /* a wake-up, readable while count > 0 or gone */
    bool *watched;                  /* owned, by offset */
    struct gpio_info_event *events; /* owned ring; own time stamps */
    unsigned first, count;
};

struct sim_line {
    char name[GPIO_NAME_SIZE];
    int level;                   /* physical, resolved */
    struct line_trace trace;     /* of that level */
    int driven;                  /* by the world */
    int output;                  /* by the program */
    enum line_bias pull;         /* stays when the request goes, as on a Pi */
    int64_t first_requested;     /* own time, or NS_NEVER */
    struct line_source *sources; /* chips that drive it */
    struct line_sink *sinks;     /* chips that look at it */
    struct sim_request *request; /* who has it, or NULL */
    unsigned index;              /* in that request */
    bool watched;                /* its levels are news */
    bool drivers_watched;        /* and what it is driven to, told last: */
    int driven_told;
};

struct line_bank {
    pthread_mutex_t lock;
    struct sim_line *lines; /* owned */
    unsigned num_lines;
    struct sim_request *requests;
    struct watch *watch; /* set by the owner, or NULL */
    struct info_watch *watches;
    /* Changed under the owner's lock, too: that is enough to read them. */
    struct vclock *_Atomic clock; /* NULL: monotonic; is it? needs no lock */
    int64_t offset;               /* own time = the clock's + offset */
    int64_t last; /* own time of the latest event: stamps don't go back */
    bool stirred; /* a sink or a deadline changed since the last stir() */
    /* Read without `lock`, by whom nothing concerns that begins meanwhile. */
    atomic_bool debouncing;  /* a debounce has begun, and may not be over */
    atomic_bool sinks_moved; /* since bank_sinks_moved() */
    atomic_bool gone;
    /* Set by the owner; called without `lock`, after operations that stirred, and in
     * real time before a line is read.  It waits for nobody. */
    void (*stir)(void *owner);
    void *owner;
};

int bank_init(struct line_bank *bank, unsigned num_lines); /* 0 or -errno */
/* Every request is closed before.  Idempotent. */
void bank_destroy(struct line_bank *bank);
/* The chip is unplugged: requests stay, and answer -ENODEV. */
void bank_unplug(struct line_bank *bank);

/* Own time: continuous over changes of the clock. */
int64_t bank_now(struct line_bank *bank);
/* The new clock's now becomes the same own time as the old one's. */
void bank_set_clock(struct line_bank *bank, struct vclock *clock);
struct vclock *bank_clock(struct line_bank *bank);

/* Between a clock's time and own time, which ends as clocks do. */
static inline int64_t
bank_own_time_locked(const struct line_bank *bank, int64_t clock_ns)
{
    int64_t own_ns = time_after(clock_ns, bank->offset);
    return own_ns < CLOCK_LAST ? own_ns : CLOCK_LAST;
}

int64_t bank_now_locked(struct line_bank *bank); /* own time */

static inline int64_t
bank_clock_time_locked(const struct line_bank *bank, int64_t own_ns)
{
    return own_ns > CLOCK_LAST ? NS_NEVER : time_after(own_ns, -bank->offset);
}

/* Ask for lines.  The settings' rules are the kernel's: -EINVAL, -EBUSY,
 * -EOPNOTSUPP (hardware time stamps), -ENODEV.  `event_buffer_size` 0: 16 per line.
 * `out` is filled, all but clock. */
int bank_request(struct line_bank *bank, const uint32_t *offsets, unsigned n,
                 const struct line_settings *settings, const char *consumer,
                 uint32_t event_buffer_size, struct line_request *out);

/* The program's output, to a logical level: as it was told to, in time.  -ENODEV, or
 * -EPERM: it is no output any more. */
int bank_set_output(struct line_bank *bank, unsigned offset, bool value, int64_t when);

/* Who has the line: true, and the name; false when nobody has. */
bool bank_consumer(struct line_bank *bank, unsigned offset,
                   char name[LINE_CONSUMER_MAX]);
int64_t bank_first_requested(struct line_bank *bank, unsigned offset);

void bank_name_line(struct line_bank *bank, unsigned offset, const char *name);

/* line_info.c: 0 or -errno, as the kernel's: -EINVAL: no such line, -EBUSY: watched
 * already, or not. */
int bank_open_watch(struct line_bank *bank, struct info_watch *watch);
void bank_close_watch(struct line_bank *bank, struct info_watch *watch);
int bank_line_info(struct line_bank *bank, uint32_t offset, struct info_watch *watch,
                   struct gpio_line_info *info); /* `watch` NULL: only look */
int bank_unwatch(struct line_bank *bank, struct info_watch *watch, uint32_t offset);
int bank_read_info(struct line_bank *bank, struct info_watch *watch,
                   struct gpio_info_event *event);

/* The world's hand: LINE_LOW, LINE_HIGH, or LINE_UNDRIVEN to let go.  It is
 * stronger than everything else on the line.  `when` in own time; NS_NEVER: now. */
void bank_drive(struct line_bank *bank, unsigned offset, int level, int64_t when);
int bank_level(struct line_bank *bank, unsigned offset); /* physical */
/* The wave that was on the line at now_ns, or since then; false: it stayed at its level
 * for two periods. */
bool bank_wave(struct line_bank *bank, unsigned offset, int64_t now_ns,
               int64_t *period_ns, int64_t *high_ns);
void bank_watch(struct line_bank *bank, unsigned offset);         /* NEWS_LEVEL */
void bank_watch_drivers(struct line_bank *bank, unsigned offset); /* NEWS_DRIVEN */
int bank_driven(struct line_bank *bank, unsigned offset);
void bank_pull(struct line_bank *bank, unsigned offset, enum line_bias pull);

void bank_add_source(struct line_bank *bank, unsigned offset,
                     struct line_source *source);
void bank_set_source(struct line_bank *bank, unsigned offset,
                     struct line_source *source, int level, int64_t when);
/* What all others drive the line to; LINE_UNDRIVEN: nothing. */
int bank_level_without(struct line_bank *bank, unsigned offset,
                       const struct line_source *source);
void bank_add_sink(struct line_bank *bank, unsigned offset, struct line_sink *sink);
/* Has a sink anything to take? */
bool bank_sinks_moved(struct line_bank *bank);
/* The next change that this sink has not seen: true, its level and own time. */
bool bank_take_change(struct line_bank *bank, struct line_sink *sink, int *level,
                      int64_t *when);

int64_t bank_debounce_ends(struct line_bank *bank); /* own time, NS_NEVER */
void bank_advance(struct line_bank *bank, int64_t own_ns);

/* Asked for at each transfer of an SPI message, when hardly ever a debounce runs. */
static inline int64_t
bank_next_due(struct line_bank *bank)
{
    return atomic_load(&bank->debouncing) ? bank_debounce_ends(bank) : NS_NEVER;
}

#endif
