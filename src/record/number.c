/* SPDX-License-Identifier: MIT */
/* printf() and strtod() write and read the decimal point of the locale, which is
 * the host program's business. So no text with a point passes through them here:
 * digits and exponent do, and "205e-1" reads the same everywhere. */
#include "record/number.h"

#include <float.h>
#include <limits.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static bool is_sign(char c)
{
    return c == '+' || c == '-';
}

/* --- reading ------------------------------------------------------------ */

/* The parts of a number; all point into the text. */
struct parts {
    bool negative;
    const char *whole, *fraction, *exponent; /* exponent: with its sign */
    size_t whole_len, fraction_len, exponent_len;
    bool is_float;
};

static size_t digits(const char *at, const char *end)
{
    const char *begin = at;

    while (at < end && is_digit(*at))
        at++;
    return (size_t)(at - begin);
}

/* False if the bytes are not a number from end to end. */
static bool split(const char *at, size_t len, struct parts *ret_parts)
{
    const char *end = at + len;
    struct parts p = { .negative = len && *at == '-' };

    if (len && is_sign(*at))
        at++;
    p.whole = at;
    p.whole_len = digits(at, end);
    at += p.whole_len;
    if (at < end && *at == '.') {
        p.is_float = true;
        p.fraction = ++at;
        p.fraction_len = digits(at, end);
        at += p.fraction_len;
    }
    if (p.whole_len + p.fraction_len == 0)
        return false;
    if (at < end && (*at == 'e' || *at == 'E')) {
        p.is_float = true;
        p.exponent = ++at;
        at += at < end && is_sign(*at);
        if (!digits(at, end))
            return false;
        at += digits(at, end);
        p.exponent_len = (size_t)(at - p.exponent);
    }
    *ret_parts = p;
    return at == end;
}

enum sr_type sr_number_type(const char *bytes, size_t len)
{
    struct parts p;

    if (!split(bytes, len, &p))
        return SR_STRING;
    return p.is_float ? SR_FLOAT : SR_INTEGER;
}

static int read_magnitude(const struct parts *p, uint64_t *ret_number)
{
    uint64_t number = 0;

    for (size_t i = 0; i < p->whole_len; i++) {
        unsigned digit = (unsigned)(p->whole[i] - '0');

        if (number > (UINT64_MAX - digit) / 10)
            return SR_E_INVAL;
        number = number * 10 + digit;
    }
    *ret_number = number;
    return 0;
}

int sr_number_read_uint(const char *bytes, size_t len, uint64_t *ret_number)
{
    struct parts p;

    if (!split(bytes, len, &p) || p.is_float || p.negative)
        return SR_E_INVAL;
    return read_magnitude(&p, ret_number);
}

int sr_number_read_int(const char *bytes, size_t len, int64_t *ret_number)
{
    struct parts p;
    uint64_t magnitude;

    if (!split(bytes, len, &p) || p.is_float || read_magnitude(&p, &magnitude))
        return SR_E_INVAL;
    if (magnitude > (uint64_t)INT64_MAX + p.negative)
        return SR_E_INVAL;
    if (!p.negative)
        *ret_number = (int64_t)magnitude;
    else /* INT64_MIN has no positive twin */
        *ret_number = magnitude ? -(int64_t)(magnitude - 1) - 1 : 0;
    return 0;
}

/* No double, and no point half-way between two, has more significant digits than
 * 768: of what follows it only matters whether all of it is zero. */
#define MAX_DIGITS 770

struct significant {
    char text[MAX_DIGITS + 32]; /* sign, digits, exponent */
    size_t len, count;          /* count: of digits */
    bool rest;                  /* a dropped digit was not zero */
    long long exponent;         /* of the last digit in `text` */
};

static void take_digits(struct significant *s, const char *from, size_t len,
                        bool fraction)
{
    for (size_t i = 0; i < len; i++) {
        bool zero = from[i] == '0';
        bool leading = zero && s->count == 0;
        bool room = s->count < MAX_DIGITS;

        if (!leading && room) {
            s->text[s->len++] = from[i];
            s->count++;
        } else if (!leading) {
            s->rest = s->rest || !zero;
        }
        if (fraction && (leading || room))
            s->exponent--;
        else if (!fraction && !leading && !room)
            s->exponent++;
    }
}

/* A number of at most SIZE_MAX digits: nothing beyond this bound can bring an
 * exponent back into the range of a double. */
#define EXPONENT_BOUND (LLONG_MAX / 4)

static long long read_exponent(const struct parts *p)
{
    long long exponent = 0;
    bool negative = p->exponent_len && *p->exponent == '-';

    for (size_t i = 0; i < p->exponent_len; i++)
        if (is_digit(p->exponent[i]) && exponent < EXPONENT_BOUND / 10)
            exponent = exponent * 10 + (p->exponent[i] - '0');
    return negative ? -exponent : exponent;
}

static int clamp(long long exponent)
{
    if (exponent > INT_MAX)
        return INT_MAX;
    return exponent < -INT_MAX ? -INT_MAX : (int)exponent;
}

