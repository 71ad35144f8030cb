/* SPDX-License-Identifier: MIT */
/* The two doors' way in: the lock, who is it, and which part of the platform a
 * request or message is for. */
#include "platform.h"

#include "binary.h"
#include "collection.h"
#include "devices.h"
#include "engine.h"
#include "realtime.h"
#include "rest.h"
#include "subscriptions.h"

#include <pthread.h>
#include <smartrest/row.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* The account that devices use till they have their own; it is public. */
#define BOOTSTRAP_TENANT   "management"
#define BOOTSTRAP_USER     "devicebootstrap"
#define BOOTSTRAP_PASSWORD "Fhdt1bb1f"
#define DEVICE_PREFIX      "device_"

#define PUSH_TIMEOUT_MS 5400000
#define PUSH_GRACE_MS   10000

/* What was made or changed, but not yet for sure. */
struct pending {
    struct pending *next;
    struct sb_channel channel;
    const char *action; /* static */
    json_t *json;
};

struct sb_platform {
    pthread_mutex_t lock;
    char *tenant, *operator_user, *operator_password;
    struct sb_sink sink;
    struct sb_store *store;
    struct sb_rest rest;
    struct sb_engine *engine;
    struct sb_subscriptions *subscriptions;
    struct sb_push *push;
    struct sb_binaries *binaries;
    struct pending *pending, **pending_end;
};

/* --- opening ---------------------------------------------------------------- */

static void add_pending(struct sb_platform *p, struct sb_channel channel,
                        const char *action, json_t *json)
{
    struct pending *pending = calloc(1, sizeof *pending);

    if (!pending)
        return; /* it is stored: the device finds it when it asks */
    pending->channel = channel;
    pending->action = action;
    pending->json = json_incref(json);
    *p->pending_end = pending;
    p->pending_end = &pending->next;
}

static void on_operation(void *arg, int64_t agent, json_t *operation)
{
    add_pending(arg, (struct sb_channel){ SB_NEW_OPERATIONS, agent }, "CREATE",
                operation);
}

static bool listens(void *arg, struct sb_channel channel)
{
    struct sb_platform *p = arg;

    return sb_push_subscriptions(p->push, channel) != NULL;
}

static void on_change(void *arg, struct sb_channel channel, const char *action,
                      json_t *json)
{
    add_pending(arg, channel, action, json);
}

static void on_collections(void *arg)
{
    struct sb_platform *p = arg;

    sb_engine_forget(p->engine);
}

static char *copy(const char *text)
{
    return strdup(text ? text : "");
}

static int64_t or_usual(int64_t value, int64_t usual)
{
    return value ? value : usual;
}

static bool fill(struct sb_platform *p, const struct sb_config *config)
{
    p->tenant = copy(config->tenant);
    p->operator_user = copy(config->operator_user);
    p->operator_password = copy(config->operator_password);
    p->subscriptions = sb_subscriptions_new();
    p->push = sb_push_new(or_usual(config->push_grace_ms, PUSH_GRACE_MS),
                          or_usual(config->push_timeout_ms, PUSH_TIMEOUT_MS));
    p->rest = (struct sb_rest){ .store = p->store,
                                .tenant = p->tenant,
                                .auto_accept = config->auto_accept,
                                .on_operation = on_operation,
                                .listens = listens,
                                .on_change = on_change,
                                .on_collections = on_collections,
                                .arg = p };
    p->engine = sb_engine_new(&p->rest, config->skip_15_lines);
    p->pending_end = &p->pending;
    return p->tenant && p->operator_user && p->operator_password && p->subscriptions &&
           p->push && p->engine;
}

int sb_platform_open(const struct sb_config *config, struct sb_sink sink,
                     struct sb_platform **ret_platform, char **ret_error)
{
    struct sb_platform *p = calloc(1, sizeof *p);
    int rc;

