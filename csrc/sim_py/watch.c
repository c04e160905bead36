/* What the parts of a simulated board see and do; see sim/watch.h and
 * pyasync_hw/sim/parts/. */
#include "sim_py/watch.h"

#include <limits.h>
#include <stdlib.h>

#include "py/errors.h"

PyObject *
SimWorld_open_watch(SimWorldObject *self, PyObject *Py_UNUSED(ignored))
{
    if (ah_sim_check_open(self) < 0) {
        return NULL;
    }
    int fd = watch_open(&self->world.watch);
    if (fd < 0) {
        (void)ah_raise_errno(fd, "the watch of a simulated board");
        return NULL;
    }
    return PyLong_FromLong(fd);
}

/* A Python int as a line's number; -1 with an exception. */
static int
line_arg(SimWorldObject *self, PyObject *arg)
{
    long long line;
    if (ah_integer_arg(arg, "line", 0, self->world.lines.num_lines - 1, &line) < 0) {
        return -1; /* runs Python */
    }
    return ah_sim_check_open(self) < 0 ? -1 : (int)line;
}

PyObject *
SimWorld_watch(SimWorldObject *self, PyObject *arg)
{
    int line = line_arg(self, arg);
    if (line < 0) {
        return NULL;
    }
    bank_watch(&self->world.lines, (unsigned)line);
    Py_RETURN_NONE;
}

PyObject *
SimWorld_watch_drivers(SimWorldObject *self, PyObject *arg)
{
    int line = line_arg(self, arg);
    if (line < 0) {
        return NULL;
    }
    bank_watch_drivers(&self->world.lines, (unsigned)line);
    Py_RETURN_NONE;
}

PyObject *
SimWorld_news(SimWorldObject *self, PyObject *Py_UNUSED(ignored))
{
    if (ah_sim_check_own(self) < 0) {
        return NULL;
    }
    struct news *news;
    int count = watch_take(&self->world.watch, &news);
    if (count < 0) {
        return PyErr_NoMemory();
    }
    PyObject *list = PyList_New(count);
    for (int i = 0; list != NULL && i < count; i++) {
        PyObject *item = Py_BuildValue("(iiid)", (int)news[i].kind, news[i].line,
                                       news[i].value, clock_seconds(news[i].when));
        if (item == NULL) {
            Py_CLEAR(list);
            break;
        }
        PyList_SET_ITEM(list, i, item);
    }
    free(news);
    if (list == NULL) {
        world_told(&self->world, count); /* nobody will hear of it */
    }
    return list;
}

PyObject *
SimWorld_told(SimWorldObject *self, PyObject *arg)
{
    long long count;
    if (ah_integer_arg(arg, "count", 0, INT_MAX, &count) < 0 || /* runs Python */
        ah_sim_check_own(self) < 0) {
        return NULL;
    }
    world_told(&self->world, (int)count);
    Py_RETURN_NONE;
}

PyObject *
SimWorld_tell(SimWorldObject *self, PyObject *args)
{
    PyObject *callback = PyTuple_GET_SIZE(args) > 0 ? PyTuple_GET_ITEM(args, 0) : NULL;
    if (callback == NULL || !PyCallable_Check(callback)) {
        PyErr_SetString(PyExc_TypeError, "tell() needs something to call");
        return NULL;
    }
    PyObject *rest = PyTuple_GetSlice(args, 1, PyTuple_GET_SIZE(args));
    if (rest == NULL || ah_sim_check_own(self) < 0) {
        Py_XDECREF(rest);
        return NULL;
    }
    PyObject *answer = PyObject_CallObject(callback, rest); /* runs Python */
    if (answer == NULL && self->world.closed &&
        PyErr_ExceptionMatches(PyExc_ValueError)) {
        PyErr_Clear(); /* its board was unplugged while it acted on it */
    }
    else if (answer == NULL) {
        PyErr_WriteUnraisable(callback); /* runs Python */
    }
    Py_XDECREF(answer); /* runs Python */
    Py_DECREF(rest);    /* runs Python */
    Py_RETURN_NONE;
}

