/* SPDX-License-Identifier: MIT */
#include "template/jsonpath.h"
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

enum { STEPS_MAX = 64 };

static const char invalid[] = "not a JSONPath",
                  lists[] = "a path must name one value: no `*`, `..`, `,` or `:`",
                  filters[] = "filters, `?(...)`, are not allowed";

/* A name without quotes has none of these, and nothing below them. */
static bool ends_name(char c)
{
    return (unsigned char)c <= ' ' || strchr(".[]()*@$,?'\"", c) != NULL;
}

/* The functions take what stands at *at, and return what is wrong with it. */

static const char *name(const char **at)
{
    const char *from = *at;

    while (!ends_name(**at))
        (*at)++;
    if (*at > from)
        return NULL;
    if (**at == '*' || **at == '.')
        return lists;
    return **at == '?' ? filters : "a name is missing";
}

/* Behind `['`. */
static const char *quoted_name(const char **at, char quote)
{
    const char *end = strchr(*at, quote);

    if (!end)
        return "a quote without its end";
    if (end[1] == ',')
        return lists;
    if (end[1] != ']' || end == *at)
        return end == *at ? "a name is missing" : "`]` is expected";
    *at = end + 2;
    return NULL;
}

/* Behind `[`, at a digit. */
static const char *list_index(const char **at)
{
    uint64_t number = 0;

    for (; **at >= '0' && **at <= '9'; (*at)++) {
        if (number > (UINT64_MAX - 9) / 10)
            return "the index is too large";
        number = number * 10 + (uint64_t)(**at - '0');
    }
    if (**at == ',' || **at == ':')
        return lists;
    if (**at != ']')
        return "`]` is expected";
    (*at)++;
    return NULL;
}

/* Behind `[`. */
static const char *bracket(const char **at)
{
    char c = **at;

    if (c == '\'' || c == '"') {
        (*at)++;
        return quoted_name(at, c);
    }
    if (c >= '0' && c <= '9')
        return list_index(at);
    if (c == '*' || c == ':')
        return lists;
    return c == '?' ? filters : "an index or a name in quotes is expected";
}

static const char *step(const char **at)
{
    char c = **at;

    if (c != '.' && c != '[')
        return c == '?' ? filters : invalid;
    (*at)++;
    return c == '.' ? name(at) : bracket(at);
}

const char *sr_jsonpath_wrong(const char *path, size_t *ret_offset)
{
    const char *at = path, *wrong = NULL;
    int steps = 0;

    if (*at == '$')
        at++;
    else if (*at != '[')
        wrong = name(&at), steps++;
    while (!wrong && *at) {
        wrong = step(&at);
        if (!wrong && ++steps > STEPS_MAX)
            wrong = "a path with more than 64 steps";
    }
    *ret_offset = (size_t)(at - path);
    return wrong;
}
