/* SPDX-License-Identifier: MIT */
/* A broker that does not grant what an agent subscribes to. Compiled with the library's pauses
 * cut short. */
#include "reporter/fixture.h"

enum { REFUSED = 0x80, FAILURES = 3 };

/* `fx->arg`: how SUBSCRIBEs are answered. */
enum answer { REFUSE_OPERATIONS, TOO_SHORT, EMPTY, REFUSE_ERRORS, NEVER, LOWER, ODD };

static void note_trouble(struct sr_agent *agent, enum sr_trouble trouble,
                         const char *text, void *arg)
{
    struct fixture *fx = arg;

    (void)agent;
    assert_int_equal(trouble, SR_TROUBLE_SUBSCRIPTION);
    strcat(fx->heard, text ? "begins;" : "ends;");
    if (text)
        strcat(strcat(fx->log, text), "\n");
}

/* False: no answer. */
static bool answer(struct broker_connection *c, const struct packet *p, int how)
{
    static const unsigned char refused[] = { 1, REFUSED }, odd[] = { 3, 7 },
                               lower[2] = { 0 };
    bool errors = !strcmp(p->topic, "s/e");

    switch (how) {
    case REFUSE_OPERATIONS:
        return errors ? broker_suback(c, p)
                      : broker_suback_with(c, p, refused + (p->topics == 1), p->topics);
    case TOO_SHORT:
        return errors ? broker_suback(c, p) : broker_suback_with(c, p, refused, 1);
    case EMPTY: return broker_suback_with(c, p, refused, 0);
    case REFUSE_ERRORS:
        return errors ? broker_suback_with(c, p, refused + 1, 1) : broker_suback(c, p);
    case LOWER: return broker_suback_with(c, p, lower, p->topics);
    case ODD:
        return errors ? broker_suback(c, p) : broker_suback_with(c, p, odd, p->topics);
    default: return false;
    }
}

/* Answers oddly for the first FAILURES SUBSCRIBEs, and then as it should. */
static void hesitate(struct broker_connection *c, void *arg)
{
    struct fixture *fx = arg;
    const struct packet *p;

    while ((p = broker_read(c)))
        if (p->type == CONNECT)
            broker_connack(c, 0);
        else if (p->type == SUBSCRIBE && atomic_fetch_add(&fx->step, 1) < FAILURES)
            answer(c, p, fx->arg);
        else if (p->type == SUBSCRIBE && broker_suback(c, p))
            broker_publish(c, "s/ol/24830", "502,1,op", 1, 1);
        else if (p->type == PUBLISH)
            broker_puback(c, p->id);
}

static void begin(struct fixture *fx, enum answer how)
{
    fx->arg = (int)how;
    with_broker(fx, hesitate);
    sr_agent_on_trouble(fx->agent, note_trouble, fx);
    sr_reporter_set_linger(fx->reporter, 0);
    send_row(fx, "103,1");
    start(fx);
    run_until(fx->agent, strstr(fx->heard, "ends;"));
    run_until(fx->agent, stats_of(fx).rows_acked == 1);
    assert_string_equal(fx->heard, "begins;ends;");
    assert_true(logged(fx, fx->broker_url));
}

static void is_asked_again_on_the_same_connection(struct fixture *fx,
                                                  const char *topics)
{
    assert_int_equal(stats_of(fx).connects, 1);
    assert_int_equal(stats_of(fx).disconnects, 0);
    assert_string_equal(broker_seen(fx->broker, SUBSCRIBE, 2)->topic, topics);
}

static void a_refused_topic_is_a_trouble_until_it_is_granted(void **state)
{
    begin(*state, REFUSE_OPERATIONS);
    assert_true(logged(*state, "refuses to subscribe to: s/ol/24830"));
    is_asked_again_on_the_same_connection(*state, "s/ol/24830");
}

static void a_topic_that_the_suback_does_not_reach_is_refused(void **state)
{
    begin(*state, TOO_SHORT);
    is_asked_again_on_the_same_connection(*state, "s/ol/24830");
}

/* No broker of MQTT: an outage, which everybody sees. */
static void a_suback_without_codes_ends_the_connection(void **state)
{
    struct fixture *fx = *state;

    fx->arg = EMPTY;
    with_broker(fx, hesitate);
    send_row(fx, "103,1");
    start(fx);
    run_until(fx->agent, stats_of(fx).rows_acked == 1);
    assert_true(broker_connections(fx->broker) > 1);
    assert_true(logged(fx, "a SUBACK without return codes"));
}

static void a_code_that_is_no_qos_grants_nothing(void **state)
{
    begin(*state, ODD);
    is_asked_again_on_the_same_connection(*state, "s/dl s/ol/24830");
}

