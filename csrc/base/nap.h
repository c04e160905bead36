/* A short sleep on the monotonic clock that ends when it is due: never before, and on
 * an idle machine microseconds after.  Call without the GIL and without locks.  It ends
 * for no signal, as a system call that lasts so long does not.  Python-free. */
#ifndef AH_BASE_NAP_H
#define AH_BASE_NAP_H

#include <stdint.h>

void nap_until(int64_t when_ns);

#endif
