/* SPDX-License-Identifier: MIT */
#include "protocol/evidence.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
/* after what it needs */
#include <cmocka.h>

/* Three lines. */
static const char sent[] = "15,24830\n100,x\n101,\"two\nlines\"";

static enum sr_evidence weigh(const char *answer)
{
    return sr_evidence_weigh(answer, strlen(answer), 3);
}

static void lines_are_counted_as_rows_are_read(void **state)
{
    (void)state;
    assert_int_equal(sr_evidence_lines(sent, strlen(sent)), 3);
    assert_int_equal(sr_evidence_lines("61,gw-0001", 10), 1);
    assert_int_equal(sr_evidence_lines("1\n2\n", 4), 2);
    assert_int_equal(sr_evidence_lines("1\n\n2", 4), 3);
    assert_int_equal(sr_evidence_lines("", 0), 0);
}

static void rows_for_lines_that_were_sent_are_good(void **state)
{
    static const char *const good[] = {
        "500,1,a\n",
        "500,3,a",
        "500,2,\"x\ny\"\r\n501,2\n",
        "\n\n45,2,Value is not a NUMBER: hot\n",
        "43,3,Invalid message identifier",
        "42,1\n",
        "50,2,404\n",
        "50,3,422,what is wrong\n",
        "50,1,401",
        "40,No template for this X-ID",
        "40,,/alarms/1,Could not find any templates",
        "41,Bad pattern",
        "41,17,Bad pattern",
        "20,24830\n",
        "70,1,gw-0001,t4711,device_gw-0001,s3cr3t\n",
        "87,1,com.acme.gw-v1\n500,2,24871\n87,1,child\n201,3,24902\n",
        "86,,5400000,0,retry\n500,1,x\n",
    };

    (void)state;
    for (size_t i = 0; i < sizeof good / sizeof *good; i++)
        if (weigh(good[i]) != SR_EVIDENCE_GOOD)
            fail_msg("%s", good[i]);
}

static void text_without_such_a_row_is_none(void **state)
{
    static const char *const none[] = {
        "<html>Please log in</html>",
        "<html>\n<body>50,1,404</body>\n</html>\n",
        "{\"error\":\"portal\"}",
        "OK",
        "x",
        "0",
        "42",
        "\"",
        "\x7f\x45\x4c\x46\x01",
        "500\n",
        "500,4,a\n",  /* a line that was not sent */
        "500,0,a\n",  /* lines are counted from 1 */
        "500,-1,a\n", /* no line */
        "500,one,a\n",
        "500,1a,a\n",
        "1,1,a\n", /* below 100 ids are the protocol's */
        "99,1,a\n",
        "44,1,a\n",
        "4294967296,1,a\n",
        "50,4,404\n",
        "50,1\n",
        "50,1,ok\n",
        "50,1,99\n",
        "50,1,600\n",
        "45,4,x\n",
        "43\n",
        "40\n",
        "41\n",
        "20\n",
        "20,\n",
        "20,1,2\n",
        "70,1\n",
        "70,2\n",
        "86,1\n",
        "87,x,y\n",
        "87,1,com.acme.gw-v1\nOK\n",
    };

    (void)state;
    for (size_t i = 0; i < sizeof none / sizeof *none; i++)
        if (weigh(none[i]) != SR_EVIDENCE_NONE)
            fail_msg("%s", none[i]);
    assert_int_equal(sr_evidence_weigh("", 0, 0), SR_EVIDENCE_WEAK);
    assert_int_equal(sr_evidence_weigh("500,1,a", 7, 0), SR_EVIDENCE_NONE);
    assert_int_equal(sr_evidence_weigh("\0\0", 2, 1), SR_EVIDENCE_NONE);
}

