/* sim/field_sim.c: power-up, delays, superposition, cards that come and go. */
#include <errno.h>

#include "check.h"
#include "sim/field_sim.h"
#include "sim_card.h"

/* Bit times at 106 kbit/s: start + bits + parity + end, 128/fc each. */
#define BITS_NS(n) ((int64_t)(n) * 128 * 25000 / 339)

static struct field_sim field;

static int64_t
send(int64_t now, unsigned bits, const uint8_t *bytes)
{
    struct field_frame frame = {.bits = (uint16_t)bits};
    int64_t end = 0;
    memcpy(frame.data, bytes, (bits + 7) / 8);
    CHECK_EQ(field_send(&field, &frame, now, &end), 0);
    return end;
}

static int64_t
send_reqa(int64_t now)
{
    return send(now, 7, (const uint8_t[]){ISO14443A_REQA});
}

static int64_t
send_anticollision(int64_t now, const uint8_t *cl, unsigned known)
{
    uint8_t bytes[8];
    unsigned bits;
    iso14443a_anticollision_frame(bytes, 0, cl, known, &bits);
    return send(now, bits, bytes);
}

static void
test_power_up_time(void)
{
    struct test_card card = test_card_make(1, 2, 3, 4);
    card.card.power_up_ns = 5 * NS_PER_MS;
    field_init(&field, 0);
    CHECK_EQ(field_enter(&field, &card.card, 0), 0);
    CHECK_EQ(field_enter(&field, &card.card, 0), -EBUSY);
    send_reqa(50 * NS_PER_MS);
    CHECK_EQ(card.heard, 0);
    field_carrier(&field, true, 100 * NS_PER_MS);
    send_reqa(105 * NS_PER_MS - 1);
    CHECK_EQ(card.heard, 0);
    CHECK_EQ(field_reception(&field)->start_ns, NS_NEVER);
    int64_t end = send_reqa(105 * NS_PER_MS);
    CHECK_EQ(end, 105 * NS_PER_MS + BITS_NS(9));
    CHECK_EQ(card.power_ups, 1);
    const struct field_reception *r = field_reception(&field);
    /* The last bit of REQA is 0: 1172/fc. */
    CHECK_EQ(r->start_ns, end + 1172 * 25000 / 339);
    CHECK_EQ(r->end_ns, r->start_ns + BITS_NS(20));
    CHECK_EQ(r->frame.bits, 16);
    CHECK_BYTES(r->frame.data, 0x04, 0x00);
    CHECK_EQ(r->collision, -1);
    CHECK(!r->parity_error);
}

static void
test_card_loses_power(void)
{
    struct test_card card = test_card_make(1, 2, 3, 4);
    field_init(&field, 0);
    field_carrier(&field, true, 0);
    field_enter(&field, &card.card, 0);
    send_reqa(NS_PER_MS);
    CHECK_EQ(card.state, CARD_READY);
    field_carrier(&field, false, 2 * NS_PER_MS);
    field_carrier(&field, true, 3 * NS_PER_MS);
    send_reqa(3 * NS_PER_MS + NS_PER_MS / 4);
    CHECK_EQ(card.heard, 1);
    send_reqa(4 * NS_PER_MS);
    CHECK_EQ(card.power_ups, 2);
    CHECK_EQ(card.state, CARD_READY);
    CHECK_EQ(field_reception(&field)->frame.bits, 16);
}

static void
test_frame_delay_of_a_last_bit_1(void)
{
    struct test_card card = test_card_make(1, 2, 3, 4);
    field_init(&field, 0);
    field_carrier(&field, true, 0);
    field_enter(&field, &card.card, 0);
    int64_t end = send(NS_PER_MS, 7, (const uint8_t[]){ISO14443A_WUPA});
    CHECK_EQ(field_reception(&field)->start_ns, end + 1236 * 25000 / 339);
    /* Whole bytes: the parity bit is the last one; 0x20 has one 1, parity 0. */
    const uint8_t cl[5] = {0};
    end = send_anticollision(10 * NS_PER_MS, cl, 0);
    CHECK_EQ(end, 10 * NS_PER_MS + BITS_NS(2 + 18));
    CHECK_EQ(field_reception(&field)->start_ns, end + 1172 * 25000 / 339);
}

