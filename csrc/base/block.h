/* Blocking waits: for a descriptor, a time or a cancel, whichever is first.
 *
 * Call without the GIL.  On a virtual clock the wait moves the clock (when no
 * loop does), so it takes no real time.  Where other work holds the clock, that
 * work gets a millisecond of real time before each move, not for ever: it may be
 * waiting for this very thread.  -EINTR is returned so that the caller
 * can run Python's signal handlers and come back (PEP 475).  Python-free.
 */
#ifndef AH_BASE_BLOCK_H
#define AH_BASE_BLOCK_H

#include <stdint.h>

#include "base/clock.h"
#include "base/token.h"

enum block_result {
    BLOCK_READY = 0,     /* fd is readable (or in error: the read will say so) */
    BLOCK_TIMEOUT = 1,   /* deadline_ns has come */
    BLOCK_CANCELLED = 2, /* a token was cancelled; wins over the other two */
};

/* clock NULL: the monotonic one.  fd -1: none.  tokens NULL: not cancellable.
 * deadline_ns NS_NEVER: none.  A block_result or -errno (-EINTR; -EDEADLK: on a
 * virtual clock, nothing is left that could ever end this wait). */
int block_until(struct vclock *clock, int fd, const struct token_set *tokens,
                int64_t deadline_ns);

/* Now on `clock`, or on the monotonic clock when it is NULL. */
static inline int64_t
clock_now(struct vclock *clock)
{
    return clock != NULL ? vclock_now(clock) : clock_monotonic_ns();
}

#endif
