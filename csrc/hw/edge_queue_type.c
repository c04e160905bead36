/* _core.EdgeQueue, the queue of one iterator over edges, and _core.EdgeEvent.
 *
 * An EdgeQueue has a ring of its own on somebody else's line request: it sees
 * every edge from its creation on, and is detached when it is closed or dropped.
 */
#include "hw/gpio_event.h"
#include "hw/tell.h"
#include "py/compat.h"
#include "py/lookup.h"
#include "setup.h"

#define CAPACITY_MAX 65536

typedef struct {
    PyObject_HEAD
    ModuleState *st;
    LineRequestObject *request; /* owned, NULL: closed */
    char what[64];              /* the request's, also when closed */
    struct edge_queue queue;
} EdgeQueueObject;

PyObject *
ah_edge_event_new(ModuleState *st, const struct edge_record *record)
{
    PyObject *event = PyStructSequence_New(st->edge_event_type);
    if (event == NULL) {
        return NULL;
    }
    const struct line_event *e = &record->event;
    PyObject *fields[] = {
        PyUnicode_InternFromString(e->id == LINE_RISING_EDGE ? "rising" : "falling"),
        PyLong_FromLongLong(e->timestamp_ns),
        PyLong_FromUnsignedLong(e->offset),
        PyLong_FromUnsignedLong(e->seqno),
        PyLong_FromUnsignedLong(e->line_seqno),
        PyLong_FromUnsignedLong(record->dropped),
    };
    bool complete = true;
    for (int i = 0; i < 6; i++) {
        complete = complete && fields[i] != NULL;
        PyStructSequence_SetItem(event, i, fields[i]);
    }
    if (!complete) {
        Py_CLEAR(event);
    }
    return event;
}

PyObject *
ah_edge_queue_new(LineRequestObject *request, PyObject *args)
{
    Py_ssize_t capacity;
    if (!PyArg_ParseTuple(args, "n:edge_queue", &capacity)) {
        return NULL;
    }
    if (capacity < 1 || capacity > CAPACITY_MAX) {
        PyErr_Format(PyExc_ValueError, "capacity must be 1 to %d edges, not %zd",
                     CAPACITY_MAX, capacity);
        return NULL;
    }
    if (ah_edges_read_all(request) < 0) { /* runs Python: these came before */
        return NULL;
    }
    ModuleState *st = request->st;
    PyTypeObject *type = st->edge_queue_type;
    EdgeQueueObject *self = (EdgeQueueObject *)type->tp_alloc(type, 0);
    if (self == NULL) {
        return NULL;
    }
    st->live[AH_LIVE_EdgeQueue]++;
    self->st = st;
    self->request = (LineRequestObject *)Py_NewRef(request);
    memcpy(self->what, request->what, sizeof self->what);
    ah_edges_attach(request, &self->queue, (PyObject *)self, (unsigned)capacity);
    return (PyObject *)self;
}

static int
EdgeQueue_traverse(EdgeQueueObject *self, visitproc visit, void *arg)
{
    Py_VISIT(Py_TYPE(self));
    Py_VISIT(self->request);
    return edge_queue_traverse(&self->queue, visit, arg);
}

/* Whoever still waits is dropped. */
static void
leave(EdgeQueueObject *self, LineRequestObject *request)
{
    Py_INCREF(self); /* the request may hold the last reference */
    edge_queue_drop_waiters(&self->queue);
    ah_edges_release_idle(request); /* runs Python */
    ah_edges_detach(request, &self->queue);
    ah_edges_wake_blockers(request); /* one of them may wait for ours */
    Py_DECREF(request);
    Py_DECREF(self);
}

static int
EdgeQueue_clear(EdgeQueueObject *self)
{
    LineRequestObject *request = self->request;
    if (request != NULL) {
        self->request = NULL;
        leave(self, request); /* runs Python */
    }
    return 0;
}

