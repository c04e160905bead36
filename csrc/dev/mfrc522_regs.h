/* The MFRC522's registers, bits and commands, by their datasheet names.
 *
 * Source: NXP MFRC522 datasheet rev. 3.9, chapters 9 (registers) and 10
 * (commands).  Names are the datasheet's, upper case, in the order of the
 * addresses.  Shared by the driver and by the simulated chip: what one calls
 * X the other calls X.  Constants and the SPI address byte only.
 */
#ifndef AH_DEV_MFRC522_REGS_H
#define AH_DEV_MFRC522_REGS_H

#include <stdint.h>

enum mfrc522_register {
    /* page 0: command and status */
    COMMAND_REG = 0x01,
    COM_IEN_REG = 0x02,
    DIV_IEN_REG = 0x03,
    COM_IRQ_REG = 0x04,
    DIV_IRQ_REG = 0x05,
    ERROR_REG = 0x06,
    STATUS1_REG = 0x07,
    STATUS2_REG = 0x08,
    FIFO_DATA_REG = 0x09,
    FIFO_LEVEL_REG = 0x0A,
    WATER_LEVEL_REG = 0x0B,
    CONTROL_REG = 0x0C,
    BIT_FRAMING_REG = 0x0D,
    COLL_REG = 0x0E,
    /* page 1: command */
    MODE_REG = 0x11,
    TX_MODE_REG = 0x12,
    RX_MODE_REG = 0x13,
    TX_CONTROL_REG = 0x14,
    TX_ASK_REG = 0x15,
    TX_SEL_REG = 0x16,
    RX_SEL_REG = 0x17,
    RX_THRESHOLD_REG = 0x18,
    DEMOD_REG = 0x19,
    MF_TX_REG = 0x1C,
    MF_RX_REG = 0x1D,
    SERIAL_SPEED_REG = 0x1F,
    /* page 2: configuration */
    CRC_RESULT_REG_H = 0x21,
    CRC_RESULT_REG_L = 0x22,
    MOD_WIDTH_REG = 0x24,
    RF_CFG_REG = 0x26,
    GSN_REG = 0x27,
    CW_GSP_REG = 0x28,
    MOD_GSP_REG = 0x29,
    T_MODE_REG = 0x2A,
    T_PRESCALER_REG = 0x2B,
    T_RELOAD_REG_H = 0x2C,
    T_RELOAD_REG_L = 0x2D,
    T_COUNTER_VAL_REG_H = 0x2E,
    T_COUNTER_VAL_REG_L = 0x2F,
    /* page 3: test */
    TEST_SEL1_REG = 0x31,
    TEST_SEL2_REG = 0x32,
    TEST_PIN_EN_REG = 0x33,
    TEST_PIN_VALUE_REG = 0x34,
    TEST_BUS_REG = 0x35,
    AUTO_TEST_REG = 0x36,
    VERSION_REG = 0x37,
    ANALOG_TEST_REG = 0x38,
    TEST_DAC1_REG = 0x39,
    TEST_DAC2_REG = 0x3A,
    TEST_ADC_REG = 0x3B,
    MFRC522_REGISTERS = 0x40
};

/* CommandReg[3:0], chapter 10.3 */
enum mfrc522_command {
    CMD_IDLE = 0x0,
    CMD_MEM = 0x1,
    CMD_GENERATE_RANDOM_ID = 0x2,
    CMD_CALC_CRC = 0x3,
    CMD_TRANSMIT = 0x4,
    CMD_NO_CMD_CHANGE = 0x7,
    CMD_RECEIVE = 0x8,
    CMD_TRANSCEIVE = 0xC,
    CMD_MF_AUTHENT = 0xE,
    CMD_SOFT_RESET = 0xF
};

/* CommandReg */
#define COMMAND_RCV_OFF 0x20
#define COMMAND_POWER_DOWN 0x10 /* reads 1 until the oscillator runs */
#define COMMAND_MASK 0x0F

/* ComIEnReg: IRQ_INV and the bits of ComIrqReg */
#define COM_IEN_IRQ_INV 0x80 /* pin IRQ is the inverse of Status1Reg.IRq */

/* DivIEnReg */
#define DIV_IEN_IRQ_PUSH_PULL 0x80 /* pin IRQ is a CMOS output, else open drain */
#define DIV_IEN_MFIN_ACT 0x10
#define DIV_IEN_CRC 0x04

/* ComIrqReg; on write, SET1 says whether the marked bits are set or cleared */
#define COM_IRQ_SET1 0x80
#define COM_IRQ_TX 0x40
#define COM_IRQ_RX 0x20
#define COM_IRQ_IDLE 0x10 /* not by an Idle that the host has written */
#define COM_IRQ_HI_ALERT 0x08
#define COM_IRQ_LO_ALERT 0x04
#define COM_IRQ_ERR 0x02
#define COM_IRQ_TIMER 0x01
#define COM_IRQ_ALL 0x7F

