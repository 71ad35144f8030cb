/* SPDX-License-Identifier: MIT */
/* Addresses of IPv6 with a zone, in both spellings, by HTTP and by MQTT. */
#include "base/url.h"
#include "support/server.h"
#include <setjmp.h>
#include <smartrest/http.h>
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
    struct server *server;
    int ups;
    long status;
    char error[300];
};

static void answer(int fd, unsigned number, void *arg)
{
    char first;

    (void)number;
    (void)arg;
    if (!server_read(fd, &first, 1))
        return;
    if (first == 0x10)
        server_write(fd, "\x20\2\0\0", 4);
    else
        server_write(fd, "HTTP/1.1 204 No Content\r\n\r\n", 27);
    server_drain(fd);
}

static int set_up(void **state)
{
    struct fixture *fx = calloc(1, sizeof *fx);

    *state = fx;
    fx->server = server_start_at("::1", 0, answer, fx);
    return sr_loop_new(&fx->loop);
}

static int tear_down(void **state)
{
    struct fixture *fx = *state;

    server_stop(fx->server);
    sr_loop_free(fx->loop);
    free(fx);
    return 0;
}

static void url_with_zone(const struct fixture *fx, const char *scheme, int spelling,
                          char *text, size_t size)
{
    if (!fx->server)
        skip(); /* no IPv6 on this machine */
    snprintf(text, size, "%s://[::1%s]:%u", scheme, spelling ? "%25lo" : "%lo",
             (unsigned)server_port(fx->server));
}

static void on_up(void *arg)
{
    ((struct fixture *)arg)->ups++;
}

static void on_down(void *arg, bool was_up, const char *reason)
{
    (void)arg;
    (void)was_up;
    fail_msg("%s", reason);
}

static void on_answer(void *arg, const struct sr_http_result *result)
{
    struct fixture *fx = arg;

    fx->status = result->rc ? -1 : result->status;
    snprintf(fx->error, sizeof fx->error, "%s", result->rc ? result->error : "");
}

static void by_mqtt(struct fixture *fx, int spelling)
{
    const struct sr_mqtt_events events = { on_up, on_down, NULL, NULL };
    struct sr_mqtt_options options = { 0 };
    struct sr_mqtt *mqtt;
    struct sr_url url;
    char text[100];

    url_with_zone(fx, "mqtt", spelling, text, sizeof text);
    assert_int_equal(sr_url_parse(text, &url, NULL), 0);
    options.host = url.host;
    options.port = url.port;
    assert_int_equal(sr_mqtt_new(fx->loop, &options, &events, fx, &mqtt), 0);
    assert_int_equal(sr_mqtt_connect(mqtt), 0);
    for (uint64_t end = now_ms() + 30000; !fx->ups && now_ms() < end; usleep(200))
        sr_loop_dispatch(fx->loop);
    assert_int_equal(fx->ups, 1);
    sr_mqtt_free(mqtt);
}

static void by_http(struct fixture *fx, int spelling)
{
    const struct sr_net net = { .proxy = "" };
    struct sr_http_call call = { .timeout_ms = 20000 };
    struct sr_http *http;
    char text[100];

    url_with_zone(fx, "http", spelling, text, sizeof text);
    call.url = text;
    assert_int_equal(sr_http_new(fx->loop, &net, &http), 0);
    assert_int_equal(sr_http_request(http, &call, on_answer, fx, NULL), 0);
    for (uint64_t end = now_ms() + 30000; !fx->status && now_ms() < end; usleep(200))
        sr_loop_dispatch(fx->loop);
    sr_http_free(http);
    assert_string_equal(fx->error, "");
    assert_int_equal(fx->status, 204);
}

static void note_down(void *arg, bool was_up, const char *reason)
{
    struct fixture *fx = arg;

    (void)was_up;
    fx->status = 1;
    snprintf(fx->error, sizeof fx->error, "%s", reason);
}

static void an_interface_that_is_not_there_is_named(void **state)
{
    struct fixture *fx = *state;
    const struct sr_mqtt_events events = { on_up, note_down, NULL, NULL };
    const struct sr_mqtt_options options = { .host = "fe80::1%nowhere0" };
    struct sr_mqtt *mqtt;

    assert_int_equal(sr_mqtt_new(fx->loop, &options, &events, fx, &mqtt), 0);
    assert_int_equal(sr_mqtt_connect(mqtt), 0);
    for (uint64_t end = now_ms() + 30000; !fx->status && now_ms() < end; usleep(200))
        sr_loop_dispatch(fx->loop);
    sr_mqtt_free(mqtt);
    assert_non_null(strstr(fx->error, "mqtt://[fe80::1%nowhere0]:1883: there is no "
                                      "interface 'nowhere0'"));
}

static void mqtt_takes_the_zone_as_people_write_it(void **state)
{
    by_mqtt(*state, 0);
}

static void mqtt_takes_the_zone_as_the_rfc_has_it(void **state)
{
    by_mqtt(*state, 1);
}

static void http_takes_the_zone_as_people_write_it(void **state)
{
    by_http(*state, 0);
}

static void http_takes_the_zone_as_the_rfc_has_it(void **state)
{
    by_http(*state, 1);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(mqtt_takes_the_zone_as_people_write_it),
        TEST(mqtt_takes_the_zone_as_the_rfc_has_it),
        TEST(http_takes_the_zone_as_people_write_it),
        TEST(http_takes_the_zone_as_the_rfc_has_it),
        TEST(an_interface_that_is_not_there_is_named),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
