/* SPDX-License-Identifier: MIT */
#include "protocol/answer.h"

#include "protocol/blame.h"
#include <smartrest/record.h>
#include <string.h>

static bool is_number(struct sr_record *record, size_t i, uint64_t number)
{
    uint64_t value;

    return !sr_record_uint(record, i, &value) && value == number;
}

static enum sr_answer read_row(struct sr_record *record)
{
    if (is_number(record, 0, 50) && is_number(record, 1, 1) &&
        is_number(record, 2, 401))
        return SR_ANSWER_NO_CREDENTIALS;
    if (is_number(record, 0, 40) && *sr_record_value(record, 1))
        return SR_ANSWER_NO_COLLECTION;
    return SR_ANSWER_TAKEN;
}

enum sr_answer sr_answer_of(struct sr_rows *answer)
{
    struct sr_record *record =
        answer->count == 1 && !answer->cut ? sr_rows_at(answer, 0) : NULL;

    return record ? read_row(record) : SR_ANSWER_TAKEN;
}

/* Value 0 is the message id. */
static bool names(struct sr_record *record, const char *id)
{
    for (size_t i = 1; i < sr_record_size(record); i++)
        if (!strcmp(sr_record_value(record, i), id))
            return !is_number(record, 0, 15);
    return false;
}

size_t sr_rows_naming(const char *payload, size_t len, const char *id)
{
    struct sr_parser parser;
    struct sr_record *record;
    size_t rows = 0;
    int rc;

    sr_parser_init(&parser, payload, len);
    while ((rc = sr_parser_next(&parser, &record)) != SR_E_END && rc != SR_E_NOMEM)
        rows += !rc && names(record, id);
    sr_parser_release(&parser);
    return rows;
}

/* On which line is the row that the platform found no object for? 0: it says something else. */
static uint64_t line_not_found(struct sr_record *record)
{
    uint64_t line;

    if (!record || !is_number(record, 0, 50) || !is_number(record, 2, 404) ||
        sr_record_uint(record, 1, &line))
        return 0;
    return line;
}

size_t sr_answer_not_found(struct sr_rows *answer, const char *payload, size_t len,
                           bool count_15, const char *id)
{
    size_t found = 0, row_len = 0;

    for (size_t i = 0; i < answer->count; i++) {
        uint64_t line = line_not_found(sr_rows_at(answer, i));
        const char *row =
            line ? sr_row_on_line(payload, len, line, count_15, &row_len) : NULL;

        found += row && sr_rows_naming(row, row_len, id);
    }
    return found;
}
