/* Spawning and reaping; see child.h. */
#include "base/child.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/sched.h>
#include <signal.h>
#include <stdint.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

/* The same on every architecture; old headers lack them. */
#ifndef SYS_pidfd_open
#define SYS_pidfd_open 434
#endif
#ifndef SYS_clone3
#define SYS_clone3 435
#endif
#ifndef SYS_close_range
#define SYS_close_range 436
#endif
#ifndef CLONE_PIDFD
#define CLONE_PIDFD 0x00001000
#endif
#ifndef CLONE_CLEAR_SIGHAND
#define CLONE_CLEAR_SIGHAND 0x100000000ULL
#endif

#define WAIT_PIDFD 3 /* P_PIDFD of waitid() */
#define SIGNALS_BYTES (_NSIG / 8)
#define FD_FOLDER "/proc/self/fd"

/* struct clone_args of Linux 5.3, CLONE_ARGS_SIZE_VER0. */
struct clone3_args {
    uint64_t flags, pidfd, child_tid, parent_tid, exit_signal, stack, stack_size, tls;
};

struct dirent64 {
    uint64_t ino;
    int64_t off;
    unsigned short reclen;
    unsigned char type;
    char name[];
};

/* On the caller's stack, written by the child. */
struct start {
    const struct child_spec *spec;
    unsigned char old_mask[SIGNALS_BYTES];
    bool handlers_cleared;
    enum child_stage stage;
    int err;
};

/* The child shares stack, errno and heap with its suspended parent, so it makes bare
 * system calls only: the C library's wrappers may take locks or, as setuid() does,
 * speak to every thread.  Sanitizers must not track the frames that it never leaves. */
#define IN_CHILD __attribute__((no_sanitize("address", "thread", "undefined")))

/* -- in the child ---------------------------------------------------------- */

/* A signal that arrives between here and exec must not run the parent's handlers. */
IN_CHILD static void
clear_handlers(void)
{
    /* The kernel's struct sigaction begins with the handler on every architecture
     * but mips; the rest is opaque to us. */
    unsigned long action[16];
    for (int sig = 1; sig < _NSIG; sig++) {
        if (sig == SIGKILL || sig == SIGSTOP ||
            syscall(SYS_rt_sigaction, sig, NULL, action, SIGNALS_BYTES) != 0 ||
            action[0] == (unsigned long)SIG_IGN ||
            action[0] == (unsigned long)SIG_DFL) {
            continue;
        }
        for (size_t i = 0; i < sizeof action / sizeof action[0]; i++) {
            action[i] = 0;
        }
        syscall(SYS_rt_sigaction, sig, action, NULL, SIGNALS_BYTES);
    }
}

IN_CHILD static void
default_action(int sig)
{
    unsigned long action[16] = {0};
    syscall(SYS_rt_sigaction, sig, action, NULL, SIGNALS_BYTES);
}

IN_CHILD static long
fd_flags(int fd, int flags)
{
    return syscall(SYS_fcntl, fd, F_SETFD, flags);
}

/* Make `fd` the program's descriptor `target`. */
IN_CHILD static long
place(int fd, int target)
{
    if (fd < 0) {
        return 0;
    }
    return fd == target ? fd_flags(fd, 0) : syscall(SYS_dup3, fd, target, 0);
}

IN_CHILD static bool
is_kept(const struct child_spec *spec, int fd)
{
    for (size_t i = 0; i < spec->keep_count; i++) {
        if (spec->keep[i] == fd) {
            return true;
        }
    }
    return false;
}

/* Without close_range (an old container's filter): what /proc lists, or all. */
IN_CHILD static void
close_one_by_one(const struct child_spec *spec)
{
    _Alignas(struct dirent64) char buffer[1024];
    long folder = syscall(SYS_openat, AT_FDCWD, FD_FOLDER, O_RDONLY | O_DIRECTORY);
    if (folder >= 0) {
        long size;
        while ((size = syscall(SYS_getdents64, folder, buffer, sizeof buffer)) > 0) {
            for (long at = 0; at < size;) {
                const struct dirent64 *entry = (const void *)(buffer + at);
                int fd = 0;
                const char *digit = entry->name;
                for (; *digit >= '0' && *digit <= '9'; digit++) {
                    fd = fd * 10 + (*digit - '0');
                }
                if (*digit == '\0' && fd > 2 && fd != folder && !is_kept(spec, fd)) {
                    syscall(SYS_close, fd);
                }
                at += entry->reclen;
            }
        }
        syscall(SYS_close, folder);
        return;
    }
    struct {
        uint64_t soft, hard;
    } limit = {1024, 1024};
    syscall(SYS_prlimit64, 0, RLIMIT_NOFILE, NULL, &limit);
    for (int fd = 3; (uint64_t)fd < limit.soft && fd < INT_MAX; fd++) {
        if (!is_kept(spec, fd)) {
            syscall(SYS_close, fd);
        }
    }
}

