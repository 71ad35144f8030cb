/* SPDX-License-Identifier: MIT */
/* Where lines go: a descriptor, a file with backups, the terminal. All return 0 or
 * the errno of what went wrong, and never block for long. */
#ifndef SR_LOG_OUT_H
#define SR_LOG_OUT_H

#include <limits.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct sr_log_out {
    int fd;
    bool torn; /* the last line was written in part: the next begins with a line end */
    bool stalled; /* the reader stood still last time: do not wait for it again */
};

/* Writes a line by one call; it raises no SIGPIPE and no SIGXFSZ. */
int sr_log_out_line(struct sr_log_out *out, const char *line, size_t len);

struct sr_log_file {
    struct sr_log_out out; /* fd -1: could not be opened again after a rotation */
    char path[PATH_MAX];
};

int sr_log_file_open(const char *path, struct sr_log_file *ret_file);
void sr_log_file_close(struct sr_log_file *file);
/* `quota`: bytes that a regular file may have. */
int sr_log_file_line(struct sr_log_file *file, uint64_t quota, const char *line,
                     size_t len);

struct sr_log_terminal {
    struct sr_log_out out;
    bool open; /* fd 2 was open when it was looked at, and was this: */
    dev_t dev;
    ino_t ino;
};

/* Remembers what fd 2 is. */
void sr_log_terminal_look(struct sr_log_terminal *terminal);
/* EBADF: fd 2 is closed, or something else by now. */
int sr_log_terminal_line(struct sr_log_terminal *terminal, const char *line,
                         size_t len);

#endif
