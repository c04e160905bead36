/* Giving a job to an executor's pool, which may want another thread for it. */
#include <errno.h>

#include "exec/exec.h"
#include "py/exceptions.h"

int
ah_executor_check_open(ExecutorObject *self)
{
    if (self->pool == NULL) {
        PyErr_SetString(PyExc_RuntimeError,
                        "this executor is not initialized: call super().__init__()");
        return -1;
    }
    return 0;
}

/* True: the seat has a thread.  *exc: owned, what starting it raised, or NULL; both
 * when Ctrl+C ended the wait for a thread that runs. */
static bool
start_thread(ExecutorObject *self, struct pool_seat *seat, PyObject **exc)
{
    PyObject *started = NULL;
    WorkerObject *worker = ah_worker_new(self->st, self->pool, seat);
    if (worker != NULL) {
        started =
            PyObject_CallMethodOneArg((PyObject *)self, self->st->name_start_worker,
                                      (PyObject *)worker); /* runs Python */
    }
    *exc = started == NULL ? ah_take_exception() : NULL;
    bool has_thread =
        started != NULL || (worker != NULL && !ah_worker_withdraw(worker));
    Py_XDECREF(started);
    Py_XDECREF((PyObject *)worker);
    return has_thread;
}

static bool
is_ctrl_c(PyObject *exc)
{
    return !PyErr_GivenExceptionMatches(exc, PyExc_Exception);
}

/* Give the seat up, for which no thread could be started. */
static void
leave(ExecutorObject *self, struct pool_seat *seat, PyObject *exc)
{
    PyObject *error = Py_NewRef(exc);
    if (is_ctrl_c(exc)) { /* which is not that of others */
        PyErr_SetString(PyExc_RuntimeError, "can't start new thread");
        Py_SETREF(error, ah_take_exception());
    }
    ah_thread_pool_leave(self->pool, seat, error); /* runs Python */
    Py_DECREF(error);
}

/* A thread for the job that was just queued.  The job goes when there is none. */
AH_RAISES static int
start_worker(ExecutorObject *self, JobObject *job, struct pool_seat *seat)
{
    struct pool *pool = &self->pool->pool;
    PyObject *exc, *second = NULL;
    bool has_thread = start_thread(self, seat, &exc); /* runs Python */
    if (exc == NULL) {
        return 0;
    }
    bool removed = pool_remove(pool, &job->node);
    if (removed) {
        ah_job_drop(job); /* runs Python */
    }
    /* Jobs of other threads that count on this seat get an attempt of their own. */
    if (!has_thread && pool_is_wanted(pool, seat)) {
        has_thread = start_thread(self, seat, &second); /* runs Python */
    }
    if (!has_thread) {
        leave(self, seat, second != NULL ? second : exc); /* runs Python */
    }
    if (second != NULL && is_ctrl_c(second)) {
        Py_SETREF(exc, second);
    }
    else {
        Py_XDECREF(second);
    }
    if (removed || is_ctrl_c(exc)) {
        ah_restore_exception(exc);
        return -1;
    }
    /* Another thread has taken it meanwhile, so that it needs none of its own. */
    Py_DECREF(exc);
    return 0;
}

/* The pool's lock is not needed: jobs are submitted with the GIL. */
static void
count_job(ExecutorObject *self, unsigned seats, bool starts)
{
    ModuleState *st = self->st;
    const struct pool *pool = &self->pool->pool;
    st->uses.executor_seats += pool->most_seats - seats;
    st->uses.executor_jobs++;
    st->uses.executor_threads += starts;
    if (pool->most_workers > st->uses.executor_threads_most) {
        st->uses.executor_threads_most = pool->most_workers;
    }
}

int
ah_executor_submit(ExecutorObject *self, JobObject *job)
{
    struct pool_seat *seat = NULL;
    unsigned seats = self->pool->pool.most_seats;
    Py_INCREF(job);
    int result = pool_submit(&self->pool->pool, &job->node, &seat);
    if (result >= 0) {
        count_job(self, seats, result == POOL_NEEDS_WORKER);
    }
    if (result == POOL_SUBMITTED) {
        return 0;
    }
    if (result == POOL_NEEDS_WORKER) {
        return start_worker(self, job, seat); /* runs Python */
    }
    ah_job_drop(job); /* runs Python */
    if (result != -ESHUTDOWN) {
        PyErr_NoMemory();
        return -1;
    }
    PyObject *none = PyObject_CallMethodNoArgs((PyObject *)self, self->st->name_refuse);
    Py_XDECREF(none);
    if (none != NULL) {
        PyErr_SetString(PyExc_RuntimeError, "the executor is closed");
    }
    return -1;
}
