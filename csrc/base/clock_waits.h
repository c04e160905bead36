/* Inside of the virtual clock: who waits on it, and what ends a wait.
 *
 * A list of struct clock_wait, on the stacks of those who wait, under the clock's
 * `lock`.  Whoever changes what a wait depends on wakes it, and it looks for itself:
 * a wake-up says nothing but "look".  Whether the clock may jump is not known here.
 */
#ifndef AH_BASE_CLOCK_WAITS_H
#define AH_BASE_CLOCK_WAITS_H

#include "base/clock.h"

#define LOOK_NS (20 * NS_PER_MS) /* is the loop's thread stuck, or the loop gone? */

/* Join the list, and leave it: another thread then looks out, if this one did. */
void waits_enter_locked(struct vclock *clock, struct clock_wait *me);
void waits_leave_locked(struct vclock *clock, struct clock_wait *me);

/* The loop's, or NULL. */
struct clock_wait *waits_of_loop_locked(struct vclock *clock);
/* Of the thread that looks out for all that wait, or NULL: every LOOK_NS it asks
 * whether the loop is stuck.  If all did, they would keep each other from it. */
struct clock_wait *waits_lookout_locked(struct vclock *clock);
/* The first of which the descriptor is readable or a token cancelled, or NULL; also
 * with *err, a -errno, when that is not to be had. */
struct clock_wait *waits_ready_locked(struct vclock *clock, int *err);

void waits_wake(struct clock_wait *wait);
/* It is when_ns now, if it was not later already: wakes those whose time has come. */
void waits_arrive_locked(struct vclock *clock, int64_t when_ns);
/* No wait can go on.  loop_first: the loop's ends now, and those of threads by
 * vclock_end_waits(), for what the loop says of them is true as long as they wait. */
void waits_end_all_locked(struct vclock *clock, int err, bool loop_first);

/* Is this wait over?  A block_result or -errno; BLOCK_TIMEOUT also if it is not. */
int waits_end_of_locked(struct vclock *clock, struct clock_wait *me, bool *ended);
/* Let the lock go and sleep until something wakes this wait, or for limit_ns at most.
 * A block_result or -errno; BLOCK_TIMEOUT: decide anew.  The first time it gets what
 * wakes it, instead. */
int waits_rest(struct vclock *clock, struct clock_wait *me, int64_t limit_ns,
               bool *woken);

#endif
