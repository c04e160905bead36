#include "hw/spi_message.h"

#include <errno.h>
#include <string.h>

#include "py/errors.h"

#define SEGMENT_NS (5 * NS_PER_MS) /* so soon can a message be stopped */
#define READ_MAX (1 << 24)

/* One item of a message, and the Python objects behind it. */
struct transfer {
    Py_buffer tx; /* its buf NULL: zeros */
    PyObject *rx; /* owned bytes */
    struct spi_xfer settings;
};

static int
transfer_parse(PyObject *item, struct transfer *transfer)
{
    PyObject *data = item;
    PyObject *speed_arg = NULL, *delay_arg = NULL, *bits_arg = NULL;
    long long speed_hz = 0, delay_us = 0, bits_per_word = 0;
    int cs_change = 0;
    if (PyTuple_Check(item) &&
        !PyArg_ParseTuple(item,
                          "O|OOpO;a transfer is bytes-like, or a tuple (data, "
                          "speed_hz, delay_us, cs_change, bits_per_word)",
                          &data, &speed_arg, &delay_arg, &cs_change, &bits_arg)) {
        return -1;
    }
    if ((speed_arg != NULL && ah_integer_arg(speed_arg, "speed_hz of a transfer", 0,
                                             UINT32_MAX, &speed_hz) < 0) ||
        (delay_arg != NULL && ah_integer_arg(delay_arg, "delay_us of a transfer", 0,
                                             UINT16_MAX, &delay_us) < 0) ||
        (bits_arg != NULL && ah_integer_arg(bits_arg, "bits_per_word of a transfer", 0,
                                            32, &bits_per_word) < 0)) {
        return -1;
    }
    /* numpy's numbers have buffers, too; its arrays' nb_index refuses */
    PyObject *number =
        PyIndex_Check(data) ? PyNumber_Index(data) : NULL; /* runs Python */
    if (number == NULL && PyErr_Occurred() &&
        !PyErr_ExceptionMatches(PyExc_TypeError)) {
        return -1;
    }
    PyErr_Clear();
    if (number != NULL) {
        long long count;
        int err = ah_integer_arg(number, "bytes to read", 0, READ_MAX, &count);
        Py_DECREF(number);
        if (err < 0) {
            return -1;
        }
        transfer->tx.len = (Py_ssize_t)count;
    }
    else if (PyObject_GetBuffer(data, &transfer->tx, PyBUF_SIMPLE) < 0) {
        return -1; /* runs Python */
    }
    if (transfer->tx.len == 0) {
        PyErr_SetString(PyExc_ValueError, "data of an SPI transfer must not be empty");
        return -1;
    }
    transfer->rx = PyBytes_FromStringAndSize(NULL, transfer->tx.len);
    if (transfer->rx == NULL) {
        return -1;
    }
    memset(PyBytes_AS_STRING(transfer->rx), 0, (size_t)transfer->tx.len);
    transfer->settings = (struct spi_xfer){
        .speed_hz = (uint32_t)speed_hz,
        .delay_us = (uint16_t)delay_us,
        .cs_change = cs_change != 0,
        .bits_per_word = (uint8_t)bits_per_word,
    };
    return 0;
}

static size_t
num_chunks(Py_ssize_t len, uint32_t max)
{
    return ((size_t)len + max - 1) / max;
}

/* Can each frame be sent?  0, or -1 with an exception. */
static int
check_frames(const struct message *message, const struct spi_device *device)
{
    size_t chunks = 0;
    uint64_t bytes = 0;
    for (Py_ssize_t i = 0; i < message->num_transfers; i++) {
        const struct transfer *t = &message->transfers[i];
        chunks += num_chunks(t->tx.len, device->max_transfer);
        bytes += (uint64_t)t->tx.len;
        if (chunks > SPI_MESSAGE_MAX) {
            PyErr_Format(PyExc_ValueError,
                         "under one chip select go at most %d transfers, each %u bytes "
                         "begun of a longer one counting as one; these are more: let "
                         "chip select go up in between (cs_change)",
                         SPI_MESSAGE_MAX, (unsigned)device->max_transfer);
            return -1;
        }
        if (bytes > device->max_bytes) {
            char remedy[200];
            PyOS_snprintf(
                remedy, sizeof remedy,
                "under one chip select go at most %u bytes, the driver's "
                "buffer: let chip select go up in between (cs_change), or set "
                "spidev.bufsiz on the kernel command line",
                (unsigned)device->max_bytes);
            return ah_raise_errno_remedy(EMSGSIZE, device->name, remedy);
        }
        if (t->settings.cs_change) {
            chunks = bytes = 0;
        }
    }
    return 0;
}

/* The chunks of all transfers.  Chip select stays asserted, and no delay is made,
 * between the chunks of one transfer. */
