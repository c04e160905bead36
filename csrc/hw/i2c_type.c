/* _core.I2CBus: transfers and SMBus calls; see i2c_type.h. */
#include "hw/i2c_type.h"

#include <errno.h>
#include <string.h>

#include "hw/bus_message.h"
#include "hw/bus_wait.h"
#include "hw/i2c_message.h"
#include "py/errors.h"

#define BIT_NS (NS_PER_S / 100000) /* at a Raspberry Pi's default */
#define BITS_OF_BYTE 9             /* with its acknowledge */

typedef struct {
    BusDeviceObject bus_device; /* its handle: a struct i2c_bus */
    PyObject *on_silence; /* owned: called with an address that does not answer; NULL */
} I2CBusObject;

static void
i2c_close(void *handle)
{
    struct i2c_bus *bus = handle;
    bus->ops->close(bus->self);
}

static int
i2c_use_clock(void *handle, struct vclock **clock)
{
    struct i2c_bus *bus = handle;
    return bus->ops->use_clock(bus->self, clock);
}

static void
i2c_in_child(PyObject *object)
{
    ah_bus_in_child(object);
    ah_device_in_child(object);
    const struct i2c_bus *bus = ((DeviceObject *)object)->handle;
    if (bus != NULL && bus->ops->in_child != NULL) {
        bus->ops->in_child(bus->self);
    }
}

static void
i2c_free(DeviceObject *device)
{
    Py_CLEAR(((I2CBusObject *)device)->on_silence);
    ah_bus_put(device);
}

static const struct device_kind i2c_kind = {
    .counter = AH_LIVE_I2CBus,
    .closed = "I2C bus %s is closed",
    .unclosed = "unclosed I2C bus %s",
    .on_clock = "I2C bus",
    .inherited = "simulated I2C bus",
    .remedy = "open one in the child",
    .close = i2c_close,
    .use_clock = i2c_use_clock,
    .in_child = i2c_in_child,
    .fail = ah_bus_fail,
    .free = i2c_free,
};

PyObject *
ah_i2c_bus_new(ModuleState *st, struct i2c_bus *bus, PyObject *owner)
{
    DeviceObject *self = ah_device_new(st, st->i2c_bus_type, &i2c_kind, bus, owner);
    if (self == NULL) {
        return NULL;
    }
    self->time = &bus->time;
    self->keeps_gil = bus->needs_gil;
    PyOS_snprintf(self->what, sizeof self->what, "%s", bus->name);
    if (ah_bus_get((BusDeviceObject *)self, owner, bus->name) < 0) {
        ah_device_release(self); /* nobody has it yet, to close it */
        Py_CLEAR(self);
    }
    return (PyObject *)self;
}

/* Who was addressed, and whether it was only asked if it is there, as by who scans. */
struct asked {
    uint16_t address;
    bool only;
};

static int
raise_silence(DeviceObject *self, int err, struct asked asked)
{
    PyObject *told = ((I2CBusObject *)self)->on_silence;
    if (told != NULL && told != Py_None) {
        Py_INCREF(told); /* it may be changed meanwhile */
        PyObject *result =
            PyObject_CallFunction(told, "HO", asked.address,
                                  asked.only ? Py_True : Py_False); /* runs Python */
        Py_DECREF(told);
        if (result == NULL) {
            if (!PyErr_ExceptionMatches(PyExc_Exception)) {
                return -1; /* Ctrl+C, which may be why a simulated part fell silent */
            }
            PyErr_WriteUnraisable((PyObject *)self); /* runs Python */
        }
        Py_XDECREF(result);
    }
    char remedy[128];
    PyOS_snprintf(remedy, sizeof remedy,
                  "nothing answers at 0x%02x of %s: look at its wiring, power and "
                  "address (i2cdetect lists who answers)",
                  asked.address, self->what);
    return ah_raise_errno_remedy(err, self->what, remedy);
}

