/* SPDX-License-Identifier: MIT */
/* Long polls from outside: the rows 80 to 88, their JSON form, and what becomes of them
 * when clients are many, slow, or gone. */
#include "test_wire.h"

#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define OPERATIONS "/devicecontrol/notifications"
#define REALTIME   "/notification/realtime"
#define GRACE      "0.4" /* seconds */

static const char templates[] =
    "11,502,,$.c8y_Restart,$.id,$.deviceId\n"
    "11,503,,$.c8y_Temperature.T.value,$.c8y_Temperature.T.value\n"
    "11,504,,$.severity,$.status,$.count\n"
    "11,505,,$.c8y_IsDevice,$.name\n"
    "11,506,,$.text,$.text\n"
    "10,200,POST,/measurement/measurements,application/json,,"
    "%%,NOW UNSIGNED NUMBER,\"{\"\"type\"\":\"\"T\"\","
    "\"\"time\"\":\"\"%%\"\",\"\"source\"\":{\"\"id\"\":"
    "\"\"%%\"\"},\"\"c8y_Temperature\"\":{\"\"T\"\":"
    "{\"\"value\"\":%%}}}\"\n";

static int open_sandbox(void **state)
{
    static struct sandbox sandbox;

    sandbox_prepare(&sandbox);
    sandbox_start(&sandbox, "--http-port", "0", "--mqtt-port", "0", "--heartbeat",
                  "0.2", "--push-timeout", "2", "--push-grace", GRACE, NULL);
    http_call(&sandbox, OPERATOR, "POST", "/s", "door", templates);
    http_call(&sandbox, OPERATOR, "POST", "/s", "other",
              "11,602,,$.c8y_Restart,$.status\n");
    *state = &sandbox;
    return 0;
}

static int close_sandbox(void **state)
{
    sandbox_stop(*state);
    sandbox_remove(*state);
    return 0;
}

/* --- a client -------------------------------------------------------------------------- */

struct client {
    const struct sandbox *sandbox;
    const char *path;
    char account[240], id[64];
    struct wire wire; /* where a connect is held */
};

/* One request; its answer is good until the next one. */
static const char *ask(const struct client *client, const char *body)
{
    static char text[65536];
    struct reply reply = talk(client->sandbox, client->account, "POST", client->path,
                              "X-Id: door\r\n", body);

    assert_int_equal(reply.status, 200);
    assert_true(reply.len < sizeof text);
    strcpy(text, reply.body);
    reply_free(&reply);
    return text;
}

static void shake_hands(struct client *client, const char *row)
{
    const char *answer = ask(client, row);

    assert_int_equal(strlen(answer), 29);
    assert_int_equal(strcspn(answer, ",\n"), 28); /* alone on its row */
    snprintf(client->id, sizeof client->id, "%.28s", answer);
}

static void client_of(struct client *client, const struct device *device,
                      const char *path, const char *handshake)
{
    *client = (struct client){ .sandbox = device->sandbox, .path = path };
    snprintf(client->account, sizeof client->account, "%s:%s", device->user,
             device->password);
    shake_hands(client, handshake);
}

/* A device, listening to its own operations. */
static void listen_to(struct client *client, struct device *device,
                      const struct sandbox *sandbox, const char *name,
                      const char *handshake)
{
    device_register(device, sandbox, name);
    client_of(client, device, OPERATIONS, handshake);
    assert_string_equal(ask(client, say("81,%s,/%s", client->id, device->object)), "");
}

/* Begins a connect that is held: its head has come. */
static void connect_row(struct client *client, const char *row)
{
    wire_open(&client->wire, client->sandbox);
    wire_request(&client->wire, client->account, "POST", client->path, "X-Id: door\r\n",
                 row);
    wire_await(&client->wire, "\r\n\r\n");
}

static void hold(struct client *client)
{
    connect_row(client, say("83,%s", client->id));
}

/* The answer without the blanks in front of it. */
static char *await_answer(struct client *client)
{
    static char text[65536];
    struct reply reply = wire_read(&client->wire);

    wire_close(&client->wire);
    assert_int_equal(reply.status, 200);
    assert_true(reply.len < sizeof text);
    strcpy(text, reply.body + strspn(reply.body, " "));
    reply_free(&reply);
    return text;
}

