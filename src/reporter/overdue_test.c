/* SPDX-License-Identifier: MIT */
/* A broker that owes an answer. Compiled with the library's patience cut to fractions of
 * a second. */
#include "reporter/fixture.h"

/* `fx->arg`: what the first connection never gets. */
enum { ACCEPT, CONNACKED, SUBSCRIBED, PUBLISHED };

static void owe(struct broker_connection *connection, void *arg)
{
    struct fixture *fx = arg;

    if (broker_number(connection)) {
        behave(connection, arg);
        return;
    }
    if (fx->arg > ACCEPT)
        broker_read(connection);
    if (fx->arg == SUBSCRIBED) {
        broker_connack(connection, 0);
    } else if (fx->arg == PUBLISHED) {
        broker_connack(connection, 0);
        for (int i = 0; i < 2; i++) {
            const struct packet *p = broker_read(connection);

            if (p)
                broker_suback(connection, p);
        }
    }
    while (broker_read(connection))
        ;
}

static void is_lost(struct fixture *fx, int owed, const char *reason)
{
    fx->arg = owed;
    with_broker(fx, owe);
    assert_int_equal(sr_agent_set(fx->agent, "connect_timeout", "500"), 0);
    sr_reporter_set_linger(fx->reporter, 0);
    sr_reporter_set_batch(fx->reporter, 1);
    send_row(fx, "1");
    send_row(fx, "2");
    start(fx);
    run_until(fx->agent, stats_of(fx).rows_acked == 2);
    assert_true(logged(fx, reason));
    assert_true(logged(fx, fx->broker_url));
    assert_string_equal(published(fx, broker_count(fx->broker, PUBLISH) - 2),
                        "15,24830\n1");
}

static void a_broker_that_never_speaks_is_left(void **state)
{
    is_lost(*state, ACCEPT, "no connection in time");
}

static void a_broker_that_never_sends_connack_is_left(void **state)
{
    is_lost(*state, CONNACKED, "no connection in time");
}

static void a_broker_that_never_answers_a_subscription_is_left(void **state)
{
    is_lost(*state, SUBSCRIBED, "does not answer a subscription");
}

static void rows_that_are_never_acknowledged_are_sent_on_a_new_connection(void **state)
{
    is_lost(*state, PUBLISHED, "not acknowledged in time");
}

static void a_server_that_never_answers_is_asked_again(void **state)
{
    static const struct http_step steps[] = {
        {HTTP_SILENT,  0,   NULL},
        { HTTP_ANSWER, 200, ""  }
    };
    struct fixture *fx = *state;

    with_http(fx, steps, 2);
    send_row(fx, "1");
    start(fx);
    run_until(fx->agent, stats_of(fx).rows_acked == 1);
    assert_true(logged(fx, "not acknowledged in time"));
    assert_string_equal(scripted_http_body(fx->http, 1), "15,24830\n1");
}

/* Acknowledges slowly, but each in time: the oldest one counts, not the first. */
static void be_slow(struct broker_connection *connection, void *arg)
{
    const struct packet *p;

    (void)arg;
    broker_welcome(connection);
    while ((p = broker_next_publish(connection))) {
        poll(NULL, 0, SR_ACK_MS / 4);
        broker_puback(connection, p->id);
    }
}

static void a_slow_broker_is_not_left(void **state)
{
    struct fixture *fx = *state;

    with_broker(fx, be_slow);
    sr_reporter_set_batch(fx->reporter, 1);
    sr_reporter_set_window(fx->reporter, 2);
    for (int i = 0; i < 8; i++)
        send_row(fx, "1");
    start(fx);
    run_until(fx->agent, stats_of(fx).rows_acked == 8);
    assert_int_equal(stats_of(fx).disconnects, 0);
}

static void be_silent(struct broker_connection *connection, void *arg)
{
    (void)arg;
    server_drain(broker_fd(connection));
}

/* A server that accepts TCP and never says a word of TLS. */
static void a_broker_silent_in_the_tls_handshake_costs_no_cpu(void **state)
{
    struct fixture *fx = *state;
    uint64_t before;

    fx->broker = broker_start(0, be_silent, fx);
    make_agent(fx, 9);
    snprintf(fx->broker_url, sizeof fx->broker_url, "mqtts://127.0.0.1:%u",
             (unsigned)broker_port(fx->broker));
    assert_int_equal(sr_reporter_new_mqtt(fx->agent, fx->broker_url, &fx->reporter), 0);
    assert_int_equal(sr_agent_set(fx->agent, "connect_timeout", "1000"), 0);
    start(fx);
    before = sr_agent_wakeups(fx->agent);
    while (!logged(fx, "no connection in time")) {
        poll(&(struct pollfd){ .fd = sr_agent_fd(fx->agent), .events = POLLIN }, 1,
             sr_agent_timeout(fx->agent));
        assert_int_equal(sr_agent_dispatch(fx->agent), 0);
    }
    assert_in_range(sr_agent_wakeups(fx->agent) - before, 1, 10);
}

int main(void)
{
#define TEST(name) \
    cmocka_unit_test_setup_teardown(name, fixture_set_up, fixture_tear_down)
    const struct CMUnitTest tests[] = {
        TEST(a_broker_that_never_speaks_is_left),
        TEST(a_broker_that_never_sends_connack_is_left),
        TEST(a_broker_that_never_answers_a_subscription_is_left),
        TEST(rows_that_are_never_acknowledged_are_sent_on_a_new_connection),
        TEST(a_server_that_never_answers_is_asked_again),
        TEST(a_slow_broker_is_not_left),
        TEST(a_broker_silent_in_the_tls_handshake_costs_no_cpu),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
