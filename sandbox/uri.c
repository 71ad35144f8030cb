/* SPDX-License-Identifier: MIT */
#include "uri.h"

#include <string.h>
#include <strings.h>

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

/* Proxies and some clients write the server into the target (RFC 9112, 3.2.2). Returns
 * where the path begins, or NULL. What stands in front of the host makes room for its
 * NUL, and for the slash that an empty path lacks. */
static char *cut_host(char *uri, const char **ret_host)
{
    size_t scheme = strncasecmp(uri, "http://", 7) == 0    ? 7
                    : strncasecmp(uri, "https://", 8) == 0 ? 8
                                                           : 0;
    char *host = uri + scheme, *at, *path;
    size_t len = strcspn(host, "/?");

    if (!scheme)
        return uri;
    at = memchr(host, '@', len);
    if (at) {
        len -= (size_t)(at + 1 - host);
        host = at + 1;
    }
    if (!len)
        return NULL;
    path = host + len;
    host = memmove(host - 2, host, len);
    host[len] = '\0';
    if (*path != '/')
        *--path = '/';
    *ret_host = host;
    return path;
}

/* Before the path is decoded: a slash in a value, %2F, stays one. */
static void drop_empty_segments(char *path)
{
    char *out = path;

    for (const char *in = path; *in; in++)
        if (*in != '/' || in[1] != '/')
            *out++ = *in;
    *out = '\0';
}

bool sb_uri_split(char *uri, struct sb_target *ret_target)
{
    struct sb_target target = { .query = "" };
    char *mark;

    target.path = cut_host(uri, &target.host);
    if (!target.path)
        return false;
    mark = strchr(target.path, '?');
    if (mark) {
        *mark = '\0';
        target.query = mark + 1;
    }
    drop_empty_segments(target.path);
    *ret_target = target;
    return percent_decode(target.path);
}