int sr_number_read_double(const char *bytes, size_t len, double *ret_number)
{
    struct parts p;
    struct significant s = { .len = 0 };
    double number;

    if (!split(bytes, len, &p))
        return SR_E_INVAL;
    if (p.negative)
        s.text[s.len++] = '-';
    take_digits(&s, p.whole, p.whole_len, false);
    take_digits(&s, p.fraction, p.fraction_len, true);
    if (s.rest) {
        s.text[s.len++] = '1';
        s.exponent--;
    }
    if (s.count == 0) {
        *ret_number = p.negative ? -0.0 : 0.0;
        return 0;
    }
    snprintf(s.text + s.len, sizeof s.text - s.len, "e%d",
             clamp(s.exponent + read_exponent(&p)));
    number = strtod(s.text, NULL);
    if (!isfinite(number))
        return SR_E_INVAL;
    *ret_number = number;
    return 0;
}

/* --- writing ------------------------------------------------------------ */

/* The number digits * 10^exponent. */
struct decimal {
    uint64_t digits;
    int exponent;
};

static double decimal_value(const struct decimal *d)
{
    char text[48];

    snprintf(text, sizeof text, "%llue%d", (unsigned long long)d->digits, d->exponent);
    return strtod(text, NULL);
}

/* `number`, positive, rounded to `count` digits. */
static struct decimal round_to(double number, int count)
{
    char text[48];
    struct decimal d = { .digits = 0 };
    const char *at = text;

    snprintf(text, sizeof text, "%.*e", count - 1, number);
    for (; *at != 'e'; at++)
        if (is_digit(*at)) /* else it is the point of the locale */
            d.digits = d.digits * 10 + (uint64_t)(*at - '0');
    d.exponent = atoi(at + 1) - (count - 1);
    return d;
}

/* Below a power of two the doubles stand closer than above it, so the neighbour
 * of the nearest decimal may read back as `number` where the nearest does not. */
static bool reads_back(struct decimal *d, double number)
{
    static const int steps[] = { 0, 1, -2 };

    for (size_t i = 0; i < sizeof steps / sizeof *steps; i++) {
        d->digits += (uint64_t)(int64_t)steps[i];
        if (decimal_value(d) == number)
            return true;
    }
    return false;
}

static struct decimal shortest(double number)
{
    /* a text of up to 15 digits survives the way to a normal double and back */
    int count = number < DBL_MIN ? 1 : DBL_DIG;
    struct decimal d;

    do
        d = round_to(number, count);
    while (!reads_back(&d, number) && ++count <= DBL_DECIMAL_DIG);
    while (d.digits % 10 == 0) {
        d.digits /= 10;
        d.exponent++;
    }
    return d;
}

static size_t append(char *text, size_t len, const char *from, size_t count)
{
    memcpy(text + len, from, count);
    return len + count;
}

static size_t zeros(char *text, size_t len, int count)
{
    while (count-- > 0)
        text[len++] = '0';
    return len;
}

/* Where the point stands, counted from the first digit: plain digits for
 * 0.000001 up to 999999999999999999999, an exponent beyond. */
#define PLAIN_MIN (-5)
#define PLAIN_MAX 21

static size_t lay_out(char *text, size_t len, const struct decimal *d)
{
    char digit[24];
    int count = snprintf(digit, sizeof digit, "%llu", (unsigned long long)d->digits);
    int point = count + d->exponent;
    int plain = point >= PLAIN_MIN && point <= PLAIN_MAX;
    int whole = plain ? point : 1;

    if (whole <= 0) {
        len = append(text, len, "0.", 2);
        len = zeros(text, len, -whole);
        whole = 0;
    }
    len = append(text, len, digit, (size_t)(whole < count ? whole : count));
    len = zeros(text, len, whole - count);
    if (whole > 0 && whole < count)
        text[len++] = '.';
    if (whole < count)
        len = append(text, len, digit + whole, (size_t)(count - whole));
    if (!plain)
        len += (size_t)snprintf(text + len, SR_NUMBER_MAX - len, "e%d", point - 1);
    return len;
}

size_t sr_number_write(double number, char text[SR_NUMBER_MAX])
{
    struct decimal d;
    size_t len = 0;

    if (signbit(number))
        text[len++] = '-';
    if (number == 0) {
        text[len++] = '0';
    } else {
        d = shortest(fabs(number));
        len = lay_out(text, len, &d);
    }
    text[len] = '\0';
    return len;
}

/* Everything but the point that a conversion writes: digits, also hexadecimal,
 * signs, `x`, `e`, `p`, "inf", "nan", blanks. */
static bool is_number_byte(char c)
{
    return is_digit(c) || is_sign(c) || c == ' ' || (c >= 'a' && c <= 'z') ||
           (c >= 'A' && c <= 'Z');
}

size_t sr_number_fix_point(char *text, size_t len)
{
    size_t begin = 0, end;

    while (begin < len && is_number_byte(text[begin]))
        begin++;
    if (begin == len)
        return len;
    end = begin;
    while (end < len && !is_number_byte(text[end]))
        end++;
    text[begin++] = '.';
    memmove(text + begin, text + end, len - end);
    return begin + len - end;
}
