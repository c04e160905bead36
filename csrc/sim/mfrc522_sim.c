/* The simulated MFRC522's outside: registers, FIFO, interrupts, power, SPI. */
#include "sim/mfrc522_sim.h"

#include <stdlib.h>
#include <string.h>

#include "sim/mfrc522_sim_impl.h"

/* Value after reset, and which bits a write changes (datasheet, chapter 9). */
struct register_info {
    uint8_t reset;
    uint8_t writable;
};

static const struct register_info register_table[MFRC522_REGISTERS] = {
    [COMMAND_REG] = {0x20, COMMAND_RCV_OFF},
    [COM_IEN_REG] = {0x80, 0xFF},
    [DIV_IEN_REG] = {0x00, 0x94},
    [STATUS2_REG] = {0x00, 0xC0},
    [WATER_LEVEL_REG] = {0x08, 0x3F},
    [CONTROL_REG] = {0x10, 0x00},
    [BIT_FRAMING_REG] = {0x00, 0xF7},
    [COLL_REG] = {0x80, COLL_VALUES_AFTER_COLL},
    [MODE_REG] = {0x3F, 0xAB},
    [TX_MODE_REG] = {0x00, 0xF8},
    [RX_MODE_REG] = {0x00, 0xFC},
    [TX_CONTROL_REG] = {0x80, 0xFB},
    [TX_ASK_REG] = {0x00, 0x40},
    [TX_SEL_REG] = {0x10, 0x3F},
    [RX_SEL_REG] = {0x84, 0xFF},
    [RX_THRESHOLD_REG] = {0x84, 0xF7},
    [DEMOD_REG] = {0x4D, 0xFF},
    [MF_TX_REG] = {0x62, 0x03},
    [MF_RX_REG] = {0x00, 0x10},
    [SERIAL_SPEED_REG] = {0xEB, 0xFF},
    [MOD_WIDTH_REG] = {0x26, 0xFF},
    [RF_CFG_REG] = {0x48, 0x70},
    [GSN_REG] = {0x88, 0xFF},
    [CW_GSP_REG] = {0x20, 0x3F},
    [MOD_GSP_REG] = {0x20, 0x3F},
    [T_MODE_REG] = {0x00, 0xFF},
    [T_PRESCALER_REG] = {0x00, 0xFF},
    [T_RELOAD_REG_H] = {0x00, 0xFF},
    [T_RELOAD_REG_L] = {0x00, 0xFF},
    [TEST_SEL1_REG] = {0x00, 0x07},
    [TEST_SEL2_REG] = {0x00, 0xFF},
    [TEST_PIN_EN_REG] = {0x00, 0xFF},
    [TEST_PIN_VALUE_REG] = {0x00, 0xFF},
    [AUTO_TEST_REG] = {0x40, 0x4F},
    [ANALOG_TEST_REG] = {0x00, 0xFF},
    [TEST_DAC1_REG] = {0x00, 0x3F},
    [TEST_DAC2_REG] = {0x00, 0x3F},
};

static unsigned
water_level(const struct mfrc522_sim *sim)
{
    return sim->regs[WATER_LEVEL_REG];
}

static bool
is_lo_alert(const struct mfrc522_sim *sim)
{
    return sim->fifo_level <= water_level(sim);
}

static bool
is_hi_alert(const struct mfrc522_sim *sim)
{
    return FIFO_SIZE - sim->fifo_level <= water_level(sim);
}

bool
chip_irq(const struct mfrc522_sim *sim)
{
    return (sim->com_irq & sim->regs[COM_IEN_REG] & COM_IRQ_ALL) != 0 ||
           (sim->div_irq & sim->regs[DIV_IEN_REG] & (DIV_IRQ_MFIN_ACT | DIV_IRQ_CRC)) !=
               0;
}

static enum mfrc522_irq_level
pin_level(const struct mfrc522_sim *sim)
{
    if (sim->power == CHIP_OFF) {
        return MFRC522_IRQ_HIGH_Z;
    }
    bool inverted = (sim->regs[COM_IEN_REG] & COM_IEN_IRQ_INV) != 0;
    if (chip_irq(sim) == inverted) {
        return MFRC522_IRQ_LOW;
    }
    bool push_pull = (sim->regs[DIV_IEN_REG] & DIV_IEN_IRQ_PUSH_PULL) != 0;
    return push_pull ? MFRC522_IRQ_HIGH : MFRC522_IRQ_HIGH_Z;
}

