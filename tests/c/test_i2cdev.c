/* dev/i2cdev.c against a driver of our own: ioctl() is defined here, and checks what
 * linux/i2c-dev.h asks for.  And dev/smbus.c against a bus that remembers. */
#include "dev/i2cdev.h"

#include <errno.h>
#include <stdarg.h>
#include <sys/ioctl.h>

#include "check.h"
#include "dev/smbus.h"

struct wire_message { /* struct i2c_msg */
    uint16_t addr, flags, len;
    uint8_t *buf;
};

struct wire_rdwr { /* struct i2c_rdwr_ioctl_data */
    struct wire_message *msgs;
    uint32_t nmsgs;
};

struct wire_smbus { /* struct i2c_smbus_ioctl_data */
    uint8_t read_write, command;
    uint32_t size;
    uint8_t *data;
};

static struct wire_message last[I2C_MESSAGES_MAX];
static unsigned last_count;
static struct wire_smbus last_smbus;
static unsigned long slave, forced, pec;
static int next_error;

int
ioctl(int fd, unsigned long number, ...)
{
    va_list args;
    va_start(args, number);
    void *arg = va_arg(args, void *);
    va_end(args);
    (void)fd;
    if (next_error != 0) {
        errno = next_error;
        next_error = 0;
        return -1;
    }
    switch (number) {
        case 0x0703:
            slave = (unsigned long)arg;
            return 0;
        case 0x0706:
            forced = (unsigned long)arg;
            return 0;
        case 0x0708:
            pec = (unsigned long)arg;
            return 0;
        case 0x0705:
            *(unsigned long *)arg = 0x0eff0009;
            return 0;
        case 0x0707: {
            const struct wire_rdwr *rdwr = arg;
            last_count = rdwr->nmsgs;
            memcpy(last, rdwr->msgs, last_count * sizeof last[0]);
            for (unsigned i = 0; i < last_count; i++) {
                if (last[i].flags & 1) {
                    memset(last[i].buf, 0x5a, last[i].len);
                }
            }
            return (int)last_count;
        }
        case 0x0720:
            last_smbus = *(struct wire_smbus *)arg;
            last_smbus.data[0] = 0x77;
            return 0;
        default:
            errno = ENOTTY;
            return -1;
    }
}

static struct i2c_bus *
open_bus(void)
{
    struct i2c_bus *bus = NULL;
    CHECK_EQ(i2cdev_open("/dev/null", "i2c-1", &bus), 0);
    return bus;
}

static void
test_open(void)
{
    struct i2c_bus *bus = open_bus();
    REQUIRE(bus != NULL);
    CHECK_EQ(bus->funcs, 0x0eff0009);
    CHECK_EQ(bus->needs_gil, 0);
    struct vclock *virtual_clock = (struct vclock *)bus;
    CHECK_EQ(bus->ops->use_clock(bus->self, &virtual_clock), -EXDEV);
    bus->ops->close(bus->self);
    CHECK_EQ(i2cdev_open("/dev/no/such/bus", "x", &bus), -ENOENT);
    next_error = ENOTTY;
    CHECK_EQ(i2cdev_open("/dev/null", "x", &bus), -ENOTTY);
}

static void
test_transfer(void)
{
    struct i2c_bus *bus = open_bus();
    REQUIRE(bus != NULL);
    uint8_t out[] = {1, 2, 3}, in[2] = {0};
    struct i2c_message messages[] = {
        {.address = 0x76, .len = 3, .data = out},
        {.address = 0x150, .flags = I2C_READ | I2C_TEN_BIT, .len = 2, .data = in},
    };
    next_error = EINTR;
    CHECK_EQ(bus->ops->transfer(bus->self, messages, 2), 2);
    CHECK_EQ(last_count, 2);
    CHECK_EQ(last[0].addr, 0x76);
    CHECK_EQ(last[0].flags, 0);
    CHECK_EQ(last[0].len, 3);
    CHECK(last[0].buf == out);
    CHECK_EQ(last[1].addr, 0x150);
    CHECK_EQ(last[1].flags, 0x11);
    CHECK_BYTES(in, 0x5a, 0x5a);
    CHECK_EQ(bus->ops->transfer(bus->self, messages, 0), -EINVAL);
    CHECK_EQ(bus->ops->transfer(bus->self, messages, I2C_MESSAGES_MAX + 1), -EINVAL);
    next_error = EREMOTEIO;
    CHECK_EQ(bus->ops->transfer(bus->self, messages, 1), -EREMOTEIO);
    bus->ops->close(bus->self);
}

static void
test_smbus(void)
{
    struct i2c_bus *bus = open_bus();
    REQUIRE(bus != NULL);
    struct smbus_call call = {
        .address = 0x50, .read = true, .command = 7, .size = SMBUS_BYTE_DATA};
    CHECK_EQ(bus->ops->smbus(bus->self, &call), 0);
    CHECK_EQ(slave, 0x50);
    CHECK_EQ(pec, 0);
    CHECK_EQ(last_smbus.read_write, 1);
    CHECK_EQ(last_smbus.command, 7);
    CHECK_EQ(last_smbus.size, 2);
    CHECK_EQ(call.data[0], 0x77);
    call.force = call.pec = true;
    CHECK_EQ(bus->ops->smbus(bus->self, &call), 0);
    CHECK_EQ(forced, 0x50);
    CHECK_EQ(pec, 1);
    next_error = EBUSY;
    CHECK_EQ(bus->ops->smbus(bus->self, &call), -EBUSY);
    bus->ops->close(bus->self);
}

static void
test_pec(void)
{
    const uint8_t check[] = {'1', '2', '3', '4', '5', '6', '7', '8', '9'};
    CHECK_EQ(smbus_pec(0, check, sizeof check), 0xF4); /* CRC-8's check value */
}

int
main(void)
{
    RUN(test_open);
    RUN(test_transfer);
    RUN(test_smbus);
    RUN(test_pec);
    return check_done();
}
