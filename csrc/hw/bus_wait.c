/* The turn of a thread on a bus; see bus_wait.h. */
#include "hw/bus_wait.h"

#include "base/block.h"
#include "py/blocking.h"
#include "py/errors.h"

static bool
tell_thread(struct bus_turn *turn)
{
    struct bus_thread_turn *self = (struct bus_thread_turn *)turn;
    int err = token_cancel(&self->token->token); /* it is cancelled in any case */
    if (err < 0 && ah_raise_errno(err, "eventfd") < 0) {
        PyErr_WriteUnraisable((PyObject *)self->token); /* runs Python */
    }
    return true;
}

/* Does a loop run in this thread?  -1 with an exception. */
static int
runs_a_loop(ModuleState *st)
{
    PyObject *func = PyDict_GetItemString(st->events_namespace, "_get_running_loop");
    PyObject *loop = func == NULL ? NULL : PyObject_CallNoArgs(func); /* runs Python */
    if (loop == NULL) {
        if (!PyErr_Occurred()) {
            PyErr_SetString(PyExc_RuntimeError, "asyncio has no _get_running_loop()");
        }
        return -1;
    }
    Py_DECREF(loop);
    return loop != Py_None;
}

/* The virtual clock that stands still for this job unless it waits on it, or NULL: on
 * its own a wait for the bus lets no time pass. */
static struct vclock *
clock_of_job(const BusDeviceObject *self, const struct token_set *tokens)
{
    const struct device_time *time = self->device.time; /* NULL: closed */
    return time != NULL && time->clock == tokens->job_clock ? time->clock : NULL;
}

/* It waits; until it is on, or -1 with an exception. */
static int
block_for_turn(BusDeviceObject *self, struct bus_thread_turn *turn)
{
    struct wait_tokens tokens;
    ModuleState *st = self->device.st;
    const char *what = self->device.what;
    int status = ah_wait_tokens(st, (PyObject *)turn->token, &tokens);
    tokens.set.outside = true; /* who has the bus need not be on the clock */
    while (status == 0 && turn->turn.state == TURN_WAITS) {
        if (PyErr_CheckSignals() < 0) { /* runs Python */
            status = -1;
            break;
        }
        if (turn->turn.state != TURN_WAITS) {
            break; /* a signal handler has forked, and this is the child */
        }
        int result = ah_block_once(clock_of_job(self, &tokens.set), -1, &tokens.set,
                                   NS_NEVER, what); /* runs Python */
        if (turn->turn.state != TURN_WAITS) {
            break; /* told; what has failed besides matters no more */
        }
        if (result == BLOCK_CANCELLED) { /* the job */
            status = ah_raise_block(st, result, what);
        }
        else if (result < 0) {
            status = -1;
        }
    }
    if (status == 0 && turn->turn.state == TURN_OVER) {
        if (ah_device_is_closed(&self->device)) {
            status = ah_bus_raise_closed(self);
        }
        else {
            PyErr_SetString(PyExc_RuntimeError, "left while it was waited for");
            status = -1;
        }
    }
    ah_wait_tokens_clear(&tokens);
    return status;
}

static int
wait_for_turn(BusDeviceObject *self, struct bus_thread_turn *turn)
{
    turn->token = ah_token_new(self->device.st, NULL);
    if (turn->token == NULL) {
        return -1;
    }
    turn->turn.tell = tell_thread;
    int status = 0;
    if (!bus_turn_enter(&turn->turn, self->bus)) {
        bus_turn_wait(&turn->turn, self);
        status = block_for_turn(self, turn); /* runs Python */
    }
    if (status < 0) {
        bus_turn_leave(&turn->turn); /* runs Python */
    }
    Py_CLEAR(turn->token);
    return status;
}

int
ah_bus_take_turn(BusDeviceObject *self, struct bus_thread_turn *turn)
{
    ModuleState *st = self->device.st;
    turn->turn.thread = PyThread_get_thread_ident();
    if (bus_turn_enter(&turn->turn, self->bus)) {
        return 0;
    }
    int alone = bus_turn_is_of_thread(st, turn->turn.thread) ? 1 : runs_a_loop(st);
    return alone != 0 ? alone : wait_for_turn(self, turn); /* runs Python */
}
