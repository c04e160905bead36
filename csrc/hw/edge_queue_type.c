/* _core.EdgeQueue; see edge_queue_type.h. */
#include "hw/edge_queue_type.h"

#include "hw/edges_await.h"
#include "hw/edges_block.h"
#include "hw/edges_read.h"
#include "hw/loop_future.h"
#include "py/exceptions.h"

#define CAPACITY_MAX 65536

typedef struct {
    PyObject_HEAD
    ModuleState *st;
    struct line_edges *edges; /* of a request that is owned here; NULL: closed */
    char what[sizeof((DeviceObject *)0)->what]; /* its, also when closed */
    struct edge_queue queue;
} EdgeQueueObject;

PyObject *
ah_edge_queue_new(struct line_edges *edges, PyObject *args)
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
    if (ah_edges_read_all(edges) < 0) { /* runs Python: these came before */
        return NULL;
    }
    DeviceObject *line = edges->line;
    PyTypeObject *type = line->st->edge_queue_type;
    EdgeQueueObject *self = (EdgeQueueObject *)type->tp_alloc(type, 0);
    if (self == NULL) {
        return NULL;
    }
    line->st->live[AH_LIVE_EdgeQueue]++;
    self->st = line->st;
    Py_INCREF(line);
    self->edges = edges;
    memcpy(self->what, line->what, sizeof self->what);
    ah_edges_attach(edges, &self->queue, (PyObject *)self, (unsigned)capacity);
    return (PyObject *)self;
}

static int
EdgeQueue_traverse(EdgeQueueObject *self, visitproc visit, void *arg)
{
    Py_VISIT(Py_TYPE(self));
    if (self->edges != NULL) {
        Py_VISIT(self->edges->line);
    }
    return edge_queue_traverse(&self->queue, visit, arg);
}

/* Whoever still waits is dropped. */
static void
leave(EdgeQueueObject *self, struct line_edges *edges)
{
    Py_INCREF(self); /* the request may hold the last reference */
    edge_queue_drop_waiters(&self->queue);
    ah_edges_release_idle(edges); /* runs Python */
    ah_edges_detach(edges, &self->queue);
    ah_edges_wake_blockers(edges); /* one of them may wait for ours */
    Py_DECREF(edges->line);
    Py_DECREF(self);
}

static int
EdgeQueue_clear(EdgeQueueObject *self)
{
    struct line_edges *edges = self->edges;
    if (edges != NULL) {
        self->edges = NULL;
        leave(self, edges); /* runs Python */
    }
    return 0;
}

static void
EdgeQueue_dealloc(EdgeQueueObject *self)
{
    PyTypeObject *type = Py_TYPE(self);
    PyObject_GC_UnTrack(self);
    struct line_edges *edges = self->edges;
    if (edges != NULL) { /* nobody waits: a waited-on queue is held */
        self->edges = NULL;
        ah_edges_detach(edges, &self->queue);
        Py_DECREF(edges->line);
    }
    edge_queue_free(&self->queue);
    self->st->live[AH_LIVE_EdgeQueue]--;
    type->tp_free((PyObject *)self);
    Py_DECREF(type);
}

static int
check_open(const EdgeQueueObject *self)
{
    if (self->edges == NULL) {
        PyErr_Format(PyExc_ValueError, "edge queue of %s is closed", self->what);
        return -1;
    }
    return 0;
}

/* With a reference to the line: meanwhile another thread may close this queue. */
static PyObject *
call(EdgeQueueObject *self,
     PyObject *(*method)(struct line_edges *edges, struct edge_queue *queue,
                         PyObject *arg),
     PyObject *arg)
{
    if (check_open(self) < 0) {
        return NULL;
    }
    struct line_edges *edges = self->edges;
    Py_INCREF(edges->line);
    PyObject *result = method(edges, &self->queue, arg); /* runs Python */
    Py_DECREF(edges->line);
    return result;
}

static PyObject *
EdgeQueue_take(EdgeQueueObject *self, PyObject *args)
{
    return call(self, ah_edges_take, args);
}

