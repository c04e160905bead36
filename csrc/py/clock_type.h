/* VirtualClock: Python's hold on base/clock.h. */
#ifndef AH_PY_CLOCK_TYPE_H
#define AH_PY_CLOCK_TYPE_H

#include "module.h"
#include "base/clock.h"
#include "py/fork.h"

typedef struct {
    PyObject_HEAD
    ModuleState *st;
    struct fork_node fork;
    struct vclock clock;
} VirtualClockObject;

/* The Python object around `clock` (borrowed). */
static inline PyObject *
ah_virtual_clock_object(struct vclock *clock)
{
    return (PyObject *)((char *)clock - offsetof(VirtualClockObject, clock));
}

/* That object, a new reference; NULL for NULL.  Whoever uses a clock without the GIL
 * holds one. */
static inline PyObject *
ah_keep_clock(struct vclock *clock)
{
    return clock != NULL ? Py_NewRef(ah_virtual_clock_object(clock)) : NULL;
}

/* The clock of a VirtualClock, NULL for None; -1 with TypeError otherwise, and with
 * RuntimeError for one that was inherited by fork. */
AH_RAISES int ah_virtual_clock_arg(ModuleState *st, PyObject *arg,
                                   struct vclock **clock);

#endif
