/* SPDX-License-Identifier: MIT */
/* What does not pass by itself is told once, and retried. Compiled with the library's pauses
 * cut short. */
#include "reporter/fixture.h"

#define WITH_HTTP(fx, ...)                                        \
    with_http(fx, (const struct http_step[]){ __VA_ARGS__ },      \
              sizeof((const struct http_step[]){ __VA_ARGS__ }) / \
                  sizeof(struct http_step))

static const char *const names[] = { "auth",   "xid",  "device",      "twin",
                                     "poison", "disk", "subscription" };

static void note_trouble(struct sr_agent *agent, enum sr_trouble trouble,
                         const char *text, void *arg)
{
    struct fixture *fx = arg;
    size_t used = strlen(fx->heard);

    (void)agent;
    snprintf(fx->heard + used, sizeof fx->heard - used, "%s %s;", names[trouble],
             text ? "begins" : "ends");
    if (text && strlen(fx->log) + strlen(text) + 2 < sizeof fx->log)
        strcat(strcat(fx->log, text), "\n");
}

static const char *posted(struct fixture *fx, unsigned i)
{
    const char *body = scripted_http_body(fx->http, i);

    return body ? body : "(nothing)";
}

static unsigned times_logged(const struct fixture *fx, const char *text)
{
    unsigned times = 0;

    for (const char *at = fx->log; (at = strstr(at, text)); at++)
        times++;
    return times;
}

/* --- credentials ------------------------------------------------------------ */

static void one_row_arrives_after(struct fixture *fx, unsigned requests,
                                  const char *troubles)
{
    sr_agent_on_trouble(fx->agent, note_trouble, fx);
    sr_reporter_set_linger(fx->reporter, 0);
    assert_int_equal(sr_agent_send(fx->agent, "100,a", SR_PRIO_BUF), 0);
    start(fx);
    run_until(fx->agent, stats_of(fx).rows_acked == 1);
    assert_int_equal(stats_of(fx).requests_sent, requests);
    assert_string_equal(fx->heard, troubles);
    for (unsigned i = 0; fx->http && i < requests; i++)
        assert_string_equal(posted(fx, i), "15,24830\n100,a");
}

static void credentials_that_are_refused_and_then_are_not_by_status(void **state)
{
    struct fixture *fx = *state;

    WITH_HTTP(fx, { HTTP_ANSWER, 200, "40,no\n" }, { HTTP_ANSWER, 401, "" },
              { HTTP_ANSWER, 403, "" }, { HTTP_ANSWER, 200, "" });
    one_row_arrives_after(fx, 4, "xid begins;auth begins;auth ends;xid ends;");
    assert_true(logged(fx, "refuses the credentials"));
    assert_true(logged(fx, "http://127.0.0.1:"));
    assert_false(logged(fx, "s3cr3t"));
    assert_false(logged(fx, "401; trying again")); /* said already */
    assert_true(logged(fx, "403; trying again"));
}

/* The platform says so with status 200, and has taken nothing. */
static void credentials_that_are_refused_and_then_are_not_by_row(void **state)
{
    struct fixture *fx = *state;

    WITH_HTTP(fx, { HTTP_ANSWER, 200, "50,1,401\n" },
              { HTTP_ANSWER, 200, "50,1,401\n" }, { HTTP_ANSWER, 200, "" });
    one_row_arrives_after(fx, 3, "auth begins;auth ends;");
    assert_true(logged(fx, "/s: row 50,1,401: the platform refuses the credentials"));
    assert_false(logged(fx, "refused a row")); /* it did nothing wrong */
}

static void refuse_twice(struct broker_connection *connection, void *arg)
{
    static const int codes[] = { 4, 5 };

    if (broker_number(connection) >= 2) {
        behave(connection, arg);
        return;
    }
    broker_read(connection);
    broker_connack(connection, codes[broker_number(connection)]);
}

static void credentials_that_are_refused_and_then_are_not_by_mqtt(void **state)
{
    struct fixture *fx = *state;

    with_broker(fx, refuse_twice);
    one_row_arrives_after(fx, 1, "auth begins;auth ends;");
    assert_int_equal(times_logged(fx, "trying again"),
                     1); /* the second, which is another */
}

/* --- collection --------------------------------------------------------------- */

