/* SPDX-License-Identifier: MIT */
/* What becomes of rows that fail, are refused, or are sent to a reporter that sleeps. */
#include "reporter/fixture.h"

#define WITH_HTTP(fx, ...)                                        \
    with_http(fx, (const struct http_step[]){ __VA_ARGS__ },      \
              sizeof((const struct http_step[]){ __VA_ARGS__ }) / \
                  sizeof(struct http_step))

static const char *posted(struct fixture *fx, unsigned i)
{
    const char *body = scripted_http_body(fx->http, i);

    return body ? body : "(nothing)";
}

/* --- retries ------------------------------------------------------------ */

static void a_volatile_row_is_given_up_after_all_retries(void **state)
{
    struct fixture *fx = *state;

    WITH_HTTP(fx, { HTTP_CLOSE, 0, "" });
    assert_int_equal(sr_agent_set(fx->agent, "retries", "2"), 0);
    send_row(fx, "103,1");
    start(fx);
    run_until(fx->agent, stats_of(fx).rows_given_up == 1);
    assert_int_equal(scripted_http_requests(fx->http), 3);
    assert_int_equal(stats_of(fx).rows_waiting, 0);
}

static void a_buffered_row_outlives_any_number_of_failures(void **state)
{
    struct fixture *fx = *state;

    WITH_HTTP(fx, { HTTP_CLOSE, 0, "" }, { HTTP_ANSWER, 503, "" }, { HTTP_SLAM, 0, "" },
              { HTTP_TRUNCATED, 200, "500,1,a\n" }, { HTTP_ANSWER, 200, "" });
    assert_int_equal(sr_agent_set(fx->agent, "retries", "0"), 0);
    send_row(fx, "103,volatile");
    assert_int_equal(sr_agent_send(fx->agent, "103,kept", SR_PRIO_BUF), 0);
    start(fx);
    run_until(fx->agent, stats_of(fx).rows_acked == 1);
    assert_string_equal(posted(fx, 0), "15,24830\n103,volatile\n103,kept");
    assert_string_equal(posted(fx, 1), "15,24830\n103,kept");
    assert_int_equal(stats_of(fx).rows_given_up, 1);
}

static void take_one_and_close(struct broker_connection *connection, void *arg)
{
    (void)arg;
    if (broker_welcome(connection))
        broker_next_publish(connection);
}

static void by_mqtt_a_publish_that_was_written_counts_as_well(void **state)
{
    struct fixture *fx = *state;

    with_broker(fx, take_one_and_close);
    assert_int_equal(sr_agent_set(fx->agent, "retries", "2"), 0);
    send_row(fx, "103,1");
    start(fx);
    run_until(fx->agent, stats_of(fx).rows_given_up == 1);
    assert_int_equal(broker_count(fx->broker, PUBLISH), 3);
}

static void a_server_that_is_busy_has_been_reached(void **state)
{
    struct fixture *fx = *state;

    WITH_HTTP(fx, { HTTP_ANSWER, 503, "" });
    assert_int_equal(sr_agent_set(fx->agent, "retries", "1"), 0);
    send_row(fx, "103,1");
    start(fx);
    run_until(fx->agent, stats_of(fx).rows_given_up == 1);
    assert_int_equal(scripted_http_requests(fx->http), 2);
}

static void by_http_an_attempt_without_a_connection_is_no_failure_either(void **state)
{
    static const struct http_step fine = { HTTP_ANSWER, 200, "" };
    struct fixture *fx = *state;
    uint16_t port = free_port();

    make_agent(fx, port);
    assert_int_equal(sr_reporter_new_http(fx->agent, &fx->reporter), 0);
    assert_int_equal(sr_agent_set(fx->agent, "retries", "0"), 0);
    send_row(fx, "103,1");
    start(fx);
    run_until(fx->agent, stats_of(fx).requests_sent >= 3);
    assert_int_equal(stats_of(fx).rows_waiting, 1);
    assert_int_equal(stats_of(fx).rows_given_up, 0);
    fx->http = scripted_http_start(port, &fine, 1);
    assert_non_null(fx->http);
    scripted_http_be_platform(fx->http, true);
    run_until(fx->agent, stats_of(fx).rows_acked == 1);
}

