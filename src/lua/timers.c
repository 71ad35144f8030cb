/* SPDX-License-Identifier: MIT */
/* c8y:addTimer(ms, fn) -> timer with start, stop, isActive, interval. */
#include "lua/host.h"
#include <stdlib.h>
#include <string.h>

static const char type_name[] = "sr_timer";

struct timer {
    struct object object; /* first */
    struct sr_timer *timer;
    struct job job; /* it is due, and postponed; meanwhile `timer` rests */
    int fn;
    bool active;    /* as the plugin sees it; while its callback waits, `timer` rests */
    bool at_work;   /* its callback waits */
    bool restarted; /* meanwhile */
};

/* Neither running nor known to the plugin: nobody can start it again. */
static void free_if_lost(struct timer *timer)
{
    struct plugin *plugin = timer->object.plugin;

    if (!plugin->closing && (timer->object.held || timer->active || timer->at_work))
        return;
    if (!plugin->closing)
        sr_lua_unref(plugin, timer->fn);
    plugin->timer_count--;
    sr_lua_job_cancel(&timer->job);
    sr_timer_free(timer->timer);
    sr_lua_object_free(&timer->object);
}

static void let_go(struct object *object)
{
    free_if_lost((struct timer *)object);
}

/* --- due ---------------------------------------------------------------------- */

static void on_done(void *owner, lua_State *co, bool ok)
{
    struct timer *timer = owner;

    (void)co;
    (void)ok;
    if (!timer->at_work)
        return;
    timer->at_work = false;
    if (timer->active && !timer->restarted)
        sr_timer_start(timer->timer);
    free_if_lost(timer);
}

static void call(struct timer *timer)
{
    struct plugin *plugin = timer->object.plugin;
    const struct call task = {
        .kind = "timer",
        .fn = timer->fn,
        .done = on_done,
        .owner = timer,
    };

    timer->restarted = false;
    sr_lua_enter(plugin);
    timer->at_work = true;
    if (sr_lua_call(plugin, &task) && !timer->restarted)
        sr_timer_stop(timer->timer);
    sr_lua_leave(plugin);
}

/* The next run is counted from the beginning of this one. */
static void call_late(struct job *job)
{
    struct timer *timer = job->owner;

    sr_timer_start(timer->timer);
    call(timer);
}

static void on_due(struct sr_agent *agent, struct sr_timer *uv, void *arg)
{
    struct timer *timer = arg;
    struct plugin *plugin = timer->object.plugin;

    (void)agent;
    if (timer->at_work) { /* started again by somebody else meanwhile: one at a time */
        timer->restarted = false;
        sr_timer_stop(uv);
    } else if (sr_lua_must_wait(plugin)) {
        sr_timer_stop(uv);
        sr_lua_postpone(plugin, &timer->job);
    } else {
        call(timer);
    }
}

/* --- as Lua sees it -------------------------------------------------------------- */

static struct timer *check(lua_State *L)
{
    return sr_lua_object_check(L, 1, type_name);
}

static int start(lua_State *L)
{
    struct timer *timer = check(L);

    timer->active = timer->restarted = true;
    sr_lua_job_cancel(&timer->job);
    sr_timer_start(timer->timer);
    return 0;
}

static int stop(lua_State *L)
{
    struct timer *timer = check(L);

    timer->active = false;
    sr_lua_job_cancel(&timer->job);
    sr_timer_stop(timer->timer);
    return 0;
}

static lua_Integer check_interval(lua_State *L, int at)
{
    lua_Number ms;

    sr_lua_charge(L, lua_rawlen(L, at)); /* a text as a number */
    ms = luaL_checknumber(L, at);

    luaL_argcheck(L, ms >= 0 && ms <= (lua_Number)(INT64_MAX / 2), at,
                  "milliseconds, 0 or more");
    return (lua_Integer)ms;
}

static int get(lua_State *L)
{
    struct timer *timer = check(L);
    const char *name = luaL_checkstring(L, 2);

    if (!strcmp(name, "isActive")) {
        lua_pushboolean(L, timer->active);
    } else if (!strcmp(name, "interval")) {
        lua_pushinteger(L, (lua_Integer)sr_timer_interval(timer->timer));
    } else {
        sr_lua_push_method(L);
    }
    return 1;
}

static int set(lua_State *L)
{
    struct timer *timer = check(L);
    const char *name = luaL_checkstring(L, 2);

    if (strcmp(name, "interval"))
        return luaL_error(L, "a timer's '%s' cannot be set", name);
    sr_timer_set_interval(timer->timer, (uint64_t)check_interval(L, 3));
    return 0;
}

static int add_timer(lua_State *L)
{
    struct plugin *plugin = sr_lua_plugin_of(L);
    lua_Integer ms = check_interval(L, 2);
    struct timer *timer;

    if (plugin->timer_count == TIMERS_MAX)
        return luaL_error(L, "more than %d timers", (int)TIMERS_MAX);
    timer = sr_lua_object_new(L, type_name, sizeof *timer, let_go);
    plugin->timer_count++;
    timer->job = (struct job){ .run = call_late, .owner = timer };
    timer->fn = LUA_NOREF;
    timer->fn = sr_lua_ref_callback(L, 3);
    if (sr_timer_new(plugin->lua->agent, (uint64_t)ms, on_due, timer, &timer->timer))
        return luaL_error(L, "not enough memory");
    return 1;
}

int sr_lua_open_timers(lua_State *L)
{
    static const luaL_Reg functions[] = {
        {"start",       start                },
        { "stop",       stop                 },
        { "__index",    get                  },
        { "__newindex", set                  },
        { "__gc",       sr_lua_object_collect},
        { NULL,         NULL                 },
    };

    luaL_newmetatable(L, type_name);
    luaL_setfuncs(L, functions, 0);
    lua_pushboolean(L, 0);
    lua_setfield(L, -2, "__metatable");

    lua_getglobal(L, "c8y");
    lua_pushcfunction(L, add_timer);
    lua_setfield(L, -2, "addTimer");
    return 0;
}