static void
test_collision(void)
{
    /* cl of a: 05 00 00 00 05, of b: 0D 00 00 00 0D: they differ in bit 3. */
    struct test_card a = test_card_make(0x05, 0, 0, 0);
    struct test_card b = test_card_make(0x0D, 0, 0, 0);
    field_init(&field, 0);
    field_carrier(&field, true, 0);
    field_enter(&field, &a.card, 0);
    field_enter(&field, &b.card, 0);
    send_reqa(NS_PER_MS);
    CHECK_EQ(field_reception(&field)->collision, -1);
    uint8_t cl[5] = {0};
    send_anticollision(2 * NS_PER_MS, cl, 0);
    const struct field_reception *r = field_reception(&field);
    CHECK_EQ(r->collision, 3);
    CHECK_EQ(r->frame.bits, 40);
    CHECK_BYTES(r->frame.data, 0x0D, 0, 0, 0, 0x0D);
    CHECK(!r->parity_error);
    /* Four bits known: only b answers, with the rest of its first byte. */
    cl[0] = 0x0D;
    send_anticollision(5 * NS_PER_MS, cl, 4);
    r = field_reception(&field);
    CHECK_EQ(r->collision, -1);
    CHECK_EQ(r->align, 4);
    CHECK_EQ(r->frame.bits, 36);
    CHECK_BYTES(r->frame.data, 0x00, 0x00, 0x00, 0xD0);
    CHECK(!r->parity_error);
    /* start, 36 data bits, five parity bits, end */
    CHECK_EQ(r->end_ns - r->start_ns, BITS_NS(43));
}

static void
test_different_atqa(void)
{
    struct test_card a = test_card_make(1, 1, 1, 1);
    struct test_card b = test_card_make(2, 2, 2, 2);
    b.atqa = 0x0044;
    field_init(&field, 0);
    field_carrier(&field, true, 0);
    field_enter(&field, &a.card, 0);
    field_enter(&field, &b.card, 0);
    send_reqa(NS_PER_MS);
    CHECK_EQ(field_reception(&field)->collision, 6);
    CHECK_BYTES(field_reception(&field)->frame.data, 0x44, 0x00);
}

static void
test_leaves_while_answering(void)
{
    struct test_card card = test_card_make(1, 2, 3, 4);
    field_init(&field, 0);
    field_carrier(&field, true, 0);
    field_enter(&field, &card.card, 0);
    send_reqa(NS_PER_MS);
    int64_t start = field_reception(&field)->start_ns;
    /* start bit, eight data bits, parity bit, two more data bits */
    field_leave(&field, &card.card, start + BITS_NS(12) + 100);
    const struct field_reception *r = field_reception(&field);
    CHECK_EQ(r->start_ns, start);
    CHECK_EQ(r->frame.bits, 10);
    CHECK(card.card.field == NULL);
    field_leave(&field, &card.card, start + NS_PER_MS);
    field_enter(&field, &card.card, 5 * NS_PER_MS);
    send_reqa(6 * NS_PER_MS);
    CHECK_EQ(card.power_ups, 2);
    field_leave(&field, &card.card, 6 * NS_PER_MS);
    CHECK_EQ(field_reception(&field)->start_ns, NS_NEVER);
}

static void
test_carrier_cuts_an_answer(void)
{
    struct test_card card = test_card_make(1, 2, 3, 4);
    field_init(&field, 0);
    field_carrier(&field, true, 0);
    field_enter(&field, &card.card, 0);
    send_reqa(NS_PER_MS);
    int64_t start = field_reception(&field)->start_ns;
    field_carrier(&field, false, start + BITS_NS(6));
    CHECK_EQ(field_reception(&field)->frame.bits, 5);
}

static void
test_cards_that_leave_in_their_own_call(void)
{
    struct test_card cards[3] = {test_card_make(1, 1, 1, 1), test_card_make(2, 2, 2, 2),
                                 test_card_make(3, 3, 3, 3)};
    field_init(&field, 0);
    field_carrier(&field, true, 0);
    for (int i = 0; i < 3; i++) {
        field_enter(&field, &cards[i].card, 0);
    }
    cards[0].leave_when_heard = true;
    send_reqa(NS_PER_MS);
    CHECK_EQ(field.num_cards, 2);
    CHECK_EQ(field.num_answers, 2);
    CHECK_EQ(cards[0].heard, 1);
    CHECK_EQ(cards[2].heard, 1);
    cards[1].expel = &cards[2];
    cards[1].state = cards[2].state = CARD_IDLE;
    send_reqa(5 * NS_PER_MS);
    CHECK_EQ(cards[2].heard, 1);
    CHECK_EQ(field.num_answers, 1);
    CHECK_EQ(field.num_cards, 1);
}

