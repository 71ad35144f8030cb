/* SPDX-License-Identifier: MIT */
/* sr_row_format(): the format is read like a row, value by value; its conversions
 * go to the C library one at a time, each with the argument of its type. */
#include "record/format.h"
#include "record/number.h"
#include <limits.h>
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <sys/types.h>
#include <wchar.h>

struct scan {
    const char *at; /* in the format */
    va_list args;
};

/* --- one conversion ----------------------------------------------------- */

enum length { LEN_INT, LEN_HH, LEN_H, LEN_L, LEN_LL, LEN_J, LEN_Z, LEN_T, LEN_LDOUBLE };

/* %[flags][width][.precision][length]type */
struct conversion {
    char flags[8];
    int width, precision; /* -1: none */
    enum length length;
    char type;
};

static void add_flag(struct conversion *c, char flag)
{
    size_t len = strlen(c->flags);

    if (!strchr(c->flags, flag) && len + 1 < sizeof c->flags)
        c->flags[len] = flag;
}

/* C11's flags and POSIX' `'`, which parts thousands with something of the
 * locale's, and so does nothing here. */
static void read_flags(struct scan *scan, struct conversion *c)
{
    for (; *scan->at && strchr("-+ #0'", *scan->at); scan->at++)
        if (*scan->at != '\'')
            add_flag(c, *scan->at);
}

/* Digits or `*`. False if the number does not fit. */
static bool read_number(struct scan *scan, int *ret_number)
{
    int number = 0;

    if (*scan->at == '*') {
        scan->at++;
        *ret_number = va_arg(scan->args, int);
        return true;
    }
    for (; *scan->at >= '0' && *scan->at <= '9'; scan->at++) {
        if (number > (INT_MAX - 9) / 10)
            return false;
        number = number * 10 + (*scan->at - '0');
    }
    *ret_number = number;
    return true;
}

static bool read_width(struct scan *scan, struct conversion *c)
{
    c->width = -1;
    if (*scan->at != '*' && !(*scan->at >= '1' && *scan->at <= '9'))
        return true;
    if (!read_number(scan, &c->width) || c->width == INT_MIN)
        return false;
    if (c->width < 0) { /* from a `*`: left-justified */
        add_flag(c, '-');
        c->width = -c->width;
    }
    return true;
}

static bool read_precision(struct scan *scan, struct conversion *c)
{
    c->precision = -1;
    if (*scan->at != '.')
        return true;
    scan->at++;
    if (!read_number(scan, &c->precision))
        return false;
    if (c->precision < 0) /* from a `*`: as if there were none */
        c->precision = -1;
    return true;
}

static enum length read_length(struct scan *scan)
{
    static const struct {
        char text[3];
        enum length length;
    } lengths[] = {
        {"hh",  LEN_HH     },
        { "h",  LEN_H      },
        { "ll", LEN_LL     },
        { "l",  LEN_L      },
        { "j",  LEN_J      },
        { "z",  LEN_Z      },
        { "t",  LEN_T      },
        { "L",  LEN_LDOUBLE}
    };

    for (size_t i = 0; i < sizeof lengths / sizeof *lengths; i++) {
        size_t len = strlen(lengths[i].text);

        if (strncmp(scan->at, lengths[i].text, len) == 0) {
            scan->at += len;
            return lengths[i].length;
        }
    }
    return LEN_INT;
}

static bool read_conversion(struct scan *scan, struct conversion *ret_c)
{
    struct conversion c = { .flags = "" };

    read_flags(scan, &c);
    if (!read_width(scan, &c) || !read_precision(scan, &c))
        return false;
    c.length = read_length(scan);
    c.type = *scan->at;
    if (!c.type)
        return false;
    scan->at++;
    *ret_c = c;
    return true;
}

static intmax_t signed_argument(struct scan *scan, enum length length)
{
    switch (length) {
    case LEN_HH: return (signed char)va_arg(scan->args, int);
    case LEN_H: return (short)va_arg(scan->args, int);
    case LEN_L: return va_arg(scan->args, long);
    case LEN_LL: return va_arg(scan->args, long long);
    case LEN_J: return va_arg(scan->args, intmax_t);
    case LEN_Z: return va_arg(scan->args, ssize_t);
    case LEN_T: return va_arg(scan->args, ptrdiff_t);
    default: return va_arg(scan->args, int);
    }
}

