/* SPDX-License-Identifier: MIT */
#include "push/push.h"

#include "loop/flood.h"
#include "protocol/evidence.h"
#include "transport/prover.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SR_LOG_COMPONENT "push"
#include <smartrest/log.h>

/* An answer beyond this is a failure; the platform sends less at a time. */
enum { ANSWER_MAX = 8 * 1024 * 1024, CHECK_MS = 30 * 1000 };

/* A request, main or beside. */
struct line {
    struct sr_push *push;
    enum sr_push_line which;
    struct sr_http_request *request; /* under way */
    struct sr_question
        question; /* whose is the answer? under way if `kept` is not NULL */
    char *kept;   /* the answer that waits for it */
    size_t kept_len;
    long kept_status;
    int unsent; /* it could not even begin, and this is still to be said: the error */
};

struct sr_push {
    struct sr_push_config config;
    struct sr_grave grave;
    struct sr_push_machine machine;
    struct sr_http *http;
    char *url, *check_url;
    struct sr_prover prover;
    struct sr_flood ignored; /* warnings of the machine */
    bool muted; /* freed by the application, and gone once the loop is out of its way */
    struct line lines[SR_PUSH_LINES];
    struct sr_deadline due;
    uint64_t rows_received, rows_malformed;
    enum sr_push_state logged;
    char error[256];  /* what the last request that failed has to say to people */
    char reason[640]; /* logged last; "" as long as all is well */
};

/* --- life ----------------------------------------------------------------- */

static void on_due(void *arg);

int sr_push_make(const struct sr_push_config *config, struct sr_push **ret_push)
{
    struct sr_push *push = calloc(1, sizeof *push);

    if (!push)
        return SR_E_NOMEM;
    push->config = *config;
    for (int i = 0; i < SR_PUSH_LINES; i++)
        push->lines[i] = (struct line){ .push = push, .which = (enum sr_push_line)i };
    sr_push_machine_init(&push->machine, NULL, sr_random32);
    if (sr_deadline_init(&push->due, config->loop, on_due, push) ||
        sr_flood_init(&push->ignored, config->loop, SR_LOG_COMPONENT,
                      "answers that were ignored in part")) {
        sr_push_destroy(push);
        return SR_E_NOMEM;
    }
    *ret_push = push;
    return 0;
}

static void cancel(struct line *line)
{
    sr_http_cancel(line->request);
    line->request = NULL;
    free(line->kept);
    line->kept = NULL;
    line->unsent = 0;
}

static void release(void *object)
{
    struct sr_push *push = object;

    sr_deadline_release(&push->due);
    sr_flood_release(&push->ignored);
    sr_push_machine_release(&push->machine);
    free(push->url);
    free(push->check_url);
    free(push);
}

void sr_push_destroy(struct sr_push *push)
{
    push->muted = true;
    for (int i = 0; i < SR_PUSH_LINES; i++)
        cancel(&push->lines[i]);
    sr_deadline_clear(&push->due);
    sr_loop_bury(push->config.loop, &push->grave, release, push);
}

/* --- requests ------------------------------------------------------------- */

static void on_answer(void *arg, const struct sr_http_result *result);

static void on_data(void *arg, const char *bytes, size_t len)
{
    struct line *line = arg;

    sr_push_machine_heard(&line->push->machine, bytes, len, sr_now_ms());
}

/* Returns 0, and on_answer() is called, or an error. */
static int post(struct line *line, const struct sr_push_step *step)
{
    struct sr_push *push = line->push;
    struct sr_http_post post = {
        .url = push->url,
        .body = step->text,
        .len = step->len,
        .answer_max = ANSWER_MAX,
        .timeout_ms = step->timeout_ms,
        .data = step->timeout_ms ? NULL : on_data,
    };

    if (!step->text)
        return SR_E_NOMEM;
    push->config.sign(push->config.arg, &post);
    return sr_http_post(push->http, &post, on_answer, line, &line->request);
}

/* --- failures ------------------------------------------------------------- */

static const char *what_failed(int id)
{
    switch (id) {
    case SR_PUSH_HANDSHAKE_FAILED: return "handshake";
    case SR_PUSH_SUBSCRIBE_FAILED: return "subscribe";
    default: return "connect";
    }
}