static long counter(const struct sandbox *sandbox, const char *name)
{
    struct answer answer =
        http_call(sandbox, OPERATOR, "GET", "/sandbox/realtime", NULL, NULL);
    char value[32];

    json_member(answer.body, name, value, sizeof value);
    return atol(value);
}

static void await_count(const struct sandbox *sandbox, const char *name, long wanted)
{
    int64_t deadline = test_now_us() + (int64_t)PATIENCE_MS * 1000;

    while (counter(sandbox, name) != wanted) {
        if (test_now_us() > deadline)
            fail_msg("%s is %ld", name, counter(sandbox, name));
        poll(NULL, 0, 20);
    }
}

/* --- rows ------------------------------------------------------------------------------- */

static void operation_ends_the_wait(void **state)
{
    struct client client;
    struct device device;
    char id[32];

    listen_to(&client, &device, *state, "waits", "80");
    hold(&client);
    device_operate(&device, id);
    assert_string_equal(await_answer(&client),
                        say("502,1,%s,%s\n86,,2000,0,retry\n", id, device.object));
}

static void operation_for_a_child_reaches_its_agent(void **state)
{
    struct client client;
    struct device device;
    struct answer answer;
    char child[32];

    listen_to(&client, &device, *state, "parent", "80");
    answer = http_call(*state, client.account, "POST",
                       say("/inventory/managedObjects/%s/childDevices", device.object),
                       NULL, "{\"c8y_IsDevice\":{},\"name\":\"child\"}");
    assert_int_equal(answer.status, 201);
    json_member(answer.body, "id", child, sizeof child);
    hold(&client);
    answer = http_call(*state, OPERATOR, "POST", "/devicecontrol/operations", NULL,
                       say("{\"deviceId\":\"%s\",\"c8y_Restart\":{}}", child));
    assert_int_equal(answer.status, 201);
    assert_non_null(strstr(await_answer(&client), say(",%s\n86,", child)));
}

static void both_names_of_an_endpoint_are_the_same(void **state)
{
    struct client client;
    struct device device;
    char id[32];

    listen_to(&client, &device, *state, "names", "80");
    client.path = "/notification/operations";
    hold(&client);
    device_operate(&device, id);
    assert_non_null(strstr(await_answer(&client), id));
}

/* With the first blank it would take 200 ms, each time; a busy machine may be as slow, but
 * hardly twenty times. */
static void expect_head_at_once(struct client *client)
{
    int64_t best = INT64_MAX;

    for (int i = 0; i < 20 && best >= 150000; i++) {
        int64_t begin = test_now_us(), took;

        hold(client);
        took = test_now_us() - begin;
        best = took < best ? took : best;
        wire_close(&client->wire);
    }
    assert_true(best < 150000);
}

static void head_comes_at_once_and_blanks_after_it(void **state)
{
    struct client client;
    struct device device;
    int64_t begin;

    listen_to(&client, &device, *state, "blanks", "80");
    expect_head_at_once(&client);
    begin = test_now_us();
    hold(&client);
    wire_await(&client.wire, "\r\n\r\n1\r\n \r\n1\r\n \r\n1\r\n \r\n");
    assert_true(test_now_us() - begin > 500000);
    assert_string_equal(await_answer(&client), "86,,2000,0,retry\n"); /* the time-out */
    assert_true(test_now_us() - begin > 1900000);
}

static void http_1_0_is_answered_without_chunks(void **state)
{
    struct client client = { .sandbox = *state,
                             .path = OPERATIONS,
                             .account = OPERATOR };
    const char *body;

    shake_hands(&client, "80");
    body = say("83,%s", client.id);
    wire_open(&client.wire, *state);
    body = say("POST " OPERATIONS " HTTP/1.0\r\nX-Id: door\r\nContent-Length: %zu\r\n"
               "Authorization: Basic dDQ3MTEvb3BlcmF0b3I6b3BlcmF0b3I=\r\n\r\n%s",
               strlen(body), body);
    wire_send(&client.wire, body, strlen(body));
    wire_await_close(&client.wire);
    assert_non_null(strstr(client.wire.in, "\r\n\r\n  "));
    assert_non_null(strstr(client.wire.in, " 86,,2000,0,retry\n"));
    assert_null(strcasestr(client.wire.in, "chunked"));
    wire_close(&client.wire);
}

