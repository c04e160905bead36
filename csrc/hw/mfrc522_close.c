/* Closing a reader's chip: at once, or when whatever drives it is done.
 *
 * close() may come in the middle of a step: from another thread while an SPI message
 * is on its way, from a signal handler of the thread that blocks, from a card or a
 * loop whose methods the step calls.  Then the step is finished first, what runs is
 * cancelled, and who has driven it does the rest.
 */
#include "hw/mfrc522_type.h"

#include "py/exceptions.h"

/* Antenna off; let go of bus and lines, and have them given back. */
static PyObject *
close_now(MFRC522Object *self)
{
    PyObject *give_back = self->give_back;
    self->give_back = NULL;
    self->device.closing = CLOSE_RUNS; /* who closes it meanwhile has nothing to do */
    ah_mfrc522_run_close(self);        /* runs Python */
    ah_device_release(&self->device);  /* runs Python */
    Py_CLEAR(self->irq);               /* runs Python */
    Py_CLEAR(self->reset);             /* runs Python */
    self->device.closing = CLOSE_NOT;
    if (give_back == NULL) {
        Py_RETURN_NONE;
    }
    PyObject *result = PyObject_CallNoArgs(give_back); /* runs Python */
    Py_DECREF(give_back);
    return result;
}

void
ah_mfrc522_settle(MFRC522Object *self)
{
    if (self->device.closing != CLOSE_WANTED || self->driving || self->blocking) {
        return;
    }
    PyObject *exc = ah_take_exception();
    PyObject *result = close_now(self); /* runs Python */
    if (result == NULL) {
        PyErr_WriteUnraisable((PyObject *)self);
    }
    Py_XDECREF(result);
    ah_restore_exception(exc);
}

PyObject *
ah_mfrc522_close(MFRC522Object *self, PyObject *args)
{
    PyObject *give_back = NULL;
    if (!PyArg_ParseTuple(args, "|O:close", &give_back)) {
        return NULL;
    }
    give_back = give_back == Py_None ? NULL : give_back;
    if (self->device.closing != CLOSE_NOT) {
        Py_RETURN_NONE;
    }
    if (ah_is_inherited(&self->device.fork) || self->device.handle == NULL) {
        return give_back != NULL ? PyObject_CallNoArgs(give_back) /* runs Python */
                                 : Py_NewRef(Py_None);
    }
    Py_XSETREF(self->give_back, Py_XNewRef(give_back));
    if (!self->driving && !self->blocking) {
        return close_now(self); /* runs Python */
    }
    self->device.closing = CLOSE_WANTED;
    self->cancelling = self->driving;
    ah_mfrc522_closed_while_waited_for(self);
    Py_RETURN_NONE;
}
