/* SPDX-License-Identifier: MIT */
#include "agent/dispatch.h"

#include "agent/agent_p.h"
#include "record/number.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SR_LOG_COMPONENT "agent"
#include <smartrest/log.h>

/* --- the table ---------------------------------------------------------- */

/* Its texts. */
static void release_handler(struct sr_handler *handler)
{
    free((void *)(uintptr_t)handler->id.text);
    free(handler->name);
}

void sr_dispatch_release(struct sr_dispatch *dispatch)
{
    for (size_t i = 0; i < dispatch->count; i++)
        release_handler(&dispatch->handlers[i]);
    free(dispatch->handlers);
    *dispatch = (struct sr_dispatch){ 0 };
}

struct sr_message_id sr_message_id(const char *text)
{
    struct sr_message_id id = { .number = 2166136261u, .text = text }; /* FNV-1a */
    uint64_t number;

    if (!sr_number_read_uint(text, strlen(text), &number) && number <= UINT32_MAX)
        return (struct sr_message_id){ .number = (uint32_t)number };
    for (const char *at = text; *at; at++)
        id.number = (id.number ^ (unsigned char)*at) * 16777619u;
    return id;
}

/* Index of the first handler whose id is not below `number`. */
static size_t lower_bound(const struct sr_dispatch *dispatch, uint32_t number)
{
    size_t low = 0, high = dispatch->count;

    while (low < high) {
        size_t mid = low + (high - low) / 2;

        if (dispatch->handlers[mid].id.number < number)
            low = mid + 1;
        else
            high = mid;
    }
    return low;
}

static bool same_text(const char *a, const char *b)
{
    return a && b ? !strcmp(a, b) : a == b;
}

static struct sr_handler *lookup(const struct sr_dispatch *dispatch,
                                 const struct sr_origin *origin,
                                 struct sr_message_id id)
{
    for (size_t i = lower_bound(dispatch, id.number);
         i < dispatch->count && dispatch->handlers[i].id.number == id.number; i++) {
        struct sr_handler *handler = &dispatch->handlers[i];

        if (handler->protocol == origin->protocol &&
            same_text(handler->name, origin->name) &&
            same_text(handler->id.text, id.text))
            return handler;
    }
    return NULL;
}

static void remove_handler(struct sr_dispatch *dispatch, struct sr_handler *handler)
{
    size_t behind = dispatch->count - (size_t)(handler - dispatch->handlers) - 1;

    release_handler(handler);
    memmove(handler, handler + 1, behind * sizeof *handler);
    dispatch->count--;
}

static int insert_handler(struct sr_dispatch *dispatch,
                          const struct sr_handler *handler)
{
    size_t at = lower_bound(dispatch, handler->id.number);

    if (dispatch->count == dispatch->cap) {
        size_t cap = dispatch->cap ? 2 * dispatch->cap : 16;
        struct sr_handler *more = realloc(dispatch->handlers, cap * sizeof *more);

        if (!more)
            return SR_E_NOMEM;
        dispatch->handlers = more;
        dispatch->cap = cap;
    }
    memmove(&dispatch->handlers[at + 1], &dispatch->handlers[at],
            (dispatch->count - at) * sizeof *handler);
    dispatch->handlers[at] = *handler;
    dispatch->count++;
    return 0;
}

/* Copies the texts of the key. Returns 0 or SR_E_NOMEM. */
static int add_handler(struct sr_dispatch *dispatch, struct sr_handler handler)
{
    int rc = SR_E_NOMEM;
    bool lacks = false;

    if (handler.name)
        lacks |= !(handler.name = strdup(handler.name));
    if (handler.id.text)
        lacks |= !(handler.id.text = strdup(handler.id.text));
    if (!lacks)
        rc = insert_handler(dispatch, &handler);
    if (rc)
        release_handler(&handler);
    return rc;
}

int sr_dispatch_set(struct sr_dispatch *dispatch, const struct sr_origin *origin,
                    struct sr_message_id id, sr_message_fn fn, void *arg)
{
    struct sr_handler *old = lookup(dispatch, origin, id);

