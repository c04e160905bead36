/* The simulated MFRC522's inside: commands, CRC coprocessor, timer, time.
 *
 * Everything that takes time is an event: next_event() says when the next one
 * is, handle_events() lets it happen; mfrc522_sim_advance() goes through them
 * in order.
 */
#include "sim/mfrc522_sim_impl.h"

#define CRC_SETUP 8 /* carrier cycles; one byte takes 8 more */
#define RANDOM_ID_SIZE 10
#define SELF_TEST_ON 0x09 /* AutoTestReg[3:0] */
#define SELF_TEST_MASK 0x0F
#define SELF_TEST_NS NS_PER_MS /* no source says how long; drivers poll */

/* --- timer --- */

static int64_t
timer_tick_cycles(const struct mfrc522_sim *sim)
{
    int64_t prescaler = (sim->regs[T_MODE_REG] & T_MODE_T_PRESCALER_HI) << 8 |
                        sim->regs[T_PRESCALER_REG];
    return 2 * prescaler + (chip_flag(sim, DEMOD_REG, DEMOD_T_PRESCAL_EVEN) ? 2 : 1);
}

static int64_t
timer_reload(const struct mfrc522_sim *sim)
{
    return sim->regs[T_RELOAD_REG_H] << 8 | sim->regs[T_RELOAD_REG_L];
}

void
chip_timer_start(struct mfrc522_sim *sim)
{
    if (sim->power != CHIP_RUNNING) {
        return;
    }
    sim->timer_tick = timer_tick_cycles(sim);
    sim->timer_period = carrier_ns(sim->timer_tick * (timer_reload(sim) + 1));
    sim->timer_expiry = sim->now + sim->timer_period;
    sim->timer_running = true;
}

uint16_t
chip_timer_value(const struct mfrc522_sim *sim)
{
    if (!sim->timer_running) {
        return sim->timer_value;
    }
    int64_t left = (sim->timer_expiry - sim->now) % sim->timer_period;
    if (left == 0) {
        left = sim->timer_period;
    }
    int64_t cycles = (left * 339 + 24999) / 25000;
    return (uint16_t)((cycles - 1) / sim->timer_tick);
}

void
chip_timer_stop(struct mfrc522_sim *sim)
{
    sim->timer_value = chip_timer_value(sim);
    sim->timer_running = false;
}

/* It may have run out many times until `until`; once is as good as all. */
static void
timer_expires(struct mfrc522_sim *sim, int64_t until)
{
    chip_set_com_irq(sim, COM_IRQ_TIMER);
    if (chip_flag(sim, T_MODE_REG, T_MODE_T_AUTO_RESTART)) {
        int64_t periods = (until - sim->timer_expiry) / sim->timer_period + 1;
        sim->timer_expiry += periods * sim->timer_period;
    }
    else {
        sim->timer_running = false;
        sim->timer_value = 0;
    }
}

/* --- end of a command --- */

void
chip_command_done(struct mfrc522_sim *sim)
{
    sim->command = CMD_IDLE;
    sim->modem = MODEM_IDLE;
    chip_set_com_irq(sim, COM_IRQ_IDLE);
}

void
chip_abort(struct mfrc522_sim *sim)
{
    sim->run++;
    if (sim->modem == MODEM_TRANSMITTING) {
        field_forget(sim->config.field); /* half a frame: nobody answers */
    }
    sim->command = CMD_IDLE;
    sim->modem = MODEM_IDLE;
    sim->auth = AUTH_NONE;
    sim->crc_busy = false;
}

/* --- CRC coprocessor --- */

static uint8_t
reversed(uint8_t byte)
{
    uint8_t out = 0;
    for (unsigned i = 0; i < 8; i++) {
        out = (uint8_t)(out << 1 | (byte >> i & 1));
    }
    return out;
}

static uint16_t
crc_step(uint16_t crc, uint8_t byte)
{
    uint8_t b = (uint8_t)(byte ^ crc);
    b = (uint8_t)(b ^ b << 4);
    return (uint16_t)(crc >> 8 ^ b << 8 ^ b << 3 ^ b >> 4);
}

