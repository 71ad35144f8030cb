/* SPDX-License-Identifier: MIT */
/* Bootstrap and integrate against servers that play scripts. */
#include "support/run.h"
#include "support/scripted_http.h"
#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <smartrest/smartrest.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
/* after what it needs */
#include <cmocka.h>

#define STEPS(...)             \
    (const struct http_step[]) \
    {                          \
        __VA_ARGS__            \
    }
#define SERVE(fx, ...) \
    serve(fx, STEPS(__VA_ARGS__), sizeof STEPS(__VA_ARGS__) / sizeof(struct http_step))

#define ACCEPTED "70,1,gw-0001,t4711,device_gw-0001,s3cr3t9xQ\n"
#define PENDING  "50,1,404,\"not accepted\"\n"

static const char templates[] =
    "10,100,GET,/identity/externalIds/c8y_Serial/%%,,application/json,%%,STRING,\n"
    "10,101,POST,/inventory/managedObjects,application/json,application/json,,,\"{}\"\n"
    "10,102,POST,/identity/globalIds/%%/externalIds,application/json,application/json,%%,"
    "UNSIGNED STRING,\"{\"\"externalId\"\":\"\"%%\"\",\"\"type\"\":\"\"c8y_Serial\"\"}\"\n"
    "11,500,$.managedObject,,$.id\n"
    "11,501,,$.c8y_IsDevice,$.id\n";

/* 101 with the device id in it. */
static const char named_templates[] =
    "10,101,POST,/inventory/managedObjects,application/json,application/json,%%,STRING,"
    "\"{\"\"name\"\":\"\"%%\"\"}\"\n";

struct fixture {
    struct sr_agent *agent;
    struct scripted_http *server;
    uint16_t port;
    char dir[64], path[128], log[2048];
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

    strcpy(fx->dir, "/tmp/agent_test.XXXXXX");
    if (!mkdtemp(fx->dir))
        return -1;
    snprintf(fx->path, sizeof fx->path, "%s/credentials", fx->dir);
    sr_log_set_sink(keep_log, fx);
    *state = fx;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *fx = *state;

    sr_agent_free(fx->agent);
    scripted_http_stop(fx->server);
    sr_log_set_sink(NULL, NULL);
    unlink(fx->path);
    rmdir(fx->path);
    snprintf(fx->path, sizeof fx->path, "%s/credentials.templates", fx->dir);
    unlink(fx->path);
    rmdir(fx->dir);
    free(fx);
    return 0;
}

static void make_agent(struct fixture *fx, const char *device_id)
{
    char url[64];

    snprintf(url, sizeof url, "http://127.0.0.1:%u", (unsigned)fx->port);
    assert_int_equal(sr_agent_new(url, device_id, &fx->agent), 0);
    sr_agent_set_bootstrap_poll(fx->agent, 100, 0);
}

static void serve(struct fixture *fx, const struct http_step *steps, size_t count)
{
    fx->server = scripted_http_start(0, steps, count);
    fx->port = scripted_http_port(fx->server);
    make_agent(fx, "gw-0001");
}

static int bootstrap(struct fixture *fx)
{
    return sr_agent_bootstrap(fx->agent, fx->path);
}

static void error_says(struct fixture *fx, const char *text)
{
    if (!strstr(sr_agent_error(fx->agent), text))
        fail_msg("'%s' is not in '%s'", text, sr_agent_error(fx->agent));
    assert_null(strstr(sr_agent_error(fx->agent), "s3cr3t"));
    assert_null(strstr(sr_agent_error(fx->agent), "Fhdt1bb1f"));
}

static void request_was(struct fixture *fx, unsigned i, const char *body)
{
    const char *sent = scripted_http_body(fx->server, i);

    assert_non_null(sent);
    assert_string_equal(sent, body);
}

static void write_file(struct fixture *fx, const char *text)
{
    FILE *file = fopen(fx->path, "w");

    fputs(text, file);
    fclose(file);
}

static void file_is(struct fixture *fx, const char *text)
{
    char bytes[200] = "";
    FILE *file = fopen(fx->path, "r");

    assert_non_null(file);
    bytes[fread(bytes, 1, sizeof bytes - 1, file)] = '\0';
    fclose(file);
    assert_string_equal(bytes, text);
}

/* --- bootstrap ----------------------------------------------------------- */

static void credentials_are_asked_for_and_stored(void **state)
{
    struct fixture *fx = *state;

    SERVE(fx, { HTTP_ANSWER, 200, ACCEPTED });
    assert_string_equal(sr_agent_username(fx->agent), "");
    assert_int_equal(bootstrap(fx), 0);
    assert_string_equal(sr_agent_tenant(fx->agent), "t4711");
    assert_string_equal(sr_agent_username(fx->agent), "device_gw-0001");
    assert_string_equal(sr_agent_password(fx->agent), "s3cr3t9xQ");
    file_is(fx, "t4711\ndevice_gw-0001\ns3cr3t9xQ\n");
    request_was(fx, 0, "61,gw-0001");
    assert_non_null(strstr(scripted_http_head(fx->server, 0),
                           "Basic bWFuYWdlbWVudC9kZXZpY2Vib290c3RyYXA6RmhkdDFiYjFm"));
    assert_null(strstr(fx->log, "s3cr3t"));
}

