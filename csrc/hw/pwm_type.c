/* _core.PWM: one PWM output, which a thread, the simulator or the kernel makes.
 *
 * A device (device.h).  In a fork's child there is no thread: it is the parent's alone.
 */
#include "hw/device.h"

#include <errno.h>
#include <string.h>

#include "hw/line_type.h"
#include "dev/pwm_line.h"
#include "dev/pwm_sysfs.h"
#include "py/errors.h"

static void
pwm_close(void *handle)
{
    struct pwm_device *device = handle;
    device->ops->close(device->self);
}

static int
pwm_use_clock(void *handle, struct vclock **clock)
{
    struct pwm_device *device = handle;
    return device->ops->use_clock(device->self, clock);
}

static void
pwm_in_child(PyObject *object)
{
    DeviceObject *self = (DeviceObject *)object;
    shared_lines_in_child(&self->st->shared_lines);
    pwm_thread_in_child(&self->st->pwm_thread);
    if (self->handle != NULL) {
        struct pwm_device *device = self->handle;
        self->parents_clock = self->time->told;
        device->ops->in_child(device->self);
    }
    self->handle = NULL;
    self->time = NULL;
    self->closing = 0;
}

static const struct device_kind pwm_kind = {
    .counter = AH_LIVE_PWM,
    .closed = "PWM of %s is closed",
    .unclosed = "unclosed PWM of %s",
    .on_clock = "PWM",
    .inherited = "PWM",
    .remedy = "open one in the child",
    .close = pwm_close,
    .use_clock = pwm_use_clock,
    .in_child = pwm_in_child,
};

static PyObject *
pwm_new(ModuleState *st, struct pwm_device *device, PyObject *owner, const char *what)
{
    DeviceObject *self = ah_device_new(st, st->pwm_type, &pwm_kind, device, owner);
    if (self == NULL) {
        return NULL;
    }
    self->time = device->time;
    PyOS_snprintf(self->what, sizeof self->what, "%s", what);
    return (PyObject *)self;
}

/* pwm_of_line(line, rest) */
static PyObject *
pwm_of_line(PyObject *module, PyObject *args)
{
    ModuleState *st = ah_state(module);
    PyObject *object, *owner = NULL;
    int rest;
    struct pwm_device *device;
    char what[64];
    if (!PyArg_ParseTuple(args, "Op:pwm_of_line", &object, &rest)) {
        return NULL;
    }
    struct line_request *line = ah_line_request_take(st, object, &owner);
    if (line == NULL) {
        return NULL;
    }
    PyOS_snprintf(what, sizeof what, "line %u of %s", (unsigned)line->offsets[0],
                  line->name);
    int err;
    Py_BEGIN_ALLOW_THREADS
    err = pwm_line_open(line, &st->pwm_thread, rest != 0, &device);
    if (err < 0) {
        line_close(line);
    }
    Py_END_ALLOW_THREADS
    PyObject *result = NULL;
    if (err < 0) {
        (void)ah_raise_errno(err, what);
    }
    else {
        result = pwm_new(st, device, owner, what);
    }
    Py_XDECREF(owner);
    return result;
}

/* open_kernel_pwm(chip, channel, active_low, rest) */
static PyObject *
open_kernel_pwm(PyObject *module, PyObject *args)
{
    PyObject *path;
    unsigned int channel;
    int active_low, rest, err;
    struct pwm_device *device;
    char what[64];
    if (!PyArg_ParseTuple(args, "O&Ipp:open_kernel_pwm", PyUnicode_FSConverter, &path,
                          &channel, &active_low, &rest)) {
        return NULL;
    }
    const char *chip = PyBytes_AS_STRING(path);
    const char *name = strrchr(chip, '/');
    PyOS_snprintf(what, sizeof what, "channel %u of %s", channel,
                  name != NULL ? name + 1 : chip);
    Py_BEGIN_ALLOW_THREADS
    err = pwm_sysfs_open(chip, channel, active_low != 0, rest != 0, &device);
    Py_END_ALLOW_THREADS
    if (err < 0) {
        char remedy[160];
        PyOS_snprintf(remedy, sizeof remedy,
                      "it is exported already; if no program uses it: echo %u > "
                      "%.80s/unexport",
                      channel, chip);
        (void)ah_raise_errno_remedy(
            err, what,
            err == -EBUSY    ? remedy
            : err == -EACCES ? "add the user to group gpio, and log in again"
            : err == -ENOENT ? "the chip is gone: was its overlay removed?"
            : err == -ENODEV ? "the chip has no such channel"
                             : NULL);
    }
    Py_DECREF(path);
    return err < 0 ? NULL : pwm_new(ah_state(module), device, NULL, what);
}

