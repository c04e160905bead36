/* Watchdog: Python's hold on base/watchdog.h. */
#ifndef AH_LOOP_WATCHDOG_TYPE_H
#define AH_LOOP_WATCHDOG_TYPE_H

#include "base/watchdog.h"
#include "module.h"

typedef struct {
    PyObject_HEAD
    ModuleState *st;
    struct watchdog dog;
    bool open;
} WatchdogObject;

#endif
