/* SPDX-License-Identifier: MIT */
#include "protocol/evidence.h"

#include <smartrest/record.h>
#include <stdio.h>
#include <string.h>

enum { COLLECTION = 20, FIRST_TEMPLATE = 100, SHOWN_MAX = 60 };

uint64_t sr_evidence_lines(const char *rows, size_t len)
{
    uint64_t lines = 0;
    bool quoted = false, open = false;

    for (size_t i = 0; i < len; i++) {
        quoted = quoted != (rows[i] == '"');
        open = quoted || rows[i] != '\n';
        lines += !open;
    }
    return lines + open;
}

/* --- rows --------------------------------------------------------------- */

enum weight { AGAINST, NEITHER, FOR };

static bool is_line(struct sr_record *record, uint64_t lines)
{
    uint64_t line;

    return !sr_record_uint(record, 1, &line) && line >= 1 && line <= lines;
}

static bool is_status(struct sr_record *record, size_t i)
{
    uint64_t status;

    return !sr_record_uint(record, i, &status) && status >= 100 && status <= 599;
}

static bool has_text(struct sr_record *record, size_t i)
{
    return *sr_record_value(record, i) != '\0';
}

/* Of a message id that belongs to the protocol. */
static enum weight weigh_built_in(struct sr_record *record, uint64_t id, uint64_t lines)
{
    const size_t values = sr_record_size(record);
    uint64_t number;

    switch (id) {
    case COLLECTION: return values == 2 && has_text(record, 1) ? FOR : AGAINST;
    case 40:
    case 41: return values >= 2 ? FOR : AGAINST;
    case 42:
    case 43:
    case 45: return is_line(record, lines) ? FOR : AGAINST;
    case 50: return is_line(record, lines) && is_status(record, 2) ? FOR : AGAINST;
    case 70: return is_line(record, lines) && has_text(record, 2) ? FOR : AGAINST;
    case 86: return values >= 4 ? NEITHER : AGAINST;
    case 87:
    case 88: return !sr_record_uint(record, 1, &number) ? NEITHER : AGAINST;
    default: return AGAINST;
    }
}

static enum weight weigh_row(struct sr_record *record, uint64_t lines)
{
    uint64_t id;

    if (sr_record_uint(record, 0, &id) || id > UINT32_MAX)
        return AGAINST;
    if (id < FIRST_TEMPLATE)
        return weigh_built_in(record, id, lines);
    return is_line(record, lines) ? FOR : AGAINST;
}

enum sr_evidence sr_evidence_of(struct sr_rows *answer, uint64_t lines)
{
    size_t count[FOR + 1] = { 0 };

    for (size_t i = 0; i < answer->count; i++) {
        struct sr_record *record = sr_rows_at(answer, i);

        count[record ? weigh_row(record, lines) : AGAINST]++;
    }
    if (answer->cut || (count[AGAINST] && !count[FOR]))
        return SR_EVIDENCE_NONE;
    return count[FOR] && !count[AGAINST] ? SR_EVIDENCE_GOOD : SR_EVIDENCE_WEAK;
}

enum sr_evidence sr_evidence_weigh(const char *answer, size_t len, uint64_t lines)
{
    enum sr_evidence evidence;
    struct sr_rows rows;

    sr_rows_read(&rows, answer, len);
    evidence = sr_evidence_of(&rows, lines);
    sr_rows_release(&rows);
    return evidence;
}

/* The last row is not whole; if it is the first, too, its two first values are. */
size_t sr_evidence_whole(const char *answer, size_t len)
{
    const char *end = memrchr(answer, '\n', len), *comma;

    if (end)
        return (size_t)(end - answer);
    comma = memchr(answer, ',', len);
    if (comma)
        comma = memchr(comma + 1, ',', len - (size_t)(comma + 1 - answer));
    return comma ? (size_t)(comma - answer) : SIZE_MAX;
}

enum sr_evidence sr_evidence_weigh_cut(const char *answer, size_t len, uint64_t lines)
{
    size_t whole = sr_evidence_whole(answer, len);

    return whole == SIZE_MAX ? SR_EVIDENCE_NONE
                             : sr_evidence_weigh(answer, whole, lines);
}

bool sr_evidence_of_check(const char *answer, size_t len)
{
    struct sr_parser parser;
    struct sr_record *record;
    size_t rows = 0, good = 0;
    uint64_t id;
    int rc;

    sr_parser_init(&parser, answer, len);
    while ((rc = sr_parser_next(&parser, &record)) != SR_E_END && rc != SR_E_NOMEM) {
        rows++;
        good += !rc && !sr_record_uint(record, 0, &id) &&
                (id == COLLECTION || id == 40) && sr_record_size(record) >= 2;
    }
    sr_parser_release(&parser);
    return rc == SR_E_END && rows == 1 && good == 1;
}

/* --- for people --------------------------------------------------------- */

/* How much of the answer's first line may be shown? */
static size_t shown(const char *answer, size_t len)
{
    size_t commas = 0, i = 0;
    bool is_row = len && (*answer == '"' || (*answer >= '0' && *answer <= '9'));

    while (i < len && i < SHOWN_MAX && answer[i] != '\n' && answer[i] != '\r') {
        commas += answer[i] == ',';
        if (is_row && commas == 2)
            break;
        i++;
    }
    return i;
}

/* One line of ASCII. */
static void copy_plain(char *to, size_t size, const char *from, size_t len)
{
    size_t n = len < size - 1 ? len : size - 1;

    for (size_t i = 0; i < n; i++)
        to[i] = from[i] >= ' ' && from[i] < 0x7f ? from[i] : '.';
    to[n] = '\0';
}

void sr_evidence_describe(char *to, size_t size, const char *type, const char *answer,
                          size_t len)
{
    char begins[SHOWN_MAX + 1], kind[SHOWN_MAX + 1] = "without a type";

    while (len && strchr(" \t\r\n", *answer) && *answer) {
        answer++;
        len--;
    }
    if (!len) {
        snprintf(to, size,
                 "an empty answer, and nothing shows that it is the platform's");
        return;
    }
    if (type && *type)
        copy_plain(kind, sizeof kind, type, strlen(type));
    copy_plain(begins, sizeof begins, answer, shown(answer, len));
    snprintf(to, size, "the answer is not the platform's: %s, begins with '%s'", kind,
             begins);
}
