/* SPDX-License-Identifier: MIT */
/* The reporter over HTTP, against a server that plays scripts. */
#include "reporter/fixture.h"

#define STEPS(...)             \
    (const struct http_step[]) \
    {                          \
        __VA_ARGS__            \
    }
#define WITH_HTTP(fx, ...)            \
    with_http(fx, STEPS(__VA_ARGS__), \
              sizeof STEPS(__VA_ARGS__) / sizeof(struct http_step))

static const char *posted(struct fixture *fx, unsigned i)
{
    const char *body = scripted_http_body(fx->http, i);

    return body ? body : "(nothing)";
}

static void rows_are_posted_as_they_are_published(void **state)
{
    struct fixture *fx = *state;
    const char *head;

    WITH_HTTP(fx, { HTTP_ANSWER, 200, "" });
    send_row(fx, "103,1");
    assert_int_equal(sr_agent_send(fx->agent, "child,2,b", SR_PRIO_XID), 0);
    start(fx);
    run_until(fx->agent, stats_of(fx).rows_acked == 2);
    assert_string_equal(posted(fx, 0), "15,24830\n103,1\n15,child\n2,b");
    head = scripted_http_head(fx->http, 0);
    assert_null(strcasestr(head, "X-Id"));
    assert_non_null(strstr(head, "Basic dDQ3MTEvZGV2aWNlX2d3LTAwMDE6czNjcjN0OXhR"));
}

static void rows_are_joined_by_count_and_linger(void **state)
{
    struct fixture *fx = *state;

    WITH_HTTP(fx, { HTTP_ANSWER, 200, "" });
    sr_reporter_set_batch(fx->reporter, 3);
    sr_reporter_set_linger(fx->reporter, 200);
    start(fx);
    for (int i = 1; i <= 4; i++)
        sr_agent_sendf(fx->agent, "%d", i);
    run_until(fx->agent, stats_of(fx).rows_acked == 4);
    assert_string_equal(posted(fx, 0), "15,24830\n1\n2\n3");
    assert_string_equal(posted(fx, 1), "15,24830\n4");
    assert_int_equal(scripted_http_connections(fx->http), 1);
}

static void answers_reach_the_handlers(void **state)
{
    struct fixture *fx = *state;

    WITH_HTTP(fx, { HTTP_SPLIT, 200, "500,1,a\n87,1,child\n500,2,b\n500,3,c\nx\"\n" });
    sr_agent_on_message(fx->agent, 500, hear, fx);
    sr_agent_on_xmessage(fx->agent, "child", 500, hear, fx);
    send_row(fx, "100,x");
    start(fx);
    run_until(fx->agent, stats_of(fx).rows_received == 5);
    assert_string_equal(fx->heard, "500,a;500,b;500,c;");
    assert_int_equal(stats_of(fx).rows_malformed, 1);
}

static void answer_in_handler(struct sr_agent *agent, struct sr_record *record,
                              void *arg)
{
    hear(agent, record, arg);
    assert_int_equal(sr_agent_sendf(agent, "110,done"), 0);
}

static void a_row_from_a_handler_goes_at_once(void **state)
{
    struct fixture *fx = *state;
    uint64_t began;

    WITH_HTTP(fx, { HTTP_ANSWER, 200, "500,1,a\n" }, { HTTP_ANSWER, 200, "" });
    sr_reporter_set_linger(fx->reporter, 60000);
    sr_reporter_set_batch(fx->reporter, 2);
    sr_agent_on_message(fx->agent, 500, answer_in_handler, fx);
    send_row(fx, "1");
    send_row(fx, "2");
    began = now_ms();
    start(fx);
    run_until(fx->agent, stats_of(fx).rows_acked == 3);
    assert_string_equal(posted(fx, 1), "15,24830\n110,done");
    assert_true(now_ms() - began < 2000);
}

static void failures_are_tried_again_with_the_same_rows_first(void **state)
{
    struct fixture *fx = *state;

    WITH_HTTP(fx, { HTTP_ANSWER, 500, "" }, { HTTP_CLOSE, 0, NULL },
              { HTTP_ANSWER, 401, "50,1,401" }, { HTTP_RAW, 0, "nonsense\r\n\r\n" },
              { HTTP_TRUNCATED, 200, "500,1,a\n" }, { HTTP_ANSWER, 200, "500,1,b\n" });
    sr_agent_on_message(fx->agent, 500, hear, fx);
    sr_reporter_set_batch(fx->reporter, 1);
    sr_agent_set(fx->agent, "poison_after", "100");
    send_row(fx, "1");
    send_row(fx, "2");
    start(fx);
    run_until(fx->agent, stats_of(fx).rows_acked == 2);
    for (unsigned i = 0; i < 6; i++)
        assert_string_equal(posted(fx, i), "15,24830\n1");
    assert_string_equal(posted(fx, 6), "15,24830\n2");
    assert_string_equal(fx->heard, "500,b;500,b;");
    assert_true(logged(fx, "HTTP status 500"));
    assert_true(logged(fx, "HTTP status 401"));
    assert_true(logged(fx, "http://127.0.0.1:"));
    assert_false(logged(fx, "s3cr3t"));
}