static void the_topic_of_errors_is_one_of_them(void **state)
{
    begin(*state, REFUSE_ERRORS);
    is_asked_again_on_the_same_connection(*state, "s/e");
}

static void no_suback_at_all_is_a_trouble_too(void **state)
{
    struct fixture *fx = *state;

    begin(fx, NEVER);
    assert_true(logged(fx, "does not answer a subscription to: s/dl s/ol/24830 s/e"));
    assert_true(broker_connections(fx->broker) > 1);
}

static void note_connected(struct sr_agent *agent, void *arg)
{
    (void)agent;
    strcat(((struct fixture *)arg)->heard, "connected;");
}

static void operations_come_once_the_topic_is_granted(void **state)
{
    struct fixture *fx = *state;

    fx->arg = REFUSE_OPERATIONS;
    with_broker(fx, hesitate);
    sr_agent_on_message(fx->agent, 502, hear, fx);
    sr_agent_on_trouble(fx->agent, note_trouble, fx);
    sr_agent_on_connected(fx->agent, note_connected, fx);
    start(fx);
    run_until(fx->agent, strstr(fx->heard, "502,op;"));
    assert_string_equal(fx->heard, "begins;ends;connected;502,op;");
}

/* The topic of errors is asked for and answered apart. */
static void connected_waits_for_the_last_grant(void **state)
{
    struct fixture *fx = *state;

    fx->arg = REFUSE_ERRORS;
    with_broker(fx, hesitate);
    sr_agent_on_trouble(fx->agent, note_trouble, fx);
    sr_agent_on_connected(fx->agent, note_connected, fx);
    sr_reporter_set_linger(fx->reporter, 0);
    send_row(fx, "103,1");
    start(fx);
    run_until(fx->agent, stats_of(fx).rows_acked == 1);
    run_until(fx->agent, strstr(fx->heard, "connected;"));
    run_for(fx->agent, 20);
    assert_string_equal(fx->heard, "begins;ends;connected;");
}

static void connected_is_told_at_once_where_all_is_granted(void **state)
{
    struct fixture *fx = *state;

    with_broker(fx, behave);
    sr_agent_on_trouble(fx->agent, note_trouble, fx);
    sr_agent_on_connected(fx->agent, note_connected, fx);
    start(fx);
    run_until(fx->agent, *fx->heard);
    run_for(fx->agent, 20);
    assert_string_equal(fx->heard, "connected;");
}

/* It refuses for ever: rows go all the same, and only the beginning is reported. */
static void rows_go_while_operations_do_not_come(void **state)
{
    struct fixture *fx = *state;

    fx->arg = REFUSE_OPERATIONS;
    fx->step = -1000000;
    with_broker(fx, hesitate);
    sr_agent_on_trouble(fx->agent, note_trouble, fx);
    sr_agent_on_connected(fx->agent, note_connected, fx);
    sr_reporter_set_linger(fx->reporter, 0);
    start(fx);
    for (unsigned i = 1; i <= 3; i++) {
        send_row(fx, "103,1");
        run_until(fx->agent, stats_of(fx).rows_acked == i);
    }
    run_until(fx->agent, broker_count(fx->broker, SUBSCRIBE) >= 6);
    assert_string_equal(fx->heard, "begins;");
    assert_int_equal(stats_of(fx).disconnects, 0);
}

static void a_lower_qos_is_no_trouble(void **state)
{
    struct fixture *fx = *state;

    fx->arg = LOWER;
    with_broker(fx, hesitate);
    sr_agent_on_trouble(fx->agent, note_trouble, fx);
    send_row(fx, "103,1");
    start(fx);
    run_until(fx->agent, stats_of(fx).rows_acked == 1);
    run_until(fx->agent, broker_count(fx->broker, SUBSCRIBE) == 2);
    run_until(fx->agent, logged(fx, "grants a lower QoS"));
    assert_string_equal(fx->heard, "");
}

int main(void)
{
#define TEST(name) \
    cmocka_unit_test_setup_teardown(name, fixture_set_up, fixture_tear_down)
    const struct CMUnitTest tests[] = {
        TEST(a_refused_topic_is_a_trouble_until_it_is_granted),
        TEST(a_topic_that_the_suback_does_not_reach_is_refused),
        TEST(a_suback_without_codes_ends_the_connection),
        TEST(a_code_that_is_no_qos_grants_nothing),
        TEST(the_topic_of_errors_is_one_of_them),
        TEST(no_suback_at_all_is_a_trouble_too),
        TEST(operations_come_once_the_topic_is_granted),
        TEST(connected_waits_for_the_last_grant),
        TEST(connected_is_told_at_once_where_all_is_granted),
        TEST(rows_go_while_operations_do_not_come),
        TEST(a_lower_qos_is_no_trouble),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
