/* What an SPIDevice sends, in its turn; see spi_send.h. */
#include "hw/spi_send.h"

#include <errno.h>

#include "base/block.h"
#include "py/blocking.h"
#include "py/errors.h"

static int
send_once(SPIDeviceObject *self, const struct spi_xfer *xfers, unsigned n)
{
    DeviceObject *spi = &self->bus_device.device;
    if (ah_device_is_closed(spi)) {
        return -EBADF;
    }
    struct spi_device *device = spi->handle;
    spi->busy++;
    self->messages++;
    self->transfers += n;
    spi->st->uses.spi_messages++;
    for (unsigned i = 0; i < n; i++) {
        spi->st->uses.spi_bytes += xfers[i].len;
    }
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
ah_spi_message(DeviceObject *spi, const struct spi_xfer *xfers, unsigned n, bool waits)
{
    SPIDeviceObject *self = (SPIDeviceObject *)spi;
    struct bus_thread_turn turn = {.token = NULL};
    if (!waits) {
        (void)bus_turn_enter(&turn.turn, self->bus_device.bus); /* or without */
    }
    else if (ah_bus_take_turn(&self->bus_device, &turn) < 0) { /* runs Python */
        return -ECANCELED;
    }
    int result = send_once(self, xfers, n); /* runs Python */
    bus_turn_leave(&turn.turn);             /* runs Python */
    return result;
}

static int
raise_send_error(SPIDeviceObject *self, int err)
{
    DeviceObject *spi = &self->bus_device.device;
    if (PyErr_Occurred()) { /* from an adapter, a simulated card or part */
        return -1;
    }
    const char *remedy = NULL;
    switch (err) {
        case -EBADF:
            if (ah_is_inherited(&spi->fork)) {
                return ah_device_check(spi) != NULL ? 0 : -1;
            }
            return ah_bus_raise_closed(&self->bus_device);
        case -EMSGSIZE:
            remedy =
                "what goes out under one chip select is no longer than the "
                "driver's buffer: let chip select go up in between (cs_change), or "
                "set spidev.bufsiz on the kernel command line";
            break;
        case -EINVAL:
            remedy = "the controller can't do this speed or number of bits per word";
            break;
        case -EIO:
            remedy =
                "the transfer was cut off, or its controller fails (dmesg may say)";
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
    struct job_cancel *job = ah_current_job(self->bus_device.device.st);
    const bool may_stop = stopped != NULL || job != NULL;
    int result = 0;
    for (unsigned at = 0; at < message->num_xfers && result >= 0;) {
        if (at > 0 &&
            ((stopped != NULL && *stopped) || (job != NULL && job->cancelled))) {
            return ah_raise_block(self->bus_device.device.st, BLOCK_CANCELLED,
                                  self->bus_device.device.what);
        }
        unsigned n = message_segment(message, at, may_stop); /* at least 1 */
        result = send_once(self, &message->xfers[at], n);    /* runs Python */
        at += n;
    }
    return result < 0 ? raise_send_error(self, result) : 0;
}
