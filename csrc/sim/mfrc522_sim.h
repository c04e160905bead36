/* A simulated MFRC522, register by register (NXP datasheet rev. 3.9).
 *
 * Passive: every access says what time it is and first lets happen what was
 * due until then; mfrc522_sim_next_due() says when the pin IRQ may change next.
 * mfrc522_sim_advance() is pure C: card code (field_sim.h) runs only inside the
 * register write that starts a transmission or an authentication, and there the
 * chip's time stands still.  Not thread-safe: the owner has one lock for chip,
 * field and lines.  Not modelled: the analog part and its registers (they keep
 * what is written), the bits of Crypto1, TGated, UART and I2C, refilling the
 * FIFO during a transmission (what is in it at the start is what is sent).
 * Python-free.
 */
#ifndef AH_SIM_MFRC522_SIM_H
#define AH_SIM_MFRC522_SIM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "dev/mfrc522_regs.h"
#include "sim/field_sim.h"

struct mfrc522_sim;

/* Pin IRQ; by itself an open-drain pin that is not low is IRQ_HIGH_Z. */
enum mfrc522_irq_level { MFRC522_IRQ_LOW, MFRC522_IRQ_HIGH, MFRC522_IRQ_HIGH_Z };

/* 8.8: 1024 cycles of 27.12 MHz; the crystal itself is taken to start at once. */
#define MFRC522_SIM_OSCILLATOR_NS 37760

struct mfrc522_sim_config {
    uint8_t version;         /* VersionReg; 0: VERSION_MFRC522_2 */
    uint32_t seed;           /* of GenerateRandomID */
    int64_t oscillator_ns;   /* start-up; 0: MFRC522_SIM_OSCILLATOR_NS */
    struct field_sim *field; /* its antenna; outlives the chip */
    /* Pin IRQ changed at at_ns (not later than the time of the call that let it
     * happen).  Called from any function below that takes a time; must not call
     * back.  NULL: not connected. */
    void (*irq)(void *ctx, enum mfrc522_irq_level level, int64_t at_ns);
    void *irq_ctx;
};

/* Power-on reset at now_ns, with pin NRSTPD high.  NULL: no memory. */
struct mfrc522_sim *mfrc522_sim_new(const struct mfrc522_sim_config *config,
                                    int64_t now_ns);
void mfrc522_sim_free(struct mfrc522_sim *sim); /* NULL: nothing */

/* Let happen what is due up to and including now_ns; a time in the past is now. */
void mfrc522_sim_advance(struct mfrc522_sim *sim, int64_t now_ns);

/* When the pin IRQ may change without an access, or NS_NEVER.  Not before the
 * present; the present only after a card has left or the field has changed. */
int64_t mfrc522_sim_next_due(struct mfrc522_sim *sim);

/* Pin NRSTPD.  Low: hard power-down, carrier off, everything reads 0.  Rising:
 * reset; until the oscillator runs PowerDown reads 1 and writes are lost. */
void mfrc522_sim_set_nrstpd(struct mfrc522_sim *sim, bool high, int64_t now_ns);

enum mfrc522_irq_level mfrc522_sim_irq_level(const struct mfrc522_sim *sim);

/* SPI: pin NSS falls, bytes go both ways, NSS rises.  shift() is called at the
 * end of each byte and gives what was on MISO meanwhile; NSS itself does nothing. */
void mfrc522_sim_select(struct mfrc522_sim *sim);
uint8_t mfrc522_sim_shift(struct mfrc522_sim *sim, uint8_t mosi,
                          int64_t now_ns); /* runs Python */
void mfrc522_sim_deselect(struct mfrc522_sim *sim);

/* n bytes, the first of which ends at now_ns + byte_ns, and so on.  tx NULL:
 * zeros; rx NULL: not wanted; they may be the same buffer.  select() before and
 * deselect() after are the caller's, for one access may be many transfers. */
void mfrc522_sim_transfer(struct mfrc522_sim *sim, const uint8_t *tx, uint8_t *rx,
                          size_t n, int64_t now_ns, int64_t byte_ns); /* runs Python */

/* One register access, as by SPI (side effects included).  addr < 64. */
uint8_t mfrc522_sim_read(struct mfrc522_sim *sim, uint8_t addr, int64_t now_ns);
void mfrc522_sim_write(struct mfrc522_sim *sim, uint8_t addr, uint8_t value,
                       int64_t now_ns); /* runs Python */

/* A register's value without side effects, at the chip's present time. */
uint8_t mfrc522_sim_peek(const struct mfrc522_sim *sim, uint8_t addr);

#endif
