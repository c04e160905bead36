/* Timers of handles and devices: the heap owns a reference to each owner. */
#include "loop/loop_object.h"

int
ah_loop_timer_start(LoopObject *self, struct ah_timer *timer, int64_t when_ns,
                    ah_timer_func func, PyObject *owner)
{
    if (loop_check_open(self) < 0) {
        return -1;
    }
    Py_INCREF(owner); /* before the old one goes, which may be the last */
    ah_loop_timer_stop(self, timer);
    if (heap_push(&self->timers, &timer->node, when_ns) < 0) {
        Py_DECREF(owner);
        PyErr_NoMemory();
        return -1;
    }
    timer->func = func;
    timer->owner = owner;
    return 0;
}

void
ah_loop_timer_stop(LoopObject *self, struct ah_timer *timer)
{
    if (timer->node.index >= 0) {
        heap_remove(&self->timers, &timer->node);
        Py_CLEAR(timer->owner); /* runs Python */
    }
}

int
loop_push_due_timers(LoopObject *self, int64_t now_ns)
{
    while (heap_first_when(&self->timers) <= now_ns) {
        struct ah_timer *timer = (struct ah_timer *)heap_first(&self->timers);
        PyObject *owner = timer->owner;
        heap_remove(&self->timers, &timer->node);
        timer->owner = NULL;
        self->stats.timers_fired++;
        timer->func(self, timer); /* runs Python */
        Py_DECREF(owner);         /* runs Python */
        if (self->pending_exc != NULL) {
            return -1;
        }
    }
    return 0;
}

/* All of them first: dropping an owner may start the timer of another one anew. */
void
loop_disarm_all(struct heap *timers)
{
    PyObject **owners = (PyObject **)timers->entries; /* no larger than an entry */
    size_t count = 0;
    for (size_t i = 0; i < timers->size; i++) {
        struct ah_timer *timer = (struct ah_timer *)timers->entries[i].node;
        if (timer != NULL) {
            timer->node.index = -1;
            owners[count++] = timer->owner;
            timer->owner = NULL;
        }
    }
    for (size_t i = 0; i < count; i++) {
        Py_DECREF(owners[i]); /* runs Python */
    }
    heap_free(timers);
}

int
loop_traverse_timers(LoopObject *self, visitproc visit, void *arg)
{
    for (size_t i = 0; i < self->timers.size; i++) {
        struct ah_timer *timer = (struct ah_timer *)self->timers.entries[i].node;
        if (timer != NULL) {
            Py_VISIT(timer->owner);
        }
    }
    return 0;
}
