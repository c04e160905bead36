/* Scripted cards for the C tests: ISO/IEC 14443-3A up to HLTA, and one block.
 *
 * test_card answers REQA/WUPA, ANTICOLLISION, SELECT (one cascade level), HLTA,
 * MIFARE READ when authenticated, and WRITE part one with a late 4-bit ACK.
 */
#ifndef TESTS_SIM_CARD_H
#define TESTS_SIM_CARD_H

#include <string.h>

#include "base/clock.h"
#include "base/iso14443a.h"
#include "sim/field_sim.h"

enum test_card_state { CARD_OFF, CARD_IDLE, CARD_READY, CARD_ACTIVE, CARD_HALT };

struct test_card {
    struct field_card card; /* first */
    uint8_t uid[4];
    uint16_t atqa;
    uint8_t key[6];
    enum test_card_state state;
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

static inline int
test_card_select(struct test_card *self, const struct field_frame *in,
                 struct field_frame *out)
{
    uint8_t cl[ISO14443A_CL_SIZE];
    memcpy(cl, self->uid, 4);
    cl[4] = iso14443a_bcc(self->uid);
    if (in->data[1] == ISO14443A_NVB_SELECT) {
        if (in->bits != 72 || memcmp(in->data + 2, cl, 5) != 0 ||
            !iso14443a_check_crc(in->data, 9)) {
            self->state = CARD_IDLE;
            return 0;
        }
        const uint8_t sak = 0x08;
        self->state = CARD_ACTIVE;
        return test_card_bytes(out, &sak, 1);
    }
    unsigned known = (in->data[1] >> 4) * 8u + (in->data[1] & 7) - 16;
    for (unsigned i = 0; i < known; i++) {
        if ((in->data[2 + i / 8] >> i % 8 & 1) != (cl[i / 8] >> i % 8 & 1)) {
            return 0;
        }
    }
    return test_card_bits(out, cl, known, ISO14443A_CL_BITS);
}

static inline int
test_card_active(struct test_card *self, const struct field_frame *in,
                 struct field_frame *out)
{
    const uint8_t ack = MIFARE_ACK;
    uint8_t block[MIFARE_BLOCK_SIZE];
    if (in->data[0] == ISO14443A_HLTA) {
        self->state = CARD_HALT;
        out->flags |= FIELD_CRYPTO_OFF;
        return 0;
    }
    if (!self->card.encrypted) {
        self->state = CARD_IDLE;
        return 0;
    }
    if (in->data[0] == MIFARE_READ) {
        for (unsigned i = 0; i < MIFARE_BLOCK_SIZE; i++) {
            block[i] = (uint8_t)(16 * in->data[1] + i);
        }
        return test_card_bytes(out, block, sizeof block);
    }
    out->delay_ns = self->write_ns;
    return test_card_bits(out, &ack, 0, MIFARE_ACK_BITS);
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
        self->state = CARD_IDLE;
        return 0;
    }
    bool reqa = in->bits == 7 && in->data[0] == ISO14443A_REQA;
    bool wupa = in->bits == 7 && in->data[0] == ISO14443A_WUPA;
    switch (self->state) {
        case CARD_IDLE:
        case CARD_HALT:
            if (wupa || (reqa && self->state == CARD_IDLE)) {
                const uint8_t atqa[2] = {(uint8_t)self->atqa,
                                         (uint8_t)(self->atqa >> 8)};
                self->state = CARD_READY;
                return test_card_bits(out, atqa, 0, 16);
            }
            return 0;
        case CARD_READY:
            if (in->bits >= 16 && in->data[0] == ISO14443A_SEL_CL1) {
                return test_card_select(self, in, out);
            }
            self->state = CARD_IDLE;
            return 0;
        case CARD_ACTIVE:
            if (in->bits >= 32 && iso14443a_check_crc(in->data, in->bits / 8u)) {
                return test_card_active(self, in, out);
            }
            self->state = CARD_IDLE;
            return 0;
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
    if (memcmp(auth->key, self->key, 6) != 0 || memcmp(auth->uid, self->uid, 4) != 0) {
        self->state = CARD_IDLE;
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
        .atqa = 0x0004,
        .key = {0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF},
    };
}

#endif
