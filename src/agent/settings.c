/* SPDX-License-Identifier: MIT */
#include "agent/agent_p.h"
#include <string.h>

/* Settings that are looked at once, when HTTP is opened. */
static const char *const of_http[] = { "ca_file",      "ca_path",        "cert_file",
                                       "key_file",     "proxy",          "verify",
                                       "http_version", "connect_timeout" };

/* Those that can be changed while they are in use. */
static const char *const of_any_time[] = { "capacity",      "outbox_capacity",
                                           "full_volatile", "full_buffered",
                                           "loss_report",   "clock_valid_after" };

/* Those that are looked at once, when the outbox is opened on disk. */
static const char *const of_disk[] = { "outbox_sync", "outbox_sync_interval" };

#define IS_ONE_OF(list, name) is_one_of(list, sizeof list / sizeof *list, name)
static bool is_one_of(const char *const list[], size_t count, const char *name)
{
    for (size_t i = 0; i < count; i++)
        if (!strcmp(list[i], name))
            return true;
    return false;
}

static bool is_too_late(const struct sr_agent *agent, const char *name)
{
    if (IS_ONE_OF(of_any_time, name))
        return false;
    if (IS_ONE_OF(of_disk, name))
        return agent->on_disk;
    return (agent->reporter && sr_reporter_started(agent->reporter)) ||
           ((agent->http || agent->request_http || agent->side_http) &&
            IS_ONE_OF(of_http, name));
}

void sr_agent_apply(struct sr_agent *agent)
{
    const struct sr_settings *settings = &agent->settings;
    struct sr_outbox *box = agent->outbox;

    sr_outbox_set_cap(box, (size_t)settings->capacity);
    sr_outbox_set_disk_cap(box, (uint64_t)settings->outbox_capacity);
    sr_outbox_set_policy(box, SR_CLASS_VOLATILE,
                         (enum sr_at_bound)settings->full_volatile);
    sr_outbox_set_policy(box, SR_CLASS_BUFFERED,
                         (enum sr_at_bound)settings->full_buffered);
    sr_outbox_set_clock_valid(box, settings->clock_valid_after * 1000);
}

int sr_agent_set(struct sr_agent *agent, const char *name, const char *value)
{
    const char *reason = "";
    int rc;

    if (!agent)
        return SR_E_INVAL;
    if (!name)
        return sr_agent_fail(agent, SR_E_INVAL, "a setting without a name");
    if (is_too_late(agent, name))
        return sr_agent_fail(agent, SR_E_STATE,
                             "setting %s: it is too late to change it", name);
    rc = sr_settings_set(&agent->settings, name, value, &reason);
    if (rc == SR_E_NOTFOUND)
        return sr_agent_fail(agent, rc, "there is no setting '%.100s'", name);
    if (rc == SR_E_INVAL && strlen(value) > 100) /* cut, it might end in a password */
        return sr_agent_fail(agent, rc, "setting %s: %s", name, reason);
    if (rc == SR_E_INVAL)
        return sr_agent_fail(agent, rc, "setting %s cannot be '%s': %s", name, value,
                             reason);
    if (rc)
        return sr_agent_fail(agent, rc, "out of memory");
    if (IS_ONE_OF(of_any_time, name)) {
        sr_agent_apply(agent);
        sr_loop_wake(agent->loop); /* rows may have gone, or may go */
    }
    return 0;
}

int sr_agent_get(const struct sr_agent *agent, const char *name, char *text,
                 size_t size)
{
    int rc;

    if (!agent)
        return SR_E_INVAL;
    if (!name || (!text && size))
        rc = sr_agent_fail((struct sr_agent *)(uintptr_t)agent, SR_E_INVAL,
                           "setting %.100s: no name, or no room for its value",
                           name ? name : "NULL");
    else
        rc = sr_settings_get(&agent->settings, name, text, size);
    if (rc == SR_E_NOTFOUND)
        sr_agent_fail((struct sr_agent *)(uintptr_t)agent, rc,
                      "there is no setting '%.100s'", name);
    return rc;
}

int sr_agent_set_ca_file(struct sr_agent *agent, const char *path)
{
    return sr_agent_set(agent, "ca_file", path);
}
