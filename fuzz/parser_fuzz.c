/* SPDX-License-Identifier: MIT */
/* Any bytes are rows, errors, and then the end. What is handed out lies inside the
 * text, goes forward, and says the same when it is read again from the row's
 * range. */
#include "fuzz.h"
#include "record/rows.h"
#include <math.h>
#include <smartrest/record.h>
#include <string.h>

static void check_numbers(struct sr_record *record, size_t i)
{
    enum sr_type type = sr_record_type(record, i);
    uint64_t number;
    int64_t integer;
    double real = NAN;
    int as_uint = sr_record_uint(record, i, &number);
    int as_int = sr_record_int(record, i, &integer);
    int as_double = sr_record_double(record, i, &real);

    must(type == SR_STRING || type == SR_INTEGER || type == SR_FLOAT);
    must(as_double != 0 || isfinite(real));
    if (type == SR_FLOAT)
        must(as_uint == SR_E_INVAL && as_int == SR_E_INVAL);
    if (as_uint == 0 || as_int == 0)
        must(as_double == 0);
    if (as_uint == 0 && as_int == 0)
        must(integer >= 0 && (uint64_t)integer == number);
}

static void check_value(struct sr_record *record, size_t i)
{
    size_t len, again_len;
    const char *bytes = sr_record_bytes(record, i, &len);
    const char *value = sr_record_value(record, i);

    must(bytes && value);
    must(strlen(value) <= len && memcmp(value, bytes, strlen(value)) == 0);
    must(strlen(value) == len || bytes[strlen(value)] == '\0');
    must(sr_record_bytes(record, i, &again_len) == bytes && again_len == len);
    must(sr_record_value(record, i) == value);
    check_numbers(record, i);
}

static void must_be_same(struct sr_record *a, struct sr_record *b)
{
    must(sr_record_size(a) == sr_record_size(b));
    for (size_t i = 0; i < sr_record_size(a); i++) {
        size_t a_len, b_len;
        const char *a_bytes = sr_record_bytes(a, i, &a_len);
        const char *b_bytes = sr_record_bytes(b, i, &b_len);

        must(a_len == b_len && memcmp(a_bytes, b_bytes, a_len) == 0);
        must(sr_record_type(a, i) == sr_record_type(b, i));
    }
}

static void check_again(struct sr_record *record, const char *text)
{
    struct sr_parser parser;
    struct sr_record *again, *copy;
    size_t offset, len;

    sr_record_range(record, &offset, &len);
    sr_parser_init(&parser, text + offset, len);
    must(sr_parser_next(&parser, &again) == 0);
    must_be_same(record, again);
    must(sr_record_copy(again, &copy) == 0);
    must(sr_parser_next(&parser, &again) == SR_E_END);
    sr_parser_release(&parser);
    must_be_same(record, copy);
    sr_record_free(copy);
}

/* Returns where the row ends. */
static size_t check_record(struct sr_record *record, const char *text, size_t len,
                           size_t last_end)
{
    size_t offset, row_len;

    sr_record_range(record, &offset, &row_len);
    must(offset >= last_end && row_len > 0 && row_len <= len - offset);
    must(sr_record_size(record) > 0);
    must(sr_record_type(record, sr_record_size(record)) == SR_NONE);
    for (size_t i = 0; i < sr_record_size(record); i++)
        check_value(record, i);
    check_again(record, text);
    return offset + row_len;
}

/* All rows at once are the same rows. */
static void check_rows(const char *text, size_t len)
{
    struct sr_parser parser;
    struct sr_record *record;
    struct sr_rows rows;
    size_t i = 0;
    int rc;

    sr_rows_read(&rows, text, len);
    sr_parser_init(&parser, text, len);
    for (; (rc = sr_parser_next(&parser, &record)) != SR_E_END; i++) {
        must(i < rows.count && sr_rows_line(&rows, i) == sr_parser_line(&parser));
        must((rc == 0) == (sr_rows_at(&rows, i) != NULL));
        if (!rc)
            must_be_same(sr_rows_at(&rows, i), record);
    }
    must(i == rows.count && !rows.cut);
    sr_parser_release(&parser);
    sr_rows_release(&rows);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    const char *text = (const char *)data;
    struct sr_parser parser;
    struct sr_record *record;
    size_t end = 0, line = 0;
    int rc;

    sr_parser_init(&parser, text, len);
    while ((rc = sr_parser_next(&parser, &record)) != SR_E_END) {
        must(rc == 0 || rc == SR_E_SYNTAX);
        must(sr_parser_line(&parser) > line);
        line = sr_parser_line(&parser);
        if (rc == 0) {
            end = check_record(record, text, len, end);
        } else {
            must(sr_parser_error_offset(&parser) >= end);
            must(sr_parser_error_offset(&parser) < len);
            end = sr_parser_error_offset(&parser) + 1;
        }
    }
    must(sr_parser_next(&parser, &record) == SR_E_END);
    sr_parser_release(&parser);
    check_rows(text, len);
    return 0;
}
