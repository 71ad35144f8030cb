/* SPDX-License-Identifier: MIT */
/* Timers, stopping and embedding, by the public interface. */
#include "loop/fixture.h"
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static uint64_t now_ns(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

/* --- timers -------------------------------------------------------------- */

static void check_gap(struct sr_agent *agent, struct sr_timer *timer, void *arg)
{
    struct fixture *fx = arg;

    fx->calls++;
    assert_true(now_ns() - fx->last_ns >=
                (uint64_t)fx->calls * sr_timer_interval(timer) * 1000000);
    if (fx->calls == fx->limit)
        sr_agent_stop(agent);
}

static void a_timer_is_never_early(void **state)
{
    struct fixture *fx = *state;

    for (uint64_t ms = 1; ms <= 20; ms++) {
        fx->calls = 0;
        fx->limit = 5;
        fx->last_ns = now_ns();
        fx->timer = start(fx, ms, check_gap);
        assert_int_equal(sr_agent_loop(fx->agent), 0);
        fx->timer = sr_timer_free(fx->timer);
    }
}

/* Time that passes outside of the loop is time, too. */
static void a_timer_started_after_a_while_is_not_early_either(void **state)
{
    struct fixture *fx = *state;
    uint64_t began = now_ns();

    run_for(fx, 1);
    while (now_ns() - began < 7 * 1000000)
        ;
    fx->limit = 1;
    fx->last_ns = now_ns();
    fx->timer = start(fx, 3, check_gap);
    assert_int_equal(sr_agent_loop(fx->agent), 0);
}

static void a_timer_is_not_late_either(void **state)
{
    struct fixture *fx = *state;
    uint64_t began = now_ns();

    fx->limit = 10;
    fx->timer = start(fx, 10, check_gap);
    assert_int_equal(sr_agent_loop(fx->agent), 0);
    assert_in_range((now_ns() - began) / 1000000, 100, 5000);
}

static void count(struct sr_agent *agent, struct sr_timer *timer, void *arg)
{
    struct fixture *fx = arg;

    (void)timer;
    if (++fx->calls == fx->limit)
        sr_agent_stop(agent);
}

static void count_other(struct sr_agent *agent, struct sr_timer *timer, void *arg)
{
    (void)agent, (void)timer;
    ((struct fixture *)arg)->other_calls++;
}

static void a_new_timer_is_not_active(void **state)
{
    struct fixture *fx = *state;

    assert_int_equal(sr_timer_new(fx->agent, 1, count, fx, &fx->timer), 0);
    assert_false(sr_timer_is_active(fx->timer));
    run_for(fx, 10);
    assert_int_equal(fx->calls, 0);
    assert_int_equal(sr_timer_start(fx->timer), 0);
    assert_true(sr_timer_is_active(fx->timer));
    run_for(fx, 30);
    assert_true(fx->calls > 0);
    sr_timer_stop(fx->timer);
    sr_timer_stop(fx->timer);
    fx->calls = 0;
    run_for(fx, 10);
    assert_int_equal(fx->calls, 0);
}

static void bad_arguments_are_refused(void **state)
{
    struct fixture *fx = *state;

    assert_int_equal(sr_timer_new(NULL, 1, count, fx, &fx->timer), SR_E_INVAL);
    assert_int_equal(sr_timer_new(fx->agent, 1, NULL, fx, &fx->timer), SR_E_INVAL);
    assert_int_equal(sr_timer_new(fx->agent, 1, count, fx, NULL), SR_E_INVAL);
    assert_null(fx->timer);
    assert_int_equal(sr_timer_start(NULL), SR_E_INVAL);
    assert_int_equal(sr_timer_set_interval(NULL, 1), SR_E_INVAL);
    assert_null(sr_timer_free(NULL));
    sr_timer_stop(NULL);
    assert_false(sr_timer_is_active(NULL));
    assert_int_equal(sr_timer_new(fx->agent, 0, count, fx, &fx->timer), 0);
    assert_int_equal(sr_timer_interval(fx->timer), 1);
    assert_int_equal(sr_timer_connect(fx->timer, NULL, NULL), SR_E_INVAL);
}

static void stop_self(struct sr_agent *agent, struct sr_timer *timer, void *arg)
{
    (void)agent;
    ((struct fixture *)arg)->calls++;
    sr_timer_stop(timer);
}

static void stop_and_start_self(struct sr_agent *agent, struct sr_timer *timer,
                                void *arg)
{
    stop_self(agent, timer, arg);
    sr_timer_start(timer);
}

static void free_self(struct sr_agent *agent, struct sr_timer *timer, void *arg)
{
    (void)agent;
    ((struct fixture *)arg)->calls++;
    assert_null(sr_timer_free(timer));
}

static void free_other(struct sr_agent *agent, struct sr_timer *timer, void *arg)
{
    struct fixture *fx = arg;

    (void)agent, (void)timer;
    fx->calls++;
    fx->other = sr_timer_free(fx->other);
    if (fx->timer != timer)
        fx->timer = sr_timer_free(fx->timer);
}

static void a_timer_may_stop_itself(void **state)
{
    struct fixture *fx = *state;

    fx->timer = start(fx, 1, stop_self);
    run_for(fx, 20);
    assert_int_equal(fx->calls, 1);
    assert_false(sr_timer_is_active(fx->timer));
}

static void a_timer_may_start_itself_anew(void **state)
{
    struct fixture *fx = *state;

    fx->timer = start(fx, 1, stop_and_start_self);
    run_for(fx, 50);
    assert_in_range(fx->calls, 2, 50);
}

static void a_timer_may_free_itself(void **state)
{
    struct fixture *fx = *state;

    start(fx, 1, free_self);
    run_for(fx, 20);
    assert_int_equal(fx->calls, 1);
}

/* Both are due in the same turn; the first to run frees the other. */
static void a_timer_may_free_another_that_is_due(void **state)
{
    struct fixture *fx = *state;
    uint64_t began = now_ns();

    fx->timer = start(fx, 1, free_other);
    fx->other = start(fx, 1, free_other);
    while (now_ns() - began < 10 * 1000000)
        ;
    run_for(fx, 10);
    assert_true(fx->calls > 0);
    assert_null(fx->other);
}

static void faster(struct sr_agent *agent, struct sr_timer *timer, void *arg)
{
    sr_timer_set_interval(timer, 1);
    count(agent, timer, arg);
}

static void a_timer_may_change_its_interval(void **state)
{
    struct fixture *fx = *state;
    uint64_t began = now_ns();

    fx->limit = 5;
    fx->timer = start(fx, 20, faster);
    assert_int_equal(sr_agent_loop(fx->agent), 0);
    assert_true(now_ns() - began >= 24 * 1000000);
    assert_int_equal(sr_timer_interval(fx->timer), 1);
}

static void become_other(struct sr_agent *agent, struct sr_timer *timer, void *arg)
{
    (void)agent;
    ((struct fixture *)arg)->calls++;
    sr_timer_connect(timer, count_other, arg);
}

static void a_timer_may_change_its_function(void **state)
{
    struct fixture *fx = *state;

    fx->timer = start(fx, 1, become_other);
    run_for(fx, 30);
    assert_int_equal(fx->calls, 1);
    assert_true(fx->other_calls > 0);
}

static void enormous_intervals_neither_overflow_nor_fire(void **state)
{
    static const uint64_t intervals[] = { 49ull * 24 * 3600 * 1000, UINT32_MAX,
                                          INT64_MAX, UINT64_MAX / 1000000, UINT64_MAX };
    struct fixture *fx = *state;

    for (size_t i = 0; i < sizeof intervals / sizeof *intervals; i++) {
        fx->timer = start(fx, intervals[i], count);
        assert_int_equal(sr_timer_interval(fx->timer), intervals[i]);
        run_for(fx, 5);
        sr_agent_dispatch(fx->agent);
        assert_true(sr_agent_timeout(fx->agent) != 0);
        fx->timer = sr_timer_free(fx->timer);
    }
    assert_int_equal(fx->calls, 0);
}

static void a_thousand_timers_all_fire(void **state)
{
    struct fixture *fx = *state;
    struct sr_timer *timers[1000];

    for (int i = 0; i < 1000; i++)
        timers[i] = start(fx, 1 + (uint64_t)i % 10, stop_self);
    fx->limit = 1000;
    run_for(fx, 200);
    assert_int_equal(fx->calls, 1000);
    for (int i = 0; i < 1000; i += 2)
        sr_timer_free(timers[i]); /* the others go with the agent */
}

static void stop_when_readable(struct sr_agent *agent, struct sr_watch *watch, int fd,
                               int events, void *arg)
{
    struct fixture *fx = arg;

    (void)watch, (void)fd;
    fx->events = events;
    sr_agent_stop(agent);
}

static void timers_of_0_ms_do_not_starve_descriptors(void **state)
{
    struct fixture *fx = *state;

    for (int i = 0; i < 10; i++)
        start(fx, 0, count);
    assert_int_equal(sr_watch_new(fx->agent, fx->fds[0], SR_READABLE,
                                  stop_when_readable, fx, &fx->watch),
                     0);
    assert_int_equal(write(fx->fds[1], "x", 1), 1);
    assert_int_equal(sr_agent_loop(fx->agent), 0);
    assert_int_equal(fx->events, SR_READABLE);
}

/* --- stopping -------------------------------------------------------------- */

static void stopping_before_the_loop_makes_it_return_at_once(void **state)
{
    struct fixture *fx = *state;

    fx->timer = start(fx, 1, count);
    sr_agent_stop(fx->agent);
    assert_int_equal(sr_agent_loop(fx->agent), 0);
    assert_int_equal(fx->calls, 0);
    run_for(fx, 20); /* once */
    assert_true(fx->calls > 0);
}

static void *stop_from_thread(void *arg)
{
    sr_agent_stop(arg);
    return NULL;
}

static void start_thread(struct sr_agent *agent, struct sr_timer *timer, void *arg)
{
    pthread_t *thread = arg;

    sr_timer_stop(timer);
    pthread_create(thread, NULL, stop_from_thread, agent);
}

static void another_thread_may_stop_it(void **state)
{
    struct fixture *fx = *state;
    struct sr_timer *timer;
    pthread_t thread;

    for (int i = 0; i < 50; i++) {
        assert_int_equal(sr_timer_new(fx->agent, 1, start_thread, &thread, &timer), 0);
        sr_timer_start(timer);
        assert_int_equal(sr_agent_loop(fx->agent), 0);
        pthread_join(thread, NULL);
        sr_timer_free(timer);
    }
}

static struct sr_agent *signalled;

static void on_signal(int number)
{
    (void)number;
    sr_agent_stop(signalled);
}

static void raise_signal(struct sr_agent *agent, struct sr_timer *timer, void *arg)
{
    (void)agent, (void)arg;
    sr_timer_stop(timer);
    kill(getpid(), SIGUSR1);
}

static void a_signal_handler_may_stop_it(void **state)
{
    struct fixture *fx = *state;
    struct sigaction mine = { .sa_handler = on_signal }, old;

    signalled = fx->agent;
    sigaction(SIGUSR1, &mine, &old);
    start(fx, 2, raise_signal);
    assert_int_equal(sr_agent_loop(fx->agent), 0);
    sigaction(SIGUSR1, &old, NULL);
}

static void stops_on_a_signal_and_puts_its_disposition_back(void **state)
{
    struct fixture *fx = *state;
    struct sigaction mine = { .sa_handler = on_signal }, old, after;

    sigaction(SIGUSR1, &mine, &old);
    assert_int_equal(sr_agent_stop_on(fx->agent, SIGUSR1), 0);
    assert_int_equal(sr_agent_stop_on(fx->agent, SIGUSR1), 0);
    start(fx, 2, raise_signal);
    assert_int_equal(sr_agent_loop(fx->agent), 0);
    fx->agent = sr_agent_free(fx->agent);
    sigaction(SIGUSR1, &old, &after);
    assert_ptr_equal(after.sa_handler, on_signal);
}

static void two_agents_stop_on_one_signal_and_the_last_puts_it_back(void **state)
{
    struct fixture *fx = *state;
    struct sigaction mine = { .sa_handler = SIG_IGN }, old, after;
    struct sr_agent *second;

    sigaction(SIGUSR1, &mine, &old);
    assert_int_equal(sr_agent_new("http://localhost", "second", &second), 0);
    assert_int_equal(sr_agent_stop_on(fx->agent, SIGUSR1), 0);
    assert_int_equal(sr_agent_stop_on(second, SIGUSR1), 0);
    fx->agent = sr_agent_free(fx->agent);
    sigaction(SIGUSR1, NULL, &after);
    assert_ptr_not_equal(after.sa_handler, SIG_IGN);
    kill(getpid(), SIGUSR1);
    assert_int_equal(sr_agent_loop(second), 0);
    sr_agent_free(second);
    sigaction(SIGUSR1, &old, &after);
    assert_ptr_equal(after.sa_handler, SIG_IGN);
}

static void signals_that_cannot_be_handled_are_refused(void **state)
{
    struct fixture *fx = *state;

    assert_int_equal(sr_agent_stop_on(fx->agent, SIGKILL), SR_E_INVAL);
    assert_int_equal(sr_agent_stop_on(fx->agent, 0), SR_E_INVAL);
    assert_int_equal(sr_agent_stop_on(fx->agent, -1), SR_E_INVAL);
    assert_int_equal(sr_agent_stop_on(fx->agent, 4711), SR_E_INVAL);
    assert_non_null(strstr(sr_agent_error(fx->agent), "4711"));
}

static void call_back_in(struct sr_agent *agent, struct sr_timer *timer, void *arg)
{
    struct fixture *fx = arg;
    const char *answer;
    size_t len;

    (void)timer;
    fx->calls++;
    assert_int_equal(sr_agent_loop(agent), SR_E_STATE);
    assert_int_equal(sr_agent_dispatch(agent), SR_E_STATE);
    assert_int_equal(sr_agent_bootstrap(agent, "/nowhere"), SR_E_STATE);
    assert_int_equal(sr_agent_integrate(agent, "v", "t"), SR_E_STATE);
    assert_int_equal(sr_template_register(agent, "v", "t"), SR_E_STATE);
    assert_int_equal(sr_agent_request(agent, NULL, "", &answer, &len), SR_E_STATE);
}

static void calls_that_run_the_loop_are_refused_in_callbacks(void **state)
{
    struct fixture *fx = *state;

    start(fx, 1, call_back_in);
    run_for(fx, 10);
    assert_true(fx->calls > 0);
}

/* --- embedding ------------------------------------------------------------- */

/* A host's loop, by the book; fails if the agent has nothing to do for 15 s. */
static void host_turn(struct fixture *fx)
{
    struct pollfd pollfd = { .fd = sr_agent_fd(fx->agent), .events = POLLIN };
    int timeout = sr_agent_timeout(fx->agent);
    uint64_t began = now_ns();

    poll(&pollfd, 1, timeout < 0 ? 20 * 1000 : timeout);
    if (timeout < 0)
        assert_true(now_ns() - began < 15 * 1000000000ull);
    fx->rc = sr_agent_dispatch(fx->agent);
}

static void a_hosts_loop_runs_timers(void **state)
{
    struct fixture *fx = *state;
    uint64_t began = now_ns();

    fx->last_ns = began;
    fx->timer = start(fx, 5, check_gap);
    while (fx->calls < 10)
        host_turn(fx);
    assert_in_range((now_ns() - began) / 1000000, 50, 5000);
}

static void note_events(struct sr_agent *agent, struct sr_watch *watched, int fd,
                        int events, void *arg)
{
    (void)agent, (void)watched, (void)fd;
    ((struct fixture *)arg)->events |= events;
}

static void add_watch(struct sr_agent *agent, struct sr_timer *timer, void *arg)
{
    struct fixture *fx = arg;

    (void)agent;
    sr_timer_stop(timer);
    watch(fx, SR_READABLE, note_events);
    fx->last_ns = now_ns();
    assert_int_equal(write(fx->fds[1], "x", 1), 1);
}

/* What was added in a callback is known to the kernel only after the next turn. */
static void a_hosts_loop_learns_of_descriptors_added_in_callbacks(void **state)
{
    struct fixture *fx = *state;

    start(fx, 2, add_watch);
    while (!fx->events)
        host_turn(fx);
}

static void set_writable(struct sr_agent *agent, struct sr_watch *watched, int fd,
                         int events, void *arg)
{
    struct fixture *fx = arg;
    char byte;

    (void)agent;
    if (events & SR_READABLE) {
        assert_int_equal(read(fd, &byte, 1), 1);
        fx->last_ns = now_ns();
        sr_watch_set(watched, SR_WRITABLE);
    }
    if (events & SR_WRITABLE) {
        fx->calls++;
        sr_watch_set(watched, SR_READABLE);
    }
}

static void a_hosts_loop_learns_of_changed_events(void **state)
{
    struct fixture *fx = *state;

    watch(fx, SR_READABLE, set_writable);
    host_turn(fx);
    assert_int_equal(write(fx->fds[1], "x", 1), 1);
    while (!fx->calls)
        host_turn(fx);
}

static void settle(struct fixture *fx)
{
    while (sr_agent_timeout(fx->agent) == 0)
        assert_int_equal(sr_agent_dispatch(fx->agent), 0);
}

static void a_hosts_loop_is_told_of_a_stop(void **state)
{
    struct fixture *fx = *state;
    pthread_t thread;

    for (int i = 0; i < 20; i++) {
        settle(fx);
        pthread_create(&thread, NULL, stop_from_thread, fx->agent);
        do
            host_turn(fx); /* which wakes up */
        while (fx->rc == 0);
        assert_int_equal(fx->rc, SR_E_STOPPED);
        pthread_join(thread, NULL);
    }
}

static void a_stop_is_told_once(void **state)
{
    struct fixture *fx = *state;

    settle(fx);
    sr_agent_stop(fx->agent);
    assert_int_equal(sr_agent_timeout(fx->agent), 0);
    assert_int_equal(sr_agent_dispatch(fx->agent), SR_E_STOPPED);
    assert_int_equal(sr_agent_dispatch(fx->agent), 0);
}

static void an_idle_agent_wakes_for_its_timers_only(void **state)
{
    struct fixture *fx = *state;
    uint64_t before;

    fx->limit = 10;
    fx->timer = start(fx, 20, count);
    before = sr_agent_wakeups(fx->agent);
    assert_int_equal(sr_agent_loop(fx->agent), 0);
    /* One wake-up each; the end of the last turn may be one more. */
    assert_in_range(sr_agent_wakeups(fx->agent) - before, 10, 12);
}

static void an_idle_agent_in_a_hosts_loop_may_sleep_for_ever(void **state)
{
    struct fixture *fx = *state;

    for (int i = 0; i < 10 && sr_agent_timeout(fx->agent) == 0; i++)
        sr_agent_dispatch(fx->agent);
    assert_int_equal(sr_agent_timeout(fx->agent), -1);
}

/* --- more than one, and the end ---------------------------------------------- */

static void *live(void *arg)
{
    struct fixture fx = { .limit = 50 };

    (void)arg;
    assert_int_equal(sr_agent_new("http://localhost", "device", &fx.agent), 0);
    start(&fx, 1, count);
    assert_int_equal(sr_agent_loop(fx.agent), 0);
    sr_agent_free(fx.agent);
    return NULL;
}

static void two_agents_live_in_two_threads(void **state)
{
    pthread_t threads[2];

    (void)state;
    for (int i = 0; i < 2; i++)
        pthread_create(&threads[i], NULL, live, NULL);
    for (int i = 0; i < 2; i++)
        pthread_join(threads[i], NULL);
}

static void free_agent(struct sr_agent *agent, struct sr_timer *timer, void *arg)
{
    struct fixture *fx = arg;

    (void)timer;
    fx->calls++;
    fx->agent = sr_agent_free(agent);
    /* Still there until the loop returns. */
    assert_int_equal(sr_agent_send(agent, "1,2", 0), 0);
}

static void an_agent_may_be_freed_in_its_callback(void **state)
{
    struct fixture *fx = *state;

    start(fx, 1, free_agent);
    start(fx, 1, count);
    assert_int_equal(sr_agent_loop(fx->agent), 0);
    assert_int_equal(fx->calls >= 1, 1);
    assert_null(fx->agent);
}

static void an_embedded_agent_may_be_freed_in_its_callback(void **state)
{
    struct fixture *fx = *state;

    start(fx, 1, free_agent);
    while (fx->agent)
        host_turn(fx);
    assert_int_equal(fx->rc, SR_E_STOPPED);
}

static void an_agent_may_be_freed_before_anything_was_started(void **state)
{
    struct sr_agent *agent;

    (void)state;
    assert_int_equal(sr_agent_new(NULL, NULL, &agent), 0);
    assert_null(sr_agent_free(agent));
    assert_null(sr_agent_free(NULL));
}

static int without_descriptors(void)
{
    const struct rlimit few = { 64, 64 };
    struct sr_agent *agent = NULL;
    int rc;

    setrlimit(RLIMIT_NOFILE, &few);
    while (dup(0) >= 0)
        ;
    rc = sr_agent_new("http://localhost", "device", &agent);
    return rc == SR_E_IO && !agent ? 0 : 1;
}

static void without_descriptors_left_there_is_no_agent(void **state)
{
    int status;
    pid_t pid = fork();

    (void)state;
    if (pid == 0)
        _exit(without_descriptors());
    waitpid(pid, &status, 0);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 0);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(a_timer_is_never_early),
        TEST(a_timer_started_after_a_while_is_not_early_either),
        TEST(a_timer_is_not_late_either),
        TEST(a_new_timer_is_not_active),
        TEST(bad_arguments_are_refused),
        TEST(a_timer_may_stop_itself),
        TEST(a_timer_may_start_itself_anew),
        TEST(a_timer_may_free_itself),
        TEST(a_timer_may_free_another_that_is_due),
        TEST(a_timer_may_change_its_interval),
        TEST(a_timer_may_change_its_function),
        TEST(enormous_intervals_neither_overflow_nor_fire),
        TEST(a_thousand_timers_all_fire),
        TEST(timers_of_0_ms_do_not_starve_descriptors),
        TEST(stopping_before_the_loop_makes_it_return_at_once),
        TEST(another_thread_may_stop_it),
        TEST(a_signal_handler_may_stop_it),
        TEST(stops_on_a_signal_and_puts_its_disposition_back),
        TEST(two_agents_stop_on_one_signal_and_the_last_puts_it_back),
        TEST(signals_that_cannot_be_handled_are_refused),
        TEST(calls_that_run_the_loop_are_refused_in_callbacks),
        TEST(a_hosts_loop_runs_timers),
        TEST(a_hosts_loop_learns_of_descriptors_added_in_callbacks),
        TEST(a_hosts_loop_learns_of_changed_events),
        TEST(a_hosts_loop_is_told_of_a_stop),
        TEST(a_stop_is_told_once),
        TEST(an_idle_agent_wakes_for_its_timers_only),
        TEST(an_idle_agent_in_a_hosts_loop_may_sleep_for_ever),
        TEST(two_agents_live_in_two_threads),
        TEST(an_agent_may_be_freed_in_its_callback),
        TEST(an_embedded_agent_may_be_freed_in_its_callback),
        TEST(an_agent_may_be_freed_before_anything_was_started),
        TEST(without_descriptors_left_there_is_no_agent),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
