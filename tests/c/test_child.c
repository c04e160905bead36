/* base/child.h: what the program gets, what fails and where, from many threads. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/child.h"
#include "check.h"

extern char **environ;

#define SPEC_INIT                    \
    {                                \
        .envp = environ,             \
        .stdio = {-1, -1, -1},       \
        .parent_ends = {-1, -1, -1}, \
        .close_fds = true,           \
        .process_group = -1,         \
        .umask = -1,                 \
    }

/* Run a program as `spec` says; its exit code, or -signal, or -1000-errno. */
static int
run(struct child_spec spec, char *const argv[])
{
    char *programs[] = {argv[0], NULL};
    spec.programs = programs;
    spec.argv = argv;
    pid_t pid;
    int pidfd, status;
    enum child_stage stage;
    int err = child_spawn(&spec, &pid, &pidfd, &stage);
    if (err < 0 || pidfd < 0) {
        return -1000 + err;
    }
    err = child_reap(pid, pidfd, true, &status);
    close(pidfd);
    return err == 1 ? status : -1000 + err;
}

static int
run_script(struct child_spec spec, const char *script)
{
    return run(spec, (char *const[]){"/bin/sh", "-c", (char *)script, NULL});
}

/* Is the line of /proc/self/status like this? */
static int
status_has(struct child_spec spec, const char *pattern)
{
    return run(spec, (char *const[]){"/bin/grep", "-q", (char *)pattern,
                                     "/proc/self/status", NULL}) == 0;
}

static int
fail(struct child_spec spec, const char *program, enum child_stage *stage)
{
    char *programs[] = {(char *)program, NULL};
    char *argv[] = {"x", NULL};
    spec.programs = programs;
    spec.argv = argv;
    pid_t pid;
    int pidfd;
    return child_spawn(&spec, &pid, &pidfd, stage);
}

static bool
has_children(void)
{
    return waitpid(-1, NULL, WNOHANG) >= 0 || errno != ECHILD;
}

static void
test_memory_is_shared(void)
{
    CHECK(child_shares_memory());
    CHECK(!has_children());
}

static void
test_exit_codes_and_signals(void)
{
    struct child_spec spec = SPEC_INIT;
    CHECK_EQ(run_script(spec, "exit 0"), 0);
    CHECK_EQ(run_script(spec, "exit 7"), 7);
    CHECK_EQ(run_script(spec, "kill -9 $$"), -9);
    CHECK(!has_children());
}

static void
test_reap(void)
{
    char *programs[] = {"/bin/sleep", NULL};
    char *argv[] = {"sleep", "600", NULL};
    struct child_spec spec = SPEC_INIT;
    spec.programs = programs;
    spec.argv = argv;
    pid_t pid;
    int pidfd, status = 77;
    enum child_stage stage;
    REQUIRE(child_spawn(&spec, &pid, &pidfd, &stage) == 0);
    CHECK((fcntl(pidfd, F_GETFD) & FD_CLOEXEC) != 0);
    CHECK_EQ(child_reap(pid, pidfd, false, &status), 0);
    CHECK_EQ(status, 77);
    int second = child_open(pid);
    CHECK(second >= 0);
    kill(pid, SIGTERM);
    struct pollfd ready = {.fd = pidfd, .events = POLLIN};
    CHECK_EQ(poll(&ready, 1, 10000), 1);
    CHECK_EQ(child_reap(pid, pidfd, false, &status), 1);
    CHECK_EQ(status, -SIGTERM);
    CHECK_EQ(child_reap(pid, second, false, &status), -ECHILD);
    CHECK_EQ(child_reap(pid, -1, false, &status), -ECHILD);
    close(pidfd);
    close(second);
    CHECK_EQ(child_open(pid), -ESRCH);
}

