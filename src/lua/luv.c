/* SPDX-License-Identifier: MIT */
/* require 'luv': libuv for Lua, on the agent's loop.
 *
 * Its callbacks run as the plugin's other ones do. What is the loop's, the process's or
 * another's is taken out of it: running and walking the loop, threads, signals, the
 * environment, descriptors that the plugin has not opened. When the plugin goes its handles
 * are closed; libuv still holds them until the end of the turn, and luv its state, so the
 * state is buried: it lives on without the plugin until all is over. */
#include "lua/host.h"
#include <dlfcn.h>
#include <smartrest/loop.h>
#include <stdlib.h>
#include <string.h>
#include <uv.h>

#include <smartrest/log.h>

enum { LOOK_AGAIN_MS = 10 };

/* Keys of the registry. */
static char handles_key, fds_key, close_key, is_closing_key;

typedef int (*callback_fn)(lua_State *L, int args, int results, int flags);

struct grave {
    uv_timer_t uv; /* first */
    lua_State *L;
    struct plugin *husk; /* what the state takes for its plugin */
};

/* --- callbacks -------------------------------------------------------------------- */

static int on_callback(lua_State *L, int args, int results, int flags)
{
    struct plugin *plugin = sr_lua_plugin_of(L);

    (void)results; /* luv asks for none */
    (void)flags;
    if (plugin->L != L || plugin->todo != TODO_NOTHING) {
        lua_pop(L, args + 1);
        return 0;
    }
    sr_lua_enter(plugin);
    sr_lua_call_pushed(plugin, "luv callback", args);
    sr_lua_leave(plugin);
    return 0;
}

/* --- what it may not -------------------------------------------------------------- */

static const char *const denied[] = {
    "run",
    "stop",
    "walk",
    "loop_close",
    "loop_configure",
    "loop_mode",
    "loop_alive",
    "backend_fd",
    "new_thread",
    "new_work",
    "queue_work",
    "thread_create",
    "thread_equal",
    "thread_join",
    "thread_self",
    "new_signal",
    "signal_start",
    "signal_start_oneshot",
    "signal_stop",
    "set_process_title",
    "chdir",
    "os_setenv",
    "os_unsetenv",
    "os_setpriority",
    "setuid",
    "setgid",
    "disable_stdio_inheritance",
    "print_all_handles",
    "print_active_handles",
    "sleep",
    "tcp_open",
    "udp_open",
    "pipe_open",
    "new_tty",
    "new_socket_poll",
    "stream_set_blocking",
    "pipe",
    "socketpair",
};

static const char *const of_processes[] = { "spawn", "kill", "process_kill" };

static const char *const constructors[] = {
    "new_timer", "new_tcp",     "new_udp",   "new_pipe",     "new_poll",    "new_async",
    "new_idle",  "new_prepare", "new_check", "new_fs_event", "new_fs_poll", "spawn",
};

static const char *const with_fd[] = {
    "fs_close",     "fs_read",   "fs_write",  "fs_fstat",  "fs_fsync", "fs_fdatasync",
    "fs_ftruncate", "fs_futime", "fs_fchmod", "fs_fchown", "new_poll", "fs_sendfile",
};

static const char *const that_open[] = { "fs_open", "fs_mkstemp" };

/* Upvalue 1: luv's function. What it makes is remembered, to be closed. */
static int construct(lua_State *L)
{
    lua_pushvalue(L, lua_upvalueindex(1));
    lua_insert(L, 1);
    lua_call(L, lua_gettop(L) - 1, LUA_MULTRET);
    if (lua_isuserdata(L, 1)) {
        lua_rawgetp(L, LUA_REGISTRYINDEX, &handles_key);
        lua_pushvalue(L, 1);
        lua_pushboolean(L, 1);
        lua_rawset(L, -3);
        lua_pop(L, 1);
    }
    return lua_gettop(L);
}

static void remember_fd(lua_State *L, int at)
{
    if (!lua_isinteger(L, at))
        return;
    lua_rawgetp(L, LUA_REGISTRYINDEX, &fds_key);
    lua_pushboolean(L, 1);
    lua_rawseti(L, -2, lua_tointeger(L, at));
    lua_pop(L, 1);
}

/* Upvalue 1: the plugin's callback, called with (error, fd...). */
static int on_opened(lua_State *L)
{
    remember_fd(L, 2);
    lua_pushvalue(L, lua_upvalueindex(1));
    lua_insert(L, 1);
    lua_call(L, lua_gettop(L) - 1, 0);
    return 0;
}

