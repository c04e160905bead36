/* Locks other than a plain mutex: of a kind, and with a condition.  0 or -errno. */
#ifndef AH_BASE_LOCK_H
#define AH_BASE_LOCK_H

#include <pthread.h>
#include <time.h>

/* kind: PTHREAD_MUTEX_RECURSIVE, say. */
static inline int
lock_init(pthread_mutex_t *lock, int kind)
{
    pthread_mutexattr_t attr;
    int err = pthread_mutexattr_init(&attr);
    if (err != 0) {
        return -err;
    }
    pthread_mutexattr_settype(&attr, kind);
    err = pthread_mutex_init(lock, &attr);
    pthread_mutexattr_destroy(&attr);
    return -err;
}

/* A plain lock, and a condition whose waits end on the monotonic clock. */
static inline int
monitor_init(pthread_mutex_t *lock, pthread_cond_t *cond)
{
    pthread_condattr_t attr;
    int err = pthread_condattr_init(&attr);
    if (err != 0) {
        return -err;
    }
    err = pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    err = err == 0 ? pthread_cond_init(cond, &attr) : err;
    pthread_condattr_destroy(&attr);
    if (err != 0) {
        return -err;
    }
    err = pthread_mutex_init(lock, NULL);
    if (err != 0) {
        pthread_cond_destroy(cond);
    }
    return -err;
}

static inline void
monitor_destroy(pthread_mutex_t *lock, pthread_cond_t *cond)
{
    pthread_cond_destroy(cond);
    pthread_mutex_destroy(lock);
}

#endif
