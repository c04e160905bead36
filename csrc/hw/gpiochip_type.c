/* _core.GPIOChip: what its lines are, and who hears of their changes; see
 * gpiochip_type.h. */
#include "hw/gpiochip_type.h"

#include <errno.h>
#include <string.h>

#include "base/block.h"
#include "base/list.h"
#include "hw/loop_future.h"
#include "hw/wait.h"
#include "py/blocking.h"
#include "py/clock_type.h"
#include "py/errors.h"
#include "py/exceptions.h"

/* A thread that blocks. */
struct chip_blocker {
    struct chip_blocker *next;
    struct cancel_token woken; /* look again */
};

typedef struct {
    DeviceObject device; /* its handle: a struct line_chip */
    struct hw_wait wait; /* armed exactly as long as there are waiters */
    PyObject *waiters;   /* owned list of futures, or NULL */
    struct chip_blocker *blockers;
} GPIOChipObject;

/* -- who waits ------------------------------------------------------------- */

/* Wake all who await, `err` 0: to look again. */
static void
wake_waiters(GPIOChipObject *self, int err)
{
    PyObject *kept = ah_take_exception();
    ModuleState *st = self->device.st;
    PyObject *futures = self->waiters;
    PyObject *loop = Py_XNewRef(self->wait.loop);
    self->waiters = NULL;
    Py_INCREF(self);
    hw_wait_disarm(&self->wait);                                /* runs Python */
    int is_closed = loop != NULL ? hw_loop_is_closed(loop) : 1; /* runs Python */
    if (is_closed < 0) {
        PyErr_WriteUnraisable((PyObject *)self);
    }
    Py_ssize_t n = futures != NULL && is_closed == 0 ? PyList_GET_SIZE(futures) : 0;
    for (Py_ssize_t i = 0; i < n; i++) {
        PyObject *error = NULL;
        if (err < 0) {
            (void)ah_device_raise(&self->device, err);
            error = ah_take_exception();
        }
        if (hw_future_tell(st, loop, PyList_GET_ITEM(futures, i), error) < 0) {
            PyErr_WriteUnraisable((PyObject *)self); /* runs Python */
        }
        Py_XDECREF(error);
    }
    if (n > 0) {
        hw_loop_wake(st, loop); /* runs Python */
    }
    Py_XDECREF(futures); /* runs Python */
    Py_XDECREF(loop);    /* runs Python */
    Py_DECREF(self);     /* runs Python */
    ah_restore_exception(kept);
}

static int
on_readable(struct hw_wait *wait, int Py_UNUSED(what))
{
    wake_waiters((GPIOChipObject *)((char *)wait - offsetof(GPIOChipObject, wait)),
                 0); /* runs Python */
    return 0;
}

/* -- its life -------------------------------------------------------------- */

static void
chip_close(void *handle)
{
    struct line_chip *chip = handle;
    chip->ops->close(chip->self);
}

static int
chip_use_clock(void *handle, struct vclock **clock)
{
    struct line_chip *chip = handle;
    return chip->ops->use_clock(chip->self, clock);
}

/* The threads that waited are not here. */
static void
chip_in_child(PyObject *object)
{
    GPIOChipObject *self = (GPIOChipObject *)object;
    struct line_chip *chip = self->device.handle;
    self->blockers = NULL;
    if (self->device.owner != NULL && chip != NULL && chip->ops->in_child != NULL) {
        chip->ops->in_child(chip->self);
    }
    ah_device_in_child(object);
}

static void
chip_fail(DeviceObject *device)
{
    GPIOChipObject *self = (GPIOChipObject *)device;
    wake_waiters(self, -EBADF); /* runs Python */
    for (struct chip_blocker *b = self->blockers; b != NULL; b = b->next) {
        (void)token_cancel(&b->woken); /* it cannot fail: see wake_up() */
    }
}

static void
chip_free(DeviceObject *device)
{
    GPIOChipObject *self = (GPIOChipObject *)device;
    hw_wait_disarm(&self->wait);
    Py_CLEAR(self->waiters);
}

