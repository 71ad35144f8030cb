/* SPDX-License-Identifier: MIT */
/* One callback under way:
 *
 *            call          results
 *     idle --------> runs ---------> idle, kept for the next one
 *                    |  ^  error
 *               wait |  | wake ----> gone
 *                    v  |
 *                   waits
 */
#include "lua/host.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <smartrest/log.h>

/* --- making and keeping --------------------------------------------------- */

static int new_coroutine(lua_State *L)
{
    struct task *task = lua_touserdata(L, 1);

    task->co = lua_newthread(L);
    task->co_ref = luaL_ref(L, LUA_REGISTRYINDEX);
    return 0;
}

static struct task *take_task(struct plugin *plugin)
{
    struct task *task = plugin->idle;

    if (task) {
        plugin->idle = task->next;
        plugin->idle_count--;
    } else {
        task = calloc(1, sizeof *task);
        if (!task)
            return NULL;
        task->plugin = plugin;
        task->co_ref = task->resp = LUA_NOREF;
        if (sr_lua_protected(plugin, new_coroutine, task, NULL, 0)) {
            free(task);
            return NULL;
        }
    }
    task->next = plugin->tasks;
    plugin->tasks = task;
    return task;
}

static void unlink_task(struct task *task)
{
    struct task **at = &task->plugin->tasks;

    while (*at != task)
        at = &(*at)->next;
    *at = task->next;
}

static void free_op(struct task *task)
{
    struct op *op = task->op;

    task->op = NULL;
    if (op) {
        if (!op->done)
            task->plugin->waiting--;
        op->free(op);
    }
}

static void let_go(struct task *task)
{
    free_op(task);
    if (task->record)
        sr_lua_record_end(task->record);
    task->record = NULL;
    sr_lua_unref(task->plugin, task->resp);
    task->resp = LUA_NOREF;
    task->resp_set = false;
}

static void discard(struct task *task)
{
    unlink_task(task);
    let_go(task);
    sr_lua_kill(task->co);
    sr_lua_unref(task->plugin, task->co_ref);
    free(task);
}

static void keep(struct task *task)
{
    struct plugin *plugin = task->plugin;

    lua_settop(task->co, 0);
    if (plugin->idle_count == IDLE_MAX) {
        discard(task);
        return;
    }
    let_go(task);
    unlink_task(task);
    task->next = plugin->idle;
    plugin->idle = task;
    plugin->idle_count++;
}

void sr_lua_tasks_drop(struct plugin *plugin)
{
    struct task *task;

    while ((task = plugin->tasks)) {
        plugin->tasks = task->next;
        free_op(task);
        if (task->record)
            sr_lua_record_end(task->record);
        free(task);
    }
    while ((task = plugin->idle)) {
        plugin->idle = task->next;
        free(task);
    }
    plugin->idle_count = 0;
}

/* --- failures ---------------------------------------------------------------- */

void sr_lua_log_failure(struct plugin *plugin, const char *what, const char *text)
{
    size_t len = strcspn(text, "\n");

    sr_log_write(SR_LOG_ERROR, plugin->name, "%s: %.*s", what, (int)len, text);
    for (text += len; *text; text += len) {
        text++;
        len = strcspn(text, "\n");
        if (len)
            sr_log_write(SR_LOG_ERROR, plugin->name, "%.*s", (int)len, text);
    }
}

void sr_lua_count_failure(struct plugin *plugin, const char *what, const char *text)
{
    const unsigned max = plugin->lua->options.failures_max;

    sr_lua_log_failure(plugin, what, text);
    snprintf(plugin->error, sizeof plugin->error, "%s: %.*s", what,
             (int)strcspn(text, "\n"), text);
    plugin->failures++;
    plugin->failures_in_a_row++;
    if (plugin->state != SR_LUA_RUNNING || plugin->failures_in_a_row < max)
        return;
    sr_log_write(SR_LOG_CRITICAL, plugin->name,
                 "stopped after %llu failures in a row; reload it to try again",
                 (unsigned long long)plugin->failures_in_a_row);
    if (plugin->todo == TODO_NOTHING)
        sr_lua_plugin_stop(plugin, SR_LUA_STOPPED);
}

