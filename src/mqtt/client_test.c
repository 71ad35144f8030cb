/* SPDX-License-Identifier: MIT */
/* sr_mqtt as applications use it, against a real mosquitto. */
#include "support/certificate.h"
#include "support/child.h"
#include "support/server.h"
#include <mosquitto.h>
#include <setjmp.h>
#include <signal.h>
#include <smartrest/loop.h>
#include <smartrest/mqtt.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>
/* after what it needs */
#include <cmocka.h>

/* One broker for all tests: plain, TLS, and TLS that asks for a certificate. */
static struct {
    char dir[CERTIFICATE_DIR], ca[100], key[100];
    uint16_t port, tls, mutual;
    pid_t pid;
} broker;

struct client {
    struct sr_mqtt *mqtt;
    int ups, downs, refusals, messages, others, dones, done_rc, qos;
    bool retained;
    char topic[100], payload[100], reason[300];
    void (*on_message)(struct client *client);
};

struct fixture {
    struct sr_loop *loop;
    struct client a, b;
};

/* --- the broker --------------------------------------------------------------- */

static void run_broker(void)
{
    char path[100];
    FILE *file;

    snprintf(path, sizeof path, "%s/mosquitto.conf", broker.dir);
    file = fopen(path, "w");
    fprintf(
        file,
        "allow_anonymous true\nuser root\nlog_dest none\nmax_queued_messages 0\nacl_file %s/acl\n"
        "listener %u 127.0.0.1\n"
        "listener %u 127.0.0.1\ncertfile %s/cert.pem\nkeyfile %s/key.pem\n"
        "listener %u 127.0.0.1\ncertfile %s/cert.pem\nkeyfile %s/key.pem\n"
        "cafile %s/cert.pem\nrequire_certificate true\n",
        broker.dir, (unsigned)broker.port, (unsigned)broker.tls, broker.dir, broker.dir,
        (unsigned)broker.mutual, broker.dir, broker.dir, broker.dir);
    fclose(file);
    snprintf(path, sizeof path, "%s/acl", broker.dir);
    file = fopen(path, "w");
    fprintf(file, "topic readwrite #\ntopic readwrite $lab/#\n");
    fclose(file);
    snprintf(path, sizeof path, "%s/mosquitto.conf", broker.dir);
    execlp(MOSQUITTO, MOSQUITTO, "-c", path, (char *)NULL);
    _exit(1);
}

static void start_broker(void)
{
    broker.pid = fork();
    if (!broker.pid)
        run_broker();
}

static void stop_broker(void)
{
    child_end(&broker.pid, SIGKILL);
}

static int make_broker(void **state)
{
    (void)state;
    if (!make_certificate(broker.dir))
        return -1;
    snprintf(broker.ca, sizeof broker.ca, "%s/cert.pem", broker.dir);
    snprintf(broker.key, sizeof broker.key, "%s/key.pem", broker.dir);
    broker.port = free_port();
    broker.tls = free_port();
    broker.mutual = free_port();
    start_broker();
    return broker.pid < 0;
}

static int remove_broker(void **state)
{
    (void)state;
    stop_broker();
    remove_certificate(broker.dir);
    return 0;
}

/* --- clients ------------------------------------------------------------------- */

static void on_up(void *arg)
{
    ((struct client *)arg)->ups++;
}

static void on_down(void *arg, bool was_up, const char *reason)
{
    struct client *client = arg;

    (void)was_up;
    client->downs++;
    snprintf(client->reason, sizeof client->reason, "%s", reason);
}

static void keep(struct client *client, const struct sr_mqtt_message *message)
{
    snprintf(client->topic, sizeof client->topic, "%s", message->topic);
    snprintf(client->payload, sizeof client->payload, "%s", message->payload);
    client->qos = message->qos;
    client->retained = message->retained;
}

static void on_other(void *arg, const struct sr_mqtt_message *message)
{
    struct client *client = arg;

    client->others++;
    keep(client, message);
}

static void on_message(void *arg, const struct sr_mqtt_message *message)
{
    struct client *client = arg;

    client->messages++;
    keep(client, message);
    if (client->on_message)
        client->on_message(client);
}

