/* SPDX-License-Identifier: MIT */
#include "template/json.h"
#include "record/number.h"
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

/* The rest of the text. Functions return true, or false with `wrong` and `at` set. */
struct json {
    const char *at, *end;
    const char *wrong;
};

static bool value(struct json *j, int depth);

static bool fail(struct json *j, const char *at, const char *wrong)
{
    j->at = at;
    j->wrong = wrong;
    return false;
}

/* The next byte behind white space, or -1 at the end. */
static int peek(struct json *j)
{
    while (j->at < j->end && strchr(" \t\r\n", *j->at) && *j->at)
        j->at++;
    return j->at < j->end ? (unsigned char)*j->at : -1;
}

static bool is_marker(char c)
{
    return c == SR_JSON_ANY || c == SR_JSON_NUMBER || c == SR_JSON_TIME;
}

/* --- strings ------------------------------------------------------------ */

/* Four hex digits at `at`, or -1. */
static long hex4(const struct json *j, const char *at)
{
    long code = 0;

    for (int i = 0; i < 4; i++, at++) {
        char c = at < j->end ? *at : '\0';
        char lower = (char)(c | 0x20);

        if (c >= '0' && c <= '9')
            code = code * 16 + (c - '0');
        else if (lower >= 'a' && lower <= 'f')
            code = code * 16 + (lower - 'a' + 10);
        else
            return -1;
    }
    return code;
}

/* Stands on the `u` of \uXXXX. */
static bool unicode_escape(struct json *j)
{
    const char *begin = j->at - 1;
    long code = hex4(j, j->at + 1), low;

    if (code < 0)
        return fail(j, begin, "\\u needs four hexadecimal digits");
    if (code == 0)
        return fail(j, begin, "\\u0000 is not allowed");
    j->at += 5;
    if (code < 0xd800 || code > 0xdfff)
        return true;
    low = j->end - j->at >= 6 && j->at[0] == '\\' && j->at[1] == 'u'
              ? hex4(j, j->at + 2)
              : -1;
    if (code > 0xdbff || low < 0xdc00 || low > 0xdfff)
        return fail(j, begin, "half a surrogate pair");
    j->at += 6;
    return true;
}

/* Stands behind a backslash. */
static bool escape(struct json *j)
{
    if (j->at < j->end && *j->at == 'u')
        return unicode_escape(j);
    if (j->at == j->end || !*j->at || !strchr("\"\\/bfnrt", *j->at))
        return fail(j, j->at - 1, "no such escape in a string");
    j->at++;
    return true;
}

/* Stands on the opening quote. */
static bool string(struct json *j)
{
    const char *begin = j->at++;

    while (j->at < j->end) {
        char c = *j->at++;

        if (c == '"')
            return true;
        if (c == '\\' && !escape(j))
            return false;
        if ((unsigned char)c < 0x20 && !is_marker(c))
            return fail(j, j->at - 1, "a control character in a string");
    }
    return fail(j, begin, "a string without an end");
}

/* --- words and numbers -------------------------------------------------- */

static bool is_digit(const char *at, const char *end)
{
    return at < end && ((*at >= '0' && *at <= '9') || *at == SR_JSON_NUMBER);
}

static const char *digits(const char *at, const char *end)
{
    while (is_digit(at, end))
        at++;
    return at;
}

/* -?(0|[1-9][0-9]*)(.[0-9]+)?([eE][+-]?[0-9]+)? */
static bool number_grammar(const char *at, const char *end, bool *ret_integer)
{
    const char *from;

    at += at < end && *at == '-';
    from = at;
    at = digits(at, end);
    if (at == from || (*from == '0' && at - from > 1))
        return false;
    *ret_integer = at == end;
    if (at < end && *at == '.') {
        from = ++at;
        at = digits(at, end);
        if (at == from)
            return false;
    }
    if (at < end && (*at == 'e' || *at == 'E')) {
        at += 1 + (end - at > 1 && (at[1] == '+' || at[1] == '-'));
        from = at;
        at = digits(at, end);
        if (at == from)
            return false;
    }
    return at == end;
}

