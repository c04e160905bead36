/* sim/mfrc522_sim_rf.c: frames, answers and collisions as a driver sees them. */
#include "sim_bench.h"

static void
test_request_without_a_card(void)
{
    setup();
    init_like_pirc522();
    wait_us(5000);
    /* pi-rc522's request() and card_write(), write by write. */
    wr(BIT_FRAMING_REG, 0x07);
    wr(COM_IEN_REG, 0x77 | 0x80);
    clear_bits(COM_IRQ_REG, 0x80);
    set_bits(FIFO_LEVEL_REG, 0x80);
    wr(COMMAND_REG, CMD_IDLE);
    wr(FIFO_DATA_REG, ISO14443A_REQA);
    wr(COMMAND_REG, CMD_TRANSCEIVE);
    set_bits(BIT_FRAMING_REG, 0x80);
    int64_t sent = now;
    wait_us(1000);
    /* As read from a real chip: TxIRq and LoAlertIRq, later TimerIRq too. */
    CHECK_EQ(rd(COM_IRQ_REG), 0x44);
    CHECK_EQ(poll_irq(COM_IRQ_TIMER), 0x45);
    CHECK(now - sent > 15500 * NS_PER_US && now - sent < 15800 * NS_PER_US);
    clear_bits(BIT_FRAMING_REG, 0x80);
    CHECK_EQ(rd(FIFO_LEVEL_REG), 0);
    CHECK_EQ(rd(ERROR_REG), 0);
    CHECK_EQ(rd(COMMAND_REG) & COMMAND_MASK, CMD_TRANSCEIVE);
    teardown();
}

static void
test_request_with_a_card(void)
{
    struct test_card card = test_card_make(0xA6, 0x1D, 0x22, 0x7E);
    uint8_t bytes[64];
    setup();
    field_enter(&field, &card.card, now);
    init_like_pirc522();
    wr(COM_IEN_REG, COM_IEN_IRQ_INV | COM_IRQ_RX | COM_IRQ_TIMER);
    wait_us(5000);
    start_transceive((const uint8_t[]){ISO14443A_REQA}, 7);
    int64_t sent = now;
    int64_t due = mfrc522_sim_next_due(chip);
    /* REQA, frame delay time, ATQA */
    int64_t want = sent + BITS_NS(9) + CYCLES_NS(1172) + BITS_NS(20);
    CHECK(due >= want - 3 && due <= want + 3);
    mfrc522_sim_advance(chip, due - 1);
    CHECK_EQ(pin, MFRC522_IRQ_HIGH_Z);
    CHECK_EQ(mfrc522_sim_peek(chip, STATUS2_REG), 6);
    mfrc522_sim_advance(chip, due);
    CHECK_EQ(pin, MFRC522_IRQ_LOW);
    CHECK_EQ(edge_at, due);
    now = due;
    CHECK_EQ(rd(COM_IRQ_REG), COM_IRQ_TX | COM_IRQ_RX | COM_IRQ_LO_ALERT);
    CHECK_EQ(rd(ERROR_REG), 0);
    CHECK_EQ(rd(CONTROL_REG) & CONTROL_RX_LAST_BITS, 0);
    CHECK_EQ(read_fifo(bytes), 2);
    CHECK_BYTES(bytes, 0x04, 0x00);
    /* TAuto: the first bits have stopped the timer. */
    CHECK_EQ(rd(STATUS1_REG) & STATUS1_T_RUNNING, 0);
    wait_us(50000);
    CHECK_EQ(rd(COM_IRQ_REG) & COM_IRQ_TIMER, 0);
    teardown();
}

static void
test_field_and_power_up_time(void)
{
    struct test_card card = test_card_make(1, 2, 3, 4);
    card.card.power_up_ns = 5 * NS_PER_MS;
    setup();
    field_enter(&field, &card.card, now);
    init_like_pirc522();
    CHECK(transceive((const uint8_t[]){ISO14443A_REQA}, 7) & COM_IRQ_TIMER);
    CHECK(transceive((const uint8_t[]){ISO14443A_REQA}, 7) & COM_IRQ_RX);
    /* A soft reset switches the field off: the card starts again. */
    init_like_pirc522();
    CHECK(transceive((const uint8_t[]){ISO14443A_REQA}, 7) & COM_IRQ_TIMER);
    CHECK_EQ(card.power_ups, 1);
    /* One output alone is no field. */
    wr(TX_CONTROL_REG, 0x81);
    CHECK(!field.carrier);
    teardown();
}

