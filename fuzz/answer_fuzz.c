/* SPDX-License-Identifier: MIT */
/* Answers to rows, as the platform or anybody else may give them: the request, byte 0x1e, the
 * answer. Whatever is taken for the platform's is made of rows for lines that were sent. */
#include "fuzz.h"
#include "protocol/answer.h"
#include "protocol/blame.h"
#include "protocol/evidence.h"
#include <smartrest/record.h>
#include <string.h>

/* Rows that may be in the platform's answer: their id, and their line if there has to be one. */
static void must_be_rows(const char *answer, size_t len, uint64_t lines)
{
    struct sr_parser parser;
    struct sr_record *record;
    uint64_t id, line;
    size_t rows = 0;
    int rc;

    sr_parser_init(&parser, answer, len);
    while ((rc = sr_parser_next(&parser, &record)) != SR_E_END) {
        must(!rc && !sr_record_uint(record, 0, &id) && id >= 20);
        if (id >= 100 || id == 50 || id == 45 || id == 43 || id == 42 || id == 70)
            must(!sr_record_uint(record, 1, &line) && line >= 1 && line <= lines);
        rows++;
    }
    must(rows);
    sr_parser_release(&parser);
}

static void must_be_shown_safely(const char *answer, size_t len)
{
    char text[400];

    memset(text, 'x', sizeof text);
    sr_evidence_describe(text, sizeof text, "text/html", answer, len);
    must(memchr(text, '\0', 200));
    for (const char *at = text; *at; at++)
        must(*at >= ' ' && *at < 0x7f);
}

static void check_records(const char *answer, size_t answer_len, const char *rows,
                          size_t rows_len, enum sr_evidence evidence)
{
    struct sr_rows records;

    sr_rows_read(&records, answer, answer_len);
    if (sr_answer_of(&records) == SR_ANSWER_NO_COLLECTION)
        must(evidence == SR_EVIDENCE_GOOD);
    must(sr_answer_not_found(&records, rows, rows_len, true, "24871") <= answer_len);
    sr_answer_has_line_1(&records);
    sr_rows_release(&records);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    const char *rows = (const char *)data, *mark = len ? memchr(data, 0x1e, len) : NULL;
    size_t rows_len = mark ? (size_t)(mark - rows) : len, size = 0;
    const char *answer = mark ? mark + 1 : rows + len;
    size_t answer_len = mark ? len - rows_len - 1 : 0;
    uint64_t lines = sr_evidence_lines(rows, rows_len);
    enum sr_evidence evidence = sr_evidence_weigh(answer, answer_len, lines);

    must(lines <= rows_len + 1 && (rows_len == 0) == (lines == 0));
    must(answer_len || evidence == SR_EVIDENCE_WEAK);
    must(lines || answer_len == 0 || evidence != SR_EVIDENCE_GOOD ||
         memchr(answer, '2', answer_len) || memchr(answer, '4', answer_len));
    if (evidence == SR_EVIDENCE_GOOD)
        must_be_rows(answer, answer_len, lines);
    if (sr_evidence_of_check(answer, answer_len))
        must(evidence == SR_EVIDENCE_GOOD || memchr(answer, ',', answer_len));
    sr_evidence_weigh_cut(answer, answer_len, lines);
    must_be_shown_safely(answer, answer_len);

    check_records(answer, answer_len, rows, rows_len, evidence);
    sr_row_on_line(rows, rows_len, answer_len, true, &size);
    must(size <= rows_len);
    return 0;
}
