/* _core.SPIDevice: transfers, whole messages, counters; see spi_type.h. */
#include "hw/spi_type.h"

#include <errno.h>
#include "hw/spi_message.h"
#include "py/errors.h"

typedef struct {
    DeviceObject device; /* its handle: a struct spi_device */
    uint64_t messages, transfers;
} SPIDeviceObject;

static void
spi_close(void *handle)
{
    struct spi_device *device = handle;
    device->ops->close(device->self);
}

static int
spi_use_clock(void *handle, struct vclock **clock)
{
    struct spi_device *device = handle;
    return device->ops->use_clock(device->self, clock);
}

static const struct device_kind spi_kind = {
    .counter = AH_LIVE_SPIDevice,
    .closed = "SPI device %s is closed",
    .unclosed = "unclosed SPI device %s",
    .on_clock = "SPI device",
    .inherited = "simulated SPI device",
    .remedy = "open one in the child",
    .close = spi_close,
    .use_clock = spi_use_clock,
    .in_child = ah_device_in_child,
};

PyObject *
ah_spi_device_new(ModuleState *st, struct spi_device *device, PyObject *owner)
{
    DeviceObject *self =
        ah_device_new(st, st->spi_device_type, &spi_kind, device, owner);
    if (self == NULL) {
        return NULL;
    }
    self->time = &device->time;
    self->keeps_gil = device->needs_gil;
    PyOS_snprintf(self->what, sizeof self->what, "%s", device->name);
    return (PyObject *)self;
}

struct spi_device *
ah_spi_device_get(ModuleState *st, PyObject *obj)
{
    if (!Py_IS_TYPE(obj, st->spi_device_type)) {
        PyErr_Format(PyExc_TypeError, "expected an SPIDevice, not %.100s",
                     Py_TYPE(obj)->tp_name);
        return NULL;
    }
    return ah_device_check((DeviceObject *)obj);
}

