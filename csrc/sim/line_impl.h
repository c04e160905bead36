/* Inside of the simulated lines: of line_bank.c, line_info.c, line_request.c only. */
#ifndef AH_SIM_LINE_IMPL_H
#define AH_SIM_LINE_IMPL_H

#include "sim/line_sim.h"
#include "sim/line_view.h"

struct request_line {
    struct line_settings settings;
    uint32_t offset;
    uint32_t seqno;        /* of the line */
    int level;             /* physical, after the debounce */
    struct line_view view; /* of an input, in real time */
    int64_t debounce_at;   /* own time, or NS_NEVER */
};

struct sim_request {
    struct sim_request *next; /* in the bank */
    struct line_bank *bank;
    int fd;                  /* a wake-up, readable while count > 0 or bank->gone */
    struct line_event *ring; /* own time stamps; capacity events */
    unsigned first;
    atomic_uint count; /* changed under the lock */
    unsigned capacity;
    uint32_t seqno;
    char consumer[LINE_CONSUMER_MAX];
    unsigned num_lines;
    struct request_line lines[];
};

/* Before a line is read in real time: the owner carries out what is due, unless
 * somebody does already.  Call without the lock. */
void bank_look(struct line_bank *bank);

/* Lock, and bring the lines up to now.  Now, in own time. */
int64_t bank_enter(struct line_bank *bank);
/* Unlock; the owner hears of what was stirred. */
void bank_leave(struct line_bank *bank);

/* Something about a line has changed: who wins, and what follows from it. */
void bank_settle_line_locked(struct line_bank *bank, unsigned offset, int64_t when);

/* line_info.c: tell all who watch the line. */
void bank_note_info_locked(struct line_bank *bank, unsigned offset,
                           enum gpio_info_event_type type, int64_t now);

#endif
