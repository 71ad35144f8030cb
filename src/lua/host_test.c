/* SPDX-License-Identifier: MIT */
/* Loading, reloading and unloading; what the application adds; the end. */
#include "lua/fixture.h"

#include "lua/compat.h"
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* --- loading ------------------------------------------------------------------------ */

static void a_plugin_runs_when_init_returns_0(void **state)
{
    (void)state;
    assert_int_equal(load("one", "function init() say('hello', c8y.ID) return 0 end"),
                     0);
    expect_said("hello 4711;");
    assert_int_equal(plugin_named("one").state, SR_LUA_RUNNING);
    assert_int_equal(plugin_named("one").loads, 1);
    expect_logged("notice one: loaded from ");
}

static void what_fails_is_unloaded_with_a_message_and_the_agent_goes_on(void **state)
{
    static const struct {
        const char *text, *error;
        int rc;
    } rows[] = {
        {"function init() return 1 end",       "init() returned 1, not 0",           SR_E_REFUSED},
        { "function init() end",               "init() returned nil, not 0",         SR_E_REFUSED},
        { "function init() return '0' end",    "init() returned 0, not 0",           SR_E_REFUSED},
        { "function init() return false end",  "init() returned false",              SR_E_REFUSED},
        { "function init() error('mine') end", "bad.lua:1: mine",                    SR_E_REFUSED},
        { "x = 1",                             "there is no function init()",        SR_E_REFUSED},
        { "init = 0",                          "there is no function init()",        SR_E_REFUSED},
        { "error('early')",                    "bad.lua:1: early",                   SR_E_REFUSED},
        { "require 'nothing.like.it'",         "module 'nothing.like.it' not found",
         SR_E_REFUSED                                                                            },
        { "function init( return 0 end",       "bad.lua:1: ",                        SR_E_SYNTAX },
        { "\x1bLua",                           "binary",                             SR_E_SYNTAX },
        { "",                                  "there is no function init()",        SR_E_REFUSED},
    };

    (void)state;
    run_init("good", "c8y:on(502, function() say('good') end)");
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        assert_int_equal(load("bad", rows[i].text), rows[i].rc);
        if (!strstr(sr_lua_error(world.lua), rows[i].error) ||
            !strstr(sr_lua_error(world.lua), "plugin 'bad': "))
            fail_msg("%s: %s", rows[i].text, sr_lua_error(world.lua));
        assert_int_equal(plugin_named("bad").state, SR_LUA_FAILED);
        assert_int_equal(plugin_named("bad").memory, 0);
        assert_non_null(strstr(world.log, rows[i].error));
    }
    receive(NULL, "502,1");
    expect_said("good;");
}

static void what_cannot_be_read_is_said(void **state)
{
    (void)state;
    assert_int_equal(sr_lua_load(world.lua, "/not/there.lua"), SR_E_NOTFOUND);
    assert_non_null(strstr(sr_lua_error(world.lua), "/not/there.lua: No such file"));
    assert_int_equal(sr_lua_load(world.lua, NULL), SR_E_INVAL);
    assert_int_equal(sr_lua_reload(world.lua, "nobody"), SR_E_NOTFOUND);
    assert_int_equal(sr_lua_unload(world.lua, "nobody"), SR_E_NOTFOUND);
    assert_non_null(strstr(sr_lua_error(world.lua), "there is no plugin 'nobody'"));
    assert_string_equal(sr_lua_error(NULL), "no Lua host: out of memory");
}

static void a_directory_is_loaded_in_order_whatever_fails(void **state)
{
    struct sr_lua_plugin plugin;

    (void)state;
    write_file("2.lua", "function init() say(2) return 0 end");
    write_file("1.lua", "function init() say(1) return 0 end");
    write_file("15.lua", "function init() return 9 end");
    write_file("not-one.txt", "x");
    write_file(".hidden.lua", "x");
    assert_int_equal(sr_lua_load(world.lua, world.dir), SR_E_REFUSED);
    expect_said("1;2;");
    assert_int_equal(sr_lua_plugin(world.lua, 1, &plugin), 0);
    assert_string_equal(plugin.name, "15");
    assert_int_equal(sr_lua_plugin(world.lua, 3, &plugin), SR_E_NOTFOUND);
}

static void timers_and_handlers_work(void **state)
{
    (void)state;
    run_init("p", "local n = 0\n"
                  "function tick() n = n + 1; say('tick', n, timer.isActive)\n"
                  "  if n == 3 then timer:stop() end end\n"
                  "function on502(r) say(r.size, r:value(2), r:type(2)) end\n"
                  "timer = c8y:addTimer(1, 'tick')\n"
                  "timer:start()\n"
                  "c8y:addMsgHandler(502, 'on502')");
    receive(NULL, "502,1,99,4711");
    expect_said("4 99 3;");
    wait_said("tick 3");
    assert_int_equal(plugin_named("p").timers, 1);
    assert_int_equal(plugin_named("p").handlers, 1);
}

