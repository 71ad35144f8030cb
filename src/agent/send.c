/* SPDX-License-Identifier: MIT */
#include "agent/agent_p.h"
#include <smartrest/row.h>
#include <string.h>

/* Is `text` one or more rows, whose first begins with `ids` values that are not empty? */
static bool is_rows(const char *text, size_t len, size_t ids)
{
    struct sr_lexer lexer;
    struct sr_span span;
    enum sr_token token;
    size_t in_first = 0;
    bool first_row = true;

    sr_lexer_init(&lexer, text, len);
    while ((token = sr_lexer_next(&lexer, &span)) != SR_TOKEN_END) {
        if (token == SR_TOKEN_ERROR)
            return false;
        if (token == SR_TOKEN_NEWLINE)
            first_row = false;
        else if (first_row && in_first++ < ids && (!span.len || span.quoted))
            return false; /* no id, no row */
    }
    return in_first >= ids;
}

static size_t without_line_ends(const char *text)
{
    size_t len = strlen(text);

    while (len && (text[len - 1] == '\n' || text[len - 1] == '\r'))
        len--;
    return len;
}

/* The X-Id in front of a row with SR_PRIO_XID. */
static bool begins_with_xid(const char *row)
{
    char xid[SR_ID_MAX + 1];
    size_t len = strcspn(row, ",");

    if (len > SR_ID_MAX)
        return false;
    memcpy(xid, row, len);
    xid[len] = '\0';
    return sr_id_valid(xid);
}

static int check(const char *row, size_t len, int prio)
{
    bool with_xid = prio & SR_PRIO_XID;

    if (len > SR_ROW_MAX)
        return SR_E_TOOBIG;
    if (!is_rows(row, len, with_xid ? 2 : 1))
        return SR_E_SYNTAX;
    return with_xid && !begins_with_xid(row) ? SR_E_SYNTAX : 0;
}

/* Says why in sr_agent_error(), which is the making thread's: other threads have `rc` alone. */
static int explain(struct sr_agent *agent, int rc, const char *row)
{
    size_t len;

    if (!rc || !pthread_equal(pthread_self(), agent->thread))
        return rc;
    len = row ? without_line_ends(row) : 0;
    switch (rc) {
    case SR_E_INVAL: return sr_agent_fail(agent, rc, "no row, or unknown flags of it");
    case SR_E_TOOBIG:
        return sr_agent_fail(agent, rc, "a row of %zu bytes: %d are the most", len,
                             SR_ROW_MAX);
    case SR_E_SYNTAX: return sr_agent_fail(agent, rc, "this is no row: %.60s", row);
    default:
        return sr_agent_fail(agent, rc, "the row is not kept: %s", sr_strerror(rc));
    }
}

static int send_with(struct sr_agent *agent, const char *row,
                     const struct sr_send_options *options)
{
    static const struct sr_send_options none = { 0 };
    struct sr_outbox_row put;
    bool due = false;
    int rc;

    if (!options)
        options = &none;
    if (!row || (options->prio & ~(SR_PRIO_BUF | SR_PRIO_XID)))
        return SR_E_INVAL;
    if (agent->closing)
        return SR_E_STOPPED;
    put = (struct sr_outbox_row){
        .text = row,
        .len = without_line_ends(row),
        .prio = options->prio,
        .ttl_s = options->ttl_s,
        .told = options->delivered,
        .arg = options->arg,
    };
    rc = check(row, put.len, put.prio);
    if (!rc)
        rc = sr_outbox_put(agent->outbox, &put, sr_now_ms(), &due);
    if (!rc && due)
        sr_loop_wake(agent->loop);
    return rc;
}

int sr_agent_send_with(struct sr_agent *agent, const char *row,
                       const struct sr_send_options *options)
{
    return agent ? explain(agent, send_with(agent, row, options), row) : SR_E_INVAL;
}

int sr_agent_send(struct sr_agent *agent, const char *row, int prio)
{
    return sr_agent_send_with(agent, row, &(struct sr_send_options){ .prio = prio });
}

static int sendf(struct sr_agent *agent, int prio, const char *format, va_list args)
{
    struct sr_row row;
    int rc;

    if (!agent)
        return SR_E_INVAL;
    sr_row_init(&row, SR_ROW_MAX);
    sr_row_vformat(&row, format, args);
    rc = sr_row_error(&row);
    if (!rc)
        rc = sr_agent_send(agent, sr_row_text(&row), prio);
    else if (pthread_equal(pthread_self(), agent->thread))
        sr_agent_fail(agent, rc, "no row can be made by '%.60s': %s",
                      format ? format : "NULL", sr_strerror(rc));
    sr_row_release(&row);
    return rc;
}

int sr_agent_sendf(struct sr_agent *agent, const char *format, ...)
{
    va_list args;
    int rc;

    va_start(args, format);
    rc = sendf(agent, 0, format, args);
    va_end(args);
    return rc;
}

int sr_agent_sendf_prio(struct sr_agent *agent, int prio, const char *format, ...)
{
    va_list args;
    int rc;

    va_start(args, format);
    rc = sendf(agent, prio, format, args);
    va_end(args);
    return rc;
}
