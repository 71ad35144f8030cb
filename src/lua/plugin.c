/* SPDX-License-Identifier: MIT */
#include "lua/host.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include <smartrest/log.h>

/* --- life ------------------------------------------------------------------ */

static char *name_of(const char *path)
{
    const char *slash = strrchr(path, '/');
    char *name = strdup(slash ? slash + 1 : path), *end;

    end = name ? strrchr(name, '.') : NULL;
    if (end && !strcmp(end, ".lua") && end != name)
        *end = '\0';
    return name;
}

int sr_lua_plugin_new(struct sr_lua *lua, const char *path, struct plugin **ret_plugin)
{
    struct plugin *plugin = calloc(1, sizeof *plugin);

    if (!plugin)
        return SR_E_NOMEM;
    plugin->lua = lua;
    plugin->state = SR_LUA_FAILED;
    plugin->jobs_end = &plugin->jobs;
    plugin->path = strdup(path);
    plugin->name = name_of(path);
    if (!plugin->path || !plugin->name) {
        sr_lua_plugin_free(plugin);
        return SR_E_NOMEM;
    }
    *ret_plugin = plugin;
    return 0;
}

static void close_state(struct plugin *plugin)
{
    if (!plugin->L)
        return;
    plugin->closing = true;
    sr_lua_jobs_drop(plugin);
    sr_lua_handlers_drop(plugin);
    sr_lua_tasks_drop(plugin);
    sr_lua_objects_drop(plugin);
    sr_lua_deliveries_drop(plugin);
    if (plugin->has_luv)
        sr_lua_bury(plugin);
    else
        lua_close(plugin->L);
    plugin->L = NULL;
    plugin->closing = false;
}

void sr_lua_plugin_free(struct plugin *plugin)
{
    if (!plugin)
        return;
    close_state(plugin);
    if (plugin->grave)
        sr_lua_grave_free(plugin->grave);
    free(plugin->name);
    free(plugin->path);
    free(plugin);
}

void sr_lua_enter(struct plugin *plugin)
{
    plugin->depth++;
    plugin->lua->depth++;
}

int sr_lua_protected(struct plugin *plugin, lua_CFunction fn, void *arg, char *text,
                     size_t size)
{
    lua_State *L = plugin->L;
    const char *message;
    int status = LUA_ERRMEM, top = lua_gettop(L);
    locale_t locale;

    if (!lua_checkstack(L, 2)) {
        message = "not enough memory";
    } else {
        lua_pushcfunction(L, fn);
        lua_pushlightuserdata(L, arg);
        locale = uselocale(plugin->lua->c_locale);
        status = lua_pcall(L, 1, 0, 0);
        uselocale(locale);
        if (!status)
            return 0;
        message = lua_type(L, -1) == LUA_TSTRING ? lua_tostring(L, -1) : "an error";
    }
    if (text)
        snprintf(text, size, "%s", message);
    lua_settop(L, top);
    return status;
}

/* --- a new state -------------------------------------------------------------- */

static int on_panic(lua_State *L)
{
    sr_log_write(SR_LOG_CRITICAL, sr_lua_plugin_of(L)->name,
                 "an error that nothing catches: this is a bug of the Lua host");
    return 0;
}

static void set_field(lua_State *L, const char *name)
{
    const char *dot = strchr(name, '.'), *parent;

    if (!dot) {
        lua_setglobal(L, name);
        return;
    }
    parent = lua_pushlstring(L, name, (size_t)(dot - name));
    lua_pushglobaltable(L);
    luaL_getsubtable(L, -1, parent);
    lua_pushvalue(L, -4); /* the function, below parent, globals, table */
    lua_setfield(L, -2, dot + 1);
    lua_pop(L, 4);
}

static void open_additions(lua_State *L, const struct sr_lua *lua)
{
    for (size_t i = 0; i < lua->addition_count; i++) {
        const struct addition *addition = &lua->additions[i];

        lua_pushlightuserdata(L, addition->arg);
        if (addition->name) {
            lua_pushcclosure(L, addition->fn, 1);
            set_field(L, addition->name);
        } else {
            lua_pushcfunction(L, addition->fn);
            lua_insert(L, -2);
            lua_call(L, 1, 0);
        }
    }
}

