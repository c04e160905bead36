/* _core.SPIMessage; see spi_message_type.h. */
#include "hw/spi_message_type.h"

#include "hw/loop_future.h"
#include "py/exceptions.h"

#define INLINE_MAX_NS (200 * NS_PER_US) /* what takes longer would hold up the loop */

typedef struct {
    PyObject_HEAD
    ModuleState *st;
    SPIDeviceObject *device; /* owned */
    struct message message;
    struct spi_turn turn;
    PyObject *loop;   /* owned while it waits: whom to tell, */
    PyObject *future; /* owned: and what */
    bool is_long;
    bool sending;
    bool stopped;
} SPIMessageObject;

static void
end_turn(SPIMessageObject *self)
{
    spi_turn_leave(&self->turn); /* runs Python */
    Py_CLEAR(self->future);      /* nobody tells it any more */
    Py_CLEAR(self->loop);        /* runs Python */
}

/* A loop that can't be told gives its turn back. */
static void
tell_loop(struct spi_turn *turn)
{
    SPIMessageObject *self =
        (SPIMessageObject *)((char *)turn - offsetof(SPIMessageObject, turn));
    PyObject *loop = self->loop;
    PyObject *future = self->future;
    self->loop = self->future = NULL;
    Py_INCREF(self);
    if (future != NULL &&
        hw_future_tell(self->st, loop, future, NULL) < 0) { /* runs Python */
        PyErr_WriteUnraisable(future);
        spi_turn_leave(turn); /* runs Python */
    }
    Py_XDECREF(future);
    Py_XDECREF(loop); /* runs Python */
    Py_DECREF(self);
}

/* -- life ------------------------------------------------------------------ */

PyObject *
ah_spi_message_new(SPIDeviceObject *device, PyObject *const *items, Py_ssize_t n)
{
    ModuleState *st = device->device.st;
    const struct spi_device *handle = ah_device_begin(&device->device);
    if (handle == NULL) {
        return NULL;
    }
    struct message message;
    int built = message_build(&message, handle, items, n); /* runs Python */
    ah_device_end(&device->device);                        /* runs Python */
    if (built < 0) {
        return NULL;
    }
    PyTypeObject *type = st->spi_message_type;
    SPIMessageObject *self = (SPIMessageObject *)type->tp_alloc(type, 0);
    if (self == NULL) {
        message_free(&message);
        return NULL;
    }
    st->live[AH_LIVE_SPIMessage]++;
    self->st = st;
    self->device = (SPIDeviceObject *)Py_NewRef((PyObject *)device);
    self->message = message;
    self->is_long = message_ns(&message) > INLINE_MAX_NS;
    self->turn.tell = tell_loop;
    return (PyObject *)self;
}

static int
SPIMessage_traverse(SPIMessageObject *self, visitproc visit, void *arg)
{
    Py_VISIT(Py_TYPE(self));
    Py_VISIT(self->device);
    Py_VISIT(self->loop);
    Py_VISIT(self->future);
    return 0;
}

static int
SPIMessage_clear(SPIMessageObject *self)
{
    end_turn(self); /* runs Python */
    return 0;
}

static void
SPIMessage_dealloc(SPIMessageObject *self)
{
    PyTypeObject *type = Py_TYPE(self);
    PyObject_GC_UnTrack(self);
    PyObject *exc = ah_take_exception();
    end_turn(self); /* runs Python */
    ah_restore_exception(exc);
    message_free(&self->message);
    self->st->live[AH_LIVE_SPIMessage]--;
    Py_DECREF((PyObject *)self->device); /* runs Python */
    type->tp_free((PyObject *)self);
    Py_DECREF(type);
}

/* -- Python methods -------------------------------------------------------- */

static PyObject *
SPIMessage_enter(SPIMessageObject *self, PyObject *loop)
{
    if (ah_device_use_loop(&self->device->device, loop) < 0) { /* runs Python */
        return NULL;
    }
    if (self->stopped || self->turn.state != TURN_OVER) {
        PyErr_SetString(PyExc_RuntimeError, "a message enters once");
        return NULL;
    }
    if (spi_turn_enter(&self->turn, self->device->bus)) {
        Py_RETURN_NONE;
    }
    PyObject *future = PyObject_CallMethod(loop, "create_future", NULL);
    if (future == NULL) { /* it ran Python */
        return NULL;
    }
    if (self->turn.state != TURN_OVER) {
        Py_DECREF(future);
        PyErr_SetString(PyExc_RuntimeError, "a message enters once");
        return NULL;
    }
    if (spi_turn_enter(&self->turn, self->device->bus)) {
        Py_DECREF(future);
        Py_RETURN_NONE;
    }
    self->loop = Py_NewRef(loop);
    self->future = Py_NewRef(future);
    spi_turn_wait(&self->turn, self->device->bus);
    return future;
}

static PyObject *
SPIMessage_send(SPIMessageObject *self, PyObject *Py_UNUSED(ignored))
{
    if (self->turn.state != TURN_ON || self->sending) {
        PyErr_SetString(PyExc_RuntimeError, "it is not this message's turn");
        return NULL;
    }
    self->sending = true;
    self->turn.thread = PyThread_get_thread_ident();
    int status =
        ah_spi_send(self->device, &self->message, &self->stopped); /* runs Python */
    PyObject *answers = status < 0 ? NULL : message_answers(&self->message);
    spi_turn_leave(&self->turn); /* runs Python */
    self->sending = false;
    self->stopped = true;
    return answers;
}

static PyObject *
SPIMessage_leave(SPIMessageObject *self, PyObject *Py_UNUSED(ignored))
{
    self->stopped = true;
    if (!self->sending) {
        end_turn(self); /* runs Python */
    }
    Py_RETURN_NONE;
}

static PyMethodDef SPIMessage_methods[] = {
    {"enter", (PyCFunction)SPIMessage_enter, METH_O,
     PyDoc_STR("enter($self, loop, /)\n--\n\n"
               "None: it is this message's turn.  Else a future that is done when it\n"
               "is.")},
    {"send", (PyCFunction)SPIMessage_send, METH_NOARGS,
     PyDoc_STR("send($self, /)\n--\n\n"
               "Send it, once, in its turn; a list of bytes.")},
    {"leave", (PyCFunction)SPIMessage_leave, METH_NOARGS,
     PyDoc_STR("leave($self, /)\n--\n\n"
               "It is over, or stops where it can; idempotent.")},
    {NULL, NULL, 0, NULL},
};

static PyMemberDef SPIMessage_members[] = {
    {"is_long", T_BOOL, offsetof(SPIMessageObject, is_long), READONLY,
     PyDoc_STR("Would sending it hold up a loop?  By bits and clock rate, delays and\n"
               "changes of chip select.")},
    {NULL, 0, 0, 0, NULL},
};

static PyType_Slot SPIMessage_slots[] = {
    {Py_tp_doc, PyDoc_STR("One message on its way; made by SPIDevice.begin().")},
    {Py_tp_traverse, SPIMessage_traverse},
    {Py_tp_clear, SPIMessage_clear},
    {Py_tp_dealloc, SPIMessage_dealloc},
    {Py_tp_methods, SPIMessage_methods},
    {Py_tp_members, SPIMessage_members},
    {0, NULL},
};

PyType_Spec SPIMessage_spec = {
    .name = "pyasync_hw._core.SPIMessage",
    .basicsize = sizeof(SPIMessageObject),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC | Py_TPFLAGS_IMMUTABLETYPE |
             Py_TPFLAGS_DISALLOW_INSTANTIATION,
    .slots = SPIMessage_slots,
};
