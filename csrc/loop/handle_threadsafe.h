/* Thread-safe handles since Python 3.14: who cancels one that runs, or asks whether it
 * was cancelled, waits until it has run; in the thread that runs it, nobody waits.
 *
 * asyncio has a lock per handle.  Here whoever runs one leaves a note, and whoever
 * waits brings a lock, so that a handle which nobody waits for costs neither.  GIL
 * held.
 */
#ifndef AH_LOOP_HANDLE_THREADSAFE_H
#define AH_LOOP_HANDLE_THREADSAFE_H

#include "loop/handle.h"

struct run_waiter;

/* On the stack of who runs it; the loop lists them. */
struct running_handle {
    struct running_handle *next;
    HandleObject *handle; /* borrowed */
    unsigned long thread;
    struct run_waiter *waiters; /* each on its own stack */
};

/* Wait until no other thread runs it.  -1: a signal handler raised, or no memory. */
AH_RAISES int ah_handle_wait(HandleObject *handle); /* runs Python */

/* From here to the end it runs; another thread that runs it is waited for before. */
AH_RAISES int ah_running_begin(struct running_handle *note,
                               HandleObject *handle); /* runs Python */
void ah_running_end(struct running_handle *note);

#endif
