/* SPDX-License-Identifier: MIT */
#include "agent/agent_p.h"
#include <string.h>

/* Settings that are looked at once, when HTTP is opened. */
static const char *const of_http[] = { "ca_file",      "ca_path",        "cert_file",
                                       "key_file",     "proxy",          "verify",
                                       "http_version", "connect_timeout" };

static bool is_one_of_http(const char *name)
{
    for (size_t i = 0; i < sizeof of_http / sizeof *of_http; i++)
        if (!strcmp(of_http[i], name))
            return true;
    return false;
}

static bool is_too_late(const struct sr_agent *agent, const char *name)
{
    if (!strcmp(name, "capacity"))
        return false;
    return (agent->reporter && sr_reporter_started(agent->reporter)) ||
           (agent->http && is_one_of_http(name));
}

int sr_agent_set(struct sr_agent *agent, const char *name, const char *value)
{
    const char *reason = "";
    int rc;

    if (!agent || !name)
        return SR_E_INVAL;
    if (is_too_late(agent, name))
        return sr_agent_fail(agent, SR_E_STATE,
                             "setting %s: it is too late to change it", name);
    rc = sr_settings_set(&agent->settings, name, value, &reason);
    if (rc == SR_E_NOTFOUND)
        return sr_agent_fail(agent, rc, "there is no setting '%.100s'", name);
    if (rc == SR_E_INVAL)
        return sr_agent_fail(agent, rc, "setting %s cannot be '%.100s': %s", name,
                             value, reason);
    if (rc)
        return sr_agent_fail(agent, rc, "out of memory");
    if (!strcmp(name, "capacity"))
        sr_outbox_set_cap(agent->outbox, (size_t)agent->settings.capacity);
    return 0;
}

int sr_agent_get(const struct sr_agent *agent, const char *name, char *text,
                 size_t size)
{
    return sr_settings_get(&agent->settings, name, text, size);
}

int sr_agent_set_ca_file(struct sr_agent *agent, const char *path)
{
    return sr_agent_set(agent, "ca_file", path);
}
