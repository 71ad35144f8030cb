/* SPDX-License-Identifier: MIT */
#include "agent/agent_p.h"
#include "base/device_id.h"
#include "base/net.h"
#include "base/redact.h"
#include "loop/handles.h"
#include "protocol/protocol.h"
#include <smartrest/push.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SR_LOG_COMPONENT "agent"
#include <smartrest/log.h>

enum { BOOTSTRAP_INTERVAL_MS = 2000 };

/* The platform's published account for devices without credentials. */
static const char bootstrap_tenant[] = "management",
                  bootstrap_user[] = "devicebootstrap",
                  bootstrap_password[] = "Fhdt1bb1f";

/* --- life --------------------------------------------------------------- */

static void destroy(struct sr_agent *agent);

static void on_wake(void *arg)
{
    struct sr_agent *agent = arg;

    if (agent->reporter)
        sr_reporter_look(agent->reporter);
    sr_agent_tell(agent);
}

static void on_contact_overdue(void *arg)
{
    struct sr_agent *agent = arg;
    const char *reason;

    if (!agent->reporter || sr_reporter_reached(agent->reporter))
        return;
    reason = sr_reporter_reason(agent->reporter);
    if (*reason)
        sr_agent_fail(agent, SR_E_UNREACHABLE, "%s", reason);
    else
        sr_agent_fail(agent, SR_E_UNREACHABLE, "%s://%s:%u does not answer",
                      agent->broker.scheme, agent->broker.host,
                      (unsigned)agent->broker.port);
    agent->gave_up = true;
}

static int init_floods(struct sr_agent *agent)
{
    struct sr_loop *loop = agent->loop;

    if (sr_flood_init(&agent->floods.refused, loop, SR_LOG_COMPONENT,
                      "rows that the platform refused") ||
        sr_flood_init(&agent->floods.malformed, loop, SR_LOG_COMPONENT,
                      "malformed rows from the platform") ||
        sr_flood_init(&agent->floods.poison, loop, SR_LOG_COMPONENT,
                      "rows that the platform never takes"))
        return SR_E_NOMEM;
    return 0;
}

static int init(struct sr_agent *agent, const char *server, const char *device_id)
{
    int rc = sr_loop_make(on_wake, agent, &agent->loop);

    if (!rc)
        rc = sr_outbox_new((size_t)agent->settings.capacity, agent->clock,
                           &agent->outbox);
    if (!rc)
        rc = sr_agent_init_telling(agent);
    if (!rc)
        rc = sr_deadline_init(&agent->contact, agent->loop, on_contact_overdue, agent);
    if (!rc)
        rc = init_floods(agent);
    if (!rc)
        rc = sr_credentials_set(&agent->bootstrap_account, bootstrap_tenant,
                                bootstrap_user, bootstrap_password);
    if (!rc)
        rc = sr_replace_text(&agent->server, server ? server : "");
    if (!rc)
        rc = sr_replace_text(&agent->device_id, device_id ? device_id : "");
    if (!rc)
        sr_agent_apply(agent);
    agent->bootstrap_interval_ms = BOOTSTRAP_INTERVAL_MS;
    return rc;
}

int sr_agent_make(const char *server, const char *device_id,
                  const struct sr_clock *clock, struct sr_agent **ret_agent)
{
    struct sr_agent *agent;
    int rc;

    if (!ret_agent)
        return SR_E_INVAL;
    agent = calloc(1, sizeof *agent);
    if (!agent)
        return SR_E_NOMEM;
    agent->clock = clock;
    agent->thread = pthread_self();
    sr_settings_init(&agent->settings);
    rc = init(agent, server, device_id);
    if (rc)
        destroy(agent);
    else
        *ret_agent = agent;
    return rc;
}

int sr_agent_new(const char *server, const char *device_id, struct sr_agent **ret_agent)
{
    return sr_agent_make(server, device_id, &sr_system_clock, ret_agent);
}

