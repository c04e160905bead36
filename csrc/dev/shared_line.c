/* Shares of a line request; see shared_line.h. */
#include "dev/shared_line.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "base/list.h"
#include "base/wake.h"

#define SHARE_EVENTS 64
#define READ_BATCH 16

struct line_share {
    struct line_request request; /* what the user sees */
    struct line_share *next;     /* of the line */
    struct shared_line *line;
    struct line_settings settings;
    char consumer[SHARED_CONSUMER_MAX];
    int wake_fd;         /* a wake-up; -1: it has never been one of several */
    bool deaf;           /* edges are not for it yet */
    uint32_t seqno;      /* of its own edges */
    atomic_uint lowered; /* see line.h */
    unsigned first, count;
    struct line_event ring[SHARE_EVENTS];
};

struct shared_line {
    struct shared_line *next; /* in the table */
    struct shared_lines *table;
    char chip[32];
    uint32_t offset;
    struct line_request inner;
    struct line_settings current; /* of inner, and the value that was set last */
    struct line_share *shares;
    uint32_t last_seqno;
    pthread_mutex_t work; /* around changes of inner's settings and value */
};

/* -- what agrees ----------------------------------------------------------- */

static bool
find_conflict_locked(const struct shared_line *line, const struct line_share *except,
                     const struct line_settings *settings,
                     struct line_conflict *conflict)
{
    for (struct line_share *share = line->shares; share != NULL; share = share->next) {
        if (share != except &&
            line_settings_differ(&share->settings, settings, &conflict->difference)) {
            memcpy(conflict->consumer, share->consumer, sizeof conflict->consumer);
            return true;
        }
    }
    return false;
}

/* What all users want together; they agree. */
static struct line_settings
merged_locked(const struct shared_line *line)
{
    struct line_settings all = {0};
    for (struct line_share *share = line->shares; share != NULL; share = share->next) {
        line_settings_merge(&all, &share->settings);
    }
    return all;
}

/* -- edges ----------------------------------------------------------------- */

static bool
wants(const struct line_share *share, uint32_t id)
{
    unsigned bit = id == LINE_RISING_EDGE ? LINE_EDGE_RISING : LINE_EDGE_FALLING;
    return !share->deaf && ((unsigned)share->settings.edge & bit) != 0;
}

static void
push(struct line_share *share, struct line_event event)
{
    if (share->count == SHARE_EVENTS) { /* the oldest goes, its seqno tells */
        share->first = (share->first + 1) % SHARE_EVENTS;
        share->count--;
    }
    event.seqno = event.line_seqno = ++share->seqno;
    share->ring[(share->first + share->count++) % SHARE_EVENTS] = event;
}

static int
watch(int poll_fd, int fd)
{
    struct epoll_event event = {.events = EPOLLIN};
    return epoll_ctl(poll_fd, EPOLL_CTL_ADD, fd, &event) < 0 ? -errno : 0;
}

/* Every share can be woken, so that what another one reads may wait in its ring. */
static int
make_wakeable_locked(struct shared_line *line)
{
    for (struct line_share *share = line->shares; share != NULL; share = share->next) {
        if (share->wake_fd >= 0) {
            continue;
        }
        int fd = wake_open();
        int err = fd < 0 ? fd : watch(share->request.fd, fd);
        if (err < 0) {
            wake_close(&fd);
            return err;
        }
        share->wake_fd = fd;
    }
    return 0;
}

/* One event, to each share that wants it; all but `reader` are woken. */
static void
hand_out_locked(struct shared_line *line, const struct line_event *event,
                const struct line_share *reader)
{
    uint32_t lost = event->seqno - line->last_seqno - 1;
    line->last_seqno = event->seqno;
    for (struct line_share *share = line->shares; share != NULL; share = share->next) {
        share->seqno += share->deaf ? 0 : lost;
        if (!wants(share, event->id)) {
            continue;
        }
        push(share, *event);
        if (share != reader) {
            (void)wake_up(share->wake_fd); /* it is open */
        }
    }
}

/* Read what there is from the request, as long as `reader` (NULL: nobody) has less
 * than n. */
