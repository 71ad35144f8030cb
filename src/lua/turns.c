/* SPDX-License-Identifier: MIT */
/* Turns of the loop. A callback has run_ms, but many may be due at once, so a plugin that has
 * used half of that in a turn has its further callbacks postponed to the next turns: in order, and
 * none is lost. So it keeps the loop for less than twice run_ms, however much there is to do.
 *
 * A turn begins before the loop looks at its descriptors, with what was postponed. */
#include "lua/host.h"
#include <smartrest/loop.h>
#include <stdlib.h>
#include <uv.h>

#include <smartrest/log.h>

struct turns {
    uv_prepare_t uv; /* first */
    uv_idle_t *idle; /* active while somebody waits */
    struct sr_lua *lua;
};

bool sr_lua_is_spent(const struct plugin *plugin)
{
    return plugin->turn == plugin->lua->turn &&
           plugin->spent_ns >= (uint64_t)plugin->lua->options.run_ms * 500000u;
}

bool sr_lua_must_wait(const struct plugin *plugin)
{
    return plugin->jobs || sr_lua_is_spent(plugin);
}

/* --- postponed ------------------------------------------------------------------ */

static void do_nothing(uv_idle_t *idle)
{
    (void)idle; /* while it is active the loop does not sleep */
}

void sr_lua_postpone(struct plugin *plugin, struct job *job)
{
    if (job->plugin)
        return;
    job->plugin = plugin;
    job->next = NULL;
    job->at = plugin->jobs_end;
    *job->at = job;
    plugin->jobs_end = &job->next;
    uv_idle_start(plugin->lua->turns->idle, do_nothing);
}

void sr_lua_job_cancel(struct job *job)
{
    if (!job->plugin)
        return;
    *job->at = job->next;
    if (job->next)
        job->next->at = job->at;
    else
        job->plugin->jobs_end = job->at;
    job->plugin = NULL;
}

void sr_lua_overflow(struct plugin *plugin, const char *what, const char *why)
{
    plugin->dropped++;
    if (!plugin->overflowed)
        sr_log_write(
            SR_LOG_WARNING, plugin->name,
            "%s is dropped: %s (%u wait already, of %zu bytes; %llu dropped so "
            "far); further ones are counted only",
            what, why, plugin->queued, plugin->queued_bytes,
            (unsigned long long)plugin->dropped);
    plugin->overflowed = true;
}

bool sr_lua_queue(struct plugin *plugin, const char *what, size_t bytes)
{
    const size_t max = plugin->memory_max;
    const char *why = NULL;

    if (plugin->queued >= QUEUE_MAX)
        why = "too many wait";
    else if (plugin->queued_bytes && bytes && bytes + plugin->queued_bytes > max)
        why = "what waits takes too many bytes";
    if (why) {
        sr_lua_overflow(plugin, what, why);
        return false;
    }
    plugin->queued++;
    plugin->queued_bytes += bytes;
    return true;
}

void sr_lua_unqueue(struct plugin *plugin, size_t bytes)
{
    plugin->queued_bytes -= bytes;
    if (--plugin->queued == 0)
        plugin->overflowed = false;
}

void sr_lua_jobs_drop(struct plugin *plugin)
{
    struct job *job;

    while ((job = plugin->jobs)) {
        sr_lua_job_cancel(job);
        if (job->drop)
            job->drop(job);
    }
    plugin->queued = 0;
    plugin->queued_bytes = 0;
    plugin->overflowed = false;
}

/* --- turns ------------------------------------------------------------------------ */

static void work_off(struct plugin *plugin)
{
    struct job *job;

    sr_lua_enter(plugin);
    while ((job = plugin->jobs) && plugin->todo == TODO_NOTHING &&
           !sr_lua_is_spent(plugin)) {
        sr_lua_job_cancel(job);
        job->run(job);
    }
    sr_lua_leave(plugin);
}

/* That took time, of which the loop would otherwise know only behind its sleep. */
static void on_turn(uv_prepare_t *prepare)
{
    struct sr_lua *lua = ((struct turns *)prepare)->lua;
    bool more = false;

    lua->turn++;
    if (!uv_is_active((uv_handle_t *)lua->turns->idle))
        return;
    lua->depth++;
    for (size_t i = 0; i < lua->count; i++) {
        if (lua->plugins[i]->jobs)
            work_off(lua->plugins[i]);
        more = more || lua->plugins[i]->jobs;
    }
    uv_update_time(prepare->loop);
    if (!more)
        uv_idle_stop(lua->turns->idle);
    sr_lua_host_leave(lua);
}

static void free_handle(uv_handle_t *handle)
{
    free(handle);
}

int sr_lua_turns_new(struct sr_lua *lua)
{
    uv_loop_t *loop = sr_loop_uv(sr_agent_get_loop(lua->agent));
    struct turns *turns = calloc(1, sizeof *turns);
    uv_idle_t *idle = calloc(1, sizeof *idle);

    if (!turns || !idle) {
        free(turns);
        free(idle);
        return SR_E_NOMEM;
    }
    turns->lua = lua;
    turns->idle = idle;
    uv_prepare_init(loop, &turns->uv);
    uv_idle_init(loop, idle);
    uv_prepare_start(&turns->uv, on_turn);
    uv_unref((uv_handle_t *)&turns->uv);
    uv_unref((uv_handle_t *)idle);
    lua->turns = turns;
    lua->turn = 1;
    return 0;
}

void sr_lua_turns_free(struct turns *turns)
{
    if (!turns)
        return;
    uv_close((uv_handle_t *)turns->idle, free_handle);
    uv_close((uv_handle_t *)&turns->uv, free_handle);
}