static const struct device_kind chip_kind = {
    .counter = AH_LIVE_GPIOChip,
    .closed = "GPIO chip %s is closed",
    .unclosed = "unclosed GPIO chip %s",
    .on_clock = "GPIO chip",
    .inherited = "simulated GPIO chip",
    .remedy = "open it in the child",
    .close = chip_close,
    .use_clock = chip_use_clock,
    .in_child = chip_in_child,
    .fail = chip_fail,
    .free = chip_free,
};

PyObject *
ah_gpiochip_new(ModuleState *st, struct line_chip *chip, PyObject *owner)
{
    GPIOChipObject *self =
        (GPIOChipObject *)ah_device_new(st, st->gpiochip_type, &chip_kind, chip, owner);
    if (self == NULL) {
        return NULL;
    }
    DeviceObject *device = &self->device;
    device->time = &chip->time;
    device->keeps_gil = owner == NULL;
    PyOS_snprintf(device->what, sizeof device->what, "%s", chip->name);
    hw_wait_init(&self->wait);
    return (PyObject *)self;
}

static int
GPIOChip_traverse(GPIOChipObject *self, visitproc visit, void *arg)
{
    Py_VISIT(self->waiters);
    int visited = hw_wait_traverse(&self->wait, visit, arg);
    return visited != 0 ? visited : ah_device_traverse(&self->device, visit, arg);
}

static int
GPIOChip_clear(GPIOChipObject *self)
{
    Py_INCREF(self);
    hw_wait_disarm(&self->wait); /* runs Python */
    Py_CLEAR(self->waiters);     /* runs Python */
    int err = ah_device_clear(&self->device);
    Py_DECREF(self);
    return err;
}

/* -- lines ----------------------------------------------------------------- */

/* Names are cut at 31 bytes, be it within a character. */
static PyObject *
kernel_text(const char *text)
{
    return PyUnicode_DecodeUTF8(text, (Py_ssize_t)strlen(text), "replace");
}

/* (offset, name, consumer, flags, debounce period in us or None) */
static PyObject *
info_tuple(const struct gpio_line_info *info)
{
    PyObject *debounce = Py_NewRef(Py_None);
    for (uint32_t i = 0; i < info->num_attrs && i < GPIO_ATTRS_MAX; i++) {
        if (info->attrs[i].id == GPIO_ATTR_DEBOUNCE) {
            Py_SETREF(debounce,
                      PyLong_FromUnsignedLong(info->attrs[i].debounce_period_us));
        }
    }
    return Py_BuildValue("(INNKN)", (unsigned int)info->offset, kernel_text(info->name),
                         kernel_text(info->consumer), (unsigned long long)info->flags,
                         debounce);
}

/* The chip, begun, and an offset that it has; NULL with an exception. */
static struct line_chip *
begin_line(GPIOChipObject *self, PyObject *arg, uint32_t *offset)
{
    long long number;
    struct line_chip *chip = ah_device_begin(&self->device);
    if (chip == NULL) {
        return NULL;
    }
    if (ah_integer_arg(arg, "offset", 0, (long long)chip->num_lines - 1, &number) < 0) {
        ah_device_end(&self->device);
        return NULL;
    }
    *offset = (uint32_t)number;
    return chip;
}

static PyObject *
look(GPIOChipObject *self, PyObject *arg, bool watch)
{
    struct gpio_line_info info;
    uint32_t offset;
    struct line_chip *chip = begin_line(self, arg, &offset);
    if (chip == NULL) {
        return NULL;
    }
    PyObject *result = NULL;
    int err = chip->ops->line_info(chip->self, offset, watch, &info);
    if (err == -EBUSY) {
        (void)ah_raise_errno_remedy(err, self->device.what,
                                    "this line is watched already");
    }
    else if (err < 0) {
        (void)ah_device_raise(&self->device, err);
    }
    else {
        result = info_tuple(&info);
    }
    ah_device_end(&self->device);
    return result;
}

static PyObject *
GPIOChip_line_info(GPIOChipObject *self, PyObject *arg)
{
    return look(self, arg, false);
}

static PyObject *
GPIOChip_watch(GPIOChipObject *self, PyObject *arg)
{
    return look(self, arg, true);
}