    if (!fn) {
        if (old)
            remove_handler(dispatch, old);
        return 0;
    }
    if (old) {
        old->fn = fn;
        old->arg = arg;
        return 0;
    }
    return add_handler(dispatch,
                       (struct sr_handler){ .protocol = origin->protocol,
                                            .name = (char *)(uintptr_t)origin->name,
                                            .id = id,
                                            .fn = fn,
                                            .arg = arg });
}

bool sr_dispatch_find(const struct sr_dispatch *dispatch,
                      const struct sr_origin *origin, struct sr_message_id id,
                      struct sr_handler *ret_handler)
{
    const struct sr_handler *found = lookup(dispatch, origin, id);

    if (found)
        *ret_handler = *found;
    return found != NULL;
}

/* --- rows --------------------------------------------------------------- */

/* Where the next rows are from. */
struct scope {
    struct sr_origin base;      /* when a group is over */
    char name[SR_NAME_MAX + 1]; /* of the group */
    uint64_t left;              /* rows of the group still to come */
};

/* The agent's own collection goes by number and by name; handlers know it as NULL. */
static struct sr_origin canonical(const struct sr_agent *agent, struct sr_origin origin)
{
    if (origin.protocol == &sr_smartrest1 && origin.name &&
        ((agent->xid && !strcmp(origin.name, agent->xid)) ||
         (agent->srversion && !strcmp(origin.name, agent->srversion))))
        origin.name = NULL;
    return origin;
}

static bool open_group(struct scope *scope, const struct sr_group *group)
{
    if (!group->name)
        return false;
    snprintf(scope->name, sizeof scope->name, "%s", group->name);
    scope->left = group->rows;
    return true;
}

static struct sr_origin take_from(struct scope *scope)
{
    struct sr_origin origin = scope->base;

    if (scope->left) {
        scope->left--;
        origin.name = scope->name;
    }
    return origin;
}

static void tell_refusal(struct sr_agent *agent, struct sr_record *record)
{
    const char *row = NULL;
    size_t len = 0;
    uint64_t line;

    if (agent->reporter && !sr_record_uint(record, 1, &line))
        row = sr_reporter_cause(agent->reporter, line, &len);
    agent->refused(agent, record, row, row ? len : 0, agent->refused_arg);
}

/* A row that the platform refused, and nobody in the application cares: say it here. */
static void unhandled(struct sr_agent *agent, struct sr_record *record, bool refusal)
{
    if (!refusal)
        sr_debug("no handler for message %s", sr_record_value(record, 0));
    else if (!agent->refused && sr_flood_lets(&agent->floods.refused))
        sr_warning("the platform refused a row: %s,%s,%s,%s",
                   sr_record_value(record, 0), sr_record_value(record, 1),
                   sr_record_value(record, 2), sr_record_value(record, 3));
}

/* False if it is none. */
static bool read_id(const struct sr_protocol *protocol, struct sr_record *record,
                    struct sr_message_id *ret_id)
{
    uint64_t number;

    if (!sr_record_uint(record, 0, &number) && number <= UINT32_MAX) {
        *ret_id = (struct sr_message_id){ .number = (uint32_t)number };
        return true;
    }
    if (protocol->numeric_ids)
        return false;
    *ret_id = sr_message_id(sr_record_value(record, 0));
    return true;
}

static void handle(struct sr_agent *agent, const struct sr_origin *from,
                   struct sr_message_id id, struct sr_record *record)
{
    const struct sr_origin origin = canonical(agent, *from);
    const struct sr_protocol *protocol = origin.protocol;
    bool refusal = !id.text && protocol->refuses && protocol->refuses(id.number);
    struct sr_handler handler;

    if (sr_dispatch_find(&agent->dispatch, &origin, id, &handler))
        handler.fn(agent, record, handler.arg);
    else
        unhandled(agent, record, refusal);
    if (refusal && agent->refused && !agent->doomed)
        tell_refusal(agent, record);
}

