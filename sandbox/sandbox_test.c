/* SPDX-License-Identifier: MIT */
/* The sandbox from outside: agents and operators at its two doors. */
#include "test_sandbox.h"

#include <arpa/inet.h>
#include <mosquitto.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define DEVICES 40
#define ROUNDS  100

/* Collection `door`: 100 finds a device, 101 makes one; 502 is a restart. */
static const char templates[] =
    "10,100,GET,/identity/externalIds/c8y_Serial/%%,,application/json,%%,STRING,\n"
    "10,101,POST,/inventory/managedObjects,application/json,application/json,%%,STRING,"
    "\"{\"\"name\"\":\"\"%%\"\",\"\"type\"\":\"\"door\"\"}\"\n"
    "11,500,$.managedObject,,$.id\n"
    "11,501,,$.type,$.name\n"
    "11,502,,$.c8y_Restart,$.id,$.deviceId\n";

static int open_sandbox(void **state)
{
    static struct sandbox sandbox;

    sandbox_prepare(&sandbox);
    sandbox_start(&sandbox, "--http-port", "0", "--mqtt-port", "0", NULL);
    http_call(&sandbox, OPERATOR, "POST", "/s", "door", templates);
    *state = &sandbox;
    return 0;
}

static int close_sandbox(void **state)
{
    sandbox_stop(*state);
    sandbox_remove(*state);
    return 0;
}

/* A registered device that is connected and listens on s/dl. */
static void device_ready(struct device *device, const struct sandbox *sandbox,
                         const char *id)
{
    device_register(device, sandbox, id);
    assert_int_equal(device_connect(device), 0);
    assert_int_equal(device_subscribe(device, "s/dl", 1), 1);
}

/* --- who may come in ------------------------------------------------------------------ */

static void wrong_credentials_are_refused_over_http(void **state)
{
    static const char *const accounts[] = {
        NULL, "operator:wrong", "nobody:operator", "t0/operator:operator",
        ":",  "operator:"
    };
    struct answer answer;

    for (size_t i = 0; i < sizeof accounts / sizeof *accounts; i++) {
        answer = http_call(*state, accounts[i], "GET", "/inventory/managedObjects",
                           NULL, NULL);
        assert_int_equal(answer.status, 401);
        answer = http_call(*state, accounts[i], "POST", "/s", "door", "100,x\n");
        assert_int_equal(answer.status, 200);
        assert_memory_equal(answer.body, "50,1,401", 8);
    }
    answer = http_call(*state, "operator:operator", "GET", "/inventory/managedObjects",
                       NULL, NULL);
    assert_int_equal(answer.status, 200);
}

static void expect_refused(struct device *device, const char *client_id,
                           const char *user, const char *password)
{
    snprintf(device->user, sizeof device->user, "%s", user);
    snprintf(device->password, sizeof device->password, "%s", password);
    if (device_connect_as(device, client_id, true) == 0)
        fail_msg("%s came in as %s", user, client_id);
    device_await_loss(device);
}

static void wrong_credentials_are_refused_over_mqtt(void **state)
{
    struct device good, device;
    char user[64], password[128];

    device_register(&good, *state, "cred");
    device = good;
    strcpy(user, good.user);
    strcpy(password, good.password);
    expect_refused(&device, "d:cred", user, "wrong");
    expect_refused(&device, "d:cred", user, "");
    expect_refused(&device, "d:cred", "t4711/device_other", password);
    expect_refused(&device, "d:cred", "t0/device_cred", password);
    expect_refused(&device, "d:cred", "device_cred", password); /* no tenant */
    expect_refused(&device, "d:other", user, password);         /* not its id */
    expect_refused(&device, "x:cred", user, password);
    expect_refused(&device, "cred:tmpl", user, password);
    expect_refused(&device, "d:cred", "", ""); /* anonymous */
    expect_refused(&device, "wake-0000000000000000", "wake-0000000000000000", "");
    device_release(&device);
    assert_int_equal(device_connect_as(&good, "d:cred:tmpl", true), 0);
    device_release(&good);
}

