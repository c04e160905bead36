/* Square waves in time; see pwm.h. */
#include "base/pwm.h"

#include <stddef.h>
#include <string.h>

#include "base/list.h"

static void
set_level(struct pwm_channel *channel, bool level, int64_t when)
{
    channel->level = level;
    channel->error = channel->set(channel, level, when);
    if (channel->error < 0) {
        channel->due = NS_NEVER;
    }
}

/* A period begins, with what has been asked for by now. */
static void
begin_period(struct pwm_channel *channel, int64_t when)
{
    bool was_high = channel->level;
    channel->wave = channel->coming;
    channel->begin = when;
    const bool level = channel->wave.high_ns > 0;
    const bool stays = !level || channel->wave.high_ns >= channel->wave.period_ns;
    channel->due = stays ? NS_NEVER : time_after(when, channel->wave.high_ns);
    if (level != was_high) {
        set_level(channel, level, when);
    }
}

static void
step(struct pwm_channel *channel, int64_t now)
{
    const int64_t when = channel->due;
    const int64_t late = now > when ? now - when : 0;
    channel->jitter.edges++;
    histogram_add(&channel->jitter.lateness, late);
    if (channel->level) {
        channel->due = time_after(channel->begin, channel->wave.period_ns);
        set_level(channel, false, when);
    }
    else {
        begin_period(channel, when);
    }
}

int
pwm_start(struct pwm_schedule *schedule, struct pwm_channel *channel,
          const struct pwm_wave *wave, int64_t now_ns)
{
    channel->coming = *wave;
    if (!channel->running) {
        channel->running = true;
        memset(&channel->jitter, 0, sizeof channel->jitter);
        channel->next = schedule->channels;
        schedule->channels = channel;
        channel->error = 0;
        channel->level = wave->high_ns == 0; /* not what it is going to be */
        channel->due = NS_NEVER;
    }
    if (channel->due == NS_NEVER && channel->error == 0) {
        begin_period(channel, now_ns);
    }
    return channel->error;
}

void
pwm_stop(struct pwm_schedule *schedule, struct pwm_channel *channel)
{
    if (channel->running) {
        channel->running = false;
        LIST_REMOVE(schedule->channels, channel);
    }
}

static struct pwm_channel *
first_due(const struct pwm_schedule *schedule)
{
    struct pwm_channel *first = schedule->channels;
    for (struct pwm_channel *one = first; one != NULL; one = one->next) {
        first = one->due < first->due ? one : first;
    }
    return first;
}

int64_t
pwm_next_due(const struct pwm_schedule *schedule)
{
    const struct pwm_channel *first = first_due(schedule);
    return first != NULL ? first->due : NS_NEVER;
}

void
pwm_advance(struct pwm_schedule *schedule, int64_t until_ns, int64_t now_ns)
{
    struct pwm_channel *first = first_due(schedule);
    while (first != NULL && first->due <= until_ns && first->due != NS_NEVER) {
        step(first, now_ns);
        first = first_due(schedule);
    }
}

void
pwm_skip(struct pwm_schedule *schedule, int64_t now_ns)
{
    for (struct pwm_channel *one = schedule->channels; one != NULL; one = one->next) {
        if (one->due == NS_NEVER) {
            continue;
        }
        int64_t over = (now_ns - one->begin) / one->wave.period_ns - 1;
        if (over > 0) {
            one->begin += over * one->wave.period_ns;
            one->due += over * one->wave.period_ns;
            one->jitter.missed += (uint64_t)over;
        }
    }
}