static void what_comes_between_connects_is_kept(void **state)
{
    struct client client;
    struct device device;
    char first[32], second[32];

    listen_to(&client, &device, *state, "between", "80");
    device_operate(&device, first);
    device_operate(&device, second);
    assert_string_equal(ask(&client, say("83,%s", client.id)),
                        say("502,1,%s,%s\n502,1,%s,%s\n86,,2000,0,retry\n", first,
                            device.object, second, device.object));
    hold(&client); /* nothing comes twice */
    assert_string_equal(await_answer(&client), "86,,2000,0,retry\n");
}

static void new_handshake_has_an_empty_queue(void **state)
{
    struct client client;
    struct device device;
    char id[32];

    listen_to(&client, &device, *state, "again", "80");
    device_operate(&device, id);
    shake_hands(&client, "80");
    ask(&client, say("81,%s,/%s", client.id, device.object));
    hold(&client);
    assert_string_equal(await_answer(&client), "86,,2000,0,retry\n");
}

static void client_that_stays_away_is_forgotten(void **state)
{
    struct client client;
    struct device device;

    listen_to(&client, &device, *state, "away", "80");
    await_count(*state, "clients", 0); /* the other tests' too */
    assert_string_equal(ask(&client, say("83,%s", client.id)), "86,,,0,handshake\n");
}

static void second_connect_ends_the_first(void **state)
{
    struct client first, second;
    struct device device;
    char id[32];

    listen_to(&first, &device, *state, "twice", "80");
    hold(&first);
    second = first;
    hold(&second);
    assert_string_equal(await_answer(&first), "86,,2000,0,retry\n");
    device_operate(&device, id);
    assert_non_null(strstr(await_answer(&second), id));
}

static void disconnect_ends_the_wait(void **state)
{
    struct client client;
    struct device device;

    listen_to(&client, &device, *state, "leaves", "80");
    hold(&client);
    assert_string_equal(ask(&client, say("84,%s", client.id)), "");
    assert_string_equal(await_answer(&client), "86,,,0,handshake\n");
    assert_string_equal(ask(&client, say("84,%s", client.id)), "");
}

static void unsubscribed_channel_is_silent(void **state)
{
    struct client client;
    struct device device;
    char id[32];

    listen_to(&client, &device, *state, "silent", "80");
    hold(&client);
    assert_string_equal(ask(&client, say("82,%s,/%s", client.id, device.object)), "");
    assert_string_equal(ask(&client, say("82,%s,/%s", client.id, device.object)), "");
    device_operate(&device, id);
    assert_string_equal(await_answer(&client), "86,,2000,0,retry\n");
}

static void mistakes_are_answered_with_rows(void **state)
{
    static const char *const unknown = "0123456789012345678901234567";
    struct client client, stranger;
    struct device device, other;
    struct reply reply;

    listen_to(&client, &device, *state, "wrong", "80");
    device_register(&other, *state, "stranger");
    client_of(&stranger, &other, OPERATIONS, "80");
    assert_string_equal(ask(&client, "79,x"), "43,1,Invalid message identifier\n");
    assert_string_equal(ask(&client, "\n81,x"), "45,2,Wrong number of arguments\n");
    assert_string_equal(ask(&client, "80,true,1"), "45,1,Wrong number of arguments\n");
    assert_string_equal(ask(&client, "83"), "45,1,Wrong number of arguments\n");
    assert_string_equal(ask(&client, "81,\"x"), "42,1,Malformed Request\n");
    assert_string_equal(ask(&client, say("81,%s,/%s", unknown, device.object)),
                        "50,1,402,\"Unknown client\"\n");
    assert_string_equal(ask(&client, say("83,%s", unknown)), "86,,,0,handshake\n");
    assert_string_equal(ask(&client, say("81,%s,/alarms/1", client.id)),
                        "50,1,404,\"there is no such channel\"\n");
    assert_string_equal(ask(&client, say("81,%s,/%s", client.id, other.object)),
                        "50,1,403,\"the channel's object is not yours\"\n");
    assert_string_equal(ask(&client, say("81,%s,/*", client.id)),
                        "50,1,404,\"there is no such channel\"\n");
    assert_string_equal(ask(&client, say("81,%s,/%s,nope", client.id, device.object)),
                        "40,\"No template for this X-ID.\"\n");
    /* nobody speaks for somebody else's client */
    assert_string_equal(ask(&stranger, say("83,%s", client.id)), "86,,,0,handshake\n");
    reply = talk(*state, "t4711/nobody:x", "POST", OPERATIONS, "X-Id: door\r\n", "80");
    assert_string_equal(reply.body, "50,1,401\n");
    reply_free(&reply);
    reply = talk(*state, BOOTSTRAP, "POST", OPERATIONS, "X-Id: door\r\n", "80");
    assert_string_equal(reply.body, "50,1,403\n");
    reply_free(&reply);
    reply = talk(*state, OPERATOR, "GET", OPERATIONS, NULL, NULL);
    assert_int_equal(reply.status, 405);
    reply_free(&reply);
}

