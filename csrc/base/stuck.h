/* Is a thread stuck: asleep on a lock, with nobody at work who could let it go?
 *
 * For a virtual clock whose loop is in a callback.  A callback that computes will be
 * back; one that waits, on a lock, for a thread that sleeps on the clock will not.
 * Told from the outside, by two things that the kernel says of each thread.  In which
 * system call it sleeps, and on what (/proc/self/task/TID/syscall): one that may run is
 * "running", whether it has a CPU or waits for one, so a loaded machine looks no other
 * than an idle one.  And how often threads have gone to sleep: as long as that stays
 * the same, those that sleep have slept all the while, so what is read of one thread
 * after the other is true of all at once.  Where the kernel does not say, nobody is
 * stuck.
 */
#ifndef AH_BASE_STUCK_H
#define AH_BASE_STUCK_H

#include <pthread.h>
#include <stdint.h>
#include <sys/types.h>

/* The calling thread's number. */
pid_t thread_number(void);

/* The CPU time that a thread took so far, in ns; -1: not known. */
int64_t thread_cpu_ns(pthread_t thread);

enum stuck {
    NOT_STUCK,
    PERHAPS_STUCK, /* one of the sleeps may end by itself, for it is another call (a
                      read, a sleep) or a wait for a lock with a time limit; or not all
                      were at one moment */
    STUCK,         /* all, at one moment, on locks of this process, without a limit */
};

/* Is this thread asleep on a lock of this process, and every other one but the caller
 * asleep, too?  `waits`: how many others wait on the clock; they don't count.
 * *sleeps: how often other threads had gone to sleep before; -1: some did meanwhile. */
enum stuck thread_is_stuck(pid_t number, int waits, int64_t *sleeps);

#endif