static int
raise_error(DeviceObject *self, int err, struct asked asked)
{
    if (err == -EREMOTEIO || err == -ENXIO) {
        return raise_silence(self, err, asked); /* runs Python */
    }
    const char *remedy = NULL;
    switch (err) {
        case -EBUSY:
            remedy = "a driver of the kernel has this address";
            break;
        case -EIO:
            remedy = "the transfer was cut off, or its adapter fails (dmesg may say)";
            break;
        case -ETIMEDOUT:
            remedy =
                "the bus hangs: a device holds SCL low, or the pull-ups are missing";
            break;
        case -EOPNOTSUPP:
            remedy = "the bus's adapter can't do this; see funcs";
            break;
        case -EBADMSG:
            remedy = "the packet error code is wrong";
            break;
        case -EPROTO:
            remedy = "it says that more than 32 bytes follow";
            break;
        default:
            break;
    }
    return remedy != NULL ? ah_raise_errno_remedy(err, self->what, remedy)
                          : ah_raise_errno(err, self->what);
}

/* What a call of the bus came to. */
static int
check_result(DeviceObject *self, int err, struct asked asked)
{
    if (PyErr_Occurred()) { /* from a simulated part */
        return -1;
    }
    return err < 0 ? raise_error(self, err, asked) : 0; /* runs Python */
}

/* What the messages take: the address and each byte with its acknowledge, and a start.
 */
static int64_t
messages_ns(const struct i2c_messages *messages)
{
    int64_t bits = 0;
    for (unsigned i = 0; i < messages->n; i++) {
        bits += (messages->messages[i].len + 1) * BITS_OF_BYTE + 1;
    }
    return bits * BIT_NS;
}

/* In its turn. */
static PyObject *
send_messages(BusDeviceObject *device, void *payload, const bool *stopped)
{
    DeviceObject *self = &device->device;
    struct i2c_messages *messages = payload;
    const struct i2c_message *first = &messages->messages[0];
    const struct asked asked = {
        .address = first->address,
        .only = messages->n == 1 && first->len == ((first->flags & I2C_READ) != 0),
    };
    (void)stopped; /* it is one call of the driver */
    if (ah_device_is_closed(self) && !ah_is_inherited(&self->fork)) {
        (void)ah_bus_raise_closed(device);
        return NULL;
    }
    const struct i2c_bus *bus = ah_device_begin(self);
    if (bus == NULL) {
        return NULL;
    }
    self->st->uses.i2c_messages += messages->n;
    for (unsigned i = 0; i < messages->n; i++) {
        self->st->uses.i2c_bytes += messages->messages[i].len;
    }
    PyThreadState *thread = ah_device_let_gil_go(self);
    int err = bus->ops->transfer(bus->self, messages->messages,
                                 messages->n); /* runs Python */
    ah_device_take_gil(thread);
    PyObject *answers =
        check_result(self, err, asked) == 0 ? i2c_messages_answers(messages) : NULL;
    ah_device_end(self); /* runs Python */
    return answers;
}

static void
free_messages(void *payload)
{
    i2c_messages_free(payload);
}

static const struct bus_payload_kind i2c_payload = {send_messages, free_messages};

static int
build_messages(BusDeviceObject *device, struct i2c_messages *messages, PyObject *arg)
{
    /* A tuple of its own: the caller's list may change while it is parsed. */
    PyObject *items = PySequence_Tuple(arg); /* runs Python */
    if (items == NULL) {
        return -1;
    }
    const struct i2c_bus *bus = ah_device_check(&device->device);
    int status =
        bus == NULL ? -1
                    : i2c_messages_build(messages, items, bus->funcs); /* runs Python */
    Py_DECREF(items);
    return status;
}

static PyObject *
I2CBus_transfer(BusDeviceObject *self, PyObject *arg)
{
    struct i2c_messages messages;
    struct bus_thread_turn turn = {.token = NULL};
    PyObject *answers = NULL;
    if (build_messages(self, &messages, arg) < 0) { /* runs Python */
        return NULL;
    }
    if (ah_device_check(&self->device) != NULL &&
        ah_bus_take_turn(self, &turn) >= 0) {           /* runs Python */
        answers = send_messages(self, &messages, NULL); /* runs Python */
        bus_turn_leave(&turn.turn);                     /* runs Python */
    }
    i2c_messages_free(&messages);
    return answers;
}

