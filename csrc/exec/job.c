/* Job: one call that a worker runs, and how its outcome gets to who waits for it.
 *
 * A job of run_in_executor() carries the asyncio future: the worker posts the job to
 * the loop, whose thread sets the result; so there is no second future in between.  It
 * also is the future's done-callback, by which it learns that the future was cancelled.
 * A job of submit() has a function that sets the concurrent.futures future by itself.
 *
 * What the call refers to is released as soon as it is over or dropped.
 */
#include <errno.h>

#include "exec/exec.h"
#include "py/clock_type.h"
#include "py/errors.h"
#include "py/exceptions.h"

/* -- ends ------------------------------------------------------------------ */

static void
release_call(JobObject *self)
{
    Py_CLEAR(self->func); /* runs Python */
    for (Py_ssize_t i = 0; i < Py_SIZE(self); i++) {
        Py_CLEAR(self->args[i]); /* runs Python */
    }
}

/* A job holds the virtual clock of its loop until it is over.  Of those that are queued
 * behind jobs of the same clock, so many count as there are threads for: a job for
 * which there is none waits for the others, and they may be waiting on the clock. */
static void
hold_clock(JobObject *self, struct vclock *clock)
{
    ThreadPoolObject *pool = self->pool;
    self->cancel.clock = ah_keep_clock(clock);
    if (pool->jobs_on_clock == 0) {
        pool->clock = clock;
    }
    self->on_pools_clock = pool->clock == clock;
    if (!self->on_pools_clock || pool->jobs_on_clock++ < pool->pool.max_workers) {
        vclock_hold(clock, WORK_JOB);
    }
}

/* The virtual clock may go on, as far as this job is concerned. */
static void
let_clock_go(ThreadPoolObject *pool, bool on_pools_clock, PyObject *clock)
{
    if (!on_pools_clock || pool->jobs_on_clock-- <= pool->pool.max_workers) {
        /* in the child of a fork, nothing holds it any more */
        (void)vclock_release(&((VirtualClockObject *)clock)->clock, WORK_JOB);
    }
    Py_DECREF(clock);
}

static void
release_clock(JobObject *self)
{
    PyObject *clock = self->cancel.clock;
    self->cancel.clock = NULL;
    if (clock != NULL) {
        let_clock_go(self->pool, self->on_pools_clock, clock);
    }
}

static void
forget_future(JobObject *self)
{
    Py_CLEAR(self->value);  /* runs Python */
    Py_CLEAR(self->future); /* runs Python */
    Py_CLEAR(self->loop);   /* runs Python */
}

/* 1, 0 or -1. */
AH_RAISES static int
is_cancelled(JobObject *self, PyObject *future)
{
    PyObject *answer = PyObject_CallMethodNoArgs(future, self->st->name_cancelled);
    int cancelled = answer != NULL ? PyObject_IsTrue(answer) : -1;
    Py_XDECREF(answer);
    return cancelled;
}

static PyObject *
set_exception(JobObject *self, PyObject *future, PyObject *value)
{
    ModuleState *st = self->st;
    PyObject *exc = PyObject_CallOneArg(st->convert_future_exc, value);
    if (exc == NULL) {
        return NULL;
    }
    PyObject *done = PyObject_CallMethodOneArg(future, st->name_set_exception, exc);
    Py_DECREF(exc);
    if (done == NULL && PyErr_ExceptionMatches(PyExc_TypeError)) {
        /* Python 3.11 refuses StopIteration: that refusal is what is awaited. */
        PyObject *refusal = ah_take_exception();
        PyException_SetCause(refusal, Py_NewRef(value));
        done = PyObject_CallMethodOneArg(future, st->name_set_exception, refusal);
        Py_DECREF(refusal);
    }
    return done;
}

/* In the loop's thread: the future learns what came of it. */
static void
deliver(LoopObject *loop, struct ah_post *post)
{
    JobObject *self = (JobObject *)((char *)post - offsetof(JobObject, post));
    PyObject *future = self->future, *value = self->value, *done = NULL;
    self->future = self->value = NULL;
    Py_CLEAR(self->loop);
    switch (self->outcome) {
        case JOB_RESULT:
            done = PyObject_CallMethodOneArg(future, self->st->name_set_result, value);
            break;
        case JOB_EXCEPTION:
            done = set_exception(self, future, value);
            break;
        default:
            done = PyObject_CallMethodNoArgs(future, self->st->name_cancel);
            break;
    }
    if (done == NULL) {
        PyObject *exc = ah_take_exception();
        int cancelled = is_cancelled(self, future);
        if (cancelled == 0) {
            ah_restore_exception(Py_NewRef(exc));
        }
        if (cancelled <= 0) { /* else nobody waits any more */
            ah_loop_report(loop, "The result of an executor job could not be set",
                           future); /* runs Python */
        }
        Py_DECREF(exc);
    }
    Py_XDECREF(done);
    Py_XDECREF(value);
    Py_DECREF(future);
}

