/* A card in a simulated field: the C side of a Python object.
 *
 * The field calls it inside SPI messages only, that is with the GIL held; what
 * the object's methods take and give is told in pyasync_hw/sim/cards.py.  An
 * exception in card code goes to sys.unraisablehook with the card's name, and
 * the card is silent.  What was meant for the program ends the message: no
 * memory, and what is no Exception, as from a signal handler that ran there.
 */
#ifndef AH_SIM_PY_CARD_H
#define AH_SIM_PY_CARD_H

#include "module.h"
#include "sim/field_sim.h"

struct sim_card {
    struct field_card card; /* card.field: where it is */
    struct sim_card *next;  /* the SimWorld's list */
    PyObject *object;       /* owned */
    int uses;               /* actions that are going to move it */
};

/* A card around `object`, in no field.  TypeError/ValueError: its power_up. */
AH_RAISES struct sim_card *ah_sim_card_new(PyObject *object);

/* Once it is in no field and has no uses. */
void ah_sim_card_free(AH_STEALS struct sim_card *card); /* runs Python */

#endif