/* False if it is malformed. */
static bool dispatch_row(struct sr_agent *agent, struct scope *scope,
                         struct sr_record *record)
{
    const struct sr_protocol *protocol = scope->base.protocol;
    struct sr_origin from;
    struct sr_message_id id;
    struct sr_group group;

    if (!read_id(protocol, record, &id)) {
        take_from(scope);
        return false;
    }
    if (protocol->group && !id.text && protocol->group(record, id.number, &group))
        return open_group(scope, &group);
    from = take_from(scope);
    handle(agent, &from, id, record);
    return true;
}

void sr_agent_received(void *arg, const struct sr_origin *origin, struct sr_rows *rows,
                       uint64_t *rows_seen, uint64_t *malformed)
{
    struct sr_agent *agent = arg;
    struct scope scope = { .base = *origin };

    for (size_t i = 0; i < rows->count && !agent->doomed; i++) {
        struct sr_record *record = sr_rows_at(rows, i);

        ++*rows_seen;
        if (!record)
            take_from(&scope); /* it was announced, too */
        else if (dispatch_row(agent, &scope, record))
            continue;
        ++*malformed;
        if (sr_flood_lets(&agent->floods.malformed))
            sr_warning("row %zu of a message is malformed", sr_rows_line(rows, i));
    }
}

void sr_agent_received_text(void *agent, const struct sr_origin *origin,
                            const char *text, size_t len, uint64_t *rows_seen,
                            uint64_t *malformed)
{
    struct sr_rows rows;

    sr_rows_read(&rows, text, len);
    sr_agent_received(agent, origin, &rows, rows_seen, malformed);
    sr_rows_release(&rows);
}

/* --- public ------------------------------------------------------------- */

static int set_handler(struct sr_agent *agent, const char *xid, uint32_t id,
                       sr_message_fn fn, void *arg)
{
    const struct sr_origin origin =
        canonical(agent, (struct sr_origin){ &sr_smartrest1, xid });

    return sr_dispatch_set(&agent->dispatch, &origin,
                           (struct sr_message_id){ .number = id }, fn, arg);
}

int sr_agent_on_message(struct sr_agent *agent, uint32_t id, sr_message_fn fn,
                        void *arg)
{
    return agent ? set_handler(agent, NULL, id, fn, arg) : SR_E_INVAL;
}

int sr_agent_on_xmessage(struct sr_agent *agent, const char *xid, uint32_t id,
                         sr_message_fn fn, void *arg)
{
    if (!agent)
        return SR_E_INVAL;
    if (!sr_id_valid(xid))
        return sr_agent_refuse_id(agent, "X-Id", xid);
    return set_handler(agent, xid, id, fn, arg);
}

int sr_agent_on_origin(struct sr_agent *agent, const char *protocol, const char *name,
                       const char *id, sr_message_fn fn, void *arg)
{
    struct sr_origin origin = { .name = name };
    int rc;

    if (!agent)
        return SR_E_INVAL;
    if (!id || strlen(id) > SR_NAME_MAX)
        return sr_agent_fail(agent, SR_E_INVAL, "a message id has at most %d bytes",
                             SR_NAME_MAX);
    rc = sr_agent_find_protocol(agent, protocol, name, &origin.protocol);
    if (rc)
        return rc;
    if (origin.protocol->numeric_ids && sr_message_id(id).text)
        return sr_agent_fail(agent, SR_E_INVAL, "'%.80s' is no message id of %s", id,
                             protocol);
    origin = canonical(agent, origin);
    rc = sr_dispatch_set(&agent->dispatch, &origin, sr_message_id(id), fn, arg);
    return rc ? sr_agent_fail(agent, rc, "out of memory") : 0;
}

void sr_agent_on_refused(struct sr_agent *agent, sr_refused_fn fn, void *arg)
{
    if (!agent)
        return;
    agent->refused = fn;
    agent->refused_arg = arg;
}
