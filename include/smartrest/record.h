/* SPDX-License-Identifier: MIT */
/* Reading rows: bytes to tokens (sr_lexer), tokens to records (sr_parser).
 *
 *     sr_parser_init(&parser, text, len)
 *     while ((rc = sr_parser_next(&parser, &record)) != SR_E_END)
 *         if (rc == 0) ... sr_record_value(record, 2) ...
 *     sr_parser_release(&parser)
 *
 * Nothing is copied: lexer, parser and records point into `text`, which the
 * caller keeps unchanged until it is done with them. A row ends with LF, CR LF
 * or the end of the text; rows without any byte but blanks are skipped, but
 * count as lines. Blanks (space, tab) in front of a value are skipped (a long poll
 * is kept alive with them). Inside quotes every byte but `"` stands for itself, line ends included,
 * and `""` is one `"`. Bytes above 0x7f are never looked at.
 *
 * Malformed is: a quote that never closes, a quote inside an unquoted value,
 * anything but `,` or a row end behind a closing quote, a CR without its LF.
 *
 * The rows of the wire: docs/protocol/smartrest1.md, "Rows". */
#ifndef SMARTREST_RECORD_H
#define SMARTREST_RECORD_H

#include <smartrest/error.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* What a value looks like. A quoted value is always a string.
 *   integer: [+-] digits                      12, -7
 *   float:   [+-] digits with one point and/or an exponent    .5, 20.5, 1e-3 */
enum sr_type { SR_NONE, SR_STRING, SR_INTEGER, SR_FLOAT };

/* --- lexer ------------------------------------------------------------- */

/* What comes next in the text: a value, the end of a row, the end of the text, or
 * something malformed. */
enum sr_token { SR_TOKEN_VALUE, SR_TOKEN_NEWLINE, SR_TOKEN_END, SR_TOKEN_ERROR };

/* A value as it stands in the text: for a quoted one, the bytes between the
 * outer quotes, with inner quotes still doubled. */
struct sr_span {
    size_t offset; /* of the first byte, in the text */
    size_t len;    /* bytes */
    bool quoted;   /* stood in quotes */
    bool escaped;  /* holds `""` */
};

/* On the stack of the caller; the fields are the lexer's own. */
struct sr_lexer {
    const char *text;
    size_t len;
    size_t pos;
    size_t error;   /* offset of what made the last token an SR_TOKEN_ERROR */
    bool value_due; /* a value, perhaps an empty one, follows a comma */
    size_t block;   /* where the 64 bytes begin that `stops` has a bit for each */
    uint64_t stops; /* bytes at which a value may end */
};

/* Begins to read `text`; nothing to release afterwards. */
SR_API void sr_lexer_init(struct sr_lexer *lexer, const char *text, size_t len);

/* The next token. *ret_span is set for SR_TOKEN_VALUE only. A row `a,,b` is
 * VALUE VALUE VALUE NEWLINE; a row without any byte but blanks is NEWLINE alone.
 * After SR_TOKEN_ERROR, `lexer->error` is the offset of the offending byte (of
 * the opening quote, if the quote never closes), and the lexer stands behind
 * the line end that follows it, or at the end if the quote never closes. */
SR_API enum sr_token sr_lexer_next(struct sr_lexer *lexer, struct sr_span *ret_span);

/* --- parser ------------------------------------------------------------ */

struct sr_record;

/* On the stack of the caller; the fields are the parser's own. */
struct sr_parser {
    struct sr_lexer lexer;
    struct sr_record *record;
    size_t line;
};

/* Begins to read `text`. */
SR_API void sr_parser_init(struct sr_parser *parser, const char *text, size_t len);

/* Frees what reading allocated; the parser may be initialised again. */
SR_API void sr_parser_release(struct sr_parser *parser);

/* Reads the next row. *ret_record is the parser's: valid until the next call
 * for this parser.
 * Returns 0; SR_E_INVAL (NULL); SR_E_END when no row is left; SR_E_SYNTAX for a malformed row (see
 * sr_parser_error_offset()); SR_E_NOMEM. After either of these the next call goes
 * on with the row behind. */
SR_API int sr_parser_next(struct sr_parser *parser, struct sr_record **ret_record);

/* 1-based number of the line the last row began on, counted in rows of the
 * text as the platform counts them: a value over several lines is one line. */
SR_API size_t sr_parser_line(const struct sr_parser *parser);

/* Byte offset of what made the last call return SR_E_SYNTAX. */
SR_API size_t sr_parser_error_offset(const struct sr_parser *parser);

/* --- record ------------------------------------------------------------ */

/* A record by itself, outside a parser: a copy that the caller owns.
 * Returns 0, SR_E_INVAL (NULL) or SR_E_NOMEM. */
SR_API int sr_record_copy(const struct sr_record *record, struct sr_record **ret_copy);
/* Accepts NULL. Not for the records of a parser. */
SR_API void sr_record_free(struct sr_record *record);

/* Number of values. Value 0 is the message id, 1 the line number, and from 2 on
 * follow the values of the response template. */
SR_API size_t sr_record_size(const struct sr_record *record);

/* Value `i`, unquoted, as a C string; the record's, valid as long as it is. ""
 * if the row has no such value, or memory ran out. A value holding a NUL byte
 * seems to end there: sr_record_bytes() shows all of it. */
SR_API const char *sr_record_value(struct sr_record *record, size_t i);

/* Value `i`, unquoted, as bytes without a terminator; the record's. NULL, and
 * *ret_len 0, if the row has no such value, or memory ran out. */
SR_API const char *sr_record_bytes(struct sr_record *record, size_t i, size_t *ret_len);

/* SR_NONE if the row has no value `i`. */
SR_API enum sr_type sr_record_type(const struct sr_record *record, size_t i);

/* Value `i` as a number. Each returns 0; SR_E_NOTFOUND if the row has no such value;
 * SR_E_INVAL if it is not such a number or does not fit. A quoted number is
 * accepted. */
SR_API int sr_record_uint(struct sr_record *record, size_t i, uint64_t *ret_number);
SR_API int sr_record_int(struct sr_record *record, size_t i, int64_t *ret_number);
SR_API int sr_record_double(struct sr_record *record, size_t i, double *ret_number);

/* The row as it stands in the text, without its line end and the blanks in front
 * of it: offset and length in bytes. */
SR_API void sr_record_range(const struct sr_record *record, size_t *ret_offset,
                            size_t *ret_len);

#ifdef __cplusplus
}
#endif
#endif
