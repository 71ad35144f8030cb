/* SPDX-License-Identifier: MIT */
/* When timers and deadlines are due, and that they leave a turn to others. */
#include "loop/fixture.h"
#include "loop/loop.h"
#include <limits.h>

enum { MS = 1000000 }; /* ns */

static void spend(uint64_t ns)
{
    uint64_t began = uv_hrtime();

    while (uv_hrtime() - began < ns)
        ;
}

/* --- timers ------------------------------------------------------------------ */

static void the_next_due_time_is_counted_from_the_last_one(void **state)
{
    (void)state;
    assert_int_equal(sr_timer_next(10, 5, 10), 15);
    assert_int_equal(sr_timer_next(10, 5, 14), 15);
    assert_int_equal(sr_timer_next(0, 1, 0), 1);
}

static void what_a_timer_missed_is_skipped(void **state)
{
    const uint64_t day = 86400 * 1000;

    (void)state;
    assert_int_equal(sr_timer_next(10, 5, 15), 20);
    assert_int_equal(sr_timer_next(10, 5, 19), 20);
    assert_int_equal(sr_timer_next(7, 1000, day), day + 7);
    assert_int_equal(sr_timer_next(7, 1000, day + 7), day + 1007);
    assert_int_equal(sr_timer_next(10, UINT64_MAX, 11), UINT64_MAX);
    assert_int_equal(sr_timer_next(10, UINT64_MAX - 11, 11), UINT64_MAX - 1);
}

/* Whatever the machine's load is: due times are whole intervals apart, and none is early. */
static void check_due(struct sr_agent *agent, struct sr_timer *timer, void *arg)
{
    uint64_t due_ms = ((uv_timer_t *)timer)->timeout;
    struct fixture *fx = arg;

    if (!fx->calls)
        fx->last_ns = due_ms;
    assert_int_equal((due_ms - fx->last_ns) % sr_timer_interval(timer), 0);
    assert_true(due_ms <= sr_now_ms());
    spend((uint64_t)fx->calls * MS /
          2); /* the last ones take longer than an interval */
    if (++fx->calls == fx->limit)
        sr_agent_stop(agent);
}

static void a_timer_does_not_drift(void **state)
{
    struct fixture *fx = *state;

    fx->limit = 10;
    fx->timer = start(fx, 3, check_due);
    assert_int_equal(sr_agent_loop(fx->agent), 0);
}

static void take_long(struct sr_agent *agent, struct sr_timer *timer, void *arg)
{
    struct fixture *fx = arg;

    (void)agent, (void)timer;
    spend(2 * MS);
    if (fx->calls++ == 0)
        assert_int_equal(write(fx->fds[1], "x", 1), 1);
    assert_true(fx->calls < 100);
}

static void stop_when_readable(struct sr_agent *agent, struct sr_watch *watch, int fd,
                               int events, void *arg)
{
    (void)watch, (void)fd;
    ((struct fixture *)arg)->events = events;
    sr_agent_stop(agent);
}

/* Each is due again when the others have run. */
static void slow_timers_do_not_starve_descriptors(void **state)
{
    struct fixture *fx = *state;

    for (int i = 0; i < 5; i++)
        start(fx, 1, take_long);
    watch(fx, SR_READABLE, stop_when_readable);
    assert_int_equal(sr_agent_loop(fx->agent), 0);
    assert_int_equal(fx->events, SR_READABLE);
}

/* --- deadlines --------------------------------------------------------------- */

struct due {
    struct sr_deadline deadline;
    struct sr_loop *loop;
    int calls, limit;
    bool done; /* limit is reached */
};

static void on_due(void *arg)
{
    struct due *due = arg;

    due->done = ++due->calls >= due->limit;
    if (!due->done)
        sr_deadline_set(&due->deadline, 0);
}

static void init_due(struct due *due, struct fixture *fx, int limit)
{
    *due = (struct due){ .loop = sr_agent_get_loop(fx->agent), .limit = limit };
    assert_int_equal(sr_deadline_init(&due->deadline, due->loop, on_due, due), 0);
}

/* It was a millisecond, and libcurl has one before each request. */
static void a_deadline_of_0_is_the_next_turn_which_does_not_sleep(void **state)
{
    struct fixture *fx = *state;
    struct due due;

    init_due(&due, fx, 1000);
    sr_deadline_set(&due.deadline, 0);
    for (int i = 1; i <= 1000; i++) {
        assert_true(sr_deadline_is_set(&due.deadline));
        assert_int_equal(sr_agent_timeout(fx->agent), 0);
        sr_loop_turn(due.loop, true);
        assert_int_equal(due.calls, i);
    }
    assert_false(sr_deadline_is_set(&due.deadline));
    sr_deadline_release(&due.deadline);
}

static void a_deadline_of_0_may_be_cleared_put_off_and_released(void **state)
{
    struct fixture *fx = *state;
    struct due due;

    init_due(&due, fx, 1);
    sr_deadline_set(&due.deadline, 0);
    sr_deadline_clear(&due.deadline);
    assert_false(sr_deadline_is_set(&due.deadline));
    sr_loop_turn(due.loop, false);
    sr_deadline_set(&due.deadline, 0);
    sr_deadline_set(&due.deadline, 3600 * 1000);
    sr_loop_turn(due.loop, false);
    sr_deadline_set(&due.deadline, 0);
    sr_deadline_release(&due.deadline);
    sr_deadline_release(&due.deadline);
    sr_loop_turn(due.loop, false);
    assert_int_equal(due.calls, 0);
}

static void deadlines_of_0_starve_neither_timers_nor_descriptors(void **state)
{
    struct fixture *fx = *state;
    struct due due;

    init_due(&due, fx, INT_MAX);
    sr_deadline_set(&due.deadline, 0);
    run_for(fx, 5);
    watch(fx, SR_READABLE, stop_when_readable);
    assert_int_equal(write(fx->fds[1], "x", 1), 1);
    assert_int_equal(sr_agent_loop(fx->agent), 0);
    assert_true(due.calls > 0);
    sr_deadline_release(&due.deadline);
}

static void a_deadline_is_never_early(void **state)
{
    struct fixture *fx = *state;
    struct due due;

    for (uint64_t in_ms = 1; in_ms <= 20; in_ms++) {
        uint64_t until = sr_now_ms() + in_ms;

        init_due(&due, fx, 1);
        sr_deadline_set(&due.deadline, in_ms);
        assert_int_equal(sr_loop_run_until(due.loop, &due.done), 0);
        assert_true(sr_now_ms() >= until);
        sr_deadline_release(&due.deadline);
    }
}

static void an_enormous_deadline_does_not_overflow(void **state)
{
    struct fixture *fx = *state;
    struct due due;

    init_due(&due, fx, 1);
    sr_deadline_set(&due.deadline, UINT64_MAX);
    run_for(fx, 2);
    assert_int_equal(due.calls, 0);
    sr_deadline_release(&due.deadline);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_next_due_time_is_counted_from_the_last_one),
        cmocka_unit_test(what_a_timer_missed_is_skipped),
        TEST(a_timer_does_not_drift),
        TEST(slow_timers_do_not_starve_descriptors),
        TEST(a_deadline_of_0_is_the_next_turn_which_does_not_sleep),
        TEST(a_deadline_of_0_may_be_cleared_put_off_and_released),
        TEST(deadlines_of_0_starve_neither_timers_nor_descriptors),
        TEST(a_deadline_is_never_early),
        TEST(an_enormous_deadline_does_not_overflow),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
