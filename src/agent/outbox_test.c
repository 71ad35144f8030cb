/* SPDX-License-Identifier: MIT */
/* Rows and what becomes of them, as an application sees it; servers play scripts. */
#include "agent/agent_p.h"
#include "protocol/join.h"
#include "support/run.h"
#include "support/scripted_http.h"
#include <dirent.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <smartrest/smartrest.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
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

#define OK                   \
    {                        \
        HTTP_ANSWER, 200, "" \
    }

#define CREATED                                                                             \
    "{\"creationTime\":\"2026-11-22T20:45:06.000Z\",\"source\":{\"name\":\"gw\",\"id\":"    \
    "\"4711\"},\"type\":\"c8y_smartrest_RowsLost\",\"self\":\"http://h/event/events/815\"," \
    "\"id\":\"815\"}"

struct fixture {
    struct sr_agent *agent;
    struct scripted_http *server;
    uint16_t port;
    char dir[64], box[128], log[4096];
    struct sr_clock clock;
    struct sr_instant now; /* of that clock */

    int told[SR_FATES];
    int depth; /* of callbacks */
    struct sr_loss loss;
    int losses;
    enum sr_trouble trouble;
    char trouble_text[512]; /* "" if it is over */
    int troubles;
};

static void keep_log(enum sr_log_level level, const char *component, const char *text,
                     void *arg)
{
    struct fixture *fx = arg;

    (void)level, (void)component;
    if (strlen(fx->log) + strlen(text) + 2 < sizeof fx->log)
        strcat(strcat(fx->log, text), "\n");
}

static void tell_time(void *arg, struct sr_instant *ret_now)
{
    *ret_now = ((struct fixture *)arg)->now;
}

/* 2026-11-22T20:45:00.000Z */
enum { BOOT_MS = 100 * 1000 };
static const int64_t noon_ms = INT64_C(1795380300000);

static int set_up(void **state)
{
    struct fixture *fx = calloc(1, sizeof *fx);

    strcpy(fx->dir, "/tmp/agent_outbox.XXXXXX");
    if (!mkdtemp(fx->dir))
        return -1;
    snprintf(fx->box, sizeof fx->box, "%s/outbox", fx->dir);
    sr_log_set_sink(keep_log, fx);
    fx->clock = (struct sr_clock){ tell_time, fx };
    fx->now = (struct sr_instant){ noon_ms, BOOT_MS, 1 };
    fx->port = free_port();
    *state = fx;
    return 0;
}

static void remove_box(struct fixture *fx)
{
    DIR *dir = opendir(fx->box);
    struct dirent *entry;
    char path[512];

    while (dir && (entry = readdir(dir)))
        if (*entry->d_name != '.') {
            snprintf(path, sizeof path, "%s/%s", fx->box, entry->d_name);
            unlink(path);
        }
    if (dir)
        closedir(dir);
    rmdir(fx->box);
}

static int tear_down(void **state)
{
    struct fixture *fx = *state;

    sr_agent_free(fx->agent);
    scripted_http_stop(fx->server);
    sr_log_set_sink(NULL, NULL);
    remove_box(fx);
    if (rmdir(fx->dir))
        return -1; /* somebody left something behind */
    free(fx);
    return 0;
}

/* --- helpers ------------------------------------------------------------ */

static struct sr_agent *new_agent(struct fixture *fx)
{
    struct sr_agent *agent;
    char url[64];

    snprintf(url, sizeof url, "http://127.0.0.1:%u", (unsigned)fx->port);
    assert_int_equal(sr_agent_make(url, "gw-0001", &fx->clock, &agent), 0);
    assert_int_equal(sr_agent_set(agent, "linger", "0"), 0);
    return agent;
}

static void make_agent(struct fixture *fx)
{
    fx->agent = new_agent(fx);
}

static void set(struct fixture *fx, const char *name, const char *value)
{
    assert_int_equal(sr_agent_set(fx->agent, name, value), 0);
}

/* Its servers come up, it reports by HTTP. */
static void serve(struct fixture *fx, const struct http_step *steps, size_t count)
{
    fx->server = scripted_http_start(fx->port, steps, count);
    assert_non_null(fx->server);
    scripted_http_be_platform(fx->server, true);
}

static void report(struct fixture *fx)
{
    struct sr_reporter *reporter;

    assert_int_equal(sr_agent_set_credentials(fx->agent, "t4711", "dev", "s3cr3t"), 0);
    assert_int_equal(sr_agent_set_xid(fx->agent, "24830"), 0);
    assert_int_equal(sr_agent_set_id(fx->agent, "4711"), 0);
    assert_int_equal(sr_reporter_new_http(fx->agent, &reporter), 0);
    assert_int_equal(sr_reporter_start(reporter), 0);
}

static void note(void *arg, enum sr_fate fate)
{
    ((struct fixture *)arg)->told[fate]++;
}

static int send_noted(struct fixture *fx, const char *row, int prio)
{
    return sr_agent_send_with(
        fx->agent, row,
        &(struct sr_send_options){ .prio = prio, .delivered = note, .arg = fx });
}

static int told_in_all(const struct fixture *fx)
{
    int all = 0;

    for (int fate = 0; fate < SR_FATES; fate++)
        all += fx->told[fate];
    return all;
}

static void body_is(struct fixture *fx, unsigned i, const char *body)
{
    run_until(fx->agent, scripted_http_requests(fx->server) > i);
    assert_string_equal(scripted_http_body(fx->server, i), body);
}

/* Until the agent has read the answer to request `i`, as rows that are gone tell. */
static uint64_t waiting(struct fixture *fx)
{
    struct sr_outbox_stats stats;

    sr_outbox_stats(fx->agent->outbox, &stats);
    return stats.rows;
}

/* --- fates -------------------------------------------------------------- */

static void a_row_is_told_delivered_once_it_is_acknowledged(void **state)
{
    struct fixture *fx = *state;

    make_agent(fx);
    assert_int_equal(send_noted(fx, "400,1", 0), 0);
    assert_int_equal(send_noted(fx, "400,2\n401,3", SR_PRIO_BUF), 0);
    report(fx);
    run_for(fx->agent, 50);
    assert_int_equal(told_in_all(fx), 0); /* nobody is there to acknowledge it */
    SERVE(fx, OK);
    run_until(fx->agent, told_in_all(fx) == 2);
    assert_int_equal(fx->told[SR_FATE_DELIVERED], 2);
    run_for(fx->agent, 20);
    assert_int_equal(told_in_all(fx), 2);
}

