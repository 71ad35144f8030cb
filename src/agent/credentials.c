/* SPDX-License-Identifier: MIT */
#include "agent/credentials.h"

#include "base/fd.h"
#include "base/replace.h"
#include <errno.h>
#include <smartrest/error.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { FILE_MAX = 3 * (SR_CREDENTIAL_MAX + 2) + 64 };

/* --- what may be -------------------------------------------------------- */

static const char *const names[] = { "tenant", "user", "password" };

static bool is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\v' || c == '\f';
}

static const char *flaw_in(const char *text, size_t len)
{
    if (len == 0)
        return "is empty";
    if (len > SR_CREDENTIAL_MAX)
        return "is longer than 1024 bytes";
    if (memchr(text, '\0', len))
        return "holds a NUL byte";
    for (size_t i = 0; i < len; i++)
        if ((unsigned char)text[i] < 0x20 || text[i] == 0x7f)
            return "holds a control character";
    return NULL;
}

/* Whoever reads the file goes by blanks and lines, as the C++ SDK does. */
static const char *flaw_in_file(size_t i, const char *text, size_t len)
{
    const char *flaw = flaw_in(text, len);

    if (flaw)
        return flaw;
    if (i < 2)
        return memchr(text, ' ', len) ? "holds a blank" : NULL;
    return is_blank(text[0]) || is_blank(text[len - 1])
               ? "begins or ends with a blank, which its file could not keep"
               : NULL;
}

static bool refuse(char *reason, size_t i, const char *flaw)
{
    if (flaw)
        snprintf(reason, SR_CREDENTIALS_REASON_MAX, "the %s %s", names[i], flaw);
    return flaw != NULL;
}

bool sr_credentials_storable(const struct sr_credential_text texts[3], char *reason)
{
    for (size_t i = 0; i < 3; i++)
        if (refuse(reason, i, flaw_in_file(i, texts[i].bytes, texts[i].len)))
            return false;
    return true;
}

bool sr_credentials_valid(const char *tenant, const char *user, const char *password,
                          char *reason)
{
    const char *const texts[] = { tenant, user, password };

    for (size_t i = 0; i < 3; i++)
        if (refuse(reason, i,
                   texts[i] ? flaw_in(texts[i], strlen(texts[i])) : "is NULL"))
            return false;
    return true;
}

int sr_credentials_set(struct sr_credentials *credentials, const char *tenant,
                       const char *user, const char *password)
{
    char reason[SR_CREDENTIALS_REASON_MAX];
    struct sr_credentials copy;

    if (!sr_credentials_valid(tenant, user, password, reason))
        return SR_E_INVAL;
    copy = (struct sr_credentials){ strdup(tenant), strdup(user), strdup(password) };
    if (!copy.tenant || !copy.user || !copy.password) {
        sr_credentials_release(&copy);
        return SR_E_NOMEM;
    }
    sr_credentials_release(credentials);
    *credentials = copy;
    return 0;
}

void sr_credentials_release(struct sr_credentials *credentials)
{
    if (credentials->password)
        explicit_bzero(credentials->password, strlen(credentials->password));
    free(credentials->tenant);
    free(credentials->user);
    free(credentials->password);
    *credentials = (struct sr_credentials){ 0 };
}

/* --- reading ------------------------------------------------------------ */

/* Up to `size` bytes, of which one more than the largest good file shows a bad one. */
static ssize_t read_all(int fd, char *bytes, size_t size)
{
    size_t len = 0;
    ssize_t n = 1;

    while (len < size && n > 0) {
        n = read(fd, bytes + len, size - len);
        if (n < 0 && errno == EINTR)
            n = 1;
        else if (n > 0)
            len += (size_t)n;
    }
    return n < 0 ? -1 : (ssize_t)len;
}

/* What stands in the file, in order: whole lines, or words. */
struct found {
    struct sr_credential_text texts[3];
    unsigned lines[3]; /* on which they stand */
    size_t count;      /* there may be more than three */
};

static void add(struct found *found, const char *bytes, size_t len, unsigned line)
{
    if (found->count < 3) {
        found->texts[found->count] = (struct sr_credential_text){ bytes, len };
        found->lines[found->count] = line;
    }
    found->count++;
}

