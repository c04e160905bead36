/* The extension module _core: slots, module state, one setup call per type. */
#include "module.h"

#include <string.h>

#include "setup.h"

static PyObject *
core_live(PyObject *module, PyObject *Py_UNUSED(ignored))
{
    static const char *const names[] = {
#define X(name) #name,
        AH_LIVE_TYPES(X)
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

static PyMethodDef core_methods[] = {
    {"_live", core_live, METH_NOARGS,
     PyDoc_STR("_live($module, /)\n--\n\n"
               "How many objects of each C type are alive, by type name.")},
    {NULL, NULL, 0, NULL},
};

static int
core_exec(PyObject *module)
{
    static int (*const setups[])(PyObject *) = {
#define X(name) ah_##name##_setup,
        AH_SETUPS(X)
#undef X
            NULL,
    };
    ModuleState *st = PyMem_RawCalloc(1, sizeof *st);
    if (st == NULL) {
        PyErr_NoMemory();
        return -1;
    }
    *(ModuleState **)PyModule_GetState(module) = st;
    for (int i = 0; setups[i] != NULL; i++) {
        if (setups[i](module) < 0) {
            /* PyType_FromModuleAndSpec() without memory for the name says nothing. */
            if (!PyErr_Occurred()) {
                PyErr_NoMemory();
            }
            return -1;
        }
    }
    return 0;
}

/* Every object that the state owns: visited and cleared in one place. */
#define AH_STATE_OBJECTS(X)          \
    X(loop_type)                     \
    X(handle_type)                   \
    X(timer_handle_type)             \
    X(watchdog_type)                 \
    X(virtual_clock_type)            \
    X(cancel_token_type)             \
    X(turnstile_type)                \
    X(executor_type)                 \
    X(thread_pool_type)              \
    X(worker_type)                   \
    X(job_type)                      \
    X(child_type)                    \
    X(wait_callback_type)            \
    X(line_request_type)             \
    X(edge_queue_type)               \
    X(edge_event_type)               \
    X(spi_device_type)               \
    X(sim_world_type)                \
    X(mfrc522_type)                  \
    X(name_cancelled)                \
    X(name_cancel)                   \
    X(name_add_done_callback)        \
    X(name_create_future)            \
    X(name_default_executor)         \
    X(name_done)                     \
    X(name_end_unrun)                \
    X(name_executor_shutdown_called) \
    X(name_job_note)                 \
    X(name_new_default_executor)     \
    X(name_refuse)                   \
    X(name_run_in_foreign_executor)  \
    X(name_start_worker)             \
    X(name_set_exception)            \
    X(name_set_result)               \
    X(convert_future_exc)            \
    X(run_foreign)                   \
    X(handle_run)                    \
    X(asyncio_call_later)            \
    X(asyncio_run_once)              \
    X(asyncio_time)                  \
    X(events_namespace)              \
    X(asyncio_handle)                \
    X(asyncio_timer_handle)          \
    X(asyncio_threadsafe_handle)     \
    X(name_context)                  \
    X(name_task)                     \
    X(name_future)                   \
    X(name_name)                     \
    X(name_loop)                     \
    X(asyncio_tasks)                 \
    X(asyncio_futures)               \
    X(asyncio_create_task)           \
    X(cancelled_error)

static int
core_traverse(PyObject *module, visitproc visit, void *arg)
{
    ModuleState *st = ah_state(module);
    if (st == NULL) {
        return 0;
    }
#define X(field) Py_VISIT(st->field);
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
#define X(field) Py_CLEAR(st->field);
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
