/* _core.GPIOChip: a chip that was opened to look at its lines, kernel's or simulator's.
 *
 * A device (device.h) whose descriptor says when a watched line was requested, released
 * or set up anew.  Such an event stays in the kernel until somebody takes it: whoever
 * waits is only woken, all of them, and looks again.  Awaited on one loop at a time.
 */
#ifndef AH_HW_GPIOCHIP_TYPE_H
#define AH_HW_GPIOCHIP_TYPE_H

#include "dev/line_chip.h"
#include "hw/device.h"

/* A GPIOChip around `chip`, which is closed on failure.  `owner`: the simulated world,
 * NULL: a real device. */
AH_RAISES PyObject *ah_gpiochip_new(ModuleState *st, AH_STEALS struct line_chip *chip,
                                    PyObject *owner);

#endif
