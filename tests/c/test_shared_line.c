/* Shares of a line: what each sees, who may join, and that the last one gives it back.
 * The request under them is a line of an array of edges, with the kernel's manners. */
#include "dev/shared_line.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "check.h"

#define EVENTS 4096

/* The one line that there is. */
struct wire {
    pthread_mutex_t lock;
    struct shared_lines lines;
    struct line_settings settings;
    struct line_event events[EVENTS];
    unsigned first, count;
    uint32_t seqno;
    int fd; /* -1: nobody has it */
    int level;
    int opened, configured;
    int open_error, config_error;
    bool slow; /* it takes a while to get it, and to give it back */
};

static void
take_a_while(const struct wire *wire)
{
    const struct timespec pause = {.tv_nsec = 1000000};
    if (wire->slow) {
        nanosleep(&pause, NULL);
    }
}

static int
wire_read(void *self, struct line_event *buf, int n)
{
    struct wire *wire = self;
    uint64_t ignored;
    int taken = 0;
    pthread_mutex_lock(&wire->lock);
    while (taken < n && wire->first < wire->count) {
        buf[taken++] = wire->events[wire->first++];
    }
    if (wire->first == wire->count) {
        CHECK(read(wire->fd, &ignored, sizeof ignored) > 0 || errno == EAGAIN);
    }
    pthread_mutex_unlock(&wire->lock);
    return taken > 0 ? taken : -EAGAIN;
}

static int
wire_get(void *self, uint64_t mask, uint64_t *bits)
{
    *bits = mask & (uint64_t)((struct wire *)self)->level;
    return 0;
}

static int
wire_set(void *self, uint64_t mask, uint64_t bits)
{
    ((struct wire *)self)->level = (int)(mask & bits);
    return 0;
}

static int
wire_config(void *self, const struct line_settings *settings)
{
    struct wire *wire = self;
    wire->configured++;
    if (wire->config_error < 0) {
        return wire->config_error;
    }
    wire->settings = *settings;
    if (settings->direction == LINE_OUTPUT) {
        wire->level = settings->output_value;
    }
    return 0;
}

static void
wire_close(void *self)
{
    struct wire *wire = self;
    take_a_while(wire);
    close(wire->fd);
    wire->fd = -1;
}

static const struct line_ops wire_ops = {
    .read_events = wire_read,
    .get = wire_get,
    .set = wire_set,
    .config = wire_config,
    .close = wire_close,
};

static int
wire_open(void *arg, const struct line_wish *wish, struct line_request *request)
{
    struct wire *wire = arg;
    if (wire->open_error < 0) {
        return wire->open_error;
    }
    if (wire->fd >= 0) {
        return -EBUSY;
    }
    wire->opened++;
    wire->fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    wire->level = wish->settings->output_value;
    take_a_while(wire);
    wire->settings = *wish->settings;
    *request = (struct line_request){
        .ops = &wire_ops, .self = wire, .fd = wire->fd, .num_lines = 1};
    return 0;
}

static void
wire_init(struct wire *wire)
{
    memset(wire, 0, sizeof *wire);
    pthread_mutex_init(&wire->lock, NULL);
    CHECK_EQ(shared_lines_init(&wire->lines), 0);
    wire->fd = -1;
}

static void
wire_done(struct wire *wire)
{
    CHECK(wire->lines.first == NULL);
    CHECK_EQ(wire->fd, -1);
    shared_lines_destroy(&wire->lines);
    pthread_mutex_destroy(&wire->lock);
}

static void
edge(struct wire *wire, unsigned id)
{
    const uint64_t one = 1;
    pthread_mutex_lock(&wire->lock);
    wire->seqno++;
    wire->events[wire->count++] =
        (struct line_event){.id = id, .seqno = wire->seqno, .line_seqno = wire->seqno};
    CHECK(write(wire->fd, &one, sizeof one) == sizeof one);
    pthread_mutex_unlock(&wire->lock);
}

