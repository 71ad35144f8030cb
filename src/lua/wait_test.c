/* SPDX-License-Identifier: MIT */
/* Calls that wait: transfers, sockets, HTTP, processes, sleep; and that all else goes on. */
#include "lua/fixture.h"

#include "support/scripted_http.h"
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static struct scripted_http *http;

static void serve(const struct http_step *steps, size_t count)
{
    char url[64];

    http = scripted_http_start(0, steps, count);
    assert_non_null(http);
    snprintf(url, sizeof url, "http://127.0.0.1:%u",
             (unsigned)scripted_http_port(http));
    make_world(NULL, url);
}

static int end_served(void **state)
{
    (void)state;
    end_world();
    scripted_http_stop(http);
    return 0;
}

static void post_gives_the_answers_size_and_the_answer(void **state)
{
    static const struct http_step steps[] = {
        {HTTP_ANSWER, 201, "{\"id\":\"815\",\"self\":\"/815\"}"}
    };

    (void)state;
    serve(steps, 1);
    run_init("p",
             "c8y:on(502, function()\n"
             "say(c8y:post('name.txt', 'text/plain', 'con\\0tent'), c8y.resp) end)");
    receive(NULL, "502,1");
    assert_int_equal(plugin_named("p").waiting, 1);
    expect_said("");
    wait_said("26 {\"id\":\"815\",\"self\":\"/815\"};");
    assert_non_null(strstr(scripted_http_head(http, 0), "POST /inventory/binaries"));
    assert_non_null(strstr(scripted_http_body(http, 0), "filename=\"name.txt\""));
    assert_int_equal(plugin_named("p").waiting, 0);
}

static void postf_get_and_getf(void **state)
{
    static const struct http_step steps[] = {
        {HTTP_ANSWER,  201, "{\"id\":\"1\",\"self\":\"/1\"}"},
        { HTTP_ANSWER, 200, "twelve bytes"                  },
        { HTTP_ANSWER, 200, "in a file"                     }
    };
    char text[600];

    (void)state;
    serve(steps, 3);
    snprintf(text, sizeof text,
             "c8y:on(502, function() local p = '%s/f'\n"
             "local f = io.open(p, 'w') f:write('file') f:close()\n"
             "say(c8y:postf('f', 'text/plain', p), c8y.resp)\n"
             "say(c8y:get('77'), c8y.resp)\n"
             "say(c8y:getf(78, p), io.open(p):read('a')) end)",
             world.dir);
    run_init("p", text);
    receive(NULL, "502,1");
    wait_said("in a file;");
    expect_said("22 {\"id\":\"1\",\"self\":\"/1\"};12 twelve bytes;9 in a file;");
}

static void a_transfer_that_fails_gives_minus_1_and_no_resp(void **state)
{
    static const struct http_step steps[] = {
        {HTTP_ANSWER,  200, "good"},
        { HTTP_ANSWER, 404, "gone"}
    };

    (void)state;
    serve(steps, 2);
    run_init(
        "p",
        "c8y:on(502, function() say(c8y:get(1), c8y.resp) local n, why = c8y:get(2)\n"
        "say(n, type(why), c8y.resp) say(c8y:get('../x'))\n"
        "say((c8y:postf('n', 't/t', '/not/there'))) end)");
    receive(NULL, "502,1");
    wait_said("-1;");
    expect_said("4 good;-1 string ;-1 invalid argument;-1;");
}

static void while_one_waits_the_rest_goes_on(void **state)
{
    static const struct http_step steps[] = {
        {HTTP_SILENT, 0, ""}
    };

    (void)state;
    serve(steps, 1);
    run_init("waits", "t = c8y:addTimer(1, function() say('own') end) t:start()\n"
                      "c8y:on(502, function() c8y:get(1) say('never') end)");
    run_init("other", "t = c8y:addTimer(1, function() say('other') end) t:start()");
    receive(NULL, "502,1");
    wait_said("own");
    wait_said("other");
    assert_int_equal(plugin_named("waits").waiting, 1);
    assert_int_equal(sr_lua_unload(world.lua, "waits"), 0);
    assert_int_equal(plugin_named("waits").waiting, 0);
}

static void resp_is_each_callbacks_own(void **state)
{
    static const struct http_step steps[] = {
        {HTTP_ANSWER,  200, "first" },
        { HTTP_ANSWER, 200, "second"}
    };

    (void)state;
    serve(steps, 2);
    run_init("p", "c8y:on(502, function() c8y:get(1) local r = c8y.resp c8y:sleep(50)\n"
                  "say(r == c8y.resp, r) end)\n"
                  "c8y:on(503, function() c8y:get(2) say(c8y.resp) end)");
    receive(NULL, "502,1");
    receive(NULL, "503,1");
    wait_said("true ");
    assert_null(strstr(world.said, "false"));
}

