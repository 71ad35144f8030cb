/* SPDX-License-Identifier: MIT */
#include "reporter/http_transport.h"

#include "base/backoff.h"
#include <stdio.h>
#include <stdlib.h>

#define SR_LOG_COMPONENT "http"
#include <smartrest/log.h>

enum {
    PAYLOAD_MAX = 64 * 1024,
};

struct http_transport {
    struct sr_transport base; /* first */
    struct sr_reporter *reporter;
    struct sr_http_transport_options options;
    struct sr_http_request *request; /* under way */
    uint32_t ticket;
    struct sr_backoff backoff;
    struct sr_deadline pause;
    bool failed_to_send; /* `down` is still to be said */
};

static void pause_after(struct http_transport *t, const char *why)
{
    char reason[512];

    snprintf(reason, sizeof reason, "%s: %s", t->options.url, why);
    sr_deadline_set(&t->pause, sr_backoff_next(&t->backoff, sr_random32()));
    sr_reporter_down(t->reporter, reason);
}

static void on_pause_over(void *arg)
{
    struct http_transport *t = arg;

    if (t->failed_to_send) {
        t->failed_to_send = false;
        pause_after(t, "out of memory");
        return;
    }
    sr_reporter_up(t->reporter);
}

/* Not an outage: the same rows would be answered the same for ever. */
static bool is_refusal(long status)
{
    return status == 400 || status == 413 || status == 422;
}

static void on_answer(void *arg, const struct sr_http_result *result)
{
    struct http_transport *t = arg;
    struct sr_reporter *reporter = t->reporter;
    char status[32];

    t->request = NULL;
    if (result->rc == SR_E_TOOBIG) {
        /* The rows were taken, and would be answered the same for ever. */
        sr_error("%s: an answer is dropped: %s", t->options.url, result->error);
        sr_backoff_reset(&t->backoff);
        sr_reporter_acked(reporter, t->ticket);
        return;
    }
    if (result->rc || result->status != 200) {
        snprintf(status, sizeof status, "HTTP status %ld", result->status);
        if (!result->rc && is_refusal(result->status))
            sr_reporter_refused(reporter, t->ticket, status);
        pause_after(t, result->rc ? result->error : status);
        return;
    }
    sr_backoff_reset(&t->backoff);
    sr_reporter_answered(reporter, t->ticket, result->body, result->len);
}

static int send_payload(struct sr_transport *transport, uint32_t ticket,
                        const char *payload, size_t len)
{
    struct http_transport *t = (struct http_transport *)transport;
    const struct sr_settings *settings = sr_reporter_settings(t->reporter);
    const struct sr_http_post post = {
        .url = t->options.url,
        .user = t->options.user,
        .password = t->options.password,
        .body = payload,
        .len = len,
        .answer_max = (size_t)settings->receive_max,
        .timeout_ms = (uint64_t)settings->request_timeout,
    };
    int rc = sr_http_post(t->options.http, &post, on_answer, t, &t->request);

    if (rc) {
        t->failed_to_send = true;
        sr_deadline_set(&t->pause, 0);
        return rc;
    }
    t->ticket = ticket;
    return 0;
}

/* HTTP has nothing to connect before there is something to send. */
static void start(struct sr_transport *transport)
{
    struct http_transport *t = (struct http_transport *)transport;

    sr_deadline_set(&t->pause, 0);
}

static void drop(struct sr_transport *transport, const char *reason)
{
    struct http_transport *t = (struct http_transport *)transport;

    sr_http_cancel(t->request);
    t->request = NULL;
    pause_after(t, reason);
}

static void free_transport(struct sr_transport *transport)
{
    struct http_transport *t = (struct http_transport *)transport;

    sr_http_cancel(t->request);
    sr_deadline_release(&t->pause);
    free(t);
}

static const struct sr_transport_ops ops = {
    .payload_max = PAYLOAD_MAX,
    .window_max = 1,
    .connects = false,
    .start = start,
    .send = send_payload,
    .drop = drop,
    .free = free_transport,
};

int sr_http_transport_new(struct sr_reporter *reporter, struct sr_loop *loop,
                          const struct sr_http_transport_options *options,
                          struct sr_transport **ret_transport)
{
    struct http_transport *t = calloc(1, sizeof *t);

    if (!t)
        return SR_E_NOMEM;
    t->base.ops = &ops;
    t->reporter = reporter;
    t->options = *options;
    if (sr_deadline_init(&t->pause, loop, on_pause_over, t)) {
        free(t);
        return SR_E_NOMEM;
    }
    *ret_transport = &t->base;
    return 0;
}
