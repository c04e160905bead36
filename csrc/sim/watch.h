/* What has happened on a simulated board, for who watches it: levels of lines, who
 * drives them, and times that have come.
 *
 * Noted under whatever locks; told by one thread, with none: it takes the news, does
 * with them what it likes, and says how many it has told.  It is a teller of the
 * board's clock, if that is a virtual one.  `lock` is the last in any order.
 */
#ifndef AH_SIM_WATCH_H
#define AH_SIM_WATCH_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/clock.h"

enum news_kind {
    NEWS_LEVEL,  /* of a line */
    NEWS_DRIVEN, /* to what level it is driven now, pulls apart; LINE_UNDRIVEN: by none
                  */
    NEWS_TIME,   /* the time has come that was asked for with the number `value` */
};

struct news {
    enum news_kind kind;
    int line;
    int value;
    int64_t when; /* own time of the board */
};

struct watch {
    pthread_mutex_t lock;
    pthread_cond_t told;
    struct news *news; /* owned: `count` that nobody has taken */
    int count, capacity;
    bool lost; /* for want of memory */
    bool open, closed;
    int fd; /* a wake-up: there is news, or it is closed; -1 before it is open */
    struct clock_teller teller;
};

int watch_init(struct watch *watch); /* 0 or -errno */
void watch_destroy(struct watch *watch);
/* In a fork's child, whose teller is not there. */
void watch_in_child(struct watch *watch);

/* The calling thread tells from now on; its wake-up, or -errno: closed by
 * watch_close(), so it takes a duplicate. */
int watch_open(struct watch *watch);
/* Nobody tells any more, and nobody waits for it.  Idempotent. */
void watch_close(struct watch *watch);

void watch_note(struct watch *watch, enum news_kind kind, int line, int value,
                int64_t when);
/* All news, which the caller frees; how many, -ENOMEM once when some are lost. */
int watch_take(struct watch *watch, struct news **news);
void watch_told(struct watch *watch, int count);

/* Must the calling thread wait, with watch_settle(), until all is told? */
bool watch_is_telling(struct watch *watch);
void watch_settle(struct watch *watch);

#endif
