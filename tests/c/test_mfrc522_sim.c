/* sim/mfrc522_sim.c: registers, interrupts, timer and RF as a driver sees them. */
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

static void
on_irq(void *ctx, enum mfrc522_irq_level level, int64_t at_ns)
{
    (void)ctx;
    pin = level;
    edges++;
    edge_at = at_ns;
}

static void
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

static void
teardown(void)
{
    mfrc522_sim_free(chip);
    chip = NULL;
}

static void
spi(const uint8_t *tx, uint8_t *rx, size_t n)
{
    mfrc522_sim_select(chip, now);
    mfrc522_sim_transfer(chip, tx, rx, n, now, 8000);
    now += (int64_t)n * 8000;
    mfrc522_sim_deselect(chip, now);
}

static void
wr(uint8_t reg, uint8_t value)
{
    spi((const uint8_t[]){MFRC522_SPI_WRITE(reg), value}, NULL, 2);
}

static uint8_t
rd(uint8_t reg)
{
    uint8_t rx[2];
    spi((const uint8_t[]){MFRC522_SPI_READ(reg), 0}, rx, 2);
    return rx[1];
}

static void
set_bits(uint8_t reg, uint8_t bits)
{
    wr(reg, rd(reg) | bits);
}

static void
clear_bits(uint8_t reg, uint8_t bits)
{
    wr(reg, (uint8_t)(rd(reg) & ~bits));
}

static void
wait_us(int64_t us)
{
    now += us * NS_PER_US;
    mfrc522_sim_advance(chip, now);
}

/* pi-rc522's init(): soft reset, 15.5 ms timer, 100 % ASK, antenna on. */
static void
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
static void
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
static uint8_t
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

static uint8_t
transceive(const uint8_t *tx, unsigned bits)
{
    start_transceive(tx, bits);
    return poll_irq(COM_IRQ_RX | COM_IRQ_TIMER);
}

static unsigned
read_fifo(uint8_t *bytes)
{
    unsigned n = rd(FIFO_LEVEL_REG);
    for (unsigned i = 0; i < n; i++) {
        bytes[i] = rd(FIFO_DATA_REG);
    }
    return n;
}

static void
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
static void
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

static void
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

static void
test_reset_values(void)
{
    static const uint8_t want[MFRC522_REGISTERS] = {
        [0x01] = 0x20, [0x02] = 0x80, [0x04] = 0x14, [0x07] = 0x21, [0x0B] = 0x08,
        [0x0C] = 0x10, [0x0E] = 0xA0, [0x11] = 0x3F, [0x14] = 0x80, [0x16] = 0x10,
        [0x17] = 0x84, [0x18] = 0x84, [0x19] = 0x4D, [0x1C] = 0x62, [0x1F] = 0xEB,
        [0x21] = 0xFF, [0x22] = 0xFF, [0x24] = 0x26, [0x26] = 0x48, [0x27] = 0x88,
        [0x28] = 0x20, [0x29] = 0x20, [0x36] = 0x40, [0x37] = 0x92,
    };
    setup();
    for (uint8_t reg = 0; reg < MFRC522_REGISTERS; reg++) {
        CHECK_EQ(rd(reg), want[reg]);
    }
    for (uint8_t reg = 0; reg < MFRC522_REGISTERS; reg++) {
        if (reg != COMMAND_REG) {
            wr(reg, 0xFF);
        }
    }
    wr(COMMAND_REG, CMD_SOFT_RESET);
    for (uint8_t reg = 0; reg < MFRC522_REGISTERS; reg++) {
        CHECK_EQ(rd(reg), want[reg]);
    }
    teardown();
}

static void
test_version(void)
{
    struct mfrc522_sim_config config = {.field = &field, .version = VERSION_FM17522};
    setup();
    teardown();
    chip = mfrc522_sim_new(&config, now);
    CHECK_EQ(rd(VERSION_REG), VERSION_FM17522);
    teardown();
}

static void
test_nrstpd(void)
{
    setup();
    init_like_pirc522();
    CHECK(field.carrier);
    mfrc522_sim_set_nrstpd(chip, false, now);
    CHECK(!field.carrier);
    CHECK_EQ(rd(VERSION_REG), 0);
    CHECK_EQ(rd(COMMAND_REG), 0);
    wait_us(100);
    mfrc522_sim_set_nrstpd(chip, true, now);
    int64_t ready = now + MFRC522_SIM_OSCILLATOR_NS;
    CHECK_EQ(mfrc522_sim_read(chip, COMMAND_REG, ready - 1), 0x30);
    mfrc522_sim_write(chip, T_RELOAD_REG_L, 7, ready - 1);
    CHECK_EQ(mfrc522_sim_read(chip, COMMAND_REG, ready), 0x20);
    now = ready;
    CHECK_EQ(rd(T_RELOAD_REG_L), 0);
    CHECK_EQ(rd(T_MODE_REG), 0);
    teardown();
}

static void
test_soft_power_down(void)
{
    setup();
    init_like_pirc522();
    wr(FIFO_DATA_REG, 0x42);
    wr(COMMAND_REG, COMMAND_POWER_DOWN);
    CHECK(!field.carrier);
    CHECK_EQ(rd(COMMAND_REG), COMMAND_POWER_DOWN);
    CHECK_EQ(rd(T_MODE_REG), 0x8D);
    CHECK_EQ(rd(FIFO_LEVEL_REG), 1);
    mfrc522_sim_write(chip, COMMAND_REG, CMD_IDLE, now);
    CHECK_EQ(mfrc522_sim_peek(chip, COMMAND_REG), COMMAND_POWER_DOWN);
    wait_us(38);
    CHECK_EQ(mfrc522_sim_peek(chip, COMMAND_REG), 0);
    CHECK(field.carrier);
    CHECK_EQ(field.carrier_since_ns, now - 38 * NS_PER_US + MFRC522_SIM_OSCILLATOR_NS);
    teardown();
}

