/* The simulated I2C buses behind dev/i2c_bus.h.
 *
 * A message takes the time of its bits at 100 kHz, a Raspberry Pi's default: a start,
 * the address and each byte with its acknowledge, and at the end a stop.  Its bytes
 * reach a target, or come from it, at the message's end.  Nobody at the address: the
 * transfer ends after it, with -EREMOTEIO as by both drivers of Raspberry Pis.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "dev/smbus.h"
#include "sim/world_bus.h"

#define BIT_NS (NS_PER_S / 100000)
#define BITS_OF_BYTE 9 /* with its acknowledge */

struct world_i2c {
    struct i2c_bus bus; /* what the program sees */
    struct world_device pin;
    struct world *world;
    unsigned number;
    bool reads_last;
};

static struct world_target *
find_target_locked(struct world *world, unsigned bus, uint16_t address, bool ten_bit)
{
    for (struct world_target *t = world->targets; t != NULL; t = t->next) {
        if (t->bus == bus && t->address == address && t->ten_bit == ten_bit) {
            return t;
        }
    }
    return NULL;
}

static struct world_target *
listener_locked(const struct world_i2c *i2c, const struct i2c_message *message)
{
    return find_target_locked(i2c->world, i2c->number, message->address,
                              (message->flags & I2C_TEN_BIT) != 0);
}

int
world_attach_target_locked(struct world *world, struct world_target *target)
{
    if (target->bus >= WORLD_BUSES) {
        return -ENOENT;
    }
    if (find_target_locked(world, target->bus, target->address, target->ten_bit) !=
        NULL) {
        return -EBUSY;
    }
    target->next = world->targets;
    world->targets = target;
    return 0;
}

void
world_detach_target_locked(struct world *world, struct world_target *target)
{
    struct world_target **place = &world->targets;
    while (*place != target) {
        place = &(*place)->next;
    }
    *place = target->next;
}

/* Start, address, bytes.  The two bytes of a 10-bit address, and for a read, after a
 * repeated start, the first of them once more (UM10204, 3.1.11). */
static int64_t
message_ns(const struct i2c_message *message, uint32_t len)
{
    bool ten_bit = (message->flags & I2C_TEN_BIT) != 0;
    bool again = ten_bit && (message->flags & I2C_READ) != 0;
    int64_t bytes = (int64_t)len + 1 + ten_bit + again;
    return (1 + again + bytes * BITS_OF_BYTE) * BIT_NS;
}

static int
check_messages(const struct world_i2c *i2c, const struct i2c_message *messages,
               unsigned n)
{
    if (n < 1 || n > I2C_MESSAGES_MAX) {
        return -EINVAL;
    }
    for (unsigned i = 0; i < n; i++) {
        if (messages[i].len > I2C_MESSAGE_MAX) {
            return -EINVAL;
        }
        if ((messages[i].flags & ~(I2C_READ | I2C_TEN_BIT | I2C_RECV_LEN)) != 0) {
            return -EOPNOTSUPP;
        }
        if (i2c->reads_last && (messages[i].flags & I2C_READ) != 0 && i + 1 < n) {
            return -EOPNOTSUPP;
        }
    }
    return 0;
}

/* The bytes of a message, at its end. */
static int
exchange(struct world_target *target, struct i2c_message *message)
{
    if ((message->flags & I2C_READ) == 0) {
        return target->write(target, message->data, message->len); /* runs Python */
    }
    return target->read(target, message->data, message->len); /* runs Python */
}

/* As many bytes as the first one says, and those that were asked for beside it. */
static int
exchange_counted(struct world_target *target, struct i2c_message *message)
{
    uint8_t block[SMBUS_BLOCK_MAX + 2];
    uint16_t wanted = message->len;
    if (wanted < 1 || wanted > 2) {
        return -EINVAL;
    }
    int err = target->read(target, block, SMBUS_BLOCK_MAX + wanted); /* runs Python */
    if (err < 0) {
        return err;
    }
    if (block[0] > SMBUS_BLOCK_MAX) {
        return -EPROTO;
    }
    message->len = (uint16_t)(block[0] + wanted);
    memcpy(message->data, block, message->len);
    return 0;
}

