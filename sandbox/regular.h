/* SPDX-License-Identifier: MIT */
/* Opens a regular file, close-on-exec; what else has its name, a FIFO say, might block or never
 * end. -1 and errno, EINVAL if it is no regular file. In a header, as launcher, plugin and platform
 * have no source in common. */
#ifndef SANDBOX_REGULAR_H
#define SANDBOX_REGULAR_H

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static inline int sb_open_regular(const char *path, int flags)
{
    int fd = open(path, flags | O_CLOEXEC | O_NONBLOCK | O_NOCTTY, 0600);
    struct stat st;

    if (fd < 0 || (!fstat(fd, &st) && S_ISREG(st.st_mode)))
        return fd;
    close(fd);
    errno = EINVAL;
    return -1;
}

/* What to say of `error`, by which that failed. */
static inline const char *sb_regular_error(int error)
{
    return error == EINVAL ? "it is no regular file" : strerror(error);
}

#endif
