/* A turn on a bus, waited for by a descriptor; see bus_queue.h. */
#include "hw/bus_queue.h"

#include "py/errors.h"

int
bus_queue_begin(struct bus_queue *self, BusDeviceObject *device, PyObject *loop)
{
    self->queues = device != NULL;
    if (device == NULL || device->bus->on == NULL || device->bus->on->task == NULL) {
        return 0;
    }
    struct bus *bus = device->bus;
    PyObject *task =
        PyObject_CallOneArg(device->device.st->current_task, loop); /* runs Python */
    if (task == NULL) {
        self->queues = false;
        return -1;
    }
    self->queues = bus->on == NULL || bus->on->task != task;
    Py_DECREF(task);
    return 0;
}

void
bus_queue_end(struct bus_queue *self)
{
    self->queues = false;
    bus_queue_leave(self); /* runs Python */
}

bool
bus_queue_must_wait(const struct bus_queue *self, const BusDeviceObject *device)
{
    const struct bus_turn *on = self->queues && device != NULL ? device->bus->on : NULL;
    return on != NULL && on != &self->turn.turn &&
           on->thread != PyThread_get_thread_ident();
}

static bool
tell(struct bus_turn *turn)
{
    struct bus_thread_turn *self = (struct bus_thread_turn *)turn;
    int err = token_cancel(&self->token->token); /* it has a descriptor already */
    if (err < 0 && ah_raise_errno(err, "eventfd") < 0) {
        PyErr_WriteUnraisable((PyObject *)self->token); /* runs Python */
    }
    return true;
}

int
bus_queue_wait(struct bus_queue *self, BusDeviceObject *device)
{
    struct bus_thread_turn *turn = &self->turn;
    if (turn->token == NULL) {
        turn->token = ah_token_new(device->device.st, NULL);
        if (turn->token == NULL) {
            return -1;
        }
    }
    int fd = token_fd(&turn->token->token);
    if (fd < 0) {
        return ah_raise_errno(fd, "eventfd");
    }
    turn->turn.tell = tell;
    turn->turn.thread = 0;
    self->waits = true;
    if (bus_turn_enter(&turn->turn, device->bus)) {
        (void)tell(&turn->turn); /* it was given back meanwhile */
    }
    else {
        bus_turn_wait(&turn->turn, device);
    }
    return fd;
}

bool
bus_queue_has_news(struct bus_queue *self)
{
    struct bus_turn *turn = &self->turn.turn;
    turn->thread = PyThread_get_thread_ident();
    if (turn->state == TURN_OVER) {
        self->queues = false; /* nobody calls it any more */
    }
    return turn->state != TURN_WAITS;
}

void
bus_queue_leave(struct bus_queue *self)
{
    if (!self->waits) {
        return;
    }
    self->waits = false;
    bus_turn_leave(&self->turn.turn); /* runs Python */
    CancelTokenObject *token = self->turn.token;
    int err = token_reset(&token->token);
    if (err < 0 && ah_raise_errno(err, "eventfd") < 0) {
        PyErr_WriteUnraisable((PyObject *)token); /* runs Python */
    }
}
