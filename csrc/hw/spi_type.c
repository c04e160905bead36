/* _core.SPIDevice: transfers, whole messages, counters; see spi_type.h.
 *
 * While a message runs without the GIL, `busy` keeps the device open: close()
 * from another thread is then done by the last message that returns.
 */
#include "hw/spi_type.h"

#include <errno.h>
#include <stdbool.h>

#include "hw/spi_message.h"
#include "hw/wait.h"
#include "py/clock_type.h"
#include "py/errors.h"
#include "py/exceptions.h"
#include "py/fork.h"
#include "setup.h"

typedef struct {
    PyObject_HEAD
    ModuleState *st;
    struct fork_node fork;                           /* of a simulated one */
    struct spi_device *device;                       /* owned, NULL: closed */
    char name[sizeof((struct spi_device *)0)->name]; /* device's, also when closed */
    PyObject *owner;          /* owned: what must live as long as device, or NULL */
    struct vclock *inherited; /* owned: what device was told, in a fork's child */
    PyObject *weakrefs;
    uint64_t messages, transfers; /* as they were when the device was closed */
    int busy;                     /* messages that run now */
    int closing;                  /* close() was called; the last message does it */
} SPIDeviceObject;

static void
device_really_close(SPIDeviceObject *self)
{
    struct spi_device *device = self->device;
    struct vclock *told = device->time.told;
    self->device = NULL;
    self->messages = device->messages;
    self->transfers = device->transfers;
    int needs_gil = device->needs_gil;
    if (needs_gil) {
        device->ops->close(device->self); /* runs Python */
    }
    else {
        Py_BEGIN_ALLOW_THREADS
        device->ops->close(device->self);
        Py_END_ALLOW_THREADS
    }
    ah_drop_clock(told);
    Py_CLEAR(self->owner);
}

static void
device_close(SPIDeviceObject *self)
{
    if (self->device == NULL) {
        return;
    }
    if (self->busy > 0) {
        self->closing = 1;
    }
    else {
        device_really_close(self);
    }
}

static void
device_end(SPIDeviceObject *self)
{
    if (--self->busy == 0 && self->closing) {
        self->closing = 0;
        device_really_close(self);
    }
}

static int
raise_closed(SPIDeviceObject *self)
{
    if (ah_is_inherited(&self->fork)) {
        return ah_raise_inherited(&self->fork, "simulated SPI device",
                                  "open one in the child");
    }
    PyErr_Format(PyExc_ValueError, "SPI device %s is closed", self->name);
    return -1;
}

static bool
is_closed(const SPIDeviceObject *self)
{
    return self->device == NULL || self->closing;
}

static SPIDeviceObject *
spi_checked(ModuleState *st, PyObject *obj)
{
    if (!Py_IS_TYPE(obj, st->spi_device_type)) {
        PyErr_Format(PyExc_TypeError, "expected an SPIDevice, not %.100s",
                     Py_TYPE(obj)->tp_name);
        return NULL;
    }
    SPIDeviceObject *self = (SPIDeviceObject *)obj;
    if (is_closed(self)) {
        (void)raise_closed(self);
        return NULL;
    }
    return self;
}

/* The world is not here any more, so nothing is closed in it. */
static void
spi_device_in_child(PyObject *object)
{
    SPIDeviceObject *self = (SPIDeviceObject *)object;
    if (self->device != NULL) {
        self->inherited = self->device->time.told;
    }
    self->device = NULL;
    self->closing = 0;
}

PyObject *
ah_spi_device_new(ModuleState *st, struct spi_device *device, PyObject *owner)
{
    PyTypeObject *type = st->spi_device_type;
    SPIDeviceObject *self = (SPIDeviceObject *)type->tp_alloc(type, 0);
    if (self == NULL) {
        device->ops->close(device->self);
        return NULL;
    }
    st->live[AH_LIVE_SPIDevice]++;
    self->st = st;
    self->device = device;
    memcpy(self->name, device->name, sizeof self->name);
    self->owner = Py_XNewRef(owner);
    if (owner != NULL) {
        ah_fork_watch(st, &self->fork, (PyObject *)self, spi_device_in_child);
    }
    return (PyObject *)self;
}

static int
SPIDevice_traverse(SPIDeviceObject *self, visitproc visit, void *arg)
{
    Py_VISIT(Py_TYPE(self));
    Py_VISIT(self->owner);
    return 0;
}

/* What `device` needs to close is dropped with it, in dealloc. */
static int
SPIDevice_clear(SPIDeviceObject *self)
{
    if (self->device == NULL) {
        Py_CLEAR(self->owner);
    }
    return 0;
}

