/* SPDX-License-Identifier: MIT */
/* Channels by name, how large a row may be on each, and who hears what comes from where. */
#include "agent/dispatch.h"
#include "support/lines_protocol.h"

#include <setjmp.h>
#include <smartrest/outbox.h>
#include <smartrest/smartrest.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
/* after what it needs */
#include <cmocka.h>

struct fixture {
    struct sr_agent *agent;
    struct sr_reporter *reporter;
    char heard[1024];
};

static int set_up(void **state)
{
    struct fixture *fx = calloc(1, sizeof *fx);

    sr_protocol_add(&lines_protocol);
    if (sr_agent_new("http://localhost", "device", &fx->agent) ||
        sr_agent_set_xid(fx->agent, "24830"))
        return -1;
    sr_log_set_level(SR_LOG_OFF);
    *state = fx;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *fx = *state;

    sr_agent_free(fx->agent);
    sr_protocol_add(NULL);
    sr_log_set_level(SR_LOG_NOTICE);
    free(fx);
    return 0;
}

static uint32_t channel(struct fixture *fx, const char *protocol, const char *name)
{
    uint32_t number = UINT32_MAX;

    assert_int_equal(sr_agent_channel(fx->agent, protocol, name, &number), 0);
    return number;
}

static void says(struct fixture *fx, const char *text)
{
    assert_string_equal(sr_agent_error(fx->agent), text);
}

static void a_channel_has_one_number(void **state)
{
    struct fixture *fx = *state;
    uint32_t child = channel(fx, "smartrest1", "child");

    assert_int_equal(channel(fx, "smartrest1", NULL), 0);
    assert_int_not_equal(child, 0);
    assert_int_equal(channel(fx, "smartrest1", "child"), child);
    assert_int_not_equal(channel(fx, "smartrest1", "other"), child);
    assert_int_not_equal(channel(fx, "lines", "child"), child);
}

static void what_is_no_channel_is_said(void **state)
{
    struct fixture *fx = *state;
    uint32_t number = 77;

    assert_int_equal(sr_agent_channel(fx->agent, "smartrest9", "a", &number),
                     SR_E_NOTFOUND);
    says(fx, "there is no protocol 'smartrest9'");
    assert_int_equal(sr_agent_channel(fx->agent, NULL, "a", &number), SR_E_INVAL);
    assert_int_equal(sr_agent_channel(fx->agent, "smartrest1", "a b", &number),
                     SR_E_INVAL);
    says(fx, "'a b' is no name of a channel of smartrest1");
    assert_int_equal(sr_agent_channel(fx->agent, "lines", NULL, &number), SR_E_INVAL);
    assert_int_equal(sr_agent_channel(NULL, "smartrest1", "a", &number), SR_E_INVAL);
    assert_int_equal(sr_agent_channel(fx->agent, "smartrest1", "a", NULL), SR_E_INVAL);
    assert_int_equal(number, 77);
}

/* --- sending ---------------------------------------------------------------- */

static int send_on(struct fixture *fx, uint32_t number, int prio, const char *row)
{
    return sr_agent_send_with(
        fx->agent, row, &(struct sr_send_options){ .prio = prio, .channel = number });
}

static void a_row_goes_on_a_channel_that_there_is(void **state)
{
    struct fixture *fx = *state;
    uint32_t child = channel(fx, "smartrest1", "child");

    assert_int_equal(send_on(fx, child, 0, "1,a"), 0);
    assert_int_equal(send_on(fx, child, SR_PRIO_BUF, "1,a"), 0);
    assert_int_equal(send_on(fx, child, SR_PRIO_XID, "other,1,a"), SR_E_INVAL);
    assert_int_equal(send_on(fx, child + 1, 0, "1,a"), SR_E_INVAL);
    says(fx, "no row, or unknown flags or channel of it");
    assert_int_equal(send_on(fx, child, 0, "\"1\",a"), SR_E_SYNTAX);
    says(fx, "this is no row: \"1\",a");
}

