/* SPDX-License-Identifier: MIT */
/* The two doors' way in: the lock, who is it, and which part of the platform a
 * request or message is for. */
#include "platform.h"

#include "collection.h"
#include "devices.h"
#include "engine.h"
#include "rest.h"
#include "subscriptions.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The account that devices use till they have their own; it is public. */
#define BOOTSTRAP_TENANT   "management"
#define BOOTSTRAP_USER     "devicebootstrap"
#define BOOTSTRAP_PASSWORD "Fhdt1bb1f"
#define DEVICE_PREFIX      "device_"

/* Operations made, but not yet for sure. */
struct pending {
    struct pending *next;
    int64_t agent;
    json_t *operation;
};

struct sb_platform {
    pthread_mutex_t lock;
    char *tenant, *operator_user, *operator_password;
    struct sb_sink sink;
    struct sb_store *store;
    struct sb_rest rest;
    struct sb_engine *engine;
    struct sb_subscriptions *subscriptions;
    struct pending *pending, **pending_end;
};

/* --- opening ---------------------------------------------------------------- */

static void on_operation(void *arg, int64_t agent, json_t *operation)
{
    struct sb_platform *p = arg;
    struct pending *pending = calloc(1, sizeof *pending);

    if (!pending)
        return; /* it stays PENDING: the device finds it when it asks */
    pending->agent = agent;
    pending->operation = json_incref(operation);
    *p->pending_end = pending;
    p->pending_end = &pending->next;
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

static bool fill(struct sb_platform *p, const struct sb_config *config)
{
    p->tenant = copy(config->tenant);
    p->operator_user = copy(config->operator_user);
    p->operator_password = copy(config->operator_password);
    p->subscriptions = sb_subscriptions_new();
    p->rest = (struct sb_rest){ .store = p->store,
                                .tenant = p->tenant,
                                .auto_accept = config->auto_accept,
                                .on_operation = on_operation,
                                .on_collections = on_collections,
                                .arg = p };
    p->engine = sb_engine_new(&p->rest, config->skip_15_lines);
    p->pending_end = &p->pending;
    return p->tenant && p->operator_user && p->operator_password && p->subscriptions &&
           p->engine;
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
        json_decref(first->operation);
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
        sb_engine_apply(p->engine, topic + 5, operation, &rows);
        if (rows.len && !rows.failed)
            p->sink.publish(p->sink.arg, device, topic, rows.data, rows.len - 1);
        sb_text_release(&rows);
    }
}

/* The MQTT client of an agent is named like the agent's serial number; anybody can
 * give an object that name, so the object has to be the device's own. */
static void deliver(struct sb_platform *p, const struct pending *pending)
{
    sqlite3_stmt *query =
        sb_query(p->store,
                 "SELECT e.value FROM external_id e JOIN managed_object m"
                 " ON m.id = e.object WHERE e.type = 'c8y_Serial' AND e.object = ?"
                 " AND m.owner = '" DEVICE_PREFIX "' || e.value",
                 "i", pending->agent);

    while (sb_row(query))
        publish_to(p, sb_column(query, 0), pending->operation);
    sb_done(query);
}

static void deliver_pending(struct sb_platform *p)
{
    const struct pending *pending;

    for (pending = p->pending; pending; pending = pending->next)
        deliver(p, pending);
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
}

/* --- HTTP ---------------------------------------------------------------------------------- */

static bool is_smartrest(const char *path)
{
    return !strcmp(path, "/s") || !strcmp(path, "/s/");
}

static void http_rows(struct sb_platform *p, const struct sb_request *request,
                      struct sb_response *response)
{
    struct sb_rows rows = { .who = &request->identity,
                            .xid = request->x_id,
                            .host = request->host,
                            .body = request->body ? request->body : "",
                            .len = request->body ? request->len : 0 };
    struct sb_text answer = { 0 };

    if (request->identity.role == SB_NOBODY)
        sb_text_puts(&answer, "50,1,401\n"); /* not 401: clients of rows look here */
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
    else
        sb_rest_handle(&p->rest, &call, &reply);
    deliver_pending(p);
    json_decref(call.body);
    respond(&reply, response);
}

void sb_platform_http(struct sb_platform *p, const struct sb_request *request,
                      struct sb_response *ret_response)
{
    struct sb_response response = { 0 };
    struct sb_reply refused = { 0 };

    pthread_mutex_lock(&p->lock);
    if (!is_smartrest(request->path)) {
        http_rest(p, request, &response);
    } else if (!strcmp(request->method, "POST")) {
        http_rows(p, request, &response);
    } else {
        sb_reply_error(&refused, 405, "smartrest", "%s takes POST only", request->path);
        respond(&refused, &response);
    }
    pthread_mutex_unlock(&p->lock);
    *ret_response = response;
}

void sb_response_release(struct sb_response *response)
{
    free(response->body);
    free(response->location);
    *response = (struct sb_response){ 0 };
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

/* `tail`: behind "s/ul"; "" or "/<X-Id>". */
static bool mqtt_rows(struct sb_platform *p, const struct sb_identity *who,
                      const char *tail, const char *payload, size_t len)
{
    struct sb_rows rows = { .who = who, .body = payload, .len = len, .quiet_87 = true };
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
    struct sb_text row = { 0 };

    if (!sb_device_id_ok(device) || !sb_device_ask(&p->rest, device, password))
        return; /* no answer means: not yet */
    sb_text_format(&row, "70,%s," DEVICE_PREFIX "%s,%s", p->tenant, device, password);
    publish(p, device, "s/dcr", &row);
    sb_text_release(&row);
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
             mqtt_rows(p, identity, topic + 4, payload ? payload : "",
                       payload ? len : 0);
    }
    pthread_mutex_unlock(&p->lock);
    return ok;
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