static void a_send_that_fails_calls_nobody(void **state)
{
    struct fixture *fx = *state;
    static char big[SR_ROW_MAX_HTTP + 2];

    make_agent(fx);
    memset(big, '4', SR_ROW_MAX_HTTP + 1);
    assert_int_equal(send_noted(fx, big, 0), SR_E_TOOBIG);
    assert_int_equal(send_noted(fx, "", 0), SR_E_SYNTAX);
    assert_int_equal(send_noted(fx, "400", 64), SR_E_INVAL);
    assert_int_equal(send_noted(fx, NULL, 0), SR_E_INVAL);
    run_for(fx->agent, 10);
    fx->agent = sr_agent_free(fx->agent);
    assert_int_equal(told_in_all(fx), 0);
}

static void options_may_be_left_out(void **state)
{
    struct fixture *fx = *state;

    make_agent(fx);
    assert_int_equal(sr_agent_send_with(fx->agent, "400,1", NULL), 0);
    report(fx);
    SERVE(fx, OK);
    body_is(fx, 0, "15,24830\n400,1");
}

static void send_the_next(void *arg, enum sr_fate fate)
{
    struct fixture *fx = arg;

    fx->told[fate]++;
    if (fx->told[fate] < 3)
        assert_int_equal(
            sr_agent_send_with(
                fx->agent, "400,next",
                &(struct sr_send_options){ .delivered = send_the_next, .arg = fx }),
            0);
}

static void a_callback_may_send(void **state)
{
    struct fixture *fx = *state;

    SERVE(fx, OK);
    make_agent(fx);
    report(fx);
    sr_agent_send_with(
        fx->agent, "400,1",
        &(struct sr_send_options){ .delivered = send_the_next, .arg = fx });
    run_until(fx->agent, fx->told[SR_FATE_DELIVERED] == 3);
}

/* A callback that sends again whatever happens must not hold the loop. */
static void send_again(void *arg, enum sr_fate fate)
{
    struct fixture *fx = arg;

    fx->told[fate]++;
    sr_agent_send_with(fx->agent, "400,again",
                       &(struct sr_send_options){ .delivered = send_again, .arg = fx });
}

static void on_tick(struct sr_agent *agent, struct sr_timer *timer, void *arg)
{
    (void)agent, (void)timer;
    ++*(int *)arg;
}

static void a_callback_that_sends_for_ever_does_not_hold_the_loop(void **state)
{
    struct fixture *fx = *state;
    struct sr_timer *timer;
    int ticks = 0;

    make_agent(fx);
    set(fx, "capacity", "4096");
    set(fx, "full_volatile", "drop_newest");
    sr_timer_new(fx->agent, 1, on_tick, &ticks, &timer);
    sr_timer_start(timer);
    for (int i = 0; i < 100; i++)
        sr_agent_send_with(
            fx->agent, "400,again",
            &(struct sr_send_options){ .delivered = send_again, .arg = fx });
    run_until(fx->agent, ticks > 5 && fx->told[SR_FATE_FULL] > 5000);
}

static void send_reporter_to_sleep(void *arg, enum sr_fate fate)
{
    struct fixture *fx = arg;

    assert_int_equal(fx->depth, 0);
    fx->depth++;
    fx->told[fate]++;
    sr_reporter_sleep(fx->agent->reporter); /* decides the fate of others */
    fx->depth--;
}

static void callbacks_are_called_one_at_a_time(void **state)
{
    struct fixture *fx = *state;

    SERVE(fx, OK, { HTTP_SILENT, 0, NULL });
    make_agent(fx);
    set(fx, "batch_rows", "1");
    report(fx);
    for (int i = 0; i < 3; i++)
        sr_agent_send_with(fx->agent, i ? "400,waits" : "400,1",
                           &(struct sr_send_options){
                               .delivered = send_reporter_to_sleep, .arg = fx });
    run_until(fx->agent, told_in_all(fx) == 2); /* one is under way */
    assert_int_equal(fx->told[SR_FATE_DELIVERED], 1);
    assert_int_equal(fx->told[SR_FATE_ASLEEP], 1);
}

static void free_agent(void *arg, enum sr_fate fate)
{
    struct fixture *fx = arg;

    fx->told[fate]++;
    if (fx->agent)
        fx->agent = sr_agent_free(fx->agent);
}

static void a_callback_may_free_the_agent(void **state)
{
    struct fixture *fx = *state;
    struct sr_agent *agent;

    SERVE(fx, OK);
    make_agent(fx);
    report(fx);
    agent = fx->agent;
    for (int i = 0; i < 3; i++)
        sr_agent_send_with(
            agent, "400,1",
            &(struct sr_send_options){ .delivered = free_agent, .arg = fx });
    assert_int_equal(sr_agent_loop(agent), 0);
    assert_null(fx->agent);
    assert_int_equal(fx->told[SR_FATE_DELIVERED], 3); /* they were one request */
}

static void try_everything(void *arg, enum sr_fate fate)
{
    struct fixture *fx = arg;

    fx->told[fate]++;
    assert_int_equal(sr_agent_send(fx->agent, "400,late", SR_PRIO_BUF), SR_E_STOPPED);
    assert_int_equal(sr_agent_loop(fx->agent), SR_E_STOPPED);
    assert_int_equal(sr_agent_flush(fx->agent, 0), SR_E_STOPPED);
    sr_reporter_free(fx->agent->reporter);
    sr_agent_stop(fx->agent);
    sr_agent_free(fx->agent); /* which it is already */
}

static void freeing_the_agent_tells_the_rest_that_it_is_lost(void **state)
{
    struct fixture *fx = *state;

    make_agent(fx);
    report(fx);
    for (int i = 0; i < 3; i++)
        sr_agent_send_with(fx->agent, "400,1",
                           &(struct sr_send_options){ .prio = SR_PRIO_BUF,
                                                      .delivered = try_everything,
                                                      .arg = fx });
    run_for(fx->agent, 20);
    sr_agent_free(fx->agent);
    fx->agent = NULL;
    assert_int_equal(fx->told[SR_FATE_LOST], 3);
    assert_int_equal(told_in_all(fx), 3);
    assert_non_null(strstr(fx->log,
                           "lost rows with SR_PRIO_BUF: 3 (lost); sent between "
                           "2026-11-22T20:45:00.000Z and 2026-11-22T20:45:00.000Z"));
}

