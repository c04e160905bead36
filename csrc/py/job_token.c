/* Making tokens, and the note of the job that a thread runs; see job_token.h. */
#include "py/job_token.h"

#include "py/errors.h"

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

CancelTokenObject *
ah_token_new(ModuleState *st, PyObject *clock)
{
    PyTypeObject *type = st->cancel_token_type;
    CancelTokenObject *self = (CancelTokenObject *)type->tp_alloc(type, 0);
    if (self != NULL) {
        st->live[AH_LIVE_CancelToken]++;
        self->st = st;
        token_init(&self->token);
        self->clock = Py_XNewRef(clock);
        ah_fork_register(st, &self->fork, (PyObject *)self, cancel_token_in_child);
    }
    return self;
}

CancelTokenObject *
ah_job_token(ModuleState *st, struct job_cancel *job)
{
    if (job->token == NULL) {
        CancelTokenObject *token = ah_token_new(st, job->clock);
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
