/* SPDX-License-Identifier: MIT */
/* Bootstrap and integrate where a captive portal, a proxy or a wrong server answers first: that is
 * an outage, and the platform is found when it is there. Compiled with the library's pauses cut
 * short. */
#include "agent/agent_p.h"
#include "support/run.h"
#include "support/scripted_http.h"
#include <setjmp.h>
#include <smartrest/smartrest.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
/* after what it needs */
#include <cmocka.h>

#define ACCEPTED "70,1,gw-0001,t4711,device_gw-0001,s3cr3t9xQ\n"
#define TEMPLATES                                                                      \
    "10,100,GET,/identity/externalIds/c8y_Serial/%%,,,%%,STRING,\n"                    \
    "10,101,POST,/inventory/managedObjects,application/json,application/json,,,\"{}\"" \
    "\n"

static const struct http_step portals[] = {
    {HTTP_ANSWER,        200, "<html>Please log in</html>"},
    { HTTP_ANSWER,       200, "{\"error\":\"portal\"}"    },
    { HTTP_ANSWER,       200, "\x01\x02 noise"            },
    { HTTP_ANSWER,       200, "500,9,a\n"                 },
    { HTTP_ANSWER,       200, "50,1,ok\n"                 },
    { HTTP_ANSWER,       204, ""                          },
    { HTTP_ANSWER,       302, ""                          },
    { HTTP_ANSWER,       400, "<html>"                    },
    { HTTP_ANSWER,       401, ""                          },
    { HTTP_ANSWER,       403, "<html>"                    },
    { HTTP_ANSWER,       404, "<html>"                    },
    { HTTP_ANSWER,       407, "<html>"                    },
    { HTTP_ANSWER,       511, "<html>"                    },
    { HTTP_ENDLESS_HEAD, 200, NULL                        },
    { HTTP_RAW,          0,   "SSH-2.0-OpenSSH\r\n\r\n"   },
};
enum { PORTALS = sizeof portals / sizeof *portals };

struct fixture {
    struct sr_agent *agent;
    struct scripted_http *server;
    char path[64], log[8192];
};

static void keep_log(enum sr_log_level level, const char *component, const char *text,
                     void *arg)
{
    struct fixture *fx = arg;

    (void)level, (void)component;
    if (strlen(fx->log) + strlen(text) + 2 < sizeof fx->log)
        strcat(strcat(fx->log, text), "\n");
}

static int set_up(void **state)
{
    struct fixture *fx = calloc(1, sizeof *fx);

    if (!fx)
        return -1;
    no_proxies();
    snprintf(fx->path, sizeof fx->path, "/tmp/agent_portal.%ld", (long)getpid());
    sr_log_set_sink(keep_log, fx);
    *state = fx;
    return 0;
}

static void close_down(struct fixture *fx)
{
    fx->agent = sr_agent_free(fx->agent);
    scripted_http_stop(fx->server);
    fx->server = NULL;
    unlink(fx->path);
    fx->log[0] = '\0';
}

static int tear_down(void **state)
{
    close_down(*state);
    sr_log_set_sink(NULL, NULL);
    free(*state);
    return 0;
}

static void serve(struct fixture *fx, const struct http_step *steps, size_t count)
{
    char url[64];

    fx->server = scripted_http_start(0, steps, count);
    snprintf(url, sizeof url, "http://127.0.0.1:%u",
             (unsigned)scripted_http_port(fx->server));
    assert_int_equal(sr_agent_new(url, "gw-0001", &fx->agent), 0);
    sr_agent_set_bootstrap_poll(fx->agent, 100, 1);
    sr_agent_set_wait(fx->agent, 30 * 1000); /* that it ends */
}

static void know_credentials(struct fixture *fx)
{
    assert_int_equal(
        sr_agent_set_credentials(fx->agent, "t4711", "device_gw-0001", "s3cr3t9xQ"), 0);
}

static void logged(const struct fixture *fx, const char *text)
{
    if (!strstr(fx->log, text))
        fail_msg("'%s' is not in: %s", text, fx->log);
}

/* No portal's answer counts as one of the platform's: there may be one attempt. */
static void bootstrap_outlives_a_portal(void **state)
{
    struct fixture *fx = *state;

    for (size_t i = 0; i < PORTALS; i++) {
        const struct http_step steps[] = {
            portals[i], portals[i], {HTTP_ANSWER, 200, ACCEPTED}
        };

        serve(fx, steps, 3);
        assert_int_equal(sr_agent_bootstrap(fx->agent, fx->path), 0);
        assert_int_equal(scripted_http_requests(fx->server), 3);
        logged(fx, "trying again");
        close_down(fx);
    }
}