static PyObject *
I2CBus_begin(BusDeviceObject *self, PyObject *arg)
{
    struct i2c_messages *messages = PyMem_Malloc(sizeof *messages);
    if (messages == NULL) {
        return PyErr_NoMemory();
    }
    if (build_messages(self, messages, arg) < 0) { /* runs Python */
        PyMem_Free(messages);
        return NULL;
    }
    return ah_bus_message_new(self, &i2c_payload, messages, messages_ns(messages));
}

/* What came back: nothing, or the bytes of a byte, a word or a block. */
static PyObject *
smbus_answer(const struct smbus_call *call)
{
    bool answers = call->read || call->size == SMBUS_PROC_CALL ||
                   call->size == SMBUS_BLOCK_PROC_CALL;
    const char *data = (const char *)call->data;
    if (!answers || call->size == SMBUS_QUICK) {
        return PyBytes_FromStringAndSize(NULL, 0);
    }
    switch (call->size) {
        case SMBUS_BYTE:
        case SMBUS_BYTE_DATA:
            return PyBytes_FromStringAndSize(data, 1);
        case SMBUS_WORD_DATA:
        case SMBUS_PROC_CALL:
            return PyBytes_FromStringAndSize(data, 2);
        default:
            return PyBytes_FromStringAndSize(data + 1, call->data[0]);
    }
}

/* In its turn. */
static PyObject *
send_smbus(DeviceObject *self, struct smbus_call *call)
{
    PyObject *answer = NULL;
    const struct i2c_bus *bus = ah_device_begin(self);
    if (bus != NULL) {
        self->st->uses.i2c_messages++;
        PyThreadState *thread = ah_device_let_gil_go(self);
        int err = bus->ops->smbus(bus->self, call); /* runs Python */
        ah_device_take_gil(thread);
        const struct asked asked = {
            .address = call->address,
            .only =
                call->size == SMBUS_QUICK || (call->size == SMBUS_BYTE && call->read),
        };
        if (check_result(self, err, asked) == 0) { /* runs Python */
            answer = smbus_answer(call);
        }
        ah_device_end(self); /* runs Python */
    }
    return answer;
}

static PyObject *
I2CBus_smbus(BusDeviceObject *self, PyObject *args)
{
    struct bus_thread_turn turn = {.token = NULL};
    struct smbus_call call = {0};
    PyObject *address_arg, *answer = NULL;
    long long address;
    unsigned int size;
    int read, pec = 0, force = 0;
    Py_buffer data;
    if (!PyArg_ParseTuple(args, "OpbIy*|pp:smbus", &address_arg, &read, &call.command,
                          &size, &data, &pec, &force)) {
        return NULL;
    }
    if (ah_integer_arg(address_arg, "an I2C address", 0, 0x7F, &address) <
        0) { /* runs Python */
        goto done;
    }
    if (data.len > (Py_ssize_t)sizeof call.data) {
        PyErr_Format(PyExc_ValueError, "SMBus data has at most %zu bytes, not %zd",
                     sizeof call.data, data.len);
        goto done;
    }
    memcpy(call.data, data.buf, (size_t)data.len);
    call.address = (uint16_t)address;
    call.size = size;
    call.read = read != 0;
    call.pec = pec != 0;
    call.force = force != 0;
    if (ah_device_check(&self->device) != NULL &&
        ah_bus_take_turn(self, &turn) >= 0) {      /* runs Python */
        answer = send_smbus(&self->device, &call); /* runs Python */
        bus_turn_leave(&turn.turn);                /* runs Python */
    }
done:
    PyBuffer_Release(&data); /* runs Python */
    return answer;
}

static PyObject *
I2CBus_get_name(DeviceObject *self, void *Py_UNUSED(closure))
{
    return PyUnicode_FromString(self->what);
}

static PyObject *
I2CBus_get_simulated(DeviceObject *self, void *Py_UNUSED(closure))
{
    return PyBool_FromLong(self->owner != NULL);
}

static PyObject *
I2CBus_get_funcs(DeviceObject *self, void *Py_UNUSED(closure))
{
    const struct i2c_bus *bus = ah_device_check(self);
    return bus == NULL ? NULL : PyLong_FromUnsignedLong(bus->funcs);
}

static PyObject *
I2CBus_repr(DeviceObject *self)
{
    return PyUnicode_FromFormat("<I2CBus %s%s>", self->what,
                                ah_device_is_closed(self) ? " closed" : "");
}

