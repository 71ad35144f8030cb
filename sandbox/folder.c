/* SPDX-License-Identifier: MIT */
#include "folder.h"

#include "regular.h"
#include "say.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#define LOCK_WAIT_MS 2000 /* what a sandbox that is just ending may take */

static bool make_temporary(struct sb_folder *folder)
{
    const char *tmp = getenv("TMPDIR");
    char name[PATH_MAX - 64];

    snprintf(name, sizeof name, "%s/smartrest-sandbox-XXXXXX",
             tmp && *tmp ? tmp : "/tmp");
    if (!mkdtemp(name)) {
        sb_say("cannot make a temporary folder %s: %s", name, strerror(errno));
        return false;
    }
    folder->temporary = true;
    strcpy(folder->path, name);
    return true;
}

static bool make_given(struct sb_folder *folder, const char *dir)
{
    if (mkdir(dir, 0700) && errno != EEXIST) {
        sb_say("cannot make the data folder %s: %s", dir, strerror(errno));
        return false;
    }
    if (!realpath(dir, folder->path)) {
        sb_say("cannot use the data folder %s: %s", dir, strerror(errno));
        return false;
    }
    return true;
}

static bool lock_within(int fd, int wait_ms)
{
    for (int ms = 0; ms <= wait_ms; ms += 20) {
        if (flock(fd, LOCK_EX | LOCK_NB) == 0)
            return true;
        if (errno != EWOULDBLOCK && errno != EINTR)
            return false;
        poll(NULL, 0, 20);
    }
    return false;
}

static bool lock_folder(struct sb_folder *folder)
{
    char path[PATH_MAX + 16];

    snprintf(path, sizeof path, "%s/lock", folder->path);
    folder->lock = sb_open_regular(path, O_RDWR | O_CREAT);
    if (folder->lock < 0) {
        sb_say("cannot lock the data folder %s: %s", folder->path,
               sb_regular_error(errno));
        return false;
    }
    if (lock_within(folder->lock, LOCK_WAIT_MS))
        return true;
    sb_say("the data folder %s is used by another sandbox", folder->path);
    return false;
}

bool sb_folder_open(struct sb_folder *folder, const char *dir)
{
    *folder = (struct sb_folder){ .lock = -1 };
    return (dir ? make_given(folder, dir) : make_temporary(folder)) &&
           lock_folder(folder);
}

static int remove_entry(const char *path, const struct stat *st, int type,
                        struct FTW *where)
{
    (void)st, (void)type, (void)where;
    remove(path);
    return 0;
}

void sb_folder_close(struct sb_folder *folder)
{
    if (folder->temporary)
        nftw(folder->path, remove_entry, 8, FTW_DEPTH | FTW_PHYS);
    if (folder->lock >= 0)
        close(folder->lock);
    folder->lock = -1;
}

static bool write_all(int fd, const char *text)
{
    size_t len = strlen(text);

    while (len) {
        ssize_t n = write(fd, text, len);

        if (n < 0 && errno != EINTR)
            return false;
        if (n > 0) {
            text += n;
            len -= (size_t)n;
        }
    }
    return true;
}

bool sb_file_write(const char *path, const char *text)
{
    char beside[PATH_MAX + 32];
    int fd, error;
    bool done;

    snprintf(beside, sizeof beside, "%s.%d", path, (int)getpid());
    fd = open(beside, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd < 0)
        return false;
    done = write_all(fd, text);
    done = close(fd) == 0 && done && rename(beside, path) == 0;
    error = errno;
    if (!done)
        unlink(beside);
    errno = error;
    return done;
}
