/* What Handle and TimerHandle have in common: life cycle and rows of their tables. */
#ifndef AH_LOOP_HANDLE_COMMON_H
#define AH_LOOP_HANDLE_COMMON_H

#include "loop/handle_type.h"

/* Fill a zeroed handle.  -1 leaves what was set to dealloc.  `once`: the context
 * may be a shared snapshot. */
AH_RAISES int ah_handle_fill(HandleObject *self, LoopObject *loop, PyObject *callback,
                             PyObject *const *args, Py_ssize_t nargs, PyObject *context,
                             bool once);
int ah_handle_traverse(HandleObject *self, visitproc visit, void *arg);
int ah_handle_clear(HandleObject *self);

/* It is freed: its context may be the next handle's. */
void ah_handle_context_done(HandleObject *self); /* runs Python */

/* Is its one argument a handle?  Then it may be the head of a chain, which is freed
 * through Python's trashcan, for each link would nest one call deeper. */
bool ah_handle_has_handle(HandleObject *self);

PyObject *Handle_cancelled(HandleObject *self, PyObject *ignored);
PyObject *Handle_get_context(HandleObject *self, PyObject *ignored);
PyObject *Handle_run(HandleObject *self, PyObject *ignored);
PyObject *Handle_repr_info(HandleObject *self, PyObject *ignored);
PyObject *Handle_repr(HandleObject *self);
PyObject *Handle_get_callback(HandleObject *self, void *closure);
PyObject *Handle_get_args(HandleObject *self, void *closure);
PyObject *Handle_get_loop(HandleObject *self, void *closure);
PyObject *Handle_get_context_attr(HandleObject *self, void *closure);
PyObject *Handle_get_source_traceback(HandleObject *self, void *closure);
PyObject *Handle_get_repr(HandleObject *self, void *closure);
PyObject *Handle_get_cancelled(HandleObject *self, void *closure);

#define HANDLE_COMMON_METHODS                                                      \
    {"cancelled", (PyCFunction)Handle_cancelled, METH_NOARGS,                      \
     PyDoc_STR("cancelled($self, /)\n--\n\nTrue if the callback was cancelled.")}, \
        {"get_context", (PyCFunction)Handle_get_context, METH_NOARGS,              \
         PyDoc_STR("get_context($self, /)\n--\n\n"                                 \
                   "The contextvars.Context in which the callback runs.")},        \
    {                                                                              \
        "_run", (PyCFunction)Handle_run, METH_NOARGS, NULL                         \
    }

#define HANDLE_COMMON_GETSET                                                          \
    {"_callback", (getter)Handle_get_callback, NULL, NULL, NULL},                     \
        {"_args", (getter)Handle_get_args, NULL, NULL, NULL},                         \
        {"_loop", (getter)Handle_get_loop, NULL, NULL, NULL},                         \
        {"_context", (getter)Handle_get_context_attr, NULL, NULL, NULL},              \
        {"_source_traceback", (getter)Handle_get_source_traceback, NULL, NULL, NULL}, \
        {"_repr", (getter)Handle_get_repr, NULL, NULL, NULL},                         \
    {                                                                                 \
        "_cancelled", (getter)Handle_get_cancelled, NULL, NULL, NULL                  \
    }

#endif
