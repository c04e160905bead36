/* ioctl() as the floors below Python speak: >= 0 or -errno, never -EINTR. */
#ifndef AH_DEV_IOCTL_H
#define AH_DEV_IOCTL_H

#include <errno.h>
#include <sys/ioctl.h>

static inline int
ioctl_retry(int fd, unsigned long number, const void *arg)
{
    int result;
    do {
        result = ioctl(fd, number, arg);
    } while (result < 0 && errno == EINTR);
    return result < 0 ? -errno : result;
}

#endif