static void stored_credentials_need_no_server(void **state)
{
    struct fixture *fx = *state;

    fx->port = free_port();
    make_agent(fx, "gw-0001");
    write_file(fx, "t1\nuser\npass word\n");
    assert_int_equal(bootstrap(fx), 0);
    assert_string_equal(sr_agent_password(fx->agent), "pass word");
}

static void asks_until_the_device_is_accepted(void **state)
{
    struct fixture *fx = *state;

    SERVE(fx, { HTTP_ANSWER, 200, PENDING }, { HTTP_ANSWER, 200, "" },
          { HTTP_ANSWER, 200, PENDING }, { HTTP_SPLIT, 200, ACCEPTED });
    assert_int_equal(bootstrap(fx), 0);
    assert_int_equal(scripted_http_requests(fx->server), 4);
    assert_non_null(strstr(fx->log, "waiting for device 'gw-0001'"));
}

static void credentials_of_others_and_incomplete_ones_are_ignored(void **state)
{
    struct fixture *fx = *state;

    SERVE(fx, { HTTP_ANSWER, 200, "70,1,another,t1,u1,p1\n" },
          { HTTP_ANSWER, 200, "70,1,gw-0001,t1,u1\n" },
          { HTTP_ANSWER, 200, "70\n70,\n70,1" },
          { HTTP_ANSWER, 200, "70,1,gw-0001,t1,u1,\"line\nend\"" },
          { HTTP_ANSWER, 200, "70,1,gw-0001,t1,,p1" },
          { HTTP_ANSWER, 200, "70,1,gw-0001,t1,u1,p1,more" },
          { HTTP_ANSWER, 200, "70,1,gw-0001,t1,u1,\"p1 \"" },
          { HTTP_ANSWER, 200, "70,1,gw-0001,\"" },
          { HTTP_ANSWER, 200, "70,1,another,t1,u1,p1\nnonsense\n" ACCEPTED });
    assert_int_equal(bootstrap(fx), 0);
    assert_string_equal(sr_agent_tenant(fx->agent), "t4711");
    assert_int_equal(scripted_http_requests(fx->server), 9);
}

static void credentials_that_cannot_be_taken_are_named(void **state)
{
    static const struct {
        const char *row, *reason; /* `~` is a NUL byte */
    } cases[] = {
        {"70,1,another,t1,u1,p1",       "for another device"                    },
        { "70,1,gw-0001~x,t1,u1,p1",    "for another device"                    },
        { "70,1,gw-0001,t1,u1",         "fewer or more than six values"         },
        { "70,1,gw-0001,t1,u1,p1,p2",   "fewer or more than six values"         },
        { "70,1,gw-0001,,u1,p1",        "the tenant is empty"                   },
        { "70,1,gw-0001,t1,u1,\"p\t\"", "the password holds a control character"},
        { "70,1,gw-0001,t1,u1,p~q",     "the password holds a NUL byte"         },
        { "70,1,gw-0001,t1,u~v,p1",     "the user holds a NUL byte"             },
    };
    struct fixture *fx = *state;

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const struct http_step step = { HTTP_NULS, 200, cases[i].row };

        serve(fx, &step, 1);
        sr_agent_set_bootstrap_poll(fx->agent, 100, 2);
        assert_int_equal(bootstrap(fx), SR_E_TIMEOUT);
        error_says(fx, cases[i].reason);
        fx->agent = sr_agent_free(fx->agent);
        scripted_http_stop(fx->server);
        fx->server = NULL;
    }
}

static void quoted_credentials_are_unquoted(void **state)
{
    struct fixture *fx = *state;

    SERVE(fx, { HTTP_ANSWER, 200, "70,1,gw-0001,t1,u1,\"p, \"\"w\"\"\"" });
    assert_int_equal(bootstrap(fx), 0);
    assert_string_equal(sr_agent_password(fx->agent), "p, \"w\"");
    file_is(fx, "t1\nu1\np, \"w\"\n");
}

static void a_refused_bootstrap_account_ends_it(void **state)
{
    static const char *const answers[] = { "50,1,401,\"no\"\n", "50,1,403\n" };
    struct fixture *fx = *state;

    for (int i = 0; i < 2; i++) {
        SERVE(fx, { HTTP_ANSWER, 200, answers[i] });
        assert_int_equal(bootstrap(fx), SR_E_AUTH);
        error_says(fx, "bootstrap account");
        fx->agent = sr_agent_free(fx->agent);
        scripted_http_stop(fx->server);
    }
    SERVE(fx, { HTTP_ANSWER, 401, "50,1,401\n" });
    assert_int_equal(bootstrap(fx), SR_E_AUTH);
    error_says(fx, "401");
}