/* Rows that are one byte too long for the channel, and just not. */
static void expect_bound(struct fixture *fx, uint32_t number, size_t most,
                         const char *by)
{
    char *row = malloc(most + 2), sentence[128];

    memset(row, '1', most + 1);
    row[most + 1] = '\0';
    snprintf(sentence, sizeof sentence, "a row of %zu bytes: %zu are the most%s",
             most + 1, most, by);
    assert_int_equal(send_on(fx, number, 0, row), SR_E_TOOBIG);
    says(fx, sentence);
    row[most] = '\0';
    assert_int_equal(send_on(fx, number, 0, row), 0);
    free(row);
}

static void by_mqtt_a_row_has_what_a_packet_has_left(void **state)
{
    struct fixture *fx = *state;

    assert_int_equal(sr_reporter_new_mqtt(fx->agent, "mqtt://localhost", &fx->reporter),
                     0);
    expect_bound(fx, 0, 16184 - 12 - strlen("15,\n") - 255, " by MQTT");
    expect_bound(fx, channel(fx, "smartrest1", "child"), 16184 - 12 - 9, " by MQTT");
    expect_bound(fx, channel(fx, "lines", "child"), 1000 - 8 - 14, " by MQTT");
}

static void by_http_a_row_may_be_larger(void **state)
{
    struct fixture *fx = *state;

    assert_int_equal(sr_reporter_new_http(fx->agent, &fx->reporter), 0);
    expect_bound(fx, 0, 262144, " by HTTP");
    expect_bound(fx, channel(fx, "smartrest1", "child"), 262144, " by HTTP");
    expect_bound(fx, channel(fx, "lines", "child"), 1000, " by HTTP");
}

static void before_there_is_a_reporter_any_may_come(void **state)
{
    struct fixture *fx = *state;

    expect_bound(fx, 0, 262144, "");
    assert_int_equal(sr_reporter_new_mqtt(fx->agent, "mqtt://localhost", &fx->reporter),
                     0);
    expect_bound(fx, 0, 15913, " by MQTT");
    sr_reporter_free(fx->reporter);
    expect_bound(fx, 0, 262144, "");
}

static void an_xid_in_the_row_is_not_part_of_it(void **state)
{
    struct fixture *fx = *state;
    const size_t most = 16184 - 12 - strlen("15,child\n");
    char *row = malloc(most + 16);

    assert_int_equal(sr_reporter_new_mqtt(fx->agent, "mqtt://localhost", &fx->reporter),
                     0);
    memset(row, '1', most + 16);
    memcpy(row, "child,", 6);
    row[most + 6] = '\0';
    assert_int_equal(sr_agent_send(fx->agent, row, SR_PRIO_XID), 0);
    row[most + 6] = '1';
    row[most + 7] = '\0';
    assert_int_equal(sr_agent_send(fx->agent, row, SR_PRIO_XID), SR_E_TOOBIG);
    says(fx, "a row of 16164 bytes: 16163 are the most by MQTT");
    free(row);
}

/* --- hearing ------------------------------------------------------------------ */

static void note(struct fixture *fx, const char *who, struct sr_record *record)
{
    size_t used = strlen(fx->heard);

    snprintf(fx->heard + used, sizeof fx->heard - used, "%s:%s;", who,
             sr_record_value(record, 1));
}

static void own(struct sr_agent *agent, struct sr_record *record, void *arg)
{
    (void)agent;
    note(arg, "own", record);
}

static void child(struct sr_agent *agent, struct sr_record *record, void *arg)
{
    (void)agent;
    note(arg, "child", record);
}

static void line(struct sr_agent *agent, struct sr_record *record, void *arg)
{
    (void)agent;
    note(arg, "line", record);
}

static void receive(struct fixture *fx, const struct sr_protocol *protocol,
                    const char *name, const char *rows)
{
    const struct sr_origin origin = { protocol, name };
    uint64_t seen = 0, malformed = 0;

    sr_agent_received_text(fx->agent, &origin, rows, strlen(rows), &seen, &malformed);
    assert_int_equal(malformed, 0);
}

static void expect_heard(struct fixture *fx, const char *heard)
{
    assert_string_equal(fx->heard, heard);
    fx->heard[0] = '\0';
}

static int on(struct fixture *fx, const char *protocol, const char *name,
              const char *id, sr_message_fn fn)
{
    return sr_agent_on_origin(fx->agent, protocol, name, id, fn, fx);
}

