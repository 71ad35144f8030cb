/* SPDX-License-Identifier: MIT */
/* What a reporter does, whatever it speaks: this source is built once for HTTP and once
 * for MQTT (TRANSPORT_MQTT), and runs against a whole sandbox. */
#include "support/run.h"
#include "world.h"

#include <smartrest/smartrest.h>
#include <stdio.h>
#include <string.h>

#ifndef TRANSPORT_MQTT
#error "TRANSPORT_MQTT is 0 or 1"
#endif

static const char srversion[] = "e2e_suite_1";
static const char srtemplate[] =
    "10,100,GET,/identity/externalIds/c8y_Serial/%%,,application/json,%%,STRING,\n"
    "10,101,POST,/inventory/managedObjects,application/json,application/json,%%,,"
    "\"{\"\"name\"\":\"\"Suite\"\",\"\"c8y_IsDevice\"\":{},"
    "\"\"com_cumulocity_model_Agent\"\":{}}\"\n"
    "10,102,POST,/identity/globalIds/%%/externalIds,application/json,,%%,UNSIGNED STRING,"
    "\"{\"\"type\"\":\"\"c8y_Serial\"\",\"\"externalId\"\":\"\"%%\"\"}\"\n"
    "10,103,POST,/measurement/measurements,application/json,,%%,NOW UNSIGNED NUMBER,"
    "\"{\"\"time\"\":\"\"%%\"\",\"\"source\"\":{\"\"id\"\":\"\"%%\"\"},"
    "\"\"type\"\":\"\"e2e\"\",\"\"e2e\"\":{\"\"n\"\":{\"\"value\"\":%%}}}\"\n"
    "10,104,PUT,/inventory/managedObjects/%%,application/json,application/json,%%,"
    "UNSIGNED STRING,\"{\"\"suite_Text\"\":\"\"%%\"\"}\"\n"
    "11,500,$.managedObject,,$.id\n"
    "11,501,,$.c8y_IsDevice,$.id\n"
    "11,504,,$.suite_Text,$.suite_Text\n";

static const char other_version[] = "e2e_suite_other_1";
static const char other_template[] =
    "10,104,PUT,/inventory/managedObjects/%%,application/json,application/json,%%,"
    "UNSIGNED STRING,\"{\"\"suite_Other\"\":\"\"%%\"\"}\"\n"
    "11,504,,$.suite_Other,$.suite_Other\n";

static struct world world;
static char other_xid[32]; /* the number of the other collection */

/* --- a subject ----------------------------------------------------------------------- */

enum { HEARD_MAX = 16 };

struct subject {
    struct sr_agent *agent;
    struct sr_reporter *reporter;
    bool by_mqtt;
    char heard[HEARD_MAX][256]; /* values 2 of the rows that came */
    size_t heard_count;
    uint64_t asked_ms, answered_ms;
};

static void hear(struct sr_agent *agent, struct sr_record *record, void *arg)
{
    struct subject *subject = arg;

    (void)agent;
    assert_true(subject->heard_count < HEARD_MAX);
    snprintf(subject->heard[subject->heard_count++], sizeof subject->heard[0], "%s",
             sr_record_value(record, 2));
}

static void new_reporter(struct subject *subject, bool by_mqtt)
{
    subject->by_mqtt = by_mqtt;
    assert_int_equal(
        by_mqtt ? sr_reporter_new_mqtt(subject->agent, world.broker, &subject->reporter)
                : sr_reporter_new_http(subject->agent, &subject->reporter),
        0);
    sr_reporter_set_linger(subject->reporter, 20);
}

/* Known to the platform, with a reporter that is not started yet. */
static void subject_make(struct subject *subject, const char *name)
{
    char id[64], credentials[256];

    *subject = (struct subject){ 0 };
    snprintf(id, sizeof id, "%s-%s", name, TRANSPORT_MQTT ? "mqtt" : "http");
    snprintf(credentials, sizeof credentials, "%s/%s.credentials", world.sandbox.dir,
             id);
    assert_int_equal(sr_agent_new(world.server, id, &subject->agent), 0);
    assert_int_equal(sr_agent_bootstrap(subject->agent, credentials), 0);
    assert_int_equal(sr_agent_integrate(subject->agent, srversion, srtemplate), 0);
    new_reporter(subject, TRANSPORT_MQTT);
}

