/* _core.LineRequest: values and settings of a line request; see line_type.h. */
#include "hw/line_type.h"

#include <errno.h>
#include "hw/edge_queue_type.h"
#include "hw/edges_await.h"
#include "hw/edges_block.h"
#include "hw/edges_fail.h"
#include "hw/edges_read.h"
#include "hw/line_settings.h"
#include "py/errors.h"

static void
request_close(void *request)
{
    line_close(request);
}

static int
request_use_clock(void *request, struct vclock **clock)
{
    return line_use_clock(request, clock);
}

/* The threads that waited are not here any more. */
static void
request_in_child(PyObject *object)
{
    LineRequestObject *self = (LineRequestObject *)object;
    if (self->device.owner == NULL) {
        shared_lines_in_child(&self->device.st->shared_lines);
    }
    if (self->device.handle != NULL) {
        line_in_child(self->device.handle);
    }
    self->edges.blockers = NULL;
    ah_device_in_child(object);
}

static void
request_fail(DeviceObject *self)
{
    ah_edges_fail(&((LineRequestObject *)self)->edges); /* runs Python */
}

static void
request_free(DeviceObject *self)
{
    ah_edges_free(&((LineRequestObject *)self)->edges); /* runs Python */
}

static const struct device_kind line_kind = {
    .counter = AH_LIVE_LineRequest,
    .closed = "%s is closed",
    .unclosed = "unclosed line request: %s",
    .on_clock = "GPIO line",
    .inherited = "simulated line request",
    .remedy = "request the lines in the child",
    .close = request_close,
    .use_clock = request_use_clock,
    .in_child = request_in_child,
    .fail = request_fail,
    .free = request_free,
};

PyObject *
ah_line_request_new(ModuleState *st, struct line_request *request, PyObject *owner)
{
    LineRequestObject *self = (LineRequestObject *)ah_device_new(
        st, st->line_request_type, &line_kind, request, owner);
    if (self == NULL) {
        return NULL;
    }
    DeviceObject *device = &self->device;
    device->time = &request->time;
    device->keeps_gil = owner == NULL;
    char others[24] = "";
    if (request->num_lines > 1) {
        PyOS_snprintf(others, sizeof others, " and %u more",
                      (unsigned)request->num_lines - 1);
    }
    PyOS_snprintf(device->what, sizeof device->what, "line %u%s of %s",
                  (unsigned)request->offsets[0], others, request->name);
    ah_edges_init(&self->edges, device, request->num_lines);
    return (PyObject *)self;
}

static int
LineRequest_traverse(LineRequestObject *self, visitproc visit, void *arg)
{
    int visited = ah_device_traverse(&self->device, visit, arg);
    return visited != 0 ? visited : ah_edges_traverse(&self->edges, visit, arg);
}

static int
LineRequest_clear(LineRequestObject *self)
{
    ah_edges_clear(&self->edges); /* runs Python */
    return ah_device_clear(&self->device);
}

struct line_request *
ah_line_request_get(ModuleState *st, PyObject *obj)
{
    if (!Py_IS_TYPE(obj, st->line_request_type)) {
        PyErr_Format(PyExc_TypeError, "expected a LineRequest, not %.100s",
                     Py_TYPE(obj)->tp_name);
        return NULL;
    }
    return ah_device_check((DeviceObject *)obj);
}

struct line_request *
ah_line_request_take(ModuleState *st, PyObject *obj, PyObject **owner)
{
    struct line_request *request = ah_line_request_get(st, obj);
    if (request == NULL) {
        return NULL;
    }
    LineRequestObject *self = (LineRequestObject *)obj;
    if (self->device.busy > 0) {
        PyErr_Format(PyExc_RuntimeError, "%s is in use", self->device.what);
        return NULL;
    }
    *owner = self->device.owner;
    self->device.owner = NULL;
    self->device.handle = NULL;
    self->device.time = NULL;
    return request;
}

/* The errors of get() and set(), which name the line; -1. */
static int
raise_line_error(LineRequestObject *self, int err)
{
    if (err == -EPERM) {
        return ah_raise_errno_remedy(err, self->device.what, "an input cannot be set");
    }
    return ah_device_raise(&self->device, err);
}

