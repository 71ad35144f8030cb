/* SPDX-License-Identifier: MIT */
/* An HTTP server on 127.0.0.1 with a thread for each connection, since a push holds one
 * while it uses another. A function plays each request; every request is kept.
 *
 *     platform_start -> platform_port ... platform_body -> platform_stop
 */
#ifndef PUSH_FAKE_PLATFORM_H
#define PUSH_FAKE_PLATFORM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct platform;

struct exchange {
    struct platform *platform;
    int fd;
    unsigned number; /* of the request: 0, 1 ... */
    char head[4096];
    char *body;
};

/* Returns false to close the connection. Parts of several connections run at once. */
typedef bool (*platform_part)(struct exchange *exchange, void *arg);

struct platform *platform_start(platform_part part, void *arg);
/* Ends what is under way, and joins all threads. Accepts NULL. */
void platform_stop(struct platform *platform);
uint16_t platform_port(const struct platform *platform);

/* The question whether a template collection is known (X-Id, and no body) is answered with `20,24830`
 * and counted apart; or, if `yes`, left to the part. */
void platform_leave_checks(struct platform *platform, bool yes);
unsigned platform_checks(struct platform *platform);

unsigned platform_requests(struct platform *platform);
/* Of request `i`; NULL if it has not come. The platform's. */
const char *platform_head(struct platform *platform, unsigned i);
const char *platform_body(struct platform *platform, unsigned i);
/* How many requests had that body. */
unsigned platform_count(struct platform *platform, const char *body);

/* --- for parts ---------------------------------------------------------- */

bool asks(const struct exchange *exchange, const char *start);
/* A whole answer of status 200, with its length. */
bool answer(struct exchange *exchange, const char *body);
bool answer_status(struct exchange *exchange, int status, const char *body);
/* One in pieces. */
bool begin_chunks(struct exchange *exchange);
bool chunk(struct exchange *exchange, const char *bytes);
bool end_chunks(struct exchange *exchange);
bool raw(struct exchange *exchange, const void *bytes, size_t len);
/* Keeps the request until platform_release() or the end of the connection; false then. */
bool hold(struct exchange *exchange);
/* As often as requests may go on. */
void platform_release(struct platform *platform);

#endif
