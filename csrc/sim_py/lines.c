/* Lines of a SimWorld, and the devices that a program opens on it. */
#include "sim_py/lines.h"

#include <errno.h>
#include <limits.h>
#include <string.h>

#include "hw/gpiochip_type.h"
#include "hw/line_settings.h"
#include "hw/line_type.h"
#include "hw/spi_type.h"
#include "py/errors.h"

/* A Python int as a line's number; -1 with an exception. */
static int
line_number(SimWorldObject *self, PyObject *arg)
{
    long line = PyLong_AsLong(arg);
    if (line == -1 && PyErr_Occurred()) {
        return -1;
    }
    line = line < -1 || line > INT_MAX ? -1 : line;
    return ah_sim_check_line(self, (int)line) < 0 ? -1 : (int)line;
}

PyObject *
SimWorld_drive(SimWorldObject *self, PyObject *args)
{
    PyObject *at = Py_None, *value;
    int line, level = LINE_UNDRIVEN;
    bool later;
    struct world_action plan = {.deed = WORLD_DRIVE, .start = WORLD_REQUESTED};
    if (!PyArg_ParseTuple(args, "iO|O:drive", &line, &value, &at) ||
        ah_sim_check_line(self, line) < 0 ||
        ah_sim_seconds(at, "at", &later, &plan.after_ns) < 0) {
        return NULL;
    }
    if (value != Py_None) {
        level = PyObject_IsTrue(value); /* runs Python */
        if (level < 0) {
            return NULL;
        }
    }
    if (ah_sim_enter(self) < 0) {
        return NULL;
    }
    int result = 0;
    plan.line = (unsigned)line;
    plan.level = level;
    if (later) {
        result = ah_sim_schedule(self, &plan, NULL);
    }
    else {
        bank_drive(&self->world.lines, plan.line, level, NS_NEVER);
    }
    if (result < 0) {
        world_unlock(&self->world);
        return NULL;
    }
    if (ah_sim_leave(self) < 0) {
        return NULL;
    }
    Py_RETURN_NONE;
}

/* One line's number out of the arguments, and the world not closed. */
static int
parse_line(SimWorldObject *self, PyObject *arg)
{
    int line = line_number(self, arg);
    return line >= 0 && ah_sim_check_open(self) < 0 ? -1 : line;
}

PyObject *
SimWorld_level(SimWorldObject *self, PyObject *arg)
{
    int line = parse_line(self, arg);
    return line < 0 ? NULL
                    : PyLong_FromLong(bank_level(&self->world.lines, (unsigned)line));
}

PyObject *
SimWorld_wave(SimWorldObject *self, PyObject *arg)
{
    int64_t period_ns, high_ns;
    int line = parse_line(self, arg);
    if (line < 0) {
        return NULL;
    }
    int64_t now = bank_now(&self->world.lines); /* what is due by now happens first */
    if (ah_sim_enter(self) < 0) {
        return NULL;
    }
    bool found =
        bank_wave(&self->world.lines, (unsigned)line, now, &period_ns, &high_ns);
    if (ah_sim_leave(self) < 0) {
        return NULL;
    }
    if (!found) {
        Py_RETURN_NONE;
    }
    return Py_BuildValue("(LL)", (long long)period_ns, (long long)high_ns);
}

PyObject *
SimWorld_driven(SimWorldObject *self, PyObject *arg)
{
    int line = parse_line(self, arg);
    if (line < 0) {
        return NULL;
    }
    int level = bank_driven(&self->world.lines, (unsigned)line);
    if (level == LINE_UNDRIVEN) {
        Py_RETURN_NONE;
    }
    return PyLong_FromLong(level);
}

PyObject *
SimWorld_consumer(SimWorldObject *self, PyObject *arg)
{
    char name[LINE_CONSUMER_MAX];
    int line = parse_line(self, arg);
    if (line < 0) {
        return NULL;
    }
    if (!bank_consumer(&self->world.lines, (unsigned)line, name)) {
        Py_RETURN_NONE;
    }
    return PyUnicode_DecodeUTF8(name, (Py_ssize_t)strlen(name), "replace");
}

PyObject *
SimWorld_pull(SimWorldObject *self, PyObject *args)
{
    int line, up;
    if (!PyArg_ParseTuple(args, "ip:pull", &line, &up) ||
        ah_sim_check_line(self, line) < 0 || ah_sim_enter(self) < 0) {
        return NULL;
    }
    bank_pull(&self->world.lines, (unsigned)line, up ? LINE_PULL_UP : LINE_PULL_DOWN);
    if (ah_sim_leave(self) < 0) {
        return NULL;
    }
    Py_RETURN_NONE;
}

PyObject *
SimWorld_name_line(SimWorldObject *self, PyObject *args)
{
    int line;
    const char *name;
    if (!PyArg_ParseTuple(args, "is:name_line", &line, &name) ||
        ah_sim_check_line(self, line) < 0 || ah_sim_check_open(self) < 0) {
        return NULL;
    }
    bank_name_line(&self->world.lines, (unsigned)line, name);
    Py_RETURN_NONE;
}

/* Devices. */

