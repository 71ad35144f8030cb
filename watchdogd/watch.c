/* SPDX-License-Identifier: MIT */
/* The watch: one process, a deadline, and what the two mean to each other.
 *
 *     RUNNING --no kick--> ABORTING --dead--> PAUSING --pause over--> RUNNING
 *        |  `--died by a signal--------------^
 *        |--exited--> the end
 *        `--SIGTERM, SIGINT, SIGQUIT--> STOPPING --dead--> the end
 *
 * In ABORTING and STOPPING the deadline is the grace; after it comes SIGKILL. */
#include "watch.h"
#include "command.h"
#include "listener.h"
#include "say.h"
#include "watchdog/notify.h"
#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define NEVER UINT64_MAX /* as a deadline: the clock begins at 0 with the boot */

struct watch {
    const struct wd_options *options;
    struct wd_command command;
    struct wd_listener listener;
    struct sr_notify above; /* systemd, or another one of us */
    int signals;            /* signalfd */
    enum { RUNNING, ABORTING, STOPPING, PAUSING } state;
    pid_t pid; /* 0: not there */
    uint64_t started_ms, deadline_ms, kick_ms;
    uint64_t delay_ms; /* of the next restart */
    bool hung_up;      /* SIGHUP was passed on */
    bool ended;
    int status; /* of the end: exit status, or minus the signal */
};

