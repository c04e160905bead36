/* What the simulated bus asks of a part, asked of a Python object. */
#include "sim_py/part.h"

#include <errno.h>
#include <string.h>

#include "py/errors.h"

/* 0, or -EIO with an exception. */
static int
transfer(struct world_part *part, const uint8_t *tx, uint8_t *rx, uint32_t len)
{
    struct sim_part *self = (struct sim_part *)part;
    if (PyErr_Occurred()) {
        return -EIO; /* the message has failed already */
    }
    PyObject *object = Py_NewRef(self->object);
    PyObject *answer = PyObject_CallMethod(object, "transfer", "y#", (const char *)tx,
                                           (Py_ssize_t)len); /* runs Python */
    int result = -EIO;
    Py_buffer data;
    if (answer != NULL && PyObject_GetBuffer(answer, &data, PyBUF_SIMPLE) == 0) {
        if (data.len == (Py_ssize_t)len) {
            memcpy(rx, data.buf, len);
            result = 0;
        }
        else {
            PyErr_Format(PyExc_ValueError,
                         "%R was given %u bytes, and its transfer() must return as "
                         "many, not %zd",
                         object, (unsigned)len, data.len);
        }
        PyBuffer_Release(&data); /* runs Python */
    }
    Py_XDECREF(answer);
    Py_DECREF(object); /* runs Python */
    return result;
}

/* Said once; 0, or -EIO with an exception: the warning is an error. */
static int
unheard(struct world_part *part, uint32_t hz, unsigned mode)
{
    struct sim_part *self = (struct sim_part *)part;
    if (self->has_warned || PyErr_Occurred()) {
        return 0;
    }
    self->has_warned = true;
    PyObject *object = Py_NewRef(self->object);
    int result = part->max_hz != 0 && hz > part->max_hz
                     ? PyErr_WarnFormat(
                           PyExc_RuntimeWarning, 1,
                           "%R on spi%u.%u does not hear %u Hz, which is more than its "
                           "%u: zeros are read",
                           object, part->bus, part->cs, (unsigned)hz,
                           (unsigned)part->max_hz) /* runs Python */
                     : PyErr_WarnFormat(
                           PyExc_RuntimeWarning, 1,
                           "%R on spi%u.%u does not understand SPI mode %u: zeros are "
                           "read",
                           object, part->bus, part->cs, mode); /* runs Python */
    Py_DECREF(object);                                         /* runs Python */
    return result < 0 ? -EIO : 0;
}

static struct sim_part *
part_new(PyObject *object)
{
    struct sim_part *part = PyMem_Calloc(1, sizeof *part);
    if (part == NULL) {
        PyErr_NoMemory();
        return NULL;
    }
    part->part.transfer = transfer;
    part->part.unheard = unheard;
    part->object = Py_NewRef(object);
    return part;
}

static void
part_free(AH_STEALS struct sim_part *part)
{
    PyObject *object = part->object;
    PyMem_Free(part);
    Py_DECREF(object); /* runs Python */
}

PyObject *
SimWorld_attach_part(SimWorldObject *self, PyObject *args)
{
    unsigned int bus, cs, max_hz;
    unsigned char modes;
    PyObject *object;
    if (!PyArg_ParseTuple(args, "IIObI:attach_part", &bus, &cs, &object, &modes,
                          &max_hz)) {
        return NULL;
    }
    struct sim_part *part = part_new(object);
    if (part == NULL) {
        return NULL;
    }
    part->part.bus = bus;
    part->part.cs = cs;
    part->part.modes = modes;
    part->part.max_hz = max_hz;
    if (ah_sim_enter(self) < 0) {
        part_free(part); /* not the last reference to the object */
        return NULL;
    }
    int err = world_attach_part_locked(&self->world, &part->part);
    if (err == 0) {
        part->next = self->parts;
        self->parts = part;
    }
    else {
        part_free(part);
    }
    if (ah_sim_leave(self) < 0) {
        return NULL;
    }
    return ah_sim_attached_spi(err, bus, cs);
}

void
ah_sim_drop_parts(SimWorldObject *self)
{
    struct sim_part *parts = self->parts;
    self->parts = NULL;
    while (parts != NULL) {
        struct sim_part *part = parts;
        parts = part->next;
        part_free(part); /* runs Python */
    }
}
