/* SPDX-License-Identifier: MIT */
#include "base/redact.h"

#include <stddef.h>
#include <string.h>

/* The last `@` before the next URL begins. A password may hold one, too. */
static char *last_at(char *at)
{
    char *next = strstr(at, "://"), *more;

    while ((more = strchr(at + 1, '@')) && (!next || more < next))
        at = more;
    return at;
}

/* Where a URL without a scheme begins, of which `at` is the `@`. */
static char *word_of(char *text, char *at)
{
    char *quote = NULL, *blank = text;

    for (char *c = text; c < at; c++) {
        if (*c == '\'' || *c == '"')
            quote = c + 1;
        else if (*c == ' ')
            blank = c + 1;
    }
    return quote ? quote : blank;
}

/* Returns what follows the `@`. */
static char *hide(char *from, char *at)
{
    size_t len = (size_t)(at - from), stars = len < 3 ? len : 3;

    memset(from, '*', stars);
    memmove(from + stars, at, strlen(at) + 1);
    return from + stars + (*at ? 1 : 0);
}

void sr_redact(char *text)
{
    char *url, *at;

    while ((at = strchr(text, '@'))) {
        url = strstr(text, "://");
        if (url && url < at) {
            url += 3;
            at = last_at(at);
        } else {
            url = word_of(text, at);
        }
        text = hide(url, at);
    }
}
