/* What a line's settings may be, alone and together; see line_rules.h. */
#include "dev/line_rules.h"

#include <errno.h>
#include <stdio.h>

int
line_settings_check(const struct line_settings *s)
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

static bool
differ(struct line_difference *difference, const char *setting, const char *have,
       const char *want)
{
    difference->setting = setting;
    snprintf(difference->have, sizeof difference->have, "%s", have);
    snprintf(difference->want, sizeof difference->want, "%s", want);
    return true;
}

bool
line_settings_differ(const struct line_settings *have, const struct line_settings *want,
                     struct line_difference *difference)
{
    static const char *const directions[] = {"as_is", "input", "output"};
    static const char *const biases[] = {"as_is", "disabled", "pull_up", "pull_down"};
    static const char *const drives[] = {"push_pull", "open_drain", "open_source"};
    static const char *const clocks[] = {"monotonic", "realtime", "hte"};
    static const char *const booleans[] = {"False", "True"};
    if (have->direction != LINE_AS_IS && want->direction != LINE_AS_IS &&
        have->direction != want->direction) {
        return differ(difference, "direction", directions[have->direction],
                      directions[want->direction]);
    }
    if (have->bias != LINE_BIAS_AS_IS && want->bias != LINE_BIAS_AS_IS &&
        have->bias != want->bias) {
        return differ(difference, "bias", biases[have->bias], biases[want->bias]);
    }
    if (!have->active_low != !want->active_low) {
        return differ(difference, "active_low", booleans[have->active_low != 0],
                      booleans[want->active_low != 0]);
    }
    if (have->direction == LINE_OUTPUT && want->direction == LINE_OUTPUT &&
        have->drive != want->drive) {
        return differ(difference, "drive", drives[have->drive], drives[want->drive]);
    }
    if (have->direction == LINE_INPUT && want->direction == LINE_INPUT &&
        have->debounce_us != want->debounce_us) {
        (void)differ(difference, "debounce_period", "", "");
        snprintf(difference->have, sizeof difference->have, "%g",
                 have->debounce_us / 1e6);
        snprintf(difference->want, sizeof difference->want, "%g",
                 want->debounce_us / 1e6);
        return true;
    }
    if (have->edge != LINE_EDGE_NONE && want->edge != LINE_EDGE_NONE &&
        have->event_clock != want->event_clock) {
        return differ(difference, "event_clock", clocks[have->event_clock],
                      clocks[want->event_clock]);
    }
    return false;
}

void
line_settings_merge(struct line_settings *all, const struct line_settings *one)
{
    all->edge |= one->edge; /* rising 1, falling 2, both 3 */
    all->active_low = one->active_low;
    if (one->direction != LINE_AS_IS) {
        all->direction = one->direction;
        all->drive = one->drive;
        all->debounce_us = one->debounce_us;
    }
    if (one->bias != LINE_BIAS_AS_IS) {
        all->bias = one->bias;
    }
    if (one->edge != LINE_EDGE_NONE) {
        all->event_clock = one->event_clock;
    }
}

bool
line_settings_same(const struct line_settings *a, const struct line_settings *b)
{
    return a->direction == b->direction && a->edge == b->edge && a->bias == b->bias &&
           a->drive == b->drive && a->event_clock == b->event_clock &&
           !a->active_low == !b->active_low && a->debounce_us == b->debounce_us;
}