static PyObject *
LineRequest_get(LineRequestObject *self, PyObject *args)
{
    unsigned long long mask = 0;
    uint64_t bits = 0;
    int err;
    if (!PyArg_ParseTuple(args, "|K:get", &mask)) {
        return NULL;
    }
    struct line_request *request = ah_device_begin(&self->device);
    if (request == NULL) {
        return NULL;
    }
    uint64_t wanted = mask != 0 ? mask : line_mask(request->num_lines);
    if ((wanted & ~line_mask(request->num_lines)) != 0) {
        PyErr_SetString(PyExc_ValueError, "mask has bits beyond the requested lines");
        ah_device_end(&self->device);
        return NULL;
    }
    self->device.st->uses.line_reads++;
    PyThreadState *thread = ah_device_let_gil_go(&self->device);
    err = line_get(request, wanted, &bits);
    ah_device_take_gil(thread);
    if (err < 0) {
        (void)raise_line_error(self, err);
    }
    ah_device_end(&self->device);
    return err < 0 ? NULL : PyLong_FromUnsignedLongLong(bits & wanted);
}

static PyObject *
LineRequest_set(LineRequestObject *self, PyObject *args)
{
    unsigned long long mask, bits;
    int err;
    if (!PyArg_ParseTuple(args, "KK:set", &mask, &bits)) {
        return NULL;
    }
    struct line_request *request = ah_device_begin(&self->device);
    if (request == NULL) {
        return NULL;
    }
    if (mask == 0 || (mask & ~line_mask(request->num_lines)) != 0) {
        PyErr_SetString(PyExc_ValueError,
                        "mask must name at least one, and only requested lines");
        ah_device_end(&self->device);
        return NULL;
    }
    self->device.st->uses.line_writes++;
    PyThreadState *thread = ah_device_let_gil_go(&self->device);
    err = line_set(request, mask, bits & mask);
    ah_device_take_gil(thread);
    line_settle(request); /* may give up the GIL */
    if (err < 0) {
        (void)raise_line_error(self, err);
    }
    ah_device_end(&self->device);
    if (err < 0) {
        return NULL;
    }
    Py_RETURN_NONE;
}

static PyObject *
LineRequest_config(LineRequestObject *self, PyObject *arg)
{
    struct line_settings settings[LINES_MAX];
    struct line_conflict conflict;
    bool differs = false;
    int err = -1;
    PyObject *items = PySequence_Tuple(arg); /* runs Python */
    if (items == NULL) {
        return NULL;
    }
    struct line_request *request = ah_device_begin(&self->device);
    if (request == NULL) {
        Py_DECREF(items);
        return NULL;
    }
    Py_ssize_t n = PyTuple_GET_SIZE(items);
    if (n != (Py_ssize_t)request->num_lines) {
        PyErr_Format(PyExc_ValueError,
                     "settings must be one LineSettings for each of the %u lines",
                     request->num_lines);
        goto done;
    }
    for (Py_ssize_t i = 0; i < n; i++) {
        if (ah_line_settings_parse(PyTuple_GET_ITEM(items, i), &settings[i]) < 0) {
            goto done;
        }
    }
    Py_BEGIN_ALLOW_THREADS
    err = line_config(request, settings);
    if (err == -EBUSY) {
        differs = line_find_conflict(request, settings, &conflict);
    }
    Py_END_ALLOW_THREADS
    line_settle(request); /* may give up the GIL */
    if (differs) {
        (void)ah_raise_line_conflict(request->name, request->offsets[0], &conflict);
    }
    else if (err < 0) {
        (void)raise_line_error(self, err);
    }
done:
    ah_device_end(&self->device);
    Py_DECREF(items);
    if (err < 0) {
        return NULL;
    }
    Py_RETURN_NONE;
}

static PyObject *
LineRequest_fileno(LineRequestObject *self, PyObject *Py_UNUSED(ignored))
{
    const struct line_request *request = ah_device_check(&self->device);
    if (request == NULL) {
        return NULL;
    }
    return PyLong_FromLong(request->fd);
}

static PyObject *
LineRequest_take(LineRequestObject *self, PyObject *args)
{
    return ah_edges_take(&self->edges, &self->edges.queue, args);
}

static PyObject *
LineRequest_next(LineRequestObject *self, PyObject *args)
{
    return ah_edges_next(&self->edges, &self->edges.queue, args);
}

static PyObject *
LineRequest_arm(LineRequestObject *self, PyObject *args)
{
    return ah_edges_arm(&self->edges, &self->edges.queue, args);
}

