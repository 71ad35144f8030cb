/* SPDX-License-Identifier: MIT */
/* After an outage: how fast the backlog goes, what goes before what, and rows whose clock is
 * not right yet. */
#include "reporter/fixture.h"

/* Payload `i` without the row that selects the collection. */
static const char *rows_of(struct fixture *fx, unsigned i)
{
    const char *rows = strchr(published(fx, i), '\n');

    return rows ? rows + 1 : "";
}

static unsigned count_rows(const char *rows)
{
    unsigned n = *rows != '\0';

    for (; *rows; rows++)
        n += *rows == '\n';
    return n;
}

static void send_numbered(struct fixture *fx, const char *what, int count)
{
    for (int i = 0; i < count; i++)
        assert_int_equal(
            sr_agent_sendf_prio(fx->agent, i % 2 ? SR_PRIO_BUF : 0, "%s,%03d", what, i),
            0);
}

static void set(struct fixture *fx, const char *name, const char *value)
{
    assert_int_equal(sr_agent_set(fx->agent, name, value), 0);
}

/* --- how fast ------------------------------------------------------------- */

/* By each moment, no more than a second's worth at once, and the rate from the start on. What
 * arrives late makes it look slower, never faster. */
static void expect_rate(struct fixture *fx, uint64_t began_ms, uint64_t rate,
                        size_t per_row)
{
    const struct packet *p;
    uint64_t sum = 0;

    for (unsigned i = 0; (p = broker_seen(fx->broker, PUBLISH, i)); i++) {
        sum += count_rows(rows_of(fx, i)) * per_row;
        assert_true(sum <= rate + rate * (p->at_ms - began_ms) / 1000 + per_row);
    }
}

static void the_backlog_goes_no_faster_than_its_rows_may(void **state)
{
    struct fixture *fx = *state;
    uint64_t began;

    with_broker(fx, behave);
    set(fx, "replay_rows", "100");
    send_numbered(fx, "100", 150);
    began = now_ms();
    start(fx);
    run_until(fx->agent, stats_of(fx).rows_acked == 150);
    expect_rate(fx, began, 100, 1);
    /* In company, not one by one. */
    assert_in_range(broker_count(fx->broker, PUBLISH), 2, 8);
}

static void the_backlog_goes_no_faster_than_its_bytes_may(void **state)
{
    struct fixture *fx = *state;
    uint64_t began;

    with_broker(fx, behave);
    set(fx, "replay_bytes", "700");
    send_numbered(fx, "100", 150); /* 7 bytes each */
    began = now_ms();
    start(fx);
    run_until(fx->agent, stats_of(fx).rows_acked == 150);
    expect_rate(fx, began, 700, 7);
}

static void rows_sent_while_connected_are_not_held_back(void **state)
{
    struct fixture *fx = *state;

    with_broker(fx, behave);
    set(fx, "replay_rows", "1");
    set(fx, "linger", "0");
    start(fx);
    run_until(fx->agent, stats_of(fx).connected);
    send_numbered(fx, "100", 300);
    run_until(fx->agent, stats_of(fx).rows_acked == 300); /* 300 s at that rate */
}

static void go_and_come_back(struct broker_connection *connection, void *arg)
{
    if (!broker_welcome(connection))
        return;
    if (!broker_number(connection)) {
        broker_wait(connection);
        return;
    }
    (void)arg;
    broker_serve(connection);
}

/* What was live before the connection broke is backlog when it is back. */
static void rows_that_waited_for_the_reconnect_are_backlog(void **state)
{
    struct fixture *fx = *state;
    uint64_t began;

    with_broker(fx, go_and_come_back);
    set(fx, "replay_rows", "40");
    set(fx, "window", "1");
    start(fx);
    run_until(fx->agent, stats_of(fx).connected);
    send_numbered(fx, "100", 60);
    began = now_ms();
    broker_go_on(fx->broker);
    run_until(fx->agent, stats_of(fx).rows_acked == 60);
    for (unsigned i = 0; i < broker_count(fx->broker, PUBLISH); i++)
        if (broker_seen(fx->broker, PUBLISH, i)->connection == 1)
            assert_in_range(count_rows(rows_of(fx, i)), 1, 40);
    assert_true(now_ms() - began >= 450);
}

/* --- what goes first ------------------------------------------------------- */

static void sends_live_rows_amid_the_backlog(struct fixture *fx)
{
    set(fx, "replay_rows", "40");
    set(fx, "linger", "0");
    send_numbered(fx, "100", 80);
    start(fx);
    run_until_published(fx, 1); /* 40 rows of the backlog: the others wait */
    send_numbered(fx, "200", 10);
    run_until(fx->agent, stats_of(fx).rows_acked == 90);
}

/* The numbers of rows that begin with `what`, in the order of their arrival, count up from 0.
 * Returns in which payload the last one was. */