/* Python's. */

static void
settle(const struct pwm_device *device)
{
    if (device->ops->settle != NULL) {
        device->ops->settle(device->self); /* may give up the GIL */
    }
}

static PyObject *
PWM_start(DeviceObject *self, PyObject *args)
{
    struct pwm_wave wave;
    long long period_ns, high_ns;
    if (!PyArg_ParseTuple(args, "LL:start", &period_ns, &high_ns)) {
        return NULL;
    }
    if (period_ns < 1 || high_ns < 0 || high_ns > period_ns) {
        PyErr_SetString(PyExc_ValueError,
                        "period_ns must be above 0, high_ns from 0 to period_ns");
        return NULL;
    }
    wave.period_ns = period_ns;
    wave.high_ns = high_ns;
    struct pwm_device *device = ah_device_begin(self);
    if (device == NULL) {
        return NULL;
    }
    int err;
    Py_BEGIN_ALLOW_THREADS
    err = device->ops->start(device->self, &wave);
    Py_END_ALLOW_THREADS
    settle(device);
    PyObject *result = ah_none_or_errno(err, self->what);
    ah_device_end(self); /* runs Python */
    return result;
}

static PyObject *
PWM_stop(DeviceObject *self, PyObject *Py_UNUSED(ignored))
{
    struct pwm_device *device = ah_device_begin(self);
    if (device == NULL) {
        return NULL;
    }
    int err;
    Py_BEGIN_ALLOW_THREADS
    err = device->ops->stop(device->self);
    Py_END_ALLOW_THREADS
    settle(device);
    PyObject *result = ah_none_or_errno(err, self->what);
    ah_device_end(self); /* runs Python */
    return result;
}

static PyObject *
PWM_jitter(DeviceObject *self, PyObject *Py_UNUSED(ignored))
{
    struct pwm_jitter jitter = {0};
    struct pwm_device *device = ah_device_begin(self);
    if (device == NULL) {
        return NULL;
    }
    int err;
    Py_BEGIN_ALLOW_THREADS
    err = device->ops->jitter(device->self, &jitter);
    Py_END_ALLOW_THREADS
    PyObject *result = NULL;
    if (err < 0) {
        (void)ah_raise_errno(err, self->what);
    }
    else {
        const struct histogram *late = &jitter.lateness;
        result = Py_BuildValue("(KKddd)", (unsigned long long)jitter.edges,
                               (unsigned long long)jitter.missed,
                               clock_seconds(histogram_quantile(late, 0.50)),
                               clock_seconds(histogram_quantile(late, 0.99)),
                               clock_seconds(late->max));
    }
    ah_device_end(self); /* runs Python */
    return result;
}

static PyObject *
PWM_be_realtime(DeviceObject *self, PyObject *Py_UNUSED(ignored))
{
    struct pwm_device *device = ah_device_begin(self);
    if (device == NULL) {
        return NULL;
    }
    int err = 0;
    if (device->ops->be_realtime != NULL) {
        Py_BEGIN_ALLOW_THREADS
        err = device->ops->be_realtime(device->self);
        Py_END_ALLOW_THREADS
    }
    PyObject *result = ah_none_or_errno(err, "real-time priority for PWM");
    ah_device_end(self); /* runs Python */
    return result;
}

static PyObject *
PWM_is_realtime(DeviceObject *self, PyObject *Py_UNUSED(ignored))
{
    struct pwm_device *device = ah_device_begin(self);
    if (device == NULL) {
        return NULL;
    }
    bool is = false;
    if (device->ops->is_realtime != NULL) {
        Py_BEGIN_ALLOW_THREADS
        is = device->ops->is_realtime(device->self);
        Py_END_ALLOW_THREADS
    }
    ah_device_end(self); /* runs Python */
    return PyBool_FromLong(is);
}

static PyObject *
PWM_get_made_by(DeviceObject *self, void *Py_UNUSED(closure))
{
    const struct pwm_device *device = ah_device_check(self);
    return device == NULL ? NULL : PyUnicode_FromString(device->made_by);
}

