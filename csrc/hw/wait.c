/* Waiting on an event loop; see wait.h.
 *
 * On another loop than ours, add_reader() and call_at() get a WaitCallback: it
 * keeps the device alive for as long as that loop holds it, and is cut off from
 * the device's hw_wait when that is disarmed, so a late call does nothing.  On ours it
 * is what is posted to look at a wait later.
 *
 * On such a loop a call_at() and its cancel() cost more than all else that a poll of a
 * chip does.  So a wait whose deadline is moved, which so goes on, gets a timerfd, that
 * the loop reads; but not where loop.time() is not asyncio's own, for then its time
 * need not be the kernel's.
 */
#include "hw/wait.h"

#include <errno.h>
#include <math.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include "py/errors.h"
#include "py/exceptions.h"

typedef struct {
    PyObject_HEAD
    ModuleState *st;
    PyObject *owner;      /* owned: embeds `wait` */
    struct hw_wait *wait; /* NULL: disarmed */
    struct ah_post post;  /* on our loop: later() */
    bool later;           /* later() will be called */
} WaitCallbackObject;

/* False: it was set anew after the loop had found it. */
static bool
take_timeout(struct hw_wait *wait)
{
    uint64_t count;
    if (wait->timer_fd >= 0) {
        return read(wait->timer_fd, &count, sizeof count) > 0;
    }
    Py_CLEAR(wait->timer_handle); /* runs Python */
    return true;
}

/* One bound method of WaitCallback each, so that the two can be told apart. */
static PyObject *
callback_run(WaitCallbackObject *self, int what)
{
    struct hw_wait *wait = self->wait;
    if (wait == NULL) {
        Py_RETURN_NONE;
    }
    PyObject *owner = Py_NewRef(self->owner);
    bool is_due = true;
    if (what == HW_TIMEOUT) {
        is_due = take_timeout(wait); /* runs Python */
    }
    int err =
        self->wait != NULL && is_due ? wait->func(wait, what) : 0; /* runs Python */
    Py_DECREF(owner);
    if (err < 0) {
        return NULL;
    }
    Py_RETURN_NONE;
}

static PyObject *
WaitCallback_readable(WaitCallbackObject *self, PyObject *Py_UNUSED(ignored))
{
    return callback_run(self, HW_READABLE);
}

static PyObject *
WaitCallback_timeout(WaitCallbackObject *self, PyObject *Py_UNUSED(ignored))
{
    return callback_run(self, HW_TIMEOUT);
}

static PyObject *
WaitCallback_later(WaitCallbackObject *self, PyObject *Py_UNUSED(ignored))
{
    self->later = false;
    return callback_run(self, HW_LATER); /* runs Python */
}

static PyObject *
callback_new(ModuleState *st, struct hw_wait *wait, PyObject *owner)
{
    WaitCallbackObject *self = (WaitCallbackObject *)st->wait_callback_type->tp_alloc(
        st->wait_callback_type, 0);
    if (self == NULL) {
        return NULL;
    }
    st->live[AH_LIVE_WaitCallback]++;
    self->st = st;
    self->owner = Py_NewRef(owner);
    self->wait = wait;
    return (PyObject *)self;
}

static int
WaitCallback_traverse(WaitCallbackObject *self, visitproc visit, void *arg)
{
    Py_VISIT(Py_TYPE(self));
    Py_VISIT(self->owner);
    return 0;
}

static int
WaitCallback_clear(WaitCallbackObject *self)
{
    self->wait = NULL;
    Py_CLEAR(self->owner);
    return 0;
}

static void
WaitCallback_dealloc(WaitCallbackObject *self)
{
    PyTypeObject *type = Py_TYPE(self);
    PyObject_GC_UnTrack(self);
    self->st->live[AH_LIVE_WaitCallback]--;
    (void)WaitCallback_clear(self);
    type->tp_free((PyObject *)self);
    Py_DECREF(type);
}

