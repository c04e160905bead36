/* The schedule of square waves, on a clock of the test's own. */
#include "base/pwm.h"

#include <errno.h>

#include "check.h"

#define MS NS_PER_MS
#define EDGES_MAX 256

struct edge {
    const struct pwm_channel *channel;
    bool level;
    int64_t when;
};

static struct edge edges[EDGES_MAX];
static int num_edges;
static int error;

static int
record(struct pwm_channel *channel, bool level, int64_t when_ns)
{
    if (num_edges < EDGES_MAX) {
        edges[num_edges++] = (struct edge){channel, level, when_ns};
    }
    return error;
}

static struct pwm_channel
channel_new(void)
{
    num_edges = 0;
    error = 0;
    return (struct pwm_channel){.set = record};
}

static void
check_edges(const struct edge *want, int n)
{
    CHECK_EQ(num_edges, n);
    for (int i = 0; i < n && i < num_edges; i++) {
        CHECK_EQ(edges[i].level, want[i].level);
        CHECK_EQ(edges[i].when, want[i].when);
    }
    num_edges = 0;
}

static void
test_edges_are_when_they_are_due(void)
{
    struct pwm_schedule schedule = {0};
    struct pwm_channel channel = channel_new();
    const struct pwm_wave wave = {10 * MS, 3 * MS};
    CHECK_EQ(pwm_next_due(&schedule), NS_NEVER);
    CHECK_EQ(pwm_start(&schedule, &channel, &wave, 5 * MS), 0);
    CHECK_EQ(pwm_next_due(&schedule), 8 * MS);
    pwm_advance(&schedule, 8 * MS - 1, 8 * MS - 1);
    CHECK_EQ(num_edges, 1);
    pwm_advance(&schedule, 25 * MS, 25 * MS);
    const struct edge want[] = {{NULL, true, 5 * MS},
                                {NULL, false, 8 * MS},
                                {NULL, true, 15 * MS},
                                {NULL, false, 18 * MS},
                                {NULL, true, 25 * MS}};
    check_edges(want, 5);
    pwm_stop(&schedule, &channel);
    pwm_stop(&schedule, &channel);
    CHECK_EQ(pwm_next_due(&schedule), NS_NEVER);
}

static void
test_a_change_begins_with_the_next_period(void)
{
    struct pwm_schedule schedule = {0};
    struct pwm_channel channel = channel_new();
    const struct pwm_wave slow = {10 * MS, 5 * MS}, fast = {4 * MS, 1 * MS};
    CHECK_EQ(pwm_start(&schedule, &channel, &slow, 0), 0);
    pwm_advance(&schedule, 2 * MS, 2 * MS);
    CHECK_EQ(pwm_start(&schedule, &channel, &fast, 2 * MS), 0);
    pwm_advance(&schedule, 14 * MS, 14 * MS);
    const struct edge want[] = {{NULL, true, 0},
                                {NULL, false, 5 * MS},
                                {NULL, true, 10 * MS},
                                {NULL, false, 11 * MS},
                                {NULL, true, 14 * MS}};
    check_edges(want, 5);
}

static void
test_0_and_100_percent_are_levels(void)
{
    struct pwm_schedule schedule = {0};
    struct pwm_channel channel = channel_new();
    const struct pwm_wave low = {10 * MS, 0}, high = {10 * MS, 10 * MS};
    const struct pwm_wave half = {10 * MS, 5 * MS};
    CHECK_EQ(pwm_start(&schedule, &channel, &low, 0), 0);
    CHECK_EQ(pwm_next_due(&schedule), NS_NEVER);
    pwm_advance(&schedule, 100 * MS, 100 * MS);
    CHECK_EQ(pwm_start(&schedule, &channel, &high, 103 * MS), 0); /* at once */
    CHECK_EQ(pwm_next_due(&schedule), NS_NEVER);
    CHECK_EQ(pwm_start(&schedule, &channel, &half, 200 * MS), 0); /* is high already */
    pwm_advance(&schedule, 206 * MS, 206 * MS);
    CHECK_EQ(pwm_start(&schedule, &channel, &high, 206 * MS), 0);
    pwm_advance(&schedule, 300 * MS, 300 * MS);
    const struct edge want[] = {{NULL, false, 0},
                                {NULL, true, 103 * MS},
                                {NULL, false, 205 * MS},
                                {NULL, true, 210 * MS}};
    check_edges(want, 4);
}

