/* SPDX-License-Identifier: MIT */
/* Records to bytes: one value after the other is appended as it is, and quoted in
 * place afterwards if it turns out to need it. */
#include "record/format.h"
#include "record/number.h"
#include "record/utf8.h"
#include <inttypes.h>
#include <math.h>
#include <smartrest/row.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* --- text --------------------------------------------------------------- */

void sr_row_init(struct sr_row *row, size_t limit)
{
    if (row)
        *row = (struct sr_row){ .limit = limit };
}

void sr_row_clear(struct sr_row *row)
{
    if (!row)
        return;
    row->len = 0;
    row->error = 0;
}

void sr_row_release(struct sr_row *row)
{
    if (!row)
        return;
    free(row->data);
    sr_row_init(row, row->limit);
}

int sr_row_error(const struct sr_row *row)
{
    return row ? row->error : SR_E_INVAL;
}

const char *sr_row_text(const struct sr_row *row)
{
    return !row || row->error || row->len == 0 ? "" : row->data;
}

size_t sr_row_len(const struct sr_row *row)
{
    return !row || row->error ? 0 : row->len;
}

bool sr_row_fail(struct sr_row *row, int error)
{
    if (!row->error)
        row->error = error;
    return false;
}

/* Room for `more` bytes and a terminator. False, with the row's error set, if
 * there is none; the limit is met before memory is asked for. */
static bool reserve(struct sr_row *row, size_t more)
{
    size_t cap = row->cap * 2 < 64 ? 64 : row->cap * 2;
    char *data;

    if (row->error)
        return false;
    if (row->limit && more > row->limit - row->len)
        return sr_row_fail(row, SR_E_TOOBIG);
    if (more < row->cap - row->len)
        return true;
    if (more > SIZE_MAX / 4 - row->len)
        return sr_row_fail(row, SR_E_NOMEM);
    if (cap < row->len + more + 1)
        cap = row->len + more + 1;
    data = realloc(row->data, cap);
    if (!data)
        return sr_row_fail(row, SR_E_NOMEM);
    row->data = data;
    row->cap = cap;
    return true;
}

bool sr_row_append(struct sr_row *row, const char *bytes, size_t len)
{
    if (!reserve(row, len))
        return false;
    if (len)
        memcpy(row->data + row->len, bytes, len);
    row->len += len;
    row->data[row->len] = '\0';
    return true;
}

bool sr_row_print(struct sr_row *row, const char *format, ...)
{
    va_list args, again;
    size_t room = row->cap - row->len;
    int len;
    bool ok = !row->error;

    if (!ok)
        return false;
    va_start(args, format);
    va_copy(again, args);
    len = vsnprintf(row->data ? row->data + row->len : NULL, room, format, args);
    if (len < 0)
        ok = sr_row_fail(row, SR_E_INVAL);
    else
        ok = reserve(row, (size_t)len);
    if (ok && (size_t)len >= room)
        vsnprintf(row->data + row->len, (size_t)len + 1, format, again);
    if (ok)
        row->len += (size_t)len;
    va_end(again);
    va_end(args);
    return ok;
}

/* --- quoting ------------------------------------------------------------ */

static bool is_space(char c)
{
    return c == ' ' || (c >= '\t' && c <= '\r');
}

static bool needs_quotes(const char *value, size_t len)
{
    if (len == 0)
        return false;
    if (is_space(value[0]) || is_space(value[len - 1]))
        return true;
    for (size_t i = 0; i < len; i++)
        if (value[i] == '"' || value[i] == ',' || value[i] == '\n' ||
            value[i] == '\r' || value[i] == '\t')
            return true;
    return false;
}

static size_t count_quotes(const char *value, size_t len)
{
    size_t count = 0;

    for (size_t i = 0; i < len; i++)
        count += value[i] == '"';
    return count;
}

/* Quotes what stands from `start` on, from its end to its beginning, so that no
 * byte is overwritten before it was moved. */
