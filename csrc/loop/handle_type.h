/* What the types Handle and TimerHandle share: rows of their tables. */
#ifndef AH_LOOP_HANDLE_TYPE_H
#define AH_LOOP_HANDLE_TYPE_H

#include "loop/handle.h"

PyObject *Handle_cancelled(HandleObject *self, PyObject *ignored);
PyObject *Handle_get_context(HandleObject *self, PyObject *ignored);
PyObject *Handle_run(HandleObject *self, PyObject *ignored);
PyObject *Handle_repr_info(HandleObject *self, PyObject *ignored);
PyObject *Handle_repr(HandleObject *self);
PyObject *Handle_get_args(HandleObject *self, void *closure);
PyObject *Handle_get_object(HandleObject *self, void *offset);
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

#define HANDLE_OBJECT(name, field) \
    {name, (getter)Handle_get_object, NULL, NULL, (void *)offsetof(HandleObject, field)}

#define HANDLE_COMMON_GETSET                                            \
    HANDLE_OBJECT("_callback", callback), HANDLE_OBJECT("_loop", loop), \
        HANDLE_OBJECT("_source_traceback", source_traceback),           \
        {"_args", (getter)Handle_get_args, NULL, NULL, NULL},           \
        {"_context", (getter)Handle_get_context, NULL, NULL, NULL},     \
        {"_repr", (getter)Handle_get_repr, NULL, NULL, NULL},           \
    {                                                                   \
        "_cancelled", (getter)Handle_get_cancelled, NULL, NULL, NULL    \
    }

#endif
