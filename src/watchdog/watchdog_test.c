/* SPDX-License-Identifier: MIT */
/* The library's side, against a real datagram socket in the place of systemd. */
#include "watchdog/notify.h"
#include <errno.h>
#include <poll.h>
#include <setjmp.h>
#include <smartrest/smartrest.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
/* after what it needs */
#include <cmocka.h>

/* --- systemd ------------------------------------------------------------ */

struct fixture {
    int fd;
    char dir[64], path[80];
    char got[200];
    struct sr_agent *agent;
    struct sr_watchdog *watchdog;
};

static void clear_environment(void)
{
    unsetenv("NOTIFY_SOCKET");
    unsetenv("WATCHDOG_USEC");
    unsetenv("WATCHDOG_PID");
}

static int set_up(void **state)
{
    struct fixture *fx = calloc(1, sizeof *fx);

    clear_environment();
    fx->fd = -1;
    strcpy(fx->dir, "/tmp/watchdog_test.XXXXXX");
    if (!mkdtemp(fx->dir))
        return -1;
    snprintf(fx->path, sizeof fx->path, "%s/notify", fx->dir);
    if (sr_agent_new("http://localhost:1", "d", &fx->agent))
        return -1;
    *state = fx;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *fx = *state;

    sr_watchdog_free(fx->watchdog);
    sr_agent_free(fx->agent);
    if (fx->fd >= 0)
        close(fx->fd);
    unlink(fx->path);
    rmdir(fx->dir);
    clear_environment();
    free(fx);
    return 0;
}

/* Listens at `address`, and puts it into the environment. */
static void listen_at(struct fixture *fx, const char *address)
{
    struct sockaddr_un at;
    socklen_t len;

    assert_true(sr_notify_address(address, &at, &len));
    fx->fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(fx->fd, (struct sockaddr *)&at, len), 0);
    setenv("NOTIFY_SOCKET", address, 1);
}

static void listen_by_path(struct fixture *fx)
{
    listen_at(fx, fx->path);
}

static void expect_silence(struct fixture *fx)
{
    assert_int_equal(recv(fx->fd, fx->got, sizeof fx->got, MSG_DONTWAIT), -1);
    assert_int_equal(errno, EAGAIN);
}

/* The next message, which is there already. */
static void expect_said(struct fixture *fx, const char *text)
{
    ssize_t len = recv(fx->fd, fx->got, sizeof fx->got - 1, MSG_DONTWAIT);

    assert_true(len >= 0);
    fx->got[len] = '\0';
    assert_string_equal(fx->got, text);
}

