/* _core.BusMessage; see bus_message.h. */
#include "hw/bus_message.h"

#include "hw/bus_wait.h"
#include "hw/loop_future.h"
#include "py/exceptions.h"

#define INLINE_MAX_NS (200 * NS_PER_US) /* what takes longer would hold up the loop */

typedef struct {
    PyObject_HEAD
    ModuleState *st;
    BusDeviceObject *device; /* owned */
    const struct bus_payload_kind *kind;
    void *payload; /* owned; NULL: it holds the bus */
    struct bus_thread_turn turn;
    PyObject *loop;   /* owned while it waits: whom to tell, */
    PyObject *future; /* owned: and what */
    bool is_long;
    bool entered;
    bool is_inside; /* of what holds the bus: it needs no turn */
    bool sending;
    bool stopped;
} BusMessageObject;

static void
end_turn(BusMessageObject *self)
{
    bus_turn_leave(&self->turn.turn); /* runs Python */
    Py_CLEAR(self->turn.turn.task);
    Py_CLEAR(self->future); /* nobody tells it any more */
    Py_CLEAR(self->loop);   /* runs Python */
}

/* A loop that can't be told gives its turn back. */
static bool
tell_loop(struct bus_turn *turn)
{
    BusMessageObject *self =
        (BusMessageObject *)((char *)turn - offsetof(BusMessageObject, turn));
    PyObject *loop = self->loop;
    PyObject *future = self->future;
    self->loop = self->future = NULL;
    bool told = true;
    Py_INCREF(self);
    if (future != NULL &&
        hw_future_tell(self->st, loop, future, NULL) < 0) { /* runs Python */
        PyErr_WriteUnraisable(future);                      /* runs Python */
        told = turn->state != TURN_ON; /* it has been passed on already */
        turn->state = TURN_OVER;
    }
    Py_XDECREF(future);
    Py_XDECREF(loop); /* runs Python */
    Py_DECREF(self);  /* runs Python */
    return told;
}

/* -- life ------------------------------------------------------------------ */

static void
free_payload(const struct bus_payload_kind *kind, void *payload)
{
    if (payload != NULL) {
        kind->free(payload); /* runs Python */
        PyMem_Free(payload);
    }
}

PyObject *
ah_bus_message_new(BusDeviceObject *device, const struct bus_payload_kind *kind,
                   void *payload, int64_t ns)
{
    ModuleState *st = device->device.st;
    PyTypeObject *type = st->bus_message_type;
    BusMessageObject *self = (BusMessageObject *)type->tp_alloc(type, 0);
    if (self == NULL) {
        free_payload(kind, payload); /* runs Python */
        return NULL;
    }
    st->live[AH_LIVE_BusMessage]++;
    self->st = st;
    self->device = (BusDeviceObject *)Py_NewRef((PyObject *)device);
    self->kind = kind;
    self->payload = payload;
    self->is_long = ns > INLINE_MAX_NS;
    return (PyObject *)self;
}

static int
BusMessage_traverse(BusMessageObject *self, visitproc visit, void *arg)
{
    Py_VISIT(Py_TYPE(self));
    Py_VISIT(self->device);
    Py_VISIT(self->turn.turn.task);
    Py_VISIT(self->loop);
    Py_VISIT(self->future);
    return 0;
}

static int
BusMessage_clear(BusMessageObject *self)
{
    end_turn(self); /* runs Python */
    return 0;
}

static void
BusMessage_dealloc(BusMessageObject *self)
{
    PyTypeObject *type = Py_TYPE(self);
    PyObject_GC_UnTrack(self);
    PyObject *exc = ah_take_exception();
    end_turn(self); /* runs Python */
    ah_restore_exception(exc);
    free_payload(self->kind, self->payload); /* runs Python */
    self->st->live[AH_LIVE_BusMessage]--;
    Py_DECREF((PyObject *)self->device); /* runs Python */
    type->tp_free((PyObject *)self);
    Py_DECREF(type);
}

