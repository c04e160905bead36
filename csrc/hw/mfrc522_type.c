/* _core.MFRC522: operations and their results; see mfrc522_type.h.
 *
 * start_*() checks its arguments and begins nothing yet; then either
 *     while (outcome := chip.take()) is None:
 *         wakeup = chip.arm(loop)             # the first steps are done here
 *         try: await wakeup                   # (None: it is over already)
 *         finally: chip.disarm(wakeup)        # cancels what still runs
 * or chip.run(timeout, token) and take().  An outcome is (None, result) or
 * (error, None): a word for what the radio or the chip says, an errno for the bus.
 */
#include "hw/mfrc522_type.h"

#include "hw/line_type.h"
#include "hw/spi_type.h"
#include "py/errors.h"

/* -- life ------------------------------------------------------------------ */

static int
line_arg(ModuleState *st, PyObject *arg, const char *name, DeviceObject **line)
{
    *line = NULL;
    if (arg == NULL || arg == Py_None) {
        return 0;
    }
    struct line_request *request = ah_line_request_get(st, arg);
    if (request == NULL) {
        return -1;
    }
    if (request->num_lines != 1) {
        PyErr_Format(PyExc_ValueError, "%s must be a request of one line, not %u", name,
                     request->num_lines);
        return -1;
    }
    *line = (DeviceObject *)Py_NewRef(arg);
    return 0;
}

/* A real chip that was idle goes on; anything else is the parent's. */
static void
mfrc522_in_child(PyObject *object)
{
    MFRC522Object *self = (MFRC522Object *)object;
    const DeviceObject *spi = self->device.handle;
    bool idle = !mfrc522_is_running(&self->chip) && !self->driving && !self->blocking;
    if (idle && spi != NULL && spi->owner == NULL) {
        self->device.fork.made_in = 0;
    }
}

static void
let_go_of_spi(void *handle)
{
    Py_DECREF((PyObject *)handle); /* runs Python */
}

static void
mfrc522_free(DeviceObject *device)
{
    MFRC522Object *self = (MFRC522Object *)device;
    mfrc522_abandon(&self->chip);
    self->operation = OPERATION_NONE;
    ah_mfrc522_run_clear(self);
    ah_device_release(device);
    Py_CLEAR(self->irq);
    Py_CLEAR(self->reset);
}

static const struct device_kind mfrc522_kind = {
    .counter = AH_LIVE_MFRC522,
    .closed = "%s is closed",
    .inherited = "reader",
    .remedy = "open one in the child",
    .close = let_go_of_spi,
    .in_child = mfrc522_in_child,
    .free = mfrc522_free,
};

static PyObject *
MFRC522_new(PyTypeObject *type, PyObject *args, PyObject *kwargs)
{
    static char *kwlist[] = {"spi", "irq", "reset", NULL};
    PyObject *spi;
    PyObject *irq = NULL;
    PyObject *reset = NULL;
    if (!PyArg_ParseTupleAndKeywords(args, kwargs, "O|OO:MFRC522", kwlist, &spi, &irq,
                                     &reset)) {
        return NULL;
    }
    ModuleState *st = ah_state_of_type(type);
    if (st == NULL || ah_spi_device_get(st, spi) == NULL) {
        return NULL;
    }
    MFRC522Object *self =
        (MFRC522Object *)ah_device_new(st, type, &mfrc522_kind, Py_NewRef(spi), NULL);
    if (self == NULL) {
        return NULL;
    }
    DeviceObject *device = &self->device;
    device->keeps_gil = 1;
    PyOS_snprintf(device->what, sizeof device->what, "RC522 reader %s",
                  ((DeviceObject *)spi)->what);
    ah_mfrc522_run_init(self);
    mfrc522_init(&self->chip, false, false);
    if (line_arg(st, irq, "irq", &self->irq) < 0 ||
        line_arg(st, reset, "reset", &self->reset) < 0) {
        Py_DECREF(self);
        return NULL;
    }
    mfrc522_init(&self->chip, self->irq != NULL, self->reset != NULL);
    return (PyObject *)self;
}