static void
test_transmission_waits_for_the_field(void)
{
    setup();
    wr(T_MODE_REG, T_MODE_T_AUTO);
    start_transceive((const uint8_t[]){ISO14443A_REQA}, 7);
    wait_us(5000);
    CHECK_EQ(rd(COM_IRQ_REG) & (COM_IRQ_TX | COM_IRQ_TIMER), 0);
    set_bits(TX_CONTROL_REG, 3);
    wait_us(5000);
    CHECK_EQ(rd(COM_IRQ_REG) & (COM_IRQ_TX | COM_IRQ_TIMER),
             COM_IRQ_TX | COM_IRQ_TIMER);
    teardown();
}

static void
test_two_cards_collide(void)
{
    struct test_card a = test_card_make(0x05, 0x10, 0x20, 0x30);
    struct test_card b = test_card_make(0x05, 0x18, 0x20, 0x30);
    uint8_t bytes[64];
    uint8_t cl[5] = {0};
    setup();
    field_enter(&field, &a.card, now);
    field_enter(&field, &b.card, now);
    init_like_pirc522();
    wait_us(5000);
    CHECK(transceive((const uint8_t[]){ISO14443A_REQA}, 7) & COM_IRQ_RX);
    CHECK_EQ(rd(ERROR_REG), 0);
    wr(COLL_REG, 0);
    anticollision(cl, 0);
    CHECK_EQ(rd(ERROR_REG), ERROR_COLL);
    CHECK_EQ(rd(COM_IRQ_REG) & COM_IRQ_ERR, COM_IRQ_ERR);
    /* They differ in bit 3 of the second byte: the 12th bit. */
    CHECK_EQ(rd(COLL_REG), 12);
    CHECK_EQ(read_fifo(bytes), 5);
    CHECK_BYTES(bytes, 0x05, 0x00, 0x00, 0x00, 0x00);
    /* With ValuesAfterColl the rest is what both together look like. */
    wr(COLL_REG, COLL_VALUES_AFTER_COLL);
    anticollision(cl, 0);
    CHECK_EQ(read_fifo(bytes), 5);
    CHECK_BYTES(bytes, 0x05, 0x18, 0x20, 0x30);
    /* 12 bits known, a 1 at the collision: only b answers, from bit 4 on. */
    cl[0] = 0x05;
    cl[1] = 0x08;
    anticollision(cl, 12);
    CHECK_EQ(rd(ERROR_REG), 0);
    CHECK_EQ(rd(COLL_REG) & COLL_POS_NOT_VALID, COLL_POS_NOT_VALID);
    CHECK_EQ(read_fifo(bytes), 4);
    CHECK_BYTES(bytes, 0x10, 0x20, 0x30, 0x05 ^ 0x18 ^ 0x20 ^ 0x30);
    CHECK_EQ(rd(CONTROL_REG) & CONTROL_RX_LAST_BITS, 0);
    teardown();
}

static void
test_collision_behind_rx_align(void)
{
    struct test_card a = test_card_make(0x0F, 0x00, 0, 0);
    struct test_card b = test_card_make(0x0F, 0x80, 0, 0);
    const uint8_t cl[5] = {0x0F};
    setup();
    field_enter(&field, &a.card, now);
    field_enter(&field, &b.card, now);
    init_like_pirc522();
    wait_us(5000);
    transceive((const uint8_t[]){ISO14443A_REQA}, 7);
    anticollision(cl, 3);
    /* Counted from the beginning of the byte that RxAlign shifts into. */
    CHECK_EQ(rd(COLL_REG) & COLL_POS, 16);
    CHECK_EQ(rd(ERROR_REG), ERROR_COLL);
    teardown();
}

static void
test_collision_in_and_behind_the_32nd_bit(void)
{
    struct test_card a = test_card_make(1, 2, 3, 0x00);
    struct test_card b = test_card_make(1, 2, 3, 0x80);
    const uint8_t cl[5] = {0};
    setup();
    field_enter(&field, &a.card, now);
    field_enter(&field, &b.card, now);
    init_like_pirc522();
    wait_us(5000);
    transceive((const uint8_t[]){ISO14443A_REQA}, 7);
    anticollision(cl, 0);
    CHECK_EQ(rd(ERROR_REG), ERROR_COLL);
    CHECK_EQ(rd(COLL_REG), COLL_VALUES_AFTER_COLL);
    teardown();
}

