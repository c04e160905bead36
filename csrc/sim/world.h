/* A simulated board: its time, its lines, its MFRC522s and what happens when.
 *
 * One recursive lock guards chips, fields and the timed actions; lines have
 * their own (line_sim.h), below it.  Own time begins at 0 with the world and is
 * continuous over changes of the clock.  On a virtual clock the world is a
 * clock_driver; in real time one thread of its own, started when something
 * first falls due and joined by world_close(), lets it happen.  Card code runs
 * inside spi_sim's messages only, under the lock: so a caller with a lock of its
 * own that card code needs too (the GIL) enters by world_enter(), which gives
 * that lock up while it waits, and calls nothing else here that takes the lock.
 * Card code opens and closes no devices: that may wait for a change of clocks,
 * which waits for the world.
 * Lock order: switching, the clock's `driving`, the world, its lines, the
 * clock's `lock`.  Python-free.
 */
#ifndef AH_SIM_WORLD_H
#define AH_SIM_WORLD_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/clock.h"
#include "base/heap.h"
#include "base/pwm.h"
#include "dev/i2c_bus.h"
#include "dev/line_chip.h"
#include "dev/shared_line.h"
#include "dev/spi_bus.h"
#include "sim/field_sim.h"
#include "sim/line_sim.h"
#include "sim/mfrc522_sim.h"
#include "base/wall_clock.h"
#include "sim/watch.h"

#define WORLD_BUSES 8
#define WORLD_NO_LINE (-1)

struct world;

/* An MFRC522 module on a chip select, its antenna and its two lines. */
struct world_chip {
    struct world_chip *next;
    struct world *world;
    unsigned bus, cs;
    int irq_line; /* WORLD_NO_LINE: not wired */
    int reset_line;
    struct line_source irq;
    struct line_sink reset;
    struct field_sim field;
    struct mfrc522_sim *mfrc522; /* owned */
    int64_t first_field;         /* own time at which its field first went on */
};

/* Any other device on a chip select.  `transfer` is given one frame, what chip select
 * is asserted for, and answers it at once: 0, or -errno, which ends the message. */
struct world_part {
    struct world_part *next;
    unsigned bus, cs;
    uint32_t max_hz; /* 0: any; a faster one it does not hear */
    uint8_t modes;   /* bit n: it understands SPI mode n */
    int (*transfer)(struct world_part *part, const uint8_t *tx, uint8_t *rx,
                    uint32_t len); /* runs Python */
    /* NULL, or told of a frame that it does not hear: 0, or -errno, as for transfer. */
    int (*unheard)(struct world_part *part, uint32_t hz, unsigned mode);
};

/* What answers at an address of an I2C bus; embedded by who made it.  `write` is given
 * the bytes of one message, `read` asked for as many.  0, or -errno: -EREMOTEIO when it
 * does not acknowledge. */
struct world_target {
    struct world_target *next;
    unsigned bus;
    uint16_t address;
    bool ten_bit;
    int (*write)(struct world_target *target, const uint8_t *data,
                 uint32_t len); /* runs Python */
    int (*read)(struct world_target *target, uint8_t *data,
                uint32_t len); /* runs Python */
};

/* What a part of the board drives a line with. */
struct world_output {
    struct world_output *next;
    unsigned line;
    int number;
    struct line_source source;
};

enum world_deed {
    WORLD_DRIVE,
    WORLD_OUTPUT,
    WORLD_PRESENT,
    WORLD_REMOVE,
    WORLD_TELL, /* `level` is the number that it is told with */
};

/* From when `after` of an action counts. */
enum world_start {
    WORLD_BEGINNING, /* own time 0 */
    WORLD_FIELD_ON,  /* the chip's field first goes on */
    WORLD_REQUESTED, /* the line is first requested */
};

/* What shall happen, once.  Owned by the world from world_schedule() on. */
struct world_action {
    struct heap_node node;
    struct world_action *next; /* while its start is unknown */
    enum world_deed deed;
    enum world_start start;
    int64_t after_ns;
    struct world_chip *chip;
    struct world_output *output;
    unsigned line;
    int level;
    struct field_card *card;
    int *uses; /* counted down when the action is over; NULL: nobody asks */
};

/* A device that the program has opened: who has told the world which clock. */
struct world_device {
    struct world_device *next;
    struct device_time *time; /* the device's, public */
};

/* The caller's outer lock: how to give it up, and how to take it back.  With it,
 * a clock is kept for as long as it is used without: the world may leave it. */
struct world_host {
    void *(*release)(void);
    void (*acquire)(void *released);
    void (*keep_clock)(struct vclock *clock);
    void (*drop_clock)(struct vclock *clock);
};

struct world {
    pthread_mutex_t lock; /* recursive */
    unsigned depth;       /* how often its owner holds it */
    struct line_bank lines;
    struct shared_lines shared; /* those that the program has requested */
    struct world_chip *chips;   /* owned */
    struct world_part *parts;   /* their owner's, until world_close() */
    struct heap due;            /* actions whose time is known */
    struct world_action *waiting;
    struct pwm_schedule waves;          /* of lines */
    struct watch watch;                 /* news for the parts of the board */
    struct world_output *outputs;       /* theirs, owned */
    struct world_target *targets;       /* their owner's, until they are detached */
    pthread_mutex_t buses[WORLD_BUSES]; /* one message at a time; error-checking */
    pthread_mutex_t i2c_buses[WORLD_BUSES];
    const struct world_host *host; /* NULL: callers hold no outer lock */
    atomic_bool closed;

    atomic_bool stirred; /* the lines have something for the world to see */

    /* Set by the owner: what kernel and driver take for an SPI message, bits apart. */
    int64_t spi_message_ns;

