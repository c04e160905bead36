/* ThreadPool: Python's hold on base/pool.h. */
#include "exec/exec.h"
#include "py/errors.h"

/* How often a wait for threads that start looks for signals. */
#define SIGNALS_NS (50 * NS_PER_MS)

/* No thread of it is here, and none will come. */
static void
thread_pool_in_child(PyObject *object)
{
    ThreadPoolObject *self = (ThreadPoolObject *)object;
    struct pool_job **end = &self->inherited; /* empty, but for a fork in its midst */
    while (*end != NULL) {
        end = &(*end)->next;
    }
    *end = pool_drain_after_fork(&self->pool);
    pool_after_fork(&self->pool);
    self->fork.made_in = 0; /* usable */
}

ThreadPoolObject *
ah_thread_pool_new(ModuleState *st, unsigned max_workers, int64_t idle_timeout)
{
    PyTypeObject *type = st->thread_pool_type;
    ThreadPoolObject *self = (ThreadPoolObject *)type->tp_alloc(type, 0);
    if (self == NULL) {
        return NULL;
    }
    int err = pool_init(&self->pool, max_workers);
    if (err < 0) {
        type->tp_free((PyObject *)self);
        Py_DECREF(type);
        ah_raise_errno(err, "ThreadPool");
        return NULL;
    }
    st->live[AH_LIVE_ThreadPool]++;
    self->st = st;
    self->idle_timeout = idle_timeout;
    ah_fork_register(st, &self->fork, (PyObject *)self, thread_pool_in_child);
    return self;
}

void
ah_thread_pool_leave(ThreadPoolObject *self, struct pool_seat *seat, PyObject *exc)
{
    struct pool_job *left = pool_leave(&self->pool, seat);
    if (left != NULL) {
        ah_jobs_end(left, exc); /* runs Python */
        pool_told(&self->pool, seat);
    }
}

/* No job is queued: each holds the pool. */
static void
ThreadPool_dealloc(ThreadPoolObject *self)
{
    PyTypeObject *type = Py_TYPE(self);
    ah_fork_unregister(&self->fork);
    pool_destroy(&self->pool);
    self->st->live[AH_LIVE_ThreadPool]--;
    type->tp_free((PyObject *)self);
    Py_DECREF(type);
}

static PyObject *
ThreadPool_close(ThreadPoolObject *self, PyObject *Py_UNUSED(ignored))
{
    pool_close(&self->pool);
    Py_RETURN_NONE;
}

static PyObject *
ThreadPool_settle(ThreadPoolObject *self, PyObject *Py_UNUSED(ignored))
{
    bool settled = pool_settle(&self->pool, 0);
    while (!settled) {
        Py_BEGIN_ALLOW_THREADS
        settled = pool_settle(&self->pool, SIGNALS_NS);
        Py_END_ALLOW_THREADS
        if (PyErr_CheckSignals() < 0) { /* runs Python */
            return NULL;
        }
    }
    Py_RETURN_NONE;
}

static PyObject *
ThreadPool_qsize(ThreadPoolObject *self, PyObject *Py_UNUSED(ignored))
{
    return PyLong_FromSize_t(pool_count(&self->pool).queued);
}

static PyObject *
ThreadPool_counts(ThreadPoolObject *self, PyObject *Py_UNUSED(ignored))
{
    struct pool_counts counts = pool_count(&self->pool);
    return Py_BuildValue("{snsIsI}", "queued", (Py_ssize_t)counts.queued, "threads",
                         counts.workers, "idle", counts.idle);
}

static PyObject *
ThreadPool_drop_inherited(ThreadPoolObject *self, PyObject *Py_UNUSED(ignored))
{
    struct pool_job *node = self->inherited;
    self->inherited = NULL;
    while (node != NULL) {
        struct pool_job *next = node->next;
        ah_job_drop(job_of_node(node)); /* runs Python */
        node = next;
    }
    Py_RETURN_NONE;
}

static PyMethodDef ThreadPool_methods[] = {
    {"close", (PyCFunction)ThreadPool_close, METH_NOARGS,
     PyDoc_STR("close($self, /)\n--\n\n"
               "No more jobs; what is queued is run, then the threads end.")},
    {"qsize", (PyCFunction)ThreadPool_qsize, METH_NOARGS,
     PyDoc_STR("qsize($self, /)\n--\n\nHow many jobs are queued.")},
    {"counts", (PyCFunction)ThreadPool_counts, METH_NOARGS,
     PyDoc_STR("counts($self, /)\n--\n\nqueued, threads and idle, by name.")},
    {"settle", (PyCFunction)ThreadPool_settle, METH_NOARGS,
     PyDoc_STR("settle($self, /)\n--\n\n"
               "Wait until no other thread is about to start one.")},
    {"drop_inherited", (PyCFunction)ThreadPool_drop_inherited, METH_NOARGS,
     PyDoc_STR("drop_inherited($self, /)\n--\n\n"
               "In the child of a fork: let go of the parent's jobs.")},
    {NULL, NULL, 0, NULL},
};

static PyType_Slot ThreadPool_slots[] = {
    {Py_tp_doc, PyDoc_STR("The queue of an executor and its threads' places.")},
    {Py_tp_dealloc, ThreadPool_dealloc},
    {Py_tp_methods, ThreadPool_methods},
    {0, NULL},
};

PyType_Spec ThreadPool_spec = {
    .name = "pyasync_hw._core.ThreadPool",
    .basicsize = sizeof(ThreadPoolObject),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_IMMUTABLETYPE |
             Py_TPFLAGS_DISALLOW_INSTANTIATION,
    .slots = ThreadPool_slots,
};