/* Nobody is left to be told, as in asyncio. */
void
ah_job_lost(JobObject *self)
{
    forget_future(self); /* runs Python */
    Py_DECREF(self);
}

bool
ah_job_post_begin(JobObject *self)
{
    if (self->cancel.clock != NULL) {
        return false;
    }
    ah_loop_pin(self->loop);
    return true;
}

int
ah_job_post_nogil(JobObject *self)
{
    /* Any other error is that of a wake-up, and the loop's to notice. */
    int err = ah_loop_post_pinned(self->loop, &self->post, deliver, (PyObject *)self);
    return err == -ESHUTDOWN ? -1 : 0;
}

void
ah_job_post(JobObject *self)
{
    PyObject *clock = self->cancel.clock;
    ThreadPoolObject *pool = (ThreadPoolObject *)Py_NewRef((PyObject *)self->pool);
    LoopObject *loop = (LoopObject *)Py_NewRef((PyObject *)self->loop);
    bool on_pools_clock = self->on_pools_clock;
    self->cancel.clock = NULL;
    int err = ah_loop_post_with_gil(loop, &self->post, deliver, (PyObject *)self);
    if (err == -ESHUTDOWN) {
        ah_job_lost(self);
    }
    else if (err < 0) {
        (void)ah_raise_errno(err, "eventfd");
        PyErr_WriteUnraisable((PyObject *)loop);
    }
    Py_DECREF(loop);
    if (clock != NULL) { /* after the post, so that nobody jumps in between */
        let_clock_go(pool, on_pools_clock, clock);
    }
    Py_DECREF(pool);
}

void
ah_job_drop(JobObject *self)
{
    release_call(self);  /* runs Python */
    forget_future(self); /* runs Python */
    release_clock(self);
    Py_DECREF(self);
}

/* A new reference to one like it: to raise an exception changes it. */
static PyObject *
copy_of_exception(PyObject *exc)
{
    PyObject *args = PyObject_GetAttrString(exc, "args"); /* runs Python */
    PyObject *copy =
        args != NULL ? PyObject_Call((PyObject *)Py_TYPE(exc), args, NULL) : NULL;
    Py_XDECREF(args);
    if (copy == NULL || !PyExceptionInstance_Check(copy)) {
        PyErr_Clear(); /* then they share it */
        Py_XDECREF(copy);
        copy = Py_NewRef(exc);
    }
    return copy;
}

/* `value`: an exception, or NULL for a cancel. */
static void
end_unrun(JobObject *self, AH_STEALS PyObject *value)
{
    release_call(self); /* runs Python */
    if (self->loop != NULL) {
        self->outcome = value != NULL ? JOB_EXCEPTION : JOB_CANCELLED;
        self->value = value;
        ah_job_post(self);
        return;
    }
    PyObject *told =
        PyObject_CallMethodOneArg(self->future, self->st->name_end_unrun,
                                  value != NULL ? value : Py_None); /* runs Python */
    if (told == NULL) {
        PyErr_WriteUnraisable(self->future);
    }
    Py_XDECREF(told);
    Py_XDECREF(value);
    ah_job_drop(self); /* runs Python */
}

void
ah_jobs_end(struct pool_job *node, PyObject *exc)
{
    while (node != NULL) {
        struct pool_job *next = node->next;
        end_unrun(job_of_node(node),
                  exc != NULL ? copy_of_exception(exc) : NULL); /* runs Python */
        node = next;
    }
}

bool
ah_job_run(JobObject *self, struct job_note *note)
{
    note->current = &self->cancel;
    PyObject *result = PyObject_Vectorcall(
        self->func, self->args, (size_t)Py_SIZE(self), NULL); /* runs Python */
    note->current = NULL;
    self->outcome = result != NULL ? JOB_RESULT : JOB_EXCEPTION;
    self->value = result != NULL ? result : ah_take_exception();
    release_call(self); /* runs Python */
    if (self->loop != NULL) {
        return true;
    }
    if (self->outcome ==
        JOB_EXCEPTION) { /* the function that tells the future failed */
        ah_restore_exception(Py_NewRef(self->value));
        PyErr_WriteUnraisable(self->future);
    }
    forget_future(self); /* runs Python */
    return false;
}

/* -- life ------------------------------------------------------------------ */

static PyObject *Job_vectorcall(PyObject *self, PyObject *const *args, size_t nargsf,
                                PyObject *kwnames);

