/* SPDX-License-Identifier: MIT */
#include "push/answer.h"

#include <smartrest/record.h>
#include <stdlib.h>
#include <string.h>

enum { ADVICE = 86, GROUP = 87, BATCH = 88, FIRST_ERROR = 40, LAST_ERROR = 50 };

/* A millisecond value of row 86. */
static void read_time(struct sr_record *record, size_t i, bool *ret_has,
                      uint64_t *ret_ms, const char **ret_warning)
{
    if (!*sr_record_value(record, i))
        return;
    if (sr_record_uint(record, i, ret_ms))
        *ret_warning = "a time of an advice (86) is no number, and changes nothing";
    else
        *ret_has = true;
}

/* 86[,<line>],<timeout>,<interval>,<policy>: the manual has four values, servers send
 * five. So it is read from its end. */
static void read_advice(struct sr_push_answer *answer, struct sr_record *record)
{
    static const char *const policies[] = { "retry", "handshake", "none" };
    size_t n = sr_record_size(record), policy = 0;

    while (n >= 4 && policy < 3 &&
           strcmp(sr_record_value(record, n - 1), policies[policy]) != 0)
        policy++;
    if (n < 4 || policy == 3) {
        answer->warning = "an advice (86) makes no sense, and is ignored";
        return;
    }
    answer->advice.policy = (enum sr_push_policy)policy;
    read_time(record, n - 2, &answer->advice.has_interval, &answer->advice.interval_ms,
              &answer->warning);
    read_time(record, n - 3, &answer->advice.has_timeout, &answer->advice.timeout_ms,
              &answer->warning);
}

/* 88,<batch>. Of several the last that is a number counts. */
static void read_batch(struct sr_push_answer *answer, struct sr_record *record)
{
    if (!sr_record_uint(record, 1, &answer->batch))
        answer->batch_is = SR_PUSH_BATCH;
    else if (answer->batch_is == SR_PUSH_NO_BATCH)
        answer->batch_is = SR_PUSH_BAD_BATCH;
}

/* Rows 4x and 50 have the status or its text in different places, and JSON says
 * `402::Unknown client`. */
static void read_error(struct sr_push_answer *answer, struct sr_record *record)
{
    answer->error = true;
    for (size_t i = 1; i < sr_record_size(record); i++) {
        const char *value = sr_record_value(record, i);

        if (!strncmp(value, "402", 3) && (!value[3] || value[3] == ':') &&
            (i >= 2 || value[3]))
            answer->unknown_client = true;
    }
}

/* Does it look like one, rather than like the first line of a page? */
static bool is_client_id(const char *text, size_t len)
{
    static const char allowed[] = "0123456789abcdefghijklmnopqrstuvwxyz"
                                  "ABCDEFGHIJKLMNOPQRSTUVWXYZ-._~:=+/!*";

    return len && len <= SR_PUSH_CLIENT_ID_MAX && strspn(text, allowed) == len;
}

static void read_first(struct sr_push_answer *answer, struct sr_record *record)
{
    const char *value = sr_record_value(record, 0);
    size_t len = 0;
    uint64_t id;

    if (sr_record_size(record) != 1 || (!sr_record_uint(record, 0, &id) && id < 100))
        return; /* a built-in row that lacks its values */
    sr_record_bytes(record, 0, &len);
    if (is_client_id(value, len))
        memcpy(answer->client_id, value, len + 1);
}

static void blank_out(char *text, const struct sr_record *record)
{
    size_t offset, len;

    sr_record_range(record, &offset, &len);
    memset(text + offset, ' ', len);
}

/* True if the row was for the push itself. */
static bool read_own(struct sr_push_answer *answer, struct sr_record *record,
                     uint64_t id)
{
    if (id == ADVICE)
        read_advice(answer, record);
    else if (id == BATCH)
        read_batch(answer, record);
    else if (id >= FIRST_ERROR && id <= LAST_ERROR)
        read_error(answer, record);
    else
        return false;
    return true;
}

static void read_row(struct sr_push_answer *answer, struct sr_record *record)
{
    uint64_t id;

    if (sr_record_uint(record, 0, &id) || id > UINT32_MAX) {
        answer->rows++;
        answer->malformed++;
    } else if (read_own(answer, record, id)) {
        blank_out(answer->text, record);
    } else {
        answer->rows++;
        answer->useful += id != GROUP;
    }
}

static int read_rows(struct sr_push_answer *answer, const char *body, size_t len)
{
    struct sr_parser parser;
    struct sr_record *record;
    bool first = true;
    int rc;

    sr_parser_init(&parser, body, len);
    while ((rc = sr_parser_next(&parser, &record)) != SR_E_END && rc != SR_E_NOMEM) {
        if (!rc && first)
            read_first(answer, record);
        first = false;
        if (!rc) {
            read_row(answer, record);
        } else {
            answer->rows++;
            answer->malformed++;
        }
    }
    sr_parser_release(&parser);
    return rc == SR_E_NOMEM ? rc : 0;
}

int sr_push_answer_read(const char *body, size_t len, struct sr_push_answer *ret_answer)
{
    struct sr_push_answer answer = { .text = malloc(len + 1) };
    int rc;

    if (!answer.text)
        return SR_E_NOMEM;
    memcpy(answer.text, body, len);
    answer.text[len] = '\0';
    rc = read_rows(&answer, body, len);
    if (rc || !answer.rows) {
        free(answer.text);
        answer.text = NULL;
    }
    if (!rc)
        *ret_answer = answer;
    return rc;
}

void sr_push_answer_release(struct sr_push_answer *answer)
{
    free(answer->text);
    answer->text = NULL;
}
