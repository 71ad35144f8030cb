/* SPDX-License-Identifier: MIT */
/* The mosquitto plugin: the platform lives inside the broker's process. This file is
 * the MQTT door; it also opens the platform and the HTTP door, and tells the launcher
 * through a pipe when both are open, or why they are not.
 *
 * Answers and operations go to exactly one client each, past the broker's own routing:
 * READ is denied to everybody, so no client ever sees what another published. */
#include "http.h"
#include "listen.h"
#include "mailbox.h"
#include "platform.h"
#include "refusals.h"
#include "regular.h"
#include "session.h"
#include "wake.h"

#include <inttypes.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

#pragma GCC visibility push(default) /* what the broker looks up */
#include <mosquitto.h>
#include <mosquitto_broker.h>
#include <mosquitto_plugin.h>
#pragma GCC visibility pop

#define HEARTBEAT_MS 600000
#define MAILBOX_MAX  (64u * 1024 * 1024) /* bytes of messages on their way to clients */

struct plugin {
    mosquitto_plugin_id_t *id;
    struct sb_platform *platform;
    struct sb_http *http, *https;
    char *tls_cert, *tls_key; /* PEM */
    struct sb_mailbox *mailbox;
    _Atomic(struct sb_wake *) wake; /* from the first turn on */
    struct sb_sessions sessions;
    struct sb_refusals refusals;
    pthread_t broker_thread;
    char wake_name[SB_WAKE_NAME_MAX + 1], wake_password[SB_WAKE_PASSWORD_MAX + 1];
    const char *mqtt_host; /* the broker's, from the options */
    int mqtt_port, http_fd, https_fd, ready_fd;
};

/* --- options and the launcher's pipe ------------------------------------------- */

struct options {
    const struct mosquitto_opt *opts;
    int count;
};

static const char *option(struct options all, const char *key)
{
    for (int i = 0; i < all.count; i++)
        if (strcmp(all.opts[i].key, key) == 0)
            return all.opts[i].value;
    return NULL;
}

static int number_option(struct options all, const char *key)
{
    const char *text = option(all, key);

    return text ? atoi(text) : -1;
}

/* Milliseconds; 0 if it is not given. */
static int64_t long_option(struct options all, const char *key)
{
    const char *text = option(all, key);

    return text ? strtoll(text, NULL, 10) : 0;
}

static bool is_on(struct options all, const char *key)
{
    const char *text = option(all, key);

    return text && strcmp(text, "true") == 0;
}

/* One line, once: `ready`, or a sentence about what is wrong. */
static void report(struct plugin *p, const char *text)
{
    if (p->ready_fd < 0) {
        mosquitto_log_printf(MOSQ_LOG_NOTICE, "sandbox: %s", text);
        return;
    }
    dprintf(p->ready_fd, "%s\n", text);
    close(p->ready_fd);
    p->ready_fd = -1;
}

/* --- down: from the platform to clients ----------------------------------------- */

/* The platform's sink: any thread, with the platform's lock held. */
static void on_publish(void *arg, const char *device_id, const char *topic,
                       const char *payload, size_t len)
{
    struct plugin *p = arg;
    struct sb_wake *wake = p->wake;

    sb_mailbox_put(p->mailbox, device_id, topic, payload, len);
    if (wake && !pthread_equal(pthread_self(), p->broker_thread))
        sb_wake_poke(wake);
}

static bool is_live(const struct sb_session *session)
{
    return session && session->key.client && !session->gone;
}

/* At the time of CONNECT the broker does not yet say whether the client asked for a
 * clean session; from the first packet after it, it does. */
static void settle(struct plugin *p, struct sb_session *session)
{
    if (session->settled)
        return;
    session->settled = true;
    session->clean = mosquitto_client_clean_session(session->key.client);
    if (!session->clean)
        return;
    while (session->sub_count) {
        sb_platform_mqtt_subscribed(p->platform, session->key.device_id,
                                    session->subs[0].filter, false);
        sb_session_unsubscribe(session, session->subs[0].filter);
    }
}

static void deliver(struct plugin *p, const struct sb_mail *mail)
{
    struct sb_session *session = sb_sessions_of_device(&p->sessions, mail->device_id);
    int qos;

    if (!is_live(session))
        return;
    settle(p, session);
    qos = sb_session_qos(session, mail->topic);
    if (qos >= 0)
        mosquitto_broker_publish_copy(session->client_id, mail->topic, (int)mail->len,
                                      mail->payload, qos, false, NULL);
}

static void empty_mailbox(struct plugin *p)
{
    size_t refused;
    struct sb_mail *mail = sb_mailbox_take(p->mailbox, &refused);

    for (; mail; mail = sb_mail_free(mail))
        deliver(p, mail);
    if (refused)
        mosquitto_log_printf(MOSQ_LOG_ERR,
                             "sandbox: %zu messages to devices dropped, more than %u "
                             "bytes were waiting",
                             refused, MAILBOX_MAX);
}

