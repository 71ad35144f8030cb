/* SPDX-License-Identifier: MIT */
/* The API as the vendor's guide has it, and what is beyond it: one row for each. */
#include "lua/fixture.h"

#include <locale.h>

#include "support/scripted_http.h"
#include <smartrest/reporter.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* --- what needs no network ------------------------------------------------------------ */

/* clang-format off */
static const struct {
    const char *name, *body, *rows, *said;
} api[] = {
    {"init() returns 0, 0.0 will do", "", "", "" },
    { "c8y:addTimer: inactive when made",
     "t = c8y:addTimer(10, 'f') say(t.isActive, t.interval)", "", "false 10;" },
    { "timer:start, isActive", "t = c8y:addTimer(60000, 'f') t:start() say(t.isActive)",
     "", "true;" },
    { "timer:stop", "t = c8y:addTimer(60000, 'f') t:start() t:stop() say(t.isActive)",
     "", "false;" },
    { "timer.interval is written",
     "t = c8y:addTimer(1, 'f') t.interval = 250 say(t.interval)", "", "250;" },
    { "c8y:addMsgHandler by name",
     "function f(r) say('f', r:value(0)) end c8y:addMsgHandler(502, 'f')", "502,1,7",
     "f 502;" },
    { "names are looked up when they run",
     "c8y:addMsgHandler(502, 'f') function f() say('early') end\n"
      "c8y:on(503, function() f = function() say('late') end end)", "502,1\n503,1\n502,1", "early;late;" },
    { "a function in place of a name",
     "c8y:addMsgHandler(502, function() say('g') end)", "502,1", "g;" },
    { "a second handler replaces the first",
     "c8y:addMsgHandler(502, function() say(1) end)\n"
      "c8y:addMsgHandler(502, function() say(2) end)", "502,1", "2;" },
    { "nil removes", "c8y:on(502, function() say(1) end) c8y:on(502, nil)", "502,1",
     "" },
    { "c8y:on", "c8y:on(502, function(r) say(r:value(2)) end)", "502,1,x", "x;" },
    { "c8y:addXMsgHandler",
     "c8y:addXMsgHandler('other', 502, function(r) say(r:value(2)) end)\n"
      "c8y:on(502, function() say('own') end)", "87,1,other\n502,1,a\n502,1,b", "a;own;" },
    { "record.size, value from 0",
     "c8y:on(502, function(r) say(r.size, r:value(0), r:value(3)) end)", "502,1,a,\"b,c\"", "4 502 b,c;" },
    { "record:value beyond",
     "c8y:on(502, function(r) say('<' .. r:value(9) .. '>') end)", "502,1", "<>;" },
    { "record:type: string 2, integer 3, float 4, none 0",
     "c8y:on(502, function(r) say(r:type(2), r:type(3), r:type(4), r:type(5)) end)", "502,1,x,3,2.5", "2 3 4 0;" },
    { "#record, record[i]", "c8y:on(502, function(r) say(#r, r[2]) end)", "502,1,z",
     "3 z;" },
    { "record:number",
     "c8y:on(502, function(r) say(r:number(2) + 1, r:number(3), r:number(4)) end)", "502,1,41,2.5,x", "42 2.5 nil;" },
    { "record:values",
     "c8y:on(502, function(r) say(table.concat(r:values(), '+')) end)", "502,1,a,b",
     "a+b;" },
    { "c8y.server, c8y.ID", "say(c8y.server, c8y.ID)", "", "http://127.0.0.1:9 4711;"},
    { "c8y.XID, c8y.deviceID, c8y.plugin", "say(c8y.XID, c8y.deviceID, c8y.plugin)", "",
     "1001 plugged row;" },
    { "c8y.now is a value of a row", "say(c8y:row(1, c8y.now) == '1,' .. c8y.now, #c8y.now)", "", "true 24;" },
    { "c8y.resp before any transfer", "say('<' .. c8y.resp .. '>')", "", "<>;" },
    { "c8y:send returns 0", "say(c8y:send('103,4711,1'))", "", "0;" },
    { "c8y:send with prio", "say(c8y:send('103,4711,1', 1))", "", "0;" },
    { "c8y:send refuses what is no row", "say(c8y:send('\"'))", "",
     "-1 malformed row;" },
    { "c8y:send refuses unknown bits", "say(c8y:send('1', 64))", "",
     "-1 invalid argument;" },
    { "c8y:row", "say(c8y:row(103, c8y.ID, 20.5, 'a,b', true, nil, 'x'))", "",
     "103,4711,20.5,\"a,b\",true,,x;" },
    { "c8y:row of tables", "say(c8y:row({ { 1, 'a' }, { 2, 'b' } }))", "",
     "1,a\n2,b;" },
    { "c8y:json", "say(c8y:json('a\"b\\\\c\\n'))", "", "a\\\"b\\\\c\\u000a;" },
    { "c8y:json of what is not UTF-8",
     "say(c8y:json('\\xc3\\xa9\\xff\\xed\\xa0\\x80\\xe2\\x82'))", "",
     "\xc3\xa9\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd;" },
    { "c8y:sendf", "say(c8y:sendf('103,%s,%.1f', c8y.ID, 2.25))", "", "0;" },
    { "srDebug ... srCritical",
     "for i, f in ipairs{ srDebug, srInfo, srNotice, srWarning, srError, srCritical } do\n"
      "f('level ' .. i) end", "", "" },
    { "srLogGetLevel, srLogSetLevel",
     "say(srLogGetLevel()) srLogSetLevel(3) say(srLogGetLevel()) srLogSetLevel(0)", "",
     "0;3;" },
    { "srLogGetQuota, srLogSetQuota",
     "local q = srLogGetQuota() srLogSetQuota(77) say(srLogGetQuota()) srLogSetQuota(q)",
     "", "77;" },
    { "print is logged", "print('to the log', 1)", "", "" },
    { "SrNetSocket.timeout",
     "s = SrNetSocket('localhost:1') s.timeout = 2.5 say(s.timeout)", "", "2.5;" },
    { "SrNetSocket:response, clear",
     "s = SrNetSocket('localhost:1') say(s:response() == '')\n"
      "s:clear()", "", "true;" },
    { "SrNetHttp:response, clear",
     "h = SrNetHttp(c8y.server, 'x', '') h:clear() say(h:response() == '')", "",
     "true;" },
    { "debug.traceback", "say(type(debug.traceback()))", "", "string;" },
    { "require shares tables within a plugin",
     "package.preload.m = function() return { n = 1 } end\n"
      "require('m').n = 2 say(require('m').n)", "", "2;" },
    { "coroutines",
     "local co = coroutine.wrap(function(a) local b = coroutine.yield(a + 1)\n"
      "say(b) return 'end' end) say(co(1)) say(co('back'))", "", "2;back;end;" },
    { "coroutine.resume of the dead",
     "say(coroutine.resume(coroutine.wrap and "
      "coroutine.create(function() error('e', 0) end)))", "", "false e;" },
    { "xpcall",
     "say(xpcall(function(x) error(x, 0) end, function(m) return m .. '!' end, 'a'))\n"
      "say(xpcall(function(...) return ... end, print, 1, 2))", "", "false a!;true 1 2;" },
    { "io.open, lines, os.remove",
     "local p = os.tmpname() local f = io.open(p, 'w') f:write('a\\nb\\n') f:close()\n"
      "for l in io.lines(p) do say(l) end say(os.remove(p)) say(io.open(p))", "",                             NULL                      },
};
/* clang-format on */