static void
test_spi_bursts(void)
{
    uint8_t rx[6];
    setup();
    spi((const uint8_t[]){MFRC522_SPI_WRITE(FIFO_DATA_REG), 1, 2, 3, 4}, NULL, 5);
    CHECK_EQ(rd(FIFO_LEVEL_REG), 4);
    /* MISO lags one byte; every byte is the address of the next value. */
    const uint8_t fifo = MFRC522_SPI_READ(FIFO_DATA_REG);
    spi((const uint8_t[]){fifo, fifo, MFRC522_SPI_READ(VERSION_REG), fifo, 0, 0}, rx,
        6);
    CHECK_BYTES(rx, 0, 1, 2, 0x92, 3, 0);
    CHECK_EQ(rd(FIFO_LEVEL_REG), 1);
    /* Without chip select nothing happens. */
    CHECK_EQ(mfrc522_sim_shift(chip, fifo, now), 0);
    CHECK_EQ(mfrc522_sim_shift(chip, 0, now), 0);
    CHECK_EQ(rd(FIFO_LEVEL_REG), 1);
    teardown();
}

static void
test_irq_registers(void)
{
    setup();
    CHECK_EQ(rd(COM_IRQ_REG), 0x14);
    wr(COM_IRQ_REG, 0x00);
    CHECK_EQ(rd(COM_IRQ_REG), 0x14);
    wr(COM_IRQ_REG, COM_IRQ_IDLE);
    CHECK_EQ(rd(COM_IRQ_REG), COM_IRQ_LO_ALERT);
    wr(COM_IRQ_REG, COM_IRQ_SET1 | COM_IRQ_TX | COM_IRQ_RX);
    CHECK_EQ(rd(COM_IRQ_REG), COM_IRQ_LO_ALERT | COM_IRQ_TX | COM_IRQ_RX);
    clear_bits(COM_IRQ_REG, COM_IRQ_SET1);
    CHECK_EQ(rd(COM_IRQ_REG), 0);
    wr(DIV_IRQ_REG, DIV_IRQ_SET2 | 0x7F);
    CHECK_EQ(rd(DIV_IRQ_REG), DIV_IRQ_CRC | DIV_IRQ_MFIN_ACT);
    wr(DIV_IRQ_REG, DIV_IRQ_CRC);
    CHECK_EQ(rd(DIV_IRQ_REG), DIV_IRQ_MFIN_ACT);
    /* An Idle that the host writes requests nothing. */
    wr(COM_IRQ_REG, COM_IRQ_ALL);
    wr(COMMAND_REG, CMD_TRANSCEIVE);
    wr(COMMAND_REG, CMD_IDLE);
    CHECK_EQ(rd(COM_IRQ_REG), 0);
    teardown();
}

static void
test_irq_pin(void)
{
    setup();
    /* Reset: inverted open drain, nothing enabled. */
    CHECK_EQ(pin, MFRC522_IRQ_HIGH_Z);
    wr(COM_IRQ_REG, COM_IRQ_ALL);
    wr(COM_IEN_REG, COM_IEN_IRQ_INV | COM_IRQ_RX);
    CHECK_EQ(edges, 0);
    wr(COM_IRQ_REG, COM_IRQ_SET1 | COM_IRQ_RX);
    CHECK_EQ(pin, MFRC522_IRQ_LOW);
    CHECK_EQ(edges, 1);
    CHECK_EQ(edge_at, now);
    CHECK_EQ(rd(STATUS1_REG) & STATUS1_IRQ, STATUS1_IRQ);
    wr(COM_IRQ_REG, COM_IRQ_RX);
    CHECK_EQ(pin, MFRC522_IRQ_HIGH_Z);
    wr(DIV_IEN_REG, DIV_IEN_IRQ_PUSH_PULL);
    CHECK_EQ(pin, MFRC522_IRQ_HIGH);
    wr(COM_IEN_REG, COM_IRQ_RX);
    CHECK_EQ(pin, MFRC522_IRQ_LOW);
    wr(COM_IRQ_REG, COM_IRQ_SET1 | COM_IRQ_RX);
    CHECK_EQ(pin, MFRC522_IRQ_HIGH);
    wr(DIV_IEN_REG, 0);
    CHECK_EQ(pin, MFRC522_IRQ_HIGH_Z);
    wr(COM_IEN_REG, 0);
    CHECK_EQ(pin, MFRC522_IRQ_LOW);
    mfrc522_sim_set_nrstpd(chip, false, now);
    CHECK_EQ(pin, MFRC522_IRQ_HIGH_Z);
    teardown();
}