static int open_all(lua_State *L)
{
    static const lua_CFunction parts[] = {
        sr_lua_open_sandbox,   sr_lua_open_code,       sr_lua_open_tables,
        sr_lua_open_strings,   sr_lua_open_coroutines, sr_lua_open_files,
        sr_lua_open_c8y,       sr_lua_open_log,        sr_lua_open_records,
        sr_lua_open_timers,    sr_lua_open_handlers,   sr_lua_open_operations,
        sr_lua_open_transfers, sr_lua_open_sockets,    sr_lua_open_http,
        sr_lua_open_processes, sr_lua_open_luv,
    };

    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++) {
        lua_pushcfunction(L, parts[i]);
        lua_call(L, 0, 0);
    }
    open_additions(L, sr_lua_plugin_of(L)->lua);
    return 0;
}

/* --- the file -------------------------------------------------------------------- */

struct file {
    const char *path;
    int status, error; /* of Lua; errno */
    int ref;           /* to its function */
};

static int load_file(lua_State *L)
{
    struct file *file = lua_touserdata(L, 1);

    errno = 0;
    file->status = luaL_loadfilex(L, file->path, "t");
    file->error = errno;
    if (file->status)
        return lua_error(L);
    file->ref = luaL_ref(L, LUA_REGISTRYINDEX);
    return 0;
}

static int rc_of(const struct file *file)
{
    if (file->status == LUA_ERRMEM)
        return SR_E_NOMEM;
    if (file->status == LUA_ERRFILE)
        return file->error == ENOENT ? SR_E_NOTFOUND : SR_E_IO;
    return SR_E_SYNTAX;
}

static int after_init(lua_State *L, int status, lua_KContext context)
{
    (void)status;
    (void)context;
    if (lua_type(L, -1) == LUA_TNUMBER && lua_tonumber(L, -1) == 0)
        return 0;
    return luaL_error(L, "init() returned %s, not 0", luaL_tolstring(L, -1, NULL));
}

static int after_file(lua_State *L, int status, lua_KContext context)
{
    (void)status;
    lua_settop(L, 0);
    if (lua_getglobal(L, "init") != LUA_TFUNCTION)
        return luaL_error(L, "there is no function init()");
    lua_callk(L, 0, 1, context, after_init);
    return after_init(L, LUA_OK, context);
}

/* Argument: the file's function. */
static int run_file(lua_State *L)
{
    lua_callk(L, 0, 0, 0, after_file);
    return after_file(L, LUA_OK, 0);
}

/* --- starting --------------------------------------------------------------------- */

static void on_started(void *owner, lua_State *co, bool ok)
{
    struct plugin *plugin = owner;

    (void)co;
    if (!ok) {
        plugin->load_rc = SR_E_REFUSED;
        sr_lua_plugin_stop(plugin, SR_LUA_FAILED);
        return;
    }
    plugin->state = SR_LUA_RUNNING;
    plugin->loads++;
    sr_log_write(SR_LOG_NOTICE, plugin->name, "loaded from %s", plugin->path);
}

static int push_start(lua_State *L, struct task *task, void *arg)
{
    (void)task;
    lua_rawgeti(L, LUA_REGISTRYINDEX, *(int *)arg);
    luaL_unref(L, LUA_REGISTRYINDEX, *(int *)arg);
    return 1;
}

static int make_start(lua_State *L)
{
    int *ref = lua_touserdata(L, 1);

    lua_pushcfunction(L, run_file);
    *ref = luaL_ref(L, LUA_REGISTRYINDEX);
    return 0;
}

static void start(struct plugin *plugin, int file)
{
    struct call call = {
        .kind = "init",
        .push = push_start,
        .arg = &file,
        .done = on_started,
        .owner = plugin,
    };

    plugin->state = SR_LUA_STARTING;
    plugin->load_rc = 0;
    plugin->failures_in_a_row = 0;
    *plugin->error = '\0';
    sr_lua_enter(plugin);
    if (sr_lua_protected(plugin, make_start, &call.fn, NULL, 0)) {
        sr_lua_count_failure(plugin, "init", "not enough memory");
        on_started(plugin, NULL, false);
    } else {
        sr_lua_call(plugin, &call);
        sr_lua_unref(plugin, call.fn);
    }
    sr_lua_leave(plugin);
}