static int
MFRC522_traverse(MFRC522Object *self, visitproc visit, void *arg)
{
    Py_VISIT((PyObject *)self->device.handle);
    Py_VISIT(self->irq);
    Py_VISIT(self->reset);
    int visited = ah_device_traverse(&self->device, visit, arg);
    return visited != 0 ? visited : ah_mfrc522_run_traverse(self, visit, arg);
}

static int
MFRC522_clear(MFRC522Object *self)
{
    mfrc522_free(&self->device);
    return 0;
}

/* -- operations ------------------------------------------------------------ */

/* May an operation be started?  -1 with an exception. */
static int
check_idle(MFRC522Object *self)
{
    if (ah_device_check(&self->device) == NULL) {
        return -1;
    }
    if (mfrc522_is_running(&self->chip) || self->driving || self->blocking) {
        PyErr_Format(PyExc_RuntimeError,
                     "%s is busy: one operation at a time; await the other one, or "
                     "cancel it",
                     self->device.what);
        return -1;
    }
    Py_CLEAR(self->error);
    return 0;
}

static PyObject *
started(MFRC522Object *self, enum mfrc522_operation operation)
{
    self->operation = operation;
    self->pending = 1;
    Py_RETURN_NONE;
}

/* One without arguments. */
static PyObject *
start(MFRC522Object *self, void (*operation_start)(struct mfrc522 *chip),
      enum mfrc522_operation operation)
{
    if (check_idle(self) < 0) {
        return NULL;
    }
    operation_start(&self->chip);
    return started(self, operation);
}

static PyObject *
MFRC522_start_open(MFRC522Object *self, PyObject *Py_UNUSED(ignored))
{
    return start(self, mfrc522_start_open, OPERATION_OPEN);
}

static PyObject *
MFRC522_start_configure(MFRC522Object *self, PyObject *args)
{
    PyObject *gain_arg;
    long long gain;
    int field;
    if (!PyArg_ParseTuple(args, "Op:start_configure", &gain_arg, &field) ||
        ah_integer_arg(gain_arg, "gain", 0, 7, &gain) < 0 || check_idle(self) < 0) {
        return NULL;
    }
    self->chip.gain = (uint8_t)gain;
    self->chip.field = field != 0;
    mfrc522_start_configure(&self->chip);
    return started(self, OPERATION_PLAIN);
}

static PyObject *
MFRC522_start_shutdown(MFRC522Object *self, PyObject *Py_UNUSED(ignored))
{
    return start(self, mfrc522_start_shutdown, OPERATION_PLAIN);
}

static PyObject *
MFRC522_start_transceive(MFRC522Object *self, PyObject *args)
{
    Py_buffer data;
    int bits, add_crc, check_crc;
    double timeout;
    if (!PyArg_ParseTuple(args, "y*ippd:start_transceive", &data, &bits, &add_crc,
                          &check_crc, &timeout)) {
        return NULL;
    }
    PyObject *result = NULL;
    Py_ssize_t room = add_crc ? FIFO_SIZE - 2 : FIFO_SIZE;
    if (check_idle(self) < 0) {
        goto done;
    }
    if (data.len == 0 || data.len > room) {
        PyErr_Format(PyExc_ValueError, "data must be 1 to %zd bytes, not %zd", room,
                     data.len);
    }
    else if (bits < 0 || bits > 7 || (add_crc && bits != 0)) {
        PyErr_SetString(PyExc_ValueError,
                        "bits of the last byte must be 0 (all) to 7, and 0 with CRC");
    }
    else if (!(timeout >= 25e-6 && timeout <= MFRC522_TIMEOUT_MAX_US / 1e6)) {
        PyErr_SetString(PyExc_ValueError, "timeout must be 0.000025 to 1.6 seconds");
    }
    else if (mfrc522_start_transceive(&self->chip, data.buf, (unsigned)data.len,
                                      (unsigned)bits, add_crc != 0, check_crc != 0,
                                      (uint32_t)(timeout * 1e6 + 0.5)) < 0) {
        PyErr_SetString(PyExc_ValueError, "such a frame cannot be sent");
    }
    else {
        result = started(self, OPERATION_TRANSCEIVE);
    }
done:
    PyBuffer_Release(&data);
    return result;
}

