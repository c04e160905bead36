/* _core.BusMessage: one message that takes its turn on a bus, or holds the bus.
 *
 * enter() gives it its turn on a loop, or a future that is only a wake-up; send() sends
 * it, on the loop or, if it takes long, on a thread of the executor; leave(), in any
 * case, ends it: it waits no more, passes the turn on, or, while it is sent, stops
 * where it can and passes the turn on then.  One that holds the bus for a task lets
 * that task's messages in meanwhile, one that holds it for a thread (block()) that
 * thread's.
 */
#ifndef AH_HW_BUS_MESSAGE_H
#define AH_HW_BUS_MESSAGE_H

#include "hw/bus_turn.h"

/* What differs from bus to bus; a payload is of PyMem_Malloc(). */
struct bus_payload_kind {
    /* Between two steps it may be stopped.  The answers. */
    PyObject *(*send)(BusDeviceObject *device, void *payload,
                      const bool *stopped); /* runs Python */
    void (*free)(void *payload);            /* what is in it; runs Python */
};

/* `ns`: what sending takes.  `payload` is freed on failure. */
AH_RAISES PyObject *ah_bus_message_new(BusDeviceObject *device,
                                       const struct bus_payload_kind *kind,
                                       AH_STEALS void *payload, int64_t ns);

/* The methods hold() and waiting of a device. */
PyObject *BusDevice_hold(BusDeviceObject *self, PyObject *ignored);
PyObject *BusDevice_get_waiting(BusDeviceObject *self, void *closure);

#endif
