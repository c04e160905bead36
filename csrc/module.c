/* The extension module _core: its slots and state, of what types.h and names.h name. */
#include "module.h"

#include <string.h>

static PyObject *
core_live(PyObject *module, PyObject *Py_UNUSED(ignored))
{
    static const char *const names[] = {
#define X(field, name) #name,
        AH_TYPES(X)
#undef X
    };
    ModuleState *st = ah_state(module);
    PyObject *counts = PyDict_New();
    if (counts == NULL) {
        return NULL;
    }
    for (int i = 0; i < AH_LIVE_COUNT; i++) {
        PyObject *count = PyLong_FromSsize_t(st->live[i]);
        if (count == NULL || PyDict_SetItemString(counts, names[i], count) < 0) {
            Py_XDECREF(count);
            Py_DECREF(counts);
            return NULL;
        }
        Py_DECREF(count);
    }
    return counts;
}

static PyObject *
core_uses(PyObject *module, PyObject *Py_UNUSED(ignored))
{
    const ModuleState *st = ah_state(module);
    PyObject *counts = PyDict_New();
#define X(name)                                                                \
    if (counts != NULL) {                                                      \
        PyObject *count = PyLong_FromUnsignedLongLong(st->uses.name);          \
        if (count == NULL || PyDict_SetItemString(counts, #name, count) < 0) { \
            Py_CLEAR(counts);                                                  \
        }                                                                      \
        Py_XDECREF(count);                                                     \
    }
    AH_USES(X)
#undef X
    return counts;
}

static PyMethodDef core_methods[] = {
    {"_live", core_live, METH_NOARGS,
     PyDoc_STR("_live($module, /)\n--\n\n"
               "How many objects of each C type are alive, by type name.")},
    {"_uses", core_uses, METH_NOARGS,
     PyDoc_STR("_uses($module, /)\n--\n\n"
               "What devices and executors were used for since the import: counts.")},
    {NULL, NULL, 0, NULL},
};

static int
intern(PyObject **where, const char *text)
{
    *where = PyUnicode_InternFromString(text);
    return *where != NULL ? 0 : -1;
}

/* An attribute of a module, "Class.method", too; owned. */
static int
import(PyObject **where, const char *module, const char *path)
{
    if (path == NULL) {
        return 0;
    }
    PyObject *found = PyImport_ImportModule(module); /* runs Python */
    while (found != NULL && *path != '\0') {
        size_t length = strcspn(path, ".");
        PyObject *name = PyUnicode_FromStringAndSize(path, (Py_ssize_t)length);
        Py_SETREF(found, name != NULL ? PyObject_GetAttr(found, name) : NULL);
        Py_XDECREF(name);
        path += length + (path[length] == '.');
    }
    *where = found;
    return found != NULL ? 0 : -1;
}

static int
add_type(PyObject *module, PyTypeObject **where, PyType_Spec *spec)
{
    *where = (PyTypeObject *)PyType_FromModuleAndSpec(module, spec, NULL);
    return *where != NULL ? PyModule_AddType(module, *where) : -1;
}

static int
fill(PyObject *module, ModuleState *st)
{
#define TRY(call)     \
    if ((call) < 0) { \
        return -1;    \
    }
#define X(field, text) TRY(intern(&st->field, text))
    AH_NAMES(X)
#undef X
#define X(field, from, path) TRY(import(&st->field, from, path))
    AH_IMPORTS(X)
#undef X
#define X(field, name) TRY(add_type(module, &st->field, &name##_spec))
    AH_TYPES(X)
#undef X
#define X(name) TRY(ah_##name##_setup(module))
    AH_SETUPS(X)
#undef X
#undef TRY
    return 0;
}

static int
core_exec(PyObject *module)
{
    ModuleState *st = PyMem_RawCalloc(1, sizeof *st);
    if (st == NULL) {
        PyErr_NoMemory();
        return -1;
    }
    *(ModuleState **)PyModule_GetState(module) = st;
    int status = fill(module, st);
    if (status < 0 && !PyErr_Occurred()) {
        PyErr_NoMemory(); /* CPython's makers of types don't say so everywhere */
    }
    return status;
}

/* Every object that the state owns: visited and cleared in one place. */
#define AH_STATE_OBJECTS(X) AH_TYPES(X) AH_NAMES(X) AH_IMPORTS(X) AH_OTHER_OBJECTS(X)

static int
core_traverse(PyObject *module, visitproc visit, void *arg)
{
    ModuleState *st = ah_state(module);
    if (st == NULL) {
        return 0;
    }
#define X(field, ...) Py_VISIT(st->field);
    AH_STATE_OBJECTS(X)
#undef X
    return 0;
}

static int
core_clear(PyObject *module)
{
    ModuleState *st = ah_state(module);
    if (st == NULL) {
        return 0;
    }
#define X(field, ...) Py_CLEAR(st->field);
    AH_STATE_OBJECTS(X)
#undef X
    return 0;
}

static void
core_free(void *module)
{
    ModuleState *st = ah_state((PyObject *)module);
    (void)core_clear((PyObject *)module);
    for (int i = 0; st != NULL && i < AH_LIVE_COUNT; i++) {
        if (st->live[i] != 0) {
            return; /* it is still counted in; happens only at exit */
        }
    }
    PyMem_RawFree(st);
}

static PyModuleDef_Slot core_slots[] = {
    {Py_mod_exec, core_exec},
#if PY_VERSION_HEX >= 0x030c0000
    {Py_mod_multiple_interpreters, Py_MOD_PER_INTERPRETER_GIL_SUPPORTED},
#endif
    {0, NULL},
};

struct PyModuleDef ah_module_def = {
    PyModuleDef_HEAD_INIT,
    .m_name = "pyasync_hw._core",
    .m_doc = PyDoc_STR("The native half of pyasync_hw."),
    .m_size = sizeof(ModuleState *),
    .m_methods = core_methods,
    .m_slots = core_slots,
    .m_traverse = core_traverse,
    .m_clear = core_clear,
    .m_free = core_free,
};

PyMODINIT_FUNC
PyInit__core(void)
{
    return PyModuleDef_Init(&ah_module_def);
}
