/* The life of a device; see device.h. */
#include "hw/device.h"

#include <errno.h>

#include "loop/loop.h"
#include "py/clock_type.h"
#include "py/exceptions.h"
#include "py/errors.h"

DeviceObject *
ah_device_new(ModuleState *st, PyTypeObject *type, const struct device_kind *kind,
              void *handle, PyObject *owner)
{
    DeviceObject *self = (DeviceObject *)type->tp_alloc(type, 0);
    if (self == NULL) {
        kind->close(handle);
        return NULL;
    }
    st->live[kind->counter]++;
    self->st = st;
    self->kind = kind;
    self->handle = handle;
    self->owner = Py_XNewRef(owner);
    ah_fork_register(st, &self->fork, (PyObject *)self, kind->in_child);
    return self;
}

/* -- open ------------------------------------------------------------------ */

void *
ah_device_check(const DeviceObject *self)
{
    const struct device_kind *kind = self->kind;
    if (ah_is_inherited(&self->fork)) {
        (void)ah_raise_inherited(&self->fork, kind->inherited, kind->remedy);
        return NULL;
    }
    if (ah_device_is_closed(self)) {
        PyErr_Format(PyExc_ValueError, kind->closed, self->what);
        return NULL;
    }
    return self->handle;
}

void *
ah_device_begin(DeviceObject *self)
{
    void *handle = ah_device_check(self);
    self->busy += handle != NULL;
    return handle;
}

void
ah_device_end(DeviceObject *self)
{
    self->busy -= self->busy > 0; /* in a fork's child it may be 0: see in_child */
    if (self->busy == 0 && self->closing) {
        self->closing = 0;
        ah_device_release(self); /* runs Python */
    }
}

int
ah_device_raise(const DeviceObject *self, int err)
{
    if (err == -EBADF) {
        return ah_raise_errno_remedy(err, self->what,
                                     "it was closed while it was waited for");
    }
    if (err == -EPROTO) {
        return ah_raise_errno_remedy(err, self->what,
                                     "what was read is cut off: this is no device of "
                                     "the kernel's, or the kernel is another's");
    }
    return ah_raise_errno(err, self->what);
}

/* -- its clock ------------------------------------------------------------- */

static int
tell_clock(DeviceObject *self, void *handle, struct vclock *clock)
{
    const char *what = self->kind->on_clock;
    int err;
    (void)ah_keep_clock(clock); /* the device's */
    Py_BEGIN_ALLOW_THREADS
    err = self->kind->use_clock(handle, &clock);
    Py_END_ALLOW_THREADS
    ah_drop_clock(clock); /* what it was told before, or what it refuses */
    if (err >= 0) {
        return 0;
    }
    if (err == -EXDEV) {
        PyErr_Format(PyExc_RuntimeError,
                     "%s: a real device cannot be used on a virtual clock; use a "
                     "simulated board, or a loop without clock=",
                     what);
        return -1;
    }
    return ah_raise_errno(err, what);
}

int
ah_device_use_loop(DeviceObject *self, PyObject *loop)
{
    struct vclock *clock =
        ah_loop_check(self->st, loop) ? ah_loop_vclock((LoopObject *)loop) : NULL;
    void *handle = ah_device_begin(self);
    if (handle == NULL) {
        return -1;
    }
    const struct device_time *time = self->time;
    int status = 0;
    if (time->clock != clock || !time->speaks || time->told != clock) {
        status = tell_clock(self, handle, clock);
    }
    ah_device_end(self); /* runs Python */
    return status;
}

/* -- its end --------------------------------------------------------------- */

void
ah_device_release(DeviceObject *self)
{
    void *handle = self->handle;
    if (handle == NULL) {
        return;
    }
    struct vclock *told = self->time != NULL ? self->time->told : NULL;
    self->handle = NULL;
    self->time = NULL;
    PyThreadState *thread = ah_device_let_gil_go(self);
    self->kind->close(handle); /* runs Python, if it keeps the GIL */
    ah_device_take_gil(thread);
    ah_drop_clock(told);
    Py_CLEAR(self->owner);
}

void
ah_device_close(DeviceObject *self)
{
    if (ah_device_is_closed(self)) {
        return;
    }
    self->closing = 1;
    self->busy++;
    if (self->kind->fail != NULL) {
        self->kind->fail(self); /* runs Python */
    }
    ah_device_end(self); /* runs Python */
}

void
ah_device_in_child(PyObject *object)
{
    DeviceObject *self = (DeviceObject *)object;
    self->busy = 0; /* other threads, which are not here, would never end */
    if (self->owner == NULL) {
        self->fork.made_in = 0;
        if (self->closing) { /* what was to be closed at the end of theirs */
            self->closing = 0;
            ah_device_release(self);
        }
        return;
    }
    if (self->handle != NULL) {
        self->parents_clock = self->time->told;
    }
    self->handle = NULL;
    self->time = NULL;
    self->closing = 0;
}

int
ah_device_traverse(DeviceObject *self, visitproc visit, void *arg)
{
    Py_VISIT(Py_TYPE(self));
    Py_VISIT(self->owner);
    return 0;
}

/* What the handle needs to close is dropped with it, in dealloc. */
int
ah_device_clear(DeviceObject *self)
{
    if (self->handle == NULL) {
        Py_CLEAR(self->owner);
    }
    return 0;
}

/* Not closed here: a __del__ of the same garbage, called later, may use it. */
void
ah_device_finalize(DeviceObject *self)
{
    if (self->handle == NULL) {
        return;
    }
    PyObject *exc = ah_take_exception();
    if (PyErr_ResourceWarning((PyObject *)self, 1, self->kind->unclosed, self->what) <
            0 &&
        PyErr_ExceptionMatches(PyExc_Warning)) {
        PyErr_WriteUnraisable((PyObject *)self);
    }
    if (self->kind->fail != NULL) {
        self->kind->fail(self); /* runs Python */
    }
    ah_restore_exception(exc);
}

void
ah_device_dealloc(DeviceObject *self)
{
    PyTypeObject *type = Py_TYPE(self);
    if (PyObject_CallFinalizerFromDealloc((PyObject *)self) < 0) {
        return;
    }
    PyObject_GC_UnTrack(self);
    if (self->weakrefs != NULL) {
        PyObject_ClearWeakRefs((PyObject *)self);
    }
    if (self->kind->free != NULL) {
        self->kind->free(self);
    }
    ah_device_release(self);
    ah_fork_unregister(&self->fork);
    self->st->live[self->kind->counter]--;
    Py_CLEAR(self->owner);
    ah_drop_clock(self->parents_clock);
    type->tp_free((PyObject *)self);
    Py_DECREF(type);
}

/* -- Python's face --------------------------------------------------------- */

PyObject *
Device_close(DeviceObject *self, PyObject *Py_UNUSED(ignored))
{
    ah_device_close(self); /* runs Python */
    Py_RETURN_NONE;
}

PyObject *
Device_use_loop(DeviceObject *self, PyObject *loop)
{
    if (ah_device_use_loop(self, loop) < 0) {
        return NULL;
    }
    Py_RETURN_NONE;
}

PyObject *
Device_get_closed(DeviceObject *self, void *Py_UNUSED(closure))
{
    return PyBool_FromLong(ah_device_is_closed(self));
}
