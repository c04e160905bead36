/* Settings of lines: of hardware.LineSettings, a Python object, and where two users
 * want different ones. */
#ifndef AH_HW_LINE_SETTINGS_H
#define AH_HW_LINE_SETTINGS_H

#include "module.h"
#include "dev/shared_line.h"

/* The attributes of a hardware.LineSettings; -1 with an exception that names the
 * attribute. */
AH_RAISES int ah_line_settings_parse(PyObject *obj, struct line_settings *settings);

/* Converter of PyArg_Parse for the kernel's buffer of edges, a uint32_t. */
int ah_buffer_size_arg(PyObject *arg, void *size);

/* OSError (EBUSY): two users of a line in this process want different things; -1. */
int ah_raise_line_conflict(const char *chip, uint32_t offset,
                           const struct line_conflict *conflict);

#endif
