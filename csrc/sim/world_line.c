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
world_line_use_clock(void *self, struct vclock **clock)
{
    struct world_line *line = self;
    return world_use_clock(line->world, &line->request.time, clock);
}

static void
world_line_close(void *self)
{
    struct world_line *line = self;
    line_close(&line->inner);
    world_remove_device(line->world, &line->device);
    free(line);
}

static const struct line_ops world_line_ops = {
    .use_clock = world_line_use_clock,
    .close = world_line_close,
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
