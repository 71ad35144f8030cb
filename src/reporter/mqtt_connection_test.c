/* SPDX-License-Identifier: MIT */
/* How the reporter comes to a broker by MQTT, and back to it; against a broker that plays
 * scripts byte for byte. */
#include "base/backoff.h"
#include "reporter/fixture.h"
#include <sched.h>
#include <sys/socket.h>

/* --- connecting -------------------------------------------------------------- */

static void connects_and_subscribes_as_the_platform_wants(void **state)
{
    static const char connect[] = "\0\4MQTT\4\xc2\0\x3c"
                                  "\0\x09"
                                  "d:gw-0001"
                                  "\0\x14"
                                  "t4711/device_gw-0001"
                                  "\0\x09"
                                  "s3cr3t9xQ";
    struct fixture *fx = *state;
    const struct packet *p;

    with_broker(fx, behave);
    start(fx);
    run_until(fx->agent, stats_of(fx).connected);
    p = broker_seen(fx->broker, CONNECT, 0);
    assert_int_equal(p->body_len, sizeof connect - 1);
    assert_memory_equal(p->body, connect, p->body_len);
    p = broker_seen(fx->broker, SUBSCRIBE, 0);
    assert_string_equal(p->topic, "s/dl s/ol/24830");
    assert_int_equal(p->body[p->body_len - 1], 1); /* QoS */
    run_until(fx->agent, broker_count(fx->broker, SUBSCRIBE) == 2);
    p = broker_seen(fx->broker, SUBSCRIBE, 1);
    assert_string_equal(p->topic, "s/e");
    assert_int_equal(p->body[p->body_len - 1], 0);
}

static void the_keep_alive_is_what_was_set(void **state)
{
    struct fixture *fx = *state;

    with_broker(fx, behave);
    assert_int_equal(sr_reporter_set_keepalive(fx->reporter, 180), 0);
    start(fx);
    run_until(fx->agent, stats_of(fx).connected);
    assert_int_equal(broker_seen(fx->broker, CONNECT, 0)->body[9], 180);
}

static void subscribes_to_operations_of_other_collections_once_each(void **state)
{
    struct fixture *fx = *state;

    with_broker(fx, behave);
    sr_agent_on_xmessage(fx->agent, "child", 500, hear, fx);
    sr_agent_on_xmessage(fx->agent, "child", 501, hear, fx);
    sr_agent_on_xmessage(fx->agent, "24999", 500, hear, fx);
    sr_agent_on_xmessage(fx->agent, "24830", 500, hear, fx); /* its own */
    start(fx);
    run_until(fx->agent, stats_of(fx).connected);
    assert_string_equal(broker_seen(fx->broker, SUBSCRIBE, 0)->topic,
                        "s/dl s/ol/24830 s/ol/24999 s/ol/child");
}

static void rows_wait_for_the_subscription(void **state)
{
    struct fixture *fx = *state;

    with_broker(fx, behave);
    send_row(fx, "103,1");
    start(fx);
    run_until_published(fx, 1);
    /* In the broker's order of arrival. */
    assert_true(broker_seen(fx->broker, SUBSCRIBE, 0)->at_ms <=
                broker_seen(fx->broker, PUBLISH, 0)->at_ms);
}

static void options_have_bounds_and_are_fixed_by_the_start(void **state)
{
    struct fixture *fx = *state;
    struct sr_reporter *second = NULL;

    with_broker(fx, behave);
    assert_int_equal(sr_reporter_set_keepalive(fx->reporter, 4), SR_E_INVAL);
    assert_int_equal(sr_reporter_set_keepalive(fx->reporter, 65536), SR_E_INVAL);
    assert_int_equal(sr_reporter_set_keepalive(fx->reporter, 0), 0);
    assert_int_equal(sr_reporter_set_keepalive(fx->reporter, 5), 0);
    assert_int_equal(sr_reporter_set_linger(fx->reporter, 60001), SR_E_INVAL);
    assert_int_equal(sr_reporter_set_linger(fx->reporter, 0), 0);
    assert_int_equal(sr_reporter_set_batch(fx->reporter, 0), SR_E_INVAL);
    assert_int_equal(sr_reporter_set_batch(fx->reporter, 10001), SR_E_INVAL);
    assert_int_equal(sr_reporter_set_window(fx->reporter, 0), SR_E_INVAL);
    assert_int_equal(sr_reporter_set_window(fx->reporter, 17), SR_E_INVAL);
    assert_int_equal(sr_reporter_set_window(fx->reporter, 16), 0);
    assert_int_equal(sr_reporter_set_capacity(fx->reporter, 4095), SR_E_INVAL);
    assert_int_equal(sr_reporter_set_capacity(fx->reporter, (1u << 30) + 1),
                     SR_E_INVAL);
    assert_int_equal(sr_reporter_set_window(NULL, 1), SR_E_INVAL);
    assert_int_equal(sr_reporter_start(NULL), SR_E_INVAL);
    start(fx);
    assert_int_equal(sr_reporter_start(fx->reporter), SR_E_STATE);
    assert_int_equal(sr_reporter_set_window(fx->reporter, 1), SR_E_STATE);
    assert_int_equal(sr_reporter_set_capacity(fx->reporter, 4096), 0);
    assert_int_equal(sr_reporter_new_mqtt(fx->agent, fx->broker_url, &second),
                     SR_E_STATE);
    assert_int_equal(sr_reporter_new_http(fx->agent, &second), SR_E_STATE);
    assert_null(second);
    assert_int_equal(sr_agent_set_credentials(fx->agent, "t", "u", "p"), SR_E_STATE);
}

