/* SPDX-License-Identifier: MIT */
/* The sending end of a notify socket, as systemd defines it. Depends on nothing else of
 * the library: smartrest-watchdogd is built with it, too. */
#ifndef WATCHDOG_NOTIFY_H
#define WATCHDOG_NOTIFY_H

#include <smartrest/error.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>
#include <sys/un.h>

struct sr_notify {
    int fd; /* -1: nobody listens, everything succeeds */
    struct sockaddr_un to;
    socklen_t to_len;
    uint64_t interval_us; /* between kicks, at most; 0: none are expected */
};

/* What the environment says. Returns 0; SR_E_INVAL with a sentence in *ret_wrong, SR_E_IO
 * with errno. */
int sr_notify_open(struct sr_notify *notify, const char **ret_wrong);
void sr_notify_close(struct sr_notify *notify);

/* Sends without waiting. False if it did not get there: errno is EAGAIN if the listener
 * has not come round to what it got before. */
bool sr_notify_send(const struct sr_notify *notify, const char *text);

/* `address` as NOTIFY_SOCKET has it. False if it cannot be one. */
bool sr_notify_address(const char *address, struct sockaddr_un *ret_to,
                       socklen_t *ret_len);

#endif
