/* Settings of lines and Python; see line_settings.h. */
#include "hw/line_settings.h"

#include <errno.h>
#include <math.h>

#include "py/errors.h"

/* Index of the str attribute `name` of obj in `words` (NULL-terminated). */
static int
parse_word(PyObject *obj, const char *name, const char *const *words, int *index)
{
    PyObject *value = PyObject_GetAttrString(obj, name); /* runs Python */
    if (value == NULL) {
        return -1;
    }
    for (int i = 0; PyUnicode_Check(value) && words[i] != NULL; i++) {
        if (PyUnicode_CompareWithASCIIString(value, words[i]) == 0) {
            Py_DECREF(value);
            *index = i;
            return 0;
        }
    }
    PyObject *known = PyUnicode_FromString(words[0]);
    for (int i = 1; known != NULL && words[i] != NULL; i++) {
        Py_SETREF(known, PyUnicode_FromFormat("%U, %s", known, words[i]));
    }
    if (known != NULL) {
        PyErr_Format(PyExc_ValueError, "%s must be one of: %U; not %R", name, known,
                     value);
        Py_DECREF(known);
    }
    Py_DECREF(value);
    return -1;
}

static int
parse_truth(PyObject *obj, const char *name, uint8_t *truth)
{
    PyObject *value = PyObject_GetAttrString(obj, name); /* runs Python */
    if (value == NULL) {
        return -1;
    }
    int is_true = PyObject_IsTrue(value);
    Py_DECREF(value);
    *truth = is_true > 0;
    return is_true < 0 ? -1 : 0;
}

static int
parse_debounce(PyObject *obj, uint32_t *debounce_us)
{
    PyObject *value = PyObject_GetAttrString(obj, "debounce_period"); /* runs Python */
    if (value == NULL) {
        return -1;
    }
    double seconds;
    int err = ah_seconds_arg(value, "debounce_period", &seconds); /* runs Python */
    Py_DECREF(value);
    if (err < 0) {
        return -1;
    }
    if (!(seconds >= 0.0 && seconds <= 4294.0)) {
        PyErr_SetString(PyExc_ValueError,
                        "debounce_period must be between 0 and 4294 seconds");
        return -1;
    }
    *debounce_us = (uint32_t)ceil(seconds * 1e6);
    return 0;
}

int
ah_line_settings_parse(PyObject *obj, struct line_settings *settings)
{
    static const char *const directions[] = {"as_is", "input", "output", NULL};
    static const char *const edges[] = {"none", "rising", "falling", "both", NULL};
    static const char *const biases[] = {"as_is", "disabled", "pull_up", "pull_down",
                                         NULL};
    static const char *const drives[] = {"push_pull", "open_drain", "open_source",
                                         NULL};
    static const char *const clocks[] = {"monotonic", "realtime", "hte", NULL};
    int direction, edge, bias, drive, event_clock;
    *settings = (struct line_settings){0};
    if (parse_word(obj, "direction", directions, &direction) < 0 ||
        parse_word(obj, "edge_detection", edges, &edge) < 0 ||
        parse_word(obj, "bias", biases, &bias) < 0 ||
        parse_word(obj, "drive", drives, &drive) < 0 ||
        parse_word(obj, "event_clock", clocks, &event_clock) < 0 ||
        parse_truth(obj, "active_low", &settings->active_low) < 0 ||
        parse_truth(obj, "output_value", &settings->output_value) < 0 ||
        parse_debounce(obj, &settings->debounce_us) < 0) {
        return -1;
    }
    settings->direction = (enum line_direction)direction;
    settings->edge = (enum line_edge)edge;
    settings->bias = (enum line_bias)bias;
    settings->drive = (enum line_drive)drive;
    settings->event_clock = (enum line_clock)event_clock;
    const char *problem = NULL;
    if (settings->direction != LINE_INPUT &&
        (settings->edge != LINE_EDGE_NONE || settings->debounce_us != 0)) {
        problem = "edge_detection and debounce_period need direction=\"input\"";
    }
    else if (settings->direction == LINE_AS_IS && settings->bias != LINE_BIAS_AS_IS) {
        problem = "bias needs direction=\"input\" or \"output\"";
    }
    else if (settings->direction != LINE_OUTPUT && settings->drive != LINE_PUSH_PULL) {
        problem = "drive needs direction=\"output\"";
    }
    if (problem != NULL) {
        PyErr_SetString(PyExc_ValueError, problem);
        return -1;
    }
    return 0;
}

int
ah_buffer_size_arg(PyObject *arg, void *size)
{
    long long number;
    if (ah_integer_arg(arg, "event_buffer_size", 0, UINT32_MAX, &number) < 0) {
        return 0; /* a converter's way to fail */
    }
    *(uint32_t *)size = (uint32_t)number;
    return 1;
}

int
ah_raise_line_conflict(const char *chip, uint32_t offset,
                       const struct line_conflict *conflict)
{
    char what[64], remedy[256];
    const struct line_difference *difference = &conflict->difference;
    PyOS_snprintf(what, sizeof what, "line %u of %s", (unsigned)offset, chip);
    PyOS_snprintf(remedy, sizeof remedy,
                  "\"%s\" of this program has it with %s %s, and \"%s\" wants %s; "
                  "give both the same %s, or close the first one before",
                  conflict->consumer, difference->setting, difference->have,
                  conflict->wanted_by, difference->want, difference->setting);
    return ah_raise_errno_remedy(EBUSY, what, remedy);
}
