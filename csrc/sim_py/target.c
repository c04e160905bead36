/* Parts on the I2C buses of a SimWorld; see target.h. */
#include "sim_py/target.h"

#include <errno.h>
#include <string.h>

#include "hw/i2c_type.h"
#include "py/errors.h"
#include "sim_py/report.h"

static PyObject *
object_of(struct world_target *target)
{
    return ((struct sim_target *)((char *)target - offsetof(struct sim_target, target)))
        ->object;
}

static int
target_write(struct world_target *target, const uint8_t *data, uint32_t len)
{
    if (ah_sim_has_failed()) {
        return -EIO;
    }
    PyObject *object = Py_NewRef(object_of(target));
    PyObject *answer = PyObject_CallMethod(object, "write", "y#", (const char *)data,
                                           (Py_ssize_t)len); /* runs Python */
    int result = answer == NULL || answer == Py_False ? -EREMOTEIO : 0;
    if (answer == NULL) {
        ah_sim_report(object); /* runs Python */
    }
    Py_XDECREF(answer);
    Py_DECREF(object); /* runs Python */
    return result;
}

/* -1 with an exception. */
static int
take_bytes(PyObject *answer, uint8_t *data, uint32_t len)
{
    Py_buffer view;
    if (PyObject_GetBuffer(answer, &view, PyBUF_SIMPLE) < 0) { /* runs Python */
        return -1;
    }
    bool fits = view.len <= (Py_ssize_t)len;
    if (fits) {
        memcpy(data, view.buf, (size_t)view.len);
        memset(data + view.len, 0xFF, len - (size_t)view.len);
    }
    else {
        PyErr_Format(PyExc_ValueError, "read(%u) must not return %zd bytes",
                     (unsigned)len, view.len);
    }
    PyBuffer_Release(&view); /* runs Python */
    return fits ? 0 : -1;
}

static int
target_read(struct world_target *target, uint8_t *data, uint32_t len)
{
    if (ah_sim_has_failed()) {
        return -EIO;
    }
    PyObject *object = Py_NewRef(object_of(target));
    PyObject *answer =
        PyObject_CallMethod(object, "read", "I", (unsigned)len); /* runs Python */
    int result = 0;
    if (answer == NULL || take_bytes(answer, data, len) < 0) {
        ah_sim_report(object); /* runs Python */
        result = -EREMOTEIO;
    }
    Py_XDECREF(answer);
    Py_DECREF(object); /* runs Python */
    return result;
}

static struct sim_target *
target_new(PyObject *object)
{
    struct sim_target *target = PyMem_Calloc(1, sizeof *target);
    if (target == NULL) {
        PyErr_NoMemory();
        return NULL;
    }
    target->target.write = target_write;
    target->target.read = target_read;
    target->object = Py_NewRef(object);
    return target;
}

static void
target_free(AH_STEALS struct sim_target *target)
{
    PyObject *object = target->object;
    PyMem_Free(target);
    Py_DECREF(object); /* runs Python */
}

PyObject *
SimWorld_attach_i2c(SimWorldObject *self, PyObject *args)
{
    unsigned int bus;
    unsigned short address;
    int ten_bit;
    PyObject *object;
    if (!PyArg_ParseTuple(args, "IHpO:attach_i2c", &bus, &address, &ten_bit, &object)) {
        return NULL;
    }
    struct sim_target *target = target_new(object);
    if (target == NULL) {
        return NULL;
    }
    target->target.bus = bus;
    target->target.address = address;
    target->target.ten_bit = ten_bit != 0;
    if (ah_sim_enter(self) < 0) {
        target_free(target); /* not the last reference to the object */
        return NULL;
    }
    int err = world_attach_target_locked(&self->world, &target->target);
    if (err == 0) {
        target->next = self->targets;
        self->targets = target;
    }
    else {
        target_free(target); /* not the last reference to the object */
    }
    if (ah_sim_leave(self) < 0) { /* runs Python */
        return NULL;
    }
    if (err < 0) {
        char what[48];
        PyOS_snprintf(what, sizeof what, "0x%02x of i2c-%u", address, bus);
        (void)ah_raise_errno_remedy(
            err, what, err == -EBUSY ? "something has this address already" : NULL);
        return NULL;
    }
    Py_RETURN_NONE;
}

PyObject *
SimWorld_detach_i2c(SimWorldObject *self, PyObject *args)
{
    unsigned int bus;
    unsigned short address;
    int ten_bit;
    if (!PyArg_ParseTuple(args, "IHp:detach_i2c", &bus, &address, &ten_bit) ||
        ah_sim_enter(self) < 0) {
        return NULL;
    }
    struct sim_target **place = &self->targets, *found;
    while ((found = *place) != NULL &&
           (found->target.bus != bus || found->target.address != address ||
            found->target.ten_bit != (ten_bit != 0))) {
        place = &found->next;
    }
    if (found != NULL) {
        *place = found->next;
        world_detach_target_locked(&self->world, &found->target);
    }
    int left = ah_sim_leave(self); /* runs Python */
    if (found == NULL) {
        PyErr_Format(PyExc_LookupError, "nothing is attached to 0x%02x of i2c-%u",
                     address, bus);
        return NULL;
    }
    target_free(found); /* runs Python */
    if (left < 0) {
        return NULL;
    }
    Py_RETURN_NONE;
}

PyObject *
SimWorld_open_i2c(SimWorldObject *self, PyObject *args)
{
    unsigned int bus, funcs;
    int reads_last;
    struct i2c_bus *opened;
    if (!PyArg_ParseTuple(args, "IIp:open_i2c", &bus, &funcs, &reads_last) ||
        ah_sim_check_outside(self) < 0) {
        return NULL;
    }
    int err;
    Py_BEGIN_ALLOW_THREADS
    err = world_open_i2c(&self->world, bus, funcs, reads_last != 0, &opened);
    Py_END_ALLOW_THREADS
    if (err < 0) {
        char what[32];
        PyOS_snprintf(what, sizeof what, "i2c-%u", bus);
        (void)ah_raise_errno(err, what);
        return NULL;
    }
    return ah_i2c_bus_new(self->st, opened, (PyObject *)self);
}

void
ah_sim_drop_targets(SimWorldObject *self)
{
    struct sim_target *targets = self->targets;
    self->targets = NULL;
    world_enter(&self->world);
    self->world.targets = NULL;
    world_unlock(&self->world);
    while (targets != NULL) {
        struct sim_target *target = targets;
        targets = target->next;
        target_free(target); /* runs Python */
    }
}
