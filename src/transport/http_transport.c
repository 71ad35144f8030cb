/* SPDX-License-Identifier: MIT */
#include "transport/http_transport.h"

#include "base/backoff.h"
#include "base/clock.h"
#include "loop/flood.h"
#include "protocol/answer.h"
#include "protocol/evidence.h"
#include "transport/prover.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SR_LOG_COMPONENT "http"
#include <smartrest/log.h>

#ifndef SR_HTTP_HEALTHY_MS /* tests are less patient */
#define SR_HTTP_HEALTHY_MS (10 * 1000)
#endif

enum {
    PAYLOAD_MAX = 64 * 1024,
    WHY_MAX = 48,
};

struct http_transport {
    struct sr_transport base; /* first */
    struct sr_http_transport_options options;
    struct sr_http_request *request; /* under way */
    struct sr_batch *batch;
    struct sr_origin origin; /* of the answer */
    char name[SR_CHANNEL_NAME_MAX + 1];
    struct sr_prover prover;
    struct sr_question question; /* who has answered? under way if `kept` is not NULL */
    char *kept;                  /* the text of the answer that waits for it */
    struct sr_rows answer;       /* read once; in `kept`, or in what libcurl has */
    long kept_status;
    struct sr_backoff backoff;
    uint64_t
        healthy_since_ms; /* the first success since the last failure, or SR_NEVER */
    struct sr_deadline pause;
    bool failed_to_send;     /* `down` is still to be said */
    struct sr_flood dropped; /* answers */
};

/* --- pauses ----------------------------------------------------------------- */

static void go_down(struct http_transport *t, enum sr_attempt attempt, const char *why,
                    uint64_t pause_ms)
{
    char reason[512];

    snprintf(reason, sizeof reason, "%s: %s", t->options.url, why);
    t->healthy_since_ms = SR_NEVER;
    sr_deadline_set(&t->pause, pause_ms);
    t->base.events->down(t->base.arg, attempt, reason);
}

/* A success between two failures does not make the next pause a short one. */
static uint32_t next_pause_ms(struct http_transport *t)
{
    uint64_t now = sr_now_ms();

    if (t->healthy_since_ms <= now && now - t->healthy_since_ms >= SR_HTTP_HEALTHY_MS)
        sr_backoff_reset(&t->backoff);
    return sr_backoff_next_within(
        &t->backoff, t->base.events->pause_max_ms(t->base.arg), sr_random32());
}

static void pause_after(struct http_transport *t, enum sr_attempt attempt,
                        const char *why)
{
    go_down(t, attempt, why, next_pause_ms(t));
}

static void on_pause_over(void *arg)
{
    struct http_transport *t = arg;

    if (t->failed_to_send) {
        t->failed_to_send = false;
        pause_after(t, SR_ATTEMPT_UNREACHED, "out of memory");
        return;
    }
    t->base.events->up(t->base.arg);
}

/* --- answers ---------------------------------------------------------------- */

/* Not an outage: the same rows would be answered the same for ever. */
static bool is_refusal(long status)
{
    return status == 400 || status == 413 || status == 422;
}

static void describe_status(char why[WHY_MAX], long status)
{
    snprintf(why, WHY_MAX, "HTTP status %ld", status);
}

/* A failure of the server may be due to one of the rows. Other answers are not the platform's about
 * rows: those of portals and proxies. */
static enum sr_attempt attempt_by(long status)
{
    return status >= 500 ? SR_ATTEMPT_LOST : SR_ATTEMPT_UNREACHED;
}

static void on_refused(struct http_transport *t, long status, const char *why)
{
    const struct sr_refusal refusal = { .why = why, .too_large = status == 413 };

    if (t->base.events->refused(t->base.arg, t->batch, &refusal))
        go_down(t, SR_ATTEMPT_UNREACHED, why, SR_BACKOFF_FIRST_MS);
    else
        pause_after(t, SR_ATTEMPT_UNREACHED, why);
}

static void tell_unauthorised(struct http_transport *t, const char *why)
{
    char text[512];

    snprintf(text, sizeof text, "%s: %s: the platform refuses the credentials",
             t->options.url, why);
    t->base.events->trouble(t->base.arg, SR_TROUBLE_AUTH, text);
}

/* What the platform does not say is an outage, and says nothing of the rows. */
static void on_stranger(struct http_transport *t, const char *why)
{
    pause_after(t, SR_ATTEMPT_UNREACHED, why);
}

static void on_unauthorised(struct http_transport *t, const char *why)
{
    tell_unauthorised(t, why);
    on_stranger(t, why);
}

/* As long as the server asks for, and our own pause on top, that not all come at the same
 * moment; but no longer than for what does not pass by itself. */
