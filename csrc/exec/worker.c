/* Worker: a seat that is offered to a new thread, and what that thread runs.
 *
 * Starting a thread may fail before, while and after the thread begins (Ctrl+C ends
 * the wait for it).  So the seat goes to who is first, under the GIL: to the thread by
 * enter(), or back to its starter by withdraw().
 *
 * A worker takes the GIL first and a job then: a job stays queued, and can be dropped,
 * until it really begins; and a worker runs job after job without giving the GIL away
 * in between.  When the queue is empty it is idle before it lets the GIL go, so that
 * whoever it woke finds it idle.
 */
#include <sched.h>

#include "exec/exec.h"
#include "py/exceptions.h"

WorkerObject *
ah_worker_new(ModuleState *st, ThreadPoolObject *pool, struct pool_seat *seat)
{
    WorkerObject *self = (WorkerObject *)st->worker_type->tp_alloc(st->worker_type, 0);
    if (self == NULL) {
        return NULL;
    }
    st->live[AH_LIVE_Worker]++;
    self->st = st;
    self->pool = (ThreadPoolObject *)Py_NewRef((PyObject *)pool);
    self->seat = seat;
    self->state = WORKER_OFFERED;
    return self;
}

bool
ah_worker_withdraw(WorkerObject *self)
{
    if (self->state == WORKER_OFFERED) {
        self->state = WORKER_WITHDRAWN;
        self->seat = NULL;
    }
    return self->state == WORKER_WITHDRAWN;
}

static void
leave(WorkerObject *self, PyObject *exc)
{
    struct pool_seat *seat = self->seat;
    self->seat = NULL;
    if (seat != NULL) {
        ah_thread_pool_leave(self->pool, seat, exc); /* runs Python */
    }
}

static void
Worker_dealloc(WorkerObject *self)
{
    PyTypeObject *type = Py_TYPE(self);
    if (self->seat != NULL) { /* its thread never began, or was torn out of its code */
        PyObject *current = ah_take_exception();
        PyErr_SetString(PyExc_RuntimeError, "the thread that was to run it has ended");
        PyObject *exc = ah_take_exception();
        leave(self, exc); /* runs Python */
        Py_DECREF(exc);
        ah_restore_exception(current);
    }
    self->st->live[AH_LIVE_Worker]--;
    Py_DECREF(self->pool);
    type->tp_free((PyObject *)self);
    Py_DECREF(type);
}

/* Post the last job, and sleep until there is another one. */
static enum pool_sleep_result
rest(WorkerObject *self, struct pool_seat *seat, JobObject *done)
{
    enum pool_sleep_result slept;
    if (done != NULL && !ah_job_post_begin(done)) {
        ah_job_post(done);
        done = NULL;
    }
    PyThreadState *thread = PyEval_SaveThread();
    if (done != NULL && ah_job_post_nogil(done) < 0) {
        PyEval_RestoreThread(thread);
        ah_job_lost(done);
        thread = PyEval_SaveThread();
    }
    /* Who was woken on this CPU runs first: it often has the next job by then, and this
     * thread need not go to sleep, and be woken while the GIL is taken, for it. */
    sched_yield();
    slept = pool_sleep(&self->pool->pool, seat, self->pool->idle_timeout);
    PyEval_RestoreThread(thread);
    return slept;
}

/* Run jobs until the pool has no use for this thread any more. */
static void
work(WorkerObject *self, struct pool_seat *seat, struct job_note *note)
{
    struct pool *pool = &self->pool->pool;
    enum pool_sleep_result slept = POOL_AWAKE;
    while (slept == POOL_AWAKE) {
        JobObject *done = NULL;
        struct pool_job *node;
        while ((node = pool_take(pool, seat)) != NULL) {
            if (done != NULL) {
                ah_job_post(done);
            }
            JobObject *job = job_of_node(node);
            done = ah_job_run(job, note) ? job : NULL; /* runs Python */
            if (done == NULL) {
                Py_DECREF(job);
            }
        }
        slept = rest(self, seat, done);
    }
}