static void device_gets_its_credentials_over_mqtt(void **state)
{
    struct device device = { .sandbox = *state, .id = "fresh" };
    const char *const requests = "/devicecontrol/newDeviceRequests";
    struct answer answer;

    strcpy(device.user, "management/devicebootstrap");
    strcpy(device.password, "Fhdt1bb1f");
    answer = http_call(*state, OPERATOR, "POST", requests, NULL, "{\"id\":\"fresh\"}");
    assert_int_equal(answer.status, 201);
    assert_int_equal(device_connect_as(&device, "fresh", true), 0);
    assert_int_equal(device_subscribe(&device, "s/dl", 1), 0x80);
    assert_int_equal(device_subscribe(&device, "s/dcr", 0), 0);
    device_send(&device, "s/ucr", "");
    answer =
        http_call(*state, OPERATOR, "PUT", "/devicecontrol/newDeviceRequests/fresh",
                  NULL, "{\"status\":\"ACCEPTED\"}");
    assert_int_equal(answer.status, 200);
    device_send(&device, "s/ucr", "");
    assert_int_equal(sscanf(device_receive(&device)->payload,
                            "70,t4711,device_fresh,%127[^,\r\n]", device.password),
                     1);
    strcpy(device.user, "t4711/device_fresh");
    assert_int_equal(device_connect(&device), 0);
    device_release(&device);
}

static void mqtt_5_is_refused(void **state)
{
    struct device device;
    int64_t deadline = test_now_us() + (int64_t)PATIENCE_MS * 1000;

    device_register(&device, *state, "five");
    device.mosq = mosquitto_new("d:five", true, NULL);
    mosquitto_int_option(device.mosq, MOSQ_OPT_PROTOCOL_VERSION, MQTT_PROTOCOL_V5);
    mosquitto_username_pw_set(device.mosq, device.user, device.password);
    mosquitto_connect(device.mosq, "127.0.0.1", device.sandbox->mqtt_port, 60);
    while (mosquitto_loop(device.mosq, 100, 1) == MOSQ_ERR_SUCCESS)
        assert_true(test_now_us() < deadline);
    device_release(&device);
}

/* --- answers and operations ------------------------------------------------------------------ */

static void device_gets_its_answer_on_s_dl(void **state)
{
    struct device device;
    const struct message *message;
    char expected[64];

    device_ready(&device, *state, "answer");
    device_send(&device, "s/ul", "15,door\n100,answer\n");
    message = device_receive(&device);
    assert_string_equal(message->topic, "s/dl");
    assert_int_equal(message->qos, 1);
    snprintf(expected, sizeof expected, "500,2,%s", device.object);
    assert_non_null(strstr(message->payload, expected));
    device_release(&device);
}

static void answers_have_the_qos_of_the_subscription(void **state)
{
    struct device device;

    device_ready(&device, *state, "qos");
    for (int qos = 0; qos <= 2; qos++) {
        assert_int_equal(device_subscribe(&device, "s/dl", qos), qos);
        device_publish(&device, "s/ul", "15,door\n100,qos\n", 16, 2 - qos, false);
        assert_int_equal(device_receive(&device)->qos, qos);
    }
    device_release(&device);
}

static void no_subscription_no_message(void **state)
{
    struct device device;

    device_ready(&device, *state, "unsub");
    mosquitto_unsubscribe(device.mosq, NULL, "s/dl");
    device_send(&device, "s/ul", "15,door\n100,unsub\n");
    device_settle(&device);
    assert_int_equal(device.received, 0);
    device_release(&device);
}

static void forty_devices_see_only_their_own_answers(void **state)
{
    static struct device devices[DEVICES];
    char text[64];

    for (int i = 0; i < DEVICES; i++) {
        snprintf(text, sizeof text, "many%02d", i);
        device_ready(&devices[i], *state, text);
    }
    for (int i = 0; i < DEVICES; i++) {
        snprintf(text, sizeof text, "15,door\n101,only %02d\n", i);
        device_send(&devices[i], "s/ul", text);
    }
    for (int i = 0; i < DEVICES; i++) {
        snprintf(text, sizeof text, "501,2,only %02d", i);
        assert_non_null(strstr(device_receive(&devices[i])->payload, text));
        device_settle(&devices[i]);
        assert_int_equal(devices[i].received, 1);
        device_release(&devices[i]);
    }
}

static int by_value(const void *a, const void *b)
{
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;

    return (x > y) - (x < y);
}

/* From before the operator's request until the device has the row. */
static int64_t operation_takes_us(struct device *device)
{
    const struct message *message;
    char id[32], row[96];
    int64_t begin = test_now_us();

    device_operate(device, id);
    message = device_receive(device);
    begin = test_now_us() - begin;
    snprintf(row, sizeof row, "502,1,%s,%s", id, device->object);
    assert_string_equal(message->topic, "s/ol/door");
    assert_non_null(strstr(message->payload, row));
    return begin;
}

