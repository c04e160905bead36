/* edges write FD COUNT US      write a CLOCK_MONOTONIC stamp of 8 bytes to FD, again
 *                              and again, about US apart
 * edges receive COUNT US       start such a writer and take the stamps with epoll, as
 *                              fast as C can; prints the median wait as JSON
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static int64_t
now(clockid_t clock)
{
    struct timespec t;
    clock_gettime(clock, &t);
    return t.tv_sec * INT64_C(1000000000) + t.tv_nsec;
}

static int
compare(const void *a, const void *b)
{
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
    return (x > y) - (x < y);
}

/* Uneven pauses, so that no loop falls into step with the writer. */
static int
write_edges(int fd, int count, int pause_us)
{
    for (int i = 0; i < count; i++) {
        struct timespec t = {0, (pause_us / 2 + rand() % (pause_us + 1)) * 1000L};
        nanosleep(&t, NULL);
        int64_t stamp = now(CLOCK_MONOTONIC);
        if (write(fd, &stamp, sizeof stamp) != sizeof stamp) {
            perror("write");
            return 1;
        }
    }
    return 0;
}

static int
receive_edges(int fd, int count)
{
    int poller = epoll_create1(0);
    struct epoll_event event = {.events = EPOLLIN};
    int64_t *waits = calloc((size_t)count, sizeof *waits);
    if (waits == NULL || poller < 0 ||
        epoll_ctl(poller, EPOLL_CTL_ADD, fd, &event) < 0) {
        perror("edges");
        return 1;
    }
    int64_t cpu = now(CLOCK_PROCESS_CPUTIME_ID);
    for (int i = 0; i < count; i++) {
        int64_t stamp;
        if (epoll_wait(poller, &event, 1, -1) < 0 ||
            read(fd, &stamp, sizeof stamp) != sizeof stamp) {
            perror("read");
            return 1;
        }
        waits[i] = now(CLOCK_MONOTONIC) - stamp;
    }
    cpu = now(CLOCK_PROCESS_CPUTIME_ID) - cpu;
    qsort(waits, (size_t)count, sizeof *waits, compare);
    printf("{\"p50\": %lld, \"cpu\": %lld}\n", (long long)waits[count / 2],
           (long long)(cpu / count));
    free(waits);
    close(poller);
    return 0;
}

int
main(int argc, char **argv)
{
    alarm(60); /* nobody is left behind */
    srand(7);
    int count = argc > 3 ? atoi(argv[argc - 2]) : 0;
    int pause_us = argc > 3 ? atoi(argv[argc - 1]) : 0;
    if (count > 0 && pause_us > 0 && argc == 5 && strcmp(argv[1], "write") == 0) {
        return write_edges(atoi(argv[2]), count, pause_us);
    }
    if (count > 0 && pause_us > 0 && argc == 4 && strcmp(argv[1], "receive") == 0) {
        int ends[2];
        pid_t writer = pipe(ends) < 0 ? -1 : fork();
        if (writer < 0) {
            perror("edges");
            return 1;
        }
        if (writer == 0) {
            _exit(write_edges(ends[1], count, pause_us));
        }
        int status = receive_edges(ends[0], count);
        waitpid(writer, NULL, 0);
        return status;
    }
    fprintf(stderr, "usage: edges write FD COUNT US | edges receive COUNT US\n");
    return 2;
}
