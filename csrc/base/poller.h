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

/* Change what is watched on fd from old_events (0: nothing) to new_events.
 * A descriptor that was closed behind our back is registered anew.
 * 0 or -errno. */
int poller_set(struct poller *poller, int fd, uint32_t old_events, uint32_t new_events,
               uint64_t data);

/* Number of events, or -errno.  timeout_ns: 0 looks, INT64_MAX waits for ever. */
int poller_wait(struct poller *poller, struct epoll_event *events, int n,
                int64_t timeout_ns);

#endif