static void messages_wait_for_their_handler_in_order(void **state)
{
    (void)state;
    run_init("p", "c8y:on(502, function(r) c8y:sleep(2) say(r:value(2)) end)");
    receive(NULL, "502,1,a\n502,2,b\n502,3,c");
    expect_said("");
    wait_said("c;");
    expect_said("a;b;c;");
}

static void more_than_10000_waiting_are_dropped_and_counted(void **state)
{
    (void)state;
    run_init("p",
             "n = 0 c8y:on(502, function(r) if n == 0 then c8y:sleep(1) end n = n + 1\n"
             "if n == 10001 then say('last', r:value(2)) end end)");
    for (int i = 0; i < 10006; i++) {
        char row[32];

        snprintf(row, sizeof row, "502,1,%d", i);
        receive(NULL, row);
    }
    wait_said("last 10000;");
    assert_int_equal(plugin_named("p").dropped, 5);
    expect_logged("warning p: message 502 is dropped");
}

static void receive_big(char value, size_t len)
{
    char *row = malloc(len + 16);

    sprintf(row, "502,1,%c,", value);
    memset(row + 8, 'x', len);
    row[8 + len] = '\0';
    receive(NULL, row);
    free(row);
}

/* The plugin sleeps until it gets message 503. Each message takes twice its bytes. */
static void messages_beyond_memory_max_are_dropped_and_counted(void **state)
{
    const struct sr_lua_options options = { .memory_max = 1 << 20 };

    end_world();
    make_world(&options, "http://127.0.0.1:9");
    *state = NULL;
    run_init("p", "awake = false c8y:on(503, function() awake = true end)\n"
                  "c8y:on(502, function(r) while not awake do c8y:sleep(1) end\n"
                  "  say(r:value(2)) collectgarbage() end)");
    receive_big('a', 10);
    for (char value = 'b'; value <= 'z'; value++)
        receive_big(value, 200 * 1024);
    assert_int_equal(plugin_named("p").dropped, 23);
    expect_logged("warning p: message 502 is dropped: what waits takes too many bytes");
    receive(NULL, "503,1");
    wait_said("c;");
    expect_said("a;b;c;");

    receive(NULL, "503,1\n502,1,d");
    wait_said("d;");
}

static void a_message_that_waits_alone_may_be_of_any_size(void **state)
{
    const struct sr_lua_options options = { .memory_max = 1 << 20 };

    end_world();
    make_world(&options, "http://127.0.0.1:9");
    *state = NULL;
    run_init("p", "c8y:on(502, function(r) c8y:sleep(1) say(r:value(2)) end)");
    receive_big('a', 10);
    receive_big('b', 800 * 1024);
    receive_big('c', 10);
    wait_said("b;");
    assert_int_equal(plugin_named("p").dropped, 1);
}

/* A new series is logged again. */
static void each_series_of_dropped_messages_is_logged(void **state)
{
    const struct sr_lua_options options = { .memory_max = 1 << 20 };

    end_world();
    make_world(&options, "http://127.0.0.1:9");
    *state = NULL;
    run_init("p", "c8y:on(502, function(r) c8y:sleep(1) say(r:value(2)) end)");
    receive_big('a', 10);
    for (char value = 'b'; value <= 'e'; value++)
        receive_big(value, 200 * 1024);
    expect_logged("bytes; 1 dropped so far)");
    wait_said("c;");
    receive_big('a', 10);
    for (char value = 'b'; value <= 'e'; value++)
        receive_big(value, 200 * 1024);
    expect_logged("bytes; 3 dropped so far)");
    assert_int_equal(plugin_named("p").dropped, 4);
}

static void init_may_wait(void **state)
{
    (void)state;
    assert_int_equal(
        load("slow", "function init() c8y:sleep(5) say('up') return 0 end"), 0);
    assert_int_equal(plugin_named("slow").state, SR_LUA_STARTING);
    wait_said("up;");
    assert_int_equal(plugin_named("slow").state, SR_LUA_RUNNING);

    assert_int_equal(load("sad", "function init() c8y:sleep(5) say('no') return 1 end"),
                     0);
    wait_logged("init() returned 1, not 0");
    assert_int_equal(plugin_named("sad").state, SR_LUA_FAILED);
}