static void each_function_does_what_the_guide_says(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof api / sizeof *api; i++) {
        forget_said();
        run_init("row", api[i].body);
        receive(NULL, api[i].rows);
        if (api[i].said && strcmp(world.said, api[i].said))
            fail_msg("%s: said '%s'\n%s", api[i].name, world.said, world.log);
        if (plugin_named("row").failures)
            fail_msg("%s: %s", api[i].name, plugin_named("row").error);
    }
    assert_non_null(strstr(world.said, "a;b;true;nil "));
    expect_logged("debug row: level 1\ninfo row: level 2\nnotice row: level 3\n"
                  "warning row: level 4\nerror row: level 5\ncritical row: level 6\n");
    expect_logged("notice row: to the log\\t1\n");
}

/* Lua's own suite is the measure; these are the corners of it. */
static void patterns_match_as_luas_own(void **state)
{
    (void)state;
    run_init(
        "p",
        "local function eq(want, ...) local got = {}\n"
        "  for i = 1, select('#', ...) do got[i] = tostring((select(i, ...))) end\n"
        "  got = table.concat(got, '|')\n"
        "  if got ~= want then error(('want %s, got %s'):format(want, got), 2) end end\n"
        "eq('1|3', ('abc'):find('abc')) eq('1|0', ('abc'):find('')) eq('4|3', "
        "('abc'):find('', 4)) eq('nil', ('abc'):find('', 5))\n"
        "eq('2|2', ('a.b'):find('.', 2, true)) eq('3|3', ('abc'):find('c', -1))\n"
        "eq('ab|12', ('ab12'):match('^(%a+)(%d+)$')) eq('nil', ('xab'):match('^ab'))\n"
        "eq('1|4', ('abc'):match('()abc()')) eq('f(a(b)c)', ('xf(a(b)c)y'):match('f%b()'))\n"
        "eq('THE|QUICK', ('THE (QUICK) fox'):match('%f[%a](%a+)%A+%f[%a](%a+)'))\n"
        "eq('\"hi\"|\"', ('say \"hi\"'):match('(([\"\\']).-%2)'))\n"
        "eq(']', (']'):match('[]]')) eq('-', ('-'):match('[a%-]')) eq('^', ('^'):match('[x^]'))\n"
        "eq('b', ('b'):match('[^a]')) eq('nil', ('a'):match('[^a]')) eq('f', "
        "('f'):match('[a-f]'))\n"
        "eq('hexxo|2', ('hello'):gsub('l', 'x')) eq('-a-b-|3', ('ab'):gsub('', '-'))\n"
        "eq('b a|1', ('a b'):gsub('(%w) (%w)', '%2 %1')) eq('aa%|1', ('a'):gsub('a', "
        "'%0%0%%'))\n"
        "eq('X b|1', ('a b'):gsub('%w', 'X', 1)) eq('A b|2', ('a b'):gsub('%w', { a = 'A' }))\n"
        "eq('A b|2', ('a b'):gsub('%w', function(c) if c == 'a' then return 'A' end end))\n"
        "eq('abc|0', ('abc'):gsub('x*$', '', 0)) eq('abc|1', ('abc  '):gsub('%s*$', '', 1))\n"
        "eq('trim', ('  trim '):match('^%s*(.-)%s*$'))\n"
        "local t = {} for k, v in ('a=1, b=2'):gmatch('(%w+)=(%w+)') do t[#t + 1] = k .. v end\n"
        "eq('a1|b2', table.unpack(t))\n"
        "t = {} for w in ('one two'):gmatch('%a*') do t[#t + 1] = w end eq('one|two', "
        "table.unpack(t))\n"
        "for _, bad in ipairs{ '[a', '%', '(a', 'a)', '%b', '%f', '%1', '[%' } do\n"
        "  local ok, e = pcall(string.match, 'a', bad) if ok then error(bad) end end\n"
        "eq('false', (pcall(string.gsub, 'a', 'a', '%2')))\n"
        "eq('a\\0c', ('xa\\0cx'):match('a%zc') or ('xa\\0cx'):match('a\\0c'))\n"
        "eq('12', ('x'):rep(2, ''):gsub('x', { x = '' }):len() == 0 and '12')\n"
        "say('all')");
    expect_said("all;");
}

