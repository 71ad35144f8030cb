/* SPDX-License-Identifier: MIT */
#include "base/fd.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

static bool is_closed(int fd)
{
    return fcntl(fd, F_GETFD) < 0 && errno == EBADF;
}

/* Without /dev/null, in a chroot say, a socket that is not connected: it never blocks. */
static int open_nothing(void)
{
    int fd = open("/dev/null", O_RDWR | O_CLOEXEC);

    return fd >= 0 ? fd
                   : socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
}

/* There is no lock: a thread that comes second gets a number above 2 and closes it. */
void sr_fd_reserve(void)
{
    int saved = errno, fd = 0;

    while (fd >= 0 && (is_closed(0) || is_closed(1) || is_closed(2))) {
        fd = open_nothing();
        if (fd > 2)
            close(fd);
    }
    errno = saved;
}

int sr_fd_raise(int fd)
{
    int raised, saved;

    if (fd < 0)
        return fd;
    if (fd > 2 && fcntl(fd, F_SETFD, FD_CLOEXEC) == 0)
        return fd;
    raised = fcntl(fd, F_DUPFD_CLOEXEC, 3);
    saved = errno;
    close(fd);
    errno = saved;
    return raised;
}

/* Low although 0 to 2 were taken a moment ago: the host has closed one meanwhile. */
static int above_2(int fd)
{
    return fd < 0 || fd > 2 ? fd : sr_fd_raise(fd);
}

int sr_fd_openat(int dir, const char *path, int flags, mode_t mode)
{
    sr_fd_reserve();
    return above_2(openat(dir, path, flags | O_CLOEXEC, mode));
}

int sr_fd_open(const char *path, int flags, mode_t mode)
{
    return sr_fd_openat(AT_FDCWD, path, flags, mode);
}

static bool is_file(const struct stat *st)
{
    errno = S_ISDIR(st->st_mode) ? EISDIR : EINVAL;
    return S_ISREG(st->st_mode);
}

/* Looked at before, as opening may have an effect; and after, as it may be another one by then. */
int sr_fd_open_file(const char *path)
{
    struct stat st;
    int fd, saved;

    if (stat(path, &st) || !is_file(&st))
        return -1;
    fd = sr_fd_open(path, O_RDONLY | O_NONBLOCK | O_NOCTTY, 0);
    if (fd < 0 || (!fstat(fd, &st) && is_file(&st)))
        return fd;
    saved = errno;
    close(fd);
    errno = saved;
    return -1;
}

const char *sr_fd_file_error(int error)
{
    return error == EINVAL ? "it is no regular file" : strerror(error);
}

int sr_fd_socket(int domain, int type, int protocol)
{
    sr_fd_reserve();
    return above_2(socket(domain, type | SOCK_CLOEXEC, protocol));
}

int sr_fd_pipe(int ret_ends[2], int flags)
{
    int ends[2], saved;

    sr_fd_reserve();
    if (pipe2(ends, flags | O_CLOEXEC))
        return -1;
    ends[0] = above_2(ends[0]);
    ends[1] = above_2(ends[1]);
    if (ends[0] >= 0 && ends[1] >= 0) {
        ret_ends[0] = ends[0];
        ret_ends[1] = ends[1];
        return 0;
    }
    saved = errno;
    if (ends[0] >= 0)
        close(ends[0]);
    if (ends[1] >= 0)
        close(ends[1]);
    errno = saved;
    return -1;
}

void sr_fd_seal(int fd)
{
    if (fd >= 0)
        fcntl(fd, F_SETFD, FD_CLOEXEC);
}

/* A socket that socketpair() made has no name. */
static bool is_open_pair(int fd)
{
    struct sockaddr name;
    socklen_t len = sizeof name;

    return getsockname(fd, &name, &len) == 0 && name.sa_family == AF_UNIX &&
           len == sizeof name.sa_family && !(fcntl(fd, F_GETFD) & FD_CLOEXEC);
}

/* The kernel gives the lowest free number. Behind this one there is room for what other threads
 * open meanwhile. */
void sr_fd_look(struct sr_fd_view *ret_view)
{
    int saved = errno, next = fcntl(0, F_DUPFD_CLOEXEC, 3);

    *ret_view = (struct sr_fd_view){ .end = 3 };
    if (next >= 0) {
        close(next);
        ret_view->end = next + 64 < SR_FD_VIEW ? next + 64 : SR_FD_VIEW;
    }
    for (int fd = 3; fd < ret_view->end; fd++)
        if (is_open_pair(fd))
            ret_view->pairs[fd / 64] |= UINT64_C(1) << fd % 64;
    errno = saved;
}

void sr_fd_seal_pairs(const struct sr_fd_view *before)
{
    int saved = errno;

    for (int fd = 3; fd < before->end; fd++)
        if (!(before->pairs[fd / 64] >> fd % 64 & 1) && is_open_pair(fd))
            sr_fd_seal(fd);
    errno = saved;
}
