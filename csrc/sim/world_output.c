/* What the parts of a board drive its lines with. */
#include "sim/world.h"

#include <stdlib.h>

struct world_output *
world_add_output_locked(struct world *world, unsigned line)
{
    struct world_output *output = calloc(1, sizeof *output);
    if (output == NULL) {
        return NULL;
    }
    output->line = line;
    output->number = world->outputs != NULL ? world->outputs->number + 1 : 0;
    output->source.level = LINE_UNDRIVEN;
    output->next = world->outputs;
    world->outputs = output;
    bank_add_source(&world->lines, line, &output->source);
    return output;
}

struct world_output *
world_find_output_locked(struct world *world, int number)
{
    struct world_output *output = world->outputs;
    while (output != NULL && output->number != number) {
        output = output->next;
    }
    return output;
}