static void a_row_under_way_is_lost_with_the_agent_as_well(void **state)
{
    struct fixture *fx = *state;

    SERVE(fx, { HTTP_SILENT, 0, NULL });
    make_agent(fx);
    report(fx);
    send_noted(fx, "400,1", 0);
    run_until(fx->agent, scripted_http_requests(fx->server) == 1);
    fx->agent = sr_agent_free(fx->agent);
    assert_int_equal(fx->told[SR_FATE_LOST], 1);
}

static void a_row_expires(void **state)
{
    struct fixture *fx = *state;

    make_agent(fx);
    assert_int_equal(sr_agent_send_with(fx->agent, "400,old",
                                        &(struct sr_send_options){ .prio = SR_PRIO_BUF,
                                                                   .ttl_s = 60,
                                                                   .delivered = note,
                                                                   .arg = fx }),
                     0);
    fx->now.boot_ms += 61 * 1000;
    fx->now.wall_ms -= 1000 * 1000; /* whatever the wall clock does meanwhile */
    assert_int_equal(sr_agent_send_with(fx->agent, "400,new",
                                        &(struct sr_send_options){ .ttl_s = 60 }),
                     0);
    SERVE(fx, OK);
    report(fx);
    body_is(fx, 0, "15,24830\n400,new");
    run_until(fx->agent, fx->told[SR_FATE_EXPIRED] == 1);
}

static void fates_have_names(void **state)
{
    (void)state;
    assert_string_equal(sr_fate_name(SR_FATE_DELIVERED), "delivered");
    assert_string_equal(sr_fate_name(SR_FATE_LOST), "lost");
    assert_string_equal(sr_fate_name(SR_FATES), "unknown");
    assert_string_equal(sr_fate_name((enum sr_fate) - 1), "unknown");
    for (int i = 0; i < SR_FATES; i++)
        for (int j = 0; j < i; j++)
            assert_string_not_equal(sr_fate_name((enum sr_fate)i),
                                    sr_fate_name((enum sr_fate)j));
}

struct sender {
    struct fixture *fx;
    int told[500];
};

static void count_up(void *arg, enum sr_fate fate)
{
    assert_int_equal(fate, SR_FATE_DELIVERED);
    ++*(int *)arg;
}

static void *send_many(void *arg)
{
    struct sender *sender = arg;

    for (int i = 0; i < 500; i++) {
        struct sr_send_options options = { .prio = i % 2 ? SR_PRIO_BUF : 0,
                                           .delivered = count_up,
                                           .arg = &sender->told[i] };

        if (sr_agent_send_with(sender->fx->agent, "400,thread", &options))
            return sender;
    }
    return NULL;
}

static void rows_of_many_threads_are_each_told_once(void **state)
{
    struct fixture *fx = *state;
    struct sender senders[4];
    pthread_t threads[4];

    SERVE(fx, OK);
    make_agent(fx);
    report(fx);
    for (int i = 0; i < 4; i++) {
        senders[i] = (struct sender){ .fx = fx };
        assert_int_equal(pthread_create(&threads[i], NULL, send_many, &senders[i]), 0);
    }
    run_until(fx->agent, sr_outbox_rows_put(fx->agent->outbox) == 2000);
    for (int i = 0; i < 4; i++) {
        void *failed;

        pthread_join(threads[i], &failed);
        assert_null(failed);
    }
    run_until(fx->agent, waiting(fx) == 0);
    run_for(fx->agent, 5);
    for (int i = 0; i < 4; i++)
        for (int j = 0; j < 500; j++)
            assert_int_equal(senders[i].told[j], 1);
}

/* --- the bound ---------------------------------------------------------- */

static void keep_loss(struct sr_agent *agent, const struct sr_loss *loss, void *arg)
{
    struct fixture *fx = arg;

    assert_ptr_equal(agent, fx->agent);
    fx->losses++;
    fx->loss = *loss;
}

static void fill(struct fixture *fx, int prio)
{
    struct sr_outbox_stats stats;
    int rc = 0;

    while (!rc) {
        rc = sr_agent_send(fx->agent, "400,0123456789", prio);
        sr_outbox_stats(fx->agent->outbox, &stats);
        if (stats.fates[SR_FATE_FULL][prio & SR_PRIO_BUF])
            break;
    }
}

static void at_the_bound_it_refuses_if_it_is_to(void **state)
{
    struct fixture *fx = *state;

    make_agent(fx);
    set(fx, "capacity", "4096");
    set(fx, "full_buffered", "refuse");
    fill(fx, SR_PRIO_BUF);
    assert_int_equal(send_noted(fx, "400,0123456789", SR_PRIO_BUF), SR_E_FULL);
    run_for(fx->agent, 5);
    assert_int_equal(told_in_all(fx), 0);
    assert_string_equal(fx->log, "");
}

static void at_the_bound_the_newest_goes_if_it_is_to(void **state)
{
    struct fixture *fx = *state;

    make_agent(fx);
    set(fx, "capacity", "4096");
    set(fx, "full_volatile", "drop_newest");
    sr_agent_on_loss(fx->agent, keep_loss, fx);
    assert_int_equal(send_noted(fx, "400,first", 0), 0);
    fill(fx, 0);
    assert_int_equal(send_noted(fx, "400,0123456789", 0), 0);
    run_until(fx->agent, fx->told[SR_FATE_FULL] == 1 && fx->losses);
    assert_int_equal(told_in_all(fx), 1);
    assert_int_equal(fx->loss.fate, SR_FATE_FULL);
    assert_false(fx->loss.buffered);
    assert_int_equal(fx->loss.rows, 2);
    assert_int_equal(fx->loss.from_ms, noon_ms);
    assert_int_equal(fx->loss.to_ms, noon_ms);
}

static void at_the_bound_the_oldest_goes_by_default(void **state)
{
    struct fixture *fx = *state;

    make_agent(fx);
    set(fx, "capacity", "4096");
    assert_int_equal(send_noted(fx, "400,first", SR_PRIO_BUF), 0);
    fx->now.wall_ms += 5000;
    fill(fx, SR_PRIO_BUF);
    run_until(fx->agent, fx->told[SR_FATE_FULL] == 1);
    assert_non_null(strstr(fx->log,
                           "lost rows with SR_PRIO_BUF: 1 (full); sent between "
                           "2026-11-22T20:45:00.000Z and 2026-11-22T20:45:00.000Z"));
}

