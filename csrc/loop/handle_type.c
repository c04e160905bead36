/* Handle; see handle_type.h for ownership, timer_handle_type.c for timers.
 *
 * What is not hot (repr, the text of an error report) is asyncio's own Python:
 * asyncio.Handle's functions are called with our object as self.
 */
#include "loop/handle_type.h"
#include "loop/handle_common.h"
#include "loop/handle_running.h"
#include "loop/loop_type.h"
#include "py/exceptions.h"
#include "py/lookup.h"
#include "setup.h"

/* -- making ---------------------------------------------------------------- */

/* The stack of the Python code that schedules, as asyncio.Handle keeps it. */
static PyObject *
extract_stack(void)
{
    PyObject *module = PyImport_ImportModule("asyncio.format_helpers");
    if (module == NULL) {
        return NULL;
    }
    PyObject *frame = (PyObject *)PyEval_GetFrame();
    PyObject *stack = PyObject_CallMethod(module, "extract_stack", "O",
                                          frame != NULL ? frame : Py_None);
    Py_DECREF(module);
    return stack;
}

/* Fill a zeroed handle.  -1 leaves what was set to dealloc. */
int
ah_handle_fill(HandleObject *self, LoopObject *loop, PyObject *callback,
               PyObject *const *args, Py_ssize_t nargs, PyObject *context, bool once)
{
    self->loop = (LoopObject *)Py_NewRef((PyObject *)loop);
    self->callback = Py_NewRef(callback);
    self->nargs = (int)nargs;
    if (nargs == 1) {
        self->args = Py_NewRef(args[0]);
    }
    else if (nargs > 1) {
        self->args = PyTuple_New(nargs);
        if (self->args == NULL) {
            return -1;
        }
        for (Py_ssize_t i = 0; i < nargs; i++) {
            PyTuple_SET_ITEM(self->args, i, Py_NewRef(args[i]));
        }
    }
    if (context != NULL && context != Py_None) {
        self->context = Py_NewRef(context);
    }
    else if (once) {
        self->context =
            ah_context_current(loop->st, &loop->snapshot, &self->shared_context);
    }
    else {
        self->context = PyContext_CopyCurrent();
    }
    if (self->context == NULL) {
        return -1;
    }
    if (loop->debug) {
        self->source_traceback = extract_stack(); /* runs Python */
        if (self->source_traceback == NULL) {
            return -1;
        }
    }
    return 0;
}

static void
keep_for_reuse(LoopObject *loop, HandleObject *handle)
{
    handle->args = (PyObject *)loop->free_handles;
    loop->free_handles = handle;
    loop->free_count++;
}

/* A new one where the free list is empty.  The collector counts it, but is not run for
 * it: that would look at a burst of handles again and again, and handles alone make no
 * garbage. */
static HandleObject *
allocate(LoopObject *loop)
{
    int collects = PyGC_Disable();
    HandleObject *self = PyObject_GC_New(HandleObject, loop->handle_type);
    if (collects) {
        (void)PyGC_Enable();
    }
    return self;
}

HandleObject *
ah_handle_new(LoopObject *loop, PyObject *callback, PyObject *const *args,
              Py_ssize_t nargs, PyObject *context, bool once)
{
    HandleObject *self = loop->free_handles;
    if (self != NULL) {
        loop->free_handles = (HandleObject *)self->args;
        loop->free_count--;
        PyObject_Init((PyObject *)self, loop->handle_type);
    }
    else {
        self = allocate(loop);
        if (self == NULL) {
            return NULL;
        }
    }
    Py_DECREF(loop->handle_type); /* see handle_type.h */
    memset((char *)self + sizeof(PyObject), 0, sizeof *self - sizeof(PyObject));
    loop->st->live[AH_LIVE_Handle]++;
    if (ah_handle_fill(self, loop, callback, args, nargs, context, once) < 0) {
        Py_DECREF(self);
        return NULL;
    }
    PyObject_GC_Track(self);
    return self;
}

#ifndef Py_GIL_DISABLED
HandleObject *
ah_handle_new_threadsafe(LoopObject *loop, PyObject *callback, PyObject *const *args,
                         Py_ssize_t nargs, PyObject *context)
{
    HandleObject *self = ah_handle_new(loop, callback, args, nargs, context, true);
    if (self != NULL) {
        self->threadsafe = true;
    }
    return self;
}
#else
HandleObject *
ah_handle_new_threadsafe(LoopObject *loop, PyObject *callback, PyObject *const *args,
                         Py_ssize_t nargs, PyObject *context)
{
    HandleObject *self = PyObject_GC_New(HandleObject, loop->handle_type);
    if (self == NULL) {
        return NULL;
    }
    Py_DECREF(loop->handle_type); /* see handle_type.h */
    memset((char *)self + sizeof(PyObject), 0, sizeof *self - sizeof(PyObject));
    loop->st->live[AH_LIVE_Handle]++;
    self->threadsafe = true;
    if (ah_handle_fill(self, loop, callback, args, nargs, context, false) < 0) {
        Py_DECREF(self);
        return NULL;
    }
    PyObject_GC_Track(self);
    return self;
}
#endif

