/* The RF field: who hears a frame, and what the answers add up to.
 *
 * A "slot" is one bit time of an answer after its start of communication: data
 * and parity bits in the order in which they travel.  While card code runs,
 * `visiting` and `following` are kept right by field_leave(), so that a card
 * may take itself or any other out of the field.
 */
#include "sim/field_sim.h"

#include <errno.h>
#include <string.h>

#include "base/clock.h"
#include "base/list.h"
#include "dev/iso14443a.h"

static int64_t
bit_cycles(unsigned rate)
{
    return ISO14443A_BIT_FC >> rate;
}

/* Every whole byte has a parity bit; the first one may begin at bit `align`. */
static unsigned
slots_of(unsigned bits, unsigned align)
{
    return bits + (align + bits) / 8;
}

/* Slots between start of communication and end of communication, plus both. */
static int64_t
frame_ns(unsigned bits, unsigned align, unsigned rate)
{
    return carrier_ns((slots_of(bits, align) + 2) * bit_cycles(rate));
}

int64_t
field_bits_ns(unsigned bits, unsigned align, unsigned rate)
{
    return carrier_ns((slots_of(bits, align) + 1) * bit_cycles(rate));
}

static bool
frame_bit(const struct field_frame *frame, unsigned i)
{
    return (frame->data[i / 8] >> i % 8 & 1) != 0;
}

/* Odd parity over data bits first..last-1. */
static bool
parity_of(const struct field_frame *frame, unsigned first, unsigned last)
{
    bool parity = true;
    for (unsigned i = first; i < last; i++) {
        parity ^= frame_bit(frame, i);
    }
    return parity;
}

/* Which data bit a slot is, or, with *is_parity, the one after its byte. */
static unsigned
slot_data_bit(unsigned slot, unsigned align, bool *is_parity)
{
    unsigned shifted = slot + align;
    *is_parity = shifted % 9 == 8;
    return shifted - shifted / 9 - align;
}

/* The bit in a slot of an answer, -1 when it is not modulating (any more). */
static int
answer_slot(const struct field_frame *frame, unsigned align, unsigned slot)
{
    bool is_parity;
    if (slot >= slots_of(frame->bits, align)) {
        return -1;
    }
    unsigned bit = slot_data_bit(slot, align, &is_parity);
    if (!is_parity) {
        return frame_bit(frame, bit);
    }
    bool parity = parity_of(frame, bit >= 8 ? bit - 8 : 0, bit);
    if ((frame->flags & FIELD_BAD_PARITY) != 0 && bit + 8 > frame->bits) {
        parity = !parity;
    }
    return parity;
}

static int64_t
answer_end(const struct field_sim *field, const struct field_answer *answer)
{
    return answer->start_ns +
           frame_ns(answer->frame.bits, field->align, answer->frame.rate);
}

/* An answer stops at now_ns: keep the data bits that were sent whole. */
static void
cut_answer(struct field_sim *field, struct field_answer *answer, int64_t now_ns)
{
    answer->card = NULL;
    if (answer_end(field, answer) <= now_ns) {
        return;
    }
    unsigned bits = answer->frame.bits;
    while (bits > 0 &&
           answer->start_ns + field_bits_ns(bits, field->align, answer->frame.rate) >
               now_ns) {
        bits--;
    }
    answer->frame.bits = (uint16_t)bits;
    field->stale = true;
}

static void
cut_time(int64_t *milestone_ns, int64_t now_ns)
{
    if (*milestone_ns > now_ns) {
        *milestone_ns = NS_NEVER;
    }
}

/* The card of an authentication is gone: what it had yet to send never comes. */
static void
cut_auth(struct field_sim *field, int64_t now_ns)
{
    field->auth_card = NULL;
    cut_time(&field->auth.nonce_start_ns, now_ns);
    if (field->auth.nonce_start_ns == NS_NEVER) {
        cut_time(&field->auth.answer_end_ns, now_ns);
    }
    cut_time(&field->auth.token_start_ns, now_ns);
    cut_time(&field->auth.done_ns, now_ns);
}

static void
field_time(struct field_sim *field, int64_t now_ns)
{
    if (now_ns > field->now_ns) {
        field->now_ns = now_ns;
    }
}

void
field_init(struct field_sim *field, int64_t now_ns)
{
    memset(field, 0, sizeof *field);
    field->now_ns = now_ns;
    field->reception.start_ns = NS_NEVER;
    field_forget(field);
}

void
field_forget(struct field_sim *field)
{
    field->num_answers = 0;
    field->stale = true;
    field->auth_card = NULL;
    field->auth =
        (struct field_auth_times){NS_NEVER, NS_NEVER, NS_NEVER, NS_NEVER, NS_NEVER};
}

void
field_carrier(struct field_sim *field, bool on, int64_t now_ns)
{
    field_time(field, now_ns);
    if (on == field->carrier) {
        return;
    }
    field->carrier = on;
    if (on) {
        field->carrier_since_ns = now_ns;
        field->carrier_epoch++;
        return;
    }
    for (unsigned i = 0; i < field->num_answers; i++) {
        cut_answer(field, &field->answers[i], now_ns);
    }
    cut_auth(field, now_ns);
}

