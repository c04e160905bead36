/* edges write FD COUNT US [CPU]   write COUNT edges to FD, about US apart: records of a
 *                                 line request (struct gpio_v2_line_event), whose time
 *                                 stamp is CLOCK_MONOTONIC
 * edges receive COUNT US [CPU WRITER_CPU]
 *                                 start such a writer and take the edges with epoll, as
 *                                 fast as C can; prints the waits as JSON
 */
#define _GNU_SOURCE
#include <sched.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define ANY_CPU (-1)

/* linux/gpio.h of 5.10 and later */
struct edge {
    uint64_t timestamp_ns;
    uint32_t id, offset, seqno, line_seqno;
    uint32_t padding[6];
};

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

static int
stay_on(int cpu)
{
    cpu_set_t set;
    if (cpu == ANY_CPU) {
        return 0;
    }
    CPU_ZERO(&set);
    CPU_SET((size_t)cpu, &set);
    if (sched_setaffinity(0, sizeof set, &set) < 0) {
        perror("sched_setaffinity");
        return 1;
    }
    return 0;
}

/* Uneven pauses, so that no loop falls into step with the writer. */
static int
write_edges(int fd, int count, int pause_us, int cpu)
{
    if (stay_on(cpu) != 0) {
        return 1;
    }
    for (uint32_t i = 0; i < (uint32_t)count; i++) {
        struct timespec t = {0, (pause_us / 2 + rand() % (pause_us + 1)) * 1000L};
        nanosleep(&t, NULL);
        struct edge edge = {
            .id = 1 + i % 2, .offset = 17, .seqno = i + 1, .line_seqno = i + 1};
        edge.timestamp_ns = (uint64_t)now(CLOCK_MONOTONIC);
        if (write(fd, &edge, sizeof edge) != sizeof edge) {
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
        struct edge edge;
        if (epoll_wait(poller, &event, 1, -1) < 0 ||
            read(fd, &edge, sizeof edge) != sizeof edge) {
            perror("read");
            return 1;
        }
        waits[i] = now(CLOCK_MONOTONIC) - (int64_t)edge.timestamp_ns;
    }
    cpu = now(CLOCK_PROCESS_CPUTIME_ID) - cpu;
    qsort(waits, (size_t)count, sizeof *waits, compare);
    printf("{\"p50\": %lld, \"p99\": %lld, \"cpu\": %lld}\n",
           (long long)waits[count / 2], (long long)waits[(count - 1) * 99 / 100],
           (long long)(cpu / count));
    free(waits);
    close(poller);
    return 0;
}

static int
receive(int count, int pause_us, int cpu, int writer_cpu)
{
    int ends[2];
    pid_t writer = pipe(ends) < 0 ? -1 : fork();
    if (writer < 0) {
        perror("edges");
        return 1;
    }
    if (writer == 0) {
        _exit(write_edges(ends[1], count, pause_us, writer_cpu));
    }
    int status = stay_on(cpu);
    if (status == 0) {
        status = receive_edges(ends[0], count);
    }
    waitpid(writer, NULL, 0);
    return status;
}

static int
number(char **argv, int argc, int i)
{
    return i < argc ? atoi(argv[i]) : ANY_CPU;
}

int
main(int argc, char **argv)
{
    alarm(60); /* nobody is left behind */
    srand(7);
    if ((argc == 5 || argc == 6) && strcmp(argv[1], "write") == 0) {
        return write_edges(atoi(argv[2]), atoi(argv[3]), atoi(argv[4]),
                           number(argv, argc, 5));
    }
    if ((argc == 4 || argc == 6) && strcmp(argv[1], "receive") == 0 &&
        atoi(argv[2]) > 0) {
        return receive(atoi(argv[2]), atoi(argv[3]), number(argv, argc, 4),
                       number(argv, argc, 5));
    }
    fprintf(stderr,
            "usage: edges write FD COUNT US [CPU] | "
            "edges receive COUNT US [CPU WRITER_CPU]\n");
    return 2;
}