static uint64_t now_ms(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

static void end(struct watch *w, int status)
{
    w->ended = true;
    w->status = status;
}

/* --- starting ----------------------------------------------------------- */

static void expect_life(struct watch *w, uint64_t in_ms)
{
    w->deadline_ms = w->options->interval_ms ? now_ms() + in_ms : NEVER;
}

/* Returns 0 or an errno. */
static int start(struct watch *w)
{
    const struct wd_options *o = w->options;
    int error;

    wd_listener_read(&w->listener, 0); /* last words of the one before */
    w->started_ms = now_ms();
    error = wd_command_start(&w->command, &w->pid);
    if (error)
        return error;
    w->state = RUNNING;
    w->hung_up = false;
    expect_life(w, o->start_ms ? o->start_ms : o->interval_ms);
    wd_say(LOG_NOTICE, "started %s, pid %d", o->command[0], (int)w->pid);
    return 0;
}

/* A command that lived for long gets the shortest pause again. */
static void start_later(struct watch *w, const char *why)
{
    const struct wd_options *o = w->options;

    if (now_ms() - w->started_ms >= o->max_delay_ms || w->delay_ms < o->delay_ms)
        w->delay_ms = o->delay_ms;
    if (w->delay_ms > o->max_delay_ms)
        w->delay_ms = o->max_delay_ms;
    wd_say(LOG_WARNING, "%s; starting it again in %.1f s", why,
           (double)w->delay_ms / 1000);
    w->state = PAUSING;
    w->deadline_ms = now_ms() + w->delay_ms;
    w->delay_ms = w->delay_ms ? w->delay_ms * 2 : 100;
}

/* --- the deadline ------------------------------------------------------- */

static void start_again(struct watch *w)
{
    int error = start(w);
    char why[200];

    if (!error)
        return;
    snprintf(why, sizeof why, "%.100s cannot be run: %s", w->options->command[0],
             strerror(error));
    start_later(w, why);
}

/* kill(0, ...) would reach our own group, us included: there must be a command. */
static void signal_command(const struct watch *w, bool group, int signal_number)
{
    if (w->pid > 0)
        kill(group ? -w->pid : w->pid, signal_number);
}

static void on_deadline(struct watch *w)
{
    w->deadline_ms = NEVER;
    switch (w->state) {
    case RUNNING:
        wd_say(LOG_ERR, "pid %d gives no sign of life: SIGABRT", (int)w->pid);
        signal_command(w, false, SIGABRT);
        w->state = ABORTING;
        w->deadline_ms = now_ms() + w->options->grace_ms;
        break;
    case ABORTING:
    case STOPPING:
        wd_say(LOG_ERR, "pid %d does not end: SIGKILL", (int)w->pid);
        signal_command(w, true, SIGKILL);
        break;
    case PAUSING: start_again(w); break;
    }
}

/* --- the command's end -------------------------------------------------- */

static void on_exit_of_command(struct watch *w, int code)
{
    wd_say(code ? LOG_WARNING : LOG_NOTICE, "pid %d exited with status %d", (int)w->pid,
           code);
    end(w, code);
}

/* `status`: as waitid() has it in si_code and si_status. It is a zombie still, so no
 * other process can have its number, or its group's. */
static void on_end_of_command(struct watch *w, int code, int status)
{
    char why[100];

    w->deadline_ms = NEVER;
    if (code == CLD_EXITED && w->state != ABORTING) {
        on_exit_of_command(w, status);
        return;
    }
    if (code == CLD_EXITED)
        snprintf(why, sizeof why, "pid %d exited with status %d when aborted",
                 (int)w->pid, status);
    else
        snprintf(why, sizeof why, "pid %d died by signal %d (%s)", (int)w->pid, status,
                 strsignal(status));
    if (w->state == STOPPING || (status == SIGHUP && w->hung_up)) {
        wd_say(LOG_NOTICE, "%s", why);
        end(w, -status);
        return;
    }
    signal_command(w, true, SIGKILL); /* nothing of it is left beside its successor */
    start_later(w, why);
}

/* All children: as process 1 of a container we inherit other people's. */
static void reap(struct watch *w)
{
    siginfo_t info = { .si_pid = 0 };

    while (!waitid(P_ALL, 0, &info, WEXITED | WNOHANG | WNOWAIT) && info.si_pid) {
        bool ours = info.si_pid == w->pid;

        if (ours)
            on_end_of_command(w, info.si_code, info.si_status);
        waitpid(info.si_pid, NULL, 0);
        if (ours)
            w->pid = 0;
        info.si_pid = 0;
    }
}

/* --- signals ------------------------------------------------------------ */

/* The whole group, or a shell would end and leave its command behind. */
static void on_stop_signal(struct watch *w, int signal_number)
{
    wd_say(LOG_NOTICE, "%s", strsignal(signal_number));
    sr_notify_send(&w->above, "STOPPING=1");
    if (!w->pid) {
        end(w, -signal_number);
        return;
    }
    signal_command(w, true, signal_number);
    if (w->state == STOPPING)
        return;
    w->state = STOPPING;
    w->deadline_ms = now_ms() + w->options->grace_ms;
}

static void on_signal(struct watch *w, int signal_number)
{
    switch (signal_number) {
    case SIGCHLD: reap(w); break;
    case SIGTERM:
    case SIGINT:
    case SIGQUIT: on_stop_signal(w, signal_number); break;
    default:
        signal_command(w, false, signal_number);
        if (signal_number == SIGHUP && w->pid)
            w->hung_up = true;
        else if (signal_number == SIGHUP)
            end(w, -signal_number);
    }
}

static void read_signals(struct watch *w)
{
    struct signalfd_siginfo info;

    while (!w->ended && read(w->signals, &info, sizeof info) == sizeof info)
        on_signal(w, (int)info.ssi_signo);
}

static bool open_signals(struct watch *w)
{
    static const int ours[] = { SIGCHLD, SIGTERM, SIGINT, SIGQUIT,
                                SIGHUP,  SIGUSR1, SIGUSR2 };
    struct sigaction normal = { .sa_handler = SIG_DFL };
    sigset_t set;

    sigemptyset(&set);
    for (size_t i = 0; i < sizeof ours / sizeof *ours; i++)
        sigaddset(&set, ours[i]);
    sigprocmask(SIG_BLOCK, &set, &w->command.mask);
    sigaction(SIGCHLD, &normal,
              &w->command.on_child); /* ignored, it leaves no zombies */
    w->signals = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
    return w->signals >= 0;
}

/* Our parent shall see the same end as we did. */
static int die_by(int signal_number)
{
    const struct rlimit no_core = { 0, 0 };
    struct sigaction normal = { .sa_handler = SIG_DFL };
    sigset_t set;

    setrlimit(RLIMIT_CORE, &no_core);
    sigaction(signal_number, &normal, NULL);
    sigemptyset(&set);
    sigaddset(&set, signal_number);
    sigprocmask(SIG_UNBLOCK, &set, NULL);
    raise(signal_number);
    return 128 + signal_number;
}

/* --- the loop ----------------------------------------------------------- */

static int timeout_of(const struct watch *w)
{
    uint64_t now = now_ms(), first = w->deadline_ms;

    if (w->kick_ms < first)
        first = w->kick_ms;
    if (first == NEVER)
        return -1;
    if (first <= now)
        return 0;
    return first - now < INT_MAX ? (int)(first - now) : INT_MAX;
}

static void kick_above(struct watch *w)
{
    if (now_ms() < w->kick_ms)
        return;
    sr_notify_send(&w->above, "WATCHDOG=1");
    w->kick_ms = now_ms() + w->above.interval_us / 2000 + 1;
}

/* Kicks are read before the deadline is looked at: that we were late is not the
 * command's fault. */
static void turn(struct watch *w)
{
    struct pollfd on[] = {
        {.fd = w->signals,      .events = POLLIN},
        { .fd = w->listener.fd, .events = POLLIN}
    };

    poll(on, 2, timeout_of(w));
    read_signals(w);
    if (wd_listener_read(&w->listener, w->pid) && w->state == RUNNING)
        expect_life(w, w->options->interval_ms);
    if (!w->ended && now_ms() >= w->deadline_ms)
        on_deadline(w);
    kick_above(w);
}

static int give_up(const char *what, int error)
{
    wd_complain("%s: %s", what, strerror(error));
    return error == ENOENT ? 127 : 126;
}

static bool open_above(struct watch *w)
{
    const char *wrong = NULL;

    if (sr_notify_open(&w->above, &wrong)) {
        wd_complain("%s", wrong ? wrong : strerror(errno));
        return false;
    }
    w->kick_ms = w->above.interval_us ? now_ms() : NEVER;
    return true;
}

int wd_watch(const struct wd_options *options)
{
    struct watch w = { .options = options, .deadline_ms = NEVER, .kick_ms = NEVER };
    int error;

    if (!open_above(&w))
        return 2;
    if (!wd_listener_open(&w.listener) || !open_signals(&w))
        return give_up("cannot watch", errno);
    w.command.argv = options->command;
    w.command.notify = w.listener.address;
    w.command.interval_ms = options->interval_ms;
    error = start(&w);
    if (error)
        return give_up(options->command[0], error);
    sr_notify_send(&w.above, "READY=1");
    while (!w.ended)
        turn(&w);
    return w.status < 0 ? die_by(-w.status) : w.status;
}
