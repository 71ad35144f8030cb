/* SPDX-License-Identifier: MIT */
/* One request: from a struct sr_http_call to libcurl's options, and its answer. */
#ifndef HTTP_REQUEST_H
#define HTTP_REQUEST_H

#include "http/multi.h"
#include <smartrest/http.h>
#include <stdint.h>

struct sr_http_request {
    struct sr_http_request *next;
    struct sr_http *http;
    CURL *easy;
    struct curl_slist *headers;
    curl_mime *mime;

    sr_http_fn fn;
    bool (*data)(void *arg, const struct sr_http_result *so_far, const char *bytes,
                 size_t len);
    void (*raw)(void *arg, const char *bytes, size_t len); /* of struct sr_http_post */
    void (*progress)(void *arg, const struct sr_http_progress *progress);
    void *arg;
    struct sr_http_progress last; /* told */

    char *head; /* of the answer: its lines, each with a NUL behind it */
    size_t head_len;
    bool head_whole; /* the empty line behind it has come */
    char *body;      /* of the answer */
    size_t len, cap, max;
    int failed;          /* why a callback ended it; 0 if none has */
    CURLcode code;       /* how it ended */
    uint64_t connection; /* see connection.h; when it has ended */
    bool waiting;        /* to be handed to libcurl */
    bool cancelled;      /* while libcurl was at work: goes when it is done */
    char error[CURL_ERROR_SIZE];
};

/* Returns 0, SR_E_INVAL, SR_E_IO, SR_E_NOMEM. */
int sr_http_request_new(const struct sr_net *net, const struct sr_http_call *call,
                        sr_http_fn fn, void *arg, struct sr_http_request **ret_request);
/* When libcurl's multi does not have it. */
void sr_http_request_free(struct sr_http_request *request);

/* What came of it; points into the request. */
struct sr_http_result sr_http_request_result(const struct sr_http_request *request,
                                             CURLcode code);

#endif