static void several_rows_and_x_ids_are_accepted(void **state)
{
    struct client client;
    struct device device;
    char id[32];

    device_register(&device, *state, "several");
    client_of(&client, &device, OPERATIONS, "80,true");
    assert_string_equal(
        ask(&client, say("81,%s,/%s,other\n81,%s,/%s,other,door\n", client.id,
                         device.object, client.id, device.object)),
        "");
    device_operate(&device, id);
    assert_string_equal(
        ask(&client, say("83,%s", client.id)),
        say("88,1\n87,1,door\n502,1,%s,%s\n87,1,other\n602,1,PENDING\n86,,2000,0,retry\n",
            id, device.object));
}

/* --- reliable mode ------------------------------------------------------------------------ */

static void batch_comes_again_until_it_is_acknowledged(void **state)
{
    struct client client;
    struct device device;
    char first[32], second[32], third[32];

    listen_to(&client, &device, *state, "reliable", "80,true");
    device_operate(&device, first);
    assert_string_equal(
        ask(&client, say("83,%s", client.id)),
        say("88,1\n502,1,%s,%s\n86,,2000,0,retry\n", first, device.object));
    device_operate(&device, second);
    assert_string_equal(ask(&client, say("83,%s,-1", client.id)),
                        say("88,2\n502,1,%s,%s\n502,1,%s,%s\n86,,2000,0,retry\n", first,
                            device.object, second, device.object));
    device_operate(&device, third);
    assert_string_equal(
        ask(&client, say("83,%s,2", client.id)),
        say("88,3\n502,1,%s,%s\n86,,2000,0,retry\n", third, device.object));
    connect_row(&client, say("83,%s,3", client.id));
    assert_string_equal(await_answer(&client), "86,,2000,0,retry\n");
}

/* Takes the ids of the rows 502 out of an answer, in order. */
static void take_ids(const char *rows, long *last, long *count)
{
    for (const char *p = rows; (p = strstr(p, "\n502,1,")); p++) {
        long id = atol(p + 7);

        if (id <= *last)
            fail_msg("operation %ld came after %ld", id, *last);
        *last = id;
        ++*count;
    }
}

#define BURST 10000

static void make_burst(const struct sandbox *sandbox, const char *object)
{
    struct wire wire;
    struct reply reply;

    wire_open(&wire, sandbox);
    for (int i = 0; i < BURST; i++) {
        wire_request(&wire, OPERATOR, "POST", "/devicecontrol/operations", NULL,
                     say("{\"deviceId\":\"%s\",\"c8y_Restart\":{}}", object));
        reply = wire_read(&wire);
        assert_int_equal(reply.status, 201);
        reply_free(&reply);
    }
    wire_close(&wire);
}

/* A client that throws every third answer away, while the operations are made. */
static void read_burst(struct client *client)
{
    long batch = 0, last = 0, count = 0, answers = 0;
    struct wire wire;

    wire_open(&wire, client->sandbox);
    while (count < BURST) {
        struct reply reply;

        wire_request(&wire, client->account, "POST", client->path, "X-Id: door\r\n",
                     say("83,%s,%ld", client->id, batch));
        reply = wire_read(&wire);
        if (++answers % 3 && strstr(reply.body, "88,")) {
            batch = atol(strstr(reply.body, "88,") + 3);
            take_ids(reply.body, &last, &count);
        }
        reply_free(&reply);
    }
    wire_close(&wire);
    if (count != BURST)
        fail_msg("%ld operations came", count);
}