/* --- CONNECT and its end ---------------------------------------------------------- */

static bool is_wake(const struct plugin *p,
                    const struct mosquitto_evt_basic_auth *event)
{
    return event->username && event->password &&
           strcmp(event->username, p->wake_name) == 0 &&
           strcmp(event->password, p->wake_password) == 0;
}

/* Whoever is not a device says by the client id which device it speaks for. */
static bool may_connect_as(struct sb_identity *identity, const char *client_id)
{
    char device[sizeof identity->device_id];

    if (identity->role == SB_NOBODY ||
        !sb_client_id_device(client_id, device, sizeof device))
        return false;
    if (identity->role == SB_DEVICE)
        return strcmp(device, identity->device_id) == 0;
    strcpy(identity->device_id, device);
    return true;
}

static bool authenticate(struct plugin *p, const struct mosquitto_evt_basic_auth *event,
                         const char *client_id, struct sb_identity *ret_identity)
{
    *ret_identity = (struct sb_identity){ .role = SB_NOBODY };
    if (mosquitto_client_protocol_version(event->client) > 4) /* MQTT 5 */
        return false;
    if (!event->username || !strchr(event->username, '/')) /* must name the tenant */
        return false;
    sb_platform_authenticate(p->platform, event->username, event->password,
                             ret_identity);
    return may_connect_as(ret_identity, client_id);
}

/* Even one with the very same client id, which the broker would take over by itself,
 * but without its last will. */
static void kick_former(struct plugin *p, const char *device_id)
{
    struct sb_session *former = sb_sessions_of_device(&p->sessions, device_id);

    if (is_live(former))
        mosquitto_kick_client_by_clientid(former->client_id, true);
}

static int admit(struct plugin *p, const struct mosquitto *client,
                 const char *client_id, const struct sb_identity *identity)
{
    struct sb_session *session;

    kick_former(p, identity->device_id);
    session = sb_sessions_begin(&p->sessions, client, client_id, identity);
    if (!session)
        return MOSQ_ERR_NOMEM;
    sb_platform_mqtt_subscribed(p->platform, identity->device_id, NULL, false);
    for (size_t i = 0; i < session->sub_count; i++)
        sb_platform_mqtt_subscribed(p->platform, identity->device_id,
                                    session->subs[i].filter, true);
    return MOSQ_ERR_SUCCESS;
}

static int on_connect(int type, void *data, void *userdata)
{
    struct mosquitto_evt_basic_auth *event = data;
    const char *client_id = mosquitto_client_id(event->client);
    struct plugin *p = userdata;
    struct sb_identity identity;

    (void)type;
    if (is_wake(p, event))
        return MOSQ_ERR_SUCCESS;
    if (!client_id || !authenticate(p, event, client_id, &identity))
        return MOSQ_ERR_AUTH;
    return admit(p, event->client, client_id, &identity);
}

static bool is_current(struct plugin *p, const struct sb_session *session)
{
    return sb_sessions_of_device(&p->sessions, session->key.device_id) == session;
}

/* After a take-over the old connection's end comes when the new one has begun. */
static int on_disconnect(int type, void *data, void *userdata)
{
    struct mosquitto_evt_disconnect *event = data;
    struct plugin *p = userdata;
    struct sb_session *session = sb_sessions_of_client(&p->sessions, event->client);

    (void)type;
    if (!session)
        return MOSQ_ERR_SUCCESS;
    settle(p, session);
    if (is_current(p, session))
        sb_platform_mqtt_subscribed(p->platform, session->key.device_id, NULL, false);
    sb_sessions_end(&p->sessions, session);
    return MOSQ_ERR_SUCCESS;
}

/* --- up: from clients to the platform ------------------------------------------------ */

static void hand_over(struct plugin *p, const struct sb_session *session,
                      const char *topic, const void *payload, size_t len)
{
    if (!payload)
        payload = "";
    if (sb_platform_mqtt_message(p->platform, &session->identity, topic, payload,
                                 len) ||
        !sb_refusals_first(&p->refusals, session->client_id, topic))
        return;
    mosquitto_log_printf(MOSQ_LOG_WARNING,
                         "sandbox: %.200s published on %.200s, where nothing is taken "
                         "from it; ignored, and not said again",
                         session->client_id, topic);
    sb_platform_mqtt_refuse(p->platform, &session->identity, topic, payload, len);
}

/* The broker's own routing goes on, and ends at the denied READ: an error here would
 * look to the client as if the broker had failed. */
