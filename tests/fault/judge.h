/* SPDX-License-Identifier: MIT */
/* What arrives is held against what was promised.
 *
 *     judge_new -> (judge_connection -> judge_payload ...) ... -> judge_verdict
 *
 * The rules, as include/smartrest/outbox.h states them:
 *   - nothing arrives that was not sent, or that was refused
 *   - what was accepted arrives, each row for the first time in its turn
 *   - a row comes again only on another connection, and only if it was in one of the last
 *     `window` payloads of its own: a payload is sent when all but window - 1 of those before
 *     it are acknowledged, and what is acknowledged stays so */
#ifndef FAULT_JUDGE_H
#define FAULT_JUDGE_H

#include "ledger.h"

enum { JUDGE_CONNECTIONS = 1 << 20 };

struct judge {
    const struct ledger *ledger;
    bool any_order;       /* live rows overtake others */
    uint32_t *connection; /* of each row: by which it came last; 0: not yet */
    uint32_t *payload;    /* and in which payload, counted over all connections */
    uint32_t *sure;       /* of each connection: payloads before were acknowledged */

    unsigned window;                       /* of this connection */
    uint32_t connections, payloads, begin; /* begin: its first payload */
    bool in_payload;
    uint32_t next;   /* behind the last row that came in its turn */
    uint32_t behind; /* the last row of this connection */

    uint64_t rows, doubles; /* that came; of these again */
    uint64_t doubles_here;  /* on this connection */
    uint64_t doubles_most;  /* on one connection */
    char wrong[200];        /* the first offence; "" if none */
};

/* False: no memory. */
bool judge_new(struct judge *judge, const struct ledger *ledger);
void judge_release(struct judge *judge);

/* Has row `n` come? */
bool judge_has(const struct judge *judge, uint32_t n);

/* A new connection; `window` payloads may be under way on it. */
void judge_connection(struct judge *judge, unsigned window);
/* The rows of a payload, as ledger_text() made them. */
void judge_payload(struct judge *judge, const char *text, size_t len);

/* Has everything arrived that was accepted? */
bool judge_has_all(const struct judge *judge);
/* When nothing more can come: "" or what is wrong. */
const char *judge_verdict(struct judge *judge);

#endif
