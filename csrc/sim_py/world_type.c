/* _core.SimWorld: Python's hold on a simulated board (sim/world.h).
 *
 * Which thread: any.  A method enters the world with world_enter(), which gives up
 * the GIL only when it must wait; a card's code may hold the world and lose the GIL.
 * A card's Python object lives in `cards` while it is in a field or an action will
 * move it; it is dropped with the GIL held and the world not.  Devices keep their
 * SimWorld alive, so at dealloc none is open.
 */
#include "sim_py/card.h"
#include "sim_py/field.h"
#include "sim_py/lines.h"
#include "sim_py/part.h"
#include "sim_py/watch.h"
#include "sim_py/target.h"
#include "py/clock_type.h"
#include "py/errors.h"
#include "py/exceptions.h"

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

static void
keep_clock(struct vclock *clock)
{
    Py_INCREF(ah_virtual_clock_object(clock));
}

static void
drop_clock(struct vclock *clock)
{
    Py_DECREF(ah_virtual_clock_object(clock));
}

static const struct world_host gil_host = {
    .release = release_gil,
    .acquire = acquire_gil,
    .keep_clock = keep_clock,
    .drop_clock = drop_clock,
};

static void
sim_world_in_child(PyObject *object)
{
    SimWorldObject *self = (SimWorldObject *)object;
    if (self->has_world) {
        wall_clock_in_child(&self->world.wall);
        watch_in_child(&self->world.watch);
    }
}

