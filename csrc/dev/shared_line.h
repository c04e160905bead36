/* Lines that have several users in one process: one request, and a share each.
 *
 * The first user's request is the one that the kernel or the simulator knows.  A
 * further user whose settings agree gets a share of it: a struct line_request like
 * any other, with edges, seqnos and a descriptor of its own.  The last share that is
 * closed gives the line back.  An "as it is" agrees with everything; edges add up,
 * and each share sees those that it asked for.  Whoever sets the line sets it for
 * all: the last one counts.
 *
 * A share's descriptor is an epoll: it is readable when the request is, or when the
 * share that has read from the request left something for this one.
 * Every call may come from any thread, with or without the GIL.  Python-free.
 */
#ifndef AH_DEV_SHARED_LINE_H
#define AH_DEV_SHARED_LINE_H

#include <pthread.h>

#include "dev/line_rules.h"

#define SHARED_CONSUMER_MAX 32

/* The lines of one board, or of the machine, that this process has requested.  The
 * lock is held for memory, wake-ups and reading edges that are there, which wait for
 * nobody, never around another operation of a line. */
struct shared_lines {
    pthread_mutex_t opening; /* around opens and closes; before `lock` */
    pthread_mutex_t lock;
    struct shared_line *first;
};

/* What one user wants. */
struct line_wish {
    const char *chip; /* its name; less than 32 bytes count */
    uint32_t offset;
    const struct line_settings *settings;
    const char *consumer;
};

/* Why it cannot be had: another user of this process wants something else. */
struct line_conflict {
    struct line_difference difference;  /* its setting is NULL: no conflict */
    char consumer[SHARED_CONSUMER_MAX]; /* the other one's */
    char wanted_by[SHARED_CONSUMER_MAX];
};

/* The request of the first user, by value; >= 0 or -errno. */
typedef int (*line_open_func)(void *arg, const struct line_wish *wish,
                              struct line_request *request);

int shared_lines_init(struct shared_lines *lines);
void shared_lines_destroy(struct shared_lines *lines); /* no share is left */

/* In a fork's child: nobody holds the locks that the parent's threads held. */
void shared_lines_in_child(struct shared_lines *lines);

/* A share, which is freed by its close.  `open` is called for the first one.  -EBUSY
 * with a conflict: the settings don't agree; without: somebody else has the line. */
int shared_lines_open(struct shared_lines *lines, const struct line_wish *wish,
                      line_open_func open, void *arg, struct line_request **out,
                      struct line_conflict *conflict);

#endif
