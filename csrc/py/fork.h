/* Objects that a forked child must not use as its parent does.
 *
 * An object that shares something with its process (an epoll, a lock that another
 * thread may hold) embeds a fork_node.  In the child of a fork, before other Python
 * code runs there, `in_child` cuts it off: close the child's copies of descriptors,
 * make locks anew, run no Python.  From then on ah_is_inherited() holds and its
 * operations raise, unless `in_child` made it the child's own and set made_in to 0.
 * The parent notices nothing.  GIL held throughout; one list per
 * interpreter (of the child's others, nothing is left).
 */
#ifndef AH_PY_FORK_H
#define AH_PY_FORK_H

#include "module.h"

#include <sys/types.h>

struct fork_node {
    struct fork_node *next, **link; /* in st->fork_nodes; link NULL: in no list */
    PyObject *object;               /* borrowed: embeds this */
    void (*in_child)(PyObject *object);
    pid_t made_in; /* in a child: the process that made the object; else 0 */
};

/* Unregistering is idempotent, and takes a node of zeros. */
void ah_fork_register(ModuleState *st, struct fork_node *node,
                      AH_BORROWED PyObject *object, void (*in_child)(PyObject *object));
void ah_fork_unregister(struct fork_node *node);

static inline bool
ah_is_inherited(const struct fork_node *node)
{
    return node->made_in != 0;
}

/* RuntimeError: `what` was made in another process; `remedy` says what to do.
 * Always -1. */
int ah_raise_inherited(const struct fork_node *node, const char *what,
                       const char *remedy);

#endif