static PyObject *
MFRC522_start_request(MFRC522Object *self, PyObject *arg)
{
    int wakeup = PyObject_IsTrue(arg); /* runs Python */
    if (wakeup < 0 || check_idle(self) < 0) {
        return NULL;
    }
    mfrc522_start_request(&self->chip, wakeup);
    return started(self, OPERATION_REQUEST);
}

static PyObject *
MFRC522_start_anticollision(MFRC522Object *self, PyObject *arg)
{
    long long level;
    if (ah_integer_arg(arg, "level", 1, ISO14443A_LEVELS, &level) < 0 ||
        check_idle(self) < 0) {
        return NULL;
    }
    mfrc522_start_anticollision(&self->chip, (unsigned)level - 1);
    return started(self, OPERATION_ANTICOLLISION);
}

/* A UID of 4, 7 or 10 bytes; `uid` has room for ISO14443A_UID_MAX. */
static int
uid_arg(PyObject *arg, uint8_t *uid, unsigned *size)
{
    Py_buffer view;
    if (PyObject_GetBuffer(arg, &view, PyBUF_SIMPLE) < 0) {
        return -1;
    }
    *size = (unsigned)view.len;
    bool ok = view.len <= ISO14443A_UID_MAX && iso14443a_levels((size_t)view.len) != 0;
    if (ok) {
        memcpy(uid, view.buf, (size_t)view.len);
    }
    else {
        PyErr_Format(PyExc_ValueError, "uid must have 4, 7 or 10 bytes, not %zd",
                     view.len);
    }
    PyBuffer_Release(&view);
    return ok ? 0 : -1;
}

static PyObject *
MFRC522_start_select(MFRC522Object *self, PyObject *arg)
{
    uint8_t uid[ISO14443A_UID_MAX];
    unsigned size = 0;
    if ((arg != Py_None && uid_arg(arg, uid, &size) < 0) || check_idle(self) < 0) {
        return NULL;
    }
    if (mfrc522_start_select(&self->chip, uid, size) < 0) {
        PyErr_SetString(PyExc_ValueError, "uid must have 4, 7 or 10 bytes");
        return NULL;
    }
    return started(self, OPERATION_SELECT);
}

static PyObject *
MFRC522_start_halt(MFRC522Object *self, PyObject *Py_UNUSED(ignored))
{
    return start(self, mfrc522_start_halt, OPERATION_PLAIN);
}

static PyObject *
MFRC522_start_authenticate(MFRC522Object *self, PyObject *args)
{
    PyObject *block_arg;
    unsigned char command;
    long long block;
    const char *key, *uid;
    Py_ssize_t key_size, uid_size;
    if (!PyArg_ParseTuple(args, "bOy#y#:start_authenticate", &command, &block_arg, &key,
                          &key_size, &uid, &uid_size) ||
        ah_integer_arg(block_arg, "block", 0, UINT8_MAX, &block) < 0 ||
        check_idle(self) < 0) {
        return NULL;
    }
    if (key_size != MIFARE_KEY_SIZE) {
        return PyErr_Format(PyExc_ValueError, "key must have 6 bytes, not %zd",
                            key_size);
    }
    if (uid_size != 4) {
        return PyErr_Format(PyExc_ValueError,
                            "uid must be the 4 bytes that the cipher uses, not %zd",
                            uid_size);
    }
    mfrc522_start_authenticate(&self->chip, command, (uint8_t)block,
                               (const uint8_t *)key, (const uint8_t *)uid);
    return started(self, OPERATION_PLAIN);
}

static PyObject *
MFRC522_start_read(MFRC522Object *self, PyObject *args)
{
    PyObject *block_arg;
    long long block;
    if (!PyArg_ParseTuple(args, "O:start_read", &block_arg) ||
        ah_integer_arg(block_arg, "block", 0, UINT8_MAX, &block) < 0 ||
        check_idle(self) < 0) {
        return NULL;
    }
    mfrc522_start_read(&self->chip, (uint8_t)block);
    return started(self, OPERATION_READ);
}

