/* _core.LineRequest: values, settings and life of a line request; see gpio_type.h.
 *
 * While an op runs without the GIL, `busy` keeps the request open: close() from
 * another thread wakes whoever waits, and the last busy call does the rest.
 */
#include "hw/gpio_type.h"

#include <errno.h>
#include <stdbool.h>
#include <unistd.h>

#include "hw/gpio_event.h"
#include "py/errors.h"
#include "py/exceptions.h"
#include "setup.h"

static int
raise_closed(LineRequestObject *self)
{
    if (ah_is_inherited(&self->fork)) {
        return ah_raise_inherited(&self->fork, "simulated line request",
                                  "request the lines in the child");
    }
    PyErr_Format(PyExc_ValueError, "%s is closed", self->what);
    return -1;
}

static bool
is_closed(const LineRequestObject *self)
{
    return self->request == NULL || self->closing;
}

static void
request_really_close(LineRequestObject *self)
{
    struct line_request *request = self->request;
    struct vclock *told = request->time.told;
    self->request = NULL;
    if (self->owner != NULL) {
        Py_BEGIN_ALLOW_THREADS
        line_close(request);
        Py_END_ALLOW_THREADS
    }
    else {
        line_close(request);
    }
    ah_drop_clock(told);
    Py_CLEAR(self->owner);
}

static void
request_close(LineRequestObject *self)
{
    if (is_closed(self)) {
        return;
    }
    self->closing = 1;
    self->busy++;
    ah_edges_fail(self); /* runs Python */
    ah_line_end(self);
}

int
ah_line_begin(LineRequestObject *self)
{
    if (is_closed(self)) {
        return raise_closed(self);
    }
    self->busy++;
    return 0;
}

void
ah_line_end(LineRequestObject *self)
{
    if (--self->busy == 0 && self->closing) {
        self->closing = 0;
        request_really_close(self);
    }
}

int
ah_raise_line_conflict(const char *line, const struct line_conflict *conflict)
{
    char remedy[256];
    const struct line_difference *difference = &conflict->difference;
    PyOS_snprintf(remedy, sizeof remedy,
                  "\"%s\" of this program has it with %s %s, and \"%s\" wants %s; "
                  "give both the same %s, or close the first one before",
                  conflict->consumer, difference->setting, difference->have,
                  conflict->wanted_by, difference->want, difference->setting);
    return ah_raise_errno_remedy(EBUSY, line, remedy);
}

static LineRequestObject *
line_checked(ModuleState *st, PyObject *obj)
{
    if (!Py_IS_TYPE(obj, st->line_request_type)) {
        PyErr_Format(PyExc_TypeError, "expected a LineRequest, not %.100s",
                     Py_TYPE(obj)->tp_name);
        return NULL;
    }
    LineRequestObject *self = (LineRequestObject *)obj;
    if (is_closed(self)) {
        (void)raise_closed(self);
        return NULL;
    }
    return self;
}

/* The world is not here any more, nor the threads that waited. */
static void
line_request_in_child(PyObject *object)
{
    LineRequestObject *self = (LineRequestObject *)object;
    if (self->owner == NULL) { /* a real line, which the child may use */
        self->fork.made_in = 0;
        shared_lines_in_child(&self->st->shared_lines);
        return;
    }
    if (self->request != NULL) {
        line_in_child(self->request);
        self->inherited = self->request->time.told;
    }
    self->request = NULL;
    self->closing = 0;
    self->blockers = NULL;
}

PyObject *
ah_line_request_new(ModuleState *st, struct line_request *request, PyObject *owner)
{
    PyTypeObject *type = st->line_request_type;
    LineRequestObject *self = (LineRequestObject *)type->tp_alloc(type, 0);
    if (self == NULL) {
        line_close(request);
        return NULL;
    }
    st->live[AH_LIVE_LineRequest]++;
    self->st = st;
    self->request = request;
    PyOS_snprintf(self->what, sizeof self->what, "line %u of %s",
                  (unsigned)request->offsets[0], request->name);
    self->owner = Py_XNewRef(owner);
    ah_fork_watch(st, &self->fork, (PyObject *)self, line_request_in_child);
    ah_edges_init(self);
    return (PyObject *)self;
}