static int
message_split(struct message *message, const struct spi_device *device)
{
    const struct transfer *transfers = message->transfers;
    const uint32_t max = device->max_transfer;
    Py_ssize_t n = message->num_transfers;
    size_t count = 0;
    for (Py_ssize_t i = 0; i < n; i++) {
        count += num_chunks(transfers[i].tx.len, max);
    }
    struct spi_xfer *xfers = PyMem_Calloc(count, sizeof *xfers);
    if (xfers == NULL || count > UINT32_MAX) {
        PyMem_Free(xfers);
        PyErr_NoMemory();
        return -1;
    }
    message->xfers = xfers;
    message->num_xfers = (unsigned)count;
    struct spi_xfer *xfer = xfers;
    for (Py_ssize_t i = 0; i < n; i++) {
        const struct transfer *t = &transfers[i];
        for (Py_ssize_t at = 0; at < t->tx.len; at += max, xfer++) {
            Py_ssize_t left = t->tx.len - at;
            *xfer = t->settings;
            xfer->tx = t->tx.buf == NULL ? NULL : (const uint8_t *)t->tx.buf + at;
            xfer->rx = (uint8_t *)PyBytes_AS_STRING(t->rx) + at;
            xfer->len = (uint32_t)(left < (Py_ssize_t)max ? left : (Py_ssize_t)max);
            if (left > (Py_ssize_t)max) {
                xfer->delay_us = 0;
                xfer->cs_change = 0;
            }
        }
    }
    return 0;
}

/* -- how long it takes, and where it is cut --------------------------------- */

static int64_t
xfer_ns(const struct message *message, const struct spi_xfer *xfer)
{
    uint32_t speed_hz = xfer->speed_hz != 0 ? xfer->speed_hz : message->speed_hz;
    int64_t bits = (int64_t)xfer->len * 8;
    return (speed_hz != 0 ? bits * NS_PER_S / speed_hz : 0) +
           xfer->delay_us * NS_PER_US + (xfer->cs_change ? SPI_CS_CHANGE_NS : 0);
}

int64_t
message_ns(const struct message *message)
{
    int64_t total = 0;
    for (unsigned i = 0; i < message->num_xfers; i++) {
        total += xfer_ns(message, &message->xfers[i]);
    }
    return total;
}

unsigned
message_segment(struct message *message, unsigned at, bool may_stop)
{
    uint64_t bytes = 0;
    int64_t ns = 0;
    unsigned end = at; /* of what is sure to go out */
    for (unsigned i = at; i < message->num_xfers; i++) {
        const struct spi_xfer *xfer = &message->xfers[i];
        bytes += xfer->len;
        ns += xfer_ns(message, xfer);
        bool fits = bytes <= message->max_bytes && i + 1 - at <= SPI_MESSAGE_MAX &&
                    (!may_stop || ns <= SEGMENT_NS);
        if (end > at && !fits) {
            break;
        }
        if (xfer->cs_change || i + 1 == message->num_xfers) {
            end = i + 1;
        }
    }
    message->xfers[end - 1].cs_change = 0; /* it goes up with the end of the segment */
    return end - at;
}

void
message_free(struct message *message)
{
    for (Py_ssize_t i = 0; i < message->num_transfers; i++) {
        PyBuffer_Release(&message->transfers[i].tx);
        Py_XDECREF(message->transfers[i].rx);
    }
    PyMem_Free(message->transfers);
    PyMem_Free(message->xfers);
}

int
message_build(struct message *message, const struct spi_device *device,
              PyObject *const *items, Py_ssize_t n)
{
    *message = (struct message){.num_transfers = n,
                                .max_bytes = device->max_bytes,
                                .speed_hz = device->config.speed_hz};
    if (n == 0) {
        PyErr_SetString(PyExc_ValueError, "a message has at least one transfer");
        return -1;
    }
    message->transfers = PyMem_Calloc((size_t)n, sizeof *message->transfers);
    if (message->transfers == NULL) {
        PyErr_NoMemory();
        return -1;
    }
    for (Py_ssize_t i = 0; i < n; i++) {
        if (transfer_parse(items[i], &message->transfers[i]) < 0) { /* runs Python */
            goto error;
        }
    }
    if (message->transfers[n - 1].settings.cs_change) {
        PyErr_SetString(PyExc_ValueError,
                        "cs_change of the last transfer must be false: it would keep "
                        "chip select asserted after the message");
        goto error;
    }
    if (check_frames(message, device) < 0 || message_split(message, device) < 0) {
        goto error;
    }
    return 0;
error:
    message_free(message);
    return -1;
}

PyObject *
message_answers(struct message *message)
{
    PyObject *answers = PyList_New(message->num_transfers);
    for (Py_ssize_t i = 0; answers != NULL && i < message->num_transfers; i++) {
        PyList_SET_ITEM(answers, i, message->transfers[i].rx);
        message->transfers[i].rx = NULL;
    }
    return answers;
}
