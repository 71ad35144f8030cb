/* SPDX-License-Identifier: MIT */
/* Who answers is not always the platform: a captive portal, a proxy, a wrong server. What they say is
 * an outage and nothing else. Compiled with the library's pauses cut short. */
#include "reporter/fixture.h"
#include <unistd.h>

enum { ROWS = 500 };

static const struct http_step taken = { HTTP_ANSWER, 200, "" };

/* Whatever they say, and how the log calls it. */
static const struct portal {
    struct http_step step;
    const char *logged;
} portals[] = {
    {{ HTTP_RAW, 0,
        "HTTP/1.1 200 OK\r\nContent-Type: text/html; charset=utf-8\r\n\r\n"
        "<html>Please log in</html>" },
     "the answer is not the platform's: text/html; charset=utf-8, begins with "
      "'<html>Please log in</html>'"                                                       },
    { { HTTP_ANSWER, 200, "{\"error\":\"not logged in\"}" }, "begins with '{\"error"       },
    { { HTTP_ANSWER, 200, "\x01\x02\xff noise" },            "begins with '... noise'"     },
    { { HTTP_ANSWER, 200, "" },                              "an empty answer"             },
    { { HTTP_ANSWER, 200, "\r\n\n  \n" },                    "an empty answer"             },
    { { HTTP_ANSWER, 200, "500,9999,a\n" },                  "begins with '500,9999'"      },
    { { HTTP_ANSWER, 200, "99,2,a\n" },                      "begins with '99,2'"          },
    { { HTTP_ANSWER, 200, "50,2,ok\n" },                     "begins with '50,2'"          },
    { { HTTP_ANSWER, 200, "500,2,a\n500,9999,b\n" },         "begins with '500,2'"         },
    { { HTTP_ENDLESS_HEAD, 200, NULL },                      "header is larger than 64 KiB"},
    { { HTTP_RAW, 0, "SSH-2.0-OpenSSH\r\n\r\n" },            "HTTP/0.9"                    },
    { { HTTP_ANSWER, 204, "" },                              "HTTP status 204"             },
    { { HTTP_ANSWER, 302, "" },                              "HTTP status 302"             },
    { { HTTP_ANSWER, 400, "<html>" },                        "HTTP status 400"             },
    { { HTTP_ANSWER, 400, "" },                              "HTTP status 400"             },
    { { HTTP_ANSWER, 413, "<html>" },                        "HTTP status 413"             },
    { { HTTP_ANSWER, 422, "{\"error\":\"portal\"}" },        "HTTP status 422"             },
    { { HTTP_ANSWER, 403, "<html>" },                        "HTTP status 403"             },
    { { HTTP_ANSWER, 404, "<html>" },                        "HTTP status 404"             },
    { { HTTP_ANSWER, 407, "<html>" },                        "HTTP status 407"             },
};

static void count(void *arg, enum sr_fate fate)
{
    ((unsigned *)arg)[fate]++;
}

static void meet(struct fixture *fx, const struct portal *portal)
{
    unsigned told[SR_FATES] = { 0 };
    const struct sr_send_options options = { .delivered = count, .arg = told };

    with_http(fx, &taken, 1);
    scripted_http_set_portal(fx->http, &portal->step);
    assert_int_equal(sr_agent_set(fx->agent, "retries", "1"), 0);
    assert_int_equal(sr_agent_set(fx->agent, "poison_after", "1"), 0);
    assert_int_equal(sr_agent_set(fx->agent, "batch_rows", "2"), 0);
    for (int i = 0; i < 3; i++)
        assert_int_equal(sr_agent_send_with(fx->agent, "100,a", &options), 0);
    start(fx);
    run_until(fx->agent, scripted_http_requests(fx->http) >= 6);
    assert_int_equal(told[SR_FATE_DELIVERED], 0);
    assert_int_equal(stats_of(fx).rows_acked, 0);
    assert_int_equal(stats_of(fx).rows_waiting, 3);
    assert_false(stats_of(fx).connected);
    if (!logged(fx, portal->logged))
        fail_msg("'%s' is not in: %s", portal->logged, fx->log);

    scripted_http_set_portal(fx->http, NULL);
    run_until(fx->agent, told[SR_FATE_DELIVERED] == 3);
    assert_int_equal(stats_of(fx).rows_acked, 3);
    assert_int_equal(stats_of(fx).rows_quarantined, 0);
    assert_int_equal(stats_of(fx).rows_given_up, 0);
}

