/* Inside of the virtual clock: the list of its drivers, and time that passes for them.
 *
 * `driving` guards the list and is held while a driver's code runs: so the clock is
 * moved by one thread at a time, `mover`, and `drives` tells those who hold only `lock`
 * that somebody does.  It is recursive: a driver's code may move the clock itself.
 * Who changes the list holds `lock`, too, so that either is enough to read it.
 */
#ifndef AH_BASE_CLOCK_DRIVERS_H
#define AH_BASE_CLOCK_DRIVERS_H

#include "base/clock.h"

/* Begin and end to move the clock.  lock: what time it is. */
int64_t drivers_lock(struct vclock *clock);
void drivers_unlock(struct vclock *clock);

/* When something is due next, or NS_NEVER; with `driving` held. */
int64_t drivers_next_due(struct vclock *clock);
/* It is now_ns: let happen what is due, first at due_ns; with `driving` held. */
void drivers_drive(struct vclock *clock, int64_t due_ns, int64_t now_ns);

#endif
