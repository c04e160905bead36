/* CancelToken; see token_type.h.  It refers to a clock only, which is a leaf. */
#include "py/token_type.h"

#include "base/block.h"
#include "py/blocking.h"
#include "py/clock_type.h"
#include "py/errors.h"

/* -- the job of a thread --------------------------------------------------- */

int
ah_job_note_enter(ModuleState *st, struct job_note *note)
{
    PyObject *dict = PyThreadState_GetDict(); /* borrowed */
    PyObject *capsule = PyCapsule_New(note, NULL, NULL);
    if (dict == NULL || capsule == NULL) {
        Py_XDECREF(capsule);
        return PyErr_Occurred() ? -1 : (PyErr_NoMemory(), -1);
    }
    int status = PyDict_SetItem(dict, st->name_job_note, capsule);
    Py_DECREF(capsule);
    return status;
}

void
ah_job_note_leave(ModuleState *st)
{
    PyObject *dict = PyThreadState_GetDict();
    if (dict != NULL && PyDict_DelItem(dict, st->name_job_note) < 0) {
        PyErr_WriteUnraisable(dict);
    }
}

struct job_cancel *
ah_current_job(ModuleState *st)
{
    PyObject *dict = PyThreadState_GetDict();
    PyObject *capsule = dict != NULL ? PyDict_GetItem(dict, st->name_job_note) : NULL;
    if (capsule == NULL) {
        return NULL;
    }
    struct job_note *note = PyCapsule_GetPointer(capsule, NULL);
    return note->current;
}

static void
cancel_token_in_child(PyObject *object)
{
    CancelTokenObject *self = (CancelTokenObject *)object;
    token_after_fork(&self->token);
    self->fork.made_in = 0; /* usable */
}

static CancelTokenObject *
token_new(ModuleState *st, PyObject *clock)
{
    PyTypeObject *type = st->cancel_token_type;
    CancelTokenObject *self = (CancelTokenObject *)type->tp_alloc(type, 0);
    if (self != NULL) {
        st->live[AH_LIVE_CancelToken]++;
        self->st = st;
        token_init(&self->token);
        self->clock = Py_XNewRef(clock);
        ah_fork_watch(st, &self->fork, (PyObject *)self, cancel_token_in_child);
    }
    return self;
}

CancelTokenObject *
ah_job_token(ModuleState *st, struct job_cancel *job)
{
    if (job->token == NULL) {
        CancelTokenObject *token = token_new(st, job->clock);
        if (token == NULL) {
            return NULL;
        }
        if (job->cancelled) {
            (void)token_cancel(&token->token); /* has no descriptor yet */
        }
        job->token = token;
    }
    return (CancelTokenObject *)Py_NewRef((PyObject *)job->token);
}

int
ah_job_cancel(struct job_cancel *job)
{
    job->cancelled = true;
    int err = job->token != NULL ? token_cancel(&job->token->token) : 0;
    return err < 0 ? ah_raise_errno(err, "eventfd") : 0;
}

/* -- CancelToken ----------------------------------------------------------- */

static PyObject *
CancelToken_new(PyTypeObject *type, PyObject *args, PyObject *kwargs)
{
    static char *kwlist[] = {NULL};
    if (!PyArg_ParseTupleAndKeywords(args, kwargs, ":CancelToken", kwlist)) {
        return NULL;
    }
    ModuleState *st = ah_state_of_type(type);
    return st == NULL ? NULL : (PyObject *)token_new(st, NULL);
}

static void
CancelToken_dealloc(CancelTokenObject *self)
{
    PyTypeObject *type = Py_TYPE(self);
    self->st->live[AH_LIVE_CancelToken]--;
    ah_fork_unwatch(&self->fork);
    token_close(&self->token);
    Py_XDECREF(self->clock);
    type->tp_free((PyObject *)self);
    Py_DECREF(type);
}

static PyObject *
CancelToken_cancel(CancelTokenObject *self, PyObject *Py_UNUSED(ignored))
{
    return ah_none_or_errno(token_cancel(&self->token), "eventfd");
}

static PyObject *
CancelToken_cancelled(CancelTokenObject *self, PyObject *Py_UNUSED(ignored))
{
    return PyBool_FromLong(token_is_cancelled(&self->token));
}

static PyObject *
CancelToken_wait(CancelTokenObject *self, PyObject *args, PyObject *kwargs)
{
    static char *kwlist[] = {"timeout", "token", NULL};
    PyObject *timeout = NULL, *token = NULL, *answer = NULL;
    struct wait_tokens others;
    if (!PyArg_ParseTupleAndKeywords(args, kwargs, "|OO:wait", kwlist, &timeout,
                                     &token)) {
        return NULL;
    }
    PyObject *clock = self->clock;
    if (clock == NULL) {
        struct job_cancel *job = ah_current_job(self->st);
        clock = job != NULL ? job->clock : NULL;
    }
    Py_XINCREF(clock);
    if (ah_wait_tokens(self->st, token, &others) == 0) {
        struct token_set set = others.set;
        set.tokens[set.count++] = &self->token;
        int result =
            ah_block(self->st, clock, &set, timeout, "timeout", "CancelToken.wait()");
        bool cancelled = token_is_cancelled(&self->token);
        if (result == BLOCK_CANCELLED && !cancelled) { /* by one of the others */
            result = ah_raise_block(self->st, result, "CancelToken.wait()");
        }
        answer = result < 0 ? NULL : PyBool_FromLong(cancelled);
    }
    ah_wait_tokens_clear(&others);
    Py_XDECREF(clock);
    return answer;
}

static PyMethodDef CancelToken_methods[] = {
    {"cancel", (PyCFunction)CancelToken_cancel, METH_NOARGS,
     PyDoc_STR("cancel($self, /)\n--\n\n"
               "Wake every blocking wait that was given this token; from any thread.")},
    {"cancelled", (PyCFunction)CancelToken_cancelled, METH_NOARGS,
     PyDoc_STR("cancelled($self, /)\n--\n\nTrue after cancel().")},
    {"wait", (PyCFunction)(void (*)(void))CancelToken_wait,
     METH_VARARGS | METH_KEYWORDS,
     PyDoc_STR("wait($self, /, timeout=None, token=None)\n--\n\n"
               "Block until it is cancelled, at most timeout seconds: was it?\n"
               "As any blocking wait, it is cancelled by `token` and the job's.")},
    {NULL, NULL, 0, NULL},
};

static PyType_Slot CancelToken_slots[] = {
    {Py_tp_doc, PyDoc_STR("CancelToken()\n--\n\n"
                          "Cancels blocking waits of this package, from any thread.")},
    {Py_tp_new, CancelToken_new},
    {Py_tp_dealloc, CancelToken_dealloc},
    {Py_tp_methods, CancelToken_methods},
    {0, NULL},
};

PyType_Spec CancelToken_spec = {
    .name = "pyasync_hw.CancelToken",
    .basicsize = sizeof(CancelTokenObject),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_IMMUTABLETYPE,
    .slots = CancelToken_slots,
};
