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

enum sr_answer sr_answer_read(const char *answer, size_t len)
{
    enum sr_answer says = SR_ANSWER_TAKEN;
    struct sr_parser parser;
    struct sr_record *record;
    size_t rows = 0;
    int rc;

    sr_parser_init(&parser, answer, len);
    while (rows < 2 && (rc = sr_parser_next(&parser, &record)) != SR_E_END) {
        rows++;
        says = rc ? SR_ANSWER_TAKEN : read_row(record);
    }
    sr_parser_release(&parser);
    return rows == 1 ? says : SR_ANSWER_TAKEN;
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

size_t sr_rows_not_found(const char *answer, size_t answer_len, const char *payload,
                         size_t len, bool count_15, const char *id)
{
    struct sr_parser parser;
    struct sr_record *record;
    size_t found = 0, row_len = 0;
    const char *row;
    uint64_t line;
    int rc;

    sr_parser_init(&parser, answer, answer_len);
    while ((rc = sr_parser_next(&parser, &record)) != SR_E_END && rc != SR_E_NOMEM) {
        if (rc || !is_number(record, 0, 50) || !is_number(record, 2, 404) ||
            sr_record_uint(record, 1, &line))
            continue;
        row = sr_row_on_line(payload, len, line, count_15, &row_len);
        found += row && sr_rows_naming(row, row_len, id);
    }
    sr_parser_release(&parser);
    return found;
}