void
chip_update_irq(struct mfrc522_sim *sim)
{
    enum mfrc522_irq_level level = pin_level(sim);
    if (level != sim->irq_level) {
        sim->irq_level = level;
        if (sim->config.irq != NULL) {
            sim->config.irq(sim->config.irq_ctx, level, sim->now);
        }
    }
}

void
chip_set_com_irq(struct mfrc522_sim *sim, uint8_t bits)
{
    sim->com_irq |= bits;
}

void
chip_set_error(struct mfrc522_sim *sim, uint8_t bits)
{
    if (bits != 0) {
        sim->error |= bits;
        chip_set_com_irq(sim, COM_IRQ_ERR);
    }
}

/* The alerts are requested by every change of the level that leaves it there. */
static void
fifo_changed(struct mfrc522_sim *sim)
{
    chip_set_com_irq(sim, (is_lo_alert(sim) ? COM_IRQ_LO_ALERT : 0) |
                              (is_hi_alert(sim) ? COM_IRQ_HI_ALERT : 0));
}

void
chip_fifo_push(struct mfrc522_sim *sim, uint8_t byte)
{
    if (sim->fifo_level == FIFO_SIZE) {
        chip_set_error(sim, ERROR_BUFFER_OVFL);
        return;
    }
    sim->fifo[sim->fifo_level++] = byte;
    fifo_changed(sim);
}

uint8_t
chip_fifo_pop(struct mfrc522_sim *sim)
{
    if (sim->fifo_level == 0) {
        return 0;
    }
    uint8_t byte = sim->fifo[0];
    sim->fifo_level--;
    memmove(sim->fifo, sim->fifo + 1, sim->fifo_level);
    fifo_changed(sim);
    return byte;
}

/* Hard or soft reset: everything but the internal buffer. */
static void
chip_reset(struct mfrc522_sim *sim)
{
    chip_abort(sim);
    chip_timer_stop(sim);
    for (unsigned i = 0; i < MFRC522_REGISTERS; i++) {
        sim->regs[i] = register_table[i].reset;
    }
    sim->command = CMD_IDLE;
    sim->com_irq = COM_IRQ_IDLE | COM_IRQ_LO_ALERT;
    sim->div_irq = 0;
    sim->error = 0;
    sim->rx_last_bits = 0;
    sim->coll = COLL_POS_NOT_VALID;
    sim->crypto1_on = false;
    sim->fifo_level = 0;
    sim->crc = 0xFFFF;
    sim->timer_value = 0;
    chip_update_carrier(sim);
}

struct mfrc522_sim *
mfrc522_sim_new(const struct mfrc522_sim_config *config, int64_t now_ns)
{
    struct mfrc522_sim *sim = calloc(1, sizeof *sim);
    if (sim == NULL) {
        return NULL;
    }
    sim->config = *config;
    if (sim->config.version == 0) {
        sim->config.version = VERSION_MFRC522_2;
    }
    if (sim->config.oscillator_ns == 0) {
        sim->config.oscillator_ns = MFRC522_SIM_OSCILLATOR_NS;
    }
    sim->random = sim->config.seed;
    sim->now = now_ns;
    sim->power = CHIP_RESET;
    sim->oscillator_at = now_ns + sim->config.oscillator_ns;
    sim->spi_read = -1;
    chip_reset(sim);
    sim->irq_level = pin_level(sim);
    return sim;
}

void
mfrc522_sim_free(struct mfrc522_sim *sim)
{
    free(sim);
}

enum mfrc522_irq_level
mfrc522_sim_irq_level(const struct mfrc522_sim *sim)
{
    return sim->irq_level;
}

void
mfrc522_sim_set_nrstpd(struct mfrc522_sim *sim, bool high, int64_t now_ns)
{
    mfrc522_sim_advance(sim, now_ns);
    if (high == (sim->power != CHIP_OFF)) {
        return;
    }
    sim->power = high ? CHIP_RESET : CHIP_OFF;
    sim->oscillator_at = sim->now + sim->config.oscillator_ns;
    sim->spi_selected = false;
    chip_reset(sim);
    chip_update_irq(sim);
}