static void on_busy(struct http_transport *t, const struct sr_http_result *result,
                    const char *why)
{
    uint64_t most_s = (uint64_t)t->base.settings->slow_retry;
    uint64_t asked_s = sr_http_retry_after_s(result);

    if (asked_s > most_s)
        asked_s = most_s;
    go_down(t, SR_ATTEMPT_ANSWERED, why, 1000 * asked_s + next_pause_ms(t));
}

static void on_success(struct http_transport *t)
{
    if (t->healthy_since_ms == SR_NEVER)
        t->healthy_since_ms = sr_now_ms();
    if (t->origin.protocol->says &&
        t->origin.protocol->says(&t->answer) == SR_ANSWER_NO_CREDENTIALS)
        tell_unauthorised(t, "row 50,1,401");
    t->base.events->answered(t->base.arg, t->batch, &t->origin, &t->answer);
}

/* --- whose answer is it? ---------------------------------------------------- */

/* Of an answer that was cut, what can be read. */
static enum sr_evidence weigh(struct http_transport *t,
                              const struct sr_http_result *result)
{
    size_t len =
        result->rc ? sr_evidence_whole(result->body, result->len) : result->len;

    if (len == SIZE_MAX)
        return SR_EVIDENCE_NONE;
    sr_rows_read(&t->answer, result->body, len);
    return t->origin.protocol->weigh(&t->answer, t->batch->lines);
}

/* Returns whether the answer itself or its server is known to be the platform's. */
static bool trusts(struct http_transport *t, const struct sr_http_result *result,
                   enum sr_evidence evidence)
{
    if (evidence == SR_EVIDENCE_GOOD)
        sr_prover_learn(&t->prover, result);
    return evidence == SR_EVIDENCE_GOOD || sr_prover_trusts(&t->prover, result);
}

static void forget_kept(struct http_transport *t)
{
    sr_rows_release(&t->answer);
    free(t->kept);
    t->kept = NULL;
}

static void on_proof(void *arg, enum sr_proof proof, const char *why)
{
    struct http_transport *t = arg;
    char refusal[WHY_MAX], *text = t->kept;

    t->request = NULL;
    t->kept = NULL;
    describe_status(refusal, t->kept_status);
    if (proof == SR_PROOF_YES && is_refusal(t->kept_status))
        on_refused(t, t->kept_status, refusal);
    else if (proof == SR_PROOF_YES)
        on_success(t);
    else if (proof == SR_PROOF_NO_CREDENTIALS)
        on_unauthorised(t, why);
    else
        on_stranger(t, is_refusal(t->kept_status) ? refusal : why);
    sr_rows_release(&t->answer);
    free(text);
}

/* Before the rows are forgotten, or one of them is blamed. */
static void ask_whose(struct http_transport *t, const struct sr_http_result *result)
{
    const struct sr_http_post post = {
        .url = t->options.url,
        .user = t->options.user,
        .password = t->options.password,
        .x_id = t->base.xid,
        .timeout_ms = (uint64_t)t->base.settings->request_timeout,
    };

    t->kept = malloc(result->len + 1);
    t->kept_status = result->status;
    if (t->kept) {
        memcpy(t->kept, result->body, result->len + 1);
        sr_rows_move(&t->answer, t->kept);
    }
    if (!t->kept || sr_prover_ask(&t->prover, t->options.http, &post, result,
                                  &t->question, on_proof, t, &t->request)) {
        forget_kept(t);
        on_stranger(t, "out of memory");
    }
}

/* A portal's refusal is no verdict on a row. */
static void on_refusal(struct http_transport *t, const struct sr_http_result *result)
{
    char why[WHY_MAX];

    describe_status(why, result->status);
    if (trusts(t, result, weigh(t, result)))
        on_refused(t, result->status, why);
    else
        ask_whose(t, result);
}

/* The status that acknowledges. */
static void on_taken(struct http_transport *t, const struct sr_http_result *result)
{
    const bool cut = result->rc != 0;
    char why[240];
    enum sr_evidence evidence = weigh(t, result);
    bool trusted = trusts(t, result, evidence);

    if (evidence == SR_EVIDENCE_NONE || (cut && !trusted)) {
        sr_evidence_describe(why, sizeof why, sr_http_header(result, "Content-Type"),
                             result->body, result->len);
        on_stranger(t, why);
    } else if (!sr_http_sent(result, t->batch->len)) {
        pause_after(t, SR_ATTEMPT_LOST, "answered before it had all of the request");
    } else if (cut) {
        /* The rows were taken, and would be answered the same for ever. */
        if (sr_flood_lets(&t->dropped))
            sr_error("%s: an answer is dropped: %s", t->options.url, result->error);
        t->base.events->acked(t->base.arg, t->batch);
    } else if (trusted) {
        on_success(t);
    } else {
        ask_whose(t, result);
    }
}