int
field_enter(struct field_sim *field, struct field_card *card, int64_t now_ns)
{
    field_time(field, now_ns);
    if (card->field != NULL) {
        return -EBUSY;
    }
    if (field->num_cards == FIELD_CARDS_MAX) {
        return -ENOSPC;
    }
    card->field = field;
    card->entry = ++field->entries;
    card->entered_ns = now_ns;
    card->busy_until_ns = INT64_MIN;
    card->heard_epoch = 0;
    card->encrypted = false;
    card->next = NULL;
    struct field_card **end = &field->cards;
    while (*end != NULL) {
        end = &(*end)->next;
    }
    *end = card;
    field->num_cards++;
    return 0;
}

void
field_leave(struct field_sim *field, struct field_card *card, int64_t now_ns)
{
    field_time(field, now_ns);
    if (card->field != field) {
        return;
    }
    LIST_REMOVE(field->cards, card);
    if (field->visiting == card) {
        field->visiting = NULL;
    }
    if (field->following == card) {
        field->following = card->next;
    }
    for (unsigned i = 0; i < field->num_answers; i++) {
        if (field->answers[i].card == card) {
            cut_answer(field, &field->answers[i], now_ns);
        }
    }
    if (field->auth_card == card) {
        cut_auth(field, now_ns);
    }
    card->field = NULL;
    card->next = NULL;
    field->num_cards--;
}

bool
field_card_hears(const struct field_sim *field, const struct field_card *card,
                 int64_t now_ns)
{
    int64_t since = field->carrier_since_ns;
    if (card->entered_ns > since) {
        since = card->entered_ns;
    }
    return field->carrier && now_ns >= since + card->power_up_ns &&
           now_ns >= card->busy_until_ns;
}

/* Start of visiting the cards; each turn is next_card(). */
static int
begin_visits(struct field_sim *field)
{
    if (field->busy) {
        return -EBUSY;
    }
    field_forget(field);
    field->busy = true;
    field->last_entry = field->entries;
    field->following = field->cards;
    return 0;
}

/* The next card that hears a frame sent now, powered up; NULL: no more. */
static struct field_card *
next_card(struct field_sim *field, int64_t now_ns)
{
    while (field->following != NULL) {
        struct field_card *card = field->following;
        field->following = card->next;
        field->visiting = card;
        if (card->entry > field->last_entry || !field_card_hears(field, card, now_ns)) {
            continue; /* it came in just now, or has no power yet */
        }
        if (card->heard_epoch != field->carrier_epoch) {
            card->heard_epoch = field->carrier_epoch;
            card->encrypted = false;
            card->busy_until_ns = INT64_MIN;
            card->ops->power_up(card); /* runs Python */
        }
        if (field->visiting == card) {
            return card;
        }
    }
    return NULL;
}

static void
end_visits(struct field_sim *field)
{
    field->visiting = NULL;
    field->busy = false;
}

/* Let a card hear a frame.  Does it answer with *out?  It may have left since:
 * then field->visiting is NULL and the card must not be touched. */
static bool
card_hears(struct field_sim *field, struct field_card *card,
           const struct field_frame *frame, struct field_frame *out)
{
    bool garbled = card->encrypted != ((frame->flags & FIELD_ENCRYPTED) != 0);
    memset(out, 0, sizeof *out);
    out->rate = frame->rate;
    if (garbled) {
        struct field_frame noise = *frame;
        noise.flags |= FIELD_GARBLED;
        card->encrypted = false;
        card->ops->exchange(card, &noise, out); /* runs Python */
        return false;
    }
    int answers = card->ops->exchange(card, frame, out); /* runs Python */
    if (field->visiting != card) {
        return false;
    }
    if ((out->flags & FIELD_CRYPTO_OFF) != 0) {
        card->encrypted = false;
    }
    return answers > 0 && out->bits > 0 && out->bits <= 8 * FIELD_FRAME_BYTES;
}

/* Cycles from the end of the reader's frame to the start of an answer. */
static int64_t
frame_delay_cycles(const struct field_frame *frame)
{
    bool last = frame_bit(frame, frame->bits - 1u);
    if (frame->bits % 8 == 0) {
        last = parity_of(frame, frame->bits - 8u, frame->bits);
    }
    return last ? ISO14443A_FDT_LAST_BIT_1 : ISO14443A_FDT_LAST_BIT_0;
}

int
field_send(struct field_sim *field, const struct field_frame *frame, int64_t now_ns,
           int64_t *end_ns)
{
    field_time(field, now_ns);
    *end_ns = now_ns + frame_ns(frame->bits, 0, frame->rate);
    int err = begin_visits(field);
    if (err < 0) {
        return err;
    }
    field->align = frame->bits > 8 ? frame->bits % 8 : 0;
    struct field_card *card;
    while ((card = next_card(field, now_ns)) != NULL) {
        struct field_frame out;
        if (!card_hears(field, card, frame, &out) || !field->carrier) {
            continue;
        }
        struct field_answer *answer = &field->answers[field->num_answers];
        answer->frame = out;
        answer->card = card;
        answer->frame.rate = frame->rate;
        answer->start_ns = *end_ns + carrier_ns(frame_delay_cycles(frame));
        if (answer->frame.delay_ns > 0) {
            answer->start_ns += answer->frame.delay_ns;
        }
        card->busy_until_ns = answer_end(field, answer);
        field->num_answers++;
    }
    end_visits(field);
    field->stale = true;
    return 0;
}