static void ten_thousand_operations_come_once_each_though_answers_are_lost(void **state)
{
    struct client client;
    struct device device;
    pid_t maker;
    int status;

    listen_to(&client, &device, *state, "burst", "80,true");
    maker = fork();
    if (maker == 0) {
        make_burst(*state, device.object);
        _exit(0);
    }
    read_burst(&client);
    assert_int_equal(waitpid(maker, &status, 0), maker);
    assert_int_equal(status, 0);
}

/* --- the other channels -------------------------------------------------------------------- */

static const char now[] = "\"time\":\"2026-01-01T00:00:00Z\"";

static void post(const struct client *client, const char *path, const char *headers,
                 const char *body, int status)
{
    struct reply reply =
        talk(client->sandbox, client->account, "POST", path, headers, body);

    if (reply.status != status)
        fail_msg("%s: %d %s", path, reply.status, reply.body);
    reply_free(&reply);
}

static void subscribe_all(struct client *client, struct device *device,
                          const struct sandbox *sandbox, const char *name)
{
    static const char *const channels[] = { "operations", "alarms", "events",
                                            "measurements", "managedobjects" };

    device_register(device, sandbox, name);
    client_of(client, device, REALTIME, "80");
    for (size_t i = 0; i < 5; i++)
        assert_string_equal(
            ask(client, say("81,%s,/%s/%s", client->id, channels[i], device->object)),
            "");
}

static const char *measurement(const struct device *device)
{
    return say("{\"type\":\"T\",%s,\"source\":{\"id\":\"%s\"},\"c8y_Temperature\":"
               "{\"T\":{\"value\":21}}}",
               now, device->object);
}

static const char *alarm_of(const struct device *device)
{
    return say("{\"type\":\"a\",\"text\":\"hot\",\"severity\":\"MAJOR\",%s,"
               "\"source\":{\"id\":\"%s\"}}",
               now, device->object);
}

static const char *event_of(const struct device *device)
{
    return say("{\"type\":\"e\",\"text\":\"open\",%s,\"source\":{\"id\":\"%s\"}}", now,
               device->object);
}

static const char *fetch(struct client *client)
{
    return ask(client, say("83,%s", client->id));
}

static void each_kind_of_object_has_its_channel(void **state)
{
    struct client client;
    struct device device;
    char id[32];

    subscribe_all(&client, &device, *state, "kinds");
    post(&client, "/measurement/measurements", NULL, measurement(&device), 201);
    assert_string_equal(fetch(&client), "503,1,21\n86,,2000,0,retry\n");
    post(&client, "/event/events", NULL, event_of(&device), 201);
    assert_string_equal(fetch(&client), "506,1,open\n86,,2000,0,retry\n");
    post(&client, "/alarm/alarms", NULL, alarm_of(&device), 201);
    post(&client, "/alarm/alarms", NULL, alarm_of(&device), 201); /* a repetition */
    assert_string_equal(fetch(&client), "504,1,ACTIVE,1\n506,1,hot\n504,1,ACTIVE,2\n"
                                        "506,1,hot\n86,,2000,0,retry\n");
    device_operate(&device, id);
    assert_string_equal(fetch(&client),
                        say("502,1,%s,%s\n86,,2000,0,retry\n", id, device.object));
    assert_int_equal(http_call(*state, client.account, "PUT",
                               say("/inventory/managedObjects/%s", device.object), NULL,
                               "{\"name\":\"renamed\"}")
                         .status,
                     200);
    assert_string_equal(fetch(&client), "505,1,renamed\n86,,2000,0,retry\n");
}

static void refused_data_is_told_to_nobody(void **state)
{
    struct client client;
    struct device device;

    subscribe_all(&client, &device, *state, "refused");
    post(&client, "/measurement/measurements", NULL,
         say("{\"measurements\":[%s,{\"type\":\"T\"}]}", measurement(&device)), 422);
    hold(&client);
    assert_string_equal(await_answer(&client), "86,,2000,0,retry\n");
}

