/* Turnstile: the state of thread_lock.ThreadLock, which one thread has at a time.
 *
 * Each verb is one step: neither another thread nor a signal handler sees it half
 * done, since nothing in it runs Python code.  A waiter is a CancelToken and the
 * thread that brought it; cancelled, it says that this thread has the lock.  Who comes
 * first gets it, with all that the same thread waits for: a signal handler that waits
 * in the midst of its thread's own wait.
 */
#include "base/token.h"
#include "py/errors.h"
#include "py/job_token.h"

struct waiter {
    struct waiter *next;
    CancelTokenObject *token; /* owned */
    unsigned long thread;
};

typedef struct {
    PyObject_HEAD
    ModuleState *st;
    struct waiter *waiters; /* owned, who came first is first */
    Py_ssize_t depth;       /* how often its owner has it; 0: it is free */
    unsigned long owner;
} TurnstileObject;

static void
unlink_waiter(struct waiter **place)
{
    struct waiter *waiter = *place;
    *place = waiter->next;
    Py_DECREF((PyObject *)waiter->token);
    PyMem_Free(waiter);
}

/* -- life ------------------------------------------------------------------ */

static PyObject *
Turnstile_new(PyTypeObject *type, PyObject *args, PyObject *kwargs)
{
    static char *kwlist[] = {NULL};
    ModuleState *st = ah_state_of_type(type);
    if (st == NULL ||
        !PyArg_ParseTupleAndKeywords(args, kwargs, ":Turnstile", kwlist)) {
        return NULL;
    }
    TurnstileObject *self = (TurnstileObject *)type->tp_alloc(type, 0);
    if (self != NULL) {
        st->live[AH_LIVE_Turnstile]++;
        self->st = st;
    }
    return (PyObject *)self;
}

static void
Turnstile_dealloc(TurnstileObject *self)
{
    PyTypeObject *type = Py_TYPE(self);
    while (self->waiters != NULL) {
        unlink_waiter(&self->waiters);
    }
    self->st->live[AH_LIVE_Turnstile]--;
    type->tp_free((PyObject *)self);
    Py_DECREF(type);
}

/* -- Python methods -------------------------------------------------------- */

static CancelTokenObject *
token_arg(TurnstileObject *self, PyObject *arg)
{
    if (!PyObject_TypeCheck(arg, self->st->cancel_token_type)) {
        PyErr_Format(PyExc_TypeError, "expected a CancelToken, not %.100s",
                     Py_TYPE(arg)->tp_name);
        return NULL;
    }
    return (CancelTokenObject *)arg;
}

static PyObject *
Turnstile_take(TurnstileObject *self, PyObject *arg)
{
    CancelTokenObject *token = token_arg(self, arg);
    if (token == NULL) {
        return NULL;
    }
    unsigned long me = PyThread_get_thread_ident();
    if (self->depth == 0 || self->owner == me) {
        self->owner = me;
        self->depth++;
        return ah_none_or_errno(token_cancel(&token->token), "eventfd");
    }
    struct waiter **end = &self->waiters;
    while (*end != NULL) {
        end = &(*end)->next;
    }
    struct waiter *waiter = PyMem_Malloc(sizeof *waiter);
    if (waiter == NULL) {
        return PyErr_NoMemory();
    }
    *waiter =
        (struct waiter){.token = (CancelTokenObject *)Py_NewRef(arg), .thread = me};
    *end = waiter;
    Py_RETURN_NONE;
}

/* false: it does not wait. */
static bool
withdraw(TurnstileObject *self, PyObject *token)
{
    struct waiter **place = &self->waiters;
    while (*place != NULL && (PyObject *)(*place)->token != token) {
        place = &(*place)->next;
    }
    if (*place == NULL) {
        return false;
    }
    unlink_waiter(place);
    return true;
}

static PyObject *
Turnstile_give_up(TurnstileObject *self, PyObject *token)
{
    return PyBool_FromLong(withdraw(self, token));
}

static PyObject *
Turnstile_leave(TurnstileObject *self, PyObject *Py_UNUSED(ignored))
{
    if (self->depth == 0 || self->owner != PyThread_get_thread_ident()) {
        PyErr_SetString(PyExc_RuntimeError, "cannot release un-acquired lock");
        return NULL;
    }
    if (--self->depth > 0 || self->waiters == NULL) {
        Py_RETURN_NONE;
    }
    int err = 0;
    self->owner = self->waiters->thread;
    struct waiter **place = &self->waiters;
    while (*place != NULL) {
        if ((*place)->thread != self->owner) {
            place = &(*place)->next;
            continue;
        }
        int result = token_cancel(&(*place)->token->token);
        err = result < 0 ? result : err;
        self->depth++;
        unlink_waiter(place);
    }
    return ah_none_or_errno(err, "eventfd"); /* it is cancelled in any case */
}

static PyObject *
Turnstile_retreat(TurnstileObject *self, PyObject *arg)
{
    CancelTokenObject *token = token_arg(self, arg);
    if (token == NULL) {
        return NULL;
    }
    if (withdraw(self, arg) || !token_is_cancelled(&token->token)) {
        Py_RETURN_NONE;
    }
    return Turnstile_leave(self, NULL);
}

static PyObject *
Turnstile_get_waiting(TurnstileObject *self, void *Py_UNUSED(closure))
{
    Py_ssize_t count = 0;
    for (struct waiter *waiter = self->waiters; waiter != NULL; waiter = waiter->next) {
        count++;
    }
    return PyLong_FromSsize_t(count);
}

static PyMethodDef Turnstile_methods[] = {
    {"take", (PyCFunction)Turnstile_take, METH_O,
     PyDoc_STR("take($self, token, /)\n--\n\n"
               "The token is cancelled as soon as this thread has it: at once, or\n"
               "by who leaves.")},
    {"give_up", (PyCFunction)Turnstile_give_up, METH_O,
     PyDoc_STR("give_up($self, token, /)\n--\n\n"
               "False: that token does not wait (any more).")},
    {"retreat", (PyCFunction)Turnstile_retreat, METH_O,
     PyDoc_STR("retreat($self, token, /)\n--\n\n"
               "It neither waits any more nor has the lock, whatever it did before.")},
    {"leave", (PyCFunction)Turnstile_leave, METH_NOARGS,
     PyDoc_STR("leave($self, /)\n--\n\n"
               "Once for each token that was cancelled, in its thread.")},
    {NULL, NULL, 0, NULL},
};

static PyGetSetDef Turnstile_getset[] = {
    {"waiting", (getter)Turnstile_get_waiting, NULL, PyDoc_STR("How many tokens wait."),
     NULL},
    {NULL, NULL, NULL, NULL, NULL},
};

static PyType_Slot Turnstile_slots[] = {
    {Py_tp_doc, PyDoc_STR("Turnstile()\n--\n\nThe state of a ThreadLock.")},
    {Py_tp_new, Turnstile_new},
    {Py_tp_dealloc, Turnstile_dealloc},
    {Py_tp_methods, Turnstile_methods},
    {Py_tp_getset, Turnstile_getset},
    {0, NULL},
};

PyType_Spec Turnstile_spec = {
    .name = "pyasync_hw._core.Turnstile",
    .basicsize = sizeof(TurnstileObject),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_IMMUTABLETYPE,
    .slots = Turnstile_slots,
};