static uint8_t
status1(const struct mfrc522_sim *sim)
{
    return (uint8_t)((sim->crc == 0 ? STATUS1_CRC_OK : 0) |
                     (sim->crc_busy ? 0 : STATUS1_CRC_READY) |
                     (chip_irq(sim) ? STATUS1_IRQ : 0) |
                     (sim->timer_running ? STATUS1_T_RUNNING : 0) |
                     (is_hi_alert(sim) ? STATUS1_HI_ALERT : 0) |
                     (is_lo_alert(sim) ? STATUS1_LO_ALERT : 0));
}

uint8_t
mfrc522_sim_peek(const struct mfrc522_sim *sim, uint8_t addr)
{
    if (sim->power == CHIP_OFF || addr >= MFRC522_REGISTERS) {
        return 0;
    }
    uint8_t plain = sim->regs[addr];
    switch (addr) {
        case COMMAND_REG:
            return (uint8_t)(plain | sim->command |
                             (sim->power != CHIP_RUNNING ? COMMAND_POWER_DOWN : 0));
        case COM_IRQ_REG:
            return sim->com_irq;
        case DIV_IRQ_REG:
            return sim->div_irq;
        case ERROR_REG:
            return sim->error;
        case STATUS1_REG:
            return status1(sim);
        case STATUS2_REG:
            return (uint8_t)(plain | (sim->crypto1_on ? STATUS2_MF_CRYPTO1_ON : 0) |
                             sim->modem);
        case FIFO_DATA_REG:
            return sim->fifo_level != 0 ? sim->fifo[0] : 0;
        case FIFO_LEVEL_REG:
            return (uint8_t)sim->fifo_level;
        case CONTROL_REG:
            return plain | sim->rx_last_bits;
        case COLL_REG:
            return plain | sim->coll;
        case CRC_RESULT_REG_H:
            return (uint8_t)(sim->crc >> 8);
        case CRC_RESULT_REG_L:
            return (uint8_t)sim->crc;
        case T_COUNTER_VAL_REG_H:
            return (uint8_t)(chip_timer_value(sim) >> 8);
        case T_COUNTER_VAL_REG_L:
            return (uint8_t)chip_timer_value(sim);
        case VERSION_REG:
            return sim->config.version;
        default:
            return plain;
    }
}

static uint8_t
read_register(struct mfrc522_sim *sim, uint8_t addr)
{
    uint8_t value = mfrc522_sim_peek(sim, addr);
    if (addr == FIFO_DATA_REG && sim->power != CHIP_OFF) {
        chip_fifo_pop(sim);
        chip_update_irq(sim);
    }
    return value;
}

uint8_t
mfrc522_sim_read(struct mfrc522_sim *sim, uint8_t addr, int64_t now_ns)
{
    mfrc522_sim_advance(sim, now_ns);
    return read_register(sim, addr);
}

static void
write_command(struct mfrc522_sim *sim, uint8_t value)
{
    uint8_t command = value & COMMAND_MASK;
    if ((value & COMMAND_POWER_DOWN) != 0) {
        chip_abort(sim);
        chip_timer_stop(sim);
        sim->power = CHIP_DOWN;
        chip_update_carrier(sim);
        return;
    }
    if (sim->power == CHIP_DOWN) {
        sim->power = CHIP_WAKING;
        sim->oscillator_at = sim->now + sim->config.oscillator_ns;
    }
    if (command == CMD_SOFT_RESET) {
        chip_reset(sim);
    }
    else if (command != CMD_NO_CMD_CHANGE && sim->power == CHIP_RUNNING) {
        chip_command(sim, command); /* runs Python */
    }
}

static void
write_fifo_data(struct mfrc522_sim *sim, uint8_t value)
{
    if (sim->command == CMD_MF_AUTHENT) {
        chip_set_error(sim, ERROR_WR); /* the FIFO is locked */
        return;
    }
    if (sim->modem == MODEM_WAIT_DATA || sim->modem == MODEM_RECEIVING) {
        chip_set_error(sim, ERROR_WR);
    }
    chip_fifo_push(sim, value);
    chip_fifo_written(sim);
}

static void
flush_fifo(struct mfrc522_sim *sim)
{
    sim->fifo_level = 0;
    sim->error &= (uint8_t)~ERROR_BUFFER_OVFL;
    fifo_changed(sim);
}

static uint8_t
marked(uint8_t old, uint8_t value, uint8_t bits)
{
    bool set = (value & COM_IRQ_SET1) != 0;
    return (uint8_t)(set ? old | (value & bits) : old & ~value);
}