void
hw_wait_init(struct hw_wait *wait)
{
    *wait =
        (struct hw_wait){.reader = AH_READER_INIT, .timer = {.node = HEAP_NODE_INIT}};
    wait->fd = wait->timer_fd = -1;
}

int
hw_wait_traverse(struct hw_wait *wait, visitproc visit, void *arg)
{
    /* Not owner: it is the loop or the callback that holds it. */
    Py_VISIT(wait->callback);
    Py_VISIT(wait->timer_handle);
    Py_VISIT(wait->loop);
    return 0;
}

int
hw_loop_is_closed(PyObject *loop)
{
    Py_INCREF(loop);
    PyObject *closed = PyObject_CallMethod(loop, "is_closed", NULL); /* runs Python */
    Py_DECREF(loop);
    int is_closed = closed == NULL ? -1 : PyObject_IsTrue(closed);
    Py_XDECREF(closed);
    return is_closed;
}

/* Is loop.time() asyncio's own, the monotonic clock?  1, 0 or -1. */
static int
keeps_real_time(ModuleState *st, PyObject *loop)
{
    PyObject *method = PyObject_GetAttrString(loop, "time"); /* runs Python */
    if (method == NULL) {
        return -1;
    }
    int is_real =
        PyMethod_Check(method) && PyMethod_GET_FUNCTION(method) == st->asyncio_time;
    Py_DECREF(method);
    return is_real;
}

/* The loop may be closed by now; then it has dropped what it held. */
static void
foreign_call(PyObject *loop, const char *method, PyObject *arg)
{
    int is_closed = hw_loop_is_closed(loop); /* runs Python */
    PyObject *result = NULL;
    if (is_closed == 0) {
        result = PyObject_CallMethod(loop, method, "O", arg); /* runs Python */
    }
    if (is_closed <= 0 && result == NULL) {
        PyErr_WriteUnraisable(loop);
    }
    Py_XDECREF(result);
}

static void
foreign_stop_timer(PyObject *handle)
{
    if (handle == NULL) {
        return;
    }
    PyObject *result = PyObject_CallMethod(handle, "cancel", NULL); /* runs Python */
    if (result == NULL) {
        PyErr_WriteUnraisable(handle);
    }
    Py_XDECREF(result);
    Py_DECREF(handle);
}

static void
foreign_stop_reader(PyObject *loop, int fd)
{
    if (fd < 0) {
        return;
    }
    PyObject *number = PyLong_FromLong(fd);
    if (number == NULL) {
        PyErr_WriteUnraisable(loop);
        return;
    }
    foreign_call(loop, "remove_reader", number); /* runs Python */
    Py_DECREF(number);
}

static int
foreign_add_reader(PyObject *loop, PyObject *callback, const char *method, int fd)
{
    PyObject *func = PyObject_GetAttrString(callback, method);
    if (func == NULL) {
        return -1;
    }
    PyObject *result =
        PyObject_CallMethod(loop, "add_reader", "iO", fd, func); /* runs Python */
    Py_DECREF(func);
    if (result == NULL) {
        return -1;
    }
    Py_DECREF(result);
    return 0;
}

static int
foreign_start_reader(struct hw_wait *wait, PyObject *loop, PyObject *callback, int fd)
{
    if (foreign_add_reader(loop, callback, "readable", fd) < 0) { /* runs Python */
        return -1;
    }
    if (wait->callback != callback) {
        foreign_stop_reader(loop, fd); /* runs Python */
    }
    else {
        wait->fd = fd;
    }
    return 0;
}

static int
foreign_start_timer(struct hw_wait *wait, PyObject *loop, PyObject *callback,
                    int64_t deadline_ns)
{
    PyObject *func = PyObject_GetAttrString(callback, "timeout");
    if (func == NULL) {
        return -1;
    }
    PyObject *handle = PyObject_CallMethod(
        loop, "call_at", "dO", (double)deadline_ns / 1e9, func); /* runs Python */
    Py_DECREF(func);
    if (handle == NULL) {
        return -1;
    }
    if (wait->callback != callback) {
        foreign_stop_timer(handle); /* runs Python */
    }
    else {
        Py_XSETREF(wait->timer_handle, handle);
    }
    return 0;
}

