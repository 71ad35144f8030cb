/* SPDX-License-Identifier: MIT */
/* Lua's coroutine library, made for callbacks that are coroutines themselves: when a
 * plugin's coroutine waits for the loop, so do those that resumed it, up to the callback's
 * own, and they go on when it does. And each new one asks how late it is: it begins with
 * a count of instructions of its own. */
#include "lua/host.h"

static lua_State *check_coroutine(lua_State *L)
{
    lua_State *co = lua_tothread(L, 1);

    luaL_argcheck(L, co, 1, "coroutine expected");
    return co;
}

static int create(lua_State *L)
{
    lua_State *co;

    luaL_checktype(L, 1, LUA_TFUNCTION);
    sr_lua_limit_check(L);
    co = lua_newthread(L);
    lua_pushvalue(L, 1);
    lua_xmove(L, co, 1);
    return 1;
}

/* Units for each resume: what it runs until its own count of instructions is full. */
enum { RESUMED = 100 };

/* --- resuming ------------------------------------------------------------------ */

enum { WAITS = -1, FAILED = -2 };

static bool waits_for_loop(const struct plugin *plugin)
{
    return plugin->current && plugin->current->op && !plugin->current->op->done;
}

/* Moves `args` values to `co`, and its results, or its error, back. Returns the number of
 * results, WAITS or FAILED. */
static int step(lua_State *L, lua_State *co, int args)
{
    struct plugin *plugin = sr_lua_plugin_of(L);
    const int stuck = !lua_isyieldable(L);
    int status, results;

    if (!lua_checkstack(co, args)) {
        lua_pushliteral(L, "too many arguments to resume");
        return FAILED;
    }
    if (lua_status(co) == LUA_OK && lua_gettop(co) == 0) {
        lua_pushliteral(L, "cannot resume dead coroutine");
        return FAILED;
    }
    lua_xmove(L, co, args);
    sr_lua_charge(L, RESUMED + plugin->big / 8);
    plugin->no_wait += stuck;
    sr_lua_limit_switch(plugin, co);
    status = sr_lua_resume(co, L, args, &results);
    sr_lua_limit_switch(plugin, L);
    plugin->no_wait -= stuck;
    if (status == LUA_YIELD && waits_for_loop(plugin))
        return WAITS;
    if (status != LUA_OK && status != LUA_YIELD) {
        lua_xmove(co, L, 1);
        return FAILED;
    }
    if (!lua_checkstack(L, results + 1)) {
        lua_pop(co, results);
        lua_pushliteral(L, "too many results to resume");
        return FAILED;
    }
    lua_xmove(co, L, results);
    return results;
}

static int resume_more(lua_State *L, int args);

static int on_resume_again(lua_State *L, int status, lua_KContext context)
{
    (void)status;
    (void)context;
    return resume_more(L, 0);
}

static int resume_more(lua_State *L, int args)
{
    int results = step(L, check_coroutine(L), args);

    if (results == WAITS)
        return lua_yieldk(L, 0, 0, on_resume_again);
    lua_pushboolean(L, results >= 0);
    lua_insert(L, results >= 0 ? -results - 1 : -2);
    return results >= 0 ? results + 1 : 2;
}

static int resume(lua_State *L)
{
    check_coroutine(L);
    return resume_more(L, lua_gettop(L) - 1);
}

static int call_more(lua_State *L, int args);

static int on_call_again(lua_State *L, int status, lua_KContext context)
{
    (void)status;
    (void)context;
    return call_more(L, 0);
}

static int call_more(lua_State *L, int args)
{
    lua_State *co = lua_tothread(L, lua_upvalueindex(1));
    int results = step(L, co, args), status;

    if (results == WAITS)
        return lua_yieldk(L, 0, 0, on_call_again);
    if (results >= 0)
        return results;
    status = lua_status(co);
    if (status != LUA_OK && status != LUA_YIELD)
        sr_lua_kill(co);
    if (lua_type(L, -1) == LUA_TSTRING) {
        luaL_where(L, 1);
        lua_insert(L, -2);
        lua_concat(L, 2);
    }
    return lua_error(L);
}

static int call(lua_State *L)
{
    return call_more(L, lua_gettop(L));
}

static int wrap(lua_State *L)
{
    create(L);
    lua_pushcclosure(L, call, 1);
    return 1;
}

static int yield(lua_State *L)
{
    struct plugin *plugin = sr_lua_plugin_of(L);

    if (plugin->current && plugin->current->co == L)
        return luaL_error(L, "coroutine.yield() outside of a coroutine");
    return lua_yield(L, lua_gettop(L));
}

#if LUA_VERSION_NUM >= 504
/* Upvalue: Lua's own. One that died of having run too long is left to the collector: see
 * sr_lua_kill(). */
static int close_coroutine(lua_State *L)
{
    lua_State *co = check_coroutine(L);
    int status = lua_status(co);

    if (status != LUA_OK && status != LUA_YIELD && lua_gethookcount(co) == 1) {
        lua_pushboolean(L, 0);
        lua_pushliteral(L, "it ran too long");
        return 2;
    }
    lua_settop(L, 1);
    lua_pushvalue(L, lua_upvalueindex(1));
    lua_insert(L, 1);
    lua_call(L, 1, LUA_MULTRET);
    return lua_gettop(L);
}
#endif

int sr_lua_open_coroutines(lua_State *L)
{
    static const luaL_Reg functions[] = {
        {"create",  create},
        { "resume", resume},
        { "wrap",   wrap  },
        { "yield",  yield },
        { NULL,     NULL  },
    };

    luaL_requiref(L, LUA_COLIBNAME, luaopen_coroutine, 1);
    luaL_setfuncs(L, functions, 0);
#if LUA_VERSION_NUM >= 504
    lua_getfield(L, -1, "close");
    lua_pushcclosure(L, close_coroutine, 1);
    lua_setfield(L, -2, "close");
#endif
    return 0;
}
