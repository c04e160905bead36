/* The Python methods of a SimWorld of its lines, and of the devices that a program
 * opens on it. */
#ifndef AH_SIM_PY_LINES_H
#define AH_SIM_PY_LINES_H

#include "sim_py/world_object.h"

PyObject *SimWorld_drive(SimWorldObject *self, PyObject *arg);
PyObject *SimWorld_level(SimWorldObject *self, PyObject *arg);
PyObject *SimWorld_wave(SimWorldObject *self, PyObject *arg);
PyObject *SimWorld_driven(SimWorldObject *self, PyObject *arg);
PyObject *SimWorld_consumer(SimWorldObject *self, PyObject *arg);
PyObject *SimWorld_pull(SimWorldObject *self, PyObject *arg);
PyObject *SimWorld_request_lines(SimWorldObject *self, PyObject *arg);
PyObject *SimWorld_name_line(SimWorldObject *self, PyObject *arg);
PyObject *SimWorld_open_gpiochip(SimWorldObject *self, PyObject *arg);
PyObject *SimWorld_open_spi(SimWorldObject *self, PyObject *arg);

#endif