static int
read_inner_locked(struct shared_line *line, const struct line_share *reader, int n)
{
    struct line_event events[READ_BATCH];
    int got = READ_BATCH;
    while (got == READ_BATCH && (reader == NULL || reader->count < (unsigned)n)) {
        got = line_read_events(&line->inner, events, READ_BATCH);
        for (int i = 0; i < got; i++) {
            hand_out_locked(line, &events[i], reader);
        }
    }
    return got;
}

static int
share_read_events(void *self, struct line_event *buf, int n)
{
    struct line_share *share = self;
    struct shared_lines *table = share->line->table;
    if (n <= 0) {
        return -EINVAL;
    }
    pthread_mutex_lock(&table->lock);
    int err = share->count < (unsigned)n ? read_inner_locked(share->line, share, n) : 0;
    int taken = 0;
    while (taken < n && share->count > 0) {
        buf[taken++] = share->ring[share->first];
        share->first = (share->first + 1) % SHARE_EVENTS;
        share->count--;
    }
    if (share->count == 0 && share->wake_fd >= 0) {
        (void)wake_drain(share->wake_fd);
    }
    pthread_mutex_unlock(&table->lock);
    return taken > 0 ? taken : err < 0 ? err : -EAGAIN;
}

/* -- values and settings --------------------------------------------------- */

/* `share` has driven the line: the others learn of it. */
static void
tell_lowered_locked(struct line_share *share, bool value)
{
    if (value != (share->settings.active_low != 0)) {
        return;
    }
    for (struct line_share *one = share->line->shares; one != NULL; one = one->next) {
        if (one != share) {
            atomic_fetch_add(&one->lowered, 1);
        }
    }
}

static int
share_set(void *self, uint64_t mask, uint64_t bits)
{
    struct line_share *share = self;
    struct shared_line *line = share->line;
    struct line_request *inner = &line->inner;
    pthread_mutex_lock(&line->work);
    int err = line_set(inner, mask, bits);
    if (err >= 0) {
        /* Afterwards: who is told too early has set the chip up before it is reset. */
        pthread_mutex_lock(&line->table->lock);
        line->current.output_value = bits & 1;
        tell_lowered_locked(share, (bits & 1) != 0);
        pthread_mutex_unlock(&line->table->lock);
    }
    pthread_mutex_unlock(&line->work);
    return err;
}

/* The request as all users want it now, and driven as `share` wants it, if it does. */
static int
apply(struct line_share *share)
{
    struct shared_line *line = share->line;
    struct line_request *inner = &line->inner;
    const bool drives = share->settings.direction == LINE_OUTPUT;
    int err = 0;
    pthread_mutex_lock(&line->work);
    pthread_mutex_lock(&line->table->lock);
    struct line_settings want = merged_locked(line);
    const bool alone = line->shares == share && share->next == NULL;
    const bool same = line_settings_same(&line->current, &want);
    const bool value = (drives ? &share->settings : &line->current)->output_value != 0;
    want.output_value = value;
    pthread_mutex_unlock(&line->table->lock);
    if (alone || !same) {
        err = line_config(inner, &want);
    }
    else if (drives) {
        err = line_set(inner, 1, value);
    }
    pthread_mutex_lock(&line->table->lock);
    if (err >= 0) {
        line->current = want;
        if (drives) {
            tell_lowered_locked(share, value);
        }
    }
    pthread_mutex_unlock(&line->table->lock);
    pthread_mutex_unlock(&line->work);
    return err;
}

static int
share_config(void *self, const struct line_settings *settings)
{
    struct line_share *share = self;
    pthread_mutex_t *lock = &share->line->table->lock;
    struct line_conflict conflict;
    int err = line_settings_check(settings);
    if (err < 0) {
        return err;
    }
    pthread_mutex_lock(lock);
    struct line_settings before = share->settings;
    if (find_conflict_locked(share->line, share, settings, &conflict)) {
        err = -EBUSY;
    }
    else if (share->line->current.edge != LINE_EDGE_NONE) { /* else nobody wants any */
        err = make_wakeable_locked(share->line);
    }
    if (err == 0) {
        (void)read_inner_locked(share->line, NULL, 0); /* what has come stays */
        share->settings = *settings;
    }
    pthread_mutex_unlock(lock);
    if (err == 0) {
        err = apply(share);
        if (err < 0) {
            pthread_mutex_lock(lock);
            share->settings = before;
            pthread_mutex_unlock(lock);
        }
    }
    return err;
}