static int
LineRequest_traverse(LineRequestObject *self, visitproc visit, void *arg)
{
    Py_VISIT(Py_TYPE(self));
    Py_VISIT(self->owner);
    return ah_edges_traverse(self, visit, arg);
}

/* What `request` needs to close is dropped with it, in dealloc. */
static int
LineRequest_clear(LineRequestObject *self)
{
    ah_edges_drop(self); /* runs Python */
    if (self->request == NULL) {
        Py_CLEAR(self->owner);
    }
    return 0;
}

/* Not closed here: a __del__ of the same garbage, called later, may use it. */
static void
LineRequest_finalize(LineRequestObject *self)
{
    if (self->request == NULL) {
        return;
    }
    PyObject *exc = ah_take_exception();
    if (PyErr_ResourceWarning(
            (PyObject *)self, 1, "unclosed line request: line %u of %s",
            (unsigned)self->request->offsets[0], self->request->name) < 0 &&
        PyErr_ExceptionMatches(PyExc_Warning)) {
        PyErr_WriteUnraisable((PyObject *)self);
    }
    ah_edges_fail(self); /* runs Python */
    ah_restore_exception(exc);
}

static void
LineRequest_dealloc(LineRequestObject *self)
{
    PyTypeObject *type = Py_TYPE(self);
    if (PyObject_CallFinalizerFromDealloc((PyObject *)self) < 0) {
        return;
    }
    PyObject_GC_UnTrack(self);
    if (self->weakrefs != NULL) {
        PyObject_ClearWeakRefs((PyObject *)self);
    }
    ah_fork_unwatch(&self->fork);
    ah_edges_free(self);
    if (self->request != NULL) {
        request_really_close(self);
    }
    self->st->live[AH_LIVE_LineRequest]--;
    Py_CLEAR(self->owner);
    ah_drop_clock(self->inherited);
    type->tp_free((PyObject *)self);
    Py_DECREF(type);
}

struct line_request *
ah_line_request_get(ModuleState *st, PyObject *obj)
{
    LineRequestObject *self = line_checked(st, obj);
    return self == NULL ? NULL : self->request;
}

static int
use_clock(void *request, struct vclock **clock)
{
    return line_use_clock(request, clock);
}

int
ah_line_request_use_loop(ModuleState *st, PyObject *obj, PyObject *loop)
{
    LineRequestObject *self = line_checked(st, obj);
    if (self == NULL) {
        return -1;
    }
    struct line_request *request = self->request;
    self->busy++;
    int status = hw_use_clock(hw_loop_vclock(st, loop), use_clock, request,
                              &request->time, "GPIO line");
    ah_line_end(self);
    return status;
}

/* The errors of get() and set(), which name the line; -1. */
static int
raise_line_error(LineRequestObject *self, int err)
{
    if (err == -EPERM) {
        return ah_raise_errno_remedy(err, self->what, "an input cannot be set");
    }
    return ah_raise_errno(err, self->what);
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
    if (ah_line_begin(self) < 0) {
        return NULL;
    }
    struct line_request *request = self->request;
    uint64_t wanted = mask != 0 ? mask : line_mask(request->num_lines);
    if ((wanted & ~line_mask(request->num_lines)) != 0) {
        PyErr_SetString(PyExc_ValueError, "mask has bits beyond the requested lines");
        ah_line_end(self);
        return NULL;
    }
    if (self->owner != NULL) {
        Py_BEGIN_ALLOW_THREADS
        err = line_get(request, wanted, &bits);
        Py_END_ALLOW_THREADS
    }
    else {
        err = line_get(request, wanted, &bits);
    }
    if (err < 0) {
        (void)raise_line_error(self, err);
    }
    ah_line_end(self);
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
    if (ah_line_begin(self) < 0) {
        return NULL;
    }
    struct line_request *request = self->request;
    if (mask == 0 || (mask & ~line_mask(request->num_lines)) != 0) {
        PyErr_SetString(PyExc_ValueError,
                        "mask must name at least one, and only requested lines");
        ah_line_end(self);
        return NULL;
    }
    if (self->owner != NULL) {
        Py_BEGIN_ALLOW_THREADS
        err = line_set(request, mask, bits & mask);
        Py_END_ALLOW_THREADS
    }
    else {
        err = line_set(request, mask, bits & mask);
    }
    if (err < 0) {
        (void)raise_line_error(self, err);
    }
    ah_line_end(self);
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
    if (ah_line_begin(self) < 0) {
        Py_DECREF(items);
        return NULL;
    }
    struct line_request *request = self->request;
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
    if (differs) {
        char what[64];
        PyOS_snprintf(what, sizeof what, "line %u of %s", (unsigned)request->offsets[0],
                      request->name);
        (void)ah_raise_line_conflict(what, &conflict);
    }
    else if (err < 0) {
        (void)raise_line_error(self, err);
    }
done:
    ah_line_end(self);
    Py_DECREF(items);
    if (err < 0) {
        return NULL;
    }
    Py_RETURN_NONE;
}

