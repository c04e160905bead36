/* The turns of the buses; see bus_turn.h. */
#include "hw/bus_turn.h"

#include <errno.h>
#include <string.h>

#include "py/errors.h"
#include "py/exceptions.h"

int
ah_bus_get(BusDeviceObject *device, const void *world, const char *name)
{
    ModuleState *st = device->device.st;
    const char *dot = strchr(name, '.');
    const size_t len = dot != NULL ? (size_t)(dot - name) : strlen(name);
    struct bus *bus = st->buses;
    while (bus != NULL && (bus->world != world || strncmp(bus->name, name, len) != 0 ||
                           bus->name[len] != '\0')) {
        bus = bus->next;
    }
    if (bus == NULL) {
        bus = PyMem_Calloc(1, sizeof *bus);
        if (bus == NULL || len >= sizeof bus->name) {
            PyMem_Free(bus);
            PyErr_NoMemory();
            return -1;
        }
        bus->world = world;
        memcpy(bus->name, name, len);
        bus->next = st->buses;
        st->buses = bus;
    }
    bus->uses++;
    device->bus = bus;
    return 0;
}

void
ah_bus_put(DeviceObject *device)
{
    struct bus *bus = ((BusDeviceObject *)device)->bus;
    if (bus == NULL || --bus->uses > 0) {
        return;
    }
    struct bus **place = &device->st->buses;
    while (*place != bus) {
        place = &(*place)->next;
    }
    *place = bus->next;
    PyMem_Free(bus);
}

void
ah_bus_in_child(PyObject *device)
{
    struct bus *bus = ((BusDeviceObject *)device)->bus;
    if (bus == NULL) {
        return;
    }
    unsigned long thread = PyThread_get_thread_ident();
    struct bus_turn *mine = bus->waiting;
    while (mine != NULL && mine->thread != thread) {
        mine = mine->next;
    }
    if (mine == NULL && bus->on != NULL && bus->on->thread == thread) {
        mine = bus->on;
    }
    if (mine != NULL) {
        mine->state = TURN_ON;
    }
    bus->on = mine;
    bus->waiting = NULL;
}

int
ah_bus_raise_closed(const BusDeviceObject *device)
{
    return ah_raise_errno_remedy(EBADF, device->device.what,
                                 "it was closed while it was waited for");
}

void
bus_turn_wait(struct bus_turn *turn, const BusDeviceObject *device)
{
    turn->bus = device->bus;
    turn->device = device;
    turn->next = NULL;
    struct bus_turn **end = &device->bus->waiting;
    while (*end != NULL) {
        end = &(*end)->next;
    }
    *end = turn;
    turn->state = TURN_WAITS;
    turn->waited = true;
}

static void
withdraw(struct bus_turn *turn)
{
    struct bus_turn **place = &turn->bus->waiting;
    while (*place != NULL && *place != turn) {
        place = &(*place)->next;
    }
    if (*place != NULL) { /* not so in a fork's child */
        *place = turn->next;
    }
}

static bool
tell(struct bus_turn *turn)
{
    PyObject *exc = ah_take_exception(); /* of the message that is over */
    bool told = turn->tell(turn);        /* runs Python */
    ah_restore_exception(exc);
    return told;
}

void
ah_bus_fail(DeviceObject *device)
{
    struct bus *bus = ((BusDeviceObject *)device)->bus;
    struct bus_turn *turn = bus != NULL ? bus->waiting : NULL;
    while (turn != NULL) {
        if (turn->device != (BusDeviceObject *)device) {
            turn = turn->next;
            continue;
        }
        withdraw(turn);
        turn->state = TURN_OVER;
        (void)tell(turn); /* runs Python */
        turn = bus->waiting;
    }
}

/* To the first who can be told; the caller's device keeps the bus. */
static void
pass_on(struct bus *bus)
{
    struct bus_turn *next;
    do {
        next = bus->waiting;
        bus->on = next;
        if (next != NULL) {
            bus->waiting = next->next;
            next->state = TURN_ON;
        }
    } while (next != NULL && !tell(next)); /* runs Python */
}

void
bus_turn_leave(struct bus_turn *turn)
{
    const bool waited = turn->state == TURN_WAITS;
    if (turn->state == TURN_OVER) {
        return;
    }
    turn->state = TURN_OVER;
    if (waited) {
        withdraw(turn);
    }
    else if (turn->bus->on == turn) { /* not so in a fork's child */
        pass_on(turn->bus);           /* runs Python */
    }
}

bool
bus_turn_is_of_thread(ModuleState *st, unsigned long thread)
{
    for (struct bus *bus = st->buses; bus != NULL; bus = bus->next) {
        if (bus->on != NULL && bus->on->thread == thread) {
            return true;
        }
        for (struct bus_turn *turn = bus->waiting; turn != NULL; turn = turn->next) {
            if (turn->thread == thread) {
                return true;
            }
        }
    }
    return false;
}
