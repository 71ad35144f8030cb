/* SPDX-License-Identifier: MIT */
#include "agent/dispatch.h"

#include <math.h>
#include <pthread.h>
#include <setjmp.h>
#include <smartrest/log.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
/* after what it needs */
#include <cmocka.h>

struct fixture {
    struct sr_agent *agent;
    char heard[1024]; /* what handlers were called with, `;` behind each */
    uint64_t rows, malformed;
};

static int set_up(void **state)
{
    struct fixture *fx = calloc(1, sizeof *fx);

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
    sr_log_set_level(SR_LOG_NOTICE);
    free(fx);
    return 0;
}

static void add(struct fixture *fx, const char *who, const char *what)
{
    strcat(fx->heard, who);
    strcat(fx->heard, what);
    strcat(fx->heard, ";");
}

/* Handlers by name: what they heard is the third value. */
static void own(struct sr_agent *agent, struct sr_record *record, void *arg)
{
    (void)agent;
    add(arg, "own:", sr_record_value(record, 2));
}

static void other(struct sr_agent *agent, struct sr_record *record, void *arg)
{
    (void)agent;
    add(arg, "other:", sr_record_value(record, 2));
}

static void third(struct sr_agent *agent, struct sr_record *record, void *arg)
{
    (void)agent;
    add(arg, "third:", sr_record_value(record, 2));
}

static void receive_for(struct fixture *fx, const char *xid, const char *rows)
{
    /* On the heap and without a NUL, so that a sanitizer sees a byte too many. */
    size_t len = strlen(rows);
    char *bytes = malloc(len ? len : 1);

    memcpy(bytes, rows, len);
    fx->heard[0] = '\0';
    fx->rows = fx->malformed = 0;
    sr_agent_received_text(fx->agent, &(struct sr_origin){ &sr_smartrest1, xid }, bytes,
                           len, &fx->rows, &fx->malformed);
    free(bytes);
}

static void receive(struct fixture *fx, const char *rows)
{
    receive_for(fx, NULL, rows);
}

static void expect(struct fixture *fx, const char *heard, uint64_t rows,
                   uint64_t malformed)
{
    assert_string_equal(fx->heard, heard);
    assert_int_equal(fx->rows, rows);
    assert_int_equal(fx->malformed, malformed);
}

static void a_row_goes_to_the_handler_of_its_id(void **state)
{
    struct fixture *fx = *state;

    sr_agent_on_message(fx->agent, 500, own, fx);
    sr_agent_on_message(fx->agent, 502, other, fx);
    receive(fx, "500,1,a\n501,1,b\r\n502,1,c");
    expect(fx, "own:a;other:c;", 3, 0);
}

static void a_later_handler_replaces_and_null_removes(void **state)
{
    struct fixture *fx = *state;

    sr_agent_on_message(fx->agent, 500, own, fx);
    sr_agent_on_message(fx->agent, 500, other, fx);
    receive(fx, "500,1,a");
    expect(fx, "other:a;", 1, 0);
    assert_int_equal(sr_agent_on_message(fx->agent, 500, NULL, NULL), 0);
    assert_int_equal(sr_agent_on_message(fx->agent, 500, NULL, NULL), 0);
    receive(fx, "500,1,a");
    expect(fx, "", 1, 0);
}

static void many_handlers_are_all_found(void **state)
{
    struct fixture *fx = *state;
    char row[32], xid[8], heard[32];

    for (uint32_t i = 0; i < 300; i++) {
        uint32_t id = i * 7919 % 300;

        snprintf(xid, sizeof xid, "x%u", id);
        assert_int_equal(sr_agent_on_message(fx->agent, id + 100, own, fx), 0);
        assert_int_equal(sr_agent_on_xmessage(fx->agent, xid, 100, other, fx), 0);
    }
    for (uint32_t id = 0; id < 300; id++) {
        snprintf(row, sizeof row, "%u,1,%u", id + 100, id);
        snprintf(heard, sizeof heard, "own:%u;", id);
        receive(fx, row);
        expect(fx, heard, 1, 0);
        snprintf(xid, sizeof xid, "x%u", id);
        receive_for(fx, xid, "100,1,here");
        expect(fx, "other:here;", 1, 0);
    }
}

static void rows_of_another_collection_go_to_its_handler(void **state)
{
    struct fixture *fx = *state;

    sr_agent_on_message(fx->agent, 500, own, fx);
    sr_agent_on_xmessage(fx->agent, "child", 500, other, fx);
    receive(fx, "500,1,a");
    expect(fx, "own:a;", 1, 0);
    receive_for(fx, "child", "500,1,b");
    expect(fx, "other:b;", 1, 0);
    receive_for(fx, "stranger", "500,1,c");
    expect(fx, "", 1, 0);
}

