/* Inside of the virtual clock: is somebody told what has happened, for whom time stands
 * still?  See struct clock_teller.
 *
 * Nobody waits for a teller longer than TELLER_PATIENCE_NS of real time: it may want a
 * lock that is held by who waits.
 */
#ifndef AH_BASE_CLOCK_TELLER_H
#define AH_BASE_CLOCK_TELLER_H

#include "base/clock.h"

#define TELLER_PATIENCE_NS (5 * NS_PER_S)

/* A teller that waits on the clock itself lets time pass. */
bool tellers_are_busy_locked(const struct vclock *clock);

/* Wait until all is told, but for the tellers' own threads.  Did it have to? */
bool tellers_wait_locked(struct vclock *clock);

/* The monotonic time until which somebody who begins to wait now does. */
struct timespec teller_patience(void);

#endif
