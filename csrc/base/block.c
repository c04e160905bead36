/* Blocking waits; see block.h. */
#include "base/block.h"

static int
block_monotonic(int fd, const struct token_set *tokens, int64_t deadline_ns)
{
    for (;;) {
        int64_t left = NS_NEVER;
        if (deadline_ns != NS_NEVER) {
            left = deadline_ns - clock_monotonic_ns();
        }
        int result = ready_wait(fd, tokens, -1, left);
        if (result != BLOCK_TIMEOUT || left <= 0) {
            return result;
        }
    }
}

int
block_until(struct vclock *clock, int fd, const struct token_set *tokens,
            int64_t deadline_ns)
{
    if (clock == NULL) {
        return block_monotonic(fd, tokens, deadline_ns);
    }
    struct clock_wait wait = {.deadline = deadline_ns,
                              .fd = fd,
                              .tokens = tokens,
                              .outside = tokens != NULL && tokens->outside};
    return vclock_wait_until(clock, &wait);
}