static void the_own_collection_goes_by_number(void **state)
{
    struct fixture *fx = *state;

    sr_agent_on_message(fx->agent, 500, own, fx);
    receive_for(fx, "24830", "500,1,a");
    expect(fx, "own:a;", 1, 0);
    receive(fx, "87,1,24830\n500,1,b");
    expect(fx, "own:b;", 2, 0);
    sr_agent_on_xmessage(fx->agent, "24830", 501, other, fx);
    receive(fx, "501,1,c");
    expect(fx, "other:c;", 1, 0);
}

static void row_87_names_the_collection_of_the_rows_it_counts(void **state)
{
    struct fixture *fx = *state;

    sr_agent_on_message(fx->agent, 500, own, fx);
    sr_agent_on_xmessage(fx->agent, "child", 500, other, fx);
    sr_agent_on_xmessage(fx->agent, "third", 500, third, fx);
    receive(fx, "500,1,a\n87,2,child\n500,1,b\n500,1,c\n500,1,d\n87,1,third\n500,1,e\n"
                "500,1,f");
    expect(fx, "own:a;other:b;other:c;own:d;third:e;own:f;", 8, 0);
}

static void a_group_may_be_cut_short_by_another_or_by_the_end(void **state)
{
    struct fixture *fx = *state;

    sr_agent_on_message(fx->agent, 500, own, fx);
    sr_agent_on_xmessage(fx->agent, "child", 500, other, fx);
    receive(fx, "87,18446744073709551615,child\n500,1,a\n87,1,24830\n500,1,b\n500,1,c");
    expect(fx, "other:a;own:b;own:c;", 5, 0);
    receive(fx, "500,1,d"); /* the next message begins anew */
    expect(fx, "own:d;", 1, 0);
    receive(fx, "87,0,child\n500,1,e");
    expect(fx, "own:e;", 2, 0);
}

static void after_a_group_rows_are_of_the_messages_collection_again(void **state)
{
    struct fixture *fx = *state;

    sr_agent_on_xmessage(fx->agent, "child", 500, other, fx);
    sr_agent_on_xmessage(fx->agent, "third", 500, third, fx);
    receive_for(fx, "child", "87,1,third\n500,1,a\n500,1,b");
    expect(fx, "third:a;other:b;", 3, 0);
}

static void nonsense_in_row_87_is_malformed_and_changes_nothing(void **state)
{
    static const char *const nonsense[] = {
        "87",         "87,",         "87,1",         "87,1,",
        "87,x,child", "87,-1,child", "87,1.5,child", "87,99999999999999999999,child",
        "87,,child",  "87,1,a b",    "87,1,\xff",
    };
    struct fixture *fx = *state;
    char rows[400], name[300];

    sr_agent_on_message(fx->agent, 500, own, fx);
    sr_agent_on_xmessage(fx->agent, "child", 500, other, fx);
    for (size_t i = 0; i < sizeof nonsense / sizeof *nonsense; i++) {
        snprintf(rows, sizeof rows, "%s\n500,1,a", nonsense[i]);
        receive(fx, rows);
        expect(fx, "own:a;", 2, 1);
    }
    sr_agent_received_text(fx->agent, &(struct sr_origin){ &sr_smartrest1, NULL },
                           "87,1,chi\0ld\n500,1,a", 20, &fx->rows, &fx->malformed);
    assert_int_equal(fx->malformed, 2); /* one more than before */
    memset(name, 'n', sizeof name);
    for (int len = 255; len <= 257; len++) {
        snprintf(rows, sizeof rows, "87,1,%.*s\n500,1,a", len, name);
        receive(fx, rows);
        expect(fx, len == 255 ? "" : "own:a;", 2, len == 255 ? 0 : 1);
    }
}

static void malformed_rows_count_in_their_group(void **state)
{
    struct fixture *fx = *state;

    sr_agent_on_message(fx->agent, 500, own, fx);
    sr_agent_on_xmessage(fx->agent, "child", 500, other, fx);
    receive(fx, "87,3,child\n500,1,a\"b\nxyz,1\n500,1,c\n500,1,d");
    expect(fx, "other:c;own:d;", 5, 2);
}

static void malformed_rows_are_counted_and_the_others_dispatched(void **state)
{
    struct fixture *fx = *state;

    sr_agent_on_message(fx->agent, 500, own, fx);
    receive(fx,
            "500,1,a\n500,1,b\"c\n\n  \n\"500\"x\n500,1,\"d\"\nnonsense\n,1\n-500,1,e\n"
            "500,1,\"never closed\n500,1,f");
    expect(fx, "own:a;own:d;", 8, 6);
}

