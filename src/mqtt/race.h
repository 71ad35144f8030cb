/* SPDX-License-Identifier: MIT */
/* TCP to whichever address of a host answers first. Blocks: for a thread of its own. */
#ifndef MQTT_RACE_H
#define MQTT_RACE_H

#include <netdb.h>
#include <stdbool.h>
#include <sys/socket.h>

enum {
    SR_RACE_MAX = 8,       /* addresses that are tried */
    SR_RACE_PAUSE_MS = 250 /* before the next one joins in; RFC 8305, section 5 */
};

/* Tries the addresses in their order, `last` after all others (ss_family 0: none). An address that
 * refuses makes room at once; one that is silent goes on beside the next. Ends early, with
 * ECANCELED, when `stop_fd` becomes readable. On success returns a descriptor, not blocking, and
 * *ret_address; else -1 and errno. */
int sr_race(const struct addrinfo *addresses, const struct sockaddr_storage *last,
            int stop_fd, struct sockaddr_storage *ret_address);

#endif
