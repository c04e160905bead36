/* Differences between CPython 3.11 and 3.14: the only PY_VERSION_HEX but module.c's slots. */
#ifndef AH_PY_COMPAT_H
#define AH_PY_COMPAT_H

#include "module.h"

#endif
