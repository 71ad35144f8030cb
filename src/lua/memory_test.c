/* SPDX-License-Identifier: MIT */
/* Memory that is out, at every moment, in what plugins do with our objects: nothing of it
 * may leave the loop a pointer into what Lua has freed. For the address sanitizer and
 * valgrind, which see what else would go unseen. */
#include "lua/fixture.h"

#include "record/alloc_test.h"
#include <stdio.h>
#include <string.h>

/* A finalizer needs memory to run, and there is none: the callback runs out of it with all
 * of it garbage. */
static void objects_outlive_a_finalizer_that_cannot_run(void **state)
{
    (void)state;
    run_init(
        "p",
        "function tick() say('tick') end\n"
        "local t = c8y:addTimer(1, 'tick') t:start()\n"
        "c8y:on(502, function(r) SrNetSocket('127.0.0.1:9') SrNetHttp(c8y.server)\n"
        "  io.tmpfile() utf8.char(table.unpack({}, 1, 900000)) end)");
    receive(NULL, "502,1");
    assert_int_equal(plugin_named("p").failures, 1);
    forget_said();
    wait_said("tick;tick;");
}

static const char body[] =
    "function tick() n = (n or 0) + 1 end\n"
    "local function some()\n"
    "  local t = c8y:addTimer(1, 'tick') t:start()\n"
    "  c8y:addTimer(1000, function() end)\n"
    "  local s = SrNetSocket('127.0.0.1:9') local h = SrNetHttp(c8y.server)\n"
    "  h.timeout = 1 s:close()\n"
    "  local f = io.tmpfile() if f then f:write('x') end\n"
    "end\n"
    "c8y:on(502, function(r) local v = r:values() some() kept = r\n"
    "  collectgarbage() some() v = ('x'):rep(100000) .. #v end)\n";

/* Whatever the plugin's memory is out for. */
static void memory_may_be_out_at_any_allocation(void **state)
{
    size_t good = 0, calls;
    bool failed = true;

    (void)state;
    for (; failed; good += 1 + good / 64) {
        run_init("p", body);
        fail_allocations_after(good);
        receive(NULL, "502,1,a,b,c");
        calls = stop_failing();
        failed = calls > good;
        receive(NULL, "502,1,d");
        settle();
        *world.log = '\0';
    }
    assert_true(good > 30);
    assert_int_equal(plugin_named("p").failures_in_a_row, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(objects_outlive_a_finalizer_that_cannot_run,
                                        begin, end),
        cmocka_unit_test_setup_teardown(memory_may_be_out_at_any_allocation, begin,
                                        end),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
