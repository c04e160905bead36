/* Doing what the MFRC522's steps ask for; see mfrc522_type.h.
 *
 * Awaitable: arm() does the first steps, the loop's reader and timer the others,
 * and the future is only a wake-up: the outcome stays until take().
 * disarm() of an operation that still runs cancels it, in one SPI message.
 * Blocking: the same steps, with base/block.h between them, without the GIL.
 * SPI messages release the GIL; `driving` keeps everybody else out meanwhile.
 */
#include "hw/mfrc522_type.h"

#include <errno.h>

#include "base/block.h"
#include "hw/spi_send.h"
#include "hw/spi_type.h"
#include "hw/loop_future.h"
#include "py/blocking.h"
#include "py/clock_type.h"
#include "py/errors.h"

#define EVENT_BATCH 16

/* -- the three things that a step can ask for ------------------------------ */

/* Take all edges out of the interrupt line: how many there were, or -errno. */
static int
drop_edges(MFRC522Object *self)
{
    struct line_event events[EVENT_BATCH];
    int total = 0;
    if (ah_device_begin(self->irq) == NULL) {
        PyErr_Clear();
        return -EBADF;
    }
    int n;
    do {
        n = line_read_events(self->irq->handle, events, EVENT_BATCH);
        total += n > 0 ? n : 0;
    } while (n == EVENT_BATCH);
    ah_device_end(self->irq);
    return n < 0 && n != -EAGAIN ? n : total;
}

static int
set_reset(MFRC522Object *self, int level)
{
    if (ah_device_begin(self->reset) == NULL) {
        PyErr_Clear();
        return -EBADF;
    }
    int err;
    Py_BEGIN_ALLOW_THREADS
    err = line_set(self->reset->handle, 1, (uint64_t)level);
    Py_END_ALLOW_THREADS
    ah_device_end(self->reset);
    return err;
}

static int
transfer(MFRC522Object *self, const struct mfrc522_step *step)
{
    if (step->drop_edges && self->irq != NULL) {
        int err = drop_edges(self);
        if (err < 0) {
            return err;
        }
    }
    bool take_edges = step->take_edges && self->irq != NULL;
    /* Not to end what runs, or all: who has the bus may never give it back. */
    const bool waits = !self->chip.leaving && !self->cancelling;
    self->device.st->uses.tag_messages++;
    int result =
        ah_spi_message(self->device.handle, step->xfers, step->num_xfers, waits);
    if (take_edges && result >= 0) {
        self->chip.edge_came_late = drop_edges(self) > 0;
    }
    if (PyErr_Occurred()) { /* from an adapter, or a simulated card */
        ah_mfrc522_keep_error(self);
    }
    return result;
}

/* -- steps ----------------------------------------------------------------- */

static struct vclock *
device_clock(MFRC522Object *self)
{
    struct spi_device *device = ah_spi_device_get(self->device.st, self->device.handle);
    if (device == NULL) {
        PyErr_Clear(); /* closed: the next message says so */
        return NULL;
    }
    return device->time.clock;
}

static int64_t
now_ns(MFRC522Object *self)
{
    int64_t now;
    if (self->loop == NULL) {
        return clock_now(device_clock(self));
    }
    if (hw_wait_now(self->device.st, self->loop, &now) < 0) { /* runs Python */
        PyErr_WriteUnraisable((PyObject *)self);
        return clock_monotonic_ns();
    }
    return now;
}

/* Has another user of the reset line reset the chip? */
static void
notice_reset(MFRC522Object *self)
{
    struct line_request *line = self->reset != NULL ? self->reset->handle : NULL;
    if (line == NULL) { /* closed */
        return;
    }
    uint32_t lowered = line_lowered(line);
    if (lowered != self->lowered) {
        self->lowered = lowered;
        mfrc522_told_reset(&self->chip);
    }
}

