/* _core.SPIMessage: one message that takes its turn on a loop.
 *
 * enter() gives it its turn, or a future that is only a wake-up; send() sends it, on
 * the loop or, if it takes long, on a thread of the executor; leave(), in any case,
 * ends it: it waits no more, passes the turn on, or, while it is sent, stops at the
 * next end of a frame and passes the turn on then.
 */
#ifndef AH_HW_SPI_MESSAGE_TYPE_H
#define AH_HW_SPI_MESSAGE_TYPE_H

#include "hw/spi_send.h"

AH_RAISES PyObject *ah_spi_message_new(SPIDeviceObject *device, PyObject *const *items,
                                       Py_ssize_t n); /* runs Python */

#endif