static int
set_timer_fd(int timer_fd, int64_t deadline_ns)
{
    struct itimerspec when = {0}; /* stopped */
    if (deadline_ns != NS_NEVER) {
        deadline_ns = deadline_ns > 0 ? deadline_ns : 1;
        when.it_value.tv_sec = (time_t)(deadline_ns / NS_PER_S);
        when.it_value.tv_nsec = (long)(deadline_ns % NS_PER_S);
    }
    if (timerfd_settime(timer_fd, TFD_TIMER_ABSTIME, &when, NULL) < 0) {
        return ah_raise_errno(-errno, "timerfd_settime");
    }
    return 0;
}

static int
foreign_open_timer_fd(struct hw_wait *wait, PyObject *loop, PyObject *callback)
{
    int fd = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
    if (fd < 0) {
        return ah_raise_errno(-errno, "timerfd_create");
    }
    int err = foreign_add_reader(loop, callback, "timeout", fd); /* runs Python */
    if (err == 0 && wait->callback == callback) {
        wait->timer_fd = fd;
        return 0;
    }
    if (err == 0) {
        foreign_stop_reader(loop, fd); /* runs Python */
    }
    close(fd);
    return err;
}

/* The one that was is stopped.  On wait->loop. */
static int
foreign_set_timer(struct hw_wait *wait, ModuleState *st, PyObject *loop,
                  PyObject *callback, int64_t deadline_ns)
{
    if (wait->timer_fd < 0 && deadline_ns == NS_NEVER) {
        return 0;
    }
    if (wait->timer_fd < 0 && wait->timed) {
        int is_real = keeps_real_time(st, loop); /* runs Python */
        if (is_real < 0 ||
            (is_real && wait->callback == callback &&
             foreign_open_timer_fd(wait, loop, callback) < 0)) { /* runs Python */
            return -1;
        }
        if (wait->callback != callback) {
            return 0;
        }
    }
    wait->timed = 1;
    return wait->timer_fd >= 0 ? set_timer_fd(wait->timer_fd, deadline_ns)
                               : foreign_start_timer(wait, loop, callback,
                                                     deadline_ns); /* runs Python */
}

/* Both parts that change are stopped first; `wait` is armed on wait->loop. */
static int
foreign_arm(struct hw_wait *wait, ModuleState *st, int fd, int64_t deadline_ns,
            PyObject *owner)
{
    if (wait->callback == NULL) {
        wait->callback = callback_new(st, wait, owner);
        if (wait->callback == NULL) {
            return -1;
        }
    }
    /* The loop's methods may disarm it: then no more is armed. */
    PyObject *loop = Py_NewRef(wait->loop);
    PyObject *callback = Py_NewRef(wait->callback);
    PyObject *handle = wait->timer_handle;
    wait->timer_handle = NULL;
    foreign_stop_timer(handle); /* runs Python */
    int err = 0;
    if (fd != wait->fd && wait->callback == callback) {
        int old_fd = wait->fd;
        wait->fd = -1;
        foreign_stop_reader(loop, old_fd); /* runs Python */
        if (fd >= 0 && wait->callback == callback) {
            err = foreign_start_reader(wait, loop, callback, fd); /* runs Python */
        }
    }
    if (err == 0 && wait->callback == callback) {
        err =
            foreign_set_timer(wait, st, loop, callback, deadline_ns); /* runs Python */
    }
    Py_DECREF(callback);
    Py_DECREF(loop);
    return err;
}

static void
native_run(LoopObject *loop, struct hw_wait *wait, int what)
{
    PyObject *owner = wait->owner;    /* the loop holds it meanwhile */
    if (wait->func(wait, what) < 0) { /* runs Python */
        ah_loop_report(loop, "Exception in a device's wait", owner);
    }
}

