/* What a method was given that schedules a callback: f(..., callback, *args, context=).
 *
 * Each parameter may be given by position or by name, as in asyncio; errors are said
 * in Python's words for asyncio's own method.
 */
#ifndef AH_LOOP_LOOP_ARGS_H
#define AH_LOOP_LOOP_ARGS_H

#include "loop/loop_object.h"

#define PARAMETERS_MAX 2

/* The parameters before *args; the last one is the callback. */
struct signature {
    const char *method;
    Py_ssize_t count;
    const char *names[PARAMETERS_MAX];
};

/* What it was given; all of it is the caller's. */
struct call {
    PyObject *params[PARAMETERS_MAX];
    PyObject *const *args;
    Py_ssize_t nargs;
    PyObject *context; /* NULL: not given */
};

/* Some are given by name, or are missing. */
AH_RAISES int loop_parse_named(LoopObject *self, const struct signature *signature,
                               PyObject *const *args, Py_ssize_t nargs,
                               PyObject *kwnames, struct call *call);

/* What tasks give, and most others: positions, and perhaps context=. */
AH_RAISES static inline int
loop_parse_call(LoopObject *self, const struct signature *signature,
                PyObject *const *args, Py_ssize_t nargs, PyObject *kwnames,
                struct call *call)
{
    call->context = NULL;
    if (kwnames != NULL && PyTuple_GET_SIZE(kwnames) == 1 &&
        PyContext_CheckExact(args[nargs]) &&
        PyUnicode_Compare(PyTuple_GET_ITEM(kwnames, 0), self->st->name_context) == 0) {
        call->context = args[nargs];
        kwnames = NULL;
    }
    if (kwnames != NULL || nargs < signature->count) {
        return loop_parse_named(self, signature, args, nargs, kwnames, call);
    }
    for (Py_ssize_t i = 0; i < signature->count; i++) {
        call->params[i] = args[i];
    }
    call->args = args + signature->count;
    call->nargs = nargs - signature->count;
    return 0;
}

#endif