static void on_refused(void *arg, const char *filter)
{
    (void)filter;
    ((struct client *)arg)->refusals++;
}

static void on_done(void *arg, int rc)
{
    struct client *client = arg;

    client->dones++;
    client->done_rc = rc;
}

static const struct sr_mqtt_events events = { on_up, on_down, on_other, on_refused };

static void make(struct fixture *fx, struct client *client,
                 struct sr_mqtt_options options)
{
    options.host = options.host ? options.host : "127.0.0.1";
    options.port = options.port ? options.port : broker.port;
    assert_int_equal(sr_mqtt_new(fx->loop, &options, &events, client, &client->mqtt),
                     0);
}

static int set_up(void **state)
{
    struct fixture *fx = calloc(1, sizeof *fx);

    *state = fx;
    return sr_loop_new(&fx->loop);
}

static int tear_down(void **state)
{
    struct fixture *fx = *state;

    sr_mqtt_free(fx->a.mqtt);
    sr_mqtt_free(fx->b.mqtt);
    sr_loop_free(fx->loop);
    free(fx);
    return 0;
}

static void turn(struct fixture *fx)
{
    sr_loop_dispatch(fx->loop);
    usleep(200);
}

#define await(fx, condition)                           \
    do {                                               \
        uint64_t give_up_ms_ = now_ms() + 30 * 1000;   \
        while (!(condition) && now_ms() < give_up_ms_) \
            turn(fx);                                  \
        assert_true(condition);                        \
    } while (0)

static void turn_for(struct fixture *fx, uint64_t ms)
{
    uint64_t until = now_ms() + ms;

    while (now_ms() < until)
        turn(fx);
}

static void connect_as(struct fixture *fx, struct client *client,
                       struct sr_mqtt_options options)
{
    make(fx, client, options);
    assert_int_equal(sr_mqtt_connect(client->mqtt), 0);
    await(fx, client->ups == 1);
    assert_true(sr_mqtt_is_up(client->mqtt));
}

static void connect_both(struct fixture *fx)
{
    connect_as(fx, &fx->a, (struct sr_mqtt_options){ 0 });
    connect_as(fx, &fx->b, (struct sr_mqtt_options){ 0 });
}

static int publish(struct client *client, const char *topic, const char *payload,
                   int qos)
{
    const struct sr_mqtt_message message = { topic, payload, strlen(payload), qos,
                                             false };

    return sr_mqtt_publish(client->mqtt, &message, on_done, client);
}

/* --- tests --------------------------------------------------------------------- */

static void messages_go_with_every_quality(void **state)
{
    struct fixture *fx = *state;

    connect_both(fx);
    assert_int_equal(sr_mqtt_subscribe(fx->b.mqtt, "q/+", 2, on_message, &fx->b), 0);
    turn_for(fx, 100);
    for (int qos = 0; qos <= 2; qos++) {
        assert_int_equal(publish(&fx->a, "q/x", "hello", qos), 0);
        assert_int_equal(fx->a.dones, qos); /* not from inside the call */
        await(fx, fx->a.dones == qos + 1 && fx->b.messages == qos + 1);
        assert_int_equal(fx->a.done_rc, 0);
        assert_int_equal(fx->b.qos, qos);
        assert_string_equal(fx->b.payload, "hello");
        assert_string_equal(fx->b.topic, "q/x");
    }
    turn_for(fx, 50);
    assert_int_equal(fx->b.messages, 3);
}

static void publish_again(void *arg, int rc)
{
    struct client *client = arg;
    const struct sr_mqtt_message message = { "on/and/on", "x", 1, 0, false };

    client->dones++;
    if (!rc && client->mqtt)
        sr_mqtt_publish(client->mqtt, &message, publish_again, client);
}

static void who_publishes_whenever_one_has_left_does_not_keep_the_loop(void **state)
{
    struct fixture *fx = *state;

    connect_as(fx, &fx->a, (struct sr_mqtt_options){ 0 });
    publish_again(&fx->a, 0);
    for (int i = 0; i < 100; i++)
        turn_for(fx, 1); /* each of them comes back */
    assert_true(fx->a.dones > 100);
}

