/* _core.LineRequest: one request of GPIO lines, kernel's or simulator's.
 *
 * gpio_type.c: values, settings, life.  gpio_event.c: edges, as events that are
 * read from the request's descriptor, 16 at once, into one ring per queue, and
 * wake the futures of whoever waits.  A request is used on one thread at a time
 * (its loop's, or the one that blocks on it); values may be read on any.
 */
#ifndef AH_HW_GPIO_TYPE_H
#define AH_HW_GPIO_TYPE_H

#include "module.h"
#include "dev/shared_line.h"
#include "hw/edge_queue.h"
#include "hw/wait.h"
#include "py/fork.h"

struct edge_blocker; /* a thread in wait_edge_blocking(), see gpio_block.c */

typedef struct {
    PyObject_HEAD
    ModuleState *st;
    struct fork_node fork;
    struct line_request *request; /* owned, NULL: closed */
    char what[64];                /* for messages: "line 17 of gpiochip0" */
    PyObject *owner;          /* owned: what must live as long as request, or NULL */
    struct vclock *inherited; /* owned: what request was told, in a fork's child */
    PyObject *weakrefs;
    int busy;    /* calls that use request without the GIL */
    int closing; /* close() was called; the last busy call does it */
    /* gpio_event.c */
    struct hw_wait wait;
    struct edge_queue queue;
    struct edge_queue *queues; /* all of them, `queue` too */
    struct edge_blocker *blockers;
    uint64_t num_armed; /* futures, so far */
    uint32_t last_seqno;
} LineRequestObject;

/* A LineRequest around `request`, which lives until line_close() and is
 * freed by it (embed it in the backend's own struct).  On failure it is closed.
 * `owner` is kept alive until then (the simulated world); NULL: a real device.
 * With an owner every op but read_events is called without the GIL, for a simulated
 * world may hold its lock while a card runs Python. */
AH_RAISES PyObject *ah_line_request_new(ModuleState *st,
                                        AH_STEALS struct line_request *request,
                                        PyObject *owner);

/* OSError (EBUSY): two users of `line` in this process want different things; -1. */
int ah_raise_line_conflict(const char *line, const struct line_conflict *conflict);

/* The request of a LineRequest, borrowed; NULL with TypeError, or with ValueError
 * when it is closed. */
AH_RAISES struct line_request *ah_line_request_get(ModuleState *st, PyObject *obj);

/* Tell the line on which loop it is waited for.  -1: RuntimeError, a real device
 * on a virtual clock.  May release the GIL. */
AH_RAISES int ah_line_request_use_loop(ModuleState *st, PyObject *obj, PyObject *loop);

/* line_settings.c: the attributes of a hardware.LineSettings; -1 with an exception that
 * names the attribute. */
AH_RAISES int ah_line_settings_parse(PyObject *obj, struct line_settings *settings);

/* gpio_type.c, for gpio_event.c: between them request is not closed.  -1 with
 * ValueError when it is. */
AH_RAISES int ah_line_begin(LineRequestObject *self);
void ah_line_end(LineRequestObject *self);

#endif
