/* Start a program in a child process, and collect its exit status.
 *
 * The child runs in the caller's memory, on the caller's stack, while the calling
 * thread is suspended until exec (vfork): nothing is copied, and an error is a value
 * in memory instead of a message through a pipe.  Any thread may call; signals stay
 * blocked until the child has no handlers any more.  Programs that need code of
 * theirs between fork and exec, or other user ids, are not for this file: a child
 * that shares memory must do neither.
 */
#ifndef AH_BASE_CHILD_H
#define AH_BASE_CHILD_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

struct child_spec {
    char *const *programs; /* paths, tried in order as execvp() does; ends with NULL */
    char *const *argv;
    char *const *envp;
    const char *cwd;    /* NULL: the caller's */
    int stdio[3];       /* what becomes descriptor 0, 1, 2; -1: the caller's */
    int parent_ends[3]; /* closed in the child first; -1: none */
    const int *keep;    /* ascending; the program inherits them */
    size_t keep_count;
    bool close_fds;       /* all from 3 on that are not in `keep` */
    bool restore_signals; /* what Python ignores is default again */
    bool new_session;
    pid_t process_group; /* -1: the caller's */
    int umask;           /* -1: the caller's */
};

enum child_stage { CHILD_START, CHILD_SETUP, CHILD_CHDIR, CHILD_EXEC };

/* Does a child share our memory here?  Emulators make vfork() a fork(), and then no
 * error of exec would be heard of. */
bool child_shares_memory(void);

/* The program runs when this returns 0; *pidfd is -1 where it could not be had.
 * -errno: there is no child (any more), and *stage says what failed. */
int child_spawn(const struct child_spec *spec, pid_t *pid, int *pidfd,
                enum child_stage *stage);

/* A close-on-exec descriptor of a child, readable when it has exited; or -errno. */
int child_open(pid_t pid);

/* Collect the exit of a child: 1 with *status (the code, or -signal), 0 if it still
 * runs and `block` is false, -ECHILD if somebody else collected it, -EINTR, or what
 * the kernel has against it. */
int child_reap(pid_t pid, int pidfd, bool block, int *status);

#endif
