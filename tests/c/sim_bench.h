/* One simulated MFRC522 on an SPI bus at 1 MHz, and what a driver does with it.
 *
 * For the tests of the chip: registers by SPI in virtual time (`now`), the pin
 * IRQ as last told, frames sent as pi-rc522 sends them.
 */
#ifndef TESTS_SIM_BENCH_H
#define TESTS_SIM_BENCH_H

#include "check.h"
#include "sim/mfrc522_sim.h"
#include "sim_card.h"

#define BITS_NS(n) ((int64_t)(n) * 128 * 25000 / 339)
#define CYCLES_NS(n) ((int64_t)(n) * 25000 / 339)

/* One chip on one SPI bus at 1 MHz, with its antenna and its IRQ pin. */
static struct field_sim field;
static struct mfrc522_sim *chip;
static int64_t now;

static enum mfrc522_irq_level pin;
static unsigned edges;
static int64_t edge_at;

static inline void
on_irq(void *ctx, enum mfrc522_irq_level level, int64_t at_ns)
{
    (void)ctx;
    pin = level;
    edges++;
    edge_at = at_ns;
}

static inline void
setup(void)
{
    struct mfrc522_sim_config config = {.field = &field, .irq = on_irq, .seed = 1};
    now = 1000;
    field_init(&field, now);
    chip = mfrc522_sim_new(&config, now);
    pin = mfrc522_sim_irq_level(chip);
    edges = 0;
    now += NS_PER_MS;
}

static inline void
teardown(void)
{
    mfrc522_sim_free(chip);
    chip = NULL;
}

static inline void
spi(const uint8_t *tx, uint8_t *rx, size_t n)
{
    mfrc522_sim_select(chip);
    mfrc522_sim_transfer(chip, tx, rx, n, now, 8000);
    now += (int64_t)n * 8000;
    mfrc522_sim_deselect(chip);
}

static inline void
wr(uint8_t reg, uint8_t value)
{
    spi((const uint8_t[]){MFRC522_SPI_WRITE(reg), value}, NULL, 2);
}

static inline uint8_t
rd(uint8_t reg)
{
    uint8_t rx[2];
    spi((const uint8_t[]){MFRC522_SPI_READ(reg), 0}, rx, 2);
    return rx[1];
}

static inline void
set_bits(uint8_t reg, uint8_t bits)
{
    wr(reg, rd(reg) | bits);
}

static inline void
clear_bits(uint8_t reg, uint8_t bits)
{
    wr(reg, (uint8_t)(rd(reg) & ~bits));
}

static inline void
wait_us(int64_t us)
{
    now += us * NS_PER_US;
    mfrc522_sim_advance(chip, now);
}

/* pi-rc522's init(): soft reset, 15.5 ms timer, 100 % ASK, antenna on. */
static inline void
init_like_pirc522(void)
{
    wr(COMMAND_REG, CMD_SOFT_RESET);
    wr(T_MODE_REG, 0x8D);
    wr(T_PRESCALER_REG, 0x3E);
    wr(T_RELOAD_REG_L, 30);
    wr(T_RELOAD_REG_H, 0);
    wr(TX_ASK_REG, 0x40);
    wr(MODE_REG, 0x3D);
    set_bits(TX_CONTROL_REG, 0x03);
}

/* Everything up to StartSend; what is sent is `bits` bits of tx. */
static inline void
start_transceive(const uint8_t *tx, unsigned bits)
{
    wr(COMMAND_REG, CMD_IDLE);
    wr(COM_IRQ_REG, COM_IRQ_ALL);
    wr(FIFO_LEVEL_REG, FIFO_LEVEL_FLUSH_BUFFER);
    for (unsigned i = 0; i < (bits + 7) / 8; i++) {
        wr(FIFO_DATA_REG, tx[i]);
    }
    uint8_t framing = rd(BIT_FRAMING_REG) & BIT_FRAMING_RX_ALIGN_MASK;
    wr(BIT_FRAMING_REG, framing | bits % 8);
    wr(COMMAND_REG, CMD_TRANSCEIVE);
    wr(BIT_FRAMING_REG, framing | bits % 8 | BIT_FRAMING_START_SEND);
}

/* ComIrqReg once RxIRq, IdleIRq or TimerIRq is set; polls every 100 us. */
static inline uint8_t
poll_irq(uint8_t wanted)
{
    for (int i = 0; i < 1000; i++) {
        uint8_t irq = rd(COM_IRQ_REG);
        if ((irq & wanted) != 0) {
            return irq;
        }
        wait_us(100);
    }
    CHECK(!"no interrupt");
    return 0;
}

static inline uint8_t
transceive(const uint8_t *tx, unsigned bits)
{
    start_transceive(tx, bits);
    return poll_irq(COM_IRQ_RX | COM_IRQ_TIMER);
}

static inline unsigned
read_fifo(uint8_t *bytes)
{
    unsigned n = rd(FIFO_LEVEL_REG);
    for (unsigned i = 0; i < n; i++) {
        bytes[i] = rd(FIFO_DATA_REG);
    }
    return n;
}

static inline void
anticollision(const uint8_t *cl, unsigned known)
{
    uint8_t frame[8];
    unsigned bits;
    iso14443a_anticollision_frame(frame, 0, cl, known, &bits);
    wr(BIT_FRAMING_REG, BIT_FRAMING_RX_ALIGN(known % 8));
    transceive(frame, bits);
    CHECK_EQ(rd(COM_IRQ_REG) & COM_IRQ_RX, COM_IRQ_RX);
}

/* REQA, ANTICOLLISION without bits known and SELECT of one card. */
static inline void
select_card(struct test_card *card)
{
    uint8_t cl[ISO14443A_CL_SIZE];
    uint8_t frame[ISO14443A_SELECT_SIZE];
    transceive((const uint8_t[]){ISO14443A_REQA}, 7);
    iso14443a_cl_of_uid(cl, card->uid, 4, 0);
    iso14443a_select_frame(frame, 0, cl);
    wr(BIT_FRAMING_REG, 0);
    transceive(frame, 72);
    CHECK_EQ(card->state, CARD_ACTIVE);
}

static inline void
authenticate(const struct test_card *card, uint8_t block, const uint8_t *key)
{
    wr(COMMAND_REG, CMD_IDLE);
    wr(COM_IRQ_REG, COM_IRQ_ALL);
    wr(FIFO_LEVEL_REG, FIFO_LEVEL_FLUSH_BUFFER);
    wr(FIFO_DATA_REG, MIFARE_AUTH_KEY_A);
    wr(FIFO_DATA_REG, block);
    for (int i = 0; i < 6; i++) {
        wr(FIFO_DATA_REG, key[i]);
    }
    for (int i = 0; i < 4; i++) {
        wr(FIFO_DATA_REG, card->uid[i]);
    }
    wr(COMMAND_REG, CMD_MF_AUTHENT);
}

#endif