static void a_timer_nobody_holds_goes_on_and_one_that_is_stopped_goes(void **state)
{
    (void)state;
    run_init("p", "c8y:addTimer(1, function() say('tick') end):start()\n"
                  "for i = 1, 500 do c8y:addTimer(1, 'x') end collectgarbage()");
    wait_said("tick");
    assert_int_equal(plugin_named("p").timers, 1);
}

/* --- what the application adds -------------------------------------------------------- */

static int twice(lua_State *L)
{
    const int *factor = lua_touserdata(L, lua_upvalueindex(1));

    lua_pushinteger(L, *factor * luaL_checkinteger(L, 1));
    return 1;
}

static int open_pump(lua_State *L)
{
    lua_newtable(L);
    lua_pushstring(L, lua_touserdata(L, 1));
    lua_setfield(L, -2, "name");
    lua_setglobal(L, "device");
    return 0;
}

static int cannot_open(lua_State *L)
{
    return luaL_error(L, "no pump here");
}

static void functions_and_objects_of_the_application(void **state)
{
    static char pump[] = "pump 7";
    int factor = 2;

    (void)state;
    assert_int_equal(sr_lua_add_function(world.lua, "twice", twice, &factor), 0);
    assert_int_equal(sr_lua_add_function(world.lua, "math.twice", twice, &factor), 0);
    assert_int_equal(sr_lua_add_function(world.lua, "valve.twice", twice, &factor), 0);
    assert_int_equal(sr_lua_add_library(world.lua, open_pump, pump), 0);
    run_init("p", "say(twice(21), math.twice(4), valve.twice(5), device.name)");
    expect_said("42 8 10 pump 7;");
    assert_int_equal(sr_lua_add_function(world.lua, "", twice, NULL), SR_E_INVAL);
    assert_int_equal(sr_lua_add_function(world.lua, "a.b.c", twice, NULL), SR_E_INVAL);
    assert_int_equal(sr_lua_add_function(world.lua, "a.", twice, NULL), SR_E_INVAL);
    assert_int_equal(sr_lua_add_library(world.lua, cannot_open, NULL), 0);
    assert_int_equal(load("q", "function init() return 0 end"), SR_E_REFUSED);
    assert_non_null(strstr(sr_lua_error(world.lua), "no pump here"));
}

static void libraries_are_found_by_path(void **state)
{
    char path[128];

    (void)state;
    snprintf(path, sizeof path, "%s/lib", world.dir);
    assert_int_equal(mkdir(path, 0700), 0);
    write_file("lib/mine.lua", "return { n = 7 }");
    assert_int_equal(sr_lua_add_path(world.lua, path), 0);
    snprintf(path, sizeof path, "%s/lib/other-?.lua", world.dir);
    write_file("lib/other-x.lua", "return 'x'");
    write_file("lib/machine.lua", "\x1bLua");
    assert_int_equal(sr_lua_add_path(world.lua, path), 0);
    run_init("p", "say(require('mine').n, require('x'), (pcall(require, 'machine')))");
    expect_said("7 x false;");
    assert_int_equal(sr_lua_add_path(world.lua, "a;b"), SR_E_INVAL);
    assert_int_equal(sr_lua_add_path(world.lua, ""), SR_E_INVAL);
}

/* --- reloading ------------------------------------------------------------------------ */

static void reload_replaces_timers_and_handlers(void **state)
{
    (void)state;
    run_init(
        "p",
        "c8y:on(502, function() say('old') end) c8y:on(503, function() say('only') end)\n"
        "t = c8y:addTimer(1, function() say('old tick') end) t:start()");
    wait_said("old tick");
    write_file("p.lua",
               "function init() c8y:on(502, function() say('new') end)\n"
               "t = c8y:addTimer(1, function() say('new tick') end) t:start()\n"
               "return 0 end");
    assert_int_equal(sr_lua_reload(world.lua, NULL), 0);
    forget_said();
    receive(NULL, "502,1\n503,1");
    expect_said("new;");
    wait_said("new tick");
    assert_null(strstr(world.said, "old"));
    assert_int_equal(plugin_named("p").loads, 2);
}

static void a_new_file_that_is_no_lua_leaves_the_old_one_running(void **state)
{
    (void)state;
    run_init("p", "c8y:on(502, function() say('old') end)");
    write_file("p.lua", "function init( return 0 end");
    assert_int_equal(sr_lua_reload(world.lua, "p"), SR_E_SYNTAX);
    receive(NULL, "502,1");
    expect_said("old;");
    assert_int_equal(plugin_named("p").state, SR_LUA_RUNNING);
    assert_non_null(strstr(plugin_named("p").error, "p.lua:1"));
}