static void integrate_outlives_a_portal_at_each_step(void **state)
{
    struct fixture *fx = *state;

    for (size_t i = 0; i < PORTALS; i++) {
        /* On a connection that is proved a refusal is the platform's. */
        if (portals[i].status == 400 || portals[i].status == 401 ||
            portals[i].status == 403)
            continue;
        const struct http_step steps[] = {
            portals[i], {HTTP_ANSWER,  200, "40,no\n"      },
            portals[i], { HTTP_ANSWER, 200, "20,24830\n"   },
            portals[i], { HTTP_ANSWER, 200, "50,1,404\n"   },
            portals[i], { HTTP_ANSWER, 200, "501,1,24871\n"},
            portals[i], { HTTP_ANSWER, 200, "500,1\n"      },
        };

        serve(fx, steps, 10);
        know_credentials(fx);
        assert_int_equal(sr_agent_integrate(fx->agent, "gw-v1", TEMPLATES), 0);
        assert_int_equal(scripted_http_requests(fx->server), 10);
        assert_string_equal(sr_agent_id(fx->agent), "24871");
        close_down(fx);
    }
}

/* Nothing in answer to the row that binds the device means that it is bound, if the platform says
 * nothing. */
static void a_device_is_not_bound_by_an_empty_answer_of_a_portal(void **state)
{
    static const char empty[] = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n"
                                "Connection: close\r\n\r\n";
    const struct http_step steps[] = {
        {HTTP_ANSWER,  200, "20,24830\n"   },
        { HTTP_ANSWER, 200, "50,1,404\n"   },
        { HTTP_ANSWER, 200, "501,1,24871\n"},
        { HTTP_CLOSE,  0,   NULL           },
        { HTTP_RAW,    0,   empty          }, /* to row 102 */
        { HTTP_ANSWER, 200, "<html>"       }, /* to the check */
        { HTTP_RAW,    0,   empty          }, /* to row 102 */
        { HTTP_ANSWER, 200, "20,24830\n"   }, /* to the check: the platform is back */
        { HTTP_ANSWER, 200, ""             }, /* to row 102 */
    };
    struct fixture *fx = *state;

    serve(fx, steps, 9);
    know_credentials(fx);
    assert_int_equal(sr_agent_integrate(fx->agent, "gw-v1", TEMPLATES), 0);
    assert_int_equal(scripted_http_requests(fx->server), 9);
    assert_string_equal(scripted_http_body(fx->server, 8), "102,24871,gw-0001");
    assert_string_equal(sr_agent_id(fx->agent), "24871");
}

static void at_the_limit_the_error_names_who_answers(void **state)
{
    struct fixture *fx = *state;

    serve(fx, &portals[0], 1);
    sr_agent_set_wait(fx->agent, 300);
    assert_int_equal(sr_agent_bootstrap(fx->agent, fx->path), SR_E_UNREACHABLE);
    assert_non_null(strstr(sr_agent_error(fx->agent), "<html>Please log in"));
    assert_non_null(strstr(sr_agent_error(fx->agent), "not the platform's"));
}

static void what_the_platform_says_is_final(void **state)
{
    static const struct http_step answers[] = {
        {HTTP_ANSWER,  200, "50,1,401\n"},
        { HTTP_ANSWER, 401, "50,1,401\n"},
        { HTTP_ANSWER, 403, "50,1,403\n"},
    };
    struct fixture *fx = *state;

    for (int i = 0; i < 3; i++) {
        serve(fx, &answers[i], 1);
        know_credentials(fx);
        assert_int_equal(sr_agent_integrate(fx->agent, "gw-v1", TEMPLATES), SR_E_AUTH);
        assert_int_equal(scripted_http_requests(fx->server), 1);
        close_down(fx);
    }
}

static void a_status_on_a_proved_connection_is_the_platforms(void **state)
{
    static const struct http_step steps[] = {
        {HTTP_ANSWER,  200, "20,24830\n"},
        { HTTP_ANSWER, 403, ""          }
    };
    struct fixture *fx = *state;

    serve(fx, steps, 2);
    know_credentials(fx);
    assert_int_equal(sr_agent_integrate(fx->agent, "gw-v1", TEMPLATES), SR_E_AUTH);
    assert_int_equal(scripted_http_requests(fx->server), 2);
}

/* An application's own flow gets the platform's answers only. */
static void requests_of_an_application_are_answered_by_the_platform(void **state)
{
    static const struct http_step steps[] = {
        {HTTP_ANSWER,  200, "<html>"    },
        { HTTP_ANSWER, 200, ""          }, /* to the row */
        { HTTP_ANSWER, 200, "20,24830\n"}, /* to the check */
    };
    struct fixture *fx = *state;
    const char *answer;
    size_t len;

    serve(fx, steps, 3);
    know_credentials(fx);
    assert_int_equal(sr_agent_request(fx->agent, "gw-v1", "105,1", &answer, &len), 0);
    assert_int_equal(len, 0);
    assert_int_equal(scripted_http_requests(fx->server), 3);
    assert_string_equal(scripted_http_body(fx->server, 2), "");
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(bootstrap_outlives_a_portal),
        TEST(integrate_outlives_a_portal_at_each_step),
        TEST(a_device_is_not_bound_by_an_empty_answer_of_a_portal),
        TEST(at_the_limit_the_error_names_who_answers),
        TEST(what_the_platform_says_is_final),
        TEST(a_status_on_a_proved_connection_is_the_platforms),
        TEST(requests_of_an_application_are_answered_by_the_platform),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
