/* SPDX-License-Identifier: MIT */
#include "broker.h"

#include "config.h"
#include "say.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define STOP_MS 1500 /* for a decent end; then it is killed */

/* --- start ----------------------------------------------------------------------- */

/* A plugin built with a sanitizer needs its runtime loaded first. Leaks at exit would
 * be mosquitto's own. */
static void prepare_environment(void)
{
#ifdef SB_PRELOAD
    setenv("LD_PRELOAD", SB_PRELOAD, 1);
    setenv("ASAN_OPTIONS", "detect_leaks=0", 0);
#endif
}

static void become_mosquitto(const struct sb_setup *setup, const char *config,
                             int ready_fd, int log_fd, pid_t parent)
{
    char *const argv[] = { (char *)(uintptr_t)setup->mosquitto,
                           (char *)(uintptr_t) "-c", (char *)(uintptr_t)config, NULL };
    sigset_t none;

    prctl(PR_SET_PDEATHSIG, SIGTERM);
    if (getppid() != parent) /* it died before that */
        _exit(1);
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    signal(SIGPIPE, SIG_DFL);
    dup2(log_fd, STDOUT_FILENO);
    dup2(log_fd, STDERR_FILENO);
    fcntl(ready_fd, F_SETFD, 0);
    fcntl(setup->http_fd, F_SETFD, 0);
    if (setup->https_fd >= 0)
        fcntl(setup->https_fd, F_SETFD, 0);
    prepare_environment();
    execv(setup->mosquitto, argv);
    dprintf(ready_fd, "cannot run %s: %s\n", setup->mosquitto, strerror(errno));
    _exit(1);
}

/* ready[1] and log[1] are the child's ends. */
static bool spawn(struct sb_broker *broker, const struct sb_setup *setup,
                  const char *config, const int ready[2], const int log[2])
{
    pid_t parent = getpid();

    broker->pid = fork();
    if (broker->pid == 0)
        become_mosquitto(setup, config, ready[1], log[1], parent);
    if (broker->pid < 0) {
        broker->pid = 0;
        sb_say("cannot start a process: %s", strerror(errno));
        return false;
    }
    broker->ready_fd = ready[0];
    broker->log_fd = log[0];
    return true;
}

static void close_both(const int fds[2])
{
    for (int i = 0; i < 2; i++)
        if (fds[i] >= 0)
            close(fds[i]);
}

bool sb_broker_start(struct sb_broker *broker, const struct sb_setup *setup,
                     int signal_fd)
{
    int ready[2] = { -1, -1 }, log[2] = { -1, -1 };
    char config[PATH_MAX + 32];
    bool done;

    *broker =
        (struct sb_broker){ .signal_fd = signal_fd, .ready_fd = -1, .log_fd = -1 };
    snprintf(config, sizeof config, "%s/mosquitto.conf", setup->folder);
    if (pipe2(ready, O_CLOEXEC) || pipe2(log, O_CLOEXEC)) {
        sb_say("cannot make a pipe: %s", strerror(errno));
        close_both(ready);
        return false;
    }
    done = sb_config_write(setup, ready[1], config) &&
           spawn(broker, setup, config, ready, log);
    if (!done) {
        close_both(ready);
        close_both(log);
        return false;
    }
    close(ready[1]);
    close(log[1]);
    return true;
}

/* --- what comes from it --------------------------------------------------------------- */

static void shut(int *fd)
{
    if (*fd >= 0)
        close(*fd);
    *fd = -1;
}

/* Appends what there is; the oldest bytes go when the buffer is full. False at the end. */
static bool read_more(int fd, char *buf, size_t size, size_t *len)
{
    char chunk[1024];
    ssize_t n = read(fd, chunk, size - 1 < sizeof chunk ? size - 1 : sizeof chunk);
    size_t keep = *len;

    if (n < 0)
        return errno == EINTR || errno == EAGAIN;
    if (keep + (size_t)n >= size) {
        keep = size - 1 - (size_t)n;
        memmove(buf, buf + *len - keep, keep);
    }
    memcpy(buf + keep, chunk, (size_t)n);
    *len = keep + (size_t)n;
    buf[*len] = '\0';
    return n > 0;
}

/* Not news to root, and not a fault of a sandbox on loopback. */
static void drop_root_warning(struct sb_broker *broker)
{
    char *found = strstr(broker->log, "should not be run as root"), *begin, *end;

    if (!found)
        return;
    begin = memrchr(broker->log, '\n', (size_t)(found - broker->log));
    begin = begin ? begin + 1 : broker->log;
    end = strchr(found, '\n');
    end = end ? end + 1 : broker->log + broker->log_len;
    memmove(begin, end, strlen(end) + 1);
    broker->log_len -= (size_t)(end - begin);
}

static void read_report(struct sb_broker *broker)
{
    bool more = read_more(broker->ready_fd, broker->report, sizeof broker->report,
                          &broker->report_len);
    char *end = strchr(broker->report, '\n');

    if (more && !end)
        return;
    shut(&broker->ready_fd);
    if (end)
        *end = '\0';
    if (strcmp(broker->report, "ready") != 0)
        return;
    broker->ready = true;
    broker->report[0] = '\0';
    drop_root_warning(broker);
}

