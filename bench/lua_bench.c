/* SPDX-License-Identifier: MIT */
/* What a message handler and a timer's callback in Lua cost beside the same in C.
 *
 *     lua_bench [rounds]
 *
 * Messages: payloads of 100 rows go through parser and dispatch to a handler that reads one
 * value. Timers: 500 of 1 ms run for a while; processor time over callbacks, which includes
 * the loop's share. The figures are those of the best round. */
#include "agent/dispatch.h"
#include <smartrest/lua.h>
#include <smartrest/smartrest.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum { ROWS = 100, PAYLOADS = 2000, TIMERS = 500, TIMER_MS = 300 };

static const char plugin[] = "count = 0\n"
                             "function handle(r) count = count + #r:value(2) end\n"
                             "function tick() count = count + 1 end\n"
                             "function begin(n) timers = {} count = 0\n"
                             "  for i = 1, n do timers[i] = c8y:addTimer(1, 'tick')\n"
                             "  timers[i]:start() end end\n"
                             "function init()\n"
                             "  c8y:addMsgHandler(503, 'handle')\n"
                             "  c8y:on(504, function() begin(500) end)\n"
                             "  return 0 end\n";

static uint64_t count;

static double processor_ns(void)
{
    struct timespec now;

    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
    return (double)now.tv_sec * 1e9 + (double)now.tv_nsec;
}

static void in_c(struct sr_agent *agent, struct sr_record *record, void *arg)
{
    (void)agent;
    (void)arg;
    count += strlen(sr_record_value(record, 2));
}

static void tick(struct sr_agent *agent, struct sr_timer *timer, void *arg)
{
    (void)agent;
    (void)timer;
    (void)arg;
    count++;
}

static void on_over(struct sr_agent *agent, struct sr_timer *timer, void *arg)
{
    (void)timer;
    (void)arg;
    sr_agent_stop(agent);
}

static void receive(struct sr_agent *agent, const char *rows)
{
    uint64_t seen = 0, malformed = 0;

    sr_agent_received_text(agent, &sr_origin_own, rows, strlen(rows), &seen,
                           &malformed);
}

/* Nanoseconds a message. */
static double messages(struct sr_agent *agent, unsigned id)
{
    char rows[ROWS * 32];
    size_t len = 0;
    double began;

    for (int i = 0; i < ROWS; i++)
        len += (size_t)sprintf(rows + len, "%u,%d,operation%d,4711\n", id, i, i);
    began = processor_ns();
    for (int i = 0; i < PAYLOADS; i++)
        receive(agent, rows);
    return (processor_ns() - began) / (ROWS * PAYLOADS);
}

/* Nanoseconds of the loop for each callback: of Lua's, or counted in C. */
static double run_loop(struct sr_agent *agent, struct sr_lua *lua)
{
    struct sr_timer *over;
    struct sr_lua_plugin before = { 0 }, after = { 0 };
    double began, ran;
    uint64_t calls;

    if (sr_timer_new(agent, TIMER_MS, on_over, NULL, &over))
        exit(1);
    sr_timer_start(over);
    count = 0;
    if (lua)
        sr_lua_plugin(lua, 0, &before);
    began = processor_ns();
    sr_agent_loop(agent);
    ran = processor_ns() - began;
    if (lua)
        sr_lua_plugin(lua, 0, &after);
    calls = lua ? after.calls - before.calls : count;
    sr_timer_free(over);
    return ran / (double)(calls ? calls : 1);
}

static double timers_in_c(struct sr_agent *agent)
{
    struct sr_timer *timers[TIMERS];
    double ns;

    for (int i = 0; i < TIMERS; i++) {
        if (sr_timer_new(agent, 1, tick, NULL, &timers[i]))
            exit(1);
        sr_timer_start(timers[i]);
    }
    ns = run_loop(agent, NULL);
    for (int i = 0; i < TIMERS; i++)
        sr_timer_free(timers[i]);
    return ns;
}

static double timers_in_lua(struct sr_agent *agent, struct sr_lua *lua)
{
    double ns;

    receive(agent, "504,1");
    ns = run_loop(agent, lua);
    sr_lua_reload(lua, NULL); /* drops them */
    return ns;
}

static void best(double *of, double ns)
{
    if (*of == 0 || ns < *of)
        *of = ns;
}

static struct sr_lua *load(struct sr_agent *agent)
{
    char path[] = "/tmp/lua_bench-XXXXXX";
    int fd = mkstemp(path);
    struct sr_lua *lua;

    if (fd < 0 || write(fd, plugin, sizeof plugin - 1) != sizeof plugin - 1 ||
        sr_lua_new(agent, NULL, &lua))
        exit(1);
    close(fd);
    if (sr_lua_load(lua, path)) {
        fprintf(stderr, "lua_bench: %s\n", sr_lua_error(lua));
        exit(1);
    }
    return lua;
}

int main(int argc, char **argv)
{
    int rounds = argc > 1 ? atoi(argv[1]) : 5;
    double message[2] = { 0 }, timer[2] = { 0 };
    struct sr_lua_plugin state;
    struct sr_agent *agent;
    struct sr_lua *lua;

    sr_log_set_level(SR_LOG_WARNING);
    if (sr_agent_new("http://localhost:9", "bench", &agent))
        return 1;
    lua = load(agent);
    sr_agent_on_message(agent, 502, in_c, NULL);
    for (int i = 0; i < rounds; i++) {
        best(&message[0], messages(agent, 502));
        best(&message[1], messages(agent, 503));
        best(&timer[0], timers_in_c(agent));
        best(&timer[1], timers_in_lua(agent, lua));
    }
    printf("                 C       Lua    ns of processor time each\n");
    printf("message    %7.0f   %7.0f\n", message[0], message[1]);
    printf("timer      %7.0f   %7.0f\n", timer[0], timer[1]);
    sr_lua_plugin(lua, 0, &state);
    unlink(state.path);
    sr_lua_free(lua);
    sr_agent_free(agent);
    return state.failures != 0;
}
