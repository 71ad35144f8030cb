/* SPDX-License-Identifier: MIT */
/* What an application asks for is checked by the call that gets it, by name. */
#include "support/scripted_broker.h"
#include <setjmp.h>
#include <smartrest/log.h>
#include <smartrest/loop.h>
#include <smartrest/mqtt.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
/* after what it needs */
#include <cmocka.h>

struct fixture {
    struct sr_loop *loop;
    struct sr_mqtt *mqtt;
    struct broker *broker;
    int ups;
    char log[2000];
};

static void on_up(void *arg)
{
    ((struct fixture *)arg)->ups++;
}

static const struct sr_mqtt_events events = { .up = on_up };

static void serve(struct broker_connection *connection, void *arg)
{
    (void)arg;
    broker_serve(connection);
}

static void note_log(enum sr_log_level level, const char *component, const char *text,
                     void *arg)
{
    struct fixture *fx = arg;
    size_t used = strlen(fx->log);

    (void)level;
    (void)component;
    snprintf(fx->log + used, sizeof fx->log - used, "%s\n", text);
}

static int set_up(void **state)
{
    struct fixture *fx = calloc(1, sizeof *fx);

    *state = fx;
    fx->broker = broker_start(0, serve, fx);
    sr_log_set_sink(note_log, fx);
    return sr_loop_new(&fx->loop);
}

static int tear_down(void **state)
{
    struct fixture *fx = *state;

    sr_mqtt_free(fx->mqtt);
    broker_stop(fx->broker);
    sr_loop_free(fx->loop);
    sr_log_set_sink(NULL, NULL);
    free(fx);
    return 0;
}

static void is_refused(struct fixture *fx, struct sr_mqtt_options options,
                       const char *says)
{
    struct sr_mqtt *mqtt = NULL;

    options.host = options.host ? options.host : "127.0.0.1";
    fx->log[0] = '\0';
    assert_int_equal(sr_mqtt_new(fx->loop, &options, &events, NULL, &mqtt), SR_E_INVAL);
    assert_null(mqtt);
    if (!strstr(fx->log, says))
        fail_msg("'%s' is not in: %s", says, fx->log);
}

static void what_mqtt_cannot_transport_is_named(void **state)
{
    static char text[65537];
    const struct sr_mqtt_message will = { "w", text, sizeof text - 1, 0, false };
    struct fixture *fx = *state;

    memset(text, 'x', sizeof text - 1);
#define REFUSED(says, ...) is_refused(fx, (struct sr_mqtt_options){ __VA_ARGS__ }, says)
    REFUSED("the password", .password = text, .user = "u");
    REFUSED("the user", .user = text);
    REFUSED("the user", .user = "\xff");
    REFUSED("the client id", .client_id = text);
    REFUSED("the client id", .client_id = "");
    REFUSED("the client id", .client_id = "\xc3");
    REFUSED("the client id", .client_id = "a\x01");
    REFUSED("the will", .will = &will);
    REFUSED("the host", .host = text);
    REFUSED("the host", .host = "");
    REFUSED("a session", .keep_session = true);
    REFUSED("a password", .password = "p");
}

static void a_file_that_cannot_be_read_is_named(void **state)
{
    const struct sr_net key = { .cert_file = "/dev/null",
                                .key_file = "/nowhere/key.pem" };
    const struct sr_net ca = { .ca_file = "/nowhere/ca.pem" };
    struct fixture *fx = *state;

    REFUSED("cert_file '/dev/null': it is no regular file", .net = &key);
    REFUSED("ca_file '/nowhere/ca.pem': No such file", .net = &ca);
}

/* The broker gets 65535 bytes of each, and not one of what is beside them in memory. */
static void the_longest_texts_go_through(void **state)
{
    static char most[65536];
    struct fixture *fx = *state;
    struct sr_mqtt_options options = { .host = "127.0.0.1",
                                       .port = broker_port(fx->broker),
                                       .client_id = most,
                                       .user = most,
                                       .password = most };
    uint64_t give_up = now_ms() + 30 * 1000;
    const struct packet *p;

    memset(most, 'x', sizeof most - 1);
    assert_int_equal(sr_mqtt_new(fx->loop, &options, &events, fx, &fx->mqtt), 0);
    assert_int_equal(sr_mqtt_connect(fx->mqtt), 0);
    while (!fx->ups && now_ms() < give_up) {
        sr_loop_dispatch(fx->loop);
        usleep(200);
    }
    assert_int_equal(fx->ups, 1);
    p = broker_seen(fx->broker, CONNECT, 0);
    assert_int_equal(p->body_len, 10 + 3 * (2 + 65535));
    for (size_t i = 0; i < 3; i++)
        assert_memory_equal(p->body + 10 + i * (2 + 65535) + 2, most, 65535);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(what_mqtt_cannot_transport_is_named),
        TEST(a_file_that_cannot_be_read_is_named),
        TEST(the_longest_texts_go_through),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