static uint64_t now_ms(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

/* Runs the agent until the next message is there. */
static void expect_said_by_the_loop(struct fixture *fx, const char *text)
{
    struct pollfd on[2] = {
        {.fd = fx->fd,                  .events = POLLIN},
        { .fd = sr_agent_fd(fx->agent), .events = POLLIN}
    };
    uint64_t give_up = now_ms() + 30000;

    while (now_ms() < give_up && !(on[0].revents & POLLIN)) {
        sr_agent_dispatch(fx->agent);
        poll(on, 2, sr_agent_timeout(fx->agent));
    }
    expect_said(fx, text);
}

/* The loop has nothing to wake up for. */
static void expect_idle(struct fixture *fx)
{
    sr_agent_dispatch(fx->agent);
    assert_int_equal(sr_agent_timeout(fx->agent), -1);
}

/* --- tests -------------------------------------------------------------- */

static void does_nothing_where_nobody_watches(void **state)
{
    struct fixture *fx = *state;

    setenv("WATCHDOG_USEC", "1000", 1);
    assert_int_equal(sr_watchdog_new(fx->agent, &fx->watchdog), 0);
    assert_int_equal(sr_watchdog_interval(fx->watchdog), 0);
    assert_int_equal(sr_watchdog_kick(fx->watchdog), 0);
    expect_idle(fx);
    assert_null(sr_watchdog_free(NULL));
    assert_int_equal(sr_watchdog_kick(NULL), SR_E_INVAL);
    assert_int_equal(sr_watchdog_interval(NULL), 0);
}

static void says_ready_and_stopping_by_path(void **state)
{
    struct fixture *fx = *state;

    listen_by_path(fx);
    assert_int_equal(sr_watchdog_new(fx->agent, &fx->watchdog), 0);
    expect_said(fx, "READY=1");
    assert_int_equal(sr_watchdog_kick(fx->watchdog), 0);
    expect_silence(fx);
    fx->watchdog = sr_watchdog_free(fx->watchdog);
    expect_said(fx, "STOPPING=1");
}

static void abstract_names_are_understood(void **state)
{
    struct fixture *fx = *state;
    char name[64];

    snprintf(name, sizeof name, "@watchdog_test-%d", (int)getpid());
    listen_at(fx, name);
    assert_int_equal(sr_watchdog_new(fx->agent, &fx->watchdog), 0);
    expect_said(fx, "READY=1");
}

static void kicks_from_the_loop_at_half_the_interval(void **state)
{
    struct fixture *fx = *state;
    uint64_t begin;

    listen_by_path(fx);
    setenv("WATCHDOG_USEC", "100000", 1);
    begin = now_ms();
    assert_int_equal(sr_watchdog_new(fx->agent, &fx->watchdog), 0);
    assert_int_equal(sr_watchdog_interval(fx->watchdog), 100);
    expect_said(fx, "READY=1\nWATCHDOG=1");
    expect_silence(fx);
    expect_said_by_the_loop(fx, "WATCHDOG=1");
    expect_said_by_the_loop(fx, "WATCHDOG=1");
    assert_true(now_ms() - begin >= 100);
    fx->watchdog = sr_watchdog_free(fx->watchdog);
    expect_said(fx, "STOPPING=1\nWATCHDOG=1");
    expect_idle(fx);
}

static void half_the_interval_is_the_longest_sleep(void **state)
{
    struct fixture *fx = *state;
    int sleep_ms;

    listen_by_path(fx);
    setenv("WATCHDOG_USEC", "60000000", 1);
    assert_int_equal(sr_watchdog_new(fx->agent, &fx->watchdog), 0);
    sr_agent_dispatch(fx->agent);
    sleep_ms = sr_agent_timeout(fx->agent);
    assert_true(sleep_ms > 0 && sleep_ms <= 30001);
}

static void without_an_agent_the_caller_kicks(void **state)
{
    struct fixture *fx = *state;

    listen_by_path(fx);
    setenv("WATCHDOG_USEC", "30000000", 1);
    assert_int_equal(sr_watchdog_new(NULL, &fx->watchdog), 0);
    expect_said(fx, "READY=1\nWATCHDOG=1");
    assert_int_equal(sr_watchdog_kick(fx->watchdog), 0);
    expect_said(fx, "WATCHDOG=1");
}

static void an_interval_for_another_process_is_not_ours(void **state)
{
    struct fixture *fx = *state;
    char pid[32];

    listen_by_path(fx);
    setenv("WATCHDOG_USEC", "1000", 1);
    snprintf(pid, sizeof pid, "%d", (int)getpid() + 1);
    setenv("WATCHDOG_PID", pid, 1);
    assert_int_equal(sr_watchdog_new(fx->agent, &fx->watchdog), 0);
    assert_int_equal(sr_watchdog_interval(fx->watchdog), 0);
    expect_said(fx, "READY=1");
    fx->watchdog = sr_watchdog_free(fx->watchdog);
    expect_said(fx, "STOPPING=1");

    snprintf(pid, sizeof pid, "%d", (int)getpid());
    setenv("WATCHDOG_PID", pid, 1);
    assert_int_equal(sr_watchdog_new(fx->agent, &fx->watchdog), 0);
    assert_int_equal(sr_watchdog_interval(fx->watchdog), 1);
}

static void expect_environment_refused(struct fixture *fx, const char *socket_name,
                                       const char *usec, const char *says)
{
    setenv("NOTIFY_SOCKET", socket_name, 1);
    setenv("WATCHDOG_USEC", usec, 1);
    assert_int_equal(sr_watchdog_new(fx->agent, &fx->watchdog), SR_E_INVAL);
    assert_null(fx->watchdog);
    assert_non_null(strstr(sr_agent_error(fx->agent), says));
}

static void an_environment_that_makes_no_sense_is_an_error(void **state)
{
    struct fixture *fx = *state;
    char longest[200];

    expect_environment_refused(fx, "vsock:2:1234", "1000", "NOTIFY_SOCKET");
    expect_environment_refused(fx, "@", "1000", "NOTIFY_SOCKET");
    memset(longest, '/', sizeof longest);
    longest[sizeof longest - 1] = '\0';
    expect_environment_refused(fx, longest, "1000", "NOTIFY_SOCKET");
    expect_environment_refused(fx, fx->path, "soon", "WATCHDOG_USEC");
    expect_environment_refused(fx, fx->path, "-1", "WATCHDOG_USEC");
    expect_environment_refused(fx, fx->path, "0", "WATCHDOG_USEC");
    expect_environment_refused(fx, fx->path, "99999999999999999999999",
                               "WATCHDOG_USEC");
}

static void count_line(enum sr_log_level level, const char *component, const char *text,
                       void *arg)
{
    (void)level, (void)component, (void)text;
    ++*(int *)arg;
}

static void a_watcher_that_is_gone_is_logged_once_and_found_again(void **state)
{
    struct fixture *fx = *state;
    int lines = 0;

    setenv("NOTIFY_SOCKET", fx->path, 1);
    setenv("WATCHDOG_USEC", "30000000", 1);
    sr_log_set_sink(count_line, &lines);
    assert_int_equal(sr_watchdog_new(fx->agent, &fx->watchdog), 0);
    assert_int_equal(sr_watchdog_kick(fx->watchdog), SR_E_IO);
    assert_int_equal(sr_watchdog_kick(fx->watchdog), SR_E_IO);
    sr_log_set_sink(NULL, NULL);
    assert_int_equal(lines, 1);
    listen_by_path(fx);
    assert_int_equal(sr_watchdog_kick(fx->watchdog), 0);
    expect_said(fx, "READY=1\nWATCHDOG=1");
}

static void a_watcher_that_does_not_read_is_not_waited_for(void **state)
{
    struct fixture *fx = *state;

    listen_by_path(fx);
    setenv("WATCHDOG_USEC", "30000000", 1);
    assert_int_equal(sr_watchdog_new(fx->agent, &fx->watchdog), 0);
    for (int i = 0; i < 10000; i++)
        assert_int_equal(sr_watchdog_kick(fx->watchdog), 0);
    expect_said(fx, "READY=1\nWATCHDOG=1");
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(does_nothing_where_nobody_watches),
        TEST(says_ready_and_stopping_by_path),
        TEST(abstract_names_are_understood),
        TEST(kicks_from_the_loop_at_half_the_interval),
        TEST(half_the_interval_is_the_longest_sleep),
        TEST(without_an_agent_the_caller_kicks),
        TEST(an_interval_for_another_process_is_not_ours),
        TEST(an_environment_that_makes_no_sense_is_an_error),
        TEST(a_watcher_that_is_gone_is_logged_once_and_found_again),
        TEST(a_watcher_that_does_not_read_is_not_waited_for),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
