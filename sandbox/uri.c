/* SPDX-License-Identifier: MIT */
#include "uri.h"

#include <string.h>

static int hex(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    c = (char)(c | 0x20);
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* Never longer than before, so it is done in place. */
static bool percent_decode(char *text)
{
    char *out = text;

    for (const char *in = text; *in; in++) {
        int high, low;

        if (*in != '%') {
            *out++ = *in;
            continue;
        }
        high = hex(in[1]);
        low = high < 0 ? -1 : hex(in[2]);
        if (low < 0 || (high | low) == 0)
            return false;
        *out++ = (char)(high << 4 | low);
        in += 2;
    }
    *out = '\0';
    return true;
}

bool sb_uri_split(char *uri, const char **ret_query)
{
    char *mark = strchr(uri, '?');

    *ret_query = mark ? mark + 1 : "";
    if (mark)
        *mark = '\0';
    return percent_decode(uri);
}
