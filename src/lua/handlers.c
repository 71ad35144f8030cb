/* SPDX-License-Identifier: MIT */
/* c8y:addMsgHandler(id, fn), c8y:addXMsgHandler(xid, id, fn), c8y:on(id, fn).
 *
 * The agent has one handler for a message id. Plugins must not take messages from one
 * another, so the host is that handler, and calls those of all plugins in turn; unless the
 * option last_handler says that the later one takes it, as with the vendor's. A plugin
 * handles the messages of an id one after the other: while its handler waits, more of them
 * wait in a queue. */
#include "lua/host.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <smartrest/log.h>

/* A message id of a collection. */
struct slot {
    struct sr_lua *lua;
    struct slot *next;
    struct handler *handlers;
    uint32_t id;
    char xid[]; /* "": the agent's own */
};

/* A row that waits: for the handler, which is at work, or for the next turn. */
struct message {
    struct job job;
    struct message *next;
    struct handler *handler;
    struct sr_record *record;
    size_t bytes; /* that it takes here */
};

struct handler {
    struct slot *slot;
    struct handler *next;           /* of the slot */
    struct handler *next_of_plugin; /* of its plugin */
    struct plugin *plugin;          /* NULL: to be swept away */
    int fn;
    bool at_work;    /* its callback waits */
    bool draining;   /* what has queued up is being handled */
    bool removed;    /* by the plugin; goes once nobody needs it */
    uint64_t number; /* of all that there have been */
    struct message *queue, **queue_end;
    struct job job;     /* the queue, in a later turn */
    unsigned postponed; /* messages that wait for a later turn, and not yet for this */
};

/* --- slots ---------------------------------------------------------------------- */

static void on_message(struct sr_agent *agent, struct sr_record *record, void *arg);

static int set_slot(struct slot *slot, sr_message_fn fn)
{
    struct sr_agent *agent = slot->lua->agent;

    if (*slot->xid)
        return sr_agent_on_xmessage(agent, slot->xid, slot->id, fn, slot);
    return sr_agent_on_message(agent, slot->id, fn, slot);
}

static int find_slot(struct sr_lua *lua, const char *xid, uint32_t id,
                     struct slot **ret_slot)
{
    struct slot *slot;
    int rc;

    for (slot = lua->slots; slot; slot = slot->next)
        if (slot->id == id && !strcmp(slot->xid, xid)) {
            *ret_slot = slot;
            return 0;
        }
    slot = calloc(1, sizeof *slot + strlen(xid) + 1);
    if (!slot)
        return SR_E_NOMEM;
    slot->lua = lua;
    slot->id = id;
    strcpy(slot->xid, xid);
    rc = set_slot(slot, on_message);
    if (rc) {
        free(slot);
        return rc;
    }
    slot->next = lua->slots;
    lua->slots = slot;
    *ret_slot = slot;
    return 0;
}

/* It is no longer counted. */
static void free_message(struct message *message)
{
    sr_record_free(message->record);
    free(message);
}

static void free_handler(struct handler *handler)
{
    struct message *message;

    while ((message = handler->queue)) {
        handler->queue = message->next;
        free_message(message);
    }
    free(handler);
}

/* Removes dead handlers; true if none is left. */
static bool sweep_slot(struct slot *slot)
{
    struct handler **at = &slot->handlers, *handler;

    while ((handler = *at)) {
        if (handler->plugin) {
            at = &handler->next;
        } else {
            *at = handler->next;
            free_handler(handler);
        }
    }
    return !slot->handlers;
}

void sr_lua_handlers_sweep(struct sr_lua *lua)
{
    struct slot **at = &lua->slots, *slot;

    if (!lua->sweep)
        return;
    lua->sweep = false;
    while ((slot = *at)) {
        if (sweep_slot(slot)) {
            *at = slot->next;
            set_slot(slot, NULL);
            free(slot);
        } else {
            at = &slot->next;
        }
    }
}

static void forget(struct handler *handler)
{
    struct plugin *plugin = handler->plugin;
    struct handler **at = &plugin->handlers;

    for (struct message *m = plugin->closing ? NULL : handler->queue; m; m = m->next)
        sr_lua_unqueue(plugin, m->bytes);
    sr_lua_job_cancel(&handler->job);
    while (*at != handler)
        at = &(*at)->next_of_plugin;
    *at = handler->next_of_plugin;
    plugin->handler_count--;
    handler->plugin = NULL;
    plugin->lua->sweep = true;
}

