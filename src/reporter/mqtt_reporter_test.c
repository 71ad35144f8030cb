/* SPDX-License-Identifier: MIT */
/* The reporter over MQTT: what goes up, what comes down, and how it ends; against a broker
 * that plays scripts byte for byte. */
#include "reporter/fixture.h"
#include <pthread.h>
#include <signal.h>
#include <sys/socket.h>

enum { LINGER_MS = 200 };

/* --- going up --------------------------------------------------------------------- */

static void rows_are_published_with_their_collection_first(void **state)
{
    struct fixture *fx = *state;
    const struct packet *p;

    with_broker(fx, behave);
    send_row(fx, "103,4711,12.5");
    start(fx);
    run_until_published(fx, 1);
    p = broker_seen(fx->broker, PUBLISH, 0);
    assert_string_equal(p->topic, "s/ul");
    assert_int_equal(p->flags, 2); /* QoS 1, not retained */
    assert_string_equal(p->payload, "15,24830\n103,4711,12.5");
    assert_int_equal(p->len, strlen(p->payload));
}

static void rows_of_another_collection_bring_their_own_15(void **state)
{
    struct fixture *fx = *state;

    with_broker(fx, behave);
    send_row(fx, "1,a");
    assert_int_equal(sr_agent_send(fx->agent, "child,2,b\n3,c\n", SR_PRIO_XID), 0);
    send_row(fx, "4,d");
    start(fx);
    run_until_published(fx, 1);
    assert_string_equal(published(fx, 0),
                        "15,24830\n1,a\n15,child\n2,b\n3,c\n15,24830\n4,d");
}

static void rows_are_joined_up_to_a_count(void **state)
{
    struct fixture *fx = *state;

    with_broker(fx, behave);
    sr_reporter_set_batch(fx->reporter, 3);
    sr_reporter_set_linger(fx->reporter, 60000);
    start(fx);
    run_until(fx->agent, stats_of(fx).connected);
    for (int i = 0; i < 8; i++)
        sr_agent_sendf(fx->agent, "%d,x", i + 1);
    run_until(fx->agent, stats_of(fx).rows_acked == 6);
    assert_string_equal(published(fx, 0), "15,24830\n1,x\n2,x\n3,x");
    assert_string_equal(published(fx, 1), "15,24830\n4,x\n5,x\n6,x");
    assert_int_equal(stats_of(fx).rows_waiting, 2);
    sr_agent_sendf(fx->agent, "9,x"); /* makes the batch full */
    run_until_published(fx, 3);
    assert_string_equal(published(fx, 2), "15,24830\n7,x\n8,x\n9,x");
}

static void rows_are_joined_up_to_the_largest_packet(void **state)
{
    struct fixture *fx = *state;
    char row[5001];
    const struct packet *p;

    memset(row, '1', 5000);
    row[5000] = '\0';
    with_broker(fx, behave);
    sr_reporter_set_linger(fx->reporter, 60000);
    start(fx);
    for (int i = 0; i < 4; i++)
        send_row(fx, row);
    run_until(fx->agent, stats_of(fx).rows_acked == 3);
    p = broker_seen(fx->broker, PUBLISH, 0);
    assert_int_equal(p->len, strlen("15,24830") + 3 * 5001);
    assert_true(p->body_len + 3 <= 16184);
    assert_int_equal(broker_count(fx->broker, PUBLISH), 1);
}

static void the_largest_row_fits(void **state)
{
    struct fixture *fx = *state;
    char *row = malloc(SR_ROW_MAX + 1), xid[256];

    memset(row, '1', SR_ROW_MAX);
    row[SR_ROW_MAX] = '\0';
    memset(xid, 'x', 255);
    xid[255] = '\0';
    with_broker(fx, behave);
    assert_int_equal(sr_agent_set_xid(fx->agent, xid), 0);
    send_row(fx, row);
    row[255] = ',';
    assert_int_equal(sr_agent_send(fx->agent, row, SR_PRIO_XID), 0);
    start(fx);
    run_until(fx->agent, stats_of(fx).rows_acked == 2);
    free(row);
}