int
ah_spi_message(DeviceObject *spi, const struct spi_xfer *xfers, unsigned n)
{
    SPIDeviceObject *self = (SPIDeviceObject *)spi;
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

static int
raise_message_error(SPIDeviceObject *self, int err)
{
    if (err == -EBADF && ah_device_check(&self->device) == NULL) {
        return -1;
    }
    if (err == -EMSGSIZE) {
        return ah_raise_errno_remedy(
            err, self->device.what,
            "a message is at most 511 transfers, and no longer than the driver's "
            "buffer: send less at once, or set spidev.bufsiz on the kernel command "
            "line");
    }
    if (PyErr_Occurred()) { /* from an adapter, or a simulated card */
        return -1;
    }
    return ah_raise_errno(err, self->device.what);
}

/* The items as one message; a list of bytes. */
static PyObject *
message_run(SPIDeviceObject *self, PyObject *const *items, Py_ssize_t n)
{
    struct message message;
    PyObject *answers = NULL;
    if (ah_device_check(&self->device) == NULL) {
        return NULL;
    }
    if (message_build(&message, items, n) < 0) { /* runs Python */
        return NULL;
    }
    int err = ah_spi_message(&self->device, message.xfers, message.num_xfers);
    if (err < 0) {
        (void)raise_message_error(self, err);
    }
    else {
        answers = message_answers(&message);
    }
    message_free(&message);
    return answers;
}

static PyObject *
SPIDevice_transfer(SPIDeviceObject *self, PyObject *data)
{
    if (PyTuple_Check(data)) {
        PyErr_SetString(PyExc_TypeError, "data must be bytes-like");
        return NULL;
    }
    PyObject *list = message_run(self, &data, 1);
    if (list == NULL) {
        return NULL;
    }
    PyObject *rx = Py_NewRef(PyList_GET_ITEM(list, 0));
    Py_DECREF(list);
    return rx;
}

static PyObject *
SPIDevice_message(SPIDeviceObject *self, PyObject *transfers)
{
    /* A tuple of its own: the caller's list may change while it is parsed. */
    PyObject *items = PySequence_Tuple(transfers); /* runs Python */
    if (items == NULL) {
        return NULL;
    }
    PyObject *result =
        message_run(self, &PyTuple_GET_ITEM(items, 0), PyTuple_GET_SIZE(items));
    Py_DECREF(items);
    return result;
}

/* The members of spi_config, by their offset in the closure. */
static PyObject *
SPIDevice_get_config(SPIDeviceObject *self, void *closure)
{
    const struct spi_device *device = ah_device_check(&self->device);
    if (device == NULL) {
        return NULL;
    }
    const struct spi_config *config = &device->config;
    switch ((uintptr_t)closure) {
        case offsetof(struct spi_config, speed_hz):
            return PyLong_FromUnsignedLong(config->speed_hz);
        case offsetof(struct spi_config, mode):
            return PyLong_FromUnsignedLong(config->mode);
        default:
            return PyLong_FromUnsignedLong(config->bits_per_word);
    }
}

static int
SPIDevice_set_config(SPIDeviceObject *self, PyObject *value, void *closure)
{
    if (value == NULL) {
        PyErr_SetString(PyExc_TypeError,
                        "the setting of an SPI device can't be deleted");
        return -1;
    }
    long long number;
    uintptr_t member = (uintptr_t)closure;
    int parsed; /* each runs Python */
    switch (member) {
        case offsetof(struct spi_config, speed_hz):
            parsed = ah_integer_arg(value, "speed_hz", 1, UINT32_MAX, &number);
            break;
        case offsetof(struct spi_config, mode):
            parsed = ah_integer_arg(value, "mode", 0, UINT32_MAX, &number);
            break;
        default:
            parsed = ah_integer_arg(value, "bits_per_word", 1, 32, &number);
    }
    if (parsed < 0) {
        return -1;
    }
    struct spi_device *device = ah_device_begin(&self->device);
    if (device == NULL) {
        return -1;
    }
    struct spi_config config = device->config;
    switch (member) {
        case offsetof(struct spi_config, speed_hz):
            config.speed_hz = (uint32_t)number;
            break;
        case offsetof(struct spi_config, mode):
            config.mode = (uint32_t)number;
            break;
        default:
            config.bits_per_word = (uint8_t)number;
    }
    int err;
    Py_BEGIN_ALLOW_THREADS
    err = device->ops->config(device->self, &config);
    Py_END_ALLOW_THREADS
    if (err >= 0) {
        device->config = config;
    }
    else {
        (void)ah_raise_errno(err, device->name);
    }
    ah_device_end(&self->device);
    return err < 0 ? -1 : 0;
}

static PyObject *
SPIDevice_get_name(SPIDeviceObject *self, void *Py_UNUSED(closure))
{
    if (ah_device_check(&self->device) == NULL) {
        return NULL;
    }
    return PyUnicode_FromString(self->device.what);
}

static PyObject *
SPIDevice_get_simulated(SPIDeviceObject *self, void *Py_UNUSED(closure))
{
    return PyBool_FromLong(self->device.owner != NULL);
}

static PyObject *
SPIDevice_repr(SPIDeviceObject *self)
{
    if (ah_device_is_closed(&self->device)) {
        return PyUnicode_FromString("<SPIDevice closed>");
    }
    const struct spi_device *device = self->device.handle;
    return PyUnicode_FromFormat("<SPIDevice %s at %u Hz, mode %u>", device->name,
                                (unsigned)device->config.speed_hz,
                                (unsigned)device->config.mode);
}

static PyMethodDef SPIDevice_methods[] = {
    {"transfer", (PyCFunction)SPIDevice_transfer, METH_O,
     PyDoc_STR("transfer($self, data, /)\n--\n\n"
               "Send bytes in one transfer; the bytes that came back meanwhile.")},
    {"message", (PyCFunction)SPIDevice_message, METH_O,
     PyDoc_STR(
         "message($self, transfers, /)\n--\n\n"
         "1 to 511 transfers in one message (one ioctl); a transfer of more\n"
         "than 64 bytes is split, with chip select held.  Each is bytes-like, or\n"
         "a tuple (data, speed_hz=0, delay_us=0, cs_change=False, "
         "bits_per_word=0);\nzero is the device's setting.  With cs_change, chip "
         "select goes up between\nthis transfer and the next.  A list of bytes.")},
    {"use_loop", (PyCFunction)Device_use_loop, METH_O,
     PyDoc_STR("use_loop($self, loop, /)\n--\n\n"
               "Go on in that loop's time.  RuntimeError: a real device, and a virtual "
               "clock.")},
    {"close", (PyCFunction)Device_close, METH_NOARGS,
     PyDoc_STR("close($self, /)\n--\n\n"
               "Give the device back; idempotent.  A message that runs is finished.")},
    {NULL, NULL, 0, NULL},
};

static PyGetSetDef SPIDevice_getset[] = {
    {"closed", (getter)Device_get_closed, NULL, PyDoc_STR("True after close()."), NULL},
    {"name", (getter)SPIDevice_get_name, NULL, PyDoc_STR("Such as spi0.0."), NULL},
    {"simulated", (getter)SPIDevice_get_simulated, NULL,
     PyDoc_STR("Is it of a simulated board?"), NULL},
    {"speed_hz", (getter)SPIDevice_get_config, (setter)SPIDevice_set_config,
     PyDoc_STR("Clock rate, in Hz."), (void *)offsetof(struct spi_config, speed_hz)},
    {"mode", (getter)SPIDevice_get_config, (setter)SPIDevice_set_config,
     PyDoc_STR("SPI mode 0 to 3 and the flags of linux/spi/spi.h."),
     (void *)offsetof(struct spi_config, mode)},
    {"bits_per_word", (getter)SPIDevice_get_config, (setter)SPIDevice_set_config,
     PyDoc_STR("Bits per word, normally 8."),
     (void *)offsetof(struct spi_config, bits_per_word)},
    {NULL, NULL, NULL, NULL, NULL},
};

static PyMemberDef SPIDevice_members[] = {
    AH_DEVICE_WEAKREFS,
    {"messages", T_ULONGLONG, offsetof(SPIDeviceObject, messages), READONLY,
     PyDoc_STR("How many messages were sent.")},
    {"transfers", T_ULONGLONG, offsetof(SPIDeviceObject, transfers), READONLY,
     PyDoc_STR("How many transfers they had.")},
    {NULL, 0, 0, 0, NULL},
};

static PyType_Slot SPIDevice_slots[] = {
    {Py_tp_doc, PyDoc_STR("One SPI device; made by a backend (see "
                          "pyasync_hw.hardware).")},
    {Py_tp_traverse, ah_device_traverse},
    {Py_tp_clear, ah_device_clear},
    {Py_tp_finalize, ah_device_finalize},
    {Py_tp_dealloc, ah_device_dealloc},
    {Py_tp_repr, SPIDevice_repr},
    {Py_tp_methods, SPIDevice_methods},
    {Py_tp_getset, SPIDevice_getset},
    {Py_tp_members, SPIDevice_members},
    {0, NULL},
};

PyType_Spec SPIDevice_spec = {
    .name = "pyasync_hw._core.SPIDevice",
    .basicsize = sizeof(SPIDeviceObject),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC | Py_TPFLAGS_IMMUTABLETYPE |
             Py_TPFLAGS_DISALLOW_INSTANTIATION,
    .slots = SPIDevice_slots,
};
