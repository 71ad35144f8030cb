/* SPDX-License-Identifier: MIT */
/* Memory: the allocator counts, and says no at the bound; Lua collects garbage, tries
 * again, and raises an error that the callback fails with.
 *
 * Run time: a hook every few thousand instructions reads the thread's processor time,
 * which neither a busy machine nor a suspended one makes longer. It raises an error when
 * the stretch was too long, and from then on with every instruction, so that no pcall()
 * holds it up for longer than it takes to get out of it. */
#include "lua/host.h"
#include <stdlib.h>
#include <time.h>

enum { INSTRUCTIONS = 4000 };

struct plugin *sr_lua_plugin_of(lua_State *L)
{
    return *(struct plugin **)lua_getextraspace(L);
}

void *sr_lua_alloc(void *arg, void *old, size_t old_size, size_t size)
{
    struct plugin *plugin = arg;
    size_t before = old ? old_size : 0; /* else it is a type */
    void *block;

    if (size == 0) {
        free(old);
        plugin->memory -= before;
        return NULL;
    }
    if (size > before && size - before > plugin->memory_max - plugin->memory)
        return NULL;
    block = realloc(old, size);
    if (!block)
        return size <= before ? old : NULL; /* making smaller must not fail */
    plugin->memory = plugin->memory - before + size;
    if (plugin->memory > plugin->memory_peak)
        plugin->memory_peak = plugin->memory;
    return block;
}

static uint64_t processor_ns(void)
{
    struct timespec now;

    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

void sr_lua_limit_begin(struct plugin *plugin)
{
    plugin->measured = false;
    plugin->expired = false;
}

static uint64_t measure(struct plugin *plugin)
{
    uint64_t now = processor_ns(), ran;

    /* A short callback is over before the clock is read for the first time. */
    if (!plugin->measured)
        plugin->began_ns = now;
    plugin->measured = true;
    ran = now - plugin->began_ns;
    if (ran > plugin->longest_ns)
        plugin->longest_ns = ran;
    return ran;
}

void sr_lua_limit_end(struct plugin *plugin)
{
    if (plugin->measured)
        measure(plugin);
    sr_lua_limit_begin(plugin);
}

static void on_count(lua_State *L, lua_Debug *info)
{
    (void)info;
    sr_lua_limit_check(L);
}

void sr_lua_limit_hook(lua_State *L)
{
    lua_sethook(L, on_count, LUA_MASKCOUNT, INSTRUCTIONS);
}

void sr_lua_limit_check(lua_State *L)
{
    struct plugin *plugin = sr_lua_plugin_of(L);
    unsigned max_ms = plugin->lua->options.run_ms;

    if (!plugin->expired && measure(plugin) > (uint64_t)max_ms * 1000000u)
        plugin->expired = true;
    if (plugin->expired) {
        lua_sethook(L, on_count, LUA_MASKCOUNT, 1);
        luaL_error(L, "ran for more than %d ms without a pause", (int)max_ms);
    }
    if (lua_gethookcount(L) == 1) /* left behind by an earlier stretch */
        sr_lua_limit_hook(L);
}
