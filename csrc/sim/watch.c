/* News of a simulated board; see watch.h. */
#include "sim/watch.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock_teller.h"
#include "base/lock.h"
#include "base/wake.h"

int
watch_init(struct watch *watch)
{
    memset(watch, 0, sizeof *watch);
    watch->fd = -1;
    return monitor_init(&watch->lock, &watch->told);
}

void
watch_destroy(struct watch *watch)
{
    free(watch->news);
    wake_close(&watch->fd);
    pthread_cond_destroy(&watch->told);
    pthread_mutex_destroy(&watch->lock);
}

void
watch_in_child(struct watch *watch)
{
    wake_close(&watch->fd);
}

int
watch_open(struct watch *watch)
{
    int fd = wake_open();
    if (fd < 0) {
        return fd;
    }
    pthread_mutex_lock(&watch->lock);
    int err = watch->closed ? -ENODEV : watch->open ? -EBUSY : 0;
    if (err == 0) {
        watch->fd = fd;
        watch->teller.thread = pthread_self();
        watch->open = true;
    }
    pthread_mutex_unlock(&watch->lock);
    if (err < 0) {
        wake_close(&fd);
        return err;
    }
    return fd;
}

void
watch_close(struct watch *watch)
{
    pthread_mutex_lock(&watch->lock);
    watch->closed = true;
    watch->count = 0;
    atomic_store(&watch->teller.untold, 0);
    if (watch->open) {
        (void)wake_up(watch->fd); /* who tells has a duplicate, which it wakes, too */
        wake_close(&watch->fd);
        watch->open = false;
    }
    pthread_cond_broadcast(&watch->told);
    pthread_mutex_unlock(&watch->lock);
}

/* Room for one more? */
static bool
grow_locked(struct watch *watch)
{
    if (watch->count < watch->capacity) {
        return true;
    }
    int capacity = watch->capacity > 0 ? 2 * watch->capacity : 16;
    struct news *news = realloc(watch->news, (size_t)capacity * sizeof *news);
    if (news == NULL) {
        watch->lost = true;
        return false;
    }
    watch->news = news;
    watch->capacity = capacity;
    return true;
}

void
watch_note(struct watch *watch, enum news_kind kind, int line, int value, int64_t when)
{
    pthread_mutex_lock(&watch->lock);
    if (watch->open && grow_locked(watch)) {
        watch->news[watch->count++] = (struct news){kind, line, value, when};
        atomic_fetch_add(&watch->teller.untold, 1);
        (void)wake_up(watch->fd); /* it is open */
    }
    pthread_mutex_unlock(&watch->lock);
}

int
watch_take(struct watch *watch, struct news **news)
{
    pthread_mutex_lock(&watch->lock);
    int count = watch->lost ? -ENOMEM : watch->count;
    watch->lost = false;
    *news = NULL;
    if (count >= 0) {
        *news = watch->news;
        watch->news = NULL;
        watch->count = watch->capacity = 0;
        if (watch->open) {
            (void)wake_drain(watch->fd);
        }
    }
    pthread_mutex_unlock(&watch->lock);
    return count;
}

void
watch_told(struct watch *watch, int count)
{
    pthread_mutex_lock(&watch->lock);
    int untold = atomic_load(&watch->teller.untold); /* 0 of one that was closed */
    atomic_fetch_sub(&watch->teller.untold, count < untold ? count : untold);
    pthread_cond_broadcast(&watch->told);
    pthread_mutex_unlock(&watch->lock);
}

bool
watch_is_telling(struct watch *watch)
{
    return atomic_load(&watch->teller.untold) > 0 &&
           !pthread_equal(watch->teller.thread, pthread_self());
}

void
watch_settle(struct watch *watch)
{
    struct timespec until = teller_patience();
    int err = 0;
    pthread_mutex_lock(&watch->lock);
    while (err == 0 && watch_is_telling(watch)) {
        err = pthread_cond_timedwait(&watch->told, &watch->lock, &until);
    }
    pthread_mutex_unlock(&watch->lock);
}