static void a_thousand_messages_arrive_once_each(void **state)
{
    struct fixture *fx = *state;
    int sent = 0, rc;

    connect_both(fx);
    assert_int_equal(sr_mqtt_subscribe(fx->b.mqtt, "many", 2, on_message, &fx->b), 0);
    turn_for(fx, 100);
    while (sent < 3000) {
        rc = publish(&fx->a, "many", "x", sent % 3);
        if (rc == SR_E_FULL) {
            turn(fx);
            continue;
        }
        assert_int_equal(rc, 0);
        sent++;
    }
    await(fx, fx->a.dones == 3000 && fx->b.messages >= 3000);
    turn_for(fx, 50);
    assert_int_equal(fx->b.messages, 3000);
}

static void what_is_under_way_is_bounded(void **state)
{
    struct fixture *fx = *state;

    connect_both(fx);
    sr_mqtt_set_send_max(fx->a.mqtt, 10);
    assert_int_equal(publish(&fx->a, "t", "12345678901", 1), SR_E_FULL);
    assert_int_equal(publish(&fx->a, "t", "123456", 1), 0);
    assert_int_equal(publish(&fx->a, "t", "123456", 1), SR_E_FULL);
    await(fx, fx->a.dones == 1);
    assert_int_equal(publish(&fx->a, "t", "123456", 1), 0);
    sr_mqtt_set_send_max(fx->a.mqtt, 100000);
    for (int i = 0; i < 999; i++)
        assert_int_equal(publish(&fx->a, "t", "x", 1), 0);
    assert_int_equal(publish(&fx->a, "t", "x", 1), SR_E_FULL);
    await(fx, fx->a.dones == 1001);
}

static void each_function_whose_filter_matches_is_called(void **state)
{
    const char *const many[] = { "house/+/door", "house/#" };
    struct fixture *fx = *state;
    struct client third = { 0 };

    connect_both(fx);
    assert_int_equal(sr_mqtt_subscribe_many(fx->b.mqtt, many, 2, 0, on_message, &fx->b),
                     0);
    assert_int_equal(
        sr_mqtt_subscribe(fx->b.mqtt, "house/1/door", 0, on_message, &third), 0);
    turn_for(fx, 100);
    assert_int_equal(publish(&fx->a, "house/2", "x", 0), 0);
    await(fx, fx->b.messages == 1);
    assert_int_equal(third.messages, 0);
    assert_int_equal(publish(&fx->a, "house/1/door", "x", 0), 0);
    await(fx, third.messages >= 1);
    turn_for(fx, 50);
    assert_int_equal(fx->b.messages - 1, 2 * third.messages);

    third.messages = 0;
    assert_int_equal(sr_mqtt_unsubscribe_many(fx->b.mqtt, many, 2), 0);
    turn_for(fx, 50);
    fx->b.messages = 0;
    assert_int_equal(publish(&fx->a, "house/2/door", "x", 0), 0);
    assert_int_equal(publish(&fx->a, "house/1/door", "x", 0), 0);
    await(fx, third.messages == 1);
    assert_int_equal(fx->b.messages, 0);
    assert_int_equal(fx->b.others, 0);
}

static void topics_with_a_dollar_are_asked_for_by_name(void **state)
{
    struct fixture *fx = *state;

    connect_both(fx);
    sr_mqtt_subscribe(fx->b.mqtt, "#", 0, on_message, &fx->b);
    turn_for(fx, 50);
    publish(&fx->a, "$lab/x", "x", 0);
    publish(&fx->a, "lab/x", "x", 0);
    await(fx, fx->b.messages == 1);
    assert_string_equal(fx->b.topic, "lab/x");
    sr_mqtt_subscribe(fx->b.mqtt, "$lab/#", 0, on_message, &fx->b);
    turn_for(fx, 50);
    publish(&fx->a, "$lab/x", "x", 0);
    await(fx, fx->b.messages == 2);
    assert_string_equal(fx->b.topic, "$lab/x");
}