/* May its memory go to the free list? */
static bool
is_reusable(HandleObject *self)
{
#ifdef Py_GIL_DISABLED
    if (self->threadsafe) {
        return false;
    }
#endif
    return self->loop->free_count < FREE_HANDLES_BUSY && !self->loop->closed;
}

int
ah_handle_traverse(HandleObject *self, visitproc visit, void *arg)
{
    Py_VISIT(self->loop); /* and by it the type: see handle_type.h */
    Py_VISIT(self->callback);
    Py_VISIT(self->args);
    Py_VISIT(self->context);
    Py_VISIT(self->source_traceback);
    return 0;
}

int
ah_handle_clear(HandleObject *self)
{
    Py_CLEAR(self->callback);
    Py_CLEAR(self->args);
    Py_CLEAR(self->context);
    Py_CLEAR(self->source_traceback);
    return 0;
}

bool
ah_handle_has_handle(HandleObject *self)
{
    PyTypeObject *type = self->args != NULL ? Py_TYPE(self->args) : NULL;
    LoopObject *loop = self->loop;
    return type != NULL &&
           (type == loop->handle_type || type == loop->timer_handle_type);
}

void
ah_handle_context_done(HandleObject *self)
{
    PyObject *context = self->context;
    self->context = NULL;
    if (context != NULL) {
        ah_context_done(self->loop->st, &self->loop->snapshot, context);
    }
}

static void
release_handle(HandleObject *self)
{
    LoopObject *loop = self->loop;
    if (self->weakrefs != NULL) {
        PyObject_ClearWeakRefs((PyObject *)self);
    }
    ah_handle_context_done(self);
    (void)ah_handle_clear(self);
    loop->st->live[AH_LIVE_Handle]--;
    if (is_reusable(self)) {
        keep_for_reuse(loop, self);
    }
    else {
        PyObject_GC_Del(self);
    }
    Py_DECREF(loop);
}

static void
Handle_dealloc(HandleObject *self)
{
    PyObject_GC_UnTrack(self);
    if (!ah_handle_has_handle(self)) {
        release_handle(self);
        return;
    }
    Py_TRASHCAN_BEGIN(self, Handle_dealloc);
    release_handle(self);
    Py_TRASHCAN_END;
}

void
ah_handle_free_list_trim(LoopObject *loop, int keep)
{
    while (loop->free_count > keep) {
        HandleObject *handle = loop->free_handles;
        loop->free_handles = (HandleObject *)handle->args;
        loop->free_count--;
        PyObject_GC_Del(handle);
    }
}

/* -- running and cancelling ------------------------------------------------ */

/* The exception that is set goes to the loop's exception handler. */
static int
report_failure(HandleObject *self)
{
    if (PyErr_ExceptionMatches(PyExc_SystemExit) ||
        PyErr_ExceptionMatches(PyExc_KeyboardInterrupt)) {
        return -1;
    }
    PyObject *exc = ah_take_exception();
    PyObject *result = PyObject_CallMethod((PyObject *)self->loop, "_callback_failed",
                                           "OO", self, exc); /* runs Python */
    Py_DECREF(exc);
    if (result == NULL) {
        return -1;
    }
    Py_DECREF(result);
    return 0;
}

/* A new reference to the context of the handle's own: what it runs in, and what
 * get_context() shows before and after.  A snapshot becomes one. */
static PyObject *
own_context(HandleObject *self)
{
    PyObject *context = Py_NewRef(self->context != NULL ? self->context : Py_None);
    if (self->shared_context && self->context != NULL) {
        LoopObject *loop = self->loop;
        PyObject *own = ah_context_own(loop->st, &loop->snapshot, context);
        Py_DECREF(context);
        if (own == NULL || !self->shared_context) {
            Py_XDECREF(own);
            return own != NULL ? Py_NewRef(self->context) : NULL;
        }
        context = own;
        self->shared_context = false;
        Py_SETREF(self->context, Py_NewRef(own));
    }
    return context;
}