static uint16_t
crc_preset(const struct mfrc522_sim *sim)
{
    static const uint16_t presets[] = {0x0000, 0x6363, 0xA671, 0xFFFF};
    return presets[sim->regs[MODE_REG] & MODE_CRC_PRESET];
}

/* Take what is in the FIFO. */
static void
crc_feed(struct mfrc522_sim *sim)
{
    int64_t start = sim->crc_busy ? sim->crc_done : sim->now + carrier_ns(CRC_SETUP);
    if (sim->fifo_level == 0) {
        return;
    }
    sim->crc_busy = true;
    sim->crc_done = start + carrier_ns(8 * (int64_t)sim->fifo_level);
    while (sim->fifo_level != 0) {
        uint8_t byte = chip_fifo_pop(sim);
        sim->crc = crc_step(
            sim->crc, chip_flag(sim, MODE_REG, MODE_MSB_FIRST) ? reversed(byte) : byte);
    }
}

static void
begin_crc(struct mfrc522_sim *sim)
{
    sim->crc = crc_preset(sim);
    crc_feed(sim);
    sim->self_test = (sim->regs[AUTO_TEST_REG] & SELF_TEST_MASK) == SELF_TEST_ON;
    if (sim->self_test) {
        sim->crc_busy = true;
        sim->crc_done = sim->now + SELF_TEST_NS;
    }
}

static void
crc_finished(struct mfrc522_sim *sim)
{
    sim->crc_busy = false;
    if (sim->self_test) {
        chip_self_test_finished(sim);
    }
    sim->div_irq |= DIV_IRQ_CRC;
}

/* --- small commands --- */

static void
run_mem(struct mfrc522_sim *sim)
{
    if (sim->fifo_level == 0) {
        for (unsigned i = 0; i < CHIP_MEM_SIZE; i++) {
            chip_fifo_push(sim, sim->mem[i]);
        }
    }
    else {
        for (unsigned i = 0; i < CHIP_MEM_SIZE; i++) {
            sim->mem[i] = chip_fifo_pop(sim);
        }
    }
    chip_command_done(sim);
}

static void
run_generate_random_id(struct mfrc522_sim *sim)
{
    for (unsigned i = 0; i < RANDOM_ID_SIZE; i++) {
        sim->random = sim->random * 1664525u + 1013904223u;
        sim->mem[i] = (uint8_t)(sim->random >> 24);
    }
    chip_command_done(sim);
}

/* --- commands --- */

void
chip_command(struct mfrc522_sim *sim, uint8_t command)
{
    chip_abort(sim);
    if (command == CMD_IDLE) {
        return;
    }
    sim->command = command;
    sim->error &= ERROR_TEMP;
    switch (command) {
        case CMD_MEM:
            run_mem(sim);
            break;
        case CMD_GENERATE_RANDOM_ID:
            run_generate_random_id(sim);
            break;
        case CMD_CALC_CRC:
            begin_crc(sim);
            break;
        case CMD_TRANSMIT:
            chip_start_send(sim); /* runs Python */
            break;
        case CMD_RECEIVE:
            sim->modem = MODEM_WAIT_DATA;
            sim->rx_since = sim->now;
            break;
        case CMD_TRANSCEIVE:
            sim->modem = MODEM_WAIT_SEND;
            if (chip_flag(sim, BIT_FRAMING_REG, BIT_FRAMING_START_SEND)) {
                chip_start_send(sim); /* runs Python */
            }
            break;
        case CMD_MF_AUTHENT:
            chip_begin_auth(sim); /* runs Python */
            break;
        default:
            sim->command = CMD_IDLE; /* reserved codes */
            break;
    }
}

void
chip_fifo_written(struct mfrc522_sim *sim)
{
    if (sim->command == CMD_CALC_CRC && !sim->self_test) {
        crc_feed(sim);
    }
}

/* --- time --- */

/* All but the timer's. */
static int64_t
next_change(struct mfrc522_sim *sim)
{
    int64_t at = sim->auth != AUTH_NONE ? chip_auth_event(sim) : NS_NEVER;
    if (sim->power == CHIP_RESET || sim->power == CHIP_WAKING) {
        at = earlier(at, sim->oscillator_at);
    }
    if (sim->crc_busy) {
        at = earlier(at, sim->crc_done);
    }
    if (sim->modem == MODEM_TRANSMITTING) {
        at = earlier(at, sim->tx_end);
    }
    if (sim->modem == MODEM_WAIT_DATA || sim->modem == MODEM_RECEIVING) {
        const struct field_reception *r = chip_reception(sim);
        if (r != NULL) {
            at = earlier(at, chip_rx_event(sim, r));
        }
    }
    return at;
}