static void operation_arrives_within_milliseconds(void **state)
{
    struct device device;
    int64_t took[ROUNDS];

    device_ready(&device, *state, "fast");
    assert_int_equal(device_subscribe(&device, "s/ol/door", 1), 1);
    for (int i = 0; i < ROUNDS; i++)
        took[i] = operation_takes_us(&device);
    qsort(took, ROUNDS, sizeof *took, by_value);
    print_message("from REST to the device: p50 %.2f ms, p99 %.2f ms\n",
                  (double)took[ROUNDS / 2] / 1000, (double)took[ROUNDS - 2] / 1000);
    /* The broker's own tick is 100 ms, and whoever asks again after each answer waits for
     * nearly all of it, each time: that is not how they came. */
    assert_true(took[ROUNDS / 4] < 50 * 1000);
    device_release(&device);
}

/* --- what a device may not see or do --------------------------------------------------------------- */

static void foreign_topics_are_refused(void **state)
{
    static const char *const filters[] = {
        "s/ul",     "s/us", "#", "+/+", "s/#", "foo", "$SYS/#", "$SYS/broker/uptime",
        "s/ul/door"
    };
    struct device device;

    device_ready(&device, *state, "nosy");
    for (size_t i = 0; i < sizeof filters / sizeof *filters; i++)
        if (device_subscribe(&device, filters[i], 1) != 0x80)
            fail_msg("%s is allowed", filters[i]);
    device_release(&device);
}

static void publish_on_a_foreign_topic_reaches_nobody(void **state)
{
    struct device one, two;

    device_ready(&one, *state, "one");
    device_ready(&two, *state, "two");
    assert_int_equal(device_subscribe(&one, "s/e", 1), 1);
    device_send(&one, "s/dl", "forged");
    assert_string_equal(device_receive(&one)->topic, "s/e");
    device_send(&one, "s/us", "100,x");
    assert_memory_equal(device_receive(&one)->payload, "40,100,", 7);
    device_send(&one, "s/us", "100,x"); /* once is enough */
    device_send(&one, "s/dl", "forged");
    device_settle(&two);
    assert_int_equal(two.received, 0);
    device_send(&one, "s/ul", "15,door\n100,one\n"); /* and it goes on */
    assert_non_null(strstr(device_receive(&one)->payload, "500,2,"));
    device_release(&one);
    device_release(&two);
}

static void retain_flag_is_accepted_and_ignored(void **state)
{
    struct device one, two;

    device_ready(&one, *state, "keeper");
    device_publish(&one, "s/ul", "15,door\n100,keeper\n", 19, 1, true);
    assert_non_null(strstr(device_receive(&one)->payload, "500,2,"));
    device_publish(&one, "s/dl", "kept", 4, 1, true);
    device_ready(&two, *state, "keeper2");
    device_settle(&two);
    assert_int_equal(two.received, 0);
    device_release(&one);
    device_release(&two);
}

/* --- limits ---------------------------------------------------------------------------------------- */

/* Fixed header 1 + 2 bytes of length, topic 2 + 4, packet id 2. */
#define PACKET_OVERHEAD (3 + 6 + 2)

static void packet_of_16184_bytes_passes_and_one_more_closes(void **state)
{
    static char payload[16184];
    struct device device;

    memset(payload, 'x', sizeof payload);
    memcpy(payload, "15,door\n100,", 12);
    device_ready(&device, *state, "big");
    device_publish(&device, "s/ul", payload, 16184 - PACKET_OVERHEAD, 1, false);
    device_receive(&device);
    mosquitto_publish(device.mosq, NULL, "s/ul", 16185 - PACKET_OVERHEAD, payload, 1,
                      false);
    device_await_loss(&device);
    assert_int_equal(device_connect(&device), 0);
    device_release(&device);
}

/* --- one connection per device ------------------------------------------------------------------------ */

static void second_connection_takes_over(void **state)
{
    static const char *const ids[] = { "d:twin", "twin", "d:twin:tmpl" };
    struct device first, second;

    device_register(&first, *state, "twin");
    second = first;
    for (int i = 0; i < 9; i++) {
        assert_int_equal(device_connect_as(&first, ids[i % 3], true), 0);
        device_subscribe(&first, "s/dl", 1);
        assert_int_equal(device_connect_as(&second, ids[i / 3], true), 0);
        device_await_loss(&first);
        device_send(&second, "s/ul", "15,door\n100,twin\n");
        device_settle(&second);
        assert_int_equal(second.received, 0); /* the first one's subscription is gone */
        device_subscribe(&second, "s/dl", 1);
        device_send(&second, "s/ul", "15,door\n100,twin\n");
        assert_non_null(strstr(device_receive(&second)->payload, "500,2,"));
        device_release(&second);
    }
    device_release(&first);
}

