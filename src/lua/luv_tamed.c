/* SPDX-License-Identifier: MIT */
/* Functions of luv that would stop the loop, or end the process, taken as they are. In each of ours
 * upvalue 1 is luv's. */
#include "lua/host.h"
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static int call_luv(lua_State *L)
{
    lua_pushvalue(L, lua_upvalueindex(1));
    lua_insert(L, 1);
    lua_call(L, lua_gettop(L) - 1, LUA_MULTRET);
    return lua_gettop(L);
}

/* --- timers ------------------------------------------------------------------------ */

/* libuv runs timers until none is due: one of 0 ms that starts itself again would have the loop
 * for itself. */
static int timer_start(lua_State *L)
{
    if (lua_isnumber(L, 2) && lua_tonumber(L, 2) < 1) {
        lua_pushinteger(L, 1);
        lua_replace(L, 2);
    }
    return call_luv(L);
}

/* The same if the time went on while they run. */
static int update_time(lua_State *L)
{
    (void)L;
    return 0;
}

/* --- files ------------------------------------------------------------------------- */

static bool only_has(const char *text, const char *letters)
{
    return *text && strspn(text, letters) == strlen(text);
}

/* As luv has them; -1: let luv say what is wrong. */
static int flags_of(const char *mode)
{
    int access = strchr(mode, '+') ? O_RDWR : O_WRONLY;
    int more = (strchr(mode, 's') ? O_SYNC : 0) | (strchr(mode, 'x') ? O_EXCL : 0);

    if (!only_has(mode, "rwasx+"))
        return -1;
    if (strchr(mode, 'r'))
        return (access == O_RDWR ? O_RDWR : O_RDONLY) | more;
    if (strchr(mode, 'w'))
        return access | O_CREAT | O_TRUNC | more;
    return strchr(mode, 'a') ? access | O_CREAT | O_APPEND | more : -1;
}

/* A FIFO waits for its other end, and a line for its carrier: in the loop's thread, or in one of the
 * few that resolve names. */
static int fs_open(lua_State *L)
{
    int flags = lua_type(L, 2) == LUA_TNUMBER   ? (int)lua_tointeger(L, 2)
                : lua_type(L, 2) == LUA_TSTRING ? flags_of(lua_tostring(L, 2))
                                                : -1;

    if (flags >= 0) {
        lua_pushinteger(L, flags | O_NONBLOCK | O_NOCTTY);
        lua_replace(L, 2);
    }
    return call_luv(L);
}

static int fs_copyfile(lua_State *L)
{
    struct stat st;

    for (int i = 1; i <= 2; i++)
        if (stat(luaL_checkstring(L, i), &st) == 0 && !S_ISREG(st.st_mode))
            return luaL_argerror(L, i, "only regular files can be copied");
    if (!lua_isfunction(L, -1))
        return luaL_error(L, "a callback is needed: without it this would block");
    return call_luv(L);
}

/* --- processes --------------------------------------------------------------------- */

/* Groups may have us in them, and the number of a thread stands for its process. luv takes an int:
 * what is beyond would become another number. */
static bool is_ours(lua_Integer pid)
{
    char path[64];

    snprintf(path, sizeof path, "/proc/self/task/%lld", (long long)pid);
    return pid <= 0 || pid > INT_MAX || pid == getpid() || pid == getppid() ||
           access(path, F_OK) == 0;
}

static int kill_other(lua_State *L)
{
    if (is_ours(luaL_checkinteger(L, 1)))
        return luaL_argerror(L, 1, "the agent's own process, its parent, or a group");
    return call_luv(L);
}

/* In the place of the table at `at`: a copy, which no metatable and no finalizer changes between our
 * look and luv's. */
static void copy_table(lua_State *L, int at)
{
    lua_newtable(L);
    lua_pushnil(L);
    while (lua_next(L, at)) {
        lua_pushvalue(L, -2);
        lua_insert(L, -2);
        lua_rawset(L, -4);
    }
    lua_replace(L, at);
}

/* Descriptors that are handed on by number: the standard ones only. */
static void check_stdio(lua_State *L, int options)
{
    lua_Integer count;

    copy_table(L, options);
    if (lua_getfield(L, options, "stdio") == LUA_TTABLE) {
        copy_table(L, lua_gettop(L));
        count = (lua_Integer)lua_rawlen(L, -1);
        for (lua_Integer i = 1; i <= count; i++) {
            if (lua_rawgeti(L, -1, i) == LUA_TNUMBER &&
                lua_tointeger(L, -1) > STDERR_FILENO)
                luaL_error(L, "stdio: a descriptor that is the program's");
            lua_pop(L, 1);
        }
    }
    lua_setfield(L, options, "stdio");
}

/* Raises no error: what is sealed has to be unsealed. */
static int spawn(lua_State *L)
{
    struct sealed sealed;
    int rc;

    if (lua_istable(L, 2))
        check_stdio(L, 2);
    lua_pushvalue(L, lua_upvalueindex(1));
    lua_insert(L, 1);
    sr_lua_seal(&sealed);
    rc = lua_pcall(L, lua_gettop(L) - 1, LUA_MULTRET, 0);
    sr_lua_unseal(&sealed);
    return rc ? lua_error(L) : lua_gettop(L);
}

const struct sr_lua_tamed sr_lua_tamed[] = {
    {"timer_start",  timer_start, "uv_timer", "start"},
    { "update_time", update_time, NULL,       NULL   },
    { "fs_open",     fs_open,     NULL,       NULL   },
    { "fs_copyfile", fs_copyfile, NULL,       NULL   },
    { "kill",        kill_other,  NULL,       NULL   },
    { "spawn",       spawn,       NULL,       NULL   },
    { NULL,          NULL,        NULL,       NULL   },
};
