/* The one poll() under every blocking wait: a descriptor, cancel tokens, a wake-up.
 *
 * Python-free.
 */
#ifndef AH_BASE_READY_H
#define AH_BASE_READY_H

#include <stdint.h>

#include "base/token.h"

enum block_result {
    BLOCK_READY = 0,     /* fd is readable (or in error: the read will say so) */
    BLOCK_TIMEOUT = 1,   /* the time has come */
    BLOCK_CANCELLED = 2, /* a token was cancelled; wins over the other two */
};

/* Wait for at most timeout_ns (NS_NEVER: for ever).  fd, wake_fd -1 and tokens NULL:
 * none.  A block_result, BLOCK_TIMEOUT also when only wake_fd is readable; -errno. */
int ready_wait(int fd, const struct token_set *tokens, int wake_fd, int64_t timeout_ns);

#endif