static void persistent_session_finds_its_subscriptions(void **state)
{
    struct device device;

    device_ready(&device, *state, "persist");
    assert_int_equal(device_connect_as(&device, "d:persist", false), 0);
    assert_false(device.session_present);
    device_subscribe(&device, "s/dl", 1);
    device_disconnect(&device);
    assert_int_equal(device_connect_as(&device, "d:persist", false), 0);
    assert_true(device.session_present);
    device_send(&device, "s/ul", "15,door\n100,persist\n");
    assert_non_null(strstr(device_receive(&device)->payload, "500,2,"));

    assert_int_equal(device_connect_as(&device, "d:persist", true), 0);
    device_send(&device, "s/ul", "15,door\n100,persist\n");
    device_settle(&device);
    assert_int_equal(device.received, 0);
    device_release(&device);
}

static int objects_named(const struct sandbox *sandbox, const char *name)
{
    struct answer answer =
        http_call(sandbox, OPERATOR, "GET",
                  "/inventory/managedObjects?type=door&pageSize=2000", NULL, NULL);
    char text[64];
    int count = 0;

    snprintf(text, sizeof text, "%s\"", name);
    for (const char *p = answer.body; (p = strstr(p, text)); p++)
        count++;
    return count;
}

/* The line is cut; then the twin comes with the same id, with another one, or not. */
static void last_will_is_executed_like_a_publish(void **state)
{
    static const char *const twins[] = { "d:will", "will", NULL };
    struct device device, twin, other;
    char name[32], rows[64];

    device_register(&device, *state, "will");
    device_ready(&other, *state, "heir");
    twin = device;
    device.will = rows;
    for (int i = 0; i < 3; i++) {
        snprintf(name, sizeof name, "last will %d", i);
        snprintf(rows, sizeof rows, "15,door\n101,%s\n", name);
        assert_int_equal(device_connect(&device), 0);
        device_disconnect(&device); /* a decent end: no will */
        assert_int_equal(device_connect(&device), 0);
        assert_int_equal(objects_named(*state, name), 0);
        if (twins[i])
            assert_int_equal(device_connect_as(&twin, twins[i], true), 0);
        device_release(&device); /* cuts the line */
        device_release(&twin);
        device_settle(&other);
        assert_int_equal(objects_named(*state, name), 1);
    }
    device_release(&other);
}

/* --- HTTP by the byte ---------------------------------------------------------------------------------- */

static int dial(const struct sandbox *sandbox)
{
    struct sockaddr_in to = { .sin_family = AF_INET,
                              .sin_port = htons((uint16_t)sandbox->http_port) };
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    assert_int_equal(connect(fd, (struct sockaddr *)&to, sizeof to), 0);
    return fd;
}

static bool say(int fd, const void *bytes, size_t len)
{
    return send(fd, bytes, len, MSG_NOSIGNAL) == (ssize_t)len;
}

/* Reads until `end` has come or the line is closed. */
static void hear(int fd, const char *end, char *buf, size_t size)
{
    struct pollfd poller = { .fd = fd, .events = POLLIN };
    size_t len = 0;
    ssize_t n = 1;

    buf[0] = '\0';
    while (n > 0 && len < size - 1 && !(end && strstr(buf, end))) {
        assert_int_equal(poll(&poller, 1, PATIENCE_MS), 1);
        n = recv(fd, buf + len, size - 1 - len, 0);
        len += n > 0 ? (size_t)n : 0;
        buf[len] = '\0';
    }
}

#define AUTH "Authorization: Basic dDQ3MTEvb3BlcmF0b3I6b3BlcmF0b3I=\r\n"

static void expect_talk(const struct sandbox *sandbox, const char *request,
                        const char *status, const char *end)
{
    char answer[4096];
    int fd = dial(sandbox);

    assert_true(say(fd, request, strlen(request)));
    hear(fd, end, answer, sizeof answer);
    if (!strstr(answer, status) || (end && !strstr(answer, end)))
        fail_msg("%s\n -> %s", request, answer);
    close(fd);
}

