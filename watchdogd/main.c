/* SPDX-License-Identifier: MIT */
/* smartrest-watchdogd: runs a command, and again when it dies or hangs.
 * docs/watchdog.md */
#include "options.h"
#include "say.h"
#include "watch.h"
#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

/* Descriptors of ours must not get the numbers 0 to 2, which the command inherits. */
static void fill_standard_descriptors(void)
{
    for (int fd = 0; fd <= 2; fd++)
        if (fcntl(fd, F_GETFD) < 0 && errno == EBADF &&
            open("/dev/null", fd ? O_WRONLY : O_RDONLY) < 0)
            return;
}

int main(int argc, char **argv)
{
    struct wd_options options = { .interval_ms = 30 * 1000,
                                  .grace_ms = 10 * 1000,
                                  .delay_ms = 1000,
                                  .max_delay_ms = 60 * 1000,
                                  .use_stderr = isatty(STDERR_FILENO),
                                  .syslog = "/dev/log" };
    int status;

    fill_standard_descriptors();
    status = wd_options_read(&options, argc, argv);
    if (status >= 0)
        return status;
    wd_say_open(options.syslog, options.use_stderr);
    return wd_watch(&options);
}