IN_CHILD static void
close_others(const struct child_spec *spec)
{
    unsigned first = 3;
    for (size_t i = 0; i < spec->keep_count; i++) {
        unsigned keep = (unsigned)spec->keep[i];
        if (keep < first) {
            continue;
        }
        if (keep > first && syscall(SYS_close_range, first, keep - 1, 0) != 0) {
            close_one_by_one(spec);
            return;
        }
        first = keep + 1;
    }
    if (syscall(SYS_close_range, first, UINT_MAX, 0) != 0) {
        close_one_by_one(spec);
    }
}

/* Descriptors 0, 1 and 2, without overwriting one that is still to be placed. */
IN_CHILD static bool
place_stdio(const struct child_spec *spec)
{
    int fds[3] = {spec->stdio[0], spec->stdio[1], spec->stdio[2]};
    for (int target = 1; target < 3; target++) {
        if (fds[target] >= 0 && fds[target] < target) {
            fds[target] = (int)syscall(SYS_fcntl, fds[target], F_DUPFD_CLOEXEC, 3);
            if (fds[target] < 0) {
                return false;
            }
        }
    }
    return place(fds[0], 0) >= 0 && place(fds[1], 1) >= 0 && place(fds[2], 2) >= 0;
}

/* As in CPython's child_exec(), in its order. */
IN_CHILD static bool
set_up(struct start *start)
{
    const struct child_spec *spec = start->spec;
    start->stage = CHILD_SETUP;
    for (size_t i = 0; i < spec->keep_count; i++) {
        if (fd_flags(spec->keep[i], 0) < 0) {
            return false;
        }
    }
    for (int i = 0; i < 3; i++) {
        if (spec->parent_ends[i] >= 0 && syscall(SYS_close, spec->parent_ends[i]) < 0) {
            return false;
        }
    }
    if (!place_stdio(spec)) {
        return false;
    }
    if (spec->cwd != NULL && syscall(SYS_chdir, spec->cwd) < 0) {
        start->stage = CHILD_CHDIR;
        return false;
    }
    if (spec->umask >= 0) {
        syscall(SYS_umask, spec->umask);
    }
    if (spec->restore_signals) {
        default_action(SIGPIPE);
        default_action(SIGXFSZ);
    }
    if (!start->handlers_cleared) {
        clear_handlers();
    }
    syscall(SYS_rt_sigprocmask, SIG_SETMASK, start->old_mask, NULL, SIGNALS_BYTES);
    if (spec->new_session && syscall(SYS_setsid) < 0) {
        return false;
    }
    if (spec->process_group >= 0 && syscall(SYS_setpgid, 0, spec->process_group) < 0) {
        return false;
    }
    if (spec->close_fds) {
        close_others(spec);
    }
    return true;
}

IN_CHILD static _Noreturn void
run_child(struct start *start)
{
    if (!set_up(start)) {
        start->err = errno;
    }
    else {
        start->stage = CHILD_EXEC;
        const struct child_spec *spec = start->spec;
        int first_err = 0;
        int err = ENOENT;
        for (char *const *program = spec->programs; *program != NULL; program++) {
            syscall(SYS_execve, *program, spec->argv, spec->envp);
            err = errno;
            if (err != ENOENT && err != ENOTDIR && first_err == 0) {
                first_err = err;
            }
        }
        start->err = first_err != 0 ? first_err : err;
    }
    for (;;) {
        syscall(SYS_exit_group, 255);
    }
}

/* -- in the parent --------------------------------------------------------- */

#if defined(__x86_64__)
#define HAVE_CLONE3_VFORK 1
/* The child comes back on the parent's stack, below the frame of this function; both
 * go on only by registers and by a call that doesn't return. */
IN_CHILD __attribute__((noinline)) static long
clone3_vfork(struct clone3_args *args, struct start *start)
{
    long result;
    __asm__ volatile("syscall"
                     : "=a"(result)
                     : "a"((long)SYS_clone3), "D"(args), "S"(sizeof *args)
                     : "rcx", "r11", "memory", "cc");
    if (result == 0) {
        run_child(start);
    }
    return result;
}
#elif defined(__aarch64__)
#define HAVE_CLONE3_VFORK 1
IN_CHILD __attribute__((noinline)) static long
clone3_vfork(struct clone3_args *args, struct start *start)
{
    register long number __asm__("x8") = SYS_clone3;
    register long result __asm__("x0") = (long)args;
    register long size __asm__("x1") = sizeof *args;
    __asm__ volatile("svc #0" : "+r"(result) : "r"(number), "r"(size) : "memory", "cc");
    if (result == 0) {
        run_child(start);
    }
    return result;
}
#endif

