/* The executor's structs, for the files of exec/ only.
 *
 *   Executor    base type of pyasync_hw.executor.ThreadPoolExecutor; owns a ThreadPool
 *   ThreadPool  queue and seats (base/pool.h); shared by executor, workers and jobs, so
 *               that a dropped executor closes it and its threads end
 *   Worker      a seat that is offered to a new thread, and what that thread calls
 *   Job         one call, and the asyncio future that waits for it
 */
#ifndef AH_EXEC_EXEC_H
#define AH_EXEC_EXEC_H

#include "module.h"
#include "base/pool.h"
#include "loop/loop.h"
#include "py/fork.h"
#include "py/job_token.h"

typedef struct {
    PyObject_HEAD
    ModuleState *st;
    struct fork_node fork;
    struct pool pool;           /* owns a reference to each job in it */
    struct pool_job *inherited; /* in a child: the parent's jobs, to be dropped */
    int64_t idle_timeout;       /* ns, or POOL_NO_TIMEOUT */
    const struct vclock *clock; /* of most of its jobs that hold one */
    unsigned jobs_on_clock;     /* and how many these are */
} ThreadPoolObject;

typedef struct {
    PyObject_HEAD
    ModuleState *st;
    ThreadPoolObject *pool; /* owned; NULL until __init__ */
    bool direct;            /* run_in_executor() need not call submit() */
} ExecutorObject;

enum worker_state {
    WORKER_OFFERED,   /* whoever is first: the thread enters, or its starter gives up */
    WORKER_ENTERED,   /* the seat is the thread's */
    WORKER_WITHDRAWN, /* it is its starter's again */
};

typedef struct {
    PyObject_HEAD
    ModuleState *st;
    ThreadPoolObject *pool; /* owned */
    struct pool_seat *seat; /* in the pool; NULL: withdrawn or left */
    enum worker_state state;
} WorkerObject;

enum job_outcome {
    JOB_NO_OUTCOME,
    JOB_RESULT,
    JOB_EXCEPTION,
    JOB_CANCELLED, /* by shutdown(cancel_futures=True) */
};

typedef struct {
    PyObject_VAR_HEAD /* the number of arguments */
        ModuleState *st;
    vectorcallfunc vectorcall;
    struct pool_job node; /* queued: the pool owns a reference */
    struct ah_post post;  /* posted: the loop owns a reference */
    struct job_cancel cancel;
    ThreadPoolObject *pool; /* owned */
    bool on_pools_clock;    /* counted in jobs_on_clock */
    LoopObject *loop;       /* owned; NULL: `func` itself tells a future */
    PyObject *future;       /* owned: of asyncio or of submit(); NULL: told */
    enum job_outcome outcome;
    PyObject *value; /* owned: result or exception, until the future is told */
    PyObject *func;  /* owned, as the arguments: until it has run */
    PyObject *args[1];
} JobObject;

static inline JobObject *
job_of_node(struct pool_job *node)
{
    return (JobObject *)((char *)node - offsetof(JobObject, node));
}

/* job.c */
AH_RAISES JobObject *ah_job_new(ModuleState *st, ThreadPoolObject *pool,
                                LoopObject *loop, PyObject *future, PyObject *func,
                                PyObject *const *args, Py_ssize_t nargs);

/* Call it and keep what came of it.  True: ah_job_post() it. */
bool ah_job_run(AH_BORROWED JobObject *job, struct job_note *note); /* runs Python */

/* Give it to its loop, and let go of the virtual clock. */
void ah_job_post(AH_STEALS JobObject *job);

/* In two halves, for a worker that lets the GIL go: the loop that is woken finds it
 * free. False: not on a virtual clock, use ah_job_post().  -1 of the second half: the
 * loop is closed; with the GIL again, ah_job_lost(). */
bool ah_job_post_begin(JobObject *job);
int ah_job_post_nogil(AH_STEALS JobObject *job);
void ah_job_lost(AH_STEALS JobObject *job);

/* It left the queue and is not run; who waits for it knows. */
void ah_job_drop(AH_STEALS JobObject *job); /* runs Python */

/* A list that left the queue (pool_drain): who waits is told an exception, or of a
 * cancel (NULL).  No exception may be set. */
void ah_jobs_end(AH_STEALS struct pool_job *first,
                 AH_BORROWED PyObject *exc); /* runs Python */

/* submit.c: queue a job; the pool has a reference then.  RuntimeError: no __init__ yet.
 */
AH_RAISES int ah_executor_check_open(ExecutorObject *self);
AH_RAISES int ah_executor_submit(ExecutorObject *self,
                                 JobObject *job); /* runs Python */

/* worker.c */
AH_RAISES WorkerObject *ah_worker_new(ModuleState *st, ThreadPoolObject *pool,
                                      struct pool_seat *seat);

/* Take the seat back, since no thread was started: false when one has it all the
 * same. Idempotent. */
bool ah_worker_withdraw(WorkerObject *worker);

/* thread_pool_type.c */
AH_RAISES ThreadPoolObject *ah_thread_pool_new(ModuleState *st, unsigned max_workers,
                                               int64_t idle_timeout);

/* Give the seat up; what is queued ends with `exc` when nobody else is there. */
void ah_thread_pool_leave(ThreadPoolObject *self, struct pool_seat *seat,
                          AH_BORROWED PyObject *exc); /* runs Python */

#endif