static void
test_crc_of_frames(void)
{
    struct test_card card = test_card_make(1, 2, 3, 4);
    uint8_t bytes[64];
    uint8_t frame[9];
    uint8_t cl[5];
    setup();
    field_enter(&field, &card.card, now);
    init_like_pirc522();
    wait_us(5000);
    transceive((const uint8_t[]){ISO14443A_REQA}, 7);
    iso14443a_cl_of_uid(cl, card.uid, 4, 0);
    iso14443a_select_frame(frame, 0, cl);
    wr(TX_MODE_REG, TX_MODE_CRC_EN);
    wr(RX_MODE_REG, RX_MODE_CRC_EN);
    CHECK(transceive(frame, 56) & COM_IRQ_RX);
    CHECK_EQ(rd(ERROR_REG), 0);
    CHECK_EQ(read_fifo(bytes), 1);
    CHECK_BYTES(bytes, 0x08);
    CHECK_EQ(card.state, CARD_ACTIVE);
    /* An ATQA has no CRC. */
    transceive((const uint8_t[]){ISO14443A_REQA}, 7);
    wr(TX_MODE_REG, 0);
    CHECK(transceive((const uint8_t[]){ISO14443A_REQA}, 7) & COM_IRQ_RX);
    CHECK_EQ(rd(ERROR_REG), ERROR_CRC);
    CHECK_EQ(rd(COM_IRQ_REG) & COM_IRQ_ERR, COM_IRQ_ERR);
    teardown();
}

static void
test_card_leaves_before_its_answer_ends(void)
{
    struct test_card card = test_card_make(1, 2, 3, 4);
    uint8_t bytes[64];
    setup();
    field_enter(&field, &card.card, now);
    init_like_pirc522();
    wait_us(5000);
    start_transceive((const uint8_t[]){ISO14443A_REQA}, 7);
    int64_t start = field_reception(&field)->start_ns;
    field_leave(&field, &card.card, start - 1);
    CHECK_EQ(poll_irq(COM_IRQ_RX | COM_IRQ_TIMER) & COM_IRQ_RX, 0);
    field_enter(&field, &card.card, now);
    wait_us(5000);
    start_transceive((const uint8_t[]){ISO14443A_REQA}, 7);
    start = field_reception(&field)->start_ns;
    mfrc522_sim_advance(chip, start + BITS_NS(14));
    field_leave(&field, &card.card, start + BITS_NS(14) + 5);
    CHECK_EQ(poll_irq(COM_IRQ_RX | COM_IRQ_TIMER) & COM_IRQ_RX, COM_IRQ_RX);
    CHECK_EQ(rd(CONTROL_REG) & CONTROL_RX_LAST_BITS, 4);
    CHECK_EQ(read_fifo(bytes), 2);
    teardown();
}

static void
test_card_leaves_in_its_own_call(void)
{
    struct test_card card = test_card_make(1, 2, 3, 4);
    setup();
    field_enter(&field, &card.card, now);
    card.leave_when_heard = true;
    init_like_pirc522();
    wait_us(5000);
    CHECK(transceive((const uint8_t[]){ISO14443A_REQA}, 7) & COM_IRQ_TIMER);
    CHECK_EQ(card.heard, 1);
    CHECK_EQ(field.num_cards, 0);
    teardown();
}

/* A card whose code reaches back into the chip that asks it. */
static int
meddle(struct field_card *card, const struct field_frame *in, struct field_frame *out)
{
    (void)card;
    (void)in;
    mfrc522_sim_advance(chip, now + NS_PER_S);
    CHECK_EQ(mfrc522_sim_next_due(chip), NS_NEVER);
    mfrc522_sim_write(chip, COMMAND_REG, CMD_IDLE, now);
    mfrc522_sim_write(chip, FIFO_DATA_REG, ISO14443A_REQA, now);
    mfrc522_sim_write(chip, COMMAND_REG, CMD_TRANSCEIVE, now);
    mfrc522_sim_write(chip, BIT_FRAMING_REG, 0x87, now);
    out->bits = 8;
    return 1;
}

