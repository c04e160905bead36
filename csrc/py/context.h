/* Snapshots of the current contextvars.Context, shared as long as nothing changed.
 *
 * A context's variables are one immutable mapping; setting a variable replaces
 * it.  So two moments with the same mapping have equal contexts, and callbacks
 * scheduled at both may share one copy until they run.  Where a context keeps
 * that pointer is found out at import, by asking its traverse function; where
 * that gives no answer, every callback gets a copy of its own, as in asyncio.
 *
 * The copy that a callback ran in is the next one's, if it is as it was and nobody else
 * has it: a burst of callbacks then makes no contexts, and wakes no collector.
 */
#ifndef AH_PY_CONTEXT_H
#define AH_PY_CONTEXT_H

#include "module.h"

struct context_snapshot {
    PyObject *copy;  /* owned, or NULL: a copy that nobody enters */
    PyObject *vars;  /* its mapping; kept alive by it */
    PyObject *spare; /* owned, or NULL: another copy, that nobody else has */
};

/* The snapshot's copy when it still is the current context, else a new one.
 * *shared: it may be shared and must be copied before it is entered. */
AH_RAISES PyObject *ah_context_current(ModuleState *st,
                                       struct context_snapshot *snapshot, bool *shared);

/* A context of a callback's own, with the variables of one that is shared. */
AH_RAISES PyObject *ah_context_own(ModuleState *st, struct context_snapshot *snapshot,
                                   AH_BORROWED PyObject *shared); /* runs Python */

/* A callback is done with its context. */
void ah_context_done(ModuleState *st, struct context_snapshot *snapshot,
                     AH_STEALS PyObject *context); /* runs Python */

static inline void
context_snapshot_clear(struct context_snapshot *snapshot)
{
    snapshot->vars = NULL;
    Py_CLEAR(snapshot->spare);
    Py_CLEAR(snapshot->copy);
}

#endif
