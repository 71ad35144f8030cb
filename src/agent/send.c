/* SPDX-License-Identifier: MIT */
#include "agent/agent_p.h"
#include "protocol/protocol.h"
#include <smartrest/row.h>
#include <stdio.h>
#include <string.h>

static size_t without_line_ends(const char *text)
{
    size_t len = strlen(text);

    while (len && (text[len - 1] == '\n' || text[len - 1] == '\r'))
        len--;
    return len;
}

/* --- where it goes --------------------------------------------------------- */

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

/* The channel that a number stands for. */
static int find_channel(struct sr_agent *agent, struct sr_outbox_row *put)
{
    const struct sr_channel *channel =
        sr_outbox_channel_at(agent->outbox, put->channel);

    if (!channel)
        return SR_E_INVAL;
    put->to.protocol = channel->protocol;
    put->to.name = channel->name;
    put->to.len = channel->len;
    return 0;
}

static int address(struct sr_agent *agent, int prio, struct sr_outbox_row *put)
{
    if (put->channel != SR_CHANNEL_OWN)
        return prio & SR_PRIO_XID ? SR_E_INVAL : find_channel(agent, put);
    return prio & SR_PRIO_XID ? cut_xid(put) : 0;
}

/* --- how large it may be ---------------------------------------------------- */

/* What is said of a row that was not taken. */
struct refusal {
    size_t len, most; /* larger than the transport carries, if not 0 */
    const char *by;   /* " by MQTT" */
};

/* Before there is a reporter any transport may come. */
static void find_bound(struct sr_agent *agent, const struct sr_outbox_row *put,
                       struct refusal *refusal)
{
    const struct sr_protocol *protocol =
        put->to.protocol ? put->to.protocol : &sr_smartrest1;
    char name[SR_CHANNEL_NAME_MAX + 1];
    unsigned carrier = atomic_load(&agent->carrier);

    refusal->most = SR_ROW_MAX_HTTP;
    refusal->by = "";
    if (!carrier)
        return;
    snprintf(name, sizeof name, "%.*s", (int)put->to.len,
             put->to.name ? put->to.name : "");
    refusal->most = sr_protocol_row_max(protocol, carrier - 1, name, !put->to.protocol);
    refusal->by = carrier - 1 == SR_BY_MQTT ? " by MQTT" : " by HTTP";
}

/* Rows of up to SR_ROW_MAX bytes fit everywhere in SmartREST 1.0. */
static bool fits(struct sr_agent *agent, const struct sr_outbox_row *put,
                 struct refusal *refusal)
{
    const struct sr_protocol *protocol = put->to.protocol;

    if (put->len <= SR_ROW_MAX && (!protocol || protocol == &sr_smartrest1))
        return true;
    find_bound(agent, put, refusal);
    if (put->len <= refusal->most)
        return true;
    refusal->len = put->len;
    return false;
}

/* --- sending ------------------------------------------------------------------ */

static int check(struct sr_agent *agent, int prio, struct sr_outbox_row *put,
                 struct refusal *refusal)
{
    int rc = address(agent, prio, put);

    if (rc)
        return rc;
    if (!fits(agent, put, refusal))
        return SR_E_TOOBIG;
    return (put->to.protocol ? put->to.protocol : &sr_smartrest1)
                   ->check(put->text, put->len)
               ? 0
               : SR_E_SYNTAX;
}

/* Says why in sr_agent_error(), which is the making thread's: other threads have `rc` alone. */
static int explain(struct sr_agent *agent, int rc, const char *row,
                   const struct refusal *refusal)
{
    if (!rc || !pthread_equal(pthread_self(), agent->thread))
        return rc;
    switch (rc) {
    case SR_E_INVAL:
        return sr_agent_fail(agent, rc, "no row, or unknown flags or channel of it");
    case SR_E_TOOBIG:
        if (!refusal->len)
            break;
        return sr_agent_fail(agent, rc, "a row of %zu bytes: %zu are the most%s",
                             refusal->len, refusal->most, refusal->by);
    case SR_E_SYNTAX: return sr_agent_fail(agent, rc, "this is no row: %.60s", row);
    default: break;
    }
    return sr_agent_fail(agent, rc, "the row is not kept: %s", sr_strerror(rc));
}

static int send_with(struct sr_agent *agent, const char *row,
                     const struct sr_send_options *options, struct refusal *refusal)
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
        .channel = options->channel,
        .ttl_s = options->ttl_s,
        .told = options->delivered,
        .arg = options->arg,
    };
    rc = check(agent, options->prio, &put, refusal);
    if (put.channel)
        put.to.protocol = NULL; /* its number says it */
    if (!rc)
        rc = sr_outbox_put(agent->outbox, &put, sr_now_ms(), &due);
    if (!rc && due)
        sr_loop_wake(agent->loop);
    return rc;
}

int sr_agent_send_with(struct sr_agent *agent, const char *row,
                       const struct sr_send_options *options)
{
    struct refusal refusal = { 0 };
    int rc;

    if (!agent)
        return SR_E_INVAL;
    rc = send_with(agent, row, options, &refusal);
    return explain(agent, rc, row, &refusal);
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
    sr_row_init(&row, SR_ROW_MAX_HTTP);
    sr_row_vformat(&row, format, args);
    rc = sr_row_error(&row);
    if (!rc)
        rc = sr_agent_send(agent, sr_row_text(&row), prio);
    else if (pthread_equal(pthread_self(), agent->thread))
        sr_agent_fail(agent, rc, "no row can be made by '%.60s': %s",
                      format ? format : "NULL",
                      rc == SR_E_INVAL ? "an unknown conversion, an open quote, or a "
                                         "number that is not finite"
                                       : sr_strerror(rc));
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
