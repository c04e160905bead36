/* The exception that is set, kept aside and set again: by a finalizer, or to be told
 * later, or to somebody else. */
#ifndef AH_PY_EXCEPTIONS_H
#define AH_PY_EXCEPTIONS_H

#include "module.h"

/* The exception that is set, normalized, with its traceback; cleared.  NULL: none is.
 */
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
    Py_XDECREF(type);
    Py_XDECREF(traceback);
    return value;
#endif
}

/* Set it again; takes over the reference.  NULL: none is set then. */
static inline void
ah_restore_exception(PyObject *exc)
{
#if PY_VERSION_HEX >= 0x030c0000
    PyErr_SetRaisedException(exc);
#else
    PyErr_Restore(exc != NULL ? Py_NewRef((PyObject *)Py_TYPE(exc)) : NULL, exc,
                  exc != NULL ? PyException_GetTraceback(exc) : NULL);
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
