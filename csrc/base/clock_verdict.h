/* Inside of the virtual clock: may it jump, or who has something left to do?
 *
 * Read off what the clock's `lock` guards: the waits, the holds, the loop.  Nothing is
 * remembered, so there is no verdict that one thread has seen and another has changed.
 * Drivers and descriptors are not asked here: that takes other locks, or the kernel.
 */
#ifndef AH_BASE_CLOCK_VERDICT_H
#define AH_BASE_CLOCK_VERDICT_H

#include "base/clock.h"

enum verdict {
    FREE,      /* yes, as far as one can tell without the drivers and descriptors */
    LATER,     /* somebody moves it, or is about to leave its wait */
    LOOP_RUNS, /* a callback of the loop runs */
    WORK_RUNS, /* something that holds it is not in a wait */
};

/* Of whom a wait has found that they need not be waited for. */
struct despite {
    bool loop;
    bool work;
};

enum verdict verdict_locked(struct vclock *clock, struct despite despite);

/* Something has changed: if the clock may go on now, one that waits is woken and sees
 * to it. */
void verdict_pass_on_locked(struct vclock *clock);

/* Is the loop stuck in a callback (stuck.h)?  Lets the lock go meanwhile.  for_ever:
 * long enough to call that an error. */
bool verdict_loop_is_stuck_locked(struct vclock *clock, bool *for_ever);

#endif
