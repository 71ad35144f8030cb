/* SPDX-License-Identifier: MIT */
/* Requests that look blocking: the loop runs until the answer is there, and a network
 * that fails is tried again, as is whoever answers in the platform's place. */
#include "agent/agent_p.h"
#include "base/backoff.h"
#include "protocol/evidence.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SR_LOG_COMPONENT "agent"
#include <smartrest/log.h>

enum { ANSWER_MAX = 1024 * 1024, TIMEOUT_MS = 30 * 1000 };

/* One attempt. */
struct attempt {
    struct sr_agent *agent;
    const struct sr_http_post *post;
    struct sr_http_request *request; /* under way */
    struct sr_question question;
    bool done;
    int rc;
    long status;
    bool platform; /* that is whose answer it is */
    char reason[320];
};

static void keep_answer(struct sr_agent *agent, const char *body, size_t len)
{
    if (agent->answer)
        explicit_bzero(agent->answer, agent->answer_len);
    free(agent->answer);
    agent->answer_len = 0;
    agent->answer = malloc(len + 1);
    if (!agent->answer)
        return;
    memcpy(agent->answer, body, len);
    agent->answer[len] = '\0';
    agent->answer_len = len;
}

/* --- whose answer is it? -------------------------------------------------- */

static enum sr_evidence weigh(const struct attempt *attempt,
                              const struct sr_http_result *result)
{
    uint64_t lines = sr_evidence_lines(attempt->post->body, attempt->post->len);

    if (!attempt->post->len) /* a check, which has an answer without a line */
        lines = 1;
    return result->rc ? sr_evidence_weigh_cut(result->body, result->len, lines)
                      : sr_evidence_weigh(result->body, result->len, lines);
}

static void on_proof(void *arg, enum sr_proof proof, const char *why)
{
    struct attempt *attempt = arg;

    attempt->done = true;
    attempt->platform = proof == SR_PROOF_YES;
    snprintf(attempt->reason, sizeof attempt->reason, "%s", why);
}

/* To bootstrap's question nothing is an answer, too, and means no more than "not yet": that needs no
 * proof. Returns whether it is known now whose the answer is. */
static bool find_out(struct attempt *attempt, const struct sr_http_result *result)
{
    struct sr_agent *agent = attempt->agent;

    if (!attempt->post->x_id) {
        attempt->platform = true;
        return true;
    }
    attempt->rc =
        sr_prover_ask(&agent->prover, agent->request_http, attempt->post, result,
                      &attempt->question, on_proof, attempt, &attempt->request);
    return attempt->rc != 0;
}

/* Returns whether that is known now. */
static bool judge(struct attempt *attempt, const struct sr_http_result *result)
{
    struct sr_prover *prover = &attempt->agent->prover;
    enum sr_evidence evidence = weigh(attempt, result);

    if (evidence == SR_EVIDENCE_GOOD)
        sr_prover_learn(prover, result);
    attempt->platform =
        evidence == SR_EVIDENCE_GOOD ||
        (evidence == SR_EVIDENCE_WEAK && sr_prover_trusts(prover, result));
    if (attempt->platform || result->rc)
        return true;
    if (evidence == SR_EVIDENCE_WEAK)
        return find_out(attempt, result);
    sr_evidence_describe(attempt->reason, sizeof attempt->reason,
                         sr_http_header(result, "Content-Type"), result->body,
                         result->len);
    return true;
}

/* The platform says 200. Of others' words only a refusal by a server that is proved counts. */
static void judge_status(struct attempt *attempt, const struct sr_http_result *result)
{
    bool ours = result->status == 401 || result->status == 403 ||
                result->status == 408 || result->status == 429 || result->status >= 500;

    attempt->platform = sr_prover_trusts(&attempt->agent->prover, result) ||
                        (result->len && weigh(attempt, result) == SR_EVIDENCE_GOOD);
    snprintf(attempt->reason, sizeof attempt->reason, "it answered with status %ld%s",
             result->status, ours ? "" : ", as the platform does not");
}

static void on_answer(void *arg, const struct sr_http_result *result)
{
    struct attempt *attempt = arg;

    attempt->done = true;
    attempt->request = NULL;
    attempt->rc = result->rc;
    attempt->status = result->status;
    snprintf(attempt->reason, sizeof attempt->reason, "%s", result->error);
    if (!result->rc) {
        keep_answer(attempt->agent, result->body, result->len);
        if (!attempt->agent->answer)
            attempt->rc = SR_E_NOMEM;
    }
    if (result->rc == SR_E_TOOBIG || (!attempt->rc && result->status == 200))
        attempt->done = judge(attempt, result);
    else if (!attempt->rc)
        judge_status(attempt, result);
}

/* --- attempts --------------------------------------------------------------- */

/* Runs the loop until the answer or its failure is in *attempt. Returns 0, SR_E_STOPPED,
 * SR_E_NOMEM, SR_E_INVAL. */
static int try_once(struct sr_agent *agent, const struct sr_http_post *post,
                    struct attempt *attempt)
{
    int rc;

