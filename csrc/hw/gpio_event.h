/* Edges of a line request: what gpio_type.c and edge_queue_type.c build on.
 *
 * Every function takes the request and one of its queues: the request's own, or
 * that of an EdgeQueue.  GIL held; see gpio_event.c for which thread.
 */
#ifndef AH_HW_GPIO_EVENT_H
#define AH_HW_GPIO_EVENT_H

#include "hw/gpio_type.h"

/* A queue sees every event that is read from now on.  `owner` embeds it. */
void ah_edges_attach(LineRequestObject *self, struct edge_queue *queue,
                     AH_BORROWED PyObject *owner, unsigned capacity);
void ah_edges_detach(LineRequestObject *self, struct edge_queue *queue);

bool ah_edges_is_attached(LineRequestObject *self, const struct edge_queue *queue);

/* The methods take(), arm(), collect(), disarm() and clear() of whoever owns the
 * queue. */
AH_RAISES PyObject *ah_edges_take(LineRequestObject *self, struct edge_queue *queue,
                                  PyObject *args);
AH_RAISES PyObject *ah_edges_arm(LineRequestObject *self, struct edge_queue *queue,
                                 PyObject *args);
AH_RAISES PyObject *ah_edges_collect(LineRequestObject *self, struct edge_queue *queue,
                                     PyObject *future);
AH_RAISES PyObject *ah_edges_disarm(LineRequestObject *self, struct edge_queue *queue,
                                    PyObject *future);
AH_RAISES PyObject *ah_edges_clear(LineRequestObject *self, struct edge_queue *queue);

struct edge_blocker {
    struct edge_blocker *next;
    struct cancel_token woken; /* look again */
};

/* Every blocked thread looks again. */
void ah_edges_wake_blockers(LineRequestObject *self);

/* "rising", "falling" or "both" (the default, NULL); -1 with ValueError. */
AH_RAISES int ah_edges_parse(PyObject *word, unsigned *edges);

/* Raise -errno with the line's name; -1. */
int ah_edges_raise(LineRequestObject *self, int err);

/* One batch into all rings.  How many, or -errno.  Between begin and end. */
int ah_edges_read(LineRequestObject *self);

/* Read what is there by now into all queues.  Number of edges, or -1. */
AH_RAISES int ah_edges_read_all(LineRequestObject *self); /* runs Python */

/* A record as an EdgeEvent. */
AH_RAISES PyObject *ah_edge_event_new(ModuleState *st,
                                      const struct edge_record *record);

/* gpio_block.c, edge_queue_type.c: wait_edge_blocking(), edge_queue(). */
AH_RAISES PyObject *ah_edges_block(LineRequestObject *self, struct edge_queue *queue,
                                   PyObject *args, PyObject *kwargs);
AH_RAISES PyObject *ah_edge_queue_new(LineRequestObject *self, PyObject *args);

/* Let go of queues that nobody waits on any more, and disarm when that is all of
 * them.  May drop the last reference to self. */
void ah_edges_release_idle(LineRequestObject *self); /* runs Python */

/* Life of the request. */
void ah_edges_init(LineRequestObject *self);
void ah_edges_fail(LineRequestObject *self); /* closed: wake all who wait */
int ah_edges_traverse(LineRequestObject *self, visitproc visit, void *arg);
void ah_edges_drop(LineRequestObject *self); /* for tp_clear; runs Python */
void ah_edges_free(LineRequestObject *self); /* for dealloc */

#endif
