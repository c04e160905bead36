/* epoll, with nanosecond timeouts where the kernel has them.
 *
 * epoll_pwait2 (Linux 5.11) is called by number; where it is missing, or where
 * a container's filter answers EPERM, the poller remembers that and waits with
 * epoll_wait, rounded up to a millisecond: late, but never early.  Python-free.
 */
#ifndef AH_BASE_POLLER_H
#define AH_BASE_POLLER_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/epoll.h>

struct poller {
    int fd;      /* epoll; -1: closed */
    bool coarse; /* no epoll_pwait2 here */
};

int poller_open(struct poller *poller); /* 0 or -errno */
void poller_close(struct poller *poller);

/* An empty one instead.  0, or -errno: then it is as it was, or closed. */
int poller_renew(struct poller *poller);

/* 0 or -errno.  Modify says -ENOENT or -EBADF where the file that was added has lost
 * this descriptor: it was closed, and perhaps another file has its number now. */
int poller_add(struct poller *poller, int fd, uint32_t events, uint64_t data);
int poller_modify(struct poller *poller, int fd, uint32_t events, uint64_t data);

/* A closed descriptor has left by itself, or cannot be removed: while a duplicate of it
 * lives, its events go on. */
void poller_remove(struct poller *poller, int fd);

/* Number of events, or -errno.  timeout_ns: 0 looks, INT64_MAX waits for ever. */
int poller_wait(struct poller *poller, struct epoll_event *events, int n,
                int64_t timeout_ns);

#endif
