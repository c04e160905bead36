/* One I2C bus: what the kernel's i2c-dev and the simulator have in common.
 *
 * A transfer is what one I2C_RDWR is: messages with a repeated start between them, and
 * one stop.  Where nothing acknowledges, a Raspberry Pi's drivers (i2c-bcm2835,
 * i2c-designware) say -EREMOTEIO, and others -ENXIO.  >= 0 or -errno.  Call transfer()
 * and smbus() without the GIL, unless the bus says needs_gil.
 */
#ifndef AH_DEV_I2C_BUS_H
#define AH_DEV_I2C_BUS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/clock.h"

#define I2C_MESSAGES_MAX 42  /* I2C_RDWR_IOCTL_MAX_MSGS */
#define I2C_MESSAGE_MAX 8192 /* bytes of one: drivers/i2c/i2c-dev.c */
#define SMBUS_BLOCK_MAX 32

/* linux/i2c.h: flags of a message, and what an adapter can do. */
#define I2C_READ 0x0001u
#define I2C_TEN_BIT 0x0010u
#define I2C_RECV_LEN 0x0400u /* the first byte that is read says how many follow */
#define I2C_CAN_I2C 0x00000001u
#define I2C_CAN_TEN_BIT 0x00000002u
#define I2C_CAN_BLOCK_PROC_CALL 0x00008000u
#define I2C_CAN_QUICK 0x00010000u
#define I2C_CAN_PROC_CALL 0x00800000u
#define I2C_CAN_READ_BLOCK 0x01000000u

/* One message.  With I2C_RECV_LEN `len` is 1, and 1 for a PEC, as given; when it was
 * read, it is how many bytes there are, and `data` has room for 32 more. */
struct i2c_message {
    uint16_t address;
    uint16_t flags;
    uint16_t len;
    uint8_t *data;
};

/* linux/i2c.h: I2C_SMBUS_QUICK and so on. */
enum smbus_size {
    SMBUS_QUICK = 0,
    SMBUS_BYTE = 1,
    SMBUS_BYTE_DATA = 2,
    SMBUS_WORD_DATA = 3,
    SMBUS_PROC_CALL = 4,
    SMBUS_BLOCK_DATA = 5,
    SMBUS_BLOCK_PROC_CALL = 7,
    SMBUS_I2C_BLOCK = 8,
};

/* What one I2C_SMBUS is asked for.  `data` is sent, and then is what came back: a byte;
 * a word, low byte first; or a count and as many bytes. */
struct smbus_call {
    uint16_t address;
    bool force; /* also where a driver of the kernel has the address */
    bool pec;
    bool read;
    uint8_t command;
    uint32_t size; /* an enum smbus_size */
    uint8_t data[SMBUS_BLOCK_MAX + 2];
};

struct i2c_ops {
    int (*transfer)(void *self, struct i2c_message *messages, unsigned n);
    int (*smbus)(void *self, struct smbus_call *call);
    int (*use_clock)(void *self, struct vclock **clock); /* see line.h */
    void (*in_child)(void *self);                        /* of a fork; may be NULL */
    void (*close)(void *self);
};

struct i2c_bus {
    const struct i2c_ops *ops;
    void *self;
    uint32_t funcs;
    int needs_gil; /* call transfer() and smbus() with the GIL held */
    struct device_time time;
    char name[32]; /* for messages: "i2c-1" */
};

#endif
