/* SPDX-License-Identifier: MIT */
/* The watchdog as a program, with real patients (patient.c). */
#include "support/child.h"
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
/* after what it needs */
#include <cmocka.h>

/* --- helpers ------------------------------------------------------------ */

enum { OUT, ERR };

struct fixture {
    char dir[64], file[100], socket[100];
    pid_t pid; /* of the watchdog */
    int fd[2]; /* its stdout, and the patient's; its stderr */
    char text[2][8192];
    size_t len[2], seen[2];
    int listener; /* syslog, or systemd */
};

static uint64_t now_ms(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

static int set_up(void **state)
{
    struct fixture *fx = calloc(1, sizeof *fx);

    strcpy(fx->dir, "/tmp/watchdogd_test.XXXXXX");
    if (!mkdtemp(fx->dir))
        return -1;
    snprintf(fx->file, sizeof fx->file, "%s/starts", fx->dir);
    snprintf(fx->socket, sizeof fx->socket, "%s/socket", fx->dir);
    fx->fd[OUT] = fx->fd[ERR] = fx->listener = -1;
    unsetenv("NOTIFY_SOCKET");
    unsetenv("WATCHDOG_USEC");
    unsetenv("WATCHDOG_PID");
    *state = fx;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *fx = *state;

    if (fx->pid) {
        child_end(&fx->pid, SIGKILL);
    }
    for (int i = 0; i < 2; i++)
        if (fx->fd[i] >= 0)
            close(fx->fd[i]);
    if (fx->listener >= 0)
        close(fx->listener);
    unlink(fx->file);
    unlink(fx->socket);
    rmdir(fx->dir);
    free(fx);
    return 0;
}

#define MAX_ARGS 32

/* Runs argv with pipes for output. */
static void run(struct fixture *fx, const char *const argv[])
{
    int out[2], err[2];

    assert_int_equal(pipe2(out, O_CLOEXEC) | pipe2(err, O_CLOEXEC), 0);
    fx->pid = fork();
    if (!fx->pid) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        dup2(out[1], STDOUT_FILENO);
        dup2(err[1], STDERR_FILENO);
        execv(argv[0], (char *const *)(uintptr_t)argv);
        _exit(125);
    }
    close(out[1]);
    close(err[1]);
    fx->fd[OUT] = out[0];
    fx->fd[ERR] = err[0];
}

/* The watchdog with `options` and a patient that acts `acts`, both words with blanks
 * between. Pauses are short unless the options say otherwise. */
static void watch(struct fixture *fx, const char *options, const char *acts)
{
    const char *argv[MAX_ARGS] = { WATCHDOGD,  "--stderr", "--syslog",
                                   fx->socket, "--delay",  "0.02" };
    char words[400], *rest = words, *word;
    size_t n = 6;

    snprintf(words, sizeof words, "%s -- %s %s %s", options, PATIENT, fx->file, acts);
    while ((word = strtok_r(rest, " ", &rest)) && n < MAX_ARGS - 1)
        argv[n++] = word;
    run(fx, argv);
}

/* Reads more; false at the end, and after 30 s the test fails. */
static bool read_more(struct fixture *fx, int which)
{
    struct pollfd on = { .fd = fx->fd[which], .events = POLLIN };
    size_t room = sizeof fx->text[which] - 1 - fx->len[which];
    ssize_t n;

    if (poll(&on, 1, 30000) != 1)
        fail_msg("nothing comes any more:\n%s%s", fx->text[OUT], fx->text[ERR]);
    n = read(fx->fd[which], fx->text[which] + fx->len[which], room);
    if (n > 0)
        fx->len[which] += (size_t)n;
    return n > 0;
}

