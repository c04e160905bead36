/* _core.SimWorld: Python's hold on a simulated board (sim/world.h).
 *
 * Which thread: any.  A method enters the world with world_enter(), which gives up
 * the GIL only when it must wait; a card's code may hold the world and lose the GIL.
 * A card's Python object lives in `cards` while it is in a field or an action will
 * move it; it is dropped with the GIL held and the world not.  Devices keep their
 * SimWorld alive, so at dealloc none is open.
 */
#include <errno.h>
#include <limits.h>
#include <math.h>
#include <stdbool.h>

#include "hw/gpio_type.h"
#include "hw/sim_card.h"
#include "hw/spi_type.h"
#include "py/clock_type.h"
#include "py/errors.h"
#include "setup.h"
#include "sim/world.h"

typedef struct {
    PyObject_HEAD ModuleState *st;
    struct world world;
    bool has_world;
    PyObject *clock;        /* owned VirtualClock or NULL: world.home */
    PyObject *name;         /* owned str */
    struct sim_card *cards; /* owned */
} SimWorldObject;

static void *
release_gil(void)
{
    return PyEval_SaveThread();
}

static void
acquire_gil(void *released)
{
    PyEval_RestoreThread(released);
}

static const struct world_host gil_host = {
    .release = release_gil,
    .acquire = acquire_gil,
};

static int
raise_closed(void)
{
    PyErr_SetString(PyExc_ValueError, "this simulated board is closed");
    return -1;
}

/* Drop cards that are nowhere any more; not from card code, which may be theirs. */
static void
drop_idle_cards(SimWorldObject *self)
{
    if (self->cards == NULL || world_is_inside(&self->world)) {
        return;
    }
    struct sim_card *idle = NULL;
    world_enter(&self->world);
    for (struct sim_card **p = &self->cards; *p != NULL;) {
        struct sim_card *card = *p;
        if (card->uses > 0 || card->card.field != NULL) {
            p = &card->next;
            continue;
        }
        *p = card->next;
        card->next = idle;
        idle = card;
    }
    world_unlock(&self->world);
    while (idle != NULL) {
        struct sim_card *card = idle;
        idle = card->next;
        ah_sim_card_free(card); /* runs Python */
    }
}

/* Lock for a method; -1 with ValueError when the board is closed. */
static int
enter(SimWorldObject *self)
{
    world_enter(&self->world);
    if (self->world.closed) {
        world_unlock(&self->world);
        return raise_closed();
    }
    return 0;
}

/* Unlock after something changed: loops look again, idle cards go.  -1: the
 * thread of real time could not be started. */
static int
leave_changed(SimWorldObject *self)
{
    world_unlock(&self->world);
    int err = self->world.thread_error;
    if (!world_is_inside(&self->world)) {
        Py_BEGIN_ALLOW_THREADS world_wake_clock(&self->world);
        Py_END_ALLOW_THREADS drop_idle_cards(self);
    }
    return err < 0 ? ah_raise_errno(err, "the thread of a simulated board") : 0;
}

/* Seconds as ns; None: *given is false.  -1 with ValueError. */
static int
parse_seconds(PyObject *arg, const char *name, bool *given, int64_t *ns)
{
    *given = arg != NULL && arg != Py_None;
    if (!*given) {
        return 0;
    }
    double seconds = PyFloat_AsDouble(arg); /* runs Python */
    if (seconds == -1.0 && PyErr_Occurred()) {
        return -1;
    }
    if (!(seconds >= 0.0 && seconds < 9e9)) {
        PyErr_Format(PyExc_ValueError, "%s must be 0 to 9e9 seconds", name);
        return -1;
    }
    *ns = (int64_t)llround(seconds * 1e9);
    return 0;
}

static int
check_line(SimWorldObject *self, int line)
{
    if (line < 0 || (unsigned)line >= self->world.lines.num_lines) {
        PyErr_Format(PyExc_ValueError, "line must be 0 to %u, not %d",
                     self->world.lines.num_lines - 1, line);
        return -1;
    }
    return 0;
}

/* A Python int as a line's number; -1 with an exception. */
static int
line_number(SimWorldObject *self, PyObject *arg)
{
    long line = PyLong_AsLong(arg);
    if (line == -1 && PyErr_Occurred()) {
        return -1;
    }
    line = line < -1 || line > INT_MAX ? -1 : line;
    return check_line(self, (int)line) < 0 ? -1 : (int)line;
}

/* Life. */

