/* Line requests of a world: shares of the bank's, which say which clock the world is
 * on. */
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

static bool
line_conflict(void *self, const struct line_settings *settings,
              struct line_conflict *conflict)
{
    struct world_line *line = self;
    return line->inner.ops->conflict != NULL &&
           line->inner.ops->conflict(line->inner.self, settings, conflict);
}

static void
line_in_child(void *self)
{
    struct world_line *line = self;
    line->inner.ops->in_child(line->inner.self);
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
    .conflict = line_conflict,
    .in_child = line_in_child,
};

static int
request_first(void *arg, const struct line_wish *wish, struct line_request *request)
{
    struct world *world = arg;
    return bank_request(&world->lines, &wish->offset, 1, wish->settings, wish->consumer,
                        request);
}

/* A request of one line is shared with others of it, one of several is not. */
static int
request_inner(struct world *world, const uint32_t *offsets, unsigned n,
              const struct line_settings *settings, const char *consumer,
              struct line_request *inner, struct line_conflict *conflict)
{
    conflict->difference.setting = NULL;
    if (n != 1) {
        return bank_request(&world->lines, offsets, n, settings, consumer, inner);
    }
    struct line_wish wish = {"", offsets[0], settings, consumer};
    struct line_request *share;
    int err = shared_lines_open(&world->shared, &wish, request_first, world, &share,
                                conflict);
    if (err >= 0) {
        *inner = *share;
    }
    return err;
}

int
world_request_lines(struct world *world, const uint32_t *offsets, unsigned n,
                    const struct line_settings *settings, const char *consumer,
                    struct line_request **out, struct line_conflict *conflict)
{
    struct world_line *line = calloc(1, sizeof *line);
    if (line == NULL) {
        return -ENOMEM;
    }
    line->world = world;
    int err =
        request_inner(world, offsets, n, settings, consumer, &line->inner, conflict);
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