/* A page of a portal, a proxy that wants a password: not the platform's words. */
static void an_answer_that_is_not_the_platforms_is_no_failure(void **state)
{
    struct fixture *fx = *state;

    WITH_HTTP(fx, { HTTP_ANSWER, 302, "" }, { HTTP_ANSWER, 407, "" },
              { HTTP_ANSWER, 404, "" }, { HTTP_ANSWER, 401, "" },
              { HTTP_ANSWER, 200, "" });
    assert_int_equal(sr_agent_set(fx->agent, "retries", "0"), 0);
    send_row(fx, "103,1");
    start(fx);
    run_until(fx->agent, stats_of(fx).rows_acked == 1);
    assert_int_equal(stats_of(fx).rows_given_up, 0);
}

static void waiting_for_a_connection_is_no_failure(void **state)
{
    struct fixture *fx = *state;
    uint16_t port;

    without_broker(fx, &port);
    assert_int_equal(sr_agent_set(fx->agent, "retries", "0"), 0);
    send_row(fx, "103,1");
    start(fx);
    run_until(fx->agent, logged(fx, "Connection refused"));
    run_for(fx->agent, 500);
    assert_int_equal(stats_of(fx).rows_waiting, 1);
    assert_int_equal(stats_of(fx).rows_given_up, 0);
}

static void an_answer_beyond_the_limit_does_not_bring_the_rows_again(void **state)
{
    struct fixture *fx = *state;

    WITH_HTTP(fx, { HTTP_ENDLESS, 200, "" }, { HTTP_ANSWER, 200, "" });
    assert_int_equal(sr_agent_set(fx->agent, "receive_max", "2048"), 0);
    send_row(fx, "100,x");
    start(fx);
    run_until(fx->agent, stats_of(fx).rows_acked == 1);
    send_row(fx, "100,y");
    run_until(fx->agent, stats_of(fx).rows_acked == 2);
    assert_string_equal(posted(fx, 1), "15,24830\n100,y");
    assert_true(logged(fx, "an answer is dropped"));
}

/* --- sleep -------------------------------------------------------------- */

static void asleep_it_keeps_buffered_rows_and_discards_others(void **state)
{
    struct fixture *fx = *state;

    with_broker(fx, behave);
    start(fx);
    run_until(fx->agent, stats_of(fx).connected);
    sr_reporter_sleep(fx->reporter);
    assert_true(sr_reporter_is_sleeping(fx->reporter));
    send_row(fx, "103,volatile");
    assert_int_equal(sr_agent_send(fx->agent, "103,kept", SR_PRIO_BUF), 0);
    run_for(fx->agent, 600);
    assert_int_equal(stats_of(fx).requests_sent, 0);
    assert_int_equal(stats_of(fx).rows_given_up, 1);

    sr_reporter_resume(fx->reporter);
    assert_false(sr_reporter_is_sleeping(fx->reporter));
    run_until_published(fx, 1);
    assert_string_equal(published(fx, 0), "15,24830\n103,kept");
    assert_int_equal(stats_of(fx).disconnects, 0);
}

static void falling_asleep_discards_what_waits_without_being_buffered(void **state)
{
    struct fixture *fx = *state;

    WITH_HTTP(fx, { HTTP_ANSWER, 200, "" });
    send_row(fx, "103,volatile");
    assert_int_equal(sr_agent_send(fx->agent, "103,kept", SR_PRIO_BUF), 0);
    sr_reporter_sleep(fx->reporter);
    sr_reporter_sleep(fx->reporter);
    assert_int_equal(stats_of(fx).rows_waiting, 1);
    assert_int_equal(stats_of(fx).rows_given_up, 1);
    sr_reporter_resume(fx->reporter);
    start(fx);
    run_until(fx->agent, stats_of(fx).rows_acked == 1);
    assert_string_equal(posted(fx, 0), "15,24830\n103,kept");
}

static void sleep_does_not_outlive_the_reporter(void **state)
{
    struct fixture *fx = *state;

    WITH_HTTP(fx, { HTTP_ANSWER, 200, "" });
    sr_reporter_sleep(fx->reporter);
    fx->reporter = sr_reporter_free(fx->reporter);
    assert_int_equal(sr_reporter_new_http(fx->agent, &fx->reporter), 0);
    send_row(fx, "103,volatile");
    start(fx);
    run_until(fx->agent, stats_of(fx).rows_acked == 1);
}

