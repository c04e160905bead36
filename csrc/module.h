/* The state of one _core module: one per interpreter, no mutable globals.
 *
 * Every floor above base/ includes this header for the type pointers, the
 * interned names and the live-object counters.  A type's own struct lives in
 * its own header.
 */
#ifndef AH_MODULE_H
#define AH_MODULE_H

#define PY_SSIZE_T_CLEAN
#include <Python.h>
#include <stdbool.h>
#include <stddef.h>
#include <structmember.h>
#include <sys/types.h>
#include "dev/pwm_thread.h"
#include "dev/shared_line.h"
#include "names.h"
#include "py/annot.h"
#include "types.h"
#include "uses.h"

/* Other objects that the state owns: X(pointer in the state, C type) */
#define AH_OTHER_OBJECTS(X)                                   \
    X(edge_event_type, PyTypeObject) /* hw/edge_event.c */    \
    X(run_python_handle, PyObject)   /* loop/lent_timers.c */ \
    X(handle_run, PyObject)          /* Handle._run, if patched; or NULL */

struct fork_node;
struct bus;

typedef struct {
    Py_ssize_t live[AH_LIVE_COUNT];
    struct {
#define X(name) unsigned long long name;
        AH_USES(X)
#undef X
    } uses;
    Py_ssize_t context_vars_offset;   /* py/context.h */
    unsigned handle_tag;              /* of asyncio.Handle when it was looked at */
    unsigned plain_tag;               /* of a class of loops that has no patches */
    int can_spawn;                    /* loop/child_spawn.c: 1, -1: no, 0: not tried */
    struct fork_node *fork_nodes;     /* py/fork.h */
    pid_t pid;                        /* this process */
    struct shared_lines shared_lines; /* of the kernel, hw/kernel.c */
    struct pwm_thread pwm_thread;     /* hw/pwm_type.c */
    struct bus *buses;                /* hw/bus_turn.h */

#define X(field, ...) PyTypeObject *field;
    AH_TYPES(X)
#undef X
#define X(field, ...) PyObject *field;
    AH_NAMES(X)
    AH_IMPORTS(X)
#undef X
#define X(field, type) type *field;
    AH_OTHER_OBJECTS(X)
#undef X
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