static void ids_that_do_not_fit_32_bits_reach_nobody(void **state)
{
    struct fixture *fx = *state;

    sr_agent_on_message(fx->agent, 0, own, fx);
    sr_agent_on_message(fx->agent, 500, own, fx);
    sr_agent_on_message(fx->agent, UINT32_MAX, own, fx);
    receive(fx, "4294967296,1,zero\n4294967796,1,fivehundred\n4294967295,1,largest\n"
                "18446744073709551616,1,larger\n99999999999999999999999,1,x\n0,1,null");
    expect(fx, "own:largest;own:null;", 6, 4);
}

static void rows_with_fewer_values_read_as_empty(void **state)
{
    struct fixture *fx = *state;

    sr_agent_on_message(fx->agent, 500, own, fx);
    receive(fx, "500\n500,\n500,1\n500,1,");
    expect(fx, "own:;own:;own:;own:;", 4, 0);
}

static void built_in_rows_anywhere_do_no_harm(void **state)
{
    struct fixture *fx = *state;

    receive(fx,
            "15,a\n20,1\n20\n40\n41,1\n42\n43,1,x\n45\n50\n50,1\n50,1,404,t\n70\n70,1\n"
            "80\n81\n86\n86,,,,\n88\n88,1\n15\n");
    expect(fx, "", 20, 0);
    sr_agent_on_message(fx->agent, 50, own, fx);
    receive(fx, "50,1,404");
    expect(fx, "own:404;", 1, 0);
}

static void the_empty_message_has_no_rows(void **state)
{
    struct fixture *fx = *state;

    receive(fx, "");
    expect(fx, "", 0, 0);
    receive(fx, " \n\r\n\n");
    expect(fx, "", 0, 0);
}

static void register_many(struct sr_agent *agent, struct sr_record *record, void *arg)
{
    own(agent, record, arg);
    for (uint32_t id = 600; id < 700; id++)
        assert_int_equal(sr_agent_on_message(agent, id, other, arg), 0);
    sr_agent_on_message(agent, 500, third, arg);
}

static void remove_self(struct sr_agent *agent, struct sr_record *record, void *arg)
{
    own(agent, record, arg);
    sr_agent_on_message(agent, 500, NULL, NULL);
}

static void handlers_may_register_others_and_replace_themselves(void **state)
{
    struct fixture *fx = *state;

    sr_agent_on_message(fx->agent, 500, register_many, fx);
    receive(fx, "500,1,a\n699,1,b\n500,1,c");
    expect(fx, "own:a;other:b;third:c;", 3, 0);
    sr_agent_on_message(fx->agent, 500, remove_self, fx);
    receive(fx, "500,1,a\n500,1,b");
    expect(fx, "own:a;", 2, 0);
}

/* The error names it; control characters are blanks there. */
static void names(struct fixture *fx, const char *what, const char *id)
{
    char text[64], *end;

    snprintf(text, sizeof text, "%s '%s' is not 1 to 255 bytes", what, id);
    end = strchr(text, '\n');
    if (end)
        *end = ' ';
    assert_non_null(strstr(sr_agent_error(fx->agent), text));
}

static void names_that_cannot_be_a_collection_are_refused(void **state)
{
    static const char *const bad[] = { "", "a b", "a,b", "#", "a/+", "a\nb", "\"a\"" };
    struct fixture *fx = *state;

    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        assert_int_equal(sr_agent_on_xmessage(fx->agent, bad[i], 1, own, fx),
                         SR_E_INVAL);
        names(fx, "X-Id", bad[i]);
        assert_int_equal(sr_agent_set_id(fx->agent, bad[i]), SR_E_INVAL);
        names(fx, "object id", bad[i]);
        assert_int_equal(sr_agent_set_xid(fx->agent, bad[i]), SR_E_INVAL);
        names(fx, "X-Id", bad[i]);
    }
    assert_int_equal(sr_agent_on_xmessage(fx->agent, NULL, 1, own, fx), SR_E_INVAL);
    names(fx, "X-Id", "");
    assert_int_equal(sr_agent_on_xmessage(NULL, "a", 1, own, fx), SR_E_INVAL);
    assert_int_equal(sr_agent_on_message(NULL, 1, own, fx), SR_E_INVAL);
    assert_string_equal(sr_agent_xid(fx->agent), "24830");
}

/* --- what is sent is looked at, too -------------------------------------------- */

static void only_rows_can_be_sent(void **state)
{
    static const char *const bad[] = { "",        "\n",         "  ",     ",1",
                                       "\"1\",2", "1,\"a",      "1,a\"b", "1,\"a\"b",
                                       "1,a\rb",  "1,a\n2,b\"c" };
    struct fixture *fx = *state;
    static char large[SR_ROW_MAX_HTTP + 2];

    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_int_equal(sr_agent_send(fx->agent, bad[i], 0), SR_E_SYNTAX);
    assert_int_equal(sr_agent_send(fx->agent, NULL, 0), SR_E_INVAL);
    assert_int_equal(sr_agent_send(NULL, "1", 0), SR_E_INVAL);
    assert_int_equal(sr_agent_send(fx->agent, "1", 4), SR_E_INVAL);
    assert_int_equal(sr_agent_send(fx->agent, "1,a\n2,b\r\n\r\n", SR_PRIO_BUF), 0);
    memset(large, '1', sizeof large);
    large[SR_ROW_MAX_HTTP + 1] = '\0';
    assert_int_equal(sr_agent_send(fx->agent, large, 0), SR_E_TOOBIG);
    large[SR_ROW_MAX_HTTP] = '\0';
    assert_int_equal(sr_agent_send(fx->agent, large, 0), 0);
}

