#include "base/poller.h"

#include <errno.h>
#include <limits.h>
#include <linux/time_types.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/clock.h"

#ifndef SYS_epoll_pwait2
#define SYS_epoll_pwait2 441 /* the same on every architecture */
#endif

int
poller_open(struct poller *poller)
{
    poller->coarse = false;
    poller->fd = epoll_create1(EPOLL_CLOEXEC);
    return poller->fd < 0 ? -errno : 0;
}

void
poller_close(struct poller *poller)
{
    if (poller->fd >= 0) {
        close(poller->fd);
        poller->fd = -1;
    }
}

int
poller_renew(struct poller *poller)
{
    int fd = epoll_create1(EPOLL_CLOEXEC);
    if (fd < 0 && errno != EMFILE && errno != ENFILE) {
        return -errno;
    }
    close(poller->fd);
    poller->fd = fd >= 0 ? fd : epoll_create1(EPOLL_CLOEXEC); /* one is free now */
    return poller->fd < 0 ? -errno : 0;
}

int
poller_add(struct poller *poller, int fd, uint32_t events, uint64_t data)
{
    struct epoll_event event = {.events = events, .data.u64 = data};
    if (epoll_ctl(poller->fd, EPOLL_CTL_ADD, fd, &event) == 0 ||
        (errno == EEXIST && /* a duplicate of it kept it in the epoll */
         epoll_ctl(poller->fd, EPOLL_CTL_MOD, fd, &event) == 0)) {
        return 0;
    }
    return -errno;
}

int
poller_modify(struct poller *poller, int fd, uint32_t events, uint64_t data)
{
    struct epoll_event event = {.events = events, .data.u64 = data};
    return epoll_ctl(poller->fd, EPOLL_CTL_MOD, fd, &event) < 0 ? -errno : 0;
}

void
poller_remove(struct poller *poller, int fd)
{
    struct epoll_event ignored = {0};
    (void)epoll_ctl(poller->fd, EPOLL_CTL_DEL, fd, &ignored);
}

static int
wait_coarse(struct poller *poller, struct epoll_event *events, int n,
            int64_t timeout_ns)
{
    int timeout_ms = -1;
    if (timeout_ns != NS_NEVER) {
        int64_t ms = timeout_ns / NS_PER_MS + (timeout_ns % NS_PER_MS != 0);
        timeout_ms = ms < INT_MAX ? (int)ms : INT_MAX;
    }
    int count = epoll_wait(poller->fd, events, n, timeout_ms);
    return count < 0 ? -errno : count;
}

int
poller_wait(struct poller *poller, struct epoll_event *events, int n,
            int64_t timeout_ns)
{
    if (poller->coarse || timeout_ns == 0 || timeout_ns == NS_NEVER) {
        return wait_coarse(poller, events, n, timeout_ns);
    }
    struct __kernel_timespec ts = {
        .tv_sec = timeout_ns / NS_PER_S,
        .tv_nsec = timeout_ns % NS_PER_S,
    };
    long count = syscall(SYS_epoll_pwait2, poller->fd, events, n, &ts, NULL, 0);
    if (count >= 0) {
        return (int)count;
    }
    if (errno != ENOSYS && errno != EPERM) {
        return -errno;
    }
    poller->coarse = true;
    return wait_coarse(poller, events, n, timeout_ns);
}