static long stored(const struct client *client, const char *path, const char *object)
{
    struct answer answer =
        http_call(client->sandbox, client->account, "GET",
                  say("%s?source=%s&pageSize=100", path, object), NULL, NULL);
    long n = 0;

    for (const char *p = answer.body; (p = strstr(p, "\"creationTime\"")); p++)
        n++;
    return n;
}

static void processing_mode_says_what_becomes_of_data(void **state)
{
#define MODE(m) "X-Cumulocity-Processing-Mode: " m "\r\n"
    struct client client;
    struct device device;

    subscribe_all(&client, &device, *state, "modes");
    post(&client, "/event/events", MODE("TRANSIENT"), event_of(&device), 201);
    post(&client, "/event/events", MODE("CEP"), event_of(&device), 201);
    assert_string_equal(fetch(&client), "506,1,open\n506,1,open\n86,,2000,0,retry\n");
    assert_int_equal(stored(&client, "/event/events", device.object), 0);
    post(&client, "/event/events", MODE("QUIESCENT"), event_of(&device), 201);
    assert_int_equal(stored(&client, "/event/events", device.object), 1);
    post(&client, "/event/events", MODE("persistent"), event_of(&device), 201);
    assert_int_equal(stored(&client, "/event/events", device.object), 2);
    assert_string_equal(fetch(&client), "506,1,open\n86,,2000,0,retry\n");
    post(&client, "/alarm/alarms", MODE("CEP"), alarm_of(&device), 201);
    assert_int_equal(stored(&client, "/alarm/alarms", device.object), 1);
    post(&client, "/alarm/alarms", MODE("FASTER"), alarm_of(&device), 400);
    client.path = "/s";
    {
        struct reply reply = talk(*state, client.account, "POST", "/s",
                                  "X-Id: door\r\n" MODE("FASTER"), "100,1");

        assert_memory_equal(reply.body, "50,1,400,", 9);
        reply_free(&reply);
    }
}

static void mqtt_prefix_is_a_processing_mode(void **state)
{
    struct client client;
    struct device device;
    const char *path = "/measurement/measurements?source=";
    struct answer answer;

    subscribe_all(&client, &device, *state, "prefix");
    assert_int_equal(device_connect(&device), 0);
    device_send(&device, "t/ul/door", say("200,%s,1", device.object));
    device_send(&device, "c/ul/door", say("200,%s,2", device.object));
    device_send(&device, "q/ul/door", say("200,%s,3", device.object));
    device_send(&device, "s/ul/door", say("200,%s,4", device.object));
    assert_string_equal(fetch(&client),
                        "503,1,1\n503,1,2\n503,1,4\n86,,2000,0,retry\n");
    answer = http_call(*state, client.account, "GET", say("%s%s", path, device.object),
                       NULL, NULL);
    assert_null(strstr(answer.body, "\"value\":1"));
    assert_null(strstr(answer.body, "\"value\":2"));
    assert_non_null(strstr(answer.body, "\"value\":3"));
    assert_non_null(strstr(answer.body, "\"value\":4"));
    device_release(&device);
}

static void operation_arrives_by_poll_and_by_mqtt(void **state)
{
    struct client client;
    struct device device;
    char id[32];

    listen_to(&client, &device, *state, "both", "80");
    assert_int_equal(device_connect(&device), 0);
    assert_int_equal(device_subscribe(&device, "s/ol/door", 1), 1);
    hold(&client);
    device_operate(&device, id);
    assert_string_equal(device_receive(&device)->payload,
                        say("502,1,%s,%s", id, device.object));
    assert_non_null(strstr(await_answer(&client), say("502,1,%s,", id)));
    device_release(&device);
}

/* --- JSON ------------------------------------------------------------------------------------- */

static const char *ask_json(const struct client *client, const char *body)
{
    static char text[65536];
    struct reply reply =
        talk(client->sandbox, client->account, "POST", client->path, NULL, body);

    snprintf(text, sizeof text, "%s", reply.body);
    assert_int_equal(reply.status, 200);
    reply_free(&reply);
    return text;
}