static void
test_card_code_comes_back(void)
{
    static const struct field_card_ops ops = {.power_up = test_card_power_up,
                                              .exchange = meddle};
    struct test_card card = {.card = {.ops = &ops}};
    setup();
    field_enter(&field, &card.card, now);
    init_like_pirc522();
    wait_us(5000);
    start_transceive((const uint8_t[]){ISO14443A_REQA}, 7);
    CHECK(mfrc522_sim_peek(chip, STATUS2_REG) == 3);
    uint8_t irq = poll_irq(COM_IRQ_RX | COM_IRQ_TIMER);
    CHECK_EQ(irq & (COM_IRQ_RX | COM_IRQ_TIMER), COM_IRQ_TIMER);
    teardown();
}

static void
test_transmit_then_receive(void)
{
    struct test_card card = test_card_make(1, 2, 3, 4);
    uint8_t bytes[64];
    setup();
    field_enter(&field, &card.card, now);
    init_like_pirc522();
    wait_us(5000);
    wr(COM_IRQ_REG, COM_IRQ_ALL);
    wr(BIT_FRAMING_REG, 7);
    wr(FIFO_DATA_REG, ISO14443A_REQA);
    mfrc522_sim_write(chip, COMMAND_REG, CMD_TRANSMIT, now);
    wait_us(90);
    CHECK_EQ(mfrc522_sim_peek(chip, COM_IRQ_REG),
             COM_IRQ_TX | COM_IRQ_IDLE | COM_IRQ_LO_ALERT);
    mfrc522_sim_write(chip, COMMAND_REG, CMD_RECEIVE, now);
    CHECK(poll_irq(COM_IRQ_RX) & COM_IRQ_IDLE);
    CHECK_EQ(rd(COMMAND_REG) & COMMAND_MASK, CMD_IDLE);
    CHECK_EQ(read_fifo(bytes), 2);
    /* Receive that begins in the middle of an answer misses it. */
    card.state = CARD_IDLE;
    wr(FIFO_DATA_REG, ISO14443A_REQA);
    mfrc522_sim_write(chip, COMMAND_REG, CMD_TRANSMIT, now);
    wait_us(200);
    wr(COM_IRQ_REG, COM_IRQ_ALL);
    wr(COMMAND_REG, CMD_RECEIVE);
    wait_us(1000);
    CHECK_EQ(rd(COM_IRQ_REG) & COM_IRQ_RX, 0);
    teardown();
}

static void
test_receiver_off_and_other_rate(void)
{
    struct test_card card = test_card_make(1, 2, 3, 4);
    setup();
    field_enter(&field, &card.card, now);
    init_like_pirc522();
    wait_us(5000);
    wr(RX_MODE_REG, 0x10);
    CHECK(transceive((const uint8_t[]){ISO14443A_REQA}, 7) & COM_IRQ_TIMER);
    wr(RX_MODE_REG, 0);
    card.state = CARD_IDLE;
    CHECK(transceive((const uint8_t[]){ISO14443A_REQA}, 7) & COM_IRQ_RX);
    card.state = CARD_IDLE;
    start_transceive((const uint8_t[]){ISO14443A_REQA}, 7);
    mfrc522_sim_write(chip, COMMAND_REG, COMMAND_RCV_OFF | CMD_NO_CMD_CHANGE, now);
    CHECK_EQ(rd(COMMAND_REG), COMMAND_RCV_OFF | CMD_TRANSCEIVE);
    CHECK(poll_irq(COM_IRQ_RX | COM_IRQ_TIMER) & COM_IRQ_TIMER);
    teardown();
}

static int
long_answer(struct field_card *card, const struct field_frame *in,
            struct field_frame *out)
{
    (void)card;
    (void)in;
    for (unsigned i = 0; i < 70; i++) {
        out->data[i] = (uint8_t)i;
    }
    out->bits = 70 * 8;
    return 1;
}

