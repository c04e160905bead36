/* Threads that block until a line has an edge: LineRequest.wait_edge_blocking().
 *
 * Each has a token of its own beside those that cancel its wait, by which it learns of
 * a close() and of edges that another thread has read.  The GIL is released meanwhile;
 * signal handlers run on EINTR (PEP 475).  Either a loop
 * waits for edges of a request or threads do: both at once is refused.  A thread takes
 * from the request's own queue, or from that of an EdgeQueue.
 */
#include <errno.h>

#include "base/block.h"
#include "hw/gpio_event.h"
#include "py/blocking.h"
#include "py/errors.h"

static void
blocker_unlink(LineRequestObject *self, struct edge_blocker *blocker)
{
    struct edge_blocker **link = &self->blockers;
    while (*link != NULL && *link != blocker) {
        link = &(*link)->next;
    }
    if (*link != NULL) { /* a signal handler may have forked */
        *link = blocker->next;
    }
}

/* Take an edge, blocking until there is one; -1 with an exception. */
static int
block_for_edge(LineRequestObject *self, struct edge_queue *queue,
               struct edge_blocker *blocker, unsigned edges, struct vclock *clock,
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
            return ah_raise_block(self->st, BLOCK_CANCELLED, "wait for an edge");
        }
        if (self->closing || self->request == NULL) { /* NULL: a forked child */
            return ah_edges_raise(self, -EBADF);
        }
        if (!ah_edges_is_attached(self, queue)) {
            PyErr_Format(PyExc_ValueError, "edge queue of %s is closed", self->what);
            return -1;
        }
        if (edge_ring_pop(&queue->ring, edges, record)) {
            return 0;
        }
        int n = ah_edges_read(self);
        if (n < 0) {
            return ah_edges_raise(self, n);
        }
        if (n > 0) {
            continue;
        }
        int result = ah_block_once(clock, self->request->fd, &all, deadline_ns,
                                   "wait for an edge"); /* runs Python */
        if (result < 0) {
            return -1;
        }
        int err = token_reset(&blocker->woken);
        if (err < 0) {
            return ah_raise_errno(err, "eventfd");
        }
        if (result == BLOCK_TIMEOUT && !self->closing) {
            return ah_raise_block(self->st, result, "wait for an edge");
        }
    }
}

PyObject *
ah_edges_block(LineRequestObject *self, struct edge_queue *queue, PyObject *args,
               PyObject *kwargs)
{
    static char *kwlist[] = {"edge", "timeout", "token", NULL};
    PyObject *word = NULL, *timeout = NULL, *token_arg = NULL, *event = NULL;
    struct wait_tokens tokens = {0};
    struct edge_record record;
    int64_t deadline_ns;
    unsigned edges;
    if (!PyArg_ParseTupleAndKeywords(args, kwargs, "|OOO:wait_edge_blocking", kwlist,
                                     &word, &timeout, &token_arg) ||
        ah_edges_parse(word, &edges) < 0) {
        return NULL;
    }
    if (ah_wait_tokens(self->st, token_arg, &tokens) < 0 ||
        (tokens_are_cancelled(&tokens.set) &&
         ah_raise_block(self->st, BLOCK_CANCELLED, "wait for an edge") < 0) ||
        ah_line_begin(self) < 0) {
        ah_wait_tokens_clear(&tokens);
        return NULL;
    }
    struct edge_blocker blocker = {.woken = CANCEL_TOKEN_INIT};
    struct vclock *clock = self->request->time.clock; /* for all of this wait */
    PyObject *kept = ah_keep_clock(clock);
    int err;
    if (hw_wait_is_armed(&self->wait)) {
        PyErr_Format(PyExc_RuntimeError,
                     "edges of %s are awaited on an event loop: await them there, or "
                     "block in threads, not both at once",
                     self->what);
        goto done;
    }
    if (ah_deadline_arg(timeout, "timeout", clock, &deadline_ns) < 0) {
        goto done;
    }
    blocker.next = self->blockers;
    self->blockers = &blocker;
    err = block_for_edge(self, queue, &blocker, edges, clock, &tokens.set, deadline_ns,
                         &record);
    blocker_unlink(self, &blocker);
    if (err == 0) {
        event = ah_edge_event_new(self->st, &record);
    }
    if (queue->ring.size > 0) {
        ah_edges_wake_blockers(self);
    }
done:
    token_close(&blocker.woken);
    Py_XDECREF(kept);
    ah_line_end(self);
    ah_wait_tokens_clear(&tokens);
    return event;
}
