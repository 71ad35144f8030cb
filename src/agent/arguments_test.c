/* SPDX-License-Identifier: MIT */
/* NULL where an object or text is needed is refused by each function of an agent's, and a failing call
 * says in sr_agent_error() what and where. */
#include "support/run.h"
#include <setjmp.h>
#include <signal.h>
#include <smartrest/smartrest.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>
/* after what it needs */
#include <cmocka.h>

struct fixture {
    struct sr_agent *agent;
    struct sr_loop *loop;
    struct sr_binary *binary;
    struct sr_http *http;
    struct sr_reporter *reporter;
    struct sr_push *push;
    int wrong;
};

static int set_up(void **state)
{
    struct fixture *fx = calloc(1, sizeof *fx);

    *state = fx;
    no_proxies();
    return sr_agent_new("http://127.0.0.1:9", "gw-0001", &fx->agent) ||
           sr_agent_set_credentials(fx->agent, "t4711", "dev", "s3cr3t") ||
           sr_loop_new(&fx->loop) || sr_binary_new(fx->agent, &fx->binary) ||
           sr_http_new(fx->loop, NULL, &fx->http) ||
           sr_reporter_new_http(fx->agent, &fx->reporter) ||
           sr_push_new(fx->agent, &fx->push);
}

static int tear_down(void **state)
{
    struct fixture *fx = *state;

    sr_http_free(fx->http);
    sr_binary_free(fx->binary);
    sr_loop_free(fx->loop);
    sr_agent_free(fx->agent);
    free(fx);
    return 0;
}

/* In a child, so that a crash is one answer of many. */
static bool ends_well(pid_t pid)
{
    int status;

    return waitpid(pid, &status, 0) == pid && WIFEXITED(status) && !WEXITSTATUS(status);
}

