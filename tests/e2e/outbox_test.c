/* SPDX-License-Identifier: MIT */
/* Rows that outlive outages and processes, and what an application is told of them: this
 * source is built once for HTTP and once for MQTT (TRANSPORT_MQTT), and runs against a whole
 * sandbox. */
#include "support/fault_proxy.h"
#include "support/run.h"
#include "world.h"

#include "outbox_templates.h"
#include <smartrest/smartrest.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#ifndef TRANSPORT_MQTT
#error "TRANSPORT_MQTT is 0 or 1"
#endif

static struct world world;

/* --- a subject ----------------------------------------------------------------------- */

/* A device, with a folder for its outbox and a line that can be cut. */
struct subject {
    char id[64], dir[200], credentials[256], object[32];
    char server[64], broker[64]; /* over the line */
    struct fault_proxy *line;
    struct sr_agent *agent;
    struct sr_reporter *reporter;
    int told[SR_FATES];
    uint64_t lost; /* rows, as the loss callback says */
    int troubles;
};

static void subject_agent(struct subject *subject)
{
    assert_int_equal(sr_agent_new(subject->server, subject->id, &subject->agent), 0);
    assert_int_equal(sr_agent_set(subject->agent, "linger", "20"), 0);
}

static void subject_free(struct subject *subject)
{
    subject->agent = sr_agent_free(subject->agent);
    subject->reporter = NULL;
}

static void know(struct subject *subject)
{
    if (sr_agent_bootstrap(subject->agent, subject->credentials) ||
        sr_agent_integrate(subject->agent, outbox_version, outbox_template))
        fail_msg("%s", sr_agent_error(subject->agent));
}

static void report(struct subject *subject)
{
    assert_int_equal(
        TRANSPORT_MQTT
            ? sr_reporter_new_mqtt(subject->agent, subject->broker, &subject->reporter)
            : sr_reporter_new_http(subject->agent, &subject->reporter),
        0);
    assert_int_equal(sr_reporter_start(subject->reporter), 0);
}

/* Known to the platform; no agent runs. */
static void subject_make(struct subject *subject, const char *name)
{
    *subject = (struct subject){ 0 };
    snprintf(subject->id, sizeof subject->id, "%s-%s", name,
             TRANSPORT_MQTT ? "mqtt" : "http");
    snprintf(subject->dir, sizeof subject->dir, "%s/%s.outbox", world.sandbox.dir,
             subject->id);
    snprintf(subject->credentials, sizeof subject->credentials, "%s/%s.credentials",
             world.sandbox.dir, subject->id);
    subject->line = fault_proxy_start(
        (uint16_t)(TRANSPORT_MQTT ? world.sandbox.mqtt_port : world.sandbox.http_port));
    assert_non_null(subject->line);
    strcpy(subject->server, world.server);
    if (!TRANSPORT_MQTT)
        snprintf(subject->server, sizeof subject->server, "http://127.0.0.1:%u",
                 (unsigned)fault_proxy_port(subject->line));
    snprintf(subject->broker, sizeof subject->broker, "mqtt://127.0.0.1:%u",
             (unsigned)fault_proxy_port(subject->line));
    subject_agent(subject);
    know(subject);
    strcpy(subject->object, sr_agent_id(subject->agent));
    subject_free(subject);
}

/* Known, and running with its outbox on disk. */
static void subject_start(struct subject *subject, const char *name)
{
    subject_make(subject, name);
    subject_agent(subject);
    assert_int_equal(sr_agent_open_outbox(subject->agent, subject->dir), 0);
    know(subject);
    report(subject);
}

static void subject_end(struct subject *subject)
{
    subject_free(subject);
    fault_proxy_stop(subject->line);
}

static void cut(struct subject *subject)
{
    fault_proxy_refuse(subject->line);
    fault_proxy_cut(subject->line, FAULT_RESET);
}

