/* SPDX-License-Identifier: MIT */
#include "agent/dispatch.h"

#include "agent/agent_p.h"
#include <stdlib.h>
#include <string.h>

#define SR_LOG_COMPONENT "agent"
#include <smartrest/log.h>

/* --- the table ---------------------------------------------------------- */

void sr_dispatch_release(struct sr_dispatch *dispatch)
{
    for (size_t i = 0; i < dispatch->count; i++)
        free(dispatch->handlers[i].xid);
    free(dispatch->handlers);
    *dispatch = (struct sr_dispatch){ 0 };
}

/* Index of the first handler whose id is not below `id`. */
static size_t lower_bound(const struct sr_dispatch *dispatch, uint32_t id)
{
    size_t low = 0, high = dispatch->count;

    while (low < high) {
        size_t mid = low + (high - low) / 2;

        if (dispatch->handlers[mid].id < id)
            low = mid + 1;
        else
            high = mid;
    }
    return low;
}

static bool same_xid(const char *a, const char *b)
{
    return a && b ? !strcmp(a, b) : a == b;
}

static struct sr_handler *lookup(const struct sr_dispatch *dispatch, const char *xid,
                                 uint32_t id)
{
    for (size_t i = lower_bound(dispatch, id);
         i < dispatch->count && dispatch->handlers[i].id == id; i++)
        if (same_xid(dispatch->handlers[i].xid, xid))
            return &dispatch->handlers[i];
    return NULL;
}

static void remove_handler(struct sr_dispatch *dispatch, struct sr_handler *handler)
{
    size_t behind = dispatch->count - (size_t)(handler - dispatch->handlers) - 1;

    free(handler->xid);
    memmove(handler, handler + 1, behind * sizeof *handler);
    dispatch->count--;
}

static int insert_handler(struct sr_dispatch *dispatch,
                          const struct sr_handler *handler)
{
    size_t at = lower_bound(dispatch, handler->id);

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

int sr_dispatch_set(struct sr_dispatch *dispatch, const char *xid, uint32_t id,
                    sr_message_fn fn, void *arg)
{
    struct sr_handler *old = lookup(dispatch, xid, id);
    struct sr_handler handler = { .id = id, .fn = fn, .arg = arg };
    int rc;

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
    handler.xid = xid ? strdup(xid) : NULL;
    if (xid && !handler.xid)
        return SR_E_NOMEM;
    rc = insert_handler(dispatch, &handler);
    if (rc)
        free(handler.xid);
    return rc;
}

bool sr_dispatch_find(const struct sr_dispatch *dispatch, const char *xid, uint32_t id,
                      struct sr_handler *ret_handler)
{
    const struct sr_handler *found = lookup(dispatch, xid, id);

    if (found)
        *ret_handler = *found;
    return found != NULL;
}

/* --- rows --------------------------------------------------------------- */

/* Which collection the next rows are of. */
struct scope {
    const char *base; /* where rows fall back to when a group is over; NULL: own */
    char xid[256];    /* of the group */
    uint64_t left;    /* rows of the group still to come */
};

/* The agent's own collection goes by number and by name; handlers know it as NULL. */
static const char *canonical(const struct sr_agent *agent, const char *xid)
{
    if (!xid || (agent->xid && !strcmp(xid, agent->xid)) ||
        (agent->srversion && !strcmp(xid, agent->srversion)))
        return NULL;
    return xid;
}

/* 87,<rows that follow>,<X-Id> */
static bool open_group(struct scope *scope, struct sr_record *record)
{
    const char *xid = sr_record_value(record, 2);
    uint64_t rows;
    size_t len;

    sr_record_bytes(record, 2, &len);
    if (sr_record_uint(record, 1, &rows) || strlen(xid) != len || !sr_id_valid(xid))
        return false;
    strcpy(scope->xid, xid);
    scope->left = rows;
    return true;
}

static const char *take_from(struct scope *scope)
{
    if (!scope->left)
        return scope->base;
    scope->left--;
    return scope->xid;
}

static bool is_refusal(uint64_t id)
{
    return id == 40 || id == 41 || id == 42 || id == 43 || id == 45 || id == 50;
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
static void unhandled(struct sr_agent *agent, struct sr_record *record, uint64_t id)
{
    if (!is_refusal(id))
        sr_debug("no handler for message %lu", (unsigned long)id);
    else if (!agent->refused && sr_flood_lets(&agent->floods.refused))
        sr_warning("the platform refused a row: %s,%s,%s,%s",
                   sr_record_value(record, 0), sr_record_value(record, 1),
                   sr_record_value(record, 2), sr_record_value(record, 3));
}

static bool dispatch_row(struct sr_agent *agent, struct scope *scope,
                         struct sr_record *record)
{
    struct sr_handler handler;
    const char *xid;
    uint64_t id;

    if (sr_record_uint(record, 0, &id) || id > UINT32_MAX) {
        take_from(scope);
        return false;
    }
    if (id == 87)
        return open_group(scope, record);
    xid = canonical(agent, take_from(scope));
    if (sr_dispatch_find(&agent->dispatch, xid, (uint32_t)id, &handler))
        handler.fn(agent, record, handler.arg);
    else
        unhandled(agent, record, id);
    if (is_refusal(id) && agent->refused && !agent->doomed)
        tell_refusal(agent, record);
    return true;
}

void sr_agent_received(void *arg, const char *xid, const char *rows, size_t len,
                       uint64_t *rows_seen, uint64_t *malformed)
{
    struct sr_agent *agent = arg;
    struct scope scope = { .base = xid };
    struct sr_parser parser;
    struct sr_record *record;
    int rc;

    sr_parser_init(&parser, rows, len);
    while (!agent->doomed && (rc = sr_parser_next(&parser, &record)) != SR_E_END) {
        if (rc == SR_E_NOMEM)
            break;
        ++*rows_seen;
        if (rc)
            take_from(&scope); /* it was announced, too */
        if (rc || !dispatch_row(agent, &scope, record)) {
            ++*malformed;
            if (sr_flood_lets(&agent->floods.malformed))
                sr_warning("row %zu of a message is malformed",
                           sr_parser_line(&parser));
        }
    }
    sr_parser_release(&parser);
}

int sr_agent_on_message(struct sr_agent *agent, uint32_t id, sr_message_fn fn,
                        void *arg)
{
    return agent ? sr_dispatch_set(&agent->dispatch, NULL, id, fn, arg) : SR_E_INVAL;
}

int sr_agent_on_xmessage(struct sr_agent *agent, const char *xid, uint32_t id,
                         sr_message_fn fn, void *arg)
{
    if (!agent)
        return SR_E_INVAL;
    if (!sr_id_valid(xid))
        return sr_agent_refuse_id(agent, "X-Id", xid);
    return sr_dispatch_set(&agent->dispatch, canonical(agent, xid), id, fn, arg);
}

void sr_agent_on_refused(struct sr_agent *agent, sr_refused_fn fn, void *arg)
{
    if (!agent)
        return;
    agent->refused = fn;
    agent->refused_arg = arg;
}