static void
test_long_answer(void)
{
    static const struct field_card_ops ops = {.power_up = test_card_power_up,
                                              .exchange = long_answer};
    struct test_card card = {.card = {.ops = &ops}};
    uint8_t bytes[64];
    setup();
    field_enter(&field, &card.card, now);
    init_like_pirc522();
    CHECK(transceive((const uint8_t[]){ISO14443A_REQA}, 7) & COM_IRQ_RX);
    CHECK_EQ(rd(ERROR_REG), ERROR_BUFFER_OVFL);
    CHECK_EQ(read_fifo(bytes), 64);
    CHECK_EQ(bytes[63], 63);
    /* HiAlert comes while bytes arrive: who drains the FIFO gets them all. */
    wr(COM_IEN_REG, COM_IEN_IRQ_INV | COM_IRQ_HI_ALERT);
    start_transceive((const uint8_t[]){ISO14443A_REQA}, 7);
    edges = 0;
    for (int64_t due; edges == 0 && (due = mfrc522_sim_next_due(chip)) != NS_NEVER;) {
        mfrc522_sim_advance(chip, due);
    }
    CHECK_EQ(pin, MFRC522_IRQ_LOW);
    CHECK_EQ(mfrc522_sim_peek(chip, FIFO_LEVEL_REG), 56);
    for (int i = 0; i < 56; i++) {
        CHECK_EQ(mfrc522_sim_read(chip, FIFO_DATA_REG, edge_at), i);
    }
    now = edge_at;
    poll_irq(COM_IRQ_RX);
    CHECK_EQ(rd(ERROR_REG), 0);
    CHECK_EQ(read_fifo(bytes), 14);
    CHECK_EQ(bytes[13], 69);
    teardown();
}

static void
test_abort_and_again(void)
{
    struct test_card card = test_card_make(1, 2, 3, 4);
    setup();
    field_enter(&field, &card.card, now);
    init_like_pirc522();
    wait_us(5000);
    start_transceive((const uint8_t[]){ISO14443A_REQA}, 7);
    wr(COMMAND_REG, CMD_IDLE);
    wait_us(1000);
    CHECK_EQ(rd(COM_IRQ_REG) & (COM_IRQ_RX | COM_IRQ_TX), 0);
    CHECK_EQ(rd(STATUS2_REG), 0);
    card.state = CARD_IDLE;
    CHECK(transceive((const uint8_t[]){ISO14443A_REQA}, 7) & COM_IRQ_RX);
    /* StartSend again, in the same Transceive. */
    card.state = CARD_IDLE;
    wr(FIFO_LEVEL_REG, FIFO_LEVEL_FLUSH_BUFFER);
    wr(COM_IRQ_REG, COM_IRQ_ALL);
    wr(FIFO_DATA_REG, ISO14443A_REQA);
    CHECK_EQ(rd(ERROR_REG), 0);
    wr(BIT_FRAMING_REG, 0x87);
    CHECK(poll_irq(COM_IRQ_RX | COM_IRQ_TIMER) & COM_IRQ_RX);
    teardown();
}

static void
test_start_send_is_a_level(void)
{
    struct test_card card = test_card_make(1, 2, 3, 4);
    setup();
    field_enter(&field, &card.card, now);
    init_like_pirc522();
    wait_us(5000);
    wr(COM_IRQ_REG, COM_IRQ_ALL);
    wr(BIT_FRAMING_REG, BIT_FRAMING_START_SEND | 7);
    wr(FIFO_DATA_REG, ISO14443A_REQA);
    CHECK_EQ(rd(COM_IRQ_REG) & COM_IRQ_TX, 0);
    wr(COMMAND_REG, CMD_TRANSCEIVE);
    CHECK(poll_irq(COM_IRQ_RX | COM_IRQ_TIMER) & COM_IRQ_RX);
    teardown();
}

static void
test_writing_the_fifo_while_receiving(void)
{
    setup();
    init_like_pirc522();
    wait_us(5000);
    start_transceive((const uint8_t[]){ISO14443A_REQA}, 7);
    wait_us(1000);
    wr(FIFO_DATA_REG, 1);
    CHECK_EQ(rd(ERROR_REG), ERROR_WR);
    CHECK_EQ(rd(COM_IRQ_REG) & COM_IRQ_ERR, COM_IRQ_ERR);
    teardown();
}

/* A card that says what the test has put here, whatever it hears. */
static struct field_frame said;
static uint8_t heard_byte;

static int
say(struct field_card *card, const struct field_frame *in, struct field_frame *out)
{
    (void)card;
    heard_byte = in->data[0];
    *out = said;
    return 1;
}

