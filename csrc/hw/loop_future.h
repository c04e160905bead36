/* Telling a future of a loop: from any thread, and from a signal handler, for devices
 * are closed there.  Knows nothing of devices.  GIL held.
 */
#ifndef AH_HW_LOOP_FUTURE_H
#define AH_HW_LOOP_FUTURE_H

#include "module.h"

/* 1: it is done now, or will be as soon as `loop` looks, which is woken for that; 0: it
 * was done (cancelled) before; -1.  `error` NULL: its result is None. */
AH_RAISES int hw_future_tell(ModuleState *st, PyObject *loop, PyObject *future,
                             PyObject *error); /* runs Python */

/* The same without an error; 0 also when `loop` was closed: its futures never go on. */
AH_RAISES int hw_future_tell_if_open(ModuleState *st, PyObject *loop,
                                     PyObject *future); /* runs Python */

/* After that, where it may have been in a signal handler: another loop than ours does
 * not look after one before its select() ends.  Reports its errors. */
void hw_loop_wake(ModuleState *st, PyObject *loop); /* runs Python */

#endif
