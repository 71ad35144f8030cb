/* SPDX-License-Identifier: MIT */
#include "command.h"
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

static void announce(const struct wd_command *command)
{
    char us[32];

    snprintf(us, sizeof us, "%" PRIu64, command->interval_ms * 1000);
    setenv("NOTIFY_SOCKET", command->notify, 1);
    unsetenv("WATCHDOG_PID"); /* the sender's process group tells whose kick it is */
    if (command->interval_ms)
        setenv("WATCHDOG_USEC", us, 1);
    else
        unsetenv("WATCHDOG_USEC");
}

/* In the child: never returns. */
static void become(const struct wd_command *command, pid_t parent, int report)
{
    int error;

    setpgid(0, 0);
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != parent)
        _exit(127); /* the signal was asked for too late */
    announce(command);
    sigaction(SIGCHLD, &command->on_child, NULL);
    sigprocmask(SIG_SETMASK, &command->mask, NULL);
    execvp(command->argv[0], command->argv);
    error = errno;
    _exit(write(report, &error, sizeof error) == sizeof error ? 127 : 126);
}

/* What execvp() came to: the pipe closes with success. */
static int await_exec(int report)
{
    int error = 0;
    ssize_t n;

    do
        n = read(report, &error, sizeof error);
    while (n < 0 && errno == EINTR);
    return n == sizeof error ? error : 0;
}

int wd_command_start(const struct wd_command *command, pid_t *ret_pid)
{
    pid_t parent = getpid(), pid;
    int report[2], error;

    if (pipe2(report, O_CLOEXEC) < 0)
        return errno;
    pid = fork();
    if (pid < 0) {
        error = errno;
        close(report[0]);
        close(report[1]);
        return error;
    }
    if (!pid)
        become(command, parent, report[1]);
    setpgid(pid, pid); /* whoever is first */
    close(report[1]);
    error = await_exec(report[0]);
    close(report[0]);
    if (error)
        waitpid(pid, NULL, 0);
    else
        *ret_pid = pid;
    return error;
}