/* --- sending ------------------------------------------------------------------------------ */

static void what_is_sent_arrives(void **state)
{
    static const struct http_step steps[] = {
        {HTTP_ANSWER, 200, ""}
    };
    struct scripted_http *server = scripted_http_start(0, steps, 1);
    struct sr_reporter *reporter;
    char url[64];

    (void)state;
    scripted_http_be_platform(server, true);
    snprintf(url, sizeof url, "http://127.0.0.1:%u",
             (unsigned)scripted_http_port(server));
    make_world(NULL, url);
    run_init("p", "c8y:send('103,1,a')\n"
                  "c8y:send('103,2,b\\n103,3,c', 1)\n"
                  "c8y:send('other,103,4,d', 2)\n"
                  "c8y:sendf('103,%d,%s,%.2f,%%', 5, 'e,\"e\"', 1.5)\n"
                  "c8y:sendf(1, '103,%d,%s', 6, 'f')\n"
                  "c8y:send({ 103, 7, 'g,' }) c8y:send({ { 103, 8 }, { 103, 9 } }, 1)\n"
                  "c8y:send('103,10', 1, function(ok, why) say('f', ok, why) end)\n"
                  "c8y:send('103,11', 0, { ttl = 60, delivered = 'told' })\n"
                  "function told(ok, why) say('told', ok, why) end\n"
                  "c8y:sendf('106,%pJ,%pJ,%pJ', 'say \"hi\"\\n', nil, 2)\n"
                  "say(c8y:send('\"', 1, function() say('never') end))\n"
                  "t = c8y:addTimer(5, function() say('tick') end) t:start()");
    expect_said("-1 malformed row;");
    assert_int_equal(sr_agent_set(world.agent, "linger", "0"), 0);
    assert_int_equal(sr_reporter_new_http(world.agent, &reporter), 0);
    assert_int_equal(sr_reporter_start(reporter), 0);
    while (scripted_http_requests(server) == 0) {
        forget_said();
        wait_said("tick");
    }
    assert_string_equal(
        scripted_http_body(server, 0),
        "15,1001\n103,1,a\n103,2,b\n103,3,c\n15,other\n103,4,d\n15,1001\n"
        "103,5,\"e,\"\"e\"\"\",1.50,%\n103,6,f\n103,7,\"g,\"\n103,8\n103,9\n103,10\n103,11\n"
        "106,\"say \\\"\"hi\\\"\"\\u000a\",,2");
    wait_said("told true delivered;");
    assert_non_null(strstr(world.said, "f true delivered;"));
    assert_null(strstr(world.said, "never"));
    /* of rows that are never sent nobody is told who is gone */
    run_init("q", "c8y:send('103,12', 1, function() say('gone') end)");
    sr_lua_unload(world.lua, "q");
    run_init("q", "c8y:send('103,13', 1, function() say('gone') end)");
    world.lua = sr_lua_free(world.lua);
    end_world();
    scripted_http_stop(server);
}

