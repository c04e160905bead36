/* PWM on lines that a thread of ours drives: the lines are fakes, the time is real. */
#include "dev/pwm_line.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "check.h"

/* A line that counts. */
struct fake_line {
    struct line_request request;
    atomic_int rises;
    atomic_int level;
    atomic_bool gone;
    bool *closed;
};

static int
fake_set(void *self, uint64_t mask, uint64_t bits)
{
    struct fake_line *line = self;
    CHECK_EQ((int64_t)mask, 1);
    if (line->gone) {
        return -ENODEV;
    }
    line->rises += bits == 1 && line->level == 0;
    line->level = (int)bits;
    return 0;
}

static void
fake_close(void *self)
{
    *((struct fake_line *)self)->closed = true;
}

static const struct line_ops fake_ops = {.set = fake_set, .close = fake_close};

static struct fake_line
fake_new(bool *closed)
{
    *closed = false;
    return (struct fake_line){.request = {.ops = &fake_ops, .num_lines = 1},
                              .closed = closed};
}

static struct pwm_device *
open_pwm(struct fake_line *line, struct pwm_thread *thread, bool rest)
{
    struct pwm_device *pwm = NULL;
    line->request.self = line;
    CHECK_EQ(pwm_line_open(&line->request, thread, rest, &pwm), 0);
    return pwm;
}

static void
wait_for(const atomic_int *count, int n)
{
    while (atomic_load(count) < n) {
        usleep(100);
    }
}

static int
num_threads(void)
{
    DIR *tasks = opendir("/proc/self/task");
    int n = -2; /* . and .. */
    while (tasks != NULL && readdir(tasks) != NULL) {
        n++;
    }
    if (tasks != NULL) {
        closedir(tasks);
    }
    return n;
}

static void
test_one_thread_for_all_as_long_as_there_are_channels(void)
{
    enum { CHANNELS = 20 };
    struct pwm_thread thread;
    struct fake_line lines[CHANNELS];
    struct pwm_device *pwms[CHANNELS];
    bool closed[CHANNELS];
    const struct pwm_wave wave = {2 * NS_PER_MS, NS_PER_MS / 2};
    CHECK_EQ(pwm_thread_init(&thread), 0);
    int threads = 0; /* with the first channel; a sanitizer may have its own */
    for (int round = 0; round < 2; round++) {
        for (int i = 0; i < CHANNELS; i++) {
            lines[i] = fake_new(&closed[i]);
            pwms[i] = open_pwm(&lines[i], &thread, false);
            CHECK_EQ(pwms[i]->ops->start(pwms[i]->self, &wave), 0);
            threads = i == 0 ? num_threads() : threads;
        }
        CHECK_EQ(num_threads(), threads);
        for (int i = 0; i < CHANNELS; i++) {
            wait_for(&lines[i].rises, 5);
        }
        for (int i = 0; i < CHANNELS; i++) {
            struct pwm_jitter jitter;
            CHECK_EQ(pwms[i]->ops->jitter(pwms[i]->self, &jitter), 0);
            const struct histogram *late = &jitter.lateness;
            CHECK(jitter.edges >= 8 && histogram_quantile(late, 0.5) >= 0);
            CHECK(histogram_quantile(late, 0.99) >= histogram_quantile(late, 0.5));
            CHECK(late->max >= histogram_quantile(late, 0.99));
            pwms[i]->ops->close(pwms[i]->self);
            CHECK(closed[i]);
            CHECK_EQ(lines[i].level, 0);
        }
        CHECK_EQ(thread.users, 0);
        CHECK_EQ(thread.wall.alarm_fd, -1);
    }
    pwm_thread_destroy(&thread);
}

