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
    PyObject *loop; /* borrowed: runs on it now, or NULL */
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

/* Give such a reference back. */
static inline void
ah_drop_clock(AH_STEALS struct vclock *clock)
{
    if (clock != NULL) {
        Py_DECREF(ah_virtual_clock_object(clock));
    }
}

/* A loop runs on it from now on, or NULL: none any more.  RuntimeError if another does.
 */
AH_RAISES int ah_virtual_clock_attach(PyObject *clock, PyObject *loop);
void ah_virtual_clock_detach(PyObject *clock);

/* SleepForeverError for a wait that ended with -EDEADLK or -ETIME, which tells what is
 * waited for; `what`: the wait, NULL: the loop's.  Always -1. */
AH_RAISES int ah_raise_sleep(struct vclock *clock, int err,
                             const char *what); /* runs Python */

/* The clock of a VirtualClock, NULL for None; -1 with TypeError otherwise, and with
 * RuntimeError for one that was inherited by fork. */
AH_RAISES int ah_virtual_clock_arg(ModuleState *st, PyObject *arg,
                                   struct vclock **clock);

#endif
