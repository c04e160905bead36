/* What came of an operation of a reader's chip: MFRC522.take().
 *
 * The outcome is in the chip's own state, or it is an exception that is kept here,
 * until it is taken, or the next operation begins.
 */
#include "hw/mfrc522_type.h"

#include "py/exceptions.h"

static const char *const error_words[] = {
    [MFRC522_TIMEOUT] = "timeout",
    [MFRC522_COLLISION] = "collision",
    [MFRC522_FRAME_ERROR] = "frame",
    [MFRC522_NAK] = "nak",
    [MFRC522_AUTH_FAILED] = "authentication",
    [MFRC522_NO_CHIP] = "no-chip",
    [MFRC522_BAD_READBACK] = "readback",
    [MFRC522_LOST_REGISTERS] = "lost-registers",
    [MFRC522_FIELD_OFF] = "field-off",
    [MFRC522_CANCELLED] = "cancelled",
};

void
ah_mfrc522_keep_error(MFRC522Object *self)
{
    Py_XSETREF(self->error, ah_take_exception());
}

static PyObject *
bytes_of(const uint8_t *data, size_t size)
{
    return PyBytes_FromStringAndSize((const char *)data, (Py_ssize_t)size);
}

/* (atqa or None, uid, sak) */
static PyObject *
card_result(const struct mfrc522 *chip, bool with_atqa)
{
    const struct iso14443a_uid *uid = &chip->uid;
    PyObject *atqa = with_atqa ? bytes_of(chip->atqa, 2) : Py_NewRef(Py_None);
    if (atqa == NULL) {
        return NULL;
    }
    return Py_BuildValue("(Ny#i)", atqa, (const char *)uid->bytes,
                         (Py_ssize_t)uid->size, uid->sak);
}

static PyObject *
result_of(const struct mfrc522 *chip, enum mfrc522_operation operation)
{
    switch (operation) {
        case OPERATION_OPEN:
            return PyLong_FromLong(chip->version);
        case OPERATION_TRANSCEIVE:
            return Py_BuildValue("(y#i)", (const char *)chip->rx,
                                 (Py_ssize_t)chip->rx_size, chip->rx_last_bits);
        case OPERATION_REQUEST:
            return bytes_of(chip->atqa, 2);
        case OPERATION_ANTICOLLISION:
            return bytes_of(chip->cl, sizeof chip->cl);
        case OPERATION_SELECT:
            return card_result(chip, false);
        case OPERATION_POLL:
            return card_result(chip, true);
        case OPERATION_READ:
            return bytes_of(chip->rx, MIFARE_BLOCK_SIZE);
        default:
            return Py_NewRef(Py_None);
    }
}

PyObject *
ah_mfrc522_take(MFRC522Object *self, PyObject *Py_UNUSED(ignored))
{
    const struct mfrc522_step *step = &self->chip.step;
    enum mfrc522_operation operation = self->operation;
    /* The outcome is kept by now, if it is the close that runs. */
    bool runs = mfrc522_is_running(&self->chip) && self->device.closing != CLOSE_RUNS;
    if (operation == OPERATION_NONE || runs) {
        Py_RETURN_NONE;
    }
    self->operation = OPERATION_NONE;
    if (self->outcome != NULL) {
        PyObject *outcome = self->outcome;
        self->outcome = NULL;
        return outcome;
    }
    if (self->error != NULL) {
        PyObject *error = self->error;
        self->error = NULL;
        PyErr_SetObject((PyObject *)Py_TYPE(error), error);
        Py_DECREF(error);
        return NULL;
    }
    if (step->need == MFRC522_FAILED) {
        return step->error < 0
                   ? Py_BuildValue("(iO)", -step->error, Py_None)
                   : Py_BuildValue("(sO)", error_words[step->error], Py_None);
    }
    PyObject *result = result_of(&self->chip, operation);
    return result == NULL ? NULL : Py_BuildValue("(ON)", Py_None, result);
}

void
ah_mfrc522_keep_outcome(MFRC522Object *self)
{
    enum mfrc522_operation operation = self->operation;
    if (self->error != NULL || self->outcome != NULL) {
        return; /* they don't need the chip */
    }
    PyObject *outcome = ah_mfrc522_take(self, NULL);
    if (outcome == NULL) {
        ah_mfrc522_keep_error(self);
    }
    else if (outcome != Py_None) {
        self->outcome = Py_NewRef(outcome);
    }
    Py_XDECREF(outcome);
    self->operation = operation;
}