static PyObject *
MFRC522_start_write(MFRC522Object *self, PyObject *args)
{
    PyObject *block_arg;
    long long block;
    const char *data;
    Py_ssize_t size;
    if (!PyArg_ParseTuple(args, "Oy#:start_write", &block_arg, &data, &size) ||
        ah_integer_arg(block_arg, "block", 0, UINT8_MAX, &block) < 0 ||
        check_idle(self) < 0) {
        return NULL;
    }
    if (size != MIFARE_BLOCK_SIZE) {
        return PyErr_Format(PyExc_ValueError, "data must have 16 bytes, not %zd", size);
    }
    mfrc522_start_write(&self->chip, (uint8_t)block, (const uint8_t *)data);
    return started(self, OPERATION_PLAIN);
}

static PyObject *
MFRC522_start_stop_crypto(MFRC522Object *self, PyObject *Py_UNUSED(ignored))
{
    return start(self, mfrc522_start_stop_crypto, OPERATION_PLAIN);
}

static int
interval_arg(double seconds, int64_t *interval_ns)
{
    if (!(seconds > 0.0 && seconds <= 60.0)) {
        PyErr_SetString(PyExc_ValueError,
                        "poll_interval must be a number of seconds up to 60");
        return -1;
    }
    *interval_ns = (int64_t)(seconds * 1e9);
    return 0;
}

static PyObject *
MFRC522_start_poll(MFRC522Object *self, PyObject *arg)
{
    int64_t interval_ns;
    double seconds;
    if (ah_seconds_arg(arg, "poll_interval", &seconds) < 0 || /* runs Python */
        interval_arg(seconds, &interval_ns) < 0 || check_idle(self) < 0) {
        return NULL;
    }
    mfrc522_start_poll(&self->chip, interval_ns);
    return started(self, OPERATION_POLL);
}

static PyObject *
MFRC522_start_absence(MFRC522Object *self, PyObject *args)
{
    PyObject *uid_obj;
    double seconds;
    uint8_t uid[ISO14443A_UID_MAX];
    unsigned size;
    int64_t interval_ns;
    if (!PyArg_ParseTuple(args, "Od:start_absence", &uid_obj, &seconds) ||
        uid_arg(uid_obj, uid, &size) < 0 || interval_arg(seconds, &interval_ns) < 0 ||
        check_idle(self) < 0) {
        return NULL;
    }
    if (mfrc522_start_absence(&self->chip, uid, size, interval_ns) < 0) {
        PyErr_SetString(PyExc_ValueError, "uid must have 4, 7 or 10 bytes");
        return NULL;
    }
    return started(self, OPERATION_PLAIN);
}

static PyObject *
MFRC522_forget(MFRC522Object *self, PyObject *Py_UNUSED(ignored))
{
    mfrc522_forget(&self->chip);
    Py_RETURN_NONE;
}

static PyObject *
MFRC522_crc_a(PyObject *Py_UNUSED(type), PyObject *arg)
{
    Py_buffer view;
    if (PyObject_GetBuffer(arg, &view, PyBUF_SIMPLE) < 0) {
        return NULL;
    }
    uint16_t crc = iso14443a_crc(view.buf, (size_t)view.len);
    PyBuffer_Release(&view);
    const char bytes[] = {(char)(crc & 0xFF), (char)(crc >> 8)};
    return PyBytes_FromStringAndSize(bytes, sizeof bytes);
}

static PyObject *
MFRC522_get_flag(MFRC522Object *self, void *closure)
{
    const char *chip = (const char *)&self->chip;
    return PyBool_FromLong(*(const bool *)(chip + (uintptr_t)closure));
}

static PyObject *
MFRC522_get_busy(MFRC522Object *self, void *Py_UNUSED(closure))
{
    return PyBool_FromLong(mfrc522_is_running(&self->chip) || self->driving);
}

/* -- tables ---------------------------------------------------------------- */