static void note(void *arg, enum sr_fate fate)
{
    ((struct subject *)arg)->told[fate]++;
}

static int send_number(struct subject *subject, long n, int prio, uint32_t ttl_s)
{
    const struct sr_send_options options = {
        .prio = prio, .ttl_s = ttl_s, .delivered = note, .arg = subject
    };
    char row[64];

    snprintf(row, sizeof row, "103,%s,%ld", subject->object, n);
    return sr_agent_send_with(subject->agent, row, &options);
}

static void send_numbers(struct subject *subject, long from, long to)
{
    for (long n = from; n < to; n++)
        assert_int_equal(send_number(subject, n, SR_PRIO_BUF, 0), 0);
}

static void flush(struct subject *subject)
{
    if (sr_agent_flush(subject->agent, PATIENCE_MS))
        fail_msg("%s", sr_agent_error(subject->agent));
}

/* --- what the operator sees ---------------------------------------------------------- */

/* The numbers 0 to `rows`, each for the first time in its turn; at most `repeats` are there
 * twice. */
static void expect_numbers(struct subject *subject, long rows, long repeats)
{
    assert_in_range(operator_await_numbers(&world, subject->object, rows), rows,
                    rows + repeats);
}

static size_t arrived(const struct subject *subject)
{
    json_t *all = operator_await_measurements(&world, subject->object, 0);
    size_t count = json_array_size(all);

    json_decref(all);
    return count;
}

/* --- processes ------------------------------------------------------------------------ */

static void run_program(struct program *program, const struct subject *subject,
                        long from, long to)
{
    char first[16], end[16];
    const char *argv[] = { OUTBOX_AGENT,
                           subject->dir,
                           first,
                           end,
                           TRANSPORT_MQTT ? "-v" : "http",
                           "-s",
                           subject->server,
                           "-b",
                           subject->broker,
                           "-d",
                           subject->id,
                           "-c",
                           subject->credentials,
                           "-v",
                           NULL };

    snprintf(first, sizeof first, "%ld", from);
    snprintf(end, sizeof end, "%ld", to);
    program_start(program, argv);
}

static bool some_arrived(void *arg)
{
    return arrived(arg) >= 100;
}

static void rows_of_a_killed_process_arrive_in_order(void **state)
{
    const long under_way =
        atol(OUTBOX_BATCH) * (TRANSPORT_MQTT ? atol(OUTBOX_WINDOW) : 1);
    struct subject subject;
    struct program program;

    (void)state;
    subject_make(&subject, "killed");
    run_program(&program, &subject, 0, 2000);
    await_true(some_arrived, &subject, "the first rows");
    fault_proxy_blackhole(subject.line);
    program_await(&program, "sent");
    program_kill(&program);

    fault_proxy_pass(subject.line);
    run_program(&program, &subject, 2000, 2100);
    program_await(&program, "sent");
    expect_numbers(&subject, 2100, under_way);
    program_interrupt(&program);
    subject_end(&subject);
}

static void a_second_process_is_told_that_the_outbox_is_in_use(void **state)
{
    struct subject subject;
    struct program program;

    (void)state;
    subject_start(&subject, "twice");
    run_program(&program, &subject, 0, 1);
    assert_int_equal(WEXITSTATUS(program_await_end(&program, PATIENCE_MS)), 1);
    assert_true(program_has_said(&program, subject.dir));
    send_numbers(&subject, 0, 10); /* the first one is none the worse */
    flush(&subject);
    expect_numbers(&subject, 10, 0);
    subject_end(&subject);
}

/* --- one agent -------------------------------------------------------------------------- */