/* More rows come all the time and do not prolong it, or it would never go. */
static void a_row_waits_for_company_for_the_linger_time(void **state)
{
    struct fixture *fx = *state;
    uint64_t first, give_up = now_ms() + 30000;

    with_broker(fx, behave);
    sr_reporter_set_linger(fx->reporter, LINGER_MS);
    start(fx);
    run_until(fx->agent, stats_of(fx).connected);
    first = now_ms();
    send_row(fx, "1,a");
    send_row(fx, "2,b");
    while (!broker_count(fx->broker, PUBLISH) && now_ms() < give_up) {
        run_for(fx->agent, LINGER_MS / 4);
        send_row(fx, "3,c");
    }
    assert_true(broker_count(fx->broker, PUBLISH));
    assert_true(broker_seen(fx->broker, PUBLISH, 0)->at_ms >= first + LINGER_MS);
    assert_memory_equal(published(fx, 0), "15,24830\n1,a\n2,b", 16);
}

static void answer_in_handler(struct sr_agent *agent, struct sr_record *record,
                              void *arg)
{
    hear(agent, record, arg);
    assert_int_equal(
        sr_agent_sendf(agent, "110,%s,EXECUTING", sr_record_value(record, 2)), 0);
}

static void send_operation(struct broker_connection *connection, void *arg)
{
    (void)arg;
    broker_welcome(connection);
    broker_publish(connection, "s/ol/24830", "502,1,24902", 1, 77);
    broker_serve(connection);
}

static void a_row_from_a_handler_goes_at_once(void **state)
{
    struct fixture *fx = *state;

    with_broker(fx, send_operation);
    sr_reporter_set_linger(fx->reporter, 60000);
    sr_agent_on_message(fx->agent, 502, answer_in_handler, fx);
    start(fx);
    run_until_published(fx, 1);
    assert_string_equal(published(fx, 0), "15,24830\n110,24902,EXECUTING");
    assert_true(broker_seen(fx->broker, PUBLISH, 0)->at_ms -
                    broker_seen(fx->broker, SUBSCRIBE, 1)->at_ms <
                30000);      /* without linger */
    send_row(fx, "1,later"); /* and the next one waits again */
    run_for(fx->agent, 50);
    assert_int_equal(broker_count(fx->broker, PUBLISH), 1);
}

/* --- acknowledgements ---------------------------------------------------------------- */

static void start_single_rows(struct fixture *fx, unsigned window, int rows)
{
    sr_reporter_set_batch(fx->reporter, 1);
    sr_reporter_set_window(fx->reporter, window);
    for (int i = 1; i <= rows; i++)
        assert_int_equal(sr_agent_sendf(fx->agent, "%d", i), 0);
    start(fx);
}

static void acknowledge_when_told(struct broker_connection *connection, void *arg)
{
    const struct packet *p;

    (void)arg;
    broker_welcome(connection);
    while ((p = broker_next_publish(connection))) {
        broker_wait(connection);
        broker_puback(connection, p->id);
    }
}

static void no_more_publishes_than_the_window_are_under_way(void **state)
{
    struct fixture *fx = *state;

    with_broker(fx, acknowledge_when_told);
    start_single_rows(fx, 2, 5);
    run_until(fx->agent, stats_of(fx).requests_sent == 2);
    run_for(fx->agent, 50);
    assert_int_equal(stats_of(fx).requests_sent, 2);
    for (unsigned acked = 1; acked <= 5; acked++) {
        broker_go_on(fx->broker);
        run_until(fx->agent, stats_of(fx).rows_acked == acked);
        assert_int_equal(stats_of(fx).requests_sent, acked + 2 < 5 ? acked + 2 : 5);
    }
    assert_string_equal(published(fx, 4), "15,24830\n5");
}

static void acknowledge_oddly(struct broker_connection *connection, void *arg)
{
    unsigned ids[4] = { 0 };
    const struct packet *p;

    (void)arg;
    broker_welcome(connection);
    broker_puback(connection, 999); /* of nothing */
    for (int i = 0; i < 4 && (p = broker_next_publish(connection)); i++)
        ids[i] = p->id;
    for (int i = 3; i >= 0; i--) {
        broker_puback(connection, ids[i]);
        broker_puback(connection, ids[i]);
        broker_puback(connection, 4711);
    }
    broker_serve(connection);
}

static void acknowledgements_may_be_unknown_doubled_and_out_of_order(void **state)
{
    struct fixture *fx = *state;
    struct sr_reporter_stats stats;

    with_broker(fx, acknowledge_oddly);
    start_single_rows(fx, 4, 6);
    run_until(fx->agent, stats_of(fx).rows_acked == 6);
    stats = stats_of(fx);
    assert_int_equal(stats.requests_sent, 6);
    assert_int_equal(stats.disconnects, 0);
    assert_int_equal(stats.rows_waiting, 0);
}