static int
join(struct wire *wire, const struct line_settings *settings, const char *consumer,
     struct line_request **out, struct line_conflict *conflict)
{
    struct line_wish wish = {"gpiochip0", 17, settings, consumer};
    return shared_lines_open(&wire->lines, &wish, wire_open, wire, out, conflict);
}

static struct line_request *
input(struct wire *wire, enum line_edge edges)
{
    struct line_settings settings = {.direction = LINE_INPUT, .edge = edges};
    struct line_request *request = NULL;
    struct line_conflict conflict;
    CHECK_EQ(join(wire, &settings, "input", &request, &conflict), 0);
    return request;
}

static struct line_request *
output(struct wire *wire, int value)
{
    struct line_settings settings = {.direction = LINE_OUTPUT,
                                     .output_value = (uint8_t)value};
    struct line_request *request = NULL;
    struct line_conflict conflict;
    CHECK_EQ(join(wire, &settings, "output", &request, &conflict), 0);
    return request;
}

static bool
is_readable(const struct line_request *request)
{
    struct pollfd p = {.fd = request->fd, .events = POLLIN};
    return poll(&p, 1, 0) == 1;
}

static int
take(struct line_request *request, struct line_event *events, int n)
{
    return line_read_events(request, events, n);
}

static void
give_back(struct line_request *request)
{
    line_close(request);
}

static void
test_each_share_has_the_edges_it_asked_for(void)
{
    struct wire wire;
    struct line_event events[16];
    wire_init(&wire);
    struct line_request *falling = input(&wire, LINE_EDGE_FALLING);
    struct line_request *both = input(&wire, LINE_EDGE_BOTH);
    CHECK_EQ(wire.opened, 1);
    CHECK_EQ(wire.settings.edge, LINE_EDGE_BOTH);
    edge(&wire, LINE_FALLING_EDGE);
    edge(&wire, LINE_RISING_EDGE);
    edge(&wire, LINE_FALLING_EDGE);
    CHECK(is_readable(falling) && is_readable(both));
    CHECK_EQ(take(falling, events, 16), 2);
    CHECK_EQ(events[1].seqno, 2);
    CHECK_EQ(events[1].id, LINE_FALLING_EDGE);
    CHECK(!is_readable(falling));
    CHECK_EQ(take(falling, events, 16), -EAGAIN);
    /* The request is empty, and this one is readable all the same. */
    CHECK(is_readable(both));
    CHECK_EQ(take(both, events, 2), 2);
    CHECK(is_readable(both));
    CHECK_EQ(take(both, events, 2), 1);
    CHECK_EQ(events[0].seqno, 3);
    CHECK(!is_readable(both));
    give_back(falling);
    edge(&wire, LINE_RISING_EDGE);
    CHECK_EQ(take(both, events, 16), 1);
    CHECK_EQ(events[0].seqno, 4);
    give_back(both);
    wire_done(&wire);
}

static void
test_what_came_before_is_the_others(void)
{
    struct wire wire;
    struct line_event events[16];
    wire_init(&wire);
    struct line_request *first = input(&wire, LINE_EDGE_BOTH);
    edge(&wire, LINE_FALLING_EDGE);
    struct line_request *second = input(&wire, LINE_EDGE_BOTH);
    CHECK(is_readable(first));
    CHECK_EQ(take(second, events, 16), -EAGAIN);
    CHECK(is_readable(first));
    CHECK_EQ(take(first, events, 16), 1);
    give_back(first);
    give_back(second);
    wire_done(&wire);
}