static void what_depends_on_the_server_is_weak(void **state)
{
    static const char *const weak[] = {
        "",
        "\n",
        "  \r\n\n",
        "87,1,com.acme.gw-v1\n",
        "500,1,a\n500,4,b\n",
        "500,1,a\nnonsense\n",
        "<html>\n500,1,a\n",
        "500,1,a\nx\"\n",
    };

    (void)state;
    for (size_t i = 0; i < sizeof weak / sizeof *weak; i++)
        if (weigh(weak[i]) != SR_EVIDENCE_WEAK)
            fail_msg("%s", weak[i]);
}

static enum sr_evidence weigh_cut(const char *answer)
{
    return sr_evidence_weigh_cut(answer, strlen(answer), 3);
}

static void of_an_answer_that_is_cut_its_beginning_counts(void **state)
{
    (void)state;
    assert_int_equal(weigh_cut("500,1,a\n500,2,b\n500,"), SR_EVIDENCE_GOOD);
    assert_int_equal(weigh_cut("500,1,\"a very long val"), SR_EVIDENCE_GOOD);
    assert_int_equal(weigh_cut("500,9,\"a very long val"), SR_EVIDENCE_NONE);
    assert_int_equal(weigh_cut("<html><body>"), SR_EVIDENCE_NONE);
    assert_int_equal(weigh_cut("<html>, <body>, <p>"), SR_EVIDENCE_NONE);
    assert_int_equal(weigh_cut("500"), SR_EVIDENCE_NONE);
    assert_int_equal(weigh_cut("500,1"), SR_EVIDENCE_NONE);
    assert_int_equal(weigh_cut("<html>\n<body>\n50"), SR_EVIDENCE_NONE);
    assert_int_equal(weigh_cut(""), SR_EVIDENCE_NONE);
}

static bool of_check(const char *answer)
{
    return sr_evidence_of_check(answer, strlen(answer));
}

static void a_check_has_two_answers(void **state)
{
    (void)state;
    assert_true(of_check("20,24830\n"));
    assert_true(of_check("40,\"No template for this X-ID.\"\n"));
    assert_false(of_check(""));
    assert_false(of_check("20\n"));
    assert_false(of_check("500,1,a\n"));
    assert_false(of_check("20,1\n<html>\n"));
    assert_false(of_check("<html>"));
}

static void description_is(const char *type, const char *answer, const char *expected)
{
    char text[200];

    sr_evidence_describe(text, sizeof text, type, answer, strlen(answer));
    assert_string_equal(text, expected);
}

static void a_stranger_is_described_and_no_secret_shown(void **state)
{
    (void)state;
    description_is("text/html", "\r\n <html>Please log in</html>\n<p>",
                   "the answer is not the platform's: text/html, begins with "
                   "'<html>Please log in</html>'");
    description_is(
        NULL, "\x01\xc3\xa9",
        "the answer is not the platform's: without a type, begins with '...'");
    description_is("text/plain", "70,9,gw-0001,t4711,device_gw-0001,s3cr3t",
                   "the answer is not the platform's: text/plain, begins with '70,9'");
    description_is(
        "text/plain", "\"70\",9,gw-0001,t4711,device_gw-0001,s3cr3t",
        "the answer is not the platform's: text/plain, begins with '\"70\",9'");
    description_is("text/plain", "x\n70,1,gw-0001,t4711,device_gw-0001,s3cr3t",
                   "the answer is not the platform's: text/plain, begins with 'x'");
    description_is("text/plain", "",
                   "an empty answer, and nothing shows that it is the platform's");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lines_are_counted_as_rows_are_read),
        cmocka_unit_test(rows_for_lines_that_were_sent_are_good),
        cmocka_unit_test(text_without_such_a_row_is_none),
        cmocka_unit_test(what_depends_on_the_server_is_weak),
        cmocka_unit_test(of_an_answer_that_is_cut_its_beginning_counts),
        cmocka_unit_test(a_check_has_two_answers),
        cmocka_unit_test(a_stranger_is_described_and_no_secret_shown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