static void
test_fifo_levels(void)
{
    setup();
    wr(COM_IRQ_REG, COM_IRQ_ALL);
    for (int i = 0; i < 9; i++) {
        wr(FIFO_DATA_REG, (uint8_t)i);
    }
    CHECK_EQ(rd(FIFO_LEVEL_REG), 9);
    CHECK_EQ(rd(STATUS1_REG) & (STATUS1_LO_ALERT | STATUS1_HI_ALERT), 0);
    CHECK_EQ(rd(COM_IRQ_REG), COM_IRQ_LO_ALERT);
    wr(COM_IRQ_REG, COM_IRQ_ALL);
    for (int i = 9; i < 56; i++) {
        CHECK_EQ(rd(STATUS1_REG) & STATUS1_HI_ALERT, 0);
        wr(FIFO_DATA_REG, (uint8_t)i);
    }
    CHECK_EQ(rd(STATUS1_REG) & STATUS1_HI_ALERT, STATUS1_HI_ALERT);
    CHECK_EQ(rd(COM_IRQ_REG), COM_IRQ_HI_ALERT);
    for (int i = 56; i < 64; i++) {
        wr(FIFO_DATA_REG, (uint8_t)i);
    }
    CHECK_EQ(rd(ERROR_REG), 0);
    wr(FIFO_DATA_REG, 0xEE);
    CHECK_EQ(rd(ERROR_REG), ERROR_BUFFER_OVFL);
    CHECK_EQ(rd(COM_IRQ_REG) & COM_IRQ_ERR, COM_IRQ_ERR);
    CHECK_EQ(rd(FIFO_LEVEL_REG), 64);
    for (int i = 0; i < 64; i++) {
        CHECK_EQ(rd(FIFO_DATA_REG), i);
    }
    CHECK_EQ(rd(FIFO_DATA_REG), 0);
    CHECK_EQ(rd(FIFO_LEVEL_REG), 0);
    wr(FIFO_DATA_REG, 1);
    wr(FIFO_LEVEL_REG, FIFO_LEVEL_FLUSH_BUFFER);
    CHECK_EQ(rd(FIFO_LEVEL_REG), 0);
    CHECK_EQ(rd(ERROR_REG), 0);
    teardown();
}

static void
test_timer(void)
{
    /* 13.56 MHz / (2 * 3390 + 1), 31 ticks: 15.5 ms */
    const int64_t period = CYCLES_NS(6781 * 31);
    setup();
    wr(T_MODE_REG, 0x0D);
    wr(T_PRESCALER_REG, 0x3E);
    wr(T_RELOAD_REG_L, 30);
    wr(COM_IRQ_REG, COM_IRQ_ALL);
    wr(COM_IEN_REG, COM_IEN_IRQ_INV | COM_IRQ_TIMER);
    CHECK_EQ(mfrc522_sim_next_due(chip), NS_NEVER);
    mfrc522_sim_write(chip, CONTROL_REG, CONTROL_T_START_NOW, now);
    int64_t started = now;
    CHECK_EQ(mfrc522_sim_next_due(chip), started + period);
    CHECK_EQ(rd(STATUS1_REG) & STATUS1_T_RUNNING, STATUS1_T_RUNNING);
    CHECK_EQ(rd(T_COUNTER_VAL_REG_L), 30);
    now = started + CYCLES_NS(6781 * 21) - 10;
    CHECK_EQ(mfrc522_sim_read(chip, T_COUNTER_VAL_REG_L, now), 10);
    mfrc522_sim_advance(chip, started + period - 1);
    CHECK_EQ(edges, 0);
    mfrc522_sim_advance(chip, started + period + 12345);
    CHECK_EQ(edges, 1);
    CHECK_EQ(edge_at, started + period);
    CHECK_EQ(pin, MFRC522_IRQ_LOW);
    now = started + period + 20000;
    CHECK_EQ(rd(COM_IRQ_REG), COM_IRQ_TIMER);
    CHECK_EQ(rd(STATUS1_REG) & STATUS1_T_RUNNING, 0);
    CHECK_EQ(rd(T_COUNTER_VAL_REG_L), 0);
    CHECK_EQ(mfrc522_sim_next_due(chip), NS_NEVER);
    /* Stopped half-way it keeps its value. */
    wr(COM_IRQ_REG, COM_IRQ_ALL);
    mfrc522_sim_write(chip, CONTROL_REG, CONTROL_T_START_NOW, now);
    started = now;
    now += CYCLES_NS(6781 * 10) + 10;
    mfrc522_sim_write(chip, CONTROL_REG, CONTROL_T_STOP_NOW, now);
    wait_us(50000);
    CHECK_EQ(rd(T_COUNTER_VAL_REG_L), 20);
    CHECK_EQ(rd(COM_IRQ_REG), 0);
    /* The even prescaler. */
    set_bits(DEMOD_REG, DEMOD_T_PRESCAL_EVEN);
    mfrc522_sim_write(chip, CONTROL_REG, CONTROL_T_START_NOW, now);
    CHECK_EQ(mfrc522_sim_next_due(chip), now + CYCLES_NS(6782 * 31));
    teardown();
}

static void
test_timer_auto_restart(void)
{
    setup();
    wr(T_MODE_REG, T_MODE_T_AUTO_RESTART);
    wr(T_PRESCALER_REG, 0);
    wr(T_RELOAD_REG_L, 0);
    wr(COM_IRQ_REG, COM_IRQ_ALL);
    mfrc522_sim_write(chip, CONTROL_REG, CONTROL_T_START_NOW, now);
    /* One tick per carrier cycle for an hour: still one step. */
    now += 3600 * NS_PER_S;
    CHECK_EQ(rd(COM_IRQ_REG), COM_IRQ_TIMER);
    CHECK_EQ(rd(STATUS1_REG) & STATUS1_T_RUNNING, STATUS1_T_RUNNING);
    teardown();
}

static uint16_t
chip_crc(const uint8_t *bytes, size_t n)
{
    wr(COMMAND_REG, CMD_IDLE);
    wr(DIV_IRQ_REG, DIV_IRQ_CRC);
    wr(FIFO_LEVEL_REG, FIFO_LEVEL_FLUSH_BUFFER);
    for (size_t i = 0; i < n; i++) {
        wr(FIFO_DATA_REG, bytes[i]);
    }
    mfrc522_sim_write(chip, COMMAND_REG, CMD_CALC_CRC, now);
    CHECK_EQ(mfrc522_sim_peek(chip, DIV_IRQ_REG), 0);
    CHECK_EQ(mfrc522_sim_peek(chip, STATUS1_REG) & STATUS1_CRC_READY, 0);
    wait_us(100);
    CHECK_EQ(rd(DIV_IRQ_REG), DIV_IRQ_CRC);
    CHECK_EQ(rd(STATUS1_REG) & STATUS1_CRC_READY, STATUS1_CRC_READY);
    CHECK_EQ(rd(COMMAND_REG) & COMMAND_MASK, CMD_CALC_CRC);
    CHECK_EQ(rd(FIFO_LEVEL_REG), 0);
    uint16_t crc = (uint16_t)(rd(CRC_RESULT_REG_H) << 8 | rd(CRC_RESULT_REG_L));
    wr(COMMAND_REG, CMD_IDLE);
    return crc;
}