static int reload_me(lua_State *L)
{
    lua_pushinteger(L, sr_lua_reload(world.lua, "p"));
    return 1;
}

static void a_plugin_may_have_itself_reloaded(void **state)
{
    (void)state;
    sr_lua_add_function(world.lua, "reload", reload_me, NULL);
    run_init("p",
             "c8y:on(502, function() say('reload', reload()) say('still here') end)");
    receive(NULL, "502,1\n502,2");
    expect_said("reload 0;still here;reload 0;still here;");
    assert_int_equal(plugin_named("p").loads, 3);
    forget_said();
    run_init("p", "say(reload())"); /* not for ever */
    expect_said("-10;");
}

static int free_all(lua_State *L)
{
    (void)L;
    world.lua = sr_lua_free(world.lua);
    return 0;
}

static void the_host_may_be_freed_from_inside_of_a_plugin(void **state)
{
    (void)state;
    sr_lua_add_function(world.lua, "free", free_all, NULL);
    run_init("p", "c8y:on(502, function() free() say('after') end)\n"
                  "c8y:on(503, function() c8y:sleep(60000) end)");
    receive(NULL, "503,1");
    receive(NULL, "502,1\n502,2");
    expect_said("after;");
    settle();
}

static void a_changed_file_is_loaded_anew(void **state)
{
    const struct sr_lua_options options = { .watch_files = true };
    FILE *file;

    (void)state;
    make_world(&options, "http://127.0.0.1:9");
    run_init("p", "say('one')");
    write_file("p.lua", "function init() say('two') return 0 end"); /* replaces it */
    wait_said("two");
    file = fopen(plugin_named("p").path, "w"); /* writes into it */
    assert_non_null(file);
    fputs("function init() say('three') return 0 end", file);
    fclose(file);
    wait_said("three");
    end_world();
}

static void a_thousand_reloads_do_not_grow(void **state)
{
    const int reloads = is_slow() ? 50 : 1000;
    size_t before = 0;

    (void)state;
    run_init("p", "c8y:on(502, function() c8y:sleep(60000) end)\n"
                  "for i = 1, 20 do c8y:on(600 + i, 'x') end\n"
                  "s = SrNetSocket('127.0.0.1:1') h = SrNetHttp(c8y.server)\n"
                  "t = c8y:addTimer(60000, 'x') t:start() f = io.open('/dev/null')");
    for (int i = 0; i < reloads; i++) {
        receive(NULL, "502,1\n502,2");
        if (sr_lua_reload(world.lua, "p"))
            fail_msg("%s", sr_lua_error(world.lua));
        *world.log = '\0';
        if (i % 10 == 9)
            settle(); /* closed handles go with the turn */
        if (i == reloads / 4)
            before = mallinfo2().uordblks;
    }
    settle();
    assert_int_equal(plugin_named("p").loads, reloads + 1);
    assert_true(mallinfo2().uordblks < before + 200000);
}

/* --- luv -------------------------------------------------------------------------------- */

static bool has_luv(void)
{
    run_init("look", "say((pcall(require, 'luv')))");
    bool there = !strcmp(world.said, "true;");

    forget_said();
    sr_lua_unload(world.lua, "look");
    return there;
}

static void luv_shares_the_loop(void **state)
{
    (void)state;
    if (!has_luv())
        skip();
    run_init("p",
             "uv = require 'luv'\n"
             "t = uv.new_timer() t:start(1, 0, function() say('luv') c8y:sleep(2)\n"
             "  say('waited') end)\n"
             "f = uv.new_timer() f:start(2, 0, function() error('in luv') end)\n"
             "say(uv.run, uv.walk, uv.new_thread, uv.chdir, (pcall(uv.fs_close, 3)))\n"
             "uv.fs_open('/dev/null', 'r', 0, function(e, fd) say('fd', e, fd > 2)\n"
             "  uv.fs_close(fd) say((pcall(uv.fs_close, fd))) end)");
    expect_said("nil nil nil nil false;");
    wait_said("waited;");
    wait_said("fd nil true;false;");
    wait_logged("in luv");
    assert_int_equal(plugin_named("p").failures, 1);
}