/* Awaits `text` behind what was awaited before. Returns what follows it. */
static const char *await(struct fixture *fx, int which, const char *text)
{
    const char *found;

    while (!(found = strstr(fx->text[which] + fx->seen[which], text)) ||
           !strchr(found, '\n'))
        if (!read_more(fx, which))
            fail_msg("ended without \"%s\":\n%s%s", text, fx->text[OUT], fx->text[ERR]);
    found += strlen(text);
    fx->seen[which] = (size_t)(found - fx->text[which]);
    return found;
}

static pid_t await_patient(struct fixture *fx)
{
    return (pid_t)atoi(await(fx, OUT, "up "));
}

/* All that holds the pipe is gone: watchdog and patients. */
static void await_silence(struct fixture *fx, int which)
{
    while (read_more(fx, which))
        ;
}

/* What waitpid() says, at the end of the watchdog. */
static int await_end(struct fixture *fx)
{
    int status;

    await_silence(fx, ERR);
    assert_int_equal(waitpid(fx->pid, &status, 0), fx->pid);
    fx->pid = 0;
    return status;
}

static void expect_exit(struct fixture *fx, int code)
{
    int status = await_end(fx);

    if (!WIFEXITED(status) || WEXITSTATUS(status) != code)
        fail_msg("status %x\n%s%s", (unsigned)status, fx->text[OUT], fx->text[ERR]);
}

static void expect_end_by(struct fixture *fx, int signal_number)
{
    int status = await_end(fx);

    if (!WIFSIGNALED(status) || WTERMSIG(status) != signal_number)
        fail_msg("status %x\n%s%s", (unsigned)status, fx->text[OUT], fx->text[ERR]);
}

static int starts(const struct fixture *fx)
{
    int n = 0;
    FILE *file = fopen(fx->file, "r");

    while (file && getc(file) != EOF)
        n++;
    if (file)
        fclose(file);
    return n;
}

static void expect_gone(pid_t pid)
{
    int fd = (int)syscall(SYS_pidfd_open, pid, 0);

    if (fd < 0)
        assert_int_equal(errno, ESRCH);
    else
        assert_int_equal(poll(&(struct pollfd){ .fd = fd, .events = POLLIN }, 1, 30000),
                         1);
    if (fd >= 0)
        close(fd);
}

/* A datagram socket at fx->socket, or at an abstract name. */
static void listen_at(struct fixture *fx, const char *abstract)
{
    struct sockaddr_un at = { .sun_family = AF_UNIX };
    socklen_t len = sizeof at;

    if (abstract) {
        strcpy(at.sun_path + 1, abstract);
        len =
            (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 + strlen(abstract));
    } else {
        strcpy(at.sun_path, fx->socket);
    }
    fx->listener = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(fx->listener, (struct sockaddr *)&at, len), 0);
}

static const char *next_datagram(struct fixture *fx)
{
    static char text[2000];
    struct pollfd on = { .fd = fx->listener, .events = POLLIN };
    ssize_t len;

    assert_int_equal(poll(&on, 1, 30000), 1);
    len = recv(fx->listener, text, sizeof text - 1, 0);
    assert_true(len >= 0);
    text[len] = '\0';
    return text;
}

/* --- the command's end -------------------------------------------------- */

static void ends_when_the_command_exits_with_its_status(void **state)
{
    watch(*state, "", "exit=0");
    expect_exit(*state, 0);
    assert_int_equal(starts(*state), 1);
}

static void an_exit_status_that_is_not_0_is_no_reason_to_start_again(void **state)
{
    watch(*state, "", "exit=3");
    await(*state, ERR, "exited with status 3");
    expect_exit(*state, 3);
    assert_int_equal(starts(*state), 1);
}

static void starts_again_what_dies_by_a_signal(void **state)
{
    pid_t first, second;

    watch(*state, "", "crash crash exit=4");
    first = await_patient(*state);
    second = await_patient(*state);
    assert_int_not_equal(first, second);
    await(*state, ERR, "died by signal 11 (Segmentation fault); starting it again in");
    expect_exit(*state, 4);
    assert_int_equal(starts(*state), 3);
}

