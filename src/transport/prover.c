/* SPDX-License-Identifier: MIT */
#include "transport/prover.h"

#include "protocol/evidence.h"
#include <stdio.h>
#include <string.h>

enum { ANSWER_MAX = 64 * 1024 };

bool sr_prover_trusts(const struct sr_prover *prover,
                      const struct sr_http_result *result)
{
    if (sr_http_verified(result))
        return true;
    return prover->connection && !sr_http_proxied(result) &&
           prover->connection == sr_http_connection(result);
}

void sr_prover_learn(struct sr_prover *prover, const struct sr_http_result *result)
{
    prover->connection = sr_http_connection(result);
}

static enum sr_proof judge(const struct sr_question *question,
                           const struct sr_http_result *result, char *why, size_t size)
{
    if (result->rc || result->status != 200) {
        snprintf(why, size,
                 "an empty answer, and whose it was could not be found out: ");
        size -= strlen(why);
        why += strlen(why);
        if (result->rc)
            snprintf(why, size, "%s", result->error);
        else
            snprintf(why, size, "HTTP status %ld", result->status);
        return SR_PROOF_NO;
    }
    if (result->len >= 8 && !memcmp(result->body, "50,1,401", 8)) {
        snprintf(why, size, "row 50,1,401");
        return SR_PROOF_NO_CREDENTIALS;
    }
    if (!sr_evidence_of_check(result->body, result->len)) {
        sr_evidence_describe(why, size, sr_http_header(result, "Content-Type"),
                             result->body, result->len);
        return SR_PROOF_NO;
    }
    sr_prover_learn(question->prover, result); /* of this connection in any case */
    if (sr_http_connection(result) == question->connection)
        return SR_PROOF_YES;
    snprintf(
        why, size,
        "an empty answer, and the connection ended before it was known whose it "
        "was: on plain HTTP the server has to keep connections alive (keep-alive)");
    return SR_PROOF_NO;
}

static void on_answer(void *arg, const struct sr_http_result *result)
{
    struct sr_question *question = arg;
    char why[320] = "";
    enum sr_proof proof = judge(question, result, why, sizeof why);

    question->fn(question->arg, proof, why);
}

int sr_prover_ask(struct sr_prover *prover, struct sr_http *http,
                  const struct sr_http_post *post, const struct sr_http_result *result,
                  struct sr_question *question, sr_proof_fn fn, void *arg,
                  struct sr_http_request **ret_request)
{
    const struct sr_http_post check = {
        .url = post->url,
        .user = post->user,
        .password = post->password,
        .x_id = post->x_id,
        .answer_max = ANSWER_MAX,
        .timeout_ms = post->timeout_ms,
    };

    *question = (struct sr_question){
        .prover = prover, .connection = sr_http_connection(result), .fn = fn, .arg = arg
    };
    return sr_http_post(http, &check, on_answer, question, ret_request);
}