/* DivIrqReg; SET2 as SET1 above */
#define DIV_IRQ_SET2 0x80
#define DIV_IRQ_MFIN_ACT 0x10
#define DIV_IRQ_CRC 0x04

/* ErrorReg */
#define ERROR_WR 0x80
#define ERROR_TEMP 0x40
#define ERROR_BUFFER_OVFL 0x10
#define ERROR_COLL 0x08
#define ERROR_CRC 0x04
#define ERROR_PARITY 0x02
#define ERROR_PROTOCOL 0x01

/* Status1Reg */
#define STATUS1_CRC_OK 0x40
#define STATUS1_CRC_READY 0x20
#define STATUS1_IRQ 0x10
#define STATUS1_T_RUNNING 0x08
#define STATUS1_HI_ALERT 0x02
#define STATUS1_LO_ALERT 0x01

/* Status2Reg */
#define STATUS2_TEMP_SENS_CLEAR 0x80
#define STATUS2_I2C_FORCE_HS 0x40
#define STATUS2_MF_CRYPTO1_ON 0x08
#define STATUS2_MODEM_STATE 0x07

/* FIFOLevelReg */
#define FIFO_LEVEL_FLUSH_BUFFER 0x80
#define FIFO_LEVEL_MASK 0x7F
#define FIFO_SIZE 64

/* ControlReg */
#define CONTROL_T_STOP_NOW 0x80
#define CONTROL_T_START_NOW 0x40
#define CONTROL_RX_LAST_BITS 0x07 /* valid bits of the last byte, 0 = all */

/* BitFramingReg */
#define BIT_FRAMING_START_SEND 0x80
#define BIT_FRAMING_RX_ALIGN(n) ((uint8_t)((n) << 4))
#define BIT_FRAMING_RX_ALIGN_MASK 0x70
#define BIT_FRAMING_TX_LAST_BITS 0x07 /* 0 = all bits of the last byte */

/* CollReg */
#define COLL_VALUES_AFTER_COLL 0x80 /* 0: bits after a collision are cleared */
#define COLL_POS_NOT_VALID 0x20
#define COLL_POS 0x1F /* bit position from 1; 0 means the 32nd bit */

/* ModeReg */
#define MODE_MSB_FIRST 0x80
#define MODE_TX_WAIT_RF 0x20
#define MODE_POL_MFIN 0x08
#define MODE_CRC_PRESET 0x03
#define MODE_CRC_PRESET_6363 0x01

/* TxModeReg and RxModeReg */
#define TX_MODE_CRC_EN 0x80
#define TX_MODE_SPEED 0x70
#define RX_MODE_CRC_EN 0x80
#define RX_MODE_SPEED 0x70
#define RX_MODE_NO_ERR 0x08 /* a frame of fewer than 4 bits is ignored */
#define RX_MODE_MULTIPLE 0x04

/* TxControlReg */
#define TX_CONTROL_TX2_CW 0x08
#define TX_CONTROL_TX2_RF_EN 0x02
#define TX_CONTROL_TX1_RF_EN 0x01
#define TX_CONTROL_RF_EN 0x03

/* TxASKReg */
#define TX_ASK_FORCE_100 0x40

/* RFCfgReg: RxGain[2:0] in bits 6..4: 18, 23, 18, 23, 33, 38, 43, 48 dB */
#define RF_CFG_RX_GAIN_SHIFT 4
#define RF_CFG_RX_GAIN_MASK 0x70

/* TModeReg, DemodReg: f_timer = 13.56 MHz / (2*TPrescaler + 1), or + 2 */
#define T_MODE_T_AUTO 0x80
#define T_MODE_T_GATED 0x60
#define T_MODE_T_AUTO_RESTART 0x10
#define T_MODE_T_PRESCALER_HI 0x0F
#define DEMOD_T_PRESCAL_EVEN 0x10
#define MFRC522_CARRIER_HZ 13560000

/* VersionReg */
#define VERSION_MFRC522_1 0x91
#define VERSION_MFRC522_2 0x92
#define VERSION_FM17522 0x88

/* MFAuthent takes command, block, six key bytes and four UID bytes (10.3.1.9). */
#define MF_AUTHENT_SIZE 12

/* First byte of an SPI access, chapter 8.1.2: read flag, address, 0. */
#define MFRC522_SPI_READ(reg) ((uint8_t)(0x80 | (reg) << 1))
#define MFRC522_SPI_WRITE(reg) ((uint8_t)((reg) << 1))
#define MFRC522_SPI_IS_READ(byte) (((byte) & 0x80) != 0)
#define MFRC522_SPI_ADDRESS(byte) ((uint8_t)((byte) >> 1 & 0x3F))

#endif
