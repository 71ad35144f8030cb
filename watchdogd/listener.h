/* SPDX-License-Identifier: MIT */
/* The listening end of a notify socket: where the command's signs of life arrive. */
#ifndef WATCHDOGD_LISTENER_H
#define WATCHDOGD_LISTENER_H

#include <stdbool.h>
#include <sys/types.h>

struct wd_listener {
    int fd;
    char address[128]; /* for NOTIFY_SOCKET */
};

/* Makes the socket, with an abstract name that the kernel picks: nothing to clean up.
 * False with errno. */
bool wd_listener_open(struct wd_listener *listener);

/* Reads what is there. True if READY=1 or WATCHDOG=1 was among it, from `pid` or its
 * process group; what others send is dropped. */
bool wd_listener_read(struct wd_listener *listener, pid_t pid);

#endif
