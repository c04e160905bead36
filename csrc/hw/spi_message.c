#include "hw/spi_message.h"

#include "py/errors.h"

#define CHUNK_MAX 64 /* RP1 times out on longer transfers (raspberrypi/linux 6020) */

/* One item of a message, and the Python objects behind it. */
struct transfer {
    Py_buffer tx;
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
    if (PyObject_GetBuffer(data, &transfer->tx, PyBUF_SIMPLE) < 0) { /* runs Python */
        return -1;
    }
    if (transfer->tx.len == 0) {
        PyErr_SetString(PyExc_ValueError, "data of an SPI transfer must not be empty");
        return -1;
    }
    transfer->rx = PyBytes_FromStringAndSize(NULL, transfer->tx.len);
    if (transfer->rx == NULL) {
        return -1;
    }
    transfer->settings = (struct spi_xfer){
        .speed_hz = (uint32_t)speed_hz,
        .delay_us = (uint16_t)delay_us,
        .cs_change = cs_change != 0,
        .bits_per_word = (uint8_t)bits_per_word,
    };
    return 0;
}

/* The chunks of all transfers as one message.  Chip select stays asserted, and no
 * delay is made, between the chunks of one transfer. */
static int
message_split(struct message *message)
{
    const struct transfer *transfers = message->transfers;
    Py_ssize_t n = message->num_transfers;
    size_t count = 0;
    for (Py_ssize_t i = 0; i < n; i++) {
        count += ((size_t)transfers[i].tx.len + CHUNK_MAX - 1) / CHUNK_MAX;
    }
    if (count > SPI_MESSAGE_MAX) {
        PyErr_Format(PyExc_ValueError,
                     "a message has at most %d transfers, each %d bytes begun of a "
                     "longer one counting as one; these are %zu",
                     SPI_MESSAGE_MAX, CHUNK_MAX, count);
        return -1;
    }
    struct spi_xfer *xfers = PyMem_Calloc(count, sizeof *xfers);
    if (xfers == NULL) {
        PyErr_NoMemory();
        return -1;
    }
    message->xfers = xfers;
    message->num_xfers = (unsigned)count;
    struct spi_xfer *xfer = xfers;
    for (Py_ssize_t i = 0; i < n; i++) {
        const struct transfer *t = &transfers[i];
        for (Py_ssize_t at = 0; at < t->tx.len; at += CHUNK_MAX, xfer++) {
            Py_ssize_t left = t->tx.len - at;
            *xfer = t->settings;
            xfer->tx = (const uint8_t *)t->tx.buf + at;
            xfer->rx = (uint8_t *)PyBytes_AS_STRING(t->rx) + at;
            xfer->len = (uint32_t)(left < CHUNK_MAX ? left : CHUNK_MAX);
            if (left > CHUNK_MAX) {
                xfer->delay_us = 0;
                xfer->cs_change = 0;
            }
        }
    }
    return 0;
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
message_build(struct message *message, PyObject *const *items, Py_ssize_t n)
{
    *message = (struct message){.num_transfers = n};
    if (n == 0 || n > SPI_MESSAGE_MAX) {
        PyErr_Format(PyExc_ValueError, "a message has 1 to %d transfers, not %zd",
                     SPI_MESSAGE_MAX, n);
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
    if (message_split(message) < 0) {
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
