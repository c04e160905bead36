/* A thread that waits for its turn on a bus: behind who came before, until its job is
 * cancelled, its device is closed, or a signal handler raises.
 *
 * One that runs a loop does not wait, for it may be that loop which has the turn: the
 * kernel's own lock is its place.
 */
#ifndef AH_HW_BUS_WAIT_H
#define AH_HW_BUS_WAIT_H

#include "hw/bus_turn.h"
#include "py/job_token.h"

/* Begin with an empty one, and leave its turn before it goes. */
struct bus_thread_turn {
    struct bus_turn turn;
    CancelTokenObject *token; /* owned while it waits: cancelled when it is told */
};

/* 0: its turn; 1: it need not wait for one.  -1: the wait has ended otherwise. */
AH_RAISES int ah_bus_take_turn(BusDeviceObject *self,
                               struct bus_thread_turn *turn); /* runs Python */

#endif
