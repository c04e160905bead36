/* ISO/IEC 14443-3 type A: see iso14443a.h. */
#include "dev/iso14443a.h"

#include <errno.h>
#include <string.h>

uint16_t
iso14443a_crc(const uint8_t *data, size_t size)
{
    /* ITU-T polynomial x^16 + x^12 + x^5 + 1, reflected, no final inversion. */
    uint16_t crc = ISO14443A_CRC_A_INIT;
    for (size_t i = 0; i < size; i++) {
        uint8_t b = (uint8_t)(data[i] ^ crc);
        b = (uint8_t)(b ^ b << 4);
        crc = (uint16_t)(crc >> 8 ^ b << 8 ^ b << 3 ^ b >> 4);
    }
    return crc;
}

size_t
iso14443a_add_crc(uint8_t *data, size_t size)
{
    uint16_t crc = iso14443a_crc(data, size);
    data[size] = (uint8_t)crc;
    data[size + 1] = (uint8_t)(crc >> 8);
    return size + 2;
}

bool
iso14443a_check_crc(const uint8_t *data, size_t size)
{
    if (size < 3) {
        return false;
    }
    uint16_t crc = iso14443a_crc(data, size - 2);
    return data[size - 2] == (uint8_t)crc && data[size - 1] == crc >> 8;
}

uint8_t
iso14443a_bcc(const uint8_t *bytes4)
{
    return bytes4[0] ^ bytes4[1] ^ bytes4[2] ^ bytes4[3];
}

size_t
iso14443a_anticollision_frame(uint8_t *frame, unsigned level, const uint8_t *cl,
                              unsigned known, unsigned *bits)
{
    unsigned whole = known / 8;
    unsigned rest = known % 8;
    frame[0] = iso14443a_sel(level);
    frame[1] = ISO14443A_NVB(2 + whole, rest);
    memcpy(frame + 2, cl, whole);
    if (rest != 0) {
        frame[2 + whole] = (uint8_t)(cl[whole] & ((1 << rest) - 1));
    }
    *bits = 16 + known;
    return 2 + whole + (rest != 0);
}

size_t
iso14443a_select_frame(uint8_t *frame, unsigned level, const uint8_t *cl)
{
    frame[0] = iso14443a_sel(level);
    frame[1] = ISO14443A_NVB_SELECT;
    memcpy(frame + 2, cl, ISO14443A_CL_SIZE);
    return iso14443a_add_crc(frame, 2 + ISO14443A_CL_SIZE);
}

size_t
iso14443a_hlta_frame(uint8_t *frame)
{
    frame[0] = ISO14443A_HLTA;
    frame[1] = 0;
    return iso14443a_add_crc(frame, 2);
}

unsigned
iso14443a_levels(size_t uid_size)
{
    switch (uid_size) {
        case 4:
            return 1;
        case 7:
            return 2;
        case 10:
            return 3;
        default:
            return 0;
    }
}

int
iso14443a_cl_of_uid(uint8_t *cl, const uint8_t *uid, size_t size, unsigned level)
{
    unsigned levels = iso14443a_levels(size);
    if (level >= levels) {
        return -EINVAL;
    }
    if (level + 1 < levels) {
        cl[0] = ISO14443A_CT;
        memcpy(cl + 1, uid + (size_t)3 * level, 3);
    }
    else {
        memcpy(cl, uid + (size_t)3 * level, 4);
    }
    cl[4] = iso14443a_bcc(cl);
    return 0;
}

int
iso14443a_uid_add(struct iso14443a_uid *uid, const uint8_t *cl, uint8_t sak)
{
    bool more = (sak & ISO14443A_SAK_CASCADE) != 0;
    if (uid->complete || uid->level >= ISO14443A_LEVELS || iso14443a_bcc(cl) != cl[4]) {
        return -EPROTO;
    }
    if (more) {
        if (cl[0] != ISO14443A_CT || uid->level + 1 == ISO14443A_LEVELS) {
            return -EPROTO;
        }
        memcpy(uid->bytes + uid->size, cl + 1, 3);
        uid->size += 3;
    }
    else {
        /* A single-size UID must not begin with the cascade tag (6.5.4). */
        if (cl[0] == ISO14443A_CT && uid->level == 0) {
            return -EPROTO;
        }
        memcpy(uid->bytes + uid->size, cl, 4);
        uid->size += 4;
    }
    uid->level++;
    uid->sak = sak;
    uid->complete = !more;
    return 0;
}