static void subject_start(struct subject *subject)
{
    assert_int_equal(sr_reporter_start(subject->reporter), 0);
}

static void subject_free(struct subject *subject)
{
    sr_agent_free(subject->agent);
}

static struct sr_reporter_stats stats_of(const struct subject *subject)
{
    struct sr_reporter_stats stats;

    sr_reporter_stats(subject->reporter, &stats);
    return stats;
}

static void await_connection(struct subject *subject)
{
    run_until(subject->agent, stats_of(subject).connected);
}

static void await_acked(struct subject *subject, uint64_t rows)
{
    run_until(subject->agent, stats_of(subject).rows_acked >= rows);
}

static void await_heard(struct subject *subject, size_t count)
{
    run_until(subject->agent, subject->heard_count >= count);
}

static void send_numbers(struct subject *subject, long from, long to)
{
    for (long n = from; n < to; n++)
        assert_int_equal(sr_agent_sendf_prio(subject->agent, SR_PRIO_BUF, "103,%s,%ld",
                                             sr_agent_id(subject->agent), n),
                         0);
}

/* A row that puts `text` into a member of the device's object, by the JSON's rules. */
static void send_text(struct subject *subject, const char *text, const char *xid)
{
    struct sr_row row;

    sr_row_init(&row, 0);
    if (xid)
        sr_row_string(&row, xid);
    if (xid)
        sr_row_uint(&row, 104);
    else
        sr_row_start(&row, 104);
    sr_row_string(&row, sr_agent_id(subject->agent));
    sr_row_json(&row, text);
    assert_int_equal(sr_row_error(&row), 0);
    assert_int_equal(
        sr_agent_send(subject->agent, sr_row_text(&row), xid ? SR_PRIO_XID : 0), 0);
    sr_row_release(&row);
}

/* --- what the operator sees ---------------------------------------------------------- */

/* The numbers 0 to `rows`, each for the first time in its turn; `repeats` may be there
 * twice. */
static void expect_numbers(struct subject *subject, long rows, long repeats)
{
    assert_in_range(operator_await_numbers(&world, sr_agent_id(subject->agent), rows),
                    rows, rows + repeats);
}

static void expect_member(struct subject *subject, const char *member, const char *text)
{
    json_t *object = operator_get(&world, "/inventory/managedObjects/%s",
                                  sr_agent_id(subject->agent));

    assert_string_equal(json_string_value(json_object_get(object, member)), text);
    json_decref(object);
}

/* --- going up -------------------------------------------------------------------------- */

static void rows_arrive_in_the_order_they_were_sent(void **state)
{
    struct subject subject;

    (void)state;
    subject_make(&subject, "order");
    sr_reporter_set_batch(subject.reporter, 7);
    send_numbers(&subject, 0, 20); /* before there is a connection */
    subject_start(&subject);
    await_acked(&subject, 20);
    for (long n = 20; n < 100; n++) {
        send_numbers(&subject, n, n + 1);
        turn(subject.agent);
    }
    await_acked(&subject, 100);
    expect_numbers(&subject, 100, 0);
    assert_int_equal(stats_of(&subject).rows_dropped, 0);
    assert_int_equal(stats_of(&subject).rows_waiting, 0);
    subject_free(&subject);
}