static void rows_sent_before_bootstrap_arrive(void **state)
{
    struct subject subject;

    (void)state;
    subject_make(&subject, "early");
    subject_agent(&subject);
    send_numbers(&subject, 0, 5); /* before all else */
    assert_int_equal(sr_agent_open_outbox(subject.agent, subject.dir), 0);
    send_numbers(&subject, 5, 10);
    subject_free(&subject); /* and the agent never even knew its platform */
    assert_int_equal(subject.told[SR_FATE_STORED], 10);

    subject_agent(&subject);
    assert_int_equal(sr_agent_open_outbox(subject.agent, subject.dir), 0);
    send_numbers(&subject, 10, 15);
    know(&subject);
    report(&subject);
    flush(&subject);
    assert_int_equal(subject.told[SR_FATE_DELIVERED], 5);
    expect_numbers(&subject, 15, 0);
    subject_end(&subject);
}

static void flush_waits_for_the_network(void **state)
{
    struct subject subject;

    (void)state;
    subject_start(&subject, "flush");
    send_numbers(&subject, 0, 10);
    flush(&subject);
    assert_int_equal(subject.told[SR_FATE_DELIVERED], 10);
    cut(&subject);
    send_numbers(&subject, 10, 300);
    assert_int_equal(sr_agent_flush(subject.agent, 100), SR_E_TIMEOUT);
    assert_int_equal(subject.told[SR_FATE_DELIVERED], 10);
    fault_proxy_pass(subject.line);
    flush(&subject);
    assert_int_equal(subject.told[SR_FATE_DELIVERED], 300);
    expect_numbers(&subject, 300, 0);
    subject_end(&subject);
}

static void rows_whose_time_is_over_do_not_go(void **state)
{
    struct subject subject;

    (void)state;
    subject_start(&subject, "ttl");
    flush(&subject);
    cut(&subject);
    for (long n = 0; n < 5; n++)
        assert_int_equal(send_number(&subject, 100 + n, SR_PRIO_BUF, 1), 0);
    send_numbers(&subject, 0, 5);
    assert_int_equal(send_number(&subject, 5, SR_PRIO_BUF, 3600), 0);
    run_for(subject.agent, 1100);
    fault_proxy_pass(subject.line);
    flush(&subject);
    assert_int_equal(subject.told[SR_FATE_EXPIRED], 5);
    assert_int_equal(subject.told[SR_FATE_DELIVERED], 6);
    expect_numbers(&subject, 6, 0);
    assert_int_equal(arrived(&subject), 6);
    subject_end(&subject);
}

/* The clock is said to be wrong until it is said to be right. */
static void sr_now_is_the_time_of_the_send_though_the_clock_was_wrong(void **state)
{
    struct subject subject;
    time_t before, after;
    struct tm tm = { 0 };
    json_t *all;

    (void)state;
    subject_make(&subject, "clock");
    subject_agent(&subject);
    assert_int_equal(sr_agent_set(subject.agent, "clock_valid_after", "253402300799"),
                     0);
    assert_int_equal(sr_agent_open_outbox(subject.agent, subject.dir), 0);
    before = time(NULL);
    assert_int_equal(sr_agent_sendf_prio(subject.agent, SR_PRIO_BUF, "108,%s,%s,%d",
                                         SR_NOW, subject.object, 0),
                     0);
    after = time(NULL);
    know(&subject);
    report(&subject);
    assert_int_equal(sr_agent_flush(subject.agent, 1500), SR_E_TIMEOUT);
    assert_int_equal(arrived(&subject), 0);
    assert_int_equal(sr_agent_set(subject.agent, "clock_valid_after", NULL), 0);
    flush(&subject);

    all = operator_await_measurements(&world, subject.object, 1);
    strptime(json_string_value(json_object_get(json_array_get(all, 0), "time")),
             "%Y-%m-%dT%H:%M:%S", &tm);
    assert_in_range(timegm(&tm), before, after);
    json_decref(all);
    subject_end(&subject);
}

static void keep_trouble(struct sr_agent *agent, enum sr_trouble trouble,
                         const char *text, void *arg)
{
    struct subject *subject = arg;

    (void)agent;
    if (trouble != SR_TROUBLE_DISK)
        return;
    subject->troubles++;
    assert_true(subject->troubles % 2 ? text && strstr(text, subject->dir) : !text);
}

