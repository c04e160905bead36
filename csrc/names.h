/* What every floor finds in the state by its name: made or looked up once, by module.c,
 * before any type is. */
#ifndef AH_NAMES_H
#define AH_NAMES_H

/* X(pointer in the state, text): interned, or each call of a method by its name would
 * leave a string in the interpreter's type cache. */
#define AH_NAMES(X)                                               \
    X(name_add_done_callback, "add_done_callback")                \
    X(name_call_soon, "call_soon")                                \
    X(name_cancel, "cancel")                                      \
    X(name_cancelled, "cancelled")                                \
    X(name_context, "context")                                    \
    X(name_create_future, "create_future")                        \
    X(name_default_executor, "_default_executor")                 \
    X(name_done, "done")                                          \
    X(name_end_unrun, "_end_unrun")                               \
    X(name_executor_shutdown_called, "_executor_shutdown_called") \
    X(name_falling, "falling")                                    \
    X(name_future, "Future")                                      \
    X(name_is_running, "is_running")                              \
    X(name_job_note, "pyasync_hw.job") /* py/job_token.h */       \
    X(name_later, "later")                                        \
    X(name_loop, "loop")                                          \
    X(name_name, "name")                                          \
    X(name_new_default_executor, "_new_default_executor")         \
    X(name_refuse, "_refuse")                                     \
    X(name_rising, "rising")                                      \
    X(name_run_in_foreign_executor, "_run_in_foreign_executor")   \
    X(name_set_exception, "set_exception")                        \
    X(name_set_result, "set_result")                              \
    X(name_start_worker, "_start_worker")                         \
    X(name_task, "Task")

/* X(pointer in the state, module, attribute): classes and methods are kept as they are
 * at the import, to tell later who has put something else in their place. */
#define AH_IMPORTS(X)                                                          \
    X(events_namespace, "asyncio.events", "__dict__")                          \
    X(asyncio_tasks, "asyncio.tasks", "__dict__")                              \
    X(asyncio_futures, "asyncio.futures", "__dict__")                          \
    X(asyncio_handle, "asyncio.events", "Handle")                              \
    X(asyncio_timer_handle, "asyncio.events", "TimerHandle")                   \
    X(asyncio_threadsafe_handle, "asyncio.events",                             \
      AH_SINCE(0x030e0000, "_ThreadSafeHandle"))                               \
    X(asyncio_create_task, "asyncio.base_events", "BaseEventLoop.create_task") \
    X(asyncio_call_later, "asyncio.base_events", "BaseEventLoop.call_later")   \
    X(asyncio_run_once, "asyncio.base_events", "BaseEventLoop._run_once")      \
    X(asyncio_time, "asyncio.base_events", "BaseEventLoop.time")               \
    X(convert_future_exc, "asyncio.futures", "_convert_future_exc")            \
    X(current_task, "asyncio.tasks", "current_task")                           \
    X(cancelled_error, "concurrent.futures", "CancelledError")

/* Not there in older Pythons, whose pointer then is NULL. */
#define AH_SINCE(version, attribute) (PY_VERSION_HEX >= (version) ? (attribute) : NULL)

#endif
