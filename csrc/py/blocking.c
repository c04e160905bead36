/* Arguments and ends of blocking waits; see blocking.h. */
#include "py/blocking.h"

#include <errno.h>
#include <math.h>

#include "base/block.h"
#include "py/clock_type.h"
#include "py/errors.h"
#include "py/job_token.h"

static void
add_token(struct wait_tokens *tokens, CancelTokenObject *token) /* steals it */
{
    int i = tokens->set.count++;
    tokens->set.tokens[i] = &token->token;
    tokens->owners[i] = (PyObject *)token;
}

int
ah_wait_tokens_add(ModuleState *st, PyObject *arg, struct wait_tokens *tokens)
{
    if (arg == NULL || arg == Py_None) {
        return 0;
    }
    if (!PyObject_TypeCheck(arg, st->cancel_token_type)) {
        PyErr_Format(PyExc_TypeError, "token must be a CancelToken or None, not %.100s",
                     Py_TYPE(arg)->tp_name);
        return -1;
    }
    add_token(tokens, (CancelTokenObject *)Py_NewRef(arg));
    return 0;
}

int
ah_wait_tokens(ModuleState *st, PyObject *arg, struct wait_tokens *tokens)
{
    *tokens = (struct wait_tokens){0};
    if (ah_wait_tokens_add(st, arg, tokens) < 0) {
        return -1;
    }
    struct job_cancel *job = ah_current_job(st);
    if (job != NULL) {
        CancelTokenObject *token = ah_job_token(st, job);
        if (token == NULL) {
            return -1;
        }
        add_token(tokens, token);
        tokens->set.job_clock =
            job->clock != NULL ? &((VirtualClockObject *)job->clock)->clock : NULL;
    }
    return 0;
}

void
ah_wait_tokens_clear(struct wait_tokens *tokens)
{
    for (int i = 0; i < tokens->set.count; i++) {
        Py_DECREF(tokens->owners[i]);
    }
    tokens->set.count = 0;
}

int
ah_deadline_arg(PyObject *timeout, const char *name, struct vclock *clock,
                int64_t *deadline_ns)
{
    if (timeout == NULL || timeout == Py_None) {
        *deadline_ns = NS_NEVER;
        return 0;
    }
    double seconds;
    if (ah_seconds_arg(timeout, name, &seconds) < 0) {
        return -1;
    }
    if (isnan(seconds)) {
        PyErr_Format(PyExc_ValueError, "%s must be a number of seconds, not NaN", name);
        return -1;
    }
    seconds = seconds > 0.0 ? seconds : 0.0;
    *deadline_ns = seconds >= 4e9
                       ? NS_NEVER
                       : time_after(clock_now(clock), (int64_t)ceil(seconds * 1e9));
    return 0;
}

int
ah_block_once(struct vclock *clock, int fd, const struct token_set *set,
              int64_t deadline_ns, const char *what)
{
    if (tokens_are_cancelled(set)) {
        return BLOCK_CANCELLED;
    }
    int result;
    PyObject *kept = ah_keep_clock(clock);
    Py_BEGIN_ALLOW_THREADS
    result = block_until(clock, fd, set, deadline_ns);
    Py_END_ALLOW_THREADS
    if (result == -EINTR) {
        result = BLOCK_INTERRUPTED;
    }
    else if (result == -EDEADLK || result == -ETIME) {
        result = ah_raise_sleep(clock, result, what); /* runs Python */
    }
    else if (result < 0) {
        result = ah_raise_errno(result, what);
    }
    Py_XDECREF(kept);
    return result;
}

int
ah_raise_block(ModuleState *st, int result, const char *what)
{
    if (result == BLOCK_TIMEOUT) {
        PyErr_Format(PyExc_TimeoutError, "%s: nothing came within the timeout", what);
    }
    else {
        PyErr_Format(st->cancelled_error, "%s: the wait was cancelled", what);
    }
    return -1;
}

int
ah_block(ModuleState *st, PyObject *clock_object, const struct token_set *set,
         PyObject *timeout, const char *name, const char *what)
{
    struct vclock *clock;
    int64_t deadline_ns;
    if (ah_virtual_clock_arg(st, clock_object, &clock) < 0 ||
        ah_deadline_arg(timeout, name, clock, &deadline_ns) < 0) {
        return -1;
    }
    for (;;) {
        int result = ah_block_once(clock, -1, set, deadline_ns, what);
        if (result != BLOCK_INTERRUPTED) {
            return result;
        }
        if (PyErr_CheckSignals() < 0) { /* runs Python */
            return -1;
        }
    }
}
