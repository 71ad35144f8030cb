/* SPDX-License-Identifier: MIT */
#include "json.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static bool too_deep(const json_t *value, int depth)
{
    const char *key;
    json_t *member;
    size_t i;

    if (depth > SB_JSON_DEPTH)
        return true;
    if (json_is_array(value)) {
        json_array_foreach(value, i,
                           member) if (too_deep(member, depth + 1)) return true;
    } else if (json_is_object(value)) {
        /* jansson's iterators take no const, and change nothing */
        void *at = json_object_iter((json_t *)(uintptr_t)value);
        for (; at; at = json_object_iter_next((json_t *)(uintptr_t)value, at)) {
            key = json_object_iter_key(at);
            member = json_object_iter_value(at);
            if (key && too_deep(member, depth + 1))
                return true;
        }
    }
    return false;
}

json_t *sb_json_read(const char *bytes, size_t len, char *ret_error)
{
    json_error_t error;
    json_t *value = json_loadb(bytes, len, 0, &error);

    if (!value) {
        snprintf(ret_error, SB_JSON_ERROR, "not valid JSON at byte %d: %.120s",
                 error.position, error.text);
        return NULL;
    }
    if (too_deep(value, 1)) {
        snprintf(ret_error, SB_JSON_ERROR, "JSON nested deeper than %d levels",
                 SB_JSON_DEPTH);
        json_decref(value);
        return NULL;
    }
    return value;
}

static void write_string(struct sb_text *text, const char *s, size_t len)
{
    size_t from = 0, i;

    sb_text_add(text, "\"", 1);
    for (i = 0; i < len; i++) {
        unsigned char c = (unsigned char)s[i];

        if (c >= 0x20 && c != '"' && c != '\\')
            continue;
        sb_text_add(text, s + from, i - from);
        from = i + 1;
        if (c == '"' || c == '\\')
            sb_text_format(text, "\\%c", c);
        else if (c == '\n')
            sb_text_add(text, "\\n", 2);
        else if (c == '\r')
            sb_text_add(text, "\\r", 2);
        else if (c == '\t')
            sb_text_add(text, "\\t", 2);
        else
            sb_text_format(text, "\\u%04x", c);
    }
    sb_text_add(text, s + from, len - from);
    sb_text_add(text, "\"", 1);
}

static void write_real(struct sb_text *text, double number)
{
    char digits[40];
    bool whole = true;
    int precision;
    char *p;

    for (precision = 15; precision <= 17; precision++) {
        snprintf(digits, sizeof digits, "%.*g", precision, number);
        if (strtod(digits, NULL) == number)
            break;
    }
    for (p = digits; *p; p++) {
        if (strchr("0123456789-+", *p))
            continue;
        whole = false;
        if (*p != 'e')
            *p = '.'; /* whatever the locale calls it */
    }
    sb_text_puts(text, digits);
    if (whole)
        sb_text_add(text, ".0", 2); /* stays a real when read again */
}

static void write_object(struct sb_text *text, const json_t *object)
{
    json_t *o = (json_t *)(uintptr_t)object;
    void *at = json_object_iter(o);
    const char *comma = "";

    sb_text_add(text, "{", 1);
    for (; at; at = json_object_iter_next(o, at)) {
        const char *key = json_object_iter_key(at);

        sb_text_puts(text, comma);
        write_string(text, key, strlen(key));
        sb_text_add(text, ":", 1);
        sb_json_write(text, json_object_iter_value(at));
        comma = ",";
    }
    sb_text_add(text, "}", 1);
}

static void write_array(struct sb_text *text, const json_t *array)
{
    json_t *member;
    size_t i;

    sb_text_add(text, "[", 1);
    json_array_foreach(array, i, member)
    {
        if (i)
            sb_text_add(text, ",", 1);
        sb_json_write(text, member);
    }
    sb_text_add(text, "]", 1);
}

void sb_json_write(struct sb_text *text, const json_t *value)
{
    if (!value) {
        text->failed = true; /* an allocation failed on the way here */
        return;
    }
    switch (json_typeof(value)) {
    case JSON_OBJECT: write_object(text, value); break;
    case JSON_ARRAY: write_array(text, value); break;
    case JSON_STRING:
        write_string(text, json_string_value(value), json_string_length(value));
        break;
    case JSON_INTEGER:
        sb_text_format(text, "%" JSON_INTEGER_FORMAT, json_integer_value(value));
        break;
    case JSON_REAL: write_real(text, json_real_value(value)); break;
    case JSON_TRUE: sb_text_add(text, "true", 4); break;
    case JSON_FALSE: sb_text_add(text, "false", 5); break;
    case JSON_NULL: sb_text_add(text, "null", 4); break;
    }
}

const char *sb_json_text(const json_t *object, const char *key)
{
    return json_string_value(json_object_get(object, key));
}

void sb_json_set_text(json_t *object, const char *key, const char *value)
{
    if (value)
        json_object_set_new(object, key, json_string(value));
    else
        json_object_del(object, key);
}

void sb_json_merge(json_t *object, const json_t *patch)
{
    json_t *p = (json_t *)(uintptr_t)patch;
    void *at = json_object_iter(p);

    for (; at; at = json_object_iter_next(p, at)) {
        const char *key = json_object_iter_key(at);
        json_t *value = json_object_iter_value(at);

        if (json_is_null(value))
            json_object_del(object, key);
        else
            json_object_set(object, key, value);
    }
}
