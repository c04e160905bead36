/* A part at an address of a simulated I2C bus: the C side of a Python object.
 *
 * The bus calls it inside of transfers only, that is with the GIL held: write(bytes),
 * which returns False for what it does not acknowledge, and read(n), which returns at
 * most n bytes; for those that it leaves out the bus reads 0xff.  An exception is
 * reported (report.h), and nothing is acknowledged.
 */
#ifndef AH_SIM_PY_TARGET_H
#define AH_SIM_PY_TARGET_H

#include "sim_py/world_object.h"

struct sim_target {
    struct world_target target;
    struct sim_target *next; /* the SimWorld's list */
    PyObject *object;        /* owned */
};

PyObject *SimWorld_attach_i2c(SimWorldObject *self, PyObject *args);
PyObject *SimWorld_detach_i2c(SimWorldObject *self, PyObject *args);

/* An I2CBus. */
PyObject *SimWorld_open_i2c(SimWorldObject *self, PyObject *args);

/* When the world is closed. */
void ah_sim_drop_targets(SimWorldObject *self); /* runs Python */

#endif
