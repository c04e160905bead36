/* Snapshots of the current context; see context.h. */
#include "py/context.h"

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

/* A context with one variable set, so that its mapping is nobody else's. */
static PyObject *
make_context(void)
{
    PyObject *context = PyContext_New();
    PyObject *var = PyContextVar_New("probe", NULL);
    PyObject *token = NULL;
    if (context != NULL && var != NULL && PyContext_Enter(context) == 0) {
        token = PyContextVar_Set(var, Py_None);
        if (PyContext_Exit(context) < 0) {
            Py_CLEAR(token);
        }
    }
    if (token == NULL) {
        Py_CLEAR(context);
    }
    Py_XDECREF(token);
    Py_XDECREF(var);
    return context;
}

Py_ssize_t
ah_context_find_vars(void)
{
    Py_ssize_t offset = 0;
    PyObject *context = make_context();
    PyObject *copy = context != NULL ? PyContext_Copy(context) : NULL;
    PyObject *other = make_context();
    if (copy != NULL && other != NULL) {
        PyObject *vars = vars_by_traverse(context);
        Py_ssize_t size = Py_TYPE(context)->tp_basicsize;
        for (Py_ssize_t at = sizeof(PyObject);
             vars != NULL && at + (Py_ssize_t)sizeof(PyObject *) <= size;
             at += sizeof(PyObject *)) {
            if (vars_at(context, at) == vars && vars_at(copy, at) == vars &&
                vars_at(other, at) == vars_by_traverse(other) &&
                vars_at(other, at) != vars) {
                offset = at;
                break;
            }
        }
    }
    Py_XDECREF(context);
    Py_XDECREF(copy);
    Py_XDECREF(other);
    PyErr_Clear(); /* not known: every callback gets its own copy */
    return offset;
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
        snapshot->copy = copy;
        snapshot->vars = vars_at(copy, st->context_vars_offset);
        Py_INCREF(copy);
        Py_XDECREF(old); /* runs Python, which may take another snapshot */
        *shared = true;
        return copy;
    }
    *shared = true;
    return Py_NewRef(snapshot->copy);
}
