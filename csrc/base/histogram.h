/* How often each duration occurred: a histogram with logarithmic buckets.
 *
 * 16 buckets per power of two, so a value is known to 1 part in 32; fixed memory,
 * from 0 ns to 36 minutes (what is longer counts as that).  Adding costs a few
 * instructions.  One thread at a time; Python-free.
 */
#ifndef AH_BASE_HISTOGRAM_H
#define AH_BASE_HISTOGRAM_H

#include <stdint.h>

#define HISTOGRAM_SUB_BITS 4
#define HISTOGRAM_SUB (1 << HISTOGRAM_SUB_BITS)
#define HISTOGRAM_TOP_BIT 40 /* of the longest: 2^41 - 1 ns */
#define HISTOGRAM_BUCKETS ((HISTOGRAM_TOP_BIT - HISTOGRAM_SUB_BITS + 2) * HISTOGRAM_SUB)

struct histogram {
    uint64_t counts[HISTOGRAM_BUCKETS];
    int64_t max; /* exact */
};

/* The bucket of a duration. */
static inline unsigned
histogram_bucket(int64_t ns)
{
    const int64_t longest = (INT64_C(2) << HISTOGRAM_TOP_BIT) - 1;
    uint64_t value = (uint64_t)(ns < 0 ? 0 : ns > longest ? longest : ns);
    if (value < HISTOGRAM_SUB) {
        return (unsigned)value;
    }
    unsigned shift = 63 - HISTOGRAM_SUB_BITS - (unsigned)__builtin_clzll(value);
    return shift * HISTOGRAM_SUB + (unsigned)(value >> shift);
}

static inline void
histogram_add(struct histogram *histogram, int64_t ns)
{
    histogram->counts[histogram_bucket(ns)]++;
    if (ns > histogram->max) {
        histogram->max = ns;
    }
}

/* Given stretches of time at whose end something is served: how long does who comes
 * at a random moment of `total_ns` have to wait, at most, in `fraction` of the cases?
 * Outside the stretches nobody waits. */
int64_t histogram_wait(const struct histogram *histogram, int64_t total_ns,
                       double fraction);

/* What `fraction` of those added do not exceed; 0 when there are none. */
int64_t histogram_quantile(const struct histogram *histogram, double fraction);

#endif