static void a_retained_message_waits_for_subscribers(void **state)
{
    const struct sr_mqtt_message message = { "kept", "still here", 10, 1, true };
    const struct sr_mqtt_message nothing = { "kept", NULL, 0, 1, true };
    struct fixture *fx = *state;

    connect_both(fx);
    assert_int_equal(sr_mqtt_publish(fx->a.mqtt, &message, on_done, &fx->a), 0);
    await(fx, fx->a.dones == 1);
    sr_mqtt_subscribe(fx->b.mqtt, "kept", 1, on_message, &fx->b);
    await(fx, fx->b.messages == 1);
    assert_true(fx->b.retained);
    assert_string_equal(fx->b.payload, "still here");
    assert_int_equal(sr_mqtt_publish(fx->a.mqtt, &nothing, NULL, NULL), 0);
    await(fx, fx->b.messages == 2);
    assert_string_equal(fx->b.payload, "");
}

static void the_will_is_for_losses_and_not_for_goodbyes(void **state)
{
    const struct sr_mqtt_message will = { "will", "gone", 4, 1, false };
    struct fixture *fx = *state;
    struct client twin = { 0 };

    connect_as(fx, &fx->b, (struct sr_mqtt_options){ 0 });
    sr_mqtt_subscribe(fx->b.mqtt, "will", 1, on_message, &fx->b);
    turn_for(fx, 50);
    connect_as(fx, &fx->a, (struct sr_mqtt_options){ .client_id = "w", .will = &will });
    sr_mqtt_disconnect(fx->a.mqtt);
    assert_false(sr_mqtt_is_up(fx->a.mqtt));
    turn_for(fx, 150);
    assert_int_equal(fx->b.messages, 0);

    fx->a.ups = 0;
    assert_int_equal(sr_mqtt_connect(fx->a.mqtt), 0);
    await(fx, fx->a.ups == 1);
    connect_as(fx, &twin,
               (struct sr_mqtt_options){ .client_id = "w" }); /* takes over */
    await(fx, fx->b.messages == 1);
    assert_string_equal(fx->b.payload, "gone");
    sr_mqtt_free(twin.mqtt);
}

static void free_it(struct client *client)
{
    client->mqtt = sr_mqtt_free(client->mqtt);
}

static void goodbye_from_inside_a_message_is_one(void **state)
{
    const struct sr_mqtt_message will = { "will", "gone", 4, 1, false };
    struct fixture *fx = *state;

    connect_as(fx, &fx->b, (struct sr_mqtt_options){ 0 });
    sr_mqtt_subscribe(fx->b.mqtt, "will", 1, on_message, &fx->b);
    connect_as(fx, &fx->a, (struct sr_mqtt_options){ .will = &will });
    sr_mqtt_subscribe(fx->a.mqtt, "go", 0, on_message, &fx->a);
    turn_for(fx, 50);
    fx->a.on_message = free_it;
    publish(&fx->b, "go", "x", 0);
    await(fx, !fx->a.mqtt);
    turn_for(fx, 150);
    assert_int_equal(fx->b.messages, 0);
}

static void unsubscribe_it(struct client *client)
{
    sr_mqtt_unsubscribe(client->mqtt, "one");
}

static void a_function_may_end_its_own_subscription(void **state)
{
    struct fixture *fx = *state;

    connect_both(fx);
    sr_mqtt_subscribe(fx->b.mqtt, "one", 1, on_message, &fx->b);
    fx->b.on_message = unsubscribe_it;
    turn_for(fx, 50);
    publish(&fx->a, "one", "1", 1);
    publish(&fx->a, "one", "2", 1);
    await(fx, fx->a.dones == 2);
    turn_for(fx, 50);
    assert_int_equal(fx->b.messages, 1);
}

static void it_comes_back_after_a_restart_with_its_subscriptions(void **state)
{
    struct fixture *fx = *state;

    connect_both(fx);
    sr_mqtt_subscribe(fx->b.mqtt, "back/#", 1, on_message, &fx->b);
    stop_broker();
    await(fx, fx->a.downs && fx->b.downs);
    assert_non_null(strstr(fx->a.reason, "mqtt://127.0.0.1:"));
    assert_int_equal(publish(&fx->a, "back/x", "x", 1), SR_E_STATE);
    start_broker();
    await(fx, fx->a.ups == 2 && fx->b.ups == 2);
    turn_for(fx, 100);
    assert_int_equal(publish(&fx->a, "back/x", "again", 1), 0);
    await(fx, fx->b.messages == 1);
    assert_string_equal(fx->b.payload, "again");
}

