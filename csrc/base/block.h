/* Blocking waits: for a descriptor, a time or a cancel, whichever is first.
 *
 * Call without the GIL.  On a virtual clock the wait takes no real time, except for
 * work that holds the clock (clock.h).  -EINTR is returned so that the caller can run
 * Python's signal handlers and come back (PEP 475).  Python-free.
 */
#ifndef AH_BASE_BLOCK_H
#define AH_BASE_BLOCK_H

#include <stdint.h>

#include "base/clock.h"
#include "base/ready.h"

/* clock NULL: the monotonic one.  fd -1: none.  tokens NULL: not cancellable.
 * deadline_ns NS_NEVER: none.  A block_result or -errno: -EINTR, and on a virtual clock
 * -EDEADLK and -ETIME (clock.h). */
int block_until(struct vclock *clock, int fd, const struct token_set *tokens,
                int64_t deadline_ns);

/* Now on `clock`, or on the monotonic clock when it is NULL. */
static inline int64_t
clock_now(struct vclock *clock)
{
    return clock != NULL ? vclock_now(clock) : clock_monotonic_ns();
}

#endif