static void
test_stop_rests_and_start_goes_on(void)
{
    struct pwm_thread thread;
    bool closed;
    struct fake_line line = fake_new(&closed);
    const struct pwm_wave wave = {NS_PER_MS, NS_PER_MS / 2};
    CHECK_EQ(pwm_thread_init(&thread), 0);
    struct pwm_device *pwm = open_pwm(&line, &thread, true);
    CHECK_EQ(pwm->ops->stop(pwm->self), 0); /* before it began */
    CHECK_EQ(line.level, 1);
    for (int i = 0; i < 3; i++) {
        int rises = line.rises;
        CHECK_EQ(pwm->ops->start(pwm->self, &wave), 0);
        wait_for(&line.rises, rises + 3);
        CHECK_EQ(pwm->ops->stop(pwm->self), 0);
        CHECK_EQ(line.level, 1);
        CHECK_EQ(thread.users, 0);
    }
    pwm->ops->close(pwm->self);
    pwm_thread_destroy(&thread);
}

/* For want of a descriptor there is no thread: the line does not stay high. */
static void
test_one_that_cannot_begin_rests(void)
{
    struct pwm_thread thread;
    struct rlimit limit;
    bool closed;
    struct fake_line line = fake_new(&closed);
    const struct pwm_wave low = {NS_PER_MS, 0}, wave = {NS_PER_MS, NS_PER_MS / 2};
    CHECK_EQ(pwm_thread_init(&thread), 0);
    CHECK_EQ(getrlimit(RLIMIT_NOFILE, &limit), 0);
    const struct rlimit none = {.rlim_cur = 0, .rlim_max = limit.rlim_max};
    for (int of_a_level = 0; of_a_level < 2; of_a_level++) {
        struct pwm_device *pwm = open_pwm(&line, &thread, false);
        if (of_a_level) {
            CHECK_EQ(pwm->ops->start(pwm->self, &low), 0);
        }
        CHECK_EQ(setrlimit(RLIMIT_NOFILE, &none), 0);
        CHECK_EQ(pwm->ops->start(pwm->self, &wave), -EMFILE);
        CHECK_EQ(setrlimit(RLIMIT_NOFILE, &limit), 0);
        CHECK_EQ(line.level, 0);
        CHECK_EQ(thread.users, 0);
        int rises = line.rises;
        CHECK_EQ(pwm->ops->start(pwm->self, &wave), 0);
        wait_for(&line.rises, rises + 3);
        pwm->ops->close(pwm->self);
    }
    pwm_thread_destroy(&thread);
}

/* Where the system permits it, and never claimed else. */
static void
test_realtime_is_what_the_thread_has(void)
{
    struct pwm_thread thread;
    bool closed;
    struct fake_line line = fake_new(&closed);
    const struct pwm_wave low = {NS_PER_MS, 0}, wave = {NS_PER_MS, NS_PER_MS / 2};
    CHECK_EQ(pwm_thread_init(&thread), 0);
    struct pwm_device *pwm = open_pwm(&line, &thread, false);
    CHECK(!pwm->ops->is_realtime(pwm->self));
    CHECK_EQ(pwm->ops->be_realtime(pwm->self), 0); /* there is no thread to be so */
    CHECK(!pwm->ops->is_realtime(pwm->self));
    CHECK_EQ(pwm->ops->start(pwm->self, &low), 0); /* nor is one needed for a level */
    int err = pwm->ops->be_realtime(pwm->self);
    CHECK(err == 0 || err == -EPERM);
    CHECK_EQ(pwm->ops->is_realtime(pwm->self), err == 0);
    CHECK_EQ(pwm->ops->start(pwm->self, &wave), 0);
    wait_for(&line.rises, 3);
    CHECK_EQ(pwm->ops->is_realtime(pwm->self), err == 0);
    CHECK_EQ(pwm->ops->stop(pwm->self), 0);
    CHECK(!pwm->ops->is_realtime(pwm->self)); /* it has ended */
    pwm->ops->close(pwm->self);
    pwm_thread_destroy(&thread);
}

