/* SPDX-License-Identifier: MIT */
/* Plugins that misbehave: whatever they do is stopped, logged and counted, and the agent and
 * the other plugins go on. */
#include "lua/fixture.h"

#include "lua/compat.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Long enough for honest code under valgrind, short enough to wait for. */
enum { RUN_MS = 60 };

static int begin_with(unsigned run_ms)
{
    const struct sr_lua_options options = {
        .run_ms = run_ms,
        .memory_max = 4 << 20,
        .failures_max = 3,
    };

    make_world(&options, "http://127.0.0.1:9");
    run_init("good", "c8y:on(600, function() say('good') end)");
    return 0;
}

static int begin_tight(void **state)
{
    (void)state;
    return begin_with(is_slow() ? 4 * RUN_MS : RUN_MS);
}

/* For what another limit stops, however slow the machine is. */
static int begin_patient(void **state)
{
    (void)state;
    return begin_with(60000);
}

/* Each is the body of a handler. */
/* clang-format off */
static const struct {
    const char *name, *body, *error;
} rows[] = {
    { "an endless loop", "while true do end", "ran for more than" },
    { "one in pcall", "while true do pcall(function() while true do end end) end",
     "ran for more than" },
    { "pcall of pcall",
     "while true do pcall(pcall, pcall, function() while true do end end) end", "ran for more than" },
    { "one in xpcall's handler", "xpcall(error, function() while true do end end)",
     "ran for more than" },
    { "a handler that never gives up",
     "local function h() while true do end end\n"
      "while true do xpcall(function() while true do end end, h) end", "ran for more than" },
    { "one in a coroutine", "coroutine.wrap(function() while true do end end)()",
     "ran for more than" },
    { "many coroutines",
     "local function f(n) if n == 0 then return end\n"
      "  for i = 1, 200 do coroutine.wrap(f)(n - 1) end end\n"
      "while true do f(6) end", "ran for more than" },
    { "coroutines in pcall",
     "while true do pcall(coroutine.wrap(function() while true do end end)) end", "ran for more than" },
    { "coroutine.resume for ever",
     "while true do coroutine.resume(coroutine.create(function() while true do end end)) "
      "end", "ran for more than" },
    { "endless metamethods",
     "local t = setmetatable({}, { __index = function(t, k) return t[k + 1] end })\n"
      "return t[1]", "stack overflow" },
    { "a slow __tostring",
     "tostring(setmetatable({}, { __tostring = function() while true "
      "do end end }))", "ran for more than" },
    { "a slow __close",
     "local load = load or loadstring\n"
      "local f = load('local x <close> = setmetatable({}, { __close = function() while true "
      "do end end }) while true do end')\n"
      "if f then f() else while true do end end", "ran for more than" },
    { "a finalizer", "setmetatable({}, { __gc = function() while true do end end })",
     "finalizers" },
    { "a finalizer behind a file",
     "getmetatable(io.stdout).__gc = function() while true do end end", "index" },
    { "a comparison that never ends",
     "table.sort({ 3, 2, 1 }, function() while true do end end)", "ran for more than" },
    { "goto", "::again:: goto again", "ran for more than" },
    { "too much memory", "local t = {} while true do t[#t + 1] = ('x'):rep(1000) end",
     "not enough memory" },
    { "too much memory at once", "return ('x'):rep(1 << 30)", "not enough memory" },
    { "too much memory in pcall",
     "while true do pcall(function() local t = {} while true do t[#t + 1] = {} end end) end",
     "ran for more than" },
    { "memory of concatenations", "local s = 'x' while true do s = s .. s end",
     "not enough memory" },
    { "endless recursion", "local function f() return 1 + f() end return f()",
     "not enough memory" },
    { "recursion through C",
     "local function f() return pcall(f) end\n"
      "local function g(...) return string.gsub('x', 'x', g) end g()", "overflow" },
    { "nothing, very often", "return (''):rep(1 << 62) .. nil", "concatenate" },
    { "a pattern that backtracks", "return (('a'):rep(30000)):find('.-.-.-.-.-b')",
     "ran for more than" },
    { "gsub that backtracks", "return (('a'):rep(30000)):gsub('a*a*a*a*b', '')",
     "ran for more than" },
    { "gmatch that backtracks",
     "for x in (('a'):rep(30000)):gmatch('a-a-a-a-b') do end", "ran for more than" },
    { "a pattern in a loop of pcall",
     "while true do pcall(string.find, ('a'):rep(30000), '.-.-.-.-.-b') end", "ran for more than" },
    { "table.move of nothing", "table.move({}, 1, 1 << 60, 2)", "too many" },
#if LUA_VERSION_NUM >= 504  /* 5.3 looks for the border elsewhere */
    { "table.insert far out",
     "local t = { 1, 1, 1, 1 } for i = 2, 59 do t[4 << i] = 1 end t[8] = 1 t[5] = 1\n"
      "table.insert(t, 1, 1)", "too long" },
#endif
    { "a length that lies",
     "table.insert(setmetatable({}, { __len = function() return 1 << 60 end }), 1, 1)", "__len" },
    { "table.concat of a lot",
     "table.concat(setmetatable({}, { __index = function() return '' end }), '', 1, 1 << 60)",
     "too many" },
    { "table.unpack of a lot", "table.unpack({}, 1, 1 << 40)", "too many results" },
    { "os.exit", "os.exit(1)", "not for plugins" },
    { "os.exit in pcall", "pcall(os.exit) error('still here')", "still here" },
    { "an error of another kind", "error({})", "an error that is a table" },
    { "no error at all", "error()", "an error that is a nil" },
    { "a yield to nobody", "coroutine.yield()", "outside of a coroutine" },
    { "machine code", "assert(load('\\27Lua'))()", "attempt to load a binary chunk"},
    { "machine code, asked for", "assert(load('\\27Lua', 'x', 'b'))()", "binary" },
    { "debug", "debug.sethook()", "sethook" },
    { "debug.getregistry", "debug.getregistry()", "getregistry" },
    { "C modules", "require 'lfs'", "not found" },
    { "package.loadlib", "package.loadlib('libc.so.6', '*')", "loadlib" },
    { "stdin", "assert(io.read('a') == '') error('nothing to read')",
     "nothing to read" },
    { "waiting where it cannot", "table.sort({ 3, 2, 1 }, function() c8y:sleep(1) end)",
     "cannot wait here" },
    { "waiting in gsub", "('x'):gsub('x', function() c8y:sleep(1) end)",
     "cannot wait here" },
    { "waiting in a coroutine in gsub",
     "('x'):gsub('x', coroutine.wrap(function() c8y:sleep(1) end))", "cannot wait here" },
    { "too many timers", "for i = 1, 2000 do t = c8y:addTimer(1, 'x') t:start() end",
     "more than 1000 timers" },
    { "too many handlers", "for i = 1, 2000 do c8y:on(i + 10000, 'x') end",
     "more than 1000 handlers" },
    { "a record that is over", "if kept then return kept:value(1) end kept = r",
     "is over with its callback" },
    { "a method of nothing", "local t = c8y:addTimer(1, 'x') t.__gc(t)", "nil" },
    { "another object's method", "local t = c8y:addTimer(1, 'x') t.start(r)",
     "sr_timer expected" },
    { "the metatable of c8y", "setmetatable(c8y, {})", "protected" },
};
/* clang-format on */