static void note_and_stop(void *arg, enum sr_fate fate)
{
    note(arg, fate);
    sr_agent_stop(((struct fixture *)arg)->agent);
}

static void a_smaller_bound_tells_what_it_costs(void **state)
{
    struct fixture *fx = *state;

    make_agent(fx);
    run_for(fx->agent, 5);
    for (int i = 0; i < 200; i++)
        assert_int_equal(
            sr_agent_send_with(
                fx->agent, "400,0123456789",
                &(struct sr_send_options){ .delivered = note_and_stop, .arg = fx }),
            0);
    run_for(fx->agent, 5);
    set(fx, "capacity", "4096");
    assert_int_equal(sr_agent_loop(fx->agent), 0); /* it need not be woken by others */
    assert_true(fx->told[SR_FATE_FULL] > 100);
}

static void the_longest_row_fits_into_any_request(void **state)
{
    enum { MQTT_MAX = 16172, ROW = SR_ROW_MAX };
    struct fixture *fx = *state;
    char own[SR_ID_MAX + 1], payload[MQTT_MAX];
    char *row = malloc(ROW + 2);
    const struct sr_channel channel = { .protocol = &sr_smartrest1 };
    struct sr_join join;

    make_agent(fx);
    memset(own, '9', sizeof own);
    own[SR_ID_MAX] = '\0';
    memset(row, '1', ROW);
    row[SR_ID_MAX] = ',';
    row[ROW] = '\0';
    assert_int_equal(sr_agent_send(fx->agent, row, SR_PRIO_XID), 0);
    assert_int_equal(sr_agent_send(fx->agent, row, 0), 0);

    sr_join_init(&join, SR_BY_MQTT, own, payload, sizeof payload, 1);
    assert_true(sr_join_add(&join, &channel, row, ROW));
    free(row);
}

/* The transport would carry it. */
static void a_row_that_the_outbox_has_no_room_for_is_said_to_be_that(void **state)
{
    struct fixture *fx = *state;
    static char big[20001];

    make_agent(fx);
    set(fx, "capacity", "16384");
    memset(big, '4', sizeof big - 1);
    assert_int_equal(sr_agent_send(fx->agent, big, 0), SR_E_TOOBIG);
    assert_string_equal(sr_agent_error(fx->agent),
                        "the row is not kept: larger than the limit");
}

static void the_length_of_a_row_is_counted_with_its_quotes(void **state)
{
    struct fixture *fx = *state;
    char *value = malloc(SR_ROW_MAX_HTTP + 1);

    make_agent(fx);
    memset(value, '"', SR_ROW_MAX_HTTP);
    value[SR_ROW_MAX_HTTP / 2 - 3] = '\0'; /* 400,"..." with each quote twice */
    assert_int_equal(sr_agent_sendf(fx->agent, "400,%s", value), 0);
    value[SR_ROW_MAX_HTTP / 2 - 3] = '"';
    value[SR_ROW_MAX_HTTP / 2 - 2] = '\0';
    assert_int_equal(sr_agent_sendf(fx->agent, "400,%s", value), SR_E_TOOBIG);
    free(value);
}

/* --- SR_NOW ------------------------------------------------------------- */

static void sr_now_becomes_the_time_however_the_row_was_made(void **state)
{
    struct fixture *fx = *state;
    struct sr_row row;

    make_agent(fx);
    sr_row_init(&row, 0);
    sr_row_start(&row, 402);
    sr_row_string(&row, SR_NOW);
    sr_row_int(&row, 5);
    fx->now.wall_ms += 123;
    assert_int_equal(sr_agent_send(fx->agent, sr_row_text(&row), 0), 0);
    sr_row_release(&row);
    fx->now.wall_ms += 1000;
    assert_int_equal(sr_agent_send(fx->agent, "400," SR_NOW, SR_PRIO_BUF), 0);
    assert_int_equal(
        sr_agent_sendf(fx->agent, "401,%s,%.1f,\"at %s, noon\"", SR_NOW, 1.5, SR_NOW),
        0);
    SERVE(fx, OK);
    report(fx);
    body_is(fx, 0,
            "15,24830\n402,2026-11-22T20:45:00.123Z,5\n"
            "400,2026-11-22T20:45:01.123Z\n"
            "401,2026-11-22T20:45:01.123Z,1.5,"
            "\"at 2026-11-22T20:45:01.123Z, noon\"");
}

static void sr_now_waits_until_the_clock_is_right(void **state)
{
    struct fixture *fx = *state;

    make_agent(fx);
    fx->now.wall_ms = 5000; /* 1970 */
    assert_int_equal(sr_agent_sendf(fx->agent, "400,first"), 0);
    assert_int_equal(sr_agent_sendf(fx->agent, "400,%s", SR_NOW), 0);
    SERVE(fx, OK);
    report(fx);
    body_is(fx, 0, "15,24830\n400,first");
    run_for(fx->agent, 50);
    assert_int_equal(scripted_http_requests(fx->server), 1);

    fx->now.boot_ms += 30 * 1000;
    fx->now.wall_ms = noon_ms;
    assert_int_equal(sr_agent_sendf(fx->agent, "400,last,%s", SR_NOW), 0);
    body_is(fx, 1,
            "15,24830\n400,2026-11-22T20:44:30.000Z\n"
            "400,last,2026-11-22T20:45:00.000Z");
}

static void a_clock_that_is_never_right_is_used_after_all(void **state)
{
    struct fixture *fx = *state;

    make_agent(fx);
    set(fx, "clock_wait", "0");
    fx->now.wall_ms = 5000;
    assert_int_equal(sr_agent_sendf(fx->agent, "400,%s", SR_NOW), 0);
    SERVE(fx, OK);
    report(fx);
    body_is(fx, 0, "15,24830\n400,1970-01-01T00:00:05.000Z");
}

/* --- flush -------------------------------------------------------------- */

static void flush_returns_when_every_row_has_met_its_fate(void **state)
{
    struct fixture *fx = *state;

    SERVE(fx, { HTTP_ANSWER, 503, "" }, OK);
    make_agent(fx);
    set(fx, "linger", "60000"); /* is not waited for */
    report(fx);
    for (int i = 0; i < 3; i++)
        send_noted(fx, "400,1", SR_PRIO_BUF);
    assert_int_equal(sr_agent_flush(fx->agent, 20 * 1000), 0);
    assert_int_equal(fx->told[SR_FATE_DELIVERED], 3);
    assert_int_equal(sr_agent_flush(fx->agent, 20 * 1000), 0); /* nothing waits */
    assert_int_equal(sr_agent_flush(fx->agent, UINT64_MAX), 0);
}