static int on_message(int type, void *data, void *userdata)
{
    struct mosquitto_evt_message *event = data;
    struct plugin *p = userdata;
    struct sb_session *session = sb_sessions_of_client(&p->sessions, event->client);

    (void)type;
    event->retain = false; /* accepted and ignored: nothing is kept */
    if (session)
        hand_over(p, session, event->topic, event->payload, event->payloadlen);
    return MOSQ_ERR_SUCCESS;
}

/* A last will raises no MESSAGE; its only trace is this check, after DISCONNECT. It is
 * executed like a publish, and denied so that the broker keeps no copy. */
static int check_write(struct plugin *p, const struct sb_session *session,
                       const struct mosquitto_evt_acl_check *event)
{
    if (!session->gone)
        return MOSQ_ERR_SUCCESS; /* MESSAGE comes next */
    hand_over(p, session, event->topic, event->payload, event->payloadlen);
    return MOSQ_ERR_ACL_DENIED;
}

static int check_subscribe(struct plugin *p, struct sb_session *session,
                           const struct mosquitto_evt_acl_check *event)
{
    const char *filter = event->topic;

    if (!sb_platform_mqtt_may_subscribe(p->platform, &session->identity, filter) ||
        !sb_session_subscribe(session, filter, event->qos))
        return MOSQ_ERR_ACL_DENIED;
    sb_platform_mqtt_subscribed(p->platform, session->key.device_id, filter, true);
    return MOSQ_ERR_SUCCESS;
}

static int note_unsubscribe(struct plugin *p, struct sb_session *session,
                            const char *filter)
{
    sb_session_unsubscribe(session, filter);
    sb_platform_mqtt_subscribed(p->platform, session->key.device_id, filter, false);
    return MOSQ_ERR_SUCCESS;
}

static int on_check(int type, void *data, void *userdata)
{
    const struct mosquitto_evt_acl_check *event = data;
    struct plugin *p = userdata;
    struct sb_session *session = sb_sessions_of_client(&p->sessions, event->client);

    (void)type;
    if (!session) /* our own wake client: it has nothing to say */
        return MOSQ_ERR_ACL_DENIED;
    settle(p, session);
    switch (event->access) {
    case MOSQ_ACL_WRITE: return check_write(p, session, event);
    case MOSQ_ACL_SUBSCRIBE: return check_subscribe(p, session, event);
    case MOSQ_ACL_UNSUBSCRIBE: return note_unsubscribe(p, session, event->topic);
    default: return MOSQ_ERR_ACL_DENIED; /* READ */
    }
}

/* --- the broker's turn ------------------------------------------------------------------ */

/* The first turn: the broker accepts connections now, and so can we ourselves. */
static void open_for_business(struct plugin *p)
{
    p->wake = sb_wake_new(sb_host_to_reach(p->mqtt_host), p->mqtt_port, p->wake_name,
                          p->wake_password);
    if (!p->wake)
        mosquitto_log_printf(MOSQ_LOG_ERR, "sandbox: no thread for waking the broker; "
                                           "operations will be up to 100 ms late");
    report(p, "ready");
}

static int on_tick(int type, void *data, void *userdata)
{
    struct plugin *p = userdata;

    (void)type, (void)data;
    if (!p->wake && p->ready_fd >= 0)
        open_for_business(p);
    sb_sessions_sweep(&p->sessions);
    empty_mailbox(p);
    return MOSQ_ERR_SUCCESS;
}

/* --- life --------------------------------------------------------------------------------- */

static const struct {
    int event;
    MOSQ_FUNC_generic_callback call;
} callbacks[] = {
    {MOSQ_EVT_BASIC_AUTH,  on_connect   },
    { MOSQ_EVT_ACL_CHECK,  on_check     },
    { MOSQ_EVT_MESSAGE,    on_message   },
    { MOSQ_EVT_TICK,       on_tick      },
    { MOSQ_EVT_DISCONNECT, on_disconnect},
};
#define CALLBACKS (sizeof callbacks / sizeof *callbacks)

static bool register_callbacks(struct plugin *p)
{
    for (size_t i = 0; i < CALLBACKS; i++)
        if (mosquitto_callback_register(p->id, callbacks[i].event, callbacks[i].call,
                                        NULL, p))
            return false;
    return true;
}

/* One that nobody can guess and no device has; the name gets into the log. */
static bool make_wake_account(struct plugin *p)
{
    uint64_t random[3];

    if (getrandom(random, sizeof random, 0) != sizeof random)
        return false;
    sprintf(p->wake_name, "wake-%016" PRIx64, random[0]);
    sprintf(p->wake_password, "%016" PRIx64 "%016" PRIx64, random[1], random[2]);
    return true;
}

