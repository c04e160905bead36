/* Edge events of a line request: from its descriptor to whoever waits.
 *
 * Readable descriptor -> read 16 events at once -> into every queue, where each
 * event is given to the first who waits for its kind -> that one's future is told.
 * The event is kept for it until collect(); one that is cancelled after it was told
 * passes its event on (disarm).  The request is armed on the loop exactly as long as
 * somebody waits.
 * Threads that block instead are in gpio_block.c.
 */
#include "hw/gpio_event.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>
#include <unistd.h>

#include "hw/tell.h"
#include "py/clock_type.h"
#include "py/compat.h"
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
        if (!edge_queue_is_waited_on(queue) && queue->held) {
            queue->held = 0;
            Py_DECREF(queue->owner); /* runs Python */
            waited_on = false;
            queue = self->queues; /* the list may have changed */
            continue;
        }
        waited_on = waited_on || edge_queue_is_waited_on(queue);
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

/* Tell all who were given an edge; who is done by then passes it on, to those who wait
 * already: who begins to wait meanwhile looks into the ring first.  0 or -1. */
static int
announce(LineRequestObject *self)
{
    uint64_t before = self->num_armed;
    PyObject *error = NULL; /* the first one: the others are told all the same */
    struct edge_queue *queue = self->queues;
    while (queue != NULL) {
        struct edge_waiter *waiter = edge_queue_untold(queue);
        if (waiter == NULL) {
            queue = queue->next;
            continue;
        }
        waiter->told = true;
        PyObject *owner = Py_NewRef(queue->owner);
        PyObject *future = Py_NewRef(waiter->future);
        PyObject *loop = Py_XNewRef(self->wait.loop);
        int woken = hw_future_tell(self->st, loop, future, NULL); /* runs Python */
        Py_XDECREF(loop);
        if (woken < 0) {
            ah_keep_exception(&error, owner); /* runs Python */
        }
        if (woken <= 0) {
            edge_queue_withdraw(queue, future, before); /* runs Python */
        }
        Py_DECREF(future);
        Py_DECREF(owner);
        queue = self->queues; /* the list may have changed */
    }
    if (error != NULL) {
        ah_restore_exception(error);
        return -1;
    }
    return 0;
}

/* -- reading --------------------------------------------------------------- */