/* Whole lines, so that they do not mix with ours. */
static void pass_log_on(struct sb_broker *broker)
{
    char *last = memrchr(broker->log, '\n', broker->log_len);
    size_t whole = last ? (size_t)(last - broker->log) + 1 : 0;

    if (!whole && broker->log_len == sizeof broker->log - 1)
        whole = broker->log_len;
    fwrite(broker->log, 1, whole, stderr);
    broker->log_len -= whole;
    memmove(broker->log, broker->log + whole, broker->log_len);
    broker->log[broker->log_len] = '\0';
}

static void read_log(struct sb_broker *broker)
{
    if (!read_more(broker->log_fd, broker->log, sizeof broker->log, &broker->log_len))
        shut(&broker->log_fd);
    if (broker->ready)
        pass_log_on(broker);
}

/* All that is left of a process that has ended. */
static void read_rest(struct sb_broker *broker)
{
    struct pollfd fd = { .events = POLLIN };

    while (broker->ready_fd >= 0)
        read_report(broker);
    while ((fd.fd = broker->log_fd) >= 0 && poll(&fd, 1, 0) > 0)
        read_log(broker);
}

static bool has_ended(struct sb_broker *broker)
{
    if (!broker->pid)
        return true;
    if (waitpid(broker->pid, &broker->status, WNOHANG) != broker->pid)
        return false;
    broker->pid = 0;
    read_rest(broker);
    shut(&broker->log_fd);
    return true;
}

/* True if somebody wants us to end. */
static bool read_signals(struct sb_broker *broker)
{
    struct signalfd_siginfo info;
    bool end = false;

    while (read(broker->signal_fd, &info, sizeof info) == (ssize_t)sizeof info)
        if (info.ssi_signo != SIGCHLD)
            end = true;
    return end;
}

static int64_t now_ms(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

/* Waits for one event or until `deadline`. */
static void await(struct pollfd fds[3], const struct sb_broker *broker,
                  int64_t deadline)
{
    int64_t left = deadline < 0 ? -1 : deadline - now_ms();

    fds[0] = (struct pollfd){ .fd = broker->signal_fd, .events = POLLIN };
    fds[1] = (struct pollfd){ .fd = broker->ready_fd, .events = POLLIN };
    fds[2] = (struct pollfd){ .fd = broker->log_fd, .events = POLLIN };
    if (deadline >= 0 && left < 0)
        left = 0;
    if (poll(fds, 3, (int)left) < 0)
        fds[0].revents = fds[1].revents = fds[2].revents = 0;
}

enum sb_news sb_broker_wait(struct sb_broker *broker, int timeout_ms)
{
    int64_t deadline = timeout_ms < 0 ? -1 : now_ms() + timeout_ms;
    bool was_ready = broker->ready;
    struct pollfd fds[3];

    while (!has_ended(broker)) {
        if (broker->ready && !was_ready)
            return SB_READY;
        if (deadline >= 0 && now_ms() >= deadline)
            return SB_TIMEOUT;
        await(fds, broker, deadline);
        if (fds[2].revents)
            read_log(broker);
        if (fds[1].revents)
            read_report(broker);
        if (fds[0].revents && read_signals(broker))
            return SB_SIGNAL;
    }
    return SB_ENDED;
}

/* --- its end -------------------------------------------------------------------------- */

static int exit_code(const struct sb_broker *broker)
{
    if (WIFSIGNALED(broker->status))
        return 128 + WTERMSIG(broker->status);
    return WEXITSTATUS(broker->status);
}

/* A second Ctrl-C changes nothing: the end is near enough. */
static bool ends_within(struct sb_broker *broker, int timeout_ms)
{
    int64_t deadline = now_ms() + timeout_ms;
    enum sb_news news;

    do {
        int64_t left = deadline - now_ms();

        news = sb_broker_wait(broker, left < 0 ? 0 : (int)left);
    } while (news == SB_SIGNAL || news == SB_READY);
    return news == SB_ENDED;
}

int sb_broker_stop(struct sb_broker *broker)
{
    if (!broker->pid)
        return exit_code(broker);
    kill(broker->pid, SIGTERM);
    if (ends_within(broker, STOP_MS))
        return exit_code(broker);
    sb_say("mosquitto (process %d) did not end within %d ms and is killed",
           (int)broker->pid, STOP_MS);
    kill(broker->pid, SIGKILL);
    waitpid(broker->pid, &broker->status, 0);
    broker->pid = 0;
    shut(&broker->ready_fd);
    shut(&broker->log_fd);
    return 1;
}

bool sb_broker_lost_port(const struct sb_broker *broker)
{
    return !broker->ready && !broker->report[0] &&
           strstr(broker->log, strerror(EADDRINUSE)) != NULL;
}

/* The last line with an error in it, cut out of the log. */
static const char *last_error(char *log)
{
    const char *found = NULL;

    for (char *line = strtok(log, "\n"); line; line = strtok(NULL, "\n"))
        if (strstr(line, "Error") && (!found || !strstr(line, "plugin")))
            found = strstr(line, "Error");
    return found;
}

int sb_broker_explain(const struct sb_broker *broker)
{
    char log[sizeof broker->log];
    const char *error;
    int code = exit_code(broker);

    strcpy(log, broker->log);
    error = last_error(log);
    if (broker->report[0])
        sb_say("%s", broker->report);
    else if (WIFSIGNALED(broker->status))
        sb_say("mosquitto was ended by signal %d (%s)", WTERMSIG(broker->status),
               strsignal(WTERMSIG(broker->status)));
    else if (!broker->ready && error)
        sb_say("mosquitto did not start: %s", error);
    else
        sb_say("mosquitto ended by itself with status %d", code);
    return broker->ready && code ? code : 1;
}