static uintmax_t unsigned_argument(struct scan *scan, enum length length)
{
    switch (length) {
    case LEN_HH: return (unsigned char)va_arg(scan->args, unsigned);
    case LEN_H: return (unsigned short)va_arg(scan->args, unsigned);
    case LEN_L: return va_arg(scan->args, unsigned long);
    case LEN_LL: return va_arg(scan->args, unsigned long long);
    case LEN_J: return va_arg(scan->args, uintmax_t);
    case LEN_Z: return va_arg(scan->args, size_t);
    case LEN_T: return (size_t)va_arg(scan->args, ptrdiff_t);
    default: return va_arg(scan->args, unsigned);
    }
}

/* --- its text ----------------------------------------------------------- */

/* A format for one argument: the conversion without stars, its length `length`. */
struct spec {
    char text[48];
};

static struct spec spec_of(const struct conversion *c, const char *length)
{
    struct spec spec;
    size_t len = (size_t)snprintf(spec.text, sizeof spec.text, "%%%s", c->flags);

    if (c->width >= 0)
        len +=
            (size_t)snprintf(spec.text + len, sizeof spec.text - len, "%d", c->width);
    if (c->precision >= 0)
        len += (size_t)snprintf(spec.text + len, sizeof spec.text - len, ".%d",
                                c->precision);
    snprintf(spec.text + len, sizeof spec.text - len, "%s%c", length, c->type);
    return spec;
}

static bool put_long_double(struct sr_row *row, const struct conversion *c,
                            long double number)
{
    return isfinite(number) ? sr_row_print(row, spec_of(c, "L").text, number)
                            : sr_row_fail(row, SR_E_INVAL);
}

static bool put_double(struct sr_row *row, const struct conversion *c, double number)
{
    return isfinite(number) ? sr_row_print(row, spec_of(c, "").text, number)
                            : sr_row_fail(row, SR_E_INVAL);
}

static bool put_float(struct sr_row *row, struct scan *scan, const struct conversion *c)
{
    size_t start = row->len;
    bool ok;

    if (c->length == LEN_LDOUBLE)
        ok = put_long_double(row, c, va_arg(scan->args, long double));
    else if (c->length == LEN_INT || c->length == LEN_L)
        ok = put_double(row, c, va_arg(scan->args, double));
    else
        ok = sr_row_fail(row, SR_E_INVAL);
    if (ok)
        row->len = start + sr_number_fix_point(row->data + start, row->len - start);
    return ok;
}

static bool put_string(struct sr_row *row, struct scan *scan,
                       const struct conversion *c)
{
    const char *text = va_arg(scan->args, const char *);

    if (!text)
        text = "";
    if (c->width < 0 && c->precision < 0)
        return sr_row_append(row, text, strlen(text));
    return sr_row_print(row, spec_of(c, "").text, text);
}

static bool put_wide_string(struct sr_row *row, struct scan *scan,
                            const struct conversion *c)
{
    const wchar_t *text = va_arg(scan->args, const wchar_t *);

    return sr_row_print(row, spec_of(c, "l").text, text ? text : L"");
}

static bool put_text(struct sr_row *row, struct scan *scan, const struct conversion *c)
{
    if (c->length != LEN_INT && c->length != LEN_L)
        return sr_row_fail(row, SR_E_INVAL);
    if (c->type == 's' && c->length == LEN_L)
        return put_wide_string(row, scan, c);
    if (c->type == 's')
        return put_string(row, scan, c);
    if (c->length == LEN_L)
        return sr_row_print(row, spec_of(c, "l").text, va_arg(scan->args, wint_t));
    return sr_row_print(row, spec_of(c, "").text, va_arg(scan->args, int));
}

static bool put_integer(struct sr_row *row, struct scan *scan,
                        const struct conversion *c)
{
    if (c->length == LEN_LDOUBLE)
        return sr_row_fail(row, SR_E_INVAL);
    if (c->type == 'd' || c->type == 'i')
        return sr_row_print(row, spec_of(c, "j").text,
                            signed_argument(scan, c->length));
    return sr_row_print(row, spec_of(c, "j").text, unsigned_argument(scan, c->length));
}

static bool is_letter(char c)
{
    return (c | 0x20) >= 'a' && (c | 0x20) <= 'z';
}

