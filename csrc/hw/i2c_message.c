#include "hw/i2c_message.h"

#include <errno.h>
#include <string.h>

#include "py/errors.h"

#define ADDRESS_LAST 0x7F
#define TEN_BIT_ADDRESS_LAST 0x3FF

static int
check_address(long long address, long long flags, uint32_t funcs)
{
    bool ten_bit = (flags & I2C_TEN_BIT) != 0;
    long long last = ten_bit ? TEN_BIT_ADDRESS_LAST : ADDRESS_LAST;
    if (address < 0 || address > last) {
        char text[80];
        PyOS_snprintf(text, sizeof text,
                      "an I2C address of %d bits is 0x00 to 0x%02llx, not 0x%02llx",
                      ten_bit ? 10 : 7, last, address);
        PyErr_SetString(PyExc_ValueError, text);
        return -1;
    }
    if (ten_bit && (funcs & I2C_CAN_TEN_BIT) == 0) {
        return ah_raise_errno_remedy(EOPNOTSUPP, NULL,
                                     "this bus's adapter knows no 10-bit addresses");
    }
    return 0;
}

static int
parse_read(PyObject *arg, struct i2c_messages *messages, unsigned i)
{
    long long len;
    if (ah_integer_arg(arg, "a number of bytes to read", 0, I2C_MESSAGE_MAX, &len) <
        0) { /* runs Python */
        return -1;
    }
    PyObject *data = PyBytes_FromStringAndSize(NULL, (Py_ssize_t)len);
    if (data == NULL) {
        return -1;
    }
    memset(PyBytes_AS_STRING(data), 0, (size_t)len); /* what a driver leaves out */
    messages->read[i] = data;
    messages->messages[i].flags |= I2C_READ;
    messages->messages[i].len = (uint16_t)len;
    messages->messages[i].data = (uint8_t *)PyBytes_AS_STRING(data);
    return 0;
}

static int
parse_write(PyObject *arg, struct i2c_messages *messages, unsigned i)
{
    Py_buffer *view = &messages->views[i];
    if (PyObject_GetBuffer(arg, view, PyBUF_SIMPLE) < 0) { /* runs Python */
        return -1;
    }
    if (view->len > I2C_MESSAGE_MAX) {
        PyErr_Format(PyExc_ValueError, "an I2C message has at most %d bytes, not %zd",
                     I2C_MESSAGE_MAX, view->len);
        return -1;
    }
    messages->messages[i].len = (uint16_t)view->len;
    messages->messages[i].data = view->buf; /* only read from */
    return 0;
}

static int
parse_message(PyObject *item, struct i2c_messages *messages, uint32_t funcs)
{
    PyObject *address_arg, *data, *flags_arg = NULL;
    long long address, flags = 0;
    unsigned i = messages->n;
    if (!PyTuple_Check(item)) {
        PyErr_SetString(PyExc_TypeError,
                        "a message is a tuple (address, data or number "
                        "of bytes to read, flags)");
        return -1;
    }
    if (!PyArg_ParseTuple(item,
                          "OO|O;a message is a tuple (address, data or number of bytes "
                          "to read, flags)",
                          &address_arg, &data, &flags_arg) ||
        ah_integer_arg(address_arg, "an I2C address", 0, UINT16_MAX, &address) < 0 ||
        (flags_arg != NULL &&
         ah_integer_arg(flags_arg, "flags of a message", 0, UINT16_MAX, &flags) < 0)) {
        return -1;
    }
    flags &= ~(long long)I2C_READ; /* it is `data` that says so */
    if ((flags & I2C_RECV_LEN) != 0) {
        PyErr_SetString(PyExc_ValueError, "I2C_M_RECV_LEN is for smbus()");
        return -1;
    }
    if (check_address(address, flags, funcs) < 0) {
        return -1;
    }
    messages->messages[i] =
        (struct i2c_message){.address = (uint16_t)address, .flags = (uint16_t)flags};
    messages->n++;
    return PyLong_Check(data) ? parse_read(data, messages, i)
                              : parse_write(data, messages, i); /* runs Python */
}

void
i2c_messages_free(struct i2c_messages *messages)
{
    for (unsigned i = 0; i < messages->n; i++) {
        PyBuffer_Release(&messages->views[i]); /* runs Python */
        Py_CLEAR(messages->read[i]);
    }
}

int
i2c_messages_build(struct i2c_messages *messages, PyObject *items, uint32_t funcs)
{
    *messages = (struct i2c_messages){.n = 0};
    Py_ssize_t n = PyTuple_GET_SIZE(items);
    if (n < 1 || n > I2C_MESSAGES_MAX) {
        PyErr_Format(PyExc_ValueError, "a transfer has 1 to %d messages, not %zd",
                     I2C_MESSAGES_MAX, n);
        return -1;
    }
    for (Py_ssize_t i = 0; i < n; i++) {
        if (parse_message(PyTuple_GET_ITEM(items, i), messages, funcs) <
            0) { /* runs Python */
            i2c_messages_free(messages);
            return -1;
        }
    }
    return 0;
}

PyObject *
i2c_messages_answers(struct i2c_messages *messages)
{
    PyObject *answers = PyList_New(0);
    for (unsigned i = 0; answers != NULL && i < messages->n; i++) {
        if (messages->read[i] != NULL &&
            PyList_Append(answers, messages->read[i]) < 0) {
            Py_CLEAR(answers);
        }
    }
    return answers;
}
