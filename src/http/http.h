/* SPDX-License-Identifier: MIT */
/* HTTP on the loop, by libcurl's multi interface.
 *
 *     sr_http_new -> sr_http_post ... [sr_http_cancel] -> sr_http_free
 *
 * Nothing blocks: names are resolved in a thread of libcurl's. One client keeps its
 * connection alive between requests. TLS is always verified. */
#ifndef HTTP_HTTP_H
#define HTTP_HTTP_H

#include "loop/loop.h"
#include <stddef.h>

struct sr_http;
struct sr_http_request;

struct sr_http_result {
    int rc; /* 0: there is a status; SR_E_UNREACHABLE, SR_E_TIMEOUT, SR_E_TOOBIG, SR_E_NOMEM */
    long status;      /* of HTTP */
    const char *body; /* NUL-terminated behind `len` */
    size_t len;
    const char *error; /* for people, if rc; "" otherwise */
};

/* Called once per request, unless it was cancelled. The result is valid during the call. */
typedef void (*sr_http_fn)(void *arg, const struct sr_http_result *result);

struct sr_http_post {
    const char *url;
    const char *user, *password; /* NULL: no Authorization header */
    const char *x_id;            /* NULL: no X-Id header */
    const char *body;            /* copied */
    size_t len;
    size_t answer_max;   /* bytes */
    uint64_t timeout_ms; /* for all of it; connecting has a third */
};

/* `ca_file`: PEM, or NULL for the system's; copied. Returns 0 or SR_E_NOMEM. */
int sr_http_new(struct sr_loop *loop, const char *ca_file, struct sr_http **ret_http);
/* Cancels what is under way. Legal from inside a callback. Accepts NULL. */
void sr_http_free(struct sr_http *http);

/* Returns 0, and `fn` is called later; or SR_E_NOMEM, SR_E_INVAL, and it is not.
 * *ret_request is valid until then, for sr_http_cancel(). */
int sr_http_post(struct sr_http *http, const struct sr_http_post *post, sr_http_fn fn,
                 void *arg, struct sr_http_request **ret_request);
/* Accepts NULL. */
void sr_http_cancel(struct sr_http_request *request);

#endif