static bool quote(struct sr_row *row, size_t start)
{
    size_t len = row->len - start;
    size_t more = 2 + count_quotes(row->data + start, len);
    char *from, *to;

    if (!reserve(row, more))
        return false;
    from = row->data + row->len;
    row->len += more;
    to = row->data + row->len;
    *to = '\0';
    *--to = '"';
    while (len-- > 0) {
        *--to = *--from;
        if (*from == '"')
            *--to = '"';
    }
    *--to = '"';
    return true;
}

bool sr_row_end_value(struct sr_row *row, size_t start, bool quoted)
{
    if (row->error)
        return false;
    if (quoted || needs_quotes(row->data + start, row->len - start))
        return quote(row, start);
    return true;
}

/* --- value by value ----------------------------------------------------- */

/* Returns where the value begins. */
static size_t begin_value(struct sr_row *row)
{
    if (row->len > 0)
        sr_row_append(row, ",", 1);
    return row->len;
}

/* The first value of all, if it is empty, has to be quoted: else it would not be
 * there. */
static void end_value(struct sr_row *row, size_t start)
{
    sr_row_end_value(row, start, row->len == 0);
}

void sr_row_start(struct sr_row *row, unsigned id)
{
    if (!row)
        return;
    if (row->len > 0)
        sr_row_append(row, "\n", 1);
    sr_row_print(row, "%u", id);
}

void sr_row_string(struct sr_row *row, const char *text)
{
    sr_row_bytes(row, text, text ? strlen(text) : 0);
}

void sr_row_bytes(struct sr_row *row, const char *bytes, size_t len)
{
    size_t start;

    if (!row)
        return;
    if (!bytes && len) {
        sr_row_fail(row, SR_E_INVAL);
        return;
    }
    start = begin_value(row);
    sr_row_append(row, bytes, len);
    end_value(row, start);
}

void sr_row_int(struct sr_row *row, int64_t number)
{
    if (!row)
        return;
    begin_value(row);
    sr_row_print(row, "%" PRId64, number);
}

void sr_row_uint(struct sr_row *row, uint64_t number)
{
    if (!row)
        return;
    begin_value(row);
    sr_row_print(row, "%" PRIu64, number);
}

void sr_row_double(struct sr_row *row, double number)
{
    char text[SR_NUMBER_MAX];

    if (!row)
        return;
    if (!isfinite(number)) {
        sr_row_fail(row, SR_E_INVAL);
        return;
    }
    begin_value(row);
    sr_row_append(row, text, sr_number_write(number, text));
}

/* --- JSON --------------------------------------------------------------- */

/* What stands behind the backslash of a byte that JSON escapes; 0 if the byte
 * stands for itself, `u` if it has no short form. */
static char json_escape(unsigned char c)
{
    static const char shorts[] = "\"\"\\\\\bb\ff\nn\rr\tt";

    for (size_t i = 0; i + 1 < sizeof shorts; i += 2)
        if (c == (unsigned char)shorts[i])
            return shorts[i + 1];
    return c < 0x20 ? 'u' : 0;
}

/* Bytes from `text` on that JSON takes as they are: a character of UTF-8. */
static size_t plain_len(const char *text)
{
    uint32_t point;

    return json_escape((unsigned char)*text) ? 0 : sr_utf8_decode(text, &point);
}

/* What stands for the byte `c`, which is no plain character. */
static bool append_escape(struct sr_row *row, unsigned char c)
{
    char escape = json_escape(c);

    if (escape == 'u')
        return sr_row_print(row, "\\u%04x", c);
    if (escape)
        return sr_row_print(row, "\\%c", escape);
    return sr_row_append(row, "\xef\xbf\xbd", 3); /* U+FFFD: not UTF-8 */
}

bool sr_row_append_json(struct sr_row *row, const char *text)
{
    const char *plain = text;

    while (!row->error && *text) {
        size_t len = plain_len(text);

        if (len) {
            text += len;
            continue;
        }
        sr_row_append(row, plain, (size_t)(text - plain));
        append_escape(row, (unsigned char)*text);
        plain = ++text;
    }
    return sr_row_append(row, plain, (size_t)(text - plain));
}

void sr_row_json(struct sr_row *row, const char *text)
{
    size_t start;

    if (!row)
        return;
    start = begin_value(row);
    sr_row_append_json(row, text ? text : "");
    end_value(row, start);
}
