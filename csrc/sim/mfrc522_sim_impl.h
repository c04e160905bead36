/* Between the files of the simulated MFRC522: its state, and who does what.
 *
 * mfrc522_sim.c      registers, FIFO, interrupts, power, SPI
 * mfrc522_sim_cmd.c  commands, CRC coprocessor, timer, events
 * mfrc522_sim_rf.c   transmitter, receiver, MFAuthent
 * mfrc522_sim_selftest.c  what the digital self-test gives
 *
 * Everything here happens at sim->now; only mfrc522_sim_advance() moves it.
 * `run` counts aborts: whoever has called card code compares it afterwards.
 */
#ifndef AH_SIM_MFRC522_SIM_IMPL_H
#define AH_SIM_MFRC522_SIM_IMPL_H

#include "base/clock.h"
#include "sim/mfrc522_sim.h"

#define CHIP_MEM_SIZE 25 /* the internal buffer of command Mem */

enum chip_power {
    CHIP_OFF,    /* NRSTPD low */
    CHIP_RESET,  /* NRSTPD has risen, oscillator starts: writes are lost */
    CHIP_DOWN,   /* soft power-down: registers and FIFO live on */
    CHIP_WAKING, /* PowerDown was cleared, oscillator starts */
    CHIP_RUNNING,
};

/* Status2Reg.ModemState */
enum chip_modem {
    MODEM_IDLE = 0,
    MODEM_WAIT_SEND = 1, /* Transceive waits for StartSend */
    MODEM_TX_WAIT = 2,   /* TxWaitRF: for the field */
    MODEM_TRANSMITTING = 3,
    MODEM_WAIT_DATA = 5,
    MODEM_RECEIVING = 6,
};

/* What MFAuthent waits for, in order (field_auth_times). */
enum chip_auth {
    AUTH_NONE,
    AUTH_COMMAND_END,
    AUTH_NONCE,
    AUTH_ANSWER_END,
    AUTH_TOKEN,
    AUTH_DONE,
};

struct mfrc522_sim {
    struct mfrc522_sim_config config;
    int64_t now;
    bool in_card; /* card code is running: time stands still */
    enum chip_power power;
    int64_t oscillator_at;
    enum mfrc522_irq_level irq_level;

    uint8_t regs[MFRC522_REGISTERS]; /* those that just keep what is written */
    uint8_t command;                 /* CommandReg[3:0] */
    uint8_t com_irq;
    uint8_t div_irq;
    uint8_t error;
    uint8_t rx_last_bits;
    uint8_t coll; /* CollReg without ValuesAfterColl */
    bool crypto1_on;
    uint8_t fifo[FIFO_SIZE];
    unsigned fifo_level;
    uint8_t mem[CHIP_MEM_SIZE];
    uint32_t random;

    uint32_t run;
    enum chip_modem modem;
    int64_t tx_end;
    int64_t rx_since;  /* an answer that begins earlier has been missed */
    unsigned rx_bytes; /* of the present answer, moved to the FIFO */
    enum chip_auth auth;

    bool crc_busy;
    bool self_test; /* CalcCRC was started for the digital self-test */
    int64_t crc_done;
    uint16_t crc; /* CRCResultReg */

    bool timer_running;
    int64_t timer_tick;   /* carrier cycles */
    int64_t timer_period; /* ns */
    int64_t timer_expiry;
    uint16_t timer_value; /* when it does not run */

    bool spi_selected;
    bool spi_addressed; /* the address byte has come */
    int spi_read;       /* address whose value travels in the next byte, or -1 */
    uint8_t spi_write;
};

/* --- mfrc522_sim.c --- */

/* The host or the chip puts a byte into the FIFO. */
void chip_fifo_push(struct mfrc522_sim *sim, uint8_t byte);
/* The next byte; 0 when it is empty. */
uint8_t chip_fifo_pop(struct mfrc522_sim *sim);
void chip_set_com_irq(struct mfrc522_sim *sim, uint8_t bits);
void chip_set_error(struct mfrc522_sim *sim, uint8_t bits);
/* Any interrupt that is enabled and requested? */
bool chip_irq(const struct mfrc522_sim *sim);
/* Tell the pin's level if it has changed. */
void chip_update_irq(struct mfrc522_sim *sim);

/* --- mfrc522_sim_cmd.c --- */

/* Cancel the command; the FIFO stays. */
void chip_abort(struct mfrc522_sim *sim);
/* A command has ended by itself: IdleIRq. */
void chip_command_done(struct mfrc522_sim *sim);
/* CommandReg has been written: cancel what runs, start `command`. */
void chip_command(struct mfrc522_sim *sim, uint8_t command); /* runs Python */
/* The host has written a byte into the FIFO. */
void chip_fifo_written(struct mfrc522_sim *sim);
void chip_timer_start(struct mfrc522_sim *sim);
void chip_timer_stop(struct mfrc522_sim *sim);
uint16_t chip_timer_value(const struct mfrc522_sim *sim);

/* --- mfrc522_sim_rf.c --- */

/* StartSend has been set, or the field is there at last. */
void chip_start_send(struct mfrc522_sim *sim); /* runs Python */
void chip_begin_auth(struct mfrc522_sim *sim); /* runs Python */
/* TxControlReg or the power have changed.  Runs cards only if a command waits. */
void chip_update_carrier(struct mfrc522_sim *sim); /* runs Python */
/* The answer that the receiver gets or is getting, or NULL. */
const struct field_reception *chip_reception(struct mfrc522_sim *sim);
/* When the next thing happens to it; and let that happen. */
int64_t chip_rx_event(struct mfrc522_sim *sim, const struct field_reception *r);
void chip_receive(struct mfrc522_sim *sim, const struct field_reception *r);
/* The frame's end has come. */
void chip_transmitted(struct mfrc522_sim *sim);
/* The next milestone of MFAuthent, or NS_NEVER; and let it happen. */
int64_t chip_auth_event(const struct mfrc522_sim *sim);
void chip_auth_goes_on(struct mfrc522_sim *sim);

/* --- mfrc522_sim_selftest.c --- */

/* Its result into the FIFO. */
void chip_self_test_finished(struct mfrc522_sim *sim);

static inline bool
chip_flag(const struct mfrc522_sim *sim, uint8_t addr, uint8_t bit)
{
    return (sim->regs[addr] & bit) != 0;
}

static inline int64_t
earlier(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

#endif
