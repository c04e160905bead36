/* Percentiles of what was counted, and of a wait for the end of the stretches counted.
 */
#include "base/histogram.h"

/* The middle of a bucket. */
static double
bucket_value(unsigned bucket)
{
    if (bucket < 2 * HISTOGRAM_SUB) {
        return (double)bucket; /* exact */
    }
    unsigned shift = bucket / HISTOGRAM_SUB - 1;
    uint64_t low = (uint64_t)(bucket - shift * HISTOGRAM_SUB) << shift;
    return (double)low + (double)((UINT64_C(1) << shift) - 1) / 2;
}

int64_t
histogram_wait(const struct histogram *histogram, int64_t total_ns, double fraction)
{
    /* Who comes within a stretch of length d waits longer than x with probability
     * (d - x) / d; so during sum(d - x) of the total, over the stretches above x. */
    double allowed = (1.0 - fraction) * (double)total_ns;
    double sum = 0.0;
    double count = 0.0;
    for (unsigned bucket = HISTOGRAM_BUCKETS; bucket-- > 0;) {
        if (histogram->counts[bucket] == 0) {
            continue;
        }
        double value = bucket_value(bucket);
        if (sum - count * value > allowed) {
            break; /* the answer lies above this bucket */
        }
        sum += (double)histogram->counts[bucket] * value;
        count += (double)histogram->counts[bucket];
    }
    if (count == 0.0 || sum <= allowed) {
        return 0;
    }
    int64_t wait = (int64_t)((sum - allowed) / count);
    return wait < histogram->max ? wait : histogram->max;
}

int64_t
histogram_quantile(const struct histogram *histogram, double fraction)
{
    double total = 0.0;
    for (unsigned bucket = 0; bucket < HISTOGRAM_BUCKETS; bucket++) {
        total += (double)histogram->counts[bucket];
    }
    double wanted = fraction * total;
    double sum = 0.0;
    for (unsigned bucket = 0; bucket < HISTOGRAM_BUCKETS; bucket++) {
        sum += (double)histogram->counts[bucket];
        if (histogram->counts[bucket] > 0 && sum >= wanted) {
            int64_t value = (int64_t)bucket_value(bucket);
            return value < histogram->max ? value : histogram->max;
        }
    }
    return 0;
}