static void whatever_a_portal_says_is_an_outage(void **state)
{
    struct fixture *fx = *state;

    for (size_t i = 0; i < sizeof portals / sizeof *portals; i++) {
        meet(fx, &portals[i]);
        fx->agent = sr_agent_free(fx->agent);
        scripted_http_stop(fx->http);
        fx->http = NULL;
        fx->log[0] = '\0';
    }
}

/* A portal that lets some requests pass, and refuses others: the row that is refused alone, while
 * others go, looks guilty. */
static void a_portals_refusals_blame_no_row(void **state)
{
    /* Neither keeps the connection: it is proved by nothing. */
    static const char refusal[] = "HTTP/1.1 400 X\r\nContent-Length: 6\r\n"
                                  "Connection: close\r\n\r\n<html>",
                      good[] = "HTTP/1.1 200 OK\r\nContent-Length: 8\r\n"
                               "Connection: close\r\n\r\n500,2,a\n";
    static const struct http_step steps[] = {
        {HTTP_RAW,     0,   refusal    }, /* to both rows */
        { HTTP_ANSWER, 400, "<html>"   }, /* to the question, and so on */
        { HTTP_RAW,    0,   good       },
        { HTTP_RAW,    0,   refusal    },
        { HTTP_ANSWER, 400, "<html>"   },
        { HTTP_RAW,    0,   refusal    },
        { HTTP_ANSWER, 400, "<html>"   },
        { HTTP_RAW,    0,   refusal    },
        { HTTP_ANSWER, 400, "<html>"   },
        { HTTP_ANSWER, 200, "500,2,a\n"},
    };
    struct fixture *fx = *state;

    with_http(fx, steps, sizeof steps / sizeof *steps);
    scripted_http_be_platform(fx->http, false);
    assert_int_equal(sr_agent_set(fx->agent, "retries", "1"), 0);
    assert_int_equal(sr_agent_set(fx->agent, "linger", "0"), 0);
    send_row(fx, "100,a");
    send_row(fx, "100,b");
    start(fx);
    run_until(fx->agent, stats_of(fx).rows_acked == 2);
    send_row(fx, "100,c");
    run_until(fx->agent, stats_of(fx).rows_acked == 3);
    assert_int_equal(stats_of(fx).rows_quarantined, 0);
    assert_int_equal(stats_of(fx).rows_dropped, 0);
}

/* Rows of the platform's form say that the refusal is the platform's, and so does the answer to the
 * question whose it is. */
static void the_platforms_refusal_counts_on_plain_http(void **state)
{
    static const struct {
        struct http_step step;
        unsigned checks;
    } cases[] = {
        {{ HTTP_ANSWER, 400, "41,2,malformed\n" }, 0},
        { { HTTP_ANSWER, 400, "" },                1},
        { { HTTP_ANSWER, 422, "{\"error\":1}" },   1},
    };
    struct fixture *fx = *state;

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        with_http(fx, &cases[i].step, 1);
        send_row(fx, "100,a");
        start(fx);
        run_until(fx->agent, stats_of(fx).rows_quarantined == 1);
        assert_int_equal(scripted_http_checks(fx->http), cases[i].checks);
        fx->agent = sr_agent_free(fx->agent);
        scripted_http_stop(fx->http);
        fx->http = NULL;
    }
}

/* --- rows on disk ------------------------------------------------------------- */

static void open_outbox(struct fixture *fx, char *dir)
{
    char path[96];

    assert_non_null(mkdtemp(dir));
    snprintf(path, sizeof path, "%s/outbox", dir);
    assert_int_equal(sr_agent_open_outbox(fx->agent, path), 0);
}

static void remove_outbox(const char *dir)
{
    char command[96];

    snprintf(command, sizeof command, "rm -r %s", dir);
    assert_int_equal(system(command), 0);
}

/* How often is row `i` in what the platform has got, behind the portal's requests? */
static unsigned times_posted(struct fixture *fx, unsigned from, int i)
{
    char row[32];
    unsigned times = 0;
    const char *body;

    snprintf(row, sizeof row, "\n100,<%d>", i);
    for (unsigned k = from; (body = scripted_http_body(fx->http, k)); k++)
        times += strstr(body, row) != NULL;
    return times;
}

