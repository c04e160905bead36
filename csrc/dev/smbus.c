/* SMBus calls as I2C messages; see smbus.h. */
#include "dev/smbus.h"

#include <errno.h>
#include <string.h>

#define PEC_POLYNOMIAL 0x07u
#define ROOM (SMBUS_BLOCK_MAX + 3) /* command, count, block, PEC */

/* One or two messages, and their bytes. */
struct plan {
    struct i2c_message messages[2];
    unsigned n;
    uint8_t sent[ROOM], got[ROOM];
};

uint8_t
smbus_pec(uint8_t pec, const uint8_t *data, uint32_t len)
{
    for (uint32_t i = 0; i < len; i++) {
        pec ^= data[i];
        for (int bit = 0; bit < 8; bit++) {
            pec = (uint8_t)(pec << 1 ^ (pec & 0x80u ? PEC_POLYNOMIAL : 0));
        }
    }
    return pec;
}

static uint8_t
pec_of_message(uint8_t pec, const struct i2c_message *message, uint32_t len)
{
    uint8_t address =
        (uint8_t)(message->address << 1 | (message->flags & I2C_READ ? 1 : 0));
    return smbus_pec(smbus_pec(pec, &address, 1), message->data, len);
}

static void
plan_write(struct plan *plan, const struct smbus_call *call, uint8_t command,
           const uint8_t *data, uint16_t len)
{
    plan->sent[0] = command;
    if (len > 0) {
        memcpy(plan->sent + 1, data, len);
    }
    plan->messages[plan->n++] = (struct i2c_message){
        .address = call->address, .len = len + 1, .data = plan->sent};
}

static void
plan_read(struct plan *plan, const struct smbus_call *call, uint16_t len,
          uint16_t flags)
{
    plan->messages[plan->n++] = (struct i2c_message){.address = call->address,
                                                     .flags = I2C_READ | flags,
                                                     .len = len,
                                                     .data = plan->got};
}

/* The bytes of a command that has a block: their number, which may be 0, or -EINVAL. */
static int
block_len(const struct smbus_call *call)
{
    int len = call->data[0];
    return len <= SMBUS_BLOCK_MAX ? len : -EINVAL;
}

static int
plan_block(struct plan *plan, uint32_t funcs, const struct smbus_call *call)
{
    bool counted = call->size != SMBUS_I2C_BLOCK;
    bool sends = !call->read || call->size == SMBUS_BLOCK_PROC_CALL;
    bool answers = call->read || call->size == SMBUS_BLOCK_PROC_CALL;
    if (answers && counted && (funcs & I2C_CAN_READ_BLOCK) == 0) {
        return -EOPNOTSUPP;
    }
    int len = answers && call->size == SMBUS_BLOCK_DATA ? 0 : block_len(call);
    if (len < 0) {
        return len;
    }
    if (!sends) {
        plan_write(plan, call, call->command, NULL, 0);
    }
    else if (counted) {
        plan_write(plan, call, call->command, call->data, (uint16_t)(len + 1));
    }
    else {
        plan_write(plan, call, call->command, call->data + 1, (uint16_t)len);
    }
    if (answers) {
        plan_read(plan, call, (uint16_t)(counted ? 1 : len),
                  counted ? I2C_RECV_LEN : 0);
    }
    return 0;
}

static int
make_plan(struct plan *plan, uint32_t funcs, const struct smbus_call *call)
{
    uint16_t width = call->size == SMBUS_BYTE_DATA ? 1 : 2;
    switch (call->size) {
        case SMBUS_QUICK:
            if ((funcs & I2C_CAN_QUICK) == 0) {
                return -EOPNOTSUPP;
            }
            plan->messages[plan->n++] =
                (struct i2c_message){.address = call->address,
                                     .flags = call->read ? I2C_READ : 0,
                                     .data = plan->sent};
            return 0;
        case SMBUS_BYTE:
            if (call->read) {
                plan_read(plan, call, 1, 0);
            }
            else {
                plan_write(plan, call, call->command, NULL, 0);
            }
            return 0;
        case SMBUS_BYTE_DATA:
        case SMBUS_WORD_DATA:
            plan_write(plan, call, call->command, call->data, call->read ? 0 : width);
            if (call->read) {
                plan_read(plan, call, width, 0);
            }
            return 0;
        case SMBUS_PROC_CALL:
            plan_write(plan, call, call->command, call->data, 2);
            plan_read(plan, call, 2, 0);
            return 0;
        case SMBUS_BLOCK_DATA:
        case SMBUS_BLOCK_PROC_CALL:
        case SMBUS_I2C_BLOCK:
            return plan_block(plan, funcs, call);
        default:
            return -EOPNOTSUPP;
    }
}

/* The last message has its PEC: what was sent, or a place for what comes. */
static void
add_pec(struct plan *plan)
{
    struct i2c_message *last = &plan->messages[plan->n - 1];
    if ((last->flags & I2C_READ) == 0) {
        last->data[last->len] = pec_of_message(0, last, last->len);
    }
    last->len++;
}

static int
check_pec(const struct plan *plan)
{
    const struct i2c_message *last = &plan->messages[plan->n - 1];
    uint8_t pec = 0;
    if ((last->flags & I2C_READ) == 0) {
        return 0;
    }
    if (plan->n > 1) {
        pec = pec_of_message(pec, &plan->messages[0], plan->messages[0].len);
    }
    pec = pec_of_message(pec, last, last->len - 1u);
    return pec == last->data[last->len - 1] ? 0 : -EBADMSG;
}

static int
take_answer(const struct plan *plan, struct smbus_call *call, bool pec)
{
    const struct i2c_message *last = &plan->messages[plan->n - 1];
    uint32_t len = last->len - (pec ? 1u : 0u);
    if ((last->flags & I2C_READ) == 0 || len == 0) {
        return 0;
    }
    bool counted = (last->flags & I2C_RECV_LEN) != 0;
    if (counted && (last->data[0] > SMBUS_BLOCK_MAX || last->data[0] + 1u > len)) {
        return -EPROTO;
    }
    bool plain_block = call->size == SMBUS_I2C_BLOCK;
    memcpy(call->data + (plain_block ? 1 : 0), last->data, len);
    if (plain_block) {
        call->data[0] = (uint8_t)len;
    }
    return 0;
}

int
smbus_emulate(struct i2c_bus *bus, struct smbus_call *call)
{
    struct plan plan = {.n = 0};
    int err = make_plan(&plan, bus->funcs, call);
    if (err < 0) {
        return err;
    }
    bool pec = call->pec && call->size != SMBUS_QUICK && call->size != SMBUS_I2C_BLOCK;
    if (pec) {
        add_pec(&plan);
    }
    err = bus->ops->transfer(bus->self, plan.messages, plan.n);
    if (err >= 0 && pec) {
        err = check_pec(&plan);
    }
    return err < 0 ? err : take_answer(&plan, call, pec);
}