static void a_collection_that_is_unknown_for_a_while_costs_no_row(void **state)
{
    struct fixture *fx = *state;

    WITH_HTTP(fx, { HTTP_ANSWER, 200, "40,\"No template for this X-ID.\"\n" },
              { HTTP_ANSWER, 200, "40,No template for this X-ID\n" },
              { HTTP_ANSWER, 200, "" });
    one_row_arrives_after(fx, 3, "xid begins;xid ends;");
    assert_true(logged(fx, "collection 24830"));
}

/* Rows for it would hold up all others. */
static void another_collection_that_is_unknown_is_no_trouble(void **state)
{
    struct fixture *fx = *state;

    WITH_HTTP(fx, { HTTP_ANSWER, 200, "40,no\n" }, { HTTP_ANSWER, 200, "" });
    sr_agent_on_trouble(fx->agent, note_trouble, fx);
    assert_int_equal(sr_agent_send(fx->agent, "other,1,a", SR_PRIO_XID), 0);
    start(fx);
    run_until(fx->agent, stats_of(fx).rows_acked == 1);
    assert_string_equal(fx->heard, "");
}

/* The first three payloads are for an unknown collection. */
static void know_nothing_at_first(struct broker_connection *connection, void *arg)
{
    const struct packet *p;

    (void)arg;
    broker_welcome(connection);
    for (int i = 0; (p = broker_next_publish(connection)); i++) {
        broker_puback(connection, p->id);
        if (i < 3)
            broker_publish(connection, "s/dl", "40,\"No template for this X-ID.\"", 0,
                           0);
    }
}

static void an_unknown_collection_is_noticed_by_mqtt_as_well(void **state)
{
    struct fixture *fx = *state;

    with_broker(fx, know_nothing_at_first);
    sr_agent_on_trouble(fx->agent, note_trouble, fx);
    sr_reporter_set_linger(fx->reporter, 0);
    start(fx);
    send_row(fx, "100,a");
    run_until(fx->agent, *fx->heard);
    for (int i = 0; i < 10; i++)
        send_row(fx, "100,b");
    run_until(fx->agent, stats_of(fx).rows_acked == 11);
    assert_string_equal(fx->heard, "xid begins;xid ends;");
    /* One at a time, to try; then the rest. */
    assert_string_equal(published(fx, 1), "15,24830\n100,b");
    assert_string_equal(published(fx, 2), "15,24830\n100,b");
    assert_string_equal(published(fx, 3), "15,24830\n100,b");
    assert_int_equal(strlen(published(fx, 4)),
                     strlen("15,24830") + 7 * strlen("\n100,b"));
}

/* --- device ----------------------------------------------------------------- */

static void a_device_that_is_gone_is_noticed(void **state)
{
    struct fixture *fx = *state;

    WITH_HTTP(fx, { HTTP_ANSWER, 200, "50,2,404\n50,3,404,gone\n" },
              { HTTP_ANSWER, 200, "50,2,404\n50,3,404\n" },
              { HTTP_ANSWER, 200, "50,2,404\n50,3,404\n" },
              { HTTP_ANSWER, 200, "50,2,404\n" }, { HTTP_ANSWER, 200, "" });
    sr_agent_on_trouble(fx->agent, note_trouble, fx);
    assert_int_equal(sr_agent_set_id(fx->agent, "24871"), 0);
    sr_reporter_set_batch(fx->reporter, 2);
    for (int i = 0; i < 10; i++)
        send_row(fx, "102,24871,20.5");
    start(fx);
    run_until(fx->agent, stats_of(fx).rows_acked == 10);
    assert_string_equal(fx->heard, "device begins;device ends;");
    assert_true(logged(fx, "24871"));
    assert_string_equal(posted(fx, 2), "15,24830\n102,24871,20.5\n102,24871,20.5");
    assert_string_equal(posted(fx, 3), "15,24830\n102,24871,20.5");
    assert_string_equal(posted(fx, 4), "15,24830\n102,24871,20.5");
    assert_string_equal(posted(fx, 5), "15,24830\n102,24871,20.5\n102,24871,20.5");
}

