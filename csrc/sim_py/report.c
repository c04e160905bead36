/* Exceptions in the code of cards and parts; see report.h. */
#include "sim_py/report.h"

#include <signal.h>

/* Would PyErr_SetInterrupt() raise anything? */
static bool
is_interrupt_heard(void)
{
    PyOS_sighandler_t handler = PyOS_getsig(SIGINT);
    return handler != SIG_IGN && handler != SIG_DFL;
}

void
ah_sim_report(PyObject *object)
{
    if (PyErr_ExceptionMatches(PyExc_KeyboardInterrupt) && is_interrupt_heard()) {
        /* Raised again where a verb that is being cancelled cannot lose it. */
        PyErr_Clear();
        PyErr_SetInterrupt();
    }
    else if (PyErr_ExceptionMatches(PyExc_Exception) &&
             !PyErr_ExceptionMatches(PyExc_MemoryError)) {
        PyErr_WriteUnraisable(object); /* runs Python */
    }
}