static int
run_callback(HandleObject *self)
{
    if (self->callback == NULL) {
        return 0; /* cancelled, or cleared by the garbage collector */
    }
    /* The callback may cancel its own handle: keep what the call needs. */
    PyObject *callback = Py_NewRef(self->callback);
    PyObject *args = Py_XNewRef(self->args);
    PyObject *context = own_context(self);
    PyObject *result = NULL;
    if (context != NULL && PyContext_Enter(context) == 0) {
        if (self->nargs == 0) {
            result = PyObject_CallNoArgs(callback); /* runs Python */
        }
        else if (self->nargs == 1) {
            result = PyObject_CallOneArg(callback, args); /* runs Python */
        }
        else {
            result = PyObject_Vectorcall(callback, &PyTuple_GET_ITEM(args, 0),
                                         (size_t)self->nargs, NULL); /* runs Python */
        }
        if (PyContext_Exit(context) < 0) {
            Py_CLEAR(result);
        }
    }
    Py_XDECREF(context);
    Py_XDECREF(args);
    Py_DECREF(callback);
    if (result == NULL) {
        return report_failure(self);
    }
    Py_DECREF(result);
    return 0;
}

/* Other threads that cancel it, or ask, wait until it has run. */
static int
run_threadsafe(HandleObject *self)
{
    struct running_handle note;
    if (ah_running_begin(&note, self) < 0) {
        return -1;
    }
    int status = run_callback(self); /* runs Python */
    ah_running_end(&note);
    return status;
}

int
ah_handle_run(HandleObject *self)
{
    bool guarded =
        self->threadsafe && self->loop->st->asyncio_threadsafe_handle != NULL;
    return guarded ? run_threadsafe(self) : run_callback(self);
}

int
ah_handle_cancel(HandleObject *self)
{
    if (self->cancelled) {
        return 0;
    }
    PyObject *repr = NULL;
    self->cancelled = true;
    if (self->loop->debug) {
        /* Keep a representation, for "Executing <Handle ...> took". */
        repr = PyObject_Repr((PyObject *)self); /* runs Python */
        if (repr == NULL) {
            return -1;
        }
    }
    PyObject *callback = self->callback;
    PyObject *args = self->args;
    self->callback = NULL;
    self->args = repr;
    Py_XDECREF(callback); /* runs Python */
    Py_XDECREF(args);     /* runs Python */
    return 0;
}

PyObject *
ah_handle_args(HandleObject *self)
{
    if (self->callback == NULL) {
        Py_RETURN_NONE;
    }
    if (self->nargs != 1) {
        return self->nargs == 0 ? PyTuple_New(0) : Py_NewRef(self->args);
    }
    PyObject *arg = Py_NewRef(self->args);
    PyObject *tuple = PyTuple_Pack(1, arg); /* runs Python: the collector */
    Py_DECREF(arg);
    return tuple;
}

/* -- Python methods -------------------------------------------------------- */

static PyObject *
Handle_cancel(HandleObject *self, PyObject *Py_UNUSED(ignored))
{
    if (ah_handle_wait(self) < 0 || ah_handle_cancel(self) < 0) {
        return NULL;
    }
    Py_RETURN_NONE;
}

PyObject *
Handle_cancelled(HandleObject *self, PyObject *Py_UNUSED(ignored))
{
    if (ah_handle_wait(self) < 0) {
        return NULL;
    }
    return PyBool_FromLong(self->cancelled);
}

PyObject *
Handle_get_context(HandleObject *self, PyObject *Py_UNUSED(ignored))
{
    return own_context(self);
}

PyObject *
Handle_run(HandleObject *self, PyObject *Py_UNUSED(ignored))
{
    PyObject *patched = Py_XNewRef(ah_handle_patched_run(self->loop->st));
    if (patched != NULL) {
        PyObject *result = ah_handle_run_patched(self, patched); /* runs Python */
        Py_DECREF(patched);                                      /* runs Python */
        return result;
    }
    if (!self->cancelled && ah_handle_run(self) < 0) {
        return NULL;
    }
    Py_RETURN_NONE;
}

PyObject *
Handle_repr_info(HandleObject *self, PyObject *Py_UNUSED(ignored))
{
    return PyObject_CallMethod(self->loop->st->asyncio_handle, "_repr_info", "O", self);
}

PyObject *
Handle_repr(HandleObject *self)
{
    if (self->callback == NULL && self->args != NULL) {
        return Py_NewRef(self->args);
    }
    int inside = Py_ReprEnter((PyObject *)self); /* its arguments may lead back to it */
    if (inside != 0) {
        return inside > 0 ? PyUnicode_FromString("<Handle ...>") : NULL;
    }
    PyObject *repr = PyObject_CallMethod(self->loop->st->asyncio_handle, "__repr__",
                                         "O", self); /* runs Python */
    Py_ReprLeave((PyObject *)self);
    return repr;
}

