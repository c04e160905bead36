/* Edge events of a line request: from its descriptor to whoever waits.
 *
 * Readable descriptor -> read 16 events at once -> the ring of every queue ->
 * one waiter's future per event.  A future is only a wake-up: the event stays
 * in its ring until take().  Waiters are woken first in, first out; one that is
 * cancelled after it was woken passes the wake-up on (disarm).  The request is
 * armed on the loop exactly as long as somebody waits.
 * Threads that block instead are in gpio_block.c.
 */
#include "hw/gpio_event.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>
#include <unistd.h>

#include "py/clock_type.h"
#include "py/errors.h"
#include "setup.h"

#define READ_BATCH 16     /* events in one read */
#define EDGES_PER_LINE 64 /* capacity of a request's own ring */

/* The request keeps a queue that is waited on alive: its loop holds the request. */
static void
hold_queue(LineRequestObject *self, struct edge_queue *queue)
{
    if (!queue->held && queue->owner != (PyObject *)self) {
        Py_INCREF(queue->owner);
        queue->held = 1;
    }
}

void
ah_edges_release_idle(LineRequestObject *self)
{
    bool waited_on = false;
    Py_INCREF(self);
    struct edge_queue *queue = self->queues;
    while (queue != NULL) {
        if (queue->num_waiters == 0 && queue->held) {
            queue->held = 0;
            Py_DECREF(queue->owner); /* runs Python */
            waited_on = false;
            queue = self->queues; /* the list may have changed */
            continue;
        }
        waited_on = waited_on || queue->num_waiters > 0;
        queue = queue->next;
    }
    if (!waited_on) {
        hw_wait_disarm(&self->wait); /* runs Python */
    }
    Py_DECREF(self);
}

void
ah_edges_wake_blockers(LineRequestObject *self)
{
    const uint64_t one = 1;
    for (struct edge_blocker *b = self->blockers; b != NULL; b = b->next) {
        /* It fails only when the counter is full: then it is readable anyhow. */
        while (write(b->wake_fd, &one, sizeof one) < 0 && errno == EINTR) {
        }
    }
}

/* One waiter of each queue for each event that came; 0 or -1. */
static int
announce(LineRequestObject *self)
{
    struct edge_queue *queue = self->queues;
    int err = 0;
    while (queue != NULL && err == 0) {
        int kind = queue->unannounced[0] > 0 ? 0 : 1;
        if (queue->num_waiters == 0 || queue->unannounced[kind] == 0) {
            memset(queue->unannounced, 0, sizeof queue->unannounced);
            queue = queue->next;
            continue;
        }
        queue->unannounced[kind]--;
        PyObject *owner = Py_NewRef(queue->owner);
        err = edge_queue_wake(self->st, queue, kind == 0 ? EDGE_RISING : EDGE_FALLING);
        Py_DECREF(owner);
        queue = self->queues; /* the list may have changed */
    }
    return err;
}

/* -- reading --------------------------------------------------------------- */

int
ah_edges_raise(LineRequestObject *self, int err)
{
    char what[64] = "GPIO line";
    if (self->request != NULL) {
        PyOS_snprintf(what, sizeof what, "line %u of %s",
                      (unsigned)self->request->offsets[0], self->request->name);
    }
    if (err == -EBADF) {
        return ah_raise_errno_remedy(err, what,
                                     "it was closed while it was waited for");
    }
    return ah_raise_errno(err, what);
}

int
ah_edges_read(LineRequestObject *self)
{
    struct line_request *request = self->request;
    struct line_event events[READ_BATCH];
    int n = request->ops->read_events(request->self, events, READ_BATCH);
    if (n < 0) {
        return n == -EAGAIN ? 0 : n;
    }
    for (int i = 0; i < n; i++) {
        struct edge_record record = {events[i], events[i].seqno - self->last_seqno - 1};
        self->last_seqno = events[i].seqno;
        for (struct edge_queue *q = self->queues; q != NULL; q = q->next) {
            int err = edge_queue_push(q, record);
            if (err < 0) {
                return err;
            }
        }
    }
    if (n > 0) {
        ah_edges_wake_blockers(self);
    }
    return n;
}

/* Has the loop on which somebody waits been closed?  Then nobody comes back.  No
 * loop: no.  -1 with an exception. */
static int
loop_is_closed(LineRequestObject *self)
{
    if (self->wait.loop == NULL) {
        return 0;
    }
    PyObject *loop = Py_NewRef(self->wait.loop);
    PyObject *closed = PyObject_CallMethod(loop, "is_closed", NULL); /* runs Python */
    Py_DECREF(loop);
    int is_closed = closed == NULL ? -1 : PyObject_IsTrue(closed);
    Py_XDECREF(closed);
    return is_closed;
}

static void
drop_all_waiters(LineRequestObject *self)
{
    struct edge_queue *queue = self->queues;
    while (queue != NULL) {
        if (queue->num_waiters == 0) {
            queue = queue->next;
            continue;
        }
        Py_DECREF(edge_queue_remove_waiter(queue, 0)); /* runs Python */
        queue = self->queues;                          /* the list may have changed */
    }
}

