/* What the simulated field asks of a card, asked of a Python object. */
#include "sim_py/card.h"
#include "sim_py/report.h"
#include "py/errors.h"

#include <errno.h>
#include <math.h>
#include <stdbool.h>
#include <string.h>

#define CARD_DELAY_MAX_S 1.0

static PyObject *
object_of(struct field_card *card)
{
    return ((struct sim_card *)((char *)card - offsetof(struct sim_card, card)))
        ->object;
}

/* Call a method without arguments for its effect. */
static void
tell(PyObject *object, const char *method)
{
    if (ah_sim_has_failed()) {
        return;
    }
    PyObject *result = PyObject_CallMethod(object, method, NULL); /* runs Python */
    if (result == NULL) {
        ah_sim_report(object);
    }
    Py_XDECREF(result);
}

static void
card_power_up(struct field_card *card)
{
    PyObject *object = Py_NewRef(object_of(card));
    tell(object, "power_on");
    Py_DECREF(object);
}

/* (bytes, bits) or (bytes, bits, seconds) as a frame.  1, or -1 with TypeError
 * or ValueError. */
static int
parse_answer(PyObject *answer, struct field_frame *out)
{
    const char *data;
    Py_ssize_t size;
    int bits;
    double delay = 0.0;
    if (!PyTuple_Check(answer)) {
        PyErr_Format(PyExc_TypeError,
                     "receive() must return None, (bytes, bits) or (bytes, bits, "
                     "seconds), not %.100s",
                     Py_TYPE(answer)->tp_name);
        return -1;
    }
    if (!PyArg_ParseTuple(answer, "y#i|d;an answer is (bytes, bits[, seconds])", &data,
                          &size, &bits, &delay)) {
        return -1;
    }
    if (size > FIELD_FRAME_BYTES || bits < 1 || bits > 8 * size) {
        PyErr_Format(PyExc_ValueError,
                     "an answer of %zd bytes cannot have %d bits; at most %d bytes",
                     size, bits, FIELD_FRAME_BYTES);
        return -1;
    }
    if (!(delay >= 0.0 && delay <= CARD_DELAY_MAX_S)) {
        PyErr_SetString(PyExc_ValueError, "an answer comes after 0 to 1 second");
        return -1;
    }
    memcpy(out->data, data, (size_t)size);
    out->bits = (uint16_t)bits;
    out->delay_ns = (int64_t)llround(delay * 1e9);
    return 1;
}

static int
receive(PyObject *object, const struct field_frame *in, struct field_frame *out)
{
    if (ah_sim_has_failed()) {
        return 0;
    }
    if (in->flags & FIELD_GARBLED) {
        tell(object, "noise");
        return 0;
    }
    Py_ssize_t size = (in->bits + 7) / 8;
    PyObject *answer = PyObject_CallMethod(object, "receive", "y#i", in->data, size,
                                           (int)in->bits); /* runs Python */
    int result = answer == NULL      ? -1
                 : answer == Py_None ? 0
                                     : parse_answer(answer, out);
    Py_XDECREF(answer);
    if (result < 0) {
        ah_sim_report(object);
        return -EIO;
    }
    return result;
}

/* Is the object still in the state that an authentication opened? */
static bool
is_authenticated(PyObject *object)
{
    if (ah_sim_has_failed()) {
        return false;
    }
    PyObject *value = PyObject_GetAttrString(object, "authenticated"); /* runs Python */
    int truth = value == NULL ? -1 : PyObject_IsTrue(value);
    Py_XDECREF(value);
    if (truth < 0) {
        ah_sim_report(object);
    }
    return truth > 0;
}

static int
card_exchange(struct field_card *card, const struct field_frame *in,
              struct field_frame *out)
{
    PyObject *object = Py_NewRef(object_of(card));
    bool encrypted = card->encrypted;
    int result = receive(object, in, out);
    if (encrypted && !is_authenticated(object)) {
        out->flags |= FIELD_CRYPTO_OFF;
    }
    Py_DECREF(object);
    return result;
}

static int
card_authenticate(struct field_card *card, const struct field_auth *auth)
{
    int result = FIELD_AUTH_SILENT;
    if (ah_sim_has_failed()) {
        return result;
    }
    PyObject *object = Py_NewRef(object_of(card));
    PyObject *answer =
        PyObject_CallMethod(object, "authenticate", "iiy#y#", (int)auth->command,
                            (int)auth->block, auth->key, (Py_ssize_t)sizeof auth->key,
                            auth->uid, (Py_ssize_t)sizeof auth->uid); /* runs Python */
    int truth = answer == NULL ? -1 : PyObject_IsTrue(answer);
    if (truth < 0) {
        ah_sim_report(object);
    }
    else if (answer != Py_None) {
        result = truth ? FIELD_AUTH_OK : FIELD_AUTH_FAILED;
    }
    Py_XDECREF(answer);
    Py_DECREF(object);
    return result;
}

static const struct field_card_ops card_ops = {
    .power_up = card_power_up,
    .exchange = card_exchange,
    .authenticate = card_authenticate,
};

struct sim_card *
ah_sim_card_new(PyObject *object)
{
    PyObject *value = PyObject_GetAttrString(object, "power_up"); /* runs Python */
    if (value == NULL) {
        if (PyErr_ExceptionMatches(PyExc_AttributeError)) {
            PyErr_Format(PyExc_TypeError, "a card is a sim.Card, not %.100s",
                         Py_TYPE(object)->tp_name);
        }
        return NULL;
    }
    double power_up;
    int err = ah_seconds_arg(value, "power_up of a card", &power_up); /* runs Python */
    Py_DECREF(value);
    if (err < 0) {
        return NULL;
    }
    if (!(power_up >= 0.0 && power_up <= 1.0)) {
        PyErr_SetString(PyExc_ValueError, "power_up of a card must be 0 to 1 second");
        return NULL;
    }
    struct sim_card *card = PyMem_Calloc(1, sizeof *card);
    if (card == NULL) {
        PyErr_NoMemory();
        return NULL;
    }
    card->card.ops = &card_ops;
    card->card.power_up_ns = (int64_t)llround(power_up * 1e9);
    card->object = Py_NewRef(object);
    return card;
}

void
ah_sim_card_free(struct sim_card *card)
{
    PyObject *object = card->object;
    PyMem_Free(card);
    Py_DECREF(object); /* runs Python */
}
