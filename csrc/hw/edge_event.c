/* An edge in Python; see edge_event.h. */
#include "hw/edge_event.h"

PyObject *
ah_edge_event_new(ModuleState *st, const struct edge_record *record, int value)
{
    PyObject *event = PyStructSequence_New(st->edge_event_type);
    if (event == NULL) {
        return NULL;
    }
    const struct line_event *e = &record->event;
    PyObject *fields[] = {
        Py_NewRef(e->id == LINE_RISING_EDGE ? st->name_rising : st->name_falling),
        PyLong_FromLongLong(e->timestamp_ns),
        PyLong_FromUnsignedLong(e->offset),
        PyLong_FromUnsignedLong(e->seqno),
        PyLong_FromUnsignedLong(e->line_seqno),
        PyLong_FromUnsignedLong(record->dropped),
        value < 0 ? Py_NewRef(Py_None) : PyLong_FromLong(value),
    };
    bool complete = true;
    for (int i = 0; i < 7; i++) {
        complete = complete && fields[i] != NULL;
        PyStructSequence_SetItem(event, i, fields[i]);
    }
    if (!complete) {
        Py_CLEAR(event);
    }
    return event;
}

int
ah_edge_kinds_parse(PyObject *word, unsigned *kinds)
{
    static const char *const words[] = {"rising", "falling", "both"};
    *kinds = EDGE_BOTH;
    if (word == NULL) {
        return 0;
    }
    for (unsigned i = 0; PyUnicode_Check(word) && i < 3; i++) {
        if (PyUnicode_CompareWithASCIIString(word, words[i]) == 0) {
            *kinds = i + 1;
            return 0;
        }
    }
    PyErr_Format(PyExc_ValueError,
                 "edge must be \"rising\", \"falling\" or \"both\", not %R", word);
    return -1;
}

static PyTypeObject *
edge_event_type_new(void)
{
    PyStructSequence_Field fields[] = {
        {"event_type", "\"rising\" or \"falling\""},
        {"timestamp_ns", "when, in ns of the line's clock (by default the loop's)"},
        {"line_offset", "the line's offset on its chip"},
        {"global_seqno", "number of the edge over all lines of the request, from 1"},
        {"line_seqno", "number of the edge on its line, from 1"},
        {"dropped", "edges lost right before this one, in the kernel or in our queue"},
        {"value",
         "where edges were lost: the line's value, read after that; else None"},
        {NULL, NULL},
    };
    PyStructSequence_Desc desc = {
        .name = "pyasync_hw.gpio.EdgeEvent",
        .doc = "One edge (struct gpio_v2_line_event of linux/gpio.h).",
        .fields = fields,
        .n_in_sequence = 6,
    };
    return PyStructSequence_NewType(&desc);
}

int
ah_edge_event_setup(PyObject *module)
{
    ModuleState *st = ah_state(module);
    st->edge_event_type = edge_event_type_new();
    if (st->edge_event_type == NULL) {
        return -1;
    }
    return PyModule_AddObjectRef(module, "EdgeEvent", (PyObject *)st->edge_event_type);
}