static void
EdgeQueue_dealloc(EdgeQueueObject *self)
{
    PyTypeObject *type = Py_TYPE(self);
    PyObject_GC_UnTrack(self);
    LineRequestObject *request = self->request;
    if (request != NULL) { /* nobody waits: a waited-on queue is held */
        self->request = NULL;
        ah_edges_detach(request, &self->queue);
        Py_DECREF(request);
    }
    edge_queue_free(&self->queue);
    self->st->live[AH_LIVE_EdgeQueue]--;
    type->tp_free((PyObject *)self);
    Py_DECREF(type);
}

static int
queue_check_open(EdgeQueueObject *self)
{
    if (self->request == NULL) {
        PyErr_Format(PyExc_ValueError, "edge queue of %s is closed", self->what);
        return -1;
    }
    return 0;
}

static PyObject *
EdgeQueue_take(EdgeQueueObject *self, PyObject *args)
{
    if (queue_check_open(self) < 0) {
        return NULL;
    }
    /* Meanwhile another thread may close this queue. */
    LineRequestObject *request = (LineRequestObject *)Py_NewRef(self->request);
    PyObject *event = ah_edges_take(request, &self->queue, args);
    Py_DECREF(request);
    return event;
}

static PyObject *
EdgeQueue_arm(EdgeQueueObject *self, PyObject *args)
{
    if (queue_check_open(self) < 0) {
        return NULL;
    }
    LineRequestObject *request = (LineRequestObject *)Py_NewRef(self->request);
    PyObject *future = ah_edges_arm(request, &self->queue, args);
    Py_DECREF(request);
    return future;
}

static PyObject *
EdgeQueue_collect(EdgeQueueObject *self, PyObject *future)
{
    if (queue_check_open(self) < 0) {
        return NULL;
    }
    LineRequestObject *request = (LineRequestObject *)Py_NewRef(self->request);
    PyObject *event = ah_edges_collect(request, &self->queue, future);
    Py_DECREF(request);
    return event;
}

static PyObject *
EdgeQueue_disarm(EdgeQueueObject *self, PyObject *future)
{
    if (self->request == NULL) {
        Py_RETURN_NONE;
    }
    LineRequestObject *request = (LineRequestObject *)Py_NewRef(self->request);
    PyObject *result = ah_edges_disarm(request, &self->queue, future);
    Py_DECREF(request);
    return result;
}

static PyObject *
EdgeQueue_wait_edge_blocking(EdgeQueueObject *self, PyObject *args, PyObject *kwargs)
{
    if (queue_check_open(self) < 0) {
        return NULL;
    }
    LineRequestObject *request = (LineRequestObject *)Py_NewRef(self->request);
    PyObject *event = ah_edges_block(request, &self->queue, args, kwargs);
    Py_DECREF(request);
    return event;
}

static PyObject *
EdgeQueue_close(EdgeQueueObject *self, PyObject *Py_UNUSED(ignored))
{
    LineRequestObject *request = self->request;
    if (request == NULL) {
        Py_RETURN_NONE;
    }
    self->request = NULL;   /* whom we wake cannot wait again */
    PyObject *error = NULL; /* the first one: the others are woken all the same */
    PyObject *loop = Py_XNewRef(request->wait.loop);
    struct edge_waiter *waiter = edge_queue_take_waiting(&self->queue);
    while (waiter != NULL) {
        struct edge_waiter *next = waiter->next;
        if (hw_future_tell(self->st, loop, waiter->future, NULL) < 0) {
            ah_keep_exception(&error, (PyObject *)self); /* runs Python */
        }
        edge_waiter_free(waiter); /* runs Python */
        waiter = next;
    }
    hw_loop_wake(self->st, loop); /* runs Python */
    Py_XDECREF(loop);             /* runs Python */
    leave(self, request);         /* runs Python */
    if (error != NULL) {
        ah_restore_exception(error);
        return NULL;
    }
    Py_RETURN_NONE;
}

static PyObject *
EdgeQueue_get_closed(EdgeQueueObject *self, void *Py_UNUSED(closure))
{
    return PyBool_FromLong(self->request == NULL);
}

