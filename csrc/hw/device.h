/* The life of a device: what LineRequest, SPIDevice and MFRC522 begin with.
 *
 * The object owns a handle, which is given back once: by close(), by the last operation
 * that was begun before it, or when the object goes.  Between begin and end the handle
 * stays, though close() may come from another thread, or from Python code that the
 * operation runs.  In a fork's child a real device goes on; a simulated one, whose
 * world is the parent's, raises, and nothing of it is given back.
 * What differs from kind to kind is in a table.  GIL held throughout.
 */
#ifndef AH_HW_DEVICE_H
#define AH_HW_DEVICE_H

#include "module.h"
#include "base/clock.h"
#include "py/fork.h"

typedef struct device_object DeviceObject;

struct device_kind {
    enum ah_live_type counter;
    const char *closed;    /* a format: "... %s is closed" */
    const char *unclosed;  /* the warning's, NULL: it needs no close() */
    const char *on_clock;  /* who is refused on a virtual clock */
    const char *inherited; /* who cannot be used after fork, */
    const char *remedy;    /* and what to do instead */
    void (*close)(void *handle);
    int (*use_clock)(void *handle, struct vclock **clock); /* see dev/line.h */
    void (*in_child)(PyObject *object);                    /* see py/fork.h */
    void (*fail)(DeviceObject *self); /* wake whoever waits; may be NULL */
    void (*free)(DeviceObject *self); /* for dealloc, before the handle; may be NULL */
};

struct device_object {
    PyObject_HEAD
    ModuleState *st;
    const struct device_kind *kind;
    struct fork_node fork;
    void *handle;                   /* owned, NULL: closed */
    const struct device_time *time; /* of the handle, or NULL */
    PyObject *owner; /* owned: the simulated world or adapter, NULL: a real device */
    struct vclock *parents_clock; /* owned: what it was told, in a fork's child */
    PyObject *weakrefs;
    char what[64]; /* for messages: "line 17 of gpiochip0" */
    int keeps_gil; /* its calls are short, or its other side is Python */
    int busy;      /* operations that were begun */
    int closing;   /* close() was called; the last of them does it */
};

/* A device of that type around `handle`, which is closed on failure.  Whoever makes it
 * fills in time, what and keeps_gil. */
AH_RAISES DeviceObject *ah_device_new(ModuleState *st, PyTypeObject *type,
                                      const struct device_kind *kind,
                                      AH_STEALS void *handle, PyObject *owner);

static inline bool
ah_device_is_closed(const DeviceObject *self)
{
    return self->handle == NULL || self->closing;
}

/* The handle.  NULL with ValueError when it is closed, with RuntimeError when it is the
 * parent's. */
AH_RAISES void *ah_device_check(const DeviceObject *self);

/* The same, and it stays until end. */
AH_RAISES void *ah_device_begin(DeviceObject *self);
void ah_device_end(DeviceObject *self); /* runs Python */

/* Around a call of the handle: the GIL goes, unless the device keeps it. */
static inline PyThreadState *
ah_device_let_gil_go(const DeviceObject *self)
{
    return self->keeps_gil ? NULL : PyEval_SaveThread();
}

static inline void
ah_device_take_gil(PyThreadState *thread)
{
    if (thread != NULL) {
        PyEval_RestoreThread(thread);
    }
}

/* Raise -errno with the device's name, and what to do; -1. */
int ah_device_raise(const DeviceObject *self, int err);

/* Idempotent. */
void ah_device_close(DeviceObject *self); /* runs Python */

/* Give the handle back now, if there is one: nothing was begun. */
void ah_device_release(DeviceObject *self); /* runs Python */

/* Go on in the time of `loop`.  -1: RuntimeError, a real device on a virtual clock. */
AH_RAISES int ah_device_use_loop(DeviceObject *self, PyObject *loop);

/* For in_child: a real device goes on, a simulated one is cut off. */
void ah_device_in_child(PyObject *object);

/* For tp_traverse and tp_clear; the slots tp_finalize and tp_dealloc. */
int ah_device_traverse(DeviceObject *self, visitproc visit, void *arg);
int ah_device_clear(DeviceObject *self);
void ah_device_finalize(DeviceObject *self);
void ah_device_dealloc(DeviceObject *self);

/* Python's face of it. */
PyObject *Device_close(DeviceObject *self, PyObject *ignored);
PyObject *Device_use_loop(DeviceObject *self, PyObject *loop);
PyObject *Device_get_closed(DeviceObject *self, void *closure);

#define AH_DEVICE_WEAKREFS \
    {"__weaklistoffset__", T_PYSSIZET, offsetof(DeviceObject, weakrefs), READONLY, NULL}

#endif