JobObject *
ah_job_new(ModuleState *st, ThreadPoolObject *pool, LoopObject *loop, PyObject *future,
           PyObject *func, PyObject *const *args, Py_ssize_t nargs)
{
    JobObject *self = PyObject_GC_NewVar(JobObject, st->job_type, nargs);
    if (self == NULL) {
        return NULL;
    }
    st->live[AH_LIVE_Job]++;
    self->st = st;
    self->vectorcall = Job_vectorcall;
    self->node = (struct pool_job){0};
    self->cancel = (struct job_cancel){0};
    self->on_pools_clock = false;
    self->pool = (ThreadPoolObject *)Py_NewRef((PyObject *)pool);
    self->loop = (LoopObject *)Py_XNewRef((PyObject *)loop);
    self->future = Py_NewRef(future);
    self->outcome = JOB_NO_OUTCOME;
    self->value = NULL;
    self->func = Py_NewRef(func);
    for (Py_ssize_t i = 0; i < nargs; i++) {
        self->args[i] = Py_NewRef(args[i]);
    }
    struct vclock *clock = loop != NULL ? ah_loop_vclock(loop) : NULL;
    if (clock != NULL) {
        hold_clock(self, clock);
    }
    PyObject_GC_Track(self);
    return self;
}

static int
Job_traverse(JobObject *self, visitproc visit, void *arg)
{
    Py_VISIT(Py_TYPE(self));
    Py_VISIT(self->pool);
    Py_VISIT(self->loop);
    Py_VISIT(self->future);
    Py_VISIT(self->value);
    Py_VISIT(self->func);
    for (Py_ssize_t i = 0; i < Py_SIZE(self); i++) {
        Py_VISIT(self->args[i]);
    }
    return 0;
}

static int
Job_clear(JobObject *self)
{
    release_call(self);
    forget_future(self);
    return 0;
}

static void
Job_dealloc(JobObject *self)
{
    PyTypeObject *type = Py_TYPE(self);
    PyObject_GC_UnTrack(self);
    (void)Job_clear(self);
    release_clock(self);
    Py_CLEAR(self->cancel.token);
    Py_CLEAR(self->pool);
    self->st->live[AH_LIVE_Job]--;
    PyObject_GC_Del(self);
    Py_DECREF(type);
}

/* -- Python methods -------------------------------------------------------- */

/* Take it out of the queue, or cancel what it waits for. */
AH_RAISES static int
cancel(JobObject *self)
{
    if (pool_remove(&self->pool->pool, &self->node)) {
        ah_job_drop(self); /* the queue's reference; runs Python */
        return 0;
    }
    return ah_job_cancel(&self->cancel);
}

/* job(future): the future is done; if it was cancelled, so is the job. */
static PyObject *
Job_vectorcall(PyObject *callable, PyObject *const *args, size_t nargsf,
               PyObject *kwnames)
{
    JobObject *self = (JobObject *)callable;
    if (PyVectorcall_NARGS(nargsf) != 1 || kwnames != NULL) {
        PyErr_SetString(PyExc_TypeError,
                        "a job is called with the future that is done");
        return NULL;
    }
    if (self->outcome == JOB_NO_OUTCOME) {
        int status = is_cancelled(self, args[0]);
        if (status > 0) {
            Py_INCREF(self);
            status = cancel(self); /* runs Python */
            Py_DECREF(self);
        }
        if (status < 0) {
            return NULL;
        }
    }
    Py_RETURN_NONE;
}

static PyObject *
Job_drop(JobObject *self, PyObject *Py_UNUSED(ignored))
{
    if (!pool_remove(&self->pool->pool, &self->node)) {
        Py_RETURN_FALSE;
    }
    ah_job_drop(self); /* runs Python */
    Py_RETURN_TRUE;
}

static PyObject *
Job_get_token(JobObject *self, void *Py_UNUSED(closure))
{
    return (PyObject *)ah_job_token(self->st, &self->cancel);
}

static PyMethodDef Job_methods[] = {
    {"drop", (PyCFunction)Job_drop, METH_NOARGS,
     PyDoc_STR("drop($self, /)\n--\n\n"
               "Take it out of the queue: True if it was there and will not run.")},
    {NULL, NULL, 0, NULL},
};

static PyGetSetDef Job_getset[] = {
    {"token", (getter)Job_get_token, NULL, PyDoc_STR("What cancels it while it runs."),
     NULL},
    {NULL, NULL, NULL, NULL, NULL},
};

static PyMemberDef Job_members[] = {
    {"__vectorcalloffset__", T_PYSSIZET, offsetof(JobObject, vectorcall), READONLY,
     NULL},
    {NULL, 0, 0, 0, NULL},
};

static PyType_Slot Job_slots[] = {
    {Py_tp_doc, PyDoc_STR("One call that was given to an executor.")},
    {Py_tp_dealloc, Job_dealloc},
    {Py_tp_traverse, Job_traverse},
    {Py_tp_clear, Job_clear},
    {Py_tp_call, PyVectorcall_Call},
    {Py_tp_methods, Job_methods},
    {Py_tp_getset, Job_getset},
    {Py_tp_members, Job_members},
    {0, NULL},
};

PyType_Spec Job_spec = {
    .name = "pyasync_hw._core.Job",
    .basicsize = offsetof(JobObject, args),
    .itemsize = sizeof(PyObject *),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC | Py_TPFLAGS_IMMUTABLETYPE |
             Py_TPFLAGS_DISALLOW_INSTANTIATION | Py_TPFLAGS_HAVE_VECTORCALL,
    .slots = Job_slots,
};
