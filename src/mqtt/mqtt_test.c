/* SPDX-License-Identifier: MIT */
/* What only a direct customer of sr_mqtt_link sees: every callback may free it. The rest is
 * shown by the tests of the reporter. */
#include "mqtt/mqtt.h"

#include "support/run.h"
#include "support/scripted_broker.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
/* after what it needs */
#include <cmocka.h>

enum event { NONE, UP_EVENT, DOWN, MESSAGE, ACKED, SUBSCRIBED, EVENTS };

struct fixture {
    struct sr_loop *loop;
    struct sr_mqtt_link *mqtt;
    struct broker *broker;
    enum event free_in;
    int seen[EVENTS];
    int rc_after_free;
};

/* Counts an event, and frees the client if this is the one. */
static void note(struct fixture *fx, enum event event)
{
    static const char *const topics[] = { "t" };
    struct sr_mqtt_link *mqtt = fx->mqtt;
    int id;

    fx->seen[event]++;
    if (fx->free_in != event || !mqtt)
        return;
    fx->mqtt = NULL;
    sr_mqtt_link_free(mqtt);
    if (event == DOWN)
        return; /* it is gone; in the others it lasts until libmosquitto is left */
    fx->rc_after_free = sr_mqtt_link_publish(mqtt, "t", "x", 1, 1, &id);
    assert_int_equal(sr_mqtt_link_subscribe(mqtt, topics, 1, 1, &id), SR_E_STATE);
}

static void on_up(void *arg)
{
    static const char *const topics[] = { "s/dl" };
    struct fixture *fx = arg;
    int id;

    assert_int_equal(sr_mqtt_link_subscribe(fx->mqtt, topics, 1, 1, &id), 0);
    assert_int_equal(sr_mqtt_link_publish(fx->mqtt, "s/ul", "row", 3, 1, &id), 0);
    note(fx, UP_EVENT);
}

static void on_down(void *arg, bool was_up, const char *reason)
{
    (void)was_up;
    assert_non_null(strstr(reason, "mqtt://127.0.0.1:"));
    note(arg, DOWN);
}

static void on_message(void *arg, const char *topic, const char *payload, size_t len)
{
    assert_string_equal(topic, "s/dl");
    assert_int_equal(payload[len], '\0');
    note(arg, MESSAGE);
}

static void on_acked(void *arg, int message_id)
{
    (void)message_id;
    note(arg, ACKED);
}

static void on_subscribed(void *arg, int message_id, const int *granted, int count)
{
    (void)message_id;
    assert_true(sr_mqtt_link_granted(granted, count, 0));
    note(arg, SUBSCRIBED);
}

/* Everything twice, in one go, and then the end. */
static void pour_out(struct broker_connection *connection, void *arg)
{
    const struct packet *subscribe, *publish;

    (void)arg;
    broker_read(connection);
    broker_connack(connection, 0);
    subscribe = broker_read(connection);
    publish = subscribe ? broker_read(connection) : NULL;
    if (!publish)
        return;
    for (int i = 0; i < 2; i++) {
        broker_suback(connection, subscribe);
        broker_puback(connection, publish->id);
        broker_publish(connection, "s/dl", "500,1,a", 1, 1);
    }
}

static int set_up(void **state)
{
    struct fixture *fx = calloc(1, sizeof *fx);

    if (sr_loop_make(NULL, NULL, &fx->loop))
        return -1;
    fx->broker = broker_start(0, pour_out, fx);
    *state = fx;
    return fx->broker ? 0 : -1;
}

static int tear_down(void **state)
{
    struct fixture *fx = *state;

    sr_mqtt_link_free(fx->mqtt);
    broker_stop(fx->broker);
    sr_loop_destroy(fx->loop);
    free(fx);
    return 0;
}