/* Not closed here: a __del__ of the same garbage, called later, may use it. */
static void
SPIDevice_finalize(SPIDeviceObject *self)
{
    if (self->device == NULL) {
        return;
    }
    PyObject *exc = ah_take_exception();
    if (PyErr_ResourceWarning((PyObject *)self, 1, "unclosed SPI device %s",
                              self->device->name) < 0 &&
        PyErr_ExceptionMatches(PyExc_Warning)) {
        PyErr_WriteUnraisable((PyObject *)self);
    }
    ah_restore_exception(exc);
}

static void
SPIDevice_dealloc(SPIDeviceObject *self)
{
    PyTypeObject *type = Py_TYPE(self);
    if (PyObject_CallFinalizerFromDealloc((PyObject *)self) < 0) {
        return;
    }
    PyObject_GC_UnTrack(self);
    if (self->weakrefs != NULL) {
        PyObject_ClearWeakRefs((PyObject *)self);
    }
    device_close(self);
    ah_fork_unwatch(&self->fork);
    self->st->live[AH_LIVE_SPIDevice]--;
    Py_CLEAR(self->owner);
    ah_drop_clock(self->inherited);
    type->tp_free((PyObject *)self);
    Py_DECREF(type);
}

struct spi_device *
ah_spi_device_get(ModuleState *st, PyObject *obj)
{
    SPIDeviceObject *self = spi_checked(st, obj);
    return self == NULL ? NULL : self->device;
}

const char *
ah_spi_device_name(PyObject *spi)
{
    return ((SPIDeviceObject *)spi)->name;
}

bool
ah_spi_device_is_simulated(PyObject *spi)
{
    return ((SPIDeviceObject *)spi)->owner != NULL;
}

int
ah_spi_message(PyObject *spi, const struct spi_xfer *xfers, unsigned n)
{
    SPIDeviceObject *self = (SPIDeviceObject *)spi;
    if (is_closed(self)) {
        return -EBADF;
    }
    struct spi_device *device = self->device;
    int result;
    self->busy++;
    device->messages++;
    device->transfers += n;
    if (device->needs_gil) {
        result = device->ops->message(device->self, xfers, n); /* runs Python */
        if (result >= 0 && PyErr_Occurred()) {                 /* in a simulated card */
            result = -EIO;
        }
    }
    else {
        Py_BEGIN_ALLOW_THREADS
        result = device->ops->message(device->self, xfers, n);
        Py_END_ALLOW_THREADS
    }
    device_end(self);
    return result;
}

int
ah_spi_device_use_loop(ModuleState *st, PyObject *obj, PyObject *loop)
{
    SPIDeviceObject *self = spi_checked(st, obj);
    if (self == NULL) {
        return -1;
    }
    struct spi_device *device = self->device;
    self->busy++;
    int status = hw_use_clock(hw_loop_vclock(st, loop), device->ops->use_clock,
                              device->self, &device->time, "SPI device");
    device_end(self);
    return status;
}

static int
raise_message_error(SPIDeviceObject *self, int err)
{
    if (err == -EBADF && is_closed(self)) {
        return raise_closed(self);
    }
    if (err == -EMSGSIZE) {
        return ah_raise_errno_remedy(
            err, self->name,
            "a message is at most 511 transfers, and no longer than the driver's "
            "buffer: send less at once, or set spidev.bufsiz on the kernel command "
            "line");
    }
    if (PyErr_Occurred()) { /* from an adapter, or a simulated card */
        return -1;
    }
    return ah_raise_errno(err, self->name);
}