/* Those that time stops, or the others. */
static void run_rows(bool by_time)
{
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        char name[32], *text;
        uint64_t before;

        if (by_time != !strncmp(rows[i].error, "ran for", 7))
            continue;

        snprintf(name, sizeof name, "bad%zu", i);
        assert_true(asprintf(&text,
                             "kept = nil\nfunction on(r) %s\nend\n"
                             "function init() c8y:on(%zu, 'on') return 0 end",
                             rows[i].body, 700 + i) > 0);
        if (load(name, text))
            fail_msg("%s: %s", rows[i].name, sr_lua_error(world.lua));
        free(text);
        *world.log = '\0';
        snprintf(name, sizeof name, "%zu,1", 700 + i);
        receive(NULL, name);
        if (!strcmp(rows[i].name, "a record that is over"))
            receive(NULL, name);
        snprintf(name, sizeof name, "bad%zu", i);
        before = plugin_named(name).failures;
        if (before == 0 || !strstr(plugin_named(name).error, rows[i].error))
            fail_msg("%s: failures %lu, '%s'", rows[i].name, (unsigned long)before,
                     plugin_named(name).error);
        if (!strstr(world.log, rows[i].error))
            fail_msg("%s: not logged: %s", rows[i].name, world.log);
        assert_int_equal(sr_lua_unload(world.lua, name), 0);
        forget_said();
        receive(NULL, "600,1");
        expect_said("good;");
    }
    assert_int_equal(plugin_named("good").failures, 0);
    assert_int_equal(plugin_named("good").state, SR_LUA_RUNNING);
}