static void rows_on_disk_outlive_a_portal(void **state)
{
    struct fixture *fx = *state;
    unsigned told[SR_FATES] = { 0 }, portal;
    const struct sr_send_options options = { .prio = SR_PRIO_BUF,
                                             .delivered = count,
                                             .arg = told };
    char dir[] = "/tmp/portal_test.XXXXXX", row[32];

    with_http(fx, &taken, 1);
    scripted_http_set_portal(fx->http, &portals[0].step);
    open_outbox(fx, dir);
    for (int i = 0; i < ROWS; i++) {
        snprintf(row, sizeof row, "100,<%d>", i);
        assert_int_equal(sr_agent_send_with(fx->agent, row, &options), 0);
    }
    start(fx);
    run_until(fx->agent, scripted_http_requests(fx->http) >= 5);
    assert_int_equal(told[SR_FATE_DELIVERED], 0);
    assert_int_equal(stats_of(fx).rows_on_disk, ROWS);

    portal = scripted_http_requests(fx->http);
    scripted_http_set_portal(fx->http, NULL);
    run_until(fx->agent, told[SR_FATE_DELIVERED] == ROWS);
    assert_int_equal(stats_of(fx).rows_on_disk, 0);
    for (int i = 0; i < ROWS; i++)
        assert_true(times_posted(fx, portal, i) >= 1);
    fx->agent = sr_agent_free(fx->agent);
    remove_outbox(dir);
}

/* --- the check ------------------------------------------------------------------ */

static void send_and_wait(struct fixture *fx, unsigned rows)
{
    uint64_t before = stats_of(fx).rows_acked;

    for (unsigned i = 0; i < rows; i++) {
        send_row(fx, "100,a");
        run_until(fx->agent, stats_of(fx).rows_acked == before + i + 1);
    }
}

static void the_platform_is_asked_once_for_each_connection(void **state)
{
    struct fixture *fx = *state;

    with_http(fx, &taken, 1);
    assert_int_equal(sr_agent_set(fx->agent, "linger", "0"), 0);
    start(fx);
    send_and_wait(fx, 5);
    assert_int_equal(scripted_http_checks(fx->http), 1);
    assert_int_equal(scripted_http_connections(fx->http), 1);
    assert_int_equal(scripted_http_requests(fx->http), 5);
}

static void a_new_connection_is_asked_anew(void **state)
{
    static const struct http_step steps[] = {
        {HTTP_ANSWER,  200, ""  },
        { HTTP_CLOSE,  0,   NULL},
        { HTTP_ANSWER, 200, ""  },
        { HTTP_ANSWER, 200, ""  },
    };
    struct fixture *fx = *state;

    with_http(fx, steps, 4);
    assert_int_equal(sr_agent_set(fx->agent, "linger", "0"), 0);
    start(fx);
    send_and_wait(fx, 3);
    assert_int_equal(scripted_http_connections(fx->http), 2);
    assert_int_equal(scripted_http_checks(fx->http), 2);
}

static void rows_prove_the_connection_and_need_no_question(void **state)
{
    static const struct http_step steps[] = {
        {HTTP_ANSWER,  200, "500,2,a\n"},
        { HTTP_ANSWER, 200, ""         },
        { HTTP_ANSWER, 200, "<html>"   },
        { HTTP_ANSWER, 200, ""         },
    };
    struct fixture *fx = *state;

    with_http(fx, steps, 4);
    assert_int_equal(sr_agent_set(fx->agent, "linger", "0"), 0);
    start(fx);
    send_and_wait(fx, 3);
    assert_int_equal(scripted_http_requests(fx->http), 4); /* a page is a page */
    assert_int_equal(scripted_http_checks(fx->http), 0);
}

/* The answer to the question comes by another connection: that one is proved, and has the row
 * again. */
static void a_connection_that_ended_is_not_proved_by_the_next(void **state)
{
    static const struct http_step closes = { HTTP_RAW, 0,
                                             "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n"
                                             "Connection: close\r\n\r\n" };
    struct fixture *fx = *state;

    with_http(fx, &closes, 1);
    send_row(fx, "100,a");
    start(fx);
    run_until(fx->agent, logged(fx, "the connection ended before it was known"));
    assert_int_equal(scripted_http_checks(fx->http), 1);
    assert_int_equal(stats_of(fx).rows_acked, 0);
    run_until(fx->agent, stats_of(fx).rows_acked == 1);
    assert_int_equal(scripted_http_requests(fx->http), 2);
    assert_int_equal(scripted_http_checks(fx->http), 1);
}

