/* SPDX-License-Identifier: MIT */
#include "agent/agent_p.h"
#include <smartrest/binary.h>

int sr_binary_new(struct sr_agent *agent, struct sr_binary **ret_binary)
{
    struct sr_net net;
    struct sr_binary_options options;
    int rc;

    if (!agent)
        return SR_E_INVAL;
    if (!ret_binary)
        return sr_agent_fail(agent, SR_E_INVAL, "binaries: no room for the client");
    if (!agent->login)
        return sr_agent_fail(agent, SR_E_STATE, "binaries: no credentials yet");
    net = sr_settings_net(&agent->settings);
    options = (struct sr_binary_options){
        .server = agent->server,
        .user = agent->login,
        .password = agent->credentials.password,
        .net = &net,
    };
    rc = sr_binary_new_on(agent->loop, &options, ret_binary);
    return rc ? sr_agent_fail(agent, rc, "binaries: %s", sr_strerror(rc)) : 0;
}
