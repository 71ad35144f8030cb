/* SPDX-License-Identifier: MIT */
#include "expand.h"

#include "datetime.h"

#include <stdlib.h>
#include <string.h>

/* Where we are: places are counted through URI and body. */
struct cursor {
    const struct sb_request_template *t;
    struct sr_record *record;
    size_t place, argument;
};

static void fill_place(struct cursor *at, struct sb_text *out)
{
    char now[SB_TIME_SIZE];
    const char *bytes;
    size_t len;

    if (at->place < at->t->n_types && at->t->type[at->place] == SB_NOW) {
        sb_text_puts(out, sb_time_format(sb_time_now(), now));
    } else {
        bytes = sr_record_bytes(at->record, at->argument++, &len);
        if (bytes)
            sb_text_add(out, bytes, len);
        else
            out->failed = true;
    }
    at->place++;
}

static void fill(struct cursor *at, const char *text, struct sb_text *out)
{
    const char *placeholder = at->t->placeholder, *found;
    size_t len = strlen(placeholder);

    while (len && (found = strstr(text, placeholder))) {
        sb_text_add(out, text, (size_t)(found - text));
        fill_place(at, out);
        text = found + len;
    }
    sb_text_puts(out, text);
}

static int hex(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    c |= 0x20;
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* In place. A path is plain bytes afterwards; NUL and controls are none. */
static bool decode_path(char *path)
{
    char *out = path;

    for (; *path; path++) {
        if (*path == '%') {
            int high = hex(path[1]), low = high < 0 ? -1 : hex(path[2]);

            if (low < 0)
                return false;
            *out = (char)(high * 16 + low);
            path += 2;
        } else {
            *out = *path;
        }
        if ((unsigned char)*out++ < ' ')
            return false;
    }
    *out = '\0';
    return true;
}

/* Cuts the URI at its `?`. */
static bool split(struct sb_target *target)
{
    char *uri = target->uri.data, *query;

    if (target->uri.failed || !uri || strlen(uri) != target->uri.len)
        return false;
    query = strchr(uri, '?');
    if (query)
        *query++ = '\0';
    target->path = uri;
    target->query = query ? query : "";
    return decode_path(uri);
}

bool sb_expand(const struct sb_request_template *t, struct sr_record *record,
               struct sb_target *target)
{
    struct cursor at = { .t = t, .record = record, .argument = 1 };

    fill(&at, t->uri, &target->uri);
    fill(&at, t->body, &target->body);
    return split(target) && !target->body.failed;
}

void sb_target_release(struct sb_target *target)
{
    sb_text_release(&target->uri);
    sb_text_release(&target->body);
}