static PyObject *
LineRequest_fileno(LineRequestObject *self, PyObject *Py_UNUSED(ignored))
{
    if (is_closed(self)) {
        (void)raise_closed(self);
        return NULL;
    }
    return PyLong_FromLong(self->request->fd);
}

static PyObject *
LineRequest_take(LineRequestObject *self, PyObject *args)
{
    return ah_edges_take(self, &self->queue, args);
}

static PyObject *
LineRequest_arm(LineRequestObject *self, PyObject *args)
{
    return ah_edges_arm(self, &self->queue, args);
}

static PyObject *
LineRequest_collect(LineRequestObject *self, PyObject *future)
{
    return ah_edges_collect(self, &self->queue, future);
}

static PyObject *
LineRequest_disarm(LineRequestObject *self, PyObject *future)
{
    return ah_edges_disarm(self, &self->queue, future);
}

static PyObject *
LineRequest_wait_edge_blocking(LineRequestObject *self, PyObject *args,
                               PyObject *kwargs)
{
    return ah_edges_block(self, &self->queue, args, kwargs);
}

static PyObject *
LineRequest_clear_edges(LineRequestObject *self, PyObject *Py_UNUSED(ignored))
{
    return ah_edges_clear(self, &self->queue);
}

static PyObject *
LineRequest_use_loop(LineRequestObject *self, PyObject *loop)
{
    if (ah_line_request_use_loop(self->st, (PyObject *)self, loop) < 0) {
        return NULL;
    }
    Py_RETURN_NONE;
}

static PyObject *
LineRequest_close(LineRequestObject *self, PyObject *Py_UNUSED(ignored))
{
    request_close(self);
    Py_RETURN_NONE;
}

static PyObject *
LineRequest_get_closed(LineRequestObject *self, void *Py_UNUSED(closure))
{
    return PyBool_FromLong(is_closed(self));
}

static PyObject *
LineRequest_get_num_lines(LineRequestObject *self, void *Py_UNUSED(closure))
{
    if (is_closed(self)) {
        (void)raise_closed(self);
        return NULL;
    }
    return PyLong_FromUnsignedLong(self->request->num_lines);
}

static PyObject *
LineRequest_get_offsets(LineRequestObject *self, void *Py_UNUSED(closure))
{
    if (ah_line_begin(self) < 0) {
        return NULL;
    }
    PyObject *offsets = PyTuple_New((Py_ssize_t)self->request->num_lines);
    for (unsigned i = 0; offsets != NULL && i < self->request->num_lines; i++) {
        PyObject *offset = PyLong_FromUnsignedLong(self->request->offsets[i]);
        if (offset == NULL) {
            Py_CLEAR(offsets);
        }
        else {
            PyTuple_SET_ITEM(offsets, i, offset);
        }
    }
    ah_line_end(self);
    return offsets;
}

static PyObject *
LineRequest_get_chip_name(LineRequestObject *self, void *Py_UNUSED(closure))
{
    if (is_closed(self)) {
        (void)raise_closed(self);
        return NULL;
    }
    return PyUnicode_DecodeFSDefault(self->request->name);
}

