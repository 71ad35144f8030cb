/* SPDX-License-Identifier: MIT */
#include "support/run.h"
#include <pthread.h>
#include <setjmp.h>
#include <smartrest/loop.h>
#include <stdarg.h>
#include <stddef.h>
#include <unistd.h>
/* after what it needs */
#include <cmocka.h>

struct fixture {
    struct sr_loop *loop;
    int calls, rc;
};

static int set_up(void **state)
{
    struct fixture *fx = calloc(1, sizeof *fx);

    *state = fx;
    return sr_loop_new(&fx->loop);
}

static int tear_down(void **state)
{
    struct fixture *fx = *state;

    sr_loop_free(fx->loop);
    free(fx);
    return 0;
}

static void stop_loop(struct sr_agent *agent, struct sr_timer *timer, void *arg)
{
    struct fixture *fx = arg;

    assert_null(agent);
    fx->calls++;
    fx->rc = sr_loop_run(fx->loop);
    sr_loop_stop(fx->loop);
    sr_timer_stop(timer); /* on a slow machine it would be due again in this turn */
}

static struct sr_timer *start_timer(struct fixture *fx, sr_timer_fn fn)
{
    struct sr_timer *timer;

    assert_int_equal(sr_loop_add_timer(fx->loop, 1, fn, fx, &timer), 0);
    assert_int_equal(sr_timer_start(timer), 0);
    return timer;
}

static void runs_until_it_is_stopped(void **state)
{
    struct fixture *fx = *state;

    start_timer(fx, stop_loop); /* left to the loop */
    assert_int_equal(sr_loop_run(fx->loop), 0);
    assert_int_equal(fx->calls, 1);
    assert_int_equal(fx->rc, SR_E_STATE); /* inside of itself */
}

static void *stop_from_afar(void *arg)
{
    sr_loop_stop(arg);
    return NULL;
}

static void another_thread_may_stop_it(void **state)
{
    struct fixture *fx = *state;
    pthread_t thread;

    assert_int_equal(pthread_create(&thread, NULL, stop_from_afar, fx->loop), 0);
    assert_int_equal(sr_loop_run(fx->loop), 0);
    pthread_join(thread, NULL);
}

static void free_loop(struct sr_agent *agent, struct sr_timer *timer, void *arg)
{
    struct fixture *fx = arg;

    (void)agent;
    (void)timer;
    assert_null(sr_loop_free(fx->loop));
}

static void a_callback_may_free_it(void **state)
{
    struct fixture *fx = *state;

    start_timer(fx, free_loop);
    assert_int_equal(sr_loop_run(fx->loop), 0);
    fx->loop = NULL;
}

static void a_host_may_embed_it(void **state)
{
    struct fixture *fx = *state;
    int rc = 0, timeout;

    start_timer(fx, stop_loop);
    while (!rc) {
        timeout = sr_loop_timeout(fx->loop);
        assert_true(timeout >= 0);
        poll(&(struct pollfd){ .fd = sr_loop_fd(fx->loop), .events = POLLIN }, 1,
             timeout);
        rc = sr_loop_dispatch(fx->loop);
    }
    assert_int_equal(rc, SR_E_STOPPED);
    assert_int_equal(fx->calls, 1);
}

static void read_byte(struct sr_agent *agent, struct sr_watch *watch, int fd,
                      int events, void *arg)
{
    struct fixture *fx = arg;
    char byte;

    (void)watch;
    assert_null(agent);
    assert_int_equal(events, SR_READABLE);
    assert_int_equal(read(fd, &byte, 1), 1);
    fx->calls++;
    sr_loop_stop(fx->loop);
}

static void watches_descriptors(void **state)
{
    struct fixture *fx = *state;
    struct sr_watch *watch;
    int ends[2];

    assert_int_equal(pipe(ends), 0);
    assert_int_equal(
        sr_loop_add_watch(fx->loop, ends[0], SR_READABLE, read_byte, fx, &watch), 0);
    assert_int_equal(write(ends[1], "x", 1), 1);
    assert_int_equal(sr_loop_run(fx->loop), 0);
    assert_int_equal(fx->calls, 1);
    sr_watch_free(watch);
    close(ends[0]);
    close(ends[1]);
}

static void null_is_refused(void **state)
{
    struct fixture *fx = *state;
    struct sr_timer *timer;
    struct sr_watch *watch;

    assert_int_equal(sr_loop_new(NULL), SR_E_INVAL);
    assert_int_equal(sr_loop_run(NULL), SR_E_INVAL);
    assert_int_equal(sr_loop_dispatch(NULL), SR_E_INVAL);
    assert_null(sr_loop_free(NULL));
    assert_null(sr_agent_get_loop(NULL));
    assert_int_equal(sr_loop_add_timer(NULL, 1, stop_loop, NULL, &timer), SR_E_INVAL);
    assert_int_equal(sr_loop_add_timer(fx->loop, 1, NULL, NULL, &timer), SR_E_INVAL);
    assert_int_equal(sr_loop_add_watch(fx->loop, 0, 0, NULL, NULL, &watch), SR_E_INVAL);
}

static void an_agents_loop_is_the_agents(void **state)
{
    struct sr_agent *agent;
    struct sr_loop *loop;

    (void)state;
    assert_int_equal(sr_agent_new("http://127.0.0.1:9", "a", &agent), 0);
    loop = sr_agent_get_loop(agent);
    assert_int_equal(sr_loop_run(loop), SR_E_STATE);
    assert_int_equal(sr_loop_dispatch(loop), SR_E_STATE);
    sr_loop_free(loop);
    sr_loop_stop(loop);
    assert_int_equal(sr_agent_loop(agent), 0);
    sr_agent_free(agent);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(runs_until_it_is_stopped),     TEST(another_thread_may_stop_it),
        TEST(a_callback_may_free_it),       TEST(a_host_may_embed_it),
        TEST(watches_descriptors),          TEST(null_is_refused),
        TEST(an_agents_loop_is_the_agents),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