static void destroy(struct sr_agent *agent)
{
    agent->doomed = agent->closing = true;
    if (agent->outbox)
        sr_agent_tell_end(agent);
    sr_push_free(agent->push);
    if (agent->reporter)
        sr_reporter_destroy(agent->reporter);
    sr_agent_release_report(agent);
    sr_http_free(agent->http);
    sr_http_free(agent->request_http);
    sr_http_free(agent->side_http);
    sr_flood_release(&agent->floods.refused);
    sr_flood_release(&agent->floods.malformed);
    sr_flood_release(&agent->floods.poison);
    sr_deadline_release(&agent->contact);
    sr_deadline_release(&agent->log_losses);
    sr_deadline_release(&agent->retry_disk);
    sr_loop_destroy(agent->loop);
    sr_agent_put_signals_back(agent);
    sr_outbox_free(agent->outbox);
    sr_dispatch_release(&agent->dispatch);
    sr_operations_release(&agent->operations);
    sr_agent_release_listeners(agent);
    sr_credentials_release(&agent->credentials);
    sr_credentials_release(&agent->bootstrap_account);
    free(agent->server);
    free(agent->device_id);
    free(agent->url);
    free(agent->login);
    free(agent->xid);
    free(agent->id);
    free(agent->srversion);
    free(agent->known_path);
    sr_settings_release(&agent->settings);
    if (agent->answer)
        explicit_bzero(agent->answer, agent->answer_len); /* it may be a password */
    free(agent->answer);
    free(agent);
}

struct sr_agent *sr_agent_free(struct sr_agent *agent)
{
    if (!agent || agent->closing)
        return NULL;
    if (agent->depth) {
        agent->doomed = true;
        sr_agent_stop(agent);
    } else {
        destroy(agent);
    }
    return NULL;
}

int sr_agent_enter(struct sr_agent *agent)
{
    if (!agent)
        return SR_E_INVAL;
    if (agent->loop->running)
        return SR_E_STATE;
    if (agent->doomed)
        return SR_E_STOPPED;
    agent->depth++;
    return 0;
}

int sr_agent_leave(struct sr_agent *agent, int rc)
{
    if (--agent->depth == 0 && agent->doomed)
        destroy(agent);
    return rc;
}

/* --- errors ------------------------------------------------------------- */

int sr_agent_fail(struct sr_agent *agent, int rc, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    vsnprintf(agent->error, sizeof agent->error, format, args);
    va_end(args);
    sr_redact(agent->error);
    for (char *c = agent->error; *c; c++)
        if ((unsigned char)*c < 0x20 || *c == 0x7f)
            *c = ' ';
    return rc;
}

const char *sr_agent_error(const struct sr_agent *agent)
{
    if (!agent)
        return "no agent: out of memory or file descriptors";
    return *agent->error ? agent->error : "no error";
}

/* --- what it is told ---------------------------------------------------- */

int sr_replace_text(char **text, const char *to)
{
    char *copy = to ? strdup(to) : NULL;

    if (to && !copy)
        return SR_E_NOMEM;
    free(*text);
    *text = copy;
    return 0;
}

int sr_agent_refuse_url(struct sr_agent *agent, const char *what, const char *url,
                        const char *reason)
{
    if (strchr(url, '@'))
        return sr_agent_fail(agent, SR_E_INVAL, "the %s's URL %s", what, reason);
    return sr_agent_fail(agent, SR_E_INVAL, "%s '%.300s': %s", what, url, reason);
}

int sr_agent_check_net(struct sr_agent *agent)
{
    const struct sr_net net = sr_settings_net(&agent->settings);
    char why[SR_NET_WHY_MAX];

    if (sr_net_check(&net, why, sizeof why))
        return 0;
    return sr_agent_fail(agent, SR_E_INVAL, "%s", why);
}

