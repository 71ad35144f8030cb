/* SPDX-License-Identifier: MIT */
/* libcurl's multi interface on the loop.
 *
 *     sr_multi_init -> sr_multi_add ... after: sr_multi_next ... -> sr_multi_release
 *
 * `after` runs whenever libcurl has done something, outside of libcurl, where transfers may
 * be added and removed. While `inside` is true they may not. */
#ifndef HTTP_MULTI_H
#define HTTP_MULTI_H

#include "loop/loop.h"
#include <curl/curl.h>
#include <smartrest/net.h>

struct sr_multi {
    struct sr_loop *loop;
    CURLM *curl;
    struct sr_deadline timeout;
    bool inside;
    void (*after)(void *arg); /* may release the multi */
    void *arg;
};

/* Returns 0 or SR_E_NOMEM. */
int sr_multi_init(struct sr_multi *multi, struct sr_loop *loop,
                  void (*after)(void *arg), void *arg);
/* Zeroed or half-built: fine. */
void sr_multi_release(struct sr_multi *multi);

/* The next transfer that has ended, as CURLOPT_PRIVATE has it, or NULL. */
void *sr_multi_next(struct sr_multi *multi, CURLcode *ret_code);

/* Hides secrets in libcurl's text of an error: it names a proxy with its password. One that fills its
 * buffer may be cut within: it becomes "". */
void sr_multi_redact(char error[CURL_ERROR_SIZE]);

/* What all our transfers have in common: only HTTP, no signals, proxy, TLS. Returns 0 or
 * a CURLcode. */
int sr_multi_apply(CURL *easy, const struct sr_net *net);

#endif
