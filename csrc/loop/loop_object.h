/* The loop's struct, and what its files offer each other: for loop/ only. */
#ifndef AH_LOOP_LOOP_OBJECT_H
#define AH_LOOP_LOOP_OBJECT_H

#include <stdatomic.h>
#include <stdbool.h>

#include "base/heap.h"
#include "base/poller.h"
#include "base/ring.h"
#include "loop/fd_table.h"
#include "loop/handle.h"
#include "loop/loop.h"
#include "loop/loop_counters.h"
#include "loop/watchdog_type.h"
#include "module.h"
#include "py/context.h"
#include "py/fork.h"

/* What of a burst is kept, for the next one, and when the loop goes to sleep. */
#define FREE_HANDLES_BUSY 65536 /* more than that the collector gets to see as new */
#define FREE_HANDLES_IDLE 512
#define SCHEDULE_IDLE 1024 /* room in ring and heap */
#define POLL_BATCH 64

/* How to run an item of the ready ring. */
enum ready_tag {
    READY_HANDLE,        /* HandleObject (also a TimerHandle), owned */
    READY_PYTHON_HANDLE, /* asyncio's, or any object with _run() and _cancelled, owned
                          */
    READY_POST,          /* struct ah_post, whose owner is owned */
};

/* The object whose reference the ring owns for an item. */
static inline PyObject *
ready_owner(struct ring_item item)
{
    return item.tag == READY_POST ? ((struct ah_post *)item.ptr)->owner
                                  : (PyObject *)item.ptr;
}

/* The callbacks of one turn. */
struct loop_batch {
    size_t left;       /* still to run */
    PyObject *owner;   /* owned: what runs, or NULL */
    size_t rest;       /* of left, when the first watch was set while one ran */
    PyObject *patched; /* borrowed: runs handles, see ah_handle_patched_run() */
    bool overtaken;    /* it was: the batch ends, and goes on timed */
};

struct LoopObject {
    PyObject_HEAD
    ModuleState *st;

    struct fork_node fork;
    struct ring ready;
    struct ring inherited; /* in a forked child: what was ready, and never runs */
    struct heap timers;    /* of struct ah_timer, whose owners are owned */
    struct poller poller;
    struct inbox inbox;          /* of struct ah_post; its eventfd is never read */
    inbox_item arrived;          /* taken out of it, not yet in the ring */
    atomic_uint lone_wake_us;    /* when a thread last let the GIL go to wake us */
    atomic_uint posted;          /* calls that threads have left; wraps */
    unsigned collected;          /* how many of them the ring has seen */
    unsigned long running_ident; /* the thread that runs it; 0: none */

    struct fd_table fds;
    size_t fds_outside;     /* registered with epoll, not simulated */
    uint32_t fd_generation; /* of the last registration */

    PyObject *lent; /* owned: the list that the timers are lent to, or NULL */

    PyObject *clock;       /* VirtualClock, owned, or NULL */
    struct vclock *vclock; /* in it, or NULL */

    /* Turns that are not ours (pyasync_hw/loop/patches.py) */
    bool hooked;             /* this loop has attributes over methods of its class */
    bool turns_patched;      /* the Python half runs the turns */
    bool asyncio_turns;      /* they are asyncio's, on what time() says */
    bool asyncio_later;      /* call_later() is asyncio's: by time() and call_at() */
    unsigned type_tag;       /* of the class when it was last looked at for patches */
    int64_t select_until_ns; /* select() was asked to wait until then; or never */
    PyObject *found;         /* owned: its list, or NULL */

    bool closed;
    bool has_run; /* then it is of no use to the child of a fork */
    bool stopping;
    bool debug;
    PyObject *debug_value;  /* owned: what `_debug` was set to; NULL: `debug` */
    PyObject *thread_id;    /* owned; None when not running */
    PyObject *selector;     /* owned: the view of the poller; NULL: not set yet */
    PyObject *task_factory; /* owned; NULL or None: asyncio.Task */
    PyObject *loop_keyword; /* owned: {"loop": self}, or NULL */
    PyObject *pending_exc;  /* owned: what ends the run, from a native callback */

