/* SPDX-License-Identifier: MIT */
#include "text.h"
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

/* --- UTF-8 ------------------------------------------------------------------ */

/* Bytes of the character at `text`, 0 if there is none: overlong forms, surrogates and
 * what is cut off included. */
static size_t decode(const unsigned char *text, size_t len, uint32_t *ret_point)
{
    static const uint32_t least[5] = { 0, 0, 0x80, 0x800, 0x10000 };
    size_t size = text[0] < 0x80   ? 1
                  : text[0] < 0xc0 ? 0
                  : text[0] < 0xe0 ? 2
                  : text[0] < 0xf0 ? 3
                  : text[0] < 0xf8 ? 4
                                   : 0;
    uint32_t point = size > 1 ? text[0] & (0xffu >> (size + 1)) : text[0];

    if (!size || size > len)
        return 0;
    for (size_t i = 1; i < size; i++) {
        if ((text[i] & 0xc0) != 0x80)
            return 0;
        point = point << 6 | (text[i] & 0x3f);
    }
    if (point < least[size] || point > 0x10ffff || (point >= 0xd800 && point < 0xe000))
        return 0;
    *ret_point = point;
    return size;
}

/* Controls, line separators, and what turns the direction of text. */
static bool is_plain(uint32_t point)
{
    return point >= 0x20 && !(point >= 0x7f && point < 0xa0) && point != 0x61c &&
           point != 0x200e && point != 0x200f &&
           !(point >= 0x2028 && point <= 0x202e) &&
           !(point >= 0x2066 && point <= 0x2069);
}

static bool is_utf8(const char *text, size_t len)
{
    uint32_t point;

    while (len) {
        size_t size = decode((const unsigned char *)text, len, &point);

        if (!size)
            return false;
        text += size;
        len -= size;
    }
    return true;
}

/* --- for people ------------------------------------------------------------- */

static void put_byte(FILE *out, unsigned char byte)
{
    switch (byte) {
    case '\n': fputs("\\n", out); break;
    case '\r': fputs("\\r", out); break;
    case '\t': fputs("\\t", out); break;
    case '\\': fputs("\\\\", out); break;
    default: fprintf(out, "\\x%02x", byte);
    }
}

void cli_put_escaped(FILE *out, const char *text, size_t len)
{
    uint32_t point = 0;

    while (len) {
        size_t size = decode((const unsigned char *)text, len, &point);

        if (size && is_plain(point) && point != '\\') {
            fwrite(text, 1, size, out);
        } else {
            put_byte(out, (unsigned char)*text);
            size = 1;
        }
        text += size;
        len -= size;
    }
}

const char *cli_colour(FILE *out, enum cli_colour colour)
{
    static const char *const codes[] = { "\033[m", "\033[31m", "\033[32m", "\033[33m" };
    const char *no_color = getenv("NO_COLOR"), *term = getenv("TERM");

    if ((no_color && *no_color) || !term || strcmp(term, "dumb") == 0 ||
        !isatty(fileno(out)))
        return "";
    return codes[colour];
}

/* --- for machines ------------------------------------------------------------- */

static void put_string(FILE *out, const char *text, size_t len)
{
    fputc('"', out);
    for (size_t i = 0; i < len; i++) {
        unsigned char byte = (unsigned char)text[i];

        if (byte == '"' || byte == '\\')
            fprintf(out, "\\%c", byte);
        else if (byte < 0x20 || byte == 0x7f)
            fprintf(out, "\\u%04x", byte);
        else
            fputc(byte, out);
    }
    fputc('"', out);
}

void cli_put_member(FILE *out, const char *name, const char *text, size_t len)
{
    if (is_utf8(text, len)) {
        fprintf(out, "\"%s\":", name);
        put_string(out, text, len);
        return;
    }
    fprintf(out, "\"%s_hex\":\"", name);
    for (size_t i = 0; i < len; i++)
        fprintf(out, "%02x", (unsigned char)text[i]);
    fputc('"', out);
}

/* --- numbers and times ---------------------------------------------------------- */

bool cli_read_number(const char *text, size_t len, uint64_t *ret_number)
{
    uint64_t number = 0;

    for (size_t i = 0; i < len; i++) {
        if (text[i] < '0' || text[i] > '9' ||
            __builtin_mul_overflow(number, 10, &number) ||
            __builtin_add_overflow(number, (uint64_t)(text[i] - '0'), &number))
            return false;
    }
    *ret_number = number;
    return len > 0;
}

const char *cli_time(int64_t wall_ms, char text[CLI_TIME_SIZE])
{
    int64_t ms = wall_ms % 1000;
    time_t seconds = (time_t)(wall_ms / 1000 - (ms < 0));
    struct tm tm = { 0 };
    size_t len;

    if (!gmtime_r(&seconds, &tm)) {
        snprintf(text, CLI_TIME_SIZE, "%" PRId64 "ms", wall_ms);
        return text;
    }
    len = strftime(text, CLI_TIME_SIZE, "%Y-%m-%dT%H:%M:%S", &tm);
    snprintf(text + len, CLI_TIME_SIZE - len, ".%03dZ", (int)(ms < 0 ? ms + 1000 : ms));
    return text;
}

static bool read_age(const char *text, int64_t now_ms, int64_t *ret_ms)
{
    static const char units[] = "smhd";
    static const int64_t unit_ms[] = { 1000, 60000, 3600000, 86400000 };
    size_t len = strlen(text);
    const char *unit = len > 1 ? strchr(units, text[len - 1]) : NULL;
    uint64_t number;

    if (!unit || !cli_read_number(text, len - 1, &number) || number > 100000000)
        return false;
    *ret_ms = now_ms - (int64_t)number * unit_ms[unit - units];
    return true;
}

/* "" or "Z", or a fraction in front of it. */
static bool read_fraction(const char *text, int64_t *ret_ms)
{
    int64_t unit = 100;

    *ret_ms = 0;
    if (*text == '.')
        for (text++; *text >= '0' && *text <= '9'; text++, unit /= 10)
            *ret_ms += (*text - '0') * unit;
    return !*text || strcmp(text, "Z") == 0;
}

bool cli_read_time(const char *text, int64_t now_ms, int64_t *ret_ms)
{
    static const char *const formats[] = { "%Y-%m-%dT%H:%M:%S", "%Y-%m-%dT%H:%M",
                                           "%Y-%m-%d" };

    if (read_age(text, now_ms, ret_ms))
        return true;
    for (size_t i = 0; i < sizeof formats / sizeof *formats; i++) {
        struct tm tm = { 0 };
        const char *rest = strptime(text, formats[i], &tm);
        int day = tm.tm_mday;
        int64_t ms, seconds;

        if (!rest || !read_fraction(rest, &ms))
            continue;
        seconds = timegm(&tm); /* makes March 2 of February 30 */
        *ret_ms = seconds * 1000 + ms;
        return tm.tm_mday == day;
    }
    return false;
}