static void
test_crc_coprocessor(void)
{
    setup();
    wr(MODE_REG, 0x3D);
    /* ISO/IEC 14443-3, annex B: 00 00 -> A0 1E, 12 34 -> 26 CF, low byte first */
    CHECK_EQ(chip_crc((const uint8_t[]){0, 0}, 2), 0x1EA0);
    CHECK_EQ(chip_crc((const uint8_t[]){0x12, 0x34}, 2), 0xCF26);
    /* With its own CRC behind it the result is 0. */
    CHECK_EQ(chip_crc((const uint8_t[]){0x12, 0x34, 0x26, 0xCF}, 4), 0);
    CHECK_EQ(rd(STATUS1_REG) & STATUS1_CRC_OK, STATUS1_CRC_OK);
    wr(MODE_REG, 0x3C);
    CHECK_EQ(chip_crc((const uint8_t[]){0, 0}, 2), 0);
    wr(MODE_REG, 0x3F);
    CHECK_EQ(chip_crc((const uint8_t *)"123456789", 9), 0x6F91);
    /* CRCIRq on the pin, at its time. */
    wr(DIV_IRQ_REG, DIV_IRQ_CRC);
    wr(DIV_IEN_REG, DIV_IEN_CRC);
    wr(FIFO_DATA_REG, 1);
    mfrc522_sim_write(chip, COMMAND_REG, CMD_CALC_CRC, now);
    int64_t due = mfrc522_sim_next_due(chip);
    CHECK(due > now && due < now + 10 * NS_PER_US);
    mfrc522_sim_advance(chip, due);
    CHECK_EQ(pin, MFRC522_IRQ_LOW);
    CHECK_EQ(edge_at, due);
    teardown();
}

static void
test_mem_and_random_id(void)
{
    uint8_t first[25];
    uint8_t second[25];
    setup();
    for (int i = 0; i < 25; i++) {
        wr(FIFO_DATA_REG, (uint8_t)(0x80 + i));
    }
    wr(COM_IRQ_REG, COM_IRQ_ALL);
    wr(COMMAND_REG, CMD_MEM);
    CHECK_EQ(rd(COM_IRQ_REG) & COM_IRQ_IDLE, COM_IRQ_IDLE);
    CHECK_EQ(rd(COMMAND_REG) & COMMAND_MASK, CMD_IDLE);
    CHECK_EQ(rd(FIFO_LEVEL_REG), 0);
    wr(COMMAND_REG, CMD_MEM);
    CHECK_EQ(read_fifo(first), 25);
    CHECK_BYTES(first, 0x80, 0x81);
    wr(COMMAND_REG, CMD_GENERATE_RANDOM_ID);
    wr(COMMAND_REG, CMD_MEM);
    CHECK_EQ(read_fifo(second), 25);
    CHECK(memcmp(first, second, 10) != 0);
    CHECK(memcmp(first + 10, second + 10, 15) == 0);
    teardown();
}

static void
test_request_without_a_card(void)
{
    setup();
    init_like_pirc522();
    wait_us(5000);
    /* pi-rc522's request() and card_write(), write by write. */
    wr(BIT_FRAMING_REG, 0x07);
    wr(COM_IEN_REG, 0x77 | 0x80);
    clear_bits(COM_IRQ_REG, 0x80);
    set_bits(FIFO_LEVEL_REG, 0x80);
    wr(COMMAND_REG, CMD_IDLE);
    wr(FIFO_DATA_REG, ISO14443A_REQA);
    wr(COMMAND_REG, CMD_TRANSCEIVE);
    set_bits(BIT_FRAMING_REG, 0x80);
    int64_t sent = now;
    wait_us(1000);
    /* As read from a real chip: TxIRq and LoAlertIRq, later TimerIRq too. */
    CHECK_EQ(rd(COM_IRQ_REG), 0x44);
    CHECK_EQ(poll_irq(COM_IRQ_TIMER), 0x45);
    CHECK(now - sent > 15500 * NS_PER_US && now - sent < 15800 * NS_PER_US);
    clear_bits(BIT_FRAMING_REG, 0x80);
    CHECK_EQ(rd(FIFO_LEVEL_REG), 0);
    CHECK_EQ(rd(ERROR_REG), 0);
    CHECK_EQ(rd(COMMAND_REG) & COMMAND_MASK, CMD_TRANSCEIVE);
    teardown();
}

