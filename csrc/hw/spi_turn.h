/* Whose turn it is on an SPI bus: in order of arrival, for threads and loops alike.
 *
 * A bus is the kernel's of that name, or one of a simulated board; all devices of this
 * module that are on it share it.  The kernel lets one message go at a time by itself;
 * this is for the order, and for what is sent in several.  Who finds the bus free pays
 * two stores.  GIL held throughout.
 */
#ifndef AH_HW_SPI_TURN_H
#define AH_HW_SPI_TURN_H

#include "module.h"

struct spi_turn {
    struct spi_turn *next;
    struct spi_bus *bus;
    enum { TURN_OVER, TURN_WAITS, TURN_ON } state;
    unsigned long thread;                /* that waits or sends; 0: nobody yet */
    void (*tell)(struct spi_turn *turn); /* it is on now; runs Python */
};

struct spi_bus {
    struct spi_bus *next;
    const void *world;
    char name[32]; /* "spi0" */
    unsigned uses;
    struct spi_turn *on;
    struct spi_turn *waiting; /* who came first is first */
};

/* The bus of device `name` ("spi0.1") of a simulated world, or NULL: of the kernel.
 * Given back as often as it was got. */
AH_RAISES struct spi_bus *ah_spi_bus_get(ModuleState *st, const void *world,
                                         const char *name);
void ah_spi_bus_put(ModuleState *st, struct spi_bus *bus);

/* In a fork's child: who had it, or waits, is not here. */
void ah_spi_bus_in_child(struct spi_bus *bus);

/* Is it on at once? */
static inline bool
spi_turn_enter(struct spi_turn *turn, struct spi_bus *bus)
{
    if (bus->on != NULL) {
        return false;
    }
    turn->bus = bus;
    turn->state = TURN_ON;
    bus->on = turn;
    return true;
}

/* Else it waits, behind who came before, and is told. */
void spi_turn_wait(struct spi_turn *turn, struct spi_bus *bus);

/* It neither waits nor is on any more; the next one is told.  Idempotent. */
void spi_turn_leave(struct spi_turn *turn); /* runs Python */

/* Would a wait of this thread be for itself?  It has a turn, on whatever bus, or waits
 * for one in the midst of which this comes (a signal handler, a simulated part). */
bool spi_turn_is_of_thread(ModuleState *st, unsigned long thread);

#endif
