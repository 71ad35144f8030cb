/* SPDX-License-Identifier: MIT */
/* Is the server at the other end the platform? Then an empty answer is the platform's word, too.
 * Proved is a server
 *
 *   - whose certificate was verified (https, unless sr_net says insecure);
 *   - on plain HTTP, for as long as the connection lasts, that gave an answer on it which only the
 *     platform gives: rows (evidence.h), or `20` or `40` to the question whether a template
 *     collection is known, which registers nothing.
 *
 * Where a proxy may be in between, the connection is the proxy's, and says nothing of the next
 * request on it: there it is asked after each empty answer.
 *
 *     trusts? -> else: sr_prover_ask -> fn */
#ifndef TRANSPORT_PROVER_H
#define TRANSPORT_PROVER_H

#include "http/http.h"

/* Zeroed: nothing is proved. */
struct sr_prover {
    uint64_t connection; /* the proved one; 0: none */
};

/* In the callback of a request: is it from a server that is proved? */
bool sr_prover_trusts(const struct sr_prover *prover,
                      const struct sr_http_result *result);
/* The same: this answer was good evidence. */
void sr_prover_learn(struct sr_prover *prover, const struct sr_http_result *result);

/* What came of the question. */
enum sr_proof { SR_PROOF_YES, SR_PROOF_NO, SR_PROOF_NO_CREDENTIALS };
/* `why`, for people, if it is not SR_PROOF_YES. */
typedef void (*sr_proof_fn)(void *arg, enum sr_proof proof, const char *why);

/* A question under way; the caller's, and stays where it is until `fn` is called. */
struct sr_question {
    struct sr_prover *prover;
    uint64_t connection;
    sr_proof_fn fn;
    void *arg;
};

/* Asks on the connection of `result`. Of `post` are taken url (of /s), user, password, x_id (a
 * collection, not NULL) and timeout_ms. Returns 0, and `fn` is called later unless *ret_request is
 * cancelled; or SR_E_NOMEM, SR_E_INVAL. */
int sr_prover_ask(struct sr_prover *prover, struct sr_http *http,
                  const struct sr_http_post *post, const struct sr_http_result *result,
                  struct sr_question *question, sr_proof_fn fn, void *arg,
                  struct sr_http_request **ret_request);

#endif