    if (!p) {
        *ret_error = strdup("out of memory");
        return SR_E_NOMEM;
    }
    pthread_mutex_init(&p->lock, NULL);
    p->sink = sink;
    rc = sb_store_open(config->data_dir, &p->store, ret_error);
    if (!rc && !fill(p, config)) {
        *ret_error = strdup("out of memory");
        rc = SR_E_NOMEM;
    }
    if (!rc)
        rc = sb_binaries_open(p->store, config->data_dir, config->binary_max,
                              &p->binaries, ret_error);
    p->rest.binaries = p->binaries;
    if (rc)
        sb_platform_close(p);
    else
        *ret_platform = p;
    return rc;
}

static void drop_pending(struct sb_platform *p)
{
    while (p->pending) {
        struct pending *first = p->pending;

        p->pending = first->next;
        json_decref(first->json);
        free(first);
    }
    p->pending_end = &p->pending;
}

void sb_platform_close(struct sb_platform *p)
{
    if (!p)
        return;
    drop_pending(p);
    sb_engine_free(p->engine);
    sb_push_free(p->push);
    sb_binaries_close(p->binaries);
    sb_subscriptions_free(p->subscriptions);
    sb_store_close(p->store);
    free(p->tenant);
    free(p->operator_user);
    free(p->operator_password);
    pthread_mutex_destroy(&p->lock);
    free(p);
}

/* --- who is it ------------------------------------------------------------------ */

static bool is_bootstrap(const char *tenant, const char *user, const char *password)
{
    return !strcmp(tenant, BOOTSTRAP_TENANT) && !strcmp(user, BOOTSTRAP_USER) &&
           sb_equal_secret(BOOTSTRAP_PASSWORD, password);
}

static bool is_operator(const struct sb_platform *p, const char *user,
                        const char *password)
{
    return *p->operator_user && !strcmp(user, p->operator_user) &&
           sb_equal_secret(p->operator_password, password);
}

static const char *device_of(const char *user)
{
    size_t len = strlen(DEVICE_PREFIX);

    return strncmp(user, DEVICE_PREFIX, len) ? NULL : user + len;
}

static enum sb_role role_of(struct sb_platform *p, const char *tenant, const char *user,
                            const char *password)
{
    const char *device = device_of(user);

    if (is_bootstrap(tenant, user, password))
        return SB_BOOTSTRAP;
    if (strcmp(tenant, p->tenant))
        return SB_NOBODY;
    if (is_operator(p, user, password))
        return SB_OPERATOR;
    if (device && sb_device_password_ok(p->store, device, password))
        return SB_DEVICE;
    return SB_NOBODY;
}

/* Cuts "<tenant>/" off the front of *user; the own tenant if there is none. */
static bool cut_tenant(const struct sb_platform *p, const char **user, char *ret_tenant,
                       size_t size)
{
    const char *slash = strchr(*user, '/');
    size_t len = slash ? (size_t)(slash - *user) : strlen(p->tenant);

    if (len >= size)
        return false;
    memcpy(ret_tenant, slash ? *user : p->tenant, len);
    ret_tenant[len] = '\0';
    if (slash)
        *user = slash + 1;
    return true;
}

void sb_platform_authenticate(struct sb_platform *p, const char *user,
                              const char *password, struct sb_identity *ret_identity)
{
    struct sb_identity identity = { .role = SB_NOBODY };
    char tenant[256];

    if (user && password && cut_tenant(p, &user, tenant, sizeof tenant) &&
        strlen(user) < sizeof identity.user) {
        pthread_mutex_lock(&p->lock);
        identity.role = role_of(p, tenant, user, password);
        pthread_mutex_unlock(&p->lock);
    }
    if (identity.role != SB_NOBODY)
        strcpy(identity.user, user);
    if (identity.role == SB_DEVICE)
        snprintf(identity.device_id, sizeof identity.device_id, "%s", device_of(user));
    *ret_identity = identity;
}

/* --- operations to devices ----------------------------------------------------------- */

/* The rows on each topic s/ol/<X-Id> that the device has subscribed to. Rows in a
 * message are parted by LF, and none follows the last. */