/* Do what the step asks for, and what to tell then; false: it waits, or is over. */
static bool
do_step(MFRC522Object *self, enum mfrc522_event *event, int *result)
{
    const struct mfrc522_step *step = &self->chip.step;
    if (!mfrc522_is_running(&self->chip)) {
        return false;
    }
    if (step->need == MFRC522_TRANSFER &&
        !bus_queue_must_wait(&self->queue, self->device.handle)) {
        *event = MFRC522_TRANSFERRED;
        *result = transfer(self, step);
        return true;
    }
    if (step->need == MFRC522_RESET) {
        *event = MFRC522_RESET_SET;
        *result = set_reset(self, step->level);
        return true;
    }
    return false;
}

/* Tell what happened, and do all that needs no waiting.  Afterwards either a
 * wait is next or the operation is over. */
static void
advance(MFRC522Object *self, enum mfrc522_event event, int result)
{
    struct mfrc522 *chip = &self->chip;
    const uint64_t polls = chip->polls, requests = chip->requests;
    const uint64_t silences = chip->silences;
    self->driving = 1;
    do {
        notice_reset(self);
        mfrc522_next(chip, event, now_ns(self), result);
        if (self->cancelling) {
            self->cancelling = 0;
            self->queue.queues = false; /* whoever cancels does not wait */
            mfrc522_cancel(chip, now_ns(self));
        }
    } while (do_step(self, &event, &result));
    self->driving = 0;
    self->device.st->uses.tag_polls += chip->polls - polls;
    self->device.st->uses.tag_requests += chip->requests - requests;
    self->device.st->uses.tag_silences += chip->silences - silences;
}

/* Cancel by the steps; no wait is among them. */
static void
cancel_steps(MFRC522Object *self)
{
    enum mfrc522_event event;
    int result;
    mfrc522_cancel(&self->chip, now_ns(self));
    self->driving = 1;
    if (do_step(self, &event, &result)) {
        advance(self, event, result);
    }
    self->driving = 0;
}

/* Nothing can be done any more: forget the operation, reset the chip next time. */
static void
abandon(MFRC522Object *self)
{
    ah_mfrc522_keep_error(self);
    mfrc522_abandon(&self->chip);
}

static int
wants_irq(const MFRC522Object *self)
{
    return self->irq != NULL &&
           (self->chip.step.need == MFRC522_WAIT_IRQ || self->chip.irq_works);
}

static int
irq_fd(const MFRC522Object *self)
{
    const struct line_request *request = self->irq->handle;
    return request != NULL ? request->fd : -1;
}

/* -- on a loop ------------------------------------------------------------- */

/* The operation is over: no reader, no timer, and whoever waits is woken. */
static void
finish(MFRC522Object *self)
{
    PyObject *loop = self->loop;
    PyObject *future = self->future;
    self->loop = self->future = NULL;
    ModuleState *st = self->device.st;
    const bool closes = self->device.closing != CLOSE_NOT;
    bus_queue_end(&self->queue); /* runs Python */
    hw_wait_disarm(&self->wait); /* runs Python, and may drop the last reference */
    if (future != NULL && hw_future_tell(st, loop, future, NULL) < 0) {
        PyErr_WriteUnraisable(future); /* runs Python */
    }
    if (closes) {
        hw_loop_wake(st, loop); /* runs Python */
    }
    Py_XDECREF(future);
    Py_XDECREF(loop); /* runs Python */
}

/* The loop may close the reader meanwhile: the line is open until it has been told. */
static int
arm_wait(MFRC522Object *self, hw_wait_func func)
{
    DeviceObject *irq = wants_irq(self) ? self->irq : NULL;
    struct line_request *request = irq != NULL ? ah_device_begin(irq) : NULL;
    if (irq != NULL && request == NULL) {
        PyErr_Clear(); /* it is closed: then it is the time that ends the wait */
        irq = NULL;
    }
    Py_XINCREF(irq);
    self->wait.simulated = irq != NULL && irq->owner != NULL;
    int err =
        hw_wait_arm(&self->wait, self->loop, request != NULL ? request->fd : -1,
                    self->chip.step.until_ns, func, (PyObject *)self); /* runs Python */
    if (irq != NULL) {
        ah_device_end(irq);
        Py_DECREF(irq);
    }
    return err;
}