static void nothing_of_the_dead_lives_beside_its_successor(void **state)
{
    struct fixture *fx = *state;
    pid_t child;

    watch(fx, "", "child exit=0");
    child = (pid_t)atoi(await(fx, OUT, "child "));
    expect_exit(fx, 0);
    expect_gone(child);
}

/* --- hanging ------------------------------------------------------------ */

static void kills_what_stops_kicking_and_starts_it_again(void **state)
{
    struct fixture *fx = *state;
    uint64_t begin, took;

    watch(fx, "--interval 0.3", "hang exit=0");
    await(fx, OUT, "ready");
    begin = now_ms();
    await_patient(fx);
    took = now_ms() - begin;
    assert_true(took >= 250 && took < 20000);
    await(fx, ERR, "gives no sign of life: SIGABRT");
    await(fx, ERR, "died by signal 6");
    expect_exit(fx, 0);
}

static void what_ignores_SIGABRT_gets_SIGKILL_after_the_grace(void **state)
{
    watch(*state, "--interval 0.1 --grace 0.1", "stubborn exit=0");
    await(*state, ERR, "SIGABRT");
    await(*state, ERR, "does not end: SIGKILL");
    await(*state, ERR, "died by signal 9");
    expect_exit(*state, 0);
}

static void an_exit_in_answer_to_SIGABRT_is_no_end(void **state)
{
    watch(*state, "--interval 0.1", "abort=0 exit=5");
    await(*state, ERR, "exited with status 0 when aborted; starting it again");
    expect_exit(*state, 5);
}

static void kicks_from_an_agent_keep_it_alive(void **state)
{
    watch(*state, "--interval 2", "kick=3000"); /* a kick a second */
    expect_exit(*state, 0);
    assert_int_equal(starts(*state), 1);
}

static void the_first_kick_may_be_given_more_time(void **state)
{
    uint64_t begin = now_ms();

    watch(*state, "--interval 0.1 --start 0.6", "silent exit=0");
    await(*state, ERR, "SIGABRT");
    assert_true(now_ms() - begin >= 550);
    expect_exit(*state, 0);
}

static void with_interval_0_no_kicks_are_expected(void **state)
{
    struct fixture *fx = *state;

    watch(fx, "--interval 0", "silent");
    child_signal(await_patient(fx), SIGKILL);
    await_patient(fx);
    child_signal(fx->pid, SIGTERM);
    expect_end_by(fx, SIGTERM);
}

/* An abstract socket takes datagrams from everybody. */
static void kicks_of_others_do_not_count(void **state)
{
    struct fixture *fx = *state;
    struct sockaddr_un to = { .sun_family = AF_UNIX };
    char path[64], environ_text[8192];
    const char *address = NULL;
    socklen_t len;
    pid_t patient;
    uint64_t give_up = now_ms() + 30000;
    ssize_t n;
    int fd;

    watch(fx, "--interval 0.5", "hang exit=0");
    patient = await_patient(fx);
    await(fx, OUT, "ready");
    snprintf(path, sizeof path, "/proc/%d/environ", (int)patient);
    fd = open(path, O_RDONLY | O_CLOEXEC);
    n = read(fd, environ_text, sizeof environ_text - 1);
    close(fd);
    assert_true(n > 0);
    environ_text[n] = '\0';
    for (char *at = environ_text; at < environ_text + n; at += strlen(at) + 1)
        if (strncmp(at, "NOTIFY_SOCKET=@", 15) == 0)
            address = at + 15;
    assert_non_null(address);
    strcpy(to.sun_path + 1, address);
    len = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 + strlen(address));
    fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    while (starts(fx) == 1) {
        assert_true(now_ms() < give_up);
        if (sendto(fd, "WATCHDOG=1", 10, MSG_DONTWAIT, (struct sockaddr *)&to, len) < 0)
            assert_int_equal(errno, EAGAIN);
        poll(NULL, 0, 20);
    }
    close(fd);
    expect_exit(fx, 0);
}

