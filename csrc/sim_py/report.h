/* What becomes of an exception in the code of a simulated card or part.
 *
 * It goes to sys.unraisablehook with the object's name.  What was meant for the program
 * ends the message: no memory, and what is no Exception, as from a signal handler that
 * ran there.
 */
#ifndef AH_SIM_PY_REPORT_H
#define AH_SIM_PY_REPORT_H

#include <stdbool.h>

#include "module.h"

/* An exception is set; afterwards only if it ends the message. */
void ah_sim_report(PyObject *object); /* runs Python */

/* Until the message ends, cards and parts are silent. */
static inline bool
ah_sim_has_failed(void)
{
    return PyErr_Occurred() != NULL;
}

#endif