static void
write_register(struct mfrc522_sim *sim, uint8_t addr, uint8_t value)
{
    if (sim->power == CHIP_OFF || sim->power == CHIP_RESET ||
        addr >= MFRC522_REGISTERS) {
        return;
    }
    uint8_t writable = register_table[addr].writable;
    sim->regs[addr] = (uint8_t)((value & writable) | (sim->regs[addr] & ~writable));
    switch (addr) {
        case COMMAND_REG:
            write_command(sim, value); /* runs Python */
            break;
        case COM_IRQ_REG:
            sim->com_irq = marked(sim->com_irq, value, COM_IRQ_ALL);
            break;
        case DIV_IRQ_REG:
            sim->div_irq = marked(sim->div_irq, value, DIV_IRQ_MFIN_ACT | DIV_IRQ_CRC);
            break;
        case STATUS2_REG:
            sim->crypto1_on = sim->crypto1_on && (value & STATUS2_MF_CRYPTO1_ON) != 0;
            break;
        case FIFO_DATA_REG:
            write_fifo_data(sim, value);
            break;
        case FIFO_LEVEL_REG:
            if ((value & FIFO_LEVEL_FLUSH_BUFFER) != 0) {
                flush_fifo(sim);
            }
            break;
        case WATER_LEVEL_REG:
            fifo_changed(sim);
            break;
        case CONTROL_REG:
            if ((value & CONTROL_T_START_NOW) != 0) {
                chip_timer_start(sim);
            }
            if ((value & CONTROL_T_STOP_NOW) != 0) {
                chip_timer_stop(sim);
            }
            break;
        case BIT_FRAMING_REG:
            if ((value & BIT_FRAMING_START_SEND) != 0) {
                chip_start_send(sim); /* runs Python */
            }
            break;
        case TX_CONTROL_REG:
            chip_update_carrier(sim); /* runs Python */
            break;
        default:
            break;
    }
    chip_update_irq(sim);
}

void
mfrc522_sim_write(struct mfrc522_sim *sim, uint8_t addr, uint8_t value, int64_t now_ns)
{
    mfrc522_sim_advance(sim, now_ns);
    write_register(sim, addr, value); /* runs Python */
}

void
mfrc522_sim_select(struct mfrc522_sim *sim)
{
    sim->spi_selected = sim->power != CHIP_OFF;
    sim->spi_addressed = false;
    sim->spi_read = -1;
}

/* One byte, at the chip's present time. */
static uint8_t
shift(struct mfrc522_sim *sim, uint8_t mosi)
{
    if (!sim->spi_selected) {
        return 0;
    }
    if (!sim->spi_addressed) {
        sim->spi_addressed = true;
        sim->spi_write = MFRC522_SPI_ADDRESS(mosi);
        sim->spi_read = MFRC522_SPI_IS_READ(mosi) ? MFRC522_SPI_ADDRESS(mosi) : -1;
        if (sim->spi_read >= 0) {
            sim->spi_write = 0; /* nothing is written until NSS has risen */
        }
        return 0;
    }
    if (sim->spi_read >= 0) {
        uint8_t value = read_register(sim, (uint8_t)sim->spi_read);
        sim->spi_read = MFRC522_SPI_IS_READ(mosi) ? MFRC522_SPI_ADDRESS(mosi) : -1;
        return value;
    }
    write_register(sim, sim->spi_write, mosi); /* runs Python */
    return 0;
}

uint8_t
mfrc522_sim_shift(struct mfrc522_sim *sim, uint8_t mosi, int64_t now_ns)
{
    mfrc522_sim_advance(sim, now_ns);
    return shift(sim, mosi); /* runs Python */
}

void
mfrc522_sim_deselect(struct mfrc522_sim *sim)
{
    sim->spi_selected = false;
}

void
mfrc522_sim_transfer(struct mfrc522_sim *sim, const uint8_t *tx, uint8_t *rx, size_t n,
                     int64_t now_ns, int64_t byte_ns)
{
    bool look = true; /* time has passed, or a write may have made something due */
    for (size_t i = 0; i < n; i++) {
        now_ns += byte_ns;
        if (look) {
            mfrc522_sim_advance(sim, now_ns);
        }
        look = byte_ns > 0 || (sim->spi_addressed && sim->spi_read < 0);
        uint8_t miso = shift(sim, tx != NULL ? tx[i] : 0); /* runs Python */
        if (rx != NULL) {
            rx[i] = miso;
        }
    }
}