static void the_same_id_from_elsewhere_is_another_message(void **state)
{
    struct fixture *fx = *state;

    assert_int_equal(on(fx, "smartrest1", NULL, "510", own), 0);
    assert_int_equal(on(fx, "smartrest1", "child", "510", child), 0);
    assert_int_equal(on(fx, "lines", "child", "510", line), 0);
    receive(fx, &sr_smartrest1, NULL, "510,a");
    expect_heard(fx, "own:a;");
    receive(fx, &sr_smartrest1, "child", "510,b");
    expect_heard(fx, "child:b;");
    receive(fx, &lines_protocol, "child", "510,c");
    expect_heard(fx, "line:c;");
    receive(fx, &lines_protocol, "other", "510,d");
    receive(fx, &sr_smartrest1, "other", "510,e");
    expect_heard(fx, "");
    assert_int_equal(on(fx, "lines", "child", "510", NULL), 0);
    receive(fx, &lines_protocol, "child", "510,f");
    receive(fx, &sr_smartrest1, "child", "510,g");
    expect_heard(fx, "child:g;");
}

static void the_older_calls_are_short_for_smartrest1(void **state)
{
    struct fixture *fx = *state;

    sr_agent_on_message(fx->agent, 510, own, fx);
    sr_agent_on_xmessage(fx->agent, "child", 510, own, fx);
    assert_int_equal(on(fx, "smartrest1", "24830", "510", line), 0); /* the own one */
    assert_int_equal(on(fx, "smartrest1", "child", "510", child), 0);
    receive(fx, &sr_smartrest1, NULL, "510,a");
    receive(fx, &sr_smartrest1, "child", "510,b");
    expect_heard(fx, "line:a;child:b;");
}

/* It is SmartREST 1.0's. */
static void a_row_that_names_an_origin_does_so_in_its_own_protocol(void **state)
{
    struct fixture *fx = *state;

    assert_int_equal(on(fx, "smartrest1", "child", "1", child), 0);
    assert_int_equal(on(fx, "lines", "a", "1", line), 0);
    assert_int_equal(on(fx, "lines", "a", "87", line), 0);
    receive(fx, &lines_protocol, "a", "87,1,child\n1,x");
    expect_heard(fx, "line:1;line:x;");
    receive(fx, &sr_smartrest1, NULL, "87,1,child\n1,x\n1,y");
    expect_heard(fx, "child:x;");
}

static void a_message_id_may_be_a_text_where_the_protocol_has_such(void **state)
{
    struct fixture *fx = *state;

    assert_int_equal(on(fx, "lines", "a", "dm101", line), 0);
    assert_int_equal(on(fx, "lines", "a", "", child), 0);
    assert_int_equal(on(fx, "lines", "a", "4294967296", own), 0);
    receive(fx, &lines_protocol, "a", "dm101,x\n4294967296,y\n,z\ndm102,n\n7,n");
    expect_heard(fx, "line:x;own:y;child:z;");
    assert_int_equal(on(fx, "smartrest1", "a", "dm101", line), SR_E_INVAL);
    says(fx, "'dm101' is no message id of smartrest1");
    assert_int_equal(on(fx, "lines", "a", NULL, line), SR_E_INVAL);
    assert_int_equal(on(fx, "nobody", "a", "1", line), SR_E_NOTFOUND);
    assert_int_equal(sr_agent_on_origin(NULL, "lines", "a", "1", line, fx), SR_E_INVAL);
}

#define TEST(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_channel_has_one_number),
        TEST(what_is_no_channel_is_said),
        TEST(a_row_goes_on_a_channel_that_there_is),
        TEST(by_mqtt_a_row_has_what_a_packet_has_left),
        TEST(by_http_a_row_may_be_larger),
        TEST(before_there_is_a_reporter_any_may_come),
        TEST(an_xid_in_the_row_is_not_part_of_it),
        TEST(the_same_id_from_elsewhere_is_another_message),
        TEST(the_older_calls_are_short_for_smartrest1),
        TEST(a_row_that_names_an_origin_does_so_in_its_own_protocol),
        TEST(a_message_id_may_be_a_text_where_the_protocol_has_such),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