static void forget_if_removed(struct handler *handler)
{
    if (handler->plugin && handler->removed && !handler->at_work && !handler->postponed)
        forget(handler);
}

static void remove_handler(struct handler *handler)
{
    handler->removed = true;
    sr_lua_unref(handler->plugin, handler->fn);
    forget_if_removed(handler);
}

void sr_lua_handlers_drop(struct plugin *plugin)
{
    while (plugin->handlers)
        forget(plugin->handlers);
}

/* --- messages --------------------------------------------------------------------- */

static int push_record(lua_State *L, struct task *task, void *record)
{
    sr_lua_push_record(L, record, task);
    return 1;
}

static void on_done(void *owner, lua_State *co, bool ok);

static void handle(struct handler *handler, struct sr_record *record)
{
    const struct call call = {
        .kind = "handler",
        .fn = handler->fn,
        .push = push_record,
        .arg = record,
        .done = on_done,
        .owner = handler,
    };

    handler->at_work = true;
    sr_lua_call(handler->plugin, &call);
}

static void append_message(struct message *message)
{
    struct handler *handler = message->handler;

    message->next = NULL;
    *handler->queue_end = message;
    handler->queue_end = &message->next;
}

/* Of a message that waits: its copy has the row twice, and a span for each value. */
static size_t bytes_of(const struct sr_record *record)
{
    size_t offset, len;

    sr_record_range(record, &offset, &len);
    return sizeof(struct message) + sr_record_size(record) * sizeof(struct sr_span) +
           2 * len;
}

/* NULL: there are too many already, or there is no memory. */
static struct message *new_message(struct handler *handler,
                                   const struct sr_record *record)
{
    const size_t bytes = bytes_of(record);
    struct plugin *plugin = handler->plugin;
    struct message *message;
    char what[64];

    snprintf(what, sizeof what, "message %lu", (unsigned long)handler->slot->id);
    if (!sr_lua_queue(plugin, what, bytes))
        return NULL;
    message = calloc(1, sizeof *message);
    if (!message || sr_record_copy(record, &message->record)) {
        free(message);
        sr_lua_unqueue(plugin, bytes);
        sr_lua_overflow(plugin, what, "out of memory");
        return NULL;
    }
    message->handler = handler;
    message->bytes = bytes;
    return message;
}

/* What has queued up behind a handler that has waited. */
static void drain(struct handler *handler)
{
    handler->draining = true;
    while (!handler->at_work && handler->queue && !handler->removed &&
           handler->plugin->todo == TODO_NOTHING) {
        struct message *message = handler->queue;

        if (sr_lua_is_spent(handler->plugin)) {
            sr_lua_postpone(handler->plugin, &handler->job);
            break;
        }
        handler->queue = message->next;
        if (!handler->queue)
            handler->queue_end = &handler->queue;
        sr_lua_unqueue(handler->plugin, message->bytes);
        handle(handler, message->record);
        free_message(message);
    }
    handler->draining = false;
    forget_if_removed(handler);
}

static void drain_late(struct job *job)
{
    drain(job->owner);
}

static void on_done(void *owner, lua_State *co, bool ok)
{
    struct handler *handler = owner;

    (void)co;
    (void)ok;
    handler->at_work = false;
    if (!handler->draining)
        drain(handler);
}

static void handle_late(struct job *job)
{
    struct message *message = job->owner;
    struct handler *handler = message->handler;

    handler->postponed--;
    if (!handler->removed && (handler->at_work || handler->queue)) {
        append_message(message);
        return;
    }
    sr_lua_unqueue(handler->plugin, message->bytes);
    if (!handler->removed)
        handle(handler, message->record);
    free_message(message);
    forget_if_removed(handler);
}

static void drop(struct job *job)
{
    free_message(job->owner);
}

static void postpone(struct message *message)
{
    message->job = (struct job){ .run = handle_late, .drop = drop, .owner = message };
    message->handler->postponed++;
    sr_lua_postpone(message->handler->plugin, &message->job);
}

static void deliver(struct handler *handler, struct sr_record *record)
{
    struct plugin *plugin = handler->plugin;
    struct message *message;

    sr_lua_enter(plugin);
    if (sr_lua_must_wait(plugin)) {
        message = new_message(handler, record);
        if (message)
            postpone(message);
    } else if (handler->at_work || handler->queue) {
        message = new_message(handler, record);
        if (message)
            append_message(message);
    } else {
        handle(handler, record);
    }
    sr_lua_leave(plugin);
}

