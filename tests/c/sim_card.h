/* Scripted cards for the C tests: ISO/IEC 14443-3A up to HLTA, and one block.
 *
 * test_card answers REQA/WUPA, ANTICOLLISION and SELECT (UIDs of 4, 7, 10 bytes),
 * HLTA, and when authenticated MIFARE READ and (with a 4-bit ACK) WRITE.  It holds
 * one block, whatever the address.  Any other frame: back to IDLE or HALT.
 */
#ifndef TESTS_SIM_CARD_H
#define TESTS_SIM_CARD_H

#include <string.h>

#include "base/clock.h"
#include "dev/iso14443a.h"
#include "sim/field_sim.h"

enum test_card_state { CARD_OFF, CARD_IDLE, CARD_READY, CARD_ACTIVE, CARD_HALT };

struct test_card {
    struct field_card card; /* first */
    uint8_t uid[ISO14443A_UID_MAX];
    uint8_t uid_size;
    uint8_t level; /* in READY: cascade levels selected so far */
    uint16_t atqa;
    uint8_t key[6];
    enum test_card_state state;
    bool was_halted; /* woken up by WUPA: falls back to HALT */
    bool writing;    /* WRITE acknowledged, the data come next */
    uint8_t block[MIFARE_BLOCK_SIZE];
    int64_t write_ns;        /* how late the ACK of WRITE comes */
    bool leave_when_heard;   /* takes itself out of the field when it hears */
    struct test_card *expel; /* takes another one out */
    unsigned power_ups;
    unsigned heard;
    unsigned garbled;
};

static inline void
test_card_power_up(struct field_card *card)
{
    struct test_card *self = (struct test_card *)card;
    self->state = CARD_IDLE;
    self->was_halted = self->writing = false;
    self->power_ups++;
}

/* Append `bits` bits of `bytes` from bit `from` on. */
static inline int
test_card_bits(struct field_frame *out, const uint8_t *bytes, unsigned from,
               unsigned bits)
{
    for (unsigned i = from; i < bits; i++) {
        unsigned at = out->bits++;
        out->data[at / 8] |= (uint8_t)((bytes[i / 8] >> i % 8 & 1) << at % 8);
    }
    return 1;
}

static inline int
test_card_bytes(struct field_frame *out, const uint8_t *bytes, size_t size)
{
    memcpy(out->data, bytes, size);
    out->bits = (uint16_t)(8 * iso14443a_add_crc(out->data, size));
    return 1;
}

/* A frame that is not for it. */
static inline int
test_card_falls_back(struct test_card *self, struct field_frame *out)
{
    self->state = self->was_halted ? CARD_HALT : CARD_IDLE;
    self->writing = false;
    out->flags |= FIELD_CRYPTO_OFF;
    return 0;
}

static inline int
test_card_ready(struct test_card *self, const struct field_frame *in,
                struct field_frame *out)
{
    uint8_t cl[ISO14443A_CL_SIZE];
    unsigned levels = iso14443a_levels(self->uid_size);
    iso14443a_cl_of_uid(cl, self->uid, self->uid_size, self->level);
    if (in->bits < 16 || in->data[0] != iso14443a_sel(self->level)) {
        return test_card_falls_back(self, out);
    }
    if (in->data[1] == ISO14443A_NVB_SELECT) {
        if (in->bits != 72 || memcmp(in->data + 2, cl, 5) != 0 ||
            !iso14443a_check_crc(in->data, 9)) {
            return test_card_falls_back(self, out);
        }
        self->level++;
        const uint8_t sak = self->level < levels ? ISO14443A_SAK_CASCADE : 0x08;
        self->state = self->level < levels ? CARD_READY : CARD_ACTIVE;
        return test_card_bytes(out, &sak, 1);
    }
    unsigned known = (in->data[1] >> 4) * 8u + (in->data[1] & 7) - 16;
    if (known >= ISO14443A_CL_BITS || in->bits != 16 + known) {
        return test_card_falls_back(self, out);
    }
    for (unsigned i = 0; i < known; i++) {
        if ((in->data[2 + i / 8] >> i % 8 & 1) != (cl[i / 8] >> i % 8 & 1)) {
            return test_card_falls_back(self, out);
        }
    }
    return test_card_bits(out, cl, known, ISO14443A_CL_BITS);
}