static void add_words(struct found *found, const char *bytes, size_t len, unsigned line)
{
    for (size_t at = 0, end; at < len; at = end + 1) {
        for (end = at; end < len && !is_blank(bytes[end]);)
            end++;
        if (end > at)
            add(found, bytes + at, end - at, line);
    }
}

/* Lines without the blanks around them, but for empty ones. */
static void find(const char *text, size_t len, bool words, struct found *ret)
{
    const char *end = text + len, *next;
    unsigned line = 1;

    *ret = (struct found){ .count = 0 };
    for (; text < end; text = next, line++) {
        const char *stop = memchr(text, '\n', (size_t)(end - text));

        next = stop ? stop + 1 : end;
        stop = stop ? stop : end;
        while (text < stop && is_blank(*text))
            text++;
        while (stop > text && is_blank(stop[-1]))
            stop--;
        if (words)
            add_words(ret, text, (size_t)(stop - text), line);
        else if (stop > text)
            add(ret, text, (size_t)(stop - text), line);
    }
}

static int take(const struct found *found, struct sr_credentials *ret)
{
    char *copies[3];
    int rc = 0;

    for (size_t i = 0; i < 3; i++)
        copies[i] = strndup(found->texts[i].bytes, found->texts[i].len);
    if (copies[0] && copies[1] && copies[2])
        rc = sr_credentials_set(ret, copies[0], copies[1], copies[2]);
    else
        rc = SR_E_NOMEM;
    if (copies[2])
        explicit_bzero(copies[2], strlen(copies[2]));
    for (size_t i = 0; i < 3; i++)
        free(copies[i]);
    return rc;
}

static int parse(const char *text, size_t len, struct sr_credentials *credentials,
                 char *reason)
{
    static const char mark[] = { '\xef', '\xbb', '\xbf' }; /* of a UTF-8 file */
    struct found found;

    if (len >= sizeof mark && !memcmp(text, mark, sizeof mark)) {
        text += sizeof mark;
        len -= sizeof mark;
    }
    find(text, len, false, &found);
    if (found.count < 3)
        find(text, len, true, &found);
    if (found.count != 3) {
        snprintf(reason, SR_CREDENTIALS_REASON_MAX,
                 "it has %s than three values: tenant, user, password",
                 found.count < 3 ? "fewer" : "more");
        return SR_E_CORRUPT;
    }
    for (size_t i = 0; i < 3; i++) {
        const char *flaw = flaw_in_file(i, found.texts[i].bytes, found.texts[i].len);

        if (!flaw)
            continue;
        snprintf(reason, SR_CREDENTIALS_REASON_MAX, "line %u: the %s %s",
                 found.lines[i], names[i], flaw);
        return SR_E_CORRUPT;
    }
    return take(&found, credentials);
}

int sr_credentials_load(const char *path, struct sr_credentials *credentials,
                        char *reason)
{
    char text[FILE_MAX + 1];
    ssize_t len;
    int fd = sr_fd_open_file(path), rc, saved;

    if (fd < 0)
        return errno == ENOENT ? SR_E_NOTFOUND : SR_E_IO;
    len = read_all(fd, text, sizeof text);
    saved = errno;
    close(fd);
    if (len < 0) {
        errno = saved;
        return SR_E_IO;
    }
    if (len > FILE_MAX) {
        snprintf(reason, SR_CREDENTIALS_REASON_MAX, "it is too large");
        rc = SR_E_CORRUPT;
    } else {
        rc = parse(text, (size_t)len, credentials, reason);
    }
    explicit_bzero(text, sizeof text);
    return rc;
}

/* --- writing ------------------------------------------------------------ */

int sr_credentials_probe(const char *path)
{
    return sr_replace_probe(path);
}

int sr_credentials_store(const char *path, const struct sr_credentials *credentials)
{
    char text[FILE_MAX + 1];
    int len = snprintf(text, sizeof text, "%s\n%s\n%s\n", credentials->tenant,
                       credentials->user, credentials->password);
    int rc = sr_replace_file(path, text, (size_t)len);

    explicit_bzero(text, sizeof text); /* keeps errno */
    return rc;
}