static void
test_what_is_lost_shows_in_the_numbers(void)
{
    struct wire wire;
    struct line_event events[128];
    wire_init(&wire);
    struct line_request *reads = input(&wire, LINE_EDGE_BOTH);
    struct line_request *sleeps = input(&wire, LINE_EDGE_BOTH);
    edge(&wire, LINE_FALLING_EDGE);
    wire.seqno += 5; /* the kernel's buffer was full */
    edge(&wire, LINE_FALLING_EDGE);
    CHECK_EQ(take(reads, events, 16), 2);
    CHECK_EQ(events[1].seqno, 7);
    for (int i = 0; i < 100; i++) { /* more than a share holds */
        edge(&wire, LINE_RISING_EDGE);
        CHECK_EQ(take(reads, events, 16), 1);
    }
    CHECK_EQ(take(sleeps, events, 128), 64);
    CHECK_EQ(events[0].seqno, 107 - 63);
    CHECK_EQ(events[63].seqno, 107);
    give_back(sleeps);
    give_back(reads);
    wire_done(&wire);
}

static void
test_the_last_level_counts_and_the_others_hear_of_low(void)
{
    struct wire wire;
    uint64_t bits;
    wire_init(&wire);
    struct line_request *left = output(&wire, 1);
    struct line_request *right = output(&wire, 1);
    CHECK_EQ(line_set(left, 1, 0), 0);
    CHECK_EQ(line_lowered(left), 0);
    CHECK_EQ(line_lowered(right), 1);
    CHECK_EQ(line_set(right, 1, 1), 0);
    CHECK_EQ(line_get(left, 1, &bits), 0);
    CHECK_EQ(bits, 1);
    CHECK_EQ(line_lowered(left), 0);
    struct line_request *third = output(&wire, 0); /* that is a pulse, too */
    CHECK_EQ(wire.level, 0);
    CHECK_EQ(line_lowered(left), 1);
    CHECK_EQ(line_lowered(right), 2);
    CHECK_EQ(line_lowered(third), 0);
    give_back(left);
    give_back(third);
    CHECK_EQ(wire.opened, 1);
    give_back(right);
    wire_done(&wire);
}

/* Another one had a setting that goes with it: so the request is configured anew. */
static void
test_who_only_looks_changes_no_level(void)
{
    struct wire wire;
    struct line_request *request = NULL;
    struct line_conflict conflict;
    const struct line_settings looks = {.direction = LINE_AS_IS};
    wire_init(&wire);
    for (uint64_t level = 0; level < 2; level++) {
        struct line_settings pulls = {.direction = LINE_OUTPUT,
                                      .output_value = (uint8_t)level,
                                      .bias = LINE_PULL_UP};
        struct line_request *lamp = output(&wire, (int)level);
        REQUIRE(join(&wire, &pulls, "test", &request, &conflict) == 0);
        give_back(request);
        REQUIRE(join(&wire, &looks, "test", &request, &conflict) == 0);
        CHECK_EQ(wire.settings.bias, LINE_BIAS_AS_IS);
        CHECK_EQ(wire.level, (int)level);
        CHECK_EQ(lamp->ops->set(lamp->self, 1, !level), 0);
        wire.settings.drive = LINE_OPEN_DRAIN;
        CHECK_EQ(request->ops->config(request->self, &looks), 0);
        CHECK_EQ(wire.level, (int)!level);
        give_back(request);
        give_back(lamp);
    }
    wire_done(&wire);
}

/* A chip was unplugged and is back, and somebody still has a line of before. */
static void
test_a_line_that_is_gone_is_not_shared(void)
{
    struct wire before, after;
    struct line_request *old = NULL, *new = NULL, *other = NULL;
    struct line_conflict conflict;
    const struct line_settings both = {.direction = LINE_INPUT, .edge = LINE_EDGE_BOTH};
    const struct line_wish wish = {"gpiochip0", 17, &both, "test"};
    int ends[2];
    wire_init(&before);
    wire_init(&after);
    REQUIRE(join(&before, &both, "test", &old, &conflict) == 0);
    REQUIRE(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) == 0);
    REQUIRE(dup3(ends[0], before.fd, O_CLOEXEC) == before.fd);
    close(ends[0]);
    close(ends[1]); /* POLLHUP, as the kernel says */
    for (int i = 0; i < 2; i++) {
        REQUIRE(shared_lines_open(&before.lines, &wish, wire_open, &after,
                                  i == 0 ? &new : &other, &conflict) == 0);
    }
    CHECK_EQ(after.opened, 1);
    edge(&after, LINE_FALLING_EDGE);
    CHECK(is_readable(new) && is_readable(other));
    give_back(new);
    give_back(old);
    give_back(other);
    CHECK_EQ(after.fd, -1);
    wire_done(&before);
    wire_done(&after);
}

