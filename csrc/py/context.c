/* Snapshots of the current context; see context.h. */
#include "py/context.h"

#include <string.h>

/* The one object that a context refers to when it is not entered. */
static int
note_referent(PyObject *referent, void *arg)
{
    PyObject **found = arg;
    *found = *found == NULL || *found == referent ? referent : Py_None;
    return 0;
}

static PyObject *
vars_by_traverse(PyObject *context)
{
    PyObject *found = NULL;
    traverseproc traverse = Py_TYPE(context)->tp_traverse;
    if (traverse == NULL) {
        return NULL;
    }
    (void)traverse(context, note_referent, &found);
    return found == Py_None ? NULL : found;
}

static PyObject *
vars_at(PyObject *context, Py_ssize_t offset)
{
    return *(PyObject **)((char *)context + offset);
}

/* Fails only without memory.  Not found, 0: every callback gets its own copy. */
int
ah_context_setup(PyObject *module)
{
    PyObject *context = PyContext_New();
    PyObject *copy = context != NULL ? PyContext_Copy(context) : NULL;
    ah_state(module)->context_vars_offset = 0;
    if (copy == NULL) {
        Py_XDECREF(context);
        return -1;
    }
    PyObject *vars = vars_by_traverse(context);
    Py_ssize_t size = Py_TYPE(context)->tp_basicsize;
    bool known = vars != NULL && strcmp(Py_TYPE(vars)->tp_name, "hamt") == 0;
    for (Py_ssize_t at = sizeof(PyObject);
         known && at + (Py_ssize_t)sizeof(PyObject *) <= size;
         at += sizeof(PyObject *)) {
        if (vars_at(context, at) == vars && vars_at(copy, at) == vars) {
            ah_state(module)->context_vars_offset = at;
            break;
        }
    }
    Py_DECREF(context);
    Py_DECREF(copy);
    return 0;
}

PyObject *
ah_context_current(ModuleState *st, struct context_snapshot *snapshot, bool *shared)
{
    PyObject *current = PyThreadState_Get()->context;
    *shared = false;
    if (current == NULL || st->context_vars_offset == 0) {
        return PyContext_CopyCurrent();
    }
    PyObject *vars = vars_at(current, st->context_vars_offset);
    if (snapshot->copy == NULL || snapshot->vars != vars) {
        PyObject *copy = PyContext_CopyCurrent();
        if (copy == NULL) {
            return NULL;
        }
        PyObject *old = snapshot->copy;
        PyObject *spare = snapshot->spare;
        snapshot->spare = NULL;
        snapshot->copy = copy;
        snapshot->vars = vars_at(copy, st->context_vars_offset);
        Py_INCREF(copy);
        Py_XDECREF(spare); /* runs Python */
        Py_XDECREF(old);   /* runs Python, which may take another snapshot */
        *shared = true;
        return copy;
    }
    *shared = true;
    return Py_NewRef(snapshot->copy);
}

PyObject *
ah_context_own(ModuleState *st, struct context_snapshot *snapshot, PyObject *shared)
{
    PyObject *spare = snapshot->spare;
    if (spare != NULL && vars_at(spare, st->context_vars_offset) ==
                             vars_at(shared, st->context_vars_offset)) {
        snapshot->spare = NULL;
        return spare;
    }
    return PyContext_Copy(shared); /* runs Python: the collector */
}

#ifndef Py_GIL_DISABLED
static bool
has_weakrefs(PyObject *object)
{
    Py_ssize_t offset = Py_TYPE(object)->tp_weaklistoffset;
    return offset > 0 && *(PyObject **)((char *)object + offset) != NULL;
}

static bool
is_as_new(ModuleState *st, struct context_snapshot *snapshot, PyObject *context)
{
    return snapshot->copy != NULL && st->context_vars_offset != 0 &&
           Py_REFCNT(context) == 1 &&
           vars_at(context, st->context_vars_offset) == snapshot->vars &&
           !has_weakrefs(context);
}
#endif

void
ah_context_done(ModuleState *st, struct context_snapshot *snapshot, PyObject *context)
{
#ifndef Py_GIL_DISABLED
    if (snapshot->spare == NULL && is_as_new(st, snapshot, context)) {
        snapshot->spare = context;
        return;
    }
#else
    (void)st;
    (void)snapshot;
#endif
    Py_DECREF(context); /* runs Python */
}