int sr_agent_check_setup(struct sr_agent *agent)
{
    struct sr_url url;
    const char *reason;
    size_t len = strlen(agent->server);

    if (agent->url)
        return 0;
    if (sr_url_parse(agent->server, &url, &reason))
        return sr_agent_refuse_url(agent, "server", agent->server, reason);
    if (strncmp(url.scheme, "http", 4))
        return sr_agent_refuse_url(agent, "server", agent->server,
                                   "it must begin with http:// or https://");
    if (!sr_device_id_valid(agent->device_id, &reason))
        return sr_agent_fail(agent, SR_E_INVAL, "device id '%.300s' %s",
                             agent->device_id, reason);
    if (sr_agent_check_net(agent))
        return SR_E_INVAL;
    while (len && agent->server[len - 1] == '/')
        len--;
    agent->url = malloc(len + sizeof "/s");
    if (!agent->url)
        return sr_agent_fail(agent, SR_E_NOMEM, "out of memory");
    memcpy(agent->url, agent->server, len);
    strcpy(agent->url + len, "/s");
    return 0;
}

char *sr_agent_make_url(const struct sr_agent *agent, const char *path)
{
    size_t len = strlen(agent->url) - strlen("/s");
    char *url = malloc(len + strlen(path) + 1);

    if (url) {
        memcpy(url, agent->url, len);
        strcpy(url + len, path);
    }
    return url;
}

int sr_agent_open_http(struct sr_agent *agent, struct sr_http **http)
{
    const struct sr_net net = sr_settings_net(&agent->settings);
    int rc = sr_agent_check_setup(agent);

    if (rc || *http)
        return rc;
    rc = sr_http_new(agent->loop, &net, http);
    return rc ? sr_agent_fail(agent, rc, "HTTP: %s", sr_strerror(rc)) : 0;
}

void sr_agent_set_wait(struct sr_agent *agent, uint64_t wait_ms)
{
    if (agent)
        agent->wait_ms = wait_ms;
}

int sr_agent_set_credentials(struct sr_agent *agent, const char *tenant,
                             const char *user, const char *password)
{
    char *login, reason[SR_CREDENTIALS_REASON_MAX];

    if (!agent)
        return SR_E_INVAL;
    if (agent->reporter && sr_reporter_started(agent->reporter))
        return sr_agent_fail(agent, SR_E_STATE,
                             "the reporter has its credentials already");
    if (!sr_credentials_valid(tenant, user, password, reason))
        return sr_agent_fail(agent, SR_E_INVAL, "credentials: %s", reason);
    if (asprintf(&login, "%s/%s", tenant, user) < 0)
        return sr_agent_fail(agent, SR_E_NOMEM, "out of memory");
    if (sr_credentials_set(&agent->credentials, tenant, user, password)) {
        free(login);
        return sr_agent_fail(agent, SR_E_NOMEM, "out of memory");
    }
    free(agent->login);
    agent->login = login;
    return 0;
}

bool sr_id_valid(const char *text)
{
    return text && sr_name_valid(text, strlen(text));
}

int sr_agent_refuse_id(struct sr_agent *agent, const char *what, const char *id)
{
    return sr_agent_fail(agent, SR_E_INVAL,
                         "%s '%.255s' is not 1 to %d bytes of UTF-8 without blanks, "
                         "control characters, and , \" + #",
                         what, id ? id : "", SR_ID_MAX);
}

static int set_id(struct sr_agent *agent, char **text, const char *what, const char *id)
{
    if (!sr_id_valid(id))
        return sr_agent_refuse_id(agent, what, id);
    return sr_replace_text(text, id) ? sr_agent_fail(agent, SR_E_NOMEM, "out of memory")
                                     : 0;
}

int sr_agent_set_xid(struct sr_agent *agent, const char *xid)
{
    return agent ? set_id(agent, &agent->xid, "X-Id", xid) : SR_E_INVAL;
}

