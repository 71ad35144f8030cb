/* SPDX-License-Identifier: MIT */
/* However much is due at once for a plugin, the loop goes on: what is beyond its time waits for
 * the next turns, in order, and nothing is lost. A timer of the agent's is the witness. */
#include "lua/fixture.h"

#include "agent/agent_p.h"
#include "lua/compat.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { RUN_MS = 100, SLOW = 10, WITNESS_MS = 1 };

static struct {
    double last_ms, longest_ms; /* processor time between two of the witness's runs */
    unsigned runs;
    struct sr_timer *timer;
} witness;

static double cpu_ms(void)
{
    struct timespec now;

    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
    return (double)now.tv_sec * 1e3 + (double)now.tv_nsec / 1e6;
}

static void on_witness(struct sr_agent *agent, struct sr_timer *timer, void *arg)
{
    double now = cpu_ms();

    (void)agent;
    (void)timer;
    (void)arg;
    if (now - witness.last_ms > witness.longest_ms)
        witness.longest_ms = now - witness.last_ms;
    witness.last_ms = now;
    witness.runs++;
}

static int push_cpu_ms(lua_State *L)
{
    lua_pushnumber(L, cpu_ms());
    return 1;
}

/* work(ms): takes so much processor time. */
static int open_work(lua_State *L)
{
    lua_pushcfunction(L, push_cpu_ms);
    lua_setglobal(L, "cpu_ms");
    return luaL_dostring(L, "function work(ms) local to = cpu_ms() + ms\n"
                            "while cpu_ms() < to do end end")
               ? lua_error(L)
               : 0;
}

static int set_up(void **state)
{
    const struct sr_lua_options options = { .run_ms =
                                                is_slow() ? SLOW * RUN_MS : RUN_MS };

    (void)state;
    make_world(&options, "http://127.0.0.1:9");
    sr_log_set_level(SR_LOG_WARNING);
    memset(&witness, 0, sizeof witness);
    sr_lua_add_library(world.lua, open_work, NULL);
    sr_timer_new(world.agent, WITNESS_MS, on_witness, NULL, &witness.timer);
    sr_timer_start(witness.timer);
    witness.last_ms = cpu_ms();
    return 0;
}

static int tear_down(void **state)
{
    sr_timer_free(witness.timer);
    return end(state);
}

/* Until `text` was said; `ms` of work were done by then. */
static void wait_and_watch(const char *text, double ms)
{
    wait_said(text);
    on_witness(NULL, NULL, NULL);
    if (witness.longest_ms > 2 * RUN_MS * (is_slow() ? SLOW : 1))
        fail_msg("the loop was kept for %.0f ms", witness.longest_ms);
    assert_true(is_slow() || witness.runs >= ms / (2 * RUN_MS));
    assert_int_equal(plugin_named("p").failures, 0);
    assert_int_equal(plugin_named("p").dropped, 0);
}

/* ',' by ',' the numbers from 1 to `count`. */
static void expect_in_order(unsigned count)
{
    char *text = calloc(count, 8), *at = text;

    for (unsigned i = 1; i <= count; i++)
        at += sprintf(at, "%u,", i);
    strcpy(at, ";");
    expect_said(text);
    free(text);
}

static void a_thousand_timers_that_are_due_at_once(void **state)
{
    (void)state;
    run_init("p", "order = {}\n"
                  "for i = 1, 1000 do local t\n"
                  "  t = c8y:addTimer(5, function() work(1) t:stop()\n"
                  "    order[#order + 1] = i .. ','\n"
                  "    if i == 1000 then say(table.concat(order)) end end)\n"
                  "  t:start() end");
    wait_and_watch(";", 1000);
    expect_in_order(1000);
}

static void send_rows(unsigned from, unsigned to)
{
    char *rows = calloc(to, 32), *at = rows;

    for (unsigned i = from; i <= to; i++)
        at += sprintf(at, "50%u,1,%u\n", 2 + i % 3, i);
    receive(NULL, rows);
    free(rows);
}

static void a_thousand_rows_of_one_message(void **state)
{
    (void)state;
    run_init("p", "order = {}\n"
                  "function take(r) work(1) order[#order + 1] = r:value(2) .. ','\n"
                  "  if #order == 1000 then say(table.concat(order)) end end\n"
                  "for id = 502, 504 do c8y:on(id, take) end");
    witness.last_ms = cpu_ms();
    send_rows(1, 900);
    send_rows(901, 1000);
    wait_and_watch(";", 1000);
    expect_in_order(1000);
}

