/* create_task() and create_future(): asyncio's own types, made without a Python frame.
 *
 * The types are looked up by name in asyncio's modules at each call, for programs
 * rebind them.  With a task factory, and in debug mode, asyncio's own method does it.
 */
#include "loop/loop_type.h"
#include "py/compat.h"
#include "py/lookup.h"
#include "setup.h"

/* {"loop": self}: kept until close(), for it is a cycle. */
static PyObject *
loop_keyword(LoopObject *self)
{
    if (self->loop_keyword != NULL) {
        return Py_NewRef(self->loop_keyword);
    }
    PyObject *keyword = Py_BuildValue("{OO}", self->st->name_loop, self);
    if (!self->closed) {
        Py_XSETREF(self->loop_keyword, Py_XNewRef(keyword)); /* the collector ran */
    }
    return keyword;
}

/* {"loop": self, **more}.  Without more, it is the same dict each time: neither type
 * keeps it, and making one is a tenth of making a task. */
static PyObject *
keywords_with_loop(LoopObject *self, PyObject *const *values, PyObject *kwnames)
{
    Py_ssize_t count = kwnames != NULL ? PyTuple_GET_SIZE(kwnames) : 0;
    PyObject *keyword = loop_keyword(self);
    if (keyword == NULL || count == 0 ||
        (count == 1 && values[0] == Py_None &&
         PyTuple_GET_ITEM(kwnames, 0) == self->st->name_name)) {
        return keyword; /* asyncio.create_task() says name=None */
    }
    PyObject *keywords = PyDict_Copy(keyword); /* runs Python: the collector */
    Py_DECREF(keyword);
    for (Py_ssize_t i = 0; keywords != NULL && i < count; i++) {
        if (PyUnicode_CompareWithASCIIString(PyTuple_GET_ITEM(kwnames, i), "coro") ==
            0) {
            PyErr_SetString(PyExc_TypeError,
                            "BaseEventLoop.create_task() got multiple values for "
                            "argument 'coro'");
            Py_CLEAR(keywords);
            break;
        }
        if (PyDict_SetItem(keywords, PyTuple_GET_ITEM(kwnames, i), values[i]) < 0) {
            Py_CLEAR(keywords);
        }
    }
    if (keywords != NULL && PyDict_GET_SIZE(keywords) != count + 1) {
        PyErr_SetString(PyExc_TypeError,
                        "create_task() got an unexpected keyword argument 'loop'");
        Py_CLEAR(keywords);
    }
    return keywords;
}

/* type(*args, loop=self, **more) */
static PyObject *
call_with_loop(LoopObject *self, PyObject *namespace, PyObject *name, PyObject *args,
               PyObject *const *values, PyObject *kwnames)
{
    PyObject *type = PyDict_GetItemWithError(namespace, name);
    if (type == NULL) {
        if (!PyErr_Occurred()) {
            PyErr_SetObject(PyExc_NameError, name);
        }
        return NULL;
    }
    Py_INCREF(type);
    PyObject *keywords = keywords_with_loop(self, values, kwnames);
    PyObject *result =
        keywords != NULL ? PyObject_Call(type, args, keywords) : NULL; /* runs Python */
    Py_XDECREF(keywords);
    Py_DECREF(type);
    return result;
}

static PyObject *
Loop_create_future(LoopObject *self, PyObject *Py_UNUSED(ignored))
{
    PyObject *none = PyTuple_New(0);
    if (none == NULL) {
        return NULL;
    }
    PyObject *future = call_with_loop(self, self->st->asyncio_futures,
                                      self->st->name_future, none, NULL, NULL);
    Py_DECREF(none);
    return future;
}

PyObject *
loop_call_inherited(LoopObject *self, PyObject *func, PyObject *const *args,
                    Py_ssize_t nargs, PyObject *kwnames)
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
    PyObject *result =
        PyObject_Vectorcall(func, all, (size_t)nargs + 1, kwnames); /* runs Python */
    PyMem_Free(all);
    return result;
}

static PyObject *
Loop_create_task(LoopObject *self, PyObject *const *args, Py_ssize_t nargs,
                 PyObject *kwnames)
{
    bool factory = self->task_factory != NULL && self->task_factory != Py_None;
    if (factory || self->debug || nargs != 1) {
        return loop_call_inherited(self, self->st->asyncio_create_task, args, nargs,
                                   kwnames);
    }
    if (loop_check_open(self) < 0) {
        return NULL;
    }
    PyObject *coro = PyTuple_Pack(1, args[0]);
    if (coro == NULL) {
        return NULL;
    }
    PyObject *task = call_with_loop(self, self->st->asyncio_tasks, self->st->name_task,
                                    coro, args + 1, kwnames);
    Py_DECREF(coro);
    return task;
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

/* What asyncio's own loop does, to tell who has put something else in its place. */
AH_RAISES static int
import_methods(ModuleState *st)
{
    PyObject *base;
    if (ah_import(&base, "asyncio.base_events", "BaseEventLoop") < 0) {
        return -1;
    }
    st->asyncio_create_task = PyObject_GetAttrString(base, "create_task");
    if (st->asyncio_create_task != NULL) {
        st->asyncio_call_later = PyObject_GetAttrString(base, "call_later");
    }
    if (st->asyncio_call_later != NULL) {
        st->asyncio_run_once = PyObject_GetAttrString(base, "_run_once");
    }
    if (st->asyncio_run_once != NULL) {
        st->asyncio_time = PyObject_GetAttrString(base, "time");
    }
    Py_DECREF(base);
    return st->asyncio_time != NULL ? 0 : -1;
}

int
ah_loop_factory_setup(PyObject *module)
{
    ModuleState *st = ah_state(module);
    if (ah_namespace(&st->asyncio_tasks, "asyncio.tasks") < 0 ||
        ah_namespace(&st->asyncio_futures, "asyncio.futures") < 0 ||
        ah_intern(&st->name_context, "context") < 0 ||
        ah_intern(&st->name_task, "Task") < 0 ||
        ah_intern(&st->name_future, "Future") < 0 ||
        ah_intern(&st->name_name, "name") < 0 ||
        ah_intern(&st->name_loop, "loop") < 0) {
        return -1;
    }
    return import_methods(st);
}
