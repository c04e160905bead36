/* Registering descriptors with the kernel's epoll.
 *
 * epoll knows files, we know numbers.  A file that is closed while a duplicate of it
 * lives stays in the epoll under a number that is no longer its own, reports for ever,
 * and cannot be removed.  So each registration has a generation, which tells an event
 * that belongs to nobody; now and then an event makes us ask whether its file still
 * has the number; and where one has not, a new epoll takes the place of the old one.
 */
#ifndef AH_LOOP_FD_REGISTER_H
#define AH_LOOP_FD_REGISTER_H

#include <sys/epoll.h>

#include "loop/loop_object.h"

/* epoll data of the wake-up eventfd; no descriptor is that large. */
#define WAKE_DATA UINT64_MAX

static inline uint64_t
event_data(int fd, uint32_t generation)
{
    return ((uint64_t)generation << 32) | (uint32_t)fd;
}

static inline HandleObject **
entry_slot(struct fd_entry *entry, uint32_t event)
{
    return event == EPOLLIN ? &entry->reader : &entry->writer;
}

/* Has the file that was registered still this number? */
bool fd_is_live(LoopObject *self, int fd, const struct fd_entry *entry);

/* The entry of fd, with `event` registered besides what was.  If that was of another
 * file that had this number, nobody will hear of it again: it goes to *gone. */
AH_RAISES struct fd_entry *fd_register(LoopObject *self, int fd, uint32_t event,
                                       struct fd_entry *gone);

/* Forget the reader, the writer or both: the last one takes the entry along, and so
 * does one whom the kernel does not let go alone, with OSError, as with selectors. */
AH_RAISES int fd_unregister(LoopObject *self, int fd, struct fd_entry *entry,
                            uint32_t events); /* runs Python */

/* Handles are cancelled.  -1 when making the text of one, in debug mode, failed. */
AH_RAISES int fd_release(struct fd_entry gone); /* runs Python */

/* Exchange the epoll for one without files that have lost their number.  What was
 * registered with such a file stays, to be removed, but hears of nothing.  -errno. */
int fd_renew_poller(LoopObject *self);

#endif
