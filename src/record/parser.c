/* SPDX-License-Identifier: MIT */
/* Tokens to records. A record holds where its values stand; what they say is
 * worked out when somebody asks. */
#include "record/number.h"
#include "record/record_p.h"
#include <stdlib.h>
#include <string.h>

/* --- parser ------------------------------------------------------------ */

void sr_parser_init(struct sr_parser *parser, const char *text, size_t len)
{
    if (!parser)
        return;
    *parser = (struct sr_parser){ .record = NULL };
    sr_lexer_init(&parser->lexer, text, len);
}

void sr_parser_release(struct sr_parser *parser)
{
    if (!parser)
        return;
    if (parser->record) {
        free(parser->record->values);
        free(parser->record->scratch);
        free(parser->record);
    }
    sr_parser_init(parser, NULL, 0);
}

static bool grow(struct sr_record *record)
{
    size_t cap = record->cap ? record->cap * 2 : 16;
    struct sr_span *values;

    if (cap > SIZE_MAX / sizeof *values)
        return false;
    values = realloc(record->values, cap * sizeof *values);
    if (!values)
        return false;
    record->values = values;
    record->cap = cap;
    return true;
}

/* Room for one more value; NULL without memory. */
static inline struct sr_span *next_slot(struct sr_record *record)
{
    if (record->size == record->cap && !grow(record))
        return NULL;
    return &record->values[record->size];
}

/* Room for the first value of a row; NULL without memory. */
static struct sr_span *first_slot(struct sr_parser *parser)
{
    if (!parser->record)
        parser->record = calloc(1, sizeof *parser->record);
    if (!parser->record)
        return NULL;
    parser->record->size = 0;
    return next_slot(parser->record);
}

/* Reads the rest of a row whose values find no memory: the caller's loop has to
 * get ahead even then. */
static int skip_row(struct sr_lexer *lexer)
{
    struct sr_span span;
    enum sr_token token;

    do
        token = sr_lexer_next(lexer, &span);
    while (token == SR_TOKEN_VALUE);
    return token == SR_TOKEN_ERROR ? SR_E_SYNTAX : SR_E_NOMEM;
}

/* Reads the rest of the row whose first value is in its slot. */
static int read_row(struct sr_lexer *lexer, struct sr_record *record)
{
    struct sr_span *slot;
    size_t end;
    enum sr_token token;

    do {
        record->size++;
        end = lexer->pos; /* of the row, if no value follows */
        slot = next_slot(record);
        if (!slot)
            return skip_row(lexer);
        token = sr_lexer_next(lexer, slot);
    } while (token == SR_TOKEN_VALUE);
    if (token == SR_TOKEN_ERROR)
        return SR_E_SYNTAX;

    record->offset = record->values->offset - record->values->quoted;
    record->row = lexer->text + record->offset;
    record->len = end - record->offset;
    return 0;
}

int sr_parser_next(struct sr_parser *parser, struct sr_record **ret_record)
{
    struct sr_span spare, *slot;
    enum sr_token token;
    size_t line;
    int rc;

    if (!parser || !ret_record)
        return SR_E_INVAL;
    slot = first_slot(parser);
    line = parser->line + 1;
    while ((token = sr_lexer_next(&parser->lexer, slot ? slot : &spare)) ==
           SR_TOKEN_NEWLINE)
        line++;
    if (token == SR_TOKEN_END)
        return SR_E_END;
    parser->line = line;
    if (token == SR_TOKEN_ERROR)
        return SR_E_SYNTAX;
    rc = slot ? read_row(&parser->lexer, parser->record) : skip_row(&parser->lexer);
    if (!rc)
        *ret_record = parser->record;
    return rc;
}

size_t sr_parser_line(const struct sr_parser *parser)
{
    return parser ? parser->line : 0;
}

size_t sr_parser_error_offset(const struct sr_parser *parser)
{
    return parser ? parser->lexer.error : 0;
}

/* --- record ------------------------------------------------------------ */

/* One block: the record, its values, its row, its scratch. */
int sr_record_copy(const struct sr_record *record, struct sr_record **ret_copy)
{
    struct sr_record *copy;
    size_t values;
    char *row;

    if (!record || !ret_copy)
        return SR_E_INVAL;
    values = record->size * sizeof *record->values;
    copy = malloc(sizeof *copy + values + 2 * record->len + 1);
    if (!copy)
        return SR_E_NOMEM;
    row = (char *)(copy + 1) + values;
    *copy = *record;
    copy->values = memcpy(copy + 1, record->values, values);
    copy->row = memcpy(row, record->row, record->len);
    copy->scratch = row + record->len;
    copy->scratch_cap = record->len + 1;
    *ret_copy = copy;
    return 0;
}