void sr_lua_count_success(struct plugin *plugin)
{
    plugin->failures_in_a_row = 0;
}

struct trace {
    lua_State *co;
    const char *text; /* NULL: what is on top of `co` */
};

static const char *text_of(lua_State *L, lua_State *co)
{
    if (lua_gettop(co) == 0)
        return "no message";
    if (lua_type(co, -1) == LUA_TSTRING)
        return lua_tostring(co, -1);
    return lua_pushfstring(L, "an error that is a %s", luaL_typename(co, -1));
}

static int trace(lua_State *L)
{
    struct trace *trace = lua_touserdata(L, 1);
    const char *text = trace->text ? trace->text : text_of(L, trace->co);

    luaL_traceback(L, trace->co, text, 0);
    lua_error(L); /* as the message, which sr_lua_protected() copies */
    return 0;
}

static void report(struct task *task, int status, bool expired)
{
    struct trace arg = { .co = task->co };
    char text[2048];

    if (status == LUA_YIELD)
        arg.text = "coroutine.yield() outside of a coroutine";
    else if (status == LUA_OK && expired)
        arg.text = "ran too long without a pause, and hid that";
    sr_lua_protected(task->plugin, trace, &arg, text, sizeof text);
    sr_lua_count_failure(task->plugin, task->what, text);
}

/* --- running ------------------------------------------------------------------ */

static void finish(struct task *task, int status, bool expired)
{
    void (*done)(void *, lua_State *, bool) = task->done;
    void *owner = task->owner;
    const bool ok = status == LUA_OK && !expired;

    if (ok)
        sr_lua_count_success(task->plugin);
    else
        report(task, status, expired);
    if (done)
        done(owner, ok ? task->co : NULL, ok);
    if (ok)
        keep(task);
    else
        discard(task);
}

/* True if it waits. */
static bool run(struct task *task, int args)
{
    struct plugin *plugin = task->plugin;
    struct task *outer = plugin->current;
    bool waits, expired;
    int status, results;
    locale_t locale = uselocale(plugin->lua->c_locale); /* of this thread */
    lua_State *before;

    if (!outer)
        sr_lua_limit_begin(plugin);
    plugin->current = task;
    before = sr_lua_limit_switch(plugin, task->co);
    status = sr_lua_resume(task->co, plugin->L, args, &results);
    sr_lua_limit_switch(plugin, before);
    plugin->current = outer;
    uselocale(locale);
    expired = plugin->expired;
    if (!outer)
        sr_lua_limit_end(plugin);

    waits = status == LUA_YIELD && task->op && !task->op->done && !expired;
    if (waits && task->record)
        sr_lua_record_keep(task->record);
    if (!waits)
        finish(task, status, expired);
    return waits;
}

struct preparation {
    struct task *task;
    const struct call *call;
    int args;
};

static void push_function(lua_State *L, struct task *task, const struct call *call)
{
    lua_rawgeti(L, LUA_REGISTRYINDEX, call->fn);
    if (lua_type(L, -1) != LUA_TSTRING) {
        snprintf(task->what, sizeof task->what, "%s", call->kind);
        return;
    }
    snprintf(task->what, sizeof task->what, "%s '%s'", call->kind, lua_tostring(L, -1));
    lua_pushglobaltable(L);
    lua_insert(L, -2);
    lua_rawget(L, -2);
    lua_remove(L, -2);
    if (!lua_isfunction(L, -1))
        luaL_error(L, "there is no function of that name");
}

static int prepare(lua_State *L)
{
    struct preparation *p = lua_touserdata(L, 1);
    struct task *task = p->task;

    push_function(L, task, p->call);
    p->args = p->call->push ? p->call->push(L, task, p->call->arg) : 0;
    if (!lua_checkstack(task->co, p->args + 1))
        return luaL_error(L, "not enough memory");
    lua_xmove(L, task->co, p->args + 1);
    return 0;
}