static void
test_a_busy_card_is_deaf(void)
{
    struct test_card card = test_card_make(1, 2, 3, 4);
    field_init(&field, 0);
    field_carrier(&field, true, 0);
    field_enter(&field, &card.card, 0);
    int64_t end = send_reqa(NS_PER_MS);
    int64_t answered = field_reception(&field)->end_ns;
    send_reqa(end);
    CHECK_EQ(card.heard, 1);
    CHECK_EQ(field_reception(&field)->start_ns, NS_NEVER);
    send_reqa(answered);
    CHECK_EQ(card.heard, 2);
}

static void
test_too_many(void)
{
    struct test_card cards[FIELD_CARDS_MAX + 1];
    field_init(&field, 0);
    field_carrier(&field, true, 0);
    for (int i = 0; i <= FIELD_CARDS_MAX; i++) {
        cards[i] = test_card_make((uint8_t)i, 0, 0, 0);
        CHECK_EQ(field_enter(&field, &cards[i].card, 0),
                 i < FIELD_CARDS_MAX ? 0 : -ENOSPC);
    }
    send_reqa(NS_PER_MS);
    CHECK_EQ(field.num_answers, FIELD_CARDS_MAX);
    const uint8_t cl[5] = {0};
    send_anticollision(3 * NS_PER_MS, cl, 0);
    CHECK_EQ(field_reception(&field)->collision, 0);
    CHECK_BYTES(field_reception(&field)->frame.data, 0x0F);
}

static void
test_authentication(void)
{
    struct test_card card = test_card_make(1, 2, 3, 4);
    struct field_auth auth = {
        MIFARE_AUTH_KEY_A, 4, {255, 255, 255, 255, 255, 255}, {1, 2, 3, 4}};
    field_init(&field, 0);
    field_carrier(&field, true, 0);
    field_enter(&field, &card.card, 0);
    CHECK_EQ(field_authenticate(&field, &auth, false, NS_PER_MS), 0);
    CHECK_EQ(field.auth.command_end_ns, NS_PER_MS + BITS_NS(38));
    CHECK_EQ(field.auth.nonce_start_ns, NS_NEVER);
    card.state = CARD_ACTIVE;
    auth.key[0] = 0;
    CHECK_EQ(field_authenticate(&field, &auth, false, 2 * NS_PER_MS), 0);
    CHECK(field.auth.nonce_start_ns != NS_NEVER);
    CHECK_EQ(field.auth.token_start_ns, NS_NEVER);
    CHECK(!card.card.encrypted);
    card.state = CARD_ACTIVE;
    auth.key[0] = 255;
    CHECK_EQ(field_authenticate(&field, &auth, false, 10 * NS_PER_MS), 0);
    CHECK(card.card.encrypted);
    int64_t took = field.auth.done_ns - 10 * NS_PER_MS;
    CHECK(took > 1500 * NS_PER_US && took < 3 * NS_PER_MS);
    /* It leaves before its last answer is complete. */
    field_leave(&field, &card.card, field.auth.done_ns - 1);
    CHECK_EQ(field.auth.done_ns, NS_NEVER);
    CHECK(field.auth.token_start_ns != NS_NEVER);
}

static void
test_crypto_mismatch_is_noise(void)
{
    struct test_card card = test_card_make(1, 2, 3, 4);
    struct field_auth auth = {
        MIFARE_AUTH_KEY_A, 4, {255, 255, 255, 255, 255, 255}, {1, 2, 3, 4}};
    field_init(&field, 0);
    field_carrier(&field, true, 0);
    field_enter(&field, &card.card, 0);
    send_reqa(NS_PER_MS);
    card.state = CARD_ACTIVE;
    field_authenticate(&field, &auth, false, 3 * NS_PER_MS);
    CHECK(card.card.encrypted);
    send_reqa(10 * NS_PER_MS);
    CHECK_EQ(card.garbled, 1);
    CHECK_EQ(card.state, CARD_IDLE);
    CHECK_EQ(field_reception(&field)->start_ns, NS_NEVER);
    send_reqa(20 * NS_PER_MS);
    CHECK_EQ(field_reception(&field)->frame.bits, 16);
}

static int
bad_parity_exchange(struct field_card *card, const struct field_frame *in,
                    struct field_frame *out)
{
    (void)card;
    (void)in;
    out->data[0] = 0x12;
    out->data[1] = 0x34;
    out->bits = 16;
    out->flags = FIELD_BAD_PARITY;
    return 1;
}

static void
test_bad_parity(void)
{
    static const struct field_card_ops ops = {.power_up = test_card_power_up,
                                              .exchange = bad_parity_exchange};
    struct test_card card = {.card = {.ops = &ops}};
    field_init(&field, 0);
    field_carrier(&field, true, 0);
    field_enter(&field, &card.card, 0);
    send_reqa(1);
    CHECK(field_reception(&field)->parity_error);
    CHECK_BYTES(field_reception(&field)->frame.data, 0x12, 0x34);
}