static PyObject *
GPIOChip_unwatch(GPIOChipObject *self, PyObject *arg)
{
    uint32_t offset;
    struct line_chip *chip = begin_line(self, arg, &offset);
    if (chip == NULL) {
        return NULL;
    }
    int err = chip->ops->unwatch(chip->self, offset);
    if (err == -EBUSY) {
        (void)ah_raise_errno_remedy(err, self->device.what, "this line is not watched");
    }
    else if (err < 0) {
        (void)ah_device_raise(&self->device, err);
    }
    ah_device_end(&self->device);
    return err < 0 ? NULL : Py_NewRef(Py_None);
}

/* -- events ---------------------------------------------------------------- */

/* (type, timestamp_ns, line info) */
static PyObject *
event_tuple(const struct gpio_info_event *event)
{
    PyObject *info = info_tuple(&event->info);
    return info == NULL ? NULL
                        : Py_BuildValue("(IKN)", (unsigned int)event->type,
                                        (unsigned long long)event->timestamp_ns, info);
}

static PyObject *
GPIOChip_take(GPIOChipObject *self, PyObject *Py_UNUSED(ignored))
{
    struct gpio_info_event event;
    struct line_chip *chip = ah_device_begin(&self->device);
    if (chip == NULL) {
        return NULL;
    }
    int err = chip->ops->read_event(chip->self, &event);
    ah_device_end(&self->device);
    if (err == -EAGAIN) {
        Py_RETURN_NONE;
    }
    if (err < 0) {
        (void)ah_device_raise(&self->device, err);
        return NULL;
    }
    return event_tuple(&event);
}

/* Is the wait free for `loop`?  A closed loop's waiters never come back. */
static int
claim_loop(GPIOChipObject *self, PyObject *loop)
{
    PyObject *other = self->wait.loop;
    if (other == NULL || other == loop) {
        return 0;
    }
    int is_closed = hw_loop_is_closed(other); /* runs Python */
    if (is_closed == 0) {
        PyErr_Format(PyExc_RuntimeError,
                     "events of GPIO chip %s are awaited on another event loop",
                     self->device.what);
    }
    if (is_closed <= 0) {
        return -1;
    }
    wake_waiters(self, 0); /* runs Python: nobody is told, it is closed */
    return self->wait.loop == NULL ? 0 : claim_loop(self, loop);
}

/* Begun. */
static PyObject *
arm_future(GPIOChipObject *self, PyObject *loop)
{
    DeviceObject *device = &self->device;
    if (claim_loop(self, loop) < 0 || ah_device_use_loop(device, loop) < 0) {
        return NULL;
    }
    PyObject *future = PyObject_CallMethodNoArgs(
        loop, device->st->name_create_future); /* runs Python */
    if (future == NULL) {
        return NULL;
    }
    if (claim_loop(self, loop) < 0) { /* another thread may have been faster */
        goto error;
    }
    if (ah_device_is_closed(device)) {
        (void)ah_device_raise(&self->device, -EBADF);
        goto error;
    }
    if (self->waiters == NULL && (self->waiters = PyList_New(0)) == NULL) {
        goto error;
    }
    if (PyList_Append(self->waiters, future) < 0) {
        goto error;
    }
    const struct line_chip *chip = device->handle;
    self->wait.simulated = device->owner != NULL;
    if (!hw_wait_is_armed(&self->wait) &&
        hw_wait_arm(&self->wait, loop, chip->fd, NS_NEVER, on_readable,
                    (PyObject *)self) < 0) /* runs Python */
    {
        Py_CLEAR(self->waiters);
        goto error;
    }
    return future;
error:
    Py_DECREF(future);
    return NULL;
}

static PyObject *
GPIOChip_arm(GPIOChipObject *self, PyObject *loop)
{
    if (ah_device_begin(&self->device) == NULL) {
        return NULL;
    }
    PyObject *future = arm_future(self, loop);
    ah_device_end(&self->device);
    return future;
}

static PyObject *
GPIOChip_disarm(GPIOChipObject *self, PyObject *future)
{
    PyObject *futures = self->waiters;
    Py_ssize_t n = futures != NULL ? PyList_GET_SIZE(futures) : 0;
    for (Py_ssize_t i = 0; i < n; i++) {
        if (PyList_GET_ITEM(futures, i) == future) {
            if (n == 1) {
                self->waiters = NULL;
                hw_wait_disarm(&self->wait); /* runs Python */
                Py_DECREF(futures);
            }
            else if (PyList_SetSlice(futures, i, i + 1, NULL) < 0) {
                return NULL;
            }
            break;
        }
    }
    Py_RETURN_NONE;
}