/* Acknowledges the second of four, then goes. */
static void acknowledge_one_and_go(struct broker_connection *connection, void *arg)
{
    const struct packet *p;

    if (broker_number(connection)) {
        behave(connection, arg);
        return;
    }
    broker_welcome(connection);
    for (int i = 0; i < 4 && (p = broker_next_publish(connection)); i++)
        if (i == 1)
            broker_puback(connection, p->id);
    broker_read(connection); /* the row that the acknowledgement made room for */
}

static void what_was_not_acknowledged_is_sent_again_in_order(void **state)
{
    static const char *const again[] = { "1", "3", "4", "5", "6", "7" };
    struct fixture *fx = *state;
    char expected[32];

    with_broker(fx, acknowledge_one_and_go);
    start_single_rows(fx, 4, 7);
    run_until(fx->agent, stats_of(fx).rows_acked == 7);
    assert_int_equal(broker_count(fx->broker, PUBLISH), 5 + 6);
    for (unsigned i = 0; i < 6; i++) {
        snprintf(expected, sizeof expected, "15,24830\n%s", again[i]);
        assert_string_equal(published(fx, 5 + i), expected);
        assert_int_equal(broker_seen(fx->broker, PUBLISH, 5 + i)->flags, 2);
    }
    assert_int_equal(stats_of(fx).rows_sent, 11);
    assert_int_equal(stats_of(fx).rows_queued, 7);
}

/* Goes without a word after every third row. */
static void come_and_go(struct broker_connection *connection, void *arg)
{
    struct fixture *fx = arg;
    const struct packet *p;

    if (!broker_welcome(connection))
        return;
    for (int i = 0; i < 3 && (p = broker_next_publish(connection)); i++)
        broker_puback(connection, p->id);
    if (atomic_fetch_add(&fx->step, 1) >= 4)
        broker_serve(connection);
}

static void rows_arrive_in_order_and_none_is_missing_over_many_outages(void **state)
{
    struct fixture *fx = *state;
    unsigned next = 1;

    with_broker(fx, come_and_go);
    start_single_rows(fx, 4, 100);
    run_until(fx->agent, stats_of(fx).rows_acked == 100);
    for (unsigned i = 0; i < broker_count(fx->broker, PUBLISH); i++) {
        unsigned row =
            (unsigned)strtoul(published(fx, i) + strlen("15,24830\n"), NULL, 10);

        assert_true(row <= next); /* again, or the next one */
        next = row == next ? next + 1 : next;
    }
    assert_int_equal(next, 101);
}

static void at_the_bound_the_oldest_rows_make_room(void **state)
{
    struct fixture *fx = *state;
    struct sr_reporter_stats stats;
    char row[101];

    memset(row, '1', 100);
    row[100] = '\0';
    with_broker(fx, behave);
    assert_int_equal(sr_reporter_set_capacity(fx->reporter, 4096), 0);
    for (int i = 0; i < 100; i++)
        send_row(fx, row);
    stats = stats_of(fx);
    assert_true(stats.bytes_waiting <= 4096);
    assert_in_range(stats.rows_waiting, 15, 40);
    assert_int_equal(stats.rows_dropped, 100 - stats.rows_waiting);
    start(fx);
    run_until(fx->agent, stats_of(fx).rows_acked == stats.rows_waiting);
    assert_int_equal(stats_of(fx).bytes_waiting, 0);
}

/* --- coming down ------------------------------------------------------------------------ */

static void send_messages(struct broker_connection *connection, void *arg)
{
    (void)arg;
    broker_welcome(connection);
    broker_publish(connection, "s/ol/24830", "502,1,op", 1, 1);
    broker_publish(connection, "s/ol/24830", "502,1,op", 1, 1); /* twice */
    broker_publish(connection, "s/dl", "500,1,a\n87,1,child\n500,1,b\nx\n500,1,c", 0,
                   0);
    broker_publish(connection, "s/ol/child", "500,1,d", 1, 2);
    broker_publish(connection, "s/ol/", "500,1,nobody", 1, 3);
    broker_publish(connection, "s/ol", "500,1,nobody", 0, 0);
    broker_publish(connection, "elsewhere", "500,1,nobody", 0, 0);
    broker_publish(connection, "s/dl", "", 1, 4);
    broker_publish(connection, "s/e", "45,103,\"Wrong number\nof arguments\"", 0, 0);
    broker_publish(connection, "s/e", "45,1,first\n45,2,second\n43,3,third", 0, 0);
    broker_publish(connection, "s/dl", "500,1,last", 0, 0);
    broker_serve(connection);
}

