/* Threads that block until a line has an edge: LineRequest.wait_edge_blocking().
 *
 * Each has a token of its own beside those that cancel its wait, by which it learns of
 * a close() and of edges that another thread has read.  The GIL is released meanwhile;
 * signal handlers run on EINTR (PEP 475).  Either a loop waits for edges of a request
 * or threads do: both at once is refused.  A thread takes from the request's own queue,
 * or from that of an EdgeQueue.
 */
#include "hw/edges_block.h"

#include <errno.h>

#include "base/block.h"
#include "base/list.h"
#include "hw/edge_event.h"
#include "hw/edges_read.h"
#include "py/blocking.h"
#include "py/clock_type.h"
#include "py/errors.h"

/* Take an edge, blocking until there is one; -1 with an exception. */
static int
block_for_edge(struct line_edges *edges, struct edge_queue *queue,
               struct edge_blocker *blocker, unsigned kinds, struct vclock *clock,
               const struct token_set *tokens, int64_t deadline_ns,
               struct edge_record *record)
{
    struct token_set all = *tokens;
    all.tokens[all.count++] = &blocker->woken;
    for (;;) {
        /* One that came while nothing blocked interrupts nothing. */
        if (PyErr_CheckSignals() < 0) { /* runs Python */
            return -1;
        }
        if (tokens_are_cancelled(tokens)) {
            return ah_raise_block(edges->line->st, BLOCK_CANCELLED, "wait for an edge");
        }
        if (ah_device_is_closed(edges->line)) {
            return ah_device_raise(edges->line, -EBADF);
        }
        if (!ah_edges_is_attached(edges, queue)) {
            PyErr_Format(PyExc_ValueError, "edge queue of %s is closed",
                         edges->line->what);
            return -1;
        }
        if (edge_ring_pop(&queue->ring, kinds, record)) {
            return 0;
        }
        int n = ah_edges_read(edges);
        if (n < 0) {
            return ah_device_raise(edges->line, n);
        }
        if (n > 0) {
            continue;
        }
        const struct line_request *request = edges->line->handle;
        int result = ah_block_once(clock, request->fd, &all, deadline_ns,
                                   "wait for an edge"); /* runs Python */
        if (result < 0) {
            return -1;
        }
        int err = token_reset(&blocker->woken);
        if (err < 0) {
            return ah_raise_errno(err, "eventfd");
        }
        if (result == BLOCK_TIMEOUT && !edges->line->closing) {
            return ah_raise_block(edges->line->st, result, "wait for an edge");
        }
    }
}

PyObject *
ah_edges_block(struct line_edges *edges, struct edge_queue *queue, PyObject *args,
               PyObject *kwargs)
{
    static char *kwlist[] = {"edge", "timeout", "token", "take", NULL};
    int take = 1;
    PyObject *word = NULL, *timeout = NULL, *token_arg = NULL, *event = NULL;
    struct wait_tokens tokens = {0};
    struct edge_record record;
    int64_t deadline_ns;
    unsigned kinds;
    if (!PyArg_ParseTupleAndKeywords(args, kwargs, "|OOOp:wait_edge_blocking", kwlist,
                                     &word, &timeout, &token_arg, &take) ||
        ah_edge_kinds_parse(word, &kinds) < 0) {
        return NULL;
    }
    if (ah_wait_tokens(edges->line->st, token_arg, &tokens) < 0 ||
        (tokens_are_cancelled(&tokens.set) &&
         ah_raise_block(edges->line->st, BLOCK_CANCELLED, "wait for an edge") < 0) ||
        ah_device_begin(edges->line) == NULL) {
        ah_wait_tokens_clear(&tokens);
        return NULL;
    }
    struct edge_blocker blocker = {.woken = CANCEL_TOKEN_INIT};
    const struct line_request *request = edges->line->handle;
    struct vclock *clock = request->time.clock; /* for all of this wait */
    PyObject *kept = ah_keep_clock(clock);
    int err;
    if (ah_deadline_arg(timeout, "timeout", clock, &deadline_ns) <
        0) { /* runs Python */
        goto done;
    }
    ah_edges_release_idle(edges);                 /* runs Python */
    if (ah_edges_forget_closed_loop(edges) < 0) { /* runs Python */
        goto done;
    }
    if (hw_wait_is_armed(&edges->wait)) {
        PyErr_Format(PyExc_RuntimeError,
                     "edges of %s are awaited on an event loop: await them there, or "
                     "block in threads, not both at once",
                     edges->line->what);
        goto done;
    }
    edges->line->st->uses.edge_waits++;
    blocker.next = edges->blockers;
    edges->blockers = &blocker;
    err = block_for_edge(edges, queue, &blocker, kinds, clock, &tokens.set, deadline_ns,
                         &record);
    LIST_REMOVE(edges->blockers, &blocker); /* a signal handler may have forked */
    if (err == 0 && take) {
        event = ah_edges_event(edges, &record);
    }
    else if (err == 0) { /* there is room: it was just popped */
        edge_ring_put(&queue->ring, record);
        event = Py_NewRef(Py_None);
    }
    if (queue->ring.size > 0) {
        ah_edges_wake_blockers(edges);
    }
done:
    token_close(&blocker.woken);
    Py_XDECREF(kept);
    ah_device_end(edges->line);
    ah_wait_tokens_clear(&tokens);
    return event;
}