static bool open_platform(struct plugin *p, struct options all)
{
    const struct sb_config config = {
        .tenant = option(all, "tenant"),
        .data_dir = option(all, "data_dir"),
        .auto_accept = is_on(all, "auto_accept"),
        .operator_user = option(all, "operator_user"),
        .operator_password = option(all, "operator_password"),
        .skip_15_lines = is_on(all, "skip_15_lines"),
        .push_timeout_ms = long_option(all, "push_timeout_ms"),
        .push_grace_ms = long_option(all, "push_grace_ms"),
        .binary_max = (uint64_t)long_option(all, "binary_max"),
    };
    char *error = NULL;

    if (!config.tenant || !config.operator_user || !config.operator_password ||
        !p->mqtt_host || p->mqtt_port < 1 || p->http_fd < 0) {
        report(p,
               "an option of the plugin is missing; start it with smartrest-sandbox");
        return false;
    }
    if (sb_platform_open(&config, (struct sb_sink){ on_publish, p }, &p->platform,
                         &error) == 0)
        return true;
    report(p, error ? error : "the platform could not be opened");
    free(error);
    return false;
}

static char *read_all(const char *path)
{
    int fd = path ? sb_open_regular(path, O_RDONLY) : -1;
    FILE *file = fd < 0 ? NULL : fdopen(fd, "r");
    char *text = NULL;
    size_t size = 0;

    if (file && getdelim(&text, &size, '\0', file) < 0) {
        free(text);
        text = NULL;
    }
    if (file)
        fclose(file);
    else if (fd >= 0)
        close(fd);
    return text;
}

static bool open_http(struct plugin *p, struct options all)
{
    struct sb_http_config config = {
        .listen_fd = p->http_fd,
        .heartbeat_ms = long_option(all, "heartbeat_ms"),
    };

    if (config.heartbeat_ms < 1)
        config.heartbeat_ms = HEARTBEAT_MS;
    p->http = sb_http_start(&config, p->platform);
    if (!p->http)
        report(p, "the HTTP server could not be started");
    if (!p->http || p->https_fd < 0)
        return p->http;
    config.listen_fd = p->https_fd;
    config.tls_cert = p->tls_cert = read_all(option(all, "tls_cert"));
    config.tls_key = p->tls_key = read_all(option(all, "tls_key"));
    if (p->tls_cert && p->tls_key)
        p->https = sb_http_start(&config, p->platform);
    if (!p->https)
        report(p, "the HTTPS server could not be started: certificate and key are not "
                  "what it can use");
    return p->https;
}

static void plugin_free(struct plugin *p)
{
    sb_http_stop(p->http);
    sb_http_stop(p->https);
    free(p->tls_cert);
    free(p->tls_key);
    sb_wake_free(p->wake);
    sb_sessions_clear(&p->sessions);
    if (p->platform)
        sb_platform_close(p->platform);
    sb_mailbox_free(p->mailbox);
    sb_refusals_clear(&p->refusals);
    if (p->ready_fd >= 0)
        close(p->ready_fd);
    free(p);
}

static bool start(struct plugin *p, struct options all)
{
    p->mailbox = sb_mailbox_new(MAILBOX_MAX);
    if (!p->mailbox || !make_wake_account(p)) {
        report(p, "out of memory or of random numbers");
        return false;
    }
    if (!open_platform(p, all))
        return false;
    if (!open_http(p, all))
        return false;
    if (register_callbacks(p))
        return true;
    report(p, "the broker's callbacks could not be set up");
    return false;
}

int mosquitto_plugin_version(int supported_version_count, const int *supported_versions)
{
    for (int i = 0; i < supported_version_count; i++)
        if (supported_versions[i] == MOSQ_PLUGIN_VERSION)
            return MOSQ_PLUGIN_VERSION;
    return -1;
}

int mosquitto_plugin_init(mosquitto_plugin_id_t *identifier, void **userdata,
                          struct mosquitto_opt *options, int option_count)
{
    struct options all = { options, option_count };
    struct plugin *p = calloc(1, sizeof *p);

    if (!p)
        return MOSQ_ERR_NOMEM;
    p->id = identifier;
    p->broker_thread = pthread_self();
    p->mqtt_host = option(all, "mqtt_host");
    p->mqtt_port = number_option(all, "mqtt_port");
    p->http_fd = number_option(all, "http_fd");
    p->https_fd = number_option(all, "https_fd");
    p->ready_fd = number_option(all, "ready_fd");
    if (!start(p, all)) {
        plugin_free(p);
        return MOSQ_ERR_UNKNOWN;
    }
    *userdata = p;
    return MOSQ_ERR_SUCCESS;
}

int mosquitto_plugin_cleanup(void *userdata, struct mosquitto_opt *options,
                             int option_count)
{
    struct plugin *p = userdata;

    (void)options, (void)option_count;
    if (!p)
        return MOSQ_ERR_SUCCESS;
    for (size_t i = 0; i < CALLBACKS; i++)
        mosquitto_callback_unregister(p->id, callbacks[i].event, callbacks[i].call,
                                      NULL);
    plugin_free(p);
    return MOSQ_ERR_SUCCESS;
}