static void
test_request_with_a_card(void)
{
    struct test_card card = test_card_make(0xA6, 0x1D, 0x22, 0x7E);
    uint8_t bytes[64];
    setup();
    field_enter(&field, &card.card, now);
    init_like_pirc522();
    wr(COM_IEN_REG, COM_IEN_IRQ_INV | COM_IRQ_RX | COM_IRQ_TIMER);
    wait_us(5000);
    start_transceive((const uint8_t[]){ISO14443A_REQA}, 7);
    int64_t sent = now;
    int64_t due = mfrc522_sim_next_due(chip);
    /* REQA, frame delay time, ATQA */
    int64_t want = sent + BITS_NS(9) + CYCLES_NS(1172) + BITS_NS(20);
    CHECK(due >= want - 3 && due <= want + 3);
    mfrc522_sim_advance(chip, due - 1);
    CHECK_EQ(pin, MFRC522_IRQ_HIGH_Z);
    CHECK_EQ(mfrc522_sim_peek(chip, STATUS2_REG), 6);
    mfrc522_sim_advance(chip, due);
    CHECK_EQ(pin, MFRC522_IRQ_LOW);
    CHECK_EQ(edge_at, due);
    now = due;
    CHECK_EQ(rd(COM_IRQ_REG), COM_IRQ_TX | COM_IRQ_RX | COM_IRQ_LO_ALERT);
    CHECK_EQ(rd(ERROR_REG), 0);
    CHECK_EQ(rd(CONTROL_REG) & CONTROL_RX_LAST_BITS, 0);
    CHECK_EQ(read_fifo(bytes), 2);
    CHECK_BYTES(bytes, 0x04, 0x00);
    /* TAuto: the first bits have stopped the timer. */
    CHECK_EQ(rd(STATUS1_REG) & STATUS1_T_RUNNING, 0);
    wait_us(50000);
    CHECK_EQ(rd(COM_IRQ_REG) & COM_IRQ_TIMER, 0);
    teardown();
}

static void
test_field_and_power_up_time(void)
{
    struct test_card card = test_card_make(1, 2, 3, 4);
    card.card.power_up_ns = 5 * NS_PER_MS;
    setup();
    field_enter(&field, &card.card, now);
    init_like_pirc522();
    CHECK(transceive((const uint8_t[]){ISO14443A_REQA}, 7) & COM_IRQ_TIMER);
    CHECK(transceive((const uint8_t[]){ISO14443A_REQA}, 7) & COM_IRQ_RX);
    /* A soft reset switches the field off: the card starts again. */
    init_like_pirc522();
    CHECK(transceive((const uint8_t[]){ISO14443A_REQA}, 7) & COM_IRQ_TIMER);
    CHECK_EQ(card.power_ups, 1);
    /* One output alone is no field. */
    wr(TX_CONTROL_REG, 0x81);
    CHECK(!field.carrier);
    teardown();
}

static void
test_transmission_waits_for_the_field(void)
{
    setup();
    wr(T_MODE_REG, T_MODE_T_AUTO);
    start_transceive((const uint8_t[]){ISO14443A_REQA}, 7);
    wait_us(5000);
    CHECK_EQ(rd(COM_IRQ_REG) & (COM_IRQ_TX | COM_IRQ_TIMER), 0);
    set_bits(TX_CONTROL_REG, 3);
    wait_us(5000);
    CHECK_EQ(rd(COM_IRQ_REG) & (COM_IRQ_TX | COM_IRQ_TIMER),
             COM_IRQ_TX | COM_IRQ_TIMER);
    teardown();
}

static void
test_two_cards_collide(void)
{
    struct test_card a = test_card_make(0x05, 0x10, 0x20, 0x30);
    struct test_card b = test_card_make(0x05, 0x18, 0x20, 0x30);
    uint8_t bytes[64];
    uint8_t cl[5] = {0};
    setup();
    field_enter(&field, &a.card, now);
    field_enter(&field, &b.card, now);
    init_like_pirc522();
    wait_us(5000);
    CHECK(transceive((const uint8_t[]){ISO14443A_REQA}, 7) & COM_IRQ_RX);
    CHECK_EQ(rd(ERROR_REG), 0);
    wr(COLL_REG, 0);
    anticollision(cl, 0);
    CHECK_EQ(rd(ERROR_REG), ERROR_COLL);
    CHECK_EQ(rd(COM_IRQ_REG) & COM_IRQ_ERR, COM_IRQ_ERR);
    /* They differ in bit 3 of the second byte: the 12th bit. */
    CHECK_EQ(rd(COLL_REG), 12);
    CHECK_EQ(read_fifo(bytes), 5);
    CHECK_BYTES(bytes, 0x05, 0x00, 0x00, 0x00, 0x00);
    /* With ValuesAfterColl the rest is what both together look like. */
    wr(COLL_REG, COLL_VALUES_AFTER_COLL);
    anticollision(cl, 0);
    CHECK_EQ(read_fifo(bytes), 5);
    CHECK_BYTES(bytes, 0x05, 0x18, 0x20, 0x30);
    /* 12 bits known, a 1 at the collision: only b answers, from bit 4 on. */
    cl[0] = 0x05;
    cl[1] = 0x08;
    anticollision(cl, 12);
    CHECK_EQ(rd(ERROR_REG), 0);
    CHECK_EQ(rd(COLL_REG) & COLL_POS_NOT_VALID, COLL_POS_NOT_VALID);
    CHECK_EQ(read_fifo(bytes), 4);
    CHECK_BYTES(bytes, 0x10, 0x20, 0x30, 0x05 ^ 0x18 ^ 0x20 ^ 0x30);
    CHECK_EQ(rd(CONTROL_REG) & CONTROL_RX_LAST_BITS, 0);
    teardown();
}

static void
test_collision_behind_rx_align(void)
{
    struct test_card a = test_card_make(0x0F, 0x00, 0, 0);
    struct test_card b = test_card_make(0x0F, 0x80, 0, 0);
    const uint8_t cl[5] = {0x0F};
    setup();
    field_enter(&field, &a.card, now);
    field_enter(&field, &b.card, now);
    init_like_pirc522();
    wait_us(5000);
    transceive((const uint8_t[]){ISO14443A_REQA}, 7);
    anticollision(cl, 3);
    /* Counted from the beginning of the byte that RxAlign shifts into. */
    CHECK_EQ(rd(COLL_REG) & COLL_POS, 16);
    CHECK_EQ(rd(ERROR_REG), ERROR_COLL);
    teardown();
}

