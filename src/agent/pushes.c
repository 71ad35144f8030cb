/* SPDX-License-Identifier: MIT */
/* The agent gives its push what it needs: loop, HTTP, credentials, X-Id, dispatch. */
#include "agent/agent_p.h"
#include "push/push.h"
#include <stdlib.h>
#include <string.h>

static const char path[] = "/devicecontrol/notifications";

static void sign(void *arg, struct sr_http_post *post)
{
    const struct sr_agent *agent = arg;

    post->user = agent->login;
    post->password = agent->credentials.password;
    post->x_id = agent->xid;
}

static bool connected(void *arg)
{
    struct sr_agent *agent = arg;

    sr_agent_connected(agent);
    return !agent->doomed;
}

static bool received(void *arg, const char *rows, size_t len, uint64_t *rows_seen,
                     uint64_t *malformed)
{
    struct sr_agent *agent = arg;
    uint64_t before = sr_outbox_rows_put(agent->outbox);

    sr_agent_received_text(agent, &sr_origin_own, rows, len, rows_seen, malformed);
    sr_agent_hurry_since(agent, before);
    return !agent->doomed;
}

int sr_push_new(struct sr_agent *agent, struct sr_push **ret_push)
{
    const struct sr_push_config config = {
        .loop = agent ? agent->loop : NULL,
        .sign = sign,
        .received = received,
        .connected = connected,
        .arg = agent,
    };
    int rc;

    if (!agent)
        return SR_E_INVAL;
    if (!ret_push)
        return sr_agent_fail(agent, SR_E_INVAL, "no place for the push: NULL");
    if (agent->push)
        return sr_agent_fail(agent, SR_E_STATE, "the agent has a push already");
    rc = sr_push_make(&config, &agent->push);
    if (rc)
        return sr_agent_fail(agent, rc, "out of memory");
    *ret_push = agent->push;
    return 0;
}

static int begin(struct sr_agent *agent, struct sr_push *push)
{
    char *url = sr_agent_make_url(agent, path);
    int rc;

    if (!url)
        return SR_E_NOMEM;
    rc = sr_push_begin(push, agent->side_http, url, agent->url, agent->id);
    free(url);
    return rc;
}

int sr_push_start(struct sr_push *push)
{
    struct sr_agent *agent;
    int rc;

    if (!push)
        return SR_E_INVAL;
    agent = sr_push_owner(push);
    if (sr_push_started(push))
        return sr_agent_fail(agent, SR_E_STATE, "the push is started already");
    if (!agent->login || !agent->xid || !agent->id)
        return sr_agent_fail(agent, SR_E_STATE,
                             "the push starts after bootstrap and integrate");
    rc = sr_agent_open_http(agent, &agent->side_http);
    if (rc)
        return rc;
    rc = begin(agent, push);
    return rc ? sr_agent_fail(agent, rc, "%s", sr_strerror(rc)) : 0;
}

struct sr_push *sr_push_free(struct sr_push *push)
{
    struct sr_agent *agent;

    if (!push)
        return NULL;
    agent = sr_push_owner(push);
    agent->push = NULL;
    sr_push_destroy(push);
    return NULL;
}

/* --- other collections ------------------------------------------------------ */

/* The header of every request names the agent's own, which needs no subscription. */
static bool is_own(const struct sr_agent *agent, const char *xid)
{
    return (agent->xid && !strcmp(xid, agent->xid)) ||
           (agent->srversion && !strcmp(xid, agent->srversion));
}

static int no_xid(struct sr_push *push, const char *xid)
{
    return sr_agent_fail(sr_push_owner(push), SR_E_INVAL,
                         "the push: '%.300s' is no X-Id of a collection",
                         xid ? xid : "");
}

int sr_push_subscribe(struct sr_push *push, const char *xid)
{
    int rc;

    if (!push)
        return SR_E_INVAL;
    if (!sr_id_valid(xid))
        return no_xid(push, xid);
    rc = is_own(sr_push_owner(push), xid) ? 0 : sr_push_add(push, xid);
    return rc ? sr_agent_fail(sr_push_owner(push), rc,
                              "the push does not subscribe to %s: %s", xid,
                              sr_strerror(rc))
              : 0;
}

int sr_push_unsubscribe(struct sr_push *push, const char *xid)
{
    if (!push)
        return SR_E_INVAL;
    if (!sr_id_valid(xid))
        return no_xid(push, xid);
    sr_push_remove(push, xid);
    return 0;
}