static void log_failure(struct sr_push *push)
{
    const struct sr_push_failure *failure = &push->machine.failure;
    const char *detail = *push->error ? push->error : sr_strerror(failure->rc);
    char reason[sizeof push->reason];

    if (!failure->rc)
        detail = *failure->text ? failure->text : "an empty answer";
    snprintf(reason, sizeof reason, "%s: %s", what_failed(failure->id), detail);
    if (strcmp(reason, push->reason) != 0)
        sr_warning("%s failed: %s%s", push->url, reason,
                   push->machine.state == SR_PUSH_OVER ? "; it is over"
                                                       : "; trying again");
    strcpy(push->reason, reason);
}

/* <id>,0,<error> or <id>,1,<answer>, for the handlers. */
static bool report(struct sr_push *push)
{
    const struct sr_push_failure *failure = &push->machine.failure;
    uint64_t seen = 0, malformed = 0;
    struct sr_row row;
    bool fine = true;

    log_failure(push);
    sr_row_init(&row, 0);
    sr_row_start(&row, (unsigned)failure->id);
    sr_row_int(&row, failure->rc == 0);
    if (failure->rc)
        sr_row_int(&row, failure->rc);
    else
        sr_row_bytes(&row, failure->text, failure->len);
    if (!sr_row_error(&row))
        fine = push->config.received(push->config.arg, sr_row_text(&row),
                                     sr_row_len(&row), &seen, &malformed);
    sr_row_release(&row);
    return fine;
}

/* --- steps ---------------------------------------------------------------- */

static void perform(struct sr_push *push, const struct sr_push_steps *steps);

static void log_state(struct sr_push *push)
{
    const struct sr_push_machine *machine = &push->machine;

    if (machine->state == push->logged)
        return;
    sr_debug("%s -> %s: %s", sr_push_state_name(push->logged),
             sr_push_state_name(machine->state), machine->why ? machine->why : "?");
    if (push->logged == SR_PUSH_SUBSCRIBING && machine->state == SR_PUSH_HOLDING) {
        if (*push->reason)
            sr_notice("connected again");
        push->reason[0] = '\0';
    }
    push->logged = machine->state;
}

/* Sleeps until the machine has to know the time again. */
static void arm(struct sr_push *push)
{
    uint64_t due = sr_push_machine_due(&push->machine), now = sr_now_ms();

    if (push->lines[SR_PUSH_MAIN].unsent || push->lines[SR_PUSH_SIDE].unsent)
        due = now;
    if (due == UINT64_MAX)
        sr_deadline_clear(&push->due);
    else
        sr_deadline_set(&push->due, due > now ? due - now : 0);
}

/* False: stop here. */
static bool deliver(struct sr_push *push, const struct sr_push_step *step)
{
    struct sr_push_steps next;

    if (!push->config.received(push->config.arg, step->text, step->len,
                               &push->rows_received, &push->rows_malformed))
        return false; /* what was not dispatched must not be acknowledged */
    if (push->muted)
        return false;
    sr_push_machine_delivered(&push->machine, sr_now_ms(), &next);
    perform(push, &next);
    return false; /* it was the last step */
}

/* False: the push is gone, or another call has done the rest. */
static bool take(struct sr_push *push, const struct sr_push_step *step)
{
    struct line *line = &push->lines[step->line];

    switch (step->what) {
    case SR_PUSH_SEND: line->unsent = post(line, step); return true;
    case SR_PUSH_CANCEL: cancel(line); return true;
    case SR_PUSH_DELIVER: return deliver(push, step);
    case SR_PUSH_REPORT: return report(push) && !push->muted;
    case SR_PUSH_TELL: return push->config.connected(push->config.arg) && !push->muted;
    default: return true;
    }
}

static void perform(struct sr_push *push, const struct sr_push_steps *steps)
{
    bool on = true;

    if (steps->warning && sr_flood_lets(&push->ignored))
        sr_warning("%s: %s", push->url, steps->warning);
    log_state(push);
    for (size_t i = 0; i < steps->count && on; i++)
        on = take(push, &steps->step[i]);
    if (on)
        arm(push);
}

