/* Preloaded, it is the kernel's drivers of GPIO and SPI, on any file that can be
 * opened.
 *
 * Edges come by fake_edges(), until fake_unplug(); line 4 is somebody else's, and
 * /dev/forbidden is for a group.  An SPI
 * message lasts until fake_finish(), and fake_await() says that it has begun.
 */
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <semaphore.h>
#include <stdarg.h>
#include <string.h>
#include <unistd.h>

#include "dev/gpio_abi.h"

#define IOC_TYPE(request) ((request) >> 8 & 0xFF)
#define IOC_IS_READ(request) (((request) >> 30 & 2) != 0)
#define IOC_SIZE(request) ((request) >> 16 & 0x3FFF)
#define SPI_MESSAGE_NR 0

static sem_t begun, finished; /* zeros: nobody has */

void
fake_await(void)
{
    sem_wait(&begun);
}

void
fake_finish(void)
{
    sem_post(&finished);
}

static int writer = -1; /* of the descriptor of the last request */
static int unplugged, num_reads;
static char is_gpio[1024]; /* by descriptor */

int
fake_edges(int n)
{
    static uint32_t seqno;
    for (int i = 0; i < n; i++) {
        struct gpio_event event = {
            .timestamp_ns = 1, .id = 1 + seqno % 2, .offset = 17};
        event.seqno = event.line_seqno = ++seqno;
        if (write(writer, &event, sizeof event) != sizeof event) {
            return -1;
        }
    }
    return 0;
}

/* A read that is cut off within an event. */
int
fake_short_read(void)
{
    return (int)write(writer, "short", 5);
}

/* Both sides hang up, as the kernel has it. */
void
fake_unplug(void)
{
    unplugged = 1;
    close(writer);
}

/* Of descriptors of lines and chips, so far. */
int
fake_reads(void)
{
    return num_reads;
}

ssize_t
read(int fd, void *buffer, size_t size)
{
    ssize_t (*real)(int, void *, size_t);
    *(void **)&real = dlsym(RTLD_NEXT, "read");
    int is_ours = fd >= 0 && fd < (int)sizeof is_gpio && is_gpio[fd];
    num_reads += is_ours;
    if (is_ours && unplugged) {
        errno = ENODEV;
        return -1;
    }
    return real(fd, buffer, size);
}

int
open(const char *path, int flags, ...)
{
    int (*real)(const char *, int, ...);
    va_list arguments;
    va_start(arguments, flags);
    int makes = (flags & O_CREAT) != 0 || (flags & O_TMPFILE) == O_TMPFILE;
    int mode = makes ? va_arg(arguments, int) : 0;
    va_end(arguments);
    if (strcmp(path, "/dev/forbidden") == 0) {
        errno = EACCES;
        return -1;
    }
    *(void **)&real = dlsym(RTLD_NEXT, "open");
    return real(path, flags, mode);
}

int open64(const char *path, int flags, ...) __attribute__((alias("open")));

static int
get_line(struct gpio_line_req *request)
{
    int ends[2];
    if (request->offsets[0] == 4) {
        errno = EBUSY;
        return -1;
    }
    if (pipe2(ends, O_CLOEXEC) < 0) {
        return -1;
    }
    writer = ends[1];
    request->fd = ends[0];
    is_gpio[request->fd] = 1;
    return 0;
}

int
ioctl(int fd, unsigned long request, ...)
{
    va_list arguments;
    va_start(arguments, request);
    void *answer = va_arg(arguments, void *);
    va_end(arguments);
    if (IOC_TYPE(request) == 'k' && (request & 0xFF) == SPI_MESSAGE_NR) {
        sem_post(&begun);
        sem_wait(&finished);
        return 4096; /* it was all sent */
    }
    if (IOC_TYPE(request) != 'k' && IOC_TYPE(request) != 0xB4) {
        int (*real)(int, unsigned long, void *);
        *(void **)&real = dlsym(RTLD_NEXT, "ioctl");
        return real(fd, request, answer);
    }
    is_gpio[fd] = 1;
    if (unplugged) {
        errno = ENODEV;
        return -1;
    }
    if (request == GPIO_IOC_CHIP_INFO) {
        struct gpio_chip_info info = {"gpiochip0", "pinctrl-fake", 54};
        *(struct gpio_chip_info *)answer = info;
    }
    else if (request == GPIO_IOC_GET_LINE) {
        return get_line(answer);
    }
    else if (request == GPIO_IOC_LINE_INFO &&
             ((struct gpio_line_info *)answer)->offset == 4) {
        struct gpio_line_info *info = answer;
        info->flags = GPIO_FLAG_USED;
        strcpy(info->consumer, "onewire@0");
    }
    else if (IOC_IS_READ(request)) {
        memset(answer, 0, IOC_SIZE(request));
    }
    return 0;
}
