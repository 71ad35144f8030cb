/* SPDX-License-Identifier: MIT */
/* No plugin keeps the loop for more than twice run_ms of processor time, whatever it calls
 * with whatever. The functions are those that a plugin can reach: all in _G, in tables of
 * tables, and the methods of our objects. Each is called some hundred times with long texts
 * and tables in each place. The worst stalls are printed.
 *
 * With BUDGET_TEST=full in the environment the texts have 1, 16 and 64 MB. The longer they are, the
 * fewer calls each: what counts then is how long a single one takes. Texts and table are made
 * once, bit by bit if need be. */
#include "lua/fixture.h"

#include "lua/compat.h"
#include <smartrest/log.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum { WORST = 12, MB = 1 << 20, FUNCTIONS = 400, CALLS = 500 };

static struct {
    unsigned run_ms;
    double cpu_ms, wall_ms; /* of the last stretch */
    struct stall {
        char what[128];
        double cpu_ms, wall_ms;
    } worst[WORST];
    int size_mb;
} test;

static double ms_of(clockid_t clock)
{
    struct timespec now;

    clock_gettime(clock, &now);
    return (double)now.tv_sec * 1e3 + (double)now.tv_nsec / 1e6;
}

static void remember(const char *what, double cpu_ms, double wall_ms)
{
    int at = WORST;

    while (at > 0 && test.worst[at - 1].cpu_ms < cpu_ms)
        at--;
    if (at == WORST)
        return;
    memmove(test.worst + at + 1, test.worst + at,
            (size_t)(WORST - 1 - at) * sizeof *test.worst);
    snprintf(test.worst[at].what, sizeof test.worst[at].what, "%s", what);
    test.worst[at].cpu_ms = cpu_ms;
    test.worst[at].wall_ms = wall_ms;
}

static double began_cpu, began_wall;

static void start_watch(void)
{
    began_wall = ms_of(CLOCK_MONOTONIC);
    began_cpu = ms_of(CLOCK_THREAD_CPUTIME_ID);
}

static void stop_watch(const char *what)
{
    test.cpu_ms = ms_of(CLOCK_THREAD_CPUTIME_ID) - began_cpu;
    test.wall_ms = ms_of(CLOCK_MONOTONIC) - began_wall;
    remember(what, test.cpu_ms, test.wall_ms);
}

static void no_log(enum sr_log_level level, const char *component, const char *text,
                   void *arg)
{
    (void)level;
    (void)component;
    (void)text;
    (void)arg;
}

/* methods(object): a table of those that its metatable has; a plugin calls them by name. */
static int methods(lua_State *L)
{
    if (!lua_getmetatable(L, 1))
        return 0;
    if (lua_getfield(L, -1, "__index") != LUA_TTABLE)
        lua_pop(L, 1);
    return 1;
}

static const char walk[] =
    "size, calls = %d << 20, %d\n"
    "function init()\n"
    "  names, functions, selves = {}, {}, {}\n"
    "  io.output('/dev/null')\n"
    "  local seen = { [methods] = true, [say] = true, [take_name] = true, [os.tmpname] = true }\n"
    "  local function add(name, f, self)\n"
    "    names[#names + 1], functions[#names + 1], selves[#names + 1] = name, f, self or false\n"
    "  end\n"
    "  local function look(t, path, self)\n"
    "    seen[t] = true\n"
    "    for k, v in pairs(t) do\n"
    "      local name = path .. tostring(k)\n"
    "      if type(v) == 'function' and not seen[v] and not name:find('__') then\n"
    "        seen[v] = true add(name, v, self or t == c8y and c8y)\n"
    "      elseif type(v) == 'table' and not seen[v] then look(v, name .. '.') end\n"
    "    end\n"
    "  end\n"
    "  look(_G, '')\n"
    "  look(getmetatable(''), 'string metatable.')\n"
    "  local file = io.open('/dev/zero') look(methods(file), 'file:', file)\n"
    "  file = io.open('/dev/null', 'w')\n"
    "  add('/dev/null:write', file.write, file) add('/dev/null:lines', file.lines, file)\n"
    "  look(methods(c8y:addTimer(1e6, 'x')), 'timer:', c8y:addTimer(1e6, 'x'))\n"
    "  look(methods(SrNetSocket('127.0.0.1:9')), 'socket:', SrNetSocket('127.0.0.1:9'))\n"
    "  look(methods(SrNetHttp(c8y.server)), 'http:', SrNetHttp(c8y.server))\n"
    "  c8y:on(502, 'on')\n"
    "  for i, name in ipairs(names) do take_name(i, name) end\n"
    "  return 0\n"
    "end\n"
    "local S, N, T\n"
    "local function fill()\n"
    "  S, N = S or ('x%%1'):rep(size // 3), N or ('1'):rep(size)\n"
    "  T = T or {}\n"
    "  for i = #T + 1, size // 16 do T[i] = i end\n"
    "end\n"
    "local lists = {\n"
    "  function() return S end, function() return T end, function() return N end,\n"
    "  function() return S, S end, function() return S, 1 end, function() return S, 'x' end,\n"
    "  function() return S, 1, -1 end, function() return S, '.', '' end,\n"
    "  function() return 'x', S end, function() return 1, S end, function() return {}, S end,\n"
    "  function() return 'x', 'x', S end, function() return 1, 1, S end,\n"
    "  function() return ('%%s'), S end, function() return S, function() return '' end end,\n"
    "  function() return function() return S end end, function() return N, 36 end,\n"
    "  function() return T, 1 end, function() return T, 1, 1 end, function() return T, '' end,\n"
    "  function() return T, 1, #T, 2 end, function() return T, 1, #T, 1, {} end,\n"
    "  function() return 'x', T end, function() return 1, 1, T end,\n"
    "  function() return T, function(a, b) return false end end,\n"
    "  function() return T, rawequal end, function() return 'a' end, function() return size end,\n"
    "  function() return size, size end, function() return 'a', size end,\n"
    "}\n"
    "lists_count = #lists\n"
    "function on(r)\n"
    "  local f, list = functions[r:number(2)], lists[r:number(3)]\n"
    "  local self = selves[r:number(2)]\n"
    "  fill()\n"
    "  for i = 1, calls do\n"
    "    if self then pcall(f, self, list()) else pcall(f, list()) end\n"
    "  end\n"
    "end\n";

