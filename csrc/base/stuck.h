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

/* Is this thread asleep on a lock now, and every other one but the caller asleep in
 * some system call? */
bool thread_is_stuck(pid_t number);

#endif
