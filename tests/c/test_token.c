/* base/token.h and what block_until() makes of it on the monotonic clock. */
#include <poll.h>
#include <pthread.h>

#include "base/block.h"
#include "base/token.h"
#include "check.h"

static bool
is_readable(int fd)
{
    struct pollfd p = {.fd = fd, .events = POLLIN};
    return poll(&p, 1, 0) == 1 && (p.revents & POLLIN) != 0;
}

static int
block_on(int fd, struct cancel_token *token, int64_t deadline_ns)
{
    struct token_set set = {.tokens = {token}, .count = 1};
    return block_until(NULL, fd, &set, deadline_ns);
}

static void
test_cancel_is_sticky(void)
{
    struct cancel_token token = CANCEL_TOKEN_INIT;
    CHECK(!token_is_cancelled(&token));
    CHECK(!is_readable(token_fd(&token)));
    CHECK_EQ(token_cancel(&token), 0);
    CHECK_EQ(token_cancel(&token), 0);
    CHECK(token_is_cancelled(&token));
    CHECK(is_readable(token_fd(&token)));
    CHECK_EQ(block_on(-1, &token, NS_NEVER), BLOCK_CANCELLED);
    CHECK_EQ(block_on(-1, &token, NS_NEVER), BLOCK_CANCELLED);
    token_close(&token);
    token_close(&token);
}

static void
test_no_descriptor_before_a_wait(void)
{
    struct cancel_token token = CANCEL_TOKEN_INIT;
    CHECK_EQ(token_cancel(&token), 0);
    CHECK_EQ(atomic_load(&token.fd), -1);
    CHECK_EQ(block_on(-1, &token, NS_NEVER), BLOCK_CANCELLED);
    CHECK(is_readable(token_fd(&token)));
    token_close(&token);
}

static void
test_any_token_of_a_set_cancels(void)
{
    for (int i = 0; i < TOKEN_SET_MAX; i++) {
        struct cancel_token tokens[TOKEN_SET_MAX];
        struct token_set set = {.count = TOKEN_SET_MAX};
        for (int k = 0; k < TOKEN_SET_MAX; k++) {
            token_init(&tokens[k]);
            set.tokens[k] = &tokens[k];
        }
        CHECK_EQ(block_until(NULL, -1, &set, 0), BLOCK_TIMEOUT);
        CHECK_EQ(token_cancel(&tokens[i]), 0);
        CHECK_EQ(block_until(NULL, -1, &set, NS_NEVER), BLOCK_CANCELLED);
        for (int k = 0; k < TOKEN_SET_MAX; k++) {
            token_close(&tokens[k]);
        }
    }
}

static void
test_reset(void)
{
    struct cancel_token token = CANCEL_TOKEN_INIT;
    CHECK_EQ(token_reset(&token), 0);
    CHECK_EQ(token_cancel(&token), 0);
    CHECK_EQ(token_reset(&token), 0);
    CHECK(!token_is_cancelled(&token));
    CHECK(!is_readable(token_fd(&token)));
    CHECK_EQ(block_on(-1, &token, 0), BLOCK_TIMEOUT);
    token_close(&token);
}

static void
test_cancel_wins(void)
{
    struct cancel_token token = CANCEL_TOKEN_INIT;
    int fd = eventfd(1, EFD_NONBLOCK | EFD_CLOEXEC);
    REQUIRE(fd >= 0);
    CHECK_EQ(block_on(fd, &token, 0), BLOCK_READY);
    CHECK_EQ(token_cancel(&token), 0);
    CHECK_EQ(block_on(fd, &token, 0), BLOCK_CANCELLED);
    close(fd);
    token_close(&token);
}

static void
test_past_deadline(void)
{
    CHECK_EQ(block_until(NULL, -1, NULL, clock_monotonic_ns() - 1), BLOCK_TIMEOUT);
    int64_t soon = clock_monotonic_ns() + 2 * NS_PER_MS;
    CHECK_EQ(block_until(NULL, -1, NULL, soon), BLOCK_TIMEOUT);
    CHECK(clock_monotonic_ns() >= soon);
}

static void *
wait_for_cancel(void *arg)
{
    return (void *)(intptr_t)block_on(-1, arg, NS_NEVER);
}

static void
test_cancel_from_another_thread(void)
{
    enum { WAITERS = 4 };
    struct cancel_token token = CANCEL_TOKEN_INIT;
    pthread_t threads[WAITERS];
    for (int i = 0; i < WAITERS; i++) {
        REQUIRE(pthread_create(&threads[i], NULL, wait_for_cancel, &token) == 0);
    }
    CHECK_EQ(token_cancel(&token), 0);
    for (int i = 0; i < WAITERS; i++) {
        void *result;
        CHECK_EQ(pthread_join(threads[i], &result), 0);
        CHECK_EQ((intptr_t)result, BLOCK_CANCELLED);
    }
    token_close(&token);
}

int
main(void)
{
    RUN(test_cancel_is_sticky);
    RUN(test_no_descriptor_before_a_wait);
    RUN(test_any_token_of_a_set_cancels);
    RUN(test_reset);
    RUN(test_cancel_wins);
    RUN(test_past_deadline);
    RUN(test_cancel_from_another_thread);
    return check_done();
}
