/* SPDX-License-Identifier: MIT */
/* Payloads over HTTP: the body of a POST, to where the protocol says; answers in the response. */
#ifndef TRANSPORT_HTTP_TRANSPORT_H
#define TRANSPORT_HTTP_TRANSPORT_H

#include "http/http.h"
#include "loop/loop.h"
#include "transport/transport.h"

struct sr_http_transport_options {
    struct sr_http *http; /* stays the caller's, and outlives the transport */
    const char *url;      /* of /s; its beginning is the server's */
    const char *user, *password;
};

/* The texts stay the caller's and outlive the transport. Returns 0 or SR_E_NOMEM. */
int sr_http_transport_new(struct sr_loop *loop,
                          const struct sr_http_transport_options *options,
                          struct sr_transport **ret_transport);

#endif
