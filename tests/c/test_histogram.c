/* The histogram: buckets as narrow as promised, and waits as computed by hand. */
#include "base/histogram.h"

#include "check.h"

static struct histogram histogram;

static void
start_anew(void)
{
    histogram = (struct histogram){0};
}

static void
test_buckets_are_ordered_and_narrow(void)
{
    unsigned last = 0;
    for (int64_t ns = 0; ns < (INT64_C(1) << 43); ns += ns / 64 + 1) {
        unsigned bucket = histogram_bucket(ns);
        CHECK(bucket >= last && bucket < HISTOGRAM_BUCKETS);
        last = bucket;
        if (ns >= HISTOGRAM_SUB && ns < (INT64_C(1) << 40)) {
            CHECK(histogram_bucket(ns + ns / HISTOGRAM_SUB + 1) > bucket);
        }
    }
    CHECK(last == HISTOGRAM_BUCKETS - 1);
    CHECK(histogram_bucket(-5) == 0);
    CHECK(histogram_bucket(INT64_MAX) == HISTOGRAM_BUCKETS - 1);
}

static void
check_near(int64_t found, double expected)
{
    CHECK((double)found >= expected * 0.96 && (double)found <= expected * 1.04);
}

static void
test_nobody_waits_outside_the_stretches(void)
{
    start_anew();
    CHECK(histogram_wait(&histogram, 1000000, 0.99) == 0);
    CHECK(histogram_wait(&histogram, 0, 0.99) == 0);
    histogram_add(&histogram, 5000);
    CHECK(histogram_wait(&histogram, 1000000, 0.99) == 0); /* 0.5 % of the time */
    CHECK(histogram.max == 5000);
}

static void
test_one_block_among_many_short_turns_is_seen(void)
{
    start_anew();
    for (int i = 0; i < 900; i++) {
        histogram_add(&histogram, 1000000);
    }
    histogram_add(&histogram, 100000000);
    /* 1 s in all: during 0.1 s - x the wait is longer than x. */
    check_near(histogram_wait(&histogram, 1000000000, 0.99), 90e6);
    check_near(histogram_wait(&histogram, 1000000000, 0.95), 50e6);
    /* 900 (1 ms - x) + 100 ms - x = 500 ms */
    check_near(histogram_wait(&histogram, 1000000000, 0.50), 500e6 / 901);
    CHECK(histogram.max == 100000000);
}

static void
test_equal_turns(void)
{
    for (int64_t ns = 1; ns < (INT64_C(1) << 40); ns = ns * 3 + 1) {
        start_anew();
        for (int i = 0; i < 10; i++) {
            histogram_add(&histogram, ns);
        }
        int64_t wait = histogram_wait(&histogram, 10 * ns, 0.50);
        CHECK(wait <= ns);
        if (ns > 1000) {
            CHECK((double)wait >= 0.46 * (double)ns &&
                  (double)wait <= 0.54 * (double)ns);
        }
    }
}

static void
test_quantiles(void)
{
    start_anew();
    CHECK_EQ(histogram_quantile(&histogram, 0.99), 0);
    for (int i = 1; i <= 1000; i++) {
        histogram_add(&histogram, 1000 * i);
    }
    check_near(histogram_quantile(&histogram, 0.50), 500e3);
    check_near(histogram_quantile(&histogram, 0.99), 990e3);
    start_anew();
    histogram_add(&histogram, 1000001);
    for (double fraction = 0.0; fraction <= 1.0; fraction += 0.25) {
        int64_t found = histogram_quantile(&histogram, fraction);
        check_near(found, 1e6);
        CHECK(found <= histogram.max);
    }
}

int
main(void)
{
    RUN(test_buckets_are_ordered_and_narrow);
    RUN(test_nobody_waits_outside_the_stretches);
    RUN(test_one_block_among_many_short_turns_is_seen);
    RUN(test_equal_turns);
    RUN(test_quantiles);
    return check_done();
}
