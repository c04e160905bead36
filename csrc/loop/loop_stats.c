/* loop.stats(): what the loop has counted, as a dict.
 *
 * The counting itself is in loop_counters.h and costs a few instructions per turn;
 * percentiles are computed here, when somebody asks.  Any thread that holds the GIL
 * may ask; what goes on at that moment, a stretch or a sleep, counts up to now.
 */
#include "loop/loop_object.h"

/* Begin anew, also with the stretch or sleep that goes on. */
static void
stats_reset(struct loop_stats *stats, int64_t now_ns)
{
    *stats = (struct loop_stats){
        .run_started_ns = stats->run_started_ns != 0 ? now_ns : 0,
        .stretch_ns = stats->stretch_ns != 0 ? now_ns : 0,
        .sleep_ns = stats->sleep_ns != 0 ? now_ns : 0,
    };
}

/* reset=..., or nothing: 1, 0, or -1 with an exception set. */
static int
parse_reset(Py_ssize_t nargs, PyObject *const *args, PyObject *kwnames)
{
    if (nargs > 0) {
        PyErr_Format(PyExc_TypeError,
                     "stats() takes no positional arguments (%zd given); "
                     "write reset=True",
                     nargs);
        return -1;
    }
    Py_ssize_t count = kwnames != NULL ? PyTuple_GET_SIZE(kwnames) : 0;
    for (Py_ssize_t i = 0; i < count; i++) {
        PyObject *name = PyTuple_GET_ITEM(kwnames, i);
        if (PyUnicode_CompareWithASCIIString(name, "reset") != 0) {
            PyErr_Format(PyExc_TypeError,
                         "stats() got an unexpected keyword argument '%U'; "
                         "it takes reset",
                         name);
            return -1;
        }
    }
    return count > 0 ? PyObject_IsTrue(args[0]) : 0; /* runs Python */
}

static PyObject *
Loop_stats(LoopObject *self, PyObject *const *args, Py_ssize_t nargs, PyObject *kwnames)
{
    int reset = parse_reset(nargs, args, kwnames);
    if (reset < 0) {
        return NULL;
    }
    int64_t now_ns = clock_monotonic_ns();
    struct loop_stats stats = self->stats;
    if (stats.run_started_ns != 0) {
        stats.running_ns += now_ns - stats.run_started_ns;
    }
    if (stats.sleep_ns != 0) {
        stats.idle_ns += now_ns - stats.sleep_ns;
    }
    if (stats.stretch_ns != 0) {
        histogram_add(&stats.stretches, now_ns - stats.stretch_ns);
    }
    if (reset) {
        stats_reset(&self->stats, now_ns);
    }
    const struct histogram *stretches = &stats.stretches;
    return Py_BuildValue(
        "{sKsKsKsKsLsLsnsnsnsLsLsL}", "iterations",
        (unsigned long long)stats.iterations, "callbacks",
        (unsigned long long)stats.callbacks, "polls", (unsigned long long)stats.polls,
        "timers_fired", (unsigned long long)stats.timers_fired, "idle_ns",
        (long long)stats.idle_ns, "busy_ns",
        (long long)(stats.running_ns - stats.idle_ns), "ready",
        (Py_ssize_t)ring_count(&self->ready), "timers",
        (Py_ssize_t)heap_count(&self->timers) +
            (self->lent != NULL ? PyList_GET_SIZE(self->lent) : 0),
        "descriptors", (Py_ssize_t)self->fds.used, "lag_p50_ns",
        (long long)histogram_wait(stretches, stats.running_ns, 0.50), "lag_p99_ns",
        (long long)histogram_wait(stretches, stats.running_ns, 0.99), "lag_max_ns",
        (long long)stretches->max);
}

PyMethodDef loop_stats_methods[] = {
    {"stats", (PyCFunction)(void (*)(void))Loop_stats, METH_FASTCALL | METH_KEYWORDS,
     PyDoc_STR(
         "stats($self, /, *, reset=False)\n--\n\n"
         "Counters since the loop was made, or since the last reset=True:\n"
         "iterations, callbacks, polls, timers_fired; idle_ns and busy_ns of the\n"
         "time it ran; what it holds now: ready, timers, descriptors; and\n"
         "lag_p50_ns, lag_p99_ns, lag_max_ns: how long what becomes ready at a\n"
         "random moment waits for the loop.")},
    {NULL, NULL, 0, NULL},
};