static void on_message(struct sr_agent *agent, struct sr_record *record, void *arg)
{
    struct slot *slot = arg;
    struct sr_lua *lua = slot->lua;
    const uint64_t before = lua->handler_number; /* those of a reload come next time */

    (void)agent;
    lua->depth++;
    for (struct handler *handler = slot->handlers; handler; handler = handler->next)
        if (handler->plugin && !handler->removed && handler->number < before)
            deliver(handler, record);
    sr_lua_host_leave(lua);
}

/* --- as Lua sees it ------------------------------------------------------------------ */

static struct handler *find_handler(struct plugin *plugin, const struct slot *slot)
{
    for (struct handler *h = plugin->handlers; h; h = h->next_of_plugin)
        if (h->slot == slot && !h->removed)
            return h;
    return NULL;
}

static void append(struct slot *slot, struct handler *handler)
{
    struct handler **at = &slot->handlers;

    while (*at)
        at = &(*at)->next;
    *at = handler;
}

/* Two plugins for one message id are rare, and often a mistake: the log has it. */
static void meet_others(struct plugin *plugin, struct slot *slot)
{
    const bool last = plugin->lua->options.last_handler;

    for (struct handler *h = slot->handlers; h; h = h->next) {
        if (!h->plugin || h->plugin == plugin || h->removed)
            continue;
        sr_log_write(
            SR_LOG_NOTICE, plugin->name,
            last ? "message %lu is now this plugin's, and no longer that of '%s'"
                 : "message %lu is handled by this plugin and by '%s'",
            (unsigned long)slot->id, h->plugin->name);
        if (last)
            remove_handler(h);
    }
}

static int add_to(lua_State *L, struct slot *slot, int fn)
{
    struct plugin *plugin = sr_lua_plugin_of(L);
    struct handler *handler = find_handler(plugin, slot);

    if (handler) {
        sr_lua_unref(plugin, handler->fn);
        handler->fn = fn;
        return 0;
    }
    handler = plugin->handler_count < HANDLERS_MAX ? calloc(1, sizeof *handler) : NULL;
    if (!handler) {
        plugin->lua->sweep = true; /* the slot may be new */
        return luaL_error(L, "out of memory, or more than %d handlers",
                          (int)HANDLERS_MAX);
    }
    *handler = (struct handler){ .slot = slot, .plugin = plugin, .fn = fn };
    handler->number = plugin->lua->handler_number++;
    handler->queue_end = &handler->queue;
    handler->job = (struct job){ .run = drain_late, .owner = handler };
    handler->next_of_plugin = plugin->handlers;
    plugin->handlers = handler;
    plugin->handler_count++;
    meet_others(plugin, slot);
    append(slot, handler);
    return 0;
}

/* The id is at `at`, the function behind it; nil removes. */
static int add(lua_State *L, const char *xid, int at)
{
    struct plugin *plugin = sr_lua_plugin_of(L);
    lua_Integer id;
    struct slot *slot;
    struct handler *handler;
    int fn, rc;

    sr_lua_charge(L, lua_rawlen(L, at)); /* a text as a number */
    id = luaL_checkinteger(L, at);
    luaL_argcheck(L, id >= 0 && id <= (lua_Integer)UINT32_MAX, at, "not a message id");
    fn = lua_isnil(L, at + 1) ? LUA_NOREF : sr_lua_ref_callback(L, at + 1);
    rc = find_slot(plugin->lua, xid, (uint32_t)id, &slot);
    if (rc)
        return luaL_error(L, "X-Id '%s': %s", xid, sr_strerror(rc));
    if (fn != LUA_NOREF)
        return add_to(L, slot, fn);
    handler = find_handler(plugin, slot);
    if (handler)
        remove_handler(handler);
    plugin->lua->sweep = true;
    return 0;
}

static int add_msg_handler(lua_State *L)
{
    return add(L, "", 2);
}

static int add_x_msg_handler(lua_State *L)
{
    const char *xid = luaL_checkstring(L, 2);

    luaL_argcheck(L, *xid, 2, "an X-Id is not empty");
    return add(L, xid, 3);
}

int sr_lua_open_handlers(lua_State *L)
{
    static const luaL_Reg functions[] = {
        {"addMsgHandler",   add_msg_handler  },
        { "on",             add_msg_handler  },
        { "addXMsgHandler", add_x_msg_handler},
        { NULL,             NULL             },
    };

    lua_getglobal(L, "c8y");
    luaL_setfuncs(L, functions, 0);
    return 0;
}