static void nothing_in_luv_stops_the_loop(void **state)
{
    char fifo[] = "/tmp/luv-fifo.XXXXXX", code[1200];

    (void)state;
    if (!has_luv())
        skip();
    assert_int_equal(close(mkstemp(fifo)), 0);
    assert_int_equal(unlink(fifo) | mkfifo(fifo, 0600), 0);
    snprintf(
        code, sizeof code,
        "uv = require 'luv' local n, m = 0, 0\n"
        "t = uv.new_timer() local function again() n = n + 1 uv.update_time() t:start(0, 0, again) "
        "end again()\n"
        "s = uv.new_timer() local function more() m = m + 1 uv.timer_start(s, 0, 0, more) end "
        "more()\n"
        "c8y:addTimer(20, 'look'):start()\n"
        "function look() say('turns', n > 1, m > 1) end\n"
        "local fd = uv.fs_open('%s', 'r', 0) say('fifo', fd > 2) uv.fs_close(fd)\n"
        "say((pcall(uv.fs_copyfile, '%s', '/tmp/none', print)))\n"
        "say((pcall(uv.fs_copyfile, '/etc/passwd', '%s', print)))",
        fifo, fifo, fifo);
    run_init("p", code);
    wait_said("fifo true;false;false;");
    wait_said("turns true true;");
    unlink(fifo);
}

static void luv_sends_no_signal_to_us(void **state)
{
    (void)state;
    if (!has_luv())
        skip();
    run_init(
        "p",
        "uv = require 'luv'\n"
        "local ours = uv.os_getpid()\n"
        "for _, pid in ipairs { ours, 0, -1, -ours, uv.os_getppid(), 1 << 32, (1 << 32) + ours } do\n"
        "  say((pcall(uv.kill, pid, 0))) end\n"
        "local h, pid = uv.spawn('sleep', { args = { '60' } }, function(_, signal)\n"
        "  say('ended by', signal) end)\n"
        "say(uv.kill(pid, 'sigterm'))\n"
        "say((pcall(uv.spawn, 'true', { stdio = { 0, 1, 2, 3 } })))\n"
        "local short = { __len = function() return 0 end }\n"
        "say((pcall(uv.spawn, 'true', { stdio = setmetatable({ 0, 1, 2, 3 }, short) })))\n"
        "local looks, later = 0, { __index = function(_, key)\n"
        "  looks = looks + (key == 'stdio' and 1 or 0)\n"
        "  return key == 'stdio' and looks > 1 and { 0, 1, 2, 3 } or nil end }\n"
        "uv.spawn('true', setmetatable({}, later)) say('looks', looks)");
    expect_said("false;false;false;false;false;false;false;0;false;false;looks 0;");
    wait_said("ended by 15;");
}

static void luvs_handles_go_with_the_plugin(void **state)
{
    const struct sr_lua_options options = { .run_ms = 100 };

    (void)state;
    make_world(&options, "http://127.0.0.1:9");
    if (!has_luv()) {
        end_world();
        skip();
    }
    for (int i = 0; i < 20; i++) {
        run_init("p", "uv = require 'luv'\n"
                      "t = uv.new_timer() t:start(1, 1, function() say('old') end)\n"
                      "s = uv.new_tcp() s:bind('127.0.0.1', 0)\n"
                      "s:listen(1, function() end)\n"
                      "uv.fs_stat('/', function() say('stat') end)\n"
                      "uv.new_tcp():connect('127.0.0.1', s:getsockname().port, "
                      "function() end)");
        if (i % 2)
            settle();
        assert_int_equal(sr_lua_unload(world.lua, "p"), 0);
        forget_said();
        if (i % 3)
            settle();
        expect_said("");
    }
    run_init("p", "uv = require 'luv' t = uv.new_timer()\n"
                  "t:start(1, 1, function() say('last') while true do end end)");
    wait_logged("ran for more than");
    end_world();
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)
    const struct CMUnitTest tests[] = {
        TEST(a_plugin_runs_when_init_returns_0),
        TEST(what_fails_is_unloaded_with_a_message_and_the_agent_goes_on),
        TEST(what_cannot_be_read_is_said),
        TEST(a_directory_is_loaded_in_order_whatever_fails),
        TEST(timers_and_handlers_work),
        TEST(a_timer_nobody_holds_goes_on_and_one_that_is_stopped_goes),
        TEST(functions_and_objects_of_the_application),
        TEST(libraries_are_found_by_path),
        TEST(reload_replaces_timers_and_handlers),
        TEST(a_new_file_that_is_no_lua_leaves_the_old_one_running),
        TEST(a_plugin_may_have_itself_reloaded),
        TEST(the_host_may_be_freed_from_inside_of_a_plugin),
        cmocka_unit_test(a_changed_file_is_loaded_anew),
        TEST(a_thousand_reloads_do_not_grow),
        TEST(luv_shares_the_loop),
        TEST(nothing_in_luv_stops_the_loop),
        TEST(luv_sends_no_signal_to_us),
        cmocka_unit_test(luvs_handles_go_with_the_plugin),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