    int64_t last_poll_ns;
    int64_t timer_woke_ns; /* when a sleep last ended because something was due */
    unsigned turns_since_poll;
    struct loop_batch batch;   /* that runs now */
    PyThreadState *run_tstate; /* of who runs it; NULL: nobody */
    bool polled_events;        /* the last poll found some */

    struct running_handle *running; /* thread-safe handles: see handle_threadsafe.h */

    struct context_snapshot snapshot;
    PyTypeObject *handle_type;       /* owned, for all handles: see handle.h */
    PyTypeObject *timer_handle_type; /* owned */
    HandleObject *free_handles;      /* linked by `args` */
    int free_count;

    struct loop_stats stats;

    /* slow_callbacks.c; times are seconds as set, and nanoseconds */
    double slow_callback_duration; /* reported in debug mode */
    double watch_limit;            /* as set by who watches; or infinite */
    int64_t watch_limit_ns;        /* reported because somebody watches; or never */
    int64_t slow_limit_ns;         /* the least of what applies now */
    int64_t timed_ns;              /* what runs began, when it is timed; 0 */
    WatchdogObject *watchdog;      /* owned, or NULL */
    PyObject *current_handle;      /* owned: what runs, when timed; or NULL */
};

/* loop_object.c */
int loop_raise_closed(LoopObject *self); /* RuntimeError: closed, or a fork's; -1 */
AH_RAISES int loop_raise_pending(
    LoopObject *self); /* what a native callback asked for */

AH_RAISES static inline int
loop_check_open(LoopObject *self)
{
    return self->closed ? loop_raise_closed(self) : 0;
}

static inline int64_t
loop_now(LoopObject *self)
{
    return self->vclock != NULL ? vclock_now(self->vclock) : clock_monotonic_ns();
}

/* loop_call.c */
int64_t loop_seconds_to_ns_up(double seconds); /* so that ns / 1e9 >= seconds */
AH_RAISES int loop_arm_timer_handle(LoopObject *self, TimerHandleObject *handle);

/* loop_ready.c */
AH_RAISES int loop_push(LoopObject *self, PyObject *handle, enum ready_tag tag);
void loop_timer_handle_due(LoopObject *self, struct ah_timer *timer);
/* How to run a handle that Python code brings, and was it cancelled?  -1: it is none.
 */
AH_RAISES int loop_ready_tag(LoopObject *self, PyObject *handle, int *cancelled);
AH_RAISES int loop_run_python_handle(PyObject *handle); /* runs Python */
void loop_release_ring(struct ring *ring);              /* runs Python */
int loop_traverse_ring(struct ring *ring, visitproc visit, void *arg);

/* loop_timers.c */
AH_RAISES int loop_push_due_timers(LoopObject *self, int64_t now_ns); /* runs Python */
void loop_disarm_all(struct heap *timers);                            /* runs Python */
int loop_traverse_timers(LoopObject *self, visitproc visit, void *arg);

static inline void
loop_trim_schedule(LoopObject *self)
{
    ring_trim(&self->ready, SCHEDULE_IDLE);
    heap_trim(&self->timers, SCHEDULE_IDLE);
}

/* loop_inbox.c: what other threads posted goes to the ready ring. */
AH_RAISES int loop_collect_inbox(LoopObject *self);
AH_RAISES int loop_post_handle(LoopObject *self, HandleObject *handle);
void loop_close_inbox(LoopObject *self);              /* runs Python */
void loop_arrive(LoopObject *self, inbox_item items); /* in order, oldest first */
int loop_traverse_inbox(LoopObject *self, visitproc visit, void *arg);