static void another_bootstrap_account_can_be_set(void **state)
{
    struct fixture *fx = *state;

    SERVE(fx, { HTTP_ANSWER, 200, ACCEPTED });
    assert_int_equal(sr_agent_set_bootstrap_account(fx->agent, "t", "", "p"),
                     SR_E_INVAL);
    assert_int_equal(sr_agent_set_bootstrap_account(fx->agent, "t", "u", "p"), 0);
    assert_int_equal(bootstrap(fx), 0);
    assert_non_null(strstr(scripted_http_head(fx->server, 0), "Basic dC91OnA="));
}

static void attempts_can_be_limited(void **state)
{
    struct fixture *fx = *state;

    SERVE(fx, { HTTP_ANSWER, 200, PENDING });
    sr_agent_set_bootstrap_poll(fx->agent, 100, 3);
    assert_int_equal(bootstrap(fx), SR_E_TIMEOUT);
    assert_int_equal(scripted_http_requests(fx->server), 3);
    error_says(fx, "asked 3 times");
}

static void a_damaged_file_is_reported_and_asked_for_anew(void **state)
{
    struct fixture *fx = *state;

    write_file(fx, "t4711\nonly two lines");
    SERVE(fx, { HTTP_ANSWER, 200, ACCEPTED });
    assert_int_equal(bootstrap(fx), 0);
    assert_non_null(strstr(fx->log, "damaged"));
    assert_non_null(strstr(fx->log, fx->path));
    file_is(fx, "t4711\ndevice_gw-0001\ns3cr3t9xQ\n");
}

static void a_path_that_cannot_be_written_is_found_out_before_asking(void **state)
{
    struct fixture *fx = *state;

    SERVE(fx, { HTTP_ANSWER, 200, ACCEPTED });
    assert_int_equal(sr_agent_bootstrap(fx->agent, "/nowhere/at/all"), SR_E_IO);
    error_says(fx, "/nowhere/at/all");
    error_says(fx, "No such file or directory");
    mkdir(fx->path, 0700);
    assert_int_equal(bootstrap(fx), SR_E_IO);
    error_says(fx, "directory");
    assert_int_equal(sr_agent_bootstrap(fx->agent, NULL), SR_E_INVAL);
    assert_int_equal(sr_agent_bootstrap(fx->agent, ""), SR_E_INVAL);
    assert_int_equal(sr_agent_bootstrap(NULL, fx->path), SR_E_INVAL);
    assert_int_equal(scripted_http_requests(fx->server), 0);
}

static void bad_servers_and_device_ids_are_named(void **state)
{
    static const char *const servers[] = {
        "", "localhost", "ftp://host", "http://", "mqtt://host", "http://host:99999"
    };
    static const char *const ids[] = { "", "a/b", "a b", "a:b", "a\nb", "a#" };
    struct fixture *fx = *state;

    for (size_t i = 0; i < sizeof servers / sizeof *servers; i++) {
        assert_int_equal(sr_agent_new(servers[i], "gw", &fx->agent), 0);
        assert_int_equal(bootstrap(fx), SR_E_INVAL);
        error_says(fx, "server");
        error_says(fx, servers[i]);
        fx->agent = sr_agent_free(fx->agent);
    }
    for (size_t i = 0; i < sizeof ids / sizeof *ids; i++) {
        assert_int_equal(sr_agent_new("http://h", ids[i], &fx->agent), 0);
        assert_int_equal(bootstrap(fx), SR_E_INVAL);
        error_says(fx, "device id");
        fx->agent = sr_agent_free(fx->agent);
    }
}

static void a_password_in_a_url_is_not_repeated(void **state)
{
    struct fixture *fx = *state;
    struct sr_reporter *reporter;

    assert_int_equal(sr_agent_new("http://user:s3cr3t@host", "gw", &fx->agent), 0);
    assert_int_equal(bootstrap(fx), SR_E_INVAL);
    error_says(fx, "server");
    assert_int_equal(
        sr_reporter_new_mqtt(fx->agent, "mqtt://user:s3cr3t@host", &reporter),
        SR_E_INVAL);
    error_says(fx, "broker");
}

static void a_reporter_may_be_made_before_bootstrap(void **state)
{
    struct fixture *fx = *state;
    struct sr_reporter *reporter;

    SERVE(fx, { HTTP_ANSWER, 200, ACCEPTED });
    assert_int_equal(sr_reporter_new_http(fx->agent, &reporter), 0);
    assert_int_equal(sr_reporter_start(reporter), SR_E_STATE);
    assert_int_equal(bootstrap(fx), 0);
}

/* --- networks that fail ---------------------------------------------------- */

/* Plays the network that comes up once the agent has found it missing. */
static void come_up(enum sr_log_level level, const char *component, const char *text,
                    void *arg)
{
    static const struct http_step step = { HTTP_ANSWER, 200, ACCEPTED };
    struct fixture *fx = arg;

    (void)level, (void)component;
    if (strstr(text, "trying again") && !fx->server)
        fx->server = scripted_http_start(fx->port, &step, 1);
}

