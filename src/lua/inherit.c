/* SPDX-License-Identifier: MIT */
/* What processes of plugins inherit: 0, 1 and 2. Our own descriptors are close-on-exec;
 * those of the program need not be, and of a process that we start it cannot know. They are
 * so for the moment in which we start one. */
#include "lua/host.h"
#include <dirent.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

static void seal(struct sealed *sealed, int fd)
{
    int flags = fcntl(fd, F_GETFD), *more;

    if (flags < 0 || flags & FD_CLOEXEC)
        return;
    more = realloc(sealed->fds, (sealed->count + 1) * sizeof *more);
    if (!more)
        return;
    sealed->fds = more;
    sealed->fds[sealed->count++] = fd;
    fcntl(fd, F_SETFD, flags | FD_CLOEXEC);
}

void sr_lua_seal(struct sealed *sealed)
{
    DIR *dir = opendir("/proc/self/fd");
    struct dirent *entry;
    long max = sysconf(_SC_OPEN_MAX);

    *sealed = (struct sealed){ 0 };
    while (dir && (entry = readdir(dir)))
        if (atoi(entry->d_name) > STDERR_FILENO)
            seal(sealed, atoi(entry->d_name));
    if (dir)
        closedir(dir);
    for (int fd = STDERR_FILENO + 1; !dir && fd < max && fd < 4096; fd++)
        seal(sealed, fd);
}

void sr_lua_unseal(struct sealed *sealed)
{
    for (size_t i = 0; i < sealed->count; i++)
        fcntl(sealed->fds[i], F_SETFD, fcntl(sealed->fds[i], F_GETFD) & ~FD_CLOEXEC);
    free(sealed->fds);
    *sealed = (struct sealed){ 0 };
}