static void rows_for_a_handler_that_waits_in_between(void **state)
{
    (void)state;
    run_init(
        "p",
        "order = {}\n"
        "c8y:on(502, function(r) work(2) if r:number(2) % 50 == 0 then c8y:sleep(1) end\n"
        "  work(2) order[#order + 1] = r:value(2) .. ','\n"
        "  if #order == 300 then say(table.concat(order)) end end)");
    witness.last_ms = cpu_ms();
    for (unsigned i = 1; i <= 300; i++) {
        char row[32];

        snprintf(row, sizeof row, "502,1,%u", i);
        receive(NULL, row);
    }
    wait_and_watch(";", 1200);
    expect_in_order(300);
}

static void hundreds_that_wake_up_at_once(void **state)
{
    (void)state;
    run_init("p", "n = 0\n"
                  "c8y:on(600, function() say('all') end)\n"
                  "for i = 1, 300 do c8y:addTimer(1, function() c8y:sleep(20) work(2)\n"
                  "  n = n + 1 if n == 300 then say('all') end end):start() end");
    wait_and_watch("all;", 600);
}

static void events_of_luv(void **state)
{
    (void)state;
    run_init("look", "say((pcall(require, 'luv')))");
    if (!strcmp(world.said, "false;"))
        skip();
    forget_said();
    run_init("p", "order, uv = {}, require 'luv'\n"
                  "for i = 1, 300 do uv.new_timer():start(5, 0, function() work(2)\n"
                  "  order[#order + 1] = i .. ','\n"
                  "  if #order == 300 then say(table.concat(order)) end end) end");
    wait_and_watch(";", 600);
    expect_in_order(300);
}

static void others_have_their_turn_meanwhile(void **state)
{
    (void)state;
    run_init("p", "n = 0 for i = 1, 500 do local t\n"
                  "  t = c8y:addTimer(5, function() work(2) t:stop() n = n + 1\n"
                  "    if n == 500 then say('p') end end) t:start() end");
    run_init(
        "q",
        "local n = 0\n"
        "c8y:addTimer(5, function() n = n + 1 if n == 5 then say('q') end end):start()");
    wait_and_watch("p;", 1000);
    expect_said("q;p;");
}

static void a_timer_that_is_stopped_while_it_waits_does_not_run(void **state)
{
    (void)state;
    run_init("p", "local second, third\n"
                  "c8y:addTimer(5, function() work(60) second:stop() third:start()\n"
                  "  say('first', second.isActive) end):start()\n"
                  "second = c8y:addTimer(5, function() say('second') end)\n"
                  "third = c8y:addTimer(5, function() work(60) say('third') end)\n"
                  "second:start() third:start()\n"
                  "c8y:addTimer(500, function() say('over') end):start()");
    wait_said("over;");
    assert_null(strstr(world.said, "second;"));
    expect_logged("");
}

static void a_plugin_goes_with_what_waits(void **state)
{
    (void)state;
    if (is_slow())
        skip();
    run_init("p", "c8y:onConnected(function() work(80) say('told') end)\n"
                  "c8y:on(502, function(r) work(80) say(r:value(2)) end)\n"
                  "c8y:addTimer(1, function() work(80) end):start()");
    receive(NULL, "502,1,a\n502,1,b\n502,1,c");
    sr_agent_connected(world.agent);
    sr_agent_connected(world.agent);
    expect_said("a;");
    turn();
    expect_said("a;b;");
    turn();
    turn();
    expect_said("a;b;c;told;");
    receive(NULL, "502,1,d\n502,1,e");
    sr_agent_connected(world.agent);
    forget_said();
    run_init("p", "c8y:on(502, function(r) say('new', r:value(2)) end)");
    for (int i = 0; i < 5; i++)
        turn();
    receive(NULL, "502,1,f");
    expect_said("new f;");
}

static void a_handler_that_is_removed_gets_nothing_that_waits(void **state)
{
    (void)state;
    run_init("p", "c8y:on(502, function(r) work(80) say(r:value(2)) end)\n"
                  "c8y:on(503, function(r) c8y:on(502, nil) end)");
    receive(NULL, "502,1,a\n503,1\n502,1,b\n502,1,c");
    for (int i = 0; i < 5; i++)
        turn();
    receive(NULL, "502,1,d");
    expect_said("a;");
    assert_int_equal(plugin_named("p").handlers, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_thousand_timers_that_are_due_at_once, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(a_thousand_rows_of_one_message, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(rows_for_a_handler_that_waits_in_between,
                                        set_up, tear_down),
        cmocka_unit_test_setup_teardown(hundreds_that_wake_up_at_once, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(events_of_luv, set_up, tear_down),
        cmocka_unit_test_setup_teardown(others_have_their_turn_meanwhile, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(
            a_timer_that_is_stopped_while_it_waits_does_not_run, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_plugin_goes_with_what_waits, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(
            a_handler_that_is_removed_gets_nothing_that_waits, set_up, tear_down),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