static void bad_brokers_are_named(void **state)
{
    static const char *const bad[] = { "", "localhost", "http://host", "mqtt://",
                                       "mqtt://host:0x10" };
    struct fixture *fx = *state;

    make_agent(fx, 9);
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        assert_int_equal(sr_reporter_new_mqtt(fx->agent, bad[i], &fx->reporter),
                         SR_E_INVAL);
        assert_non_null(strstr(sr_agent_error(fx->agent), bad[i]));
    }
    assert_null(fx->reporter);
    assert_int_equal(sr_reporter_new_mqtt(NULL, "mqtt://h", &fx->reporter), SR_E_INVAL);
}

static void refuse(struct broker_connection *connection, void *arg)
{
    static const int codes[] = { 1, 2, 3, 4, 5, 200 };
    unsigned n = broker_number(connection);

    if (n >= 6) {
        behave(connection, arg);
        return;
    }
    broker_read(connection);
    broker_connack(connection, codes[n]);
    server_drain(broker_fd(connection));
}

static void every_refusal_is_explained_and_tried_again(void **state)
{
    struct fixture *fx = *state;

    with_broker(fx, refuse);
    start(fx);
    run_until(fx->agent, stats_of(fx).connected);
    assert_true(logged(fx, "protocol version"));
    assert_true(logged(fx, "refuses the client id"));
    assert_true(logged(fx, "is unavailable"));
    assert_true(logged(fx, "refuses user or password"));
    assert_true(logged(fx, "not authorised"));
    assert_true(logged(fx, "refuses the connection"));
    assert_true(logged(fx, fx->broker_url));
    assert_false(logged(fx, "s3cr3t"));
    assert_true(logged(fx, "connected again"));
    assert_int_equal(stats_of(fx).connects, 1);
    assert_int_equal(stats_of(fx).disconnects, 0);
}

/* Breaks off at a step, once for each step; then behaves. */
static void break_off(struct broker_connection *connection, void *arg)
{
    unsigned n = broker_number(connection);
    const struct packet *p;

    if (n >= 14) {
        behave(connection, arg);
        return;
    }
    if (n % 2)
        server_reset_on_close(broker_fd(connection));
    if (n / 2 == 0)
        return;
    broker_read(connection);
    if (n / 2 == 1)
        return;
    if (n / 2 == 2) {
        broker_send(connection, "\x20\2\0", 3); /* most of a CONNACK */
        return;
    }
    broker_connack(connection, 0);
    if (n / 2 == 3)
        return;
    p = broker_read(connection);
    if (!p || n / 2 == 4)
        return;
    broker_suback(connection, p);
    if (n / 2 == 5)
        return;
    p = broker_next_publish(connection);
    if (p)
        broker_send(connection, "\x40\2\0", 3);
}

static void a_broker_may_break_off_at_any_step(void **state)
{
    struct fixture *fx = *state;
    unsigned n;

    with_broker(fx, break_off);
    send_row(fx, "103,1");
    start(fx);
    while (stats_of(fx).rows_waiting) {
        n = broker_connections(fx->broker);
        run_until(fx->agent,
                  broker_connections(fx->broker) > n || !stats_of(fx).rows_waiting);
        if (n % 4 == 3) { /* pauses grow too long to wait for: begin anew */
            sr_reporter_free(fx->reporter);
            assert_int_equal(
                sr_reporter_new_mqtt(fx->agent, fx->broker_url, &fx->reporter), 0);
            start(fx);
        }
    }
    assert_true(broker_connections(fx->broker) > 14);
    assert_false(logged(fx, "Success"));
}

