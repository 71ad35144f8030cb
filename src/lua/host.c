/* SPDX-License-Identifier: MIT */
#include "lua/host.h"
#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <smartrest/http.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

enum {
    RUN_MS = 1000,
    MEMORY_MAX = 16 << 20,
    FAILURES_MAX = 10,
    DENY_ALL = SR_LUA_FILES | SR_LUA_PROCESSES | SR_LUA_LUV
};

/* --- life ------------------------------------------------------------------ */

int sr_lua_fail(struct sr_lua *lua, int rc, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    vsnprintf(lua->error, sizeof lua->error, format, args);
    va_end(args);
    for (char *c = lua->error; *c; c++)
        if ((unsigned char)*c < 0x20 || *c == 0x7f)
            *c = ' ';
    return rc;
}

const char *sr_lua_error(const struct sr_lua *lua)
{
    if (!lua)
        return "no Lua host: out of memory";
    return *lua->error ? lua->error : "no error";
}

static void fill_in(struct sr_lua_options *options)
{
    if (!options->run_ms)
        options->run_ms = RUN_MS;
    if (!options->memory_max)
        options->memory_max = MEMORY_MAX;
    if (!options->failures_max)
        options->failures_max = FAILURES_MAX;
}

static void destroy(struct sr_lua *lua)
{
    sr_lua_changes_free(lua->changes);
    sr_lua_operations_release(lua);
    for (size_t i = 0; i < lua->count; i++)
        sr_lua_plugin_free(lua->plugins[i]);
    sr_lua_handlers_sweep(lua);
    sr_lua_turns_free(lua->turns);
    sr_http_free(lua->http);
    sr_row_release(&lua->row);
    for (size_t i = 0; i < lua->addition_count; i++)
        free(lua->additions[i].name);
    free(lua->additions);
    free(lua->plugins);
    free(lua->path);
    if (lua->c_locale)
        freelocale(lua->c_locale);
    free(lua);
}

int sr_lua_new(struct sr_agent *agent, const struct sr_lua_options *options,
               struct sr_lua **ret_lua)
{
    struct sr_lua *lua;
    int rc = 0;

    if (!agent || !ret_lua || (options && (options->deny & ~(unsigned)DENY_ALL)))
        return SR_E_INVAL;
    lua = calloc(1, sizeof *lua);
    if (!lua)
        return SR_E_NOMEM;
    lua->agent = agent;
    sr_row_init(&lua->row, SR_ROW_MAX_HTTP);
    if (options)
        lua->options = *options;
    fill_in(&lua->options);
    lua->path = strdup("");
    lua->c_locale = newlocale(LC_ALL_MASK, "C", (locale_t)0);
    if (!lua->path || !lua->c_locale)
        rc = SR_E_NOMEM;
    else
        rc = sr_lua_turns_new(lua);
    if (!rc && lua->options.watch_files)
        rc = sr_lua_changes_new(lua, &lua->changes);
    if (rc)
        destroy(lua);
    else
        *ret_lua = lua;
    return rc;
}

struct sr_lua *sr_lua_free(struct sr_lua *lua)
{
    if (!lua)
        return NULL;
    if (lua->depth)
        lua->doomed = true;
    else
        destroy(lua);
    return NULL;
}

void sr_lua_leave(struct plugin *plugin)
{
    struct sr_lua *lua = plugin->lua;

    if (--plugin->depth == 0 && plugin->todo != TODO_NOTHING && !lua->doomed)
        sr_lua_plugin_settle(plugin);
    sr_lua_host_leave(lua);
}

void sr_lua_host_leave(struct sr_lua *lua)
{
    if (--lua->depth)
        return;
    if (lua->doomed)
        destroy(lua);
    else
        sr_lua_handlers_sweep(lua);
}

/* --- what the application adds ------------------------------------------------ */

