/* SPDX-License-Identifier: MIT */
/* Writing rows. Values are CSV-quoted when they need it, so that no value can
 * break a row. Where a template has text between the quotes of a JSON string
 * (`""%%""`), the value is to be sent for JSON (%pJ, sr_row_json()), so that it
 * cannot break that either.
 *
 *     sr_row_init(&row, 0)
 *     sr_row_format(&row, "103,%s,%.1f", id, load)      the values are known
 *     sr_row_format(&row, "106,%s,%pJ", id, sr_json(reason))
 *     sr_row_start(&row, 114)                           or one by one
 *     sr_row_string(&row, name) ...
 *     if (sr_row_error(&row)) ...
 *     sr_row_text(&row)
 *     sr_row_release(&row)
 *
 * A row may hold several rows: sr_row_start() and sr_row_format() begin a new
 * one behind what is there. An error sticks: later calls do nothing, and
 * sr_row_text() is "", so a row is whole or not there at all. */
#ifndef SMARTREST_ROW_H
#define SMARTREST_ROW_H

#include <smartrest/error.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* On the stack of the caller; the fields are the row's own. */
struct sr_row {
    char *data;
    size_t len, cap;
    size_t limit; /* bytes, 0 is none */
    int error;
};

/* `limit`: the text never grows beyond that many bytes; 0 is no limit. */
SR_API void sr_row_init(struct sr_row *row, size_t limit);
/* Empties the row and its error, keeps the memory. */
SR_API void sr_row_clear(struct sr_row *row);
/* Frees what the row holds. */
SR_API void sr_row_release(struct sr_row *row);

/* Begins a row with message id `id`. */
SR_API void sr_row_start(struct sr_row *row, unsigned id);

/* Each appends one value, to the row begun last; without one, the value is the
 * first of a row. `text` NULL is an empty value; `bytes` NULL, unless `len` is 0, the row's error
 * SR_E_INVAL. */
SR_API void sr_row_string(struct sr_row *row, const char *text);
SR_API void sr_row_bytes(struct sr_row *row, const char *bytes, size_t len);
SR_API void sr_row_int(struct sr_row *row, int64_t number);
SR_API void sr_row_uint(struct sr_row *row, uint64_t number);
/* Shortest decimal text that reads back as the same number, with a point whatever
 * the locale. Not finite: the row's error is SR_E_INVAL. */
SR_API void sr_row_double(struct sr_row *row, double number);

/* Appends `text` as the inside of a JSON string: templates put text between
 * quotes and the platform inserts it as it is (docs/protocol/smartrest1.md,
 * "Request templates"). A bare `"` or line feed in it makes the platform refuse the
 * row, and `x","type":"y` is stored as such. So `"`, `\` and control bytes are escaped
 * for JSON, then the value is quoted for CSV if it needs that. A byte that is no part of
 * UTF-8 (RFC 3629: a lone surrogate is none) becomes U+FFFD, since JSON is UTF-8.
 * `text` ends with the first NUL; its length has no bound but the row's limit.
 *     sr_row_json(&row, "say \"hi\"\n")
 *       -> "say \""hi\""\n" */
SR_API void sr_row_json(struct sr_row *row, const char *text);

/* Both append a row made like printf() makes text. Commas and line ends in `format`
 * part values and rows; what a conversion puts into a value never does: the
 * whole value is quoted if it needs it. A value that `format` itself writes in
 * quotes is quoted, and quotes inside it are doubled.
 *     sr_row_format(&row, "400,%s,%s", id, "5\" pipe, burst")
 *       -> 400,4711,"5"" pipe, burst"
 * Blanks in `format` in front of a value are skipped, and so are rows without any
 * value, the one behind a final line end among them.
 *
 * All of C11's conversions but %n (SR_E_INVAL), and one more:
 *
 *     %pJ   const char *   the text as sr_row_json() writes it; NULL is empty
 *
 * It has no flags, width, precision or length. To the compiler it is a %p with a letter
 * behind it, so -Wformat takes it; sr_json() below makes the argument one of which no
 * compiler complains. %p alone is a pointer, as in C; %p with another letter behind
 * it is kept for later (SR_E_INVAL).
 *
 * Numbers have a decimal point whatever the locale; a floating-point number that is not
 * finite is SR_E_INVAL, since the platform takes no row with `nan` or `inf`. %s with NULL is
 * an empty value. SR_E_INVAL, too: `format` NULL; a quote in it that never closes or has
 * more than `,` or a line end behind it. */
SR_API void sr_row_format(struct sr_row *row, const char *format, ...) SR_PRINTF(2, 3);
SR_API void sr_row_vformat(struct sr_row *row, const char *format, va_list args)
    SR_PRINTF(2, 0);

/* `text` as the argument of %pJ. gcc, and clang without -Wpedantic, take a plain
 * const char * there as well; but they take any other pointer, too, which this does not. */
static inline const void *sr_json(const char *text)
{
    return text;
}

/* 0, or what went wrong first: SR_E_NOMEM, SR_E_TOOBIG, SR_E_INVAL. */
SR_API int sr_row_error(const struct sr_row *row);
/* The text without a final line end; the row's, valid until it changes. */
SR_API const char *sr_row_text(const struct sr_row *row);
/* Bytes of it. */
SR_API size_t sr_row_len(const struct sr_row *row);

#ifdef __cplusplus
}
#endif
#endif
