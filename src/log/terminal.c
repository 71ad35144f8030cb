/* SPDX-License-Identifier: MIT */
#include "log/out.h"
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

void sr_log_terminal_look(struct sr_log_terminal *terminal)
{
    struct stat st;

    *terminal = (struct sr_log_terminal){ .out.fd = STDERR_FILENO };
    if (fstat(STDERR_FILENO, &st) < 0)
        return;
    terminal->open = true;
    terminal->dev = st.st_dev;
    terminal->ino = st.st_ino;
}

/* A descriptor number is given away again as soon as it is closed: what is fd 2 now
 * may be a connection or a file with data. */
static bool is_stderr(const struct sr_log_terminal *terminal)
{
    struct stat st;

    if (fstat(STDERR_FILENO, &st) < 0)
        return false;
    if (terminal->open && st.st_dev == terminal->dev && st.st_ino == terminal->ino)
        return true;
    if (S_ISREG(st.st_mode))
        return fcntl(STDERR_FILENO, F_GETFL) & O_APPEND;
    return S_ISCHR(st.st_mode);
}

int sr_log_terminal_line(struct sr_log_terminal *terminal, const char *line, size_t len)
{
    if (!is_stderr(terminal))
        return EBADF;
    return sr_log_out_line(&terminal->out, line, len);
}