static void waiting_works_in_coroutines_and_pcall(void **state)
{
    (void)state;
    run_init(
        "p",
        "c8y:on(502, function()\n"
        "local co = coroutine.wrap(function(a) c8y:sleep(1)\n"
        "  local b = coroutine.yield(a) c8y:sleep(1) return b end)\n"
        "say(co(1)) say(co(2))\n"
        "say(pcall(function() c8y:sleep(1) error('e', 0) end))\n"
        "say(xpcall(function(x) c8y:sleep(1) error(x, 0) end, string.upper, 'f'))\n"
        "local c = coroutine.create(function() c8y:sleep(1) error('g', 0) end)\n"
        "say(coroutine.resume(c)) say('end') end)");
    receive(NULL, "502,1");
    wait_said("end;");
    expect_said("1;2;false e;false F;false g;end;");
    assert_int_equal(plugin_named("p").failures, 0);
}

static void a_waiting_coroutine_cannot_be_resumed_by_another(void **state)
{
    (void)state;
    run_init("p", "c8y:on(502, function()\n"
                  "co = coroutine.create(function() c8y:sleep(20) return 'slept' end)\n"
                  "say(coroutine.resume(co)) say('end') end)\n"
                  "c8y:on(503, function() say(coroutine.resume(co)) end)");
    receive(NULL, "502,1");
    receive(NULL, "503,1");
    assert_non_null(strstr(world.said, "false "));
    assert_non_null(strstr(world.said, "resumed while it waits"));
    wait_said("end;");
}

static void a_timer_does_not_fire_while_its_callback_waits(void **state)
{
    (void)state;
    run_init("p",
             "n = 0 inside = 0\n"
             "t = c8y:addTimer(1, function() inside = inside + 1 n = n + 1\n"
             "if inside > 1 then say('twice') end c8y:sleep(5) inside = inside - 1\n"
             "if n == 3 then t:stop() say('three', t.isActive) end end) t:start()");
    wait_said("three false;");
    expect_said("three false;");
}

/* --- sockets ---------------------------------------------------------------------------- */

static void echo(int fd, unsigned number, void *arg)
{
    char bytes[64];
    ssize_t len;

    (void)number;
    (void)arg;
    while ((len = read(fd, bytes, sizeof bytes)) > 0) {
        if (len >= 3 && !memcmp(bytes, "bye", 3))
            return;
        if (!server_write(fd, bytes, (size_t)len))
            return;
    }
}

static void sockets_connect_send_receive_and_time_out(void **state)
{
    struct server *server = server_start(0, echo, NULL);
    char text[1200];

    (void)state;
    snprintf(
        text, sizeof text,
        "c8y:on(502, function() local s = SrNetSocket('127.0.0.1:%u')\n"
        "say(s:recv(5)) say(s:connect(), s:send('hello'))\n"
        "local n = 0 while n < 5 do n = n + s:recv(2) end say(n, s:response())\n"
        "s:clear() say(#s:response()) s.timeout = 0.01 say(s:recv(10))\n"
        "s.timeout = 10 s:send('bye') say(s:recv(1)) say(s:recv(1)) say(s:send('x'))\n"
        "local t = SrNetSocket('tcp://127.0.0.1:%u') say((t:connect())) say('end') end)",
        (unsigned)server_port(server), (unsigned)free_port());
    run_init("p", text);
    receive(NULL, "502,1");
    wait_said("end;");
    expect_said(
        "-1 not connected;0 5;5 hello;0;-1 timed out;0;0;-1 not connected;-1;end;");
    assert_int_equal(sr_lua_reload(world.lua, "p"), 0);
    server_stop(server);
}

static void http_posts_rows_with_the_agents_login(void **state)
{
    static const struct http_step steps[] = {
        {HTTP_ANSWER,  200, "50,1,404"},
        { HTTP_ANSWER, 500, "no"      },
        { HTTP_ANSWER, 200, "x"       }
    };

    (void)state;
    serve(steps, 3);
    run_init(
        "p",
        "c8y:on(502, function() local h = SrNetHttp(c8y.server, c8y.XID)\n"
        "say(h:post('100,a'), h:response(), h.status) h:clear() say(#h:response())\n"
        "say(h:post('100,b'))\n"
        "local g = SrNetHttp(c8y.server .. '/s', 'mine', 'Authorization: Basic "
        "eDp5')\n"
        "say(g:post('c')) end)");
    receive(NULL, "502,1");
    wait_said(";1;");
    expect_said("8 50,1,404 200;0;-1 HTTP status 500;1;");
    assert_non_null(strstr(scripted_http_head(http, 0), "POST /s "));
    assert_non_null(strstr(scripted_http_head(http, 0), "X-Id: 1001"));
    assert_non_null(
        strstr(scripted_http_head(http, 0), "Authorization: Basic dDEwMC9"));
    assert_string_equal(scripted_http_body(http, 0), "100,a");
    assert_non_null(strstr(scripted_http_head(http, 2), "X-Id: mine"));
    assert_non_null(strstr(scripted_http_head(http, 2), "Authorization: Basic eDp5"));
}