    struct clock_driver virtual_driver; /* on a virtual clock */
    struct clock_driver real_driver;    /* what `wall` drives */
    struct wall_clock wall;
    atomic_int thread_error;   /* of starting its thread: 0 or -errno */
    pthread_mutex_t switching; /* held while clock or `devices` change */
    struct vclock *home;       /* its clock when no device says otherwise */
    struct world_device *devices;
};

/* `clock` NULL: real time; it lives as long as the world.  0 or -errno. */
int world_init(struct world *world, unsigned num_lines, struct vclock *clock,
               const struct world_host *host);
/* Unplug everything, join the thread.  Devices stay open and answer -ENODEV or
 * -ESHUTDOWN.  Idempotent.  Call with no lock. */
void world_close(struct world *world);
/* Closed before; and every device too. */
void world_destroy(struct world *world);

/* Lock, and let happen what is due.  Unlock: what the caller did has its effects
 * now.  world_enter() is for callers that hold the host's lock. */
void world_lock(struct world *world);
void world_enter(struct world *world);
void world_unlock(struct world *world);

/* For who is late: nothing happens yet of what is due, until it is caught up with. */
void world_enter_behind(struct world *world);
void world_catch_up_locked(struct world *world, int64_t until);

int64_t world_now(struct world *world); /* own time */

/* Does this very thread run card code?  Then time stands still for it. */
bool world_is_inside(struct world *world);

/* Does nothing happen until then, in own time, that is known by now? */
bool world_is_quiet_locked(struct world *world, int64_t until);
/* On a virtual clock time passes, with the world entered (once) and kept, where nothing
 * happens until *now_ns.  Else false, and it is world_pass_time() that lets it pass. */
bool world_pass_quietly_locked(struct world *world, int64_t duration_ns,
                               int64_t *now_ns);
/* On a virtual clock time passes, 0: its loop looks again at what is due.  Call
 * with the host's lock and no other, not from card code. */
void world_pass_time(struct world *world, int64_t duration_ns);
/* What was done has its effects on the parts of the board, too.  Called likewise. */
void world_settle(struct world *world);
/* So many news are told.  The clock stays as long as the caller holds the host's lock.
 */
void world_told(struct world *world, int count);

/* Around a wait: give up the caller's outer lock, take it back. */
static inline void *
world_release_host(struct world *world)
{
    return world->host != NULL ? world->host->release() : NULL;
}

static inline void
world_acquire_host(struct world *world, void *released)
{
    if (world->host != NULL) {
        world->host->acquire(released);
    }
}

/* Continue on another clock, which lives until a later call gives it back or the
 * world ends.  The home before.  Call with no lock, not from card code. */
struct vclock *world_set_home(struct world *world, struct vclock *clock);
/* use_clock of an open device. */
int world_use_clock(struct world *world, struct device_time *time,
                    struct vclock **clock);
void world_add_device(struct world *world, struct world_device *device,
                      struct device_time *time);
/* The last device that pinned a foreign clock takes the world home. */
void world_remove_device(struct world *world, struct world_device *device);

/* After world_enter(): */

/* Plug in a module.  -EBUSY: that chip select has one; -ENOENT: no such bus. */
int world_attach_locked(struct world *world, unsigned bus, unsigned cs, int irq_line,
                        int reset_line, uint8_t version, struct world_chip **chip);
struct world_chip *world_find_chip_locked(struct world *world, unsigned bus,
                                          unsigned cs);
/* Plug in a part, which stays its owner's.  As world_attach_locked(). */
int world_attach_part_locked(struct world *world, struct world_part *part);
struct world_part *world_find_part_locked(struct world *world, unsigned bus,
                                          unsigned cs);
/* 0 or -errno; then it is not taken over. */
int world_schedule_locked(struct world *world, struct world_action *action);
int world_present_locked(struct world_chip *chip, struct field_card *card);
void world_remove_locked(struct world *world, struct field_card *card);
/* The chip was accessed: has its field gone on? */
void world_notice_field_locked(struct world *world, struct world_chip *chip);

/* world_output.c */
/* A new output, which drives nothing yet; NULL: no memory. */
struct world_output *world_add_output_locked(struct world *world, unsigned line);
struct world_output *world_find_output_locked(struct world *world, int number);

/* world_line.c: a line request, of one line a share (dev/shared_line.h); line_close()
 * frees it. */
int world_request_lines(struct world *world, const uint32_t *offsets, unsigned n,
                        const struct line_settings *settings, const char *consumer,
                        uint32_t event_buffer_size, struct line_request **out,
                        struct line_conflict *conflict);

/* world_gpiochip.c: the chip that has the lines; ops->close() frees it. */
int world_open_gpiochip(struct world *world, const char *label, struct line_chip **out);

/* world_spi.c: the SPI device on a chip select, there or not; ops->close() frees
 * it.  Call message() with the host's lock, the rest without. -ENOENT: no bus. */
int world_open_spi(struct world *world, unsigned bus, unsigned cs,
                   const struct spi_config *config, struct spi_device **out);

/* world_i2c.c: -EBUSY: that address is taken; -ENOENT: no such bus. */
int world_attach_target_locked(struct world *world, struct world_target *target);
void world_detach_target_locked(struct world *world, struct world_target *target);
/* A bus, whose adapter can do `funcs` (dev/i2c_bus.h), and with `reads_last` no read
 * that is not the last message (i2c-bcm2835.c); ops->close() frees it.  Call transfer()
 * with the host's lock, the rest without.  -ENOENT: no such bus. */
int world_open_i2c(struct world *world, unsigned bus, uint32_t funcs, bool reads_last,
                   struct i2c_bus **out);

#endif
