/* SPDX-License-Identifier: MIT */
#include "http/http.h"

#include "base/net.h"
#include "http/connection.h"
#include "http/request.h"
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

struct sr_http {
    struct sr_multi multi;
    struct sr_net net;
    struct sr_connections connections;
    struct sr_http_request *requests;
    bool freed;
    struct sr_grave grave;
};

/* --- client ------------------------------------------------------------- */

static void settle(void *arg);

int sr_http_new(struct sr_loop *loop, const struct sr_net *net,
                struct sr_http **ret_http)
{
    struct sr_http *http;
    int rc;

    if (!loop || !ret_http)
        return SR_E_INVAL;
    http = calloc(1, sizeof *http);
    if (!http)
        return SR_E_NOMEM;
    rc = sr_net_take(net, &http->net);
    if (!rc)
        rc = sr_multi_init(&http->multi, loop, settle, http);
    if (rc) {
        sr_net_release(&http->net);
        free(http);
        return rc;
    }
    *ret_http = http;
    return 0;
}

static void destroy(void *object)
{
    struct sr_http *http = object;

    sr_multi_release(&http->multi);
    sr_net_release(&http->net);
    free(http);
}

struct sr_http *sr_http_free(struct sr_http *http)
{
    struct sr_http_request *next;

    if (!http)
        return NULL;
    for (struct sr_http_request *r = http->requests; r; r = next) {
        next = r->next;
        sr_http_cancel(r);
    }
    http->freed = true;
    sr_loop_bury(http->multi.loop, &http->grave, destroy, http);
    return NULL;
}

/* --- requests ----------------------------------------------------------- */

static void unlink_request(struct sr_http_request *request)
{
    struct sr_http_request **link = &request->http->requests;

    while (*link != request)
        link = &(*link)->next;
    *link = request->next;
}

static void drop(struct sr_http_request *request)
{
    struct sr_sigpipe hold;

    sr_sigpipe_hold(&hold);
    unlink_request(request);
    curl_multi_remove_handle(request->http->multi.curl, request->easy);
    sr_http_request_free(request);
    sr_sigpipe_release(&hold);
}

void sr_http_cancel(struct sr_http_request *request)
{
    if (!request)
        return;
    request->cancelled = true;
    if (!request->http->multi.inside)
        drop(request);
}

/* libcurl takes no transfers while it is inside of one. */
static int launch(struct sr_http *http, struct sr_http_request *request)
{
    if (http->freed) {
        sr_http_request_free(request);
        return SR_E_STATE;
    }
    request->http = http;
    request->waiting = http->multi.inside;
    if (!request->waiting && curl_multi_add_handle(http->multi.curl, request->easy)) {
        sr_http_request_free(request);
        return SR_E_NOMEM;
    }
    request->next = http->requests;
    http->requests = request;
    return 0;
}

int sr_http_request(struct sr_http *http, const struct sr_http_call *call,
                    sr_http_fn fn, void *arg, struct sr_http_request **ret_request)
{
    struct sr_http_request *request;
    int rc;

    if (!http || !call || !call->url || !fn)
        return SR_E_INVAL;
    rc = sr_http_request_new(&http->net, call, fn, arg, &request);
    if (!rc)
        rc = launch(http, request);
    if (!rc && ret_request)
        *ret_request = request;
    return rc;
}

static long connect_ms(const struct sr_net *net, uint64_t timeout_ms)
{
    if (net->connect_ms || !timeout_ms)
        return sr_net_long(sr_net_connect_ms(net));
    return sr_net_long(timeout_ms / 3);
}

/* SmartREST needs no media types. HTTP 1.0 has to ask for a connection that stays: only on
 * one can the server be asked who it is (transport/prover.h). */
