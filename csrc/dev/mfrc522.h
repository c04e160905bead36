/* The MFRC522 driver as resumable steps: no waiting, no I/O, no memory of its own.
 *
 * An operation is begun by one of the mfrc522_start_*() functions.  From then on
 * chip->step says what is needed next; whoever drives the chip does that and
 * tells mfrc522_next() what happened, until the step is DONE or FAILED:
 *
 *     mfrc522_start_poll(chip, interval_ns);
 *     mfrc522_next(chip, MFRC522_BEGIN, now, 0);
 *     while (mfrc522_is_running(chip)) {
 *         switch (chip->step.need) { ... do it ... }
 *         mfrc522_next(chip, what_happened, now, result);
 *     }
 *
 * The awaitable face drives it from the loop, the blocking face with poll(),
 * tests bare.  One RF exchange is at most two SPI messages: one arms the chip,
 * whose own timer bounds the wait and raises its interrupt, one collects.
 * Between two steps the operation can be cancelled; that is one more event.
 * Times are nanoseconds of any monotonic clock, always the same.  Python-free.
 * Sources: MFRC522 datasheet rev. 3.9, ISO/IEC 14443-3.
 */
#ifndef AH_DEV_MFRC522_H
#define AH_DEV_MFRC522_H

#include <stdbool.h>
#include <stdint.h>

#include "dev/iso14443a.h"
#include "dev/mfrc522_regs.h"
#include "dev/spi_bus.h"

/* What an operation needs next. */
enum mfrc522_need {
    MFRC522_TRANSFER, /* step.xfers: one SPI message */
    MFRC522_WAIT_IRQ, /* a falling edge of the interrupt line, or step.until_ns */
    MFRC522_WAIT,     /* step.until_ns */
    MFRC522_RESET,    /* set the reset line to step.level (1: the chip runs) */
    MFRC522_DONE,     /* the result is in the struct */
    MFRC522_FAILED,   /* step.error: enum mfrc522_error or -errno */
};

/* What happened. */
enum mfrc522_event {
    MFRC522_BEGIN,       /* first call after mfrc522_start_*() */
    MFRC522_TRANSFERRED, /* the message; result < 0: -errno */
    MFRC522_EDGE,        /* the interrupt line fell */
    MFRC522_TIME,        /* until_ns has come, and no edge */
    MFRC522_RESET_SET,   /* the reset line has the level; result < 0: -errno */
};

enum mfrc522_error {
    MFRC522_TIMEOUT = 1,    /* no answer */
    MFRC522_COLLISION,      /* several cards answered, and it was not resolved */
    MFRC522_FRAME_ERROR,    /* CRC_A, parity, length or BCC of an answer is wrong */
    MFRC522_NAK,            /* 4-bit answer other than 0xA; it is in rx[0] */
    MFRC522_AUTH_FAILED,    /* MFAuthent did not switch Crypto1 on */
    MFRC522_NO_CHIP,        /* VersionReg reads 00 or FF */
    MFRC522_BAD_READBACK,   /* registers do not hold what was written */
    MFRC522_LOST_REGISTERS, /* the chip has been reset behind our back */
    MFRC522_FIELD_OFF,      /* an RF exchange while the antenna is off */
    MFRC522_CANCELLED,
};

struct mfrc522_step {
    enum mfrc522_need need;
    const struct spi_xfer *xfers; /* TRANSFER: they point into the struct mfrc522 */
    unsigned num_xfers;
    int64_t until_ns; /* WAIT, WAIT_IRQ */
    int level;        /* RESET */
    int error;        /* FAILED */
    bool drop_edges;  /* TRANSFER: edges seen up to now are stale, drop them first */
    bool take_edges;  /* TRANSFER: say in edge_came_late if there is one afterwards */
};

#define MFRC522_BATCH_XFERS 32
#define MFRC522_BATCH_BYTES 320

/* Register accesses that go out as one SPI message, each with its own select. */
struct mfrc522_batch {
    struct spi_xfer xfers[MFRC522_BATCH_XFERS];
    unsigned num_xfers;
    unsigned num_bytes;
    uint8_t tx[MFRC522_BATCH_BYTES];
    uint8_t rx[MFRC522_BATCH_BYTES];
};