static void started_before_its_server_it_gets_there_when_the_server_does(void **state)
{
    struct fixture *fx = *state;

    sr_log_set_sink(come_up, fx);
    fx->port = free_port();
    make_agent(fx, "gw-0001");
    assert_int_equal(bootstrap(fx), 0);
}

static void failing_servers_are_tried_again(void **state)
{
    struct fixture *fx = *state;

    SERVE(fx, { HTTP_CLOSE, 0, NULL }, { HTTP_SLAM, 0, NULL },
          { HTTP_ANSWER, 503, "busy" }, { HTTP_RAW, 0, "garbage\r\n\r\n" },
          { HTTP_TRUNCATED, 200, ACCEPTED }, { HTTP_ANSWER, 429, "" },
          { HTTP_ANSWER, 200, ACCEPTED });
    assert_int_equal(bootstrap(fx), 0);
    assert_non_null(strstr(fx->log, "503"));
}

static void gives_up_when_the_time_to_wait_is_over(void **state)
{
    struct fixture *fx = *state;
    uint64_t began = now_ms();

    fx->port = free_port();
    make_agent(fx, "gw-0001");
    sr_agent_set_wait(fx->agent, 300);
    assert_int_equal(bootstrap(fx), SR_E_UNREACHABLE);
    error_says(fx, "127.0.0.1");
    assert_in_range(now_ms() - began, 300, 20 * 1000);
}

static void a_silent_server_counts_as_unreachable(void **state)
{
    struct fixture *fx = *state;
    uint64_t began = now_ms();

    SERVE(fx, { HTTP_SILENT, 0, NULL });
    sr_agent_set_wait(fx->agent, 500);
    assert_int_equal(bootstrap(fx), SR_E_UNREACHABLE);
    assert_in_range(now_ms() - began, 500, 20 * 1000);
}

static void an_endless_answer_is_too_big(void **state)
{
    struct fixture *fx = *state;

    SERVE(fx, { HTTP_ENDLESS, 0, NULL });
    assert_int_equal(bootstrap(fx), SR_E_TOOBIG);
    error_says(fx, "limit");
}

static void a_name_that_does_not_resolve_is_tried_again(void **state)
{
    struct fixture *fx = *state;

    assert_int_equal(sr_agent_new("http://no-such-host.invalid", "gw", &fx->agent), 0);
    sr_agent_set_wait(fx->agent, 300);
    assert_int_equal(bootstrap(fx), SR_E_UNREACHABLE);
    error_says(fx, "no-such-host.invalid");
}

/* --- stopping ---------------------------------------------------------------- */

struct stopper {
    struct sr_agent *agent;
    struct scripted_http *server;
    unsigned after; /* requests */
};

static void *stop_after(void *arg)
{
    struct stopper *stopper = arg;
    uint64_t give_up = now_ms() + 30000;

    while (stopper->server &&
           scripted_http_requests(stopper->server) < stopper->after &&
           now_ms() < give_up)
        sched_yield();
    sr_agent_stop(stopper->agent);
    return NULL;
}

static void stops(struct fixture *fx, unsigned after)
{
    struct stopper stopper = { fx->agent, fx->server, after };
    pthread_t thread;
    uint64_t began = now_ms();

    pthread_create(&thread, NULL, stop_after, &stopper);
    assert_int_equal(bootstrap(fx), SR_E_STOPPED);
    pthread_join(thread, NULL);
    assert_true(now_ms() - began < 20 * 1000); /* a request's time is 30 s */
    fx->agent = sr_agent_free(fx->agent);
    scripted_http_stop(fx->server);
    fx->server = NULL;
}

static void bootstrap_can_be_stopped_at_any_moment(void **state)
{
    struct fixture *fx = *state;

    SERVE(fx, { HTTP_SILENT, 0, NULL });
    stops(fx, 0);
    SERVE(fx, { HTTP_SILENT, 0, NULL });
    stops(fx, 1);
    SERVE(fx, { HTTP_ANSWER, 200, PENDING });
    sr_agent_set_bootstrap_poll(fx->agent, 60000, 0); /* in the pause */
    stops(fx, 1);
    SERVE(fx, { HTTP_ANSWER, 503, "" }); /* in the back-off */
    stops(fx, 2);
    fx->port = free_port();
    make_agent(fx, "gw-0001");
    stops(fx, 0);
    assert_int_equal(access(fx->path, F_OK), -1);
}

static void stopped_before_it_begins_it_returns_at_once(void **state)
{
    struct fixture *fx = *state;

    SERVE(fx, { HTTP_ANSWER, 200, ACCEPTED });
    sr_agent_stop(fx->agent);
    assert_int_equal(bootstrap(fx), SR_E_STOPPED);
    assert_int_equal(bootstrap(fx), 0);
}

static void free_it(struct sr_agent *agent, struct sr_timer *timer, void *arg)
{
    struct fixture *fx = arg;

    (void)timer;
    if (scripted_http_requests(fx->server))
        fx->agent = sr_agent_free(agent);
}

