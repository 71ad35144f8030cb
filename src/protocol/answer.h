/* SPDX-License-Identifier: MIT */
/* What an answer says about the request as a whole. The platform answers with HTTP status 200
 * even if it took nothing: rows in the answer tell (docs/protocol/smartrest1.md). Pure. */
#ifndef PROTOCOL_ANSWER_H
#define PROTOCOL_ANSWER_H

#include "record/rows.h"
#include <stdbool.h>
#include <stddef.h>

enum sr_answer {
    SR_ANSWER_TAKEN,          /* each row was looked at, whatever came of it */
    SR_ANSWER_NO_CREDENTIALS, /* nothing was: `50,1,401` is all that it says */
    SR_ANSWER_NO_COLLECTION   /* nothing was: `40,<text>` is all that it says */
};
enum sr_answer sr_answer_of(struct sr_rows *answer);

/* How many rows of `payload` have `id` as a value. */
size_t sr_rows_naming(const char *payload, size_t len, const char *id);
/* Of these, how many does the answer say 404 about? For `count_15` see blame.h. */
size_t sr_answer_not_found(struct sr_rows *answer, const char *payload, size_t len,
                           bool count_15, const char *id);

#endif