static char names[FUNCTIONS][64];

/* take_name(i, name): the plugin says what it has found. */
static int take_name(lua_State *L)
{
    lua_Integer i = luaL_checkinteger(L, 1);

    if (i >= 1 && i <= FUNCTIONS)
        snprintf(names[i - 1], sizeof names[0], "%s", luaL_checkstring(L, 2));
    return 0;
}

static void make_hosts(size_t memory)
{
    const struct sr_lua_options options = { .run_ms = test.run_ms,
                                            .memory_max = memory,
                                            .failures_max = 1000000 };

    make_world(&options, "http://127.0.0.1:9");
    assert_int_equal(sr_lua_add_function(world.lua, "methods", methods, NULL), 0);
    assert_int_equal(sr_lua_add_function(world.lua, "take_name", take_name, NULL), 0);
    assert_int_equal(chdir(world.dir), 0);
    sr_log_set_sink(no_log, NULL);
}

static void load_walker(void)
{
    char text[sizeof walk + 100];

    snprintf(text, sizeof text, walk, test.size_mb, CALLS / test.size_mb);
    assert_int_equal(load("walker", text), 0);
}

static void expect_no_stall(const char *what)
{
    if (test.cpu_ms > 2.0 * test.run_ms)
        print_error("%s: %.0f ms of processor time, %.0f ms by the clock\n", what,
                    test.cpu_ms, test.wall_ms);
}

static void print_worst(void)
{
    print_message("the worst stalls with run_ms = %u: processor time, by the clock\n",
                  test.run_ms);
    for (int i = 0; i < WORST && *test.worst[i].what; i++)
        print_message("%8.1f ms %8.1f ms  %s\n", test.worst[i].cpu_ms,
                      test.worst[i].wall_ms, test.worst[i].what);
    assert_true(test.worst[0].cpu_ms <= 2.0 * test.run_ms);
    memset(test.worst, 0, sizeof test.worst);
}

static void call_all(int lists)
{
    char row[64], what[128];

    for (int f = 0; f < FUNCTIONS && *names[f]; f++)
        for (int list = 1; list <= lists; list++) {
            snprintf(row, sizeof row, "502,1,%d,%d", f + 1, list);
            snprintf(what, sizeof what, "%.60s, %d MB, arguments %d", names[f],
                     test.size_mb, list);
            start_watch();
            receive(NULL, row);
            turn();
            stop_watch(what);
            expect_no_stall(what);
            if (plugin_named("walker").waiting ||
                plugin_named("walker").state != SR_LUA_RUNNING)
                load_walker();
        }
}

static bool is_full(void)
{
    const char *mode = getenv("BUDGET_TEST");

    return mode && !strcmp(mode, "full");
}

static void no_function_stalls_the_loop(void **state)
{
    static const int sizes[] = { 1, 16, 64 };

    (void)state;
    test.run_ms = is_slow() ? 1000 : is_full() ? 100 : 50;
    for (int i = 0; i < (is_full() ? 3 : 1); i++) {
        test.size_mb = sizes[i];
        memset(names, 0, sizeof names);
        make_hosts(sizes[i] == 1 ? 0 : (size_t)sizes[i] * 12 * MB);
        load_walker();
        assert_true(*names[100]);
        call_all(30);
        assert_int_equal(chdir("/"), 0);
        end_world();
    }
    print_worst();
}

/* --- what is no function ------------------------------------------------------------ */