static void publish_to(struct sb_platform *p, const char *device, json_t *operation)
{
    const char *topic;
    size_t i;

    for (i = 0; (topic = sb_subscriptions_at(p->subscriptions, device, i)); i++) {
        struct sb_text rows = { 0 };

        if (strncmp(topic, "s/ol/", 5))
            continue;
        if (sb_engine_apply(p->engine, topic + 5, operation, &rows) && !rows.failed)
            p->sink.publish(p->sink.arg, device, topic, rows.data, rows.len - 1);
        sb_text_release(&rows);
    }
}

/* The MQTT client of an agent is named like the agent's serial number; anybody can
 * give an object that name, so the object has to be the device's own. */
static void deliver_by_mqtt(struct sb_platform *p, const struct pending *pending)
{
    sqlite3_stmt *query =
        sb_query(p->store,
                 "SELECT e.value FROM external_id e JOIN managed_object m"
                 " ON m.id = e.object WHERE e.type = 'c8y_Serial' AND e.object = ?"
                 " AND m.owner = '" DEVICE_PREFIX "' || e.value",
                 "i", pending->channel.id);

    while (sb_row(query))
        publish_to(p, sb_column(query, 0), pending->json);
    sb_done(query);
}

static struct sb_realtime realtime_of(struct sb_platform *p)
{
    return (struct sb_realtime){ p->push, p->engine, &p->rest };
}

static void deliver_pending(struct sb_platform *p)
{
    const struct sb_realtime realtime = realtime_of(p);
    const struct pending *pending;

    for (pending = p->pending; pending; pending = pending->next) {
        if (pending->channel.kind == SB_NEW_OPERATIONS)
            deliver_by_mqtt(p, pending);
        sb_realtime_publish(&realtime, pending->channel, pending->action,
                            pending->json);
    }
    sb_push_flush(p->push);
    drop_pending(p);
}

/* --- rows, whichever way they came ------------------------------------------------------ */

/* A body is one transaction: written once, however many rows it has. */
static void run_rows(struct sb_platform *p, const struct sb_rows *rows,
                     struct sb_text *answer, struct sb_text *errors)
{
    sb_store_begin(p->store);
    sb_engine_run(p->engine, rows, answer, errors);
    if (!sb_store_commit(p->store)) {
        sb_engine_forget(p->engine);
        drop_pending(p);
        sb_text_clear(answer);
        sb_text_puts(answer, "50,1,500,\"the store could not be written\"\n");
    } else if (answer->failed) {
        sb_text_clear(answer);
        sb_text_puts(answer, "50,1,500,\"out of memory\"\n");
    }
    deliver_pending(p);
    sb_binaries_sweep(p->binaries);
}

/* --- HTTP ---------------------------------------------------------------------------------- */

static bool is_smartrest(const char *path)
{
    return !strcmp(path, "/s") || !strcmp(path, "/s/");
}

#define WRONG_MODE \
    "X-Cumulocity-Processing-Mode is none of PERSISTENT, TRANSIENT, QUIESCENT, CEP"

/* False if it is none. */
static bool mode_of(const char *text, enum sb_mode *ret_mode)
{
    static const char *const names[] = { "PERSISTENT", "TRANSIENT", "QUIESCENT",
                                         "CEP" };
    int i;

    for (i = 0; text && i < 4; i++) {
        if (strcasecmp(text, names[i]))
            continue;
        *ret_mode = (enum sb_mode)i;
        return true;
    }
    return !text;
}

static void http_rows(struct sb_platform *p, const struct sb_request *request,
                      struct sb_response *response)
{
    struct sb_rows rows = { .who = &request->identity,
                            .xid = request->x_id,
                            .host = request->host,
                            .tls = request->tls,
                            .body = request->body ? request->body : "",
                            .len = request->body ? request->len : 0 };
    struct sb_text answer = { 0 };

