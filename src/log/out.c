/* SPDX-License-Identifier: MIT */
#include "log/out.h"
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <time.h>

#define PATIENCE_MS 100 /* for a reader that is slow, once */

/* Files are always ready. A pipe that is ready takes a whole line: it is shorter
 * than PIPE_BUF. */
static int wait_writable(struct sr_log_out *out)
{
    struct stat st;
    struct pollfd wait = { .fd = out->fd, .events = POLLOUT };

    if (fstat(out->fd, &st) < 0)
        return errno;
    if (S_ISREG(st.st_mode))
        return 0;
    out->stalled = poll(&wait, 1, out->stalled ? 0 : PATIENCE_MS) == 0;
    return out->stalled ? EAGAIN : 0;
}

/* A reader that is gone, or a limit on file sizes, shall cost a line and not the
 * process: the signal is held back for this thread and taken away again, unless it
 * was already waiting for it. */
static ssize_t write_quietly(int fd, const struct iovec *parts, int n)
{
    sigset_t ours, before, waiting;
    ssize_t written;
    int error;

    sigemptyset(&ours);
    sigaddset(&ours, SIGPIPE);
    sigaddset(&ours, SIGXFSZ);
    sigpending(&waiting);
    pthread_sigmask(SIG_BLOCK, &ours, &before);
    do
        written = writev(fd, parts, n);
    while (written < 0 && errno == EINTR);
    error = errno;
    if (written < 0 && (error == EPIPE || error == EFBIG)) {
        int raised = error == EPIPE ? SIGPIPE : SIGXFSZ;
        sigemptyset(&ours);
        sigaddset(&ours, raised);
        if (!sigismember(&waiting, raised))
            sigtimedwait(&ours, NULL, &(struct timespec){ 0 });
    }
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    errno = error;
    return written;
}

int sr_log_out_line(struct sr_log_out *out, const char *line, size_t len)
{
    static char line_end[] = "\n";
    struct iovec parts[2] = {
        {line_end, out->torn ? 1 : 0},
        { NULL,    len              }
    };
    ssize_t written;
    int rc = wait_writable(out);

    if (rc)
        return rc;
    parts[1].iov_base = (void *)(uintptr_t)line; /* writev() only reads it */
    written = write_quietly(out->fd, parts, 2);
    if (written < 0)
        return errno;
    if (written == 0)
        return EIO;
    out->torn = (size_t)written < len + parts[0].iov_len;
    return out->torn ? ENOSPC : 0;
}