static void a_value_arrives_as_what_it_was(void **state)
{
    static const char *const texts[] = {
        "plain",
        "commas, and, commas,",
        "\"quoted\", \"\"twice\"\", and one more: \"",
        "two\nlines",
        "CR LF\r\nand a lonely\rCR, TAB\t, back\\slash \\\" \\n",
        " blanks around ",
        "Gr\xc3\xbc\xc3\x9f"
        "e \xe2\x98\x83 \xf0\x9f\x9a\x80",
        "15,24830",
        "'single' {json: [%%, null]} $.x",
    };
    enum { TEXTS = sizeof texts / sizeof *texts };
    struct subject subject;

    (void)state;
    subject_make(&subject, "value");
    sr_agent_on_message(subject.agent, 504, hear, &subject);
    subject_start(&subject);
    for (size_t i = 0; i < TEXTS; i++) {
        send_text(&subject, texts[i], NULL);
        await_heard(&subject, i + 1);
        assert_string_equal(subject.heard[i], texts[i]);
        expect_member(&subject, "suite_Text", texts[i]);
    }
    /* And all in one request. */
    subject.heard_count = 0;
    for (size_t i = 0; i < TEXTS; i++)
        send_text(&subject, texts[i], NULL);
    await_heard(&subject, TEXTS);
    for (size_t i = 0; i < TEXTS; i++)
        assert_string_equal(subject.heard[i], texts[i]);
    subject_free(&subject);
}

static void linger_and_batch_say_how_rows_share_requests(void **state)
{
    struct subject subject;
    uint64_t began;

    (void)state;
    subject_make(&subject, "linger");
    sr_reporter_set_linger(subject.reporter, 2000);
    sr_reporter_set_batch(subject.reporter, 10);
    subject_start(&subject);
    await_connection(&subject);
    began = now_ms();
    send_numbers(&subject, 0, 25);
    await_acked(&subject, 20); /* two full requests, at once */
    assert_in_range(now_ms() - began, 0, 1900);
    await_acked(&subject, 25); /* the rest when the linger time is over */
    assert_true(now_ms() - began >= 1990);
    assert_int_equal(stats_of(&subject).requests_sent, 3);
    expect_numbers(&subject, 25, 0);
    subject_free(&subject);
}

static void without_linger_a_row_goes_at_once(void **state)
{
    struct subject subject;
    uint64_t began;

    (void)state;
    subject_make(&subject, "at-once");
    sr_reporter_set_linger(subject.reporter, 0);
    subject_start(&subject);
    await_connection(&subject);
    began = now_ms();
    for (long n = 0; n < 5; n++) {
        send_numbers(&subject, n, n + 1);
        await_acked(&subject, (uint64_t)n + 1);
    }
    assert_in_range(now_ms() - began, 0, 10 * 1000);
    assert_int_equal(stats_of(&subject).requests_sent, 5);
    subject_free(&subject);
}

static void ten_thousand_rows_in_a_burst_arrive(void **state)
{
    struct subject subject;
    uint64_t began;

    (void)state;
    subject_make(&subject, "burst");
    subject_start(&subject);
    await_connection(&subject);
    began = now_ms();
    send_numbers(&subject, 0, 10000);
    await_acked(&subject, 10000);
    print_message("10000 rows acknowledged after %lu ms, in %lu requests\n",
                  (unsigned long)(now_ms() - began),
                  (unsigned long)stats_of(&subject).requests_sent);
    assert_int_equal(stats_of(&subject).rows_dropped, 0);
    expect_numbers(&subject, 10000, 0);
    subject_free(&subject);
}

/* --- coming down -------------------------------------------------------------------------- */

static void answers_reach_the_handlers_of_their_collection(void **state)
{
    struct subject subject, *d = &subject;
    struct subject by_number = { 0 }, by_name = { 0 };

    (void)state;
    subject_make(&subject, "collections");
    sr_agent_on_message(d->agent, 504, hear, d);
    sr_agent_on_xmessage(d->agent, other_xid, 504, hear, &by_number);
    sr_agent_on_xmessage(d->agent, other_version, 504, hear, &by_name);
    subject_start(&subject);

    send_text(d, "own, first", NULL);
    send_text(d, "other, by number", other_xid);
    send_text(d, "own, again", NULL);
    send_text(d, "other, by name", other_version);
    send_text(d, "own, last", NULL);
    run_until(d->agent, d->heard_count == 3 && by_number.heard_count == 1 &&
                            by_name.heard_count == 1);
    assert_string_equal(d->heard[0], "own, first");
    assert_string_equal(d->heard[1], "own, again");
    assert_string_equal(d->heard[2], "own, last");
    assert_string_equal(by_number.heard[0], "other, by number");
    assert_string_equal(by_name.heard[0], "other, by name");
    expect_member(d, "suite_Text", "own, last");
    expect_member(d, "suite_Other", "other, by name");
    assert_int_equal(stats_of(d).requests_sent, 1); /* `15` rows part them */
    subject_free(&subject);
}

