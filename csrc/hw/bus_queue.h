/* Waiting on a loop for one's turn on a bus by a descriptor: for devices whose steps
 * are done as the loop calls them, as an RC522's.
 *
 * An operation queues from begin to end; not within its task's own lock, nor while it
 * is being cancelled: then the kernel's lock is its place.
 */
#ifndef AH_HW_BUS_QUEUE_H
#define AH_HW_BUS_QUEUE_H

#include "hw/bus_wait.h"

struct bus_queue {
    struct bus_thread_turn turn;
    bool queues; /* the operation, when the bus is taken */
    bool waits;
};

/* An operation begins on `loop`.  `device` NULL: it is closed. */
AH_RAISES int bus_queue_begin(struct bus_queue *self, BusDeviceObject *device,
                              PyObject *loop); /* runs Python */
void bus_queue_end(struct bus_queue *self);    /* runs Python */

/* Must the next message wait? */
bool bus_queue_must_wait(const struct bus_queue *self, const BusDeviceObject *device);

/* Wait: the descriptor that is readable when there is news.  -1 with an exception. */
AH_RAISES int bus_queue_wait(struct bus_queue *self, BusDeviceObject *device);

/* It is its turn now, which this thread has, or the device was closed. */
bool bus_queue_has_news(struct bus_queue *self);

/* Idempotent. */
void bus_queue_leave(struct bus_queue *self); /* runs Python */

#endif