static void messages_reach_the_handlers_of_their_collection(void **state)
{
    struct fixture *fx = *state;

    with_broker(fx, send_messages);
    sr_agent_on_message(fx->agent, 500, hear, fx);
    sr_agent_on_message(fx->agent, 502, hear, fx);
    sr_agent_on_xmessage(fx->agent, "child", 500, hear, fx);
    start(fx);
    run_until(fx->agent, strstr(fx->heard, "last"));
    assert_string_equal(fx->heard, "502,op;502,op;500,a;500,b;500,c;500,d;500,last;");
    run_until(fx->agent, broker_count(fx->broker, PUBACK) == 5);
    assert_int_equal(stats_of(fx).rows_malformed, 1);
    assert_true(logged(fx, "Wrong number"));
    assert_true(logged(fx, "45,1,first (and 2 more)"));
}

static void send_split(struct broker_connection *connection, void *arg)
{
    static const unsigned char message[] = "\x32\x16\0\x0as/ol/24830\0\7"
                                           "502,1,op";

    (void)arg;
    broker_welcome(connection);
    for (size_t i = 0; i < sizeof message - 1; i++)
        broker_send(connection, message + i, 1);
    broker_serve(connection);
}

static void a_message_may_come_byte_by_byte(void **state)
{
    struct fixture *fx = *state;

    with_broker(fx, send_split);
    sr_agent_on_message(fx->agent, 502, hear, fx);
    start(fx);
    run_until(fx->agent, broker_count(fx->broker, PUBACK) == 1);
    assert_string_equal(fx->heard, "502,op;");
    assert_int_equal(broker_seen(fx->broker, PUBACK, 0)->id, 7);
}

static void send_by_qos_2(struct broker_connection *connection, void *arg)
{
    (void)arg;
    broker_welcome(connection);
    broker_publish(connection, "s/dl", "500,1,a", 2, 9);
    broker_read(connection); /* PUBREC */
    broker_send(connection, "\x62\2\0\x09", 4);
    broker_serve(connection);
}

static void a_message_by_qos_2_arrives_once(void **state)
{
    struct fixture *fx = *state;

    with_broker(fx, send_by_qos_2);
    sr_agent_on_message(fx->agent, 500, hear, fx);
    start(fx);
    run_until(fx->agent, broker_count(fx->broker, 7) == 1);
    assert_string_equal(fx->heard, "500,a;");
}

static void send_large(struct broker_connection *connection, void *arg)
{
    size_t len = 1024 * 1024;
    char *payload = malloc(len + 20);

    (void)arg;
    memset(payload, 'x', len);
    memcpy(payload, "500,1,", 6);
    strcpy(payload + len, "\n500,1,last");
    broker_welcome(connection);
    broker_publish(connection, "s/dl", payload, 1, 1);
    free(payload);
    broker_serve(connection);
}

static void note_large(struct sr_agent *agent, struct sr_record *record, void *arg)
{
    if (strlen(sr_record_value(record, 2)) < 100)
        hear(agent, record, arg);
}

static void a_message_larger_than_every_buffer_arrives(void **state)
{
    struct fixture *fx = *state;

    with_broker(fx, send_large);
    sr_agent_on_message(fx->agent, 500, note_large, fx);
    start(fx);
    run_until(fx->agent, stats_of(fx).rows_received == 2);
    assert_string_equal(fx->heard, "500,last;");
}

/* --- the end ------------------------------------------------------------------------------ */

static void flood(struct broker_connection *connection, void *arg)
{
    (void)arg;
    broker_welcome(connection);
    for (unsigned i = 1; i <= 3; i++)
        broker_publish(connection, "s/ol/24830", "502,1,op\n502,1,op", 1, i);
    broker_serve(connection);
}

static void free_reporter(struct sr_agent *agent, struct sr_record *record, void *arg)
{
    struct fixture *fx = arg;

    hear(agent, record, arg);
    sr_agent_sendf(agent, "103,kept");
    fx->reporter = sr_reporter_free(fx->reporter);
}

static void a_reporter_may_be_freed_in_a_handler(void **state)
{
    struct fixture *fx = *state;

    with_broker(fx, flood);
    sr_agent_on_message(fx->agent, 502, free_reporter, fx);
    start(fx);
    run_until(fx->agent, broker_count(fx->broker, DISCONNECT) == 1);
    run_for(fx->agent, 20);
    /* The message's second row is dispatched, later messages are not. */
    assert_string_equal(fx->heard, "502,op;502,op;");
    assert_int_equal(broker_count(fx->broker, PUBLISH), 0);
}