static void
native_readable(LoopObject *loop, struct ah_reader *reader)
{
    native_run(loop,
               (struct hw_wait *)((char *)reader - offsetof(struct hw_wait, reader)),
               HW_READABLE);
}

static void
native_timeout(LoopObject *loop, struct ah_timer *timer)
{
    native_run(loop,
               (struct hw_wait *)((char *)timer - offsetof(struct hw_wait, timer)),
               HW_TIMEOUT);
}

static int
native_arm(struct hw_wait *wait, int fd, int64_t deadline_ns, PyObject *owner)
{
    LoopObject *loop = (LoopObject *)wait->loop;
    wait->owner = owner;
    if (fd != wait->reader.fd) {
        ah_loop_remove_reader(loop, &wait->reader);
        wait->reader.simulated = wait->simulated;
        if (fd >= 0 &&
            ah_loop_add_reader(loop, &wait->reader, fd, native_readable, owner) < 0) {
            return -1;
        }
    }
    if (deadline_ns == NS_NEVER) {
        ah_loop_timer_stop(loop, &wait->timer);
        return 0;
    }
    return ah_loop_timer_start(loop, &wait->timer, deadline_ns, native_timeout, owner);
}

static void
native_disarm(struct hw_wait *wait)
{
    LoopObject *loop = (LoopObject *)wait->loop;
    ah_loop_remove_reader(loop, &wait->reader);
    ah_loop_timer_stop(loop, &wait->timer);
}

static void
native_later(LoopObject *loop, struct ah_post *post)
{
    WaitCallbackObject *callback = (WaitCallbackObject *)post->owner;
    callback->later = false;
    if (callback->wait != NULL) {
        native_run(loop, callback->wait, HW_LATER); /* runs Python */
    }
}

static bool
native_look_later(PyObject *loop, WaitCallbackObject *callback)
{
    int err = ah_loop_post((LoopObject *)loop, &callback->post, native_later,
                           Py_NewRef((PyObject *)callback));
    if (err == -ESHUTDOWN) {
        Py_DECREF((PyObject *)callback);
    }
    return err != -ESHUTDOWN;
}

static bool
foreign_look_later(PyObject *loop, WaitCallbackObject *callback)
{
    ModuleState *st = callback->st;
    PyObject *func = PyObject_GetAttr((PyObject *)callback, st->name_later);
    PyObject *handle = func == NULL
                           ? NULL
                           : PyObject_CallMethodOneArg(loop, st->name_call_soon,
                                                       func); /* runs Python */
    Py_XDECREF(func);
    Py_XDECREF(handle);
    return handle != NULL;
}

bool
hw_wait_look_later(struct hw_wait *wait)
{
    if (wait->loop == NULL) {
        return false;
    }
    PyObject *exc = ah_take_exception();
    PyObject *loop = Py_NewRef(wait->loop);
    if (wait->callback == NULL) {
        ModuleState *st = ah_state_of_type(Py_TYPE(wait->owner));
        wait->callback = st == NULL ? NULL : callback_new(st, wait, wait->owner);
    }
    WaitCallbackObject *callback = (WaitCallbackObject *)Py_XNewRef(wait->callback);
    if (callback != NULL && !callback->later) {
        callback->later = true;
        callback->later = wait->native ? native_look_later(loop, callback)
                                       : foreign_look_later(loop, callback);
    }
    bool later = callback != NULL && callback->later;
    Py_XDECREF((PyObject *)callback); /* runs Python */
    Py_DECREF(loop);                  /* runs Python */
    ah_restore_exception(exc);        /* in place of ours: the loop is closed, if any */
    return later;
}

