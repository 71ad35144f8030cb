/* SPDX-License-Identifier: MIT */
#include "base/replace.h"

#include "base/fd.h"
#include "base/path.h"
#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <smartrest/error.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

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

bool sr_replace_allowed(const char *path)
{
    struct stat st;

    if (stat(path, &st) || S_ISREG(st.st_mode))
        return true;
    errno = S_ISDIR(st.st_mode) ? EISDIR : EINVAL;
    return false;
}

int sr_replace_probe(const char *path)
{
    char *name, *target;
    int fd;

    if (!sr_replace_allowed(path))
        return SR_E_IO;
    target = sr_path_target(path);
    fd = target ? open_beside(target, &name) : -1;
    free(target);
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

static int write_beside(int fd, const char *bytes, size_t len)
{
    int rc = write_all(fd, bytes, len);

    if (!rc && fsync(fd))
        rc = SR_E_IO;
    return rc;
}

static int replace(const char *path, const char *bytes, size_t len)
{
    char *name;
    int fd = open_beside(path, &name), rc, saved;

    if (fd < 0)
        return SR_E_IO;
    rc = write_beside(fd, bytes, len);
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
    errno = saved;
    return rc;
}

int sr_replace_file(const char *path, const char *bytes, size_t len)
{
    char *target = sr_replace_allowed(path) ? sr_path_target(path) : NULL;
    int rc = target ? replace(target, bytes, len) : SR_E_IO;

    free(target); /* keeps errno */
    return rc;
}
