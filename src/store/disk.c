/* SPDX-License-Identifier: MIT */
#include "store/disk.h"

#include "base/fd.h"
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

static int system_open(void *arg, int dir, const char *name, int flags, mode_t mode)
{
    (void)arg;
    return sr_fd_openat(dir, name, flags, mode);
}

static ssize_t system_pread(void *arg, int fd, void *bytes, size_t len, off_t offset)
{
    (void)arg;
    return pread(fd, bytes, len, offset);
}

static ssize_t system_pwritev(void *arg, int fd, const struct iovec *parts, int count,
                              off_t offset)
{
    (void)arg;
    return pwritev(fd, parts, count, offset);
}

static int system_fdatasync(void *arg, int fd)
{
    (void)arg;
    return fdatasync(fd);
}

/* Not posix_fallocate(), which writes to every block where the file system cannot. */
static int system_fallocate(void *arg, int fd, off_t len)
{
    (void)arg;
    return fallocate(fd, 0, 0, len);
}

static int system_ftruncate(void *arg, int fd, off_t len)
{
    (void)arg;
    return ftruncate(fd, len);
}

static int system_rename(void *arg, int dir, const char *from, const char *to)
{
    (void)arg;
    return renameat(dir, from, dir, to);
}

static int system_unlink(void *arg, int dir, const char *name)
{
    (void)arg;
    return unlinkat(dir, name, 0);
}

static int system_sync_dir(void *arg, int dir)
{
    (void)arg;
    return fsync(dir);
}

const struct sr_disk sr_system_disk = {
    .open = system_open,
    .pread = system_pread,
    .pwritev = system_pwritev,
    .fdatasync = system_fdatasync,
    .fallocate = system_fallocate,
    .ftruncate = system_ftruncate,
    .rename = system_rename,
    .unlink = system_unlink,
    .sync_dir = system_sync_dir,
};