int sr_lua_add_path(struct sr_lua *lua, const char *path)
{
    char *longer;
    size_t size;

    if (!lua || !path || !*path || strchr(path, ';'))
        return SR_E_INVAL;
    size = strlen(lua->path) + 2 * strlen(path) + sizeof "/?.lua;/?/init.lua;";
    longer = malloc(size);
    if (!longer)
        return SR_E_NOMEM;
    if (strchr(path, '?'))
        snprintf(longer, size, "%s%s;", lua->path, path);
    else
        snprintf(longer, size, "%s%s/?.lua;%s/?/init.lua;", lua->path, path, path);
    free(lua->path);
    lua->path = longer;
    return 0;
}

static bool is_name(const char *name)
{
    const char *dot = strchr(name, '.');

    return *name && (!dot || (dot != name && dot[1] && !strchr(dot + 1, '.')));
}

static int add(struct sr_lua *lua, const char *name, sr_lua_fn fn, void *arg)
{
    struct addition *more =
        realloc(lua->additions, (lua->addition_count + 1) * sizeof *more);
    char *copy = name ? strdup(name) : NULL;

    if (more)
        lua->additions = more;
    if (!more || (name && !copy)) {
        free(copy);
        return SR_E_NOMEM;
    }
    more[lua->addition_count++] = (struct addition){ copy, fn, arg };
    return 0;
}

int sr_lua_add_function(struct sr_lua *lua, const char *name, sr_lua_fn fn, void *arg)
{
    if (!lua || !name || !fn || !is_name(name))
        return SR_E_INVAL;
    return add(lua, name, fn, arg);
}

int sr_lua_add_library(struct sr_lua *lua, sr_lua_fn open, void *arg)
{
    return lua && open ? add(lua, NULL, open, arg) : SR_E_INVAL;
}

/* --- plugins -------------------------------------------------------------------- */

static struct plugin *find(const struct sr_lua *lua, const char *name)
{
    for (size_t i = 0; i < lua->count; i++)
        if (!strcmp(lua->plugins[i]->name, name))
            return lua->plugins[i];
    return NULL;
}

static int append(struct sr_lua *lua, const char *path, struct plugin **ret_plugin)
{
    struct plugin **more =
        realloc(lua->plugins, (lua->count + 1) * sizeof(struct plugin *));
    int rc;

    if (!more)
        return SR_E_NOMEM;
    lua->plugins = more;
    rc = sr_lua_plugin_new(lua, path, &more[lua->count]);
    if (rc)
        return rc;
    *ret_plugin = more[lua->count++];
    sr_lua_watch_file(*ret_plugin);
    return 0;
}

static int start(struct plugin *plugin)
{
    struct sr_lua *lua = plugin->lua;
    int rc;

    lua->depth++;
    rc = sr_lua_plugin_start(plugin);
    sr_lua_host_leave(lua);
    return rc;
}

static int load_file(struct sr_lua *lua, const char *path)
{
    struct plugin *plugin = NULL;
    char *absolute = realpath(path, NULL); /* the host may change its directory */
    int rc = 0;

    if (!absolute)
        return sr_lua_fail(lua, errno == ENOENT ? SR_E_NOTFOUND : SR_E_IO, "%s: %s",
                           path, strerror(errno));
    for (size_t i = 0; i < lua->count && !plugin; i++)
        if (!strcmp(lua->plugins[i]->path, absolute))
            plugin = lua->plugins[i];
    if (!plugin)
        rc = append(lua, absolute, &plugin);
    free(absolute);
    if (rc)
        return sr_lua_fail(lua, rc, "out of memory");
    if (plugin->depth)
        return sr_lua_fail(lua, SR_E_STATE, "plugin '%s' is running", plugin->name);
    return start(plugin);
}

static int is_plugin_file(const struct dirent *entry)
{
    size_t len = strlen(entry->d_name);

    return entry->d_name[0] != '.' && len > 4 &&
           !strcmp(entry->d_name + len - 4, ".lua");
}

