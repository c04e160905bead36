/* The one place through which every operation of a line passes; see line.h. */
#include "dev/line.h"

#include <errno.h>

/* `line` becomes the one that has the operation. */
#define GO_IN_TO(op)                                       \
    while (line->ops->op == NULL && line->inner != NULL) { \
        line = line->inner;                                \
    }

int
line_read_events(struct line_request *line, struct line_event *buf, int n)
{
    GO_IN_TO(read_events)
    return line->ops->read_events(line->self, buf, n);
}

int
line_get(struct line_request *line, uint64_t mask, uint64_t *bits)
{
    GO_IN_TO(get)
    return line->ops->get(line->self, mask, bits);
}

int
line_set(struct line_request *line, uint64_t mask, uint64_t bits)
{
    GO_IN_TO(set)
    return line->ops->set(line->self, mask, bits);
}

void
line_settle(struct line_request *line)
{
    if (line->ops->settle != NULL) {
        line->ops->settle(line->self);
    }
}

int
line_config(struct line_request *line, const struct line_settings *settings)
{
    GO_IN_TO(config)
    return line->ops->config(line->self, settings);
}

bool
line_find_conflict(struct line_request *line, const struct line_settings *settings,
                   struct line_conflict *conflict)
{
    GO_IN_TO(conflict)
    return line->ops->conflict != NULL &&
           line->ops->conflict(line->self, settings, conflict);
}

int
line_use_clock(struct line_request *line, struct vclock **clock)
{
    GO_IN_TO(use_clock)
    return line->ops->use_clock(line->self, clock);
}

int
line_wave(struct line_request *line, const struct pwm_wave *wave, bool rest)
{
    GO_IN_TO(wave)
    return line->ops->wave != NULL ? line->ops->wave(line->self, wave, rest)
                                   : -EOPNOTSUPP;
}

int
line_wave_jitter(struct line_request *line, struct pwm_jitter *jitter)
{
    GO_IN_TO(wave_jitter)
    return line->ops->wave_jitter != NULL ? line->ops->wave_jitter(line->self, jitter)
                                          : -EOPNOTSUPP;
}

void
line_close(struct line_request *line)
{
    line->ops->close(line->self);
}

void
line_in_child(struct line_request *line)
{
    GO_IN_TO(in_child)
    if (line->ops->in_child != NULL) {
        line->ops->in_child(line->self);
    }
}
