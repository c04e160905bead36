/* The Loop type: life cycle, the fields that inherited Python code reads and
 * writes, and the method tables of its files put together.
 *
 * _core.Loop is a base under asyncio.SelectorEventLoop, in
 * pyasync_hw/loop/__init__.py:
 * `_closed`, `_stopping`, `_debug` and `_thread_id` of asyncio's own code are fields of
 * the C struct.  It owns its handles, descriptors and clock; closing releases them, and
 * dealloc does for a loop that was never closed.
 */
#include "loop/loop_object.h"

#include <errno.h>

#include "py/clock_type.h"
#include "py/errors.h"

/* -- descriptors ----------------------------------------------------------- */

/* The poller, and what it watches: its wake-up, and descriptors of before.  0, or
 * -errno of `*call`. */
static int
open_poller(LoopObject *self, const char **call)
{
    *call = "epoll_create1";
    int err = poller_open(&self->poller);
    if (err == 0) {
        *call = "eventfd";
        err = inbox_open(&self->inbox);
    }
    if (err == 0) {
        *call = "epoll_ctl";
        err = loop_register_fds(self);
    }
    return err;
}

/* -- after a fork ---------------------------------------------------------- */

/* A loop that has never run becomes the child's own: what was scheduled and registered
 * goes on here, with a poller and a wake-up of its own.  0 or -errno. */
static int
open_in_child(LoopObject *self)
{
    const char *call;
    inbox_item posted = inbox_close_in_child(&self->inbox);
    int err = open_poller(self, &call);
    loop_arrive(self, posted);
    return err;
}

/* Else the child's copy is closed: descriptors at once, the rest when it is dropped.
 * A run that forked ends after the callback that it is in. */
static void
loop_in_child(PyObject *object)
{
    LoopObject *self = (LoopObject *)object;
    poller_close(&self->poller); /* never epoll_ctl(): the epoll is the parent's */
    bool fresh = !self->has_run && !self->closed && self->thread_id == Py_None;
    if (fresh && self->vclock == NULL && open_in_child(self) == 0) {
        self->fork.made_in = 0; /* usable */
        return;
    }
    poller_close(&self->poller);
    self->closed = true;
    self->stopping = true;
    loop_arrive(self,
                inbox_close_in_child(&self->inbox)); /* dropped later: no Python */
    self->running = NULL; /* perhaps by a thread that is not here */
    self->inherited = self->ready;
    self->ready = (struct ring){0};
    Py_SETREF(self->thread_id, Py_NewRef(Py_None));
}

/* -- life cycle ------------------------------------------------------------ */

static PyObject *
Loop_new(PyTypeObject *type, PyObject *Py_UNUSED(args), PyObject *Py_UNUSED(kwargs))
{
    ModuleState *st = ah_state_of_type(type);
    if (st == NULL) {
        return NULL;
    }
    LoopObject *self = (LoopObject *)type->tp_alloc(type, 0);
    if (self == NULL) {
        return NULL;
    }
    st->live[AH_LIVE_Loop]++;
    self->st = st;
    self->select_until_ns = NS_NEVER;
    self->handle_type = (PyTypeObject *)Py_NewRef((PyObject *)st->handle_type);
    self->timer_handle_type =
        (PyTypeObject *)Py_NewRef((PyObject *)st->timer_handle_type);
    self->poller.fd = -1;
    self->inbox.wake_fd = -1;
    self->thread_id = Py_NewRef(Py_None);
    ah_fork_register(st, &self->fork, (PyObject *)self, loop_in_child);
    loop_slow_init(self);
    self->closed = true; /* until __init__ of BaseEventLoop opens it */
    const char *call;
    int err = open_poller(self, &call);
    if (err < 0) {
        ah_raise_errno(err, call);
        Py_DECREF(self);
        return NULL;
    }
    return (PyObject *)self;
}

static int
Loop_traverse(LoopObject *self, visitproc visit, void *arg)
{
    Py_VISIT(Py_TYPE(self));
    Py_VISIT(self->lent);
    Py_VISIT(self->found);
    Py_VISIT(self->handle_type);
    Py_VISIT(self->timer_handle_type);
    Py_VISIT(self->clock);
    Py_VISIT(self->snapshot.copy);
    Py_VISIT(self->snapshot.spare);
    Py_VISIT(self->debug_value);
    Py_VISIT(self->thread_id);
    Py_VISIT(self->selector);
    Py_VISIT(self->task_factory);
    Py_VISIT(self->loop_keyword);
    Py_VISIT(self->pending_exc);
    Py_VISIT(self->watchdog);
    Py_VISIT(self->current_handle);
    int status = loop_traverse_ring(&self->ready, visit, arg);
    status = status != 0 ? status : loop_traverse_ring(&self->inherited, visit, arg);
    status = status != 0 ? status : loop_traverse_timers(self, visit, arg);
    status = status != 0 ? status : loop_traverse_inbox(self, visit, arg);
    return status != 0 ? status : loop_traverse_fds(self, visit, arg);
}

