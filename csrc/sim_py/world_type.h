/* The struct of _core.SimWorld, for the files that make it up: world_type.c (life),
 * field.c (readers and cards), lines.c (lines and devices). */
#ifndef AH_SIM_PY_WORLD_TYPE_H
#define AH_SIM_PY_WORLD_TYPE_H

#include <stdbool.h>

#include "module.h"
#include "py/fork.h"
#include "sim/world.h"

struct sim_card;

typedef struct {
    PyObject_HEAD
    ModuleState *st;
    struct fork_node
        fork; /* an inherited world is not touched: who knows who holds it */
    struct world world;
    bool has_world;
    PyObject *name;         /* owned str */
    struct sim_card *cards; /* owned */
} SimWorldObject;

/* In a child, or closed: -1 with RuntimeError, ValueError. */
AH_RAISES int ah_sim_check_open(SimWorldObject *self);

/* Lock for a method; -1 with ValueError when the board is closed. */
AH_RAISES int ah_sim_enter(SimWorldObject *self);

/* Unlock after something changed: loops look again, idle cards go.  -1: the
 * thread of real time could not be started. */
AH_RAISES int ah_sim_leave(SimWorldObject *self); /* runs Python */

/* Seconds as ns; None: *given is false.  -1 with ValueError. */
AH_RAISES int ah_sim_seconds(PyObject *arg, const char *name, bool *given, int64_t *ns);

AH_RAISES int ah_sim_check_line(SimWorldObject *self, int line);

/* Entered.  Let `plan` happen, with `card` unless it is NULL. */
AH_RAISES int ah_sim_schedule(SimWorldObject *self, const struct world_action *plan,
                              struct sim_card *card);

/* Python methods. */
PyObject *SimWorld_attach(SimWorldObject *self, PyObject *arg);
PyObject *SimWorld_present(SimWorldObject *self, PyObject *arg);
PyObject *SimWorld_remove(SimWorldObject *self, PyObject *arg);
PyObject *SimWorld_cards(SimWorldObject *self, PyObject *arg);
PyObject *SimWorld_field_on(SimWorldObject *self, PyObject *arg);
PyObject *SimWorld_peek(SimWorldObject *self, PyObject *arg);
PyObject *SimWorld_drive(SimWorldObject *self, PyObject *arg);
PyObject *SimWorld_level(SimWorldObject *self, PyObject *arg);
PyObject *SimWorld_driven(SimWorldObject *self, PyObject *arg);
PyObject *SimWorld_consumer(SimWorldObject *self, PyObject *arg);
PyObject *SimWorld_pull(SimWorldObject *self, PyObject *arg);
PyObject *SimWorld_request_lines(SimWorldObject *self, PyObject *arg);
PyObject *SimWorld_open_spi(SimWorldObject *self, PyObject *arg);

#endif