static int
message_locked(struct world_i2c *i2c, struct bus_progress *progress,
               struct i2c_message *message)
{
    struct world *world = i2c->world;
    struct world_target *target = listener_locked(i2c, message);
    if (target == NULL) {
        bus_pass_locked(world, progress, message_ns(message, 0));
        return -EREMOTEIO;
    }
    bool counted = (message->flags & I2C_RECV_LEN) != 0;
    if (!counted) {
        bus_pass_locked(world, progress, message_ns(message, message->len));
    }
    if (world->closed) {
        return -ESHUTDOWN;
    }
    target = listener_locked(i2c, message); /* it may have been detached meanwhile */
    if (target == NULL) {
        return -EREMOTEIO;
    }
    if (!counted) {
        return exchange(target, message); /* runs Python */
    }
    int64_t planned_ns = message_ns(message, message->len);
    int err = exchange_counted(target, message); /* runs Python */
    int64_t taken_ns = message_ns(message, message->len);
    progress->left_ns += taken_ns - planned_ns;
    bus_pass_locked(world, progress, taken_ns);
    return err;
}

static int
i2c_transfer(void *self, struct i2c_message *messages, unsigned n)
{
    struct world_i2c *i2c = self;
    struct world *world = i2c->world;
    int err = check_messages(i2c, messages, n);
    if (err < 0) {
        return err;
    }
    if (world_is_inside(world)) {
        return -EDEADLK;
    }
    int64_t total_ns = BIT_NS;
    for (unsigned i = 0; i < n; i++) {
        total_ns += message_ns(&messages[i], messages[i].len);
    }
    bus_enter(world, &world->i2c_buses[i2c->number]);
    struct bus_progress progress = bus_begin_locked(world, total_ns);
    if (world->closed) {
        err = -ESHUTDOWN;
    }
    for (unsigned i = 0; i < n && err >= 0; i++) {
        err = message_locked(i2c, &progress, &messages[i]); /* runs Python */
    }
    bus_pass_locked(world, &progress, BIT_NS); /* the stop */
    bus_leave(world, &world->i2c_buses[i2c->number]);
    return err < 0 ? err : (int)n;
}

static int
i2c_smbus(void *self, struct smbus_call *call)
{
    struct world_i2c *i2c = self;
    return smbus_emulate(&i2c->bus, call); /* runs Python */
}

static int
i2c_use_clock(void *self, struct vclock **clock)
{
    struct world_i2c *i2c = self;
    return world_use_clock(i2c->world, &i2c->bus.time, clock);
}

static void
i2c_close(void *self)
{
    struct world_i2c *i2c = self;
    void *released = world_release_host(i2c->world);
    world_remove_device(i2c->world, &i2c->pin);
    world_acquire_host(i2c->world, released);
    free(i2c);
}

static const struct i2c_ops world_i2c_ops = {
    .transfer = i2c_transfer,
    .smbus = i2c_smbus,
    .use_clock = i2c_use_clock,
    .close = i2c_close,
};

int
world_open_i2c(struct world *world, unsigned bus, uint32_t funcs, bool reads_last,
               struct i2c_bus **out)
{
    if (bus >= WORLD_BUSES) {
        return -ENOENT;
    }
    struct world_i2c *i2c = calloc(1, sizeof *i2c);
    if (i2c == NULL) {
        return -ENOMEM;
    }
    i2c->world = world;
    i2c->number = bus;
    i2c->reads_last = reads_last;
    i2c->bus.ops = &world_i2c_ops;
    i2c->bus.self = i2c;
    i2c->bus.funcs = funcs;
    i2c->bus.needs_gil = 1;
    snprintf(i2c->bus.name, sizeof i2c->bus.name, "i2c-%u", bus);
    world_add_device(world, &i2c->pin, &i2c->bus.time);
    *out = &i2c->bus;
    return 0;
}
