/* Line requests of a world: the bank's, and they say which clock the world is on. */
#include "sim/world.h"

#include <errno.h>
#include <stdlib.h>

struct world_line {
    struct line_request request; /* what the program sees */
    struct line_request inner;   /* the bank's */
    struct world_device device;
    struct world *world;
};

static int
line_read_events(void *self, struct line_event *buf, int n)
{
    struct world_line *line = self;
    return line->inner.ops->read_events(line->inner.self, buf, n);
}

static int
line_get(void *self, uint64_t mask, uint64_t *bits)
{
    struct world_line *line = self;
    return line->inner.ops->get(line->inner.self, mask, bits);
}

static int
line_set(void *self, uint64_t mask, uint64_t bits)
{
    struct world_line *line = self;
    return line->inner.ops->set(line->inner.self, mask, bits);
}

static int
line_config(void *self, const struct line_settings *settings)
{
    struct world_line *line = self;
    return line->inner.ops->config(line->inner.self, settings);
}

static int
line_use_clock(void *self, struct vclock **clock)
{
    struct world_line *line = self;
    return world_use_clock(line->world, &line->request.time, clock);
}

static void
line_close(void *self)
{
    struct world_line *line = self;
    line->inner.ops->close(line->inner.self);
    world_remove_device(line->world, &line->device);
    free(line);
}

static const struct line_ops world_line_ops = {
    .read_events = line_read_events,
    .get = line_get,
    .set = line_set,
    .config = line_config,
    .use_clock = line_use_clock,
    .close = line_close,
};

int
world_request_lines(struct world *world, const uint32_t *offsets, unsigned n,
                    const struct line_settings *settings, const char *consumer,
                    struct line_request **out)
{
    struct world_line *line = calloc(1, sizeof *line);
    if (line == NULL) {
        return -ENOMEM;
    }
    line->world = world;
    int err = bank_request(&world->lines, offsets, n, settings, consumer, &line->inner);
    if (err < 0) {
        free(line);
        return err;
    }
    line->request = line->inner;
    line->request.ops = &world_line_ops;
    line->request.self = line;
    world_add_device(world, &line->device, &line->request.time);
    *out = &line->request;
    return 0;
}
