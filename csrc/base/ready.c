#include "base/ready.h"

#include <errno.h>
#include <poll.h>
#include <stdbool.h>
#include <time.h>

#include "base/clock.h"

#define TIMEOUT_MAX_NS (1000000000 * NS_PER_S)

int
ready_wait(int fd, const struct token_set *tokens, int wake_fd, int64_t timeout_ns)
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
    if (wake_fd >= 0) {
        fds[n++] = (struct pollfd){.fd = wake_fd, .events = POLLIN};
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
