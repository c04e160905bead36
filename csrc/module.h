/* The state of one _core module: one per interpreter, no mutable globals.
 *
 * Every floor above base/ includes this header for the type pointers, the
 * interned names and the live-object counters.  A type's own struct lives in
 * its own header; a type is created by its ah_<type>_setup().
 */
#ifndef AH_MODULE_H
#define AH_MODULE_H

#define PY_SSIZE_T_CLEAN
#include <Python.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>
#include "base/shared_line.h"
#include "py/annot.h"

/* One counter per C type: tests assert that none grows (see _live()). */
#define AH_LIVE_TYPES(X) \
    X(Loop)              \
    X(Handle)            \
    X(TimerHandle)       \
    X(VirtualClock)      \
    X(CancelToken)       \
    X(Turnstile)         \
    X(ThreadPool)        \
    X(Worker)            \
    X(Job)               \
    X(Child)             \
    X(Watchdog)          \
    X(WaitCallback)      \
    X(LineRequest)       \
    X(EdgeQueue)         \
    X(SPIDevice)         \
    X(SimWorld)          \
    X(MFRC522)

struct fork_node;

enum ah_live_type {
#define X(name) AH_LIVE_##name,
    AH_LIVE_TYPES(X)
#undef X
        AH_LIVE_COUNT
};

typedef struct {
    Py_ssize_t live[AH_LIVE_COUNT];
    Py_ssize_t context_vars_offset;   /* py/context.h */
    unsigned handle_tag;              /* of asyncio.Handle when it was looked at */
    unsigned plain_tag;               /* of a class of loops that has no patches */
    int can_spawn;                    /* loop/child_type.c: 1, -1: no, 0: not tried */
    struct fork_node *fork_nodes;     /* py/fork.h */
    pid_t pid;                        /* this process */
    struct shared_lines shared_lines; /* of the kernel, hw/kernel.c */

    /* loop/ (loop_type.c, handle_type.c) */
    PyTypeObject *loop_type;
    PyTypeObject *handle_type;
    PyTypeObject *timer_handle_type;
    PyTypeObject *watchdog_type;
    PyTypeObject *virtual_clock_type;
    PyTypeObject *cancel_token_type;
    PyTypeObject *turnstile_type;
    PyTypeObject *child_type;

    /* exec/ */
    PyTypeObject *executor_type;
    PyTypeObject *thread_pool_type;
    PyTypeObject *worker_type;
    PyTypeObject *job_type;

    /* hw/ */
    PyTypeObject *wait_callback_type;
    PyTypeObject *line_request_type;
    PyTypeObject *edge_queue_type;
    PyTypeObject *edge_event_type;
    PyTypeObject *spi_device_type;
    PyTypeObject *sim_world_type;
    PyTypeObject *mfrc522_type;

    /* method names, interned */
    PyObject *name_add_done_callback;
    PyObject *name_cancel;
    PyObject *name_cancelled;
    PyObject *name_create_future;
    PyObject *name_default_executor;
    PyObject *name_done;
    PyObject *name_end_unrun;
    PyObject *name_executor_shutdown_called;
    PyObject *name_job_note; /* py/token_type.h */
    PyObject *name_new_default_executor;
    PyObject *name_refuse;
    PyObject *name_run_in_foreign_executor;
    PyObject *name_set_exception;
    PyObject *name_set_result;
    PyObject *name_start_worker;

    PyObject *name_context;
    PyObject *name_task;   /* "Task" */
    PyObject *name_future; /* "Future" */
    PyObject *name_name;
    PyObject *name_loop; /* "loop" */

    /* borrowed from the standard library, owned here */
    PyObject *run_foreign;               /* loop/loop_lend.c */
    PyObject *handle_run;                /* Handle._run, if patched; or NULL */
    PyObject *asyncio_call_later;        /* BaseEventLoop.call_later */
    PyObject *asyncio_run_once;          /* BaseEventLoop._run_once */
    PyObject *asyncio_time;              /* BaseEventLoop.time */
    PyObject *events_namespace;          /* of the module asyncio.events */
    PyObject *asyncio_handle;            /* asyncio.Handle */
    PyObject *asyncio_timer_handle;      /* asyncio.TimerHandle */
    PyObject *asyncio_threadsafe_handle; /* since Python 3.14, else NULL */
    PyObject *convert_future_exc;        /* asyncio.futures._convert_future_exc */
    PyObject *asyncio_tasks;             /* the namespace of asyncio.tasks */
    PyObject *asyncio_futures;           /* the namespace of asyncio.futures */
    PyObject *asyncio_create_task;       /* BaseEventLoop.create_task */
    PyObject *cancelled_error;           /* concurrent.futures.CancelledError */
} ModuleState;

extern struct PyModuleDef ah_module_def;

/* The module holds a pointer to its state, for the state outlives it: at exit the
 * garbage collector may free the module before the last objects that count here. */
static inline ModuleState *
ah_state(PyObject *module)
{
    return *(ModuleState **)PyModule_GetState(module);
}

/* State of the module that made `type`; for types that Python can subclass. */
static inline ModuleState *
ah_state_of_type(PyTypeObject *type)
{
    PyObject *module = PyType_GetModuleByDef(type, &ah_module_def);
    return module == NULL ? NULL : ah_state(module);
}

#endif