PyObject *
BusDevice_hold(BusDeviceObject *self, PyObject *Py_UNUSED(ignored))
{
    if (ah_device_check(&self->device) == NULL) {
        return NULL;
    }
    return ah_bus_message_new(self, NULL, NULL, 0);
}

PyObject *
BusDevice_get_waiting(BusDeviceObject *self, void *Py_UNUSED(closure))
{
    Py_ssize_t count = 0;
    for (struct bus_turn *turn = self->bus->waiting; turn != NULL; turn = turn->next) {
        count++;
    }
    return PyLong_FromSsize_t(count);
}

/* -- Python methods -------------------------------------------------------- */

static int
raise_entered(void)
{
    PyErr_SetString(PyExc_RuntimeError, "a message enters once");
    return -1;
}

static int
enter_once(BusMessageObject *self)
{
    if (self->entered || self->stopped) {
        return raise_entered();
    }
    self->entered = true;
    return 0;
}

/* Is the bus free, or held for this task?  What holds it notes the task.  -1 with an
 * exception. */
static int
enter_at_once(BusMessageObject *self, PyObject *loop)
{
    struct bus *bus = self->device->bus;
    if (self->payload != NULL && bus_turn_enter(&self->turn.turn, bus)) {
        return 1;
    }
    if (self->payload != NULL && (bus->on == NULL || bus->on->task == NULL)) {
        return 0;
    }
    PyObject *task =
        PyObject_CallOneArg(self->st->current_task, loop); /* runs Python */
    if (task == NULL || self->stopped) {
        Py_XDECREF(task);
        return task == NULL ? -1 : raise_entered();
    }
    self->is_inside = bus->on != NULL && bus->on->task == task && task != Py_None;
    if (self->payload == NULL && !self->is_inside) {
        self->turn.turn.task = Py_NewRef(task);
    }
    Py_DECREF(task);
    return self->is_inside || bus_turn_enter(&self->turn.turn, bus);
}

static PyObject *
BusMessage_enter(BusMessageObject *self, PyObject *loop)
{
    if (ah_device_use_loop(&self->device->device, loop) < 0 || /* runs Python */
        enter_once(self) < 0) {
        return NULL;
    }
    int entered = enter_at_once(self, loop); /* runs Python */
    if (entered < 0) {
        return NULL;
    }
    if (entered) {
        Py_RETURN_NONE;
    }
    PyObject *future = PyObject_CallMethod(loop, "create_future", NULL);
    if (future == NULL || /* it ran Python */ self->stopped) {
        if (future != NULL) {
            (void)raise_entered();
        }
        Py_XDECREF(future);
        return NULL;
    }
    if (bus_turn_enter(&self->turn.turn, self->device->bus)) {
        Py_DECREF(future);
        Py_RETURN_NONE;
    }
    self->turn.turn.tell = tell_loop;
    self->loop = Py_NewRef(loop);
    self->future = Py_NewRef(future);
    bus_turn_wait(&self->turn.turn, self->device);
    return future;
}

static PyObject *
BusMessage_block(BusMessageObject *self, PyObject *Py_UNUSED(ignored))
{
    if (self->payload != NULL) {
        PyErr_SetString(PyExc_RuntimeError, "a message does not block");
        return NULL;
    }
    if (enter_once(self) < 0 || ah_device_begin(&self->device->device) == NULL) {
        return NULL;
    }
    int alone = ah_bus_take_turn(self->device, &self->turn); /* runs Python */
    if (alone > 0 && self->device->bus->on != NULL &&
        self->device->bus->on->thread != self->turn.turn.thread) {
        PyErr_Format(
            PyExc_RuntimeError,
            "%s: a lock that blocks would hold up the loop of this thread; use "
            "`async with` and the lock that is awaited",
            self->device->device.what);
        alone = -1;
    }
    ah_device_end(&self->device->device); /* runs Python */
    if (alone < 0) {
        return NULL;
    }
    Py_RETURN_NONE;
}

