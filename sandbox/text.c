/* SPDX-License-Identifier: MIT */
#include "text.h"

#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* More than any request or answer here has; a bound from birth. */
#define TEXT_MAX ((size_t)256 * 1024 * 1024)

static bool reserve(struct sb_text *text, size_t more)
{
    size_t need, cap;
    char *data;

    if (text->failed)
        return false;
    if (more >= TEXT_MAX || text->len + more >= TEXT_MAX) {
        text->failed = true;
        return false;
    }
    need = text->len + more + 1;
    if (need <= text->cap)
        return true;
    cap = text->cap ? text->cap * 2 : 128;
    if (cap < need)
        cap = need;
    data = realloc(text->data, cap);
    if (!data) {
        text->failed = true;
        return false;
    }
    text->data = data;
    text->cap = cap;
    return true;
}

void sb_text_add(struct sb_text *text, const char *bytes, size_t len)
{
    if (!reserve(text, len))
        return;
    if (len)
        memcpy(text->data + text->len, bytes, len);
    text->len += len;
    text->data[text->len] = '\0';
}

void sb_text_puts(struct sb_text *text, const char *string)
{
    sb_text_add(text, string, strlen(string));
}

static void vformat(struct sb_text *text, const char *format, va_list args)
{
    va_list again;
    int len;

    va_copy(again, args);
    len = vsnprintf(NULL, 0, format, again);
    va_end(again);
    if (len < 0) {
        text->failed = true;
        return;
    }
    if (!reserve(text, (size_t)len))
        return;
    vsnprintf(text->data + text->len, (size_t)len + 1, format, args);
    text->len += (size_t)len;
}

void sb_text_format(struct sb_text *text, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    vformat(text, format, args);
    va_end(args);
}

void sb_text_clear(struct sb_text *text)
{
    text->len = 0;
    text->failed = false;
    if (text->data)
        text->data[0] = '\0';
}

const char *sb_text_get(const struct sb_text *text)
{
    return text->data && !text->failed ? text->data : "";
}

char *sb_text_take(struct sb_text *text, size_t *ret_len)
{
    char *data = text->data;

    if (text->failed || !text->len) {
        sb_text_release(text);
        return NULL;
    }
    if (ret_len)
        *ret_len = text->len;
    *text = (struct sb_text){ 0 };
    return data;
}

void sb_text_release(struct sb_text *text)
{
    free(text->data);
    *text = (struct sb_text){ 0 };
}

char *sb_format(const char *format, ...)
{
    struct sb_text text = { 0 };
    va_list args;

    va_start(args, format);
    vformat(&text, format, args);
    va_end(args);
    return sb_text_take(&text, NULL);
}