static PyObject *
Handle_get_class(HandleObject *self, void *Py_UNUSED(closure))
{
    ModuleState *st = self->loop->st;
    bool threadsafe = self->threadsafe && st->asyncio_threadsafe_handle != NULL;
    return Py_NewRef(threadsafe ? st->asyncio_threadsafe_handle : st->asyncio_handle);
}

static PyObject *
or_none(PyObject *obj)
{
    return Py_NewRef(obj != NULL ? obj : Py_None);
}

PyObject *
Handle_get_callback(HandleObject *self, void *Py_UNUSED(closure))
{
    return or_none(self->callback);
}

PyObject *
Handle_get_args(HandleObject *self, void *Py_UNUSED(closure))
{
    return ah_handle_args(self);
}

PyObject *
Handle_get_loop(HandleObject *self, void *Py_UNUSED(closure))
{
    return Py_NewRef((PyObject *)self->loop);
}

PyObject *
Handle_get_context_attr(HandleObject *self, void *Py_UNUSED(closure))
{
    return Handle_get_context(self, NULL);
}

PyObject *
Handle_get_source_traceback(HandleObject *self, void *Py_UNUSED(closure))
{
    return or_none(self->source_traceback);
}

PyObject *
Handle_get_repr(HandleObject *self, void *Py_UNUSED(closure))
{
    return or_none(self->callback == NULL ? self->args : NULL);
}

PyObject *
Handle_get_cancelled(HandleObject *self, void *Py_UNUSED(closure))
{
    return PyBool_FromLong(self->cancelled);
}

/* -- tables ---------------------------------------------------------------- */

static PyMethodDef Handle_methods[] = {
    {"cancel", (PyCFunction)Handle_cancel, METH_NOARGS,
     PyDoc_STR("cancel($self, /)\n--\n\n"
               "Cancel the callback; callback and arguments are dropped at once.")},
    {"_repr_info", (PyCFunction)Handle_repr_info, METH_NOARGS, NULL},
    HANDLE_COMMON_METHODS,
    {NULL, NULL, 0, NULL},
};

static PyGetSetDef Handle_getset[] = {
    {"__class__", (getter)Handle_get_class, NULL, NULL, NULL},
    HANDLE_COMMON_GETSET,
    {NULL, NULL, NULL, NULL, NULL},
};

static PyMemberDef Handle_members[] = {
    {"__weaklistoffset__", T_PYSSIZET, offsetof(HandleObject, weakrefs), READONLY,
     NULL},
    {NULL, 0, 0, 0, NULL},
};

static PyType_Slot Handle_slots[] = {
    {Py_tp_doc, PyDoc_STR("A scheduled callback; see asyncio.Handle.")},
    {Py_tp_dealloc, Handle_dealloc},
    {Py_tp_traverse, ah_handle_traverse},
    {Py_tp_clear, ah_handle_clear},
    {Py_tp_repr, Handle_repr},
    {Py_tp_methods, Handle_methods},
    {Py_tp_getset, Handle_getset},
    {Py_tp_members, Handle_members},
    {0, NULL},
};

static PyType_Spec Handle_spec = {
    .name = "pyasync_hw._core.Handle",
    .basicsize = sizeof(HandleObject),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC | Py_TPFLAGS_IMMUTABLETYPE |
             Py_TPFLAGS_DISALLOW_INSTANTIATION,
    .slots = Handle_slots,
};

/* What our handles are to isinstance(). */
AH_RAISES static int
import_handles(ModuleState *st)
{
#if PY_VERSION_HEX >= 0x030e0000
    if (ah_import(&st->asyncio_threadsafe_handle, "asyncio.events",
                  "_ThreadSafeHandle") < 0) {
        return -1;
    }
#endif
    return ah_import(&st->asyncio_handle, "asyncio.events", "Handle") < 0
               ? -1
               : ah_namespace(&st->events_namespace, "asyncio.events");
}

int
ah_handle_type_setup(PyObject *module)
{
    ModuleState *st = ah_state(module);
    if (import_handles(st) < 0 || ah_context_find_vars(&st->context_vars_offset) < 0) {
        return -1;
    }
    st->handle_type =
        (PyTypeObject *)PyType_FromModuleAndSpec(module, &Handle_spec, NULL);
    if (st->handle_type == NULL) {
        return -1;
    }
    return PyModule_AddType(module, st->handle_type);
}