static bool
share_conflict(void *self, const struct line_settings *settings,
               struct line_conflict *conflict)
{
    struct line_share *share = self;
    pthread_mutex_lock(&share->line->table->lock);
    bool found = find_conflict_locked(share->line, share, settings, conflict);
    pthread_mutex_unlock(&share->line->table->lock);
    memcpy(conflict->wanted_by, share->consumer, sizeof conflict->wanted_by);
    return found;
}

/* -- life ------------------------------------------------------------------ */

static void
share_close_fds(struct line_share *share)
{
    if (share->request.fd >= 0) {
        close(share->request.fd);
    }
    share->request.fd = -1;
    wake_close(&share->wake_fd);
}

/* Was it the last one?  Then the line is in no table any more. */
static bool
unlink_share(struct line_share *share)
{
    struct shared_line *line = share->line;
    LIST_REMOVE(line->shares, share);
    if (line->shares != NULL) {
        return false;
    }
    LIST_REMOVE(line->table->first, line);
    return true;
}

/* With `opening` held. */
static void
drop_share(struct line_share *share)
{
    struct shared_line *line = share->line;
    pthread_mutex_lock(&line->table->lock);
    bool last = unlink_share(share);
    pthread_mutex_unlock(&line->table->lock);
    share_close_fds(share);
    free(share);
    if (last) {
        line_close(&line->inner);
        pthread_mutex_destroy(&line->work);
        free(line);
    }
}

static void
share_close(void *self)
{
    struct line_share *share = self;
    struct shared_lines *table = share->line->table;
    pthread_mutex_lock(&table->opening);
    drop_share(share);
    pthread_mutex_unlock(&table->opening);
}

/* Under the same numbers an epoll and a wake-up of its own: by the parent's, each
 * process would wake the other, for ever.  Who cannot open them goes on with those. */
static void
renew_fds(struct line_share *share)
{
    int wake_fd = share->wake_fd >= 0 ? wake_open() : -1;
    int poll_fd = epoll_create1(EPOLL_CLOEXEC);
    bool opened = poll_fd >= 0 && watch(poll_fd, share->line->inner.fd) == 0;
    if (opened && share->wake_fd >= 0) {
        opened = wake_fd >= 0 && watch(poll_fd, wake_fd) == 0 &&
                 dup3(wake_fd, share->wake_fd, O_CLOEXEC) >= 0;
    }
    if (opened && dup3(poll_fd, share->request.fd, O_CLOEXEC) >= 0 &&
        share->count > 0) {
        (void)wake_up(share->wake_fd); /* it is open */
    }
    wake_close(&wake_fd);
    wake_close(&poll_fd);
}

/* Whoever held the lock is not here. */
static void
share_in_child(void *self)
{
    struct line_share *share = self;
    struct line_request *inner = &share->line->inner;
    if (inner->ops->in_child == NULL) {
        renew_fds(share);
        return;
    }
    share_close_fds(share);
    if (unlink_share(share)) {
        line_in_child(inner);
    }
}

static const struct line_ops share_ops = {
    .read_events = share_read_events,
    .set = share_set,
    .config = share_config,
    .close = share_close,
    .conflict = share_conflict,
    .in_child = share_in_child,
};

/* A share of `line`, in no list yet. */
static int
share_new(struct shared_line *line, const struct line_wish *wish,
          struct line_share **out)
{
    struct line_share *share = calloc(1, sizeof *share);
    if (share == NULL) {
        return -ENOMEM;
    }
    share->line = line;
    share->settings = *wish->settings;
    strncpy(share->consumer, wish->consumer, sizeof share->consumer - 1);
    share->wake_fd = -1;
    share->request = line->inner;
    share->request.ops = &share_ops;
    share->request.self = share;
    share->request.inner = &line->inner;
    share->request.lowered = &share->lowered;
    share->request.fd = epoll_create1(EPOLL_CLOEXEC);
    int err = share->request.fd < 0 ? -errno : watch(share->request.fd, line->inner.fd);
    if (err < 0) {
        share_close_fds(share);
        free(share);
        return err;
    }
    *out = share;
    return 0;
}

