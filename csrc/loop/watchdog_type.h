/* Watchdog: Python's hold on base/watchdog.h. */
#ifndef AH_LOOP_WATCHDOG_TYPE_H
#define AH_LOOP_WATCHDOG_TYPE_H

#include "base/watchdog.h"
#include "module.h"

typedef struct {
    PyObject_HEAD
    ModuleState *st;
    struct watchdog dog;
    PyThreadState *tstate; /* of who runs what is watched; NULL: nothing runs */
    bool open;
} WatchdogObject;

/* With the GIL: something begins in this thread; the end of what was watched. */
static inline void
ah_watchdog_begin(WatchdogObject *self, PyThreadState *tstate, int64_t began_ns)
{
    self->tstate = tstate;
    watchdog_begin(&self->dog, began_ns);
}

static inline void
ah_watchdog_end(WatchdogObject *self)
{
    self->tstate = NULL;
    watchdog_end(&self->dog);
}

#endif
