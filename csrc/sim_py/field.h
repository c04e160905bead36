/* The Python methods of a SimWorld of its readers and cards. */
#ifndef AH_SIM_PY_FIELD_H
#define AH_SIM_PY_FIELD_H

#include "sim_py/world_object.h"

PyObject *SimWorld_attach(SimWorldObject *self, PyObject *arg);
PyObject *SimWorld_present(SimWorldObject *self, PyObject *arg);
PyObject *SimWorld_remove(SimWorldObject *self, PyObject *arg);
PyObject *SimWorld_cards(SimWorldObject *self, PyObject *arg);
PyObject *SimWorld_field_on(SimWorldObject *self, PyObject *arg);
PyObject *SimWorld_peek(SimWorldObject *self, PyObject *arg);

#endif
