/* SPDX-License-Identifier: MIT */
/* The command as a process. */
#ifndef WATCHDOGD_COMMAND_H
#define WATCHDOGD_COMMAND_H

#include <signal.h>
#include <stdint.h>
#include <sys/types.h>

struct wd_command {
    char **argv;
    const char *notify; /* NOTIFY_SOCKET */
    uint64_t interval_ms;
    sigset_t mask;             /* of signals, as we got it */
    struct sigaction on_child; /* SIGCHLD, as we got it */
};

/* Starts it, leader of a process group of its own, that dies (SIGKILL) when we do.
 * Returns 0, or an errno: it could not be run. */
int wd_command_start(const struct wd_command *command, pid_t *ret_pid);

#endif
