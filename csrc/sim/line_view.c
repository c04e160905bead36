/* Polling a line; see line_view.h. */
#include "sim/line_view.h"

#include <string.h>
#include <sys/resource.h>

#include "base/clock.h"

/* getrusage() knows it as of the last tick only. */
static int64_t
cpu_time_ns(void)
{
    struct timespec ts = {0};
    (void)clock_gettime(CLOCK_THREAD_CPUTIME_ID, &ts);
    return (int64_t)ts.tv_sec * NS_PER_S + ts.tv_nsec;
}

struct line_reader
line_reader_now(void)
{
    struct rusage usage = {0};
    (void)getrusage(RUSAGE_THREAD, &usage);
    return (struct line_reader){.thread = pthread_self(), .sleeps = usage.ru_nvcsw};
}

static void
forget_oldest(struct line_view *view, unsigned n)
{
    view->count -= n;
    memmove(view->changes, view->changes + n, view->count * sizeof *view->changes);
}

static void
look_away(struct line_view *view)
{
    view->reader = line_reader_now();
    view->cpu_time_ns = cpu_time_ns();
}

void
view_begin(struct line_view *view, int level)
{
    *view = (struct line_view){.is_read = true, .shown = level};
    look_away(view);
}

void
view_changed(struct line_view *view, int64_t when)
{
    if (!view->is_read) {
        return;
    }
    if (view->count == LINE_VIEW_CHANGES) {
        forget_oldest(view, 2); /* there and back */
    }
    view->changes[view->count++] = when;
}

void
view_changed_by_hand(struct line_view *view)
{
    if (view->is_read && pthread_equal(view->reader.thread, pthread_self())) {
        view->is_read = false;
    }
}

static bool
is_read_by(const struct line_view *view, const struct line_reader *reader)
{
    return view->is_read && pthread_equal(view->reader.thread, reader->thread) &&
           view->reader.sleeps == reader->sleeps;
}

/* It polls the other one too if it has read that since it read this one. */
void
view_add_other(const struct line_view *view, const struct line_view *other,
               const struct line_reader *began, struct line_backlog *backlog)
{
    if (other == view || other->count == 0 || !is_read_by(other, began) ||
        other->cpu_time_ns < view->cpu_time_ns) {
        return;
    }
    if (other->changes[0] < backlog->first) {
        backlog->first = other->changes[0];
    }
    if (other->late_ns > backlog->late_ns) {
        backlog->late_ns = other->late_ns;
    }
}

void
view_keep_pace(struct line_view *other, const struct line_view *view,
               const struct line_reader *began, const struct line_backlog *backlog)
{
    if (!is_read_by(other, began)) {
        return;
    }
    other->reader.sleeps = view->reader.sleeps;
    if (other->count > 0 && other->late_ns < backlog->late_ns) {
        other->late_ns = backlog->late_ns;
    }
}

/* What it would have missed with a CPU of its own is not shown. */
static void
show_next(struct line_view *view, const struct line_backlog *backlog, int64_t now)
{
    int64_t ran_ns = view->count >= 2 ? cpu_time_ns() - view->cpu_time_ns : 0;
    while (view->count >= 2 && view->changes[1] - view->changes[0] <= ran_ns) {
        forget_oldest(view, 2);
    }
    int64_t late_ns =
        view->late_ns > backlog->late_ns ? view->late_ns : backlog->late_ns;
    if (view->count > 0 && view->changes[0] <= now - late_ns &&
        view->changes[0] <= backlog->first) {
        view->late_ns = now - view->changes[0];
        view->shown = !view->shown;
        forget_oldest(view, 1);
    }
}

int
view_read(struct line_view *view, const struct line_reader *began,
          struct line_backlog *backlog, int level, int64_t now)
{
    if (is_read_by(view, began)) {
        show_next(view, backlog, now);
    }
    else {
        view->count = 0;
    }
    backlog->late_ns = view->late_ns;
    if (view->count == 0) {
        view->shown = level;
        view->late_ns = 0;
    }
    view->is_read = true;
    look_away(view);
    return view->shown;
}