static PyObject *
Worker_withdraw(WorkerObject *self, PyObject *Py_UNUSED(ignored))
{
    return PyBool_FromLong(ah_worker_withdraw(self));
}

static PyObject *
Worker_enter(WorkerObject *self, PyObject *Py_UNUSED(ignored))
{
    if (self->state != WORKER_OFFERED) {
        Py_RETURN_FALSE;
    }
    self->state = WORKER_ENTERED;
    pool_enter(&self->pool->pool, self->seat);
    Py_RETURN_TRUE;
}

static PyObject *
Worker_run(WorkerObject *self, PyObject *Py_UNUSED(ignored))
{
    struct job_note note = {0};
    struct pool_seat *seat = self->seat;
    if (self->state != WORKER_ENTERED || seat == NULL) {
        PyErr_SetString(PyExc_RuntimeError,
                        "a worker runs once, in the thread that has entered");
        return NULL;
    }
    if (ah_job_note_enter(self->st, &note) < 0) {
        return NULL;
    }
    self->seat = NULL;
    work(self, seat, &note);
    ah_job_note_leave(self->st);
    Py_RETURN_NONE;
}

static PyObject *
Worker_leave(WorkerObject *self, PyObject *exc)
{
    if (!PyExceptionInstance_Check(exc)) {
        PyErr_SetString(PyExc_TypeError, "leave() needs an exception");
        return NULL;
    }
    if (self->state == WORKER_ENTERED) {
        leave(self, exc); /* runs Python */
    }
    Py_RETURN_NONE;
}

static PyObject *
Worker_get_index(WorkerObject *self, void *Py_UNUSED(closure))
{
    return PyLong_FromUnsignedLong(self->seat != NULL ? self->seat->index : 0);
}

static PyObject *
Worker_get_pool(WorkerObject *self, void *Py_UNUSED(closure))
{
    return Py_NewRef((PyObject *)self->pool);
}

static PyMethodDef Worker_methods[] = {
    {"enter", (PyCFunction)Worker_enter, METH_NOARGS,
     PyDoc_STR("enter($self, /)\n--\n\n"
               "Its thread begins; False: it has been given up, and the thread ends.")},
    {"withdraw", (PyCFunction)Worker_withdraw, METH_NOARGS,
     PyDoc_STR("withdraw($self, /)\n--\n\n"
               "Its thread was not started; False: that runs all the same.")},
    {"run", (PyCFunction)Worker_run, METH_NOARGS,
     PyDoc_STR("run($self, /)\n--\n\nRun jobs until the pool has no use for it.")},
    {"leave", (PyCFunction)Worker_leave, METH_O,
     PyDoc_STR(
         "leave($self, exception, /)\n--\n\n"
         "Give the place up: nothing will be run here.  What is queued ends with\n"
         "the exception if nobody else is there to run it.")},
    {NULL, NULL, 0, NULL},
};

static PyGetSetDef Worker_getset[] = {
    {"index", (getter)Worker_get_index, NULL,
     PyDoc_STR("The lowest number that no other thread of the pool has."), NULL},
    {"pool", (getter)Worker_get_pool, NULL, PyDoc_STR("The ThreadPool."), NULL},
    {NULL, NULL, NULL, NULL, NULL},
};

static PyType_Slot Worker_slots[] = {
    {Py_tp_doc, PyDoc_STR("The place of one thread in a ThreadPool.")},
    {Py_tp_dealloc, Worker_dealloc},
    {Py_tp_methods, Worker_methods},
    {Py_tp_getset, Worker_getset},
    {0, NULL},
};

PyType_Spec Worker_spec = {
    .name = "pyasync_hw._core.Worker",
    .basicsize = sizeof(WorkerObject),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_IMMUTABLETYPE |
             Py_TPFLAGS_DISALLOW_INSTANTIATION,
    .slots = Worker_slots,
};