static int open_fd(lua_State *L)
{
    if (lua_isfunction(L, -1)) {
        lua_pushcclosure(L, on_opened, 1);
    }
    lua_pushvalue(L, lua_upvalueindex(1));
    lua_insert(L, 1);
    lua_call(L, lua_gettop(L) - 1, LUA_MULTRET);
    remember_fd(L, 1);
    return lua_gettop(L);
}

/* Upvalues: luv's function, whether it closes. */
static int use_fd(lua_State *L)
{
    const lua_Integer fd = luaL_checkinteger(L, 1);

    lua_rawgetp(L, LUA_REGISTRYINDEX, &fds_key);
    if (lua_rawgeti(L, -1, fd) != LUA_TBOOLEAN)
        return luaL_argerror(L, 1, "a descriptor that this plugin has not opened");
    lua_pop(L, 1);
    if (lua_toboolean(L, lua_upvalueindex(2))) {
        lua_pushnil(L);
        lua_rawseti(L, -2, fd);
    }
    lua_pop(L, 1);
    lua_pushvalue(L, lua_upvalueindex(1));
    lua_insert(L, 1);
    lua_call(L, lua_gettop(L) - 1, LUA_MULTRET);
    return lua_gettop(L);
}

/* Names are resolved in the background, not in the loop: argument `upvalue 2` or later is
 * the callback. */
static int with_callback(lua_State *L)
{
    if (!lua_isfunction(L, -1))
        return luaL_error(L, "a callback is needed: without it this would block");
    lua_pushvalue(L, lua_upvalueindex(1));
    lua_insert(L, 1);
    lua_call(L, lua_gettop(L) - 1, LUA_MULTRET);
    return lua_gettop(L);
}

static void replace(lua_State *L, const char *name, lua_CFunction fn, bool flag)
{
    if (lua_getfield(L, -1, name) != LUA_TFUNCTION) {
        lua_pop(L, 1);
        return;
    }
    lua_pushboolean(L, flag);
    lua_pushcclosure(L, fn, 2);
    lua_setfield(L, -2, name);
}

static void remove_all(lua_State *L, const char *const *names, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        lua_pushnil(L);
        lua_setfield(L, -2, names[i]);
    }
}

#define COUNT(array) (sizeof(array) / sizeof *(array))

static void remove_files(lua_State *L)
{
    lua_newtable(
        L); /* names first: a table must not change while it is walked through */
    lua_pushnil(L);
    while (lua_next(L, -3)) {
        lua_pop(L, 1);
        if (lua_type(L, -1) == LUA_TSTRING &&
            (!strncmp(lua_tostring(L, -1), "fs_", 3) ||
             !strncmp(lua_tostring(L, -1), "new_fs_", 7))) {
            lua_pushvalue(L, -1);
            lua_pushboolean(L, 1);
            lua_rawset(L, -4);
        }
    }
    lua_pushnil(L);
    while (lua_next(L, -2)) {
        lua_pop(L, 1);
        lua_pushvalue(L, -1);
        lua_pushnil(L);
        lua_rawset(L, -5);
    }
    lua_pop(L, 1);
}

/* Methods are the same functions under another name. */
static void remove_method(lua_State *L, const char *type, const char *name)
{
    if (luaL_getmetatable(L, type) == LUA_TTABLE) {
        if (lua_getfield(L, -1, "__index") == LUA_TTABLE) {
            lua_pushnil(L);
            lua_setfield(L, -2, name);
        }
        lua_pop(L, 1);
    }
    lua_pop(L, 1);
}

/* luv's table is on top. A method is the same function. */
static void tame(lua_State *L)
{
    for (const struct sr_lua_tamed *t = sr_lua_tamed; t->name; t++) {
        replace(L, t->name, t->fn, false);
        if (!t->type)
            continue;
        if (luaL_getmetatable(L, t->type) == LUA_TTABLE &&
            lua_getfield(L, -1, "__index") == LUA_TTABLE) {
            lua_getfield(L, -3, t->name);
            lua_setfield(L, -2, t->method);
            lua_pop(L, 1);
        }
        lua_pop(L, 1);
    }
}

