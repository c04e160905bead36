/* Whose turn it is on an SPI or I2C bus: in order of arrival, for threads and loops.
 *
 * A bus is the kernel's of that name, or one of a simulated board; all devices of this
 * module that are on it share it.  The kernel lets one message go at a time by itself;
 * this is for the order, for what is sent in several, and for who holds the bus for
 * longer.  Who finds the bus free pays two stores.  GIL held throughout.
 */
#ifndef AH_HW_BUS_TURN_H
#define AH_HW_BUS_TURN_H

#include "hw/device.h"

/* What SPIDevice and I2CBus begin with. */
typedef struct {
    DeviceObject device;
    struct bus *bus; /* owned */
} BusDeviceObject;

struct bus_turn {
    struct bus_turn *next;
    struct bus *bus;
    const BusDeviceObject *device; /* borrowed: whose close() ends the wait */
    enum { TURN_OVER, TURN_WAITS, TURN_ON } state;
    bool waited;
    unsigned long thread; /* that waits or sends; 0: nobody yet */
    PyObject *task;       /* owned: whose messages are let in meanwhile, or NULL */
    /* It waits no more; false: it is over, for it cannot be told.  Runs Python. */
    bool (*tell)(struct bus_turn *turn);
};

struct bus {
    struct bus *next;
    const void *world;
    char name[32]; /* "spi0", "i2c-1" */
    unsigned uses;
    struct bus_turn *on;
    struct bus_turn *waiting; /* who came first is first */
};

/* The device's bus: of a simulated world, or NULL: of the kernel, and of that name, up
 * to a dot ("spi0.1" is on spi0). */
AH_RAISES int ah_bus_get(BusDeviceObject *device, const void *world, const char *name);

/* For the kinds of devices: give it back; who waits is told of a close(); in a fork's
 * child, who had it, or waits, is not here, but for the thread that has forked. */
void ah_bus_put(DeviceObject *device);
void ah_bus_fail(DeviceObject *device); /* runs Python */
void ah_bus_in_child(PyObject *device);

/* Is it on at once? */
static inline bool
bus_turn_enter(struct bus_turn *turn, struct bus *bus)
{
    if (bus->on != NULL) {
        return false;
    }
    turn->bus = bus;
    turn->state = TURN_ON;
    bus->on = turn;
    return true;
}

/* Else it waits, behind who came before, and is told: it is on, or over, since the
 * device was closed. */
void bus_turn_wait(struct bus_turn *turn, const BusDeviceObject *device);

/* It neither waits nor is on any more; the next one is told.  Idempotent. */
void bus_turn_leave(struct bus_turn *turn); /* runs Python */

/* Would a wait of this thread be for itself?  It has a turn, on whatever bus, or waits
 * for one in the midst of which this comes (a signal handler, a simulated part). */
bool bus_turn_is_of_thread(ModuleState *st, unsigned long thread);

/* OSError (EBADF): the device was closed while its bus was waited for.  Always -1. */
int ah_bus_raise_closed(const BusDeviceObject *device);

#endif
