/* SPDX-License-Identifier: MIT */
/* Addresses to listen on. */
#ifndef SANDBOX_LISTEN_H
#define SANDBOX_LISTEN_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/socket.h>

#define SB_HOST_MAX 64 /* a numeric address, with room for an IPv6 scope */

/* A numeric address and a port. False if it is none. */
bool sb_address_of(const char *host, int port, struct sockaddr_storage *ret_address,
                   socklen_t *ret_len);

/* Turns a name of this machine (`localhost`) or an address into a numeric address. */
bool sb_host_resolve(const char *name, char ret_host[static SB_HOST_MAX]);

/* Where a client on this machine reaches a listener bound to `host`: a wildcard
 * becomes loopback. */
const char *sb_host_to_reach(const char *host);

/* A socket that listens; port 0 lets the kernel choose. Returns the descriptor, or -1
 * with errno. A port whose former owner died a moment ago is free. */
int sb_listen(const char *host, int port, int *ret_port);

/* A port that is free now, though the next moment it may not be. 0: none. */
int sb_free_port(const char *host);

#endif
