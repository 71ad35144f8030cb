/* SPDX-License-Identifier: MIT */
/* c8y:onConnected() and c8y:takeOperation(): operations that nobody delivered. */
#include "lua/fixture.h"

#include "agent/agent_p.h"
#include <string.h>

static void each_plugin_is_told_of_each_connect(void **state)
{
    (void)state;
    run_init("p", "function fetch() say('p', c8y:send('106,' .. c8y.ID)) end\n"
                  "c8y:onConnected('fetch')");
    run_init("q", "c8y:onConnected(function() say('q') end)");
    expect_said("");
    sr_agent_connected(world.agent);
    expect_said("p 0;q;");
    sr_agent_connected(world.agent);
    expect_said("p 0;q;p 0;q;");
}

static void a_later_function_replaces_the_earlier_and_nil_removes_it(void **state)
{
    (void)state;
    run_init("p", "c8y:on(502, function() c8y:onConnected(nil) end)\n"
                  "c8y:onConnected(function() say(1) end)\n"
                  "c8y:onConnected(function() say(2) end)");
    sr_agent_connected(world.agent);
    receive(NULL, "502,1");
    sr_agent_connected(world.agent);
    expect_said("2;");
}

static void hear(struct sr_agent *agent, void *arg)
{
    (void)agent;
    ++*(int *)arg;
}

static void the_applications_own_function_is_called_too(void **state)
{
    int calls = 0;

    (void)state;
    sr_agent_on_connected(world.agent, hear, &calls);
    run_init("p", "c8y:onConnected(function() say('p') end)");
    sr_agent_connected(world.agent);
    expect_said("p;");
    assert_int_equal(calls, 1);
}

static void a_plugin_that_is_unloaded_or_loaded_anew_is_told_no_more(void **state)
{
    (void)state;
    run_init("p", "c8y:onConnected(function() say('p') end)");
    run_init("q", "c8y:onConnected(function() say('q') end)");
    sr_lua_unload(world.lua, "p");
    run_init("q", "");
    sr_agent_connected(world.agent);
    expect_said("");
    world.lua = sr_lua_free(world.lua);
    sr_agent_connected(world.agent);
}

static void free_host(struct sr_agent *agent, void *arg)
{
    (void)agent;
    (void)arg;
    world.lua = sr_lua_free(world.lua);
}

static void the_host_may_go_when_the_way_down_is_open(void **state)
{
    (void)state;
    run_init("p", "c8y:onConnected(function() say('p') end)");
    sr_agent_on_connected(world.agent, free_host, NULL);
    sr_agent_connected(world.agent);
    expect_said("");
}

static void it_may_wait_and_fail_and_is_bounded_as_all_callbacks(void **state)
{
    const struct sr_lua_options options = { .run_ms = 50 };

    (void)state;
    end_world();
    make_world(&options, "http://127.0.0.1:9");
    run_init("p", "c8y:onConnected(function() c8y:sleep(1) say('awake') end)");
    run_init("q", "c8y:onConnected(function() while true do end end)");
    sr_agent_connected(world.agent);
    wait_said("awake");
    expect_logged("q: connected: ");
    assert_int_equal(plugin_named("q").failures, 1);
}

static void an_operation_is_taken_once_by_whichever_plugin(void **state)
{
    (void)state;
    run_init(
        "p",
        "say(c8y:takeOperation('24902'), c8y:takeOperation('24902'))\n"
        "say(c8y:takeOperation(24903), c8y:takeOperation('24903'))\n"
        "say(c8y:takeOperation(''), c8y:takeOperation('1,2'))\n"
        "say(c8y:takeOperation('7\\0'), select('#', pcall(c8y.takeOperation, c8y)))");
    expect_said("true false;true false;false false;"
                "false 2;");
    forget_said();
    run_init("q", "say(c8y:takeOperation('24902'), c8y:takeOperation('24904'))");
    expect_said("false true;");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(each_plugin_is_told_of_each_connect, begin,
                                        end),
        cmocka_unit_test_setup_teardown(
            a_later_function_replaces_the_earlier_and_nil_removes_it, begin, end),
        cmocka_unit_test_setup_teardown(the_applications_own_function_is_called_too,
                                        begin, end),
        cmocka_unit_test_setup_teardown(
            a_plugin_that_is_unloaded_or_loaded_anew_is_told_no_more, begin, end),
        cmocka_unit_test_setup_teardown(the_host_may_go_when_the_way_down_is_open,
                                        begin, end),
        cmocka_unit_test_setup_teardown(
            it_may_wait_and_fail_and_is_bounded_as_all_callbacks, begin, end),
        cmocka_unit_test_setup_teardown(an_operation_is_taken_once_by_whichever_plugin,
                                        begin, end),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
