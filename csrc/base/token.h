/* Cancel token: one flag, and one descriptor that a blocking wait polls.
 *
 * Anyone, from any thread, may cancel; the waiter polls token_fd() beside the
 * descriptor that it really waits for, and looks at token_is_cancelled()
 * between two waits.  Cancelling is sticky until token_reset().  The descriptor is
 * opened by the first who waits, and never read: it stays readable as long as the
 * token is cancelled.  Python-free; knows nothing of what is being waited for.
 */
#ifndef AH_BASE_TOKEN_H
#define AH_BASE_TOKEN_H

#include <stdatomic.h>
#include <stdbool.h>

#include "base/wake.h"

struct cancel_token {
    atomic_int cancelled;
    atomic_int fd; /* a wake-up; -1 until it is needed */
};

#define CANCEL_TOKEN_INIT {0, -1}

/* What cancels one wait: the caller's token and that of its executor job, say. */
#define TOKEN_SET_MAX 3

struct token_set {
    struct cancel_token *tokens[TOKEN_SET_MAX];
    int count;
    const void *job_clock; /* the virtual clock that the waiting job holds, or NULL */
    bool outside;          /* who cancels may do so in real time: see clock.h */
};

static inline void
token_init(struct cancel_token *token)
{
    atomic_store(&token->cancelled, 0);
    atomic_store(&token->fd, -1);
}

/* Nobody waits any more. */
static inline void
token_close(struct cancel_token *token)
{
    int fd = atomic_exchange(&token->fd, -1);
    wake_close(&fd);
}

/* The descriptor, which is opened now if it was not yet; -errno. */
static inline int
token_fd(struct cancel_token *token)
{
    int fd = atomic_load(&token->fd);
    if (fd >= 0) {
        return fd;
    }
    fd = wake_open();
    if (fd < 0) {
        return fd;
    }
    int other = -1;
    if (!atomic_compare_exchange_strong(&token->fd, &other, fd)) {
        wake_close(&fd);
        return other;
    }
    /* Who cancelled before has found no descriptor; who cancels now finds it. */
    if (atomic_load(&token->cancelled) != 0) {
        int err = wake_up(fd);
        return err < 0 ? err : fd;
    }
    return fd;
}

static inline bool
token_is_cancelled(struct cancel_token *token)
{
    return atomic_load(&token->cancelled) != 0;
}

static inline bool
tokens_are_cancelled(const struct token_set *set)
{
    for (int i = 0; i < set->count; i++) {
        if (token_is_cancelled(set->tokens[i])) {
            return true;
        }
    }
    return false;
}

/* Any thread, and async-signal-safe.  0 or -errno. */
static inline int
token_cancel(struct cancel_token *token)
{
    if (atomic_exchange(&token->cancelled, 1) != 0) {
        return 0;
    }
    int fd = atomic_load(&token->fd);
    return fd >= 0 ? wake_up(fd) : 0;
}

/* Make the token usable again; only when nobody waits on it.  0 or -errno. */
static inline int
token_reset(struct cancel_token *token)
{
    if (atomic_exchange(&token->cancelled, 0) == 0) {
        return 0;
    }
    int fd = atomic_load(&token->fd);
    int woken = fd >= 0 ? wake_drain(fd) : 0;
    return woken < 0 ? woken : 0;
}

/* In the child of a fork: not the parent's descriptor, but one of its own when needed.
 */
static inline void
token_after_fork(struct cancel_token *token)
{
    token_close(token);
}

#endif