static PyObject *
LineRequest_collect(LineRequestObject *self, PyObject *future)
{
    return ah_edges_collect(&self->edges, &self->edges.queue, future);
}

static PyObject *
LineRequest_disarm(LineRequestObject *self, PyObject *future)
{
    return ah_edges_disarm(&self->edges, &self->edges.queue, future);
}

static PyObject *
LineRequest_wait_edge_blocking(LineRequestObject *self, PyObject *args,
                               PyObject *kwargs)
{
    return ah_edges_block(&self->edges, &self->edges.queue, args, kwargs);
}

static PyObject *
LineRequest_edge_queue(LineRequestObject *self, PyObject *args)
{
    return ah_edge_queue_new(&self->edges, args);
}

static PyObject *
LineRequest_clear_edges(LineRequestObject *self, PyObject *Py_UNUSED(ignored))
{
    return ah_edges_forget(&self->edges, &self->edges.queue);
}

static PyObject *
LineRequest_get_num_lines(LineRequestObject *self, void *Py_UNUSED(closure))
{
    const struct line_request *request = ah_device_check(&self->device);
    if (request == NULL) {
        return NULL;
    }
    return PyLong_FromUnsignedLong(request->num_lines);
}

static PyObject *
LineRequest_get_offsets(LineRequestObject *self, void *Py_UNUSED(closure))
{
    struct line_request *request = ah_device_begin(&self->device);
    if (request == NULL) {
        return NULL;
    }
    PyObject *offsets = PyTuple_New((Py_ssize_t)request->num_lines);
    for (unsigned i = 0; offsets != NULL && i < request->num_lines; i++) {
        PyObject *offset = PyLong_FromUnsignedLong(request->offsets[i]);
        if (offset == NULL) {
            Py_CLEAR(offsets);
        }
        else {
            PyTuple_SET_ITEM(offsets, i, offset);
        }
    }
    ah_device_end(&self->device);
    return offsets;
}

static PyObject *
LineRequest_get_chip_name(LineRequestObject *self, void *Py_UNUSED(closure))
{
    const struct line_request *request = ah_device_check(&self->device);
    if (request == NULL) {
        return NULL;
    }
    return PyUnicode_DecodeFSDefault(request->name);
}

static PyObject *
LineRequest_get_consumer(LineRequestObject *self, void *Py_UNUSED(closure))
{
    const struct line_request *request = ah_device_check(&self->device);
    if (request == NULL) {
        return NULL;
    }
    const char *consumer = request->consumer;
    return PyUnicode_DecodeUTF8(consumer, (Py_ssize_t)strlen(consumer), "replace");
}

static PyObject *
LineRequest_repr(LineRequestObject *self)
{
    if (ah_device_is_closed(&self->device)) {
        return PyUnicode_FromString("<LineRequest closed>");
    }
    const struct line_request *request = self->device.handle;
    return PyUnicode_FromFormat("<LineRequest of %u line(s) of %s, first %u>",
                                request->num_lines, request->name,
                                (unsigned)request->offsets[0]);
}