IN_CHILD __attribute__((noinline)) static long
plain_vfork(struct start *start)
{
    pid_t pid = vfork();
    if (pid == 0) {
        run_child(start);
    }
    return pid < 0 ? -errno : pid;
}

/* One system call for child, cleared handlers and pidfd; or vfork() and the rest by
 * hand: other architectures, and filters that know no clone3. */
static long
start_child(struct start *start, int *pidfd)
{
#ifdef HAVE_CLONE3_VFORK
    struct clone3_args args = {
        .flags = CLONE_VM | CLONE_VFORK | CLONE_PIDFD | CLONE_CLEAR_SIGHAND,
        .pidfd = (uint64_t)(uintptr_t)pidfd,
        .exit_signal = SIGCHLD,
    };
    start->handlers_cleared = true;
    long pid = clone3_vfork(&args, start);
    if (pid == -EMFILE || pid == -ENFILE) {
        args.flags &= ~(uint64_t)CLONE_PIDFD;
        pid = clone3_vfork(&args, start);
    }
    if (pid != -ENOSYS && pid != -EPERM && pid != -EINVAL) {
        return pid;
    }
    start->handlers_cleared = false;
#endif
    *pidfd = -1;
    return plain_vfork(start);
}

/* Sets *shared if it is the parent's, too. */
IN_CHILD __attribute__((noinline)) static pid_t
vfork_and_tell(volatile bool *shared)
{
    pid_t pid = vfork();
    if (pid == 0) {
        *shared = true;
        for (;;) {
            syscall(SYS_exit_group, 0);
        }
    }
    return pid;
}

bool
child_shares_memory(void)
{
#ifdef HAVE_CLONE3_VFORK
    /* No emulator that knows clone3 takes it for a fork. */
    if (syscall(SYS_clone3, NULL, 0) < 0 && errno == EINVAL) {
        return true;
    }
#endif
    volatile bool shared = false;
    pid_t pid = vfork_and_tell(&shared);
    while (pid > 0 && waitpid(pid, NULL, 0) < 0 && errno == EINTR) {
    }
    return shared;
}

int
child_spawn(const struct child_spec *spec, pid_t *pid, int *pidfd,
            enum child_stage *stage)
{
    struct start start = {.spec = spec, .stage = CHILD_START};
    unsigned char all[SIGNALS_BYTES];
    memset(all, 0xff, sizeof all);
    *pidfd = -1;
    /* Not pthread_sigmask(): the C library's own signals must wait, too. */
    if (syscall(SYS_rt_sigprocmask, SIG_SETMASK, all, start.old_mask, SIGNALS_BYTES) <
        0) {
        *stage = CHILD_START;
        return -errno;
    }
    long result = start_child(&start, pidfd);
    syscall(SYS_rt_sigprocmask, SIG_SETMASK, start.old_mask, NULL, SIGNALS_BYTES);
    *stage = start.stage;
    if (result < 0) {
        *stage = CHILD_START;
        *pidfd = -1; /* the kernel may have written one, and closed it again */
        return (int)result;
    }
    if (start.err != 0) {
        while (waitpid((pid_t)result, NULL, 0) < 0 && errno == EINTR) {
        }
        if (*pidfd >= 0) {
            close(*pidfd);
            *pidfd = -1;
        }
        return -start.err;
    }
    *pid = (pid_t)result;
    if (*pidfd < 0) {
        int fd = child_open(*pid);
        *pidfd = fd < 0 ? -1 : fd;
    }
    return 0;
}

int
child_open(pid_t pid)
{
    long fd = syscall(SYS_pidfd_open, pid, 0); /* close-on-exec by itself */
    return fd < 0 ? -errno : (int)fd;
}

/* By its number, which is nobody else's before it is collected. */
static int
reap_by_pid(pid_t pid, bool block, int *status)
{
    int raw;
    pid_t found = waitpid(pid, &raw, block ? 0 : WNOHANG);
    if (found <= 0) {
        return found < 0 ? -errno : 0;
    }
    *status = WIFEXITED(raw) ? WEXITSTATUS(raw) : -WTERMSIG(raw);
    return 1;
}

int
child_reap(pid_t pid, int pidfd, bool block, int *status)
{
    siginfo_t info;
    info.si_pid = 0;
    if (waitid((idtype_t)WAIT_PIDFD, (id_t)pidfd, &info,
               WEXITED | (block ? 0 : WNOHANG)) < 0) {
        /* Linux 5.3 has pidfds but cannot wait for them; nor may a filter know it. */
        bool by_pid = errno != ECHILD && errno != EINTR;
        return by_pid ? reap_by_pid(pid, block, status) : -errno;
    }
    if (info.si_pid == 0) {
        return 0;
    }
    *status = info.si_code == CLD_EXITED ? info.si_status : -info.si_status;
    return 1;
}