static void
test_errors_say_what_failed(void)
{
    struct child_spec spec = SPEC_INIT;
    enum child_stage stage;
    CHECK_EQ(fail(spec, "/nowhere", &stage), -ENOENT);
    CHECK_EQ(stage, CHILD_EXEC);
    CHECK_EQ(fail(spec, "/tmp", &stage), -EACCES);
    CHECK_EQ(stage, CHILD_EXEC);
    spec.cwd = "/nowhere";
    CHECK_EQ(fail(spec, "/bin/true", &stage), -ENOENT);
    CHECK_EQ(stage, CHILD_CHDIR);
    spec.cwd = NULL;
    spec.process_group = 1 << 22 | 1;
    CHECK_EQ(fail(spec, "/bin/true", &stage), -EPERM);
    CHECK_EQ(stage, CHILD_SETUP);
    spec.process_group = -1;
    int keep[] = {1000};
    spec.keep = keep;
    spec.keep_count = 1;
    CHECK_EQ(fail(spec, "/bin/true", &stage), -EBADF);
    CHECK_EQ(stage, CHILD_SETUP);
    CHECK(!has_children());
}

static void
test_the_first_error_of_a_search_that_is_not_absence(void)
{
    char *programs[] = {"/nowhere/x", "/tmp", "/etc/passwd/x", NULL};
    char *argv[] = {"x", NULL};
    struct child_spec spec = SPEC_INIT;
    spec.programs = programs;
    spec.argv = argv;
    pid_t pid;
    int pidfd;
    enum child_stage stage;
    CHECK_EQ(child_spawn(&spec, &pid, &pidfd, &stage), -EACCES);
    programs[1] = "/bin/true";
    REQUIRE(child_spawn(&spec, &pid, &pidfd, &stage) == 0);
    int status;
    CHECK_EQ(child_reap(pid, -1, true, &status),
             1); /* as on Linux 5.3: by its number */
    CHECK_EQ(status, 0);
    close(pidfd);
}

static void
test_descriptors(void)
{
    int leak = fcntl(0, F_DUPFD, 20), kept = fcntl(0, F_DUPFD_CLOEXEC, 30);
    struct child_spec spec = SPEC_INIT;
    spec.keep = &kept;
    spec.keep_count = 1;
    CHECK_EQ(run_script(spec, "test -e /proc/self/fd/30 && ! test -e /proc/self/fd/20"),
             0);
    spec.close_fds = false;
    CHECK_EQ(run_script(spec, "test -e /proc/self/fd/20"), 0);
    CHECK((fcntl(kept, F_GETFD) & FD_CLOEXEC) != 0);
    close(leak);
    close(kept);
}

static void
test_session_group_and_umask(void)
{
    struct child_spec spec = SPEC_INIT;
    const char *own = "set -- $(cat /proc/$$/stat); test $1 = $%s";
    char script[80];
    spec.new_session = true;
    snprintf(script, sizeof script, own, "6");
    CHECK_EQ(run_script(spec, script), 0);
    spec.new_session = false;
    CHECK_EQ(run_script(spec, script), 1);
    spec.process_group = 0;
    snprintf(script, sizeof script, own, "5");
    CHECK_EQ(run_script(spec, script), 0);
    spec.process_group = -1;
    spec.umask = 027;
    mode_t before = umask(0);
    CHECK_EQ(run_script(spec, "test $(umask) = 0027"), 0);
    CHECK_EQ(umask(before), 0);
}

static void
handler(int sig)
{
    (void)sig;
}

static void
test_signals(void)
{
    /* ignored stays ignored unless it is restored; a handler never survives */
    signal(SIGPIPE, SIG_IGN);
    signal(SIGUSR1, handler);
    struct child_spec spec = SPEC_INIT;
    const char *pipe_ignored = "SigIgn.*[1357bdf]...$";
    CHECK(status_has(spec, pipe_ignored));
    spec.restore_signals = true;
    CHECK(!status_has(spec, pipe_ignored));
    CHECK(status_has(spec, "SigBlk.*0000000$"));
    CHECK_EQ(run_script(spec, "kill -USR1 $$"), -SIGUSR1);
    sigset_t blocked, now;
    sigemptyset(&blocked);
    sigaddset(&blocked, SIGUSR2);
    pthread_sigmask(SIG_BLOCK, &blocked, NULL);
    CHECK(status_has(spec, "SigBlk.*0000800$"));
    pthread_sigmask(SIG_BLOCK, NULL, &now);
    CHECK(sigismember(&now, SIGUSR2) && !sigismember(&now, SIGUSR1));
    pthread_sigmask(SIG_UNBLOCK, &blocked, NULL);
    signal(SIGPIPE, SIG_DFL);
    signal(SIGUSR1, SIG_DFL);
}

