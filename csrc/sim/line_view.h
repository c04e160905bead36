/* What a thread that polls a line sees of it, in real time.
 *
 * A thread that loses its CPU for 20 ms misses a pulse of 1 ms, which on a board, where
 * it would have had a CPU for itself, it had seen.  So a thread that has not slept
 * since it read last or asked for the line, and has run for less time than the pulse
 * lasted, is shown it: each read goes on by one change of the line at most, and what is
 * shown late lasts as long as it did.  Lines that it polls in turn are late together,
 * so what it is shown of them comes in the order in which it came.  Whoever sleeps
 * between two reads, be it for the GIL, sees the line as it is.  Under the bank's lock.
 * Python-free.
 */
#ifndef AH_SIM_LINE_VIEW_H
#define AH_SIM_LINE_VIEW_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#define LINE_VIEW_CHANGES 64

/* A thread at a moment. */
struct line_reader {
    pthread_t thread;
    long sleeps; /* how often it has given up its CPU */
};

struct line_view {
    bool is_read; /* by `reader`, who was so when it looked away */
    struct line_reader reader;
    int64_t cpu_time_ns; /* of that thread */
    int shown;
    int64_t late_ns; /* how much later than it came the level was shown */
    unsigned count;
    int64_t changes[LINE_VIEW_CHANGES]; /* own times, not shown yet, oldest first */
};

/* What a thread has not been shown yet of the other lines that it polls. */
struct line_backlog {
    int64_t first; /* own time of the oldest change, or NS_NEVER */
    int64_t late_ns;
};

/* Needs no lock, which would be one to sleep for. */
struct line_reader line_reader_now(void);

/* The calling thread asks for the line. */
void view_begin(struct line_view *view, int level);
/* In real time. */
void view_changed(struct line_view *view, int64_t when);
/* The calling thread has changed the line, and knows. */
void view_changed_by_hand(struct line_view *view);
/* To the backlog of a read of `view`, what `other` adds. */
void view_add_other(const struct line_view *view, const struct line_view *other,
                    const struct line_reader *began, struct line_backlog *backlog);
/* The level that a read shows which `began` so, of a line that is at `level` now; how
 * late that is goes into the backlog. */
int view_read(struct line_view *view, const struct line_reader *began,
              struct line_backlog *backlog, int level, int64_t now);
/* After a read of `view` that began so: `other` becomes as late, for the same thread,
 * which has slept for the read's own locks only. */
void view_keep_pace(struct line_view *other, const struct line_view *view,
                    const struct line_reader *began,
                    const struct line_backlog *backlog);

#endif
