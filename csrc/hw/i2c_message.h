/* What Python hands to I2CBus.transfer() as struct i2c_message, and the answers back.
 */
#ifndef AH_HW_I2C_MESSAGE_H
#define AH_HW_I2C_MESSAGE_H

#include "dev/i2c_bus.h"
#include "module.h"

/* Owns what its messages point to, until i2c_messages_free(). */
struct i2c_messages {
    struct i2c_message messages[I2C_MESSAGES_MAX];
    Py_buffer views[I2C_MESSAGES_MAX]; /* of what is written */
    PyObject *read[I2C_MESSAGES_MAX];  /* owned bytes, or NULL */
    unsigned n;
};

/* `items`: a tuple of (address, bytes-like to write or number of bytes to read, flags).
 * -1: an exception, and there is nothing to free. */
AH_RAISES int i2c_messages_build(struct i2c_messages *messages, PyObject *items,
                                 uint32_t funcs); /* runs Python */

/* After the transfer, once: a list of bytes, one for each read. */
AH_RAISES PyObject *i2c_messages_answers(struct i2c_messages *messages);

void i2c_messages_free(struct i2c_messages *messages);

#endif
