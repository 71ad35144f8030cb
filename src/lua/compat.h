/* SPDX-License-Identifier: MIT */
/* Lua 5.4 and 5.3 as one. */
#ifndef LUA_COMPAT_H
#define LUA_COMPAT_H

#include <lauxlib.h>
#include <lua.h>
#include <lualib.h>

#if LUA_VERSION_NUM < 503
#error "Lua 5.3 or 5.4 is needed"
#endif

/* Resumes `co` with `args` values on its stack; *ret_results values are left on it. */
static inline int sr_lua_resume(lua_State *co, lua_State *from, int args,
                                int *ret_results)
{
#if LUA_VERSION_NUM >= 504
    return lua_resume(co, from, args, ret_results);
#else
    int status = lua_resume(co, from, args);

    *ret_results = status == LUA_OK || status == LUA_YIELD ? lua_gettop(co) : 1;
    return status;
#endif
}

/* Ends a coroutine that failed or will not be resumed; its variables are closed. Not so
 * if it died of an error in the hook, which a count of 1 tells: Lua would run the variables'
 * metamethods with hooks still off, and nothing could end those. */
static inline void sr_lua_kill(lua_State *co)
{
#if LUA_VERSION_NUM >= 504
    if (lua_status(co) == LUA_YIELD || lua_gethookcount(co) != 1)
        lua_resetthread(co);
#else
    (void)co; /* 5.3 has nothing to close; the collector takes it */
#endif
}

/* A full userdata without values of its own. */
static inline void *sr_lua_userdata(lua_State *L, size_t size)
{
#if LUA_VERSION_NUM >= 504
    return lua_newuserdatauv(L, size, 0);
#else
    return lua_newuserdata(L, size);
#endif
}

#endif