static void bayeux_in_json_is_spoken_too(void **state)
{
    struct client client;
    struct device device;
    const char *answer;
    char id[32];

    listen_to(&client, &device, *state, "json", "80");
    answer =
        ask_json(&client, "[{\"channel\":\"/meta/handshake\",\"version\":\"1.0\"}]");
    json_member(answer, "clientId", client.id, sizeof client.id);
    answer =
        ask_json(&client, say("[{\"channel\":\"/meta/subscribe\",\"clientId\":\"%s\","
                              "\"subscription\":\"/%s\"}]",
                              client.id, device.object));
    assert_non_null(strstr(answer, "\"successful\":true"));
    device_operate(&device, id);
    answer =
        ask_json(&client, say("[{\"channel\":\"/meta/connect\",\"clientId\":\"%s\","
                              "\"id\":\"5\"}]",
                              client.id));
    assert_non_null(strstr(answer, say("\"channel\":\"/%s\"", device.object)));
    assert_non_null(strstr(answer, say("\"id\":\"%s\"", id)));
    assert_non_null(strstr(answer, "\"reconnect\":\"retry\""));
    assert_non_null(strstr(answer, "\"id\":\"5\""));
    answer = ask_json(&client, say("{\"channel\":\"/meta/disconnect\",\"clientId\":"
                                   "\"%s\"}",
                                   client.id));
    assert_non_null(strstr(answer, "\"successful\":true"));
    answer =
        ask_json(&client, say("[{\"channel\":\"/meta/connect\",\"clientId\":\"%s\"}]",
                              client.id));
    assert_non_null(strstr(answer, "402::Unknown client"));
    assert_non_null(strstr(answer, "\"reconnect\":\"handshake\""));
}

static void broken_json_is_a_bad_request(void **state)
{
    static const char *const bodies[] = { "", "{", "[1", "nonsense", "80" };

    for (size_t i = 0; i < 5; i++) {
        struct reply reply =
            talk(*state, OPERATOR, "POST", OPERATIONS, NULL, bodies[i]);

        assert_int_equal(reply.status, 400);
        reply_free(&reply);
    }
}

/* --- clients that are many, or gone ------------------------------------------------------------- */

static void dead_client_leaves_nothing_behind(void **state)
{
    struct client client;
    struct device device;

    /* no blank for ten minutes: only its socket tells */
    listen_to(&client, &device, *state, "dead", "80,true");
    hold(&client);
    assert_int_equal(counter(*state, "waiting"), 1);
    wire_close(&client.wire);
    await_count(*state, "waiting", 0);
    await_count(*state, "clients", 0);
}

static void client_that_only_stops_sending_gets_its_answer(void **state)
{
    struct client client;
    struct device device;
    char id[32];

    listen_to(&client, &device, *state, "half", "80");
    hold(&client);
    shutdown(client.wire.fd, SHUT_WR);
    wire_await(&client.wire, "1\r\n \r\n1\r\n \r\n");
    device_operate(&device, id);
    wire_await(&client.wire, id);
    wire_close(&client.wire);
}

static void what_a_dead_client_missed_waits_for_it(void **state)
{
    struct client client;
    struct device device;
    char id[32];

    listen_to(&client, &device, *state, "returns", "80");
    hold(&client);
    wire_close(&client.wire);
    await_count(*state, "waiting", 0);
    device_operate(&device, id);
    assert_non_null(strstr(fetch(&client), id));
}

#ifdef __has_feature
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define SANITIZED
#endif
#endif
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__) || defined(SANITIZED)
#define CROWD 300
#define EACH  2000 /* KiB: sanitizers need their own memory */
#else
#define CROWD 3000
#define EACH  40
#endif

static struct client crowd[CROWD];

static void gather(const struct sandbox *sandbox, const struct device *device)
{
    for (int i = 0; i < CROWD; i++) {
        client_of(&crowd[i], device, OPERATIONS, "80");
        ask(&crowd[i], say("81,%s,/%s", crowd[i].id, device->object));
        hold(&crowd[i]);
    }
    assert_int_equal(counter(sandbox, "waiting"), CROWD);
}

static void three_thousand_wait_in_little_memory_and_all_are_told(void **state)
{
    struct sandbox *sandbox = *state;
    struct device device;
    long before;
    char id[32];

    device_register(&device, sandbox, "crowd");
    before = memory_kib(sandbox->mosquitto_pid);
    gather(sandbox, &device);
    print_message("%d polls: %ld KiB each\n", CROWD,
                  (memory_kib(sandbox->mosquitto_pid) - before) / CROWD);
    assert_true(memory_kib(sandbox->mosquitto_pid) - before < (long)CROWD * EACH);
    device_operate(&device, id);
    for (int i = 0; i < CROWD; i++)
        assert_non_null(strstr(await_answer(&crowd[i]), id));
    await_count(sandbox, "clients", 0);
}

