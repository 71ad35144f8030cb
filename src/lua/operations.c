/* SPDX-License-Identifier: MIT */
/* c8y:onConnected(fn), c8y:takeOperation(id): operations that nobody delivered, and each
 * once. The agent tells the host, and that all of its plugins. */
#include "lua/host.h"
#include <string.h>

static void call(struct plugin *plugin)
{
    const struct call task = { .kind = "connected", .fn = plugin->connected };

    if (plugin->connected == LUA_NOREF)
        return;
    sr_lua_enter(plugin);
    sr_lua_call(plugin, &task);
    sr_lua_leave(plugin);
}

static void call_late(struct job *job)
{
    call(job->owner);
}

static void tell(struct plugin *plugin)
{
    if (!plugin->L || plugin->todo != TODO_NOTHING)
        return;
    plugin->tell.run = call_late;
    plugin->tell.owner = plugin;
    if (sr_lua_must_wait(plugin))
        sr_lua_postpone(plugin, &plugin->tell);
    else
        call(plugin);
}

static void on_connected(struct sr_agent *agent, void *arg)
{
    struct sr_lua *lua = arg;

    (void)agent;
    lua->depth++;
    for (size_t i = 0; i < lua->count; i++)
        tell(lua->plugins[i]);
    sr_lua_host_leave(lua);
}

void sr_lua_operations_release(struct sr_lua *lua)
{
    if (lua->listens)
        sr_agent_remove_connected(lua->agent, on_connected, lua);
    lua->listens = false;
}

/* c8y:onConnected(fn); nil: no longer. */
static int listen(lua_State *L)
{
    struct plugin *plugin = sr_lua_plugin_of(L);
    struct sr_lua *lua = plugin->lua;
    int fn = lua_isnil(L, 2) ? LUA_NOREF : sr_lua_ref_callback(L, 2);

    sr_lua_unref(plugin, plugin->connected);
    plugin->connected = fn;
    if (lua->listens || fn == LUA_NOREF)
        return 0;
    if (sr_agent_add_connected(lua->agent, on_connected, lua))
        return luaL_error(L, "not enough memory");
    lua->listens = true;
    return 0;
}

/* c8y:takeOperation(id) */
static int take(lua_State *L)
{
    size_t len;
    const char *id = luaL_checklstring(L, 2, &len);

    sr_lua_charge(L, 100 + len);
    lua_pushboolean(L, strlen(id) == len && sr_agent_take_operation(
                                                sr_lua_plugin_of(L)->lua->agent, id));
    return 1;
}

int sr_lua_open_operations(lua_State *L)
{
    static const luaL_Reg functions[] = {
        {"onConnected",    listen},
        { "takeOperation", take  },
        { NULL,            NULL  },
    };

    lua_getglobal(L, "c8y");
    luaL_setfuncs(L, functions, 0);
    return 0;
}