struct mfrc522_frame {
    uint8_t data[FIFO_SIZE];
    uint8_t size;
    uint8_t last_bits; /* TxLastBits: 0 = the whole last byte */
    uint8_t rx_align;
    uint8_t command; /* CMD_TRANSCEIVE or CMD_MF_AUTHENT */
    uint8_t expect;  /* bytes the answer is expected to have */
    bool prompt;     /* the answer comes after the frame delay time or never */
    bool rx_crc;     /* check and strip CRC_A of the answer */
    uint32_t timeout_us;
};

struct mfrc522;
typedef void (*mfrc522_handler)(struct mfrc522 *chip, enum mfrc522_event event);
typedef void (*mfrc522_then)(struct mfrc522 *chip, int error);

struct mfrc522 {
    /* what the driver of the steps reads */
    struct mfrc522_step step;

    /* results */
    uint8_t version;
    uint8_t atqa[2];
    uint8_t cl[ISO14443A_CL_SIZE]; /* anticollision */
    struct iso14443a_uid uid;      /* select, poll; uid.sak */
    uint8_t rx[FIFO_SIZE];
    uint8_t rx_size;
    uint8_t rx_last_bits; /* valid bits of the last byte, 0 = all */

    /* configuration; change it when no operation runs */
    bool has_irq;   /* there is an interrupt line to wait on */
    bool has_reset; /* there is a reset line */
    uint8_t gain;   /* RxGain, 0 to 7 */
    bool field;     /* the antenna is to be on */

    /* what is known */
    bool ready;            /* the registers are set up */
    bool reset_works;      /* the reset line has reset it */
    bool irq_works;        /* an edge came when one had to */
    uint32_t edges_missed; /* the chip was done, but no edge came */
    bool edge_came_late;   /* see take_edges: the machine was late, not the line dead */
    uint64_t exchanges;    /* RF exchanges begun */
    uint64_t polls;        /* REQA and WUPA of polls, */
    uint64_t requests;     /* and of requests that have ended, */
    uint64_t silences;     /* and those of these that no card answered */
    bool crypto;           /* the chip enciphers (Status2Reg.MFCrypto1On) */
    bool tag_active;       /* uid is selected and has answered ever since */

    /* private: the chip as last written */
    uint8_t com_ien;
    uint32_t reload;      /* TReload; above 0xFFFF: unknown */
    bool crypto_to_clear; /* MFCrypto1On is still set, the next message clears it */
    bool reset_low;
    bool pulsed;      /* the set-up that runs has begun by a pulse */
    bool reset_tried; /* reset_works is known */
    bool told_reset;
    bool timer_may_run; /* of an exchange that has not ended as it should */
    bool field_is_on;
    bool radiates;          /* the antenna was switched on, whatever came of that */
    int64_t field_off_ns;   /* since then */
    int64_t field_guard_ns; /* no RF exchange before */

    /* private: the operation that runs */
    bool running;
    bool begun;
    bool goes_on; /* it is one that a reset does not end */
    bool leaving; /* it is being cancelled, or shuts the chip down */
    int64_t now_ns;
    mfrc522_handler handler;   /* gets the next event */
    mfrc522_handler operation; /* runs once the chip is ready */
    struct mfrc522_batch batch;
    bool touched; /* it has begun an RF exchange */
    int64_t open_ns;

    /* private: one exchange */
    struct mfrc522_frame frame;
    mfrc522_then then; /* after it */
    uint8_t phase;
    uint8_t com_irq, error_reg, coll_reg, status2;
    uint8_t read_at[6];     /* where in batch.rx the collected registers are */
    uint8_t fifo_asked;     /* bytes of FIFO in the batch */
    int64_t expiry_ns;      /* the chip's own timer must have ended it by then */
    int64_t check_every_ns; /* without interrupt line: the next interval */
    uint8_t guards;         /* guard times that have passed */
    uint8_t misses_in_row;

    /* private: cards */
    mfrc522_then after_card; /* after select or halt as part of an operation */
    uint8_t card_phase;      /* of select */
    uint8_t poll_phase;      /* of poll and absence */
    bool poll_absence;
    uint8_t known_bits; /* of cl */
    uint8_t wanted[ISO14443A_UID_MAX];
    uint8_t wanted_size; /* 0: select whoever answers */
    bool reported;       /* a poll gave `reported_uid` out; it may still be there */
    uint8_t reported_uid[ISO14443A_UID_MAX];
    uint8_t reported_size;
    bool unsettled; /* a card may be in a state that ignores one REQA */
    int64_t interval_ns;
    int64_t cycle_ns;
    uint8_t restarts;
    uint8_t retries;
    bool retry_silence; /* even if the request was not answered at all */
    uint8_t absences;
    uint8_t block_data[MIFARE_BLOCK_SIZE];
};

