/* SPDX-License-Identifier: MIT */
/* A row that the platform never takes, among many, over both transports. Compiled with the
 * library's pauses cut short. */
#include "reporter/fixture.h"

enum { ROWS = 500 };

/* --- servers that judge by what they get ------------------------------------ */

/* `fx->arg`: the status for a payload with poison in it; 0 closes the connection. `fx->step`: the
 * same for every payload, -1 while it has its senses. */
static int judge(void *arg, const char *body)
{
    struct fixture *fx = arg;
    int mood = atomic_load(&fx->step);

    if (mood >= 0)
        return mood;
    return strstr(body, "poison") ? fx->arg : 200;
}

static void trip_over_poison(struct broker_connection *connection, void *arg)
{
    const struct packet *p;

    if (!broker_welcome(connection))
        return;
    while ((p = broker_next_publish(connection)) && judge(arg, p->payload))
        broker_puback(connection, p->id);
}

static void with_http_judge(struct fixture *fx, int status)
{
    static const struct http_step unused = { HTTP_ANSWER, 200, "" };

    fx->arg = status;
    atomic_store(&fx->step, -1);
    with_http(fx, &unused, 1);
    sr_reporter_set_linger(fx->reporter, 0);
    scripted_http_set_judge(fx->http, judge, fx);
}

static void with_mqtt_judge(struct fixture *fx)
{
    fx->arg = 0;
    atomic_store(&fx->step, -1);
    with_broker(fx, trip_over_poison);
    sr_reporter_set_linger(fx->reporter, 0);
}

/* --- what has arrived ------------------------------------------------------- */

static const char *payload(struct fixture *fx, unsigned i)
{
    if (fx->http)
        return scripted_http_body(fx->http, i);
    return broker_seen(fx->broker, PUBLISH, i)
               ? broker_seen(fx->broker, PUBLISH, i)->payload
               : NULL;
}

/* Each good row arrived, and in payloads without poison, which are those acknowledged, once and
 * in order. */
static void expect_all_but_poison(struct fixture *fx, int at)
{
    const char *body;
    int next = 0;

    for (unsigned i = 0; (body = payload(fx, i)); i++) {
        if (strstr(body, "poison"))
            continue;
        for (body = strchr(body, '\n'); body; body = strchr(body + 1, '\n')) {
            next += next == at;
            assert_int_equal(atoi(body + 1), 1000 + next);
            next++;
        }
    }
    assert_int_equal(next, ROWS);
}

static void note_trouble(struct sr_agent *agent, enum sr_trouble trouble,
                         const char *text, void *arg)
{
    struct fixture *fx = arg;
    size_t used = strlen(fx->heard);

    (void)agent;
    snprintf(fx->heard + used, sizeof fx->heard - used, "%d:%s;", (int)trouble,
             text ? text : "over");
}

static void note_fate(void *arg, enum sr_fate fate)
{
    *(int *)arg = (int)fate;
}

static void find_one_among_many(struct fixture *fx, int at, const char *why)
{
    struct sr_send_options options = { .prio = SR_PRIO_BUF, .delivered = note_fate };
    int good = -1, bad = -1;
    char row[32];

    sr_agent_on_trouble(fx->agent, note_trouble, fx);
    for (int i = 0; i < ROWS; i++) {
        snprintf(row, sizeof row, "%d,%s", 1000 + i, i == at ? "poison" : "fine");
        options.arg = i == at ? &bad : &good;
        assert_int_equal(sr_agent_send_with(fx->agent, row, &options), 0);
    }
    start(fx);
    run_until(fx->agent, stats_of(fx).rows_waiting == 0 && bad >= 0);
    assert_int_equal(stats_of(fx).rows_acked, ROWS - 1);
    assert_int_equal(stats_of(fx).rows_quarantined, 1);
    assert_int_equal(good, SR_FATE_DELIVERED);
    assert_int_equal(bad, SR_FATE_POISON);
    assert_non_null(strstr(fx->heard, why));
    snprintf(row, sizeof row, "set aside: %d,poison: ", 1000 + at);
    assert_non_null(strstr(fx->heard, row));
    assert_null(strchr(strchr(fx->heard, ';') + 1, ';')); /* and nothing else */
    expect_all_but_poison(fx, at);
}

static void a_refused_row_is_set_aside_and_the_rest_flows_by_http(void **state)
{
    with_http_judge(*state, 422);
    find_one_among_many(*state, 317, "HTTP status 422");
}

static void the_first_row_is_found_as_well(void **state)
{
    with_http_judge(*state, 400);
    find_one_among_many(*state, 0, "HTTP status 400");
}