static void
test_collision_in_and_behind_the_32nd_bit(void)
{
    struct test_card a = test_card_make(1, 2, 3, 0x00);
    struct test_card b = test_card_make(1, 2, 3, 0x80);
    const uint8_t cl[5] = {0};
    setup();
    field_enter(&field, &a.card, now);
    field_enter(&field, &b.card, now);
    init_like_pirc522();
    wait_us(5000);
    transceive((const uint8_t[]){ISO14443A_REQA}, 7);
    anticollision(cl, 0);
    CHECK_EQ(rd(ERROR_REG), ERROR_COLL);
    CHECK_EQ(rd(COLL_REG), COLL_VALUES_AFTER_COLL);
    teardown();
}

static void
test_crc_of_frames(void)
{
    struct test_card card = test_card_make(1, 2, 3, 4);
    uint8_t bytes[64];
    uint8_t frame[9];
    uint8_t cl[5];
    setup();
    field_enter(&field, &card.card, now);
    init_like_pirc522();
    wait_us(5000);
    transceive((const uint8_t[]){ISO14443A_REQA}, 7);
    iso14443a_cl_of_uid(cl, card.uid, 4, 0);
    iso14443a_select_frame(frame, 0, cl);
    wr(TX_MODE_REG, TX_MODE_CRC_EN);
    wr(RX_MODE_REG, RX_MODE_CRC_EN);
    CHECK(transceive(frame, 56) & COM_IRQ_RX);
    CHECK_EQ(rd(ERROR_REG), 0);
    CHECK_EQ(read_fifo(bytes), 1);
    CHECK_BYTES(bytes, 0x08);
    CHECK_EQ(card.state, CARD_ACTIVE);
    /* An ATQA has no CRC. */
    transceive((const uint8_t[]){ISO14443A_REQA}, 7);
    wr(TX_MODE_REG, 0);
    CHECK(transceive((const uint8_t[]){ISO14443A_REQA}, 7) & COM_IRQ_RX);
    CHECK_EQ(rd(ERROR_REG), ERROR_CRC);
    CHECK_EQ(rd(COM_IRQ_REG) & COM_IRQ_ERR, COM_IRQ_ERR);
    teardown();
}

static void
test_authentication(void)
{
    struct test_card card = test_card_make(0xA6, 0x1D, 0x22, 0x7E);
    uint8_t frame[18] = {MIFARE_READ, 4};
    uint8_t bytes[64];
    setup();
    field_enter(&field, &card.card, now);
    init_like_pirc522();
    wait_us(5000);
    select_card(&card);
    wr(COM_IEN_REG, COM_IEN_IRQ_INV | COM_IRQ_IDLE | COM_IRQ_TIMER);
    authenticate(&card, 4, card.key);
    CHECK(mfrc522_sim_next_due(chip) != NS_NEVER);
    uint8_t irq = poll_irq(COM_IRQ_IDLE | COM_IRQ_TIMER);
    CHECK_EQ(irq & (COM_IRQ_IDLE | COM_IRQ_TIMER), COM_IRQ_IDLE);
    CHECK_EQ(pin, MFRC522_IRQ_LOW);
    CHECK_EQ(rd(STATUS2_REG) & STATUS2_MF_CRYPTO1_ON, STATUS2_MF_CRYPTO1_ON);
    CHECK_EQ(rd(COMMAND_REG) & COMMAND_MASK, CMD_IDLE);
    iso14443a_add_crc(frame, 2);
    CHECK(transceive(frame, 32) & COM_IRQ_RX);
    CHECK_EQ(read_fifo(bytes), 18);
    CHECK_BYTES(bytes, 0x40, 0x41, 0x42);
    /* The second ACK of a write: 4 bits, 8 ms later. */
    card.write_ns = 8 * NS_PER_MS;
    frame[0] = MIFARE_WRITE;
    iso14443a_add_crc(frame, 2);
    CHECK(transceive(frame, 32) & COM_IRQ_RX);
    iso14443a_add_crc(frame, 16);
    int64_t before = now;
    CHECK(transceive(frame, 144) & COM_IRQ_RX);
    CHECK(now - before > 8 * NS_PER_MS);
    CHECK_EQ(rd(CONTROL_REG) & CONTROL_RX_LAST_BITS, 4);
    CHECK_EQ(read_fifo(bytes), 1);
    CHECK_BYTES(bytes, MIFARE_ACK);
    /* Without the cipher the card hears noise; it has to be selected again. */
    clear_bits(STATUS2_REG, STATUS2_MF_CRYPTO1_ON);
    CHECK_EQ(rd(STATUS2_REG) & STATUS2_MF_CRYPTO1_ON, 0);
    set_bits(STATUS2_REG, STATUS2_MF_CRYPTO1_ON);
    CHECK_EQ(rd(STATUS2_REG) & STATUS2_MF_CRYPTO1_ON, 0);
    CHECK(transceive((const uint8_t[]){ISO14443A_REQA}, 7) & COM_IRQ_TIMER);
    CHECK(transceive((const uint8_t[]){ISO14443A_REQA}, 7) & COM_IRQ_RX);
    teardown();
}