static void a_row_for_another_collection_may_be_alone(void **state)
{
    struct subject subject, other = { 0 };

    (void)state;
    subject_make(&subject, "alone");
    sr_agent_on_xmessage(subject.agent, other_xid, 504, hear, &other);
    subject_start(&subject);
    send_text(&subject, "alone", other_xid);
    run_until(subject.agent, other.heard_count == 1);
    assert_string_equal(other.heard[0], "alone");
    subject_free(&subject);
}

static void refused_rows_reach_handlers_and_hinder_no_others(void **state)
{
    struct subject subject, d43 = { 0 }, d45 = { 0 }, d50 = { 0 };

    (void)state;
    subject_make(&subject, "refused");
    sr_agent_on_message(subject.agent, 43, hear, &d43);
    sr_agent_on_message(subject.agent, 45, hear, &d45);
    sr_agent_on_message(subject.agent, 50, hear, &d50);
    subject_start(&subject);
    send_numbers(&subject, 0, 1);
    sr_agent_sendf(subject.agent, "999,%s", "nobody knows this row");
    send_numbers(&subject, 1, 2);
    sr_agent_sendf(subject.agent, "103,%s", "too little");
    sr_agent_sendf(subject.agent, "103,%s,%s", sr_agent_id(subject.agent), "hot");
    sr_agent_sendf(subject.agent, "104,%s,%s", "99999999", "no such object");
    send_numbers(&subject, 2, 3);
    run_until(subject.agent,
              d43.heard_count >= 1 && d45.heard_count >= 2 && d50.heard_count >= 1);
    assert_int_equal(d43.heard_count, 1);
    assert_int_equal(d45.heard_count, 2);
    assert_string_equal(d45.heard[0], "Wrong number of arguments");
    assert_string_equal(d45.heard[1], "Value is not a NUMBER: hot");
    assert_int_equal(d50.heard_count, 1);
    assert_string_equal(d50.heard[0], "404");
    await_acked(&subject, 7);
    expect_numbers(&subject, 3, 0);
    subject_free(&subject);
}

static void answer_from_handler(struct sr_agent *agent, struct sr_record *record,
                                void *arg)
{
    struct subject *subject = arg;

    (void)agent;
    if (!strcmp(sr_record_value(record, 2), "question")) {
        sr_reporter_set_linger(subject->reporter, 60 * 1000);
        subject->asked_ms = now_ms();
        send_text(subject, "from the handler", NULL);
    } else {
        subject->answered_ms = now_ms();
    }
}

static void a_row_from_a_handler_goes_at_once(void **state)
{
    struct subject subject;

    (void)state;
    subject_make(&subject, "handler");
    sr_reporter_set_linger(subject.reporter, 0); /* until it is asked */
    sr_agent_on_message(subject.agent, 504, answer_from_handler, &subject);
    subject_start(&subject);
    send_text(&subject, "question", NULL);
    run_until(subject.agent, subject.answered_ms);
    assert_in_range(subject.answered_ms - subject.asked_ms, 0, 30 * 1000);
    expect_member(&subject, "suite_Text", "from the handler");
    subject_free(&subject);
}

/* --- other reporters, other servers ---------------------------------------------------------- */