void
hw_wait_disarm(struct hw_wait *wait)
{
    PyObject *loop = wait->loop;
    if (loop == NULL) {
        return;
    }
    PyObject *owner = NULL;
    if (wait->native) {
        if (wait->reader.fd >= 0 || wait->timer.node.index >= 0) {
            owner = Py_NewRef(wait->owner); /* the loop's may be the last */
        }
        native_disarm(wait);
    }
    if (wait->callback != NULL) {
        ((WaitCallbackObject *)wait->callback)->wait = NULL;
    }
    PyObject *callback = wait->callback;
    PyObject *handle = wait->timer_handle;
    int fd = wait->fd;
    int timer_fd = wait->timer_fd;
    bool native = wait->native;
    wait->callback = wait->timer_handle = wait->loop = wait->owner = NULL;
    wait->fd = wait->timer_fd = -1;
    wait->timed = 0;
    /* From here on it may be armed anew, or freed. */
    if (callback != NULL && !native) {
        PyObject *exc = ah_take_exception();
        foreign_stop_timer(handle);          /* runs Python */
        foreign_stop_reader(loop, fd);       /* runs Python */
        foreign_stop_reader(loop, timer_fd); /* runs Python */
        if (timer_fd >= 0) {
            close(timer_fd);
        }
        ah_restore_exception(exc);
    }
    Py_XDECREF(callback);
    Py_DECREF(loop);
    Py_XDECREF(owner);
}

int
hw_wait_arm(struct hw_wait *wait, PyObject *loop, int fd, int64_t deadline_ns,
            hw_wait_func func, PyObject *owner)
{
    ModuleState *st = ah_state_of_type(Py_TYPE(owner));
    if (st == NULL) {
        return -1;
    }
    if (wait->loop != NULL && wait->loop != loop) {
        hw_wait_disarm(wait);
    }
    if (wait->loop == NULL) {
        wait->loop = Py_NewRef(loop);
        wait->native = ah_loop_check(st, loop);
    }
    wait->func = func;
    int err = wait->native ? native_arm(wait, fd, deadline_ns, owner)
                           : foreign_arm(wait, st, fd, deadline_ns, owner);
    if (err < 0) {
        hw_wait_disarm(wait);
    }
    return err;
}

int
hw_wait_now(ModuleState *st, PyObject *loop, int64_t *now_ns)
{
    if (ah_loop_check(st, loop)) {
        *now_ns = ah_loop_now((LoopObject *)loop);
        return 0;
    }
    int is_real = keeps_real_time(st, loop); /* runs Python */
    if (is_real != 0) {
        *now_ns = clock_monotonic_ns();
        return is_real < 0 ? -1 : 0;
    }
    PyObject *now = PyObject_CallMethod(loop, "time", NULL); /* runs Python */
    if (now == NULL) {
        return -1;
    }
    double seconds = PyFloat_AsDouble(now);
    Py_DECREF(now);
    if (seconds == -1.0 && PyErr_Occurred()) {
        return -1;
    }
    *now_ns = (int64_t)llround(seconds * 1e9);
    return 0;
}

static PyMethodDef WaitCallback_methods[] = {
    {"readable", (PyCFunction)WaitCallback_readable, METH_NOARGS, NULL},
    {"timeout", (PyCFunction)WaitCallback_timeout, METH_NOARGS, NULL},
    {"later", (PyCFunction)WaitCallback_later, METH_NOARGS, NULL},
    {NULL, NULL, 0, NULL},
};

static PyType_Slot WaitCallback_slots[] = {
    {Py_tp_traverse, WaitCallback_traverse},
    {Py_tp_clear, WaitCallback_clear},
    {Py_tp_dealloc, WaitCallback_dealloc},
    {Py_tp_methods, WaitCallback_methods},
    {0, NULL},
};

PyType_Spec WaitCallback_spec = {
    .name = "pyasync_hw._core._WaitCallback",
    .basicsize = sizeof(WaitCallbackObject),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC | Py_TPFLAGS_IMMUTABLETYPE |
             Py_TPFLAGS_DISALLOW_INSTANTIATION,
    .slots = WaitCallback_slots,
};
