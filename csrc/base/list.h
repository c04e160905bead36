/* Lists of structs that go on in `next` and begin in a pointer. */
#ifndef AH_BASE_LIST_H
#define AH_BASE_LIST_H

#include <stddef.h>

/* Take `node` out of the list that begins in `first`, if it is there. */
#define LIST_REMOVE(first, node)                     \
    do {                                             \
        __typeof__(first) *link_ = &(first);         \
        while (*link_ != NULL && *link_ != (node)) { \
            link_ = &(*link_)->next;                 \
        }                                            \
        if (*link_ != NULL) {                        \
            *link_ = (node)->next;                   \
        }                                            \
    } while (0)

#endif
