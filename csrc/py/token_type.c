/* _core.CancelToken; see job_token.h.  It refers to a clock only, which is a leaf. */
#include "base/block.h"
#include "py/blocking.h"
#include "py/errors.h"
#include "py/job_token.h"

static PyObject *
CancelToken_new(PyTypeObject *type, PyObject *args, PyObject *kwargs)
{
    static char *kwlist[] = {NULL};
    if (!PyArg_ParseTupleAndKeywords(args, kwargs, ":CancelToken", kwlist)) {
        return NULL;
    }
    ModuleState *st = ah_state_of_type(type);
    return st == NULL ? NULL : (PyObject *)ah_token_new(st, NULL);
}

static void
CancelToken_dealloc(CancelTokenObject *self)
{
    PyTypeObject *type = Py_TYPE(self);
    self->st->live[AH_LIVE_CancelToken]--;
    ah_fork_unregister(&self->fork);
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