static void what_else_is_not_there_says_nothing_of_the_device(void **state)
{
    struct fixture *fx = *state;

    /* Line 2 names the device and was fine; or nothing names it. */
    WITH_HTTP(fx, { HTTP_ANSWER, 200, "50,3,404\n" });
    sr_agent_on_trouble(fx->agent, note_trouble, fx);
    assert_int_equal(sr_agent_set_id(fx->agent, "24871"), 0);
    sr_reporter_set_batch(fx->reporter, 2);
    for (int i = 0; i < 6; i++) {
        send_row(fx, "102,24871,20.5");
        send_row(fx, i < 3 ? "105,24871,4711" : "105,4711");
    }
    start(fx);
    run_until(fx->agent, stats_of(fx).rows_acked == 12);
    assert_string_equal(fx->heard, "");
}

/* --- a twin ------------------------------------------------------------------- */

/* The first `fx->arg` connections are closed as soon as they are up. */
static void kick(struct broker_connection *connection, void *arg)
{
    struct fixture *fx = arg;

    if (broker_number(connection) >= (unsigned)fx->arg)
        behave(connection, arg);
    else
        broker_welcome(connection);
}

static void a_twin_is_noticed_and_named_and_forgotten(void **state)
{
    struct fixture *fx = *state;

    fx->arg = 6;
    with_broker(fx, kick);
    sr_agent_on_trouble(fx->agent, note_trouble, fx);
    start(fx);
    run_until(fx->agent, strstr(fx->heard, "ends"));
    assert_string_equal(fx->heard, "twin begins;twin ends;");
    assert_true(logged(fx, "'d:gw-0001'"));
    assert_int_equal(broker_connections(fx->broker), 7);
    assert_int_equal(times_logged(fx, "trying again"),
                     5); /* then it is a twin, said once */
    assert_int_equal(times_logged(fx, "connected again"), 4);
}

/* Of a hundred publishes so many end the connection, half of them behind the acknowledgement. */
static void drop_some(struct broker_connection *connection, void *arg)
{
    const struct fixture *fx = arg;
    unsigned dice = broker_number(connection) * 2654435761u;
    const struct packet *p;

    if (!broker_welcome(connection))
        return;
    while ((p = broker_next_publish(connection))) {
        bool drops;

        dice = dice * 1664525u + 1013904223u;
        drops = (dice >> 16) % 100 < (unsigned)fx->arg;
        if (!drops || dice >> 31)
            broker_puback(connection, p->id);
        if (drops)
            return;
    }
}

static void a_line_that_drops_is_no_twin(void **state)
{
    static const int percent[] = { 5, 20, 50, 80 };
    struct fixture *fx = *state;

    for (int i = 0; i < 4; i++) {
        fx->arg = percent[i];
        with_broker(fx, drop_some);
        sr_agent_on_trouble(fx->agent, note_trouble, fx);
        sr_reporter_set_batch(fx->reporter, 1);
        sr_reporter_set_window(fx->reporter, 1);
        for (int n = 0; n < 20; n++)
            assert_int_equal(sr_agent_send(fx->agent, "1", SR_PRIO_BUF), 0);
        start(fx);
        run_until(fx->agent, stats_of(fx).rows_acked >= 18);
        assert_string_equal(fx->heard, "");
        fx->agent = sr_agent_free(fx->agent);
        broker_stop(fx->broker);
        fx->broker = NULL;
    }
}

static void two_lost_connections_are_no_twin(void **state)
{
    struct fixture *fx = *state;

    fx->arg = 2;
    with_broker(fx, kick);
    sr_agent_on_trouble(fx->agent, note_trouble, fx);
    send_row(fx, "1");
    start(fx);
    run_until(fx->agent, stats_of(fx).rows_acked == 1);
    assert_string_equal(fx->heard, "");
}

/* --- pauses --------------------------------------------------------------------- */

static void a_server_may_say_how_long_to_wait(void **state)
{
    struct fixture *fx = *state;
    uint64_t began;

    WITH_HTTP(fx, { HTTP_RAW, 0, "HTTP/1.1 503 Busy\r\nRetry-After: 1\r\n\r\n" },
              { HTTP_ANSWER, 200, "" });
    send_row(fx, "1");
    start(fx);
    run_until(fx->agent, logged(fx, "HTTP status 503"));
    began = now_ms();
    run_until(fx->agent, stats_of(fx).rows_acked == 1);
    assert_true(now_ms() - began >= 900);
}