    if (request->identity.role == SB_NOBODY)
        sb_text_puts(&answer, "50,1,401\n"); /* not 401: clients of rows look here */
    else if (!mode_of(request->processing_mode, &rows.mode))
        sb_text_puts(&answer, "50,1,400,\"" WRONG_MODE "\"\n");
    else
        run_rows(p, &rows, &answer, NULL);
    response->status = answer.failed ? 500 : 200;
    response->content_type = "text/plain; charset=UTF-8";
    response->body = sb_text_take(&answer, &response->len);
}

static const char *method_of(const struct sb_request *request)
{
    if (!strcmp(request->method, "POST") && request->method_override)
        return request->method_override;
    return strcmp(request->method, "HEAD") ? request->method : "GET";
}

static void respond(struct sb_reply *reply, struct sb_response *response)
{
    struct sb_text text = { 0 };

    response->status = reply->status;
    response->location = reply->location;
    reply->location = NULL;
    response->file = reply->file;
    reply->file = NULL;
    if (reply->json) {
        response->content_type = reply->status >= 400
                                     ? "application/vnd.com.nsn.cumulocity.error+json"
                                     : "application/json; charset=UTF-8";
        sb_json_write(&text, reply->json);
        if (text.failed)
            response->status = 500;
        response->body = sb_text_take(&text, &response->len);
    }
    sb_reply_release(reply);
}

static void http_rest(struct sb_platform *p, const struct sb_request *request,
                      struct sb_response *response)
{
    struct sb_call call = { .who = &request->identity,
                            .method = method_of(request),
                            .path = request->path,
                            .query = request->query ? request->query : "",
                            .host = request->host,
                            .tls = request->tls,
                            .range = request->range,
                            .wants_body = request->accept != NULL,
                            .wants_location = true };
    bool writes = !strcmp(call.method, "POST") || !strcmp(call.method, "PUT");
    char wrong[SB_JSON_ERROR] = "";
    struct sb_reply reply = { 0 };

    if (writes && request->body && request->len)
        call.body = sb_json_read(request->body, request->len, wrong);
    if (*wrong && request->identity.role != SB_NOBODY)
        sb_reply_error(&reply, 400, "general", "%s %s: the body is %s", call.method,
                       call.path, wrong);
    else if (!mode_of(request->processing_mode, &call.mode))
        sb_reply_error(&reply, 400, "general", WRONG_MODE);
    else
        sb_rest_handle(&p->rest, &call, &reply);
    if (reply.status >= 400)
        drop_pending(p);
    deliver_pending(p);
    sb_binaries_sweep(p->binaries);
    json_decref(call.body);
    respond(&reply, response);
}

/* --- real time --------------------------------------------------------------------------- */

static void http_realtime(struct sb_platform *p, const struct sb_request *request,
                          struct sb_response *response)
{
    const struct sb_realtime realtime = realtime_of(p);
    struct sb_text answer = { 0 };
    struct sb_reply refused = { 0 };
    int status = 200;

    if (request->x_id)
        sb_realtime_rows(&realtime, request, &answer, &response->poll);
    else
        status = sb_realtime_json(&realtime, request, &answer, &response->poll);
    if (status != 200) {
        sb_reply_error(&refused, status, "notification",
                       status == 400 ? "the body is no JSON; SmartREST needs an X-Id"
                                     : "a device's or an operator's account is needed");
        respond(&refused, response);
    } else {
        response->status = answer.failed ? 500 : 200;
        response->content_type = request->x_id ? "text/plain; charset=UTF-8"
                                               : "application/json; charset=UTF-8";
        response->body = sb_text_take(&answer, &response->len);
    }
    sb_text_release(&answer);
}

int64_t sb_platform_poll_timeout(struct sb_platform *p, struct sb_poll *poll)
{
    (void)p; /* it never changes */
    return sb_poll_timeout(poll);
}

void sb_platform_await_poll(struct sb_platform *p, struct sb_poll *poll,
                            void (*ready)(void *arg), void *arg)
{
    pthread_mutex_lock(&p->lock);
    sb_poll_await(poll, ready, arg);
    pthread_mutex_unlock(&p->lock);
}

