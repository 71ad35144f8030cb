/* SPDX-License-Identifier: MIT */
/* Channels by name, for the application. */
#include "agent/agent_p.h"
#include <string.h>

static int find(struct sr_agent *agent, const char *name,
                const struct sr_protocol **ret_protocol)
{
    *ret_protocol = name ? sr_protocol_named(name, strlen(name)) : NULL;
    if (*ret_protocol)
        return 0;
    return sr_agent_fail(agent, SR_E_NOTFOUND, "there is no protocol '%.80s'",
                         name ? name : "");
}

static bool is_own(const struct sr_protocol *protocol, const char *name)
{
    return protocol == &sr_smartrest1 && !name;
}

int sr_agent_find_protocol(struct sr_agent *agent, const char *protocol,
                           const char *name, const struct sr_protocol **ret_protocol)
{
    int rc;

    if (!protocol)
        return sr_agent_fail(agent, SR_E_INVAL, "no protocol of a channel was named");
    rc = find(agent, protocol, ret_protocol);
    if (rc || is_own(*ret_protocol, name) ||
        (name && (*ret_protocol)->valid(name, strlen(name))))
        return rc;
    return sr_agent_fail(agent, SR_E_INVAL, "'%.300s' is no name of a channel of %s",
                         name ? name : "", protocol);
}

int sr_agent_channel(struct sr_agent *agent, const char *protocol, const char *name,
                     uint32_t *ret_channel)
{
    const struct sr_protocol *found;
    int rc;

    if (!agent || !ret_channel)
        return SR_E_INVAL;
    rc = sr_agent_find_protocol(agent, protocol, name, &found);
    if (rc)
        return rc;
    if (is_own(found, name)) {
        *ret_channel = SR_CHANNEL_OWN;
        return 0;
    }
    rc = sr_outbox_channel(agent->outbox, found, name, strlen(name), ret_channel);
    if (!rc)
        return 0;
    return sr_agent_fail(agent, rc, "channel '%.300s' of %s: %s", name, protocol,
                         rc == SR_E_FULL ? "too many are in use" : sr_strerror(rc));
}
