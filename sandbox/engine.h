/* SPDX-License-Identifier: MIT */
/* SmartREST 1.0: rows in, REST calls, rows out. docs/protocol/smartrest1.md.
 *
 *     sb_engine_new -> sb_engine_run, sb_engine_apply ... -> sb_engine_free
 */
#ifndef SANDBOX_ENGINE_H
#define SANDBOX_ENGINE_H

#include "rest.h"

struct sb_engine;

struct sb_rows {
    const struct sb_identity *who;
    const char *xid; /* of the header or the topic; NULL or "" for none */
    const char *host;
    bool tls;
    enum sb_mode mode;
    const char *body;
    size_t len;
    bool quiet_87; /* a single collection is not announced: MQTT */
};

/* `rest` outlives the engine. */
struct sb_engine *sb_engine_new(struct sb_rest *rest, bool skip_15_lines);
/* Accepts NULL. */
void sb_engine_free(struct sb_engine *engine);

/* Executes the rows of a request. Appends the answer, each row with its line end, to
 * `answer`, and the error rows of it once more to `errors` (may be NULL). */
void sb_engine_run(struct sb_engine *engine, const struct sb_rows *rows,
                   struct sb_text *answer, struct sb_text *errors);

/* Is there a collection of that name or id? */
bool sb_engine_knows(struct sb_engine *engine, const char *xid);

/* Appends what the response templates of collection `xid` make of `json`. Returns the
 * number of rows. */
size_t sb_engine_apply(struct sb_engine *engine, const char *xid, json_t *json,
                       struct sb_text *answer);

/* Collections may have changed: look them up again. */
void sb_engine_forget(struct sb_engine *engine);

#endif