static void
test_an_unplugged_line_ends_its_wave_only(void)
{
    struct pwm_thread thread;
    struct pwm_jitter jitter;
    bool closed[2];
    struct fake_line gone = fake_new(&closed[0]), other = fake_new(&closed[1]);
    const struct pwm_wave wave = {NS_PER_MS, NS_PER_MS / 2};
    CHECK_EQ(pwm_thread_init(&thread), 0);
    struct pwm_device *pwm = open_pwm(&gone, &thread, false);
    struct pwm_device *pwm2 = open_pwm(&other, &thread, false);
    CHECK_EQ(pwm->ops->start(pwm->self, &wave), 0);
    CHECK_EQ(pwm2->ops->start(pwm2->self, &wave), 0);
    wait_for(&gone.rises, 2);
    gone.gone = true;
    while (pwm->ops->jitter(pwm->self, &jitter) == 0) {
        usleep(100);
    }
    CHECK_EQ(pwm->ops->jitter(pwm->self, &jitter), -ENODEV);
    CHECK_EQ(pwm->ops->start(pwm->self, &wave), -ENODEV);
    wait_for(&other.rises, other.rises + 3);
    pwm->ops->close(pwm->self);
    pwm2->ops->close(pwm2->self);
    CHECK(closed[0] && closed[1]);
    pwm_thread_destroy(&thread);
}

static void
test_a_forks_child_has_no_thread_and_no_wave(void)
{
    struct pwm_thread thread;
    bool closed;
    struct fake_line line = fake_new(&closed);
    const struct pwm_wave wave = {NS_PER_MS, NS_PER_MS / 2};
    CHECK_EQ(pwm_thread_init(&thread), 0);
    struct pwm_device *pwm = open_pwm(&line, &thread, false);
    CHECK_EQ(pwm->ops->start(pwm->self, &wave), 0);
    pid_t child = fork();
    if (child == 0) {
        int alarm_fd = thread.wall.alarm_fd;
        pwm_thread_in_child(&thread);
        pwm->ops->in_child(pwm->self);
        bool fine = closed && thread.users == 0 && fcntl(alarm_fd, F_GETFD) < 0 &&
                    pwm_next_due(&thread.schedule) == NS_NEVER;
        _exit(fine ? 0 : 1);
    }
    REQUIRE(child > 0);
    int status = -1;
    CHECK_EQ(waitpid(child, &status, 0), child);
    CHECK_EQ(status, 0);
    int rises = line.rises;
    wait_for(&line.rises, rises + 3);
    pwm->ops->close(pwm->self);
    pwm_thread_destroy(&thread);
}

struct changer {
    struct pwm_device *pwm;
    int failures;
};

static void *
change_often(void *arg)
{
    struct changer *changer = arg;
    for (int i = 0; i < 500; i++) {
        const struct pwm_wave wave = {NS_PER_MS / 4, NS_PER_MS / 4 * (i % 5) / 4};
        changer->failures += changer->pwm->ops->start(changer->pwm->self, &wave) < 0;
        if (i % 50 == 0) {
            changer->failures += changer->pwm->ops->stop(changer->pwm->self) < 0;
        }
    }
    return NULL;
}

static void
test_channels_of_several_threads(void)
{
    enum { THREADS = 3 };
    struct pwm_thread thread;
    pthread_t threads[THREADS];
    struct fake_line lines[THREADS];
    struct changer changers[THREADS];
    bool closed[THREADS];
    CHECK_EQ(pwm_thread_init(&thread), 0);
    for (int i = 0; i < THREADS; i++) {
        lines[i] = fake_new(&closed[i]);
        changers[i] = (struct changer){open_pwm(&lines[i], &thread, false), 0};
        REQUIRE(pthread_create(&threads[i], NULL, change_often, &changers[i]) == 0);
    }
    for (int i = 0; i < THREADS; i++) {
        pthread_join(threads[i], NULL);
        CHECK_EQ(changers[i].failures, 0);
        changers[i].pwm->ops->close(changers[i].pwm->self);
        CHECK_EQ(lines[i].level, 0);
    }
    CHECK_EQ(thread.users, 0);
    pwm_thread_destroy(&thread);
}

int
main(void)
{
    RUN(test_one_thread_for_all_as_long_as_there_are_channels);
    RUN(test_stop_rests_and_start_goes_on);
    RUN(test_one_that_cannot_begin_rests);
    RUN(test_realtime_is_what_the_thread_has);
    RUN(test_an_unplugged_line_ends_its_wave_only);
    RUN(test_a_forks_child_has_no_thread_and_no_wave);
    RUN(test_channels_of_several_threads);
    return check_done();
}