static void
test_authentication_fails(void)
{
    struct test_card card = test_card_make(1, 2, 3, 4);
    const uint8_t wrong[6] = {0};
    setup();
    field_enter(&field, &card.card, now);
    init_like_pirc522();
    wait_us(5000);
    select_card(&card);
    authenticate(&card, 4, wrong);
    int64_t started = now;
    uint8_t irq = poll_irq(COM_IRQ_IDLE | COM_IRQ_TIMER);
    CHECK_EQ(irq & (COM_IRQ_IDLE | COM_IRQ_TIMER), COM_IRQ_TIMER);
    /* The limit runs from the end of the second message. */
    CHECK(now - started > 16500 * NS_PER_US);
    CHECK_EQ(rd(COMMAND_REG) & COMMAND_MASK, CMD_MF_AUTHENT);
    CHECK_EQ(rd(STATUS2_REG) & STATUS2_MF_CRYPTO1_ON, 0);
    /* The FIFO is locked meanwhile. */
    wr(FIFO_DATA_REG, 1);
    CHECK_EQ(rd(ERROR_REG), ERROR_WR);
    CHECK_EQ(rd(FIFO_LEVEL_REG), 0);
    /* Nobody is selected: not even a nonce. */
    authenticate(&card, 4, card.key);
    irq = poll_irq(COM_IRQ_IDLE | COM_IRQ_TIMER);
    CHECK_EQ(irq & (COM_IRQ_IDLE | COM_IRQ_TIMER), COM_IRQ_TIMER);
    teardown();
}

static void
test_card_leaves_before_its_answer_ends(void)
{
    struct test_card card = test_card_make(1, 2, 3, 4);
    uint8_t bytes[64];
    setup();
    field_enter(&field, &card.card, now);
    init_like_pirc522();
    wait_us(5000);
    start_transceive((const uint8_t[]){ISO14443A_REQA}, 7);
    int64_t start = field_reception(&field)->start_ns;
    field_leave(&field, &card.card, start - 1);
    CHECK_EQ(poll_irq(COM_IRQ_RX | COM_IRQ_TIMER) & COM_IRQ_RX, 0);
    field_enter(&field, &card.card, now);
    wait_us(5000);
    start_transceive((const uint8_t[]){ISO14443A_REQA}, 7);
    start = field_reception(&field)->start_ns;
    mfrc522_sim_advance(chip, start + BITS_NS(14));
    field_leave(&field, &card.card, start + BITS_NS(14) + 5);
    CHECK_EQ(poll_irq(COM_IRQ_RX | COM_IRQ_TIMER) & COM_IRQ_RX, COM_IRQ_RX);
    CHECK_EQ(rd(CONTROL_REG) & CONTROL_RX_LAST_BITS, 4);
    CHECK_EQ(read_fifo(bytes), 2);
    teardown();
}

static void
test_card_leaves_in_its_own_call(void)
{
    struct test_card card = test_card_make(1, 2, 3, 4);
    setup();
    field_enter(&field, &card.card, now);
    card.leave_when_heard = true;
    init_like_pirc522();
    wait_us(5000);
    CHECK(transceive((const uint8_t[]){ISO14443A_REQA}, 7) & COM_IRQ_TIMER);
    CHECK_EQ(card.heard, 1);
    CHECK_EQ(field.num_cards, 0);
    teardown();
}

/* A card whose code reaches back into the chip that asks it. */
static int
meddle(struct field_card *card, const struct field_frame *in, struct field_frame *out)
{
    (void)card;
    (void)in;
    mfrc522_sim_advance(chip, now + NS_PER_S);
    CHECK_EQ(mfrc522_sim_next_due(chip), NS_NEVER);
    mfrc522_sim_write(chip, COMMAND_REG, CMD_IDLE, now);
    mfrc522_sim_write(chip, FIFO_DATA_REG, ISO14443A_REQA, now);
    mfrc522_sim_write(chip, COMMAND_REG, CMD_TRANSCEIVE, now);
    mfrc522_sim_write(chip, BIT_FRAMING_REG, 0x87, now);
    out->bits = 8;
    return 1;
}

static void
test_card_code_comes_back(void)
{
    static const struct field_card_ops ops = {.power_up = test_card_power_up,
                                              .exchange = meddle};
    struct test_card card = {.card = {.ops = &ops}};
    setup();
    field_enter(&field, &card.card, now);
    init_like_pirc522();
    wait_us(5000);
    start_transceive((const uint8_t[]){ISO14443A_REQA}, 7);
    CHECK(mfrc522_sim_peek(chip, STATUS2_REG) == 3);
    uint8_t irq = poll_irq(COM_IRQ_RX | COM_IRQ_TIMER);
    CHECK_EQ(irq & (COM_IRQ_RX | COM_IRQ_TIMER), COM_IRQ_TIMER);
    teardown();
}

static void
test_transmit_then_receive(void)
{
    struct test_card card = test_card_make(1, 2, 3, 4);
    uint8_t bytes[64];
    setup();
    field_enter(&field, &card.card, now);
    init_like_pirc522();
    wait_us(5000);
    wr(COM_IRQ_REG, COM_IRQ_ALL);
    wr(BIT_FRAMING_REG, 7);
    wr(FIFO_DATA_REG, ISO14443A_REQA);
    mfrc522_sim_write(chip, COMMAND_REG, CMD_TRANSMIT, now);
    wait_us(90);
    CHECK_EQ(mfrc522_sim_peek(chip, COM_IRQ_REG),
             COM_IRQ_TX | COM_IRQ_IDLE | COM_IRQ_LO_ALERT);
    mfrc522_sim_write(chip, COMMAND_REG, CMD_RECEIVE, now);
    CHECK(poll_irq(COM_IRQ_RX) & COM_IRQ_IDLE);
    CHECK_EQ(rd(COMMAND_REG) & COMMAND_MASK, CMD_IDLE);
    CHECK_EQ(read_fifo(bytes), 2);
    /* Receive that begins in the middle of an answer misses it. */
    card.state = CARD_IDLE;
    wr(FIFO_DATA_REG, ISO14443A_REQA);
    mfrc522_sim_write(chip, COMMAND_REG, CMD_TRANSMIT, now);
    wait_us(200);
    wr(COM_IRQ_REG, COM_IRQ_ALL);
    wr(COMMAND_REG, CMD_RECEIVE);
    wait_us(1000);
    CHECK_EQ(rd(COM_IRQ_REG) & COM_IRQ_RX, 0);
    teardown();
}

