/* Blocking waits; see block.h. */
#include "base/block.h"

#include <errno.h>
#include <poll.h>
#include <stdbool.h>
#include <sys/eventfd.h>
#include <unistd.h>

#define LOOK_AGAIN (BLOCK_CANCELLED + 1)
#define TIMEOUT_MAX_NS (1000000000 * NS_PER_S)

/* poll() on {fd, tokens, extra} for at most timeout_ns (NS_NEVER: for ever).
 * A block_result, or -errno; BLOCK_TIMEOUT also when only `extra` is readable. */
static int
poll_once(int fd, const struct token_set *tokens, int extra, int64_t timeout_ns)
{
    struct pollfd fds[TOKEN_SET_MAX + 2];
    nfds_t n = 0;
    nfds_t fd_at = TOKEN_SET_MAX + 2;
    for (int i = 0; tokens != NULL && i < tokens->count; i++) {
        int token = token_fd(tokens->tokens[i]);
        if (token < 0) {
            return token;
        }
        fds[n++] = (struct pollfd){.fd = token, .events = POLLIN};
    }
    if (fd >= 0) {
        fd_at = n;
        fds[n++] = (struct pollfd){.fd = fd, .events = POLLIN};
    }
    if (extra >= 0) {
        fds[n++] = (struct pollfd){.fd = extra, .events = POLLIN};
    }
    struct timespec ts;
    struct timespec *limit = NULL;
    if (timeout_ns != NS_NEVER) {
        timeout_ns = timeout_ns > 0 ? timeout_ns : 0;
        /* Whoever waits longer looks again; 32 bits of seconds are 68 years. */
        timeout_ns = timeout_ns < TIMEOUT_MAX_NS ? timeout_ns : TIMEOUT_MAX_NS;
        ts.tv_sec = (time_t)(timeout_ns / NS_PER_S);
        ts.tv_nsec = (long)(timeout_ns % NS_PER_S);
        limit = &ts;
    }
    int ready = ppoll(fds, n, limit, NULL);
    if (ready < 0) {
        return -errno;
    }
    if (tokens != NULL && tokens_are_cancelled(tokens)) {
        return BLOCK_CANCELLED;
    }
    if (fd_at < n && fds[fd_at].revents != 0) {
        return BLOCK_READY;
    }
    return BLOCK_TIMEOUT;
}

static int
block_monotonic(int fd, const struct token_set *tokens, int64_t deadline_ns)
{
    for (;;) {
        int64_t left = NS_NEVER;
        if (deadline_ns != NS_NEVER) {
            left = deadline_ns - clock_monotonic_ns();
        }
        int result = poll_once(fd, tokens, -1, left);
        if (result != BLOCK_TIMEOUT || left <= 0) {
            return result;
        }
    }
}

/* Nobody else moves the clock: this wait does, one step.  LOOK_AGAIN: it goes on,
 * unless a loop has come meanwhile. */
static int
block_moving(struct vclock *clock, int fd, const struct token_set *tokens,
             int64_t deadline_ns)
{
    uint64_t epoch = vclock_epoch(clock);
    int result = poll_once(fd, tokens, -1, 0);
    if (result != BLOCK_TIMEOUT || vclock_now(clock) >= deadline_ns) {
        return result;
    }
    switch (vclock_jump(clock, deadline_ns, epoch)) {
        case VCLOCK_JUMPED:
            break;
        case VCLOCK_HELD:
            /* Work outside this thread: let it run, but not for ever (block.h). */
            result = poll_once(fd, tokens, -1, NS_PER_MS);
            if (result != BLOCK_TIMEOUT) {
                return result;
            }
            if (deadline_ns != NS_NEVER) {
                vclock_advance_to(clock, deadline_ns);
            }
            break;
        case VCLOCK_NOTHING:
            return -EDEADLK;
    }
    return LOOK_AGAIN;
}

/* A loop moves the clock; wait for it, for the descriptor or for the cancel. */
static int
block_beside_loop(struct vclock *clock, int fd, const struct token_set *tokens,
                  int64_t deadline_ns)
{
    int wake_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    if (wake_fd < 0) {
        return -errno;
    }
    struct clock_waiter waiter = {
        .deadline = deadline_ns, .fd = fd, .tokens = tokens, .wake_fd = wake_fd};
    vclock_add_waiter(clock, &waiter);
    int result = poll_once(fd, tokens, wake_fd, NS_NEVER);
    vclock_remove_waiter(clock, &waiter);
    close(wake_fd);
    return result;
}

int
block_until(struct vclock *clock, int fd, const struct token_set *tokens,
            int64_t deadline_ns)
{
    if (clock == NULL) {
        return block_monotonic(fd, tokens, deadline_ns);
    }
    for (;;) {
        int result;
        if (vclock_is_mine_to_move(clock)) {
            result = block_moving(clock, fd, tokens, deadline_ns);
            if (result != LOOK_AGAIN) {
                return result;
            }
            continue;
        }
        result = block_beside_loop(clock, fd, tokens, deadline_ns);
        if (result != BLOCK_TIMEOUT || vclock_now(clock) >= deadline_ns) {
            return result;
        }
    }
}
