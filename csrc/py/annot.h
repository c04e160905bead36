/* Contract words for prototypes. */
#ifndef AH_PY_ANNOT_H
#define AH_PY_ANNOT_H

/* Returns -1 or NULL with a Python exception set: must be looked at. */
#define AH_RAISES __attribute__((warn_unused_result))
/* The reference returned or given is not owned by the receiver. */
#define AH_BORROWED
/* The function takes over the reference(s) to its argument. */
#define AH_STEALS

#endif
