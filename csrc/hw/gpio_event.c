/* Edge events of a line request; see gpio_type.h. */
#include "hw/gpio_type.h"

#include "setup.h"

void
ah_line_events_init(LineRequestObject *self)
{
    hw_wait_init(&self->wait);
    self->blocked_fd = -1;
    self->wake_fd = -1;
}

void
ah_line_events_fail(LineRequestObject *self)
{
    hw_wait_disarm(&self->wait);
}

int
ah_line_events_traverse(LineRequestObject *self, visitproc visit, void *arg)
{
    return hw_wait_traverse(&self->wait, visit, arg);
}

void
ah_line_events_free(LineRequestObject *self)
{
    hw_wait_disarm(&self->wait);
}

int
ah_gpio_event_setup(PyObject *module)
{
    (void)module;
    return 0;
}