    *attempt = (struct attempt){ .agent = agent, .post = post };
    rc = sr_http_post(agent->request_http, post, on_answer, attempt, &attempt->request);
    if (rc)
        return rc;
    rc = sr_loop_run_until(agent->loop, &attempt->done);
    if (rc && !attempt->done)
        sr_http_cancel(attempt->request);
    return rc;
}

/* What the platform would say again. Whatever others say is an outage. */
static bool may_heal(const struct attempt *attempt)
{
    if (attempt->rc)
        return attempt->rc == SR_E_UNREACHABLE || attempt->rc == SR_E_TIMEOUT ||
               (attempt->rc == SR_E_TOOBIG && !attempt->platform);
    if (!attempt->platform)
        return true;
    switch (attempt->status) {
    case 200:
    case 400:
    case 401:
    case 403:
    case 413:
    case 422: return false;
    default: return true;
    }
}

/* The error of an attempt that will not heal, 0 if it went well. */
static int verdict(struct sr_agent *agent, const struct attempt *attempt)
{
    if (attempt->rc)
        return sr_agent_fail(agent, attempt->rc, "%s: %s", agent->url, attempt->reason);
    if (attempt->status == 200)
        return 0;
    if (attempt->status == 401 || attempt->status == 403)
        return sr_agent_fail(agent, SR_E_AUTH,
                             "%s refuses the credentials (status %ld)", agent->url,
                             attempt->status);
    return sr_agent_fail(agent, SR_E_REFUSED, "%s: %s; is this the platform?",
                         agent->url, attempt->reason);
}

static void on_pause_over(void *arg)
{
    *(bool *)arg = true;
}

int sr_agent_pause(struct sr_agent *agent, uint64_t ms)
{
    struct sr_deadline pause;
    bool over = false;
    int rc = sr_deadline_init(&pause, agent->loop, on_pause_over, &over);

    if (rc)
        return sr_agent_fail(agent, rc, "out of memory");
    sr_deadline_set(&pause, ms);
    rc = sr_loop_run_until(agent->loop, &over);
    sr_deadline_release(&pause);
    return rc == SR_E_STOPPED ? sr_agent_fail(agent, rc, "stopped") : rc;
}

/* Time left to reach the server; UINT64_MAX is without end. */
static uint64_t left_ms(const struct sr_agent *agent, uint64_t since_ms)
{
    uint64_t passed = sr_now_ms() - since_ms;

    if (!agent->wait_ms)
        return UINT64_MAX;
    return passed < agent->wait_ms ? agent->wait_ms - passed : 0;
}

static uint64_t lesser(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

static int retry(struct sr_agent *agent, struct sr_http_post *post)
{
    struct sr_backoff backoff = { 0 };
    uint64_t since = sr_now_ms();
    struct attempt attempt;
    char last[sizeof attempt.reason] = "";

    for (;;) {
        uint64_t left = left_ms(agent, since);
        int rc;

        post->timeout_ms = lesser(TIMEOUT_MS, left > 1000 ? left : 1000);
        rc = try_once(agent, post, &attempt);
        if (rc)
            return sr_agent_fail(agent, rc, "%s: %s", agent->url, sr_strerror(rc));
        if (!may_heal(&attempt))
            return verdict(agent, &attempt);
        left = left_ms(agent, since);
        if (!left)
            return sr_agent_fail(agent, SR_E_UNREACHABLE, "%s: %s", agent->url,
                                 attempt.reason);
        if (strcmp(last, attempt.reason))
            sr_notice("%s: %s; trying again", agent->url, attempt.reason);
        strcpy(last, attempt.reason);
        rc = sr_agent_pause(agent,
                            lesser(sr_backoff_next(&backoff, sr_random32()), left));
        if (rc)
            return rc;
    }
}

int sr_agent_exchange(struct sr_agent *agent, const char *login, const char *password,
                      const char *xid, const char *rows)
{
    struct sr_http_post post = {
        .user = login,
        .password = password,
        .x_id = xid,
        .body = rows,
        .len = strlen(rows),
        .answer_max = ANSWER_MAX,
    };
    int rc = sr_agent_open_http(agent, &agent->request_http);

    if (rc)
        return rc;
    post.url = agent->url;
    return retry(agent, &post);
}

int sr_agent_request(struct sr_agent *agent, const char *xid, const char *rows,
                     const char **ret_answer, size_t *ret_len)
{
    int rc = sr_agent_enter(agent);

    if (rc)
        return rc;
    if (!rows || !ret_answer || !ret_len)
        rc = sr_agent_fail(agent, SR_E_INVAL,
                           "request: no rows, or no room for the answer");
    else if (!agent->login)
        rc = sr_agent_fail(agent, SR_E_STATE,
                           "no credentials yet: bootstrap comes first");
    else
        rc = sr_agent_exchange(agent, agent->login, agent->credentials.password, xid,
                               rows);
    if (!rc) {
        *ret_answer = agent->answer;
        *ret_len = agent->answer_len;
    }
    return sr_agent_leave(agent, rc);
}