static void on_status(struct http_transport *t, const struct sr_http_result *result)
{
    long status = result->status;
    char why[WHY_MAX];

    describe_status(why, status);
    if (is_refusal(status))
        on_refusal(t, result);
    else if ((status == 401 || status == 403) && sr_prover_trusts(&t->prover, result))
        on_unauthorised(t, why);
    else if (status == 429 || status == 503)
        on_busy(t, result, why);
    else
        pause_after(t, attempt_by(status), why);
}

static void on_answer(void *arg, const struct sr_http_result *result)
{
    struct http_transport *t = arg;

    t->request = NULL;
    if (result->status == t->origin.protocol->status &&
        (!result->rc || (result->rc == SR_E_TOOBIG && result->len)))
        on_taken(t, result);
    else if (!result->rc)
        on_status(t, result);
    else if (sr_http_nonsense(result) || result->rc == SR_E_NOMEM)
        on_stranger(t, result->error);
    else
        pause_after(t, sr_http_began(result) ? SR_ATTEMPT_LOST : SR_ATTEMPT_UNREACHED,
                    result->error);
    if (!t->kept)
        sr_rows_release(&t->answer);
}

/* --- what the user wants ------------------------------------------------ */

/* Where the answer will be from: answers to a payload that all channels share sort themselves. */
static void note_origin(struct http_transport *t, const struct sr_channel *channel)
{
    const bool shared = channel->protocol->joining == SR_JOIN_PROTOCOL;

    snprintf(t->name, sizeof t->name, "%s", channel->name);
    t->origin = (struct sr_origin){ channel->protocol, shared ? NULL : t->name };
}

/* Posts it where its channel says. Returns 0, SR_E_NOMEM, SR_E_INVAL. */
static int post(struct http_transport *t, const struct sr_batch *batch)
{
    const struct sr_settings *settings = t->base.settings;
    const size_t server = strlen(t->options.url) - strlen("/s");
    struct sr_route route;
    struct sr_http_post post = {
        .user = t->options.user,
        .password = t->options.password,
        .body = batch->payload,
        .len = batch->len,
        .answer_max = (size_t)settings->receive_max,
        .timeout_ms = (uint64_t)settings->request_timeout,
    };
    char *url;
    int rc;

    batch->channel->protocol->route(SR_BY_HTTP, batch->channel->name, &route);
    if (asprintf(&url, "%.*s%s", (int)server, t->options.url, route.to) < 0)
        return SR_E_NOMEM;
    post.url = url;
    post.content_type = route.content_type;
    rc = sr_http_post(t->options.http, &post, on_answer, t, &t->request);
    free(url);
    return rc;
}

static int send_batch(struct sr_transport *transport, struct sr_batch *batch)
{
    struct http_transport *t = (struct http_transport *)transport;
    int rc = post(t, batch);

    if (rc) {
        t->failed_to_send = true;
        sr_deadline_set(&t->pause, 0);
        return rc;
    }
    t->batch = batch;
    batch->lines = sr_evidence_lines(batch->payload, batch->len);
    note_origin(t, batch->channel);
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

    bool answered = t->kept != NULL;

    sr_http_cancel(t->request);
    t->request = NULL;
    forget_kept(t);
    if (answered)
        on_stranger(t, "whose answer it was could not be found out in time");
    else
        pause_after(t, SR_ATTEMPT_LOST, reason);
}

static void free_transport(struct sr_transport *transport)
{
    struct http_transport *t = (struct http_transport *)transport;

    sr_http_cancel(t->request);
    forget_kept(t);
    sr_deadline_release(&t->pause);
    sr_flood_release(&t->dropped);
    free(t);
}

static const struct sr_transport_ops ops = {
    .carrier = SR_BY_HTTP,
    .payload_max = PAYLOAD_MAX,
    .window_max = 1,
    .connects = false,
    .start = start,
    .send = send_batch,
    .drop = drop,
    .free = free_transport,
};

int sr_http_transport_new(struct sr_loop *loop,
                          const struct sr_http_transport_options *options,
                          struct sr_transport **ret_transport)
{
    struct http_transport *t = calloc(1, sizeof *t);

    if (!t)
        return SR_E_NOMEM;
    t->base.ops = &ops;
    t->options = *options;
    t->healthy_since_ms = SR_NEVER;
    if (sr_deadline_init(&t->pause, loop, on_pause_over, t) ||
        sr_flood_init(&t->dropped, loop, SR_LOG_COMPONENT,
                      "answers that were dropped")) {
        free_transport(&t->base);
        return SR_E_NOMEM;
    }
    *ret_transport = &t->base;
    return 0;
}
