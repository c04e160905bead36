/* One thread for all waves; see pwm_thread.h. */
#include "dev/pwm_thread.h"

#include <stddef.h>
#include <string.h>

#include "base/lock.h"

static struct pwm_thread *
thread_of(struct clock_driver *driver)
{
    return (struct pwm_thread *)((char *)driver - offsetof(struct pwm_thread, driver));
}

static int64_t
next_due(struct clock_driver *driver)
{
    struct pwm_thread *thread = thread_of(driver);
    pthread_mutex_lock(&thread->lock);
    int64_t due = pwm_next_due(&thread->schedule);
    pthread_mutex_unlock(&thread->lock);
    return due;
}

static void
advance(struct clock_driver *driver, int64_t now_ns)
{
    struct pwm_thread *thread = thread_of(driver);
    pthread_mutex_lock(&thread->lock);
    pwm_skip(&thread->schedule, now_ns);
    pwm_advance(&thread->schedule, now_ns, now_ns);
    pthread_mutex_unlock(&thread->lock);
}

int
pwm_thread_init(struct pwm_thread *thread)
{
    memset(thread, 0, sizeof *thread);
    thread->driver.next_due = next_due;
    thread->driver.advance = advance;
    int err = lock_init(&thread->opening, PTHREAD_MUTEX_NORMAL);
    if (err < 0) {
        return err;
    }
    err = lock_init(&thread->lock, PTHREAD_MUTEX_NORMAL);
    if (err < 0) {
        pthread_mutex_destroy(&thread->opening);
    }
    return err;
}

void
pwm_thread_destroy(struct pwm_thread *thread)
{
    pthread_mutex_destroy(&thread->lock);
    pthread_mutex_destroy(&thread->opening);
}

void
pwm_thread_in_child(struct pwm_thread *thread)
{
    if (thread->users > 0) {
        wall_clock_in_child(&thread->wall);
    }
    thread->users = 0;
    thread->schedule.channels = NULL;
    (void)lock_init(&thread->opening, PTHREAD_MUTEX_NORMAL);
    (void)lock_init(&thread->lock, PTHREAD_MUTEX_NORMAL);
}

/* One channel less. */
static void
leave_opening(struct pwm_thread *thread)
{
    if (--thread->users == 0) {
        wall_clock_stop(&thread->wall);
        wall_clock_destroy(&thread->wall);
    }
}

int
pwm_thread_start(struct pwm_thread *thread, struct pwm_channel *channel,
                 const struct pwm_wave *wave)
{
    int err = 0;
    pthread_mutex_lock(&thread->opening);
    bool is_new = !channel->running;
    if (is_new && thread->users == 0) {
        err = wall_clock_init(&thread->wall, &thread->driver, "pwm");
    }
    if (err == 0) {
        thread->users += is_new;
        pthread_mutex_lock(&thread->lock);
        err = pwm_start(&thread->schedule, channel, wave, clock_monotonic_ns());
        int64_t due = channel->due;
        pthread_mutex_unlock(&thread->lock);
        if (err == 0) {
            err = wall_clock_expect(&thread->wall, due);
        }
        if (err < 0) {
            pthread_mutex_lock(&thread->lock);
            pwm_stop(&thread->schedule, channel);
            pthread_mutex_unlock(&thread->lock);
            leave_opening(thread);
        }
    }
    pthread_mutex_unlock(&thread->opening);
    return err;
}

void
pwm_thread_stop(struct pwm_thread *thread, struct pwm_channel *channel)
{
    pthread_mutex_lock(&thread->opening);
    if (channel->running) {
        pthread_mutex_lock(&thread->lock);
        pwm_stop(&thread->schedule, channel);
        pthread_mutex_unlock(&thread->lock);
        leave_opening(thread);
    }
    pthread_mutex_unlock(&thread->opening);
}

int
pwm_thread_be_realtime(struct pwm_thread *thread)
{
    pthread_mutex_lock(&thread->opening);
    int err = thread->users > 0 ? wall_clock_be_realtime(&thread->wall) : 0;
    pthread_mutex_unlock(&thread->opening);
    return err;
}

bool
pwm_thread_is_realtime(struct pwm_thread *thread)
{
    pthread_mutex_lock(&thread->opening);
    bool is = thread->users > 0 && wall_clock_is_realtime(&thread->wall);
    pthread_mutex_unlock(&thread->opening);
    return is;
}

int
pwm_thread_jitter(struct pwm_thread *thread, const struct pwm_channel *channel,
                  struct pwm_jitter *jitter)
{
    pthread_mutex_lock(&thread->lock);
    *jitter = channel->jitter;
    int err = channel->error;
    pthread_mutex_unlock(&thread->lock);
    return err;
}