static PyObject *
SimWorld_new(PyTypeObject *type, PyObject *args, PyObject *kwargs)
{
    static char *kwlist[] = {"name", "num_lines", "clock", NULL};
    PyObject *name, *clock_arg = Py_None;
    int num_lines;
    struct vclock *clock;
    ModuleState *st = ah_state_of_type(type);
    if (st == NULL ||
        !PyArg_ParseTupleAndKeywords(args, kwargs, "Ui|O:SimWorld", kwlist, &name,
                                     &num_lines, &clock_arg) ||
        ah_virtual_clock_arg(st, clock_arg, &clock) < 0) {
        return NULL;
    }
    if (num_lines < 1 || num_lines > 1024) {
        PyErr_SetString(PyExc_ValueError, "num_lines must be 1 to 1024");
        return NULL;
    }
    SimWorldObject *self = (SimWorldObject *)type->tp_alloc(type, 0);
    if (self == NULL) {
        return NULL;
    }
    st->live[AH_LIVE_SimWorld]++;
    self->st = st;
    self->name = Py_NewRef(name);
    if (clock != NULL) {
        self->clock = Py_NewRef(clock_arg);
    }
    int err = world_init(&self->world, (unsigned)num_lines, clock, &gil_host);
    if (err < 0) {
        (void)ah_raise_errno(err, "SimWorld");
        Py_DECREF(self);
        return NULL;
    }
    self->has_world = true;
    return (PyObject *)self;
}

static int
SimWorld_traverse(SimWorldObject *self, visitproc visit, void *arg)
{
    Py_VISIT(Py_TYPE(self));
    for (struct sim_card *card = self->cards; card != NULL; card = card->next) {
        Py_VISIT(card->object);
    }
    return 0; /* a VirtualClock and a str refer to nothing */
}

/* Unplug; idempotent.  Not from card code. */
static void
close_world(SimWorldObject *self)
{
    if (self->has_world) {
        Py_BEGIN_ALLOW_THREADS world_close(&self->world);
        Py_END_ALLOW_THREADS drop_idle_cards(self); /* runs Python */
    }
}

static void
SimWorld_finalize(SimWorldObject *self)
{
    PyObject *type, *value, *traceback;
    PyErr_Fetch(&type, &value, &traceback);
    close_world(self); /* runs Python */
    PyErr_Restore(type, value, traceback);
}

static int
SimWorld_clear(SimWorldObject *Py_UNUSED(self))
{
    return 0; /* finalize has dropped the cards */
}

static void
SimWorld_dealloc(SimWorldObject *self)
{
    PyTypeObject *type = Py_TYPE(self);
    if (PyObject_CallFinalizerFromDealloc((PyObject *)self) < 0) {
        return;
    }
    PyObject_GC_UnTrack(self);
    if (self->has_world) {
        world_destroy(&self->world);
    }
    self->st->live[AH_LIVE_SimWorld]--;
    Py_CLEAR(self->clock);
    Py_CLEAR(self->name);
    type->tp_free((PyObject *)self);
    Py_DECREF(type);
}

static PyObject *
SimWorld_close(SimWorldObject *self, PyObject *Py_UNUSED(ignored))
{
    if (world_is_inside(&self->world)) {
        PyErr_SetString(PyExc_RuntimeError,
                        "a card's code cannot close the board it is on");
        return NULL;
    }
    close_world(self); /* runs Python */
    Py_RETURN_NONE;
}

/* Readers and cards. */

static PyObject *
SimWorld_attach(SimWorldObject *self, PyObject *args)
{
    unsigned int bus, cs;
    int irq, reset;
    unsigned char version;
    struct world_chip *chip;
    if (!PyArg_ParseTuple(args, "IIiib:attach", &bus, &cs, &irq, &reset, &version)) {
        return NULL;
    }
    if ((irq != WORLD_NO_LINE && check_line(self, irq) < 0) ||
        (reset != WORLD_NO_LINE && check_line(self, reset) < 0) || enter(self) < 0) {
        return NULL;
    }
    int err = world_attach_locked(&self->world, bus, cs, irq, reset, version, &chip);
    if (leave_changed(self) < 0) {
        return NULL;
    }
    if (err < 0) {
        char what[32];
        PyOS_snprintf(what, sizeof what, "spi%u.%u", bus, cs);
        (void)ah_raise_errno_remedy(
            err, what, err == -EBUSY ? "this chip select has a reader already" : NULL);
        return NULL;
    }
    Py_RETURN_NONE;
}