/* Own time of the board; -1 with ValueError. */
static int
own_time(PyObject *arg, int64_t *ns)
{
    bool given;
    if (ah_sim_seconds(arg, "time", &given, ns) < 0) {
        return -1;
    }
    if (!given) {
        PyErr_SetString(PyExc_TypeError, "time must be a number");
        return -1;
    }
    return 0;
}

PyObject *
SimWorld_call_at(SimWorldObject *self, PyObject *args)
{
    int line = WORLD_NO_LINE;
    PyObject *time;
    struct world_action plan = {.deed = WORLD_TELL, .start = WORLD_BEGINNING};
    if (!PyArg_ParseTuple(args, "iO|i:call_at", &plan.level, &time, &line) ||
        (line != WORLD_NO_LINE && ah_sim_check_line(self, line) < 0) ||
        own_time(time, &plan.after_ns) < 0 || ah_sim_enter(self) < 0) {
        return NULL;
    }
    if (line != WORLD_NO_LINE) {
        plan.start = WORLD_REQUESTED;
        plan.line = (unsigned)line;
    }
    if (ah_sim_schedule(self, &plan, NULL) < 0) {
        world_unlock(&self->world);
        return NULL;
    }
    if (ah_sim_leave(self) < 0) {
        return NULL;
    }
    Py_RETURN_NONE;
}

PyObject *
SimWorld_output(SimWorldObject *self, PyObject *arg)
{
    int line = line_arg(self, arg);
    if (line < 0 || ah_sim_enter(self) < 0) {
        return NULL;
    }
    struct world_output *output = world_add_output_locked(&self->world, (unsigned)line);
    int number = output != NULL ? output->number : -1;
    if (ah_sim_leave(self) < 0) {
        return NULL;
    }
    return number < 0 ? PyErr_NoMemory() : PyLong_FromLong(number);
}

/* Enter, and find an output.  NULL with an exception, not entered. */
static struct world_output *
enter_output(SimWorldObject *self, int number)
{
    if (ah_sim_enter(self) < 0) {
        return NULL;
    }
    struct world_output *output = world_find_output_locked(&self->world, number);
    if (output == NULL) {
        world_unlock(&self->world);
        PyErr_Format(PyExc_LookupError, "no output %d", number);
    }
    return output;
}

PyObject *
SimWorld_set_output(SimWorldObject *self, PyObject *args)
{
    int number, level = LINE_UNDRIVEN;
    PyObject *value, *at = Py_None;
    bool later;
    struct world_action plan = {.deed = WORLD_OUTPUT, .start = WORLD_BEGINNING};
    if (!PyArg_ParseTuple(args, "iO|O:set_output", &number, &value, &at) ||
        ah_sim_seconds(at, "at", &later, &plan.after_ns) < 0) {
        return NULL;
    }
    if (value != Py_None) {
        level = PyObject_IsTrue(value); /* runs Python */
        if (level < 0) {
            return NULL;
        }
    }
    plan.level = level;
    plan.output = enter_output(self, number);
    if (plan.output == NULL) {
        return NULL;
    }
    int result = 0;
    if (later) {
        result = ah_sim_schedule(self, &plan, NULL);
    }
    else {
        bank_set_source(&self->world.lines, plan.output->line, &plan.output->source,
                        level, NS_NEVER);
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

PyObject *
SimWorld_others(SimWorldObject *self, PyObject *arg)
{
    long long number;
    if (ah_integer_arg(arg, "output", 0, INT_MAX, &number) < 0) { /* runs Python */
        return NULL;
    }
    struct world_output *output = enter_output(self, (int)number);
    if (output == NULL) {
        return NULL;
    }
    int level = bank_level_without(&self->world.lines, output->line, &output->source);
    world_unlock(&self->world);
    if (level == LINE_UNDRIVEN) {
        Py_RETURN_NONE;
    }
    return PyLong_FromLong(level);
}