static void refuse(struct plugin *plugin, const struct call *call, struct task *task,
                   const char *text)
{
    sr_lua_count_failure(plugin, task ? task->what : call->kind, text);
    if (call->done)
        call->done(call->owner, NULL, false);
    if (task)
        discard(task);
}

bool sr_lua_call(struct plugin *plugin, const struct call *call)
{
    struct preparation p = { .call = call };
    char text[256];

    plugin->calls++;
    p.task = take_task(plugin);
    if (!p.task) {
        refuse(plugin, call, NULL, "not enough memory");
        return false;
    }
    p.task->done = call->done;
    p.task->owner = call->owner;
    if (sr_lua_protected(plugin, prepare, &p, text, sizeof text)) {
        refuse(plugin, call, p.task, text);
        return false;
    }
    return run(p.task, p.args);
}

static void begin_late(struct job *job)
{
    struct task *task = job->owner;

    sr_lua_unqueue(task->plugin, 0);
    run(task, task->args);
}

void sr_lua_call_pushed(struct plugin *plugin, const char *what, int args)
{
    const bool late = sr_lua_must_wait(plugin);
    struct task *task;

    if (late && !sr_lua_queue(plugin, what, 0)) {
        lua_pop(plugin->L, args + 1);
        return;
    }
    task = take_task(plugin);
    plugin->calls++;
    if (!task || !lua_checkstack(task->co, args + 1)) {
        lua_pop(plugin->L, args + 1);
        if (late)
            sr_lua_unqueue(plugin, 0);
        sr_lua_count_failure(plugin, what, "not enough memory");
        if (task)
            discard(task);
        return;
    }
    task->done = NULL;
    snprintf(task->what, sizeof task->what, "%s", what);
    lua_xmove(plugin->L, task->co, args + 1);
    if (late) {
        task->args = args;
        task->job = (struct job){ .run = begin_late, .owner = task };
        sr_lua_postpone(plugin, &task->job);
    } else {
        run(task, args);
    }
}

/* --- waiting ------------------------------------------------------------------- */

void sr_lua_check_wait(lua_State *L, const char *what)
{
    struct plugin *plugin = sr_lua_plugin_of(L);

    if (!plugin->current || plugin->no_wait || !lua_isyieldable(L))
        luaL_error(L,
                   "%s cannot wait here: not while a module is loaded, nor inside of "
                   "a function that C code calls",
                   what);
}

static int take(lua_State *L, struct task *task)
{
    int results = task->op->push(L, task->op);

    free_op(task);
    return results;
}

static int on_resumed(lua_State *L, int status, lua_KContext number)
{
    struct task *task = sr_lua_plugin_of(L)->current;

    (void)status;
    if (!task || !task->op || !task->op->done || task->op->number != (uint64_t)number)
        return luaL_error(L, "resumed while it waits");
    return take(L, task);
}

int sr_lua_wait(lua_State *L, struct op *op)
{
    struct plugin *plugin = sr_lua_plugin_of(L);
    struct task *task = plugin->current;

    free_op(task);
    op->task = task;
    op->number = ++plugin->ops;
    task->op = op;
    if (op->done)
        return take(L, task);
    plugin->waiting++;
    return lua_yieldk(L, 0, (lua_KContext)op->number, on_resumed);
}

static void go_on(struct job *job)
{
    run(job->owner, 0);
}

void sr_lua_wake(struct op *op)
{
    struct task *task = op->task;
    struct plugin *plugin = task->plugin;

    op->done = true;
    plugin->waiting--;
    if (sr_lua_must_wait(plugin)) {
        task->job = (struct job){ .run = go_on, .owner = task };
        sr_lua_postpone(plugin, &task->job);
        return;
    }
    sr_lua_enter(plugin);
    run(task, 0);
    sr_lua_leave(plugin);
}
