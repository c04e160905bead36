#include "base/stuck.h"

#include <ctype.h>
#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#define RUNNING (-1L)
#define GONE (-2L)

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

/* The system call that a thread sleeps in, RUNNING or GONE. */
static long
sleeps_in(long number)
{
    char name[64], text[32];
    snprintf(name, sizeof name, "/proc/self/task/%ld/syscall", number);
    int fd = open(name, O_RDONLY | O_CLOEXEC);
    if (fd < 0) {
        return GONE;
    }
    ssize_t size = read(fd, text, sizeof text - 1);
    close(fd);
    if (size <= 0) {
        return GONE;
    }
    text[size] = '\0';
    /* "202 0x7f…", "running", or "-1 …" outside of any call (a page is read) */
    return isdigit((unsigned char)text[0]) ? strtol(text, NULL, 10) : RUNNING;
}

static bool
is_lock_call(long call)
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

enum stuck
thread_is_stuck(pid_t number, int waits)
{
    if (!is_lock_call(sleeps_in(number))) {
        return NOT_STUCK;
    }
    DIR *tasks = opendir("/proc/self/task");
    if (tasks == NULL) {
        return NOT_STUCK;
    }
    bool quiet = true;
    struct dirent *entry;
    while (quiet && (entry = readdir(tasks)) != NULL) {
        long other = strtol(entry->d_name, NULL, 10);
        if (other > 0 && other != thread_number()) {
            long call = sleeps_in(other);
            quiet = call != RUNNING;
            waits -= call != GONE && !is_lock_call(call);
        }
    }
    closedir(tasks);
    return !quiet ? NOT_STUCK : waits < 0 ? PERHAPS_STUCK : STUCK;
}