/* Wait for the bus: nothing else is waited for meanwhile. */
static int
arm_turn(MFRC522Object *self, hw_wait_func func)
{
    const DeviceObject *spi = self->device.handle;
    int fd = bus_queue_wait(&self->queue, self->device.handle);
    self->wait.simulated = spi->owner != NULL;
    return fd < 0 ? -1
                  : hw_wait_arm(&self->wait, self->loop, fd, NS_NEVER, func,
                                (PyObject *)self); /* runs Python */
}

/* Wait for what the steps want, or end. */
static void
wait_or_finish(MFRC522Object *self, hw_wait_func func)
{
    if (mfrc522_is_running(&self->chip)) {
        bool has_to_send = self->chip.step.need == MFRC522_TRANSFER;
        if ((has_to_send ? arm_turn(self, func) : arm_wait(self, func)) < 0) {
            abandon(self);
        }
    }
    if (!mfrc522_is_running(&self->chip)) {
        finish(self); /* runs Python */
    }
}

/* Its turn has come, or the SPI device is closed, as the transfer will say. */
static void
send_in_turn(MFRC522Object *self)
{
    enum mfrc522_event event;
    int result;
    self->driving = 1;
    bool sent = do_step(self, &event, &result);
    bus_queue_leave(&self->queue); /* runs Python */
    if (sent) {
        advance(self, event, result);
    }
    self->driving = 0;
}

static int
on_wait(struct hw_wait *wait, int what)
{
    MFRC522Object *self =
        (MFRC522Object *)((char *)wait - offsetof(MFRC522Object, wait));
    enum mfrc522_event event = MFRC522_TIME;
    int result = 0;
    if (self->queue.waits) {
        if (!self->driving && bus_queue_has_news(&self->queue)) {
            send_in_turn(self);
            wait_or_finish(self, on_wait); /* runs Python */
            ah_mfrc522_settle(self);       /* runs Python */
        }
        return 0;
    }
    if (what == HW_READABLE) {
        /* Always: the loop would come back for them at once, and with the GIL, which a
         * thread that drives the chip meanwhile needs to go on. */
        result = drop_edges(self);
    }
    if (self->driving || !mfrc522_is_running(&self->chip)) {
        return 0;
    }
    if (what == HW_READABLE) {
        if (result == 0 || (result > 0 && self->chip.step.need != MFRC522_WAIT_IRQ)) {
            return 0;
        }
        event = MFRC522_EDGE;
    }
    advance(self, event, result);
    wait_or_finish(self, on_wait); /* runs Python */
    ah_mfrc522_settle(self);       /* runs Python */
    return 0;
}

/* All devices learn on which clock they are used. */
static int
use_loop(MFRC522Object *self, PyObject *loop)
{
    if (ah_device_use_loop(self->device.handle, loop) < 0) {
        return -1;
    }
    DeviceObject *lines[] = {self->irq, self->reset};
    for (int i = 0; i < 2; i++) {
        if (lines[i] != NULL && ah_device_use_loop(lines[i], loop) < 0) {
            return -1;
        }
    }
    return 0;
}

/* It has not begun: the chip stays as it is. */
static void
forget_operation(MFRC522Object *self)
{
    self->pending = self->cancelling = 0;
    mfrc522_abandon(&self->chip);
    self->operation = OPERATION_NONE;
}

static int
raise_closed_meanwhile(const MFRC522Object *self)
{
    return ah_raise_errno_remedy(EBADF, self->device.what,
                                 "it was closed while it was waited for");
}

/* Is there an operation to begin?  An exception that is set already stays. */
static int
check_pending(MFRC522Object *self)
{
    if (self->pending && self->device.handle != NULL) {
        return 0;
    }
    if (PyErr_Occurred()) {
        return -1;
    }
    if (self->device.handle == NULL) {
        return raise_closed_meanwhile(self);
    }
    PyErr_SetString(PyExc_RuntimeError, "no operation was started");
    return -1;
}