static void flush_ends_when_its_time_is_over(void **state)
{
    struct fixture *fx = *state;

    make_agent(fx);
    report(fx);
    send_noted(fx, "400,1", SR_PRIO_BUF);
    assert_int_equal(sr_agent_flush(fx->agent, 0), SR_E_TIMEOUT);
    assert_int_equal(sr_agent_flush(fx->agent, 30), SR_E_TIMEOUT);
    assert_string_equal(sr_agent_error(fx->agent), "flush: rows that still wait: 1");
    assert_int_equal(told_in_all(fx), 0);
    SERVE(fx, OK);
    assert_int_equal(sr_agent_flush(fx->agent, 20 * 1000), 0);
    assert_int_equal(fx->told[SR_FATE_DELIVERED], 1);
}

static void flush_needs_a_reporter_and_can_be_stopped(void **state)
{
    struct fixture *fx = *state;

    make_agent(fx);
    assert_int_equal(sr_agent_flush(NULL, 1), SR_E_INVAL);
    assert_int_equal(sr_agent_flush(fx->agent, 1), SR_E_STATE);
    assert_string_equal(sr_agent_error(fx->agent),
                        "flush: the reporter is not started");
    report(fx);
    send_noted(fx, "400,1", 0);
    sr_agent_stop(fx->agent);
    assert_int_equal(sr_agent_flush(fx->agent, 20 * 1000), SR_E_STOPPED);
}

static void try_to_flush(struct sr_agent *agent, struct sr_timer *timer, void *arg)
{
    (void)timer;
    *(int *)arg = sr_agent_flush(agent, 1);
    sr_agent_stop(agent);
}

static void flush_is_not_for_callbacks(void **state)
{
    struct fixture *fx = *state;
    struct sr_timer *timer;
    int rc = 0;

    make_agent(fx);
    report(fx);
    sr_timer_new(fx->agent, 1, try_to_flush, &rc, &timer);
    sr_timer_start(timer);
    assert_int_equal(sr_agent_loop(fx->agent), 0);
    assert_int_equal(rc, SR_E_STATE);
}

static void an_agent_freed_while_it_is_flushed_goes_when_flush_returns(void **state)
{
    struct fixture *fx = *state;
    struct sr_agent *agent;

    SERVE(fx, OK);
    make_agent(fx);
    report(fx);
    agent = fx->agent;
    sr_agent_send_with(agent, "400,1",
                       &(struct sr_send_options){ .delivered = free_agent, .arg = fx });
    assert_int_not_equal(sr_agent_flush(agent, 20 * 1000), SR_E_TIMEOUT);
    assert_null(fx->agent);
}

/* --- the event about losses ---------------------------------------------- */

/* `rows` of either class are lost at the bound, 5 s apart. */
static void lose(struct fixture *fx, int rows)
{
    set(fx, "full_volatile", "drop_newest");
    set(fx, "full_buffered", "drop_newest");
    set(fx, "capacity", "4096");
    fill(fx, SR_PRIO_BUF); /* one is lost */
    for (int i = 1; i < rows; i++)
        assert_int_equal(sr_agent_send(fx->agent, "400,0123456789", SR_PRIO_BUF), 0);
    fx->now.wall_ms += 5000;
    for (int i = 0; i < rows; i++)
        assert_int_equal(sr_agent_send(fx->agent, "400,0123456789", 0), 0);
}

static bool is_event(struct fixture *fx, unsigned i)
{
    return !strncmp(scripted_http_head(fx->server, i), "POST /event/events ", 19);
}

static unsigned events(struct fixture *fx)
{
    unsigned count = 0;

    for (unsigned i = 0; i < scripted_http_requests(fx->server); i++)
        count += is_event(fx, i);
    return count;
}

/* The last one. */
static void event_is(struct fixture *fx, const char *body)
{
    unsigned i = scripted_http_requests(fx->server) - 1;
    const char *head;

    while (i && !is_event(fx, i))
        i--;
    head = scripted_http_head(fx->server, i);
    assert_string_equal(scripted_http_body(fx->server, i), body);
    assert_non_null(strstr(head, "Content-Type: application/json\r\n"));
    assert_non_null(strstr(head, "Authorization: Basic dDQ3MTEvZGV2OnMzY3IzdA=="));
}

static struct sr_losses losses_of(struct fixture *fx)
{
    struct sr_losses losses;

    sr_outbox_losses(fx->agent->outbox, &losses);
    return losses;
}

#define EVENT(volatile, buffered, all)                                                 \
    "{\"source\":{\"id\":\"4711\"},\"type\":\"c8y_smartrest_RowsLost\","               \
    "\"time\":\"2026-11-22T20:45:05.000Z\",\"text\":\"Rows lost: " #all " (" #buffered \
    " buffered, " #volatile " volatile), sent between 2026-11-22T20:45:00.000Z and "   \
                            "2026-11-22T20:45:05.000Z\","                              \
                            "\"c8y_smartrest_RowsLost\":{\"buffered\":" #buffered      \
                            ",\"volatile\":" #volatile ",\"from\":\"2026-11-22T20:45:00.000Z\",\"to\":\"2026-11-22T20:45:05.000Z\"}}"

static void the_platform_gets_an_event_about_losses(void **state)
{
    struct fixture *fx = *state;

    SERVE(fx, OK, { HTTP_ANSWER, 201, CREATED }, OK);
    make_agent(fx);
    lose(fx, 8);
    report(fx);
    run_until(fx->agent, events(fx) == 1);
    event_is(fx, EVENT(8, 8, 16));
    run_until(fx->agent, strstr(fx->log, "the platform was told of lost rows: 16"));
    run_until(fx->agent, waiting(fx) == 0);
    assert_int_equal(events(fx), 1);
    assert_int_equal(losses_of(fx).rows[0] + losses_of(fx).rows[1], 0);
}

/* Or the reporter and sr_agent_request(), which ask on the connection of an empty answer whose that
 * was, would ask on another one and send the rows again. */
