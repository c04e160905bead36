/* Differences between CPython 3.11 and 3.14: the only PY_VERSION_HEX beside module.c's
 * slots. */
#ifndef AH_PY_COMPAT_H
#define AH_PY_COMPAT_H

#include "module.h"
#include <structmember.h>

/* The exception that is set, normalized, with its traceback; cleared. Never NULL. */
static inline PyObject *
ah_take_exception(void)
{
#if PY_VERSION_HEX >= 0x030c0000
    return PyErr_GetRaisedException();
#else
    PyObject *type, *value, *traceback;
    PyErr_Fetch(&type, &value, &traceback);
    PyErr_NormalizeException(&type, &value, &traceback);
    if (traceback != NULL) {
        PyException_SetTraceback(value, traceback);
    }
    Py_DECREF(type);
    Py_XDECREF(traceback);
    return value;
#endif
}

/* Raise it again; takes over the reference. */
static inline void
ah_restore_exception(PyObject *exc)
{
#if PY_VERSION_HEX >= 0x030c0000
    PyErr_SetRaisedException(exc);
#else
    PyErr_Restore(Py_NewRef((PyObject *)Py_TYPE(exc)), exc,
                  PyException_GetTraceback(exc));
#endif
}

/* The exception that is set: into *first, if that has none yet, else reported. */
static inline void
ah_keep_exception(PyObject **first, PyObject *where)
{
    if (*first == NULL) {
        *first = ah_take_exception();
    }
    else {
        PyErr_WriteUnraisable(where); /* runs Python */
    }
}

#endif
