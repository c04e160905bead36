/* sleeper COUNT NS: how late a wait of NS is, without any loop.
 *
 * The finest wait that the kernel offers to a program that polls: ppoll() with a timer
 * slack of 1 ns. Prints the median of the overshoot as JSON.
 */
#define _GNU_SOURCE
#include <poll.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <time.h>

static int64_t
now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec * INT64_C(1000000000) + t.tv_nsec;
}

static int
compare(const void *a, const void *b)
{
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
    return (x > y) - (x < y);
}

int
main(int argc, char **argv)
{
    if (argc != 3) {
        fprintf(stderr, "usage: sleeper COUNT NS\n");
        return 2;
    }
    int count = atoi(argv[1]), early = 0;
    int64_t delay = atoll(argv[2]);
    int64_t *over = count > 0 ? calloc((size_t)count, sizeof *over) : NULL;
    if (over == NULL || prctl(PR_SET_TIMERSLACK, 1UL) < 0) {
        perror("sleeper");
        return 1;
    }
    for (int i = 0; i < count; i++) {
        struct timespec t = {delay / 1000000000, delay % 1000000000};
        int64_t start = now();
        if (ppoll(NULL, 0, &t, NULL) < 0) {
            perror("ppoll");
            return 1;
        }
        over[i] = now() - start - delay;
        early += over[i] < 0;
    }
    qsort(over, (size_t)count, sizeof *over, compare);
    printf("{\"over\": %lld, \"early\": %d}\n", (long long)over[count / 2], early);
    free(over);
    return 0;
}
