/* Sleeping to the point; see nap.h. */
#include "base/nap.h"

#include <errno.h>
#include <stddef.h>
#include <sys/prctl.h>
#include <time.h>

#include "base/clock.h"

#define WAKE_UP_NS (15 * NS_PER_US) /* about what the kernel takes to wake a thread */

/* Without the thread's timer slack, 50 us as a rule, which threads and children that
 * it starts later inherit. */
static void
sleep_until(int64_t when_ns)
{
    struct timespec ts = {.tv_sec = (time_t)(when_ns / NS_PER_S),
                          .tv_nsec = (long)(when_ns % NS_PER_S)};
    int slack_ns = prctl(PR_GET_TIMERSLACK, 0, 0, 0, 0);
    bool sharp = slack_ns > 1 && prctl(PR_SET_TIMERSLACK, 1, 0, 0, 0) == 0;
    while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &ts, NULL) == EINTR) {
    }
    if (sharp) {
        (void)prctl(PR_SET_TIMERSLACK, (unsigned long)slack_ns, 0, 0, 0);
    }
}

void
nap_until(int64_t when_ns)
{
    int64_t early_ns = when_ns - WAKE_UP_NS;
    if (clock_monotonic_ns() < early_ns) {
        sleep_until(early_ns);
    }
    while (clock_monotonic_ns() < when_ns) {
    }
}