static void the_login_does_not_go_to_other_servers(void **state)
{
    static const struct http_step steps[] = {
        {HTTP_ANSWER, 200, "x"}
    };
    char text[300];

    (void)state;
    http = scripted_http_start(0, steps, 1);
    make_world(NULL, "http://127.0.0.1:9");
    snprintf(
        text, sizeof text,
        "c8y:on(502, function() say(SrNetHttp('http://127.0.0.1:%u'):post('a')) end)",
        (unsigned)scripted_http_port(http));
    run_init("p", text);
    receive(NULL, "502,1");
    wait_said("1;");
    assert_null(strstr(scripted_http_head(http, 0), "Authorization"));
}

/* --- processes ---------------------------------------------------------------------------- */

static void processes_run_beside_the_loop(void **state)
{
    (void)state;
    run_init("p",
             "t = c8y:addTimer(1, function() ticks = (ticks or 0) + 1 end) t:start()\n"
             "c8y:on(502, function()\n"
             "say(c8y:run('echo out; echo err >&2; exit 3'))\n"
             "say(c8y:run({ 'echo', 'a b', '$x' }))\n"
             "say(c8y:run({ '/not/there' }))\n"
             "say(c8y:run('kill -9 $$'))\n"
             "say(c8y:run('yes', { max = 4, timeout = 1 }))\n"
             "say(c8y:run('printf 12345', { max = 3 }))\n"
             "say(os.execute('exit 2')) say(os.execute('true')) say(os.execute())\n"
             "local f = io.popen('echo line; exit 7') say(f:read('l')) say(f:close())\n"
             "say((ticks or 0) > 0) say('end') end)");
    receive(NULL, "502,1");
    wait_said("end;");
    expect_said("out\nerr\n 3;a b $x\n 0;nil no such file or directory; 137;"
                "y\ny\n 137 timeout;123 0 cut;nil exit 2;true exit 0;true;"
                "line;nil exit 7;true;end;");
    assert_int_equal(plugin_named("p").failures, 0);
}

/* It holds the pipe open, and goes on to write into it. */
static void a_command_that_leaves_a_daemon_ends_with_its_process(void **state)
{
    char text[500], path[100], line[32] = "";
    FILE *file;
    pid_t daemon;
    int fd;

    (void)state;
    snprintf(path, sizeof path, "%s/alive", world.dir);
    assert_int_equal(mkfifo(path, 0600), 0);
    fd = open(path, O_RDONLY | O_NONBLOCK);
    snprintf(text, sizeof text,
             "c8y:on(502, function()\n"
             "say(c8y:run('(exec 5>%s; while sleep 0.01; do echo x; '\n"
             ".. 'echo y >&5; done) & echo $! >%s/pid; echo started'))\n"
             "say(io.popen('sleep 0.2 & echo popen'):read('a')) say('end') end)\n"
             "t = c8y:addTimer(1, function() say('tick') end) t:start()",
             path, world.dir);
    run_init("p", text);
    receive(NULL, "502,1");
    wait_said("end;");
    assert_non_null(strstr(world.said, "started\n"));
    assert_non_null(strstr(world.said, " 0;"));
    assert_null(strstr(world.said, "timeout"));
    assert_non_null(strstr(world.said, "popen\n;"));

    /* it lives on, also without its plugin */
    while (read(fd, line, sizeof line) > 0)
        ;
    for (int i = 0; i < 5; i++) {
        if (i == 3)
            assert_int_equal(sr_lua_unload(world.lua, "p"), 0);
        assert_int_equal(poll(&(struct pollfd){ .fd = fd, .events = POLLIN }, 1, 30000),
                         1);
        assert_true(read(fd, line, sizeof line) > 0);
        settle();
    }
    snprintf(path, sizeof path, "%s/pid", world.dir);
    file = fopen(path, "r");
    assert_non_null(file);
    assert_int_equal(fscanf(file, "%d", &daemon), 1);
    fclose(file);
    kill(daemon, SIGKILL);
    close(fd);
}

