/* SPDX-License-Identifier: MIT */
/* A program to be watched, for tests. It says "up PID" on stdout, and then does what its
 * arguments say, one for each time it is started; how often that was, it keeps in FILE:
 *
 *     watchdogd_patient FILE crash hang exit=0
 *
 *     crash       dies by SIGSEGV
 *     exit=N
 *     hang        kicks once, and no more
 *     stubborn    the same, and ignores SIGABRT and SIGTERM
 *     abort=N     hangs, and exits with N on SIGABRT
 *     kick=MS     kicks from an agent's loop for so long, then exits with 0
 *     wait        kicks until SIGTERM or SIGHUP, says so, exits with 7
 *     sleep       kicks, has no handlers at all
 *     child       says "child PID" of a child that ignores SIGTERM, then crashes
 *     silent      never kicks */
#include <signal.h>
#include <smartrest/smartrest.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

static volatile sig_atomic_t caught;
static int exit_code;
static struct sr_agent *agent;
static struct sr_watchdog *watchdog;

static void say(const char *what, long number)
{
    printf("%s %ld\n", what, number);
    fflush(stdout);
}

static void on_signal(int signal_number)
{
    caught = signal_number;
    sr_agent_stop(agent);
}

static void on_abort(int signal_number)
{
    (void)signal_number;
    _exit(exit_code);
}

static void pause_for_ever(void)
{
    for (;;)
        pause();
}

static void crash(void)
{
    signal(SIGSEGV, SIG_DFL);
    raise(SIGSEGV);
}

static void make_watchdog(void)
{
    if (sr_agent_new("http://localhost:1", "patient", &agent) ||
        sr_watchdog_new(agent, &watchdog)) {
        fprintf(stderr, "patient: %s\n", sr_agent_error(agent));
        exit(99);
    }
}

static void stop(struct sr_agent *a, struct sr_timer *timer, void *arg)
{
    (void)timer, (void)arg;
    sr_agent_stop(a);
}

static int kick_for(uint64_t ms)
{
    struct sr_timer *timer;

    make_watchdog();
    if (sr_timer_new(agent, ms, stop, NULL, &timer) || sr_timer_start(timer))
        return 99;
    sr_agent_loop(agent);
    sr_watchdog_free(watchdog);
    sr_agent_free(agent);
    return 0;
}

static int wait_for_signal(void)
{
    make_watchdog();
    signal(SIGTERM, on_signal);
    signal(SIGHUP, on_signal);
    say("ready", (long)getpid());
    sr_agent_loop(agent);
    say("caught", caught);
    sr_watchdog_free(watchdog);
    sr_agent_free(agent);
    return 7;
}

static void have_a_child(void)
{
    pid_t pid = fork();

    if (!pid) {
        signal(SIGTERM, SIG_IGN);
        pause_for_ever();
    }
    say("child", pid);
    crash();
}

/* How often this was called with the file, this time not counted. */
static int count_starts(const char *path)
{
    FILE *file = fopen(path, "a");
    long n = file ? ftell(file) : 0;

    if (!file)
        exit(98);
    putc('.', file);
    fclose(file);
    return (int)n;
}

static int hang(const char *what)
{
    make_watchdog();
    if (strcmp(what, "stubborn") == 0)
        signal(SIGABRT, SIG_IGN), signal(SIGTERM, SIG_IGN);
    if (strncmp(what, "abort=", 6) == 0) {
        exit_code = atoi(what + 6);
        signal(SIGABRT, on_abort);
    }
    say("ready", (long)getpid());
    pause_for_ever();
    return 97;
}

static int act(const char *what)
{
    if (strcmp(what, "crash") == 0)
        crash();
    if (strcmp(what, "child") == 0)
        have_a_child();
    if (strncmp(what, "exit=", 5) == 0)
        return atoi(what + 5);
    if (strncmp(what, "kick=", 5) == 0)
        return kick_for((uint64_t)atoi(what + 5));
    if (strcmp(what, "wait") == 0)
        return wait_for_signal();
    if (strcmp(what, "silent") == 0)
        pause_for_ever();
    if (strcmp(what, "sleep") == 0) {
        say("ready", (long)getpid());
        return kick_for(1000 * 1000);
    }
    return hang(what);
}

int main(int argc, char **argv)
{
    const struct rlimit no_core = { 0, 0 };
    int start;

    if (argc < 3)
        return 96;
    setrlimit(RLIMIT_CORE, &no_core);
    start = count_starts(argv[1]);
    say("up", (long)getpid());
    return act(argv[start + 2 < argc ? start + 2 : argc - 1]);
}
