/* SPDX-License-Identifier: MIT */
#include "base/path.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { LINKS_MAX = 40 }; /* as many as Linux follows */

/* Where a link at `path` leads: a relative one starts from the link's folder. */
static char *join(const char *path, const char *link)
{
    const char *slash = strrchr(path, '/');
    int folder = slash && *link != '/' ? (int)(slash + 1 - path) : 0;
    char *joined;

    return asprintf(&joined, "%.*s%s", folder, path, link) < 0 ? NULL : joined;
}

char *sr_path_target(const char *path)
{
    char link[PATH_MAX], *at = strdup(path);

    for (int links = 0; at; links++) {
        ssize_t len = readlink(at, link, sizeof link - 1);
        char *next;

        if (len < 0 && (errno == EINVAL || errno == ENOENT || errno == ENOTDIR))
            return at; /* no link, or nothing there */
        link[len < 0 ? 0 : len] = '\0';
        next = len >= 0 && links < LINKS_MAX ? join(at, link) : NULL;
        if (len >= 0 && links == LINKS_MAX)
            errno = ELOOP;
        free(at); /* keeps errno */
        at = next;
    }
    return NULL;
}