static bool number(struct json *j, const char *begin, size_t len)
{
    bool integer;
    int64_t whole;
    double real;

    if (!number_grammar(begin, begin + len, &integer))
        return fail(j, begin, "neither a value nor a number");
    if (memchr(begin, SR_JSON_NUMBER, len))
        return true;
    if (integer ? sr_number_read_int(begin, len, &whole)
                : sr_number_read_double(begin, len, &real))
        return fail(j, begin, "the number is too large");
    return true;
}

static bool is_word_byte(char c)
{
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
           c == '+' || c == '-' || c == '.' || is_marker(c);
}

static bool is_word(const char *begin, size_t len, const char *word)
{
    return strlen(word) == len && memcmp(begin, word, len) == 0;
}

/* Whatever stands there without quotes. */
static bool bare(struct json *j)
{
    const char *begin = j->at, *time;
    size_t len;

    while (j->at < j->end && is_word_byte(*j->at))
        j->at++;
    len = (size_t)(j->at - begin);
    if (!len)
        return fail(j, begin, "a value is expected");
    time = memchr(begin, SR_JSON_TIME, len);
    if (time)
        return fail(j, time, "a time (DATE, NOW) outside quotes is not JSON");
    if (memchr(begin, SR_JSON_ANY, len) || is_word(begin, len, "true") ||
        is_word(begin, len, "false") || is_word(begin, len, "null"))
        return true;
    return number(j, begin, len);
}

/* --- objects and lists -------------------------------------------------- */

/* The name of a member; or an argument, that may be whole members. */
static bool member(struct json *j, int depth)
{
    int c = peek(j);
    bool any = c == SR_JSON_ANY;

    if (any)
        j->at++;
    else if (c != '"')
        return fail(j, j->at, "the name of a member, in quotes, is expected");
    else if (!string(j))
        return false;
    if (peek(j) != ':')
        return any || fail(j, j->at, "`:` is expected");
    j->at++;
    return value(j, depth + 1);
}

static bool element(struct json *j, int depth)
{
    return value(j, depth + 1);
}

/* Stands on the opening bracket. */
static bool items(struct json *j, int depth, char close,
                  bool (*item)(struct json *j, int depth))
{
    const char *wrong =
        close == '}' ? "`,` or `}` is expected" : "`,` or `]` is expected";
    int c;

    j->at++;
    if (peek(j) == close) {
        j->at++;
        return true;
    }
    do {
        if (!item(j, depth))
            return false;
        c = peek(j);
        if (c != ',' && c != close)
            return fail(j, j->at, wrong);
        j->at++;
    } while (c == ',');
    return true;
}

static bool value(struct json *j, int depth)
{
    int c = peek(j);

    if (depth > SR_JSON_DEPTH)
        return fail(j, j->at, "nested deeper than 100 levels");
    switch (c) {
    case '{': return items(j, depth, '}', member);
    case '[': return items(j, depth, ']', element);
    case '"': return string(j);
    default: return bare(j);
    }
}

const char *sr_json_wrong(const char *text, size_t len, size_t *ret_offset)
{
    struct json j = { .at = text, .end = text + len };
    int c = peek(&j);

    if (c != '{' && c != '[' && c != SR_JSON_ANY)
        fail(&j, j.at, "an object or a list is expected");
    else if (value(&j, 1) && peek(&j) >= 0)
        fail(&j, j.at, "text behind the end of the JSON");
    *ret_offset = (size_t)(j.at - text);
    return j.wrong;
}

/* --- the strings of what is right --------------------------------------- */

/* Where the string ends that begins at `at`: at its closing quote. */
static size_t string_end(const char *text, size_t at)
{
    while (text[at] != '"')
        at += text[at] == '\\' ? 2 : 1;
    return at;
}

void sr_json_strings(const char *text, size_t len,
                     void (*fn)(const struct sr_json_string *string, void *arg),
                     void *arg)
{
    struct json j = { .at = text, .end = text + len };
    struct sr_json_string string = { .depth = 0 };

    while (peek(&j) >= 0) {
        char c = *j.at++;

        string.depth += (c == '{' || c == '[') - (c == '}' || c == ']');
        if (c != '"')
            continue;
        string.begin = (size_t)(j.at - text);
        string.end = string_end(text, string.begin);
        j.at = text + string.end + 1;
        string.is_name = peek(&j) == ':';
        fn(&string, arg);
    }
}