static void what_was_under_way_at_a_loss_is_told(void **state)
{
    struct fixture *fx = *state;

    connect_as(fx, &fx->a, (struct sr_mqtt_options){ 0 });
    child_signal(broker.pid, SIGSTOP);
    for (int i = 0; i < 5; i++)
        assert_int_equal(publish(&fx->a, "x", "x", 1), 0);
    turn_for(fx, 20);
    assert_int_equal(fx->a.dones, 0);
    stop_broker();
    await(fx, fx->a.dones == 5);
    assert_int_equal(fx->a.done_rc, SR_E_UNREACHABLE);
    start_broker();
    await(fx, fx->a.ups == 2);
    assert_int_equal(fx->a.dones, 5);
}

static void a_session_may_be_kept(void **state)
{
    const struct sr_mqtt_options kept = { .client_id = "kept", .keep_session = true };
    struct fixture *fx = *state;

    connect_as(fx, &fx->a, (struct sr_mqtt_options){ 0 });
    connect_as(fx, &fx->b, kept);
    sr_mqtt_subscribe(fx->b.mqtt, "later", 1, on_message, &fx->b);
    turn_for(fx, 100);
    sr_mqtt_disconnect(fx->b.mqtt);
    turn_for(fx, 50);
    publish(&fx->a, "later", "waited", 1);
    await(fx, fx->a.dones == 1);
    sr_mqtt_connect(fx->b.mqtt);
    await(fx, fx->b.messages == 1);
    assert_string_equal(fx->b.payload, "waited");
}

/* Before it is in memory: at its header, by the end of the connection. */
static void a_message_that_is_too_large_ends_the_connection(void **state)
{
    const struct sr_net net = { .receive_max = 1000 };
    static char large[1002];
    struct fixture *fx = *state;

    connect_as(fx, &fx->a, (struct sr_mqtt_options){ 0 });
    connect_as(fx, &fx->b, (struct sr_mqtt_options){ .net = &net });
    sr_mqtt_subscribe(fx->b.mqtt, "size", 1, on_message, &fx->b);
    turn_for(fx, 50);
    memset(large, 'x', 1001);
    publish(&fx->a, "size", large, 1);
    await(fx, fx->b.downs == 1);
    assert_non_null(strstr(fx->b.reason, "receive_max (1000)"));
    await(fx, fx->b.ups == 2);
    turn_for(fx, 50);
    publish(&fx->a, "size", large + 100, 1);
    await(fx, fx->b.messages == 1);
    assert_int_equal(fx->a.downs, 0);
}

static void a_megabyte_goes_through(void **state)
{
    struct fixture *fx = *state;
    size_t len = 1000 * 1000;
    char *large = malloc(len);
    const struct sr_mqtt_message message = { "large", large, len, 2, false };

    memset(large, 'y', len);
    connect_both(fx);
    sr_mqtt_subscribe(fx->b.mqtt, "large", 2, on_message, &fx->b);
    turn_for(fx, 50);
    assert_int_equal(sr_mqtt_publish(fx->a.mqtt, &message, on_done, &fx->a), 0);
    free(large);
    await(fx, fx->b.messages == 1 && fx->a.dones == 1);
    assert_int_equal(fx->a.done_rc, 0);
}

static void nobody_listening_is_told_and_tried_again(void **state)
{
    struct fixture *fx = *state;

    make(fx, &fx->a, (struct sr_mqtt_options){ .port = free_port() });
    assert_int_equal(sr_mqtt_connect(fx->a.mqtt), 0);
    assert_int_equal(sr_mqtt_connect(fx->a.mqtt), SR_E_STATE);
    assert_int_equal(fx->a.downs, 0);
    await(fx, fx->a.downs == 2);
    sr_mqtt_disconnect(fx->a.mqtt);
    turn_for(fx, 500);
    assert_int_equal(fx->a.downs, 2);
}

/* --- TLS ------------------------------------------------------------------------ */

