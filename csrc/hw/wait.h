/* Waiting on an event loop for a descriptor, a time, or whichever is first.
 *
 * One interface, two implementations: the native loop (loop/loop.h: intrusive
 * reader and timer, no object per event) and any other asyncio loop
 * (loop.add_reader and loop.call_at).  A device embeds a struct hw_wait; while
 * it is armed the loop keeps the device alive.  Everything here needs the GIL
 * and runs on the loop's own thread.
 */
#ifndef AH_HW_WAIT_H
#define AH_HW_WAIT_H

#include "module.h"
#include "loop/loop.h"

enum { HW_READABLE = 1, HW_TIMEOUT = 2, HW_LATER = 3 };

struct hw_wait;

/* Called on the loop, once per readiness.  The descriptor stays armed until
 * hw_wait_disarm(); the deadline is spent after HW_TIMEOUT; HW_LATER is what
 * hw_wait_look_later() asked for.  It may re-arm or disarm.  0, or -1 with an
 * exception, which goes to the loop's handler. */
typedef int (*hw_wait_func)(struct hw_wait *wait, int what); /* runs Python */

struct hw_wait {
    struct ah_reader reader; /* native loop */
    struct ah_timer timer;
    PyObject *callback;     /* owned, see wait.c: other loop, and HW_LATER */
    PyObject *timer_handle; /* other loop: owned */
    PyObject *loop;         /* owned while armed, else NULL */
    PyObject *owner;        /* borrowed: embeds this; what it is armed with owns it */
    hw_wait_func func;
    int fd;
    int timer_fd; /* other loop: a timerfd of a wait that goes on, else -1 */
    int timed;    /* other loop: it had a deadline since it was armed */
    int native;
    int simulated; /* set by the device: `fd` is fed by the simulator */
};

void hw_wait_init(struct hw_wait *wait);

static inline int
hw_wait_is_armed(const struct hw_wait *wait)
{
    return wait->loop != NULL;
}

/* Arm, or change what is armed.  `fd` -1: none.  `deadline_ns` is on the loop's
 * clock (hw_wait_now), NS_NEVER: none.  `owner` is the object that embeds
 * `wait`; its type is one of this module.  -1: an exception, nothing armed. */
AH_RAISES int hw_wait_arm(struct hw_wait *wait, PyObject *loop, int fd,
                          int64_t deadline_ns, hw_wait_func func,
                          AH_BORROWED PyObject *owner);

/* Have func called with HW_LATER once what is ready now has run, if it is armed then:
 * whoever was told of something may want more, and what is still armed need not be
 * armed anew.  False: it will not be called, and no exception is set. */
bool hw_wait_look_later(struct hw_wait *wait); /* runs Python */

/* Idempotent; cannot fail.  May drop the last reference to the owner: hold one. */
void hw_wait_disarm(struct hw_wait *wait); /* runs Python */

/* For tp_traverse of the owner. */
int hw_wait_traverse(struct hw_wait *wait, visitproc visit, void *arg);

/* Was that loop closed?  -1 with an exception. */
AH_RAISES int hw_loop_is_closed(PyObject *loop); /* runs Python */

/* Now on the clock of `loop`: ours, or any asyncio loop.  -1 with an exception. */
AH_RAISES int hw_wait_now(ModuleState *st, PyObject *loop, int64_t *now_ns);

#endif