#define HOLDS(expression)                                           \
    do {                                                            \
        pid_t pid = fork();                                         \
        if (!pid)                                                   \
            signal(SIGSEGV, SIG_DFL);                               \
        if (!pid)                                                   \
            _exit((expression) ? 0 : 1);                            \
        if (!ends_well(pid)) {                                      \
            print_message("not so, or a crash: %s\n", #expression); \
            fx->wrong++;                                            \
        }                                                           \
    } while (0)
#define REFUSED(call)  HOLDS((call) == SR_E_INVAL)
#define NOTHING(call)  HOLDS(((call), true))
#define IS_EMPTY(call) HOLDS(!*(call))

static void an_agents_functions_refuse_null(void **state)
{
    struct fixture *fx = *state;
    struct sr_agent *agent = fx->agent;
    const char *answer;
    char text[64];
    size_t len;

    REFUSED(sr_agent_new("http://h", "a", NULL));
    HOLDS(sr_agent_free(NULL) == NULL);
    HOLDS(*sr_agent_error(NULL));
    NOTHING(sr_agent_set_wait(NULL, 1));
    REFUSED(sr_agent_set_ca_file(NULL, "f"));
    REFUSED(sr_agent_bootstrap(NULL, "f"));
    REFUSED(sr_agent_bootstrap(agent, NULL));
    REFUSED(sr_agent_set_bootstrap_account(NULL, "t", "u", "p"));
    REFUSED(sr_agent_set_bootstrap_account(agent, NULL, "u", "p"));
    REFUSED(sr_agent_set_bootstrap_account(agent, "t", NULL, "p"));
    REFUSED(sr_agent_set_bootstrap_account(agent, "t", "u", NULL));
    NOTHING(sr_agent_set_bootstrap_poll(NULL, 1, 1));
    REFUSED(sr_agent_set_credentials(NULL, "t", "u", "p"));
    REFUSED(sr_agent_set_credentials(agent, NULL, "u", "p"));
    REFUSED(sr_agent_set_credentials(agent, "t", NULL, "p"));
    REFUSED(sr_agent_set_credentials(agent, "t", "u", NULL));
    REFUSED(sr_agent_integrate(NULL, "v", "10,100"));
    REFUSED(sr_agent_integrate(agent, NULL, "10,100"));
    NOTHING(sr_agent_on_integrate(NULL, NULL, NULL));
    REFUSED(sr_template_register(NULL, "v", "10,100"));
    REFUSED(sr_template_register(agent, NULL, "10,100"));
    REFUSED(sr_template_register(agent, "v", NULL));
    REFUSED(sr_agent_request(NULL, "x", "1", &answer, &len));
    REFUSED(sr_agent_request(agent, "x", NULL, &answer, &len));
    REFUSED(sr_agent_request(agent, "x", "1", NULL, &len));
    REFUSED(sr_agent_request(agent, "x", "1", &answer, NULL));
    IS_EMPTY(sr_agent_server(NULL));
    IS_EMPTY(sr_agent_device_id(NULL));
    IS_EMPTY(sr_agent_tenant(NULL));
    IS_EMPTY(sr_agent_username(NULL));
    IS_EMPTY(sr_agent_password(NULL));
    IS_EMPTY(sr_agent_xid(NULL));
    IS_EMPTY(sr_agent_id(NULL));
    REFUSED(sr_agent_set_xid(NULL, "x"));
    REFUSED(sr_agent_set_xid(agent, NULL));
    REFUSED(sr_agent_set_id(NULL, "1"));
    REFUSED(sr_agent_set_id(agent, NULL));
    REFUSED(sr_agent_send(NULL, "1", 0));
    REFUSED(sr_agent_send(agent, NULL, 0));
    REFUSED(sr_agent_sendf(NULL, "%s", "1"));
    REFUSED(sr_agent_sendf_prio(NULL, 0, "%s", "1"));
    REFUSED(sr_agent_send_with(NULL, "1", NULL));
    REFUSED(sr_agent_send_with(agent, NULL, NULL));
    REFUSED(sr_agent_on_message(NULL, 1, NULL, NULL));
    REFUSED(sr_agent_on_xmessage(NULL, "x", 1, NULL, NULL));
    REFUSED(sr_agent_on_xmessage(agent, NULL, 1, NULL, NULL));
    NOTHING(sr_agent_on_refused(NULL, NULL, NULL));
    NOTHING(sr_agent_on_connected(NULL, NULL, NULL));
    HOLDS(!sr_agent_take_operation(NULL, "1"));
    NOTHING(sr_agent_take_operation(agent, NULL));
    REFUSED(sr_agent_loop(NULL));
    NOTHING(sr_agent_stop(NULL));
    REFUSED(sr_agent_stop_on(NULL, 15));
    REFUSED(sr_agent_fd(NULL));
    HOLDS(sr_agent_timeout(NULL) < 0);
    REFUSED(sr_agent_dispatch(NULL));
    HOLDS(sr_agent_get_loop(NULL) == NULL);
    HOLDS(sr_agent_wakeups(NULL) == 0);
    REFUSED(sr_agent_set(NULL, "linger", "1"));
    REFUSED(sr_agent_set(agent, NULL, "1"));
    REFUSED(sr_agent_get(NULL, "linger", text, sizeof text));
    REFUSED(sr_agent_get(agent, NULL, text, sizeof text));
    REFUSED(sr_agent_get(agent, "linger", NULL, 1));
    REFUSED(sr_agent_open_outbox(NULL, "d"));
    REFUSED(sr_agent_open_outbox(agent, NULL));
    REFUSED(sr_agent_flush(NULL, 1));
    NOTHING(sr_agent_on_loss(NULL, NULL, NULL));
    NOTHING(sr_agent_on_trouble(NULL, NULL, NULL));
    assert_int_equal(fx->wrong, 0);
}

/* --- what the error says -------------------------------------------------------- */

/* The call fails, and what sr_agent_error() says then has `part`. */
#define SAYS(call, part)                                               \
    do {                                                               \
        sr_agent_set_id(agent, "");                                    \
        if (!(call) || !strstr(sr_agent_error(agent), part)) {         \
            print_message("%s: '%s'\n", #call, sr_agent_error(agent)); \
            fx->wrong++;                                               \
        }                                                              \
    } while (0)

static void each_failing_call_says_what_and_where(void **state)
{
    struct fixture *fx = *state;
    struct sr_agent *agent = fx->agent, *bare;
    struct sr_reporter *reporter;
    struct sr_binary *binary;
    struct sr_push *push;
    const char *answer;
    char text[64];
    size_t len;

    SAYS(sr_agent_set(agent, NULL, "1"), "setting");
    SAYS(sr_agent_set(agent, "linger", "x"), "linger");
    SAYS(sr_agent_set(agent, "lingr", "1"), "lingr");
    SAYS(sr_agent_get(agent, "lingr", text, sizeof text), "lingr");
    SAYS(sr_agent_get(agent, NULL, text, 1), "setting");
    SAYS(sr_agent_bootstrap(agent, NULL), "credentials file");
    SAYS(sr_agent_set_credentials(agent, NULL, "u", "p"), "credentials");
    SAYS(sr_agent_set_bootstrap_account(agent, NULL, "u", "p"), "bootstrap account");
    SAYS(sr_agent_integrate(agent, NULL, NULL), "templates");
    SAYS(sr_template_register(agent, NULL, NULL), "templates");
    SAYS(sr_agent_request(agent, "x", NULL, &answer, &len), "request");
    SAYS(sr_agent_set_xid(agent, NULL), "X-Id");
    SAYS(sr_agent_on_xmessage(agent, NULL, 1, NULL, NULL), "X-Id");
    SAYS(sr_agent_send(agent, NULL, 0), "row");
    SAYS(sr_agent_open_outbox(agent, NULL), "outbox");
    SAYS(sr_agent_open_outbox(agent, ""), "outbox");
    SAYS(sr_agent_flush(agent, 1), "flush");
    SAYS(sr_agent_stop_on(agent, 0), "signal 0");
    SAYS(sr_binary_new(agent, NULL), "binar");
    SAYS(sr_push_new(agent, &push), "push");
    SAYS(sr_push_start(fx->push), "push");
    SAYS(sr_reporter_new_http(agent, &reporter), "reporter");
    SAYS(sr_reporter_start(fx->reporter), "reporter");
    assert_int_equal(sr_agent_new("http://127.0.0.1:9", "a", &bare), 0);
    agent = bare;
    SAYS(sr_binary_new(bare, &binary), "no credentials");
    SAYS(sr_agent_request(bare, "x", "1", &answer, &len), "no credentials");
    sr_agent_free(bare);
    assert_int_equal(fx->wrong, 0);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        T(an_agents_functions_refuse_null),
        T(each_failing_call_says_what_and_where),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
