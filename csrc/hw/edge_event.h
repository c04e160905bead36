/* An edge in Python: _core.EdgeEvent, and the words for its kinds. */
#ifndef AH_HW_EDGE_EVENT_H
#define AH_HW_EDGE_EVENT_H

#include "module.h"
#include "hw/edge_ring.h"

/* A record as an EdgeEvent; `value` -1: it was not read. */
AH_RAISES PyObject *ah_edge_event_new(ModuleState *st, const struct edge_record *record,
                                      int value);

/* "rising", "falling" or "both" (the default, NULL); -1 with ValueError. */
AH_RAISES int ah_edge_kinds_parse(PyObject *word, unsigned *kinds);

#endif