/* Everybody who waits gets a copy of OSError(err); the exception stays as it is. */
static void
fail_waiters(LineRequestObject *self, int err)
{
    PyObject *type, *value, *traceback;
    PyErr_Fetch(&type, &value, &traceback);
    int is_closed = loop_is_closed(self); /* runs Python */
    if (is_closed != 0) {
        drop_all_waiters(self);
    }
    if (is_closed < 0) {
        PyErr_WriteUnraisable((PyObject *)self);
    }
    struct edge_queue *queue = self->queues;
    while (queue != NULL) {
        if (queue->num_waiters == 0) {
            queue = queue->next;
            continue;
        }
        PyObject *future = edge_queue_remove_waiter(queue, 0);
        PyObject *error_type, *error, *error_traceback;
        (void)ah_edges_raise(self, err);
        PyErr_Fetch(&error_type, &error, &error_traceback);
        PyErr_NormalizeException(&error_type, &error, &error_traceback);
        if (edge_future_complete(self->st, future, error) < 0) { /* runs Python */
            PyErr_WriteUnraisable((PyObject *)self);
        }
        Py_XDECREF(error_type);
        Py_XDECREF(error);
        Py_XDECREF(error_traceback);
        Py_DECREF(future);
        queue = self->queues;
    }
    PyErr_Restore(type, value, traceback);
}

static int
on_readable(struct hw_wait *wait, int Py_UNUSED(what))
{
    LineRequestObject *self =
        (LineRequestObject *)((char *)wait - offsetof(LineRequestObject, wait));
    if (ah_line_begin(self) < 0) {
        PyErr_Clear(); /* closed by an earlier callback of this turn */
        return 0;
    }
    int err = ah_edges_read(self);
    if (err < 0) {
        fail_waiters(self, err); /* runs Python */
    }
    err = announce(self);        /* runs Python */
    ah_edges_release_idle(self); /* runs Python */
    ah_line_end(self);
    return err;
}

/* -- operations on one queue ----------------------------------------------- */

int
ah_edges_parse(PyObject *word, unsigned *edges)
{
    static const char *const words[] = {"rising", "falling", "both"};
    *edges = EDGE_BOTH;
    if (word == NULL) {
        return 0;
    }
    for (unsigned i = 0; PyUnicode_Check(word) && i < 3; i++) {
        if (PyUnicode_CompareWithASCIIString(word, words[i]) == 0) {
            *edges = i + 1;
            return 0;
        }
    }
    PyErr_Format(PyExc_ValueError,
                 "edge must be \"rising\", \"falling\" or \"both\", not %R", word);
    return -1;
}

PyObject *
ah_edges_take(LineRequestObject *self, struct edge_queue *queue, PyObject *args)
{
    PyObject *word = NULL;
    struct edge_record record;
    unsigned edges;
    if (!PyArg_ParseTuple(args, "|O:take", &word) || ah_edges_parse(word, &edges) < 0 ||
        ah_line_begin(self) < 0) {
        return NULL;
    }
    PyObject *event = NULL;
    bool taken = edge_queue_pop(queue, edges, &record);
    if (!taken) {
        int n = ah_edges_read(self);
        if (n < 0) {
            (void)ah_edges_raise(self, n);
            goto done;
        }
        taken = edge_queue_pop(queue, edges, &record);
        if (n > 0 && announce(self) < 0) { /* runs Python */
            goto done;
        }
    }
    event = taken ? ah_edge_event_new(self->st, &record) : Py_NewRef(Py_None);
done:
    ah_line_end(self);
    return event;
}

/* Is request->wait free for `loop`?  A closed loop's waiters never come back. */
static int
claim_loop(LineRequestObject *self, PyObject *loop)
{
    if (self->blockers != NULL) {
        PyErr_SetString(PyExc_RuntimeError,
                        "a thread blocks on edges of this line: await them on the "
                        "loop, or block in threads, not both at once");
        return -1;
    }
    PyObject *other = self->wait.loop;
    if (other == NULL || other == loop) {
        return 0;
    }
    int is_closed = loop_is_closed(self); /* runs Python */
    if (is_closed == 0) {
        PyErr_SetString(PyExc_RuntimeError,
                        "edges of this line are awaited on another event loop");
    }
    if (is_closed <= 0) {
        return -1;
    }
    drop_all_waiters(self);
    ah_edges_release_idle(self); /* runs Python */
    return 0;
}

static bool
is_attached(LineRequestObject *self, const struct edge_queue *queue)
{
    const struct edge_queue *q = self->queues;
    while (q != NULL && q != queue) {
        q = q->next;
    }
    return q != NULL;
}

