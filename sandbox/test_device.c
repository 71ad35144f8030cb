/* SPDX-License-Identifier: MIT */
/* The clients of test_sandbox.h: libcurl and libmosquitto, as agents use them. */
#include "test_sandbox.h"

#include <curl/curl.h>
#include <mosquitto.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* --- HTTP --------------------------------------------------------------------------- */

static size_t keep(char *data, size_t size, size_t n, void *arg)
{
    struct answer *answer = arg;
    size_t len = strlen(answer->body), more = size * n;

    if (more > sizeof answer->body - 1 - len)
        more = sizeof answer->body - 1 - len;
    memcpy(answer->body + len, data, more);
    answer->body[len + more] = '\0';
    return size * n;
}

static struct curl_slist *make_headers(const char *x_id)
{
    struct curl_slist *headers = NULL;
    char line[128];

    headers = curl_slist_append(headers, "Content-Type: application/json");
    headers = curl_slist_append(headers, "Accept: application/json");
    if (!x_id)
        return headers;
    snprintf(line, sizeof line, "X-Id: %s", x_id);
    return curl_slist_append(headers, line);
}

struct answer http_call(const struct sandbox *sandbox, const char *account,
                        const char *method, const char *path, const char *x_id,
                        const char *body)
{
    struct answer answer = { 0 };
    CURL *curl = curl_easy_init();
    struct curl_slist *headers = make_headers(x_id);
    char url[512];

    snprintf(url, sizeof url, "http://127.0.0.1:%d%s", sandbox->http_port, path);
    curl_easy_setopt(curl, CURLOPT_URL, url);
    curl_easy_setopt(curl, CURLOPT_CUSTOMREQUEST, method);
    curl_easy_setopt(curl, CURLOPT_HTTPHEADER, headers);
    curl_easy_setopt(curl, CURLOPT_USERPWD, account);
    curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, keep);
    curl_easy_setopt(curl, CURLOPT_WRITEDATA, &answer);
    curl_easy_setopt(curl, CURLOPT_TIMEOUT_MS, (long)PATIENCE_MS);
    curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(curl, CURLOPT_PROXY, "");
    if (body)
        curl_easy_setopt(curl, CURLOPT_POSTFIELDS, body);
    assert_int_equal(curl_easy_perform(curl), CURLE_OK);
    curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &answer.status);
    curl_slist_free_all(headers);
    curl_easy_cleanup(curl);
    return answer;
}

void json_member(const char *json, const char *name, char *ret_value, size_t size)
{
    char key[64];
    const char *found;

    snprintf(key, sizeof key, "\"%s\":", name);
    found = strstr(json, key);
    if (!found)
        fail_msg("no %s in %s", name, json);
    found += strlen(key);
    found += strspn(found, " \"");
    snprintf(ret_value, size, "%.*s", (int)strcspn(found, "\",}"), found);
}

/* --- registration ------------------------------------------------------------------------ */

static void expect_status(struct answer answer, long status, const char *what)
{
    if (answer.status != status)
        fail_msg("%s: %ld %s", what, answer.status, answer.body);
}

/* 70,<line>,<device>,<tenant>,<user>,<password> */
static void take_credentials(struct device *device, const char *row)
{
    char tenant[32], user[48];

    if (sscanf(row, "70,%*[^,],%*[^,],%31[^,],%47[^,],%127[^,\r\n]", tenant, user,
               device->password) != 3)
        fail_msg("no credentials in: %s", row);
    snprintf(device->user, sizeof device->user, "%s/%s", tenant, user);
}

static void get_credentials(struct device *device)
{
    const char *requests = "/devicecontrol/newDeviceRequests";
    char body[64], path[96];
    struct answer answer;

    snprintf(body, sizeof body, "{\"id\":\"%s\"}", device->id);
    answer = http_call(device->sandbox, OPERATOR, "POST", requests, NULL, body);
    expect_status(answer, 201, "register");
    snprintf(body, sizeof body, "61,%s\n", device->id);
    answer = http_call(device->sandbox, BOOTSTRAP, "POST", "/s", NULL, body);
    assert_true(strncmp(answer.body, "70", 2) != 0); /* nobody has accepted it */
    snprintf(path, sizeof path, "%s/%s", requests, device->id);
    answer = http_call(device->sandbox, OPERATOR, "PUT", path, NULL,
                       "{\"status\":\"ACCEPTED\"}");
    expect_status(answer, 200, "accept");
    answer = http_call(device->sandbox, BOOTSTRAP, "POST", "/s", NULL, body);
    expect_status(answer, 200, "bootstrap");
    take_credentials(device, answer.body);
}

/* As the device itself does when it integrates: the object is its own then. */
static void make_object(struct device *device)
{
    char account[240], body[160], path[96];
    struct answer answer;

    snprintf(account, sizeof account, "%s:%s", device->user, device->password);
    snprintf(body, sizeof body,
             "{\"name\":\"%s\",\"c8y_IsDevice\":{},\"com_cumulocity_model_Agent\":{}}",
             device->id);
    answer = http_call(device->sandbox, account, "POST", "/inventory/managedObjects",
                       NULL, body);
    expect_status(answer, 201, "create object");
    json_member(answer.body, "id", device->object, sizeof device->object);
    snprintf(path, sizeof path, "/identity/globalIds/%s/externalIds", device->object);
    snprintf(body, sizeof body, "{\"type\":\"c8y_Serial\",\"externalId\":\"%s\"}",
             device->id);
    expect_status(http_call(device->sandbox, account, "POST", path, NULL, body), 201,
                  "bind external id");
}

void device_register(struct device *device, const struct sandbox *sandbox,
                     const char *id)
{
    *device = (struct device){ .sandbox = sandbox };
    snprintf(device->id, sizeof device->id, "%s", id);
    get_credentials(device);
    make_object(device);
}