static void
test_lateness_is_counted(void)
{
    struct pwm_schedule schedule = {0};
    struct pwm_channel channel = channel_new();
    const struct pwm_wave wave = {10 * MS, 5 * MS};
    CHECK_EQ(pwm_start(&schedule, &channel, &wave, 0), 0);
    pwm_advance(&schedule, 6 * MS, 6 * MS);
    pwm_advance(&schedule, 13 * MS, 13 * MS);
    CHECK_EQ((int64_t)channel.jitter.edges, 2);
    int64_t p50 = histogram_quantile(&channel.jitter.lateness, 0.50);
    CHECK(p50 > 96 * MS / 100 && p50 < 104 * MS / 100);
    CHECK_EQ(channel.jitter.lateness.max, 3 * MS);
}

static void
test_who_is_late_leaves_periods_out_and_keeps_the_phase(void)
{
    struct pwm_schedule schedule = {0};
    struct pwm_channel channel = channel_new();
    const struct pwm_wave wave = {10 * MS, 5 * MS};
    CHECK_EQ(pwm_start(&schedule, &channel, &wave, 0), 0);
    num_edges = 0;
    pwm_skip(&schedule, 1007 * MS);
    pwm_advance(&schedule, 1007 * MS, 1007 * MS);
    const struct edge want[] = {
        {NULL, false, 995 * MS}, {NULL, true, 1000 * MS}, {NULL, false, 1005 * MS}};
    check_edges(want, 3);
    CHECK_EQ((int64_t)channel.jitter.missed, 99);
    CHECK_EQ(pwm_next_due(&schedule), 1010 * MS);
}

static void
test_many_channels_in_order_of_time(void)
{
    enum { CHANNELS = 20 };
    struct pwm_schedule schedule = {0};
    struct pwm_channel channels[CHANNELS];
    int highs[CHANNELS] = {0};
    for (int i = 0; i < CHANNELS; i++) {
        channels[i] = channel_new();
        const struct pwm_wave wave = {(10 + i) * MS, (1 + i) * MS};
        CHECK_EQ(pwm_start(&schedule, &channels[i], &wave, 0), 0);
    }
    num_edges = 0;
    pwm_advance(&schedule, 40 * MS, 40 * MS);
    for (int i = 0; i < num_edges; i++) {
        CHECK(i == 0 || edges[i - 1].when <= edges[i].when);
        highs[edges[i].channel - channels] += edges[i].level;
    }
    for (int i = 0; i < CHANNELS; i++) {
        CHECK_EQ(highs[i], 40 / (10 + i));
        pwm_stop(&schedule, &channels[i]);
    }
    CHECK(schedule.channels == NULL);
}

static void
test_an_error_ends_the_wave(void)
{
    struct pwm_schedule schedule = {0};
    struct pwm_channel channel = channel_new();
    const struct pwm_wave wave = {10 * MS, 5 * MS};
    CHECK_EQ(pwm_start(&schedule, &channel, &wave, 0), 0);
    error = -ENODEV;
    pwm_advance(&schedule, 100 * MS, 100 * MS);
    CHECK_EQ(num_edges, 2);
    CHECK_EQ(pwm_next_due(&schedule), NS_NEVER);
    CHECK_EQ(pwm_start(&schedule, &channel, &wave, 100 * MS), -ENODEV);
    pwm_stop(&schedule, &channel);
    error = 0;
    CHECK_EQ(pwm_start(&schedule, &channel, &wave, 200 * MS), 0);
    CHECK_EQ(pwm_next_due(&schedule), 205 * MS);
}

int
main(void)
{
    RUN(test_edges_are_when_they_are_due);
    RUN(test_a_change_begins_with_the_next_period);
    RUN(test_0_and_100_percent_are_levels);
    RUN(test_lateness_is_counted);
    RUN(test_who_is_late_leaves_periods_out_and_keeps_the_phase);
    RUN(test_many_channels_in_order_of_time);
    RUN(test_an_error_ends_the_wave);
    return check_done();
}
