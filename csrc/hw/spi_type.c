/* _core.SPIDevice: transfers, whole messages, counters; see spi_type.h. */
#include "hw/spi_type.h"

#include <errno.h>

#include "hw/bus_message.h"
#include "hw/spi_send.h"
#include "py/errors.h"

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

static void
spi_in_child(PyObject *object)
{
    ah_bus_in_child(object);
    ah_device_in_child(object);
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
    .in_child = spi_in_child,
    .fail = ah_bus_fail,
    .free = ah_bus_put,
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
    /* An adapter's bus is the kernel's. */
    const void *world = device->max_bytes != UINT32_MAX ? owner : NULL;
    if (ah_bus_get((BusDeviceObject *)self, world, device->name) < 0) {
        ah_device_release(self); /* nobody has it yet, to close it */
        Py_CLEAR(self);
    }
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

/* The items as one message; a list of bytes. */
static PyObject *
message_run(SPIDeviceObject *self, PyObject *const *items, Py_ssize_t n)
{
    struct message message;
    struct bus_thread_turn turn = {.token = NULL};
    const struct spi_device *device = ah_device_begin(&self->bus_device.device);
    if (device == NULL) {
        return NULL;
    }
    PyObject *answers = NULL;
    if (message_build(&message, device, items, n) == 0) { /* runs Python */
        if (ah_bus_take_turn(&self->bus_device, &turn) >= 0 &&
            ah_spi_send(self, &message, NULL) == 0) { /* runs Python */
            answers = message_answers(&message);
        }
        bus_turn_leave(&turn.turn); /* runs Python */
        message_free(&message);
    }
    ah_device_end(&self->bus_device.device); /* runs Python */
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
send_payload(BusDeviceObject *device, void *payload, const bool *stopped)
{
    SPIDeviceObject *self = (SPIDeviceObject *)device;
    return ah_spi_send(self, payload, stopped) < 0 ? NULL /* runs Python */
                                                   : message_answers(payload);
}

static void
free_payload(void *payload)
{
    message_free(payload);
}

static const struct bus_payload_kind spi_payload = {send_payload, free_payload};

static PyObject *
SPIDevice_begin(SPIDeviceObject *self, PyObject *transfers)
{
    PyObject *items = PySequence_Tuple(transfers); /* runs Python */
    if (items == NULL) {
        return NULL;
    }
    DeviceObject *device = &self->bus_device.device;
    const struct spi_device *handle = ah_device_begin(device);
    struct message *message = handle == NULL ? NULL : PyMem_Malloc(sizeof *message);
    if (handle != NULL && message == NULL) {
        PyErr_NoMemory();
    }
    if (message != NULL && message_build(message, handle, &PyTuple_GET_ITEM(items, 0),
                                         PyTuple_GET_SIZE(items)) < 0) {
        PyMem_Free(message); /* it ran Python */
        message = NULL;
    }
    if (handle != NULL) {
        ah_device_end(device); /* runs Python */
    }
    Py_DECREF(items);
    return message == NULL ? NULL
                           : ah_bus_message_new(&self->bus_device, &spi_payload,
                                                message, message_ns(message));
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
    const struct spi_device *device = ah_device_check(&self->bus_device.device);
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
    struct spi_device *device = ah_device_begin(&self->bus_device.device);
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
    ah_device_end(&self->bus_device.device);
    return err < 0 ? -1 : 0;
}

static PyObject *
SPIDevice_get_name(SPIDeviceObject *self, void *Py_UNUSED(closure))
{
    if (ah_device_check(&self->bus_device.device) == NULL) {
        return NULL;
    }
    return PyUnicode_FromString(self->bus_device.device.what);
}

static PyObject *
SPIDevice_get_simulated(SPIDeviceObject *self, void *Py_UNUSED(closure))
{
    return PyBool_FromLong(self->bus_device.device.owner != NULL);
}

static PyObject *
SPIDevice_repr(SPIDeviceObject *self)
{
    if (ah_device_is_closed(&self->bus_device.device)) {
        return PyUnicode_FromString("<SPIDevice closed>");
    }
    const struct spi_device *device = self->bus_device.device.handle;
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
         "Transfers in one message; what is too long for the driver is cut\n"
         "where chip select goes up.  Each is bytes-like, a number of bytes to read,\n"
         "or a tuple (data, speed_hz=0, delay_us=0, cs_change=False, "
         "bits_per_word=0);\nzero is the device's setting.  With cs_change, chip "
         "select goes up between\nthis transfer and the next.  A list of bytes.")},
    {"begin", (PyCFunction)SPIDevice_begin, METH_O,
     PyDoc_STR("begin($self, transfers, /)\n--\n\n"
               "A BusMessage, which takes its turn on a loop; see message().")},
    {"hold", (PyCFunction)BusDevice_hold, METH_NOARGS,
     PyDoc_STR("hold($self, /)\n--\n\n"
               "A BusMessage that holds the bus until it leaves.")},
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
    {"waiting", (getter)BusDevice_get_waiting, NULL,
     PyDoc_STR("How many wait for their turn on its bus."), NULL},
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