static void http_is_spoken_in_all_its_forms(void **state)
{
    static const char unknown[] = "40,\"No template for this X-ID.\"";

    expect_talk(*state,
                "POST /s HTTP/1.0\r\n" AUTH
                "X-Id: no\r\nContent-Length: 4\r\n\r\n1,2\n",
                " 200 OK\r\n", unknown);
    expect_talk(*state,
                "POST /s/ HTTP/1.1\r\nHost: x\r\n" AUTH
                "X-Id: no\r\nTransfer-Encoding: chunked\r\n\r\n1\r\n1\r\n3\r\n,2\n\r\n"
                "0\r\n\r\n",
                " 200 OK\r\n", unknown);
    expect_talk(*state,
                "POST /s HTTP/1.1\r\nHost: x\r\n" AUTH
                "Expect: 100-continue\r\nContent-Length: 4\r\n\r\n",
                "HTTP/1.1 100 Continue\r\n", "\r\n\r\n");
    expect_talk(
        *state,
        "GET http://elsewhere:81//tenant///currentTenant HTTP/1.1\r\n"
        "Host: x\r\nauthorization: basic dDQ3MTEvb3BlcmF0b3I6b3BlcmF0b3I=\r\n\r\n",
        " 200 OK\r\n", "\"t4711\"");
    expect_talk(*state, "GET http:///s HTTP/1.1\r\nHost: x\r\n" AUTH "\r\n", " 400 ",
                "}");
    expect_talk(*state, "GET /%zz HTTP/1.1\r\nHost: x\r\n" AUTH "\r\n", " 400 ", "}");
    expect_talk(*state, "GET /x HTTP/1.1\r\nHost: x\r\n\r\n", "WWW-Authenticate: Basic",
                "\r\n\r\n");
    expect_talk(*state, "nonsense\r\n\r\n", "", NULL);
}

static void body_above_10_mib_is_refused_before_it_is_sent(void **state)
{
    expect_talk(*state,
                "POST /s HTTP/1.1\r\nHost: x\r\n" AUTH
                "Expect: 100-continue\r\nContent-Length: 10485761\r\n\r\n",
                "HTTP/1.1 413 ", "10 MiB");
    expect_talk(*state,
                "POST /s HTTP/1.1\r\nHost: x\r\n" AUTH
                "Content-Length: 18446744073709551617\r\n\r\n",
                "HTTP/1.1 4", NULL);
}

static void chunked_body_above_10_mib_is_refused_at_its_end(void **state)
{
    static const char head[] =
        "POST /s HTTP/1.1\r\nHost: x\r\n" AUTH "Transfer-Encoding: chunked\r\n\r\n";
    static char chunk[8 + 65536 + 2];
    char answer[2048];
    int fd = dial(*state);

    memset(chunk, 'x', sizeof chunk);
    memcpy(chunk, "010000\r\n", 8);
    memcpy(chunk + sizeof chunk - 2, "\r\n", 2);
    assert_true(say(fd, head, sizeof head - 1));
    for (int i = 0; i < 161; i++)
        assert_true(say(fd, chunk, sizeof chunk));
    assert_true(say(fd, "0\r\n\r\n", 5));
    hear(fd, "10 MiB", answer, sizeof answer);
    assert_non_null(strstr(answer, "HTTP/1.1 413 "));
    close(fd);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(wrong_credentials_are_refused_over_http),
        cmocka_unit_test(wrong_credentials_are_refused_over_mqtt),
        cmocka_unit_test(device_gets_its_credentials_over_mqtt),
        cmocka_unit_test(mqtt_5_is_refused),
        cmocka_unit_test(device_gets_its_answer_on_s_dl),
        cmocka_unit_test(answers_have_the_qos_of_the_subscription),
        cmocka_unit_test(no_subscription_no_message),
        cmocka_unit_test(forty_devices_see_only_their_own_answers),
        cmocka_unit_test(operation_arrives_within_milliseconds),
        cmocka_unit_test(foreign_topics_are_refused),
        cmocka_unit_test(publish_on_a_foreign_topic_reaches_nobody),
        cmocka_unit_test(retain_flag_is_accepted_and_ignored),
        cmocka_unit_test(packet_of_16184_bytes_passes_and_one_more_closes),
        cmocka_unit_test(second_connection_takes_over),
        cmocka_unit_test(persistent_session_finds_its_subscriptions),
        cmocka_unit_test(last_will_is_executed_like_a_publish),
        cmocka_unit_test(http_is_spoken_in_all_its_forms),
        cmocka_unit_test(body_above_10_mib_is_refused_before_it_is_sent),
        cmocka_unit_test(chunked_body_above_10_mib_is_refused_at_its_end),
    };

    mosquitto_lib_init();
    return cmocka_run_group_tests(tests, open_sandbox, close_sandbox);
}
