/* The one place through which every operation of a line passes; see line.h. */
#include "dev/line.h"

int
line_read_events(struct line_request *line, struct line_event *buf, int n)
{
    return line->ops->read_events(line->self, buf, n);
}

int
line_get(struct line_request *line, uint64_t mask, uint64_t *bits)
{
    return line->ops->get(line->self, mask, bits);
}

int
line_set(struct line_request *line, uint64_t mask, uint64_t bits)
{
    return line->ops->set(line->self, mask, bits);
}

int
line_config(struct line_request *line, const struct line_settings *settings)
{
    return line->ops->config(line->self, settings);
}

bool
line_find_conflict(struct line_request *line, const struct line_settings *settings,
                   struct line_conflict *conflict)
{
    return line->ops->conflict != NULL &&
           line->ops->conflict(line->self, settings, conflict);
}

uint32_t
line_lowered(struct line_request *line)
{
    return line->ops->lowered != NULL ? line->ops->lowered(line->self) : 0;
}

int
line_use_clock(struct line_request *line, struct vclock **clock)
{
    return line->ops->use_clock(line->self, clock);
}

void
line_close(struct line_request *line)
{
    line->ops->close(line->self);
}

void
line_in_child(struct line_request *line)
{
    if (line->ops->in_child != NULL) {
        line->ops->in_child(line->self);
    }
}
