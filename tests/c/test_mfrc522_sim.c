/* sim/mfrc522_sim.c, mfrc522_sim_cmd.c: registers, power, SPI, interrupts, timer, CRC.
 */
#include "sim_bench.h"

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

/* The same CRC, bit by bit: x^16 + x^12 + x^5 + 1, most significant bit first. */
static uint16_t
crc_by_bits(uint16_t crc, const uint8_t *bytes, size_t n)
{
    for (size_t i = 0; i < 8 * n; i++) {
        bool bit = (bytes[i / 8] >> (7 - i % 8) & 1) != 0;
        bool out = (crc >> 15) != 0;
        crc = (uint16_t)(crc << 1 ^ (bit != out ? 0x1021 : 0));
    }
    return crc;
}

static uint16_t
reverse_bits(uint16_t value, unsigned bits)
{
    uint16_t out = 0;
    for (unsigned i = 0; i < bits; i++) {
        out = (uint16_t)(out << 1 | (value >> i & 1));
    }
    return out;
}

static void
test_crc_presets(void)
{
    static const uint16_t presets[] = {0x0000, 0x6363, 0xA671, 0xFFFF};
    const uint8_t bytes[] = {0x01, 0x80, 0xA5, 0x3C, 0xFF};
    uint8_t reversed[sizeof bytes];
    for (unsigned i = 0; i < sizeof bytes; i++) {
        reversed[i] = (uint8_t)reverse_bits(bytes[i], 8);
    }
    setup();
    for (unsigned i = 0; i < 4; i++) {
        uint16_t start = reverse_bits(presets[i], 16);
        wr(MODE_REG, 0x3C | i);
        CHECK_EQ(chip_crc(bytes, sizeof bytes),
                 reverse_bits(crc_by_bits(start, reversed, sizeof bytes), 16));
        wr(MODE_REG, MODE_MSB_FIRST | 0x3C | i);
        CHECK_EQ(chip_crc(bytes, sizeof bytes),
                 reverse_bits(crc_by_bits(start, bytes, sizeof bytes), 16));
    }
    teardown();
}

static void
test_crc_of_bytes_that_come_later(void)
{
    setup();
    wr(MODE_REG, 0x3D);
    wr(COMMAND_REG, CMD_CALC_CRC);
    wait_us(100);
    CHECK_EQ(rd(DIV_IRQ_REG), 0);
    wr(FIFO_DATA_REG, 0x12);
    wait_us(100);
    CHECK_EQ(rd(DIV_IRQ_REG), DIV_IRQ_CRC);
    wr(FIFO_DATA_REG, 0x34);
    wait_us(100);
    CHECK_EQ(rd(CRC_RESULT_REG_H), 0xCF);
    CHECK_EQ(rd(CRC_RESULT_REG_L), 0x26);
    teardown();
}

static void
test_water_level(void)
{
    setup();
    wr(COM_IRQ_REG, COM_IRQ_ALL);
    wr(WATER_LEVEL_REG, 63);
    CHECK_EQ(rd(COM_IRQ_REG), COM_IRQ_LO_ALERT);
    wr(FIFO_DATA_REG, 1);
    CHECK_EQ(rd(COM_IRQ_REG), COM_IRQ_LO_ALERT | COM_IRQ_HI_ALERT);
    teardown();
}

static void
test_errors_are_cleared_by_a_command(void)
{
    setup();
    for (int i = 0; i < 65; i++) {
        wr(FIFO_DATA_REG, 0);
    }
    CHECK_EQ(rd(ERROR_REG), ERROR_BUFFER_OVFL);
    wr(COMMAND_REG, CMD_IDLE);
    CHECK_EQ(rd(ERROR_REG), ERROR_BUFFER_OVFL);
    wr(COMMAND_REG, CMD_GENERATE_RANDOM_ID);
    CHECK_EQ(rd(ERROR_REG), 0);
    teardown();
}

static void
self_test(uint8_t version, uint8_t dirt, uint8_t *result)
{
    struct mfrc522_sim_config config = {.field = &field, .version = version};
    field_init(&field, now);
    chip = mfrc522_sim_new(&config, now);
    wait_us(1000);
    /* Datasheet 16.1.1, step by step. */
    wr(COMMAND_REG, CMD_SOFT_RESET);
    for (int i = 0; i < 25; i++) {
        wr(FIFO_DATA_REG, i == 7 ? dirt : 0);
    }
    wr(COMMAND_REG, CMD_MEM);
    wr(AUTO_TEST_REG, 0x09);
    wr(FIFO_DATA_REG, 0);
    wr(COMMAND_REG, CMD_CALC_CRC);
    CHECK_EQ(rd(DIV_IRQ_REG), 0);
    wait_us(2000);
    CHECK_EQ(rd(DIV_IRQ_REG), DIV_IRQ_CRC);
    CHECK_EQ(rd(FIFO_LEVEL_REG), 64);
    wr(COMMAND_REG, CMD_IDLE);
    CHECK_EQ(read_fifo(result), 64);
    wr(AUTO_TEST_REG, 0);
    CHECK_EQ(rd(ERROR_REG), 0);
    teardown();
}

static void
test_self_test(void)
{
    uint8_t result[64];
    now = 1000;
    self_test(VERSION_MFRC522_1, 0, result);
    CHECK_BYTES(result, 0x00, 0xC6, 0x37, 0xD5);
    CHECK_EQ(result[63], 0x79);
    self_test(VERSION_MFRC522_2, 0, result);
    CHECK_BYTES(result, 0x00, 0xEB, 0x66, 0xBA);
    CHECK_EQ(result[63], 0x2F);
    self_test(VERSION_FM17522, 0, result);
    CHECK_BYTES(result, 0x00, 0xD6, 0x78, 0x8C);
    CHECK_EQ(result[63], 0x62);
    self_test(VERSION_MFRC522_2, 1, result);
    CHECK(result[1] != 0xEB);
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
    RUN(test_crc_presets);
    RUN(test_crc_of_bytes_that_come_later);
    RUN(test_water_level);
    RUN(test_errors_are_cleared_by_a_command);
    RUN(test_self_test);
    return check_done();
}
