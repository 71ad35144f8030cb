/* SPDX-License-Identifier: MIT */
#include "agent/agent_p.h"
#include "protocol/protocol.h"
#include <smartrest/row.h>
#include <string.h>

static size_t without_line_ends(const char *text)
{
    size_t len = strlen(text);

    while (len && (text[len - 1] == '\n' || text[len - 1] == '\r'))
        len--;
    return len;
}

/* The X-Id in front of a row with SR_PRIO_XID names its channel, and is cut off. */
static int cut_xid(struct sr_outbox_row *put)
{
    const char *comma = memchr(put->text, ',', put->len);
    size_t len;

    if (!comma)
        return SR_E_SYNTAX;
    len = (size_t)(comma - put->text);
    if (!sr_smartrest1.valid(put->text, len))
        return SR_E_SYNTAX;
    put->to.protocol = &sr_smartrest1;
    put->to.name = put->text;
    put->to.len = len;
    put->text += len + 1;
    put->len -= len + 1;
    return 0;
}

static int check(struct sr_outbox_row *put, int prio)
{
    int rc;

    if (put->len > SR_ROW_MAX)
        return SR_E_TOOBIG;
    rc = prio & SR_PRIO_XID ? cut_xid(put) : 0;
    if (rc)
        return rc;
    return sr_smartrest1.check(put->text, put->len) ? 0 : SR_E_SYNTAX;
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
        .prio = options->prio & SR_PRIO_BUF,
        .ttl_s = options->ttl_s,
        .told = options->delivered,
        .arg = options->arg,
    };
    rc = check(&put, options->prio);
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