static void answered(struct line *line, const struct sr_push_outcome *outcome)
{
    struct sr_push *push = line->push;
    struct sr_push_steps steps;

    sr_push_machine_answered(&push->machine, line->which, outcome, sr_now_ms(), &steps);
    perform(push, &steps);
}

static bool is_success(long status)
{
    return status >= 200 && status < 300;
}

/* --- whose answer is it? -------------------------------------------------- */

/* By the answer, or by what the connection has brought before. */
static bool is_proved(struct sr_push *push, const struct sr_http_result *result)
{
    enum sr_evidence evidence =
        result->rc ? sr_evidence_weigh_cut(result->body, result->len, UINT64_MAX)
                   : sr_evidence_weigh(result->body, result->len, UINT64_MAX);

    if (evidence == SR_EVIDENCE_GOOD)
        sr_prover_learn(&push->prover, result);
    return evidence == SR_EVIDENCE_GOOD || sr_prover_trusts(&push->prover, result);
}

/* Success of 81 has nothing to say, nor has a portal. */
static bool grants(const struct sr_http_result *result)
{
    return is_success(result->status) &&
           sr_evidence_weigh(result->body, result->len, UINT64_MAX) == SR_EVIDENCE_WEAK;
}

/* Would it subscribe, or end, the session? */
static bool is_weighty(const struct line *line, const struct sr_http_result *result)
{
    enum sr_push_state state = line->push->machine.state;

    if (result->rc)
        return false;
    if (line->which == SR_PUSH_SIDE)
        return grants(result);
    if (state == SR_PUSH_SUBSCRIBING && grants(result))
        return true;
    return (state == SR_PUSH_SUBSCRIBING || state == SR_PUSH_HOLDING) &&
           !is_success(result->status) && result->status != 408 &&
           result->status != 429;
}

/* Not the platform's: a status is one all the same, an empty answer is an outage. */
static void judge(struct line *line, enum sr_proof proof, const char *why,
                  struct sr_push_outcome *outcome)
{
    struct sr_push *push = line->push;

    outcome->proved = proof == SR_PROOF_YES;
    if (proof == SR_PROOF_NO_CREDENTIALS) {
        outcome->status = 401;
        outcome->proved = true;
    } else if (proof == SR_PROOF_NO && is_success(outcome->status)) {
        outcome->rc = SR_E_UNREACHABLE;
    }
    if (proof != SR_PROOF_YES && (outcome->rc || !*push->error))
        snprintf(push->error, sizeof push->error, "%s", why);
}

static void set_error(struct sr_push *push, const char *text, long status)
{
    push->error[0] = '\0';
    if (text)
        snprintf(push->error, sizeof push->error, "%s", text);
    else if (status >= 300)
        snprintf(push->error, sizeof push->error, "HTTP status %ld", status);
}

static void on_proof(void *arg, enum sr_proof proof, const char *why)
{
    struct line *line = arg;
    char *kept = line->kept;
    struct sr_push_outcome outcome = {
        .status = line->kept_status,
        .body = kept,
        .len = line->kept_len,
    };

    line->request = NULL;
    line->kept = NULL;
    set_error(line->push, NULL, outcome.status);
    judge(line, proof, why, &outcome);
    answered(line, &outcome);
    free(kept);
}

/* Returns 0 if the question is under way. */
static int ask_whose(struct line *line, const struct sr_http_result *result)
{
    struct sr_push *push = line->push;
    struct sr_http_post post = { .url = push->check_url, .timeout_ms = CHECK_MS };
    int rc;

    line->kept = malloc(result->len + 1);
    if (!line->kept)
        return SR_E_NOMEM;
    if (result->len)
        memcpy(line->kept, result->body, result->len);
    line->kept_len = result->len;
    line->kept_status = result->status;
    push->config.sign(push->config.arg, &post);
    rc = sr_prover_ask(&push->prover, push->http, &post, result, &line->question,
                       on_proof, line, &line->request);
    if (rc) {
        free(line->kept);
        line->kept = NULL;
    }
    return rc;
}