static void may_be_freed_in_a_callback_while_a_request_is_in_flight(void **state)
{
    struct fixture *fx = *state;
    struct sr_timer *timer;

    SERVE(fx, { HTTP_SILENT, 0, NULL });
    sr_timer_new(fx->agent, 1, free_it, fx, &timer);
    sr_timer_start(timer);
    assert_int_equal(bootstrap(fx), SR_E_STOPPED);
    assert_null(fx->agent);
}

/* --- integrate ----------------------------------------------------------------- */

static void know_credentials(struct fixture *fx)
{
    assert_int_equal(
        sr_agent_set_credentials(fx->agent, "t4711", "device_gw-0001", "s3cr3t9xQ"), 0);
}

static int integrate_with(struct fixture *fx, const char *rows)
{
    know_credentials(fx);
    return sr_agent_integrate(fx->agent, "com.acme.gw-v1", rows);
}

static int integrate(struct fixture *fx)
{
    return integrate_with(fx, templates);
}

static void a_known_device_with_known_templates_takes_two_requests(void **state)
{
    struct fixture *fx = *state;

    SERVE(fx, { HTTP_ANSWER, 200, "20,24830\n" },
          { HTTP_ANSWER, 200, "500,1,24871\n" });
    assert_int_equal(integrate(fx), 0);
    assert_string_equal(sr_agent_xid(fx->agent), "24830");
    assert_string_equal(sr_agent_id(fx->agent), "24871");
    request_was(fx, 0, "");
    assert_non_null(
        strstr(scripted_http_head(fx->server, 0), "\r\nX-Id: com.acme.gw-v1\r\n"));
    assert_non_null(strstr(scripted_http_head(fx->server, 0),
                           "Basic dDQ3MTEvZGV2aWNlX2d3LTAwMDE6czNjcjN0OXhR"));
    request_was(fx, 1, "100,gw-0001");
    assert_non_null(strstr(scripted_http_head(fx->server, 1), "\r\nX-Id: 24830\r\n"));
    assert_int_equal(scripted_http_requests(fx->server), 2);
}

static void unknown_templates_are_registered(void **state)
{
    struct fixture *fx = *state;

    SERVE(fx, { HTTP_ANSWER, 200, "40,\"No template for this X-ID.\"\n" },
          { HTTP_ANSWER, 200, "20,24830\n" }, { HTTP_ANSWER, 200, "500,1,24871\n" });
    assert_int_equal(integrate(fx), 0);
    request_was(fx, 1, templates);
}

static void templates_that_another_device_registered_meanwhile_are_fine(void **state)
{
    struct fixture *fx = *state;

    SERVE(
        fx, { HTTP_ANSWER, 200, "40,x\n" },
        { HTTP_ANSWER, 200, "41,1,\"Cannot create templates for already existing\"\n" },
        { HTTP_ANSWER, 200, "20,24830\n" }, { HTTP_ANSWER, 200, "500,1,24871\n" });
    assert_int_equal(integrate(fx), 0);
    assert_string_equal(sr_agent_xid(fx->agent), "24830");
}

/* A start of the program: a new agent that finds its credentials in the file. */
static void start_with(struct fixture *fx, const char *rows)
{
    sr_agent_free(fx->agent);
    fx->log[0] = '\0';
    make_agent(fx, "gw-0001");
    assert_int_equal(bootstrap(fx), 0);
    assert_int_equal(sr_agent_integrate(fx->agent, "com.acme.gw-v1", rows), 0);
}

static void templates_that_changed_under_their_name_are_warned_of(void **state)
{
    static const char warning[] = "templates com.acme.gw-v1 have changed";
    struct fixture *fx = *state;
    char crlf[sizeof templates + 8];

    SERVE(fx, { HTTP_ANSWER, 200, "40,x\n" }, { HTTP_ANSWER, 200, "20,24830\n" },
          { HTTP_ANSWER, 200, "500,1,24871\n" }, { HTTP_ANSWER, 200, "20,24830\n" },
          { HTTP_ANSWER, 200, "500,1,24871\n" }, { HTTP_ANSWER, 200, "20,24830\n" },
          { HTTP_ANSWER, 200, "500,1,24871\n" }, { HTTP_ANSWER, 200, "20,24830\n" },
          { HTTP_ANSWER, 200, "500,1,24871\n" }, { HTTP_ANSWER, 200, "40,x\n" },
          { HTTP_ANSWER, 200, "20,24831\n" }, { HTTP_ANSWER, 200, "500,1,24871\n" },
          { HTTP_ANSWER, 200, "20,24831\n" }, { HTTP_ANSWER, 200, "500,1,24871\n" });
    write_file(fx, "t4711\ndevice_gw-0001\ns3cr3t9xQ\n");
    start_with(fx, templates); /* registered */
    assert_null(strstr(fx->log, warning));
    snprintf(crlf, sizeof crlf, "%s\r\n", templates);
    start_with(fx, crlf); /* the same ones */
    assert_null(strstr(fx->log, warning));
    start_with(fx, named_templates);
    assert_non_null(strstr(fx->log, warning));
    start_with(fx, named_templates); /* and again, as long as it is so */
    assert_non_null(strstr(fx->log, warning));
    start_with(fx, named_templates); /* the collection was deleted: registered anew */
    assert_null(strstr(fx->log, warning));
    start_with(fx, named_templates);
    assert_null(strstr(fx->log, warning));
}