/* Begun.  Take an event, blocking until there is one; -1 with an exception. */
static int
block_for_event(GPIOChipObject *self, struct chip_blocker *blocker,
                struct wait_tokens *tokens, int64_t deadline_ns,
                struct gpio_info_event *event)
{
    static const char what[] = "wait for a change of a line";
    const struct line_chip *chip = self->device.handle;
    struct token_set all = tokens->set;
    all.tokens[all.count++] = &blocker->woken;
    for (;;) {
        /* One that came while nothing blocked interrupts nothing. */
        if (PyErr_CheckSignals() < 0) { /* runs Python */
            return -1;
        }
        if (tokens_are_cancelled(&tokens->set)) {
            return ah_raise_block(self->device.st, BLOCK_CANCELLED, what);
        }
        if (ah_device_is_closed(&self->device)) {
            return ah_device_raise(&self->device, -EBADF);
        }
        int err = chip->ops->read_event(chip->self, event);
        if (err != -EAGAIN) {
            return err < 0 ? ah_device_raise(&self->device, err) : 0;
        }
        int result = ah_block_once(chip->time.clock, chip->fd, &all, deadline_ns,
                                   what); /* runs Python */
        if (result < 0) {
            return -1;
        }
        if (result == BLOCK_TIMEOUT && !self->device.closing) {
            return ah_raise_block(self->device.st, result, what);
        }
    }
}

static PyObject *
GPIOChip_take_blocking(GPIOChipObject *self, PyObject *args, PyObject *kwargs)
{
    static char *kwlist[] = {"timeout", "token", NULL};
    PyObject *timeout = NULL, *token_arg = NULL;
    struct wait_tokens tokens = {0};
    int64_t deadline_ns;
    struct gpio_info_event event;
    int result = -1;
    if (!PyArg_ParseTupleAndKeywords(args, kwargs, "|OO:take_blocking", kwlist,
                                     &timeout, &token_arg)) {
        return NULL;
    }
    if (ah_wait_tokens(self->device.st, token_arg, &tokens) < 0 ||
        ah_device_begin(&self->device) == NULL) {
        ah_wait_tokens_clear(&tokens);
        return NULL;
    }
    const struct line_chip *chip = self->device.handle;
    PyObject *kept = ah_keep_clock(chip->time.clock);
    if (ah_deadline_arg(timeout, "timeout", chip->time.clock, &deadline_ns) == 0) {
        struct chip_blocker blocker = {.woken = CANCEL_TOKEN_INIT};
        blocker.next = self->blockers;
        self->blockers = &blocker;
        result = block_for_event(self, &blocker, &tokens, deadline_ns, &event);
        LIST_REMOVE(self->blockers, &blocker); /* a signal handler may have forked */
        token_close(&blocker.woken);
    }
    Py_XDECREF(kept);
    ah_device_end(&self->device);
    ah_wait_tokens_clear(&tokens);
    return result < 0 ? NULL : event_tuple(&event);
}

/* -- the rest -------------------------------------------------------------- */

static PyObject *
GPIOChip_fileno(GPIOChipObject *self, PyObject *Py_UNUSED(ignored))
{
    const struct line_chip *chip = ah_device_check(&self->device);
    return chip == NULL ? NULL : PyLong_FromLong(chip->fd);
}

static PyObject *
GPIOChip_info(GPIOChipObject *self, PyObject *Py_UNUSED(ignored))
{
    const struct line_chip *chip = ah_device_check(&self->device);
    return chip == NULL ? NULL
                        : Py_BuildValue("(NNI)", kernel_text(chip->name),
                                        kernel_text(chip->label), chip->num_lines);
}

static PyObject *
GPIOChip_get_path(GPIOChipObject *self, void *Py_UNUSED(closure))
{
    const struct line_chip *chip = ah_device_check(&self->device);
    return chip == NULL ? NULL : PyUnicode_DecodeFSDefault(chip->path);
}