static PyMethodDef MFRC522_methods[] = {
    {"arm", (PyCFunction)ah_mfrc522_arm, METH_O,
     PyDoc_STR("arm($self, loop, /)\n--\n\n"
               "Run what was started on an event loop: a future that is done when it\n"
               "is over, or None when it is over already.")},
    {"disarm", (PyCFunction)ah_mfrc522_disarm, METH_O,
     PyDoc_STR("disarm($self, future, /)\n--\n\n"
               "The future that arm() gave is waited for no more: an operation that\n"
               "still runs is cancelled, the chip is left idle.  Idempotent.")},
    {"run", (PyCFunction)(void (*)(void))ah_mfrc522_run, METH_VARARGS | METH_KEYWORDS,
     PyDoc_STR("run($self, timeout=None, token=None, stop=None)\n--\n\n"
               "Run what was started, blocking, without the GIL, until it is over or\n"
               "one of the two CancelTokens is cancelled.")},
    {"take", (PyCFunction)ah_mfrc522_take, METH_NOARGS,
     PyDoc_STR("take($self, /)\n--\n\n"
               "The outcome: (None, result), or (error, None) with a word or an\n"
               "errno.  None while the operation runs, and when it was taken.")},
    {"start_open", (PyCFunction)MFRC522_start_open, METH_NOARGS,
     PyDoc_STR("start_open($self, /)\n--\n\nReset, set up: VersionReg.")},
    {"start_configure", (PyCFunction)MFRC522_start_configure, METH_VARARGS,
     PyDoc_STR("start_configure($self, gain, field, /)\n--\n\n"
               "RFCfgReg.RxGain (0 to 7), antenna on or off.")},
    {"start_shutdown", (PyCFunction)MFRC522_start_shutdown, METH_NOARGS,
     PyDoc_STR("start_shutdown($self, /)\n--\n\nAntenna off, chip idle.")},
    {"start_transceive", (PyCFunction)MFRC522_start_transceive, METH_VARARGS,
     PyDoc_STR("start_transceive($self, data, bits, add_crc, check_crc, timeout, /)\n"
               "--\n\nOne frame: (answer, valid bits of its last byte or 0).")},
    {"start_request", (PyCFunction)MFRC522_start_request, METH_O,
     PyDoc_STR("start_request($self, wakeup, /)\n--\n\nREQA or WUPA: ATQA.")},
    {"start_anticollision", (PyCFunction)MFRC522_start_anticollision, METH_O,
     PyDoc_STR("start_anticollision($self, level, /)\n--\n\n"
               "Cascade level 1 to 3: four bytes and BCC.")},
    {"start_select", (PyCFunction)MFRC522_start_select, METH_O,
     PyDoc_STR("start_select($self, uid, /)\n--\n\n"
               "A UID, or None for whoever answers: (None, uid, sak).")},
    {"start_halt", (PyCFunction)MFRC522_start_halt, METH_NOARGS,
     PyDoc_STR("start_halt($self, /)\n--\n\nHLTA, then Crypto1 off.")},
    {"start_authenticate", (PyCFunction)MFRC522_start_authenticate, METH_VARARGS,
     PyDoc_STR("start_authenticate($self, command, block, key, uid4, /)\n--\n\n"
               "MFAuthent with 0x60 (key A) or 0x61 (key B).")},
    {"start_read", (PyCFunction)MFRC522_start_read, METH_VARARGS,
     PyDoc_STR("start_read($self, block, /)\n--\n\nMIFARE READ: 16 bytes.")},
    {"start_write", (PyCFunction)MFRC522_start_write, METH_VARARGS,
     PyDoc_STR("start_write($self, block, data, /)\n--\n\nMIFARE WRITE of 16 bytes.")},
    {"start_stop_crypto", (PyCFunction)MFRC522_start_stop_crypto, METH_NOARGS,
     PyDoc_STR("start_stop_crypto($self, /)\n--\n\nStatus2Reg.MFCrypto1On off.")},
    {"start_poll", (PyCFunction)MFRC522_start_poll, METH_O,
     PyDoc_STR("start_poll($self, interval, /)\n--\n\n"
               "REQA every interval until a card is selected: (atqa, uid, sak).")},
    {"start_absence", (PyCFunction)MFRC522_start_absence, METH_VARARGS,
     PyDoc_STR("start_absence($self, uid, interval, /)\n--\n\n"
               "Until that card answers no more.")},
    {"forget", (PyCFunction)MFRC522_forget, METH_NOARGS,
     PyDoc_STR("forget($self, /)\n--\n\n"
               "The card of the last poll may be found again while it stays.")},
    {"crc_a", MFRC522_crc_a, METH_O | METH_STATIC,
     PyDoc_STR("crc_a(data, /)\n--\n\nCRC_A, 2 bytes as they travel.")},
    {"close", (PyCFunction)ah_mfrc522_close, METH_VARARGS,
     PyDoc_STR("close($self, give_back=None, /)\n--\n\n"
               "Cancel what runs, antenna off, let go of bus and lines, and call\n"
               "give_back(): at once, or when the step that runs is over.  "
               "Idempotent.")},
    {NULL, NULL, 0, NULL},
};

