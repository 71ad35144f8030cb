/* SPDX-License-Identifier: MIT */
/* Subscriptions that a broker refuses, or leaves without an answer. */
#include "support/scripted_broker.h"
#include <setjmp.h>
#include <smartrest/loop.h>
#include <smartrest/mqtt.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
/* after what it needs */
#include <cmocka.h>

struct fixture {
    struct sr_loop *loop;
    struct sr_mqtt *mqtt;
    struct broker *broker;
    char refused[200];
};

/* Grants filters that begin with "good", refuses "bad", and is silent at others. */
static void judge(struct broker_connection *c, void *arg)
{
    const unsigned char refused = 0x80;
    const struct packet *p;

    (void)arg;
    while ((p = broker_read(c)))
        if (p->type == CONNECT)
            broker_connack(c, 0);
        else if (p->type == SUBSCRIBE && !strncmp(p->topic, "good", 4))
            broker_suback(c, p);
        else if (p->type == SUBSCRIBE && !strncmp(p->topic, "bad", 3))
            broker_suback_with(c, p, &refused, 1);
}

static void on_refused(void *arg, const char *filter)
{
    strcat(strcat(((struct fixture *)arg)->refused, filter), ";");
}

static void on_down(void *arg, bool was_up, const char *reason)
{
    (void)arg;
    (void)was_up;
    fail_msg("%s", reason);
}

static int set_up(void **state)
{
    const struct sr_mqtt_events events = { .down = on_down, .refused = on_refused };
    const struct sr_net net = { .connect_ms = 1000 };
    struct sr_mqtt_options options = { .host = "127.0.0.1", .net = &net };
    struct fixture *fx = calloc(1, sizeof *fx);

    *state = fx;
    fx->broker = broker_start(0, judge, fx);
    options.port = broker_port(fx->broker);
    return sr_loop_new(&fx->loop) ||
           sr_mqtt_new(fx->loop, &options, &events, fx, &fx->mqtt) ||
           sr_mqtt_connect(fx->mqtt);
}

static int tear_down(void **state)
{
    struct fixture *fx = *state;

    sr_mqtt_free(fx->mqtt);
    broker_stop(fx->broker);
    sr_loop_free(fx->loop);
    free(fx);
    return 0;
}

static void turn_until_refused(struct fixture *fx, const char *expected)
{
    uint64_t give_up = now_ms() + 30 * 1000;

    while (strlen(fx->refused) < strlen(expected) && now_ms() < give_up) {
        sr_loop_dispatch(fx->loop);
        usleep(200);
    }
    assert_string_equal(fx->refused, expected);
}

static void a_refusal_is_told_with_its_filter(void **state)
{
    struct fixture *fx = *state;

    sr_mqtt_subscribe(fx->mqtt, "good/1", 1, NULL, NULL);
    sr_mqtt_subscribe(fx->mqtt, "bad/1", 1, NULL, NULL);
    sr_mqtt_subscribe(fx->mqtt, "bad/2", 0, NULL, NULL);
    turn_until_refused(fx, "bad/1;bad/2;");
}

static void a_filter_without_an_answer_is_refused_when_the_time_is_over(void **state)
{
    struct fixture *fx = *state;
    uint64_t began = now_ms();

    sr_mqtt_subscribe(fx->mqtt, "good/1", 1, NULL, NULL);
    sr_mqtt_subscribe(fx->mqtt, "silent/1", 1, NULL, NULL);
    turn_until_refused(fx, "silent/1;");
    assert_true(now_ms() - began >= 1000);
    sr_mqtt_subscribe(fx->mqtt, "silent/1", 1, NULL, NULL); /* asks again */
    turn_until_refused(fx, "silent/1;silent/1;");
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(a_refusal_is_told_with_its_filter),
        TEST(a_filter_without_an_answer_is_refused_when_the_time_is_over),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
