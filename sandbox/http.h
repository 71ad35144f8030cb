/* SPDX-License-Identifier: MIT */
/* The HTTP door: requests in, the platform's answers out. Two threads of
 * its own. */
#ifndef SANDBOX_HTTP_H
#define SANDBOX_HTTP_H

#include "platform.h"

#define SB_BODY_MAX (10u * 1024 * 1024) /* bytes of a request body; above: 413 */

struct sb_http;

struct sb_http_config {
    int listen_fd;
    const char *tls_cert, *tls_key; /* PEM; both or none. Used as long as it runs */
    int64_t heartbeat_ms;           /* a held answer gets a blank that often */
};

/* Serves connections of `listen_fd`, which it owns from here on. NULL: it could not
 * start, and `listen_fd` is still the caller's. */
struct sb_http *sb_http_start(const struct sb_http_config *config,
                              struct sb_platform *platform);

/* Waits for the request that is being answered and cuts off the others,
 * those that are held too. */
struct sb_http *sb_http_stop(struct sb_http *http);

#endif