static const struct {
    const char *bytes;
    size_t len;
} garbage[] = {
    {"HTTP/1.1 400 Bad Request\r\n\r\n",  28},
    { "\0\0\0\0\0\0\0\0",                 8 },
    { "\xff\xff\xff\xff\xff\xff\xff\xff", 8 },
    { "\x30\xff\xff\xff\xff\xff",         6 }, /* a length of five bytes */
    { "\x20\0",                           2 }, /* a CONNACK without a code */
    { "\x20\xff\xff\xff\x7f",             5 }, /* a CONNACK of 256 MB */
    { "\x90\2\0\1",                       4 }, /* a SUBACK without a code */
    { "\x40\0",                           2 }, /* a PUBACK without an id */
    { "\x40\2\0\0",                       4 }, /* a PUBACK of id 0 */
    { "\x30\2\0\x50",                     4 }, /* a topic longer than its packet */
    { "\x32\4\0\1a\0",                    6 }, /* half a message id */
    { "\x36\3\0\1a",                      5 }, /* QoS 3 */
    { "\x10\2\0\0",                       4 }, /* a CONNECT from a broker */
    { "\x82\2\0\1",                       4 }, /* a SUBSCRIBE from a broker */
    { "\xd0\1x",                          3 }, /* a PINGRESP with something in it */
    { "\x62\2\0\7",                       4 }, /* a PUBREL for nothing */
    { "\x50\2\0\1",                       4 }, /* PUBREC and PUBCOMP for QoS 1 */
    { "\x70\2\0\1",                       4 },
};
enum { GARBAGE = sizeof garbage / sizeof *garbage };

/* `fx->arg`: which garbage, and where: in place of CONNACK, of SUBACK, or later. */
static void talk_garbage(struct broker_connection *connection, void *arg)
{
    struct fixture *fx = arg;
    int where = fx->arg / GARBAGE, which = fx->arg % GARBAGE;
    const struct packet *p;

    if (broker_number(connection)) {
        behave(connection, arg);
        return;
    }
    broker_read(connection);
    if (where > 0) {
        broker_connack(connection, 0);
        p = broker_read(connection);
        if (where > 1 && p && broker_suback(connection, p))
            broker_next_publish(connection);
    }
    broker_send(connection, garbage[which].bytes, garbage[which].len);
    shutdown(broker_fd(connection), SHUT_WR);
    server_drain(broker_fd(connection));
}

/* All at once, since each has a pause to wait for. */
static void garbage_at_any_step_ends_the_connection_and_nothing_else(void **state)
{
    static struct fixture all[3 * GARBAGE];
    uint64_t give_up = now_ms() + 20000;
    int left = 3 * GARBAGE;

    (void)state;
    for (int i = 0; i < 3 * GARBAGE; i++) {
        all[i].arg = i;
        with_broker(&all[i], talk_garbage);
        sr_reporter_set_linger(all[i].reporter, 0);
        send_row(&all[i], "103,1");
        start(&all[i]);
    }
    while (left && now_ms() < give_up) {
        left = 3 * GARBAGE;
        for (int i = 0; i < 3 * GARBAGE; i++) {
            sr_agent_dispatch(all[i].agent);
            left -= stats_of(&all[i]).rows_acked == 1;
        }
        poll(NULL, 0, 1);
    }
    for (int i = 0; i < 3 * GARBAGE; i++) {
        assert_int_equal(stats_of(&all[i]).rows_acked, 1);
        sr_agent_free(all[i].agent);
        broker_stop(all[i].broker);
    }
}

static void code_in_mid_connection(struct broker_connection *connection, void *arg)
{
    broker_welcome(connection);
    if (broker_number(connection) < 2) {
        broker_next_publish(connection);
        broker_connack(connection, broker_number(connection) ? 5 : 3);
        server_drain(broker_fd(connection));
    } else {
        broker_connack(connection, 0); /* and a second one does no harm */
        broker_serve(connection);
    }
    (void)arg;
}

static void a_refusal_may_come_in_mid_connection(void **state)
{
    struct fixture *fx = *state;

    with_broker(fx, code_in_mid_connection);
    send_row(fx, "103,1");
    start(fx);
    run_until(fx->agent, stats_of(fx).rows_acked == 1);
    assert_true(logged(fx, "is unavailable"));
    assert_true(logged(fx, "not authorised"));
    assert_int_equal(stats_of(fx).connects, 3);
    assert_int_equal(stats_of(fx).disconnects, 2);
}

