/* SPDX-License-Identifier: MIT */
#include "protocol/blame.h"

#include <smartrest/record.h>
#include <string.h>

/* Rows whose second value is something else. */
static bool has_line(uint64_t id)
{
    return id != 20 && id != 87 && id != 88;
}

static bool is_of_line_1(struct sr_record *record)
{
    uint64_t id, line;

    return record && !sr_record_uint(record, 0, &id) && has_line(id) &&
           !sr_record_uint(record, 1, &line) && line == 1;
}

bool sr_answer_has_line_1(struct sr_rows *answer)
{
    for (size_t i = 0; i < answer->count; i++)
        if (is_of_line_1(sr_rows_at(answer, i)))
            return true;
    return false;
}

const char *sr_row_on_line(const char *payload, size_t len, uint64_t line,
                           bool count_15, size_t *ret_len)
{
    struct sr_parser parser;
    struct sr_record *record;
    const char *row = NULL;
    uint64_t at = 0;
    size_t offset;
    int rc;

    sr_parser_init(&parser, payload, len);
    while (!row && at < line && (rc = sr_parser_next(&parser, &record)) != SR_E_END) {
        bool is_15 = !rc && !strcmp(sr_record_value(record, 0), "15");

        at += count_15 || !is_15;
        if (rc || is_15 || at < line)
            continue;
        sr_record_range(record, &offset, ret_len);
        row = payload + offset;
    }
    sr_parser_release(&parser);
    return row;
}