static int load_directory(struct sr_lua *lua, const char *path)
{
    struct dirent **entries;
    int first = 0, count = scandir(path, &entries, is_plugin_file, alphasort);

    if (count < 0)
        return sr_lua_fail(lua, errno == ENOMEM ? SR_E_NOMEM : SR_E_IO, "%s: %s", path,
                           strerror(errno));
    for (int i = 0; i < count; i++) {
        char file[PATH_MAX];
        int rc;

        snprintf(file, sizeof file, "%s/%s", path, entries[i]->d_name);
        rc = load_file(lua, file);
        if (!first)
            first = rc;
        free(entries[i]);
    }
    free(entries);
    return first;
}

int sr_lua_load(struct sr_lua *lua, const char *path)
{
    struct stat info;

    if (!lua || !path)
        return SR_E_INVAL;
    if (stat(path, &info))
        return sr_lua_fail(lua, errno == ENOENT ? SR_E_NOTFOUND : SR_E_IO, "%s: %s",
                           path, strerror(errno));
    return S_ISDIR(info.st_mode) ? load_directory(lua, path) : load_file(lua, path);
}

static int reload(struct plugin *plugin)
{
    if (plugin->depth == 0)
        return start(plugin);
    if (plugin->state == SR_LUA_STARTING) /* it would never come to an end */
        return sr_lua_fail(plugin->lua, SR_E_STATE, "plugin '%s' is starting",
                           plugin->name);
    plugin->todo = TODO_RELOAD;
    return 0;
}

int sr_lua_reload(struct sr_lua *lua, const char *name)
{
    struct plugin *plugin;
    int first = 0;

    if (!lua)
        return SR_E_INVAL;
    if (name) {
        plugin = find(lua, name);
        if (plugin)
            return reload(plugin);
        return sr_lua_fail(lua, SR_E_NOTFOUND, "there is no plugin '%s'", name);
    }
    lua->depth++;
    for (size_t i = 0; i < lua->count; i++) {
        int rc = reload(lua->plugins[i]);

        if (!first)
            first = rc;
    }
    sr_lua_host_leave(lua);
    return first;
}

int sr_lua_unload(struct sr_lua *lua, const char *name)
{
    struct plugin *plugin;

    if (!lua || !name)
        return SR_E_INVAL;
    plugin = find(lua, name);
    if (!plugin)
        return sr_lua_fail(lua, SR_E_NOTFOUND, "there is no plugin '%s'", name);
    lua->depth++;
    sr_lua_plugin_stop(plugin, SR_LUA_STOPPED);
    sr_lua_host_leave(lua);
    return 0;
}

/* --- how they are ------------------------------------------------------------------ */

int sr_lua_plugin(const struct sr_lua *lua, size_t i, struct sr_lua_plugin *ret_plugin)
{
    const struct plugin *plugin;

    if (!lua || !ret_plugin)
        return SR_E_INVAL;
    if (i >= lua->count)
        return SR_E_NOTFOUND;
    plugin = lua->plugins[i];
    *ret_plugin = (struct sr_lua_plugin){
        .name = plugin->name,
        .path = plugin->path,
        .state = plugin->state,
        .error = plugin->error,
        .loads = plugin->loads,
        .calls = plugin->calls,
        .failures = plugin->failures,
        .failures_in_a_row = plugin->failures_in_a_row,
        .dropped = plugin->dropped,
        .memory = plugin->memory,
        .memory_peak = plugin->memory_peak,
        .timers = plugin->timer_count,
        .handlers = plugin->handler_count,
        .waiting = plugin->waiting,
        .longest_us = plugin->longest_ns / 1000,
        .refused = plugin->refused,
    };
    return 0;
}

const char *sr_lua_state_name(enum sr_lua_state state)
{
    static const char *const names[] = { "starting", "running", "failed", "stopped" };

    return (unsigned)state < sizeof names / sizeof *names ? names[state] : "unknown";
}