/* A sandbox of its own: blanks are rare, and waits are long. */
static int open_alone(void **state, const char *grace)
{
    static struct sandbox sandbox;
    struct rlimit limit;

    getrlimit(RLIMIT_NOFILE, &limit);
    limit.rlim_cur = limit.rlim_max;
    setrlimit(RLIMIT_NOFILE, &limit);
    sandbox_prepare(&sandbox);
    sandbox_start(&sandbox, "--http-port", "0", "--mqtt-port", "0", "--push-grace",
                  grace, NULL);
    http_call(&sandbox, OPERATOR, "POST", "/s", "door", templates);
    *state = &sandbox;
    return 0;
}

static int open_patient(void **state)
{
    return open_alone(state, "10");
}

static int open_hasty(void **state)
{
    return open_alone(state, "3");
}

static int remove_sandbox(void **state)
{
    sandbox_remove(*state);
    return 0;
}

static void stop_does_not_wait_for_held_polls(void **state)
{
    struct client clients[20];
    struct device device;
    int64_t begin;

    device_register(&device, *state, "held");
    for (int i = 0; i < 20; i++) {
        client_of(&clients[i], &device, OPERATIONS, "80");
        ask(&clients[i], say("81,%s,/%s", clients[i].id, device.object));
        hold(&clients[i]);
    }
    begin = test_now_us();
    sandbox_stop(*state);
    assert_true(test_now_us() - begin < 20 * 1000 * 1000); /* polls take 90 minutes */
    for (int i = 0; i < 20; i++) {
        wire_await_close(&clients[i].wire);
        wire_close(&clients[i].wire);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(operation_ends_the_wait),
        cmocka_unit_test(operation_for_a_child_reaches_its_agent),
        cmocka_unit_test(both_names_of_an_endpoint_are_the_same),
        cmocka_unit_test(head_comes_at_once_and_blanks_after_it),
        cmocka_unit_test(http_1_0_is_answered_without_chunks),
        cmocka_unit_test(what_comes_between_connects_is_kept),
        cmocka_unit_test(new_handshake_has_an_empty_queue),
        cmocka_unit_test(client_that_stays_away_is_forgotten),
        cmocka_unit_test(second_connect_ends_the_first),
        cmocka_unit_test(disconnect_ends_the_wait),
        cmocka_unit_test(unsubscribed_channel_is_silent),
        cmocka_unit_test(mistakes_are_answered_with_rows),
        cmocka_unit_test(several_rows_and_x_ids_are_accepted),
        cmocka_unit_test(batch_comes_again_until_it_is_acknowledged),
        cmocka_unit_test(
            ten_thousand_operations_come_once_each_though_answers_are_lost),
        cmocka_unit_test(each_kind_of_object_has_its_channel),
        cmocka_unit_test(refused_data_is_told_to_nobody),
        cmocka_unit_test(processing_mode_says_what_becomes_of_data),
        cmocka_unit_test(mqtt_prefix_is_a_processing_mode),
        cmocka_unit_test(operation_arrives_by_poll_and_by_mqtt),
        cmocka_unit_test(bayeux_in_json_is_spoken_too),
        cmocka_unit_test(broken_json_is_a_bad_request),
        cmocka_unit_test(client_that_only_stops_sending_gets_its_answer),
        cmocka_unit_test(what_a_dead_client_missed_waits_for_it),
    };
    const struct CMUnitTest alone[] = {
        cmocka_unit_test_setup_teardown(dead_client_leaves_nothing_behind, open_hasty,
                                        remove_sandbox),
        cmocka_unit_test_setup_teardown(
            three_thousand_wait_in_little_memory_and_all_are_told, open_hasty,
            remove_sandbox),
        cmocka_unit_test_setup_teardown(stop_does_not_wait_for_held_polls, open_patient,
                                        remove_sandbox),
    };

    return cmocka_run_group_tests(tests, open_sandbox, close_sandbox) +
           cmocka_run_group_tests(alone, NULL, NULL);
}