static void
test_receiver_off_and_other_rate(void)
{
    struct test_card card = test_card_make(1, 2, 3, 4);
    setup();
    field_enter(&field, &card.card, now);
    init_like_pirc522();
    wait_us(5000);
    wr(RX_MODE_REG, 0x10);
    CHECK(transceive((const uint8_t[]){ISO14443A_REQA}, 7) & COM_IRQ_TIMER);
    wr(RX_MODE_REG, 0);
    card.state = CARD_IDLE;
    CHECK(transceive((const uint8_t[]){ISO14443A_REQA}, 7) & COM_IRQ_RX);
    card.state = CARD_IDLE;
    start_transceive((const uint8_t[]){ISO14443A_REQA}, 7);
    mfrc522_sim_write(chip, COMMAND_REG, COMMAND_RCV_OFF | CMD_NO_CMD_CHANGE, now);
    CHECK_EQ(rd(COMMAND_REG), COMMAND_RCV_OFF | CMD_TRANSCEIVE);
    CHECK(poll_irq(COM_IRQ_RX | COM_IRQ_TIMER) & COM_IRQ_TIMER);
    teardown();
}

static int
long_answer(struct field_card *card, const struct field_frame *in,
            struct field_frame *out)
{
    (void)card;
    (void)in;
    for (unsigned i = 0; i < 70; i++) {
        out->data[i] = (uint8_t)i;
    }
    out->bits = 70 * 8;
    return 1;
}

static void
test_long_answer(void)
{
    static const struct field_card_ops ops = {.power_up = test_card_power_up,
                                              .exchange = long_answer};
    struct test_card card = {.card = {.ops = &ops}};
    uint8_t bytes[64];
    setup();
    field_enter(&field, &card.card, now);
    init_like_pirc522();
    CHECK(transceive((const uint8_t[]){ISO14443A_REQA}, 7) & COM_IRQ_RX);
    CHECK_EQ(rd(ERROR_REG), ERROR_BUFFER_OVFL);
    CHECK_EQ(read_fifo(bytes), 64);
    CHECK_EQ(bytes[63], 63);
    /* HiAlert comes while bytes arrive: who drains the FIFO gets them all. */
    wr(COM_IEN_REG, COM_IEN_IRQ_INV | COM_IRQ_HI_ALERT);
    start_transceive((const uint8_t[]){ISO14443A_REQA}, 7);
    edges = 0;
    for (int64_t due; edges == 0 && (due = mfrc522_sim_next_due(chip)) != NS_NEVER;) {
        mfrc522_sim_advance(chip, due);
    }
    CHECK_EQ(pin, MFRC522_IRQ_LOW);
    CHECK_EQ(mfrc522_sim_peek(chip, FIFO_LEVEL_REG), 56);
    for (int i = 0; i < 56; i++) {
        CHECK_EQ(mfrc522_sim_read(chip, FIFO_DATA_REG, edge_at), i);
    }
    now = edge_at;
    poll_irq(COM_IRQ_RX);
    CHECK_EQ(rd(ERROR_REG), 0);
    CHECK_EQ(read_fifo(bytes), 14);
    CHECK_EQ(bytes[13], 69);
    teardown();
}

static void
test_abort_and_again(void)
{
    struct test_card card = test_card_make(1, 2, 3, 4);
    setup();
    field_enter(&field, &card.card, now);
    init_like_pirc522();
    wait_us(5000);
    start_transceive((const uint8_t[]){ISO14443A_REQA}, 7);
    wr(COMMAND_REG, CMD_IDLE);
    wait_us(1000);
    CHECK_EQ(rd(COM_IRQ_REG) & (COM_IRQ_RX | COM_IRQ_TX), 0);
    CHECK_EQ(rd(STATUS2_REG), 0);
    card.state = CARD_IDLE;
    CHECK(transceive((const uint8_t[]){ISO14443A_REQA}, 7) & COM_IRQ_RX);
    /* StartSend again, in the same Transceive. */
    card.state = CARD_IDLE;
    wr(FIFO_LEVEL_REG, FIFO_LEVEL_FLUSH_BUFFER);
    wr(COM_IRQ_REG, COM_IRQ_ALL);
    wr(FIFO_DATA_REG, ISO14443A_REQA);
    CHECK_EQ(rd(ERROR_REG), 0);
    wr(BIT_FRAMING_REG, 0x87);
    CHECK(poll_irq(COM_IRQ_RX | COM_IRQ_TIMER) & COM_IRQ_RX);
    teardown();
}

int
main(void)
{
    RUN(test_reset_values);
    RUN(test_version);
    RUN(test_nrstpd);
    RUN(test_soft_power_down);
    RUN(test_spi_bursts);
    RUN(test_irq_registers);
    RUN(test_irq_pin);
    RUN(test_fifo_levels);
    RUN(test_timer);
    RUN(test_timer_auto_restart);
    RUN(test_crc_coprocessor);
    RUN(test_mem_and_random_id);
    RUN(test_request_without_a_card);
    RUN(test_request_with_a_card);
    RUN(test_field_and_power_up_time);
    RUN(test_transmission_waits_for_the_field);
    RUN(test_two_cards_collide);
    RUN(test_collision_behind_rx_align);
    RUN(test_collision_in_and_behind_the_32nd_bit);
    RUN(test_crc_of_frames);
    RUN(test_authentication);
    RUN(test_authentication_fails);
    RUN(test_card_leaves_before_its_answer_ends);
    RUN(test_card_leaves_in_its_own_call);
    RUN(test_card_code_comes_back);
    RUN(test_transmit_then_receive);
    RUN(test_receiver_off_and_other_rate);
    RUN(test_long_answer);
    RUN(test_abort_and_again);
    return check_done();
}