static void rows_requests_and_events_share_no_connection(void **state)
{
    struct fixture *fx = *state;
    unsigned by[3];
    const char *answer;
    size_t len;

    SERVE(fx, OK, { HTTP_ANSWER, 201, CREATED }, OK);
    make_agent(fx);
    lose(fx, 8);
    report(fx);
    run_until(fx->agent, waiting(fx) == 0 && events(fx) == 1);
    assert_int_equal(sr_agent_request(fx->agent, "24830", "105,1", &answer, &len), 0);
    for (unsigned i = 0; i < scripted_http_requests(fx->server); i++) {
        bool is_request = !strcmp(scripted_http_body(fx->server, i), "105,1");

        by[is_event(fx, i) ? 0 : 1 + is_request] =
            scripted_http_connection(fx->server, i);
    }
    assert_int_not_equal(by[0], by[1]);
    assert_int_not_equal(by[0], by[2]);
    assert_int_not_equal(by[1], by[2]);
}

static void an_event_that_fails_is_tried_again(void **state)
{
    struct fixture *fx = *state;

    SERVE(fx, OK, { HTTP_ANSWER, 500, "" }, { HTTP_CLOSE, 0, NULL },
          { HTTP_ANSWER, 201, CREATED });
    make_agent(fx);
    lose(fx, 8);
    report(fx);
    run_until(fx->agent, strstr(fx->log, "the platform was told of lost rows: 16"));
    event_is(fx, EVENT(8, 8, 16));
    assert_int_equal(events(fx), 3);
    assert_non_null(strstr(fx->log, "the event about lost rows: HTTP status 500"));
}

static void only_the_platforms_201_settles_the_event(void **state)
{
    struct fixture *fx = *state;

    SERVE(fx, OK, { HTTP_ANSWER, 201, "" }, { HTTP_ANSWER, 201, "<html>" },
          { HTTP_ANSWER, 201, "{\"id\":\"815\"}" },
          { HTTP_ANSWER, 201,
            "{\"id\":\"815\",\"self\":\"/815\",\"source\":{\"id\":\"4712\"},"
            "\"type\":\"c8y_smartrest_RowsLost\"}" },
          { HTTP_ANSWER, 201,
            "{\"id\":\"815\",\"self\":\"/815\",\"source\":{\"id\":\"4711\"},"
            "\"type\":\"other\"}" },
          { HTTP_ANSWER, 200, CREATED }, { HTTP_ANSWER, 201, CREATED });
    make_agent(fx);
    lose(fx, 8);
    report(fx);
    run_until(fx->agent, strstr(fx->log, "the platform was told of lost rows: 16"));
    assert_int_equal(events(fx), 7);
    assert_non_null(strstr(fx->log, "HTTP status 201, and not the platform's answer"));
}

static void an_event_that_is_refused_is_not_tried_at_once(void **state)
{
    struct fixture *fx = *state;

    SERVE(fx, OK, { HTTP_ANSWER, 403, "" }, OK);
    make_agent(fx);
    lose(fx, 8);
    report(fx);
    run_until(fx->agent, strstr(fx->log, "the event about lost rows: HTTP status 403"));
    sr_agent_report_up(fx->agent);
    assert_int_equal(send_noted(fx, "400,1", 0), 0);
    run_until(fx->agent, told_in_all(fx) == 1);
    run_for(fx->agent, 20);
    assert_int_equal(events(fx), 1);
    assert_int_equal(losses_of(fx).rows[0], 8); /* and not forgotten */
}

static void few_losses_make_no_event_and_with_0_none_do(void **state)
{
    static const char *const settings[] = { "17", "0" };
    struct fixture *fx = *state;

    for (int i = 0; i < 2; i++) {
        SERVE(fx, OK);
        make_agent(fx);
        set(fx, "loss_report", settings[i]);
        lose(fx, 8);
        report(fx);
        run_until(fx->agent, waiting(fx) == 0);
        run_for(fx->agent, 50);
        assert_int_equal(events(fx), 0);
        assert_int_equal(losses_of(fx).rows[1], 8);
        fx->agent = sr_agent_free(fx->agent);
        scripted_http_stop(fx->server);
        fx->server = NULL;
    }
}

static void what_is_lost_while_the_event_is_under_way_is_told_next(void **state)
{
    struct fixture *fx = *state;
    static const struct http_step steps[] = {
        OK, {HTTP_ANSWER, 201, CREATED}
    };

    make_agent(fx);
    lose(fx, 8);
    sr_outbox_losses(fx->agent->outbox, &fx->agent->report.told);
    assert_int_equal(sr_agent_send(fx->agent, "400,0123456789", 0), 0);
    sr_outbox_settle(fx->agent->outbox, &fx->agent->report.told);
    set(fx, "loss_report", "1");
    serve(fx, steps, 2);
    report(fx);
    run_until(fx->agent, events(fx) == 1);
    assert_non_null(
        strstr(scripted_http_body(fx->server, 1), "(0 buffered, 1 volatile)"));
}

static void the_event_waits_for_the_clock(void **state)
{
    struct fixture *fx = *state;

    SERVE(fx, OK, { HTTP_ANSWER, 201, CREATED });
    make_agent(fx);
    lose(fx, 8);
    fx->now.wall_ms = 5000;
    report(fx);
    run_until(fx->agent,
              waiting(fx) == 0 && sr_deadline_is_set(&fx->agent->report.pause));
    run_for(fx->agent, 20);
    assert_int_equal(events(fx), 0);
    fx->now.wall_ms = noon_ms + 5000;
    sr_agent_report_up(fx->agent);
    run_until(fx->agent, events(fx) == 1);
    event_is(fx, EVENT(8, 8, 16));
}

/* --- on disk ------------------------------------------------------------ */

static void open_box(struct fixture *fx)
{
    int rc = sr_agent_open_outbox(fx->agent, fx->box);

    if (rc)
        fail_msg("%s", sr_agent_error(fx->agent));
}