#define FLAG(field) (void *)offsetof(struct mfrc522, field)

static PyGetSetDef MFRC522_getset[] = {
    {"busy", (getter)MFRC522_get_busy, NULL, PyDoc_STR("An operation runs."), NULL},
    {"ready", (getter)MFRC522_get_flag, NULL, PyDoc_STR("The chip is set up."),
     FLAG(ready)},
    {"reset_works", (getter)MFRC522_get_flag, NULL,
     PyDoc_STR("The reset line has reset the chip."), FLAG(reset_works)},
    {"irq_works", (getter)MFRC522_get_flag, NULL,
     PyDoc_STR("Edges come; without them the chip is polled."), FLAG(irq_works)},
    {"crypto", (getter)MFRC522_get_flag, NULL, PyDoc_STR("The chip enciphers."),
     FLAG(crypto)},
    {"tag_active", (getter)MFRC522_get_flag, NULL,
     PyDoc_STR("A card is selected and has answered ever since."), FLAG(tag_active)},
    {"field", (getter)MFRC522_get_flag, NULL, PyDoc_STR("The antenna is to be on."),
     FLAG(field)},
    {NULL, NULL, NULL, NULL, NULL},
};

#define CHIP_OFFSET(field) offsetof(MFRC522Object, chip.field)

static PyMemberDef MFRC522_members[] = {
    AH_DEVICE_WEAKREFS,
    {"version", T_UBYTE, CHIP_OFFSET(version), READONLY, PyDoc_STR("VersionReg.")},
    {"gain", T_UBYTE, CHIP_OFFSET(gain), READONLY, PyDoc_STR("RFCfgReg.RxGain.")},
    {"edges_missed", T_UINT, CHIP_OFFSET(edges_missed), READONLY,
     PyDoc_STR("How often the chip was done, but no edge came.")},
    {"exchanges", T_ULONGLONG, CHIP_OFFSET(exchanges), READONLY,
     PyDoc_STR("How many RF exchanges were begun.")},
    {NULL, 0, 0, 0, NULL},
};

static PyType_Slot MFRC522_slots[] = {
    {Py_tp_doc,
     PyDoc_STR("MFRC522(spi, irq=None, reset=None)\n--\n\n"
               "The steps of one reader chip; pyasync_hw.rc522 is its face.")},
    {Py_tp_new, MFRC522_new},
    {Py_tp_traverse, MFRC522_traverse},
    {Py_tp_clear, MFRC522_clear},
    {Py_tp_dealloc, ah_device_dealloc},
    {Py_tp_methods, MFRC522_methods},
    {Py_tp_getset, MFRC522_getset},
    {Py_tp_members, MFRC522_members},
    {0, NULL},
};

PyType_Spec MFRC522_spec = {
    .name = "pyasync_hw._core.MFRC522",
    .basicsize = sizeof(MFRC522Object),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC | Py_TPFLAGS_IMMUTABLETYPE,
    .slots = MFRC522_slots,
};
