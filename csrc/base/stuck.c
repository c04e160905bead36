#include "base/stuck.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/futex.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

enum sleep {
    AWAKE,         /* or it may be: the kernel does not say */
    GONE,          /* no such thread */
    ON_LOCK,       /* of this process */
    ON_TIMED_LOCK, /* the same, with a time limit */
    IN_CALL,       /* any other, of which others than our threads may be the end */
};

pid_t
thread_number(void)
{
    return (pid_t)syscall(SYS_gettid);
}

int64_t
thread_cpu_ns(pthread_t thread)
{
    clockid_t id;
    struct timespec ts;
    if (pthread_getcpuclockid(thread, &id) != 0 || clock_gettime(id, &ts) < 0) {
        return -1;
    }
    return (int64_t)ts.tv_sec * 1000000000 + ts.tv_nsec;
}

static bool
is_futex(long call)
{
#ifdef SYS_futex_time64
    if (call == SYS_futex_time64) {
        return true;
    }
#endif
#ifdef SYS_futex
    return call == SYS_futex;
#else
    return false;
#endif
}

/* pthread_join() waits as for another process; but those have shared memory only. */
static bool
is_own_memory(unsigned long long address)
{
    FILE *maps = fopen("/proc/self/maps", "re");
    if (maps == NULL) {
        return false;
    }
    char line[512];
    bool own = false;
    while (fgets(line, sizeof line, maps) != NULL) {
        unsigned long long first, end;
        char mode[5];
        if (sscanf(line, "%llx-%llx %4s", &first, &end, mode) == 3 &&
            first <= address && address < end) {
            own = mode[3] == 'p';
            break;
        }
    }
    fclose(maps);
    return own;
}

static enum sleep
sleep_of(long number)
{
    char name[64], text[256];
    snprintf(name, sizeof name, "/proc/self/task/%ld/syscall", number);
    int fd = open(name, O_RDONLY | O_CLOEXEC);
    if (fd < 0) {
        return errno == ENOENT ? GONE : AWAKE;
    }
    ssize_t size = read(fd, text, sizeof text - 1);
    int err = size < 0 ? errno : 0;
    close(fd);
    if (size <= 0) {
        return err == ESRCH ? GONE : AWAKE;
    }
    text[size] = '\0';
    /* "202 0x7f… 0x189 …", "running", or "-1 …" outside of any call (a page is read) */
    if (!isdigit((unsigned char)text[0])) {
        return AWAKE;
    }
    long call;
    unsigned long long address, op, limit;
    if (sscanf(text, "%ld %llx %llx %*x %llx", &call, &address, &op, &limit) != 4) {
        return AWAKE;
    }
    if (!is_futex(call) ||
        !((op & FUTEX_PRIVATE_FLAG) != 0 || is_own_memory(address))) {
        return IN_CALL;
    }
    return limit != 0 ? ON_TIMED_LOCK : ON_LOCK;
}

/* How often threads other than the caller have stopped running; -1: not known. */
static int64_t
sleeps_of_others(void)
{
    struct rusage all, mine;
    if (getrusage(RUSAGE_SELF, &all) < 0 || getrusage(RUSAGE_THREAD, &mine) < 0) {
        return -1;
    }
    return (int64_t)(all.ru_nvcsw - mine.ru_nvcsw) + (all.ru_nivcsw - mine.ru_nivcsw);
}

/* As they are read, one after the other. */
static enum stuck
look_at_all(pid_t number, int waits)
{
    enum sleep sleep = sleep_of(number);
    if (sleep != ON_LOCK && sleep != ON_TIMED_LOCK) {
        return NOT_STUCK;
    }
    bool perhaps = sleep == ON_TIMED_LOCK;
    DIR *tasks = opendir("/proc/self/task");
    if (tasks == NULL) {
        return NOT_STUCK;
    }
    struct dirent *entry;
    while (sleep != AWAKE && (errno = 0, entry = readdir(tasks)) != NULL) {
        long other = strtol(entry->d_name, NULL, 10);
        if (other > 0 && other != number && other != thread_number()) {
            sleep = sleep_of(other);
            waits -= sleep == IN_CALL || sleep == ON_TIMED_LOCK;
        }
    }
    bool all = sleep != AWAKE && errno == 0;
    closedir(tasks);
    return !all ? NOT_STUCK : perhaps || waits < 0 ? PERHAPS_STUCK : STUCK;
}

enum stuck
thread_is_stuck(pid_t number, int waits, int64_t *sleeps)
{
    int64_t before = sleeps_of_others();
    enum stuck stuck = look_at_all(number, waits);
    /* Else who was asleep when it was looked at had been so since `before`. */
    bool moved = before < 0 || sleeps_of_others() != before;
    *sleeps = moved ? -1 : before;
    return stuck == STUCK && moved ? PERHAPS_STUCK : stuck;
}
