/* Child: a child process as the loop sees it, by its pidfd. */
#ifndef AH_LOOP_CHILD_TYPE_H
#define AH_LOOP_CHILD_TYPE_H

#include "loop/loop.h"

typedef struct {
    PyObject_HEAD
    ModuleState *st;
    pid_t pid;
    int pidfd;               /* -1: none, or no longer needed */
    struct ah_reader reader; /* armed: the loop owns us */
    PyObject *callback;      /* owned, while armed */
    PyObject *context;       /* owned: what the callback runs in, while armed */
} ChildObject;

AH_RAISES ChildObject *ah_child_new(ModuleState *st, pid_t pid, int pidfd);

#endif
