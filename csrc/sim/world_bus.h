/* A message on a bus of the board: its turn there, and how its time passes.
 *
 * On a virtual clock the world stays taken, and the clock moves at once, as long as
 * nothing is due meanwhile.  In real time the thread sleeps, without the host's lock
 * and with the world left: once for all that is left of the message, and each part of
 * it then has its own time in the past, where nothing is due meanwhile; else before
 * each.
 */
#ifndef AH_SIM_WORLD_BUS_H
#define AH_SIM_WORLD_BUS_H

#include "sim/world.h"

/* Where a message is in its own time. */
struct bus_progress {
    int64_t now;
    int64_t waited;  /* in real time: until then it has been slept */
    int64_t left_ns; /* and so much is to come */
};

/* One message at a time.  With the host's lock, which is given up while it waits; the
 * world is not entered, and entered afterwards. */
void bus_enter(struct world *world, pthread_mutex_t *bus);
void bus_leave(struct world *world, pthread_mutex_t *bus);

/* The world is entered.  `total_ns`: how long the message takes, in all. */
struct bus_progress bus_begin_locked(struct world *world, int64_t total_ns);

/* The world is entered, and left meanwhile, where somebody else may have his turn. */
void bus_pass_locked(struct world *world, struct bus_progress *progress,
                     int64_t duration_ns);

#endif