int
ah_edges_raise(LineRequestObject *self, int err)
{
    if (err == -EBADF) {
        return ah_raise_errno_remedy(err, self->what,
                                     "it was closed while it was waited for");
    }
    return ah_raise_errno(err, self->what);
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
            int err = edge_queue_put(q, record, UINT64_MAX);
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

/* All who wait now, as a list of the caller's: whom we wake may wait again, and is not
 * among them. */
static struct edge_waiter *
take_all_waiters(LineRequestObject *self)
{
    struct edge_waiter *all = NULL, **end = &all;
    for (struct edge_queue *queue = self->queues; queue != NULL; queue = queue->next) {
        *end = edge_queue_take_waiting(queue);
        while (*end != NULL) {
            end = &(*end)->next;
        }
    }
    return all;
}

static void
drop_all_waiters(LineRequestObject *self)
{
    struct edge_waiter *waiter = take_all_waiters(self);
    while (waiter != NULL) {
        struct edge_waiter *next = waiter->next;
        edge_waiter_free(waiter); /* runs Python */
        waiter = next;
    }
}

/* OSError(err) as an object; owned. */
static PyObject *
line_error(LineRequestObject *self, int err)
{
    (void)ah_edges_raise(self, err);
    return ah_take_exception();
}

/* Everybody who waits gets a copy of OSError(err); the exception stays as it is. */
static void
fail_waiters(LineRequestObject *self, int err)
{
    PyObject *type, *value, *traceback;
    PyErr_Fetch(&type, &value, &traceback);
    PyObject *loop = Py_XNewRef(self->wait.loop);
    int is_closed = loop_is_closed(self); /* runs Python */
    if (is_closed < 0) {
        PyErr_WriteUnraisable((PyObject *)self);
    }
    struct edge_waiter *waiter = take_all_waiters(self);
    while (waiter != NULL) {
        struct edge_waiter *next = waiter->next;
        if (is_closed == 0) {
            PyObject *error = line_error(self, err);
            if (hw_future_tell(self->st, loop, waiter->future, error) < 0) {
                PyErr_WriteUnraisable((PyObject *)self); /* runs Python */
            }
            Py_DECREF(error);
        }
        edge_waiter_free(waiter); /* runs Python */
        waiter = next;
    }
    hw_loop_wake(self->st, loop); /* runs Python */
    Py_XDECREF(loop);             /* runs Python */
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
    bool taken = edge_ring_pop(&queue->ring, edges, &record);
    if (!taken) {
        int n = ah_edges_read(self); /* those who wait come first */
        if (n < 0) {
            (void)ah_edges_raise(self, n);
            goto done;
        }
        if (n > 0 && announce(self) < 0) { /* runs Python */
            goto done;
        }
        taken = edge_ring_pop(&queue->ring, edges, &record);
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
        PyErr_Format(PyExc_RuntimeError,
                     "a thread blocks on edges of %s: await them on the loop, or block "
                     "in threads, not both at once",
                     self->what);
        return -1;
    }
    PyObject *other = self->wait.loop;
    if (other == NULL || other == loop) {
        return 0;
    }
    int is_closed = loop_is_closed(self); /* runs Python */
    if (is_closed == 0) {
        PyErr_Format(PyExc_RuntimeError,
                     "edges of %s are awaited on another event loop", self->what);
    }
    if (is_closed <= 0) {
        return -1;
    }
    drop_all_waiters(self);      /* runs Python */
    ah_edges_release_idle(self); /* runs Python */
    if (self->wait.loop != NULL) {
        PyErr_Format(PyExc_RuntimeError,
                     "edges of %s are awaited on a closed event loop", self->what);
        return -1;
    }
    return 0;
}

bool
ah_edges_is_attached(LineRequestObject *self, const struct edge_queue *queue)
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
    if (claim_loop(self, loop) < 0) { /* another thread may have been faster */
        goto error;
    }
    if (self->closing || self->request == NULL || !ah_edges_is_attached(self, queue)) {
        (void)ah_edges_raise(self, -EBADF);
        goto error;
    }
    int given = edge_queue_add(queue, future, edges, self->num_armed++);
    if (given < 0) {
        goto error;
    }
    if (given > 0) {
        if (hw_future_tell(self->st, loop, future, NULL) < 0) { /* runs Python */
            edge_queue_withdraw(queue, future, self->num_armed);
            goto error;
        }
        return future;
    }
    hold_queue(self, queue);
    self->wait.simulated = self->owner != NULL;
    if (!hw_wait_is_armed(&self->wait) &&
        hw_wait_arm(&self->wait, loop, self->request->fd, NS_NEVER, on_readable,
                    (PyObject *)self) < 0) /* runs Python */
    {
        edge_queue_withdraw(queue, future, self->num_armed);
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
ah_edges_collect(LineRequestObject *self, struct edge_queue *queue, PyObject *future)
{
    struct edge_record record;
    if (!edge_queue_collect(queue, future, &record)) { /* runs Python */
        ah_edges_release_idle(self);                   /* runs Python */
        Py_RETURN_NONE;
    }
    return ah_edge_event_new(self->st, &record);
}

PyObject *
ah_edges_disarm(LineRequestObject *self, struct edge_queue *queue, PyObject *future)
{
    edge_queue_withdraw(queue, future, self->num_armed); /* runs Python */
    if (announce(self) < 0) {                            /* runs Python */
        PyErr_WriteUnraisable((PyObject *)self);         /* it is not the caller's */
    }
    if (queue->ring.size > 0) {
        ah_edges_wake_blockers(self);
    }
    ah_edges_release_idle(self); /* runs Python */
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
    edge_queue_init(queue, owner, capacity);
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
    int visited = edge_queue_traverse(&self->queue, visit, arg);
    if (visited != 0) {
        return visited;
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
    drop_all_waiters(self);                /* runs Python */
    edge_queue_drop_waiters(&self->queue); /* runs Python */
    ah_edges_release_idle(self);           /* runs Python */
}

void
ah_edges_free(LineRequestObject *self)
{
    hw_wait_disarm(&self->wait); /* on another loop, which is garbage as well */
    edge_queue_free(&self->queue);
}