/* Enter, and find the reader.  NULL with an exception, not entered. */
static struct world_chip *
enter_chip(SimWorldObject *self, unsigned bus, unsigned cs)
{
    if (enter(self) < 0) {
        return NULL;
    }
    struct world_chip *chip = world_find_chip_locked(&self->world, bus, cs);
    if (chip == NULL) {
        world_unlock(&self->world);
        PyErr_Format(PyExc_LookupError, "no reader is attached to spi%u.%u", bus, cs);
    }
    return chip;
}

/* The card of that object; made and listed when it is new. */
static struct sim_card *
find_card(SimWorldObject *self, PyObject *object)
{
    for (struct sim_card *card = self->cards; card != NULL; card = card->next) {
        if (card->object == object) {
            return card;
        }
    }
    struct sim_card *card = ah_sim_card_new(object); /* runs Python */
    if (card == NULL) {
        return NULL;
    }
    struct sim_card **last = &self->cards;
    while (*last != NULL) {
        last = &(*last)->next;
    }
    *last = card;
    return card;
}

/* Entered.  An action with the card, or -1 with an exception. */
static int
schedule(SimWorldObject *self, const struct world_action *plan, struct sim_card *card)
{
    struct world_action *action = malloc(sizeof *action); /* the world frees it */
    if (action == NULL) {
        PyErr_NoMemory();
        return -1;
    }
    *action = *plan;
    action->node.index = -1;
    if (card != NULL) {
        action->card = &card->card;
        action->uses = &card->uses;
        card->uses++;
    }
    int err = world_schedule_locked(&self->world, action);
    if (err < 0) {
        if (card != NULL) {
            card->uses--;
        }
        free(action);
        return ah_raise_errno(err, NULL);
    }
    return 0;
}

static int
present_now(struct world_chip *chip, struct sim_card *card)
{
    int err = world_present_locked(chip, &card->card);
    if (err == -EBUSY) {
        PyErr_Format(
            PyExc_ValueError, "%R is in %s field already; remove it first",
            card->object,
            card->card.field == &chip->field ? "this reader's" : "another reader's");
        return -1;
    }
    if (err == -ENOSPC) {
        PyErr_Format(PyExc_ValueError, "a field holds at most %d cards",
                     FIELD_CARDS_MAX);
        return -1;
    }
    return err < 0 ? ah_raise_errno(err, "present") : 0;
}

static int
move_card(SimWorldObject *self, PyObject *args, const char *format,
          enum world_deed deed)
{
    unsigned int bus, cs;
    PyObject *object, *at = Py_None;
    bool later;
    struct world_action plan = {.deed = deed, .start = WORLD_FIELD_ON};
    if (!PyArg_ParseTuple(args, format, &bus, &cs, &object, &at) ||
        parse_seconds(at, "at", &later, &plan.after_ns) < 0) {
        return -1;
    }
    plan.chip = enter_chip(self, bus, cs);
    if (plan.chip == NULL) {
        return -1;
    }
    int result = -1;
    struct sim_card *card = find_card(self, object); /* runs Python */
    if (card == NULL) {
        /* the exception is set */
    }
    else if (later) {
        result = schedule(self, &plan, card);
    }
    else if (deed == WORLD_PRESENT) {
        result = present_now(plan.chip, card);
    }
    else if (card->card.field == &plan.chip->field) {
        world_remove_locked(&self->world, &card->card);
        result = 0;
    }
    else {
        PyErr_Format(PyExc_ValueError, "%R is not in this reader's field", object);
    }
    if (result < 0) {
        PyObject *type, *value, *traceback;
        PyErr_Fetch(&type, &value, &traceback);
        if (leave_changed(self) < 0) {
            PyErr_Clear();
        }
        PyErr_Restore(type, value, traceback);
        return -1;
    }
    return leave_changed(self);
}

static PyObject *
SimWorld_present(SimWorldObject *self, PyObject *args)
{
    if (move_card(self, args, "IIO|O:present", WORLD_PRESENT) < 0) {
        return NULL;
    }
    Py_RETURN_NONE;
}

static PyObject *
SimWorld_remove(SimWorldObject *self, PyObject *args)
{
    if (move_card(self, args, "IIO|O:remove", WORLD_REMOVE) < 0) {
        return NULL;
    }
    Py_RETURN_NONE;
}