static PyMethodDef I2CBus_methods[] = {
    {"transfer", (PyCFunction)I2CBus_transfer, METH_O,
     PyDoc_STR("transfer($self, messages, /)\n--\n\n"
               "1 to 42 messages, with a repeated start between them (one ioctl).\n"
               "Each is a tuple (address, bytes-like to write or number of bytes to\n"
               "read, flags=0).  A list of bytes, one for each read.")},
    {"begin", (PyCFunction)I2CBus_begin, METH_O,
     PyDoc_STR("begin($self, messages, /)\n--\n\n"
               "A BusMessage, which takes its turn on a loop; see transfer().")},
    {"hold", (PyCFunction)BusDevice_hold, METH_NOARGS,
     PyDoc_STR("hold($self, /)\n--\n\n"
               "A BusMessage that holds the bus until it leaves.")},
    {"smbus", (PyCFunction)I2CBus_smbus, METH_VARARGS,
     PyDoc_STR("smbus($self, address, read, command, size, data, pec=False, "
               "force=False, /)\n--\n\n"
               "One SMBus call (I2C_SMBUS of linux/i2c-dev.h); data: what is sent, as\n"
               "in union i2c_smbus_data.  What came back.")},
    {"use_loop", (PyCFunction)Device_use_loop, METH_O,
     PyDoc_STR("use_loop($self, loop, /)\n--\n\n"
               "Go on in that loop's time.  RuntimeError: a real bus, and a virtual "
               "clock.")},
    {"close", (PyCFunction)Device_close, METH_NOARGS,
     PyDoc_STR("close($self, /)\n--\n\n"
               "Give the bus back; idempotent.  A transfer that runs is finished.")},
    {NULL, NULL, 0, NULL},
};

static PyGetSetDef I2CBus_getset[] = {
    {"closed", (getter)Device_get_closed, NULL, PyDoc_STR("True after close()."), NULL},
    {"name", (getter)I2CBus_get_name, NULL, PyDoc_STR("Such as i2c-1."), NULL},
    {"waiting", (getter)BusDevice_get_waiting, NULL,
     PyDoc_STR("How many wait for their turn on it."), NULL},
    {"simulated", (getter)I2CBus_get_simulated, NULL,
     PyDoc_STR("Is it of a simulated board?"), NULL},
    {"funcs", (getter)I2CBus_get_funcs, NULL,
     PyDoc_STR("What the adapter can do: I2C_FUNC_* of linux/i2c.h."), NULL},
    {NULL, NULL, NULL, NULL, NULL},
};

static int
I2CBus_traverse(I2CBusObject *self, visitproc visit, void *arg)
{
    Py_VISIT(self->on_silence);
    return ah_device_traverse(&self->bus_device.device, visit, arg);
}

static int
I2CBus_clear(I2CBusObject *self)
{
    Py_CLEAR(self->on_silence);
    return ah_device_clear(&self->bus_device.device);
}

static PyMemberDef I2CBus_members[] = {
    AH_DEVICE_WEAKREFS,
    {"on_silence", T_OBJECT, offsetof(I2CBusObject, on_silence), 0,
     PyDoc_STR("Called with an address that does not answer, and whether it was only\n"
               "asked if it is there; or None.")},
    {NULL, 0, 0, 0, NULL},
};

static PyType_Slot I2CBus_slots[] = {
    {Py_tp_doc, PyDoc_STR("One I2C bus; made by a backend (see "
                          "pyasync_hw.hardware).")},
    {Py_tp_traverse, I2CBus_traverse},
    {Py_tp_clear, I2CBus_clear},
    {Py_tp_finalize, ah_device_finalize},
    {Py_tp_dealloc, ah_device_dealloc},
    {Py_tp_repr, I2CBus_repr},
    {Py_tp_methods, I2CBus_methods},
    {Py_tp_getset, I2CBus_getset},
    {Py_tp_members, I2CBus_members},
    {0, NULL},
};

PyType_Spec I2CBus_spec = {
    .name = "pyasync_hw._core.I2CBus",
    .basicsize = sizeof(I2CBusObject),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC | Py_TPFLAGS_IMMUTABLETYPE |
             Py_TPFLAGS_DISALLOW_INSTANTIATION,
    .slots = I2CBus_slots,
};
