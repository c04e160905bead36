/* Blocking waits for Python: their arguments, and what their end means.
 *
 * Every blocking wait of the package is cancelled by the token that it was given and,
 * in a job of our executor, by the cancelling of that job.
 */
#ifndef AH_PY_BLOCKING_H
#define AH_PY_BLOCKING_H

#include "module.h"
#include "base/clock.h"
#include "base/token.h"

/* What cancels a wait; cleared after it, with the GIL held. */
struct wait_tokens {
    struct token_set set;
    PyObject *owners[TOKEN_SET_MAX]; /* owned */
};

/* `arg` (a CancelToken, None or NULL) and the current job's.  -1 with TypeError;
 * clear it in any case. */
AH_RAISES int ah_wait_tokens(ModuleState *st, PyObject *arg,
                             struct wait_tokens *tokens);

/* One more (a CancelToken, None or NULL) that cancels it.  -1 with TypeError. */
AH_RAISES int ah_wait_tokens_add(ModuleState *st, PyObject *arg,
                                 struct wait_tokens *tokens);
void ah_wait_tokens_clear(struct wait_tokens *tokens);

/* A timeout in seconds (None: never), the argument `name`, as a deadline on `clock`;
 * -1 with an exception. */
AH_RAISES int ah_deadline_arg(PyObject *timeout, const char *name, struct vclock *clock,
                              int64_t *deadline_ns);

/* A block_result of ah_block_once(), too: run signal handlers, look again, wait on. */
#define BLOCK_INTERRUPTED 3

/* block_until() without the GIL: a block_result; -1 with SleepForeverError or OSError.
 * Before it the caller runs signal handlers: one that came earlier interrupts nothing.
 */
AH_RAISES int ah_block_once(struct vclock *clock, int fd, const struct token_set *set,
                            int64_t deadline_ns, const char *what); /* runs Python */

/* BLOCK_TIMEOUT as TimeoutError, BLOCK_CANCELLED as concurrent.futures.CancelledError;
 * -1. */
AH_RAISES int ah_raise_block(ModuleState *st, int result, const char *what);

/* Block for a timeout (None: for ever), the argument `name`, or a cancel: BLOCK_TIMEOUT
 * or BLOCK_CANCELLED; -1 with an exception.  `clock`: a VirtualClock, held by the
 * caller, or NULL. */
AH_RAISES int ah_block(ModuleState *st, PyObject *clock, const struct token_set *set,
                       PyObject *timeout, const char *name, const char *what);

#endif
