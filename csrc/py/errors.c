#include "py/errors.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>

int
ah_raise_errno_remedy(int err, const char *what, const char *remedy)
{
    err = err < 0 ? -err : err;
    /* As Python itself decodes them: messages by the locale, names as file names. */
    PyObject *text = PyUnicode_DecodeLocale(strerror(err), "surrogateescape");
    if (text != NULL && remedy != NULL) {
        Py_SETREF(text, PyUnicode_FromFormat("%U; %s", text, remedy));
    }
    PyObject *name = what != NULL ? PyUnicode_DecodeFSDefault(what) : NULL;
    PyObject *args = NULL;
    if (text != NULL && (what == NULL || name != NULL)) {
        args = name != NULL ? Py_BuildValue("(iOO)", err, text, name)
                            : Py_BuildValue("(iO)", err, text);
    }
    Py_XDECREF(text);
    Py_XDECREF(name);
    if (args != NULL) {
        PyObject *error = PyObject_Call(PyExc_OSError, args, NULL);
        Py_DECREF(args);
        if (error != NULL) {
            PyErr_SetObject((PyObject *)Py_TYPE(error), error);
            Py_DECREF(error);
        }
    }
    return -1;
}

int
ah_raise_errno(int err, const char *what)
{
    int number = err < 0 ? -err : err;
    bool gone = number == ENODEV || number == ESHUTDOWN; /* gpiochip, spidev */
    return ah_raise_errno_remedy(
        err, what, gone ? "it was unplugged; open it anew when it is back" : NULL);
}

PyObject *
ah_none_or_errno(int err, const char *what)
{
    if (err < 0) {
        ah_raise_errno(err, what);
        return NULL;
    }
    Py_RETURN_NONE;
}

int
ah_seconds_arg(PyObject *arg, const char *name, double *seconds)
{
    *seconds = PyFloat_AsDouble(arg); /* runs Python */
    if (*seconds != -1.0 || !PyErr_Occurred()) {
        return 0;
    }
    if (PyErr_ExceptionMatches(PyExc_TypeError)) {
        PyErr_Format(PyExc_TypeError, "%s must be a number of seconds, not %R", name,
                     arg);
    }
    else if (PyErr_ExceptionMatches(PyExc_OverflowError)) {
        PyErr_Format(PyExc_OverflowError, "%s is too large a number of seconds", name);
    }
    return -1;
}

int
ah_integer_arg(PyObject *arg, const char *name, long long min, long long max,
               long long *number)
{
    int overflow = 0;
    PyObject *index = PyNumber_Index(arg); /* runs Python */
    if (index == NULL) {
        if (PyErr_ExceptionMatches(PyExc_TypeError)) {
            PyErr_Format(PyExc_TypeError, "%s must be an integer, not %R", name, arg);
        }
        return -1;
    }
    *number = PyLong_AsLongLongAndOverflow(index, &overflow);
    if (*number == -1 && !overflow && PyErr_Occurred()) {
        Py_DECREF(index);
        return -1;
    }
    if (overflow || *number < min || *number > max) {
        PyErr_Format(PyExc_ValueError, "%s must be %lld to %lld, not %R", name, min,
                     max, index);
        Py_DECREF(index);
        return -1;
    }
    Py_DECREF(index);
    return 0;
}
