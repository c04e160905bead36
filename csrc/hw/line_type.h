/* _core.LineRequest: one request of GPIO lines, kernel's or simulator's.
 *
 * A device (device.h) with edges (line_edges.h).  It is used on one thread at a time
 * (its loop's, or the one that blocks on it); values may be read on any.
 */
#ifndef AH_HW_LINE_TYPE_H
#define AH_HW_LINE_TYPE_H

#include "hw/device.h"
#include "hw/line_edges.h"

typedef struct {
    DeviceObject device; /* its handle: a struct line_request */
    struct line_edges edges;
} LineRequestObject;

/* A LineRequest around `request`, which lives until line_close() and is
 * freed by it (embed it in the backend's own struct).  On failure it is closed.
 * `owner` is kept alive until then (the simulated world); NULL: a real device.
 * With an owner every op but read_events is called without the GIL, for a simulated
 * world may hold its lock while a card runs Python. */
AH_RAISES PyObject *ah_line_request_new(ModuleState *st,
                                        AH_STEALS struct line_request *request,
                                        PyObject *owner);

/* The request of a LineRequest, borrowed; NULL with TypeError, or with ValueError
 * when it is closed. */
AH_RAISES struct line_request *ah_line_request_get(ModuleState *st, PyObject *obj);

/* The request itself, out of a LineRequest that is closed then; its owner in *owner,
 * owned, or NULL.  NULL with an exception: it is no open LineRequest, or in use. */
AH_RAISES struct line_request *ah_line_request_take(ModuleState *st, PyObject *obj,
                                                    PyObject **owner);

#endif
