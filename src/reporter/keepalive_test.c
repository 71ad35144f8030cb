/* SPDX-License-Identifier: MIT */
/* Keep-alive in real time; the cases run side by side since each takes seconds. */
#include "reporter/fixture.h"
#include <pthread.h>

enum { KEEPALIVE_S = 5, KEEPALIVE_MS = 1000 * KEEPALIVE_S, LATE_MS = 2000 };

/* Reads and never says a word again. */
static void go_deaf(struct broker_connection *connection, void *arg)
{
    (void)arg;
    broker_welcome(connection);
    while (broker_read(connection))
        ;
}

/* Acknowledges rows, and deaf to pings. */
static void ignore_pings(struct broker_connection *connection, void *arg)
{
    const struct packet *p;

    (void)arg;
    broker_welcome(connection);
    while ((p = broker_read(connection)))
        if (p->type == PUBLISH)
            broker_puback(connection, p->id);
}

static void begin(struct fixture *fx, broker_script script, unsigned keepalive_s)
{
    with_broker(fx, script);
    assert_int_equal(sr_reporter_set_keepalive(fx->reporter, keepalive_s), 0);
    start(fx);
    run_until(fx->agent, stats_of(fx).connected);
}

static void stop_when_lost(struct sr_agent *agent, struct sr_timer *timer, void *arg)
{
    (void)timer;
    if (!stats_of(arg).connected)
        sr_agent_stop(agent);
}

static uint64_t last_packet_before_ping(struct broker *broker)
{
    return broker_seen(broker, SUBSCRIBE, 1)->at_ms;
}

static void pings_at_the_right_time(struct broker *broker)
{
    const struct packet *ping = broker_seen(broker, PINGREQ, 0);

    assert_non_null(ping);
    assert_in_range(ping->at_ms - last_packet_before_ping(broker), KEEPALIVE_MS - 10,
                    KEEPALIVE_MS + LATE_MS);
}

static void *a_half_open_connection_is_noticed_within_twice_the_keep_alive(void *arg)
{
    struct fixture *fx = arg;
    struct sr_timer *timer;
    uint64_t began;

    begin(fx, go_deaf, KEEPALIVE_S);
    began = now_ms();
    sr_timer_new(fx->agent, 100, stop_when_lost, fx, &timer);
    sr_timer_start(timer);
    assert_int_equal(sr_agent_loop(fx->agent), 0);
    assert_in_range(now_ms() - began, KEEPALIVE_MS, 2 * KEEPALIVE_MS + LATE_MS);
    pings_at_the_right_time(fx->broker);
    assert_int_equal(broker_count(fx->broker, PINGREQ), 1);
    return NULL;
}

static void stop_agent(struct sr_agent *agent, struct sr_timer *timer, void *arg)
{
    (void)timer, (void)arg;
    sr_agent_stop(agent);
}

static void *an_idle_connection_wakes_for_its_pings_only(void *arg)
{
    struct fixture *fx = arg;
    struct sr_timer *timer;
    uint64_t before;

    begin(fx, behave, KEEPALIVE_S);
    run_until(fx->agent, broker_count(fx->broker, SUBSCRIBE) == 2);
    run_for(fx->agent, 50);
    sr_timer_new(fx->agent, 2 * KEEPALIVE_MS + 1500, stop_agent, NULL, &timer);
    sr_timer_start(timer);
    before = sr_agent_wakeups(fx->agent);
    assert_int_equal(sr_agent_loop(fx->agent), 0);
    assert_int_equal(stats_of(fx).disconnects, 0);
    pings_at_the_right_time(fx->broker);
    assert_int_equal(broker_count(fx->broker, PINGREQ), 2);
    /* For each ping its time and its answer; for the timer. */
    assert_in_range(sr_agent_wakeups(fx->agent) - before, 3, 8);
    return NULL;
}

static void send_one(struct sr_agent *agent, struct sr_timer *timer, void *arg)
{
    (void)timer;
    sr_agent_send(agent, "103,1", 0);
    stop_when_lost(agent, timer, arg);
}

/* As long as rows go up and are acknowledged nobody needs a ping. */
static void *traffic_takes_the_place_of_pings(void *arg)
{
    struct fixture *fx = arg;
    struct sr_timer *timer, *end;

    begin(fx, ignore_pings, KEEPALIVE_S);
    sr_timer_new(fx->agent, 1000, send_one, fx, &timer);
    sr_timer_start(timer);
    sr_timer_new(fx->agent, 2 * KEEPALIVE_MS, stop_agent, NULL, &end);
    sr_timer_start(end);
    assert_int_equal(sr_agent_loop(fx->agent), 0);
    assert_int_equal(stats_of(fx).disconnects, 0);
    assert_int_equal(broker_count(fx->broker, PINGREQ), 0);
    return NULL;
}

static void *without_keep_alive_there_are_no_pings(void *arg)
{
    struct fixture *fx = arg;
    struct sr_timer *end;

    begin(fx, go_deaf, 0);
    assert_int_equal(broker_seen(fx->broker, CONNECT, 0)->body[9], 0);
    sr_timer_new(fx->agent, 2 * KEEPALIVE_MS, stop_agent, NULL, &end);
    sr_timer_start(end);
    assert_int_equal(sr_agent_loop(fx->agent), 0);
    assert_int_equal(stats_of(fx).disconnects, 0);
    assert_int_equal(broker_count(fx->broker, PINGREQ), 0);
    return NULL;
}

/* --- side by side ------------------------------------------------------------- */

static struct {
    void *(*run)(void *arg);
    struct fixture fx;
    pthread_t thread;
} cases[] = {
    { .run = a_half_open_connection_is_noticed_within_twice_the_keep_alive },
    { .run = an_idle_connection_wakes_for_its_pings_only },
    { .run = traffic_takes_the_place_of_pings },
    { .run = without_keep_alive_there_are_no_pings },
};

static void keep_alive_is_kept_and_its_loss_noticed(void **state)
{
    const size_t count = sizeof cases / sizeof *cases;

    (void)state;
    sr_log_set_level(SR_LOG_OFF);
    for (size_t i = 0; i < count; i++)
        pthread_create(&cases[i].thread, NULL, cases[i].run, &cases[i].fx);
    for (size_t i = 0; i < count; i++) {
        pthread_join(cases[i].thread, NULL);
        sr_agent_free(cases[i].fx.agent);
        broker_stop(cases[i].fx.broker);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(keep_alive_is_kept_and_its_loss_noticed),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
