/* dev/iso14443a.c: vectors of ISO/IEC 14443-3 and of known cards. */
#include <errno.h>

#include "dev/iso14443a.h"
#include "check.h"

static void
test_crc_a_of_annex_b(void)
{
    const uint8_t a[] = {0x00, 0x00};
    const uint8_t b[] = {0x12, 0x34};
    CHECK_EQ(iso14443a_crc(a, 2), 0x1EA0);
    CHECK_EQ(iso14443a_crc(b, 2), 0xCF26);
    CHECK_EQ(iso14443a_crc(a, 0), 0x6363);
}

static void
test_crc_is_added_and_checked(void)
{
    uint8_t frame[18] = {MIFARE_READ, 4};
    CHECK_EQ(iso14443a_add_crc(frame, 2), 4);
    CHECK(iso14443a_check_crc(frame, 4));
    frame[1] ^= 1;
    CHECK(!iso14443a_check_crc(frame, 4));
    CHECK(!iso14443a_check_crc(frame, 2));
    CHECK(!iso14443a_check_crc(frame, 0));
}

static void
test_frames(void)
{
    uint8_t frame[ISO14443A_SELECT_SIZE];
    const uint8_t cl[] = {0xA6, 0x1D, 0x22, 0x7E, 0xE7};
    CHECK_EQ(iso14443a_hlta_frame(frame), ISO14443A_HLTA_SIZE);
    CHECK_BYTES(frame, 0x50, 0x00, 0x57, 0xCD);
    CHECK_EQ(iso14443a_select_frame(frame, 0, cl), 9);
    CHECK_BYTES(frame, 0x93, 0x70, 0xA6, 0x1D, 0x22, 0x7E, 0xE7);
    CHECK(iso14443a_check_crc(frame, 9));
}

static void
test_anticollision_frames(void)
{
    uint8_t frame[7];
    unsigned bits;
    const uint8_t cl[] = {0xA6, 0xFF, 0x22, 0x7E, 0xE7};
    CHECK_EQ(iso14443a_anticollision_frame(frame, 0, cl, 0, &bits), 2);
    CHECK_EQ(bits, 16);
    CHECK_BYTES(frame, 0x93, 0x20);
    CHECK_EQ(iso14443a_anticollision_frame(frame, 1, cl, 11, &bits), 4);
    CHECK_EQ(bits, 27);
    CHECK_BYTES(frame, 0x95, 0x33, 0xA6, 0x07);
    CHECK_EQ(iso14443a_anticollision_frame(frame, 2, cl, 32, &bits), 6);
    CHECK_EQ(bits, 48);
    CHECK_BYTES(frame, 0x97, 0x60, 0xA6, 0xFF, 0x22, 0x7E);
    CHECK_EQ(iso14443a_anticollision_frame(frame, 0, cl, 39, &bits), 7);
    CHECK_EQ(frame[6], 0x67);
}

/* A card of each size: taken apart into levels and put together again. */
static void
check_round_trip(const uint8_t *uid, unsigned size)
{
    struct iso14443a_uid got = {0};
    unsigned levels = iso14443a_levels(size);
    for (unsigned level = 0; level < levels; level++) {
        uint8_t cl[ISO14443A_CL_SIZE];
        REQUIRE(iso14443a_cl_of_uid(cl, uid, size, level) == 0);
        CHECK_EQ(cl[0] == ISO14443A_CT, level + 1 < levels);
        CHECK(!got.complete);
        uint8_t sak = level + 1 < levels ? ISO14443A_SAK_CASCADE : 0x08;
        CHECK_EQ(iso14443a_uid_add(&got, cl, sak), 0);
    }
    CHECK(got.complete);
    CHECK_EQ(got.size, size);
    CHECK_EQ(got.sak, 0x08);
    CHECK_EQ(got.level, levels);
    CHECK(memcmp(got.bytes, uid, size) == 0);
    uint8_t cl[ISO14443A_CL_SIZE];
    CHECK_EQ(iso14443a_cl_of_uid(cl, uid, size, levels), -EINVAL);
}

static void
test_uids_of_all_sizes(void)
{
    const uint8_t uid[] = {0x04, 0xA1, 0xB2, 0xC3, 0xD4, 0xE5, 0xF6, 0x17, 0x28, 0x39};
    check_round_trip(uid, 4);
    check_round_trip(uid, 7);
    check_round_trip(uid, 10);
    CHECK_EQ(iso14443a_levels(5), 0);
    CHECK_EQ(iso14443a_levels(0), 0);
}

static void
test_wrong_levels_are_refused(void)
{
    struct iso14443a_uid uid = {0};
    uint8_t cl[] = {0xA6, 0x1D, 0x22, 0x7E, 0xE7};
    cl[4] ^= 1;
    CHECK_EQ(iso14443a_uid_add(&uid, cl, 0x08), -EPROTO); /* BCC */
    cl[4] ^= 1;
    CHECK_EQ(iso14443a_uid_add(&uid, cl, 0x04), -EPROTO); /* more, but no CT */
    cl[0] = ISO14443A_CT;
    cl[4] = iso14443a_bcc(cl);
    CHECK_EQ(iso14443a_uid_add(&uid, cl, 0x08), -EPROTO); /* CT, but no more */
    CHECK_EQ(uid.level, 0);
    CHECK_EQ(iso14443a_uid_add(&uid, cl, 0x04), 0);
    CHECK_EQ(iso14443a_uid_add(&uid, cl, 0x04), 0);
    CHECK_EQ(iso14443a_uid_add(&uid, cl, 0x04), -EPROTO); /* a fourth level */
    cl[0] = 1;
    cl[4] = iso14443a_bcc(cl);
    CHECK_EQ(iso14443a_uid_add(&uid, cl, 0x20), 0);
    CHECK(uid.complete);
    CHECK_EQ(uid.size, 10);
    CHECK_EQ(iso14443a_uid_add(&uid, cl, 0x20), -EPROTO);
}

int
main(void)
{
    RUN(test_crc_a_of_annex_b);
    RUN(test_crc_is_added_and_checked);
    RUN(test_frames);
    RUN(test_anticollision_frames);
    RUN(test_uids_of_all_sizes);
    RUN(test_wrong_levels_are_refused);
    return check_done();
}
