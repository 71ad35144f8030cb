/* SPDX-License-Identifier: MIT */
#include "reporter/fixture.h"

#if defined(__SANITIZE_THREAD__)
/* libmosquitto takes its locks in more than one order, here all in one thread. A thread that connects, and
 * was abandoned, may get the number of a descriptor that the test has closed meanwhile: the kernel has an
 * order there that the sanitizer does not see. */
__attribute__((visibility("default"))) const char *__tsan_default_suppressions(void);
const char *__tsan_default_suppressions(void)
{
    return "deadlock:libmosquitto.so\nrace:sr_fd_socket\n";
}
#endif

static void keep_log(enum sr_log_level level, const char *component, const char *text,
                     void *arg)
{
    struct fixture *fx = arg;

    (void)level, (void)component;
    if (strlen(fx->log) + strlen(text) + 2 < sizeof fx->log)
        strcat(strcat(fx->log, text), "\n");
}

int fixture_set_up(void **state)
{
    struct fixture *fx = calloc(1, sizeof *fx);

    if (!fx)
        return -1;
    no_proxies();
    sr_log_set_sink(keep_log, fx);
    *state = fx;
    return 0;
}

int fixture_tear_down(void **state)
{
    struct fixture *fx = *state;

    sr_agent_free(fx->agent);
    broker_stop(fx->broker);
    scripted_http_stop(fx->http);
    sr_log_set_sink(NULL, NULL);
    free(fx);
    return 0;
}

void make_agent(struct fixture *fx, uint16_t http_port)
{
    char url[64];

    snprintf(url, sizeof url, "http://127.0.0.1:%u", (unsigned)http_port);
    assert_int_equal(sr_agent_new(url, "gw-0001", &fx->agent), 0);
    assert_int_equal(
        sr_agent_set_credentials(fx->agent, "t4711", "device_gw-0001", "s3cr3t9xQ"), 0);
    assert_int_equal(sr_agent_set_xid(fx->agent, "24830"), 0);
}

static void make_reporter(struct fixture *fx, uint16_t port)
{
    snprintf(fx->broker_url, sizeof fx->broker_url, "mqtt://127.0.0.1:%u",
             (unsigned)port);
    make_agent(fx, 9);
    assert_int_equal(sr_reporter_new_mqtt(fx->agent, fx->broker_url, &fx->reporter), 0);
}

void with_broker(struct fixture *fx, broker_script script)
{
    fx->broker = broker_start(0, script, fx);
    assert_non_null(fx->broker);
    make_reporter(fx, broker_port(fx->broker));
}

void without_broker(struct fixture *fx, uint16_t *ret_port)
{
    *ret_port = free_port();
    make_reporter(fx, *ret_port);
}

void with_http(struct fixture *fx, const struct http_step *steps, size_t count)
{
    fx->http = scripted_http_start(0, steps, count);
    assert_non_null(fx->http);
    scripted_http_be_platform(fx->http, true);
    make_agent(fx, scripted_http_port(fx->http));
    assert_int_equal(sr_reporter_new_http(fx->agent, &fx->reporter), 0);
}

void start(struct fixture *fx)
{
    assert_int_equal(sr_reporter_start(fx->reporter), 0);
}

void send_row(struct fixture *fx, const char *row)
{
    assert_int_equal(sr_agent_send(fx->agent, row, 0), 0);
}

struct sr_reporter_stats stats_of(const struct fixture *fx)
{
    struct sr_reporter_stats stats;

    sr_reporter_stats(fx->reporter, &stats);
    return stats;
}

bool logged(const struct fixture *fx, const char *text)
{
    return strstr(fx->log, text) != NULL;
}

void hear(struct sr_agent *agent, struct sr_record *record, void *arg)
{
    struct fixture *fx = arg;
    size_t used = strlen(fx->heard);

    (void)agent;
    snprintf(fx->heard + used, sizeof fx->heard - used, "%s,%s;",
             sr_record_value(record, 0), sr_record_value(record, 2));
}

const char *published(struct fixture *fx, unsigned i)
{
    const struct packet *packet = broker_seen(fx->broker, PUBLISH, i);

    return packet ? packet->payload : "(nothing)";
}

void behave(struct broker_connection *connection, void *arg)
{
    (void)arg;
    if (broker_welcome(connection))
        broker_serve(connection);
}
