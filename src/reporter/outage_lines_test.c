/* SPDX-License-Identifier: MIT */
/* What people are told of an outage: one warning when it begins, a notice if it is for another
 * reason now, one notice when the platform answers again. Compiled with the library's pauses cut
 * short. */
#include "reporter/fixture.h"
#include "reporter/reporter_p.h"

enum { ATTEMPTS = 6 };

/* What the reporter has said. */
static struct {
    unsigned warnings, notices, ends;
    char last[512];
} told;

static void count_lines(enum sr_log_level level, const char *component,
                        const char *text, void *arg)
{
    bool ends = strcmp(text, "connected again") == 0;

    (void)arg;
    if (strcmp(component, "reporter") != 0)
        return;
    told.warnings += level == SR_LOG_WARNING;
    told.notices += level == SR_LOG_NOTICE && !ends;
    told.ends += ends;
    snprintf(told.last, sizeof told.last, "%s", text);
}

static int set_up(void **state)
{
    memset(&told, 0, sizeof told);
    if (fixture_set_up(state))
        return -1;
    return sr_log_set_sink(count_lines, NULL);
}

static void assert_told(unsigned warnings, unsigned notices, unsigned ends)
{
    if (told.warnings != warnings || told.notices != notices || told.ends != ends)
        fail_msg("%u warnings, %u notices, %u ends; the last line is: %s",
                 told.warnings, told.notices, told.ends, told.last);
}

static void assert_one_outage(const struct fixture *fx)
{
    struct sr_reporter_stats stats = stats_of(fx);

    assert_true(stats.connected);
    assert_int_equal(stats.connects, 2);
    assert_int_equal(stats.disconnects, 1);
}

/* Nobody is there; then somebody who is busy; then all is well. */
static void an_outage_by_http_is_told_once_and_its_end_when_that_is_proved(void **state)
{
    static const struct http_step fine = { HTTP_ANSWER, 200, "" };
    static const struct http_step busy[] = {
        {HTTP_ANSWER,  503, ""},
        { HTTP_ANSWER, 503, ""},
        { HTTP_ANSWER, 503, ""},
        { HTTP_ANSWER, 200, ""},
    };
    struct fixture *fx = *state;
    uint16_t port;

    with_http(fx, &fine, 1);
    assert_int_equal(sr_agent_set(fx->agent, "linger", "0"), 0);
    start(fx);
    send_row(fx, "1");
    run_until(fx->agent, stats_of(fx).rows_acked == 1);
    assert_told(0, 0, 0);

    port = scripted_http_port(fx->http);
    scripted_http_stop(fx->http);
    fx->http = NULL;
    assert_int_equal(sr_agent_send(fx->agent, "2", SR_PRIO_BUF), 0);
    run_until(fx->agent, stats_of(fx).requests_sent >= 1 + ATTEMPTS);
    assert_false(stats_of(fx).connected);
    assert_told(1, 0, 0);

    fx->http = scripted_http_start(port, busy, sizeof busy / sizeof *busy);
    assert_non_null(fx->http);
    scripted_http_be_platform(fx->http, true);
    run_until(fx->agent, scripted_http_requests(fx->http) >= 3);
    assert_told(1, 1, 0);
    run_until(fx->agent, stats_of(fx).rows_acked == 2);
    assert_told(1, 1, 1);
    assert_one_outage(fx);
}

static void a_reason_is_the_same_however_long_it_took(void **state)
{
    static const char first[] = "h:80: no answer after 99 ms: gone (401)";

    (void)state;
    assert_true(sr_reporter_says(first, first));
    assert_true(sr_reporter_says(first, "h:80: no answer after 100 ms: gone"));
    assert_true(sr_reporter_says("after 1 milliseconds", "after 20 milliseconds"));
    assert_false(sr_reporter_says(first, "h:81: no answer after 99 ms: gone"));
    assert_false(sr_reporter_says(first, "h:80: no answer after 99 ms: gone (403)"));
    assert_false(
        sr_reporter_says(first, "h:80: no answer after 99 ms: gone (401), too"));
    assert_false(sr_reporter_says("", "gone"));
}

/* The first connection ends with its first row, the next ones before they are any. */
static void come_and_go(struct broker_connection *connection, void *arg)
{
    unsigned n = broker_number(connection);
    const struct packet *p;

    if (n == 0) {
        broker_welcome(connection);
        p = broker_next_publish(connection);
        if (p)
            broker_puback(connection, p->id);
    } else if (n > ATTEMPTS) {
        behave(connection, arg);
    } else {
        broker_read(connection);
    }
}

static void an_outage_by_mqtt_is_told_once_and_its_end_when_it_is_connected(
    void **state)
{
    struct fixture *fx = *state;

    with_broker(fx, come_and_go);
    assert_int_equal(sr_agent_set(fx->agent, "linger", "0"), 0);
    start(fx);
    send_row(fx, "1");
    run_until(fx->agent, stats_of(fx).disconnects == 1);
    run_until(fx->agent, stats_of(fx).connected);
    assert_int_equal(broker_connections(fx->broker), ATTEMPTS + 2);
    assert_told(1, 0, 1);
    assert_one_outage(fx);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, fixture_tear_down)
    const struct CMUnitTest tests[] = {
        TEST(an_outage_by_http_is_told_once_and_its_end_when_that_is_proved),
        cmocka_unit_test(a_reason_is_the_same_however_long_it_took),
        TEST(an_outage_by_mqtt_is_told_once_and_its_end_when_it_is_connected),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