/* Between begin and end. */
static PyObject *
arm_future(LineRequestObject *self, struct edge_queue *queue, PyObject *loop,
           unsigned edges)
{
    if (claim_loop(self, loop) < 0 ||
        ah_line_request_use_loop(self->st, (PyObject *)self, loop) < 0) {
        return NULL;
    }
    PyObject *future =
        PyObject_CallMethodNoArgs(loop, self->st->name_create_future); /* runs Python */
    if (future == NULL) {
        return NULL;
    }
    if (self->closing || self->request == NULL || !is_attached(self, queue)) {
        (void)ah_edges_raise(self, -EBADF);
        goto error;
    }
    if (edge_queue_find(queue, edges) >= 0) {
        if (edge_future_complete(self->st, future, NULL) < 0) { /* runs Python */
            goto error;
        }
        return future;
    }
    if (edge_queue_add_waiter(queue, future, edges) < 0) {
        goto error;
    }
    hold_queue(self, queue);
    self->wait.simulated = self->owner != NULL;
    if (!hw_wait_is_armed(&self->wait) &&
        hw_wait_arm(&self->wait, loop, self->request->fd, NS_NEVER, on_readable,
                    (PyObject *)self) < 0) /* runs Python */
    {
        for (size_t i = queue->num_waiters; i-- > 0;) {
            if (queue->waiters[i].future == future) {
                Py_DECREF(edge_queue_remove_waiter(queue, i)); /* not the last */
            }
        }
        ah_edges_release_idle(self); /* runs Python */
        goto error;
    }
    return future;
error:
    Py_DECREF(future);
    return NULL;
}

PyObject *
ah_edges_arm(LineRequestObject *self, struct edge_queue *queue, PyObject *args)
{
    PyObject *loop, *word = NULL;
    unsigned edges;
    if (!PyArg_ParseTuple(args, "O|O:arm", &loop, &word) ||
        ah_edges_parse(word, &edges) < 0 || ah_line_begin(self) < 0) {
        return NULL;
    }
    PyObject *future = arm_future(self, queue, loop, edges);
    ah_line_end(self);
    return future;
}

PyObject *
ah_edges_disarm(LineRequestObject *self, struct edge_queue *queue, PyObject *future)
{
    int err = 0;
    bool waited = false;
    for (size_t i = queue->num_waiters; i-- > 0;) {
        if (queue->waiters[i].future == future) {
            Py_DECREF(edge_queue_remove_waiter(queue, i));
            waited = true;
        }
    }
    for (size_t i = 0; !waited && i < queue->num_waiters; i++) {
        if (edge_queue_find(queue, queue->waiters[i].edges) >= 0) {
            err = edge_queue_wake(self->st, queue,
                                  queue->waiters[i].edges); /* runs Python */
            break;
        }
    }
    ah_edges_release_idle(self); /* runs Python */
    if (err < 0) {
        return NULL;
    }
    Py_RETURN_NONE;
}

int
ah_edges_read_all(LineRequestObject *self)
{
    if (ah_line_begin(self) < 0) {
        return -1;
    }
    int n, total = 0;
    do {
        n = ah_edges_read(self);
        total += n;
    } while (n == READ_BATCH);
    if (n < 0) {
        (void)ah_edges_raise(self, n);
    }
    else {
        n = announce(self); /* runs Python */
    }
    ah_line_end(self);
    return n < 0 ? -1 : total;
}

PyObject *
ah_edges_clear(LineRequestObject *self, struct edge_queue *queue)
{
    if (ah_edges_read_all(self) < 0) { /* runs Python */
        return NULL;
    }
    edge_queue_forget(queue);
    Py_RETURN_NONE;
}

void
ah_edges_attach(LineRequestObject *self, struct edge_queue *queue, PyObject *owner,
                unsigned capacity)
{
    queue->owner = owner;
    queue->capacity = capacity;
    queue->next = self->queues;
    self->queues = queue;
}

void
ah_edges_detach(LineRequestObject *self, struct edge_queue *queue)
{
    struct edge_queue **link = &self->queues;
    while (*link != NULL && *link != queue) {
        link = &(*link)->next;
    }
    if (*link != NULL) {
        *link = queue->next;
    }
    queue->next = NULL;
}

/* -- for gpio_type.c ------------------------------------------------------- */

void
ah_edges_init(LineRequestObject *self)
{
    hw_wait_init(&self->wait);
    unsigned capacity = EDGES_PER_LINE * self->request->num_lines;
    ah_edges_attach(self, &self->queue, (PyObject *)self, capacity);
}

void
ah_edges_fail(LineRequestObject *self)
{
    fail_waiters(self, -EBADF); /* runs Python */
    ah_edges_wake_blockers(self);
    ah_edges_release_idle(self); /* runs Python */
}

int
ah_edges_traverse(LineRequestObject *self, visitproc visit, void *arg)
{
    for (size_t i = 0; i < self->queue.num_waiters; i++) {
        Py_VISIT(self->queue.waiters[i].future);
    }
    for (struct edge_queue *queue = self->queues; queue != NULL; queue = queue->next) {
        if (queue->held) {
            Py_VISIT(queue->owner);
        }
    }
    return hw_wait_traverse(&self->wait, visit, arg);
}

void
ah_edges_drop(LineRequestObject *self)
{
    drop_all_waiters(self);
    ah_edges_release_idle(self); /* runs Python */
}

void
ah_edges_free(LineRequestObject *self)
{
    hw_wait_disarm(&self->wait); /* on another loop, which is garbage as well */
    edge_queue_free(&self->queue);
}
