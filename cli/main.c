/* SPDX-License-Identifier: MIT */
/* smartrest: what a device's keeper needs at the command line. docs/cli.md */
#include "outbox.h"
#include <fcntl.h>
#include <signal.h>
#include <unistd.h>

static const struct cli_command commands[] = {
    {"outbox", "look into rows on disk that wait for the platform", cli_outbox},
    { NULL,    NULL,                                                NULL      }
};

/* Files of ours must not get the numbers 0 to 2: output would go into them. */
static bool fill_standard_descriptors(void)
{
    int fd;

    do
        fd = open("/dev/null", O_RDWR);
    while (fd >= 0 && fd <= 2);
    if (fd > 2)
        close(fd);
    return fd >= 0;
}

int main(int argc, char **argv)
{
    if (!fill_standard_descriptors())
        return CLI_TROUBLE;
    /* `verify | head -1` has a verdict, too: writing fails, and the process goes on. */
    signal(SIGPIPE, SIG_IGN);
    return cli_run("smartrest", "For devices that speak SmartREST. Commands:", commands,
                   argc, argv);
}