static PyObject *
SimWorld_cards(SimWorldObject *self, PyObject *args)
{
    unsigned int bus, cs;
    int expected = 0;
    if (!PyArg_ParseTuple(args, "II|p:cards", &bus, &cs, &expected)) {
        return NULL;
    }
    struct world_chip *chip = enter_chip(self, bus, cs);
    if (chip == NULL) {
        return NULL;
    }
    PyObject *list = PyList_New(0);
    for (struct sim_card *card = self->cards; list != NULL && card != NULL;
         card = card->next) {
        bool wanted = card->card.field == &chip->field || (expected && card->uses > 0);
        if (wanted && PyList_Append(list, card->object) < 0) {
            Py_CLEAR(list);
        }
    }
    world_unlock(&self->world);
    return list;
}

static PyObject *
SimWorld_field_on(SimWorldObject *self, PyObject *args)
{
    unsigned int bus, cs;
    if (!PyArg_ParseTuple(args, "II:field_on", &bus, &cs)) {
        return NULL;
    }
    struct world_chip *chip = enter_chip(self, bus, cs);
    if (chip == NULL) {
        return NULL;
    }
    bool on = chip->field.carrier;
    world_unlock(&self->world);
    return PyBool_FromLong(on);
}

static PyObject *
SimWorld_peek(SimWorldObject *self, PyObject *args)
{
    unsigned int bus, cs;
    unsigned char addr;
    if (!PyArg_ParseTuple(args, "IIb:peek", &bus, &cs, &addr)) {
        return NULL;
    }
    if (addr > 0x3F) {
        PyErr_SetString(PyExc_ValueError, "a register address is 0x00 to 0x3f");
        return NULL;
    }
    struct world_chip *chip = enter_chip(self, bus, cs);
    if (chip == NULL) {
        return NULL;
    }
    long value = mfrc522_sim_peek(chip->mfrc522, addr);
    world_unlock(&self->world);
    return PyLong_FromLong(value);
}

/* Lines. */

static PyObject *
SimWorld_drive(SimWorldObject *self, PyObject *args)
{
    PyObject *at = Py_None, *value;
    int line, level = LINE_UNDRIVEN;
    bool later;
    struct world_action plan = {.deed = WORLD_DRIVE, .start = WORLD_REQUESTED};
    if (!PyArg_ParseTuple(args, "iO|O:drive", &line, &value, &at) ||
        check_line(self, line) < 0 ||
        parse_seconds(at, "at", &later, &plan.after_ns) < 0) {
        return NULL;
    }
    if (value != Py_None) {
        level = PyObject_IsTrue(value); /* runs Python */
        if (level < 0) {
            return NULL;
        }
    }
    if (enter(self) < 0) {
        return NULL;
    }
    int result = 0;
    plan.line = (unsigned)line;
    plan.level = level;
    if (later) {
        result = schedule(self, &plan, NULL);
    }
    else {
        bank_drive(&self->world.lines, plan.line, level, NS_NEVER);
    }
    if (result < 0) {
        world_unlock(&self->world);
        return NULL;
    }
    if (leave_changed(self) < 0) {
        return NULL;
    }
    Py_RETURN_NONE;
}

/* One line's number out of the arguments, and the world not closed. */
static int
parse_line(SimWorldObject *self, PyObject *arg)
{
    int line = line_number(self, arg);
    return line >= 0 && self->world.closed ? raise_closed() : line;
}

static PyObject *
SimWorld_level(SimWorldObject *self, PyObject *arg)
{
    int line = parse_line(self, arg);
    return line < 0 ? NULL
                    : PyLong_FromLong(bank_level(&self->world.lines, (unsigned)line));
}

static PyObject *
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

static PyObject *
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

static PyObject *
SimWorld_pull(SimWorldObject *self, PyObject *args)
{
    int line, up;
    if (!PyArg_ParseTuple(args, "ip:pull", &line, &up) || check_line(self, line) < 0 ||
        enter(self) < 0) {
        return NULL;
    }
    bank_pull(&self->world.lines, (unsigned)line, up ? LINE_PULL_UP : LINE_PULL_DOWN);
    if (leave_changed(self) < 0) {
        return NULL;
    }
    Py_RETURN_NONE;
}

/* Devices. */