int sr_http_post(struct sr_http *http, const struct sr_http_post *post, sr_http_fn fn,
                 void *arg, struct sr_http_request **ret_request)
{
    const struct sr_http_header headers[] = {
        {"Accept",        NULL              },
        { "X-Id",         post->x_id        },
        { "Content-Type", post->content_type},
        { "Connection",   "keep-alive"      },
    };
    const struct sr_http_call call = {
        .method = "POST",
        .url = post->url,
        .user = post->user,
        .password = post->password,
        .headers = headers,
        .header_count = http->net.http_version == 10 ? 4 : 3,
        .body = post->body ? post->body : "",
        .len = post->len,
        .timeout_ms = post->timeout_ms ? (unsigned)post->timeout_ms : UINT_MAX,
        .answer_max = post->answer_max,
    };
    struct sr_http_request *request;
    int rc = sr_http_request_new(&http->net, &call, fn, arg, &request);

    if (rc)
        return rc;
    request->raw = post->data;
    curl_easy_setopt(request->easy, CURLOPT_CONNECTTIMEOUT_MS,
                     connect_ms(&http->net, post->timeout_ms));
    rc = launch(http, request);
    if (!rc && ret_request)
        *ret_request = request;
    return rc;
}

static void finish(struct sr_http_request *request, CURLcode code)
{
    struct sr_http_result result;

    sr_multi_redact(request->error);
    result = sr_http_request_result(request, code);
    request->code = code;
    request->connection =
        sr_connections_number(&request->http->connections, request->easy);
    unlink_request(request);
    curl_multi_remove_handle(request->http->multi.curl, request->easy);
    request->fn(request->arg, &result);
    sr_http_request_free(request);
}

/* --- who has answered --------------------------------------------------- */

uint64_t sr_http_connection(const struct sr_http_result *result)
{
    return result->request->connection;
}

bool sr_http_verified(const struct sr_http_result *result)
{
    const char *url = NULL;

    curl_easy_getinfo(result->request->easy, CURLINFO_EFFECTIVE_URL, &url);
    return url && !strncasecmp(url, "https:", 6) &&
           !result->request->http->net.insecure;
}

/* Whether the environment's `no_proxy` makes an exception is libcurl's to know. */
bool sr_http_proxied(const struct sr_http_result *result)
{
    static const char *const names[] = { "http_proxy", "all_proxy", "ALL_PROXY" };
    const char *proxy = result->request->http->net.proxy;

    if (proxy)
        return *proxy != '\0';
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        proxy = getenv(names[i]);
        if (proxy && *proxy)
            return true;
    }
    return false;
}

bool sr_http_nonsense(const struct sr_http_result *result)
{
    CURLcode code = result->request->code;

    return result->rc &&
           (code == CURLE_UNSUPPORTED_PROTOCOL || code == CURLE_WEIRD_SERVER_REPLY ||
            result->rc == SR_E_TOOBIG);
}

/* --- libcurl has done something ----------------------------------------- */

/* What callbacks asked for while libcurl was at work. */
static void catch_up(struct sr_http *http)
{
    struct sr_http_request *next;

    for (struct sr_http_request *r = http->requests; r; r = next) {
        next = r->next;
        if (r->cancelled) {
            drop(r);
        } else if (r->waiting) {
            r->waiting = false;
            if (curl_multi_add_handle(http->multi.curl, r->easy))
                r->failed = SR_E_NOMEM; /* libcurl will never speak of it */
        }
    }
}

/* A request that could not be handed to libcurl, or NULL. */
static struct sr_http_request *find_stillborn(struct sr_http *http)
{
    for (struct sr_http_request *r = http->requests; r; r = r->next)
        if (r->failed == SR_E_NOMEM)
            return r;
    return NULL;
}

/* Runs callbacks only here, outside of libcurl, where they may start and cancel requests. */
static void settle(void *arg)
{
    struct sr_http *http = arg;
    struct sr_http_request *request;
    CURLcode code;

    catch_up(http);
    while (!http->freed && (request = sr_multi_next(&http->multi, &code)))
        finish(request, code);
    while (!http->freed && (request = find_stillborn(http)))
        finish(request, CURLE_OUT_OF_MEMORY);
}
