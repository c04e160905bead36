/* _core.MFRC522: one reader chip, awaitable and blocking.
 *
 * mfrc522_type.c: object, operations.  mfrc522_run.c: does what the steps of
 * dev/mfrc522.h ask for, on a loop or in a thread that blocks.  mfrc522_outcome.c:
 * what came of it.  mfrc522_close.c: ends all that.  One operation at a time; queueing
 * is the business of rc522.py.
 */
#ifndef AH_HW_MFRC522_TYPE_H
#define AH_HW_MFRC522_TYPE_H

#include "module.h"
#include "dev/mfrc522.h"
#include "hw/bus_queue.h"
#include "hw/wait.h"

/* Which operation it is: tells what its result looks like in Python. */
enum mfrc522_operation {
    OPERATION_NONE, /* nothing was started, or the outcome was taken */
    OPERATION_PLAIN,
    OPERATION_OPEN,
    OPERATION_TRANSCEIVE,
    OPERATION_REQUEST,
    OPERATION_ANTICOLLISION,
    OPERATION_SELECT,
    OPERATION_POLL,
    OPERATION_READ,
};

/* Of device.closing. */
enum mfrc522_closing {
    CLOSE_NOT,    /* or it is done: there is no SPIDevice */
    CLOSE_WANTED, /* as soon as nobody drives it */
    CLOSE_RUNS,
};

typedef struct {
    DeviceObject device; /* its handle: the SPIDevice */
    DeviceObject *irq;   /* owned LineRequest, or NULL */
    DeviceObject *reset; /* owned LineRequest, or NULL */
    struct mfrc522 chip;
    enum mfrc522_operation operation;
    /* mfrc522_run.c */
    struct hw_wait wait;
    struct bus_queue queue;
    PyObject *loop;    /* owned while the operation runs on one */
    PyObject *future;  /* owned: the wake-up, or NULL */
    PyObject *error;   /* owned: an exception that ended the operation, or NULL */
    PyObject *outcome; /* owned: what take() has for a chip that was closed, or NULL */
    int pending;       /* started, but no step was done yet */
    int blocking;      /* a thread is in run() */
    int driving;       /* steps are being done, perhaps without the GIL */
    int cancelling;    /* to be cancelled as soon as the transfer is over */
    uint32_t lowered;  /* what line_lowered() of `reset` has said */
    /* mfrc522_close.c */
    PyObject *give_back; /* owned: what close() is to call, or NULL */
} MFRC522Object;

void ah_mfrc522_run_init(MFRC522Object *self);
int ah_mfrc522_run_traverse(MFRC522Object *self, visitproc visit, void *arg);
void ah_mfrc522_run_clear(MFRC522Object *self);

/* Have take() raise that, if anything runs: OSError (EBADF), or for a thread that
 * blocks concurrent.futures.CancelledError. */
void ah_mfrc522_closed_while_waited_for(MFRC522Object *self);

/* Keep the exception that is set: take() raises it. */
void ah_mfrc522_keep_error(MFRC522Object *self);

/* The chip goes on to something else: keep what take() will say. */
void ah_mfrc522_keep_outcome(MFRC522Object *self);

/* Close it, if close() was called while it was driven. */
void ah_mfrc522_settle(MFRC522Object *self); /* runs Python */

/* End what runs, with that error for whoever waits; then the antenna goes off. */
void ah_mfrc522_run_close(MFRC522Object *self); /* runs Python */

/* The methods close, take, arm, disarm and run. */
PyObject *ah_mfrc522_close(MFRC522Object *self, PyObject *args);
PyObject *ah_mfrc522_take(MFRC522Object *self, PyObject *ignored);
PyObject *ah_mfrc522_arm(MFRC522Object *self, PyObject *loop);
PyObject *ah_mfrc522_disarm(MFRC522Object *self, PyObject *future);
PyObject *ah_mfrc522_run(MFRC522Object *self, PyObject *args, PyObject *kwargs);

#endif