static bool comes_up(struct fixture *fx, const char *host, uint16_t port,
                     const struct sr_net *net)
{
    struct client client = { 0 };
    bool up;

    make(fx, &client,
         (struct sr_mqtt_options){
             .host = host, .port = port, .tls = true, .net = net });
    sr_mqtt_connect(client.mqtt);
    await(fx, client.ups || client.downs);
    if (client.ups && !client.downs) { /* TLS 1.3 may be refused after that */
        publish(&client, "tls", "x", 1);
        await(fx, client.dones || client.downs);
    }
    up = client.dones && !client.done_rc;
    sr_mqtt_free(client.mqtt);
    return up;
}

static void tls_verifies_certificates_and_names(void **state)
{
    const struct sr_net trusting = { .ca_file = broker.ca },
                        careless = { .insecure = true };
    struct fixture *fx = *state;

    assert_true(comes_up(fx, "127.0.0.1", broker.tls, &trusting));
    assert_false(comes_up(fx, "127.0.0.1", broker.tls, NULL));
    assert_false(comes_up(fx, "localhost", broker.tls, &trusting));
    assert_true(comes_up(fx, "localhost", broker.tls, &careless));
}

static void tls_shows_its_own_certificate(void **state)
{
    struct sr_net net = { .ca_file = broker.ca };
    struct fixture *fx = *state;

    assert_false(comes_up(fx, "127.0.0.1", broker.mutual, &net));
    net.cert_file = broker.ca;
    net.key_file = broker.key;
    assert_true(comes_up(fx, "127.0.0.1", broker.mutual, &net));
    net.ca_file = NULL; /* the system's authorities do not know the broker */
    assert_false(comes_up(fx, "127.0.0.1", broker.mutual, &net));
    net.insecure = true;
    assert_true(comes_up(fx, "127.0.0.1", broker.mutual, &net));
}

/* --- arguments ------------------------------------------------------------------- */

static void nonsense_is_refused(void **state)
{
    static const char *const filters[] = {
        "", "a/b+", "a#", "#/a", "+a", "a\n", "\xff"
    };
    static const char *const topics[] = { "", "a/+", "#", "a\x01", "\xc0\x80" };
    struct fixture *fx = *state;
    struct sr_mqtt *mqtt;

    connect_as(fx, &fx->a, (struct sr_mqtt_options){ 0 });
    for (size_t i = 0; i < sizeof filters / sizeof *filters; i++)
        assert_int_equal(sr_mqtt_subscribe(fx->a.mqtt, filters[i], 0, on_message, NULL),
                         SR_E_INVAL);
    for (size_t i = 0; i < sizeof topics / sizeof *topics; i++)
        assert_int_equal(publish(&fx->a, topics[i], "x", 1), SR_E_INVAL);
    assert_int_equal(publish(&fx->a, "a", "x", 3), SR_E_INVAL);
    assert_int_equal(sr_mqtt_subscribe(fx->a.mqtt, "a", 3, NULL, NULL), SR_E_INVAL);
    assert_int_equal(sr_mqtt_subscribe_many(fx->a.mqtt,
                                            (const char *const[]){ "a", "#b" }, 2, 0,
                                            on_message, NULL),
                     SR_E_INVAL);
    assert_int_equal(sr_mqtt_unsubscribe(fx->a.mqtt, "never"), 0);
    turn_for(fx, 50);
    assert_int_equal(fx->a.downs, 0);

#define REFUSED(...)                                                                 \
    assert_int_equal(sr_mqtt_new(fx->loop, &(struct sr_mqtt_options){ __VA_ARGS__ }, \
                                 &events, NULL, &mqtt),                              \
                     SR_E_INVAL)
    REFUSED(.host = NULL);
    REFUSED(.host = "h", .keepalive_s = 4);
    REFUSED(.host = "h", .keepalive_s = 65536);
    REFUSED(.host = "h", .keep_session = true);
    REFUSED(.host = "h", .password = "p");
    REFUSED(.host = "h", .will = &(struct sr_mqtt_message){ .topic = "a/#" });
    REFUSED(.host = "h", .net = &(struct sr_net){ .key_file = "k" });
    sr_mqtt_set_send_max(NULL, 1);
    assert_null(sr_mqtt_free(NULL));
    sr_mqtt_disconnect(NULL);
    assert_false(sr_mqtt_is_up(NULL));
    assert_int_equal(sr_mqtt_connect(NULL), SR_E_INVAL);
}