static void replace_reporter(struct sr_agent *agent, struct sr_record *record,
                             void *arg)
{
    struct fixture *fx = arg;

    hear(agent, record, arg);
    sr_reporter_free(fx->reporter);
    assert_int_equal(sr_reporter_new_mqtt(agent, fx->broker_url, &fx->reporter), 0);
    start(fx);
}

static void operation_behind_a_row(struct broker_connection *connection, void *arg)
{
    if (broker_number(connection)) {
        behave(connection, arg);
        return;
    }
    broker_welcome(connection);
    broker_next_publish(connection); /* never acknowledged */
    broker_publish(connection, "s/ol/24830", "502,1,op", 1, 1);
    while (broker_read(connection))
        ;
}

static void a_reporter_may_be_replaced_in_a_handler_and_no_row_is_lost(void **state)
{
    struct fixture *fx = *state;

    with_broker(fx, operation_behind_a_row);
    sr_agent_on_message(fx->agent, 502, replace_reporter, fx);
    send_row(fx, "103,1");
    start(fx);
    run_until(fx->agent, stats_of(fx).rows_acked == 1);
    assert_string_equal(published(fx, 1), "15,24830\n103,1");
    assert_string_equal(fx->heard, "502,op;");
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

    with_broker(fx, flood);
    sr_agent_on_message(fx->agent, 502, free_agent, fx);
    start(fx);
    assert_int_equal(sr_agent_loop(fx->agent), 0);
    assert_null(fx->agent);
    assert_string_equal(fx->heard, "502,op;");
}

static void a_freed_reporters_rows_are_the_next_ones(void **state)
{
    struct fixture *fx = *state;

    with_broker(fx, acknowledge_when_told);
    start_single_rows(fx, 4, 3);
    run_until_published(fx, 1);
    fx->reporter = sr_reporter_free(fx->reporter);
    assert_null(sr_reporter_free(NULL));
    broker_go_on(fx->broker);
    assert_int_equal(sr_reporter_new_mqtt(fx->agent, fx->broker_url, &fx->reporter), 0);
    start_single_rows(fx, 4, 0);
    for (int i = 0; i < 8; i++)
        broker_go_on(fx->broker);
    run_until(fx->agent, stats_of(fx).rows_acked == 3);
}

static atomic_int sigpipes;

static void count_sigpipe(int number)
{
    (void)number;
    atomic_fetch_add(&sigpipes, 1);
}

/* A FIN and then a reset: the next write raises SIGPIPE. */
static void go_for_good(struct broker_connection *connection, void *arg)
{
    struct fixture *fx = arg;

    broker_welcome(connection);
    broker_wait(connection);
    shutdown(broker_fd(connection), SHUT_WR);
    server_reset_on_close(broker_fd(connection));
    atomic_store(&fx->step, 1);
}

static void a_broken_connection_raises_no_sigpipe(void **state)
{
    struct fixture *fx = *state;
    struct sigaction mine = { .sa_handler = count_sigpipe }, old, after;

    sigaction(SIGPIPE, &mine, &old);
    for (int outside = 0; outside < 2; outside++) {
        with_broker(fx, go_for_good);
        sr_reporter_set_linger(fx->reporter, 0);
        start(fx);
        run_until(fx->agent, stats_of(fx).connected);
        send_row(fx, "103,1");
        broker_go_on(fx->broker);
        while (!fx->step)
            sched_yield();
        broker_stop(fx->broker); /* and with it the reset is on its way */
        fx->broker = NULL;
        fx->step = 0;
        if (!outside)
            run_until(fx->agent, !stats_of(fx).connected);
        fx->agent = sr_agent_free(fx->agent);
    }
    sigaction(SIGPIPE, &old, &after);
    assert_ptr_equal(after.sa_handler, count_sigpipe);
    assert_int_equal(sigpipes, 0);
}

static void stop_agent(struct sr_agent *agent, struct sr_timer *timer, void *arg)
{
    (void)timer, (void)arg;
    sr_agent_stop(agent);
}