/* --- restarts ----------------------------------------------------------- */

static void restarts_slow_down_up_to_a_bound(void **state)
{
    struct fixture *fx = *state;

    watch(fx, "--delay 0.1 --max-delay 0.4", "crash crash crash crash exit=0");
    await(fx, ERR, "again in 0.1 s");
    await(fx, ERR, "again in 0.2 s");
    await(fx, ERR, "again in 0.4 s");
    await(fx, ERR, "again in 0.4 s");
    expect_exit(fx, 0);
}

static void living_long_makes_the_pause_short_again(void **state)
{
    struct fixture *fx = *state;

    watch(fx, "--interval 1 --delay 0.1 --max-delay 0.3 --grace 0",
          "crash crash hang exit=0");
    await(fx, ERR, "again in 0.1 s");
    await(fx, ERR, "again in 0.2 s");
    await(fx, ERR, "again in 0.1 s");
    expect_exit(fx, 0);
}

static void a_command_that_is_gone_later_is_waited_for(void **state)
{
    struct fixture *fx = *state;
    char copy[100], command[400];
    const char *argv[] = { WATCHDOGD, "--stderr", "--delay", "0.05", copy,
                           fx->file,  "wait",     "exit=0",  NULL };
    pid_t patient;

    snprintf(copy, sizeof copy, "%s/patient", fx->dir);
    snprintf(command, sizeof command, "cp %s %s", PATIENT, copy);
    assert_int_equal(system(command), 0);
    run(fx, argv);
    patient = await_patient(fx);
    await(fx, OUT, "ready");
    unlink(copy);
    child_signal(patient, SIGKILL);
    await(fx, ERR, "cannot be run: No such file or directory; starting it again");
    assert_int_equal(system(command), 0);
    expect_exit(fx, 0);
    unlink(copy);
}

/* --- signals ------------------------------------------------------------ */

static void passes_SIGTERM_on_and_takes_over_the_answer(void **state)
{
    struct fixture *fx = *state;

    watch(fx, "", "wait");
    await(fx, OUT, "ready");
    child_signal(fx->pid, SIGTERM);
    await(fx, OUT, "caught 15");
    expect_exit(fx, 7);
    assert_int_equal(starts(fx), 1);
}

static void dies_by_the_signal_that_ended_the_command(void **state)
{
    static const int signals[] = { SIGTERM, SIGINT, SIGHUP };
    struct fixture *fx = *state;

    for (size_t i = 0; i < 3; i++) {
        watch(fx, "", "sleep");
        await(fx, OUT, "ready");
        child_signal(fx->pid, signals[i]);
        expect_end_by(fx, signals[i]);
        assert_int_equal(starts(fx), (int)i + 1);
        close(fx->fd[OUT]);
        close(fx->fd[ERR]);
        fx->len[OUT] = fx->seen[OUT] = fx->len[ERR] = fx->seen[ERR] = 0;
        memset(fx->text, 0, sizeof fx->text);
    }
}

static void SIGHUP_is_the_commands_own_business(void **state)
{
    struct fixture *fx = *state;

    watch(fx, "", "wait");
    await(fx, OUT, "ready");
    child_signal(fx->pid, SIGHUP);
    await(fx, OUT, "caught 1");
    expect_exit(fx, 7);
}

static void what_does_not_end_on_SIGTERM_gets_SIGKILL(void **state)
{
    struct fixture *fx = *state;

    watch(fx, "--interval 100 --grace 0.1", "stubborn");
    await(fx, OUT, "ready");
    child_signal(fx->pid, SIGTERM);
    await(fx, ERR, "does not end: SIGKILL");
    expect_end_by(fx, SIGKILL);
    assert_int_equal(starts(fx), 1);
}

