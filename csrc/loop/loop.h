/* What the rest of the extension may ask of the loop.
 *
 * Everything but ah_loop_post() is called with the GIL held, on the loop's own thread.
 * A reader and a timer are intrusive: an object embeds the struct, and the loop owns a
 * reference to that object while it is armed; a loop that is closed disarms all.  Their
 * callbacks run inside the turn that found them due, before the ready queue is run, so
 * a future they complete resumes its task in the same turn.
 */
#ifndef AH_LOOP_LOOP_H
#define AH_LOOP_LOOP_H

#include "module.h"
#include "base/clock.h"
#include "base/heap.h"
#include "base/inbox.h"

typedef struct LoopObject LoopObject;

struct ah_reader;
typedef void (*ah_reader_func)(
    LoopObject *loop, struct ah_reader *reader); /* runs Python; reports its errors */

struct ah_reader {
    int fd; /* -1: not armed */
    ah_reader_func func;
    int simulated; /* does not count as outside input on a virtual clock */
};

#define AH_READER_INIT {.fd = -1}

struct ah_timer;
typedef void (*ah_timer_func)(LoopObject *loop, struct ah_timer *timer);

struct ah_timer {
    struct heap_node node; /* node.index >= 0: armed */
    PyObject *owner;       /* while armed: embeds this; the loop's reference */
    ah_timer_func func;
};

struct ah_post;
typedef void (*ah_post_func)(
    LoopObject *loop, struct ah_post *post); /* runs Python; reports its errors */

struct ah_post {
    struct inbox_node node;
    ah_post_func func;
    PyObject *owner; /* while posted: embeds this; the loop's reference */
};

/* Is this one of our loops (of this module)? */
int ah_loop_check(ModuleState *st, PyObject *obj);

ModuleState *ah_loop_state(LoopObject *loop);

/* RuntimeError when it is closed; in debug mode, what asyncio says of a callback that
 * cannot be one. */
AH_RAISES int ah_loop_check_open(LoopObject *loop);
AH_RAISES int ah_loop_check_callback(LoopObject *loop, AH_BORROWED PyObject *callback,
                                     const char *method);

int64_t ah_loop_now(LoopObject *loop);

/* The virtual clock this loop runs on, or NULL. */
struct vclock *ah_loop_vclock(LoopObject *loop);

/* Be called while a descriptor is readable; one reader per descriptor.  `owner` embeds
 * `reader`.  -1 with ValueError/OSError set.  Removing is idempotent, cannot fail, and
 * may drop the last reference to the owner; so may stopping a timer. */
AH_RAISES int ah_loop_add_reader(LoopObject *loop, struct ah_reader *reader, int fd,
                                 ah_reader_func func, AH_BORROWED PyObject *owner);
void ah_loop_remove_reader(LoopObject *loop, struct ah_reader *reader);

/* One-shot timer at a time of ah_loop_now(); starting an armed one moves it. */
AH_RAISES int ah_loop_timer_start(LoopObject *loop, struct ah_timer *timer,
                                  int64_t when_ns, ah_timer_func func,
                                  AH_BORROWED PyObject *owner);
void ah_loop_timer_stop(LoopObject *loop, struct ah_timer *timer);

/* Have func called in the loop's thread, in the next turn; from any thread, with or
 * without the GIL; a sleeping loop is woken, once for a batch.  The caller's reference
 * to `owner` is the loop's then, and the caller keeps one to the loop.  0, -ESHUTDOWN
 * when the loop is closed (the reference stays the caller's), or another -errno when
 * waking it failed (func will be called, maybe late). */
int ah_loop_post(LoopObject *loop, struct ah_post *post, ah_post_func func,
                 AH_STEALS PyObject *owner);
/* The same with the GIL held, from another thread than the loop's: the GIL may be let
 * go meanwhile, so that the loop need not wait for it. */
int ah_loop_post_with_gil(LoopObject *loop, struct ah_post *post, ah_post_func func,
                          AH_STEALS PyObject *owner);

/* The same for a caller that is about to let the GIL go and then has no reference to
 * the loop any more: pin it (with the GIL), release the GIL, post, which unpins. Little
 * may be done in between, and nothing that waits: whoever closes the loop spins. */
void ah_loop_pin(LoopObject *loop);
int ah_loop_post_pinned(LoopObject *loop, struct ah_post *post, ah_post_func func,
                        AH_STEALS PyObject *owner);

/* Does it run in another thread than this one?  From any. */
bool ah_loop_runs_elsewhere(const LoopObject *loop);

/* Give the exception that is set to loop.call_exception_handler(); SystemExit
 * and KeyboardInterrupt are kept and end the loop's run. */
void ah_loop_report(LoopObject *loop, const char *message,
                    AH_BORROWED PyObject *source);

/* Methods of the loop that another floor has. */
AH_RAISES int ah_loop_add_methods(ModuleState *st, PyMethodDef *methods);

#endif
