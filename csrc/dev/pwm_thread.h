/* The thread that makes the waves of all lines that have nobody else to do it.
 *
 * It is started with the first channel and joined with the last one, sleeps until the
 * next edge on the monotonic clock, and sets lines with one ioctl each.  A period that
 * is over when the thread gets there is left out.  Channels may be added, changed and
 * removed by any thread.  Python-free.
 */
#ifndef AH_DEV_PWM_THREAD_H
#define AH_DEV_PWM_THREAD_H

#include <pthread.h>

#include "base/pwm.h"
#include "base/wall_clock.h"

struct pwm_thread {
    pthread_mutex_t opening; /* around the thread's beginning and end; before `lock` */
    pthread_mutex_t lock;
    struct clock_driver driver; /* what `wall` drives */
    struct wall_clock wall;     /* while there are users */
    struct pwm_schedule schedule;
    unsigned users;
};

int pwm_thread_init(struct pwm_thread *thread);     /* 0 or -errno */
void pwm_thread_destroy(struct pwm_thread *thread); /* no channel is left */
/* In a fork's child, where the thread is not: no channel is left. */
void pwm_thread_in_child(struct pwm_thread *thread);

/* Begin, or go on with another wave; after a failure with none. */
int pwm_thread_start(struct pwm_thread *thread, struct pwm_channel *channel,
                     const struct pwm_wave *wave);
/* Afterwards set() is not called any more.  Idempotent. */
void pwm_thread_stop(struct pwm_thread *thread, struct pwm_channel *channel);
/* While a channel runs; it ends with the thread. */
int pwm_thread_be_realtime(struct pwm_thread *thread);
bool pwm_thread_is_realtime(struct pwm_thread *thread);
/* What set() said last. */
int pwm_thread_jitter(struct pwm_thread *thread, const struct pwm_channel *channel,
                      struct pwm_jitter *jitter);

#endif
