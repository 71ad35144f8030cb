/* SPDX-License-Identifier: MIT */
/* c8y:send(row[, prio[, what]]) and what becomes of the row: `what` is a function, or a table
 * { ttl = seconds, delivered = function }. It is called once, with true, or with false and the
 * fate in a word. A row may outlive its plugin, and the host: then nobody is told. */
#include "lua/host.h"
#include <smartrest/outbox.h>
#include <stdlib.h>
#include <string.h>

enum { DELIVERIES_MAX = 10000 }; /* of a plugin */

struct delivery {
    struct plugin *plugin; /* NULL: gone */
    struct delivery *next, **at;
    struct job job;
    int fn;
    enum sr_fate fate;
};

static void unlink_delivery(struct delivery *delivery)
{
    *delivery->at = delivery->next;
    if (delivery->next)
        delivery->next->at = delivery->at;
    delivery->plugin->delivery_count--;
    delivery->plugin = NULL;
}

void sr_lua_deliveries_drop(struct plugin *plugin)
{
    while (plugin->deliveries)
        unlink_delivery(plugin->deliveries);
}

static int push_fate(lua_State *L, struct task *task, void *arg)
{
    const struct delivery *delivery = arg;

    (void)task;
    lua_pushboolean(L, delivery->fate == SR_FATE_DELIVERED);
    lua_pushstring(L, sr_fate_name(delivery->fate));
    return 2;
}

static void tell(struct delivery *delivery)
{
    struct plugin *plugin = delivery->plugin;
    const struct call call = {
        .kind = "delivery", .fn = delivery->fn, .push = push_fate, .arg = delivery
    };

    unlink_delivery(delivery);
    sr_lua_enter(plugin);
    sr_lua_call(plugin, &call);
    sr_lua_unref(plugin, delivery->fn);
    sr_lua_leave(plugin);
    free(delivery);
}

static void tell_late(struct job *job)
{
    tell(job->owner);
}

static void drop(struct job *job)
{
    unlink_delivery(job->owner);
    free(job->owner);
}

static void on_fate(void *arg, enum sr_fate fate)
{
    struct delivery *delivery = arg;

    delivery->fate = fate;
    if (!delivery->plugin)
        free(delivery);
    else if (sr_lua_must_wait(delivery->plugin))
        sr_lua_postpone(delivery->plugin, &delivery->job);
    else
        tell(delivery);
}

/* For the callback at `at`; linked, and to be taken back with unlink_delivery(). */
static struct delivery *new_delivery(lua_State *L, int at)
{
    struct plugin *plugin = sr_lua_plugin_of(L);
    struct delivery *delivery;
    int fn = sr_lua_ref_callback(L, at);

    delivery =
        plugin->delivery_count < DELIVERIES_MAX ? calloc(1, sizeof *delivery) : NULL;
    if (!delivery) {
        sr_lua_unref(plugin, fn);
        luaL_error(L,
                   "out of memory, or more than %d rows with a callback are under way",
                   (int)DELIVERIES_MAX);
        return NULL;
    }
    *delivery =
        (struct delivery){ .plugin = plugin, .next = plugin->deliveries, .fn = fn };
    delivery->job = (struct job){ .run = tell_late, .drop = drop, .owner = delivery };
    delivery->at = &plugin->deliveries;
    if (delivery->next)
        delivery->next->at = &delivery->next;
    plugin->deliveries = delivery;
    plugin->delivery_count++;
    return delivery;
}

/* Leaves the callback, or nil, on top. */
static void read_options(lua_State *L, int at, struct sr_send_options *options)
{
    lua_Number ttl;

    if (!lua_istable(L, at)) {
        lua_pushvalue(L, at);
        return;
    }
    lua_getfield(L, at, "ttl");
    sr_lua_charge(L, lua_rawlen(L, -1)); /* a text as a number */
    ttl = luaL_optnumber(L, -1, 0);
    luaL_argcheck(L, ttl >= 0 && ttl <= (lua_Number)UINT32_MAX, at, "ttl: seconds");
    options->ttl_s = ttl > 0 && ttl < 1 ? 1 : (uint32_t)ttl;
    lua_getfield(L, at, "delivered");
}

int sr_lua_send(lua_State *L, const char *row, int prio, int at)
{
    struct sr_send_options options = { .prio = prio };
    struct sr_agent *agent = sr_lua_plugin_of(L)->lua->agent;
    struct delivery *delivery;
    int rc;

    if (lua_isnoneornil(L, at))
        return sr_agent_send(agent, row, prio);
    read_options(L, at, &options);
    if (lua_isnil(L, -1))
        return sr_agent_send_with(agent, row, &options);
    delivery = new_delivery(L, lua_gettop(L));
    options.delivered = on_fate;
    options.arg = delivery;
    rc = sr_agent_send_with(agent, row, &options);
    if (rc) {
        sr_lua_unref(delivery->plugin, delivery->fn);
        unlink_delivery(delivery);
        free(delivery);
    }
    return rc;
}