static void ends_at_once_in_a_pause(void **state)
{
    struct fixture *fx = *state;

    watch(fx, "--delay 1000 --max-delay 1000", "crash");
    await(fx, ERR, "starting it again in 1000.0 s");
    child_signal(fx->pid, SIGTERM);
    expect_end_by(fx, SIGTERM);
}

static void the_command_does_not_outlive_the_watchdog(void **state)
{
    struct fixture *fx = *state;
    pid_t patient;

    watch(fx, "", "stubborn");
    patient = await_patient(fx);
    await(fx, OUT, "ready");
    child_signal(fx->pid, SIGKILL);
    expect_end_by(fx, SIGKILL);
    await_silence(fx, OUT);
    expect_gone(patient);
}

/* --- around it ---------------------------------------------------------- */

static void says_what_happens_to_syslog(void **state)
{
    struct fixture *fx = *state;
    const char *line;

    listen_at(fx, NULL);
    watch(fx, "", "crash exit=0");
    line = next_datagram(fx);
    assert_memory_equal(line, "<29>", 4); /* daemon.notice */
    assert_non_null(strstr(line, " smartrest-watchdogd["));
    assert_non_null(strstr(line, "]: started "));
    line = next_datagram(fx);
    assert_memory_equal(line, "<28>", 4); /* daemon.warning */
    assert_non_null(strstr(line, "died by signal 11"));
    assert_non_null(strstr(next_datagram(fx), "started"));
    assert_non_null(strstr(next_datagram(fx), "exited with status 0"));
    expect_exit(fx, 0);
}

static void a_syslog_that_stands_still_is_not_waited_for(void **state)
{
    struct fixture *fx = *state;
    char acts[300] = "";

    for (int i = 0; i < 15; i++)
        strcat(acts, "crash ");
    strcat(acts, "exit=0");
    listen_at(fx, NULL);
    watch(fx, "--delay 0 --max-delay 0", acts);
    expect_exit(fx, 0);
}

static void is_watched_itself_by_systemd(void **state)
{
    struct fixture *fx = *state;
    char name[64], address[66];
    int kicks = 0;

    snprintf(name, sizeof name, "watchdogd_test-%d", (int)getpid());
    snprintf(address, sizeof address, "@%s", name);
    listen_at(fx, name);
    setenv("NOTIFY_SOCKET", address, 1);
    setenv("WATCHDOG_USEC", "100000", 1);
    watch(fx, "--interval 5", "wait");
    assert_string_equal(next_datagram(fx), "READY=1");
    while (kicks < 3) {
        assert_string_equal(next_datagram(fx), "WATCHDOG=1");
        kicks++;
    }
    await(fx, OUT, "ready");
    child_signal(fx->pid, SIGTERM);
    while (strcmp(next_datagram(fx), "STOPPING=1") != 0)
        ;
    expect_exit(fx, 7);
}

static void closed_standard_descriptors_are_none_of_ours_for_the_command(void **state)
{
    struct fixture *fx = *state;
    char script[400];
    const char *argv[] = { "/bin/sh", "-c", script, NULL };

    snprintf(script, sizeof script,
             "exec %s --interval 0 readlink /proc/self/fd/0 /proc/self/fd/2 <&- 2>&-",
             WATCHDOGD);
    run(fx, argv);
    await(fx, OUT, "/dev/null\n/dev/null");
    expect_exit(fx, 0);
}

/* --- usage -------------------------------------------------------------- */

static void expect_usage(struct fixture *fx, const char *const argv[], int code,
                         const char *line)
{
    run(fx, argv);
    expect_exit(fx, code);
    assert_string_equal(fx->text[ERR], line);
    close(fx->fd[OUT]);
    close(fx->fd[ERR]);
    memset(fx->text, 0, sizeof fx->text);
    fx->len[ERR] = fx->seen[ERR] = 0;
}

#define USAGE(code, line, ...)                                                        \
    expect_usage(*state, (const char *const[]){ WATCHDOGD, __VA_ARGS__, NULL }, code, \
                 line)