static void answer_subscriptions_oddly(struct broker_connection *connection, void *arg)
{
    struct fixture *fx = arg;
    const struct packet *p;
    unsigned char suback[64] = { 0x90, 40 };

    broker_read(connection);
    broker_connack(connection, 0);
    p = broker_read(connection);
    suback[2] = (unsigned char)(p->id >> 8);
    suback[3] = (unsigned char)p->id;
    broker_send(connection, "\x90\3\x7f\xff\x00", 5); /* of a subscription never made */
    memset(suback + 4, 0, 38);
    suback[4 + fx->arg] = 0x80;
    suback[4 + 37] = 0x80;
    broker_send(connection, suback, 42);
    broker_send(connection, suback, 42); /* twice */
    broker_serve(connection);
}

static void a_refused_subscription_is_reported_and_rows_still_go(void **state)
{
    struct fixture *fx = *state;

    fx->arg = 1;
    with_broker(fx, answer_subscriptions_oddly);
    send_row(fx, "103,1");
    start(fx);
    run_until(fx->agent, stats_of(fx).rows_acked == 1);
    assert_true(logged(fx, "refuses to subscribe to: s/ol/24830"));
}

/* A SUBACK with more codes than there were topics. */
static void a_subscription_refused_that_was_never_asked_for_does_no_harm(void **state)
{
    struct fixture *fx = *state;

    fx->arg = 30;
    with_broker(fx, answer_subscriptions_oddly);
    send_row(fx, "103,1");
    start(fx);
    run_until(fx->agent, stats_of(fx).rows_acked == 1);
}

/* Messages and then a reset, which the kernel tells of together. */
static void talk_and_reset(struct broker_connection *connection, void *arg)
{
    struct fixture *fx = arg;

    if (broker_number(connection)) {
        behave(connection, arg);
        return;
    }
    broker_welcome(connection);
    broker_wait(connection);
    for (int i = 0; i < 20; i++)
        broker_publish(connection, "s/dl", "500,1,a", 0, 0);
    server_reset_on_close(broker_fd(connection));
    atomic_store(&fx->step, 1);
}

static void a_reset_behind_unread_messages_is_noticed(void **state)
{
    struct fixture *fx = *state;

    with_broker(fx, talk_and_reset);
    start(fx);
    run_until(fx->agent, stats_of(fx).connected);
    run_until(fx->agent, broker_count(fx->broker, SUBSCRIBE) == 2);
    run_for(fx->agent, 20);
    broker_go_on(fx->broker);
    while (!fx->step)
        sched_yield();
    poll(NULL, 0, 20); /* for the kernel; fewer would do no harm */
    run_until(fx->agent, stats_of(fx).connects == 2);
}

/* --- coming back ---------------------------------------------------------------- */

static void slam(struct broker_connection *connection, void *arg)
{
    struct fixture *fx = arg;

    /* Note the time by a packet of its own. */
    broker_read(connection);
    atomic_fetch_add(&fx->step, 1);
}

static void pauses_between_attempts_grow_and_differ(void **state)
{
    struct fixture *fx = *state;
    struct sr_backoff bounds = { 0 };

    with_broker(fx, slam);
    start(fx);
    run_until(fx->agent, fx->step == 7);
    for (unsigned i = 1; i < 7; i++) {
        uint64_t gap = broker_seen(fx->broker, CONNECT, i)->at_ms -
                       broker_seen(fx->broker, CONNECT, i - 1)->at_ms;
        uint32_t shortest = sr_backoff_next(&bounds, 0);

        assert_in_range(gap, shortest - 1, 2 * shortest + 300);
    }
}

static void started_before_its_broker_it_gets_there_when_the_broker_does(void **state)
{
    struct fixture *fx = *state;
    uint64_t began;
    uint16_t port;

    without_broker(fx, &port);
    send_row(fx, "103,1");
    start(fx);
    run_until(fx->agent, logged(fx, "trying again"));
    assert_true(logged(fx, fx->broker_url));
    fx->broker = broker_start(port, behave, fx);
    began = now_ms();
    run_until_published(fx, 1);
    assert_true(now_ms() - began < 2000);
}

