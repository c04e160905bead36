/* What other threads leave for the loop: call_soon_threadsafe() and ah_loop_post().
 *
 * Nothing here that another thread runs touches the ring, the free list or the
 * shared context of the loop: a post goes to the inbox (base/inbox.h), and the loop's
 * thread moves it to the ready ring, at the beginning of a turn, after a poll, and
 * before it schedules something itself, so that the order of one thread's calls is
 * kept.
 */
#include <errno.h>

#include "loop/loop_type.h"
#include "py/compat.h"
#include "py/errors.h"

int
ah_loop_post(LoopObject *self, struct ah_post *post, ah_post_func func, PyObject *owner)
{
    post->func = func;
    post->owner = owner;
    return inbox_post(&self->inbox, &post->node);
}

/* A post without a function stands for a handle: it is ours, and its owner is that. */
static int
post_handle(LoopObject *self, HandleObject *handle)
{
    struct ah_post *post = malloc(sizeof *post);
    if (post == NULL) {
        PyErr_NoMemory();
        return -1;
    }
    int err = ah_loop_post(self, post, NULL, Py_NewRef((PyObject *)handle));
    if (err == -ESHUTDOWN) {
        free(post);
        Py_DECREF(handle);
        return loop_raise_closed(self);
    }
    return err < 0 ? ah_raise_errno(err, "eventfd") : 0;
}

int
loop_post_handle(LoopObject *self, HandleObject *handle)
{
    if (self->running_ident == PyThread_get_thread_ident()) {
        return loop_push(self, (PyObject *)handle, READY_HANDLE);
    }
    return post_handle(self, handle);
}

int
loop_collect_inbox(LoopObject *self)
{
    struct inbox_node **last = &self->arrived;
    while (*last != NULL) {
        last = &(*last)->next;
    }
    *last = inbox_take(&self->inbox);
    while (self->arrived != NULL) {
        struct ah_post *post = (struct ah_post *)self->arrived;
        bool is_handle = post->func == NULL;
        void *item = is_handle ? (void *)post->owner : (void *)post;
        if (ring_push(&self->ready, item, is_handle ? READY_HANDLE : READY_POST) < 0) {
            PyErr_NoMemory();
            return -1;
        }
        self->arrived = post->node.next;
        if (is_handle) {
            free(post);
        }
    }
    return 0;
}

static void
drop_posts(struct inbox_node *node)
{
    while (node != NULL) {
        struct ah_post *post = (struct ah_post *)node;
        PyObject *owner = post->owner;
        node = node->next;
        if (post->func == NULL) {
            free(post);
        }
        Py_DECREF(owner); /* runs Python */
    }
}

void
loop_close_inbox(LoopObject *self)
{
    struct inbox_node *arrived = self->arrived;
    self->arrived = NULL;
    drop_posts(arrived);
    drop_posts(inbox_close(&self->inbox));
}

/* Nothing is dropped yet: that would run Python. */
void
loop_inbox_in_child(LoopObject *self)
{
    struct inbox_node **last = &self->arrived;
    while (*last != NULL) {
        last = &(*last)->next;
    }
    *last = inbox_close_in_child(&self->inbox);
}

static int
visit_posts(struct inbox_node *node, visitproc visit, void *arg)
{
    for (; node != NULL && node != INBOX_CLOSED; node = node->next) {
        Py_VISIT(((struct ah_post *)node)->owner);
    }
    return 0;
}

int
loop_traverse_inbox(LoopObject *self, visitproc visit, void *arg)
{
    int status = visit_posts(self->arrived, visit, arg);
    if (status != 0) {
        return status;
    }
    return visit_posts(atomic_load(&self->inbox.newest), visit, arg);
}
