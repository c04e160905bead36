/* The struct of _core.SimWorld, and how a method enters it: for world_type.c (life),
 * field.c (readers and cards), lines.c (lines and devices). */
#ifndef AH_SIM_PY_WORLD_OBJECT_H
#define AH_SIM_PY_WORLD_OBJECT_H

#include <stdbool.h>

#include "module.h"
#include "py/fork.h"
#include "sim/world.h"

struct sim_card;
struct sim_part;
struct sim_target;

typedef struct {
    PyObject_HEAD
    ModuleState *st;
    struct fork_node
        fork; /* an inherited world is not touched: who knows who holds it */
    struct world world;
    bool has_world;
    PyObject *name;             /* owned str */
    struct sim_card *cards;     /* owned */
    struct sim_part *parts;     /* owned */
    struct sim_target *targets; /* owned */
} SimWorldObject;

/* In a child: -1 with RuntimeError. */
AH_RAISES int ah_sim_check_own(SimWorldObject *self);

/* In a child, or closed: -1 with RuntimeError, ValueError. */
AH_RAISES int ah_sim_check_open(SimWorldObject *self);
/* May the caller open devices?  Not code of a card or part: see world.h. */
AH_RAISES int ah_sim_check_outside(SimWorldObject *self);

/* Lock for a method; -1 with ValueError when the board is closed. */
AH_RAISES int ah_sim_enter(SimWorldObject *self);

/* Unlock after something changed: loops look again, idle cards go.  -1: the
 * thread of real time could not be started. */
AH_RAISES int ah_sim_leave(SimWorldObject *self); /* runs Python */

/* Drop cards that are nowhere any more; not from card code, which may be theirs. */
void ah_sim_drop_idle_cards(SimWorldObject *self); /* runs Python */

/* Seconds as ns; None: *given is false.  -1 with ValueError. */
AH_RAISES int ah_sim_seconds(PyObject *arg, const char *name, bool *given, int64_t *ns);

AH_RAISES int ah_sim_check_line(SimWorldObject *self, int line);

/* None; or OSError, for what was not attached to a chip select (`err` < 0). */
AH_RAISES PyObject *ah_sim_attached_spi(int err, unsigned bus, unsigned cs);

/* Entered.  Let `plan` happen, with `card` unless it is NULL. */
AH_RAISES int ah_sim_schedule(SimWorldObject *self, const struct world_action *plan,
                              struct sim_card *card);

#endif
