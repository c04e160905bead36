/* Settings as flags; see gpio_flags.h. */
#include "dev/gpio_flags.h"

#include "dev/gpio_abi.h"

uint64_t
gpio_flags_of(const struct line_settings *s)
{
    static const uint16_t directions[] = {0, GPIO_FLAG_INPUT, GPIO_FLAG_OUTPUT};
    static const uint16_t edges[] = {0, GPIO_FLAG_EDGE_RISING, GPIO_FLAG_EDGE_FALLING,
                                     GPIO_FLAG_EDGE_RISING | GPIO_FLAG_EDGE_FALLING};
    static const uint16_t biases[] = {0, GPIO_FLAG_BIAS_DISABLED, GPIO_FLAG_PULL_UP,
                                      GPIO_FLAG_PULL_DOWN};
    static const uint16_t drives[] = {0, GPIO_FLAG_OPEN_DRAIN, GPIO_FLAG_OPEN_SOURCE};
    static const uint16_t clocks[] = {0, GPIO_FLAG_CLOCK_REALTIME, GPIO_FLAG_CLOCK_HTE};
    return (uint64_t)(directions[s->direction] | edges[s->edge] | biases[s->bias] |
                      drives[s->drive] | clocks[s->event_clock] |
                      (s->active_low ? GPIO_FLAG_ACTIVE_LOW : 0));
}
