/* One request of GPIO lines: what the kernel and the simulator have in common.
 *
 * Offsets are indexes into the request (0 is its first line), as in
 * gpio_v2_line_values.  Every function returns >= 0 or -errno; none needs the
 * GIL.  `fd` is pollable (EPOLLIN = events to read) and belongs to the request.
 * Backends fill a struct line_ops; all others call the functions below it, through
 * which every operation of every line passes.  What a request has no operation for, the
 * request that it is a part of does.
 */
#ifndef AH_DEV_LINE_H
#define AH_DEV_LINE_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/clock.h"

#define LINES_MAX 64

enum line_direction { LINE_AS_IS, LINE_INPUT, LINE_OUTPUT };
enum line_edge { LINE_EDGE_NONE, LINE_EDGE_RISING, LINE_EDGE_FALLING, LINE_EDGE_BOTH };
enum line_bias { LINE_BIAS_AS_IS, LINE_BIAS_DISABLED, LINE_PULL_UP, LINE_PULL_DOWN };
enum line_drive { LINE_PUSH_PULL, LINE_OPEN_DRAIN, LINE_OPEN_SOURCE };
enum line_clock { LINE_MONOTONIC, LINE_REALTIME, LINE_HTE };

/* Settings of one line; zero is "as it is, no edges". */
struct line_settings {
    enum line_direction direction;
    enum line_edge edge;
    enum line_bias bias;
    enum line_drive drive;
    enum line_clock event_clock;
    uint8_t active_low;
    uint8_t output_value; /* logical */
    uint32_t debounce_us;
};

enum line_event_id { LINE_RISING_EDGE = 1, LINE_FALLING_EDGE = 2 };

struct line_event {
    int64_t timestamp_ns;
    uint32_t id;         /* enum line_event_id */
    uint32_t offset;     /* the line's offset on its chip */
    uint32_t seqno;      /* over the request, from 1, wraps */
    uint32_t line_seqno; /* over the line, from 1, wraps */
};

/* A mask of all lines of a request. */
static inline uint64_t
line_mask(unsigned num_lines)
{
    return num_lines >= LINES_MAX ? UINT64_MAX : (UINT64_C(1) << num_lines) - 1;
}

struct line_conflict; /* dev/shared_line.h */
struct pwm_jitter;    /* base/pwm.h */
struct pwm_wave;

/* See the functions below. */
struct line_ops {
    int (*read_events)(void *self, struct line_event *buf, int n);
    int (*get)(void *self, uint64_t mask, uint64_t *bits);
    int (*set)(void *self, uint64_t mask, uint64_t bits);
    int (*config)(void *self, const struct line_settings *settings);
    int (*use_clock)(void *self, struct vclock **clock);
    void (*close)(void *self); /* frees self */
    /* None: no other user of this process can have the line. */
    bool (*conflict)(void *self, const struct line_settings *settings,
                     struct line_conflict *conflict);
    /* None: nothing but the program makes waves on it (dev/pwm_line.h). */
    int (*wave)(void *self, const struct pwm_wave *wave, bool rest);
    int (*wave_jitter)(void *self, struct pwm_jitter *jitter);
    void (*settle)(void *self); /* may be NULL */
    /* None: a fork's child goes on using it (a real line). */
    void (*in_child)(void *self);
};

struct line_request {
    const struct line_ops *ops;
    void *self;
    struct line_request *inner; /* what this is a part of, or NULL */
    int fd;
    unsigned num_lines;
    uint32_t offsets[LINES_MAX]; /* on the chip */
    struct device_time time;
    /* How often other users of this process have driven the line low, to be read at any
     * time; NULL: none can. */
    const atomic_uint *lowered;
    char name[32];     /* for messages: the chip's name */
    char consumer[32]; /* and who wanted it */
};

/* Whole events that are there, at most n; -EAGAIN when none is. */
int line_read_events(struct line_request *line, struct line_event *buf, int n);

/* Logical values of the lines in mask, bit i = line i of the request. */
int line_get(struct line_request *line, uint64_t mask, uint64_t *bits);
int line_set(struct line_request *line, uint64_t mask, uint64_t bits);

/* After set() and config(), with the lock that a simulated board's owner has around its
 * calls (the GIL) and no other: what they did has its effects on others. */
void line_settle(struct line_request *line);

/* Settings of all lines of the request. */
int line_config(struct line_request *line, const struct line_settings *settings);

/* After config() has said -EBUSY: which other user of this process wants something
 * else.  False: nobody, by now. */
bool line_find_conflict(struct line_request *line, const struct line_settings *settings,
                        struct line_conflict *conflict);

/* How often other users of this process have driven the line low. */
static inline unsigned
line_lowered(const struct line_request *line)
{
    return line->lowered != NULL ? atomic_load(line->lowered) : 0;
}

/* Live on *clock from now on; NULL: the monotonic one.  *clock is then what it was told
 * before, which time.told was until now: whoever owned that drops it.  -EXDEV: it
 * cannot (a real device on a virtual clock). */
int line_use_clock(struct line_request *line, struct vclock **clock);

/* A square wave on the first line, made by whoever has it: -EOPNOTSUPP, nobody.  NULL:
 * no more, the line is set to `rest`. */
int line_wave(struct line_request *line, const struct pwm_wave *wave, bool rest);
int line_wave_jitter(struct line_request *line, struct pwm_jitter *jitter);

/* Give the lines back, and free the request. */
void line_close(struct line_request *line);

/* In a fork's child, without a lock: a real one goes on, and has no descriptor that
 * wakes the parent; of a simulated one, which is not used any more, they are closed. */
void line_in_child(struct line_request *line);

#endif