int sr_agent_set_id(struct sr_agent *agent, const char *id)
{
    return agent ? set_id(agent, &agent->id, "object id", id) : SR_E_INVAL;
}

static const char *text_or_empty(const char *text)
{
    return text ? text : "";
}

const char *sr_agent_server(const struct sr_agent *agent)
{
    return agent ? agent->server : "";
}

const char *sr_agent_device_id(const struct sr_agent *agent)
{
    return agent ? agent->device_id : "";
}

const char *sr_agent_tenant(const struct sr_agent *agent)
{
    return text_or_empty(agent ? agent->credentials.tenant : NULL);
}

const char *sr_agent_username(const struct sr_agent *agent)
{
    return text_or_empty(agent ? agent->credentials.user : NULL);
}

const char *sr_agent_password(const struct sr_agent *agent)
{
    return text_or_empty(agent ? agent->credentials.password : NULL);
}

const char *sr_agent_xid(const struct sr_agent *agent)
{
    return text_or_empty(agent ? agent->xid : NULL);
}

const char *sr_agent_id(const struct sr_agent *agent)
{
    return text_or_empty(agent ? agent->id : NULL);
}

/* --- running ------------------------------------------------------------ */

int sr_agent_loop(struct sr_agent *agent)
{
    int rc = sr_agent_enter(agent);

    if (rc)
        return rc;
    rc = sr_loop_run_until(agent->loop, &agent->gave_up);
    if (rc == SR_E_STOPPED)
        rc = 0;
    else if (!rc)
        rc = SR_E_UNREACHABLE;
    return sr_agent_leave(agent, rc);
}

void sr_agent_stop(struct sr_agent *agent)
{
    if (agent)
        sr_loop_stop(agent->loop);
}

int sr_agent_fd(const struct sr_agent *agent)
{
    return agent ? uv_backend_fd(&agent->loop->uv) : SR_E_INVAL;
}

int sr_agent_timeout(struct sr_agent *agent)
{
    return agent ? sr_loop_timeout(agent->loop) : -1;
}

int sr_agent_dispatch(struct sr_agent *agent)
{
    int rc = sr_agent_enter(agent);

    if (rc)
        return rc;
    sr_loop_turn(agent->loop, false);
    if (sr_loop_stopped(agent->loop))
        rc = SR_E_STOPPED;
    else if (agent->gave_up)
        rc = SR_E_UNREACHABLE;
    return sr_agent_leave(agent, rc);
}

struct sr_loop *sr_agent_get_loop(struct sr_agent *agent)
{
    return agent ? agent->loop : NULL;
}

uint64_t sr_agent_wakeups(const struct sr_agent *agent)
{
    return agent ? agent->loop->turns : 0;
}

/* --- timers and watches ------------------------------------------------- */

int sr_timer_new(struct sr_agent *agent, uint64_t interval_ms, sr_timer_fn fn,
                 void *arg, struct sr_timer **ret_timer)
{
    int rc;

    if (!agent)
        return SR_E_INVAL;
    rc = sr_loop_add_timer(agent->loop, interval_ms, fn, arg, ret_timer);
    if (rc == SR_E_INVAL)
        return sr_agent_fail(agent, rc, "a timer without a function or a place: NULL");
    return rc ? sr_agent_fail(agent, rc, "the timer: %s", sr_strerror(rc)) : 0;
}

int sr_watch_new(struct sr_agent *agent, int fd, int events, sr_watch_fn fn, void *arg,
                 struct sr_watch **ret_watch)
{
    int rc;

    if (!agent)
        return SR_E_INVAL;
    if (!fn || !ret_watch)
        return sr_agent_fail(agent, SR_E_INVAL,
                             "a watch without a function or a place: NULL");
    rc = sr_loop_add_watch(agent->loop, fd, events, fn, arg, ret_watch);
    return rc ? sr_agent_fail(agent, rc, "descriptor %d cannot be watched: %s", fd,
                              sr_strerror(rc))
              : 0;
}
