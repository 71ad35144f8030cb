/* SPDX-License-Identifier: MIT */
/* What the library itself asks of sr_http: rows that are posted to the platform.
 *
 *     sr_http_new -> sr_http_post ... [sr_http_cancel] -> sr_http_free
 */
#ifndef HTTP_HTTP_H
#define HTTP_HTTP_H

#include "loop/loop.h"
#include <smartrest/http.h>
#include <stddef.h>

struct sr_http_post {
    const char *url;
    const char *user, *password; /* NULL: no Authorization header */
    const char *x_id;            /* NULL: no X-Id header; no control bytes */
    const char *content_type;    /* NULL: no such header; the same */
    const char *body;            /* copied */
    size_t len;
    size_t answer_max;   /* bytes */
    uint64_t timeout_ms; /* for all of it; connecting has a third unless sr_net says
                            otherwise. 0: only connecting */
    /* Told of the answer's bytes as they come, whatever the status. NULL: no. */
    void (*data)(void *arg, const char *bytes, size_t len);
};

/* Returns 0, and `fn` is called later; or SR_E_NOMEM, SR_E_INVAL, and it is not.
 * *ret_request is valid until then, for sr_http_cancel(). */
int sr_http_post(struct sr_http *http, const struct sr_http_post *post, sr_http_fn fn,
                 void *arg, struct sr_http_request **ret_request);

/* In `fn`: has all of the body been handed to the network? */
bool sr_http_sent(const struct sr_http_result *result, size_t len);
/* Has any of the request? Then there was a connection. */
bool sr_http_began(const struct sr_http_result *result);
/* The connection that it came by, as a number of this client's: the same for two requests if they
 * used the same connection. 0: not known. */
uint64_t sr_http_connection(const struct sr_http_result *result);
/* Did the server show a certificate that was verified? */
bool sr_http_verified(const struct sr_http_result *result);
/* May a proxy have been in between that answers itself? (Not with https.) */
bool sr_http_proxied(const struct sr_http_result *result);
/* Is that no answer in HTTP, or one that never ends? */
bool sr_http_nonsense(const struct sr_http_result *result);
/* Does the answer say where its body ends: by a length, by chunks, by HTTP/2's frames? Else a body that
 * was cut looks like a whole one. */
bool sr_http_has_end(const struct sr_http_result *result);
/* Seconds that the answer asks to wait (Retry-After, as a number or a date); 0: it does not. More than
 * can be counted is UINT64_MAX. */
uint64_t sr_http_retry_after_s(const struct sr_http_result *result);

#endif