static PyMethodDef LineRequest_methods[] = {
    {"get", (PyCFunction)LineRequest_get, METH_VARARGS,
     PyDoc_STR("get($self, mask=0, /)\n--\n\n"
               "Logical values, bit i for line i of the request; mask 0: of all.")},
    {"set", (PyCFunction)LineRequest_set, METH_VARARGS,
     PyDoc_STR("set($self, mask, bits, /)\n--\n\n"
               "Set the logical values of the outputs in mask.")},
    {"config", (PyCFunction)LineRequest_config, METH_O,
     PyDoc_STR("config($self, settings, /)\n--\n\n"
               "New hardware.LineSettings, one for each line of the request.")},
    {"fileno", (PyCFunction)LineRequest_fileno, METH_NOARGS,
     PyDoc_STR("fileno($self, /)\n--\n\nDescriptor, readable when there are edges.")},
    {"use_loop", (PyCFunction)Device_use_loop, METH_O,
     PyDoc_STR("use_loop($self, loop, /)\n--\n\n"
               "Go on in that loop's time.  RuntimeError: a real line, and a virtual "
               "clock.")},
    {"take", (PyCFunction)LineRequest_take, METH_VARARGS,
     PyDoc_STR("take($self, edge='both', /)\n--\n\n"
               "The oldest untaken edge of that kind as an EdgeEvent, or None.")},
    {"next", (PyCFunction)LineRequest_next, METH_VARARGS,
     PyDoc_STR("next($self, loop, edge, /)\n--\n\n"
               "The oldest edge of that kind; or where there is none arm()'s future.")},
    {"arm", (PyCFunction)LineRequest_arm, METH_VARARGS,
     PyDoc_STR("arm($self, loop, edge='both', /)\n--\n\n"
               "A future of `loop` that is done when an edge is kept for it.  Edges\n"
               "are given to futures first in, first out.")},
    {"collect", (PyCFunction)LineRequest_collect, METH_O,
     PyDoc_STR("collect($self, future, /)\n--\n\n"
               "The edge that is kept for `future`, which is not waited for any more;\n"
               "None when there is none.")},
    {"disarm", (PyCFunction)LineRequest_disarm, METH_O,
     PyDoc_STR("disarm($self, future, /)\n--\n\n"
               "The wait for `future` was given up: an edge that was kept for it goes\n"
               "on to the next.  Idempotent.")},
    {"clear", (PyCFunction)LineRequest_clear_edges, METH_NOARGS,
     PyDoc_STR("clear($self, /)\n--\n\nForget all untaken edges.")},
    {"edge_queue", (PyCFunction)LineRequest_edge_queue, METH_VARARGS,
     PyDoc_STR("edge_queue($self, capacity, /)\n--\n\n"
               "A new EdgeQueue, which sees every edge from now on.")},
    {"wait_edge_blocking", (PyCFunction)(void (*)(void))LineRequest_wait_edge_blocking,
     METH_VARARGS | METH_KEYWORDS,
     PyDoc_STR("wait_edge_blocking($self, edge='both', timeout=None, token=None,\n"
               "                   take=True)\n--\n\n"
               "Block this thread, without the GIL, until there is an edge.  "
               "TimeoutError\nafter `timeout` seconds; "
               "concurrent.futures.CancelledError when the CancelToken\n"
               "is cancelled; OSError(EBADF) when the request is closed meanwhile.  "
               "take=False:\n"
               "it stays where it is, and the result is None.")},
    {"close", (PyCFunction)Device_close, METH_NOARGS,
     PyDoc_STR("close($self, /)\n--\n\n"
               "Give the lines back; idempotent.  Whoever waits gets OSError(EBADF).")},
    {NULL, NULL, 0, NULL},
};

static PyGetSetDef LineRequest_getset[] = {
    {"closed", (getter)Device_get_closed, NULL, PyDoc_STR("True after close()."), NULL},
    {"num_lines", (getter)LineRequest_get_num_lines, NULL,
     PyDoc_STR("How many lines were requested."), NULL},
    {"offsets", (getter)LineRequest_get_offsets, NULL,
     PyDoc_STR("Their offsets on the chip."), NULL},
    {"consumer", (getter)LineRequest_get_consumer, NULL,
     PyDoc_STR("Who requested them."), NULL},
    {"chip_name", (getter)LineRequest_get_chip_name, NULL,
     PyDoc_STR("Name of the chip."), NULL},
    {NULL, NULL, NULL, NULL, NULL},
};

static PyMemberDef LineRequest_members[] = {
    AH_DEVICE_WEAKREFS,
    {NULL, 0, 0, 0, NULL},
};

static PyType_Slot LineRequest_slots[] = {
    {Py_tp_doc, PyDoc_STR("Requested GPIO lines; made by a backend (see "
                          "pyasync_hw.hardware).")},
    {Py_tp_traverse, LineRequest_traverse},
    {Py_tp_clear, LineRequest_clear},
    {Py_tp_finalize, ah_device_finalize},
    {Py_tp_dealloc, ah_device_dealloc},
    {Py_tp_repr, LineRequest_repr},
    {Py_tp_methods, LineRequest_methods},
    {Py_tp_getset, LineRequest_getset},
    {Py_tp_members, LineRequest_members},
    {0, NULL},
};

PyType_Spec LineRequest_spec = {
    .name = "pyasync_hw._core.LineRequest",
    .basicsize = sizeof(LineRequestObject),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC | Py_TPFLAGS_IMMUTABLETYPE |
             Py_TPFLAGS_DISALLOW_INSTANTIATION,
    .slots = LineRequest_slots,
};