static int
line_new(struct shared_lines *lines, const struct line_wish *wish, line_open_func open,
         void *arg, struct line_share **out)
{
    struct shared_line *line = calloc(1, sizeof *line);
    if (line == NULL) {
        return -ENOMEM;
    }
    line->table = lines;
    line->current = *wish->settings;
    strncpy(line->chip, wish->chip, sizeof line->chip - 1);
    line->offset = wish->offset;
    int err = -pthread_mutex_init(&line->work, NULL);
    if (err < 0) {
        free(line);
        return err;
    }
    err = open(arg, wish, &line->inner);
    if (err < 0) {
        pthread_mutex_destroy(&line->work);
        free(line);
        return err;
    }
    err = share_new(line, wish, out);
    if (err < 0) {
        line_close(&line->inner);
        pthread_mutex_destroy(&line->work);
        free(line);
        return err;
    }
    pthread_mutex_lock(&lines->lock);
    line->shares = *out;
    line->next = lines->first;
    lines->first = line;
    pthread_mutex_unlock(&lines->lock);
    return 0;
}

/* Has its chip been unplugged?  One of that name may be back. */
static bool
is_gone(const struct shared_line *line)
{
    struct pollfd p = {.fd = line->inner.fd};
    return poll(&p, 1, 0) > 0 && (p.revents & (POLLHUP | POLLERR)) != 0;
}

/* One more share of a line that is in the table; -ENOENT: it is not. */
static int
line_join(struct shared_lines *lines, const struct line_wish *wish,
          struct line_share **out, struct line_conflict *conflict)
{
    struct line_share *share = NULL;
    int err = -ENOENT;
    pthread_mutex_lock(&lines->lock);
    for (struct shared_line *line = lines->first; line != NULL; line = line->next) {
        if (line->offset != wish->offset ||
            strncmp(line->chip, wish->chip, sizeof line->chip - 1) != 0 ||
            is_gone(line)) {
            continue;
        }
        err = line_settings_check(wish->settings);
        if (err == 0 && find_conflict_locked(line, NULL, wish->settings, conflict)) {
            err = -EBUSY;
        }
        if (err < 0 || (err = share_new(line, wish, &share)) < 0) {
            break;
        }
        share->deaf = true; /* to what came before it */
        share->next = line->shares;
        line->shares = share;
        err = make_wakeable_locked(line);
        if (err == 0) {
            (void)read_inner_locked(line, NULL, 0); /* an error comes again */
        }
        break;
    }
    pthread_mutex_unlock(&lines->lock);
    if (err == 0) {
        err = apply(share);
    }
    if (err < 0) {
        if (share != NULL) {
            drop_share(share);
        }
        return err;
    }
    pthread_mutex_lock(&lines->lock);
    share->deaf = false;
    pthread_mutex_unlock(&lines->lock);
    *out = share;
    return 0;
}

int
shared_lines_open(struct shared_lines *lines, const struct line_wish *wish,
                  line_open_func open, void *arg, struct line_request **out,
                  struct line_conflict *conflict)
{
    struct line_share *share;
    memset(conflict, 0, sizeof *conflict);
    strncpy(conflict->wanted_by, wish->consumer, sizeof conflict->wanted_by - 1);
    pthread_mutex_lock(&lines->opening);
    int err = line_join(lines, wish, &share, conflict);
    if (err == -ENOENT) {
        err = line_new(lines, wish, open, arg, &share);
    }
    pthread_mutex_unlock(&lines->opening);
    if (err < 0) {
        return err;
    }
    *out = &share->request;
    return 0;
}

int
shared_lines_init(struct shared_lines *lines)
{
    lines->first = NULL;
    int err = -pthread_mutex_init(&lines->opening, NULL);
    if (err < 0) {
        return err;
    }
    err = -pthread_mutex_init(&lines->lock, NULL);
    if (err < 0) {
        pthread_mutex_destroy(&lines->opening);
    }
    return err;
}

void
shared_lines_destroy(struct shared_lines *lines)
{
    pthread_mutex_destroy(&lines->lock);
    pthread_mutex_destroy(&lines->opening);
}

void
shared_lines_in_child(struct shared_lines *lines)
{
    (void)pthread_mutex_init(&lines->opening, NULL);
    (void)pthread_mutex_init(&lines->lock, NULL);
    for (struct shared_line *line = lines->first; line != NULL; line = line->next) {
        (void)pthread_mutex_init(&line->work, NULL);
    }
}