static PyObject *
EdgeQueue_next(EdgeQueueObject *self, PyObject *args)
{
    return call(self, ah_edges_next, args);
}

static PyObject *
EdgeQueue_arm(EdgeQueueObject *self, PyObject *args)
{
    return call(self, ah_edges_arm, args);
}

static PyObject *
EdgeQueue_collect(EdgeQueueObject *self, PyObject *future)
{
    return call(self, ah_edges_collect, future);
}

static PyObject *
EdgeQueue_disarm(EdgeQueueObject *self, PyObject *future)
{
    return self->edges != NULL ? call(self, ah_edges_disarm, future)
                               : Py_NewRef(Py_None);
}

static PyObject *
EdgeQueue_wait_edge_blocking(EdgeQueueObject *self, PyObject *args, PyObject *kwargs)
{
    if (check_open(self) < 0) {
        return NULL;
    }
    struct line_edges *edges = self->edges;
    Py_INCREF(edges->line);
    PyObject *event = ah_edges_block(edges, &self->queue, args, kwargs);
    Py_DECREF(edges->line);
    return event;
}

static PyObject *
EdgeQueue_close(EdgeQueueObject *self, PyObject *Py_UNUSED(ignored))
{
    struct line_edges *edges = self->edges;
    if (edges == NULL) {
        Py_RETURN_NONE;
    }
    self->edges = NULL;     /* whom we wake cannot wait again */
    PyObject *error = NULL; /* the first one: the others are woken all the same */
    PyObject *loop = Py_XNewRef(edges->wait.loop);
    struct edge_waiter *waiter = edge_queue_take_waiting(&self->queue);
    while (waiter != NULL) {
        struct edge_waiter *next = waiter->next;
        if (hw_future_tell_if_open(self->st, loop, waiter->future) < 0) {
            ah_keep_exception(&error, (PyObject *)self); /* runs Python */
        }
        edge_waiter_free(waiter); /* runs Python */
        waiter = next;
    }
    hw_loop_wake(self->st, loop); /* runs Python */
    Py_XDECREF(loop);             /* runs Python */
    leave(self, edges);           /* runs Python */
    if (error != NULL) {
        ah_restore_exception(error);
        return NULL;
    }
    Py_RETURN_NONE;
}

static PyObject *
EdgeQueue_get_closed(EdgeQueueObject *self, void *Py_UNUSED(closure))
{
    return PyBool_FromLong(self->edges == NULL);
}

static PyMethodDef EdgeQueue_methods[] = {
    {"take", (PyCFunction)EdgeQueue_take, METH_VARARGS,
     PyDoc_STR("take($self, edge='both', /)\n--\n\nSee LineRequest.take().")},
    {"next", (PyCFunction)EdgeQueue_next, METH_VARARGS,
     PyDoc_STR("next($self, loop, edge, /)\n--\n\nSee LineRequest.next().")},
    {"arm", (PyCFunction)EdgeQueue_arm, METH_VARARGS,
     PyDoc_STR("arm($self, loop, edge='both', /)\n--\n\nSee LineRequest.arm().")},
    {"collect", (PyCFunction)EdgeQueue_collect, METH_O,
     PyDoc_STR("collect($self, future, /)\n--\n\nSee LineRequest.collect().")},
    {"disarm", (PyCFunction)EdgeQueue_disarm, METH_O,
     PyDoc_STR("disarm($self, future, /)\n--\n\nSee LineRequest.disarm().")},
    {"wait_edge_blocking", (PyCFunction)(void (*)(void))EdgeQueue_wait_edge_blocking,
     METH_VARARGS | METH_KEYWORDS,
     PyDoc_STR(
         "wait_edge_blocking($self, edge='both', timeout=None, token=None,\n"
         "                   take=True)\n--\n\n"
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

PyType_Spec EdgeQueue_spec = {
    .name = "pyasync_hw._core.EdgeQueue",
    .basicsize = sizeof(EdgeQueueObject),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC | Py_TPFLAGS_IMMUTABLETYPE |
             Py_TPFLAGS_DISALLOW_INSTANTIATION,
    .slots = EdgeQueue_slots,
};