static void
raise_request_error(SimWorldObject *self, int err, const uint32_t *offsets, unsigned n)
{
    char holder[LINE_CONSUMER_MAX], what[64], remedy[80];
    const char *chip = PyUnicode_AsUTF8(self->name);
    if (chip == NULL) {
        return;
    }
    if (err == -EBUSY) {
        for (unsigned i = 0; i < n; i++) {
            if (bank_consumer(&self->world.lines, offsets[i], holder)) {
                PyOS_snprintf(what, sizeof what, "line %u of %s", (unsigned)offsets[i],
                              chip);
                PyOS_snprintf(remedy, sizeof remedy, "it is in use by '%s'", holder);
                (void)ah_raise_errno_remedy(err, what, remedy);
                return;
            }
        }
    }
    PyOS_snprintf(what, sizeof what, "line %u of %s", (unsigned)offsets[0], chip);
    const char *help = NULL;
    if (err == -EBUSY) {
        help = "it is given twice in one request";
    }
    else if (err == -EOPNOTSUPP) {
        help = "the kernel lacks the event_clock that was asked for";
    }
    (void)ah_raise_errno_remedy(err, what, help);
}

/* Offsets and settings, of equal number; that number, or -1. */
static int
parse_lines(SimWorldObject *self, PyObject *offsets, PyObject *settings,
            uint32_t *offsets_out, struct line_settings *settings_out)
{
    Py_ssize_t n = PyTuple_GET_SIZE(offsets);
    if (n < 1 || n > LINES_MAX || PyTuple_GET_SIZE(settings) != n) {
        PyErr_Format(PyExc_ValueError,
                     "a request has 1 to %d lines, and settings for each", LINES_MAX);
        return -1;
    }
    for (Py_ssize_t i = 0; i < n; i++) {
        int line = line_number(self, PyTuple_GET_ITEM(offsets, i));
        if (line < 0) {
            return -1;
        }
        offsets_out[i] = (uint32_t)line;
        if (ah_line_settings_parse(PyTuple_GET_ITEM(settings, i), &settings_out[i]) <
            0) { /* runs Python */
            return -1;
        }
    }
    return (int)n;
}

PyObject *
SimWorld_request_lines(SimWorldObject *self, PyObject *args)
{
    PyObject *offsets_arg, *settings_arg, *request_object;
    const char *consumer;
    uint32_t offsets[LINES_MAX];
    struct line_settings settings[LINES_MAX];
    struct line_request *request;
    struct line_conflict conflict;
    uint32_t event_buffer_size = 0;
    if (!PyArg_ParseTuple(args, "O!O!s|O&:request_lines", &PyTuple_Type, &offsets_arg,
                          &PyTuple_Type, &settings_arg, &consumer, ah_buffer_size_arg,
                          &event_buffer_size)) {
        return NULL;
    }
    int n = parse_lines(self, offsets_arg, settings_arg, offsets, settings);
    if (n < 0 || ah_sim_check_outside(self) < 0) {
        return NULL;
    }
    int err;
    Py_BEGIN_ALLOW_THREADS
    err = world_request_lines(&self->world, offsets, (unsigned)n, settings, consumer,
                              event_buffer_size, &request, &conflict);
    Py_END_ALLOW_THREADS
    if (err == -EBUSY && conflict.difference.setting != NULL) {
        (void)ah_raise_line_conflict(PyUnicode_AsUTF8(self->name), offsets[0],
                                     &conflict);
        return NULL;
    }
    if (err < 0) {
        raise_request_error(self, err, offsets, (unsigned)n);
        return NULL;
    }
    PyOS_snprintf(request->consumer, sizeof request->consumer, "%s", consumer);
    PyOS_snprintf(request->name, sizeof request->name, "%s",
                  PyUnicode_AsUTF8(self->name));
    request_object = ah_line_request_new(self->st, request, (PyObject *)self);
    if (request_object == NULL) {
        return NULL;
    }
    /* Actions that count from the first request begin now. */
    world_enter(&self->world);
    if (ah_sim_leave(self) < 0) {
        Py_CLEAR(request_object);
    }
    return request_object;
}

PyObject *
SimWorld_open_gpiochip(SimWorldObject *self, PyObject *Py_UNUSED(ignored))
{
    struct line_chip *chip;
    const char *label = PyUnicode_AsUTF8(self->name);
    if (label == NULL || ah_sim_check_outside(self) < 0) {
        return NULL;
    }
    int err;
    Py_BEGIN_ALLOW_THREADS
    err = world_open_gpiochip(&self->world, label, &chip);
    Py_END_ALLOW_THREADS
    if (err < 0) {
        (void)ah_raise_errno(err, label);
        return NULL;
    }
    return ah_gpiochip_new(self->st, chip, (PyObject *)self);
}

PyObject *
SimWorld_open_spi(SimWorldObject *self, PyObject *args)
{
    unsigned int bus, cs;
    struct spi_config config = {.bits_per_word = 8};
    struct spi_device *device;
    if (!PyArg_ParseTuple(args, "IIII:open_spi", &bus, &cs, &config.speed_hz,
                          &config.mode)) {
        return NULL;
    }
    if (ah_sim_check_outside(self) < 0) {
        return NULL;
    }
    int err;
    Py_BEGIN_ALLOW_THREADS
    err = world_open_spi(&self->world, bus, cs, &config, &device);
    Py_END_ALLOW_THREADS
    if (err < 0) {
        char what[32];
        PyOS_snprintf(what, sizeof what, "spi%u.%u", bus, cs);
        (void)ah_raise_errno_remedy(
            err, what,
            err == -EINVAL ? "the controller can't do this mode or speed" : NULL);
        return NULL;
    }
    return ah_spi_device_new(self->st, device, (PyObject *)self);
}
