/* What an SPIDevice sends, in its turn; see spi_send.h. */
#include "hw/spi_send.h"

#include <errno.h>

#include "base/block.h"
#include "py/blocking.h"
#include "py/errors.h"
#include "py/exceptions.h"

/* -- the turn of a thread -------------------------------------------------- */

static void
tell_thread(struct spi_turn *turn)
{
    struct spi_thread_turn *self = (struct spi_thread_turn *)turn;
    int err = token_cancel(&self->token->token); /* it is cancelled in any case */
    if (err < 0 && ah_raise_errno(err, "eventfd") < 0) {
        PyErr_WriteUnraisable((PyObject *)self->token); /* runs Python */
    }
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

/* It waits; until it is on, or -1 with an exception. */
static int
block_for_turn(SPIDeviceObject *self, struct spi_thread_turn *turn)
{
    struct wait_tokens tokens;
    const char *what = self->device.what;
    int status = ah_wait_tokens(self->device.st, (PyObject *)turn->token, &tokens);
    while (status == 0 && turn->turn.state != TURN_ON) {
        if (PyErr_CheckSignals() < 0) { /* runs Python */
            status = -1;
            break;
        }
        int result = ah_block_once(NULL, -1, &tokens.set, NS_NEVER, what);
        if (turn->turn.state == TURN_ON) {
            break;
        }
        if (result == BLOCK_CANCELLED) { /* the job */
            status = ah_raise_block(self->device.st, result, what);
        }
        else if (result < 0) {
            status = -1;
        }
    }
    ah_wait_tokens_clear(&tokens);
    return status;
}

static int
wait_for_turn(SPIDeviceObject *self, struct spi_thread_turn *turn)
{
    turn->token = ah_token_new(self->device.st, NULL);
    if (turn->token == NULL) {
        return -1;
    }
    turn->turn.tell = tell_thread;
    int status = 0;
    if (!spi_turn_enter(&turn->turn, self->bus)) {
        spi_turn_wait(&turn->turn, self->bus);
        status = block_for_turn(self, turn); /* runs Python */
    }
    if (status < 0) {
        spi_turn_leave(&turn->turn); /* runs Python */
    }
    Py_CLEAR(turn->token);
    return status;
}

int
ah_spi_take_turn(SPIDeviceObject *self, struct spi_thread_turn *turn)
{
    ModuleState *st = self->device.st;
    turn->turn.thread = PyThread_get_thread_ident();
    if (spi_turn_enter(&turn->turn, self->bus)) {
        return 0;
    }
    int alone = spi_turn_is_of_thread(st, turn->turn.thread) ? 1 : runs_a_loop(st);
    if (alone != 0) {
        return alone < 0 ? -1 : 0;
    }
    return wait_for_turn(self, turn); /* runs Python */
}

/* -- messages -------------------------------------------------------------- */

static int
send_once(SPIDeviceObject *self, const struct spi_xfer *xfers, unsigned n)
{
    DeviceObject *spi = &self->device;
    if (ah_device_is_closed(spi)) {
        return -EBADF;
    }
    struct spi_device *device = spi->handle;
    spi->busy++;
    self->messages++;
    self->transfers += n;
    PyThreadState *thread = ah_device_let_gil_go(spi);
    int result = device->ops->message(device->self, xfers, n); /* runs Python */
    ah_device_take_gil(thread);
    if (spi->keeps_gil && result >= 0 && PyErr_Occurred()) { /* in a simulated card */
        result = -EIO;
    }
    ah_device_end(spi); /* runs Python */
    return result;
}

int
ah_spi_message(DeviceObject *spi, const struct spi_xfer *xfers, unsigned n)
{
    SPIDeviceObject *self = (SPIDeviceObject *)spi;
    struct spi_thread_turn turn = {.token = NULL};
    if (ah_spi_take_turn(self, &turn) < 0) { /* runs Python */
        return -ECANCELED;
    }
    int result = send_once(self, xfers, n); /* runs Python */
    spi_turn_leave(&turn.turn);             /* runs Python */
    return result;
}

static int
raise_send_error(SPIDeviceObject *self, int err)
{
    DeviceObject *spi = &self->device;
    if (PyErr_Occurred()) { /* from an adapter, a simulated card or part */
        return -1;
    }
    const char *remedy = NULL;
    switch (err) {
        case -EBADF:
            if (ah_device_check(spi) == NULL) {
                return -1;
            }
            break;
        case -EMSGSIZE:
            remedy =
                "what goes out under one chip select is no longer than the "
                "driver's buffer: let chip select go up in between (cs_change), or "
                "set spidev.bufsiz on the kernel command line";
            break;
        case -EINVAL:
            remedy = "the controller can't do this speed or number of bits per word";
            break;
        case -ETIMEDOUT:
            remedy = "the controller has not ended the transfer";
            break;
        default:
            break;
    }
    return remedy != NULL ? ah_raise_errno_remedy(err, spi->what, remedy)
                          : ah_raise_errno(err, spi->what);
}

int
ah_spi_send(SPIDeviceObject *self, struct message *message, const bool *stopped)
{
    struct job_cancel *job = ah_current_job(self->device.st);
    const bool may_stop = stopped != NULL || job != NULL;
    int result = 0;
    for (unsigned at = 0; at < message->num_xfers && result >= 0;) {
        if (at > 0 &&
            ((stopped != NULL && *stopped) || (job != NULL && job->cancelled))) {
            return ah_raise_block(self->device.st, BLOCK_CANCELLED, self->device.what);
        }
        unsigned n = message_segment(message, at, may_stop); /* at least 1 */
        result = send_once(self, &message->xfers[at], n);    /* runs Python */
        at += n;
    }
    return result < 0 ? raise_send_error(self, result) : 0;
}