/* Authentication, three passes: command, nonce, {nr}{ar}, {at}. */
static struct field_auth_times
auth_times(int64_t now_ns, enum field_auth_result result)
{
    const int64_t delay = carrier_ns(ISO14443A_FDT_LAST_BIT_1);
    struct field_auth_times t = {NS_NEVER, NS_NEVER, NS_NEVER, NS_NEVER, NS_NEVER};
    t.command_end_ns = now_ns + frame_ns(32, 0, 0);
    if (result == FIELD_AUTH_SILENT) {
        return t;
    }
    t.nonce_start_ns = t.command_end_ns + delay;
    t.answer_end_ns =
        t.nonce_start_ns + frame_ns(32, 0, 0) + delay + frame_ns(64, 0, 0);
    if (result == FIELD_AUTH_OK) {
        t.token_start_ns = t.answer_end_ns + delay;
        t.done_ns = t.token_start_ns + frame_ns(32, 0, 0);
    }
    return t;
}

int
field_authenticate(struct field_sim *field, const struct field_auth *auth,
                   bool encrypted, int64_t now_ns)
{
    field_time(field, now_ns);
    int err = begin_visits(field);
    if (err < 0) {
        return err;
    }
    struct field_frame command = {.bits = 32, .flags = encrypted ? FIELD_ENCRYPTED : 0};
    command.data[0] = auth->command;
    command.data[1] = auth->block;
    iso14443a_add_crc(command.data, 2);
    struct field_frame out;
    enum field_auth_result result = FIELD_AUTH_SILENT;
    struct field_card *card;
    while ((card = next_card(field, now_ns)) != NULL) {
        if (card->encrypted != encrypted || card->ops->authenticate == NULL) {
            card_hears(field, card, &command, &out); /* its answer reaches nobody */
            continue;
        }
        int answer = card->ops->authenticate(card, auth); /* runs Python */
        if (field->visiting != card) {
            continue;
        }
        card->encrypted = answer == FIELD_AUTH_OK;
        if (answer == FIELD_AUTH_OK || answer == FIELD_AUTH_FAILED) {
            field->auth_card = card;
            result = answer;
        }
    }
    end_visits(field);
    field->auth = auth_times(now_ns, result);
    if (field->auth_card != NULL && result == FIELD_AUTH_OK) {
        field->auth_card->busy_until_ns = field->auth.done_ns;
    }
    return 0;
}

void
field_add_up(struct field_sim *field)
{
    struct field_reception *r = &field->reception;
    field->stale = false;
    unsigned offset[FIELD_CARDS_MAX];
    memset(&r->frame, 0, sizeof r->frame);
    r->start_ns = r->end_ns = NS_NEVER;
    r->collision = -1;
    r->align = field->align;
    r->parity_error = false;
    for (unsigned i = 0; i < field->num_answers; i++) {
        if (field->answers[i].frame.bits > 0 &&
            field->answers[i].start_ns < r->start_ns) {
            r->start_ns = field->answers[i].start_ns;
            r->frame.rate = field->answers[i].frame.rate;
        }
    }
    if (r->start_ns == NS_NEVER) {
        return;
    }
    int64_t bit_ns = carrier_ns(bit_cycles(r->frame.rate));
    for (unsigned i = 0; i < field->num_answers; i++) {
        int64_t later = (field->answers[i].start_ns - r->start_ns) / bit_ns;
        offset[i] = later < INT32_MAX ? (unsigned)later : INT32_MAX;
    }
    for (unsigned slot = 0; r->frame.bits < 8 * FIELD_FRAME_BYTES; slot++) {
        bool ones = false;
        bool zeros = false;
        for (unsigned i = 0; i < field->num_answers; i++) {
            int bit = slot < offset[i] ? -1
                                       : answer_slot(&field->answers[i].frame,
                                                     field->align, slot - offset[i]);
            ones |= bit == 1;
            zeros |= bit == 0;
        }
        if (!ones && !zeros) {
            break; /* silence: end of communication */
        }
        bool is_parity;
        unsigned bit = slot_data_bit(slot, field->align, &is_parity);
        if (ones && zeros && r->collision < 0) {
            r->collision = (int32_t)bit - is_parity;
        }
        if (!is_parity) {
            r->frame.data[bit / 8] |= (uint8_t)(ones << bit % 8);
            r->frame.bits = (uint16_t)(bit + 1);
        }
        else if (r->collision < 0 &&
                 ones != parity_of(&r->frame, bit >= 8 ? bit - 8 : 0, bit)) {
            r->parity_error = true;
        }
    }
    r->end_ns = r->start_ns + frame_ns(r->frame.bits, field->align, r->frame.rate);
}