void sb_platform_expire_poll(struct sb_platform *p, struct sb_poll *poll)
{
    pthread_mutex_lock(&p->lock);
    sb_poll_expire(poll);
    pthread_mutex_unlock(&p->lock);
}

bool sb_platform_take_poll(struct sb_platform *p, struct sb_poll *poll, char **ret_body,
                           size_t *ret_len)
{
    bool taken;

    pthread_mutex_lock(&p->lock);
    taken = sb_poll_take(poll, ret_body, ret_len);
    pthread_mutex_unlock(&p->lock);
    return taken;
}

void sb_platform_close_poll(struct sb_platform *p, struct sb_poll *poll, bool delivered)
{
    pthread_mutex_lock(&p->lock);
    sb_poll_close(poll, delivered);
    pthread_mutex_unlock(&p->lock);
}

/* For whoever wants to see from outside how many wait. */
static void http_count(struct sb_platform *p, const struct sb_request *request,
                       struct sb_response *response)
{
    struct sb_push_count count = sb_push_count(p->push);
    struct sb_reply reply = { .status = 200 };

    if (request->identity.role == SB_OPERATOR)
        reply.json =
            json_pack("{s:I, s:I, s:I, s:I}", "clients", (json_int_t)count.listeners,
                      "waiting", (json_int_t)count.polls, "notes",
                      (json_int_t)count.notes, "bytes", (json_int_t)count.bytes);
    else
        sb_reply_error(&reply, request->identity.role == SB_NOBODY ? 401 : 403,
                       "sandbox", "the operator's account is needed");
    respond(&reply, response);
}

static const char *only_method(const struct sb_request *request)
{
    if (is_smartrest(request->path) || sb_endpoint_of(request->path))
        return "POST";
    return strcmp(request->path, "/sandbox/realtime") ? NULL : "GET";
}

void sb_platform_http(struct sb_platform *p, const struct sb_request *request,
                      struct sb_response *ret_response)
{
    const char *only = only_method(request);
    struct sb_response response = { 0 };
    struct sb_reply refused = { 0 };

    pthread_mutex_lock(&p->lock);
    if (!only) {
        http_rest(p, request, &response);
    } else if (strcmp(request->method, only) != 0) {
        sb_reply_error(&refused, 405, "general", "%s takes %s only", request->path,
                       only);
        respond(&refused, &response);
    } else if (is_smartrest(request->path)) {
        http_rows(p, request, &response);
    } else if (sb_endpoint_of(request->path)) {
        http_realtime(p, request, &response);
    } else {
        http_count(p, request, &response);
    }
    pthread_mutex_unlock(&p->lock);
    *ret_response = response;
}

void sb_response_release(struct sb_response *response)
{
    free(response->body);
    free(response->location);
    sb_file_free(response->file);
    *response = (struct sb_response){ 0 };
}

/* --- uploads -------------------------------------------------------------------------------- */

bool sb_platform_takes_file(const struct sb_request *request)
{
    return sb_binary_takes(method_of(request), request->path);
}

static struct sb_call call_of(const struct sb_request *request)
{
    return (struct sb_call){ .who = &request->identity,
                             .method = method_of(request),
                             .path = request->path,
                             .query = request->query ? request->query : "",
                             .host = request->host,
                             .tls = request->tls,
                             .wants_body = true,
                             .wants_location = true };
}

struct sb_upload *sb_platform_begin_upload(struct sb_platform *p,
                                           const struct sb_request *request,
                                           uint64_t length,
                                           struct sb_response *ret_response)
{
    struct sb_call call = call_of(request);
    struct sb_response response = { 0 };
    struct sb_reply reply = { 0 };
    struct sb_upload *upload;

    pthread_mutex_lock(&p->lock);
    upload = sb_binary_begin(&p->rest, &call, request->content_type,
                             request->disposition, length, &reply);
    pthread_mutex_unlock(&p->lock);
    if (upload)
        return upload;
    respond(&reply, &response);
    *ret_response = response;
    return NULL;
}

