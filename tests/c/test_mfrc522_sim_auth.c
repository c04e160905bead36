/* sim/mfrc522_sim_rf.c: MFAuthent, and the cipher that only one side uses. */
#include "sim_bench.h"

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

/* Datasheet 10.3.1.9: an authentication that fails clears Crypto1On, also one in
 * another. */
static void
test_second_authentication_fails(void)
{
    struct test_card card = test_card_make(1, 2, 3, 4);
    const uint8_t wrong[6] = {0};
    setup();
    field_enter(&field, &card.card, now);
    init_like_pirc522();
    wait_us(5000);
    select_card(&card);
    for (int i = 0; i < 2; i++) {
        authenticate(&card, 4, card.key);
        CHECK(poll_irq(COM_IRQ_IDLE | COM_IRQ_TIMER) & COM_IRQ_IDLE);
        CHECK_EQ(rd(STATUS2_REG) & STATUS2_MF_CRYPTO1_ON, STATUS2_MF_CRYPTO1_ON);
    }
    authenticate(&card, 4, wrong);
    CHECK(!(poll_irq(COM_IRQ_IDLE | COM_IRQ_TIMER) & COM_IRQ_IDLE));
    CHECK_EQ(rd(STATUS2_REG) & STATUS2_MF_CRYPTO1_ON, 0);
    teardown();
}

static void
test_authentication_needs_bytes_and_field(void)
{
    struct test_card card = test_card_make(1, 2, 3, 4);
    setup();
    field_enter(&field, &card.card, now);
    init_like_pirc522();
    wait_us(5000);
    select_card(&card);
    wr(FIFO_LEVEL_REG, FIFO_LEVEL_FLUSH_BUFFER);
    wr(FIFO_DATA_REG, MIFARE_AUTH_KEY_A);
    wr(COM_IRQ_REG, COM_IRQ_ALL);
    wr(COMMAND_REG, CMD_MF_AUTHENT);
    wait_us(100000);
    CHECK_EQ(rd(COM_IRQ_REG) & (COM_IRQ_IDLE | COM_IRQ_TIMER), 0);
    wr(TX_CONTROL_REG, 0x80);
    authenticate(&card, 4, card.key);
    wait_us(100000);
    CHECK_EQ(rd(COM_IRQ_REG) & (COM_IRQ_IDLE | COM_IRQ_TIMER), 0);
    /* Its success is forgotten by a reset. */
    wr(TX_CONTROL_REG, 0x83);
    wait_us(5000);
    select_card(&card);
    authenticate(&card, 4, card.key);
    poll_irq(COM_IRQ_IDLE);
    CHECK_EQ(rd(STATUS2_REG) & STATUS2_MF_CRYPTO1_ON, STATUS2_MF_CRYPTO1_ON);
    wr(COMMAND_REG, CMD_SOFT_RESET);
    CHECK_EQ(rd(STATUS2_REG), 0);
    teardown();
}

int
main(void)
{
    RUN(test_authentication);
    RUN(test_authentication_fails);
    RUN(test_second_authentication_fails);
    RUN(test_authentication_needs_bytes_and_field);
    return check_done();
}