static void
test_without_a_free_descriptor(void)
{
    struct rlimit old, none;
    REQUIRE(getrlimit(RLIMIT_NOFILE, &old) == 0);
    none = old;
    none.rlim_cur = 3;
    REQUIRE(setrlimit(RLIMIT_NOFILE, &none) == 0);
    char *programs[] = {"/bin/true", NULL};
    char *argv[] = {"true", NULL};
    struct child_spec spec = SPEC_INIT;
    spec.programs = programs;
    spec.argv = argv;
    pid_t pid = -1;
    int pidfd = -7, status;
    enum child_stage stage;
    int err = child_spawn(&spec, &pid, &pidfd, &stage);
    REQUIRE(setrlimit(RLIMIT_NOFILE, &old) == 0);
    CHECK_EQ(err, 0);
    CHECK_EQ(pidfd, -1);
    CHECK_EQ(waitpid(pid, &status, 0), pid);
}

/* Join a new control group of one process, `folder`; false where we may not. */
static bool
be_alone_in(const char *folder)
{
    const char *const files[][2] = {{"cgroup.procs", "0"}, {"pids.max", "1"}};
    if (mkdir(folder, 0755) < 0) {
        return false;
    }
    for (int i = 0; i < 2; i++) {
        char path[128];
        snprintf(path, sizeof path, "%s/%s", folder, files[i][0]);
        int fd = open(path, O_WRONLY);
        bool written = fd >= 0 && write(fd, files[i][1], strlen(files[i][1])) > 0;
        close(fd);
        if (!written) {
            return false;
        }
    }
    return true;
}

/* The kernel refuses so late that it has told us a descriptor before. */
static void
test_beyond_the_limit_of_processes(void)
{
    const char *const roots[] = {"/sys/fs/cgroup/pids", "/sys/fs/cgroup"};
    for (int i = 0; i < 2; i++) {
        char folder[64];
        snprintf(folder, sizeof folder, "%s/test_child-%d", roots[i], (int)getpid());
        pid_t pid = fork();
        REQUIRE(pid >= 0);
        if (pid == 0) {
            struct child_spec spec = SPEC_INIT;
            char *programs[] = {"/bin/true", NULL};
            spec.programs = spec.argv = programs;
            enum child_stage stage;
            int pidfd, code = 0;
            if (be_alone_in(folder)) {
                int err = child_spawn(&spec, &pid, &pidfd, &stage);
                code = err == -EAGAIN && pidfd == -1 ? 0 : 1;
            }
            _exit(code);
        }
        int status = -1;
        CHECK_EQ(waitpid(pid, &status, 0), pid);
        CHECK_EQ(status, 0);
        rmdir(folder);
    }
}

static void *
spawn_many(void *arg)
{
    struct child_spec spec = SPEC_INIT;
    char script[16];
    int wrong = 0;
    for (int i = 0; i < 20; i++) {
        int code = (int)(intptr_t)arg * 20 + i;
        snprintf(script, sizeof script, "exit %d", code);
        wrong += run_script(spec, script) != code;
    }
    return (void *)(intptr_t)wrong;
}

static void
test_many_threads(void)
{
    pthread_t threads[4];
    for (int i = 0; i < 4; i++) {
        REQUIRE(pthread_create(&threads[i], NULL, spawn_many, (void *)(intptr_t)i) ==
                0);
    }
    for (int i = 0; i < 4; i++) {
        void *wrong;
        pthread_join(threads[i], &wrong);
        CHECK_EQ((intptr_t)wrong, 0);
    }
    CHECK(!has_children());
}

int
main(void)
{
    RUN(test_memory_is_shared);
    RUN(test_exit_codes_and_signals);
    RUN(test_reap);
    RUN(test_errors_say_what_failed);
    RUN(test_the_first_error_of_a_search_that_is_not_absence);
    RUN(test_descriptors);
    RUN(test_session_group_and_umask);
    RUN(test_signals);
    RUN(test_without_a_free_descriptor);
    RUN(test_beyond_the_limit_of_processes);
    RUN(test_many_threads);
    return check_done();
}
