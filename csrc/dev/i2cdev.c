/* I2C buses of the kernel; see i2cdev.h. */
#include "dev/i2cdev.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/lock.h"
#include "dev/ioctl.h"

/* linux/i2c.h and linux/i2c-dev.h; a copy of our own, as in gpio_abi.h. */
struct i2c_abi_message {
    uint16_t addr;
    uint16_t flags;
    uint16_t len;
    uint8_t *buf;
};

struct i2c_abi_rdwr {
    struct i2c_abi_message *msgs;
    uint32_t nmsgs;
};

struct i2c_abi_smbus {
    uint8_t read_write;
    uint8_t command;
    uint32_t size;
    uint8_t *data; /* union i2c_smbus_data */
};

#define ABI_SLAVE 0x0703
#define ABI_FUNCS 0x0705
#define ABI_SLAVE_FORCE 0x0706
#define ABI_RDWR 0x0707
#define ABI_PEC 0x0708
#define ABI_SMBUS 0x0720

_Static_assert(sizeof(struct i2c_abi_message) == 8 + sizeof(void *), "i2c_msg");
_Static_assert(sizeof(struct i2c_abi_rdwr) == 2 * sizeof(void *),
               "i2c_rdwr_ioctl_data");
_Static_assert(sizeof(struct i2c_abi_smbus) == 8 + sizeof(void *),
               "i2c_smbus_ioctl_data");
_Static_assert(sizeof((struct smbus_call){0}.data) == 34, "i2c_smbus_data");

struct kernel_i2c {
    struct i2c_bus bus;
    int fd;
    pthread_mutex_t choosing; /* from the choice of an address to the end of its call */
};

static int
i2c_transfer(void *self, struct i2c_message *messages, unsigned n)
{
    struct kernel_i2c *i2c = self;
    struct i2c_abi_message kernel_messages[I2C_MESSAGES_MAX];
    if (n < 1 || n > I2C_MESSAGES_MAX) {
        return -EINVAL;
    }
    for (unsigned i = 0; i < n; i++) {
        kernel_messages[i] = (struct i2c_abi_message){.addr = messages[i].address,
                                                      .flags = messages[i].flags,
                                                      .len = messages[i].len,
                                                      .buf = messages[i].data};
    }
    const struct i2c_abi_rdwr rdwr = {.msgs = kernel_messages, .nmsgs = n};
    int sent = ioctl_retry(i2c->fd, ABI_RDWR, &rdwr);
    return sent >= 0 && (unsigned)sent < n ? -EIO : sent; /* cut off */
}

static int
smbus_chosen(const struct kernel_i2c *i2c, struct smbus_call *call)
{
    /* Numbers, not pointers to them. */
    const void *address = (const void *)(uintptr_t)call->address;
    const void *pec = (const void *)(uintptr_t)call->pec;
    const struct i2c_abi_smbus smbus = {.read_write = call->read,
                                        .command = call->command,
                                        .size = call->size,
                                        .data = call->data};
    int err = ioctl_retry(i2c->fd, call->force ? ABI_SLAVE_FORCE : ABI_SLAVE, address);
    if (err >= 0) {
        err = ioctl_retry(i2c->fd, ABI_PEC, pec);
    }
    return err < 0 ? err : ioctl_retry(i2c->fd, ABI_SMBUS, &smbus);
}

static int
i2c_smbus(void *self, struct smbus_call *call)
{
    struct kernel_i2c *i2c = self;
    pthread_mutex_lock(&i2c->choosing);
    int err = smbus_chosen(i2c, call);
    pthread_mutex_unlock(&i2c->choosing);
    return err;
}

static int
i2c_use_clock(void *self, struct vclock **clock)
{
    (void)self;
    return *clock == NULL ? 0 : -EXDEV;
}

/* Another thread may have been choosing. */
static void
i2c_in_child(void *self)
{
    struct kernel_i2c *i2c = self;
    i2c->choosing = (pthread_mutex_t)PTHREAD_MUTEX_INITIALIZER;
}

static void
i2c_close(void *self)
{
    struct kernel_i2c *i2c = self;
    close(i2c->fd);
    pthread_mutex_destroy(&i2c->choosing);
    free(i2c);
}

static const struct i2c_ops kernel_i2c_ops = {
    .transfer = i2c_transfer,
    .smbus = i2c_smbus,
    .use_clock = i2c_use_clock,
    .in_child = i2c_in_child,
    .close = i2c_close,
};

/* 0 or -errno; the descriptor stays the caller's. */
static int
read_funcs(int fd, uint32_t *funcs)
{
    unsigned long mask = 0;
    int err = ioctl_retry(fd, ABI_FUNCS, &mask);
    *funcs = (uint32_t)mask;
    return err < 0 ? err : 0;
}

int
i2cdev_open(const char *path, const char *name, struct i2c_bus **out)
{
    struct kernel_i2c *i2c = calloc(1, sizeof *i2c);
    if (i2c == NULL) {
        return -ENOMEM;
    }
    int err = 0;
    i2c->fd = open(path, O_RDWR | O_CLOEXEC);
    if (i2c->fd < 0) {
        err = -errno;
        free(i2c);
        return err;
    }
    err = read_funcs(i2c->fd, &i2c->bus.funcs);
    if (err == 0) {
        err = lock_init(&i2c->choosing, PTHREAD_MUTEX_NORMAL);
    }
    if (err < 0) {
        close(i2c->fd);
        free(i2c);
        return err;
    }
    i2c->bus.ops = &kernel_i2c_ops;
    i2c->bus.self = i2c;
    i2c->bus.time = (struct device_time){.speaks = true};
    snprintf(i2c->bus.name, sizeof i2c->bus.name, "%s", name);
    *out = &i2c->bus;
    return 0;
}