/* luv's table is on top. */
static void restrict_luv(lua_State *L, unsigned deny)
{
    lua_getfield(L, -1, "close");
    lua_rawsetp(L, LUA_REGISTRYINDEX, &close_key);
    lua_getfield(L, -1, "is_closing");
    lua_rawsetp(L, LUA_REGISTRYINDEX, &is_closing_key);
    remove_all(L, denied, COUNT(denied));
    if (deny & SR_LUA_PROCESSES) {
        remove_all(L, of_processes, COUNT(of_processes));
        remove_method(L, "uv_process", "kill");
    }
    if (deny & SR_LUA_FILES)
        remove_files(L);
    remove_method(L, "uv_tcp", "open");
    remove_method(L, "uv_udp", "open");
    remove_method(L, "uv_pipe", "open");
    tame(L);
    for (size_t i = 0; i < COUNT(that_open); i++)
        replace(L, that_open[i], open_fd, false);
    for (size_t i = 0; i < COUNT(with_fd); i++)
        replace(L, with_fd[i], use_fd, !strcmp(with_fd[i], "fs_close"));
    for (size_t i = 0; i < COUNT(constructors); i++)
        replace(L, constructors[i], construct, false);
    replace(L, "getaddrinfo", with_callback, false);
    replace(L, "getnameinfo", with_callback, false);
}

static void new_weak_table(lua_State *L, const void *key)
{
    lua_newtable(L);
    lua_newtable(L);
    lua_pushliteral(L, "k");
    lua_setfield(L, -2, "__mode");
    lua_setmetatable(L, -2);
    lua_rawsetp(L, LUA_REGISTRYINDEX, key);
}

/* --- finding it ---------------------------------------------------------------------- */

/* Data and functions are of different kinds to C. */
static void *symbol(void *library, const char *name, void *function)
{
    void *found = dlsym(library, name);

    memcpy(function, &found, sizeof found);
    return found;
}

struct library {
    lua_CFunction open;
    void (*set_loop)(lua_State *L, uv_loop_t *loop);
    void (*set_callback)(lua_State *L, callback_fn fn);
};

static void find_symbols(lua_State *L, const char *path, struct library *library)
{
    /* It stays: libuv calls into it after the state is gone. */
    void *handle = dlopen(path, RTLD_NOW | RTLD_LOCAL | RTLD_NODELETE);

    if (!handle)
        luaL_error(L, "luv: %s", dlerror());
    if (!symbol(handle, "luaopen_luv", &library->open) ||
        !symbol(handle, "luv_set_loop", &library->set_loop) ||
        !symbol(handle, "luv_set_callback", &library->set_callback))
        luaL_error(L, "luv: %s is too old", path);
}

static void make_grave(lua_State *L, struct plugin *plugin)
{
    if (!plugin->grave)
        plugin->grave = calloc(1, sizeof *plugin->grave);
    if (plugin->grave && !plugin->grave->husk)
        plugin->grave->husk = calloc(1, sizeof *plugin->grave->husk);
    if (!plugin->grave || !plugin->grave->husk)
        luaL_error(L, "not enough memory");
}

/* Argument: the library. */
static int open_luv(lua_State *L)
{
    const struct library *library = lua_touserdata(L, 1);
    struct plugin *plugin = sr_lua_plugin_of(L);

    lua_settop(L, 0);
    new_weak_table(L, &handles_key);
    lua_newtable(L);
    lua_rawsetp(L, LUA_REGISTRYINDEX, &fds_key);
    make_grave(L, plugin);
    library->set_loop(L, sr_loop_uv(sr_agent_get_loop(plugin->lua->agent)));
    library->set_callback(L, on_callback);
    plugin->has_luv = true;
    lua_pushcfunction(L, library->open);
    lua_call(L, 0, 1);
    restrict_luv(L, plugin->lua->options.deny);
    return 1;
}

/* Argument 2: the file. luv calls back on the coroutine that has opened it; this one, which
 * requires it, will be gone by then. */
static int load_luv(lua_State *L)
{
    lua_State *main = sr_lua_plugin_of(L)->L;
    struct library library;
    int status;

    find_symbols(L, luaL_checkstring(L, 2), &library);
    if (!lua_checkstack(main, 3))
        return luaL_error(L, "not enough memory");
    lua_pushcfunction(main, open_luv);
    lua_pushlightuserdata(main, &library);
    status = lua_pcall(main, 1, 1, 0);
    lua_xmove(main, L, 1);
    return status ? lua_error(L) : 1;
}