static void an_idle_connection_wakes_nobody(void **state)
{
    struct fixture *fx = *state;
    struct sr_timer *timer;
    uint64_t before;

    with_broker(fx, behave);
    start(fx);
    run_until(fx->agent, broker_count(fx->broker, SUBSCRIBE) == 2);
    run_for(fx->agent, 50);
    sr_timer_new(fx->agent, 1000, stop_agent, NULL, &timer);
    sr_timer_start(timer);
    before = sr_agent_wakeups(fx->agent);
    assert_int_equal(sr_agent_loop(fx->agent), 0);
    assert_in_range(sr_agent_wakeups(fx->agent) - before, 1, 3);
}

/* --- threads -------------------------------------------------------------------------------- */

enum { SENDERS = 3, ROWS_EACH = 300 };

struct sender {
    struct sr_agent *agent;
    int number;
};

static void *send_rows(void *arg)
{
    struct sender *sender = arg;

    for (int i = 0; i < ROWS_EACH; i++)
        if (sr_agent_sendf(sender->agent, "%d,%d", 100 + sender->number, i))
            return arg;
    return NULL;
}

static void rows_may_be_sent_from_any_thread(void **state)
{
    struct fixture *fx = *state;
    struct sender senders[SENDERS];
    pthread_t threads[SENDERS];
    int next[SENDERS] = { 0 }, number, row;
    void *failed;

    with_broker(fx, behave);
    sr_reporter_set_linger(fx->reporter, 1);
    sr_reporter_set_batch(fx->reporter, 7);
    start(fx);
    for (int i = 0; i < SENDERS; i++) {
        senders[i] = (struct sender){ fx->agent, i };
        pthread_create(&threads[i], NULL, send_rows, &senders[i]);
    }
    run_until(fx->agent, stats_of(fx).rows_acked == SENDERS * ROWS_EACH);
    for (int i = 0; i < SENDERS; i++) {
        pthread_join(threads[i], &failed);
        assert_null(failed);
    }
    for (const struct packet *p = broker_seen(fx->broker, PUBLISH, 0); p; p = p->next)
        for (const char *line = p->type == PUBLISH ? p->payload : NULL; line;
             line = strchr(line, '\n')) {
            line += *line == '\n';
            if (sscanf(line, "10%d,%d", &number, &row) == 2)
                assert_int_equal(next[number]++, row);
        }
}

static void *live(void *arg)
{
    struct fixture *fx = arg;

    run_until(fx->agent, stats_of(fx).rows_acked == 50);
    fx->agent = sr_agent_free(fx->agent);
    return NULL;
}

static void two_agents_live_in_two_threads(void **state)
{
    static struct fixture both[2];
    pthread_t threads[2];

    (void)state;
    for (int i = 0; i < 2; i++) {
        with_broker(&both[i], behave);
        start_single_rows(&both[i], 4, 50);
        pthread_create(&threads[i], NULL, live, &both[i]);
    }
    for (int i = 0; i < 2; i++) {
        pthread_join(threads[i], NULL);
        broker_stop(both[i].broker);
    }
}

int main(void)
{
#define TEST(name) \
    cmocka_unit_test_setup_teardown(name, fixture_set_up, fixture_tear_down)
    const struct CMUnitTest tests[] = {
        TEST(rows_are_published_with_their_collection_first),
        TEST(rows_of_another_collection_bring_their_own_15),
        TEST(rows_are_joined_up_to_a_count),
        TEST(rows_are_joined_up_to_the_largest_packet),
        TEST(the_largest_row_fits),
        TEST(a_row_waits_for_company_for_the_linger_time),
        TEST(a_row_from_a_handler_goes_at_once),
        TEST(no_more_publishes_than_the_window_are_under_way),
        TEST(acknowledgements_may_be_unknown_doubled_and_out_of_order),
        TEST(what_was_not_acknowledged_is_sent_again_in_order),
        TEST(rows_arrive_in_order_and_none_is_missing_over_many_outages),
        TEST(at_the_bound_the_oldest_rows_make_room),
        TEST(messages_reach_the_handlers_of_their_collection),
        TEST(a_message_may_come_byte_by_byte),
        TEST(a_message_by_qos_2_arrives_once),
        TEST(a_message_larger_than_every_buffer_arrives),
        TEST(a_reporter_may_be_freed_in_a_handler),
        TEST(a_reporter_may_be_replaced_in_a_handler_and_no_row_is_lost),
        TEST(an_agent_may_be_freed_in_a_handler),
        TEST(a_freed_reporters_rows_are_the_next_ones),
        TEST(a_broken_connection_raises_no_sigpipe),
        TEST(an_idle_connection_wakes_nobody),
        TEST(rows_may_be_sent_from_any_thread),
        TEST(two_agents_live_in_two_threads),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
