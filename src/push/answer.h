/* SPDX-License-Identifier: MIT */
/* What the platform's answers to 80, 81 and 83 say. Pure: bytes in, meaning out. */
#ifndef PUSH_ANSWER_H
#define PUSH_ANSWER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { SR_PUSH_CLIENT_ID_MAX = 255 };

enum sr_push_policy { SR_PUSH_RETRY, SR_PUSH_ANEW, SR_PUSH_STOP };

/* Row 86. A time that is empty, or nonsense, is not there: it changes nothing. */
struct sr_push_advice {
    enum sr_push_policy policy; /* of the last 86 that made sense; else retry */
    bool has_interval, has_timeout;
    uint64_t interval_ms, timeout_ms;
};

struct sr_push_answer {
    struct sr_push_advice advice;

    /* Row 88: none, a number, or one that is no number and cannot be acknowledged. */
    enum { SR_PUSH_NO_BATCH, SR_PUSH_BATCH, SR_PUSH_BAD_BATCH } batch_is;
    uint64_t batch;

    bool error;          /* a row 40 to 50 */
    bool unknown_client; /* one that says 402 */

    /* All other rows: how many, those among them that are none, those that a handler
     * can get (not 87). */
    size_t rows, malformed, useful;
    /* They alone, in their order and on their lines: the rest is blanks. NULL if there
     * are none. For free(). */
    char *text;

    /* The first row's only value, if it can be a client id; else "". */
    char client_id[SR_PUSH_CLIENT_ID_MAX + 1];

    const char *warning; /* something was ignored: what; NULL */
};

/* Reads all of it. Returns 0 or SR_E_NOMEM; on success *ret_answer is to be released. */
int sr_push_answer_read(const char *body, size_t len,
                        struct sr_push_answer *ret_answer);
void sr_push_answer_release(struct sr_push_answer *answer);

#endif