void device_operate(struct device *device, char ret_id[32])
{
    char body[96];
    struct answer answer;

    snprintf(body, sizeof body, "{\"deviceId\":\"%s\",\"c8y_Restart\":{}}",
             device->object);
    answer = http_call(device->sandbox, OPERATOR, "POST", "/devicecontrol/operations",
                       NULL, body);
    expect_status(answer, 201, "create operation");
    json_member(answer.body, "id", ret_id, 32);
}

/* --- MQTT: what comes ------------------------------------------------------------------------- */

static void on_connect(struct mosquitto *mosq, void *arg, int code, int flags)
{
    struct device *device = arg;

    (void)mosq;
    device->connack = code;
    device->session_present = flags & 1;
}

static void on_disconnect(struct mosquitto *mosq, void *arg, int code)
{
    (void)mosq, (void)code;
    ((struct device *)arg)->lost = true;
}

static void on_subscribe(struct mosquitto *mosq, void *arg, int mid, int count,
                         const int *granted)
{
    struct device *device = arg;

    (void)mosq, (void)mid;
    assert_true(count <= 8);
    memcpy(device->suback, granted, sizeof *granted * (size_t)count);
    device->suback_count = count;
}

static void on_publish(struct mosquitto *mosq, void *arg, int mid)
{
    (void)mosq;
    ((struct device *)arg)->published = mid;
}

static void on_message(struct mosquitto *mosq, void *arg,
                       const struct mosquitto_message *m)
{
    struct device *device = arg;
    struct message *message = &device->inbox[device->received++ % 64];

    (void)mosq;
    snprintf(message->topic, sizeof message->topic, "%s", m->topic);
    snprintf(message->payload, sizeof message->payload, "%.*s", m->payloadlen,
             (const char *)m->payload);
    message->qos = m->qos;
}

/* --- MQTT: what is done -------------------------------------------------------------------------- */

/* One turn of the network, which ends when something comes. */
static void turn(struct device *device, int64_t deadline)
{
    if (test_now_us() > deadline)
        fail_msg("%s: what was awaited did not come", device->id);
    if (mosquitto_loop(device->mosq, 100, 1) != MOSQ_ERR_SUCCESS)
        device->lost = true;
}

static int64_t deadline_from_now(void)
{
    return test_now_us() + (int64_t)PATIENCE_MS * 1000;
}

int device_connect_as(struct device *device, const char *client_id, bool clean)
{
    int64_t deadline = deadline_from_now();

    device_release(device);
    device->mosq = mosquitto_new(client_id, clean, device);
    assert_non_null(device->mosq);
    device->connack = -1;
    device->lost = false;
    device->read = device->received = 0;
    mosquitto_connect_with_flags_callback_set(device->mosq, on_connect);
    mosquitto_disconnect_callback_set(device->mosq, on_disconnect);
    mosquitto_subscribe_callback_set(device->mosq, on_subscribe);
    mosquitto_publish_callback_set(device->mosq, on_publish);
    mosquitto_message_callback_set(device->mosq, on_message);
    mosquitto_username_pw_set(device->mosq, device->user[0] ? device->user : NULL,
                              device->password);
    if (device->will)
        mosquitto_will_set(device->mosq, "s/ul", (int)strlen(device->will),
                           device->will, 1, true);
    assert_int_equal(
        mosquitto_connect(device->mosq, "127.0.0.1", device->sandbox->mqtt_port, 60),
        MOSQ_ERR_SUCCESS);
    while (device->connack < 0 && !device->lost)
        turn(device, deadline);
    return device->connack;
}

int device_connect(struct device *device)
{
    char client_id[64];

    snprintf(client_id, sizeof client_id, "d:%s", device->id);
    return device_connect_as(device, client_id, true);
}

void device_await_loss(struct device *device)
{
    int64_t deadline = deadline_from_now();

    while (!device->lost)
        turn(device, deadline);
}

void device_disconnect(struct device *device)
{
    mosquitto_disconnect(device->mosq);
    device_await_loss(device);
    device_release(device);
}

void device_release(struct device *device)
{
    if (device->mosq)
        mosquitto_destroy(device->mosq);
    device->mosq = NULL;
}

int device_subscribe(struct device *device, const char *filter, int qos)
{
    int64_t deadline = deadline_from_now();

    device->suback_count = 0;
    assert_int_equal(mosquitto_subscribe(device->mosq, NULL, filter, qos),
                     MOSQ_ERR_SUCCESS);
    while (!device->suback_count) {
        assert_false(device->lost);
        turn(device, deadline);
    }
    return device->suback[0];
}

void device_publish(struct device *device, const char *topic, const void *payload,
                    size_t len, int qos, bool retain)
{
    int64_t deadline = deadline_from_now();
    int mid;

    assert_int_equal(
        mosquitto_publish(device->mosq, &mid, topic, (int)len, payload, qos, retain),
        MOSQ_ERR_SUCCESS);
    while (device->published != mid) {
        assert_false(device->lost);
        turn(device, deadline);
    }
}

void device_send(struct device *device, const char *topic, const char *rows)
{
    device_publish(device, topic, rows, strlen(rows), 1, false);
}

const struct message *device_receive(struct device *device)
{
    int64_t deadline = deadline_from_now();

    while (device->read == device->received) {
        if (device->lost)
            fail_msg("%s: connection lost", device->id);
        turn(device, deadline);
    }
    return &device->inbox[device->read++ % 64];
}

/* SUBACK comes behind everything that the broker had for us. */
void device_settle(struct device *device)
{
    for (int i = 0; i < 2; i++)
        device_subscribe(device, "s/e", 0);
}