PyObject *
ah_mfrc522_arm(MFRC522Object *self, PyObject *loop)
{
    PyObject *future = PyObject_CallMethod(loop, "create_future", NULL);
    if (check_pending(self) < 0) { /* looked at after Python has run */
        Py_XDECREF(future);
        return NULL;
    }
    self->pending = 0;
    self->driving = 1; /* nobody else begins or closes meanwhile */
    int status =
        future != NULL && use_loop(self, loop) == 0
            ? bus_queue_begin(&self->queue, self->device.handle, loop) /* runs Python */
            : -1;
    self->driving = 0;
    if (status < 0) {
        Py_XDECREF(future);
        forget_operation(self);
        ah_mfrc522_settle(self); /* runs Python */
        return NULL;
    }
    self->loop = Py_NewRef(loop);
    advance(self, MFRC522_BEGIN, 0);
    if (mfrc522_is_running(&self->chip)) {
        self->future = Py_NewRef(future);
        wait_or_finish(self, on_wait); /* runs Python */
    }
    else {
        Py_SETREF(future, Py_NewRef(Py_None));
        finish(self); /* runs Python */
    }
    ah_mfrc522_settle(self); /* runs Python */
    return future;
}

/* The steps believe that what they ask for is done: it is sent, not in its turn, and
 * then they are cancelled. */
static void
cancel_unsent(MFRC522Object *self)
{
    enum mfrc522_event event;
    int result;
    self->driving = 1;
    self->cancelling = 1;
    bus_queue_end(&self->queue); /* runs Python */
    if (do_step(self, &event, &result)) {
        advance(self, event, result);
    }
    self->driving = 0;
}

/* End what runs, with the steps that leave the chip idle.  Cannot fail. */
static void
run_cancel(MFRC522Object *self)
{
    if (self->driving) {
        self->cancelling = 1;
        return;
    }
    self->pending = 0;
    if (self->queue.waits) {
        cancel_unsent(self);
    }
    else {
        cancel_steps(self);
    }
    finish(self);            /* runs Python */
    ah_mfrc522_settle(self); /* runs Python */
}

void
ah_mfrc522_closed_while_waited_for(MFRC522Object *self)
{
    if (mfrc522_is_running(&self->chip)) {
        int raised = self->blocking ? ah_raise_block(self->device.st, BLOCK_CANCELLED,
                                                     self->device.what)
                                    : raise_closed_meanwhile(self);
        if (raised < 0) { /* always */
            ah_mfrc522_keep_error(self);
        }
    }
}

void
ah_mfrc522_run_close(MFRC522Object *self)
{
    ah_mfrc522_closed_while_waited_for(self);
    if (mfrc522_is_running(&self->chip)) {
        run_cancel(self); /* runs Python */
    }
    ah_mfrc522_keep_outcome(self);
    /* Transfers only; a bus that fails now will not be used any more. */
    mfrc522_start_shutdown(&self->chip);
    advance(self, MFRC522_BEGIN, 0);
}

PyObject *
ah_mfrc522_disarm(MFRC522Object *self, PyObject *future)
{
    if (future == self->future) {
        Py_CLEAR(self->future);
        run_cancel(self);
    }
    Py_RETURN_NONE;
}

/* -- in a thread that blocks ----------------------------------------------- */