static void
clear_schedule(LoopObject *self)
{
    /* Releasing a handle may run Python that schedules again: empty first. */
    struct ring ready = self->ready;
    struct ring inherited = self->inherited;
    struct heap timers = self->timers;
    self->ready = self->inherited = (struct ring){0};
    self->timers = (struct heap){0};
    loop_disarm_all(&timers);      /* runs Python */
    loop_release_ring(&ready);     /* runs Python */
    loop_release_ring(&inherited); /* runs Python */
}

/* What close() and the collector have in common. */
static void
release(LoopObject *self)
{
    loop_close_inbox(self); /* runs Python */
    clear_schedule(self);   /* runs Python */
    loop_clear_fds(self);   /* runs Python */
    loop_slow_clear(self);  /* runs Python */
    Py_CLEAR(self->lent);   /* runs Python */
    Py_CLEAR(self->found);
    context_snapshot_clear(&self->snapshot);
    Py_CLEAR(self->selector);
    Py_CLEAR(self->task_factory);
    Py_CLEAR(self->loop_keyword);
    Py_CLEAR(self->pending_exc);
}

static int
Loop_clear(LoopObject *self)
{
    release(self);               /* runs Python */
    Py_CLEAR(self->debug_value); /* runs Python */
    return 0;
}

static void
Loop_dealloc(LoopObject *self)
{
    PyTypeObject *type = Py_TYPE(self);
    PyObject_GC_UnTrack(self);
    ah_fork_unregister(&self->fork);
    self->closed = true;
    (void)Loop_clear(self);
    poller_close(&self->poller);
    ah_handle_free_list_trim(self, 0);
    Py_CLEAR(self->handle_type);
    Py_CLEAR(self->timer_handle_type);
    Py_CLEAR(self->clock);
    Py_CLEAR(self->thread_id);
    self->st->live[AH_LIVE_Loop]--;
    type->tp_free((PyObject *)self);
    Py_DECREF(type);
}

/* -- Python methods -------------------------------------------------------- */

/* The last step of close(): release what the C half holds. */
static PyObject *
Loop_release(LoopObject *self, PyObject *Py_UNUSED(ignored))
{
    release(self); /* runs Python */
    poller_close(&self->poller);
    ah_handle_free_list_trim(self, 0);
    Py_RETURN_NONE;
}

static PyObject *
Loop_set_clock(LoopObject *self, PyObject *clock)
{
    struct vclock *vclock;
    if (ah_virtual_clock_arg(self->st, clock, &vclock) < 0) {
        return NULL;
    }
    Py_XSETREF(self->clock, vclock != NULL ? Py_NewRef(clock) : NULL);
    self->vclock = vclock;
    Py_RETURN_NONE;
}

static PyObject *
Loop_is_closed(LoopObject *self, PyObject *Py_UNUSED(ignored))
{
    return PyBool_FromLong(self->closed);
}

static PyObject *
Loop_is_running(LoopObject *self, PyObject *Py_UNUSED(ignored))
{
    return PyBool_FromLong(self->thread_id != Py_None);
}

/* Given back as it was set, which need not be a bool. */
static PyObject *
Loop_get_debug(LoopObject *self, PyObject *Py_UNUSED(ignored))
{
    return self->debug_value != NULL ? Py_NewRef(self->debug_value)
                                     : PyBool_FromLong(self->debug);
}

static PyObject *
Loop_check_closed(LoopObject *self, PyObject *Py_UNUSED(ignored))
{
    if (loop_check_open(self) < 0) {
        return NULL;
    }
    Py_RETURN_NONE;
}

/* The flags that inherited code assigns; the closure is FIELD(). */
static PyObject *
Loop_get_flag(LoopObject *self, void *offset)
{
    return PyBool_FromLong(*(bool *)((char *)self + (uintptr_t)offset));
}

static int
Loop_set_flag(LoopObject *self, PyObject *value, void *offset)
{
    int truth = value != NULL ? PyObject_IsTrue(value) : 0;
    if (truth < 0) {
        return -1;
    }
    *(bool *)((char *)self + (uintptr_t)offset) = truth != 0;
    loop_slow_update(self);
    return 0;
}

static int
Loop_set_debug_attr(LoopObject *self, PyObject *value, void *flag)
{
    if (Loop_set_flag(self, value, flag) < 0) { /* runs Python */
        return -1;
    }
    bool is_plain = value == NULL || PyBool_Check(value);
    Py_XSETREF(self->debug_value, is_plain ? NULL : Py_NewRef(value)); /* runs Python */
    return 0;
}

static int
Loop_set_thread_id(LoopObject *self, PyObject *value, void *Py_UNUSED(closure))
{
    if (value == NULL) {
        PyErr_SetString(PyExc_TypeError, "cannot delete _thread_id");
        return -1;
    }
    Py_XSETREF(self->thread_id, Py_NewRef(value));
    return 0;
}