AH_RAISES static inline int
loop_collect(LoopObject *self)
{
    if (self->arrived == 0 && inbox_is_empty(&self->inbox)) {
        return 0;
    }
    return loop_collect_inbox(self);
}

/* fd_register.c */
int loop_register_fds(LoopObject *self); /* all, with a new poller; 0 or -errno */
void loop_clear_fds(LoopObject *self);   /* runs Python */
int loop_traverse_fds(LoopObject *self, visitproc visit, void *arg);

/* fd_dispatch.c */
void loop_note_event(LoopObject *self, int fd, uint32_t events); /* for Loop_select() */
void loop_dispatch(LoopObject *self, const struct epoll_event *events,
                   int count); /* runs Python */

/* loop_poll.c: sleeps until something is due or comes, and dispatches it. */
AH_RAISES int loop_poll(LoopObject *self, int64_t now_ns); /* runs Python */

/* loop_factory.c: func(self, ...), a method of asyncio's BaseEventLoop */
AH_RAISES PyObject *loop_call_base(LoopObject *self, PyObject *func,
                                   PyObject *const *args, Py_ssize_t nargs,
                                   PyObject *kwnames); /* runs Python */

/* loop_patches.c */
AH_RAISES int loop_notice_patches(LoopObject *self);                  /* runs Python */
int Loop_setattro(LoopObject *self, PyObject *name, PyObject *value); /* runs Python */

/* Has somebody patched its class, or asyncio's above it, since we looked? */
static inline bool
loop_is_patched_anew(LoopObject *self)
{
    unsigned tag = Py_TYPE(self)->tp_version_tag;
    return tag != self->type_tag || tag == 0; /* 0: it changes too often to have one */
}

/* lent_timers.c: they move back to the heap */
AH_RAISES int loop_take_timers_back(LoopObject *self); /* runs Python */

/* slow_callbacks.c: one turn whose callbacks are timed. */
struct timed_turn {
    int64_t first_ns; /* beginning of the first callback */
    int64_t began_ns; /* of the last one */
    int64_t ended_ns;
    int64_t outer_ns; /* of what runs around it, in a run inside of a callback */
    int64_t slowest_ns;
    PyObject *slowest; /* owned: its text; NULL: none was long enough */
    size_t count;
    bool reported; /* a slow callback accounts for the slow turn */
};
void loop_slow_init(LoopObject *self);
void loop_slow_clear(LoopObject *self);  /* runs Python */
void loop_slow_update(LoopObject *self); /* debug mode was switched */
void loop_timed_begin(LoopObject *self, struct timed_turn *timed, PyObject *handle);
/* What was running when the first watch was set is timed from then on. */
void loop_timed_overtake(LoopObject *self, struct timed_turn *timed);
AH_RAISES int loop_timed_end(LoopObject *self, struct timed_turn *timed,
                             PyObject *handle, int status); /* runs Python */
AH_RAISES int loop_timed_turn_end(LoopObject *self, struct timed_turn *timed,
                                  int status); /* runs Python */

/* Is every callback timed? */
static inline bool
loop_is_timed(const LoopObject *self)
{
    return self->debug || self->watch_limit_ns != NS_NEVER;
}

/* A getter of an owned object, or None; FIELD() is its closure. */
PyObject *Loop_get_object(LoopObject *self, void *offset);
#define FIELD(name) (void *)offsetof(LoopObject, name)

/* Methods, put together in loop_type.c. */
extern PyMethodDef loop_call_methods[];
extern PyMethodDef loop_factory_methods[];
extern PyMethodDef loop_patches_methods[];
extern PyMethodDef loop_readers_methods[];
extern PyMethodDef loop_stats_methods[];
extern PyMethodDef loop_turn_methods[];
extern PyMethodDef ready_view_methods[];
extern PyMethodDef lent_timers_methods[];
extern PyMethodDef slow_callbacks_methods[];
extern PyGetSetDef slow_callbacks_getset[];

#endif