static PyMethodDef GPIOChip_methods[] = {
    {"info", (PyCFunction)GPIOChip_info, METH_NOARGS,
     PyDoc_STR("info($self, /)\n--\n\n(name, label, number of lines).")},
    {"line_info", (PyCFunction)GPIOChip_line_info, METH_O,
     PyDoc_STR("line_info($self, offset, /)\n--\n\n"
               "(offset, name, consumer, GPIO_V2_LINE_FLAG_*, debounce period in us or "
               "None).")},
    {"watch", (PyCFunction)GPIOChip_watch, METH_O,
     PyDoc_STR("watch($self, offset, /)\n--\n\n"
               "The same, and have events of the line from now on.")},
    {"unwatch", (PyCFunction)GPIOChip_unwatch, METH_O,
     PyDoc_STR("unwatch($self, offset, /)\n--\n\nHave no more events of the line.")},
    {"take", (PyCFunction)GPIOChip_take, METH_NOARGS,
     PyDoc_STR("take($self, /)\n--\n\n"
               "The oldest event as (type, timestamp_ns, line info), or None.")},
    {"arm", (PyCFunction)GPIOChip_arm, METH_O,
     PyDoc_STR("arm($self, loop, /)\n--\n\n"
               "A future of `loop` that is done when there may be an event to take.")},
    {"disarm", (PyCFunction)GPIOChip_disarm, METH_O,
     PyDoc_STR("disarm($self, future, /)\n--\n\n"
               "Nobody waits for `future` any more.  Idempotent.")},
    {"take_blocking", (PyCFunction)(void (*)(void))GPIOChip_take_blocking,
     METH_VARARGS | METH_KEYWORDS,
     PyDoc_STR(
         "take_blocking($self, timeout=None, token=None)\n--\n\n"
         "take(), blocking this thread, without the GIL, until there is an event.\n"
         "TimeoutError after `timeout` seconds; "
         "concurrent.futures.CancelledError when the\n"
         "CancelToken is cancelled; OSError(EBADF) when it is closed meanwhile.")},
    {"fileno", (PyCFunction)GPIOChip_fileno, METH_NOARGS,
     PyDoc_STR("fileno($self, /)\n--\n\nDescriptor, readable when there are events.")},
    {"use_loop", (PyCFunction)Device_use_loop, METH_O,
     PyDoc_STR("use_loop($self, loop, /)\n--\n\n"
               "Go on in that loop's time.  RuntimeError: a real chip, and a virtual "
               "clock.")},
    {"close", (PyCFunction)Device_close, METH_NOARGS,
     PyDoc_STR(
         "close($self, /)\n--\n\nIdempotent.  Whoever waits gets OSError(EBADF).")},
    {NULL, NULL, 0, NULL},
};

static PyGetSetDef GPIOChip_getset[] = {
    {"closed", (getter)Device_get_closed, NULL, PyDoc_STR("True after close()."), NULL},
    {"path", (getter)GPIOChip_get_path, NULL, PyDoc_STR("Of the device file."), NULL},
    {NULL, NULL, NULL, NULL, NULL},
};

static PyMemberDef GPIOChip_members[] = {
    AH_DEVICE_WEAKREFS,
    {NULL, 0, 0, 0, NULL},
};

static PyType_Slot GPIOChip_slots[] = {
    {Py_tp_doc, PyDoc_STR("A GPIO chip; made by a backend (see pyasync_hw.hardware).")},
    {Py_tp_traverse, GPIOChip_traverse},
    {Py_tp_clear, GPIOChip_clear},
    {Py_tp_finalize, ah_device_finalize},
    {Py_tp_dealloc, ah_device_dealloc},
    {Py_tp_methods, GPIOChip_methods},
    {Py_tp_getset, GPIOChip_getset},
    {Py_tp_members, GPIOChip_members},
    {0, NULL},
};

PyType_Spec GPIOChip_spec = {
    .name = "pyasync_hw._core.GPIOChip",
    .basicsize = sizeof(GPIOChipObject),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC | Py_TPFLAGS_IMMUTABLETYPE |
             Py_TPFLAGS_DISALLOW_INSTANTIATION,
    .slots = GPIOChip_slots,
};
