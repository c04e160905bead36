/* The setup functions of all types, in the order in which module.c calls them.
 *
 * A new type adds one word here, one pointer and one counter in module.h.
 */
#ifndef AH_SETUP_H
#define AH_SETUP_H

#include "module.h"

#define AH_SETUPS(X)     \
    X(fork)              \
    X(clock_type)        \
    X(token_type)        \
    X(turnstile_type)    \
    X(handle_type)       \
    X(timer_handle_type) \
    X(watchdog_type)     \
    X(loop_type)         \
    X(loop_factory)      \
    X(loop_views)        \
    X(child_type)        \
    X(thread_pool_type)  \
    X(worker_type)       \
    X(job_type)          \
    X(executor_type)     \
    X(job_functions)     \
    X(run_in_executor)   \
    X(wait)              \
    X(line_type)         \
    X(edge_event)        \
    X(edge_queue_type)   \
    X(spi_type)          \
    X(spi_adapter)       \
    X(kernel)            \
    X(mfrc522_type)      \
    X(world_type)

#define X(name) int ah_##name##_setup(PyObject *module);
AH_SETUPS(X)
#undef X

#endif