/* A fork's child and its parent, which has the same file by another number. */
static void
test_the_child_wakes_only_itself(void)
{
    struct wire wire;
    struct line_event events[16];
    wire_init(&wire);
    struct line_request *alone = input(&wire, LINE_EDGE_BOTH);
    const int number = alone->fd;
    struct line_request parents = {.fd = dup(number)};
    line_in_child(alone);
    CHECK_EQ(alone->fd, number);
    struct line_request *second = input(&wire, LINE_EDGE_BOTH);
    edge(&wire, LINE_FALLING_EDGE);
    CHECK(is_readable(alone) && is_readable(second) && is_readable(&parents));
    CHECK_EQ(take(second, events, 16), 1);
    CHECK(is_readable(alone) && !is_readable(second) && !is_readable(&parents));
    close(parents.fd);
    line_in_child(alone); /* and its own child has the edge that is kept for it, too */
    CHECK(is_readable(alone));
    CHECK_EQ(take(alone, events, 16), 1);
    CHECK(!is_readable(alone));
    edge(&wire, LINE_RISING_EDGE);
    CHECK_EQ(take(second, events, 16), 1);
    CHECK(is_readable(alone));
    give_back(alone);
    give_back(second);
    wire_done(&wire);
}

static void
test_who_may_join(void)
{
    static const struct line_settings have = {
        .direction = LINE_INPUT, .bias = LINE_PULL_UP, .debounce_us = 1000};
    static const struct {
        struct line_settings want;
        const char *setting; /* NULL: it may */
    } cases[] = {
        {{.direction = LINE_AS_IS}, NULL},
        {{.direction = LINE_INPUT, .debounce_us = 1000}, NULL},
        {{.direction = LINE_OUTPUT}, "direction"},
        {{.direction = LINE_INPUT, .bias = LINE_PULL_DOWN}, "bias"},
        {{.direction = LINE_INPUT}, "debounce_period"},
        {{.direction = LINE_INPUT, .debounce_us = 1000, .active_low = 1}, "active_low"},
    };
    struct wire wire;
    struct line_request *first = NULL, *second = NULL;
    struct line_conflict conflict;
    wire_init(&wire);
    REQUIRE(join(&wire, &have, "door bell", &first, &conflict) == 0);
    for (unsigned i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        int err = join(&wire, &cases[i].want, "lamp", &second, &conflict);
        if (cases[i].setting == NULL) {
            CHECK_EQ(err, 0);
            give_back(second);
            continue;
        }
        CHECK_EQ(err, -EBUSY);
        CHECK(conflict.difference.setting != NULL &&
              strcmp(conflict.difference.setting, cases[i].setting) == 0);
        CHECK(strcmp(conflict.consumer, "door bell") == 0);
        CHECK(strcmp(conflict.wanted_by, "lamp") == 0);
    }
    CHECK_EQ(wire.configured, 0);
    give_back(first);
    wire_done(&wire);
}

static void
test_what_fails_leaves_nothing(void)
{
    struct wire wire;
    struct line_request *request = NULL;
    struct line_conflict conflict;
    struct line_settings both = {.direction = LINE_INPUT, .edge = LINE_EDGE_BOTH};
    wire_init(&wire);
    wire.open_error = -EBUSY; /* another process has it */
    CHECK_EQ(join(&wire, &both, "test", &request, &conflict), -EBUSY);
    CHECK(conflict.difference.setting == NULL);
    wire.open_error = 0;
    struct line_request *first = input(&wire, LINE_EDGE_FALLING);
    wire.config_error = -EIO;
    CHECK_EQ(join(&wire, &both, "test", &request, &conflict), -EIO);
    CHECK_EQ(line_config(first, &both), -EIO);
    wire.config_error = 0;
    edge(&wire, LINE_RISING_EDGE);
    struct line_event event;
    CHECK_EQ(take(first, &event, 1), -EAGAIN); /* it has its old settings */
    CHECK_EQ(line_config(first, &both), 0);
    edge(&wire, LINE_RISING_EDGE);
    CHECK_EQ(take(first, &event, 1), 1);
    give_back(first);
    wire_done(&wire);
}

