/* The MFRC522s of a world: wiring, cards that come and go, and timed actions. */
#include "sim/world_chip.h"

#include <errno.h>
#include <stdlib.h>

static struct world_action *
action_of(struct heap_node *node)
{
    return (struct world_action *)((char *)node - offsetof(struct world_action, node));
}

static int
driven_level(enum mfrc522_irq_level level)
{
    switch (level) {
        case MFRC522_IRQ_LOW:
            return LINE_LOW;
        case MFRC522_IRQ_HIGH:
            return LINE_HIGH;
        case MFRC522_IRQ_HIGH_Z:
            break;
    }
    return LINE_UNDRIVEN;
}

static void
irq_changed(void *ctx, enum mfrc522_irq_level level, int64_t at_ns)
{
    struct world_chip *chip = ctx;
    bank_set_source(&chip->world->lines, (unsigned)chip->irq_line, &chip->irq,
                    driven_level(level), at_ns);
}

/* Bring a chip up to a time, and its field.  From card code the chip is in the
 * middle of a register write, for which its time stands still. */
static int64_t
catch_up_locked(struct world_chip *chip, int64_t when)
{
    if (chip->world->depth > 1) {
        return field_now(&chip->field);
    }
    mfrc522_sim_advance(chip->mfrc522, when);
    return when;
}

static void
finish_action(struct world_action *action)
{
    if (action->uses != NULL) {
        --*action->uses;
    }
    free(action);
}

static void
remove_at_locked(struct world *world, struct field_card *card, int64_t when)
{
    for (struct world_chip *chip = world->chips; chip != NULL; chip = chip->next) {
        if (card->field == &chip->field) {
            field_leave(&chip->field, card, catch_up_locked(chip, when));
            return;
        }
    }
}

static int
present_at_locked(struct world_chip *chip, struct field_card *card, int64_t when)
{
    return field_enter(&chip->field, card, catch_up_locked(chip, when));
}

void
world_remove_locked(struct world *world, struct field_card *card)
{
    remove_at_locked(world, card, bank_now_locked(&world->lines));
}

int
world_present_locked(struct world_chip *chip, struct field_card *card)
{
    return present_at_locked(chip, card, bank_now_locked(&chip->world->lines));
}

static void
run_action_locked(struct world *world, struct world_action *action, int64_t when)
{
    switch (action->deed) {
        case WORLD_DRIVE:
            bank_drive(&world->lines, action->line, action->level, when);
            break;
        case WORLD_OUTPUT:
            bank_set_source(&world->lines, action->output->line,
                            &action->output->source, action->level, when);
            break;
        case WORLD_TELL:
            watch_note(&world->watch, NEWS_TIME, 0, action->level, when);
            break;
        case WORLD_PRESENT:
            if (action->card->field != &action->chip->field) {
                /* It lies in one place at a time. */
                remove_at_locked(world, action->card, when);
                (void)present_at_locked(action->chip, action->card, when);
            }
            break;
        case WORLD_REMOVE:
            if (action->card->field == &action->chip->field) {
                remove_at_locked(world, action->card, when);
            }
            break;
    }
    finish_action(action);
}

void
world_run_actions_locked(struct world *world, int64_t now)
{
    while (heap_first_when(&world->due) <= now) {
        struct heap_node *node = heap_first(&world->due);
        heap_remove(&world->due, node);
        run_action_locked(world, action_of(node), now);
    }
}

static int64_t
start_of(struct world *world, const struct world_action *action)
{
    switch (action->start) {
        case WORLD_FIELD_ON:
            return action->chip->first_field;
        case WORLD_REQUESTED:
            return bank_first_requested(&world->lines, action->line);
        case WORLD_BEGINNING:
            break;
    }
    return 0;
}

int
world_schedule_locked(struct world *world, struct world_action *action)
{
    if (world->closed) {
        return -ENODEV;
    }
    int64_t start = start_of(world, action);
    if (start == NS_NEVER) {
        action->next = NULL;
        struct world_action **last = &world->waiting;
        while (*last != NULL) {
            last = &(*last)->next;
        }
        *last = action;
        return 0;
    }
    return heap_push(&world->due, &action->node, time_after(start, action->after_ns));
}

void
world_start_actions_locked(struct world *world)
{
    struct world_action **p = &world->waiting;
    while (*p != NULL) {
        struct world_action *action = *p;
        int64_t start = start_of(world, action);
        if (start == NS_NEVER || heap_push(&world->due, &action->node,
                                           time_after(start, action->after_ns)) < 0) {
            p = &action->next; /* no memory: it is tried again */
            continue;
        }
        *p = action->next;
    }
}