/* The vendor's send() returned nothing: no plugin of that time looks. */
static void a_row_that_is_refused_is_logged_and_counted(void **state)
{
    struct sr_reporter *reporter;

    (void)state;
    assert_int_equal(sr_reporter_new_mqtt(world.agent, "mqtt://127.0.0.1:9", &reporter),
                     0);
    run_init("p", "c8y:send('116,' .. ('x'):rep(76000)) c8y:send('117,\"a')\n"
                  "c8y:send('118,\\0') c8y:send('no id at all, only text')\n"
                  "c8y:send { 119, 'fine' }");
    expect_logged("warning p: c8y:send(): message 116 of 76004 bytes was not sent: "
                  "larger than the limit: a row of 76004 bytes: 15913 are the most by "
                  "MQTT (1 so far)");
    expect_logged("message 117 of 6 bytes was not sent: malformed row (2 so far)");
    expect_logged("message 118 of 5 bytes was not sent: malformed row (3 so far)");
    assert_null(strstr(world.log, "message 119"));
    assert_int_equal(plugin_named("p").refused, 3);
    run_init("p", "for i = 1, 250 do c8y:send('120,\"') end");
    assert_null(strstr(world.log, "(24 so far)"));
    expect_logged("message 120 of 5 bytes was not sent: malformed row (200 so far)");
}

static void a_list_of_packages_goes_by_http(void **state)
{
    struct sr_reporter *reporter;

    (void)state;
    assert_int_equal(sr_reporter_new_http(world.agent, &reporter), 0);
    run_init("p", "say(c8y:send('116,' .. ('x'):rep(76000)))\n"
                  "say(c8y:sendf('116,%s', ('x'):rep(76000)))\n"
                  "c8y:send('116,' .. ('x'):rep(262141))");
    expect_said("0;0;");
    forget_said();
    run_init("q", "say(c8y:send({ 116, ('x'):rep(76000) }))\n"
                  "say(pcall(c8y.row, c8y, 116, ('x'):rep(15356)))\n"
                  "say(select(2, pcall(c8y.row, c8y, 116, ('x'):rep(15357))))");
    assert_non_null(strstr(world.said, "0;true"));
    assert_non_null(strstr(world.said, "no row: larger than the limit"));
    expect_logged("message 116 of 262145 bytes was not sent: larger than the limit: a "
                  "row of 262145 bytes: 262144 are the most by HTTP (1 so far)");
}