static void rows_for_another_collection_name_it_and_have_an_id(void **state)
{
    static const char *const bad[] = { "x", "x,", ",1", "x,\"1\"", "\"x\",1", "x,,1" };
    struct fixture *fx = *state;
    char name[300];

    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_int_equal(sr_agent_send(fx->agent, bad[i], SR_PRIO_XID), SR_E_SYNTAX);
    assert_int_equal(sr_agent_send(fx->agent, "x,1", SR_PRIO_XID), 0);
    memset(name, 'n', sizeof name);
    strcpy(name + 255, ",1");
    assert_int_equal(sr_agent_send(fx->agent, name, SR_PRIO_XID), 0);
    strcpy(name + 256, ",1");
    name[255] = 'n';
    assert_int_equal(sr_agent_send(fx->agent, name, SR_PRIO_XID), SR_E_SYNTAX);
}

static void formatted_rows_quote_their_values(void **state)
{
    struct fixture *fx = *state;

    assert_int_equal(sr_agent_sendf(fx->agent, "104,%s,%s", "1", "a,\"b\"\n"), 0);
    assert_int_equal(
        sr_agent_sendf_prio(fx->agent, SR_PRIO_XID | SR_PRIO_BUF, "x,104,%d", 7), 0);
    assert_int_equal(sr_agent_sendf(fx->agent, "%s", ""), SR_E_SYNTAX);
    assert_int_equal(sr_agent_sendf(fx->agent, "1,%*d", SR_ROW_MAX_HTTP, 7),
                     SR_E_TOOBIG);
}

static void says(struct fixture *fx, const char *text)
{
    assert_non_null(strstr(sr_agent_error(fx->agent), text));
}

static void *send_nonsense(void *agent)
{
    sr_agent_send(agent, "", 0);
    return NULL;
}

static void what_is_wrong_with_a_row_is_said(void **state)
{
    struct fixture *fx = *state;
    const char *none = NULL;
    pthread_t other;

    sr_agent_send(fx->agent, "1,\"open", 0);
    says(fx, "this is no row: 1,\"open");
    sr_agent_send(fx->agent, none, 0);
    says(fx, "no row, or unknown flags");
    sr_agent_send(fx->agent, "1,2", 1 << 20);
    says(fx, "no row, or unknown flags");
    sr_agent_sendf(fx->agent, "1,%*d", SR_ROW_MAX_HTTP, 7);
    says(fx, "no row can be made by '1,%*d': larger than the limit");
    sr_agent_sendf(fx->agent, "103,%.1f", (double)NAN);
    says(fx, "103,%.1f': an unknown conversion, an open quote, or a number that is not "
             "finite");
    sr_agent_sendf(fx->agent, none, 1);
    says(fx, "NULL");
    assert_int_equal(pthread_create(&other, NULL, send_nonsense, fx->agent), 0);
    pthread_join(other, NULL);
    says(fx, "NULL"); /* the text is this thread's */
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(a_row_goes_to_the_handler_of_its_id),
        TEST(a_later_handler_replaces_and_null_removes),
        TEST(many_handlers_are_all_found),
        TEST(rows_of_another_collection_go_to_its_handler),
        TEST(the_own_collection_goes_by_number),
        TEST(row_87_names_the_collection_of_the_rows_it_counts),
        TEST(a_group_may_be_cut_short_by_another_or_by_the_end),
        TEST(after_a_group_rows_are_of_the_messages_collection_again),
        TEST(nonsense_in_row_87_is_malformed_and_changes_nothing),
        TEST(malformed_rows_count_in_their_group),
        TEST(malformed_rows_are_counted_and_the_others_dispatched),
        TEST(ids_that_do_not_fit_32_bits_reach_nobody),
        TEST(rows_with_fewer_values_read_as_empty),
        TEST(built_in_rows_anywhere_do_no_harm),
        TEST(the_empty_message_has_no_rows),
        TEST(handlers_may_register_others_and_replace_themselves),
        TEST(names_that_cannot_be_a_collection_are_refused),
        TEST(only_rows_can_be_sent),
        TEST(rows_for_another_collection_name_it_and_have_an_id),
        TEST(formatted_rows_quote_their_values),
        TEST(what_is_wrong_with_a_row_is_said),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