/* Upvalues: package.searchpath, the system's package.cpath. */
static int search_luv(lua_State *L)
{
    if (strcmp(luaL_checkstring(L, 1), "luv"))
        return 0;
    if (sr_lua_plugin_of(L)->lua->options.deny & SR_LUA_LUV) {
        lua_pushliteral(L, "\n\tluv is denied to plugins of this agent");
        return 1;
    }
    lua_pushvalue(L, lua_upvalueindex(1));
    lua_pushvalue(L, 1);
    lua_pushvalue(L, lua_upvalueindex(2));
    lua_call(L, 2, 2);
    if (lua_isnil(L, -2))
        return 1;
    lua_pop(L, 1);
    lua_pushcfunction(L, load_luv);
    lua_insert(L, -2);
    return 2;
}

int sr_lua_open_luv(lua_State *L)
{
    lua_getglobal(L, "package");
    lua_getfield(L, -1, "searchers");
    lua_getfield(L, -2, "searchpath");
    lua_getfield(L, -3, "cpath");
    lua_pushcclosure(L, search_luv, 2);
    for (lua_Integer i = (lua_Integer)lua_rawlen(L, -2); i >= 3; i--) {
        lua_rawgeti(L, -2, i);
        lua_rawseti(L, -3, i + 1);
    }
    lua_rawseti(L, -2, 3);
    return 0;
}

/* --- burying --------------------------------------------------------------------------- */

static void *plain_alloc(void *arg, void *old, size_t old_size, size_t size)
{
    (void)arg;
    (void)old_size;
    if (size)
        return realloc(old, size);
    free(old);
    return NULL;
}

static int close_handles(lua_State *L)
{
    lua_rawgetp(L, LUA_REGISTRYINDEX, &handles_key);
    lua_pushnil(L);
    while (lua_next(L, -2)) {
        lua_pop(L, 1);
        lua_rawgetp(L, LUA_REGISTRYINDEX, &is_closing_key);
        lua_pushvalue(L, -2);
        lua_call(L, 1, 1);
        if (!lua_toboolean(L, -1)) {
            lua_rawgetp(L, LUA_REGISTRYINDEX, &close_key);
            lua_pushvalue(L, -3);
            lua_call(L, 1, 0);
        }
        lua_pop(L, 1);
    }
    return 0;
}

/* Is what is on top a request of luv's? */
static bool is_request(lua_State *L)
{
    bool found;

    if (!lua_isuserdata(L, -1) || !lua_getmetatable(L, -1))
        return false;
    luaL_getmetatable(L, "uv_req");
    found = lua_rawequal(L, -1, -2);
    lua_pop(L, 2);
    return found;
}

/* Requests that are under way are kept in the registry by luv. */
static bool has_requests(lua_State *L)
{
    bool found = false;

    lua_settop(L, 0);
    lua_pushnil(L);
    while (!found && lua_next(L, LUA_REGISTRYINDEX)) {
        found = is_request(L);
        lua_pop(L, 1);
    }
    lua_settop(L, 0);
    return found;
}

static void on_closed(uv_handle_t *handle);

static void look_again(uv_timer_t *handle)
{
    uv_close((uv_handle_t *)handle, on_closed);
}

/* The handle was closed before all of luv's, and libuv tells the last one first. */
static void on_closed(uv_handle_t *handle)
{
    struct grave *grave = (struct grave *)handle;
    uv_loop_t *loop = handle->loop;

    if (has_requests(grave->L)) {
        uv_timer_init(loop, &grave->uv);
        uv_timer_start(&grave->uv, look_again, LOOK_AGAIN_MS, 0);
        return;
    }
    lua_close(grave->L);
    sr_lua_grave_free(grave);
}

void sr_lua_grave_free(struct grave *grave)
{
    free(grave->husk);
    free(grave);
}

void sr_lua_bury(struct plugin *plugin)
{
    struct grave *grave = plugin->grave;
    lua_State *L = plugin->L;

    plugin->grave = NULL;
    plugin->has_luv = false;
    grave->L = L;
    *grave->husk = (struct plugin){ .memory_max = SIZE_MAX, .closing = true };
    grave->husk->no_close = plugin->no_close;
    lua_setallocf(L, plain_alloc, NULL);
    *(struct plugin **)lua_getextraspace(L) = grave->husk;
    lua_sethook(L, NULL, 0, 0);

    uv_timer_init(sr_loop_uv(sr_agent_get_loop(plugin->lua->agent)), &grave->uv);
    uv_close((uv_handle_t *)&grave->uv, on_closed);
    lua_settop(L, 0);
    lua_pushcfunction(L, close_handles);
    if (lua_pcall(L, 0, 0, 0))
        lua_settop(L, 0);
}