static void what_is_no_number_is_no_value(void **state)
{
    (void)state;
    run_init("p", "local nan, inf = 0/0, 1/0\n"
                  "say(pcall(c8y.sendf, c8y, '103,%f', nan))\n"
                  "say(pcall(c8y.sendf, c8y, '103,%s', -inf))\n"
                  "say(pcall(c8y.send, c8y, { 103, inf }))\n"
                  "say(pcall(c8y.row, c8y, 103, nan))\n"
                  "say(pcall(c8y.sendf, c8y, '103,%.1f', '1e999'))");
    expect_said(
        "false a row has no value for NaN;false a row has no value for infinity;"
        "false a row has no value for infinity;false a row has no value for NaN;"
        "false a row has no value for infinity;");
}

static void a_message_of_two_plugins_is_told(void **state)
{
    (void)state;
    run_init("one", "c8y:on(502, function() say('one') end)");
    run_init("two", "c8y:on(502, function() say('two') end)");
    expect_logged("notice two: message 502 is handled by this plugin and by 'one'");
    receive(NULL, "502,1");
    expect_said("one;two;");
}

static void with_an_option_the_later_handler_has_it_alone(void **state)
{
    const struct sr_lua_options options = { .last_handler = true };

    (void)state;
    make_world(&options, "http://127.0.0.1:9");
    run_init("one", "c8y:on(502, function() say('one') end)\n"
                    "c8y:on(503, function() say('one') end)");
    run_init("two", "c8y:on(502, function() say('two') end)");
    expect_logged("notice two: message 502 is now this plugin's, and no longer that of "
                  "'one'");
    receive(NULL, "502,1\n503,1");
    expect_said("two;one;");
    assert_int_equal(plugin_named("one").handlers, 1);
    end_world();
}

/* --- another locale ------------------------------------------------------------------- */

static bool use_comma_locale(void)
{
    const char *path = getenv("COMMA_LOCALE_PATH");

    if (path)
        setenv("LOCPATH", path, 1);
    return setlocale(LC_ALL, "de_DE.UTF-8") != NULL;
}

/* The host's locale is its own, on this thread too. */
static void numbers_have_a_point_whatever_the_hosts_locale(void **state)
{
    char text[32];

    (void)state;
    if (!use_comma_locale())
        skip();
    run_init("p",
             "say(2.5 .. '', ('%.1f'):format(3.5), tostring(4.5), tonumber('5.5'))\n"
             "say(c8y:row(6.5), load('return 7.5')() .. '', os.date('!%A', 0))\n"
             "c8y:on(502, function() c8y:sleep(1) say('103,' .. 8.5) end)");
    receive(NULL, "502,1");
    snprintf(text, sizeof text, "%.1f", 9.5);
    assert_string_equal(text, "9,5");
    wait_said("103,8.5;");
    snprintf(text, sizeof text, "%.1f", 9.5);
    setlocale(LC_ALL, "C");
    assert_string_equal(text, "9,5");
    expect_said("2.5 3.5 4.5 5.5;6.5 7.5 Thursday;103,8.5;");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(each_function_does_what_the_guide_says, begin,
                                        end),
        cmocka_unit_test_setup_teardown(patterns_match_as_luas_own, begin, end),
        cmocka_unit_test(what_is_sent_arrives),
        cmocka_unit_test_setup_teardown(a_row_that_is_refused_is_logged_and_counted,
                                        begin, end),
        cmocka_unit_test_setup_teardown(a_list_of_packages_goes_by_http, begin, end),
        cmocka_unit_test_setup_teardown(what_is_no_number_is_no_value, begin, end),
        cmocka_unit_test_setup_teardown(a_message_of_two_plugins_is_told, begin, end),
        cmocka_unit_test(with_an_option_the_later_handler_has_it_alone),
        cmocka_unit_test_setup_teardown(numbers_have_a_point_whatever_the_hosts_locale,
                                        begin, end),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