static void bad_options_are_one_line_and_status_2(void **state)
{
    USAGE(2, "smartrest-watchdogd: a command is missing; see --help\n", "--");
    USAGE(2, "smartrest-watchdogd: a command is missing; see --help\n", "");
    USAGE(
        2,
        "smartrest-watchdogd: --nope: no such option, or a value too many; see --help\n",
        "--nope", "true");
    USAGE(2,
          "smartrest-watchdogd: -x: no such option, or a value too many; see --help\n",
          "-x", "true");
    USAGE(2, "smartrest-watchdogd: --grace: a value is missing; see --help\n",
          "--grace");
    USAGE(
        2,
        "smartrest-watchdogd: --interval: 'soon' is not a number of seconds up to 1000000\n",
        "--interval", "soon", "true");
    USAGE(
        2,
        "smartrest-watchdogd: --interval: '-1' is not a number of seconds up to 1000000\n",
        "--interval=-1", "true");
    USAGE(
        2,
        "smartrest-watchdogd: --start: '0' is not a number of seconds above 0 up to 1000000\n",
        "--start", "0", "true");
    USAGE(
        2,
        "smartrest-watchdogd: --grace: '1e9' is not a number of seconds up to 1000000\n",
        "--grace", "1e9", "true");
}

static void a_command_that_cannot_be_run_is_named(void **state)
{
    USAGE(127, "smartrest-watchdogd: /no/such/agent: No such file or directory\n",
          "/no/such/agent");
    USAGE(126, "smartrest-watchdogd: /tmp: Permission denied\n", "/tmp");
}

static void options_of_the_command_are_the_commands(void **state)
{
    struct fixture *fx = *state;

    run(fx, (const char *const[]){ WATCHDOGD, "--interval", "0", "sh", "-c", "exit 9",
                                   NULL });
    expect_exit(fx, 9);
}

static void help_and_version_are_said(void **state)
{
    struct fixture *fx = *state;

    run(fx, (const char *const[]){ WATCHDOGD, "--help", NULL });
    await(fx, OUT, "usage: smartrest-watchdogd");
    expect_exit(fx, 0);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(ends_when_the_command_exits_with_its_status),
        TEST(an_exit_status_that_is_not_0_is_no_reason_to_start_again),
        TEST(starts_again_what_dies_by_a_signal),
        TEST(nothing_of_the_dead_lives_beside_its_successor),
        TEST(kills_what_stops_kicking_and_starts_it_again),
        TEST(what_ignores_SIGABRT_gets_SIGKILL_after_the_grace),
        TEST(an_exit_in_answer_to_SIGABRT_is_no_end),
        TEST(kicks_from_an_agent_keep_it_alive),
        TEST(the_first_kick_may_be_given_more_time),
        TEST(with_interval_0_no_kicks_are_expected),
        TEST(kicks_of_others_do_not_count),
        TEST(restarts_slow_down_up_to_a_bound),
        TEST(living_long_makes_the_pause_short_again),
        TEST(a_command_that_is_gone_later_is_waited_for),
        TEST(passes_SIGTERM_on_and_takes_over_the_answer),
        TEST(dies_by_the_signal_that_ended_the_command),
        TEST(SIGHUP_is_the_commands_own_business),
        TEST(what_does_not_end_on_SIGTERM_gets_SIGKILL),
        TEST(ends_at_once_in_a_pause),
        TEST(the_command_does_not_outlive_the_watchdog),
        TEST(says_what_happens_to_syslog),
        TEST(a_syslog_that_stands_still_is_not_waited_for),
        TEST(is_watched_itself_by_systemd),
        TEST(closed_standard_descriptors_are_none_of_ours_for_the_command),
        TEST(bad_options_are_one_line_and_status_2),
        TEST(a_command_that_cannot_be_run_is_named),
        TEST(options_of_the_command_are_the_commands),
        TEST(help_and_version_are_said),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