/* One wait; the event that it brought, or -1 with an exception. */
static int
block_for_step(MFRC522Object *self, const struct token_set *tokens, int64_t deadline_ns,
               int *result)
{
    const struct mfrc522_step *step = &self->chip.step;
    for (;;) {
        /* One that came while nothing blocked interrupts nothing. */
        if (PyErr_CheckSignals() < 0) { /* runs Python */
            return -1;
        }
        if (self->device.closing) {
            return ah_raise_block(self->device.st, BLOCK_CANCELLED, self->device.what);
        }
        int fd = step->need == MFRC522_WAIT_IRQ ? irq_fd(self) : -1;
        int64_t until = step->until_ns < deadline_ns ? step->until_ns : deadline_ns;
        int outcome = ah_block_once(device_clock(self), fd, tokens, until,
                                    self->device.what); /* runs Python */
        if (outcome < 0) {
            return -1;
        }
        if (outcome == BLOCK_TIMEOUT && step->until_ns <= deadline_ns) {
            *result = 0;
            return MFRC522_TIME;
        }
        if (outcome == BLOCK_TIMEOUT || outcome == BLOCK_CANCELLED) {
            return ah_raise_block(self->device.st, outcome, self->device.what);
        }
        if (outcome == BLOCK_READY && (*result = drop_edges(self)) != 0) {
            return MFRC522_EDGE;
        }
    }
}

PyObject *
ah_mfrc522_run(MFRC522Object *self, PyObject *args, PyObject *kwargs)
{
    static char *kwlist[] = {"timeout", "token", "stop", NULL};
    PyObject *timeout = NULL;
    PyObject *token_arg = NULL;
    PyObject *stop_arg = NULL;
    struct wait_tokens tokens = {0};
    int64_t deadline_ns;
    if (!PyArg_ParseTupleAndKeywords(args, kwargs, "|OOO:run", kwlist, &timeout,
                                     &token_arg, &stop_arg)) {
        return NULL;
    }
    if (check_pending(self) < 0) {
        return NULL;
    }
    struct vclock *clock = device_clock(self);
    PyObject *kept = ah_keep_clock(clock);
    bool ready =
        ah_wait_tokens(self->device.st, token_arg, &tokens) == 0 &&
        ah_wait_tokens_add(self->device.st, stop_arg, &tokens) == 0 &&
        ah_deadline_arg(timeout, "timeout", clock, &deadline_ns) == 0; /* runs Python */
    Py_XDECREF(kept);
    if (check_pending(self) < 0) {
        ah_wait_tokens_clear(&tokens);
        return NULL;
    }
    if (!ready ||
        (tokens_are_cancelled(&tokens.set) &&
         ah_raise_block(self->device.st, BLOCK_CANCELLED, self->device.what) < 0)) {
        ah_wait_tokens_clear(&tokens);
        forget_operation(self);
        return NULL;
    }
    self->pending = 0;
    self->blocking = 1;
    advance(self, MFRC522_BEGIN, 0);
    while (mfrc522_is_running(&self->chip)) {
        int result;
        int event = block_for_step(self, &tokens.set, deadline_ns, &result);
        if (event < 0) {
            ah_mfrc522_keep_error(self);
            cancel_steps(self);
            break;
        }
        advance(self, (enum mfrc522_event)event, result);
    }
    self->blocking = 0;
    ah_wait_tokens_clear(&tokens);
    ah_mfrc522_settle(self); /* runs Python */
    Py_RETURN_NONE;
}

/* -- life ------------------------------------------------------------------ */

void
ah_mfrc522_run_init(MFRC522Object *self)
{
    hw_wait_init(&self->wait);
}

int
ah_mfrc522_run_traverse(MFRC522Object *self, visitproc visit, void *arg)
{
    Py_VISIT(self->loop);
    Py_VISIT(self->future);
    Py_VISIT(self->error);
    Py_VISIT(self->outcome);
    Py_VISIT(self->give_back);
    return hw_wait_traverse(&self->wait, visit, arg);
}

void
ah_mfrc522_run_clear(MFRC522Object *self)
{
    bus_queue_end(&self->queue); /* runs Python */
    Py_CLEAR(self->queue.turn.token);
    hw_wait_disarm(&self->wait);
    Py_CLEAR(self->loop);
    Py_CLEAR(self->future);
    Py_CLEAR(self->error);
    Py_CLEAR(self->outcome);
    Py_CLEAR(self->give_back);
}
