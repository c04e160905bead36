/* ISO/IEC 14443-3 type A: frames, checks and UIDs, for reader and card alike.
 *
 * Pure functions over bytes: no chip, no time, no memory of their own.  Bits
 * of a byte travel least significant first.  CRC_A follows its data low byte
 * first (ISO/IEC 14443-3, 6.2.4 and annex B).  Used by the MFRC522 driver and
 * by the simulated cards.  Python-free.
 */
#ifndef AH_DEV_ISO14443A_H
#define AH_DEV_ISO14443A_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define ISO14443A_REQA 0x26 /* short frame: 7 bits */
#define ISO14443A_WUPA 0x52 /* short frame: 7 bits */
#define ISO14443A_SHORT_FRAME_BITS 7
#define ISO14443A_SEL_CL1 0x93
#define ISO14443A_SEL_CL2 0x95
#define ISO14443A_SEL_CL3 0x97
#define ISO14443A_HLTA 0x50 /* followed by 00 and CRC_A; never answered */
#define ISO14443A_CT 0x88   /* cascade tag: the first byte of an incomplete UID */
#define ISO14443A_NVB(bytes, bits) ((uint8_t)((bytes) << 4 | (bits)))
#define ISO14443A_NVB_SELECT 0x70 /* 7 whole bytes: this is SELECT, with CRC_A */

#define ISO14443A_SAK_CASCADE 0x04    /* UID not complete */
#define ISO14443A_SAK_ISO14443_4 0x20 /* speaks ISO/IEC 14443-4 (when complete) */

#define ISO14443A_UID_MAX 10
#define ISO14443A_LEVELS 3
#define ISO14443A_CL_SIZE 5 /* uid0..uid3 or CT,uid0..uid2; then BCC */
#define ISO14443A_CL_BITS 40
#define ISO14443A_SELECT_SIZE 9 /* SEL NVB cl[5] CRC_A */
#define ISO14443A_HLTA_SIZE 4

#define ISO14443A_CRC_A_INIT 0x6363

/* Times in units of the carrier, 1/fc (ISO/IEC 14443-3, 6.2.1.1; -2, 9.1.1). */
#define ISO14443A_FDT_LAST_BIT_0 1172 /* from reader to card, REQA/WUPA/ANTICOLL */
#define ISO14443A_FDT_LAST_BIT_1 1236
#define ISO14443A_BIT_FC 128 /* one bit at 106 kbit/s */
#define ISO14443A_GUARD_MS 5 /* from field on until a card must listen */

/* MIFARE Classic (NXP MF1S50YYX/V1, chapter 9) over the same frames. */
#define MIFARE_AUTH_KEY_A 0x60
#define MIFARE_AUTH_KEY_B 0x61
#define MIFARE_READ 0x30
#define MIFARE_WRITE 0xA0
#define MIFARE_DECREMENT 0xC0
#define MIFARE_INCREMENT 0xC1
#define MIFARE_RESTORE 0xC2
#define MIFARE_TRANSFER 0xB0
#define MIFARE_ACK 0xA /* 4 bits; every other 4-bit answer is a NAK */
#define MIFARE_ACK_BITS 4
#define MIFARE_BLOCK_SIZE 16
#define MIFARE_KEY_SIZE 6

/* A UID under assembly, cascade level by cascade level. */
struct iso14443a_uid {
    uint8_t bytes[ISO14443A_UID_MAX];
    uint8_t size;  /* bytes known: 0, 3, 4, 6, 7 or 10 */
    uint8_t level; /* cascade levels selected so far */
    uint8_t sak;   /* of the last level */
    bool complete;
};

uint16_t iso14443a_crc(const uint8_t *data, size_t size);

/* Write CRC_A behind `size` bytes; data has room for 2 more.  The new size. */
size_t iso14443a_add_crc(uint8_t *data, size_t size);

/* Do the last two of `size` bytes hold the CRC_A of the rest? */
bool iso14443a_check_crc(const uint8_t *data, size_t size);

/* XOR of four bytes (block check character). */
uint8_t iso14443a_bcc(const uint8_t *bytes4);

/* SEL of a cascade level, 0 to 2. */
static inline uint8_t
iso14443a_sel(unsigned level)
{
    return (uint8_t)(ISO14443A_SEL_CL1 + 2 * level);
}

/* ANTICOLLISION with `known` bits (0..39) of cl, without CRC.  Fills frame
 * (7 bytes at most), sets the number of its bits; returns its size in bytes. */
size_t iso14443a_anticollision_frame(uint8_t *frame, unsigned level, const uint8_t *cl,
                                     unsigned known, unsigned *bits);

/* SELECT with CRC_A: ISO14443A_SELECT_SIZE bytes. */
size_t iso14443a_select_frame(uint8_t *frame, unsigned level, const uint8_t *cl);

/* HLTA with CRC_A: ISO14443A_HLTA_SIZE bytes. */
size_t iso14443a_hlta_frame(uint8_t *frame);

/* The five bytes of a level as they travel, out of a UID of 4, 7 or 10 bytes.
 * 0, or -EINVAL: no such size, or the UID has no such level. */
int iso14443a_cl_of_uid(uint8_t *cl, const uint8_t *uid, size_t size, unsigned level);

/* Number of cascade levels of a UID size, 0 if there is no such size. */
unsigned iso14443a_levels(size_t uid_size);

/* Take over a level that was selected: cl (5 bytes) and the SAK it answered.
 * 0: uid->complete says whether that was all.  -EPROTO: BCC wrong, cascade tag
 * and SAK contradict each other, or there is no level left. */
int iso14443a_uid_add(struct iso14443a_uid *uid, const uint8_t *cl, uint8_t sak);

#endif