static unsigned expect_in_order(struct fixture *fx, const char *what, int count)
{
    unsigned last = 0;
    int next = 0;

    for (unsigned i = 0; i < broker_count(fx->broker, PUBLISH); i++)
        for (const char *row = published(fx, i); (row = strchr(row, '\n'));)
            if (!strncmp(++row, what, 3)) {
                assert_int_equal(atoi(row + 4), next++);
                last = i;
            }
    assert_int_equal(next, count);
    return last;
}

static void in_strict_order_the_backlog_goes_first(void **state)
{
    struct fixture *fx = *state;

    with_broker(fx, behave);
    sends_live_rows_amid_the_backlog(fx);
    assert_true(expect_in_order(fx, "100", 80) <= expect_in_order(fx, "200", 10));
}

static void live_rows_first_do_not_wait_behind_the_backlog(void **state)
{
    struct fixture *fx = *state;

    with_broker(fx, behave);
    set(fx, "replay_order", "live_first");
    sends_live_rows_amid_the_backlog(fx);
    assert_true(expect_in_order(fx, "200", 10) < expect_in_order(fx, "100", 80));
}

static void live_rows_first_hold_for_http_as_well(void **state)
{
    static const struct http_step fine = { HTTP_ANSWER, 200, "" };
    struct fixture *fx = *state;
    unsigned live = 0, last = 0;

    with_http(fx, &fine, 1);
    set(fx, "replay_order", "live_first");
    set(fx, "replay_rows", "1");
    set(fx, "linger", "0");
    send_numbered(fx, "100", 3);
    start(fx);
    run_until(fx->agent, scripted_http_requests(fx->http) == 1);
    send_numbered(fx, "200", 2);
    run_until(fx->agent, stats_of(fx).rows_acked == 5);
    assert_string_equal(scripted_http_body(fx->http, 0), "15,24830\n100,000");
    while (!strstr(scripted_http_body(fx->http, live), "200,000"))
        live++;
    assert_null(strstr(scripted_http_body(fx->http, live), "100,"));
    while (!strstr(scripted_http_body(fx->http, last), "100,002"))
        last++;
    assert_true(live < last);
}

/* --- clock ------------------------------------------------------------------ */

#define NEVER "253402300799"

static void a_row_waits_for_the_clock_and_what_is_behind_waits_too(void **state)
{
    struct fixture *fx = *state;

    with_broker(fx, behave);
    set(fx, "clock_valid_after", NEVER);
    set(fx, "clock_wait", "86400");
    set(fx, "linger", "0");
    send_row(fx, "100,first");
    assert_int_equal(sr_agent_sendf(fx->agent, "108,%s", SR_NOW), 0);
    send_row(fx, "100,last");
    start(fx);
    run_until(fx->agent, stats_of(fx).rows_acked == 1);
    run_for(fx->agent, 100);
    assert_int_equal(stats_of(fx).rows_waiting, 2);
    set(fx, "clock_valid_after", NULL);
    run_until(fx->agent, stats_of(fx).rows_acked == 3);
    assert_string_equal(published(fx, 0), "15,24830\n100,first");
    assert_non_null(strstr(published(fx, 1), "\n108,20"));
    assert_non_null(strstr(published(fx, 1), "Z\n100,last"));
}

static void a_row_waits_no_longer_than_it_may(void **state)
{
    struct fixture *fx = *state;
    uint64_t began;

    with_broker(fx, behave);
    set(fx, "clock_valid_after", NEVER);
    set(fx, "clock_wait", "1");
    set(fx, "linger", "0");
    assert_int_equal(sr_agent_sendf(fx->agent, "108,%s", SR_NOW), 0);
    start(fx);
    run_until(fx->agent, stats_of(fx).connected);
    began = now_ms();
    run_until(fx->agent, stats_of(fx).rows_acked == 1);
    assert_true(now_ms() - began >= 900);
    assert_non_null(strstr(published(fx, 0), "\n108,20"));
}

int main(void)
{
#define TEST(name) \
    cmocka_unit_test_setup_teardown(name, fixture_set_up, fixture_tear_down)
    const struct CMUnitTest tests[] = {
        TEST(the_backlog_goes_no_faster_than_its_rows_may),
        TEST(the_backlog_goes_no_faster_than_its_bytes_may),
        TEST(rows_sent_while_connected_are_not_held_back),
        TEST(rows_that_waited_for_the_reconnect_are_backlog),
        TEST(in_strict_order_the_backlog_goes_first),
        TEST(live_rows_first_do_not_wait_behind_the_backlog),
        TEST(live_rows_first_hold_for_http_as_well),
        TEST(a_row_waits_for_the_clock_and_what_is_behind_waits_too),
        TEST(a_row_waits_no_longer_than_it_may),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
