/* Every C type is entered here, once: the state has a pointer to it and a counter of
 * its objects, and module.c makes it, of the Name_spec that its file defines.
 */
#ifndef AH_TYPES_H
#define AH_TYPES_H

#include <Python.h>

/* X(pointer in the state, Name) */
#define AH_TYPES(X)                     \
    X(virtual_clock_type, VirtualClock) \
    X(cancel_token_type, CancelToken)   \
    X(turnstile_type, Turnstile)        \
    X(loop_type, Loop)                  \
    X(handle_type, Handle)              \
    X(timer_handle_type, TimerHandle)   \
    X(watchdog_type, Watchdog)          \
    X(child_type, Child)                \
    X(thread_pool_type, ThreadPool)     \
    X(worker_type, Worker)              \
    X(job_type, Job)                    \
    X(executor_type, Executor)          \
    X(wait_callback_type, WaitCallback) \
    X(line_request_type, LineRequest)   \
    X(edge_queue_type, EdgeQueue)       \
    X(gpiochip_type, GPIOChip)          \
    X(spi_device_type, SPIDevice)       \
    X(pwm_type, PWM)                    \
    X(bus_message_type, BusMessage)     \
    X(i2c_bus_type, I2CBus)             \
    X(mfrc522_type, MFRC522)            \
    X(sim_world_type, SimWorld)

/* What else there is to set up, in this order, when all types are there: functions of
 * the module, methods of a type that stand in other files. */
#define AH_SETUPS(X)   \
    X(fork)            \
    X(context)         \
    X(loop_type)       \
    X(lent_timers)     \
    X(child_spawn)     \
    X(job_functions)   \
    X(run_in_executor) \
    X(edge_event)      \
    X(kernel)          \
    X(spi_adapter)     \
    X(pwm)

enum ah_live_type {
#define X(field, name) AH_LIVE_##name,
    AH_TYPES(X)
#undef X
        AH_LIVE_COUNT
};

#define X(field, name) extern PyType_Spec name##_spec;
AH_TYPES(X)
#undef X

/* Each is 0, or -1 with an exception. */
#define X(name) int ah_##name##_setup(PyObject *module);
AH_SETUPS(X)
#undef X

#endif
