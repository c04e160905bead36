/* What the module looks up once, when it is set up; each is 0, or -1 at once. */
#ifndef AH_PY_LOOKUP_H
#define AH_PY_LOOKUP_H

#include "module.h"

/* *where becomes the interned string, owned. */
AH_RAISES int ah_intern(PyObject **where, const char *name);

/* *where becomes an attribute of a module, owned. */
AH_RAISES int ah_import(PyObject **where, const char *module, const char *attribute);

/* *where becomes a module's dict, owned. */
AH_RAISES int ah_namespace(PyObject **where, const char *module);

#endif