static void refused_templates_are_explained_in_the_platforms_words(void **state)
{
    struct fixture *fx = *state;

    SERVE(fx, { HTTP_ANSWER, 200, "40,x\n" },
          { HTTP_ANSWER, 200, "41,3,\"Bad request template definition\"\n" },
          { HTTP_ANSWER, 200, "40,x\n" });
    assert_int_equal(integrate(fx), SR_E_REFUSED);
    error_says(fx, "Bad request template definition");
    assert_string_equal(sr_agent_xid(fx->agent), "");
}

static void an_unknown_device_is_created_and_bound(void **state)
{
    struct fixture *fx = *state;

    SERVE(fx, { HTTP_ANSWER, 200, "20,24830\n" }, { HTTP_ANSWER, 200, "50,1,404,x\n" },
          { HTTP_ANSWER, 200, "501,1,24871\n" }, { HTTP_ANSWER, 200, "" });
    assert_int_equal(integrate(fx), 0);
    assert_string_equal(sr_agent_id(fx->agent), "24871");
    request_was(fx, 2, "101");
    request_was(fx, 3, "102,24871,gw-0001");
}

static void row_101_has_the_device_id_if_its_template_has_a_place_for_it(void **state)
{
    struct fixture *fx = *state;

    SERVE(fx, { HTTP_ANSWER, 200, "20,24830\n" }, { HTTP_ANSWER, 200, "50,1,404\n" },
          { HTTP_ANSWER, 200, "501,1,24871\n" }, { HTTP_ANSWER, 200, "" });
    fx->agent = sr_agent_free(fx->agent);
    make_agent(fx, "gw,\"1\"");
    assert_int_equal(integrate_with(fx, named_templates), 0);
    request_was(fx, 1, "100,\"gw,\"\"1\"\"\"");
    request_was(fx, 2, "101,\"gw,\\\"\"1\\\"\"\"");
    request_was(fx, 3, "102,24871,\"gw,\\\"\"1\\\"\"\"");
}

static void row_101_with_more_arguments_needs_a_flow_of_ones_own(void **state)
{
    struct fixture *fx = *state;

    SERVE(fx, { HTTP_ANSWER, 200, "20,24830\n" }, { HTTP_ANSWER, 200, "50,1,404\n" });
    assert_int_equal(integrate_with(fx, "10,101,POST,/x,a,a,%%,,\"%%%%%%\"\n"),
                     SR_E_INVAL);
    error_says(fx, "takes 3 values");
    assert_int_equal(scripted_http_requests(fx->server), 2);
}

static void a_binding_whose_answer_was_lost_is_found_again(void **state)
{
    struct fixture *fx = *state;

    SERVE(fx, { HTTP_ANSWER, 200, "20,24830\n" }, { HTTP_ANSWER, 200, "50,1,404\n" },
          { HTTP_ANSWER, 200, "501,1,24871\n" }, { HTTP_CLOSE, 0, NULL },
          { HTTP_ANSWER, 200, "50,1,409,\"already bound\"\n" },
          { HTTP_ANSWER, 200, "500,1,24871\n" });
    assert_int_equal(integrate(fx), 0);
    assert_string_equal(sr_agent_id(fx->agent), "24871");
}

static void a_refused_binding_is_an_error(void **state)
{
    struct fixture *fx = *state;

    SERVE(fx, { HTTP_ANSWER, 200, "20,24830\n" }, { HTTP_ANSWER, 200, "50,1,404\n" },
          { HTTP_ANSWER, 200, "501,1,24871\n" },
          { HTTP_ANSWER, 200, "50,1,422,\"no such type\"\n" },
          { HTTP_ANSWER, 200, "50,1,404\n" });
    assert_int_equal(integrate(fx), SR_E_REFUSED);
    error_says(fx, "no such type");
}

static void a_device_is_created_on_404_and_nothing_else(void **state)
{
    static const struct {
        const char *answer;
        int rc;
    } cases[] = {
        {"50,1,401,\"no\"\n",                      SR_E_AUTH   },
        { "50,1,403\n",                            SR_E_AUTH   },
        { "50,1,422,x\n",                          SR_E_REFUSED},
        { "45,1,\"Wrong number of arguments\"\n",  SR_E_REFUSED},
        { "43,1,\"Invalid message identifier\"\n", SR_E_REFUSED},
        { "",                                      SR_E_PROTO  },
        { "501,1,24871\n",                         SR_E_PROTO  },
        { "500,1\n",                               SR_E_PROTO  },
        { "500,1,\"24 871\"\n",                    SR_E_PROTO  },
        { "500,1,24871~2\n",                       SR_E_PROTO  },
        { "500,1,24871\xff\n",                     SR_E_PROTO  },
    };
    struct fixture *fx = *state;

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        SERVE(fx, { HTTP_ANSWER, 200, "20,24830\n" },
              { HTTP_NULS, 200, cases[i].answer });
        assert_int_equal(integrate(fx), cases[i].rc);
        assert_int_equal(scripted_http_requests(fx->server), 2);
        assert_string_equal(sr_agent_id(fx->agent), "");
        error_says(fx, "100");
        fx->agent = sr_agent_free(fx->agent);
        scripted_http_stop(fx->server);
        fx->server = NULL;
    }
}