void sb_platform_end_upload(struct sb_platform *p, struct sb_upload *upload,
                            const struct sb_request *request,
                            struct sb_response *ret_response)
{
    struct sb_call call = call_of(request);
    struct sb_response response = { 0 };
    struct sb_reply reply = { 0 };

    pthread_mutex_lock(&p->lock);
    sb_binary_end(&p->rest, &call, upload, &reply);
    if (reply.status >= 400)
        drop_pending(p);
    deliver_pending(p);
    sb_binaries_sweep(p->binaries);
    pthread_mutex_unlock(&p->lock);
    respond(&reply, &response);
    *ret_response = response;
}

/* --- MQTT ------------------------------------------------------------------------------------- */

/* To a client that has subscribed; without the last line end. */
static void publish(struct sb_platform *p, const char *device, const char *topic,
                    const struct sb_text *rows)
{
    size_t len = rows->len;

    if (rows->failed || !len || !sb_subscriptions_has(p->subscriptions, device, topic))
        return;
    if (rows->data[len - 1] == '\n')
        len--;
    p->sink.publish(p->sink.arg, device, topic, rows->data, len);
}

/* An X-Id as the last part of a topic. */
static bool good_tail(const char *xid)
{
    return *xid && strlen(xid) <= 255 && !strpbrk(xid, "/+#");
}

/* What the first letter of a topic stands for. */
static enum sb_mode mode_of_letter(char letter)
{
    return letter == 't'   ? SB_TRANSIENT
           : letter == 'q' ? SB_QUIESCENT
           : letter == 'c' ? SB_CEP
                           : SB_PERSISTENT;
}

/* `tail`: behind "s/ul"; "" or "/<X-Id>". */
static bool mqtt_rows(struct sb_platform *p, const struct sb_identity *who,
                      enum sb_mode mode, const char *tail, const char *payload,
                      size_t len)
{
    struct sb_rows rows = {
        .who = who, .mode = mode, .body = payload, .len = len, .quiet_87 = *tail != '\0'
    };
    struct sb_text answer = { 0 }, errors = { 0 };
    char topic[300];

    if (*tail && (*tail != '/' || !good_tail(tail + 1)))
        return false;
    if (*tail)
        rows.xid = tail + 1;
    run_rows(p, &rows, &answer, &errors);
    snprintf(topic, sizeof topic, "s/dl%s", tail);
    publish(p, who->device_id, topic, &answer);
    publish(p, who->device_id, "s/e", &errors);
    sb_text_release(&answer);
    sb_text_release(&errors);
    return true;
}

static void mqtt_credentials(struct sb_platform *p, const char *device)
{
    char password[SB_PASSWORD_SIZE];
    struct sb_text text = { 0 };
    struct sr_row row;

    if (!sb_device_id_ok(device) || !sb_device_ask(&p->rest, device, password))
        return; /* no answer means: not yet */
    sr_row_init(&row, 0);
    sr_row_format(&row, "70,%s," DEVICE_PREFIX "%s,%s", p->tenant, device, password);
    sb_text_format(&text, "%s", sr_row_text(&row));
    publish(p, device, "s/dcr", &text);
    sb_text_release(&text);
    sr_row_release(&row);
}

bool sb_platform_mqtt_message(struct sb_platform *p, const struct sb_identity *identity,
                              const char *topic, const char *payload, size_t len)
{
    bool ok = false;

    pthread_mutex_lock(&p->lock);
    if (identity->role == SB_BOOTSTRAP && !strcmp(topic, "s/ucr")) {
        mqtt_credentials(p, identity->device_id);
        ok = true;
    } else if (identity->role == SB_DEVICE || identity->role == SB_OPERATOR) {
        ok = *topic && strchr("stqc", *topic) && !strncmp(topic + 1, "/ul", 3) &&
             mqtt_rows(p, identity, mode_of_letter(*topic), topic + 4,
                       payload ? payload : "", payload ? len : 0);
    }
    pthread_mutex_unlock(&p->lock);
    return ok;
}