static void a_broker_that_comes_back_is_found_within_2_s(void **state)
{
    struct fixture *fx = *state;
    uint64_t began;
    uint16_t port;

    with_broker(fx, behave);
    start(fx);
    run_until(fx->agent, stats_of(fx).connected);
    port = broker_port(fx->broker);
    broker_stop(fx->broker);
    run_until(fx->agent, !stats_of(fx).connected);
    send_row(fx, "103,1");
    run_for(fx->agent, 500);
    fx->broker = broker_start(port, behave, fx);
    began = now_ms();
    run_until_published(fx, 1);
    assert_true(now_ms() - began < 2000);
    assert_int_equal(stats_of(fx).disconnects, 1);
}

static void gives_up_when_the_time_to_wait_is_over(void **state)
{
    struct fixture *fx = *state;
    uint64_t began = now_ms();
    uint16_t port;

    without_broker(fx, &port);
    sr_agent_set_wait(fx->agent, 300);
    start(fx);
    assert_int_equal(sr_agent_loop(fx->agent), SR_E_UNREACHABLE);
    assert_in_range(now_ms() - began, 299, 2000);
    assert_non_null(strstr(sr_agent_error(fx->agent), fx->broker_url));
    assert_int_equal(sr_agent_dispatch(fx->agent), SR_E_UNREACHABLE);
    /* Another reporter has its own time. */
    sr_reporter_free(fx->reporter);
    fx->broker = broker_start(port, behave, fx);
    assert_int_equal(sr_reporter_new_mqtt(fx->agent, fx->broker_url, &fx->reporter), 0);
    start(fx);
    run_until(fx->agent, stats_of(fx).connected);
    run_for(fx->agent, 400);
    assert_int_equal(sr_agent_dispatch(fx->agent), 0);
}

static void be_silent(struct broker_connection *connection, void *arg)
{
    atomic_fetch_add(&((struct fixture *)arg)->step, 1);
    server_drain(broker_fd(connection));
}

static void a_silent_broker_is_named_when_the_time_is_over(void **state)
{
    struct fixture *fx = *state;

    with_broker(fx, be_silent);
    sr_agent_set_wait(fx->agent, 300);
    start(fx);
    assert_int_equal(sr_agent_loop(fx->agent), SR_E_UNREACHABLE);
    assert_non_null(strstr(sr_agent_error(fx->agent), fx->broker_url));
}

static void connecting_can_be_stopped_and_freed_at_any_moment(void **state)
{
    struct fixture *fx = *state;
    uint64_t began = now_ms();

    with_broker(fx, be_silent);
    start(fx);
    fx->agent = sr_agent_free(fx->agent); /* the thread has just begun */

    make_agent(fx, 9);
    assert_int_equal(sr_reporter_new_mqtt(fx->agent, fx->broker_url, &fx->reporter), 0);
    start(fx);
    run_until(fx->agent, fx->step >= 1); /* waiting for CONNACK */
    sr_agent_stop(fx->agent);
    assert_int_equal(sr_agent_loop(fx->agent), 0);
    fx->agent = sr_agent_free(fx->agent);

    make_agent(fx, 9);
    assert_int_equal(
        sr_reporter_new_mqtt(fx->agent, "mqtt://no-such-host.invalid", &fx->reporter),
        0);
    start(fx);
    fx->agent = sr_agent_free(fx->agent);
    assert_true(now_ms() - began < 2000);
}

int main(void)
{
#define TEST(name) \
    cmocka_unit_test_setup_teardown(name, fixture_set_up, fixture_tear_down)
    const struct CMUnitTest tests[] = {
        TEST(connects_and_subscribes_as_the_platform_wants),
        TEST(the_keep_alive_is_what_was_set),
        TEST(subscribes_to_operations_of_other_collections_once_each),
        TEST(rows_wait_for_the_subscription),
        TEST(options_have_bounds_and_are_fixed_by_the_start),
        TEST(bad_brokers_are_named),
        TEST(every_refusal_is_explained_and_tried_again),
        TEST(a_broker_may_break_off_at_any_step),
        TEST(garbage_at_any_step_ends_the_connection_and_nothing_else),
        TEST(a_refusal_may_come_in_mid_connection),
        TEST(a_refused_subscription_is_reported_and_rows_still_go),
        TEST(a_subscription_refused_that_was_never_asked_for_does_no_harm),
        TEST(a_reset_behind_unread_messages_is_noticed),
        TEST(pauses_between_attempts_grow_and_differ),
        TEST(started_before_its_broker_it_gets_there_when_the_broker_does),
        TEST(a_broker_that_comes_back_is_found_within_2_s),
        TEST(gives_up_when_the_time_to_wait_is_over),
        TEST(a_silent_broker_is_named_when_the_time_is_over),
        TEST(connecting_can_be_stopped_and_freed_at_any_moment),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