static void what_a_server_says_about_waiting_has_to_make_sense(void **state)
{
    struct fixture *fx = *state;
    uint64_t began;

    WITH_HTTP(fx,
              { HTTP_RAW, 0,
                "HTTP/1.1 429 Busy\r\nRetry-After: 99999999999999999999\r\n\r\n" },
              { HTTP_RAW, 0, "HTTP/1.1 429 Busy\r\nRetry-After: -5\r\n\r\n" },
              { HTTP_RAW, 0, "HTTP/1.1 503 Busy\r\nRetry-After: soon\r\n\r\n" },
              { HTTP_ANSWER, 503, "" }, { HTTP_ANSWER, 200, "" });
    assert_int_equal(sr_agent_set(fx->agent, "slow_retry", "1"), 0);
    send_row(fx, "1");
    start(fx);
    run_until(fx->agent, scripted_http_requests(fx->http) == 1);
    began = now_ms();
    run_until(fx->agent, scripted_http_requests(fx->http) == 2);
    assert_true(now_ms() - began >= 900); /* as long as can be: slow_retry */
    run_until(fx->agent, stats_of(fx).rows_acked == 1);
    assert_int_equal(scripted_http_requests(fx->http), 5);
}

/* 10 ms at first, 3/10 more each time, half of it at least. */
static void one_success_does_not_make_the_next_pause_a_short_one(void **state)
{
    struct http_step steps[24];
    struct fixture *fx = *state;
    uint64_t began;

    for (int i = 0; i < 24; i++)
        steps[i] = (struct http_step){ HTTP_ANSWER, i % 2 ? 200 : 503, "" };
    with_http(fx, steps, 24);
    sr_reporter_set_batch(fx->reporter, 1);
    for (int i = 0; i < 12; i++)
        assert_int_equal(sr_agent_send(fx->agent, "1", SR_PRIO_BUF), 0);
    start(fx);
    began = now_ms();
    run_until(fx->agent, stats_of(fx).rows_acked == 12);
    assert_true(now_ms() - began >= 350);
}

/* --- what is no acknowledgement -------------------------------------------------- */

static void an_answer_beyond_the_limit_acknowledges_if_it_begins_as_the_platforms(
    void **state)
{
    struct fixture *fx = *state;
    static char page[4096], rows[4096]; /* written, perhaps, when this test is over */

    memset(page, 'x', sizeof page - 1);
    memcpy(memcpy(rows, page, sizeof page), "500,2,", 6);
    WITH_HTTP(fx, { HTTP_ANSWER, 500, rows }, { HTTP_ANSWER, 503, rows },
              { HTTP_ANSWER, 200, page }, { HTTP_ANSWER, 200, rows });
    assert_int_equal(sr_agent_set(fx->agent, "receive_max", "2048"), 0);
    one_row_arrives_after(fx, 4, "");
}

static void no_other_status_is_an_acknowledgement(void **state)
{
    struct fixture *fx = *state;

    WITH_HTTP(fx, { HTTP_ANSWER, 201, "" }, { HTTP_ANSWER, 204, "" },
              { HTTP_ANSWER, 302, "" }, { HTTP_ANSWER, 404, "" },
              { HTTP_TRUNCATED, 200, "500,1,a\n" }, { HTTP_ANSWER, 200, "" });
    one_row_arrives_after(fx, 6, "");
}

int main(void)
{
#define TEST(name) \
    cmocka_unit_test_setup_teardown(name, fixture_set_up, fixture_tear_down)
    const struct CMUnitTest tests[] = {
        TEST(credentials_that_are_refused_and_then_are_not_by_status),
        TEST(credentials_that_are_refused_and_then_are_not_by_row),
        TEST(credentials_that_are_refused_and_then_are_not_by_mqtt),
        TEST(a_collection_that_is_unknown_for_a_while_costs_no_row),
        TEST(another_collection_that_is_unknown_is_no_trouble),
        TEST(an_unknown_collection_is_noticed_by_mqtt_as_well),
        TEST(a_device_that_is_gone_is_noticed),
        TEST(what_else_is_not_there_says_nothing_of_the_device),
        TEST(a_twin_is_noticed_and_named_and_forgotten),
        TEST(a_line_that_drops_is_no_twin),
        TEST(two_lost_connections_are_no_twin),
        TEST(a_server_may_say_how_long_to_wait),
        TEST(what_a_server_says_about_waiting_has_to_make_sense),
        TEST(one_success_does_not_make_the_next_pause_a_short_one),
        TEST(an_answer_beyond_the_limit_acknowledges_if_it_begins_as_the_platforms),
        TEST(no_other_status_is_an_acknowledgement),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
