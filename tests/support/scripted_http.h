/* SPDX-License-Identifier: MIT */
/* An HTTP server that plays a script: one step for each request, the last one again and
 * again. Connections are served at the same time, and share the script.
 *
 *     scripted_http_start -> _port ... _request -> scripted_http_stop
 */
#ifndef SUPPORT_SCRIPTED_HTTP_H
#define SUPPORT_SCRIPTED_HTTP_H

#include "support/server.h"

enum http_how {
    HTTP_ANSWER,      /* `status` (0 is 200) and `body` */
    HTTP_NULS,        /* the same, with a NUL byte for each `~` in `body` */
    HTTP_SPLIT,       /* the same, one byte at a time */
    HTTP_TRUNCATED,   /* the same without its last byte, then closes */
    HTTP_CLOSE,       /* reads the request, then closes */
    HTTP_SLAM,        /* resets without reading */
    HTTP_SILENT,      /* reads the request, and that is all */
    HTTP_RAW,         /* `body` in place of an HTTP answer, then closes */
    HTTP_ENDLESS,     /* 200, and a body without end */
    HTTP_ENDLESS_HEAD /* 200, and header lines without end */
};

struct http_step {
    enum http_how how;
    int status;
    const char *body;
};

struct scripted_http;

/* In place of steps: the status for a request with that body; 0 closes the connection. Called in
 * the connection's thread. */
typedef int (*http_judge)(void *arg, const char *body);

/* Copies the `count` steps; their bodies stay the caller's. */
struct scripted_http *scripted_http_start(uint16_t port, const struct http_step *steps,
                                          size_t count);
/* From now on, answers the question whether a template collection is known (X-Id, and no body) as
 * the platform does, if `yes`, without a step; requests of that kind are counted apart. */
void scripted_http_be_platform(struct scripted_http *server, bool yes);
unsigned scripted_http_checks(struct scripted_http *server);
/* From now on answers each request with `portal`, which stays the caller's; NULL: goes on with the
 * steps. */
void scripted_http_set_portal(struct scripted_http *server,
                              const struct http_step *portal);
/* Before the first request. */
void scripted_http_set_judge(struct scripted_http *server, http_judge judge, void *arg);
void scripted_http_stop(struct scripted_http *server);
uint16_t scripted_http_port(const struct scripted_http *server);

/* Requests read so far, and connections accepted. */
unsigned scripted_http_requests(struct scripted_http *server);
unsigned scripted_http_connections(struct scripted_http *server);
/* The head of request `i`, or its body; NULL if it has not come. The server's. */
const char *scripted_http_head(struct scripted_http *server, unsigned i);
const char *scripted_http_body(struct scripted_http *server, unsigned i);
/* The number of the connection (0, 1...) that it came by. */
unsigned scripted_http_connection(struct scripted_http *server, unsigned i);

#endif