/* "[t/|q/|c/]<api>/<resource>/<action>": its errors are JSON, on a topic of their own. */
static bool is_json_topic(const char *topic)
{
    static const char *const resources[] = { "event/events/", "alarm/alarms/",
                                             "measurement/measurements/",
                                             "inventory/managedObjects/" };
    size_t i;

    if (*topic && strchr("tqc", *topic) && topic[1] == '/')
        topic += 2;
    for (i = 0; i < sizeof resources / sizeof resources[0]; i++)
        if (!strncmp(topic, resources[i], strlen(resources[i])))
            return true;
    return false;
}

/* "<code>,<template id>,<text>" (docs/protocol/mqtt.md). */
static void write_error_row(struct sb_text *row, const char *payload, size_t len,
                            const char *message)
{
    size_t digits = 0;
    struct sr_row text;

    while (digits < len && digits < 9 && payload[digits] >= '0' &&
           payload[digits] <= '9')
        digits++;
    sr_row_init(&text, 0);
    sr_row_format(&text, "40,%.*s,%s", (int)digits, digits ? payload : "", message);
    sb_text_puts(row, sr_row_text(&text));
    sr_row_release(&text);
}

void sb_platform_mqtt_refuse(struct sb_platform *p, const struct sb_identity *identity,
                             const char *topic, const char *payload, size_t len)
{
    bool json = is_json_topic(topic);
    struct sb_reply reply = { 0 };
    struct sb_text text = { 0 };

    sb_reply_error(&reply, 404, "general",
                   "the sandbox takes no messages on %.200s: see docs/sandbox.md",
                   topic);
    if (json)
        sb_json_write(&text, reply.json);
    else
        write_error_row(&text, payload, len, sb_json_text(reply.json, "message"));
    pthread_mutex_lock(&p->lock);
    publish(p, identity->device_id, json ? "error" : "s/e", &text);
    pthread_mutex_unlock(&p->lock);
    sb_text_release(&text);
    sb_reply_release(&reply);
}

/* Topics that the platform sends on. `s/dl/` stands for s/dl/<X-Id>. */
static bool is_down_topic(const char *filter)
{
    static const char *const plain[] = {
        "s/dl",  "s/e",    "s/ds",
        "s/dd",  "s/dt",   "s/dat",
        "error", "s/dc/#", "devicecontrol/notifications"
    };
    static const char *const with_xid[] = { "s/dl/", "s/ol/", "s/dc/" };
    size_t i;

    for (i = 0; i < sizeof plain / sizeof plain[0]; i++)
        if (!strcmp(filter, plain[i]))
            return true;
    for (i = 0; i < 3; i++)
        if (!strncmp(filter, with_xid[i], 5))
            return good_tail(filter + 5);
    return false;
}

bool sb_platform_mqtt_may_subscribe(struct sb_platform *p,
                                    const struct sb_identity *identity,
                                    const char *filter)
{
    bool full;

    if (identity->role == SB_BOOTSTRAP)
        return !strcmp(filter, "s/dcr");
    if (identity->role == SB_NOBODY || !is_down_topic(filter))
        return false;
    pthread_mutex_lock(&p->lock);
    full = sb_subscriptions_at(p->subscriptions, identity->device_id,
                               SB_SUBSCRIPTIONS_MAX - 1) &&
           !sb_subscriptions_has(p->subscriptions, identity->device_id, filter);
    pthread_mutex_unlock(&p->lock);
    return !full;
}

void sb_platform_mqtt_subscribed(struct sb_platform *p, const char *device_id,
                                 const char *filter, bool on)
{
    pthread_mutex_lock(&p->lock);
    if (on && filter)
        sb_subscriptions_add(p->subscriptions, device_id, filter);
    else
        sb_subscriptions_remove(p->subscriptions, device_id, filter);
    pthread_mutex_unlock(&p->lock);
}