/* One request at a time, whatever the window. */
static void rows_stay_in_order(void **state)
{
    struct fixture *fx = *state;
    char expected[32];

    WITH_HTTP(fx, { HTTP_ANSWER, 200, "" });
    sr_reporter_set_batch(fx->reporter, 1);
    sr_reporter_set_window(fx->reporter, 16);
    for (int i = 0; i < 50; i++)
        sr_agent_sendf(fx->agent, "%d", i);
    start(fx);
    run_until(fx->agent, stats_of(fx).rows_acked == 50);
    for (unsigned i = 0; i < 50; i++) {
        snprintf(expected, sizeof expected, "15,24830\n%u", i);
        assert_string_equal(posted(fx, i), expected);
    }
}

static void a_server_that_comes_later_is_found(void **state)
{
    static const struct http_step fine = { HTTP_ANSWER, 200, "" };
    struct fixture *fx = *state;
    uint16_t port = free_port();

    make_agent(fx, port);
    assert_int_equal(sr_reporter_new_http(fx->agent, &fx->reporter), 0);
    send_row(fx, "1");
    start(fx);
    run_until(fx->agent, logged(fx, "trying again"));
    assert_false(stats_of(fx).connected);
    fx->http = scripted_http_start(port, &fine, 1);
    scripted_http_be_platform(fx->http, true);
    run_until(fx->agent, stats_of(fx).rows_acked == 1);
    assert_true(stats_of(fx).connected);
}

/* --- poison ----------------------------------------------------------------- */

static void a_row_that_the_server_never_takes_is_dropped_and_others_are_not(
    void **state)
{
    static const int statuses[] = { 400, 413, 422 };
    struct fixture *fx = *state;

    for (int i = 0; i < 3; i++) {
        int status = statuses[i];

        /* Three rows together, the first, the second (the culprit), the third, which shows
         * that it is not the server; the second again. */
        WITH_HTTP(fx, { HTTP_ANSWER, status, "" }, { HTTP_ANSWER, 200, "" },
                  { HTTP_ANSWER, status, "" }, { HTTP_ANSWER, 200, "" },
                  { HTTP_ANSWER, status, "" }, { HTTP_ANSWER, 200, "" });
        sr_reporter_set_linger(fx->reporter, 50);
        send_row(fx, "1");
        send_row(fx, "2,poison");
        send_row(fx, "3");
        start(fx);
        run_until(fx->agent, stats_of(fx).rows_waiting == 0);
        assert_string_equal(posted(fx, 0), "15,24830\n1\n2,poison\n3");
        assert_string_equal(posted(fx, 1), "15,24830\n1");
        assert_string_equal(posted(fx, 2), "15,24830\n2,poison");
        assert_string_equal(posted(fx, 3), "15,24830\n3");
        assert_string_equal(posted(fx, 4), "15,24830\n2,poison");
        assert_int_equal(stats_of(fx).rows_acked, 2);
        assert_int_equal(stats_of(fx).rows_dropped, 1);
        assert_int_equal(stats_of(fx).rows_quarantined, 1);
        assert_true(logged(fx, "set aside"));
        /* And rows are joined again. */
        send_row(fx, "4");
        send_row(fx, "5");
        run_until(fx->agent, stats_of(fx).rows_acked == 4);
        assert_string_equal(posted(fx, 5), "15,24830\n4\n5");
        fx->agent = sr_agent_free(fx->agent);
        scripted_http_stop(fx->http);
        fx->http = NULL;
        fx->log[0] = '\0';
    }
}

/* --- the end ------------------------------------------------------------------ */

static void free_reporter(struct sr_agent *agent, struct sr_record *record, void *arg)
{
    struct fixture *fx = arg;

    hear(agent, record, arg);
    fx->reporter = sr_reporter_free(fx->reporter);
}