static PyObject *
BusMessage_check(BusMessageObject *self, PyObject *Py_UNUSED(ignored))
{
    if (self->turn.turn.state == TURN_ON || self->is_inside) {
        Py_RETURN_NONE;
    }
    if (self->turn.turn.waited && ah_device_is_closed(&self->device->device)) {
        (void)ah_bus_raise_closed(self->device);
    }
    else {
        PyErr_SetString(PyExc_RuntimeError, "it is not this message's turn");
    }
    return NULL;
}

static PyObject *
BusMessage_send(BusMessageObject *self, PyObject *Py_UNUSED(ignored))
{
    if (self->payload == NULL || self->sending || self->stopped) {
        PyErr_SetString(PyExc_RuntimeError, "there is nothing to send");
        return NULL;
    }
    PyObject *may = BusMessage_check(self, NULL);
    if (may == NULL) {
        return NULL;
    }
    Py_DECREF(may);
    self->sending = true;
    self->turn.turn.thread = PyThread_get_thread_ident();
    PyObject *answers =
        self->kind->send(self->device, self->payload, &self->stopped); /* runs Python */
    bus_turn_leave(&self->turn.turn);                                  /* runs Python */
    self->sending = false;
    self->stopped = true;
    return answers;
}

static PyObject *
BusMessage_leave(BusMessageObject *self, PyObject *Py_UNUSED(ignored))
{
    const bool blocks = self->turn.token != NULL && self->turn.turn.state == TURN_WAITS;
    self->stopped = true;
    if (!self->sending) {
        end_turn(self); /* runs Python */
    }
    if (blocks) {
        (void)self->turn.turn.tell(&self->turn.turn); /* in another thread */
    }
    Py_RETURN_NONE;
}

static PyMethodDef BusMessage_methods[] = {
    {"enter", (PyCFunction)BusMessage_enter, METH_O,
     PyDoc_STR("enter($self, loop, /)\n--\n\n"
               "None: it is this message's turn.  Else a future that is done when it\n"
               "is, or when its device is closed; check() tells which.")},
    {"block", (PyCFunction)BusMessage_block, METH_NOARGS,
     PyDoc_STR("block($self, /)\n--\n\n"
               "Hold the bus for this thread, which waits until it can.")},
    {"check", (PyCFunction)BusMessage_check, METH_NOARGS,
     PyDoc_STR("check($self, /)\n--\n\n"
               "It has its turn.  OSError (EBADF): its device was closed meanwhile.")},
    {"send", (PyCFunction)BusMessage_send, METH_NOARGS,
     PyDoc_STR("send($self, /)\n--\n\n"
               "Send it, once, in its turn; a list of bytes.")},
    {"leave", (PyCFunction)BusMessage_leave, METH_NOARGS,
     PyDoc_STR("leave($self, /)\n--\n\n"
               "It is over, or stops where it can; idempotent.")},
    {NULL, NULL, 0, NULL},
};

static PyMemberDef BusMessage_members[] = {
    {"is_long", T_BOOL, offsetof(BusMessageObject, is_long), READONLY,
     PyDoc_STR("Would sending it hold up a loop?  By bits and clock rate, delays and\n"
               "changes of chip select.")},
    {NULL, 0, 0, 0, NULL},
};

static PyType_Slot BusMessage_slots[] = {
    {Py_tp_doc,
     PyDoc_STR("One message on its way, or what holds a bus; made by begin() and\n"
               "hold() of SPIDevice and I2CBus.")},
    {Py_tp_traverse, BusMessage_traverse},
    {Py_tp_clear, BusMessage_clear},
    {Py_tp_dealloc, BusMessage_dealloc},
    {Py_tp_methods, BusMessage_methods},
    {Py_tp_members, BusMessage_members},
    {0, NULL},
};

PyType_Spec BusMessage_spec = {
    .name = "pyasync_hw._core.BusMessage",
    .basicsize = sizeof(BusMessageObject),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC | Py_TPFLAGS_IMMUTABLETYPE |
             Py_TPFLAGS_DISALLOW_INSTANTIATION,
    .slots = BusMessage_slots,
};
