/* SPDX-License-Identifier: MIT */
/* The HTTP door: requests in, the platform's answers out. One thread of its own. */
#ifndef SANDBOX_HTTP_H
#define SANDBOX_HTTP_H

#include "platform.h"

#define SB_BODY_MAX (10u * 1024 * 1024) /* bytes of a request body; above: 413 */

struct sb_http;

/* Serves connections of `listen_fd`, which it owns from here on. NULL: it could not
 * start, and `listen_fd` is still the caller's. */
struct sb_http *sb_http_start(int listen_fd, struct sb_platform *platform);

/* Waits for the request that is being answered and cuts off the others. */
struct sb_http *sb_http_stop(struct sb_http *http);

#endif
