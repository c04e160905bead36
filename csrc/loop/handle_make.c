/* Making and freeing a handle: its memory comes from the loop's free list, and goes
 * there.
 */
#include "loop/loop_object.h"

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

/* What is new becomes a handle.  `threadsafe`: before anything can fail. */
static inline HandleObject *
make(HandleObject *self, LoopObject *loop, PyObject *callback, PyObject *const *args,
     Py_ssize_t nargs, PyObject *context, bool once, bool threadsafe)
{
    Py_DECREF(loop->handle_type); /* see handle.h */
    memset((char *)self + sizeof(PyObject), 0, sizeof *self - sizeof(PyObject));
    loop->st->live[AH_LIVE_Handle]++;
    if (threadsafe) {
        self->threadsafe = true;
    }
    if (ah_handle_fill(self, loop, callback, args, nargs, context, once) < 0) {
        Py_DECREF(self);
        return NULL;
    }
    PyObject_GC_Track(self);
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
    return make(self, loop, callback, args, nargs, context, once, false);
}

HandleObject *
ah_handle_new_threadsafe(LoopObject *loop, PyObject *callback, PyObject *const *args,
                         Py_ssize_t nargs, PyObject *context)
{
#ifndef Py_GIL_DISABLED
    HandleObject *self = ah_handle_new(loop, callback, args, nargs, context, true);
    if (self != NULL) {
        self->threadsafe = true;
    }
    return self;
#else
    HandleObject *self = PyObject_GC_New(HandleObject, loop->handle_type);
    return self != NULL ? make(self, loop, callback, args, nargs, context, false, true)
                        : NULL;
#endif
}

static void
keep_for_reuse(LoopObject *loop, HandleObject *handle)
{
    handle->args = (PyObject *)loop->free_handles;
    loop->free_handles = handle;
    loop->free_count++;
}

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
    Py_VISIT(self->loop); /* and by it the type: see handle.h */
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
ah_handle_let_go(HandleObject *self)
{
    if (self->weakrefs != NULL) {
        PyObject_ClearWeakRefs((PyObject *)self);
    }
    PyObject *context = self->context;
    self->context = NULL;
    if (context != NULL) {
        ah_context_done(self->loop->st, &self->loop->snapshot, context);
    }
    (void)ah_handle_clear(self);
}

static void
release_handle(HandleObject *self)
{
    LoopObject *loop = self->loop;
    ah_handle_let_go(self);
    loop->st->live[AH_LIVE_Handle]--;
    if (is_reusable(self)) {
        keep_for_reuse(loop, self);
    }
    else {
        PyObject_GC_Del(self);
    }
    Py_DECREF(loop);
}

void
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
