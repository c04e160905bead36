/* Inside of the world: what passing time asks of its chips and actions. */
#ifndef AH_SIM_WORLD_CHIP_H
#define AH_SIM_WORLD_CHIP_H

#include "sim/world.h"

/* Actions whose start has come get their time, in the order they were given. */
void world_start_actions_locked(struct world *world);
/* Carry out the actions that are due. */
void world_run_actions_locked(struct world *world, int64_t now);
/* Reset pins that were moved by whoever held only the lines' lock. */
void world_apply_pins_locked(struct world *world);
/* No card is in a field afterwards, and no action is left. */
void world_clear_locked(struct world *world);

#endif