/* Each is the body of a handler; `big` and `same` are texts of 2 MB. */
/* clang-format off */
static const char *const bodies[] = {
    "while true do table.move({}, 1, 4194303, 1, {}) end",
    "while true do package.searchpath('x', ('/nonexist/?;'):rep(5000)) end",
    "local t = {} for i = 1, 100000 do t[i] = i end while true do table.sort(t) end",
    "local s = 'return {' .. ('1,'):rep(200000) .. '}' while true do load(s) end",
    "while true do load(function() return (' '):rep(1000000) end) end",
    "while true do local x = big .. 'x' end",
    "while true do pcall(function() return big .. big .. big .. big .. big end) end",
    "while true do local x = big == same end",
    "while true do local x = big < same end",
    "while true do local x = big + 1 end",
    "local t = { big, same } while true do local x = #t[1] + #t[2] end",
    "while true do local x = { table.unpack({}, 1, 100000) } end",
    "local function f(...) return select('#', ...) end\n"
     "while true do f(table.unpack({}, 1, 200000)) end",
    "while true do pcall(string.rep, 'x', 1 << 40) end",
    "local t = {} for i = 1, 60000 do t[i] = {} end while true do collectgarbage() end",
    "local t = {} for i = 1, 60000 do t[i] = {} end while true do collectgarbage('step', 100000) end",
    "local t = {} for i = 1, 60000 do t[i] = {} end\n"
     "while true do pcall(string.rep, 'x', 1 << 40) end",
    "local t = {} pcall(function() while true do t[#t + 1] = {} end end) while true do end",
    "local t = {} for i = 1, 60000 do t[i] = i end for i = 1, 60000 do t[i] = nil end\n"
     "while true do next(t) end",
    "local t = {} for i = 1, 1000 do t = setmetatable({}, { __index = t }) end\n"
     "while true do table.move(t, 1, 4194303, 1, {}) end",
    "local t = setmetatable({}, { __index = table.concat })\n"
     "for i = 1, 20000 do t[i] = 'x' end table.concat(t, '', 20001, 4000000)",
    "local t = {} for i = 1, 300000 do t[i] = true end for i, v in ipairs(t) do t[i] = nil end\n"
     "while true do local n = #t end",
    "while true do srInfo(big) end",
    "while true do os.date(('%c'):rep(400)) end",
    "while true do utf8.len(big) end",
    "local f = utf8.codes(('\\x80'):rep(1000000)) while true do pcall(f, big, 0) end",
    "while true do big:gsub('()', '%1') end",
    "while true do big:gsub('', ('%1'):rep(100000)) end",
    "while true do big:find('[' .. ('a'):rep(100000) .. ']') end",
    "local r = {} for i = 1, 20000 do r[i] = { 1, 'some text' } end while true do c8y:row(r) end",
    "while true do c8y:json(big) end",
    "local a = coroutine.wrap(function() while true do local x = big == same coroutine.yield() end end)\n"
     "while true do a() end",
    "local co = {} for i = 1, 20 do co[i] = coroutine.create(function() while true do\n"
     "  for j = 1, 100 do local x = big == same end coroutine.yield() end end) end\n"
     "while true do for i = 1, 20 do coroutine.resume(co[i]) end end",
    "local f = io.open('/dev/zero') while true do f:read(1000000) end",
    "local f = io.open('/dev/null', 'w') while true do f:write(big) end",
    "local f = io.open('/dev/urandom') while true do f:read(10000) end",
    "while true do pcall(loadfile, '/dev/zero') pcall(dofile, '/dev/zero') end",
};
/* clang-format on */

static void nothing_else_stalls_the_loop(void **state)
{
    char text[2000], what[128];

    (void)state;
    test.run_ms = is_full() || is_slow() ? 1000 : 100;
    make_hosts(0);
    for (size_t i = 0; i < sizeof bodies / sizeof *bodies; i++) {
        snprintf(
            text, sizeof text,
            "function init() c8y:on(502, 'on') return 0 end\n"
            "function on() big = ('1'):rep(2000000) same = ('1'):rep(2000000) %s end",
            bodies[i]);
        assert_int_equal(load("walker", text), 0);
        snprintf(what, sizeof what, "%.100s", bodies[i]);
        start_watch();
        receive(NULL, "502,1");
        turn();
        stop_watch(what);
        expect_no_stall(what);
    }
    /* it is full, and goes */
    assert_int_equal(load("walker",
                          "function init() t = {} c8y:on(502, function()\n"
                          "for i = 1, 1e9 do t[i] = { i } end end) return 0 end"),
                     0);
    for (int i = 0; i < 20; i++) {
        receive(NULL, "502,1");
        turn();
    }
    start_watch();
    assert_int_equal(sr_lua_unload(world.lua, "walker"), 0);
    stop_watch("a full plugin is unloaded");
    assert_int_equal(chdir("/"), 0);
    end_world();
    print_worst();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nothing_else_stalls_the_loop),
        cmocka_unit_test(no_function_stalls_the_loop),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
