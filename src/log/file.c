/* SPDX-License-Identifier: MIT */
#include "base/fd.h"
#include "base/path.h"
#include "log/out.h"
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define BACKUP_ROOM 2 /* ".1" */

/* O_NONBLOCK: neither a FIFO without a reader nor a sleeping line holds us up. */
static int open_file(struct sr_log_file *file)
{
    int flags = O_WRONLY | O_APPEND | O_CREAT | O_NONBLOCK | O_NOCTTY;
    int fd = sr_fd_open(file->path, flags, 0640);

    if (fd < 0)
        return errno;
    if (file->out.fd >= 0)
        close(file->out.fd);
    file->out = (struct sr_log_out){ .fd = fd };
    return 0;
}

static int check_name(const char *path)
{
    const char *slash = strrchr(path, '/');
    const char *last = slash ? slash + 1 : path;

    if (!*last || !strcmp(last, ".") || !strcmp(last, ".."))
        return EINVAL;
    return strlen(last) + BACKUP_ROOM > NAME_MAX ? ENAMETOOLONG : 0;
}

/* Absolute: the host may change its folder. The rest is as it was given, links and all. */
static int keep_path(struct sr_log_file *file, const char *path)
{
    int len;

    if (*path != '/' && !getcwd(file->path, sizeof file->path))
        return errno;
    if (*path == '/')
        *file->path = '\0';
    len = (int)strlen(file->path);
    if (len + 1 + strlen(path) + BACKUP_ROOM >= sizeof file->path)
        return ENAMETOOLONG;
    snprintf(file->path + len, sizeof file->path - (size_t)len, "%s%s",
             *path == '/' ? "" : "/", path);
    return 0;
}

int sr_log_file_open(const char *path, struct sr_log_file *ret_file)
{
    struct sr_log_file file = { .out.fd = -1 };
    int rc = check_name(path);

    if (!rc)
        rc = keep_path(&file, path);
    if (!rc)
        rc = open_file(&file);
    if (!rc)
        *ret_file = file;
    return rc;
}

void sr_log_file_close(struct sr_log_file *file)
{
    if (file->out.fd >= 0)
        close(file->out.fd);
    file->out.fd = -1;
}

/* The file that was written to is full: a link stays one, and its target gets the backups. Where
 * the folder cannot be written the old lines make room for the new ones. */
static int rotate(struct sr_log_file *file)
{
    char *path = sr_path_target(file->path);
    char first[PATH_MAX + BACKUP_ROOM], second[PATH_MAX + BACKUP_ROOM];
    bool moved;

    if (!path)
        return errno;
    snprintf(first, sizeof first, "%s.1", path);
    snprintf(second, sizeof second, "%s.2", path);
    rename(first, second); /* there may be none yet */
    moved = rename(path, first) == 0;
    free(path);
    if (moved) {
        sr_log_file_close(file);
        return open_file(file);
    }
    return ftruncate(file->out.fd, 0) < 0 ? errno : 0;
}

/* Is it what we write to? Somebody else, another process with the same log perhaps, may have moved or
 * removed it, or its folder. */
static bool is_there(const struct sr_log_file *file, const struct stat *ours)
{
    struct stat there;

    return stat(file->path, &there) == 0 && there.st_dev == ours->st_dev &&
           there.st_ino == ours->st_ino;
}

static int make_room(struct sr_log_file *file, uint64_t quota, size_t len)
{
    struct stat st;
    int rc;

    if (file->out.fd < 0)
        return open_file(file);
    if (fstat(file->out.fd, &st) < 0)
        return errno;
    if (!is_there(file, &st)) {
        rc = open_file(file);
        if (!rc || !st.st_nlink)
            return rc;
        /* It cannot be made anew: what was moved is better than nothing. */
    }
    if (!S_ISREG(st.st_mode) || (uint64_t)st.st_size + len <= quota)
        return 0;
    return is_there(file, &st) ? rotate(file) : ftruncate(file->out.fd, 0) ? errno : 0;
}

int sr_log_file_line(struct sr_log_file *file, uint64_t quota, const char *line,
                     size_t len)
{
    int rc = make_room(file, quota, len + (file->out.torn ? 1 : 0));

    return rc ? rc : sr_log_out_line(&file->out, line, len);
}
