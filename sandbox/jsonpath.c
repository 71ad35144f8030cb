/* SPDX-License-Identifier: MIT */
#include "jsonpath.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#define INVALID "Invalid JsonPath"
#define LISTS \
    "Using JsonPath to refer to a list of objects is not allowed for SmartRest"
#define FILTERS "Using Filters (?) in JsonPath is not allowed for SmartRest"

enum { STEPS_MAX = 64 };

struct step {
    char *name; /* NULL: an index */
    size_t len;
    uint64_t index;
};

struct sb_jsonpath {
    size_t n;
    struct step step[STEPS_MAX];
    char text[]; /* what the names point into */
};

/* Bytes that end a bare name, or cannot be in one. */
static bool special(char c)
{
    return (unsigned char)c <= ' ' || strchr(".[]()*@$,?'\"", c) != NULL;
}

static const char *add_name(struct sb_jsonpath *path, char *name, size_t len)
{
    if (!len || path->n == STEPS_MAX)
        return INVALID;
    path->step[path->n++] = (struct step){ .name = name, .len = len };
    return NULL;
}

/* At a name: what it is that cannot be one. */
static const char *not_a_name(const char *at)
{
    return *at == '*' || *at == '.' ? LISTS : *at == '?' ? FILTERS : INVALID;
}

static const char *parse_name(struct sb_jsonpath *path, char **at)
{
    char *from = *at;

    while (**at && !special(**at))
        (*at)++;
    if (*at == from)
        return not_a_name(from);
    return add_name(path, from, (size_t)(*at - from));
}

/* Behind `['` or `["`. */
static const char *parse_quoted(struct sb_jsonpath *path, char **at, char quote)
{
    char *from = *at, *end = strchr(from, quote);
    const char *wrong;

    if (!end || (end[1] != ']' && end[1] != ','))
        return INVALID;
    if (end[1] == ',')
        return LISTS;
    wrong = add_name(path, from, (size_t)(end - from));
    *at = end + 2;
    return wrong;
}

/* Behind `[`, at a digit. */
static const char *parse_index(struct sb_jsonpath *path, char **at)
{
    uint64_t index = 0;

    for (; **at >= '0' && **at <= '9'; (*at)++) {
        if (index > (UINT64_MAX - 9) / 10)
            return INVALID;
        index = index * 10 + (uint64_t)(**at - '0');
    }
    if (**at == ',' || **at == ':')
        return LISTS;
    if (**at != ']' || path->n == STEPS_MAX)
        return INVALID;
    (*at)++;
    path->step[path->n++] = (struct step){ .index = index };
    return NULL;
}

static const char *parse_bracket(struct sb_jsonpath *path, char **at)
{
    char c = **at;

    if (c == '\'' || c == '"') {
        (*at)++;
        return parse_quoted(path, at, c);
    }
    if (c >= '0' && c <= '9')
        return parse_index(path, at);
    if (c == '*' || c == ':')
        return LISTS;
    return c == '?' ? FILTERS : INVALID;
}

static const char *parse_steps(struct sb_jsonpath *path, char *at)
{
    const char *wrong = NULL;

    if (*at == '$')
        at++;
    else
        wrong = *at == '[' ? NULL : parse_name(path, &at);
    while (!wrong && *at) {
        if (*at == '.') {
            at++;
            wrong = parse_name(path, &at);
        } else if (*at == '[') {
            at++;
            wrong = parse_bracket(path, &at);
        } else {
            wrong = *at == '?' ? FILTERS : INVALID;
        }
    }
    return wrong;
}

/* Only once all is parsed: what follows a name has been looked at by then. */
static void terminate_names(struct sb_jsonpath *path)
{
    size_t i;

    for (i = 0; i < path->n; i++)
        if (path->step[i].name)
            path->step[i].name[path->step[i].len] = '\0';
}

const char *sb_jsonpath_parse(const char *text, struct sb_jsonpath **ret_path)
{
    size_t size = strlen(text) + 1;
    struct sb_jsonpath *path = calloc(1, sizeof *path + size);
    const char *wrong;

    if (!path)
        return "out of memory";
    memcpy(path->text, text, size);
    wrong = parse_steps(path, path->text);
    if (wrong) {
        free(path);
        return wrong;
    }
    terminate_names(path);
    *ret_path = path;
    return NULL;
}

void sb_jsonpath_free(struct sb_jsonpath *path)
{
    free(path);
}

json_t *sb_jsonpath_find(const struct sb_jsonpath *path, json_t *value)
{
    size_t i;

    for (i = 0; value && i < path->n; i++) {
        const struct step *step = &path->step[i];

        if (step->name)
            value = json_object_get(value, step->name);
        else
            value = step->index < json_array_size(value)
                        ? json_array_get(value, (size_t)step->index)
                        : NULL;
    }
    return json_is_null(value) ? NULL : value;
}