/* The items as one message; a list of bytes. */
static PyObject *
message_run(SPIDeviceObject *self, PyObject *const *items, Py_ssize_t n)
{
    struct message message;
    PyObject *answers = NULL;
    if (is_closed(self)) {
        (void)raise_closed(self);
        return NULL;
    }
    if (message_build(&message, items, n) < 0) { /* runs Python */
        return NULL;
    }
    int err = ah_spi_message((PyObject *)self, message.xfers, message.num_xfers);
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

static PyObject *
SPIDevice_use_loop(SPIDeviceObject *self, PyObject *loop)
{
    if (ah_spi_device_use_loop(self->st, (PyObject *)self, loop) < 0) {
        return NULL;
    }
    Py_RETURN_NONE;
}

static PyObject *
SPIDevice_close(SPIDeviceObject *self, PyObject *Py_UNUSED(ignored))
{
    device_close(self);
    Py_RETURN_NONE;
}

static PyObject *
SPIDevice_get_closed(SPIDeviceObject *self, void *Py_UNUSED(closure))
{
    return PyBool_FromLong(is_closed(self));
}

static PyObject *
SPIDevice_get_messages(SPIDeviceObject *self, void *Py_UNUSED(closure))
{
    return PyLong_FromUnsignedLongLong(self->device != NULL ? self->device->messages
                                                            : self->messages);
}

static PyObject *
SPIDevice_get_transfers(SPIDeviceObject *self, void *Py_UNUSED(closure))
{
    return PyLong_FromUnsignedLongLong(self->device != NULL ? self->device->transfers
                                                            : self->transfers);
}

/* The members of spi_config, by their offset in the closure. */
static PyObject *
SPIDevice_get_config(SPIDeviceObject *self, void *closure)
{
    if (is_closed(self)) {
        (void)raise_closed(self);
        return NULL;
    }
    const struct spi_config *config = &self->device->config;
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
    if (is_closed(self)) {
        return raise_closed(self);
    }
    struct spi_config config = self->device->config;
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
    struct spi_device *device = self->device;
    int err;
    self->busy++;
    Py_BEGIN_ALLOW_THREADS
    err = device->ops->config(device->self, &config);
    Py_END_ALLOW_THREADS
    if (err >= 0) {
        device->config = config;
    }
    else {
        (void)ah_raise_errno(err, device->name);
    }
    device_end(self);
    return err < 0 ? -1 : 0;
}

static PyObject *
SPIDevice_get_name(SPIDeviceObject *self, void *Py_UNUSED(closure))
{
    if (is_closed(self)) {
        (void)raise_closed(self);
        return NULL;
    }
    return PyUnicode_FromString(self->device->name);
}

static PyObject *
SPIDevice_get_simulated(SPIDeviceObject *self, void *Py_UNUSED(closure))
{
    return PyBool_FromLong(ah_spi_device_is_simulated((PyObject *)self));
}

static PyObject *
SPIDevice_repr(SPIDeviceObject *self)
{
    if (is_closed(self)) {
        return PyUnicode_FromString("<SPIDevice closed>");
    }
    return PyUnicode_FromFormat("<SPIDevice %s at %u Hz, mode %u>", self->device->name,
                                (unsigned)self->device->config.speed_hz,
                                (unsigned)self->device->config.mode);
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
    {"use_loop", (PyCFunction)SPIDevice_use_loop, METH_O,
     PyDoc_STR("use_loop($self, loop, /)\n--\n\n"
               "Go on in that loop's time.  RuntimeError: a real device, and a virtual "
               "clock.")},
    {"close", (PyCFunction)SPIDevice_close, METH_NOARGS,
     PyDoc_STR("close($self, /)\n--\n\n"
               "Give the device back; idempotent.  A message that runs is finished.")},
    {NULL, NULL, 0, NULL},
};

static PyGetSetDef SPIDevice_getset[] = {
    {"closed", (getter)SPIDevice_get_closed, NULL, PyDoc_STR("True after close()."),
     NULL},
    {"name", (getter)SPIDevice_get_name, NULL, PyDoc_STR("Such as spi0.0."), NULL},
    {"simulated", (getter)SPIDevice_get_simulated, NULL,
     PyDoc_STR("Is it of a simulated board?"), NULL},
    {"messages", (getter)SPIDevice_get_messages, NULL,
     PyDoc_STR("How many messages were sent."), NULL},
    {"transfers", (getter)SPIDevice_get_transfers, NULL,
     PyDoc_STR("How many transfers they had."), NULL},
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
    {"__weaklistoffset__", T_PYSSIZET, offsetof(SPIDeviceObject, weakrefs), READONLY,
     NULL},
    {NULL, 0, 0, 0, NULL},
};

static PyType_Slot SPIDevice_slots[] = {
    {Py_tp_doc, PyDoc_STR("One SPI device; made by a backend (see "
                          "pyasync_hw.hardware).")},
    {Py_tp_traverse, SPIDevice_traverse},
    {Py_tp_clear, SPIDevice_clear},
    {Py_tp_finalize, SPIDevice_finalize},
    {Py_tp_dealloc, SPIDevice_dealloc},
    {Py_tp_repr, SPIDevice_repr},
    {Py_tp_methods, SPIDevice_methods},
    {Py_tp_getset, SPIDevice_getset},
    {Py_tp_members, SPIDevice_members},
    {0, NULL},
};

static PyType_Spec SPIDevice_spec = {
    .name = "pyasync_hw._core.SPIDevice",
    .basicsize = sizeof(SPIDeviceObject),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC | Py_TPFLAGS_IMMUTABLETYPE |
             Py_TPFLAGS_DISALLOW_INSTANTIATION,
    .slots = SPIDevice_slots,
};

int
ah_spi_type_setup(PyObject *module)
{
    ModuleState *st = ah_state(module);
    st->spi_device_type =
        (PyTypeObject *)PyType_FromModuleAndSpec(module, &SPIDevice_spec, NULL);
    if (st->spi_device_type == NULL) {
        return -1;
    }
    return PyModule_AddType(module, st->spi_device_type);
}
