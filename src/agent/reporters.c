/* SPDX-License-Identifier: MIT */
/* The agent gives its reporter what it needs: loop, outbox, credentials, X-Id, dispatch. */
#include "agent/agent_p.h"
#include "push/push.h"
#include "transport/http_transport.h"
#include "transport/mqtt_transport.h"
#include <stdlib.h>
#include <string.h>

static const char *own_id(void *arg)
{
    return sr_agent_id(arg);
}

/* By HTTP operations come by the push, if there is one: then that has the word. */
static void connected(void *arg)
{
    struct sr_agent *agent = arg;

    if (agent->by_mqtt || !agent->push || !sr_push_started(agent->push))
        sr_agent_connected(agent);
}

static int make(struct sr_agent *agent, struct sr_reporter **ret_reporter)
{
    const struct sr_reporter_config config = {
        .loop = agent->loop,
        .outbox = agent->outbox,
        .settings = &agent->settings,
        .received = sr_agent_received,
        .trouble = sr_agent_trouble,
        .settled = sr_agent_settled,
        .own_id = own_id,
        .up = sr_agent_report_up,
        .connected = connected,
        .arg = agent,
    };
    int rc;

    if (!ret_reporter)
        return sr_agent_fail(agent, SR_E_INVAL, "no place for the reporter: NULL");
    if (agent->reporter)
        return sr_agent_fail(agent, SR_E_STATE, "the agent has a reporter already");
    rc = sr_reporter_make(&config, &agent->reporter);
    if (rc)
        return sr_agent_fail(agent, rc, "out of memory");
    *ret_reporter = agent->reporter;
    return 0;
}

int sr_reporter_new_http(struct sr_agent *agent, struct sr_reporter **ret_reporter)
{
    int rc;

    if (!agent)
        return SR_E_INVAL;
    rc = make(agent, ret_reporter);
    if (rc)
        return rc;
    agent->by_mqtt = false;
    agent->carrier = SR_BY_HTTP + 1;
    return 0;
}

int sr_reporter_new_mqtt(struct sr_agent *agent, const char *broker,
                         struct sr_reporter **ret_reporter)
{
    const char *reason = "";
    struct sr_url url;
    int rc;

    if (!agent)
        return SR_E_INVAL;
    if (!broker)
        return sr_agent_fail(agent, SR_E_INVAL, "the reporter has no broker: NULL");
    if (sr_url_parse(broker, &url, &reason))
        return sr_agent_refuse_url(agent, "broker", broker, reason);
    if (strncmp(url.scheme, "mqtt", 4))
        return sr_agent_refuse_url(agent, "broker", broker,
                                   "it must begin with mqtt:// or mqtts://");
    rc = make(agent, ret_reporter);
    if (rc)
        return rc;
    agent->by_mqtt = true;
    agent->carrier = SR_BY_MQTT + 1;
    agent->broker = url;
    return 0;
}

static bool has_origin(const struct sr_origin *origins, size_t count,
                       const struct sr_handler *handler)
{
    for (size_t i = 0; i < count; i++)
        if (origins[i].protocol == handler->protocol &&
            (handler->name ? !strcmp(origins[i].name, handler->name) : !i))
            return true;
    return false;
}

/* Where rows that the agent handles come from, its own collection first. */
static int list_origins(const struct sr_agent *agent, struct sr_origin **ret_origins,
                        size_t *ret_count)
{
    struct sr_origin *origins = calloc(agent->dispatch.count + 1, sizeof *origins);
    size_t count = 0;

    if (!origins)
        return SR_E_NOMEM;
    origins[count++] = (struct sr_origin){ &sr_smartrest1, agent->xid };
    for (size_t i = 0; i < agent->dispatch.count; i++) {
        const struct sr_handler *handler = &agent->dispatch.handlers[i];

        if (!has_origin(origins, count, handler))
            origins[count++] = (struct sr_origin){ handler->protocol, handler->name };
    }
    *ret_origins = origins;
    *ret_count = count;
    return 0;
}

/* `rc` of what says nothing itself. */
static int told(struct sr_agent *agent, int rc)
{
    return rc ? sr_agent_fail(agent, rc, "the reporter: %s", sr_strerror(rc)) : 0;
}

static int new_mqtt_transport(struct sr_agent *agent,
                              struct sr_transport **ret_transport)
{
    char client_id[2 + 1000 + 1] = "d:";
    const struct sr_mqtt_link_options options = {
        .host = agent->broker.host,
        .port = agent->broker.port,
        .tls = agent->broker.tls,
        .net = sr_settings_net(&agent->settings),
        .client_id = strcat(client_id, agent->device_id),
        .user = agent->login,
        .password = agent->credentials.password,
    };
    struct sr_origin *origins;
    size_t count;
    const char *wrong = sr_mqtt_link_wrong(&options);
    int rc;

    if (wrong)
        return sr_agent_fail(agent, SR_E_INVAL, "MQTT: %s", wrong);
    if (sr_agent_check_net(agent))
        return SR_E_INVAL;
    rc = list_origins(agent, &origins, &count);
    if (rc)
        return told(agent, rc);
    rc = sr_mqtt_transport_new(agent->loop, &options, origins, count, ret_transport);
    free(origins);
    return told(agent, rc);
}

static int new_http_transport(struct sr_agent *agent,
                              struct sr_transport **ret_transport)
{
    struct sr_http_transport_options options = {
        .user = agent->login,
        .password = agent->credentials.password,
    };
    int rc = sr_agent_open_http(agent, &agent->http);

    if (rc)
        return rc;
    options.http = agent->http;
    options.url = agent->url;
    rc = sr_http_transport_new(agent->loop, &options, ret_transport);
    return told(agent, rc);
}

int sr_reporter_start(struct sr_reporter *reporter)
{
    struct sr_transport *transport;
    struct sr_agent *agent;
    int rc;

    if (!reporter)
        return SR_E_INVAL;
    agent = sr_reporter_owner(reporter);
    if (sr_reporter_started(reporter))
        return sr_agent_fail(agent, SR_E_STATE, "the reporter is started already");
    if (!agent->login || !agent->xid)
        return sr_agent_fail(agent, SR_E_STATE,
                             "the reporter starts after bootstrap and integrate");
    rc = sr_agent_check_setup(agent);
    if (!rc)
        rc = agent->by_mqtt ? new_mqtt_transport(agent, &transport)
                            : new_http_transport(agent, &transport);
    if (!rc)
        rc = told(agent, sr_reporter_begin(reporter, transport, agent->xid));
    if (rc)
        return rc;
    agent->gave_up = false;
    if (agent->wait_ms)
        sr_deadline_set(&agent->contact, agent->wait_ms);
    return 0;
}

struct sr_reporter *sr_reporter_free(struct sr_reporter *reporter)
{
    struct sr_agent *agent;

    if (!reporter)
        return NULL;
    agent = sr_reporter_owner(reporter);
    agent->reporter = NULL;
    agent->carrier = 0;
    sr_deadline_clear(&agent->contact);
    sr_reporter_destroy(reporter);
    return NULL;
}