void sr_record_free(struct sr_record *record)
{
    free(record);
}

size_t sr_record_size(const struct sr_record *record)
{
    return record ? record->size : 0;
}

/* The bytes of a value as they stand in the row. */
static const char *raw(const struct sr_record *record, const struct sr_span *span)
{
    return record->row + (span->offset - record->offset);
}

/* False without memory. What is there is only ever replaced before the first
 * value of a row is handed out: then it has room for the whole row. */
static bool need_scratch(struct sr_record *record)
{
    size_t cap = record->len + 1;
    char *scratch;

    if (cap <= record->scratch_cap)
        return true;
    if (cap < 2 * record->scratch_cap)
        cap = 2 * record->scratch_cap;
    scratch = malloc(cap);
    if (!scratch)
        return false;
    free(record->scratch);
    record->scratch = scratch;
    record->scratch_cap = cap;
    return true;
}

/* Copies the `len` bytes with every `""` as one `"`. Returns the length. */
static size_t unescape(char *to, const char *from, size_t len)
{
    const char *end = from + len;
    char *at = to;

    while (from < end) {
        const char *quote = memchr(from, '"', (size_t)(end - from));
        size_t count = (size_t)((quote ? quote + 1 : end) - from);

        memcpy(at, from, count);
        at += count;
        from += count + (quote != NULL); /* the one behind it is left out */
    }
    return (size_t)(at - to);
}

const char *sr_record_value(struct sr_record *record, size_t i)
{
    const struct sr_span *span;
    size_t len;
    char *to;

    if (!record || i >= record->size || !need_scratch(record))
        return "";
    span = &record->values[i];
    len = span->len;
    to = record->scratch + (span->offset - record->offset);
    if (span->escaped)
        len = unescape(to, raw(record, span), len);
    else
        memcpy(to, raw(record, span), len);
    to[len] = '\0';
    return to;
}

/* Apart from sr_record_bytes(), which is small and quick without it. */
static __attribute__((noinline)) const char *unescaped(struct sr_record *record,
                                                       const struct sr_span *span,
                                                       size_t *ret_len)
{
    char *to;

    *ret_len = 0;
    if (!need_scratch(record))
        return NULL;
    to = record->scratch + (span->offset - record->offset);
    *ret_len = unescape(to, raw(record, span), span->len);
    return to;
}

const char *sr_record_bytes(struct sr_record *record, size_t i, size_t *ret_len)
{
    const struct sr_span *span;

    if (!ret_len)
        return NULL;
    if (!record || i >= record->size) {
        *ret_len = 0;
        return NULL;
    }
    span = &record->values[i];
    if (span->escaped)
        return unescaped(record, span, ret_len);
    *ret_len = span->len;
    return raw(record, span);
}

enum sr_type sr_record_type(const struct sr_record *record, size_t i)
{
    const struct sr_span *span;

    if (!record || i >= record->size)
        return SR_NONE;
    span = &record->values[i];
    return span->quoted ? SR_STRING : sr_number_type(raw(record, span), span->len);
}

/* Numbers are read where they stand: an escaped value holds a quote and is none,
 * escaped or not. */
int sr_record_uint(struct sr_record *record, size_t i, uint64_t *ret_number)
{
    if (!record || !ret_number)
        return SR_E_INVAL;
    if (i >= record->size)
        return SR_E_NOTFOUND;
    return sr_number_read_uint(raw(record, &record->values[i]), record->values[i].len,
                               ret_number);
}

int sr_record_int(struct sr_record *record, size_t i, int64_t *ret_number)
{
    if (!record || !ret_number)
        return SR_E_INVAL;
    if (i >= record->size)
        return SR_E_NOTFOUND;
    return sr_number_read_int(raw(record, &record->values[i]), record->values[i].len,
                              ret_number);
}

int sr_record_double(struct sr_record *record, size_t i, double *ret_number)
{
    if (!record || !ret_number)
        return SR_E_INVAL;
    if (i >= record->size)
        return SR_E_NOTFOUND;
    return sr_number_read_double(raw(record, &record->values[i]), record->values[i].len,
                                 ret_number);
}

void sr_record_range(const struct sr_record *record, size_t *ret_offset,
                     size_t *ret_len)
{
    if (ret_offset)
        *ret_offset = record ? record->offset : 0;
    if (ret_len)
        *ret_len = record ? record->len : 0;
}
