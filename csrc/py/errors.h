/* errno and Python exceptions: the one place where the first becomes the second. */
#ifndef AH_PY_ERRORS_H
#define AH_PY_ERRORS_H

#include "module.h"

/* Raise OSError(err, strerror(err), what), subclass by errno.  `err` may be
 * given as errno or -errno.  `what` names the device or descriptor, or NULL.
 * Always -1. */
int ah_raise_errno(int err, const char *what);

/* The same, with "; remedy" after the message.  Always -1. */
int ah_raise_errno_remedy(int err, const char *what, const char *remedy);

/* None, or the same for an `err` below 0: what a method of one step returns. */
AH_RAISES PyObject *ah_none_or_errno(int err, const char *what);

/* A Python number as seconds.  Raises TypeError that names the argument; NaN and
 * the range are the caller's.  0 or -1. */
int ah_seconds_arg(PyObject *arg, const char *name, double *seconds);

/* A Python integer from min to max.  Raises TypeError or ValueError, which name the
 * argument.  0 or -1. */
int ah_integer_arg(PyObject *arg, const char *name, long long min, long long max,
                   long long *number);

#endif
