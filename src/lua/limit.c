/* SPDX-License-Identifier: MIT */
/* Memory: the allocator counts, and says no at the bound; Lua collects garbage, tries
 * again, and raises an error that the callback fails with.
 *
 * Run time is the thread's processor time, which neither a busy machine nor a suspended one
 * makes longer. Who looks at the clock:
 *
 * - a hook, every few thousand instructions. An instruction can go through the bytes of a
 *   long string or of a long list of arguments; so the more bytes there are in big blocks of
 *   memory, the fewer instructions;
 * - the allocator, for what makes big blocks, or makes Lua collect all garbage in vain. It
 *   cannot raise an error, and has the hook do so at the next instruction;
 * - functions in C that go through bytes or elements: sr_lua_charge().
 *
 * When the stretch was too long an error is raised, and from then on with every instruction,
 * so that no pcall() holds it up for longer than it takes to get out of it. */
#include "lua/host.h"
#include <stdlib.h>
#include <time.h>

enum {
    INSTRUCTIONS = 4000,
    SAMPLE = 16, /* callbacks of a turn */
    SHORT_NS =
        1000000,     /* what takes longer was seen by the hook, without a sample, too */
    BIG = 16 * 1024, /* bytes of a block */
    AT_ONCE = 1 << 30, /* bytes in big blocks that are gone through between two looks */
    COLLECTION = 4     /* units of work for each byte of a collection, as a divisor */
};

struct plugin *sr_lua_plugin_of(lua_State *L)
{
    return *(struct plugin **)lua_getextraspace(L);
}

/* --- memory ------------------------------------------------------------------ */

static void count_work(struct plugin *plugin, size_t units);

static size_t in_big_block(size_t size)
{
    return size >= BIG ? size : 0;
}

static void count_memory(struct plugin *plugin, size_t before, size_t size)
{
    plugin->memory = plugin->memory - before + size;
    if (plugin->memory > plugin->memory_peak)
        plugin->memory_peak = plugin->memory;
    plugin->big = plugin->big - in_big_block(before) + in_big_block(size);
    if (size >= BIG && size > before)
        count_work(plugin, size);
}

void *sr_lua_alloc(void *arg, void *old, size_t old_size, size_t size)
{
    struct plugin *plugin = arg;
    size_t before = old ? old_size : 0; /* else it is a type */
    void *block;

    if (size == 0) {
        free(old);
        count_memory(plugin, before, 0);
        return NULL;
    }
    if (size > before && size - before > plugin->memory_max - plugin->memory) {
        count_work(plugin,
                   plugin->memory / COLLECTION); /* which this will bring about */
        return NULL;
    }
    block = realloc(old, size);
    if (!block && size > before)
        return NULL;
    if (!block)
        return old; /* making smaller must not fail */
    count_memory(plugin, before, size);
    return block;
}

/* --- time ----------------------------------------------------------------------- */