static void an_id_that_is_too_long_is_not_cut(void **state)
{
    struct fixture *fx = *state;
    static char answer[400] = "20,"; /* outlives the server */

    memset(answer + 3, '1', 300);
    SERVE(fx, { HTTP_ANSWER, 200, answer });
    assert_int_equal(integrate(fx), SR_E_PROTO);
    assert_string_equal(sr_agent_xid(fx->agent), "");
}

static void an_xid_with_a_nul_byte_is_not_cut(void **state)
{
    struct fixture *fx = *state;

    SERVE(fx, { HTTP_NULS, 200, "20,248~30\n" });
    assert_int_equal(integrate(fx), SR_E_PROTO);
    error_says(fx, "template check");
    assert_string_equal(sr_agent_xid(fx->agent), "");
}

static void an_answer_without_a_word_about_the_templates_is_a_broken_protocol(
    void **state)
{
    struct fixture *fx = *state;

    SERVE(fx, { HTTP_ANSWER, 200, "500,1,a\n" });
    assert_int_equal(integrate(fx), SR_E_PROTO);
    error_says(fx, "template check");
}

static void a_platform_that_fails_is_asked_again(void **state)
{
    struct fixture *fx = *state;

    SERVE(fx, { HTTP_ANSWER, 500, "" }, { HTTP_ANSWER, 200, "50,1,503,\"busy\"\n" },
          { HTTP_ANSWER, 200, "20,24830\n" }, { HTTP_ANSWER, 200, "50,1,500\n" },
          { HTTP_ANSWER, 200, "500,1,24871\n" });
    assert_int_equal(integrate(fx), 0);
    assert_int_equal(scripted_http_requests(fx->server), 5);
}

static void a_platform_that_goes_on_failing_is_given_up(void **state)
{
    struct fixture *fx = *state;

    SERVE(fx, { HTTP_ANSWER, 200, "50,1,503,\"busy\"\n" });
    sr_agent_set_wait(fx->agent, 300);
    assert_int_equal(integrate(fx), SR_E_UNREACHABLE);
    error_says(fx, "503");
}

static void refused_credentials_end_it(void **state)
{
    struct fixture *fx = *state;

    SERVE(fx, { HTTP_ANSWER, 401, "50,1,401\n" });
    assert_int_equal(integrate(fx), SR_E_AUTH);
    fx->agent = sr_agent_free(fx->agent);
    scripted_http_stop(fx->server);
    SERVE(fx, { HTTP_ANSWER, 200, "50,1,401\n" });
    assert_int_equal(integrate(fx), SR_E_AUTH);
    error_says(fx, "t4711/device_gw-0001");
}

static void integrate_needs_credentials_and_templates(void **state)
{
    struct fixture *fx = *state;

    fx->port = free_port();
    make_agent(fx, "gw-0001");
    assert_int_equal(sr_agent_integrate(fx->agent, "v", templates), SR_E_STATE);
    know_credentials(fx);
    assert_int_equal(sr_agent_integrate(fx->agent, "", templates), SR_E_INVAL);
    assert_int_equal(sr_agent_integrate(fx->agent, NULL, templates), SR_E_INVAL);
    assert_int_equal(sr_agent_integrate(fx->agent, "v", NULL), SR_E_INVAL);
    assert_int_equal(sr_agent_integrate(fx->agent, "v\r", templates), SR_E_INVAL);
    assert_int_equal(sr_agent_integrate(NULL, "v", templates), SR_E_INVAL);
}

static int own_flow(struct sr_agent *agent, const char *srversion,
                    const char *srtemplate, void *arg)
{
    const char *answer;
    size_t len;
    int rc = sr_template_register(agent, srversion, srtemplate);

    if (!rc)
        rc = sr_agent_request(agent, sr_agent_xid(agent), "300", &answer, &len);
    if (rc)
        return rc;
    assert_string_equal(answer, "700,1,4711\n");
    assert_int_equal(len, strlen(answer));
    sr_agent_set_id(agent, "4711");
    return *(int *)arg;
}

static void a_flow_of_ones_own_takes_the_standards_place(void **state)
{
    struct fixture *fx = *state;
    int rc = 0;

    SERVE(fx, { HTTP_ANSWER, 200, "20,24830\n" }, { HTTP_ANSWER, 200, "700,1,4711\n" },
          { HTTP_ANSWER, 200, "20,24830\n" }, { HTTP_ANSWER, 200, "700,1,4711\n" });
    sr_agent_on_integrate(fx->agent, own_flow, &rc);
    assert_int_equal(integrate(fx), 0);
    assert_string_equal(sr_agent_id(fx->agent), "4711");
    rc = SR_E_REFUSED;
    assert_int_equal(integrate(fx), SR_E_REFUSED);
}