static void whatever_takes_too_long_is_stopped_and_the_agent_goes_on(void **state)
{
    (void)state;
    run_rows(true);
}

static void whatever_else_a_plugin_does_the_agent_goes_on(void **state)
{
    (void)state;
    run_rows(false);
}

static void errors_come_with_a_traceback(void **state)
{
    (void)state;
    run_init("deep", "function inner() local x = nil; return x.y end\n"
                     "function outer() inner() return 1 end\n"
                     "c8y:on(502, 'outer')");
    receive(NULL, "502,1");
    expect_logged("error deep: handler 'outer': ");
    expect_logged("attempt to index a nil value (local 'x')");
    expect_logged("stack traceback");
    expect_logged("in function 'inner'");
    assert_int_equal(plugin_named("deep").failures, 1);
}

static void failures_in_a_row_stop_a_plugin_and_it_says_so(void **state)
{
    (void)state;
    run_init("fails",
             "c8y:on(502, function(r) if r:value(2) == 'bad' then error('no') end "
             "say('fine') end)");
    receive(NULL, "502,1,bad\n502,2,bad\n502,3,good\n502,4,bad\n502,5,bad");
    assert_int_equal(plugin_named("fails").state, SR_LUA_RUNNING);
    receive(NULL, "502,1,bad\n502,2,good");
    expect_said("fine;");
    assert_int_equal(plugin_named("fails").state, SR_LUA_STOPPED);
    assert_int_equal(plugin_named("fails").handlers, 0);
    assert_int_equal(plugin_named("fails").memory, 0);
    expect_logged("critical fails: stopped after 3 failures in a row; reload it");

    assert_int_equal(sr_lua_reload(world.lua, "fails"), 0);
    assert_int_equal(plugin_named("fails").state, SR_LUA_RUNNING);
    receive(NULL, "502,1,good");
    expect_said("fine;fine;");
}

static void one_plugin_cannot_touch_another(void **state)
{
    (void)state;
    run_init("a", "shared = 'a'; string.find = nil; c8y.mark = 'a'\n"
                  "package.loaded.thing = 'a'\n"
                  "c8y:on(502, function() say('a', shared) end)");
    run_init("b", "say(shared, string.find ~= nil, c8y.mark, package.loaded.thing)\n"
                  "shared = 'b'\n"
                  "c8y:on(502, function() say('b', shared) end)\n"
                  "c8y:on(503, function() c8y:on(502, nil) end)");
    expect_said("nil true nil nil;");
    forget_said();
    receive(NULL, "502,1");
    expect_said("a a;b b;");
    forget_said();
    receive(NULL, "503,1\n502,2");
    expect_said("a a;");
}

static void a_loop_in_init_or_in_the_file_is_stopped(void **state)
{
    (void)state;
    assert_int_equal(load("x", "while true do end"), SR_E_REFUSED);
    assert_int_equal(load("y", "function init() while true do end end"), SR_E_REFUSED);
    assert_int_equal(plugin_named("y").state, SR_LUA_FAILED);
    assert_non_null(strstr(sr_lua_error(world.lua), "plugin 'y': init: "));
}

static void a_timer_that_fails_fires_again(void **state)
{
    (void)state;
    run_init("t", "n = 0; t = c8y:addTimer(1, function() n = n + 1\n"
                  "if n < 3 then error('n') end say('tick', n) end) t:start()");
    wait_said("tick 4");
    assert_int_equal(plugin_named("t").failures, 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(
            whatever_takes_too_long_is_stopped_and_the_agent_goes_on, begin_tight, end),
        cmocka_unit_test_setup_teardown(whatever_else_a_plugin_does_the_agent_goes_on,
                                        begin_patient, end),
        cmocka_unit_test_setup_teardown(errors_come_with_a_traceback, begin, end),
        cmocka_unit_test_setup_teardown(failures_in_a_row_stop_a_plugin_and_it_says_so,
                                        begin_patient, end),
        cmocka_unit_test_setup_teardown(one_plugin_cannot_touch_another, begin, end),
        cmocka_unit_test_setup_teardown(a_loop_in_init_or_in_the_file_is_stopped,
                                        begin_tight, end),
        cmocka_unit_test_setup_teardown(a_timer_that_fails_fires_again, begin, end),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