static uint64_t processor_ns(void)
{
    struct timespec now;

    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

static void forget_stretch(struct plugin *plugin)
{
    plugin->measured = false;
    plugin->expired = false;
}

static uint64_t measure(struct plugin *plugin)
{
    uint64_t now = processor_ns(), ran;

    if (!plugin->measured)
        plugin->began_ns = now;
    plugin->measured = true;
    ran = now - plugin->began_ns;
    if (ran > plugin->longest_ns)
        plugin->longest_ns = ran;
    return ran;
}

/* A short callback is over before somebody reads the clock. Of many in one turn each SAMPLEth is measured from
 * its beginning, and stands for the others: a reading costs more than most callbacks. */
void sr_lua_limit_begin(struct plugin *plugin)
{
    forget_stretch(plugin);
    if (plugin->turn != plugin->lua->turn) {
        plugin->turn = plugin->lua->turn;
        plugin->spent_ns = 0;
        plugin->runs = 0;
    }
    plugin->sampled = ++plugin->runs % SAMPLE == 0;
    if (plugin->sampled)
        measure(plugin);
}

void sr_lua_limit_end(struct plugin *plugin)
{
    uint64_t ran = plugin->measured ? measure(plugin) : 0;

    plugin->spent_ns += plugin->sampled && ran < SHORT_NS ? SAMPLE * ran : ran;
    forget_stretch(plugin);
}

static bool is_late(struct plugin *plugin)
{
    plugin->work = 0;
    if (!plugin->expired &&
        measure(plugin) > (uint64_t)plugin->lua->options.run_ms * 1000000u)
        plugin->expired = true;
    return plugin->expired;
}

/* 2 and more: 1 is for those whose time is over. */
static int instructions(const struct plugin *plugin)
{
    size_t count = plugin->big ? AT_ONCE / plugin->big : INSTRUCTIONS;

    return count < 2 ? 2 : count < INSTRUCTIONS ? (int)count : INSTRUCTIONS;
}

static void on_count(lua_State *L, lua_Debug *info)
{
    (void)info;
    sr_lua_limit_check(L);
}

void sr_lua_limit_hook(lua_State *L)
{
    const int count = instructions(sr_lua_plugin_of(L));

    if (lua_gethookcount(L) != count)
        lua_sethook(L, on_count, LUA_MASKCOUNT, count);
}

void sr_lua_limit_check(lua_State *L)
{
    struct plugin *plugin = sr_lua_plugin_of(L);

    if (is_late(plugin)) {
        lua_sethook(L, on_count, LUA_MASKCOUNT, 1);
        luaL_error(L, "ran for more than %d ms without a pause",
                   (int)plugin->lua->options.run_ms);
    }
    sr_lua_limit_hook(L); /* also of one whose time was over in an earlier stretch */
}

/* From the allocator, where no error can be raised. lua_sethook() may be called at any
 * moment. */
static void count_work(struct plugin *plugin, size_t units)
{
    if (!plugin->running)
        return;
    plugin->work += units;
    if (plugin->work > SR_LUA_WORK && is_late(plugin))
        lua_sethook(plugin->running, on_count, LUA_MASKCOUNT, 1);
    else if (lua_gethookcount(plugin->running) > instructions(plugin))
        sr_lua_limit_hook(plugin->running);
}

lua_State *sr_lua_limit_switch(struct plugin *plugin, lua_State *to)
{
    lua_State *from = plugin->running;

    plugin->running = to;
    if (to && lua_gethookcount(to) > instructions(plugin))
        sr_lua_limit_hook(to);
    return from;
}

/* --- functions of Lua's, which go through what they are given -------------------- */

enum { CALL = 100 };

static size_t size_of_values(lua_State *L, int from, int to)
{
    size_t size = CALL;

    for (int i = from; i <= to; i++)
        size += lua_type(L, i) == LUA_TSTRING ? 1 + lua_rawlen(L, i) : 1;
    return size;
}

/* Upvalue: the function. */
static int paid(lua_State *L)
{
    sr_lua_charge(L, size_of_values(L, 1, lua_gettop(L)));
    lua_pushvalue(L, lua_upvalueindex(1));
    lua_insert(L, 1);
    lua_call(L, lua_gettop(L) - 1, LUA_MULTRET);
    sr_lua_charge(L, size_of_values(L, 1, lua_gettop(L)));
    return lua_gettop(L);
}

void sr_lua_pay(lua_State *L, const char *name)
{
    if (lua_getfield(L, -1, name) != LUA_TFUNCTION) {
        lua_pop(L, 1);
        return;
    }
    lua_pushcclosure(L, paid, 1);
    lua_setfield(L, -2, name);
}

/* Fields that exist may be set while a table is walked through. */
void sr_lua_pay_all(lua_State *L)
{
    lua_pushnil(L);
    while (lua_next(L, -2)) {
        if (lua_iscfunction(L, -1)) {
            lua_pushcclosure(L, paid, 1);
            lua_pushvalue(L, -2);
            lua_insert(L, -2); /* key, key, closure */
            lua_rawset(L, -4);
        } else {
            lua_pop(L, 1);
        }
    }
}
