/* Cancel token: one flag and one descriptor that a blocking wait polls.
 *
 * Anyone, from any thread, may cancel; the waiter polls token_fd() beside the
 * descriptor that it really waits for, and looks at token_is_cancelled()
 * between two waits.  Cancelling is sticky until token_reset().  The eventfd
 * is never read: it stays readable as long as the token is cancelled.
 * Python-free; knows nothing of what is being waited for.
 */
#ifndef AH_BASE_TOKEN_H
#define AH_BASE_TOKEN_H

#include <errno.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/eventfd.h>
#include <unistd.h>

struct cancel_token {
    atomic_int cancelled;
    int fd; /* eventfd, non-blocking, close-on-exec; -1 when not open */
};

#define CANCEL_TOKEN_INIT {0, -1}

/* 0 or -errno. */
static inline int
token_open(struct cancel_token *token)
{
    atomic_store(&token->cancelled, 0);
    token->fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    return token->fd < 0 ? -errno : 0;
}

static inline void
token_close(struct cancel_token *token)
{
    if (token->fd >= 0) {
        close(token->fd);
        token->fd = -1;
    }
}

static inline int
token_fd(const struct cancel_token *token)
{
    return token->fd;
}

static inline bool
token_is_cancelled(struct cancel_token *token)
{
    return atomic_load(&token->cancelled) != 0;
}

/* Any thread, and async-signal-safe.  0 or -errno. */
static inline int
token_cancel(struct cancel_token *token)
{
    if (atomic_exchange(&token->cancelled, 1) != 0) {
        return 0;
    }
    const uint64_t one = 1;
    while (write(token->fd, &one, sizeof one) < 0) {
        if (errno != EINTR) {
            return -errno;
        }
    }
    return 0;
}

/* Make the token usable again; only when nobody waits on it.  0 or -errno. */
static inline int
token_reset(struct cancel_token *token)
{
    if (atomic_exchange(&token->cancelled, 0) == 0) {
        return 0;
    }
    uint64_t count;
    while (read(token->fd, &count, sizeof count) < 0) {
        if (errno == EAGAIN) {
            return 0;
        }
        if (errno != EINTR) {
            return -errno;
        }
    }
    return 0;
}

/* In the child of a fork: not the parent's eventfd.  0 or -errno. */
static inline int
token_after_fork(struct cancel_token *token)
{
    int cancelled = atomic_load(&token->cancelled);
    token_close(token);
    int err = token_open(token);
    return err == 0 && cancelled ? token_cancel(token) : err;
}

#endif