static void rows_sent_before_bootstrap_outlive_the_agent(void **state)
{
    struct fixture *fx = *state;

    make_agent(fx);
    open_box(fx);
    assert_int_equal(send_noted(fx, "400,1", SR_PRIO_BUF), 0);
    assert_int_equal(send_noted(fx, "400,volatile", 0), 0);
    assert_int_equal(send_noted(fx, "400,2", SR_PRIO_BUF), 0);
    assert_int_equal(sr_agent_send(fx->agent, "9,500,3", SR_PRIO_BUF | SR_PRIO_XID), 0);
    fx->agent = sr_agent_free(fx->agent);
    assert_int_equal(fx->told[SR_FATE_STORED], 2);
    assert_int_equal(fx->told[SR_FATE_LOST], 1);

    SERVE(fx, OK);
    make_agent(fx);
    open_box(fx);
    assert_int_equal(send_noted(fx, "400,4", SR_PRIO_BUF), 0);
    report(fx);
    assert_int_equal(sr_agent_flush(fx->agent, 20 * 1000), 0);
    body_is(fx, 0, "15,24830\n400,1\n400,2\n15,9\n500,3\n15,24830\n400,4");
    assert_int_equal(fx->told[SR_FATE_DELIVERED], 1); /* of this run */
    fx->agent = sr_agent_free(fx->agent);

    make_agent(fx); /* and that was all */
    open_box(fx);
    assert_int_equal(waiting(fx), 0);
}

static void rows_sent_before_the_outbox_is_opened_are_stored_then(void **state)
{
    struct fixture *fx = *state;

    make_agent(fx);
    assert_int_equal(send_noted(fx, "400,1", SR_PRIO_BUF), 0);
    open_box(fx);
    fx->agent = sr_agent_free(fx->agent);
    assert_int_equal(fx->told[SR_FATE_STORED], 1);
}

static void a_directory_has_one_agent_at_a_time(void **state)
{
    struct fixture *fx = *state;
    struct sr_agent *second;

    make_agent(fx);
    open_box(fx);
    second = new_agent(fx);
    assert_int_equal(sr_agent_open_outbox(second, fx->box), SR_E_BUSY);
    assert_non_null(strstr(sr_agent_error(second), fx->box));
    assert_int_equal(sr_agent_send(second, "400,1", SR_PRIO_BUF), 0); /* it works on */
    fx->agent = sr_agent_free(fx->agent);
    assert_int_equal(sr_agent_open_outbox(second, fx->box), 0);
    sr_agent_free(second);
}

static void the_outbox_is_opened_once(void **state)
{
    struct fixture *fx = *state;

    make_agent(fx);
    assert_int_equal(sr_agent_open_outbox(NULL, fx->box), SR_E_INVAL);
    assert_int_equal(sr_agent_open_outbox(fx->agent, NULL), SR_E_INVAL);
    assert_int_equal(sr_agent_open_outbox(fx->agent, ""), SR_E_INVAL);
    set(fx, "outbox_sync", "row");
    open_box(fx);
    assert_int_equal(sr_agent_open_outbox(fx->agent, fx->box), SR_E_STATE);
    assert_int_equal(sr_agent_set(fx->agent, "outbox_sync", "batch"), SR_E_STATE);
    assert_int_equal(sr_agent_set(fx->agent, "outbox_sync_interval", "50"), SR_E_STATE);
    set(fx, "outbox_capacity", "262144");
}

static void keep_trouble(struct sr_agent *agent, enum sr_trouble trouble,
                         const char *text, void *arg)
{
    struct fixture *fx = arg;

    assert_ptr_equal(agent, fx->agent);
    fx->troubles++;
    fx->trouble = trouble;
    snprintf(fx->trouble_text, sizeof fx->trouble_text, "%s", text ? text : "");
}

/* An agent with a row in an outbox that cannot be made: two levels of its folder are missing. */
static void open_too_deep(struct fixture *fx, char *deep, size_t size)
{
    make_agent(fx);
    snprintf(deep, size, "%s/deep", fx->box);
    sr_agent_on_trouble(fx->agent, keep_trouble, fx);
    assert_int_equal(sr_agent_open_outbox(fx->agent, deep), 0);
    run_until(fx->agent, fx->troubles == 1);
    assert_int_equal(fx->trouble, SR_TROUBLE_DISK);
    assert_non_null(strstr(fx->trouble_text, deep));
    assert_int_equal(send_noted(fx, "400,1", SR_PRIO_BUF), 0);
}

/* The trouble is over, and the row is on disk. */
static void expect_stored(struct fixture *fx, const char *deep)
{
    assert_int_equal(fx->troubles, 2);
    assert_int_equal(fx->trouble, SR_TROUBLE_DISK);
    assert_string_equal(fx->trouble_text, "");
    fx->agent = sr_agent_free(fx->agent);
    assert_int_equal(fx->told[SR_FATE_STORED], 1);
    strcpy(fx->box, deep);
    remove_box(fx);
    *strrchr(fx->box, '/') = '\0';
}

static void a_disk_that_comes_back_is_used_again(void **state)
{
    struct fixture *fx = *state;
    char deep[200];

    open_too_deep(fx, deep, sizeof deep);
    assert_int_equal(mkdir(fx->box, 0700), 0);
    while (fx->troubles == 1) {
        assert_int_equal(sr_agent_send(fx->agent, "400,2", SR_PRIO_BUF), 0);
        run_for(fx->agent, 5);
        fx->now.boot_ms += 100;
    }
    expect_stored(fx, deep);
}

static void a_disk_that_comes_back_is_used_again_by_an_idle_agent(void **state)
{
    struct fixture *fx = *state;
    char deep[200];

    open_too_deep(fx, deep, sizeof deep);
    assert_int_equal(mkdir(fx->box, 0700), 0);
    run_until(fx->agent, fx->troubles == 2); /* and nothing is sent meanwhile */
    expect_stored(fx, deep);
}

static void save_text(const struct fixture *fx, const char *name, const char *text)
{
    char path[256];
    FILE *file;

    snprintf(path, sizeof path, "%s/%s", fx->box, name);
    file = fopen(path, "w");
    assert_non_null(file);
    assert_true(fputs(text, file) >= 0);
    assert_int_equal(fclose(file), 0);
}

static void damage_on_a_disk_that_comes_late_is_logged(void **state)
{
    struct fixture *fx = *state;
    char hidden[160];

    assert_int_equal(mkdir(fx->box, 0700), 0);
    save_text(fx, "0000000001.seg", "rubbish");
    snprintf(hidden, sizeof hidden, "%s.hidden", fx->box);
    assert_int_equal(rename(fx->box, hidden), 0);
    assert_int_equal(symlink("/dev/null", fx->box), 0); /* not yet */
    make_agent(fx);
    open_box(fx);
    run_until(fx->agent, strstr(fx->log, "the outbox's disk fails"));
    assert_int_equal(unlink(fx->box), 0);
    assert_int_equal(rename(hidden, fx->box), 0);
    run_until(fx->agent, strstr(fx->log, "the outbox is on disk again"));
    assert_non_null(strstr(fx->log,
                           "1 file damaged, 0 or more rows lost; first "
                           "0000000001.seg at byte 0: too short for a header"));
}

