/* SPDX-License-Identifier: MIT */
#include "say.h"
#include "watchdog/notify.h"
#include <errno.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum { LINE_MAX_BYTES = 1024 };

static struct {
    int fd; /* 0: not open */
    struct sockaddr_un to;
    socklen_t to_len;
    bool use_stderr;
} say;

void wd_say_open(const char *socket_path, bool use_stderr)
{
    say.use_stderr = use_stderr;
    if (!sr_notify_address(socket_path, &say.to, &say.to_len))
        return;
    say.fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (say.fd < 0)
        say.fd = 0;
}

static void to_syslog(int level, const char *text)
{
    char line[LINE_MAX_BYTES + 100], when[32];
    time_t now = time(NULL);
    struct tm tm;
    int len;

    if (!say.fd || !localtime_r(&now, &tm))
        return;
    strftime(when, sizeof when, "%b %e %H:%M:%S", &tm);
    len = snprintf(line, sizeof line, "<%d>%s " WD_NAME "[%d]: %s", LOG_DAEMON | level,
                   when, (int)getpid(), text);
    sendto(say.fd, line, (size_t)len, MSG_NOSIGNAL, (const struct sockaddr *)&say.to,
           say.to_len);
}

/* A line is shorter than what a pipe that is ready takes at once. */
static void to_stderr(const char *text)
{
    char line[LINE_MAX_BYTES + 40];
    struct pollfd ready = { .fd = STDERR_FILENO, .events = POLLOUT };
    int len = snprintf(line, sizeof line, WD_NAME ": %s\n", text);

    if (poll(&ready, 1, 0) == 1 && !(ready.revents & (POLLERR | POLLNVAL)) &&
        write(STDERR_FILENO, line, (size_t)len) < 0)
        return; /* nobody left to tell */
}

static void format_line(char text[LINE_MAX_BYTES], const char *format, va_list args)
{
    vsnprintf(text, LINE_MAX_BYTES, format, args);
    for (; *text; text++)
        if ((unsigned char)*text < ' ' || *text == 0x7f)
            *text = '?';
}

void wd_say(int level, const char *format, ...)
{
    char text[LINE_MAX_BYTES];
    va_list args;

    va_start(args, format);
    format_line(text, format, args);
    va_end(args);
    to_syslog(level, text);
    if (say.use_stderr)
        to_stderr(text);
}

void wd_complain(const char *format, ...)
{
    char text[LINE_MAX_BYTES];
    va_list args;

    va_start(args, format);
    format_line(text, format, args);
    va_end(args);
    to_stderr(text);
}
