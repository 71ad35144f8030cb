/* SPDX-License-Identifier: MIT */
/* The head of a request to the sandbox: a target with NUL-free bytes, a line end, and an
 * Authorization header. */
#include "../sandbox/account.h"
#include "../sandbox/uri.h"
#include "fuzz.h"
#include <stdlib.h>
#include <string.h>

static void read_target(char *text)
{
    const char *end = text + strlen(text);
    struct sb_target target;

    if (!sb_uri_split(text, &target))
        return;
    must(target.path >= text && target.path + strlen(target.path) <= end);
    must(!*target.query || (target.query > text && target.query <= end));
    must(!target.host || (*target.host && !strchr(target.host, '/')));
}

static void read_account(const char *header)
{
    const char *password;
    char *user;

    if (!sb_account_read(header, &user, &password))
        return;
    must(password == user + strlen(user) + 1);
    must(strlen(user) + strlen(password) < strlen(header));
    sb_account_free(user);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    char *text = strndup((const char *)data, len), *line = strchr(text, '\n');

    if (line)
        *line = '\0';
    if (line)
        read_account(line + 1);
    read_target(text);
    free(text);
    return 0;
}
