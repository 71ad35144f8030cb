/* SPDX-License-Identifier: MIT */
#include "agent/credentials.h"

#include "base/fd.h"
#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <smartrest/error.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { TEXT_MAX = 1000, FILE_MAX = 3 * (TEXT_MAX + 2) };

static bool valid(const char *text)
{
    size_t len = strlen(text);

    if (len == 0 || len > TEXT_MAX)
        return false;
    for (size_t i = 0; i < len; i++)
        if ((unsigned char)text[i] < 0x20 || text[i] == 0x7f)
            return false;
    return true;
}

int sr_credentials_set(struct sr_credentials *credentials, const char *tenant,
                       const char *user, const char *password)
{
    struct sr_credentials copy;

    if (!tenant || !user || !password || !valid(tenant) || !valid(user) ||
        !valid(password))
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

static char *next_line(char **rest)
{
    char *line = strsep(rest, "\n");
    size_t len = line ? strlen(line) : 0;

    if (len && line[len - 1] == '\r')
        line[len - 1] = '\0';
    return line;
}

static int parse(char *text, size_t len, struct sr_credentials *credentials,
                 const char **ret_reason)
{
    char *rest = text, *tenant, *user, *password, *end;
    int rc;

    if (strlen(text) != len) {
        *ret_reason = "it holds a NUL byte";
        return SR_E_CORRUPT;
    }
    tenant = next_line(&rest);
    user = next_line(&rest);
    password = next_line(&rest);
    end = next_line(&rest);
    if (!password) {
        *ret_reason = "it has fewer than three lines";
        return SR_E_CORRUPT;
    }
    if ((end && *end) || rest) {
        *ret_reason = "it has more than three lines";
        return SR_E_CORRUPT;
    }
    rc = sr_credentials_set(credentials, tenant, user, password);
    if (rc == SR_E_INVAL) {
        *ret_reason = "a line is empty, too long, or holds control bytes";
        rc = SR_E_CORRUPT;
    }
    return rc;
}

int sr_credentials_load(const char *path, struct sr_credentials *credentials,
                        const char **ret_reason)
{
    char text[FILE_MAX + 2];
    ssize_t len;
    int fd = sr_fd_open(path, O_RDONLY | O_NONBLOCK, 0), rc, saved;

    if (fd < 0)
        return errno == ENOENT ? SR_E_NOTFOUND : SR_E_IO;
    len = read_all(fd, text, sizeof text - 1);
    saved = errno;
    close(fd);
    if (len < 0) {
        errno = saved;
        return SR_E_IO;
    }
    if (len > FILE_MAX) {
        *ret_reason = "it is too large";
        rc = SR_E_CORRUPT;
    } else {
        text[len] = '\0';
        rc = parse(text, (size_t)len, credentials, ret_reason);
    }
    explicit_bzero(text, sizeof text);
    return rc;
}

/* --- writing ------------------------------------------------------------ */

/* A new file beside `path`; its name in *ret_name, to be freed. Mode 0600. */
static int open_beside(const char *path, char **ret_name)
{
    size_t size = strlen(path) + sizeof ".XXXXXX";
    char *name = malloc(size);
    int fd;

    if (!name) {
        errno = ENOMEM;
        return -1;
    }
    snprintf(name, size, "%s.XXXXXX", path);
    fd = sr_fd_raise(mkostemp(name, O_CLOEXEC));
    if (fd < 0)
        free(name);
    else
        *ret_name = name;
    return fd;
}

int sr_credentials_probe(const char *path)
{
    struct stat st;
    char *name;
    int fd;

    if (!stat(path, &st) && S_ISDIR(st.st_mode)) {
        errno = EISDIR;
        return SR_E_IO;
    }
    fd = open_beside(path, &name);
    if (fd < 0)
        return SR_E_IO;
    unlink(name);
    close(fd);
    free(name);
    return 0;
}

static int write_all(int fd, const char *bytes, size_t len)
{
    while (len) {
        ssize_t n = write(fd, bytes, len);

        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return SR_E_IO;
        bytes += n;
        len -= (size_t)n;
    }
    return 0;
}

/* The rename is on disk once its directory is. */
static int sync_directory_of(const char *path)
{
    char *copy = strdup(path);
    int fd, rc = SR_E_NOMEM;

    if (!copy)
        return SR_E_NOMEM;
    /* One that may be written and not read cannot be opened, nor some be synced. */
    fd = sr_fd_open(dirname(copy), O_RDONLY | O_DIRECTORY, 0);
    if (fd >= 0) {
        rc = fsync(fd) && errno != EINVAL ? SR_E_IO : 0;
        close(fd);
    } else {
        rc = errno == EACCES ? 0 : SR_E_IO;
    }
    free(copy);
    return rc;
}

int sr_credentials_store(const char *path, const struct sr_credentials *credentials)
{
    char text[FILE_MAX + 1], *name;
    int fd, len, rc, saved;

    len = snprintf(text, sizeof text, "%s\n%s\n%s\n", credentials->tenant,
                   credentials->user, credentials->password);
    fd = open_beside(path, &name);
    if (fd < 0) {
        explicit_bzero(text, sizeof text);
        return SR_E_IO;
    }
    rc = write_all(fd, text, (size_t)len);
    if (!rc && fsync(fd))
        rc = SR_E_IO;
    if (close(fd) && !rc)
        rc = SR_E_IO;
    if (!rc && rename(name, path))
        rc = SR_E_IO;
    saved = errno;
    if (rc) {
        unlink(name);
    } else {
        rc = sync_directory_of(path);
        saved = errno;
    }
    free(name);
    explicit_bzero(text, sizeof text);
    errno = saved;
    return rc;
}
