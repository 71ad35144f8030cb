/* SPDX-License-Identifier: MIT */
/* Descriptors: what the library opens is close-on-exec and never 0, 1 or 2. A host that has
 * closed those would else print into our connections and files. All behave as the system's
 * calls of the same name: -1 and errno. */
#ifndef BASE_FD_H
#define BASE_FD_H

#include <stdint.h>
#include <sys/types.h>

/* Opens /dev/null as each of 0, 1 and 2 that is closed; they stay until the process ends or puts
 * something else there. Any thread. To be called before a library opens descriptors that we cannot
 * choose: libuv (which aborts when it closes one of 0 to 2), libcurl, libmosquitto. */
void sr_fd_reserve(void);

int sr_fd_open(const char *path, int flags, mode_t mode);
int sr_fd_openat(int dir, const char *path, int flags, mode_t mode);
/* Opens a regular file, or a link to one, for reading. A FIFO, a socket or a device is not even
 * opened: it might block, never end, or do something. Those: EINVAL; a directory: EISDIR. */
int sr_fd_open_file(const char *path);

/* What to say of `error`, by which sr_fd_open_file() failed. */
const char *sr_fd_file_error(int error);

int sr_fd_socket(int domain, int type, int protocol);
int sr_fd_pipe(int ret_ends[2], int flags);

/* Makes `fd` close-on-exec and moves it above 2. Returns its number from now on; or -1, and it is
 * closed. -1 is handed through with errno as it is: sr_fd_raise(mkostemp(name, 0)). */
int sr_fd_raise(int fd);

/* Makes `fd` close-on-exec. -1 is no descriptor: fine. */
void sr_fd_seal(int fd);

/* For a library's call that makes a pair of sockets which it keeps to itself, without
 * close-on-exec:
 *
 *     sr_fd_look(&before); curl_multi_init(); sr_fd_seal_pairs(&before);
 *
 * A pair without close-on-exec that another thread makes in just these microseconds is sealed,
 * too; descriptors from SR_FD_VIEW on are not looked at. */
enum { SR_FD_VIEW = 1024 };
struct sr_fd_view {
    uint64_t
        pairs[SR_FD_VIEW / 64]; /* a bit for each number: open, and of such a pair */
    int end;                    /* numbers from here on were free */
};
void sr_fd_look(struct sr_fd_view *ret_view);
void sr_fd_seal_pairs(const struct sr_fd_view *before);

#endif