/* All but the last part of what is in the world's folder. */
static void make_parents(char *path)
{
    for (char *at = path + strlen(world.sandbox.dir) + 1; (at = strchr(at, '/'));
         at++) {
        *at = '\0';
        assert_int_equal(mkdir(path, 0700), 0);
        *at = '/';
    }
}

static void a_folder_that_appears_later_is_used_then(void **state)
{
    struct subject subject;

    (void)state;
    subject_make(&subject, "late");
    strcat(subject.dir, "/in/it");
    subject_agent(&subject);
    sr_agent_on_trouble(subject.agent, keep_trouble, &subject);
    assert_int_equal(sr_agent_open_outbox(subject.agent, subject.dir), 0);
    know(&subject);
    report(&subject);
    run_until(subject.agent, subject.troubles == 1);
    send_numbers(&subject, 0, 10);
    flush(&subject); /* by memory */

    make_parents(subject.dir);
    for (long n = 10; subject.troubles == 1; n++) {
        send_numbers(&subject, n, n + 1);
        run_for(subject.agent, 20);
    }
    flush(&subject);
    cut(&subject);
    send_number(&subject, 1000, SR_PRIO_BUF, 0);
    memset(subject.told, 0, sizeof subject.told);
    subject_free(&subject);
    assert_int_equal(subject.told[SR_FATE_STORED], 1);
    subject_end(&subject);
}

/* --- losses --------------------------------------------------------------------------- */

static void count_loss(struct sr_agent *agent, const struct sr_loss *loss, void *arg)
{
    (void)agent;
    ((struct subject *)arg)->lost += loss->rows;
}

struct reported {
    const struct subject *subject;
    uint64_t rows[2], at_least;
    char from[40], to[40];
};

static uint64_t rows_of(const json_t *event, const char *class)
{
    json_t *fragment = json_object_get(event, "c8y_smartrest_RowsLost");

    return (uint64_t)json_integer_value(json_object_get(fragment, class));
}

static bool has_events(void *arg)
{
    struct reported *reported = arg;
    json_t *list = operator_get(&world, "/event/events?source=%s&pageSize=100",
                                reported->subject->object);
    json_t *event;
    size_t i;

    reported->rows[0] = reported->rows[1] = 0;
    json_array_foreach(json_object_get(list, "events"), i, event)
    {
        json_t *fragment = json_object_get(event, "c8y_smartrest_RowsLost");

        assert_string_equal(json_string_value(json_object_get(event, "type")),
                            "c8y_smartrest_RowsLost");
        reported->rows[0] += rows_of(event, "volatile");
        reported->rows[1] += rows_of(event, "buffered");
        strcpy(reported->from, json_string_value(json_object_get(fragment, "from")));
        strcpy(reported->to, json_string_value(json_object_get(fragment, "to")));
    }
    json_decref(list);
    return reported->rows[0] + reported->rows[1] >= reported->at_least;
}

static void format_time(time_t at, char text[40])
{
    struct tm tm;

    strftime(text, 40, "%Y-%m-%dT%H:%M:%S", gmtime_r(&at, &tm));
}