/* --- refusals ----------------------------------------------------------- */

static void note_refusal(struct sr_agent *agent, struct sr_record *error,
                         const char *row, size_t len, void *arg)
{
    struct fixture *fx = arg;
    char *end = fx->heard + strlen(fx->heard);

    (void)agent;
    snprintf(end, sizeof fx->heard - (size_t)(end - fx->heard), "%s:%.*s;",
             sr_record_value(error, 0), row ? (int)len : 6, row ? row : "(none)");
}

static void an_error_row_comes_with_the_row_that_caused_it(void **state)
{
    struct fixture *fx = *state;

    WITH_HTTP(fx, { HTTP_ANSWER, 200, "45,3,Value is not a NUMBER: hot\n43,4,x\n" });
    sr_agent_on_refused(fx->agent, note_refusal, fx);
    send_row(fx, "102,24871,20.5");
    send_row(fx, "102,24871,hot");
    send_row(fx, "999,1");
    start(fx);
    run_until(fx->agent, stats_of(fx).rows_received == 2);
    assert_string_equal(fx->heard, "45:102,24871,hot;43:999,1;");
    assert_false(logged(fx, "refused a row"));
}

static void a_platform_that_does_not_count_15_rows_is_understood(void **state)
{
    struct fixture *fx = *state;

    WITH_HTTP(fx, { HTTP_ANSWER, 200, "50,1,404\n45,2,no\n" },
              { HTTP_ANSWER, 200, "45,2,no\n" });
    sr_agent_on_refused(fx->agent, note_refusal, fx);
    send_row(fx, "100,a");
    send_row(fx, "101,b");
    start(fx);
    run_until(fx->agent, stats_of(fx).rows_received == 2);
    send_row(fx, "100,c");
    send_row(fx, "101,d");
    run_until(fx->agent, stats_of(fx).rows_received == 3);
    assert_string_equal(fx->heard, "50:100,a;45:101,b;45:101,d;");
}

static void a_line_that_is_not_there_has_no_row(void **state)
{
    struct fixture *fx = *state;

    WITH_HTTP(fx, { HTTP_ANSWER, 200, "45,2,no\n45,9,no\n45\n42,,x\n" });
    sr_agent_on_refused(fx->agent, note_refusal, fx);
    send_row(fx, "100,a");
    start(fx);
    run_until(fx->agent, stats_of(fx).rows_received == 4);
    assert_string_equal(fx->heard, "45:100,a;45:(none);45:(none);42:(none);");
}

static void send_more(struct sr_agent *agent, struct sr_record *error, const char *row,
                      size_t len, void *arg)
{
    /* The next request must not take the place of the one that is spoken of. */
    assert_int_equal(sr_agent_sendf(agent, "110,%s", "more"), 0);
    note_refusal(agent, error, row, len, arg);
}

static void rows_sent_from_the_callback_go_at_once_and_disturb_nothing(void **state)
{
    struct fixture *fx = *state;

    WITH_HTTP(fx, { HTTP_ANSWER, 200, "45,2,no\n45,3,no\n" }, { HTTP_ANSWER, 200, "" });
    sr_agent_on_refused(fx->agent, send_more, fx);
    send_row(fx, "100,a");
    send_row(fx, "100,b");
    start(fx);
    run_until(fx->agent, scripted_http_requests(fx->http) == 2);
    assert_string_equal(fx->heard, "45:100,a;45:100,b;");
    assert_string_equal(posted(fx, 1), "15,24830\n110,more\n110,more");
}

static void free_reporter(struct sr_agent *agent, struct sr_record *error,
                          const char *row, size_t len, void *arg)
{
    struct fixture *fx = arg;

    fx->reporter = sr_reporter_free(fx->reporter);
    note_refusal(agent, error, row, len, arg);
}