static void integrate_can_be_stopped(void **state)
{
    for (unsigned after = 0; after < 4; after++) {
        struct fixture *fx = *state;
        struct stopper stopper;
        pthread_t thread;
        struct http_step steps[5] = {
            {HTTP_ANSWER,  200, "40,x\n"    },
            { HTTP_ANSWER, 200, "20,24830\n"},
            { HTTP_ANSWER, 200, "50,1,404\n"},
            { HTTP_SILENT, 0,   NULL        }
        };

        if (after)
            steps[after - 1].how = HTTP_SILENT;
        serve(fx, steps, 4);
        stopper = (struct stopper){ fx->agent, fx->server, after };
        pthread_create(&thread, NULL, stop_after, &stopper);
        assert_int_equal(integrate(fx), SR_E_STOPPED);
        pthread_join(thread, NULL);
        fx->agent = sr_agent_free(fx->agent);
        scripted_http_stop(fx->server);
        fx->server = NULL;
    }
}

static void requests_have_clear_errors(void **state)
{
    struct fixture *fx = *state;
    const char *answer = "untouched";
    size_t len = 7;

    SERVE(fx, { HTTP_ANSWER, 422, "42,1,no\n" }, { HTTP_ANSWER, 200, "500,1\n" });
    assert_int_equal(sr_agent_request(fx->agent, NULL, "1", &answer, &len), SR_E_STATE);
    know_credentials(fx);
    assert_int_equal(sr_agent_request(fx->agent, NULL, "1", &answer, &len),
                     SR_E_REFUSED);
    assert_string_equal(answer, "untouched");
    assert_int_equal(sr_agent_request(fx->agent, "a\nb", "1", &answer, &len),
                     SR_E_INVAL);
    assert_int_equal(sr_agent_request(fx->agent, NULL, "1", &answer, &len), 0);
    assert_string_equal(answer, "500,1\n");
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(credentials_are_asked_for_and_stored),
        TEST(stored_credentials_need_no_server),
        TEST(asks_until_the_device_is_accepted),
        TEST(credentials_of_others_and_incomplete_ones_are_ignored),
        TEST(credentials_that_cannot_be_taken_are_named),
        TEST(quoted_credentials_are_unquoted),
        TEST(a_refused_bootstrap_account_ends_it),
        TEST(another_bootstrap_account_can_be_set),
        TEST(attempts_can_be_limited),
        TEST(a_damaged_file_is_reported_and_asked_for_anew),
        TEST(a_path_that_cannot_be_written_is_found_out_before_asking),
        TEST(bad_servers_and_device_ids_are_named),
        TEST(a_password_in_a_url_is_not_repeated),
        TEST(a_reporter_may_be_made_before_bootstrap),
        TEST(started_before_its_server_it_gets_there_when_the_server_does),
        TEST(failing_servers_are_tried_again),
        TEST(gives_up_when_the_time_to_wait_is_over),
        TEST(a_silent_server_counts_as_unreachable),
        TEST(an_endless_answer_is_too_big),
        TEST(a_name_that_does_not_resolve_is_tried_again),
        TEST(bootstrap_can_be_stopped_at_any_moment),
        TEST(stopped_before_it_begins_it_returns_at_once),
        TEST(may_be_freed_in_a_callback_while_a_request_is_in_flight),
        TEST(a_known_device_with_known_templates_takes_two_requests),
        TEST(unknown_templates_are_registered),
        TEST(templates_that_another_device_registered_meanwhile_are_fine),
        TEST(templates_that_changed_under_their_name_are_warned_of),
        TEST(refused_templates_are_explained_in_the_platforms_words),
        TEST(an_unknown_device_is_created_and_bound),
        TEST(row_101_has_the_device_id_if_its_template_has_a_place_for_it),
        TEST(row_101_with_more_arguments_needs_a_flow_of_ones_own),
        TEST(a_binding_whose_answer_was_lost_is_found_again),
        TEST(a_refused_binding_is_an_error),
        TEST(a_device_is_created_on_404_and_nothing_else),
        TEST(an_id_that_is_too_long_is_not_cut),
        TEST(an_xid_with_a_nul_byte_is_not_cut),
        TEST(an_answer_without_a_word_about_the_templates_is_a_broken_protocol),
        TEST(a_platform_that_fails_is_asked_again),
        TEST(a_platform_that_goes_on_failing_is_given_up),
        TEST(refused_credentials_end_it),
        TEST(integrate_needs_credentials_and_templates),
        TEST(a_flow_of_ones_own_takes_the_standards_place),
        TEST(integrate_can_be_stopped),
        TEST(requests_have_clear_errors),
    };

    no_proxies();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