static PyObject *
PWM_repr(DeviceObject *self)
{
    return PyUnicode_FromFormat("<PWM of %s%s>", self->what,
                                ah_device_is_closed(self) ? ", closed" : "");
}

static PyMethodDef PWM_methods[] = {
    {"start", (PyCFunction)PWM_start, METH_VARARGS,
     PyDoc_STR("start($self, period_ns, high_ns, /)\n--\n\n"
               "Begin, or go on with another wave from the next period on.")},
    {"stop", (PyCFunction)PWM_stop, METH_NOARGS,
     PyDoc_STR("stop($self, /)\n--\n\nTo its resting level, at once.")},
    {"jitter", (PyCFunction)PWM_jitter, METH_NOARGS,
     PyDoc_STR(
         "jitter($self, /)\n--\n\n"
         "(edges, periods left out, lateness of half of the edges, of 99 %, and\n"
         "the longest, in seconds) since the start.  OSError: what ended the wave.")},
    {"be_realtime", (PyCFunction)PWM_be_realtime, METH_NOARGS,
     PyDoc_STR(
         "be_realtime($self, /)\n--\n\n"
         "Have the thread that makes it, if one does, run with real-time priority\n"
         "until it is stopped.  PermissionError.")},
    {"is_realtime", (PyCFunction)PWM_is_realtime, METH_NOARGS,
     PyDoc_STR("is_realtime($self, /)\n--\n\nWhether its thread does.")},
    {"use_loop", (PyCFunction)Device_use_loop, METH_O,
     PyDoc_STR("use_loop($self, loop, /)\n--\n\n"
               "Go on in that loop's time.  RuntimeError: a real device, and a virtual "
               "clock.")},
    {"close", (PyCFunction)Device_close, METH_NOARGS,
     PyDoc_STR("close($self, /)\n--\n\nStop, and give the line back; idempotent.")},
    {NULL, NULL, 0, NULL},
};

static PyGetSetDef PWM_getset[] = {
    {"closed", (getter)Device_get_closed, NULL, PyDoc_STR("True after close()."), NULL},
    {"made_by", (getter)PWM_get_made_by, NULL,
     PyDoc_STR("\"thread\", \"simulator\" or \"kernel\"."), NULL},
    {NULL, NULL, NULL, NULL, NULL},
};

static PyMemberDef PWM_members[] = {
    AH_DEVICE_WEAKREFS,
    {NULL, 0, 0, 0, NULL},
};

static PyType_Slot PWM_slots[] = {
    {Py_tp_doc, PyDoc_STR("A PWM output; see pyasync_hw.gpio.PWM.")},
    {Py_tp_traverse, ah_device_traverse},
    {Py_tp_clear, ah_device_clear},
    {Py_tp_finalize, ah_device_finalize},
    {Py_tp_dealloc, ah_device_dealloc},
    {Py_tp_repr, PWM_repr},
    {Py_tp_methods, PWM_methods},
    {Py_tp_getset, PWM_getset},
    {Py_tp_members, PWM_members},
    {0, NULL},
};

PyType_Spec PWM_spec = {
    .name = "pyasync_hw._core.PWM",
    .basicsize = sizeof(DeviceObject),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC | Py_TPFLAGS_IMMUTABLETYPE |
             Py_TPFLAGS_DISALLOW_INSTANTIATION,
    .slots = PWM_slots,
};

static PyMethodDef pwm_open_methods[] = {
    {"pwm_of_line", pwm_of_line, METH_VARARGS,
     PyDoc_STR("pwm_of_line($module, line, rest, /)\n--\n\n"
               "A PWM on a requested output, which it takes over: the LineRequest is\n"
               "closed then.  rest: the value of one that is stopped.")},
    {"open_kernel_pwm", open_kernel_pwm, METH_VARARGS,
     PyDoc_STR("open_kernel_pwm($module, chip, channel, active_low, rest, /)\n--\n\n"
               "A channel of a chip in /sys/class/pwm, by that chip's path.")},
    {NULL, NULL, 0, NULL},
};

int
ah_pwm_setup(PyObject *module)
{
    int err = pwm_thread_init(&ah_state(module)->pwm_thread);
    if (err < 0) {
        return ah_raise_errno(err, NULL);
    }
    return PyModule_AddFunctions(module, pwm_open_methods);
}