static void a_row_that_ends_connections_is_set_aside_by_http(void **state)
{
    with_http_judge(*state, 0);
    find_one_among_many(*state, 211, "when it is sent: http://127.0.0.1:");
}

static void a_row_that_breaks_the_server_is_set_aside(void **state)
{
    with_http_judge(*state, 500);
    find_one_among_many(*state, 77, ": HTTP status 500");
}

static void a_row_that_ends_connections_is_set_aside_by_mqtt(void **state)
{
    with_mqtt_judge(*state);
    find_one_among_many(*state, 317, "when it is sent: mqtt://127.0.0.1:");
}

/* --- when it is not the row --------------------------------------------------- */

static void send_rows(struct fixture *fx)
{
    for (int i = 0; i < ROWS; i++)
        assert_int_equal(
            sr_agent_sendf_prio(fx->agent, SR_PRIO_BUF, "%d,%s", 1000 + i, "fine"), 0);
}

static void blames_nobody(struct fixture *fx, int mood, unsigned attempts)
{
    sr_agent_on_trouble(fx->agent, note_trouble, fx);
    atomic_store(&fx->step, mood);
    send_rows(fx);
    start(fx);
    run_until(fx->agent, stats_of(fx).requests_sent >= attempts);
    assert_int_equal(stats_of(fx).rows_waiting, ROWS);
    atomic_store(&fx->step, -1);
    run_until(fx->agent, stats_of(fx).rows_acked == ROWS);
    assert_int_equal(stats_of(fx).rows_quarantined, 0);
    assert_null(strstr(fx->heard, "set aside"));
}

static void a_server_that_refuses_everything_blames_nobody(void **state)
{
    with_http_judge(*state, 200);
    blames_nobody(*state, 400, 18);
}

static void a_server_that_closes_every_connection_blames_nobody(void **state)
{
    with_http_judge(*state, 200);
    blames_nobody(*state, 0, 15);
}

static void a_broker_that_trips_over_everything_blames_nobody(void **state)
{
    with_mqtt_judge(*state);
    blames_nobody(*state, 0, 15);
}

static void the_only_row_is_set_aside_after_as_many_refusals(void **state)
{
    struct fixture *fx = *state;

    with_http_judge(fx, 422);
    send_row(fx, "1,poison");
    start(fx);
    run_until(fx->agent, stats_of(fx).rows_quarantined == 1);
    assert_int_equal(stats_of(fx).requests_sent, 3);
    assert_int_equal(stats_of(fx).rows_waiting, 0);
}

static void the_only_row_is_never_blamed_for_dropped_connections(void **state)
{
    struct fixture *fx = *state;

    with_http_judge(fx, 0);
    assert_int_equal(sr_agent_send(fx->agent, "1,poison", SR_PRIO_BUF), 0);
    start(fx);
    run_until(fx->agent, stats_of(fx).requests_sent >= 10);
    assert_int_equal(stats_of(fx).rows_waiting, 1);
    assert_int_equal(stats_of(fx).rows_quarantined, 0);
}

/* A limit that nobody told: the next payloads keep to it by themselves. */
static int refuse_large(void *arg, const char *body)
{
    (void)arg;
    return strlen(body) > 40000 ? 413 : 200;
}

static void payloads_get_smaller_where_large_ones_are_refused(void **state)
{
    struct fixture *fx = *state;
    char row[1001];

    with_http_judge(fx, 0);
    scripted_http_set_judge(fx->http, refuse_large, fx);
    memset(row, '1', sizeof row);
    row[1000] = '\0';
    for (int i = 0; i < 400; i++)
        send_row(fx, row);
    start(fx);
    run_until(fx->agent, stats_of(fx).rows_acked == 400);
    assert_in_range(stats_of(fx).requests_sent, 11, 16);
    assert_int_equal(stats_of(fx).rows_quarantined, 0);
}

int main(void)
{
#define TEST(name) \
    cmocka_unit_test_setup_teardown(name, fixture_set_up, fixture_tear_down)
    const struct CMUnitTest tests[] = {
        TEST(a_refused_row_is_set_aside_and_the_rest_flows_by_http),
        TEST(the_first_row_is_found_as_well),
        TEST(a_row_that_ends_connections_is_set_aside_by_http),
        TEST(a_row_that_breaks_the_server_is_set_aside),
        TEST(a_row_that_ends_connections_is_set_aside_by_mqtt),
        TEST(a_server_that_refuses_everything_blames_nobody),
        TEST(a_server_that_closes_every_connection_blames_nobody),
        TEST(a_broker_that_trips_over_everything_blames_nobody),
        TEST(the_only_row_is_set_aside_after_as_many_refusals),
        TEST(the_only_row_is_never_blamed_for_dropped_connections),
        TEST(payloads_get_smaller_where_large_ones_are_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
