/* What every method of a SimWorld begins and ends with; see world_object.h. */
#include "sim_py/world_object.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>

#include "sim_py/card.h"
#include "py/errors.h"

int
ah_sim_check_own(SimWorldObject *self)
{
    return ah_is_inherited(&self->fork)
               ? ah_raise_inherited(&self->fork, "simulated board",
                                    "make one in the child")
               : 0;
}

int
ah_sim_check_open(SimWorldObject *self)
{
    if (ah_sim_check_own(self) < 0) {
        return -1;
    }
    if (self->world.closed) {
        PyErr_SetString(PyExc_ValueError, "this simulated board is closed");
        return -1;
    }
    return 0;
}

int
ah_sim_check_outside(SimWorldObject *self)
{
    if (ah_sim_check_open(self) < 0) {
        return -1;
    }
    if (world_is_inside(&self->world)) {
        PyErr_SetString(PyExc_RuntimeError,
                        "the code of a card or part, which answers a message, cannot "
                        "open devices of its board: open them before");
        return -1;
    }
    return 0;
}

void
ah_sim_drop_idle_cards(SimWorldObject *self)
{
    if (self->cards == NULL || world_is_inside(&self->world)) {
        return;
    }
    struct sim_card *idle = NULL;
    world_enter(&self->world);
    for (struct sim_card **p = &self->cards; *p != NULL;) {
        struct sim_card *card = *p;
        if (card->uses > 0 || card->card.field != NULL) {
            p = &card->next;
            continue;
        }
        *p = card->next;
        card->next = idle;
        idle = card;
    }
    world_unlock(&self->world);
    while (idle != NULL) {
        struct sim_card *card = idle;
        idle = card->next;
        ah_sim_card_free(card); /* runs Python */
    }
}

int
ah_sim_enter(SimWorldObject *self)
{
    if (ah_sim_check_own(self) < 0) {
        return -1;
    }
    world_enter(&self->world);
    if (self->world.closed) {
        world_unlock(&self->world);
        return ah_sim_check_open(self);
    }
    return 0;
}

int
ah_sim_leave(SimWorldObject *self)
{
    world_unlock(&self->world);
    int err = self->world.thread_error;
    if (!world_is_inside(&self->world)) {
        world_pass_time(&self->world, 0); /* gives up the GIL */
        world_settle(&self->world);       /* likewise */
        ah_sim_drop_idle_cards(self);     /* runs Python */
    }
    return err < 0 ? ah_raise_errno(err, "the thread of a simulated board") : 0;
}

int
ah_sim_seconds(PyObject *arg, const char *name, bool *given, int64_t *ns)
{
    *given = arg != NULL && arg != Py_None;
    if (!*given) {
        return 0;
    }
    double seconds;
    if (ah_seconds_arg(arg, name, &seconds) < 0) { /* runs Python */
        return -1;
    }
    if (!(seconds >= 0.0 && seconds < 9e9)) {
        PyErr_Format(PyExc_ValueError, "%s must be 0 to 9e9 seconds", name);
        return -1;
    }
    *ns = (int64_t)llround(seconds * 1e9);
    return 0;
}

PyObject *
ah_sim_attached_spi(int err, unsigned bus, unsigned cs)
{
    char what[32];
    if (err >= 0) {
        Py_RETURN_NONE;
    }
    PyOS_snprintf(what, sizeof what, "spi%u.%u", bus, cs);
    (void)ah_raise_errno_remedy(
        err, what, err == -EBUSY ? "something is on this chip select already" : NULL);
    return NULL;
}

int
ah_sim_check_line(SimWorldObject *self, int line)
{
    if (line < 0 || (unsigned)line >= self->world.lines.num_lines) {
        PyErr_Format(PyExc_ValueError, "line must be 0 to %u, not %d",
                     self->world.lines.num_lines - 1, line);
        return -1;
    }
    return 0;
}

int
ah_sim_schedule(SimWorldObject *self, const struct world_action *plan,
                struct sim_card *card)
{
    struct world_action *action = malloc(sizeof *action); /* the world frees it */
    if (action == NULL) {
        PyErr_NoMemory();
        return -1;
    }
    *action = *plan;
    action->node.index = -1;
    if (card != NULL) {
        action->card = &card->card;
        action->uses = &card->uses;
        card->uses++;
    }
    int err = world_schedule_locked(&self->world, action);
    if (err < 0) {
        if (card != NULL) {
            card->uses--;
        }
        free(action);
        return ah_raise_errno(err, NULL);
    }
    return 0;
}