/* Threads that come, take edges and go, beside one that stays and misses none. */

#define CROWD 4
#define EDGES 2000

struct crowd {
    struct wire *wire;
    atomic_bool over;
};

static void *
come_and_go(void *arg)
{
    struct crowd *crowd = arg;
    struct line_event events[16];
    while (!crowd->over) {
        struct line_request *request = input(crowd->wire, LINE_EDGE_FALLING);
        for (int i = 0; i < 20; i++) {
            (void)take(request, events, 16);
        }
        give_back(request);
    }
    return NULL;
}

static void
test_a_crowd(void)
{
    static struct wire wire;
    struct crowd crowd = {.wire = &wire};
    pthread_t threads[CROWD];
    struct line_event events[16];
    wire_init(&wire);
    struct line_request *stays = input(&wire, LINE_EDGE_BOTH);
    for (int i = 0; i < CROWD; i++) {
        REQUIRE(pthread_create(&threads[i], NULL, come_and_go, &crowd) == 0);
    }
    uint32_t seen = 0;
    for (int sent = 0; sent < EDGES; sent++) {
        edge(&wire, LINE_FALLING_EDGE);
        struct pollfd p = {.fd = stays->fd, .events = POLLIN};
        while (seen <= (uint32_t)sent) {
            CHECK_EQ(poll(&p, 1, 60000), 1);
            int n = take(stays, events, 16);
            CHECK(n > 0 ||
                  n == -EAGAIN); /* its epoll tells a moment later than the ring */
            for (int i = 0; i < n; i++) {
                CHECK_EQ(events[i].seqno, ++seen);
            }
        }
    }
    crowd.over = true;
    for (int i = 0; i < CROWD; i++) {
        pthread_join(threads[i], NULL);
    }
    CHECK_EQ(seen, EDGES);
    CHECK_EQ(wire.opened, 1);
    give_back(stays);
    wire_done(&wire);
}

/* Nobody stays: each may be the first one, or come while the last one goes. */
static void *
come_and_go_at_once(void *arg)
{
    for (int i = 0; i < 50; i++) {
        struct line_request *request = input(arg, LINE_EDGE_BOTH);
        if (request != NULL) {
            give_back(request);
        }
    }
    return NULL;
}

static void
test_threads_that_open_and_close_at_once(void)
{
    struct wire wire;
    pthread_t threads[CROWD];
    wire_init(&wire);
    wire.slow = true;
    for (int i = 0; i < CROWD; i++) {
        REQUIRE(pthread_create(&threads[i], NULL, come_and_go_at_once, &wire) == 0);
    }
    for (int i = 0; i < CROWD; i++) {
        pthread_join(threads[i], NULL);
    }
    wire_done(&wire);
}

int
main(void)
{
    RUN(test_each_share_has_the_edges_it_asked_for);
    RUN(test_what_came_before_is_the_others);
    RUN(test_what_is_lost_shows_in_the_numbers);
    RUN(test_the_last_level_counts_and_the_others_hear_of_low);
    RUN(test_who_only_looks_changes_no_level);
    RUN(test_a_line_that_is_gone_is_not_shared);
    RUN(test_the_child_wakes_only_itself);
    RUN(test_who_may_join);
    RUN(test_what_fails_leaves_nothing);
    RUN(test_a_crowd);
    RUN(test_threads_that_open_and_close_at_once);
    return check_done();
}
