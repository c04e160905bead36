/* Readers and cards of a SimWorld; see world_type.c for its life and its locks. */
#include "sim_py/field.h"

#include <errno.h>

#include "sim_py/card.h"
#include "py/errors.h"
#include "py/exceptions.h"

PyObject *
SimWorld_attach(SimWorldObject *self, PyObject *args)
{
    unsigned int bus, cs;
    int irq, reset;
    unsigned char version;
    struct world_chip *chip;
    if (!PyArg_ParseTuple(args, "IIiib:attach", &bus, &cs, &irq, &reset, &version)) {
        return NULL;
    }
    if ((irq != WORLD_NO_LINE && ah_sim_check_line(self, irq) < 0) ||
        (reset != WORLD_NO_LINE && ah_sim_check_line(self, reset) < 0) ||
        ah_sim_enter(self) < 0) {
        return NULL;
    }
    int err = world_attach_locked(&self->world, bus, cs, irq, reset, version, &chip);
    if (ah_sim_leave(self) < 0) {
        return NULL;
    }
    return ah_sim_attached_spi(err, bus, cs);
}

/* Enter, and find the reader.  NULL with an exception, not entered. */
static struct world_chip *
enter_chip(SimWorldObject *self, unsigned bus, unsigned cs)
{
    if (ah_sim_enter(self) < 0) {
        return NULL;
    }
    struct world_chip *chip = world_find_chip_locked(&self->world, bus, cs);
    if (chip == NULL) {
        world_unlock(&self->world);
        PyErr_Format(PyExc_LookupError, "no reader is attached to spi%u.%u", bus, cs);
    }
    return chip;
}

/* Where the card of that object is listed, or would be: at the end. */
static struct sim_card **
card_place(SimWorldObject *self, PyObject *object)
{
    struct sim_card **place = &self->cards;
    while (*place != NULL && (*place)->object != object) {
        place = &(*place)->next;
    }
    return place;
}

/* The card of that object; made and listed when it is new. */
static struct sim_card *
find_card(SimWorldObject *self, PyObject *object)
{
    struct sim_card **place = card_place(self, object);
    if (*place == NULL) {
        struct sim_card *card = ah_sim_card_new(object); /* runs Python */
        if (card == NULL) {
            return NULL;
        }
        place = card_place(self, object); /* it may be listed by now */
        if (*place != NULL) {
            ah_sim_card_free(card); /* not the last reference to the object */
        }
        else {
            *place = card;
        }
    }
    return *place;
}

static int
present_now(struct world_chip *chip, struct sim_card *card)
{
    int err = world_present_locked(chip, &card->card);
    if (err == -EBUSY) {
        PyErr_Format(
            PyExc_ValueError, "%R is in %s field already; remove it first",
            card->object,
            card->card.field == &chip->field ? "this reader's" : "another reader's");
        return -1;
    }
    if (err == -ENOSPC) {
        PyErr_Format(PyExc_ValueError, "a field holds at most %d cards",
                     FIELD_CARDS_MAX);
        return -1;
    }
    return err < 0 ? ah_raise_errno(err, "present") : 0;
}

static int
move_card(SimWorldObject *self, PyObject *args, const char *format,
          enum world_deed deed)
{
    unsigned int bus, cs;
    PyObject *object, *at = Py_None;
    bool later;
    struct world_action plan = {.deed = deed, .start = WORLD_FIELD_ON};
    if (!PyArg_ParseTuple(args, format, &bus, &cs, &object, &at) ||
        ah_sim_seconds(at, "at", &later, &plan.after_ns) < 0) {
        return -1;
    }
    plan.chip = enter_chip(self, bus, cs);
    if (plan.chip == NULL) {
        return -1;
    }
    int result = -1;
    struct sim_card *card = find_card(self, object); /* runs Python */
    if (card == NULL) {
        /* the exception is set */
    }
    else if (later) {
        result = ah_sim_schedule(self, &plan, card);
    }
    else if (deed == WORLD_PRESENT) {
        result = present_now(plan.chip, card);
    }
    else if (card->card.field == &plan.chip->field) {
        world_remove_locked(&self->world, &card->card);
        result = 0;
    }
    else {
        PyErr_Format(PyExc_ValueError, "%R is not in this reader's field", object);
    }
    if (result < 0) {
        PyObject *exc = ah_take_exception();
        if (ah_sim_leave(self) < 0) {
            PyErr_Clear();
        }
        ah_restore_exception(exc);
        return -1;
    }
    return ah_sim_leave(self);
}

PyObject *
SimWorld_present(SimWorldObject *self, PyObject *args)
{
    if (move_card(self, args, "IIO|O:present", WORLD_PRESENT) < 0) {
        return NULL;
    }
    Py_RETURN_NONE;
}

PyObject *
SimWorld_remove(SimWorldObject *self, PyObject *args)
{
    if (move_card(self, args, "IIO|O:remove", WORLD_REMOVE) < 0) {
        return NULL;
    }
    Py_RETURN_NONE;
}

PyObject *
SimWorld_cards(SimWorldObject *self, PyObject *args)
{
    unsigned int bus, cs;
    int expected = 0;
    if (!PyArg_ParseTuple(args, "II|p:cards", &bus, &cs, &expected)) {
        return NULL;
    }
    struct world_chip *chip = enter_chip(self, bus, cs);
    if (chip == NULL) {
        return NULL;
    }
    PyObject *list = PyList_New(0);
    for (struct sim_card *card = self->cards; list != NULL && card != NULL;
         card = card->next) {
        bool wanted = card->card.field == &chip->field || (expected && card->uses > 0);
        if (wanted && PyList_Append(list, card->object) < 0) {
            Py_CLEAR(list);
        }
    }
    world_unlock(&self->world);
    return list;
}

PyObject *
SimWorld_field_on(SimWorldObject *self, PyObject *args)
{
    unsigned int bus, cs;
    if (!PyArg_ParseTuple(args, "II:field_on", &bus, &cs)) {
        return NULL;
    }
    struct world_chip *chip = enter_chip(self, bus, cs);
    if (chip == NULL) {
        return NULL;
    }
    bool on = chip->field.carrier;
    world_unlock(&self->world);
    return PyBool_FromLong(on);
}

PyObject *
SimWorld_peek(SimWorldObject *self, PyObject *args)
{
    unsigned int bus, cs;
    unsigned char addr;
    if (!PyArg_ParseTuple(args, "IIb:peek", &bus, &cs, &addr)) {
        return NULL;
    }
    if (addr > 0x3F) {
        PyErr_SetString(PyExc_ValueError, "a register address is 0x00 to 0x3f");
        return NULL;
    }
    struct world_chip *chip = enter_chip(self, bus, cs);
    if (chip == NULL) {
        return NULL;
    }
    long value = mfrc522_sim_peek(chip->mfrc522, addr);
    world_unlock(&self->world);
    return PyLong_FromLong(value);
}
