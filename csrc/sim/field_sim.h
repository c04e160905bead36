/* The RF field of one simulated reader: carrier, cards, frames on the air.
 *
 * Passive: whoever owns it says what happens and when (ns of base/clock.h).
 * Card code runs inside field_send() and field_authenticate() only; what it
 * answers is kept here and read later, so nothing else ever calls a card.  A
 * card may leave (or be freed, once it has left) from inside its own call.
 * Several answers add up bit by bit, as in Manchester code: where they differ
 * there is a collision.  A card that leaves, or a carrier that goes off, cuts
 * an answer short.  Times: ISO/IEC 14443-2 (128/fc per bit at 106 kbit/s) and
 * -3 (frame delay time 1172/fc or 1236/fc).  Not modelled: distance, noise,
 * distinct bit rates of one exchange.  Not thread-safe.  Python-free.
 */
#ifndef AH_SIM_FIELD_SIM_H
#define AH_SIM_FIELD_SIM_H

#include <stdbool.h>
#include <stdint.h>

#define FIELD_FRAME_BYTES 256
#define FIELD_CARDS_MAX 16

/* What a card is told, or says, beside the bits. */
enum field_flags {
    FIELD_ENCRYPTED = 1,  /* in: the reader's Crypto1 unit is on */
    FIELD_GARBLED = 2,    /* in: noise to this card (one side encrypts, the other
                           * does not): it falls back to IDLE or HALT, no answer */
    FIELD_CRYPTO_OFF = 4, /* out: with this the card leaves the authenticated state
                           * (NAK, HLTA, or any frame that it rejects) */
    FIELD_BAD_PARITY = 8, /* out: the parity bit of its last byte is wrong */
};

/* A frame without its start, end and parity bits.  The least significant bit
 * of data[0] travels first.  7 bits are a short frame (REQA, WUPA), 4 bits a
 * MIFARE ACK; CRC_A is just bytes.  The answer to an ANTICOLLISION frame that
 * ends inside a byte begins with the rest of that byte, at bit 0 of data[0]. */
struct field_frame {
    uint8_t data[FIELD_FRAME_BYTES];
    uint16_t bits;
    uint8_t rate;     /* 106 kbit/s << rate, 0 to 3; an answer has the question's */
    uint8_t flags;    /* enum field_flags */
    int64_t delay_ns; /* out: later than the frame delay time by this much
                       * (programming a block: up to 10 ms) */
};

/* What the reader's MFAuthent sends; the cipher itself is not modelled. */
struct field_auth {
    uint8_t command; /* 0x60 key A, 0x61 key B */
    uint8_t block;
    uint8_t key[6];
    uint8_t uid[4];
};

enum field_auth_result {
    FIELD_AUTH_SILENT = 0, /* not selected, no such block: to IDLE or HALT, no answer */
    FIELD_AUTH_OK = 1,     /* from now on both sides encrypt */
    FIELD_AUTH_FAILED = 2, /* it sent its nonce, then rejected the reader */
};

struct field_card;

/* A card's code.  `now` of the exchange is the field's (field_now). */
struct field_card_ops {
    /* Before the first frame that it hears since it got power: state POWER-ON. */
    void (*power_up)(struct field_card *card);
    /* A frame that it hears.  1: *out is its answer (bits > 0); 0: silent; or
     * -errno: its code failed, which is silence too (the card keeps the reason).
     * *out is zeroed but for the rate. */
    int (*exchange)(struct field_card *card, const struct field_frame *in,
                    struct field_frame *out);
    /* A field_auth_result; NULL: a card without MIFARE Classic authentication. */
    int (*authenticate)(struct field_card *card, const struct field_auth *auth);
};

/* One card; the owner embeds it, zeroes it, fills the first two and keeps it
 * alive while it is in a field. */
struct field_card {
    const struct field_card_ops *ops;
    int64_t power_up_ns; /* from carrier (or entry) until it hears: 0.5 to 5 ms */
    /* the field's */
    struct field_sim *field; /* NULL: in no field */
    struct field_card *next;
    uint64_t entry; /* serial number of its entry */
    int64_t entered_ns;
    int64_t busy_until_ns; /* computing or answering: it hears nothing */
    uint32_t heard_epoch;  /* carrier epoch in which it was powered up; 0 never */
    bool encrypted;        /* authenticated */
};

