/* SPDX-License-Identifier: MIT */
#include "base/fd.h"
#include "log/out.h"
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define BACKUP_ROOM 2 /* ".1" */

/* O_NONBLOCK: neither a FIFO without a reader nor a sleeping line holds us up. */
static int open_file(struct sr_log_file *file)
{
    int flags = O_WRONLY | O_APPEND | O_CREAT | O_NONBLOCK | O_NOCTTY;
    int fd = sr_fd_openat(file->dir, file->name, flags, 0640);

    if (fd < 0)
        return errno;
    file->out = (struct sr_log_out){ .fd = fd };
    return 0;
}

static int split_path(const char *path, char dir[PATH_MAX], char name[NAME_MAX + 1])
{
    const char *slash = strrchr(path, '/');
    const char *last = slash ? slash + 1 : path;
    size_t dir_len = slash ? (size_t)(slash - path) : 0;

    if (!*last || !strcmp(last, ".") || !strcmp(last, ".."))
        return EINVAL;
    if (strlen(last) + BACKUP_ROOM > NAME_MAX || dir_len >= PATH_MAX)
        return ENAMETOOLONG;
    snprintf(name, NAME_MAX + 1, "%s", last);
    snprintf(dir, PATH_MAX, "%.*s", (int)dir_len, path);
    if (!dir_len)
        strcpy(dir, slash ? "/" : ".");
    return 0;
}

int sr_log_file_open(const char *path, struct sr_log_file *ret_file)
{
    struct sr_log_file file = { .out.fd = -1 };
    char dir[PATH_MAX];
    int rc = split_path(path, dir, file.name);

    if (rc)
        return rc;
    file.dir = sr_fd_open(dir, O_PATH | O_DIRECTORY, 0);
    if (file.dir < 0)
        return errno;
    rc = open_file(&file);
    if (rc)
        close(file.dir);
    else
        *ret_file = file;
    return rc;
}

void sr_log_file_close(struct sr_log_file *file)
{
    if (file->out.fd >= 0)
        close(file->out.fd);
    if (file->dir >= 0)
        close(file->dir);
    file->out.fd = file->dir = -1;
}

static int reopen(struct sr_log_file *file)
{
    if (file->out.fd >= 0)
        close(file->out.fd);
    file->out.fd = -1;
    return open_file(file);
}

/* Somebody else, another process with the same log perhaps, moved or removed it. */
static bool is_moved(const struct sr_log_file *file, const struct stat *ours)
{
    struct stat there;

    return fstatat(file->dir, file->name, &there, 0) < 0 ||
           there.st_dev != ours->st_dev || there.st_ino != ours->st_ino;
}

/* Where the folder cannot be written the old lines make room for the new ones. */
static int rotate(struct sr_log_file *file)
{
    char first[NAME_MAX + 1 + BACKUP_ROOM], second[NAME_MAX + 1 + BACKUP_ROOM];

    snprintf(first, sizeof first, "%s.1", file->name);
    snprintf(second, sizeof second, "%s.2", file->name);
    renameat(file->dir, first, file->dir, second); /* there may be none yet */
    if (renameat(file->dir, file->name, file->dir, first) == 0)
        return reopen(file);
    return ftruncate(file->out.fd, 0) < 0 ? errno : 0;
}

static int make_room(struct sr_log_file *file, uint64_t quota, size_t len)
{
    struct stat st;
    int rc = file->out.fd < 0 ? open_file(file) : 0;

    if (rc)
        return rc;
    if (fstat(file->out.fd, &st) < 0)
        return errno;
    if (st.st_nlink == 0)
        return reopen(file);
    if (!S_ISREG(st.st_mode) || (uint64_t)st.st_size + len <= quota)
        return 0;
    return is_moved(file, &st) ? reopen(file) : rotate(file);
}

int sr_log_file_line(struct sr_log_file *file, uint64_t quota, const char *line,
                     size_t len)
{
    int rc = make_room(file, quota, len + (file->out.torn ? 1 : 0));

    return rc ? rc : sr_log_out_line(&file->out, line, len);
}