static void a_reporter_may_be_freed_in_a_handler(void **state)
{
    struct fixture *fx = *state;

    WITH_HTTP(fx, { HTTP_ANSWER, 200, "500,1,a\n500,1,b\n" });
    sr_agent_on_message(fx->agent, 500, free_reporter, fx);
    sr_reporter_set_batch(fx->reporter, 1);
    send_row(fx, "1");
    send_row(fx, "2");
    start(fx);
    run_until(fx->agent, !fx->reporter);
    run_for(fx->agent, 20);
    assert_string_equal(fx->heard, "500,a;500,b;");
    assert_int_equal(sr_reporter_new_http(fx->agent, &fx->reporter), 0);
    start(fx);
    run_until(fx->agent, stats_of(fx).rows_waiting == 0);
}

static void free_agent(struct sr_agent *agent, struct sr_record *record, void *arg)
{
    struct fixture *fx = arg;

    hear(agent, record, arg);
    fx->agent = sr_agent_free(agent);
}

static void an_agent_may_be_freed_in_a_handler(void **state)
{
    struct fixture *fx = *state;

    WITH_HTTP(fx, { HTTP_ANSWER, 200, "500,1,a\n500,1,b\n" });
    sr_agent_on_message(fx->agent, 500, free_agent, fx);
    send_row(fx, "1");
    start(fx);
    assert_int_equal(sr_agent_loop(fx->agent), 0);
    assert_null(fx->agent);
    assert_string_equal(fx->heard, "500,a;");
}

static void freed_with_a_request_in_flight_its_rows_stay(void **state)
{
    struct fixture *fx = *state;

    WITH_HTTP(fx, { HTTP_SILENT, 0, NULL }, { HTTP_ANSWER, 200, "" });
    send_row(fx, "1");
    start(fx);
    run_until(fx->agent, scripted_http_requests(fx->http) == 1);
    sr_reporter_free(fx->reporter);
    assert_int_equal(sr_reporter_new_http(fx->agent, &fx->reporter), 0);
    start(fx);
    run_until(fx->agent, stats_of(fx).rows_acked == 1);
}

static void a_reporter_may_be_freed_before_it_was_started(void **state)
{
    struct fixture *fx = *state;

    WITH_HTTP(fx, { HTTP_ANSWER, 200, "" });
    sr_reporter_free(fx->reporter);
    assert_int_equal(sr_reporter_new_http(fx->agent, &fx->reporter), 0);
}

/* --- many lines of the log ----------------------------------------------------- */

static unsigned lines_with(const struct fixture *fx, const char *text)
{
    unsigned n = 0;

    for (const char *at = fx->log; (at = strstr(at, text)); at++)
        n++;
    return n;
}

static void many_refused_rows_are_few_lines_and_a_count(void **state)
{
    struct fixture *fx = *state;
    static char answer[50 * sizeof "45,2,Value is not a NUMBER\nx\"\n"];

    *answer = '\0';
    for (int i = 0; i < 50; i++)
        strcat(answer, "45,2,Value is not a NUMBER\nx\"\n");
    WITH_HTTP(fx, { HTTP_ANSWER, 200, answer });
    send_row(fx, "103,hot");
    start(fx);
    run_until(fx->agent, stats_of(fx).rows_received == 100);
    assert_int_equal(lines_with(fx, "refused a row"), 3);
    assert_int_equal(lines_with(fx, "is malformed"), 3);
    fx->agent = sr_agent_free(fx->agent);
    assert_true(logged(fx, "rows that the platform refused: ... and 47 more in the"));
    assert_true(logged(fx, "malformed rows from the platform: ... and 47 more in the"));
}

int main(void)
{
#define TEST(name) \
    cmocka_unit_test_setup_teardown(name, fixture_set_up, fixture_tear_down)
    const struct CMUnitTest tests[] = {
        TEST(many_refused_rows_are_few_lines_and_a_count),
        TEST(rows_are_posted_as_they_are_published),
        TEST(rows_are_joined_by_count_and_linger),
        TEST(answers_reach_the_handlers),
        TEST(a_row_from_a_handler_goes_at_once),
        TEST(failures_are_tried_again_with_the_same_rows_first),
        TEST(rows_stay_in_order),
        TEST(a_server_that_comes_later_is_found),
        TEST(a_row_that_the_server_never_takes_is_dropped_and_others_are_not),
        TEST(a_reporter_may_be_freed_in_a_handler),
        TEST(an_agent_may_be_freed_in_a_handler),
        TEST(freed_with_a_request_in_flight_its_rows_stay),
        TEST(a_reporter_may_be_freed_before_it_was_started),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