/* What the reader's antenna picks up after a frame: all answers, added up. */
struct field_reception {
    struct field_frame frame;
    int64_t start_ns; /* NS_NEVER: nothing */
    int64_t end_ns;
    int32_t collision; /* first data bit where answers differ, from 0; -1 none */
    uint8_t align;     /* bit of its byte at which the frame begins (ANTICOLLISION) */
    bool parity_error;
};

/* Milestones of an authentication; NS_NEVER: it does not get there. */
struct field_auth_times {
    int64_t command_end_ns;
    int64_t nonce_start_ns;
    int64_t answer_end_ns; /* the reader's {nr}{ar} has been sent */
    int64_t token_start_ns;
    int64_t done_ns; /* authenticated */
};

/* One card's answer to the last frame. */
struct field_answer {
    struct field_frame frame;
    struct field_card *card; /* NULL: it has left */
    int64_t start_ns;
};

struct field_sim {
    struct field_card *cards;
    unsigned num_cards;
    int64_t now_ns;
    bool carrier;
    int64_t carrier_since_ns;
    uint32_t carrier_epoch;       /* number of times the carrier went on */
    uint64_t entries;             /* cards that ever came in */
    bool busy;                    /* a card's code is running */
    uint64_t last_entry;          /* of the cards whose turn it may be */
    struct field_card *visiting;  /* whose code runs; NULL when that card has left */
    struct field_card *following; /* whose turn is next */
    struct field_answer answers[FIELD_CARDS_MAX];
    unsigned num_answers;
    uint8_t align; /* of the answers */
    bool stale;    /* reception must be added up again */
    struct field_reception reception;
    struct field_card *auth_card;
    struct field_auth_times auth;
};

void field_init(struct field_sim *field, int64_t now_ns);

/* The transmitter's output.  Off: every card loses its state and answers stop. */
void field_carrier(struct field_sim *field, bool on, int64_t now_ns);

/* 0; -EBUSY: the card is in a field already; -ENOSPC: FIELD_CARDS_MAX are in. */
int field_enter(struct field_sim *field, struct field_card *card, int64_t now_ns);

/* No-op when it is not in this field.  Afterwards the card may be freed. */
void field_leave(struct field_sim *field, struct field_card *card, int64_t now_ns);

/* Has it had power for long enough to hear a frame that begins now? */
bool field_card_hears(const struct field_sim *field, const struct field_card *card,
                      int64_t now_ns);

/* The reader begins to send `frame` now.  Forgets the answers to the last one.
 * Runs the cards' code.  *end_ns: the frame's end.  0, or -EBUSY: a card's code
 * is running already, nobody hears this. */
int field_send(struct field_sim *field, const struct field_frame *frame, int64_t now_ns,
               int64_t *end_ns); /* runs Python */

/* The reader begins an authentication now; field->auth holds the times.
 * `encrypted`: its Crypto1 unit is on (nested authentication).  As field_send. */
int field_authenticate(struct field_sim *field, const struct field_auth *auth,
                       bool encrypted, int64_t now_ns); /* runs Python */

/* Add up the answers anew. */
void field_add_up(struct field_sim *field);

/* What came back, as known now; start_ns NS_NEVER: nothing.  Valid until the
 * next call.  Only bits before the present are final. */
static inline const struct field_reception *
field_reception(struct field_sim *field)
{
    if (field->stale) {
        field_add_up(field);
    }
    return &field->reception;
}

/* Forget answers that are under way (the reader listens no more). */
void field_forget(struct field_sim *field);

/* ns that `bits` data bits with their parity bits take, from start of
 * communication to the end of the last of them (no end of communication). */
int64_t field_bits_ns(unsigned bits, unsigned align, unsigned rate);

/* Cycles of the 13.56 MHz carrier: one is 25000/339 ns. */
static inline int64_t
carrier_ns(int64_t cycles)
{
    return cycles * 25000 / 339;
}

static inline int64_t
field_now(const struct field_sim *field)
{
    return field->now_ns;
}

#endif
