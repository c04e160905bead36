/* Names and imports of the module's setup; see lookup.h. */
#include "py/lookup.h"

int
ah_intern(PyObject **where, const char *name)
{
    *where = PyUnicode_InternFromString(name);
    return *where != NULL ? 0 : -1;
}

int
ah_import(PyObject **where, const char *module, const char *attribute)
{
    PyObject *imported = PyImport_ImportModule(module); /* runs Python */
    *where = imported != NULL ? PyObject_GetAttrString(imported, attribute) : NULL;
    Py_XDECREF(imported);
    return *where != NULL ? 0 : -1;
}

int
ah_namespace(PyObject **where, const char *module)
{
    PyObject *imported = PyImport_ImportModule(module); /* runs Python */
    *where = imported != NULL ? Py_NewRef(PyModule_GetDict(imported)) : NULL;
    Py_XDECREF(imported);
    return *where != NULL ? 0 : -1;
}