static void
raise_request_error(SimWorldObject *self, int err, const uint32_t *offsets, unsigned n)
{
    char holder[LINE_CONSUMER_MAX], what[64], remedy[80];
    if (err == -EBUSY) {
        for (unsigned i = 0; i < n; i++) {
            if (bank_consumer(&self->world.lines, offsets[i], holder)) {
                PyOS_snprintf(what, sizeof what, "line %u", (unsigned)offsets[i]);
                PyOS_snprintf(remedy, sizeof remedy, "it is in use by '%s'", holder);
                (void)ah_raise_errno_remedy(err, what, remedy);
                return;
            }
        }
    }
    PyOS_snprintf(what, sizeof what, "line %u", (unsigned)offsets[0]);
    (void)ah_raise_errno_remedy(
        err, what, err == -EBUSY ? "it is given twice in one request" : NULL);
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

static PyObject *
SimWorld_request_lines(SimWorldObject *self, PyObject *args)
{
    PyObject *offsets_arg, *settings_arg, *request_object;
    const char *consumer;
    uint32_t offsets[LINES_MAX];
    struct line_settings settings[LINES_MAX];
    struct line_request *request;
    if (!PyArg_ParseTuple(args, "O!O!s:request_lines", &PyTuple_Type, &offsets_arg,
                          &PyTuple_Type, &settings_arg, &consumer)) {
        return NULL;
    }
    int n = parse_lines(self, offsets_arg, settings_arg, offsets, settings);
    if (n < 0 || (self->world.closed && raise_closed() < 0)) {
        return NULL;
    }
    int err;
    Py_BEGIN_ALLOW_THREADS err = world_request_lines(&self->world, offsets, (unsigned)n,
                                                     settings, consumer, &request);
    Py_END_ALLOW_THREADS if (err < 0)
    {
        raise_request_error(self, err, offsets, (unsigned)n);
        return NULL;
    }
    PyOS_snprintf(request->name, sizeof request->name, "%s",
                  PyUnicode_AsUTF8(self->name));
    request_object = ah_line_request_new(self->st, request, (PyObject *)self);
    /* Actions that count from the first request begin now. */
    world_enter(&self->world);
    if (leave_changed(self) < 0) {
        Py_CLEAR(request_object);
    }
    return request_object;
}

static PyObject *
SimWorld_open_spi(SimWorldObject *self, PyObject *args)
{
    unsigned int bus, cs;
    struct spi_config config = {.bits_per_word = 8};
    struct spi_device *device;
    if (!PyArg_ParseTuple(args, "IIII:open_spi", &bus, &cs, &config.speed_hz,
                          &config.mode)) {
        return NULL;
    }
    if (self->world.closed) {
        (void)raise_closed();
        return NULL;
    }
    int err;
    Py_BEGIN_ALLOW_THREADS err =
        world_open_spi(&self->world, bus, cs, &config, &device);
    Py_END_ALLOW_THREADS if (err < 0)
    {
        char what[32];
        PyOS_snprintf(what, sizeof what, "spi%u.%u", bus, cs);
        (void)ah_raise_errno_remedy(
            err, what,
            err == -EINVAL ? "speed_hz must be above 0 and mode 0 to 3" : NULL);
        return NULL;
    }
    return ah_spi_device_new(self->st, device, (PyObject *)self);
}

static PyObject *
SimWorld_time(SimWorldObject *self, PyObject *Py_UNUSED(ignored))
{
    return PyFloat_FromDouble((double)world_now(&self->world) / 1e9);
}

static PyObject *
SimWorld_use_clock(SimWorldObject *self, PyObject *arg)
{
    struct vclock *clock;
    if (ah_virtual_clock_arg(self->st, arg, &clock) < 0) {
        return NULL;
    }
    if (world_is_inside(&self->world)) {
        PyErr_SetString(PyExc_RuntimeError, "a card's code cannot change the clock");
        return NULL;
    }
    PyObject *before = self->clock;
    self->clock = clock != NULL ? Py_NewRef(arg) : NULL;
    Py_BEGIN_ALLOW_THREADS world_set_home(&self->world, clock);
    Py_END_ALLOW_THREADS Py_XDECREF(before);
    Py_RETURN_NONE;
}

static PyObject *
SimWorld_get_closed(SimWorldObject *self, void *Py_UNUSED(closure))
{
    return PyBool_FromLong(self->world.closed);
}

static PyObject *
SimWorld_get_clock(SimWorldObject *self, void *Py_UNUSED(closure))
{
    return Py_NewRef(self->clock != NULL ? self->clock : Py_None);
}

#define SIM_METHOD(name, flags, text) \
    {#name, (PyCFunction)(void (*)(void))SimWorld_##name, flags, PyDoc_STR(text)}

static PyMethodDef SimWorld_methods[] = {
    SIM_METHOD(attach, METH_VARARGS,
               "attach($self, bus, cs, irq, reset, version, /)\n--\n\n"
               "Plug an MFRC522 into a chip select; a line of -1 is not wired."),
    SIM_METHOD(present, METH_VARARGS,
               "present($self, bus, cs, card, at=None, /)\n--\n\n"
               "Lay a card into a reader's field, now or `at` seconds after the field\n"
               "first went on."),
    SIM_METHOD(remove, METH_VARARGS,
               "remove($self, bus, cs, card, at=None, /)\n--\n\n"
               "Take a card out of a reader's field; see present()."),
    SIM_METHOD(cards, METH_VARARGS,
               "cards($self, bus, cs, expected=False, /)\n--\n\n"
               "The cards in a reader's field; `expected`: and those that something\n"
               "is scheduled for."),
    SIM_METHOD(field_on, METH_VARARGS,
               "field_on($self, bus, cs, /)\n--\n\nWhether the reader transmits."),
    SIM_METHOD(peek, METH_VARARGS,
               "peek($self, bus, cs, register, /)\n--\n\n"
               "A register of the chip, read without side effects."),
    SIM_METHOD(drive, METH_VARARGS,
               "drive($self, line, level, at=None, /)\n--\n\n"
               "Force a line low or high, None: let go; now or `at` seconds after it\n"
               "was first requested."),
    SIM_METHOD(level, METH_O, "level($self, line, /)\n--\n\nPhysical level, 0 or 1."),
    SIM_METHOD(driven, METH_O,
               "driven($self, line, /)\n--\n\nWhat drive() holds it at, or None."),
    SIM_METHOD(consumer, METH_O,
               "consumer($self, line, /)\n--\n\nWho has requested the line, or None."),
    SIM_METHOD(pull, METH_VARARGS,
               "pull($self, line, up, /)\n--\n\nThe line's pull resistor at power-on."),
    SIM_METHOD(request_lines, METH_VARARGS,
               "request_lines($self, offsets, settings, consumer, /)\n--\n\n"
               "A LineRequest; tuples of offsets and of LineSettings."),
    SIM_METHOD(open_spi, METH_VARARGS,
               "open_spi($self, bus, cs, speed_hz, mode, /)\n--\n\nAn SPIDevice."),
    SIM_METHOD(time, METH_NOARGS,
               "time($self, /)\n--\n\nSeconds since the board was made, on its clock."),
    SIM_METHOD(
        close, METH_NOARGS,
        "close($self, /)\n--\n\nUnplug it: devices that are open fail from now on."),
    {NULL, NULL, 0, NULL},
};

static PyGetSetDef SimWorld_getset[] = {
    {"closed", (getter)SimWorld_get_closed, NULL, PyDoc_STR("Whether it is closed."),
     NULL},
    {"clock", (getter)SimWorld_get_clock, NULL,
     PyDoc_STR("Its VirtualClock when no device says otherwise; None: real time."),
     NULL},
    {NULL, NULL, NULL, NULL, NULL},
};

static PyType_Slot SimWorld_slots[] = {
    {Py_tp_doc, PyDoc_STR("SimWorld(name, num_lines, clock=None)\n--\n\n"
                          "A simulated board's time, lines, readers and cards; "
                          "see pyasync_hw.sim.Board.")},
    {Py_tp_new, SimWorld_new},
    {Py_tp_traverse, SimWorld_traverse},
    {Py_tp_clear, SimWorld_clear},
    {Py_tp_finalize, SimWorld_finalize},
    {Py_tp_dealloc, SimWorld_dealloc},
    {Py_tp_methods, SimWorld_methods},
    {Py_tp_getset, SimWorld_getset},
    {0, NULL},
};

static PyType_Spec SimWorld_spec = {
    .name = "pyasync_hw._core.SimWorld",
    .basicsize = sizeof(SimWorldObject),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC | Py_TPFLAGS_IMMUTABLETYPE,
    .slots = SimWorld_slots,
};

int
ah_sim_type_setup(PyObject *module)
{
    ModuleState *st = ah_state(module);
    st->sim_world_type =
        (PyTypeObject *)PyType_FromModuleAndSpec(module, &SimWorld_spec, NULL);
    if (st->sim_world_type == NULL) {
        return -1;
    }
    return PyModule_AddType(module, st->sim_world_type);
}