static const struct field_card_ops saying_ops = {.power_up = test_card_power_up,
                                                 .exchange = say};

static void
test_parity_error(void)
{
    struct test_card card = {.card = {.ops = &saying_ops}};
    setup();
    field_enter(&field, &card.card, now);
    init_like_pirc522();
    said = (struct field_frame){.data = {1, 2}, .bits = 16, .flags = FIELD_BAD_PARITY};
    CHECK(transceive((const uint8_t[]){ISO14443A_REQA}, 7) & COM_IRQ_ERR);
    CHECK_EQ(rd(ERROR_REG), ERROR_PARITY);
    /* RxAlign where the card does not begin inside a byte: parity out of step. */
    said.flags = 0;
    wr(BIT_FRAMING_REG, BIT_FRAMING_RX_ALIGN(3));
    transceive((const uint8_t[]){ISO14443A_REQA}, 7);
    CHECK_EQ(rd(ERROR_REG), ERROR_PARITY);
    CHECK_EQ(rd(CONTROL_REG) & CONTROL_RX_LAST_BITS, 3);
    wr(BIT_FRAMING_REG, 0);
    transceive((const uint8_t[]){ISO14443A_REQA}, 7);
    CHECK_EQ(rd(ERROR_REG), 0);
    teardown();
}

static void
test_very_short_answers(void)
{
    struct test_card card = {.card = {.ops = &saying_ops}};
    uint8_t bytes[64];
    setup();
    field_enter(&field, &card.card, now);
    init_like_pirc522();
    said = (struct field_frame){.data = {5}, .bits = 3};
    CHECK(transceive((const uint8_t[]){0xFF}, 7) & COM_IRQ_RX);
    CHECK_EQ(heard_byte, 0x7F);
    CHECK_EQ(read_fifo(bytes), 1);
    CHECK_EQ(rd(CONTROL_REG) & CONTROL_RX_LAST_BITS, 3);
    /* RxNoErr: as if nothing had come, the timer runs on. */
    wr(RX_MODE_REG, RX_MODE_NO_ERR);
    CHECK(transceive((const uint8_t[]){ISO14443A_REQA}, 7) & COM_IRQ_TIMER);
    CHECK_EQ(rd(COM_IRQ_REG) & COM_IRQ_RX, 0);
    CHECK_EQ(rd(FIFO_LEVEL_REG), 0);
    teardown();
}

static void
test_receive_multiple(void)
{
    struct test_card card = {.card = {.ops = &saying_ops}};
    uint8_t bytes[64];
    setup();
    field_enter(&field, &card.card, now);
    init_like_pirc522();
    wr(RX_MODE_REG, RX_MODE_MULTIPLE);
    said = (struct field_frame){.data = {1, 2}, .bits = 16, .flags = FIELD_BAD_PARITY};
    start_transceive((const uint8_t[]){ISO14443A_REQA}, 7);
    poll_irq(COM_IRQ_RX);
    /* The error byte ends each answer; the receiver and the timer stay on. */
    CHECK_EQ(read_fifo(bytes), 3);
    CHECK_BYTES(bytes, 1, 2, ERROR_PARITY);
    CHECK_EQ(rd(STATUS2_REG) & STATUS2_MODEM_STATE, 5);
    CHECK_EQ(rd(STATUS1_REG) & STATUS1_T_RUNNING, STATUS1_T_RUNNING);
    teardown();
}

int
main(void)
{
    RUN(test_request_without_a_card);
    RUN(test_request_with_a_card);
    RUN(test_field_and_power_up_time);
    RUN(test_transmission_waits_for_the_field);
    RUN(test_two_cards_collide);
    RUN(test_collision_behind_rx_align);
    RUN(test_collision_in_and_behind_the_32nd_bit);
    RUN(test_crc_of_frames);
    RUN(test_card_leaves_before_its_answer_ends);
    RUN(test_card_leaves_in_its_own_call);
    RUN(test_card_code_comes_back);
    RUN(test_transmit_then_receive);
    RUN(test_receiver_off_and_other_rate);
    RUN(test_long_answer);
    RUN(test_abort_and_again);
    RUN(test_start_send_is_a_level);
    RUN(test_writing_the_fifo_while_receiving);
    RUN(test_parity_error);
    RUN(test_very_short_answers);
    RUN(test_receive_multiple);
    return check_done();
}