static void where_a_proxy_may_answer_each_empty_answer_is_asked_about(void **state)
{
    struct fixture *fx = *state;
    char proxy[64];

    with_http(fx, &taken, 1);
    snprintf(proxy, sizeof proxy, "http://127.0.0.1:%u",
             (unsigned)scripted_http_port(fx->http));
    assert_int_equal(sr_agent_set(fx->agent, "proxy", proxy), 0);
    assert_int_equal(sr_agent_set(fx->agent, "linger", "0"), 0);
    start(fx);
    send_and_wait(fx, 3);
    assert_int_equal(scripted_http_checks(fx->http), 3);
}

static void http_1_0_asks_for_a_connection_that_stays(void **state)
{
    struct fixture *fx = *state;

    with_http(fx, &taken, 1);
    assert_int_equal(sr_agent_set(fx->agent, "http_version", "10"), 0);
    assert_int_equal(sr_agent_set(fx->agent, "linger", "0"), 0);
    start(fx);
    send_and_wait(fx, 2);
    assert_non_null(strstr(scripted_http_head(fx->http, 0), "HTTP/1.0\r\n"));
    assert_non_null(strcasestr(scripted_http_head(fx->http, 0), "keep-alive"));
    assert_int_equal(scripted_http_checks(fx->http), 1);
}

/* The rows were refused a moment after they were taken: they are not forgotten. */
static void credentials_refused_by_the_check_are_a_trouble(void **state)
{
    static const struct http_step steps[] = {
        {HTTP_ANSWER,  200, ""          },
        { HTTP_ANSWER, 200, "50,1,401\n"},
        { HTTP_ANSWER, 200, "500,2,a\n" },
    };
    struct fixture *fx = *state;

    with_http(fx, steps, 3);
    scripted_http_be_platform(fx->http, false);
    assert_int_equal(sr_agent_send(fx->agent, "100,a", SR_PRIO_BUF), 0);
    start(fx);
    run_until(fx->agent, stats_of(fx).rows_acked == 1);
    assert_int_equal(scripted_http_requests(fx->http), 3);
    assert_true(logged(fx, "refuses the credentials"));
}

static void freed_while_it_asks_its_rows_stay(void **state)
{
    static const struct http_step steps[] = {
        {HTTP_ANSWER,  200, ""  },
        { HTTP_SILENT, 0,   NULL},
        { HTTP_ANSWER, 200, ""  },
    };
    struct fixture *fx = *state;

    with_http(fx, steps, 3);
    scripted_http_be_platform(fx->http, false);
    assert_int_equal(sr_agent_send(fx->agent, "100,a", SR_PRIO_BUF), 0);
    start(fx);
    run_until(fx->agent, scripted_http_requests(fx->http) == 2);
    scripted_http_be_platform(fx->http, true);
    sr_reporter_free(fx->reporter);
    assert_int_equal(sr_reporter_new_http(fx->agent, &fx->reporter), 0);
    start(fx);
    run_until(fx->agent, stats_of(fx).rows_acked == 1);
}

int main(void)
{
#define TEST(name) \
    cmocka_unit_test_setup_teardown(name, fixture_set_up, fixture_tear_down)
    const struct CMUnitTest tests[] = {
        TEST(whatever_a_portal_says_is_an_outage),
        TEST(a_portals_refusals_blame_no_row),
        TEST(the_platforms_refusal_counts_on_plain_http),
        TEST(rows_on_disk_outlive_a_portal),
        TEST(the_platform_is_asked_once_for_each_connection),
        TEST(a_new_connection_is_asked_anew),
        TEST(rows_prove_the_connection_and_need_no_question),
        TEST(a_connection_that_ended_is_not_proved_by_the_next),
        TEST(where_a_proxy_may_answer_each_empty_answer_is_asked_about),
        TEST(http_1_0_asks_for_a_connection_that_stays),
        TEST(credentials_refused_by_the_check_are_a_trouble),
        TEST(freed_while_it_asks_its_rows_stay),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
