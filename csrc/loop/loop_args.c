#include "loop/loop_args.h"

/* As Python says it of asyncio's own method. */
static void
raise_missing(const struct signature *signature, const struct call *call)
{
    const char *const *names = signature->names;
    bool first = call->params[0] == NULL;
    if (first && signature->count == 2 && call->params[1] == NULL) {
        PyErr_Format(PyExc_TypeError,
                     "%s() missing 2 required positional arguments: "
                     "'%s' and '%s'",
                     signature->method, names[0], names[1]);
        return;
    }
    PyErr_Format(PyExc_TypeError, "%s() missing 1 required positional argument: '%s'",
                 signature->method, first ? names[0] : names[1]);
}

/* One keyword argument: context=, or a parameter by name. */
static int
take_keyword(LoopObject *self, const struct signature *signature, PyObject *name,
             PyObject *value, struct call *call)
{
    if (name == self->st->name_context || /* interned, as a rule */
        PyUnicode_Compare(name, self->st->name_context) == 0) {
        call->context = value;
        return 0;
    }
    Py_ssize_t at = 0;
    while (at < signature->count &&
           PyUnicode_CompareWithASCIIString(name, signature->names[at]) != 0) {
        at++;
    }
    if (at < signature->count && call->params[at] == NULL) {
        call->params[at] = value;
        return 0;
    }
    PyErr_Format(PyExc_TypeError,
                 at < signature->count ? "%s() got multiple values for argument '%U'"
                                       : "%s() got an unexpected keyword argument '%U'",
                 signature->method, name);
    return -1;
}

int
loop_parse_named(LoopObject *self, const struct signature *signature,
                 PyObject *const *args, Py_ssize_t nargs, PyObject *kwnames,
                 struct call *call)
{
    *call = (struct call){.args = args + signature->count};
    for (Py_ssize_t i = 0; i < signature->count && i < nargs; i++) {
        call->params[i] = args[i];
    }
    call->nargs = nargs > signature->count ? nargs - signature->count : 0;
    Py_ssize_t keywords = kwnames != NULL ? PyTuple_GET_SIZE(kwnames) : 0;
    for (Py_ssize_t i = 0; i < keywords; i++) {
        PyObject *name = PyTuple_GET_ITEM(kwnames, i);
        if (take_keyword(self, signature, name, args[nargs + i], call) < 0) {
            return -1;
        }
    }
    for (Py_ssize_t i = 0; i < signature->count; i++) {
        if (call->params[i] == NULL) {
            raise_missing(signature, call);
            return -1;
        }
    }
    PyObject *context = call->context;
    if (context != NULL && context != Py_None && !PyContext_CheckExact(context)) {
        PyErr_Format(PyExc_TypeError,
                     "%s() argument 'context' must be a contextvars.Context or None, "
                     "not %.100s",
                     signature->method, Py_TYPE(context)->tp_name);
        return -1;
    }
    return 0;
}