static void the_log_tells_which_file_set_aside_was_removed(void **state)
{
    struct fixture *fx = *state;
    char name[64];

    assert_int_equal(mkdir(fx->box, 0700), 0);
    for (unsigned i = 2; i < 10; i++) {
        snprintf(name, sizeof name, "0000000003.seg.damaged.%u", i);
        save_text(fx, name, "rubbish");
    }
    save_text(fx, "0000000004.seg", "rubbish");
    make_agent(fx);
    open_box(fx);
    run_until(fx->agent, strstr(fx->log, "/0000000003.seg.damaged.2 removed: only the "
                                         "newest files set aside are kept"));
}

static void losses_of_an_earlier_run_are_told_as_well(void **state)
{
    struct fixture *fx = *state;

    make_agent(fx);
    set(fx, "full_volatile", "drop_newest");
    set(fx, "capacity", "4096");
    fill(fx, 0);
    for (int i = 1; i < 20; i++)
        assert_int_equal(sr_agent_send(fx->agent, "400,0123456789", 0), 0);
    open_box(fx);
    fx->agent = sr_agent_free(fx->agent);

    SERVE(fx, OK, { HTTP_ANSWER, 201, CREATED });
    make_agent(fx);
    open_box(fx);
    report(fx);
    assert_int_equal(sr_agent_send(fx->agent, "400,1", 0), 0);
    run_until(fx->agent, events(fx) == 1);
    assert_non_null(
        strstr(scripted_http_body(fx->server, 1), "(0 buffered, 20 volatile)"));
}

/* Files of more than 16 KiB fail: a segment cannot be begun. Returns the limit of before. */
static rlim_t limit_files(rlim_t limit)
{
    struct rlimit files;
    rlim_t before;

    getrlimit(RLIMIT_FSIZE, &files);
    before = files.rlim_cur;
    files.rlim_cur = limit;
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &files), 0);
    return before;
}

/* What failed is over with, and no row needs the disk: it is no reason to wake up all the time. */
static void a_disk_that_is_not_needed_lets_an_idle_agent_sleep_until_it_works(
    void **state)
{
    struct fixture *fx = *state;
    rlim_t before;

    SERVE(fx, OK);
    make_agent(fx);
    sr_agent_on_trouble(fx->agent, keep_trouble, fx);
    open_box(fx);
    signal(SIGXFSZ, SIG_IGN);
    before = limit_files(16384);
    assert_int_equal(send_noted(fx, "400,1", SR_PRIO_BUF), 0);
    run_until(fx->agent, fx->troubles == 1);
    report(fx);
    run_until(fx->agent, fx->told[SR_FATE_DELIVERED] == 1);
    fx->now.boot_ms += 3600 * 1000; /* an attempt is long due */
    sr_agent_tell(fx->agent);
    run_for(fx->agent, 50);
    run_until(fx->agent, sr_agent_timeout(fx->agent) > 100);
    assert_int_equal(fx->troubles, 1);

    limit_files(before);
    fx->now.boot_ms += 3600 * 1000;
    sr_agent_tell(fx->agent);
    run_until(fx->agent, fx->troubles == 2);
    assert_string_equal(fx->trouble_text, "");
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(a_row_is_told_delivered_once_it_is_acknowledged),
        TEST(a_send_that_fails_calls_nobody),
        TEST(options_may_be_left_out),
        TEST(a_callback_may_send),
        TEST(a_callback_that_sends_for_ever_does_not_hold_the_loop),
        TEST(callbacks_are_called_one_at_a_time),
        TEST(a_callback_may_free_the_agent),
        TEST(freeing_the_agent_tells_the_rest_that_it_is_lost),
        TEST(a_row_under_way_is_lost_with_the_agent_as_well),
        TEST(a_row_expires),
        TEST(fates_have_names),
        TEST(rows_of_many_threads_are_each_told_once),
        TEST(at_the_bound_it_refuses_if_it_is_to),
        TEST(at_the_bound_the_newest_goes_if_it_is_to),
        TEST(at_the_bound_the_oldest_goes_by_default),
        TEST(a_smaller_bound_tells_what_it_costs),
        TEST(the_longest_row_fits_into_any_request),
        TEST(a_row_that_the_outbox_has_no_room_for_is_said_to_be_that),
        TEST(the_length_of_a_row_is_counted_with_its_quotes),
        TEST(sr_now_becomes_the_time_however_the_row_was_made),
        TEST(sr_now_waits_until_the_clock_is_right),
        TEST(a_clock_that_is_never_right_is_used_after_all),
        TEST(flush_returns_when_every_row_has_met_its_fate),
        TEST(flush_ends_when_its_time_is_over),
        TEST(flush_needs_a_reporter_and_can_be_stopped),
        TEST(flush_is_not_for_callbacks),
        TEST(an_agent_freed_while_it_is_flushed_goes_when_flush_returns),
        TEST(the_platform_gets_an_event_about_losses),
        TEST(rows_requests_and_events_share_no_connection),
        TEST(an_event_that_fails_is_tried_again),
        TEST(only_the_platforms_201_settles_the_event),
        TEST(an_event_that_is_refused_is_not_tried_at_once),
        TEST(few_losses_make_no_event_and_with_0_none_do),
        TEST(what_is_lost_while_the_event_is_under_way_is_told_next),
        TEST(the_event_waits_for_the_clock),
        TEST(rows_sent_before_bootstrap_outlive_the_agent),
        TEST(rows_sent_before_the_outbox_is_opened_are_stored_then),
        TEST(a_directory_has_one_agent_at_a_time),
        TEST(the_outbox_is_opened_once),
        TEST(a_disk_that_comes_back_is_used_again),
        TEST(a_disk_that_comes_back_is_used_again_by_an_idle_agent),
        TEST(damage_on_a_disk_that_comes_late_is_logged),
        TEST(the_log_tells_which_file_set_aside_was_removed),
        TEST(a_disk_that_is_not_needed_lets_an_idle_agent_sleep_until_it_works),
        TEST(losses_of_an_earlier_run_are_told_as_well),
    };

    no_proxies();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
