/* Handle and TimerHandle: one scheduled callback each.
 *
 * They look like asyncio.Handle and asyncio.TimerHandle (isinstance holds
 * through __class__) and answer to the same attributes.  A handle owns its
 * loop, callback, arguments and context; the ready ring, the timer heap and
 * the descriptor table own the handle.  Its type is owned by the loop, for all of its
 * handles and for its free list, where freed ones go.
 */
#ifndef AH_LOOP_HANDLE_H
#define AH_LOOP_HANDLE_H

#include <stdbool.h>

#include "loop/loop.h"
#include "module.h"

/* What cancelling touches comes first: with the collector's header before it, and where
 * CPython places blocks of this size, that is one cache line, and a cancelled timer is
 * as a rule not in the cache. */
typedef struct {
    PyObject_HEAD
    LoopObject *loop;   /* owned */
    PyObject *callback; /* owned; NULL once cancelled */
    PyObject *args;     /* owned: the one argument, or a tuple of several;
                           once cancelled: the repr, kept in debug mode */
    int nargs;
    bool cancelled;
    bool shared_context; /* a snapshot: copy it before it is entered */
    bool lent;           /* a timer, in the list of lent_timers.c */
    bool threadsafe;     /* other threads may hold it, cancel it and drop it */
    union {
        struct ah_timer timer;  /* of a TimerHandle; armed: the heap owns a reference */
        struct inbox_node node; /* of a Handle, on its way from another thread */
    };
    PyObject *context;          /* owned */
    PyObject *source_traceback; /* owned; NULL outside debug mode */
    PyObject *weakrefs;
} HandleObject;

typedef struct {
    HandleObject base;
    double when; /* seconds, as the caller gave it */
} TimerHandleObject;

static inline TimerHandleObject *
timer_handle_of(struct ah_timer *timer)
{
    return (TimerHandleObject *)((char *)timer - offsetof(HandleObject, timer));
}

/* handle_make.c: a new handle for callback(*args); context NULL: a copy of the current
 * one. `once`: it runs once, and may share a snapshot with its neighbours. */
AH_RAISES HandleObject *ah_handle_new(LoopObject *loop, PyObject *callback,
                                      PyObject *const *args, Py_ssize_t nargs,
                                      PyObject *context, bool once);
/* The same from any thread.  The GIL guards what it takes from the loop; without one,
 * it takes nothing, and gives nothing back. */
AH_RAISES HandleObject *ah_handle_new_threadsafe(LoopObject *loop, PyObject *callback,
                                                 PyObject *const *args,
                                                 Py_ssize_t nargs, PyObject *context);
AH_RAISES TimerHandleObject *ah_timer_handle_new(LoopObject *loop, double when,
                                                 PyObject *callback,
                                                 PyObject *const *args,
                                                 Py_ssize_t nargs, PyObject *context);

/* The same for a TimerHandle.  Fill a zeroed one: -1 leaves what was set to dealloc. */
AH_RAISES int ah_handle_fill(HandleObject *self, LoopObject *loop, PyObject *callback,
                             PyObject *const *args, Py_ssize_t nargs, PyObject *context,
                             bool once);
int ah_handle_traverse(HandleObject *self, visitproc visit, void *arg);
int ah_handle_clear(HandleObject *self);
void Handle_dealloc(HandleObject *self); /* runs Python */

/* It is freed: its context may be the next handle's. */
void ah_handle_let_go(HandleObject *self); /* runs Python */

/* Is its one argument a handle?  Then it may be the head of a chain, which is freed
 * through Python's trashcan, for each link would nest one call deeper. */
bool ah_handle_has_handle(HandleObject *self);

/* The free list, owned by the loop: keep at most so many. */
void ah_handle_free_list_trim(LoopObject *loop, int keep);

/* handle_run.c: call it in its context.  Errors go to the exception handler; -1 only
 * for SystemExit, KeyboardInterrupt and what that handler lets through.  Hold a
 * reference while it runs. */
AH_RAISES int ah_handle_run(HandleObject *handle); /* runs Python */

/* A new reference to the context of its own: what it runs in, and what get_context()
 * shows before and after.  A snapshot becomes one. */
AH_RAISES PyObject *ah_handle_own_context(HandleObject *handle);

/* Drop callback and arguments at once.  -1 only in debug mode (repr). */
AH_RAISES int ah_handle_cancel(HandleObject *handle);

/* handle_patched.c: what somebody has put into asyncio.Handle as _run, or NULL.
 * Borrowed. */
PyObject *ah_handle_find_run(ModuleState *st); /* runs Python */

static inline PyObject *
ah_handle_patched_run(ModuleState *st)
{
    unsigned tag = ((PyTypeObject *)st->asyncio_handle)->tp_version_tag;
    return tag == st->handle_tag && tag != 0 ? st->handle_run : ah_handle_find_run(st);
}

/* By what ah_handle_patched_run() found; its result. */
AH_RAISES PyObject *ah_handle_run_patched(HandleObject *handle,
                                          PyObject *run); /* runs Python */

#endif