static inline int
test_card_active(struct test_card *self, const struct field_frame *in,
                 struct field_frame *out)
{
    const uint8_t ack = MIFARE_ACK;
    if (in->bits % 8 != 0 || !iso14443a_check_crc(in->data, in->bits / 8u)) {
        return test_card_falls_back(self, out);
    }
    if (self->writing) {
        self->writing = false;
        memcpy(self->block, in->data, sizeof self->block);
        out->delay_ns = self->write_ns;
        return test_card_bits(out, &ack, 0, MIFARE_ACK_BITS);
    }
    if (in->data[0] == ISO14443A_HLTA) {
        self->was_halted = true;
        return test_card_falls_back(self, out);
    }
    if (self->card.encrypted && in->data[0] == MIFARE_READ) {
        return test_card_bytes(out, self->block, sizeof self->block);
    }
    if (self->card.encrypted && in->data[0] == MIFARE_WRITE) {
        self->writing = true;
        return test_card_bits(out, &ack, 0, MIFARE_ACK_BITS);
    }
    return test_card_falls_back(self, out);
}

static inline int
test_card_exchange(struct field_card *card, const struct field_frame *in,
                   struct field_frame *out)
{
    struct test_card *self = (struct test_card *)card;
    self->heard++;
    if (self->expel != NULL) {
        field_leave(card->field, &self->expel->card, field_now(card->field));
    }
    if (self->leave_when_heard) {
        field_leave(card->field, card, field_now(card->field));
    }
    if ((in->flags & FIELD_GARBLED) != 0) {
        self->garbled++;
        return test_card_falls_back(self, out);
    }
    bool reqa = in->bits == 7 && in->data[0] == ISO14443A_REQA;
    bool wupa = in->bits == 7 && in->data[0] == ISO14443A_WUPA;
    const uint8_t atqa[2] = {(uint8_t)self->atqa, (uint8_t)(self->atqa >> 8)};
    switch (self->state) {
        case CARD_IDLE:
        case CARD_HALT:
            if (!wupa && (!reqa || self->state == CARD_HALT)) {
                return 0;
            }
            self->was_halted = self->state == CARD_HALT;
            self->state = CARD_READY;
            self->level = 0;
            return test_card_bits(out, atqa, 0, 16);
        case CARD_READY:
            return test_card_ready(self, in, out);
        case CARD_ACTIVE:
            return test_card_active(self, in, out);
        case CARD_OFF:
            break;
    }
    return 0;
}

static inline int
test_card_authenticate(struct field_card *card, const struct field_auth *auth)
{
    struct test_card *self = (struct test_card *)card;
    if (self->state != CARD_ACTIVE) {
        return FIELD_AUTH_SILENT;
    }
    const uint8_t *uid4 = self->uid + self->uid_size - 4;
    if (memcmp(auth->key, self->key, 6) != 0 || memcmp(auth->uid, uid4, 4) != 0) {
        self->state = self->was_halted ? CARD_HALT : CARD_IDLE;
        return FIELD_AUTH_FAILED;
    }
    return FIELD_AUTH_OK;
}

static const struct field_card_ops test_card_ops = {
    .power_up = test_card_power_up,
    .exchange = test_card_exchange,
    .authenticate = test_card_authenticate,
};

static inline struct test_card
test_card_make(uint8_t a, uint8_t b, uint8_t c, uint8_t d)
{
    return (struct test_card){
        .card = {.ops = &test_card_ops, .power_up_ns = NS_PER_MS / 2},
        .uid = {a, b, c, d},
        .uid_size = 4,
        .atqa = 0x0004,
        .key = {0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF},
        .block = {0x40, 0x41, 0x42},
    };
}

#endif
