/* SPDX-License-Identifier: MIT */
/* Lua's own libraries, without what could harm or hold up the agent:
 *
 * - code of Lua's virtual machine, which it does not check: source only, everywhere;
 * - finalizers in Lua, which run without hook, so that nothing could end them, and the
 *   metatables of objects made in C, into which one could be put;
 * - functions that run in C for as long as they are told to (see also strings.c, tables.c,
 *   code.c); C code that runs a handler of
 *   the plugin's with hooks off (xpcall's, inside of the hook);
 * - what belongs to the process: exit, locale, stdin; and the debug library. */
#include "lua/host.h"
#include <limits.h>
#include <stdlib.h>
#include <string.h>

enum { DATE_MAX = 1000 }; /* bytes of a format */

/* Calls upvalue 1, the function of Lua's that this one stands for, with all arguments. */
static int pass_on(lua_State *L)
{
    lua_pushvalue(L, lua_upvalueindex(1));
    lua_insert(L, 1);
    lua_call(L, lua_gettop(L) - 1, LUA_MULTRET);
    return lua_gettop(L);
}

/* Puts `fn` in the place of `name` in the table on top, with the old one as upvalue. */
static void put_before(lua_State *L, const char *name, lua_CFunction fn)
{
    lua_getfield(L, -1, name);
    lua_pushcclosure(L, fn, 1);
    lua_setfield(L, -2, name);
}

static void remove_field(lua_State *L, const char *name)
{
    lua_pushnil(L);
    lua_setfield(L, -2, name);
}

/* --- base ------------------------------------------------------------------------ */

static int get_metatable(lua_State *L)
{
    if (lua_isuserdata(L, 1)) {
        lua_pushboolean(L, 0);
        return 1;
    }
    return pass_on(L);
}

static int set_metatable(lua_State *L)
{
    if (lua_istable(L, 2)) {
        lua_pushliteral(L, "__gc");
        if (lua_rawget(L, 2) != LUA_TNIL)
            return luaL_error(L, "plugins have no finalizers (__gc)");
        lua_pop(L, 1);
    }
    return pass_on(L);
}

/* Stopping the collector, or another mode of it, is not for plugins. */
static int collect_garbage(lua_State *L)
{
    static const char *const allowed[] = { "collect", "count", "step", "isrunning" };
    const char *what = luaL_optstring(L, 1, "collect");

    for (size_t i = 0; i < sizeof allowed / sizeof *allowed; i++)
        if (!strcmp(what, allowed[i])) {
            if (strcmp(what, "count") && strcmp(what, "isrunning"))
                sr_lua_charge(L, sr_lua_plugin_of(L)->memory / 4);
            return pass_on(L);
        }
    lua_pushinteger(L, 0);
    return 1;
}

/* Upvalue: the plugin's handler. When time is over the error comes from inside of the hook,
 * where nothing would end the handler. */
static int on_error(lua_State *L)
{
    if (sr_lua_plugin_of(L)->expired)
        return 1;
    lua_settop(L, 1);
    lua_pushvalue(L, lua_upvalueindex(1));
    lua_insert(L, 1);
    lua_call(L, 1, 1);
    return 1;
}

/* On the stack: the handler, true, results. */
static int after_xpcall(lua_State *L, int status, lua_KContext context)
{
    (void)context;
    if (status == LUA_OK || status == LUA_YIELD)
        return lua_gettop(L) - 1;
    lua_pushboolean(L, 0);
    lua_insert(L, -2);
    return 2;
}

static int xpcall(lua_State *L)
{
    const int args = lua_gettop(L) - 2;

    luaL_checktype(L, 2, LUA_TFUNCTION);
    lua_pushvalue(L, 2);
    lua_pushcclosure(L, on_error, 1);
    lua_replace(L, 2); /* function, handler, arguments */
    lua_pushboolean(L, 1);
    lua_pushvalue(L, 1);
    lua_rotate(L, 3, 2); /* function, handler, true, function, arguments */
    lua_remove(L, 1);
    return after_xpcall(L, lua_pcallk(L, args, LUA_MULTRET, 1, 0, after_xpcall), 0);
}