/* The file is found to be Lua before what runs is unloaded for it. The state for this runs
 * nothing, and is bounded by the file's size. */
static int check_file(const char *path, size_t memory_max, char *text, size_t size)
{
    struct file file = { .path = path, .status = LUA_ERRMEM };
    struct stat info;
    lua_State *L;
    int rc = SR_E_NOMEM;

    if (stat(path, &info)) {
        snprintf(text, size, "%s: %s", path, strerror(errno));
        return errno == ENOENT ? SR_E_NOTFOUND : SR_E_IO;
    }
    if (!S_ISREG(info.st_mode) || (uintmax_t)info.st_size > memory_max) {
        snprintf(text, size, "%s: no regular file, or too large", path);
        return SR_E_IO;
    }
    snprintf(text, size, "out of memory");
    L = luaL_newstate();
    if (!L)
        return SR_E_NOMEM;
    lua_pushcfunction(L, load_file);
    lua_pushlightuserdata(L, &file);
    if (!lua_pcall(L, 1, 0, 0)) {
        rc = 0;
    } else {
        snprintf(text, size, "%s", lua_tostring(L, -1));
        rc = rc_of(&file);
    }
    lua_close(L);
    return rc;
}

static int make_state(struct plugin *plugin, int *ret_file, char *text, size_t size)
{
    struct file file = { .path = plugin->path };
    int status;

    plugin->memory = plugin->big = 0;
    plugin->files = 0;
    plugin->resp = plugin->connected = LUA_NOREF;
    plugin->memory_max = plugin->lua->options.memory_max;
    snprintf(text, size, "out of memory");
    plugin->L = lua_newstate(sr_lua_alloc, plugin);
    if (!plugin->L)
        return SR_E_NOMEM;
    *(struct plugin **)lua_getextraspace(plugin->L) = plugin;
    lua_atpanic(plugin->L, on_panic);
    sr_lua_limit_hook(plugin->L);
    sr_lua_limit_begin(plugin);
    status = sr_lua_protected(plugin, open_all, NULL, text, size);
    if (status)
        return status == LUA_ERRMEM ? SR_E_NOMEM : SR_E_REFUSED;
    if (sr_lua_protected(plugin, load_file, &file, text, size))
        return rc_of(&file);
    *ret_file = file.ref;
    return 0;
}

/* What ran goes on if the new file is no good, so its state stays as it is. */
static int refuse(struct plugin *plugin, int rc, const char *text)
{
    sr_log_write(SR_LOG_ERROR, plugin->name, "not loaded: %s", text);
    snprintf(plugin->error, sizeof plugin->error, "%s", text);
    return sr_lua_fail(plugin->lua, rc, "plugin '%s': %s", plugin->name, text);
}

int sr_lua_plugin_start(struct plugin *plugin)
{
    char text[512];
    int file, rc;

    plugin->todo = TODO_NOTHING;
    rc = check_file(plugin->path, plugin->lua->options.memory_max, text, sizeof text);
    if (rc)
        return refuse(plugin, rc, text);
    close_state(plugin);
    rc = make_state(plugin, &file, text, sizeof text);
    if (rc) {
        close_state(plugin);
        plugin->state = SR_LUA_FAILED;
        return refuse(plugin, rc, text);
    }
    start(plugin, file);
    if (plugin->load_rc)
        sr_lua_fail(plugin->lua, plugin->load_rc, "plugin '%s': %s", plugin->name,
                    plugin->error);
    return plugin->load_rc;
}

/* --- ending ------------------------------------------------------------------------ */

void sr_lua_plugin_stop(struct plugin *plugin, enum sr_lua_state state)
{
    plugin->stop_state = state;
    plugin->todo = TODO_STOP;
    if (plugin->depth == 0)
        sr_lua_plugin_settle(plugin);
}

void sr_lua_plugin_settle(struct plugin *plugin)
{
    const enum todo todo = plugin->todo;

    plugin->todo = TODO_NOTHING;
    if (todo == TODO_RELOAD) {
        sr_lua_plugin_start(plugin);
    } else if (todo == TODO_STOP) {
        close_state(plugin);
        plugin->state = plugin->stop_state;
    }
}
