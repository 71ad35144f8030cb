/* SPDX-License-Identifier: MIT */
/* Disk: the system calls that the store makes on its files, so that tests can make each of
 * them fail. All behave as the system's: -1 and errno. `dir` is an open directory. */
#ifndef STORE_DISK_H
#define STORE_DISK_H

#include <sys/types.h>
#include <sys/uio.h>

struct sr_disk {
    int (*open)(void *arg, int dir, const char *name, int flags, mode_t mode);
    ssize_t (*pread)(void *arg, int fd, void *bytes, size_t len, off_t offset);
    ssize_t (*pwritev)(void *arg, int fd, const struct iovec *parts, int count,
                       off_t offset);
    int (*fdatasync)(void *arg, int fd);
    int (*fallocate)(void *arg, int fd, off_t len); /* the first `len` bytes */
    int (*ftruncate)(void *arg, int fd, off_t len);
    int (*rename)(void *arg, int dir, const char *from, const char *to);
    int (*unlink)(void *arg, int dir, const char *name);
    int (*sync_dir)(void *arg, int dir);
    void *arg;
};
extern const struct sr_disk sr_system_disk;

#endif
