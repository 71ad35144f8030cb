/* SPDX-License-Identifier: MIT */
#include "binary/member.h"

#include <string.h>

/* What is left of the text. */
struct text {
    const char *at, *end;
};

static void skip_blanks(struct text *text)
{
    while (text->at < text->end && memchr(" \t\r\n", *text->at, 4))
        text->at++;
}

static bool skip_byte(struct text *text, char byte)
{
    skip_blanks(text);
    if (text->at == text->end || *text->at != byte)
        return false;
    text->at++;
    return true;
}

/* A string; *ret is what is between its quotes, escapes as they are. */
static bool skip_string(struct text *text, struct text *ret)
{
    if (!skip_byte(text, '"'))
        return false;
    ret->at = text->at;
    while (text->at < text->end && *text->at != '"')
        text->at += *text->at == '\\' && text->end - text->at > 1 ? 2 : 1;
    ret->end = text->at;
    return skip_byte(text, '"');
}

/* An object or list: until as many are closed as were opened. */
static bool skip_nested(struct text *text)
{
    struct text ignored;
    size_t depth = 0;

    do {
        skip_blanks(text);
        if (text->at == text->end)
            return false;
        if (*text->at == '"') {
            if (!skip_string(text, &ignored))
                return false;
            continue;
        }
        depth += *text->at == '{' || *text->at == '[';
        depth -= *text->at == '}' || *text->at == ']';
        text->at++;
    } while (depth);
    return true;
}

static bool skip_plain(struct text *text, struct text *ret)
{
    ret->at = text->at;
    while (text->at < text->end && !memchr(",}] \t\r\n", *text->at, 7))
        text->at++;
    ret->end = text->at;
    return ret->end > ret->at;
}

/* *ret: what is between a string's quotes, an object, list or number as it is; else empty. */
static bool skip_value(struct text *text, struct text *ret)
{
    skip_blanks(text);
    if (text->at == text->end)
        return false;
    if (*text->at == '"')
        return skip_string(text, ret);
    ret->at = ret->end = text->at;
    if (*text->at == '{' || *text->at == '[') {
        if (!skip_nested(text))
            return false;
        ret->end = text->at;
        return true;
    }
    if (*text->at >= '0' && *text->at <= '9')
        return skip_plain(text, ret);
    return skip_plain(text, &(struct text){ 0 });
}

static bool is_id_byte(char c)
{
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
           c == '-' || c == '_';
}

static bool copy_id(const struct text *value, char *ret, size_t size)
{
    size_t len = (size_t)(value->end - value->at);

    if (!len || len >= size)
        return false;
    for (size_t i = 0; i < len; i++)
        if (!is_id_byte(value->at[i]))
            return false;
    memcpy(ret, value->at, len);
    ret[len] = '\0';
    return true;
}

static bool find(const char *json, size_t len, const char *name, struct text *ret)
{
    struct text text = { json, json + len }, key;
    size_t name_len = strlen(name);

    if (!skip_byte(&text, '{'))
        return false;
    do {
        if (!skip_string(&text, &key) || !skip_byte(&text, ':') ||
            !skip_value(&text, ret))
            return false;
        if ((size_t)(key.end - key.at) == name_len && !memcmp(key.at, name, name_len))
            return true;
    } while (skip_byte(&text, ','));
    return false;
}

bool sr_json_id(const char *json, size_t len, const char *name, char *ret, size_t size)
{
    struct text value;

    return find(json, len, name, &value) && copy_id(&value, ret, size);
}

bool sr_json_is(const char *json, size_t len, const char *path, const char *text)
{
    const char *dot = strchr(path, '.');
    char name[32];
    struct text value;
    size_t name_len = dot ? (size_t)(dot - path) : strlen(path);

    if (name_len >= sizeof name)
        return false;
    memcpy(name, path, name_len);
    name[name_len] = '\0';
    if (!find(json, len, name, &value))
        return false;
    len = (size_t)(value.end - value.at);
    if (dot)
        return sr_json_is(value.at, len, dot + 1, text);
    return len && len == strlen(text) && !memcmp(value.at, text, len);
}

/* Ends with /<id>. */
static bool leads_to(const char *link, size_t len, const char *id)
{
    size_t n = strlen(id);

    return len > n && link[len - n - 1] == '/' && !memcmp(link + len - n, id, n);
}

bool sr_json_created(const char *json, size_t len, const char *location, char *ret_id,
                     size_t size)
{
    struct text self;

    if (!sr_json_id(json, len, "id", ret_id, size))
        return false;
    if ((location && leads_to(location, strlen(location), ret_id)) ||
        (find(json, len, "self", &self) &&
         leads_to(self.at, (size_t)(self.end - self.at), ret_id)))
        return true;
    *ret_id = '\0';
    return false;
}

bool sr_binary_id_valid(const char *id)
{
    size_t len = id ? strlen(id) : 0;

    if (!len || len > SR_BINARY_ID_MAX)
        return false;
    while (len--)
        if (!is_id_byte(id[len]))
            return false;
    return true;
}
