/* The steps of dev/mfrc522*.c with a chip that answers anything at all.
 *
 * Whatever the bytes on MISO and whatever the order of events: no step asks for
 * more than a message may hold, no time is without limit, and every operation
 * but poll and absence ends by itself.  Sanitizers look at the rest.
 */
#include <errno.h>

#include "base/clock.h"
#include "dev/mfrc522.h"
#include "check.h"
#include "random.h"

#define ROUNDS 60000
#define TURNS_MAX 20000

struct noise {
    uint32_t state;
    unsigned mood; /* what the chip's answers are like */
};

static uint32_t
next_noise(struct noise *noise)
{
    return next_random(&noise->state);
}

/* Random bytes, or such as come near to the truth. */
static uint8_t
answer(struct noise *noise, const struct spi_xfer *x, unsigned k)
{
    uint8_t reg = MFRC522_SPI_ADDRESS(x->tx[k == 0 ? 0 : k - 1]);
    uint32_t random = next_noise(noise);
    if (noise->mood == 0 || random % 16 == 0) {
        return (uint8_t)(random >> 8);
    }
    switch (reg) {
        case VERSION_REG:
            return VERSION_MFRC522_2;
        case COMMAND_REG:
            return CMD_IDLE;
        case T_MODE_REG:
            return T_MODE_T_AUTO;
        case T_PRESCALER_REG:
            return 169;
        case MODE_REG:
            return 0x3D;
        case COM_IRQ_REG:
            return random % 3 == 0 ? 0 : COM_IRQ_RX | COM_IRQ_TX;
        case ERROR_REG:
            return noise->mood == 2 ? ERROR_COLL : 0;
        case COLL_REG:
            return (uint8_t)(random >> 4 & (COLL_POS | COLL_POS_NOT_VALID));
        case FIFO_LEVEL_REG:
            return (uint8_t)(random >> 4 & FIFO_LEVEL_MASK);
        default:
            return (uint8_t)(random >> 8);
    }
}

static void
start_something(struct mfrc522 *chip, struct noise *noise, bool *endless)
{
    uint8_t bytes[64];
    for (unsigned i = 0; i < sizeof bytes; i++) {
        bytes[i] = (uint8_t)next_noise(noise);
    }
    unsigned size = next_noise(noise) % 66;
    const unsigned uid_sizes[] = {0, 4, 7, 10};
    unsigned uid_size = uid_sizes[next_noise(noise) % 4];
    *endless = false;
    switch (next_noise(noise) % 13) {
        case 0:
            mfrc522_start_open(chip);
            break;
        case 1:
            mfrc522_start_configure(chip);
            break;
        case 2:
            if (mfrc522_start_transceive(chip, bytes, size < 64 ? size : 64,
                                         next_noise(noise) % 9, next_noise(noise) % 2,
                                         next_noise(noise) % 2,
                                         next_noise(noise) % 1700000) < 0) {
                mfrc522_start_request(chip, true);
            }
            break;
        case 3:
            mfrc522_start_request(chip, false);
            break;
        case 4:
            mfrc522_start_anticollision(chip, next_noise(noise) % 3);
            break;
        case 5:
            CHECK_EQ(mfrc522_start_select(chip, bytes, uid_size), 0);
            break;
        case 6:
            mfrc522_start_halt(chip);
            break;
        case 7:
            mfrc522_start_authenticate(chip, bytes[0], bytes[1], bytes, bytes);
            break;
        case 8:
            mfrc522_start_read(chip, bytes[0]);
            break;
        case 9:
            mfrc522_start_write(chip, bytes[0], bytes);
            break;
        case 10:
            mfrc522_start_shutdown(chip);
            break;
        case 11:
            *endless = true;
            mfrc522_start_poll(chip, NS_PER_MS);
            break;
        default:
            *endless = true;
            if (mfrc522_start_absence(chip, bytes, uid_size, NS_PER_MS) < 0) {
                mfrc522_start_stop_crypto(chip);
            }
    }
}

/* One turn: do what the step asks for, or say that something else has happened. */
static void
turn(struct mfrc522 *chip, struct noise *noise, int64_t *now)
{
    const struct mfrc522_step *step = &chip->step;
    switch (step->need) {
        case MFRC522_TRANSFER:
            CHECK(step->num_xfers > 0 && step->num_xfers <= MFRC522_BATCH_XFERS);
            for (unsigned i = 0; i < step->num_xfers; i++) {
                const struct spi_xfer *x = &step->xfers[i];
                CHECK(x->len >= 2 && x->len <= 64);
                CHECK_EQ(x->cs_change, i + 1 < step->num_xfers);
                for (unsigned k = 0; k < x->len; k++) {
                    x->rx[k] = answer(noise, x, k);
                }
            }
            *now += 50 * NS_PER_US;
            mfrc522_next(chip, MFRC522_TRANSFERRED, *now,
                         next_noise(noise) % 500 == 0 ? -EIO : 0);
            break;
        case MFRC522_RESET:
            mfrc522_next(chip, MFRC522_RESET_SET, *now, 0);
            break;
        case MFRC522_WAIT_IRQ:
            if (next_noise(noise) % 2 == 0) {
                mfrc522_next(chip, MFRC522_EDGE, *now, 0);
                break;
            }
            /* fall through */
        case MFRC522_WAIT:
            CHECK(step->until_ns < *now + 10 * NS_PER_S);
            *now = step->until_ns > *now ? step->until_ns : *now;
            mfrc522_next(chip, MFRC522_TIME, *now, 0);
            break;
        default:
            CHECK(!"a step after the end");
    }
}

static void
test_any_answer(void)
{
    struct noise noise = {.state = 522};
    struct mfrc522 chip;
    int64_t now = 0;
    for (unsigned round = 0; round < ROUNDS; round++) {
        if (round % 50 == 0) {
            mfrc522_init(&chip, round % 3 != 0, round % 4 != 0);
        }
        noise.mood = next_noise(&noise) % 4;
        bool endless;
        start_something(&chip, &noise, &endless);
        unsigned limit = endless ? 300 : TURNS_MAX;
        if (next_noise(&noise) % 4 == 0) {
            limit = next_noise(&noise) % 40;
        }
        mfrc522_next(&chip, MFRC522_BEGIN, now, 0);
        unsigned turns = 0;
        while (mfrc522_is_running(&chip) && turns++ < limit) {
            turn(&chip, &noise, &now);
        }
        REQUIRE(turns < TURNS_MAX);
        if (mfrc522_is_running(&chip)) {
            mfrc522_cancel(&chip, now);
            for (turns = 0; mfrc522_is_running(&chip); turns++) {
                CHECK(chip.step.need == MFRC522_TRANSFER ||
                      chip.step.need == MFRC522_RESET);
                turn(&chip, &noise, &now);
            }
            CHECK(turns <= 2);
        }
        CHECK(chip.step.need == MFRC522_DONE || chip.step.need == MFRC522_FAILED);
        CHECK(chip.rx_size <= FIFO_SIZE);
        CHECK(chip.uid.size <= ISO14443A_UID_MAX);
    }
}

int
main(void)
{
    RUN(test_any_answer);
    return check_done();
}