static void open_base(lua_State *L)
{
    const bool files = !(sr_lua_plugin_of(L)->lua->options.deny & SR_LUA_FILES);

    luaL_requiref(L, "_G", luaopen_base, 1);
    put_before(L, "getmetatable", get_metatable);
    put_before(L, "setmetatable", set_metatable);
    put_before(L, "collectgarbage", collect_garbage);
    sr_lua_pay(L, "tonumber");
    sr_lua_pay(L, "select");
    if (!files) {
        remove_field(L, "loadfile");
        remove_field(L, "dofile");
    }
    lua_pushcfunction(L, xpcall);
    lua_setfield(L, -2, "xpcall");
    lua_pop(L, 1);
}

/* --- os, debug ------------------------------------------------------------------------ */

static int no_exit(lua_State *L)
{
    return luaL_error(L, "os.exit() is not for plugins: the agent would end");
}

/* A date of many conversions takes as long as it likes. */
static int date(lua_State *L)
{
    size_t len;

    luaL_optlstring(L, 1, "", &len);
    luaL_argcheck(L, len <= DATE_MAX, 1, "too long");
    return pass_on(L);
}

static void open_os(lua_State *L)
{
    const unsigned deny = sr_lua_plugin_of(L)->lua->options.deny;

    luaL_requiref(L, LUA_OSLIBNAME, luaopen_os, 1);
    lua_pushcfunction(L, no_exit);
    lua_setfield(L, -2, "exit");
    remove_field(L, "setlocale");
    put_before(L, "date", date);
    sr_lua_pay_all(L);
    remove_field(L, "execute"); /* comes back in another form: process.c */
    if (deny & SR_LUA_FILES) {
        remove_field(L, "remove");
        remove_field(L, "rename");
        remove_field(L, "tmpname");
    }
    lua_pop(L, 1);
}

/* debug.traceback() and nothing else. */
static void open_debug(lua_State *L)
{
    luaL_requiref(L, LUA_DBLIBNAME, luaopen_debug, 0);
    lua_newtable(L);
    lua_getfield(L, -2, "traceback");
    lua_setfield(L, -2, "traceback");
    lua_pushvalue(L, -1);
    lua_setglobal(L, LUA_DBLIBNAME);
    luaL_getsubtable(L, LUA_REGISTRYINDEX, LUA_LOADED_TABLE);
    lua_pushvalue(L, -2);
    lua_setfield(L, -2, LUA_DBLIBNAME);
    lua_pop(L, 3);
}

/* --- require --------------------------------------------------------------------------- */

/* The application's places, then the system's; not the directory of the moment. */
static void set_path(lua_State *L)
{
    const struct sr_lua *lua = sr_lua_plugin_of(L)->lua;
    const char *path;

    lua_getfield(L, -1, "path");
    path = luaL_gsub(L, lua_tostring(L, -1), ";./?.lua", "");
    path = luaL_gsub(L, path, ";./?/init.lua", "");
    lua_pushstring(L, lua->path);
    lua_pushstring(L, path);
    lua_concat(L, 2);
    lua_setfield(L, -5, "path");
    lua_pop(L, 3);
}

static void open_package(lua_State *L)
{
    lua_pushboolean(L, 1); /* the environment is the process's */
    lua_setfield(L, LUA_REGISTRYINDEX, "LUA_NOENV");
    luaL_requiref(L, LUA_LOADLIBNAME, luaopen_package, 1);
    set_path(L);
    lua_getfield(L, -1, "searchers");
    if (!sr_lua_plugin_of(L)->lua->options.native_modules) {
        lua_pushnil(L);
        lua_rawseti(L, -2, 4);
        lua_pushnil(L);
        lua_rawseti(L, -2, 3);
        lua_pop(L, 1);
        remove_field(L, "loadlib");
        lua_pop(L, 1);
    } else {
        lua_pop(L, 2);
    }
}

int sr_lua_open_sandbox(lua_State *L)
{
    open_base(L);
    open_package(L); /* before the others, which enter themselves there */
    open_os(L);
    open_debug(L);
    luaL_requiref(L, LUA_MATHLIBNAME, luaopen_math, 1);
    sr_lua_pay_all(L); /* a text as a number */
    luaL_requiref(L, LUA_UTF8LIBNAME, luaopen_utf8, 1);
    sr_lua_pay_all(L);
    return 0;
}