/* asyncio's own code sets it once, and None when it closes. */
static int
Loop_set_selector(LoopObject *self, PyObject *value, void *Py_UNUSED(closure))
{
    if (value == NULL || (self->selector != NULL && value != Py_None)) {
        PyErr_SetString(PyExc_TypeError,
                        "EventLoop has a poller of its own and takes no selector");
        return -1;
    }
    Py_XSETREF(self->selector, Py_NewRef(value)); /* runs Python */
    return 0;
}

/* -- tables ---------------------------------------------------------------- */

static PyMethodDef loop_state_methods[] = {
    {"is_closed", (PyCFunction)Loop_is_closed, METH_NOARGS,
     PyDoc_STR("is_closed($self, /)\n--\n\nTrue after close().")},
    {"is_running", (PyCFunction)Loop_is_running, METH_NOARGS,
     PyDoc_STR("is_running($self, /)\n--\n\nTrue while the loop runs.")},
    {"get_debug", (PyCFunction)Loop_get_debug, METH_NOARGS,
     PyDoc_STR("get_debug($self, /)\n--\n\nWhat set_debug() was given.")},
    {"_check_closed", (PyCFunction)Loop_check_closed, METH_NOARGS, NULL},
    {"_set_clock", (PyCFunction)Loop_set_clock, METH_O, NULL},
    {"_release", (PyCFunction)Loop_release, METH_NOARGS, NULL},
    {NULL, NULL, 0, NULL},
};

static PyGetSetDef Loop_getset[] = {
    {"_closed", (getter)Loop_get_flag, (setter)Loop_set_flag, NULL, FIELD(closed)},
    {"_stopping", (getter)Loop_get_flag, (setter)Loop_set_flag, NULL, FIELD(stopping)},
    {"_debug", (getter)Loop_get_debug, (setter)Loop_set_debug_attr, NULL, FIELD(debug)},
    {"_thread_id", (getter)Loop_get_object, (setter)Loop_set_thread_id, NULL,
     FIELD(thread_id)},
    {"_selector", (getter)Loop_get_object, (setter)Loop_set_selector, NULL,
     FIELD(selector)},
    {"clock", (getter)Loop_get_object, NULL,
     PyDoc_STR("The VirtualClock this loop runs on, or None."), FIELD(clock)},
    {NULL, NULL, NULL, NULL, NULL},
};

static PyMemberDef Loop_members[] = {
    {"_task_factory", T_OBJECT, offsetof(LoopObject, task_factory), 0, NULL},
    {"_hooked", T_BOOL, offsetof(LoopObject, hooked), READONLY, NULL},
    {"_turns_patched", T_BOOL, offsetof(LoopObject, turns_patched), 0, NULL},
    {"_asyncio_later", T_BOOL, offsetof(LoopObject, asyncio_later), 0, NULL},
    {"_asyncio_turns", T_BOOL, offsetof(LoopObject, asyncio_turns), 0, NULL},
    {NULL, 0, 0, 0, NULL},
};

static PyType_Slot Loop_slots[] = {
    {Py_tp_doc, PyDoc_STR("The native half of pyasync_hw.EventLoop.")},
    {Py_tp_new, Loop_new},
    {Py_tp_dealloc, Loop_dealloc},
    {Py_tp_traverse, Loop_traverse},
    {Py_tp_clear, Loop_clear},
    {Py_tp_setattro, Loop_setattro},
    {Py_tp_getset, Loop_getset},
    {Py_tp_members, Loop_members},
    {Py_tp_methods, loop_state_methods},
    {0, NULL},
};

PyType_Spec Loop_spec = {
    .name = "pyasync_hw._core.Loop",
    .basicsize = sizeof(LoopObject),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC | Py_TPFLAGS_BASETYPE,
    .slots = Loop_slots,
};

int
ah_loop_add_methods(ModuleState *st, PyMethodDef *methods)
{
    int status = 0;
    for (; status == 0 && methods->ml_name != NULL; methods++) {
        PyObject *method = PyDescr_NewMethod(st->loop_type, methods);
        status = method != NULL ? PyObject_SetAttrString((PyObject *)st->loop_type,
                                                         methods->ml_name, method)
                                : -1;
        Py_XDECREF(method);
    }
    return status;
}

/* The methods and attributes of the other files; a slot takes only one table. */
int
ah_loop_type_setup(PyObject *module)
{
    ModuleState *st = ah_state(module);
    PyMethodDef *const methods[] = {
        loop_call_methods,    loop_factory_methods, loop_patches_methods,
        loop_readers_methods, loop_stats_methods,   loop_turn_methods,
        ready_view_methods,   lent_timers_methods,  slow_callbacks_methods,
    };
    int status = 0;
    for (size_t i = 0; status == 0 && i < Py_ARRAY_LENGTH(methods); i++) {
        status = ah_loop_add_methods(st, methods[i]);
    }
    for (PyGetSetDef *def = slow_callbacks_getset; status == 0 && def->name != NULL;
         def++) {
        PyObject *attribute = PyDescr_NewGetSet(st->loop_type, def);
        status = attribute != NULL ? PyObject_SetAttrString((PyObject *)st->loop_type,
                                                            def->name, attribute)
                                   : -1;
        Py_XDECREF(attribute);
    }
    return status;
}