static void
test_answers_at_different_times(void)
{
    /* An answer in the shadow of another one collides where they overlap. */
    struct test_card a = test_card_make(1, 2, 3, 4);
    struct test_card b = test_card_make(1, 2, 3, 4);
    field_init(&field, 0);
    field_carrier(&field, true, 0);
    field_enter(&field, &a.card, 0);
    field_enter(&field, &b.card, 0);
    send_reqa(NS_PER_MS);
    a.state = b.state = CARD_ACTIVE;
    a.card.encrypted = b.card.encrypted = true;
    a.writing = b.writing = true;
    b.write_ns = BITS_NS(2) + 10;
    struct field_frame write = {.flags = FIELD_ENCRYPTED};
    write.bits = (uint16_t)(8 * iso14443a_add_crc(write.data, 16));
    int64_t end;
    CHECK_EQ(field_send(&field, &write, 5 * NS_PER_MS, &end), 0);
    const struct field_reception *r = field_reception(&field);
    /* a: 0 1 0 1, b two bit times later: 0 1 0 1 */
    CHECK_EQ(r->frame.bits, 6);
    CHECK_EQ(r->collision, -1);
    CHECK_BYTES(r->frame.data, 0x2A);
}

static struct test_card late_comer;
static bool switches_off;

static int
busy_body(struct field_card *card, const struct field_frame *in,
          struct field_frame *out)
{
    (void)in;
    if (late_comer.card.field == NULL) {
        CHECK_EQ(field_enter(card->field, &late_comer.card, field_now(card->field)), 0);
    }
    if (switches_off) {
        field_carrier(card->field, false, field_now(card->field));
    }
    out->bits = 8;
    return 1;
}

static void
test_what_card_code_does_to_the_field(void)
{
    static const struct field_card_ops ops = {.power_up = test_card_power_up,
                                              .exchange = busy_body};
    struct test_card card = {.card = {.ops = &ops}};
    struct test_card next = test_card_make(5, 6, 7, 8);
    late_comer = test_card_make(1, 2, 3, 4);
    late_comer.card.power_up_ns = 0;
    field_init(&field, 0);
    field_carrier(&field, true, 0);
    field_enter(&field, &card.card, 0);
    field_enter(&field, &next.card, 0);
    /* Who comes in during a frame has not heard its beginning. */
    switches_off = false;
    send_reqa(NS_PER_MS);
    CHECK_EQ(late_comer.heard, 0);
    CHECK_EQ(field.num_answers, 2);
    send_reqa(2 * NS_PER_MS);
    CHECK_EQ(late_comer.heard, 1);
    CHECK_EQ(field.num_answers, 2); /* `next` is in READY and keeps silent */
    /* Without a carrier there is nothing to answer with, and nobody else hears. */
    switches_off = true;
    send_reqa(4 * NS_PER_MS);
    CHECK_EQ(late_comer.heard, 1);
    CHECK_EQ(field.num_answers, 0);
}

static void
test_a_card_that_authenticates_is_deaf(void)
{
    struct test_card card = test_card_make(1, 2, 3, 4);
    struct field_auth auth = {
        MIFARE_AUTH_KEY_A, 4, {255, 255, 255, 255, 255, 255}, {1, 2, 3, 4}};
    field_init(&field, 0);
    field_carrier(&field, true, 0);
    field_enter(&field, &card.card, 0);
    send_reqa(NS_PER_MS);
    card.state = CARD_ACTIVE;
    field_authenticate(&field, &auth, false, 10 * NS_PER_MS);
    int64_t done = field.auth.done_ns;
    send_reqa(done - 1);
    CHECK_EQ(card.garbled, 0);
    send_reqa(done);
    CHECK_EQ(card.garbled, 1);
}

int
main(void)
{
    RUN(test_power_up_time);
    RUN(test_card_loses_power);
    RUN(test_frame_delay_of_a_last_bit_1);
    RUN(test_collision);
    RUN(test_different_atqa);
    RUN(test_leaves_while_answering);
    RUN(test_carrier_cuts_an_answer);
    RUN(test_cards_that_leave_in_their_own_call);
    RUN(test_a_busy_card_is_deaf);
    RUN(test_too_many);
    RUN(test_authentication);
    RUN(test_crypto_mismatch_is_noise);
    RUN(test_bad_parity);
    RUN(test_answers_at_different_times);
    RUN(test_what_card_code_does_to_the_field);
    RUN(test_a_card_that_authenticates_is_deaf);
    return check_done();
}