static PyObject *
SimWorld_new(PyTypeObject *type, PyObject *args, PyObject *kwargs)
{
    static char *kwlist[] = {"name", "num_lines", "clock", "spi_message_us", NULL};
    PyObject *name, *clock_arg = Py_None;
    int num_lines;
    unsigned int spi_message_us = 0;
    struct vclock *clock;
    ModuleState *st = ah_state_of_type(type);
    if (st == NULL ||
        !PyArg_ParseTupleAndKeywords(args, kwargs, "Ui|OI:SimWorld", kwlist, &name,
                                     &num_lines, &clock_arg, &spi_message_us) ||
        ah_virtual_clock_arg(st, clock_arg, &clock) < 0) {
        return NULL;
    }
    if (PyUnicode_AsUTF8(name) == NULL) {
        return NULL; /* requests are named after it */
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
    int err;
    Py_BEGIN_ALLOW_THREADS /* who moves the clock may wait for another board's card */
    err = world_init(&self->world, (unsigned)num_lines, clock, &gil_host);
    Py_END_ALLOW_THREADS
    if (err < 0) {
        (void)ah_raise_errno(err, "SimWorld");
        Py_DECREF(self);
        return NULL;
    }
    self->has_world = true;
    self->world.spi_message_ns = spi_message_us * NS_PER_US;
    (void)ah_keep_clock(clock); /* world.home */
    ah_fork_register(st, &self->fork, (PyObject *)self, sim_world_in_child);
    return (PyObject *)self;
}

static int
SimWorld_traverse(SimWorldObject *self, visitproc visit, void *arg)
{
    Py_VISIT(Py_TYPE(self));
    for (struct sim_card *card = self->cards; card != NULL; card = card->next) {
        Py_VISIT(card->object);
    }
    for (struct sim_part *part = self->parts; part != NULL; part = part->next) {
        Py_VISIT(part->object);
    }
    for (struct sim_target *target = self->targets; target != NULL;
         target = target->next) {
        Py_VISIT(target->object);
    }
    return 0; /* a VirtualClock and a str refer to nothing */
}

/* Unplug; idempotent.  Not from card code. */
static void
close_world(SimWorldObject *self)
{
    if (self->has_world && !ah_is_inherited(&self->fork)) {
        Py_BEGIN_ALLOW_THREADS
        world_close(&self->world);
        Py_END_ALLOW_THREADS
        ah_sim_drop_idle_cards(self); /* runs Python */
        ah_sim_drop_parts(self);      /* runs Python */
        ah_sim_drop_targets(self);    /* runs Python */
    }
}

static void
SimWorld_finalize(SimWorldObject *self)
{
    PyObject *exc = ah_take_exception();
    close_world(self); /* runs Python */
    ah_restore_exception(exc);
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
    ah_fork_unregister(&self->fork);
    if (self->has_world && !ah_is_inherited(&self->fork)) {
        world_destroy(&self->world);
    }
    self->st->live[AH_LIVE_SimWorld]--;
    if (self->has_world) {
        ah_drop_clock(self->world.home);
    }
    Py_CLEAR(self->name);
    type->tp_free((PyObject *)self);
    Py_DECREF(type);
}

static PyObject *
SimWorld_close(SimWorldObject *self, PyObject *Py_UNUSED(ignored))
{
    if (ah_is_inherited(&self->fork)) {
        Py_RETURN_NONE;
    }
    if (world_is_inside(&self->world)) {
        PyErr_SetString(PyExc_RuntimeError,
                        "a card's code cannot close the board it is on");
        return NULL;
    }
    close_world(self); /* runs Python */
    Py_RETURN_NONE;
}

static PyObject *
SimWorld_time(SimWorldObject *self, PyObject *Py_UNUSED(ignored))
{
    if (ah_sim_check_own(self) < 0) {
        return NULL;
    }
    return PyFloat_FromDouble(clock_seconds(world_now(&self->world)));
}

static PyObject *
SimWorld_use_clock(SimWorldObject *self, PyObject *arg)
{
    struct vclock *clock;
    if (ah_sim_check_own(self) < 0 || ah_virtual_clock_arg(self->st, arg, &clock) < 0) {
        return NULL;
    }
    if (world_is_inside(&self->world)) {
        PyErr_SetString(PyExc_RuntimeError, "a card's code cannot change the clock");
        return NULL;
    }
    struct vclock *before;
    (void)ah_keep_clock(clock);
    Py_BEGIN_ALLOW_THREADS
    before = world_set_home(&self->world, clock);
    Py_END_ALLOW_THREADS
    ah_drop_clock(before);
    Py_RETURN_NONE;
}

static PyObject *
SimWorld_get_closed(SimWorldObject *self, void *Py_UNUSED(closure))
{
    return PyBool_FromLong(self->world.closed || ah_is_inherited(&self->fork));
}

static PyObject *
SimWorld_get_clock(SimWorldObject *self, void *Py_UNUSED(closure))
{
    PyObject *clock = ah_keep_clock(self->world.home);
    return clock != NULL ? clock : Py_NewRef(Py_None);
}

#define SIM_METHOD(name, flags, text) \
    {#name, (PyCFunction)(void (*)(void))SimWorld_##name, flags, PyDoc_STR(text)}

static PyMethodDef SimWorld_methods[] = {
    SIM_METHOD(attach, METH_VARARGS,
               "attach($self, bus, cs, irq, reset, version, /)\n--\n\n"
               "Plug an MFRC522 into a chip select; a line of -1 is not wired."),
    SIM_METHOD(attach_part, METH_VARARGS,
               "attach_part($self, bus, cs, part, modes, max_hz, /)\n--\n\n"
               "Plug a part, whose transfer(bytes) answers each frame, into a chip\n"
               "select; bit n of modes: it understands SPI mode n; max_hz 0: any."),
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
    SIM_METHOD(
        wave, METH_O,
        "wave($self, line, /)\n--\n\n"
        "(period, time high) of the square wave on a line, in nanoseconds; None:\n"
        "it stays at its level."),
    SIM_METHOD(driven, METH_O,
               "driven($self, line, /)\n--\n\nWhat drive() holds it at, or None."),
    SIM_METHOD(consumer, METH_O,
               "consumer($self, line, /)\n--\n\nWho has requested the line, or None."),
    SIM_METHOD(pull, METH_VARARGS,
               "pull($self, line, up, /)\n--\n\nThe line's pull resistor at power-on."),
    SIM_METHOD(open_watch, METH_NOARGS,
               "open_watch($self, /)\n--\n\n"
               "The calling thread tells news from now on; a descriptor that is\n"
               "readable while there are any, or the board is closed."),
    SIM_METHOD(watch, METH_O,
               "watch($self, line, /)\n--\n\nA line's levels are news from now on."),
    SIM_METHOD(watch_drivers, METH_O,
               "watch_drivers($self, line, /)\n--\n\n"
               "What a line is driven to is news from now on."),
    SIM_METHOD(news, METH_NOARGS,
               "news($self, /)\n--\n\n"
               "What has happened: (line, level, time), or (-1, number, time) of\n"
               "call_at(); on a virtual clock time stands still until it is told()."),
    SIM_METHOD(told, METH_O, "told($self, count, /)\n--\n\nSo many news are told."),
    SIM_METHOD(tell, METH_VARARGS,
               "tell($self, callback, /, *args)\n--\n\n"
               "Call it; what it raises goes to sys.unraisablehook."),
    SIM_METHOD(call_at, METH_VARARGS,
               "call_at($self, number, time, line=-1, /)\n--\n\n"
               "That number is news at a time of time(), or so long after the line\n"
               "was first requested."),
    SIM_METHOD(output, METH_O,
               "output($self, line, /)\n--\n\n"
               "Its number: something that can drive a line, and does not yet."),
    SIM_METHOD(set_output, METH_VARARGS,
               "set_output($self, output, level, at=None, /)\n--\n\n"
               "Drive the line low or high, None: let go; now or at a time of time()."),
    SIM_METHOD(others, METH_O,
               "others($self, output, /)\n--\n\n"
               "What everybody but this output drives its line to, or None."),
    SIM_METHOD(name_line, METH_VARARGS,
               "name_line($self, line, name, /)\n--\n\nWhat line info calls it."),
    SIM_METHOD(open_gpiochip, METH_NOARGS,
               "open_gpiochip($self, /)\n--\n\nThe chip of its lines: a GPIOChip."),
    SIM_METHOD(request_lines, METH_VARARGS,
               "request_lines($self, offsets, settings, consumer, event_buffer_size=0, "
               "/)\n--\n\n"
               "A LineRequest; tuples of offsets and of LineSettings."),
    SIM_METHOD(open_spi, METH_VARARGS,
               "open_spi($self, bus, cs, speed_hz, mode, /)\n--\n\nAn SPIDevice."),
    SIM_METHOD(attach_i2c, METH_VARARGS,
               "attach_i2c($self, bus, address, ten_bit, part, /)\n--\n\n"
               "Put a part at an address: an object with write(bytes) and read(n)."),
    SIM_METHOD(detach_i2c, METH_VARARGS,
               "detach_i2c($self, bus, address, ten_bit, /)\n--\n\n"
               "Take the part at an address away."),
    SIM_METHOD(open_i2c, METH_VARARGS,
               "open_i2c($self, bus, funcs, reads_last, /)\n--\n\n"
               "An I2CBus; funcs: what its adapter can do (linux/i2c.h); reads_last:\n"
               "and no read that is not a transfer's last message."),
    SIM_METHOD(time, METH_NOARGS,
               "time($self, /)\n--\n\nSeconds since the board was made, on its clock."),
    SIM_METHOD(use_clock, METH_O,
               "use_clock($self, clock, /)\n--\n\n"
               "Go on, from now, on a VirtualClock or (None) in real time."),
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
    {Py_tp_doc,
     PyDoc_STR("SimWorld(name, num_lines, clock=None, spi_message_us=0)\n--\n\n"
               "A simulated board's time, lines, readers and cards; "
               "see pyasync_hw.sim.Board.\nspi_message_us: what an SPI "
               "message takes, apart from its bits.")},
    {Py_tp_new, SimWorld_new},
    {Py_tp_traverse, SimWorld_traverse},
    {Py_tp_clear, SimWorld_clear},
    {Py_tp_finalize, SimWorld_finalize},
    {Py_tp_dealloc, SimWorld_dealloc},
    {Py_tp_methods, SimWorld_methods},
    {Py_tp_getset, SimWorld_getset},
    {0, NULL},
};

PyType_Spec SimWorld_spec = {
    .name = "pyasync_hw._core.SimWorld",
    .basicsize = sizeof(SimWorldObject),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC | Py_TPFLAGS_IMMUTABLETYPE,
    .slots = SimWorld_slots,
};
