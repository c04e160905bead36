/* A Python object on a simulated chip select: the C side of one.
 *
 * It is called inside SPI messages only, that is with the GIL held.  An exception that
 * it raises is the message's. */
#ifndef AH_SIM_PY_PART_H
#define AH_SIM_PY_PART_H

#include "sim_py/world_object.h"

struct sim_part {
    struct world_part part;
    struct sim_part *next; /* the SimWorld's list */
    PyObject *object;      /* owned */
    bool has_warned;       /* that it does not hear the program */
};

PyObject *SimWorld_attach_part(SimWorldObject *self, PyObject *args);

/* When the world is closed. */
void ah_sim_drop_parts(SimWorldObject *self); /* runs Python */

#endif
