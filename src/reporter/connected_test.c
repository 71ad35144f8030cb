/* SPDX-License-Identifier: MIT */
/* When the application is told that the way is open, and what becomes of the rows that it
 * sends then. */
#include "reporter/fixture.h"

#define WITH_HTTP(fx, ...)                                      \
    with_http(fx, (const struct http_step[]){ __VA_ARGS__ },    \
              sizeof(const struct http_step[]){ __VA_ARGS__ } / \
                  sizeof(struct http_step))

static void fetch(struct sr_agent *agent, void *arg)
{
    struct fixture *fx = arg;

    strcat(fx->heard, "connected;");
    assert_int_equal(sr_agent_sendf(agent, "107,24871"), 0);
}

/* --- by MQTT ---------------------------------------------------------------- */

/* Confirms subscriptions only after broker_go_on(). */
static void hesitate(struct broker_connection *c, void *arg)
{
    const struct packet *first, *second;

    (void)arg;
    if (!broker_read(c) || !broker_connack(c, 0))
        return;
    first = broker_read(c);
    second = broker_read(c);
    broker_wait(c);
    if (!first || !second || !broker_suback(c, first) || !broker_suback(c, second))
        return;
    broker_serve(c);
}

static void it_is_told_after_the_subscriptions_are_confirmed(void **state)
{
    struct fixture *fx = *state;

    with_broker(fx, hesitate);
    sr_agent_on_connected(fx->agent, fetch, fx);
    start(fx);
    run_until(fx->agent, broker_count(fx->broker, SUBSCRIBE) == 2);
    run_for(fx->agent, 20);
    assert_string_equal(fx->heard, "");
    broker_go_on(fx->broker);
    run_until_published(fx, 1);
    assert_string_equal(fx->heard, "connected;");
    assert_string_equal(published(fx, 0), "15,24830\n107,24871");
}

/* Takes one publish and is gone, twice. */
static void go_away_twice(struct broker_connection *c, void *arg)
{
    const struct packet *publish;

    if (broker_number(c) >= 2) {
        behave(c, arg);
        return;
    }
    if (broker_welcome(c) && (publish = broker_next_publish(c)))
        broker_puback(c, publish->id);
}

static void each_connection_is_told_once(void **state)
{
    struct fixture *fx = *state;

    with_broker(fx, go_away_twice);
    sr_agent_on_connected(fx->agent, fetch, fx);
    start(fx);
    run_until(fx->agent, stats_of(fx).rows_acked == 3);
    assert_string_equal(fx->heard, "connected;connected;connected;");
    assert_int_equal(stats_of(fx).connects, 3);
}

static void rows_sent_then_go_at_once_and_behind_those_that_wait(void **state)
{
    struct fixture *fx = *state;

    with_broker(fx, behave);
    sr_reporter_set_linger(fx->reporter, 60000);
    sr_agent_on_connected(fx->agent, fetch, fx);
    send_row(fx, "105,24902,EXECUTING");
    start(fx);
    run_until(fx->agent, stats_of(fx).rows_acked == 2);
    assert_string_equal(published(fx, 0), "15,24830\n105,24902,EXECUTING\n107,24871");
}

static void free_reporter(struct sr_agent *agent, void *arg)
{
    struct fixture *fx = arg;

    strcat(fx->heard, "freed;");
    sr_agent_sendf(agent, "107,24871");
    fx->reporter = sr_reporter_free(fx->reporter);
}

static void the_reporter_may_be_freed_from_there(void **state)
{
    struct fixture *fx = *state;

    with_broker(fx, behave);
    sr_agent_on_connected(fx->agent, free_reporter, fx);
    start(fx);
    run_until(fx->agent, *fx->heard);
    run_for(fx->agent, 20);
    assert_string_equal(fx->heard, "freed;");
}

/* --- by HTTP ---------------------------------------------------------------- */

static void by_http_it_is_told_at_the_start(void **state)
{
    struct fixture *fx = *state;

    WITH_HTTP(fx, { HTTP_ANSWER, 200, "" });
    sr_agent_on_connected(fx->agent, fetch, fx);
    start(fx);
    run_until(fx->agent, stats_of(fx).rows_acked == 1);
    assert_string_equal(fx->heard, "connected;");
    assert_string_equal(scripted_http_body(fx->http, 0), "15,24830\n107,24871");
}

static void by_http_it_is_told_when_an_outage_is_over(void **state)
{
    struct fixture *fx = *state;

    WITH_HTTP(fx, { HTTP_ANSWER, 503, "" }, { HTTP_CLOSE, 0, "" },
              { HTTP_ANSWER, 200, "" });
    sr_agent_on_connected(fx->agent, fetch, fx);
    start(fx);
    run_until(fx->agent, stats_of(fx).rows_acked == 2);
    run_for(fx->agent, 20);
    assert_string_equal(fx->heard, "connected;connected;");
}

/* Else a row that is refused would be followed by another, and so on. */
static void by_http_a_refused_row_is_no_outage(void **state)
{
    struct fixture *fx = *state;

    WITH_HTTP(fx, { HTTP_ANSWER, 400, "" }, { HTTP_ANSWER, 200, "" });
    sr_agent_on_connected(fx->agent, fetch, fx);
    start(fx);
    run_until(fx->agent, stats_of(fx).rows_acked == 1);
    run_for(fx->agent, 20);
    assert_string_equal(fx->heard, "connected;");
}

int main(void)
{
#define TEST(name) \
    cmocka_unit_test_setup_teardown(name, fixture_set_up, fixture_tear_down)
    const struct CMUnitTest tests[] = {
        TEST(it_is_told_after_the_subscriptions_are_confirmed),
        TEST(each_connection_is_told_once),
        TEST(rows_sent_then_go_at_once_and_behind_those_that_wait),
        TEST(the_reporter_may_be_freed_from_there),
        TEST(by_http_it_is_told_at_the_start),
        TEST(by_http_it_is_told_when_an_outage_is_over),
        TEST(by_http_a_refused_row_is_no_outage),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
