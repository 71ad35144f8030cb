/* SPDX-License-Identifier: MIT */
/* Signals to processes that a test has started.
 *
 * kill(0, ...) reaches the whole process group, ctest included, and kill(-1, ...) everybody. A pid
 * that was never set, since the set-up failed before or fork() did, must not get there. */
#ifndef SUPPORT_CHILD_H
#define SUPPORT_CHILD_H

#include <signal.h>
#include <stdbool.h>
#include <sys/types.h>
#include <sys/wait.h>

/* False when there is no such process, or `pid` is none. */
static inline bool child_signal(pid_t pid, int number)
{
    return pid > 0 && !kill(pid, number);
}

/* The same for the process group that `leader` leads. */
static inline bool child_signal_group(pid_t leader, int number)
{
    return leader > 1 && !kill(-leader, number);
}

/* Signals, waits for the end and clears *pid. Returns the status, -1 if there was no child. */
static inline int child_end(pid_t *pid, int number)
{
    int status = -1;

    if (child_signal(*pid, number) && waitpid(*pid, &status, 0) != *pid)
        status = -1;
    *pid = 0;
    return status;
}

#endif