void
world_notice_field_locked(struct world *world, struct world_chip *chip)
{
    if (chip->first_field == NS_NEVER && chip->field.carrier_epoch > 0) {
        chip->first_field = chip->field.carrier_since_ns;
        world_start_actions_locked(world);
    }
}

void
world_apply_pins_locked(struct world *world)
{
    if (!bank_sinks_moved(&world->lines)) {
        return;
    }
    for (struct world_chip *chip = world->chips; chip != NULL; chip = chip->next) {
        int level;
        int64_t when;
        while (chip->reset_line != WORLD_NO_LINE &&
               bank_take_change(&world->lines, &chip->reset, &level, &when)) {
            mfrc522_sim_set_nrstpd(chip->mfrc522, level == LINE_HIGH, when);
        }
    }
}

struct world_chip *
world_find_chip_locked(struct world *world, unsigned bus, unsigned cs)
{
    for (struct world_chip *chip = world->chips; chip != NULL; chip = chip->next) {
        if (chip->bus == bus && chip->cs == cs) {
            return chip;
        }
    }
    return NULL;
}

struct world_part *
world_find_part_locked(struct world *world, unsigned bus, unsigned cs)
{
    struct world_part *part = world->parts;
    while (part != NULL && (part->bus != bus || part->cs != cs)) {
        part = part->next;
    }
    return part;
}

/* May something be plugged in there? */
static int
check_place_locked(struct world *world, unsigned bus, unsigned cs)
{
    if (world->closed) {
        return -ENODEV;
    }
    if (bus >= WORLD_BUSES) {
        return -ENOENT;
    }
    bool taken = world_find_chip_locked(world, bus, cs) != NULL ||
                 world_find_part_locked(world, bus, cs) != NULL;
    return taken ? -EBUSY : 0;
}

int
world_attach_part_locked(struct world *world, struct world_part *part)
{
    int err = check_place_locked(world, part->bus, part->cs);
    if (err == 0) {
        part->next = world->parts;
        world->parts = part;
    }
    return err;
}

int
world_attach_locked(struct world *world, unsigned bus, unsigned cs, int irq_line,
                    int reset_line, uint8_t version, struct world_chip **out)
{
    int err = check_place_locked(world, bus, cs);
    if (err < 0) {
        return err;
    }
    struct world_chip *chip = calloc(1, sizeof *chip);
    if (chip == NULL) {
        return -ENOMEM;
    }
    *chip = (struct world_chip){.world = world,
                                .bus = bus,
                                .cs = cs,
                                .irq_line = irq_line,
                                .reset_line = reset_line,
                                .first_field = NS_NEVER};
    /* It has had power for as long as the board: its oscillator runs. */
    int64_t now = bank_now_locked(&world->lines) - 2 * MFRC522_SIM_OSCILLATOR_NS;
    field_init(&chip->field, now);
    struct mfrc522_sim_config config = {
        .version = version, .seed = bus << 8 | cs, .field = &chip->field};
    if (irq_line != WORLD_NO_LINE) {
        config.irq = irq_changed;
        config.irq_ctx = chip;
    }
    chip->mfrc522 = mfrc522_sim_new(&config, now);
    if (chip->mfrc522 == NULL) {
        free(chip);
        return -ENOMEM;
    }
    if (irq_line != WORLD_NO_LINE) {
        chip->irq.level = driven_level(mfrc522_sim_irq_level(chip->mfrc522));
        bank_add_source(&world->lines, (unsigned)irq_line, &chip->irq);
    }
    if (reset_line != WORLD_NO_LINE) {
        bank_add_sink(&world->lines, (unsigned)reset_line, &chip->reset);
    }
    chip->next = world->chips;
    world->chips = chip;
    *out = chip;
    return 0;
}

static void
free_actions(struct world *world)
{
    while (heap_first(&world->due) != NULL) {
        struct heap_node *node = heap_first(&world->due);
        heap_remove(&world->due, node);
        finish_action(action_of(node));
    }
    while (world->waiting != NULL) {
        struct world_action *action = world->waiting;
        world->waiting = action->next;
        finish_action(action);
    }
}

void
world_clear_locked(struct world *world)
{
    free_actions(world);
    world->parts = NULL;
    while (world->waves.channels != NULL) {
        pwm_stop(&world->waves, world->waves.channels);
    }
    for (struct world_chip *chip = world->chips; chip != NULL; chip = chip->next) {
        while (chip->field.cards != NULL) {
            field_leave(&chip->field, chip->field.cards, field_now(&chip->field));
        }
    }
}