static void on_answer(void *arg, const struct sr_http_result *result)
{
    struct line *line = arg;
    struct sr_push *push = line->push;
    struct sr_push_outcome outcome = {
        .rc = result->rc,
        .status = result->status,
        .proved = is_proved(push, result),
        .body = result->body,
        .len = result->len,
    };

    line->request = NULL;
    if (!outcome.proved && is_weighty(line, result)) {
        outcome.rc = ask_whose(line, result);
        if (!outcome.rc)
            return;
    }
    set_error(push, result->rc ? result->error : NULL, result->status);
    answered(line, &outcome);
}

/* A request that could not begin counts as one that failed; said only now, since
 * handlers are called from the loop, not from whatever made the request. */
static bool say_unsent(struct sr_push *push)
{
    struct sr_push_steps steps;

    for (int i = 0; i < SR_PUSH_LINES; i++) {
        struct line *line = &push->lines[i];
        const struct sr_push_outcome outcome = { .rc = line->unsent, .body = "" };

        if (!line->unsent)
            continue;
        line->unsent = 0;
        sr_push_machine_answered(&push->machine, line->which, &outcome, sr_now_ms(),
                                 &steps);
        perform(push, &steps);
        return true;
    }
    return false;
}

static void on_due(void *arg)
{
    struct sr_push *push = arg;
    struct sr_push_steps steps;

    push->error[0] = '\0';
    if (say_unsent(push))
        return;
    sr_push_machine_time(&push->machine, sr_now_ms(), &steps);
    perform(push, &steps);
}

/* --- from the application --------------------------------------------------- */

int sr_push_begin(struct sr_push *push, struct sr_http *http, const char *url,
                  const char *check_url, const char *object_id)
{
    struct sr_push_steps steps;
    int rc;

    if (sr_push_started(push))
        return SR_E_STATE;
    free(push->url);
    free(push->check_url);
    push->url = strdup(url);
    push->check_url = strdup(check_url);
    if (!push->url || !push->check_url)
        return SR_E_NOMEM;
    push->http = http;
    rc = sr_push_machine_start(&push->machine, object_id, sr_now_ms(), &steps);
    if (!rc)
        perform(push, &steps);
    return rc;
}

int sr_push_add(struct sr_push *push, const char *xid)
{
    struct sr_push_steps steps;
    int rc = sr_push_machine_subscribe(&push->machine, xid, sr_now_ms(), &steps);

    if (!rc && !push->muted)
        perform(push, &steps);
    return rc;
}

void sr_push_remove(struct sr_push *push, const char *xid)
{
    struct sr_push_steps steps;

    sr_push_machine_unsubscribe(&push->machine, xid, sr_now_ms(), &steps);
    if (!push->muted)
        perform(push, &steps);
}

void sr_push_sleep(struct sr_push *push)
{
    struct sr_push_steps steps;

    if (!push || push->muted)
        return;
    sr_push_machine_sleep(&push->machine, sr_now_ms(), &steps);
    perform(push, &steps);
}

void sr_push_resume(struct sr_push *push)
{
    struct sr_push_steps steps;

    if (!push || push->muted)
        return;
    sr_push_machine_resume(&push->machine, sr_now_ms(), &steps);
    perform(push, &steps);
}

bool sr_push_is_sleeping(const struct sr_push *push)
{
    return push && push->machine.sleeping;
}

void sr_push_stats(const struct sr_push *push, struct sr_push_stats *ret_stats)
{
    if (!ret_stats)
        return;
    if (!push) {
        *ret_stats = (struct sr_push_stats){ 0 };
        return;
    }
    *ret_stats = push->machine.stats;
    ret_stats->rows_received = push->rows_received;
    ret_stats->rows_malformed = push->rows_malformed;
}

void sr_push_set_times(struct sr_push *push, const struct sr_push_times *times)
{
    push->machine.times = *times;
}

bool sr_push_started(const struct sr_push *push)
{
    return push->machine.state != SR_PUSH_IDLE;
}

void *sr_push_owner(const struct sr_push *push)
{
    return push->config.arg;
}
