#include "py/errors.h"

#include <string.h>

int
ah_raise_errno_remedy(int err, const char *what, const char *remedy)
{
    err = err < 0 ? -err : err;
    PyObject *text = remedy != NULL
                         ? PyUnicode_FromFormat("%s; %s", strerror(err), remedy)
                         : PyUnicode_FromString(strerror(err));
    if (text == NULL) {
        return -1;
    }
    PyObject *args = what != NULL ? Py_BuildValue("(iNs)", err, text, what)
                                  : Py_BuildValue("(iN)", err, text);
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
    return ah_raise_errno_remedy(err, what, NULL);
}