static PyObject *
LineRequest_get_consumer(LineRequestObject *self, void *Py_UNUSED(closure))
{
    if (is_closed(self)) {
        (void)raise_closed(self);
        return NULL;
    }
    const char *consumer = self->request->consumer;
    return PyUnicode_DecodeUTF8(consumer, (Py_ssize_t)strlen(consumer), "replace");
}

static PyObject *
LineRequest_repr(LineRequestObject *self)
{
    if (is_closed(self)) {
        return PyUnicode_FromString("<LineRequest closed>");
    }
    return PyUnicode_FromFormat("<LineRequest of %u line(s) of %s, first %u>",
                                self->request->num_lines, self->request->name,
                                (unsigned)self->request->offsets[0]);
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
    {"use_loop", (PyCFunction)LineRequest_use_loop, METH_O,
     PyDoc_STR("use_loop($self, loop, /)\n--\n\n"
               "Go on in that loop's time.  RuntimeError: a real line, and a virtual "
               "clock.")},
    {"take", (PyCFunction)LineRequest_take, METH_VARARGS,
     PyDoc_STR("take($self, edge='both', /)\n--\n\n"
               "The oldest untaken edge of that kind as an EdgeEvent, or None.")},
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
    {"edge_queue", (PyCFunction)ah_edge_queue_new, METH_VARARGS,
     PyDoc_STR("edge_queue($self, capacity, /)\n--\n\n"
               "A new EdgeQueue, which sees every edge from now on.")},
    {"wait_edge_blocking", (PyCFunction)(void (*)(void))LineRequest_wait_edge_blocking,
     METH_VARARGS | METH_KEYWORDS,
     PyDoc_STR(
         "wait_edge_blocking($self, edge='both', timeout=None, token=None)\n--\n\n"
         "Block this thread, without the GIL, until there is an edge.  "
         "TimeoutError\nafter `timeout` seconds; "
         "concurrent.futures.CancelledError when the CancelToken\n"
         "is cancelled; OSError(EBADF) when the request is closed meanwhile.")},
    {"close", (PyCFunction)LineRequest_close, METH_NOARGS,
     PyDoc_STR("close($self, /)\n--\n\n"
               "Give the lines back; idempotent.  Whoever waits gets OSError(EBADF).")},
    {NULL, NULL, 0, NULL},
};

static PyGetSetDef LineRequest_getset[] = {
    {"closed", (getter)LineRequest_get_closed, NULL, PyDoc_STR("True after close()."),
     NULL},
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
    {"__weaklistoffset__", T_PYSSIZET, offsetof(LineRequestObject, weakrefs), READONLY,
     NULL},
    {NULL, 0, 0, 0, NULL},
};

static PyType_Slot LineRequest_slots[] = {
    {Py_tp_doc, PyDoc_STR("Requested GPIO lines; made by a backend (see "
                          "pyasync_hw.hardware).")},
    {Py_tp_traverse, LineRequest_traverse},
    {Py_tp_clear, LineRequest_clear},
    {Py_tp_finalize, LineRequest_finalize},
    {Py_tp_dealloc, LineRequest_dealloc},
    {Py_tp_repr, LineRequest_repr},
    {Py_tp_methods, LineRequest_methods},
    {Py_tp_getset, LineRequest_getset},
    {Py_tp_members, LineRequest_members},
    {0, NULL},
};

static PyType_Spec LineRequest_spec = {
    .name = "pyasync_hw._core.LineRequest",
    .basicsize = sizeof(LineRequestObject),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC | Py_TPFLAGS_IMMUTABLETYPE |
             Py_TPFLAGS_DISALLOW_INSTANTIATION,
    .slots = LineRequest_slots,
};

int
ah_gpio_type_setup(PyObject *module)
{
    ModuleState *st = ah_state(module);
    st->line_request_type =
        (PyTypeObject *)PyType_FromModuleAndSpec(module, &LineRequest_spec, NULL);
    if (st->line_request_type == NULL) {
        return -1;
    }
    return PyModule_AddType(module, st->line_request_type);
}