/* The program's own descriptors need not be close-on-exec. */
static void a_process_inherits_nothing_but_0_to_2(void **state)
{
    int fd = open("/dev/null", O_RDONLY);

    (void)state;
    assert_int_equal(fcntl(fd, F_SETFD, 0), 0);
    run_init("p", "c8y:on(502, function()\n"
                  "local f = io.tmpfile() local g = io.open('/dev/null')\n"
                  "for l in io.lines('/proc/self/stat') do\n"
                  "say((c8y:run({ 'ls', '/proc/self/fd' }):gsub('\\n', ' '))) end\n"
                  "say('end') end)");
    receive(NULL, "502,1");
    wait_said("end;");
    expect_said("0 1 2 3 ;end;"); /* 3 is what ls reads */
    assert_int_equal(fcntl(fd, F_GETFD), 0);
    close(fd);
}

static void a_process_ends_with_its_plugin_and_so_does_what_it_started(void **state)
{
    char text[300], path[100], byte;
    ssize_t got;
    int fd;

    (void)state;
    snprintf(path, sizeof path, "%s/pipe", world.dir);
    assert_int_equal(mkfifo(path, 0600), 0);
    fd = open(path, O_RDONLY | O_NONBLOCK);
    snprintf(text, sizeof text,
             "t = c8y:addTimer(1, function() say('tick') end) t:start()\n"
             "c8y:on(502, function()\n"
             "c8y:run('exec >%s; echo; sleep 600 & sleep 600') end)",
             path);
    run_init("p", text);
    receive(NULL, "502,1");
    while (read(fd, &byte, 1) != 1) { /* both will have it open */
        forget_said();
        wait_said("tick");
    }
    assert_int_equal(sr_lua_unload(world.lua, "p"), 0);
    for (int i = 0; (got = read(fd, &byte, 1)) != 0 && i < 1000; i++)
        settle();
    assert_int_equal(got, 0);
    close(fd);
}

static void what_is_denied_is_not_there(void **state)
{
    const struct sr_lua_options options = { .deny = SR_LUA_FILES | SR_LUA_PROCESSES |
                                                    SR_LUA_LUV };

    (void)state;
    make_world(&options, "http://127.0.0.1:9");
    run_init("p",
             "say(io, os.remove, os.execute, c8y.run, c8y.postf, loadfile, dofile)\n"
             "say((pcall(require, 'luv'))) say(type(os.time()))");
    expect_said("nil nil nil nil nil nil nil;false;number;");
    end_world();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(post_gives_the_answers_size_and_the_answer,
                                  end_served),
        cmocka_unit_test_teardown(postf_get_and_getf, end_served),
        cmocka_unit_test_teardown(a_transfer_that_fails_gives_minus_1_and_no_resp,
                                  end_served),
        cmocka_unit_test_teardown(while_one_waits_the_rest_goes_on, end_served),
        cmocka_unit_test_teardown(resp_is_each_callbacks_own, end_served),
        cmocka_unit_test_setup_teardown(messages_wait_for_their_handler_in_order, begin,
                                        end),
        cmocka_unit_test_setup_teardown(more_than_10000_waiting_are_dropped_and_counted,
                                        begin, end),
        cmocka_unit_test_setup_teardown(
            messages_beyond_memory_max_are_dropped_and_counted, begin, end),
        cmocka_unit_test_setup_teardown(a_message_that_waits_alone_may_be_of_any_size,
                                        begin, end),
        cmocka_unit_test_setup_teardown(each_series_of_dropped_messages_is_logged,
                                        begin, end),
        cmocka_unit_test_setup_teardown(init_may_wait, begin, end),
        cmocka_unit_test_setup_teardown(waiting_works_in_coroutines_and_pcall, begin,
                                        end),
        cmocka_unit_test_setup_teardown(
            a_waiting_coroutine_cannot_be_resumed_by_another, begin, end),
        cmocka_unit_test_setup_teardown(a_timer_does_not_fire_while_its_callback_waits,
                                        begin, end),
        cmocka_unit_test_setup_teardown(sockets_connect_send_receive_and_time_out,
                                        begin, end),
        cmocka_unit_test_teardown(http_posts_rows_with_the_agents_login, end_served),
        cmocka_unit_test_teardown(the_login_does_not_go_to_other_servers, end_served),
        cmocka_unit_test_setup_teardown(
            a_command_that_leaves_a_daemon_ends_with_its_process, begin, end),
        cmocka_unit_test_setup_teardown(a_process_inherits_nothing_but_0_to_2, begin,
                                        end),
        cmocka_unit_test_setup_teardown(processes_run_beside_the_loop, begin, end),
        cmocka_unit_test_setup_teardown(
            a_process_ends_with_its_plugin_and_so_does_what_it_started, begin, end),
        cmocka_unit_test(what_is_denied_is_not_there),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