static void the_platform_is_told_how_many_rows_an_outage_cost(void **state)
{
    enum { VOLATILE = 300, BUFFERED = 3000 };
    struct subject subject;
    struct reported reported = { .subject = &subject };
    char before[40], after[40];
    long n = 0;

    (void)state;
    subject_make(&subject, "lossy"); /* in memory only: a smaller bound */
    subject_agent(&subject);
    sr_agent_on_loss(subject.agent, count_loss, &subject);
    assert_int_equal(sr_agent_set(subject.agent, "capacity", "65536"), 0);
    know(&subject);
    report(&subject);
    send_numbers(&subject, n, 1), n++;
    flush(&subject);

    cut(&subject);
    format_time(time(NULL), before);
    for (int i = 0; i < VOLATILE; i++)
        assert_int_equal(send_number(&subject, n++, 0, 0), 0);
    for (int i = 0; i < BUFFERED; i++) {
        assert_int_equal(send_number(&subject, n++, SR_PRIO_BUF, 0), 0);
        if (i % 100 == 0)
            run_for(subject.agent, 10);
    }
    format_time(time(NULL), after);
    fault_proxy_pass(subject.line);
    flush(&subject);
    assert_int_equal(subject.told[SR_FATE_DELIVERED] + subject.told[SR_FATE_FULL], n);
    assert_in_range(subject.told[SR_FATE_FULL], VOLATILE + 1000, n);
    assert_int_equal(subject.lost, subject.told[SR_FATE_FULL]);

    reported.at_least = subject.lost;
    run_until(subject.agent, has_events(&reported));
    assert_int_equal(reported.rows[0], VOLATILE);
    assert_int_equal(reported.rows[0] + reported.rows[1],
                     (uint64_t)n - arrived(&subject));
    assert_true(strncmp(before, reported.from, 19) <= 0);
    assert_true(strncmp(reported.from, reported.to, 19) <= 0);
    assert_true(strncmp(reported.to, after, 19) <= 0);
    subject_end(&subject);
}

/* --- example 08 ----------------------------------------------------------------------- */

#if TRANSPORT_MQTT
static int count_waiting(void *arg, const struct sr_stored_row *row)
{
    *(int *)arg += !row->done && !row->quarantined;
    return 0;
}

static bool two_rows_wait(void *dir)
{
    int rows = 0;
    const struct sr_outbox_visitor visitor = { .row = count_waiting, .arg = &rows };

    return !sr_outbox_scan(dir, &visitor, NULL, 0) && rows >= 2;
}

static void the_example_keeps_its_measurements_over_kills(void **state)
{
    struct program agent;
    char object[32], dir[200];
    size_t count;
    json_t *all;

    (void)state;
    snprintf(dir, sizeof dir, "%s/gw-kept.credentials.outbox", world.sandbox.dir);
    example_start(&agent, &world, "08-outbox", "gw-kept");
    operator_find_device(&world, "gw-kept", object);
    all = operator_await_measurements(&world, object, 1);
    count = json_array_size(all);
    json_decref(all);
    world_kill(&world);
    program_await(&agent, "trying again");
    await_true(two_rows_wait, dir, "rows in the files"); /* it measures once a second */
    program_kill(&agent);
    world_start(&world, "--auto-accept");
    example_start(&agent, &world, "08-outbox", "gw-kept");
    program_await(&agent, "rows of an earlier run");
    json_decref(operator_await_measurements(&world, object, count + 2));
    program_interrupt(&agent);
}
#endif

static int start(void **state)
{
    (void)state;
    no_proxies();
    world_prepare(&world);
    world_start(&world, "--auto-accept");
    return 0;
}

static int end(void **state)
{
    (void)state;
    world_end(&world);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rows_of_a_killed_process_arrive_in_order),
        cmocka_unit_test(a_second_process_is_told_that_the_outbox_is_in_use),
        cmocka_unit_test(rows_sent_before_bootstrap_arrive),
        cmocka_unit_test(flush_waits_for_the_network),
        cmocka_unit_test(rows_whose_time_is_over_do_not_go),
        cmocka_unit_test(sr_now_is_the_time_of_the_send_though_the_clock_was_wrong),
        cmocka_unit_test(a_folder_that_appears_later_is_used_then),
        cmocka_unit_test(the_platform_is_told_how_many_rows_an_outage_cost),
#if TRANSPORT_MQTT
        cmocka_unit_test(the_example_keeps_its_measurements_over_kills),
#endif
    };

    return cmocka_run_group_tests(tests, start, end);
}
