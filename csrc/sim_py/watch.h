/* The Python methods of a SimWorld for the parts of its board. */
#ifndef AH_SIM_PY_WATCH_H
#define AH_SIM_PY_WATCH_H

#include "sim_py/world_object.h"

PyObject *SimWorld_open_watch(SimWorldObject *self, PyObject *ignored);
PyObject *SimWorld_watch(SimWorldObject *self, PyObject *arg);
PyObject *SimWorld_watch_drivers(SimWorldObject *self, PyObject *arg);
PyObject *SimWorld_news(SimWorldObject *self, PyObject *ignored);
PyObject *SimWorld_told(SimWorldObject *self, PyObject *arg);
PyObject *SimWorld_tell(SimWorldObject *self, PyObject *args);
PyObject *SimWorld_call_at(SimWorldObject *self, PyObject *args);
PyObject *SimWorld_output(SimWorldObject *self, PyObject *arg);
PyObject *SimWorld_set_output(SimWorldObject *self, PyObject *args);
PyObject *SimWorld_others(SimWorldObject *self, PyObject *arg);

#endif
