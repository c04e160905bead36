/* create_task() and create_future(): asyncio's own types, made without a Python frame.
 *
 * The types are looked up by name in asyncio's modules at each call, for programs
 * rebind them.  With a task factory, and in debug mode, asyncio's own method does it.
 */
#include "loop/loop_type.h"
#include "py/compat.h"
#include "setup.h"

/* The arguments that most tasks have, and two for what is put before them. */
#define ARGS_MAX 6

/* type(*args, loop=self, **kwargs): `args` ends with the values of kwnames, has nargs
 * positional ones, and one free place before it, one behind it. */
static PyObject *
call_with_loop(LoopObject *self, PyObject *namespace, PyObject *name, PyObject **args,
               Py_ssize_t nargs, PyObject *kwnames)
{
    ModuleState *st = self->st;
    PyObject *type = PyDict_GetItemWithError(namespace, name);
    if (type == NULL) {
        if (!PyErr_Occurred()) {
            PyErr_SetObject(PyExc_NameError, name);
        }
        return NULL;
    }
    Py_ssize_t others = kwnames != NULL ? PyTuple_GET_SIZE(kwnames) : 0;
    PyObject *names = others == 0 ? Py_NewRef(st->names_loop) : PyTuple_New(others + 1);
    if (names == NULL) {
        return NULL;
    }
    for (Py_ssize_t i = 0; i < others; i++) {
        PyTuple_SET_ITEM(names, i, Py_NewRef(PyTuple_GET_ITEM(kwnames, i)));
    }
    if (others != 0) {
        PyTuple_SET_ITEM(names, others, Py_NewRef(PyTuple_GET_ITEM(st->names_loop, 0)));
    }
    args[nargs + others] = (PyObject *)self;
    Py_INCREF(type);
    PyObject *result =
        PyObject_Vectorcall(type, args, (size_t)nargs | PY_VECTORCALL_ARGUMENTS_OFFSET,
                            names); /* runs Python */
    Py_DECREF(type);
    Py_DECREF(names);
    return result;
}

static PyObject *
Loop_create_future(LoopObject *self, PyObject *Py_UNUSED(ignored))
{
    PyObject *args[2] = {NULL};
    return call_with_loop(self, self->st->asyncio_futures, self->st->name_future,
                          args + 1, 0, NULL);
}

/* BaseEventLoop.create_task(self, ...) */
static PyObject *
create_task_inherited(LoopObject *self, PyObject *const *args, Py_ssize_t nargs,
                      PyObject *kwnames)
{
    Py_ssize_t count = nargs + (kwnames != NULL ? PyTuple_GET_SIZE(kwnames) : 0);
    PyObject **all = PyMem_Malloc((size_t)(count + 1) * sizeof *all);
    if (all == NULL) {
        return PyErr_NoMemory();
    }
    all[0] = (PyObject *)self;
    for (Py_ssize_t i = 0; i < count; i++) {
        all[i + 1] = args[i];
    }
    PyObject *task = PyObject_Vectorcall(self->st->asyncio_create_task, all,
                                         (size_t)nargs + 1, kwnames); /* runs Python */
    PyMem_Free(all);
    return task;
}

static PyObject *
Loop_create_task(LoopObject *self, PyObject *const *args, Py_ssize_t nargs,
                 PyObject *kwnames)
{
    Py_ssize_t count = nargs + (kwnames != NULL ? PyTuple_GET_SIZE(kwnames) : 0);
    bool factory = self->task_factory != NULL && self->task_factory != Py_None;
    if (factory || self->debug || nargs != 1 || count > ARGS_MAX - 2) {
        return create_task_inherited(self, args, nargs, kwnames);
    }
    if (loop_check_open(self) < 0) {
        return NULL;
    }
    PyObject *all[ARGS_MAX] = {NULL};
    for (Py_ssize_t i = 0; i < count; i++) {
        all[i + 1] = args[i];
    }
    return call_with_loop(self, self->st->asyncio_tasks, self->st->name_task, all + 1,
                          nargs, kwnames);
}

PyMethodDef loop_factory_methods[] = {
    {"create_future", (PyCFunction)Loop_create_future, METH_NOARGS,
     PyDoc_STR("create_future($self, /)\n--\n\nAn asyncio.Future of this loop.")},
    {"create_task", (PyCFunction)(void (*)(void))Loop_create_task,
     METH_FASTCALL | METH_KEYWORDS,
     PyDoc_STR("create_task($self, coro, **kwargs)\n--\n\n"
               "Schedule a coroutine; return its asyncio.Task.  Keywords are\n"
               "asyncio.Task's: name, context, and eager_start where Python has it.")},
    {NULL, NULL, 0, NULL},
};

/* A module's namespace, owned. */
static PyObject *
namespace_of(const char *name)
{
    PyObject *module = PyImport_ImportModule(name);
    PyObject *dict = module != NULL ? Py_NewRef(PyModule_GetDict(module)) : NULL;
    Py_XDECREF(module);
    return dict;
}

int
ah_loop_factory_setup(PyObject *module)
{
    ModuleState *st = ah_state(module);
    st->asyncio_tasks = namespace_of("asyncio.tasks");
    st->asyncio_futures = namespace_of("asyncio.futures");
    st->name_context = PyUnicode_InternFromString("context");
    st->name_task = PyUnicode_InternFromString("Task");
    st->name_future = PyUnicode_InternFromString("Future");
    PyObject *name_loop = PyUnicode_InternFromString("loop");
    st->names_loop = name_loop != NULL ? PyTuple_Pack(1, name_loop) : NULL;
    Py_XDECREF(name_loop);
    PyObject *base_events = PyImport_ImportModule("asyncio.base_events");
    PyObject *base = base_events != NULL
                         ? PyObject_GetAttrString(base_events, "BaseEventLoop")
                         : NULL;
    st->asyncio_create_task =
        base != NULL ? PyObject_GetAttrString(base, "create_task") : NULL;
    Py_XDECREF(base);
    Py_XDECREF(base_events);
    bool complete = st->name_context != NULL && st->asyncio_tasks != NULL &&
                    st->asyncio_futures != NULL && st->name_task != NULL &&
                    st->name_future != NULL && st->names_loop != NULL &&
                    st->asyncio_create_task != NULL;
    return complete ? 0 : -1;
}
