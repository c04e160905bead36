/* SPI through somebody's Python object, as of the `spidev` package from PyPI.
 *
 * The object has transfer(list of (data, speed_hz, delay_us, cs_change,
 * bits_per_word)) -> list of bytes.  It is called with the GIL held (needs_gil);
 * close() only drops the reference to it: who made the object closes it.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "hw/spi_type.h"

struct adapter {
    struct spi_device device;
    PyObject *object; /* borrowed: the SPIDevice's owner keeps it */
};

/* Settings of the device where a transfer has none of its own. */
static PyObject *
message_list(const struct spi_config *config, const struct spi_xfer *xfers, unsigned n)
{
    PyObject *list = PyList_New(n);
    for (unsigned i = 0; list != NULL && i < n; i++) {
        PyObject *data =
            PyBytes_FromStringAndSize((const char *)xfers[i].tx, xfers[i].len);
        if (data != NULL && xfers[i].tx == NULL) {
            memset(PyBytes_AS_STRING(data), 0, xfers[i].len);
        }
        const struct spi_xfer *x = &xfers[i];
        unsigned speed_hz = x->speed_hz != 0 ? x->speed_hz : config->speed_hz;
        uint8_t bits = x->bits_per_word != 0 ? x->bits_per_word : config->bits_per_word;
        PyObject *item = data == NULL
                             ? NULL
                             : Py_BuildValue("(NIHOB)", data, speed_hz, x->delay_us,
                                             x->cs_change ? Py_True : Py_False, bits);
        if (item == NULL) {
            Py_CLEAR(list);
        }
        else {
            PyList_SET_ITEM(list, i, item);
        }
    }
    return list;
}

/* The answer into the receive buffers; bytes, or -EIO with an exception. */
static int
message_store(PyObject *answer, const struct spi_xfer *xfers, unsigned n)
{
    int total = 0;
    if (!PyList_Check(answer) || PyList_GET_SIZE(answer) != (Py_ssize_t)n) {
        PyErr_Format(PyExc_TypeError,
                     "transfer() must return a list of %u bytes objects", n);
        return -EIO;
    }
    for (unsigned i = 0; i < n; i++) {
        PyObject *data = PyList_GET_ITEM(answer, i);
        if (!PyBytes_Check(data) ||
            PyBytes_GET_SIZE(data) != (Py_ssize_t)xfers[i].len) {
            PyErr_Format(PyExc_TypeError, "transfer() must return %u bytes for item %u",
                         (unsigned)xfers[i].len, i);
            return -EIO;
        }
        if (xfers[i].rx != NULL) {
            memcpy(xfers[i].rx, PyBytes_AS_STRING(data), xfers[i].len);
        }
        total += (int)xfers[i].len;
    }
    return total;
}

/* An OSError's errno is the result; the exception stays set for whoever shows it. */
static int
adapter_message(void *self, const struct spi_xfer *xfers, unsigned n)
{
    struct adapter *adapter = self;
    PyObject *list = message_list(&adapter->device.config, xfers, n);
    if (list == NULL) {
        return -EIO;
    }
    PyObject *answer =
        PyObject_CallMethod(adapter->object, "transfer", "O", list); /* runs Python */
    Py_DECREF(list);
    if (answer == NULL) {
        return -EIO;
    }
    int result = message_store(answer, xfers, n);
    Py_DECREF(answer);
    return result;
}

static int
adapter_config(void *self, struct spi_config *config)
{
    struct adapter *adapter = self;
    return config->mode == adapter->device.config.mode ? 0 : -EOPNOTSUPP;
}

static int
adapter_use_clock(void *self, struct vclock **clock)
{
    (void)self;
    return *clock == NULL ? 0 : -EXDEV;
}

static void
adapter_close(void *self)
{
    free(self);
}

static const struct spi_ops adapter_ops = {
    .message = adapter_message,
    .config = adapter_config,
    .use_clock = adapter_use_clock,
    .close = adapter_close,
};

/* adapt_spi(object, name, speed_hz, mode) */
static PyObject *
adapt_spi(PyObject *module, PyObject *args)
{
    PyObject *object;
    const char *name;
    unsigned int speed_hz, mode;
    if (!PyArg_ParseTuple(args, "OsII:adapt_spi", &object, &name, &speed_hz, &mode)) {
        return NULL;
    }
    struct adapter *adapter = calloc(1, sizeof *adapter);
    if (adapter == NULL) {
        return PyErr_NoMemory();
    }
    adapter->object = object;
    adapter->device = (struct spi_device){
        .ops = &adapter_ops,
        .self = adapter,
        .config = {.speed_hz = speed_hz, .mode = mode, .bits_per_word = 8},
        .max_bytes = UINT32_MAX,
        .max_transfer = SPI_TRANSFER_MAX,
        .needs_gil = 1,
        .time = {.speaks = true},
    };
    PyOS_snprintf(adapter->device.name, sizeof adapter->device.name, "%s", name);
    return ah_spi_device_new(ah_state(module), &adapter->device, object);
}

static PyMethodDef adapter_methods[] = {
    {"adapt_spi", adapt_spi, METH_VARARGS,
     PyDoc_STR(
         "adapt_spi($module, bus, name, speed_hz, mode, /)\n--\n\n"
         "An SPIDevice whose messages go to bus.transfer(list of (data, speed_hz,\n"
         "delay_us, cs_change, bits_per_word)), which returns a list of bytes.")},
    {NULL, NULL, 0, NULL},
};

int
ah_spi_adapter_setup(PyObject *module)
{
    return PyModule_AddFunctions(module, adapter_methods);
}
