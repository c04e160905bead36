/* Is a thread stuck: asleep on a lock, with nobody at work who could let it go?
 *
 * For a virtual clock whose loop is in a callback.  A callback that computes will be
 * back; one that waits, on a lock, for a thread that sleeps on the clock will not.
 * Told from the outside: what CPU time it took, and in which system call it is
 * (/proc/self/task/TID/syscall).  Where the kernel does not say, nobody is stuck.
 */
#ifndef AH_BASE_STUCK_H
#define AH_BASE_STUCK_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

/* The calling thread's number. */
pid_t thread_number(void);

/* The CPU time that a thread took so far, in ns; -1: not known. */
int64_t thread_cpu_ns(pthread_t thread);

enum stuck {
    NOT_STUCK,
    PERHAPS_STUCK, /* some thread is in a call that may end by itself: a read, a sleep
                    */
    STUCK,         /* every other one is asleep on a lock, too, or waits on the clock */
};

/* Is this thread asleep on a lock now, and every other one but the caller asleep?
 * `waits`: how many others wait on the clock. */
enum stuck thread_is_stuck(pid_t number, int waits);

#endif