/* %pJ is text for JSON; any other letter behind %p is kept for later. */
static bool put_pointer(struct sr_row *row, struct scan *scan,
                        const struct conversion *c)
{
    bool bare = !*c->flags && c->width < 0 && c->precision < 0;
    const void *pointer = va_arg(scan->args, const void *);

    if (c->length != LEN_INT)
        return sr_row_fail(row, SR_E_INVAL);
    if (!is_letter(*scan->at))
        return sr_row_print(row, spec_of(c, "").text, pointer);
    if (*scan->at != 'J' || !bare)
        return sr_row_fail(row, SR_E_INVAL);
    scan->at++;
    return sr_row_append_json(row, pointer ? pointer : "");
}

/* Stands behind the `%`. */
static bool put_conversion(struct sr_row *row, struct scan *scan)
{
    struct conversion c;

    if (*scan->at == '%') {
        scan->at++;
        return sr_row_append(row, "%", 1);
    }
    if (!read_conversion(scan, &c))
        return sr_row_fail(row, SR_E_INVAL);
    if (strchr("diouxX", c.type))
        return put_integer(row, scan, &c);
    if (strchr("aAeEfFgG", c.type))
        return put_float(row, scan, &c);
    if (strchr("cs", c.type))
        return put_text(row, scan, &c);
    if (c.type == 'p')
        return put_pointer(row, scan, &c);
    return sr_row_fail(row, SR_E_INVAL);
}

/* --- values and rows ---------------------------------------------------- */

static bool at_line_end(const char *at)
{
    return at[0] == '\n' || (at[0] == '\r' && at[1] == '\n');
}

static bool at_value_end(const char *at)
{
    return *at == '\0' || *at == ',' || at_line_end(at);
}

static void skip_blanks(struct scan *scan)
{
    scan->at += strspn(scan->at, " \t");
}

/* Literal bytes up to the next one that may mean something. */
static bool put_literal(struct sr_row *row, struct scan *scan)
{
    size_t len = 1 + strcspn(scan->at + 1, "%,\"\r\n");

    scan->at += len;
    return sr_row_append(row, scan->at - len, len);
}

static bool put_bare(struct sr_row *row, struct scan *scan)
{
    bool ok = true;

    while (ok && !at_value_end(scan->at))
        if (*scan->at == '%') {
            scan->at++;
            ok = put_conversion(row, scan);
        } else {
            ok = put_literal(row, scan);
        }
    return ok;
}

/* Stands behind the opening quote. */
static bool put_quoted(struct sr_row *row, struct scan *scan)
{
    bool ok = true;

    while (ok && *scan->at) {
        if (*scan->at == '%') {
            scan->at++;
            ok = put_conversion(row, scan);
        } else if (*scan->at != '"') {
            ok = put_literal(row, scan);
        } else if (scan->at[1] == '"') {
            scan->at += 2;
            ok = sr_row_append(row, "\"", 1);
        } else {
            scan->at++;
            return at_value_end(scan->at) || sr_row_fail(row, SR_E_INVAL);
        }
    }
    return ok && sr_row_fail(row, SR_E_INVAL); /* it never closed */
}

static bool put_value(struct sr_row *row, struct scan *scan, size_t row_start)
{
    size_t start = row->len;
    bool quoted, ok, lone;

    skip_blanks(scan);
    quoted = *scan->at == '"';
    scan->at += quoted;
    ok = quoted ? put_quoted(row, scan) : put_bare(row, scan);
    /* a row that is nothing but one empty value would be none */
    lone = row->len == row_start && *scan->at != ',';
    return ok && sr_row_end_value(row, start, quoted || lone);
}

static bool put_row(struct sr_row *row, struct scan *scan)
{
    size_t start;

    if (row->len > 0 && !sr_row_append(row, "\n", 1))
        return false;
    start = row->len;
    while (put_value(row, scan, start)) {
        if (*scan->at != ',')
            return true;
        scan->at++;
        if (!sr_row_append(row, ",", 1))
            return false;
    }
    return false;
}

void sr_row_vformat(struct sr_row *row, const char *format, va_list args)
{
    struct scan scan = { .at = format };
    bool ok = row && !row->error;

    if (!row)
        return;
    if (!format) {
        sr_row_fail(row, SR_E_INVAL);
        return;
    }
    va_copy(scan.args, args);
    skip_blanks(&scan);
    while (ok && *scan.at) {
        if (at_line_end(scan.at))
            scan.at++;
        else
            ok = put_row(row, &scan);
        skip_blanks(&scan);
    }
    va_end(scan.args);
}

void sr_row_format(struct sr_row *row, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    sr_row_vformat(row, format, args);
    va_end(args);
}
