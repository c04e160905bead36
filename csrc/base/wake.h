/* A wake-up: a descriptor (an eventfd, -1: none) that is readable from wake_up() until
 * wake_drain(), however often it was woken.  Any thread may wake, and a signal handler.
 * Nothing here blocks.  Python-free.
 */
#ifndef AH_BASE_WAKE_H
#define AH_BASE_WAKE_H

#include <errno.h>
#include <stdint.h>
#include <sys/eventfd.h>
#include <unistd.h>

/* The descriptor, or -errno. */
static inline int
wake_open(void)
{
    int fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    return fd < 0 ? -errno : fd;
}

/* 0 or -errno, which one that is open never gives. */
static inline int
wake_up(int fd)
{
    const uint64_t one = 1;
    while (write(fd, &one, sizeof one) < 0) {
        if (errno != EINTR) {
            return errno == EAGAIN ? 0 : -errno; /* full: it is readable */
        }
    }
    return 0;
}

/* Was it woken?  1, 0 or -errno. */
static inline int
wake_drain(int fd)
{
    uint64_t count;
    while (read(fd, &count, sizeof count) < 0) {
        if (errno != EINTR) {
            return errno == EAGAIN ? 0 : -errno;
        }
    }
    return 1;
}

/* *fd may be -1, which it is from now on. */
static inline void
wake_close(int *fd)
{
    if (*fd >= 0) {
        close(*fd);
        *fd = -1;
    }
}

#endif