static void connect_to_broker(struct fixture *fx)
{
    static const struct sr_mqtt_link_events events = { on_up,         on_down,
                                                       on_message,    on_acked,
                                                       on_subscribed, NULL };
    char host[] = "127.0.0.1";
    const struct sr_mqtt_link_options options = { .host = host,
                                                  .port = broker_port(fx->broker),
                                                  .client_id = "d:gw",
                                                  .user = "t/u",
                                                  .password = "p" };

    assert_int_equal(sr_mqtt_link_new(fx->loop, &options, &events, fx, &fx->mqtt), 0);
    memset(host, 'x', sizeof host - 1); /* it is copied */
    sr_mqtt_link_start(fx->mqtt, 60);
    sr_mqtt_link_start(fx->mqtt, 60); /* and once is enough */
}

static void turn_until(struct fixture *fx, enum event event)
{
    uint64_t give_up = now_ms() + 30000;

    while (!fx->seen[event] && now_ms() < give_up) {
        sr_loop_turn(fx->loop, false);
        poll(NULL, 0, 1);
    }
    assert_int_equal(fx->seen[event], 1);
}

static void freed_in(struct fixture *fx, enum event event)
{
    fx->free_in = event;
    connect_to_broker(fx);
    turn_until(fx, event);
    for (int i = 0; i < 50; i++) { /* nobody is called any more */
        sr_loop_turn(fx->loop, false);
        poll(NULL, 0, 1);
    }
    assert_null(fx->mqtt);
    assert_int_equal(fx->seen[event], 1);
    if (event != DOWN) {
        assert_int_equal(fx->seen[DOWN], 0);
        assert_int_equal(fx->rc_after_free, SR_E_STATE);
    }
}

static void it_may_be_freed_when_it_comes_up(void **state)
{
    freed_in(*state, UP_EVENT);
}

static void it_may_be_freed_when_a_subscription_is_answered(void **state)
{
    freed_in(*state, SUBSCRIBED);
}

static void it_may_be_freed_when_a_publish_is_acknowledged(void **state)
{
    freed_in(*state, ACKED);
}

static void it_may_be_freed_when_a_message_comes(void **state)
{
    freed_in(*state, MESSAGE);
}

static void it_may_be_freed_when_the_connection_is_lost(void **state)
{
    freed_in(*state, DOWN);
}

static void nothing_can_be_sent_while_it_is_not_connected(void **state)
{
    static const char *const topics[] = { "t" };
    struct fixture *fx = *state;
    int id = 7;

    connect_to_broker(fx);
    assert_int_equal(sr_mqtt_link_publish(fx->mqtt, "t", "x", 1, 1, &id), SR_E_STATE);
    assert_int_equal(sr_mqtt_link_subscribe(fx->mqtt, topics, 1, 1, &id), SR_E_STATE);
    assert_int_equal(id, 7);
    sr_mqtt_link_drop(fx->mqtt, "for nothing");
    turn_until(fx, UP_EVENT);
}

static void a_dropped_connection_is_down_with_the_reason_and_comes_back(void **state)
{
    struct fixture *fx = *state;
    int id;

    connect_to_broker(fx);
    turn_until(fx, UP_EVENT);
    sr_mqtt_link_drop(fx->mqtt, "the customer wants it so");
    assert_int_equal(sr_mqtt_link_publish(fx->mqtt, "t", "x", 1, 1, &id), SR_E_STATE);
    turn_until(fx, DOWN);
    fx->seen[UP_EVENT] = 0;
    turn_until(fx, UP_EVENT);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(it_may_be_freed_when_it_comes_up),
        TEST(it_may_be_freed_when_a_subscription_is_answered),
        TEST(it_may_be_freed_when_a_publish_is_acknowledged),
        TEST(it_may_be_freed_when_a_message_comes),
        TEST(it_may_be_freed_when_the_connection_is_lost),
        TEST(nothing_can_be_sent_while_it_is_not_connected),
        TEST(a_dropped_connection_is_down_with_the_reason_and_comes_back),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
