/* Line requests of a world: shares of the bank's, which say which clock the world is
 * on. */
#include "sim/world.h"

#include <errno.h>
#include <stddef.h>
#include <stdlib.h>

struct world_line {
    struct line_request request; /* what the program sees */
    struct line_request inner;   /* the bank's */
    struct world_device device;
    struct world *world;
    struct pwm_channel wave; /* of its first line */
};

static int
world_line_use_clock(void *self, struct vclock **clock)
{
    struct world_line *line = self;
    return world_use_clock(line->world, &line->request.time, clock);
}

static int
wave_set(struct pwm_channel *wave, bool level, int64_t when)
{
    struct world_line *line =
        (struct world_line *)((char *)wave - offsetof(struct world_line, wave));
    return bank_set_output(&line->world->lines, line->request.offsets[0], level, when);
}

/* Whoever waits on the clock looks again at what is due. */
static void
wake_waits(struct world *world)
{
    if (world_is_inside(world)) {
        return; /* card code, for which time stands still */
    }
    pthread_mutex_lock(&world->switching);
    struct vclock *clock = bank_clock(&world->lines);
    if (clock != NULL) {
        vclock_advance(clock, 0);
    }
    pthread_mutex_unlock(&world->switching);
}

static int
world_line_wave(void *self, const struct pwm_wave *wave, bool rest)
{
    struct world_line *line = self;
    struct world *world = line->world;
    int err;
    world_lock(world);
    if (world->closed) {
        err = -ENODEV;
    }
    else if (wave != NULL) {
        err = pwm_start(&world->waves, &line->wave, wave, bank_now(&world->lines));
    }
    else {
        pwm_stop(&world->waves, &line->wave);
        err = line_set(&line->inner, 1, rest);
    }
    world_unlock(world);
    wake_waits(world);
    return err < 0 ? err : world->thread_error;
}

static int
world_line_wave_jitter(void *self, struct pwm_jitter *jitter)
{
    struct world_line *line = self;
    world_lock(line->world);
    *jitter = line->wave.jitter;
    int err = line->world->closed ? -ENODEV : line->wave.error;
    world_unlock(line->world);
    return err;
}

static void
world_line_settle(void *self)
{
    world_settle(((struct world_line *)self)->world);
}

static void
world_line_close(void *self)
{
    struct world_line *line = self;
    world_lock(line->world);
    pwm_stop(&line->world->waves, &line->wave);
    world_unlock(line->world);
    line_close(&line->inner);
    world_remove_device(line->world, &line->device);
    free(line);
}

static const struct line_ops world_line_ops = {
    .use_clock = world_line_use_clock,
    .settle = world_line_settle,
    .close = world_line_close,
    .wave = world_line_wave,
    .wave_jitter = world_line_wave_jitter,
};

struct first_request {
    struct world *world;
    uint32_t event_buffer_size;
};

static int
request_first(void *arg, const struct line_wish *wish, struct line_request *request)
{
    const struct first_request *first = arg;
    return bank_request(&first->world->lines, &wish->offset, 1, wish->settings,
                        wish->consumer, first->event_buffer_size, request);
}

/* A request of one line is shared with others of it, one of several is not. */
static int
request_inner(struct world *world, const uint32_t *offsets, unsigned n,
              const struct line_settings *settings, const char *consumer,
              uint32_t event_buffer_size, struct line_request *inner,
              struct line_conflict *conflict)
{
    conflict->difference.setting = NULL;
    if (n != 1) {
        return bank_request(&world->lines, offsets, n, settings, consumer,
                            event_buffer_size, inner);
    }
    struct line_wish wish = {"", offsets[0], settings, consumer};
    struct line_request *share;
    struct first_request first = {world, event_buffer_size};
    int err = shared_lines_open(&world->shared, &wish, request_first, &first, &share,
                                conflict);
    if (err >= 0) {
        *inner = *share;
    }
    return err;
}

int
world_request_lines(struct world *world, const uint32_t *offsets, unsigned n,
                    const struct line_settings *settings, const char *consumer,
                    uint32_t event_buffer_size, struct line_request **out,
                    struct line_conflict *conflict)
{
    struct world_line *line = calloc(1, sizeof *line);
    if (line == NULL) {
        return -ENOMEM;
    }
    line->world = world;
    line->wave.set = wave_set;
    int err = request_inner(world, offsets, n, settings, consumer, event_buffer_size,
                            &line->inner, conflict);
    if (err < 0) {
        free(line);
        return err;
    }
    line->request = line->inner;
    line->request.ops = &world_line_ops;
    line->request.self = line;
    line->request.inner = &line->inner;
    world_add_device(world, &line->device, &line->request.time);
    *out = &line->request;
    return 0;
}
