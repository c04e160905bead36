/* What a loop counts about itself, always; read by loop.stats().
 *
 * The time a loop runs falls into stretches and sleep.  A stretch is a turn, from the
 * moment when there was something to run (the turn before ended, the kernel returned
 * from the poll, a timer was due) to the end of its callbacks.  What becomes ready
 * within a stretch waits for its end; that wait is the loop's lag.  Stretches are
 * measured in real time, also on a virtual clock.
 */
#ifndef AH_LOOP_LOOP_COUNTERS_H
#define AH_LOOP_LOOP_COUNTERS_H

#include "base/clock.h"
#include "base/histogram.h"

struct loop_stats {
    uint64_t iterations;
    uint64_t callbacks;
    uint64_t polls;
    uint64_t timers_fired;
    int64_t idle_ns;
    int64_t running_ns;     /* of the runs that are over */
    int64_t run_started_ns; /* 0: not running */
    int64_t stretch_ns;     /* start of the stretch; 0: asleep or not running */
    int64_t sleep_ns;       /* start of the sleep; 0: not asleep */
    struct histogram stretches;
};

static inline void
loop_stats_run_begin(struct loop_stats *stats)
{
    stats->run_started_ns = stats->stretch_ns = clock_monotonic_ns();
}

/* A turn begins, and so the turn before has ended. */
static inline void
loop_stats_turn(struct loop_stats *stats, int64_t now_ns)
{
    stats->iterations++;
    histogram_add(&stats->stretches, now_ns - stats->stretch_ns);
    stats->stretch_ns = now_ns;
}

/* The turn finds nothing to run, and sleeps in the kernel. */
static inline void
loop_stats_sleep(struct loop_stats *stats)
{
    stats->sleep_ns = stats->stretch_ns;
    stats->stretch_ns = 0;
}

/* The kernel returned at now_ns; what then waits for the GIL, waits for its turn. */
static inline void
loop_stats_woke(struct loop_stats *stats, int64_t now_ns)
{
    now_ns = now_ns > stats->sleep_ns ? now_ns : stats->sleep_ns; /* reset meanwhile */
    stats->idle_ns += now_ns - stats->sleep_ns;
    stats->stretch_ns = now_ns;
    stats->sleep_ns = 0;
}

/* A timer of this turn was due at due_ns; the turn before is counted up to turn_ns. */
static inline void
loop_stats_due(struct loop_stats *stats, int64_t turn_ns, int64_t due_ns)
{
    if (due_ns < stats->stretch_ns) {
        stats->stretch_ns = due_ns > turn_ns ? due_ns : turn_ns;
    }
}

static inline void
loop_stats_run_end(struct loop_stats *stats)
{
    int64_t now_ns = clock_monotonic_ns();
    histogram_add(&stats->stretches, now_ns - stats->stretch_ns);
    stats->running_ns += now_ns - stats->run_started_ns;
    stats->run_started_ns = stats->stretch_ns = 0;
}

#endif