static void it_may_be_freed_at_any_turn(void **state)
{
    struct fixture *fx = *state;

    for (int turns = 0; turns < 30; turns++) {
        make(fx, &fx->a, (struct sr_mqtt_options){ 0 });
        sr_mqtt_subscribe(fx->a.mqtt, "a", 1, on_message, &fx->a);
        sr_mqtt_connect(fx->a.mqtt);
        for (int i = 0; i < turns; i++)
            turn(fx);
        if (sr_mqtt_is_up(fx->a.mqtt))
            publish(&fx->a, "a", "x", 2);
        fx->a.mqtt = sr_mqtt_free(fx->a.mqtt);
    }
    turn_for(fx, 50);
}

static void filters_match_as_the_standard_says(void **state)
{
    static const struct {
        const char *filter, *topic;
        bool matches;
    } cases[] = {
        {"a",       "a",      true },
        { "a",      "b",      false},
        { "a",      "a/",     false},
        { "a/",     "a",      false},
        { "a/b",    "a/b",    true },
        { "a/b",    "a/bc",   false},
        { "a/bc",   "a/b",    false},
        { "+",      "a",      true },
        { "+",      "a/b",    false},
        { "+",      "/a",     false},
        { "+/+",    "/a",     true },
        { "/+",     "/a",     true },
        { "a/+",    "a",      false},
        { "a/+",    "a/",     true },
        { "a/+/c",  "a//c",   true },
        { "a/+/c",  "a/b/d",  false},
        { "#",      "a/b/c",  true },
        { "#",      "/",      true },
        { "a/#",    "a",      true },
        { "a/#",    "a/",     true },
        { "a/#",    "a/b/c",  true },
        { "a/#",    "ab",     false},
        { "+/#",    "a",      true },
        { "a/+/#",  "a",      false},
        { "a/+/#",  "a/b",    true },
        { "#",      "$SYS/x", false},
        { "+/x",    "$SYS/x", false},
        { "$SYS/#", "$SYS/x", true },
        { "$SYS/+", "$SYS/x", true },
        { "a/#",    "a/$b",   true },
        { "a/+",    "a/$b",   true },
        { "//",     "//",     true },
        { "+/+/+",  "//",     true },
        { "a#",     "a#",     false},
        { "a/#/b",  "a/x/b",  false},
        { "",       "",       false},
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        bool by_library = false;

        if (sr_mqtt_matches(cases[i].filter, cases[i].topic) != cases[i].matches)
            fail_msg("filter %s, topic %s", cases[i].filter, cases[i].topic);
        if (mosquitto_topic_matches_sub(cases[i].filter, cases[i].topic, &by_library))
            by_library = false;
        if (by_library != cases[i].matches)
            fail_msg("libmosquitto: filter %s, topic %s", cases[i].filter,
                     cases[i].topic);
    }
    assert_false(sr_mqtt_matches(NULL, "a"));
    assert_false(sr_mqtt_matches("a", NULL));
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(messages_go_with_every_quality),
        TEST(who_publishes_whenever_one_has_left_does_not_keep_the_loop),
        TEST(a_thousand_messages_arrive_once_each),
        TEST(what_is_under_way_is_bounded),
        TEST(each_function_whose_filter_matches_is_called),
        TEST(topics_with_a_dollar_are_asked_for_by_name),
        TEST(a_retained_message_waits_for_subscribers),
        TEST(the_will_is_for_losses_and_not_for_goodbyes),
        TEST(goodbye_from_inside_a_message_is_one),
        TEST(a_function_may_end_its_own_subscription),
        TEST(it_comes_back_after_a_restart_with_its_subscriptions),
        TEST(what_was_under_way_at_a_loss_is_told),
        TEST(a_session_may_be_kept),
        TEST(a_message_that_is_too_large_ends_the_connection),
        TEST(a_megabyte_goes_through),
        TEST(nobody_listening_is_told_and_tried_again),
        TEST(tls_verifies_certificates_and_names),
        TEST(tls_shows_its_own_certificate),
        TEST(nonsense_is_refused),
        TEST(it_may_be_freed_at_any_turn),
        TEST(filters_match_as_the_standard_says),
    };

    return cmocka_run_group_tests(tests, make_broker, remove_broker);
}