static void the_reporter_may_be_freed_from_the_callback(void **state)
{
    struct fixture *fx = *state;

    WITH_HTTP(fx, { HTTP_ANSWER, 200, "45,2,no\n45,3,no\n" });
    sr_agent_on_refused(fx->agent, free_reporter, fx);
    send_row(fx, "100,a");
    start(fx);
    run_until(fx->agent, !fx->reporter);
    assert_non_null(strstr(fx->heard, "45:"));
    /* What was answered does not go again. */
    assert_int_equal(sr_reporter_new_http(fx->agent, &fx->reporter), 0);
    assert_int_equal(stats_of(fx).rows_waiting, 0);
}

/* --- settings ----------------------------------------------------------- */

static void settings_of_the_reporter_come_too_late_once_it_is_started(void **state)
{
    struct fixture *fx = *state;
    char value[16];

    WITH_HTTP(fx, { HTTP_ANSWER, 200, "" });
    assert_int_equal(sr_agent_set(fx->agent, "linger", "7"), 0);
    start(fx);
    assert_int_equal(sr_agent_set(fx->agent, "linger", "8"), SR_E_STATE);
    assert_non_null(strstr(sr_agent_error(fx->agent), "linger"));
    assert_int_equal(sr_agent_get(fx->agent, "linger", value, sizeof value), 0);
    assert_string_equal(value, "7");
    assert_int_equal(sr_agent_set(fx->agent, "capacity", "5000"), 0);
    assert_int_equal(sr_reporter_capacity(fx->reporter), 5000);
    assert_int_equal(sr_reporter_set_capacity(fx->reporter, 4095), SR_E_INVAL);
}

static void a_setting_that_cannot_be_is_named_with_its_value(void **state)
{
    struct fixture *fx = *state;

    WITH_HTTP(fx, { HTTP_ANSWER, 200, "" });
    assert_int_equal(sr_agent_set(fx->agent, "linger", "soon"), SR_E_INVAL);
    assert_string_equal(sr_agent_error(fx->agent),
                        "setting linger cannot be 'soon': it is not a decimal number");
    assert_int_equal(sr_agent_set(fx->agent, "colour", "red"), SR_E_NOTFOUND);
    assert_string_equal(sr_agent_error(fx->agent), "there is no setting 'colour'");
}

static void a_request_without_answer_ends_in_the_time_that_was_set(void **state)
{
    struct fixture *fx = *state;
    uint64_t began;

    WITH_HTTP(fx, { HTTP_SILENT, 0, "" }, { HTTP_ANSWER, 200, "" });
    assert_int_equal(sr_agent_set(fx->agent, "request_timeout", "300"), 0);
    assert_int_equal(sr_agent_set(fx->agent, "linger", "0"), 0);
    send_row(fx, "103,1");
    start(fx);
    began = now_ms();
    run_until(fx->agent, stats_of(fx).rows_acked == 1);
    assert_in_range(now_ms() - began, 300, 2000);
}

int main(void)
{
#define TEST(name) \
    cmocka_unit_test_setup_teardown(name, fixture_set_up, fixture_tear_down)
    const struct CMUnitTest tests[] = {
        TEST(a_volatile_row_is_given_up_after_all_retries),
        TEST(a_buffered_row_outlives_any_number_of_failures),
        TEST(by_mqtt_a_publish_that_was_written_counts_as_well),
        TEST(a_server_that_is_busy_has_been_reached),
        TEST(by_http_an_attempt_without_a_connection_is_no_failure_either),
        TEST(an_answer_that_is_not_the_platforms_is_no_failure),
        TEST(waiting_for_a_connection_is_no_failure),
        TEST(an_answer_beyond_the_limit_does_not_bring_the_rows_again),
        TEST(asleep_it_keeps_buffered_rows_and_discards_others),
        TEST(falling_asleep_discards_what_waits_without_being_buffered),
        TEST(sleep_does_not_outlive_the_reporter),
        TEST(an_error_row_comes_with_the_row_that_caused_it),
        TEST(a_platform_that_does_not_count_15_rows_is_understood),
        TEST(a_line_that_is_not_there_has_no_row),
        TEST(rows_sent_from_the_callback_go_at_once_and_disturb_nothing),
        TEST(the_reporter_may_be_freed_from_the_callback),
        TEST(settings_of_the_reporter_come_too_late_once_it_is_started),
        TEST(a_setting_that_cannot_be_is_named_with_its_value),
        TEST(a_request_without_answer_ends_in_the_time_that_was_set),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
