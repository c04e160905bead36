/* CancelToken: Python's hold on base/token.h; and the token of an executor job.
 *
 * A worker thread leaves a note of the job that it runs in its thread state, so that
 * blocking waits of hw/, which know nothing of the executor, find what cancels them.
 */
#ifndef AH_PY_JOB_TOKEN_H
#define AH_PY_JOB_TOKEN_H

#include "module.h"
#include "base/clock.h"
#include "base/token.h"
#include "py/fork.h"

typedef struct {
    PyObject_HEAD
    ModuleState *st;
    struct fork_node fork;
    struct cancel_token token;
    PyObject *clock; /* owned: the VirtualClock that its waits are on, or NULL */
} CancelTokenObject;

/* `clock`: a VirtualClock, or NULL. */
AH_RAISES CancelTokenObject *ah_token_new(ModuleState *st, PyObject *clock);

/* What cancels a job.  Used with the GIL held. */
struct job_cancel {
    CancelTokenObject *token; /* owned; NULL until somebody asks for it */
    PyObject *clock;          /* owned: the VirtualClock of its loop, or NULL */
    bool cancelled;
};

/* What a thread runs; on the stack of its worker. */
struct job_note {
    struct job_cancel *current; /* NULL: between two jobs */
};

/* Enter a note into this thread's state, or take it out. */
AH_RAISES int ah_job_note_enter(ModuleState *st, struct job_note *note);
void ah_job_note_leave(ModuleState *st);

/* The job that this thread runs, or NULL. */
struct job_cancel *ah_current_job(ModuleState *st);

/* Its token, a new reference. */
AH_RAISES CancelTokenObject *ah_job_token(ModuleState *st, struct job_cancel *job);

/* Cancel it: a wait that goes on, and every one that begins.  OSError. */
AH_RAISES int ah_job_cancel(struct job_cancel *job);

#endif