/* A chip with nothing known about it: the first operation resets it. */
void mfrc522_init(struct mfrc522 *chip, bool has_irq, bool has_reset);

static inline bool
mfrc522_is_running(const struct mfrc522 *chip)
{
    return chip->running;
}

/* Tell what happened; afterwards chip->step says what is next. */
void mfrc522_next(struct mfrc522 *chip, enum mfrc522_event event, int64_t now_ns,
                  int result);

/* End the operation that runs: what follows are TRANSFER and RESET steps only,
 * after which the chip is idle, its interrupt masked, its field as configured,
 * and the step FAILED with MFRC522_CANCELLED.  Nothing runs: nothing happens.
 * Not between getting a TRANSFER step and telling its outcome. */
void mfrc522_cancel(struct mfrc522 *chip, int64_t now_ns);

/* Forget the operation that runs, without any step: nothing can be transferred.
 * The next operation resets the chip, unless this one had not even begun. */
void mfrc522_abandon(struct mfrc522 *chip);

/* Somebody else has pulled the reset line.  The chip is set up again before its next
 * exchange, without a pulse: that would tell whoever else is on the line.  A poll or
 * absence that runs goes on; another operation in an exchange has lost its registers.
 */
void mfrc522_told_reset(struct mfrc522 *chip);

/* Forget the card that a poll gave out: if it is still there, it is found again. */
void mfrc522_forget(struct mfrc522 *chip);

/* Operations.  None may be started while one runs.  All of them first reset and
 * set up a chip that is not ready. */

/* Reset and set up, whatever is known; fills version, reset_works, irq_works. */
void mfrc522_start_open(struct mfrc522 *chip);

/* Write gain and field as configured. */
void mfrc522_start_configure(struct mfrc522 *chip);

/* Field off, idle, interrupt masked; for close. */
void mfrc522_start_shutdown(struct mfrc522 *chip);

/* One frame and its answer (rx).  add_crc: behind tx; check_crc: of the answer.
 * bits: valid bits of the last byte (0 = 8).  timeout_us: 1 to
 * MFRC522_TIMEOUT_MAX_US.  0, or -EINVAL: too long, or no such timeout. */
#define MFRC522_TIMEOUT_MAX_US 1600000
int mfrc522_start_transceive(struct mfrc522 *chip, const uint8_t *tx, unsigned size,
                             unsigned bits, bool add_crc, bool check_crc,
                             uint32_t timeout_us);

/* REQA, or WUPA: atqa.  Twice, when a card may be awake: it ignores the first. */
void mfrc522_start_request(struct mfrc522 *chip, bool wakeup);

/* Anticollision of one cascade level, 0 to 2, without select: cl. */
void mfrc522_start_anticollision(struct mfrc522 *chip, unsigned level);

/* Anticollision and select through all levels: uid.  With a wanted UID (size 4,
 * 7 or 10) only that card.  0 or -EINVAL. */
int mfrc522_start_select(struct mfrc522 *chip, const uint8_t *wanted, unsigned size);

/* HLTA, then Crypto1 off. */
void mfrc522_start_halt(struct mfrc522 *chip);

/* MIFARE Classic, for the selected card. */
void mfrc522_start_authenticate(struct mfrc522 *chip, uint8_t command, uint8_t block,
                                const uint8_t *key6, const uint8_t *uid4);
void mfrc522_start_read(struct mfrc522 *chip, uint8_t block); /* rx: 16 bytes */
void mfrc522_start_write(struct mfrc522 *chip, uint8_t block, const uint8_t *data16);
void mfrc522_start_stop_crypto(struct mfrc522 *chip);

/* REQA every interval until a card answers, and select it: atqa, uid.  The card
 * that the poll before this one has found is halted first, so that it is not
 * found again until it left the field. */
void mfrc522_start_poll(struct mfrc522 *chip, int64_t interval_ns);

/* Every interval, wake and select the wanted card and halt it again, until it is
 * missing twice in a row.  0 or -EINVAL. */
int mfrc522_start_absence(struct mfrc522 *chip, const uint8_t *uid, unsigned size,
                          int64_t interval_ns);

#endif
