/* MIFARE Classic: authenticate, read and write the card that is selected.
 *
 * The chip does the cipher (MFAuthent); frames carry their CRC_A in clear here.
 * Source: NXP MF1S50YYX/V1, chapters 9 and 10.
 */
#include <string.h>

#include "dev/mfrc522_chip.h"
#include "dev/mfrc522_exchange.h"

#define AUTH_TIMEOUT_US 10000
#define READ_TIMEOUT_US 25000
#define WRITE_TIMEOUT_US 10000

void
mfrc522_start_authenticate(struct mfrc522 *chip, uint8_t command, uint8_t block,
                           const uint8_t *key6, const uint8_t *uid4)
{
    struct mfrc522_frame *frame =
        exchange_frame(chip, CMD_MF_AUTHENT, 0, AUTH_TIMEOUT_US);
    frame->data[0] = command;
    frame->data[1] = block;
    memcpy(frame->data + 2, key6, MIFARE_KEY_SIZE);
    memcpy(frame->data + 2 + MIFARE_KEY_SIZE, uid4, 4);
    frame->size = MF_AUTHENT_SIZE;
    exchange_start(chip, step_end);
}

static void
mifare_frame(struct mfrc522 *chip, uint8_t command, uint8_t block, uint8_t expect,
             uint32_t timeout_us)
{
    struct mfrc522_frame *frame =
        exchange_frame(chip, CMD_TRANSCEIVE, expect, timeout_us);
    frame->data[0] = command;
    frame->data[1] = block;
    frame->size = (uint8_t)iso14443a_add_crc(frame->data, 2);
    frame->rx_crc = true;
}

static void
read_ended(struct mfrc522 *chip, int error)
{
    if (error == 0 && chip->rx_size != MIFARE_BLOCK_SIZE) {
        error = MFRC522_FRAME_ERROR;
    }
    command_end(chip, error);
}

void
mfrc522_start_read(struct mfrc522 *chip, uint8_t block)
{
    mifare_frame(chip, MIFARE_READ, block, MIFARE_BLOCK_SIZE + 2, READ_TIMEOUT_US);
    exchange_start(chip, read_ended);
}

static int
acknowledged(const struct mfrc522 *chip, int error)
{
    if (error == 0 && chip->rx_last_bits != MIFARE_ACK_BITS) {
        error = MFRC522_FRAME_ERROR;
    }
    return error;
}

static void
write_ended(struct mfrc522 *chip, int error)
{
    command_end(chip, acknowledged(chip, error));
}

static void
write_data(struct mfrc522 *chip, int error)
{
    error = acknowledged(chip, error);
    if (error != 0) {
        command_end(chip, error);
        return;
    }
    struct mfrc522_frame *frame =
        exchange_frame(chip, CMD_TRANSCEIVE, 1, WRITE_TIMEOUT_US);
    memcpy(frame->data, chip->block_data, MIFARE_BLOCK_SIZE);
    frame->size = (uint8_t)iso14443a_add_crc(frame->data, MIFARE_BLOCK_SIZE);
    frame->rx_crc = true;
    exchange(chip, write_ended);
}

void
mfrc522_start_write(struct mfrc522 *chip, uint8_t block, const uint8_t *data16)
{
    memcpy(chip->block_data, data16, MIFARE_BLOCK_SIZE);
    mifare_frame(chip, MIFARE_WRITE, block, 1, WRITE_TIMEOUT_US);
    exchange_start(chip, write_data);
}
