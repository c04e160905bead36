/* The turns of the SPI buses; see spi_turn.h. */
#include "hw/spi_turn.h"

#include <string.h>

#include "py/exceptions.h"

struct spi_bus *
ah_spi_bus_get(ModuleState *st, const void *world, const char *name)
{
    const char *dot = strrchr(name, '.');
    const size_t len = dot != NULL ? (size_t)(dot - name) : strlen(name);
    struct spi_bus *bus = st->spi_buses;
    while (bus != NULL && (bus->world != world || strncmp(bus->name, name, len) != 0 ||
                           bus->name[len] != '\0')) {
        bus = bus->next;
    }
    if (bus == NULL) {
        bus = PyMem_Calloc(1, sizeof *bus);
        if (bus == NULL || len >= sizeof bus->name) {
            PyMem_Free(bus);
            PyErr_NoMemory();
            return NULL;
        }
        bus->world = world;
        memcpy(bus->name, name, len);
        bus->next = st->spi_buses;
        st->spi_buses = bus;
    }
    bus->uses++;
    return bus;
}

void
ah_spi_bus_put(ModuleState *st, struct spi_bus *bus)
{
    if (bus == NULL || --bus->uses > 0) {
        return;
    }
    struct spi_bus **place = &st->spi_buses;
    while (*place != bus) {
        place = &(*place)->next;
    }
    *place = bus->next;
    PyMem_Free(bus);
}

void
ah_spi_bus_in_child(struct spi_bus *bus)
{
    bus->on = bus->waiting = NULL;
}

void
spi_turn_wait(struct spi_turn *turn, struct spi_bus *bus)
{
    turn->bus = bus;
    turn->next = NULL;
    struct spi_turn **end = &bus->waiting;
    while (*end != NULL) {
        end = &(*end)->next;
    }
    *end = turn;
    turn->state = TURN_WAITS;
}

static void
withdraw(struct spi_turn *turn)
{
    struct spi_turn **place = &turn->bus->waiting;
    while (*place != NULL && *place != turn) {
        place = &(*place)->next;
    }
    if (*place != NULL) { /* not so in a fork's child */
        *place = turn->next;
    }
}

static void
pass_on(struct spi_bus *bus)
{
    struct spi_turn *next = bus->waiting;
    bus->on = next;
    if (next == NULL) {
        return;
    }
    bus->waiting = next->next;
    next->state = TURN_ON;
    PyObject *exc = ah_take_exception(); /* of the message that is over */
    next->tell(next);                    /* runs Python */
    ah_restore_exception(exc);
}

void
spi_turn_leave(struct spi_turn *turn)
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
spi_turn_is_of_thread(ModuleState *st, unsigned long thread)
{
    for (struct spi_bus *bus = st->spi_buses; bus != NULL; bus = bus->next) {
        if (bus->on != NULL && bus->on->thread == thread) {
            return true;
        }
        for (struct spi_turn *turn = bus->waiting; turn != NULL; turn = turn->next) {
            if (turn->thread == thread) {
                return true;
            }
        }
    }
    return false;
}