static void rows_that_wait_go_with_the_next_reporter_of_either_kind(void **state)
{
    struct subject subject;

    (void)state;
    subject_make(&subject, "anew");
    sr_reporter_set_linger(subject.reporter, 60 * 1000);
    subject_start(&subject);
    await_connection(&subject);
    send_numbers(&subject, 0, 10);
    turn(subject.agent);
    assert_int_equal(stats_of(&subject).rows_waiting, 10);

    sr_reporter_free(subject.reporter);
    send_numbers(&subject, 10, 20); /* nobody is there to take them */
    new_reporter(&subject, !TRANSPORT_MQTT);
    sr_reporter_set_linger(subject.reporter, 0);
    subject_start(&subject);
    await_acked(&subject, 20);

    sr_reporter_free(subject.reporter);
    send_numbers(&subject, 20, 30);
    new_reporter(&subject, TRANSPORT_MQTT);
    subject_start(&subject);
    await_acked(&subject, 10); /* the counts are the reporter's, and it is a new one */
    expect_numbers(&subject, 30, 0);
    subject_free(&subject);
}

/* The reporter goes while its first request is on its way: it may arrive twice. */
static void rows_under_way_go_again_with_the_next_reporter(void **state)
{
    struct subject subject;

    (void)state;
    subject_make(&subject, "under-way");
    sr_reporter_set_linger(subject.reporter, 0);
    subject_start(&subject);
    await_connection(&subject);
    send_numbers(&subject, 0, 100);
    run_until(subject.agent, stats_of(&subject).requests_sent >= 1);
    sr_reporter_free(subject.reporter);
    new_reporter(&subject, !TRANSPORT_MQTT);
    subject_start(&subject);
    run_until(subject.agent, stats_of(&subject).rows_waiting == 0);
    expect_numbers(&subject, 100, 100);
    subject_free(&subject);
}

static void a_server_that_is_restarted_is_found_again(void **state)
{
    struct subject subject;
    struct sr_reporter_stats stats;

    (void)state;
    subject_make(&subject, "restart");
    subject_start(&subject);
    send_numbers(&subject, 0, 10);
    await_acked(&subject, 10);

    world_kill(&world);
    send_numbers(&subject, 10, 20);
    run_until(subject.agent, !stats_of(&subject).connected);
    send_numbers(&subject, 20, 30);
    world_start(&world, "--auto-accept");
    await_acked(&subject, 30);
    stats = stats_of(&subject);
    assert_true(stats.connected);
    assert_in_range(stats.connects, 2, 10);
    assert_int_equal(stats.rows_dropped, 0);
    expect_numbers(&subject, 30, 20);
    subject_free(&subject);
}

/* --- the world --------------------------------------------------------------------------------- */

static void make_other_collection(void)
{
    struct subject subject;
    const char *answer;
    size_t len;

    subject_make(&subject, "founder");
    assert_int_equal(
        sr_agent_request(subject.agent, other_version, other_template, &answer, &len),
        0);
    if (sscanf(answer, "20,%31[0-9]", other_xid) != 1)
        fail_msg("no collection: %s", answer);
    subject_free(&subject);
}

static int start(void **state)
{
    (void)state;
    no_proxies();
    world_prepare(&world);
    world_start(&world, "--auto-accept");
    make_other_collection();
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
        cmocka_unit_test(rows_arrive_in_the_order_they_were_sent),
        cmocka_unit_test(a_value_arrives_as_what_it_was),
        cmocka_unit_test(linger_and_batch_say_how_rows_share_requests),
        cmocka_unit_test(without_linger_a_row_goes_at_once),
        cmocka_unit_test(answers_reach_the_handlers_of_their_collection),
        cmocka_unit_test(a_row_for_another_collection_may_be_alone),
        cmocka_unit_test(refused_rows_reach_handlers_and_hinder_no_others),
        cmocka_unit_test(a_row_from_a_handler_goes_at_once),
        cmocka_unit_test(rows_that_wait_go_with_the_next_reporter_of_either_kind),
        cmocka_unit_test(rows_under_way_go_again_with_the_next_reporter),
        cmocka_unit_test(ten_thousand_rows_in_a_burst_arrive),
        cmocka_unit_test(a_server_that_is_restarted_is_found_again),
    };

    return cmocka_run_group_tests(tests, start, end);
}