static PyMethodDef EdgeQueue_methods[] = {
    {"take", (PyCFunction)EdgeQueue_take, METH_VARARGS,
     PyDoc_STR("take($self, edge='both', /)\n--\n\nSee LineRequest.take().")},
    {"arm", (PyCFunction)EdgeQueue_arm, METH_VARARGS,
     PyDoc_STR("arm($self, loop, edge='both', /)\n--\n\nSee LineRequest.arm().")},
    {"collect", (PyCFunction)EdgeQueue_collect, METH_O,
     PyDoc_STR("collect($self, future, /)\n--\n\nSee LineRequest.collect().")},
    {"disarm", (PyCFunction)EdgeQueue_disarm, METH_O,
     PyDoc_STR("disarm($self, future, /)\n--\n\nSee LineRequest.disarm().")},
    {"wait_edge_blocking", (PyCFunction)(void (*)(void))EdgeQueue_wait_edge_blocking,
     METH_VARARGS | METH_KEYWORDS,
     PyDoc_STR(
         "wait_edge_blocking($self, edge='both', timeout=None, token=None)\n--\n\n"
         "See LineRequest.wait_edge_blocking().  ValueError when the queue is closed\n"
         "meanwhile.")},
    {"close", (PyCFunction)EdgeQueue_close, METH_NOARGS,
     PyDoc_STR("close($self, /)\n--\n\n"
               "See no more edges; wakes whoever waits.  Idempotent.")},
    {NULL, NULL, 0, NULL},
};

static PyGetSetDef EdgeQueue_getset[] = {
    {"closed", (getter)EdgeQueue_get_closed, NULL, PyDoc_STR("True after close()."),
     NULL},
    {NULL, NULL, NULL, NULL, NULL},
};

static PyType_Slot EdgeQueue_slots[] = {
    {Py_tp_doc, PyDoc_STR("Untaken edges of one iterator; made by "
                          "LineRequest.edge_queue().")},
    {Py_tp_traverse, EdgeQueue_traverse},
    {Py_tp_clear, EdgeQueue_clear},
    {Py_tp_dealloc, EdgeQueue_dealloc},
    {Py_tp_methods, EdgeQueue_methods},
    {Py_tp_getset, EdgeQueue_getset},
    {0, NULL},
};

static PyType_Spec EdgeQueue_spec = {
    .name = "pyasync_hw._core.EdgeQueue",
    .basicsize = sizeof(EdgeQueueObject),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC | Py_TPFLAGS_IMMUTABLETYPE |
             Py_TPFLAGS_DISALLOW_INSTANTIATION,
    .slots = EdgeQueue_slots,
};

static PyTypeObject *
edge_event_type_new(void)
{
    PyStructSequence_Field fields[] = {
        {"event_type", "\"rising\" or \"falling\""},
        {"timestamp_ns", "when, in ns of the line's clock (by default the loop's)"},
        {"line_offset", "the line's offset on its chip"},
        {"global_seqno", "number of the edge over all lines of the request, from 1"},
        {"line_seqno", "number of the edge on its line, from 1"},
        {"dropped", "edges lost right before this one, in the kernel or in our queue"},
        {NULL, NULL},
    };
    PyStructSequence_Desc desc = {
        .name = "pyasync_hw.gpio.EdgeEvent",
        .doc = "One edge (struct gpio_v2_line_event of linux/gpio.h).",
        .fields = fields,
        .n_in_sequence = 6,
    };
    return PyStructSequence_NewType(&desc);
}

int
ah_edge_queue_type_setup(PyObject *module)
{
    ModuleState *st = ah_state(module);
    if (ah_intern(&st->name_create_future, "create_future") < 0 ||
        ah_intern(&st->name_done, "done") < 0 ||
        ah_intern(&st->name_set_result, "set_result") < 0) {
        return -1;
    }
    st->edge_event_type = edge_event_type_new();
    if (st->edge_event_type == NULL ||
        PyModule_AddObjectRef(module, "EdgeEvent", (PyObject *)st->edge_event_type) <
            0) {
        return -1;
    }
    st->edge_queue_type =
        (PyTypeObject *)PyType_FromModuleAndSpec(module, &EdgeQueue_spec, NULL);
    if (st->edge_queue_type == NULL) {
        return -1;
    }
    return PyModule_AddType(module, st->edge_queue_type);
}