static int64_t
next_event(struct mfrc522_sim *sim)
{
    int64_t at = next_change(sim);
    return sim->timer_running ? earlier(at, sim->timer_expiry) : at;
}

/* Let happen what is due at sim->now. */
static void
handle_events(struct mfrc522_sim *sim, int64_t until)
{
    int64_t now = sim->now;
    if ((sim->power == CHIP_RESET || sim->power == CHIP_WAKING) &&
        sim->oscillator_at <= now) {
        sim->power = CHIP_RUNNING;
        chip_update_carrier(sim); /* no command has waited for it */
    }
    if (sim->crc_busy && sim->crc_done <= now) {
        crc_finished(sim);
    }
    if (chip_auth_event(sim) <= now) {
        chip_auth_goes_on(sim);
    }
    if (sim->modem == MODEM_TRANSMITTING && sim->tx_end <= now) {
        chip_transmitted(sim);
    }
    else if (sim->modem == MODEM_WAIT_DATA || sim->modem == MODEM_RECEIVING) {
        const struct field_reception *r = chip_reception(sim);
        if (r != NULL && chip_rx_event(sim, r) <= now) {
            chip_receive(sim, r);
        }
    }
    if (sim->timer_running && sim->timer_expiry <= now) {
        timer_expires(sim, until);
    }
}

void
mfrc522_sim_advance(struct mfrc522_sim *sim, int64_t now_ns)
{
    if (sim->in_card) {
        return;
    }
    for (;;) {
        int64_t at = next_event(sim);
        if (at > now_ns) {
            break;
        }
        if (at > sim->now) {
            sim->now = at;
        }
        handle_events(sim, now_ns);
        chip_update_irq(sim);
    }
    if (now_ns > sim->now) {
        sim->now = now_ns;
    }
}

/* The next event that may change the pin. */
static int64_t
next_irq(struct mfrc522_sim *sim)
{
    uint8_t waiting = sim->regs[COM_IEN_REG] & COM_IRQ_ALL & ~sim->com_irq;
    bool crc_waits = chip_flag(sim, DIV_IEN_REG, DIV_IEN_CRC);
    bool sends = sim->modem == MODEM_TRANSMITTING;
    if (sim->in_card || chip_irq(sim) || (waiting == 0 && !crc_waits)) {
        return NS_NEVER; /* without an access the pin stays as it is */
    }
    int64_t at = crc_waits && sim->crc_busy ? sim->crc_done : NS_NEVER;
    if ((waiting & (COM_IRQ_HI_ALERT | COM_IRQ_LO_ALERT | COM_IRQ_ERR)) != 0 ||
        sim->auth != AUTH_NONE) {
        at = next_change(sim);
    }
    if ((waiting & COM_IRQ_TIMER) != 0) {
        if (sim->timer_running) {
            at = earlier(at, sim->timer_expiry);
        }
        if (sends && chip_flag(sim, T_MODE_REG, T_MODE_T_AUTO)) {
            at = earlier(at, sim->tx_end + carrier_ns(timer_tick_cycles(sim) *
                                                      (timer_reload(sim) + 1)));
        }
    }
    if (sends && ((waiting & COM_IRQ_TX) != 0 || sim->command == CMD_TRANSMIT)) {
        at = earlier(at, sim->tx_end);
    }
    if (sends || sim->modem == MODEM_WAIT_DATA || sim->modem == MODEM_RECEIVING) {
        const struct field_reception *r = chip_reception(sim);
        if (r != NULL && (waiting & (COM_IRQ_RX | COM_IRQ_IDLE)) != 0) {
            at = earlier(at, r->end_ns);
        }
    }
    return at;
}

int64_t
mfrc522_sim_next_due(struct mfrc522_sim *sim)
{
    int64_t at = next_irq(sim);
    return at > sim->now ? at : sim->now; /* an answer cut short has ended already */
}
