/* SPDX-License-Identifier: MIT */
#include "protocol/answer.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
/* after what it needs */
#include <cmocka.h>

static enum sr_answer says(const char *answer)
{
    struct sr_rows rows;
    enum sr_answer says;

    sr_rows_read(&rows, answer, strlen(answer));
    says = sr_answer_of(&rows);
    sr_rows_release(&rows);
    return says;
}

static void refused_credentials_are_all_that_such_an_answer_says(void **state)
{
    (void)state;
    assert_int_equal(says("50,1,401"), SR_ANSWER_NO_CREDENTIALS);
    assert_int_equal(says("50,1,401,\"Unauthorized\"\r\n"), SR_ANSWER_NO_CREDENTIALS);
    assert_int_equal(says("50,2,401\n"), SR_ANSWER_TAKEN);
    assert_int_equal(says("50,1,403\n"), SR_ANSWER_TAKEN);
    assert_int_equal(says("50,1,401\n50,2,401\n"), SR_ANSWER_TAKEN);
    assert_int_equal(says("500,1,x\n50,1,401\n"), SR_ANSWER_TAKEN);
}

static void an_unknown_collection_is_all_that_such_an_answer_says(void **state)
{
    (void)state;
    assert_int_equal(says("40,\"No template for this X-ID.\"\n"),
                     SR_ANSWER_NO_COLLECTION);
    assert_int_equal(says("40,No template for this X-ID"), SR_ANSWER_NO_COLLECTION);
    assert_int_equal(says("40,,/alarms/1,Could not find any templates"),
                     SR_ANSWER_TAKEN);
    assert_int_equal(says("40"), SR_ANSWER_TAKEN);
    assert_int_equal(says("40,no\n500,2,x\n"), SR_ANSWER_TAKEN);
}

static void any_other_answer_means_that_rows_were_taken(void **state)
{
    (void)state;
    assert_int_equal(says(""), SR_ANSWER_TAKEN);
    assert_int_equal(says("\n\n"), SR_ANSWER_TAKEN);
    assert_int_equal(says("45,2,no\n"), SR_ANSWER_TAKEN);
    assert_int_equal(says("\"40,no"), SR_ANSWER_TAKEN);
    assert_int_equal(says("x\"\n40,no\n"), SR_ANSWER_TAKEN);
}

static size_t naming(const char *payload)
{
    return sr_rows_naming(payload, strlen(payload), "24871");
}

static void rows_that_name_an_object_are_counted(void **state)
{
    (void)state;
    assert_int_equal(naming("15,24830\n102,24871,20.5\n103,2487,1\n104,x,\"24871\""),
                     2);
    assert_int_equal(naming("24871,1"), 0);
    assert_int_equal(naming("15,24871\n100,x"), 0);
    assert_int_equal(naming("100,\"24871"), 0);
    assert_int_equal(naming(""), 0);
}

static size_t not_found(const char *answer, const char *payload, bool count_15)
{
    struct sr_rows rows;
    size_t found;

    sr_rows_read(&rows, answer, strlen(answer));
    found = sr_answer_not_found(&rows, payload, strlen(payload), count_15, "24871");
    sr_rows_release(&rows);
    return found;
}

static void an_answer_of_404_is_for_the_row_on_its_line(void **state)
{
    static const char payload[] = "15,24830\n102,24871,1\n102,4,1\n102,24871,2";

    (void)state;
    assert_int_equal(not_found("50,2,404\n50,4,404,gone\n", payload, true), 2);
    assert_int_equal(not_found("50,3,404\n", payload, true), 0);
    assert_int_equal(not_found("50,1,404\n50,3,404\n", payload, false), 2);
    assert_int_equal(not_found("50,2,403\n45,2,404\n", payload, true), 0);
    assert_int_equal(
        not_found("50,9,404\n50,x,404\n50\n50,2\n\"50,2,404", payload, true), 0);
    assert_int_equal(not_found("", "", true), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(refused_credentials_are_all_that_such_an_answer_says),
        cmocka_unit_test(an_unknown_collection_is_all_that_such_an_answer_says),
        cmocka_unit_test(any_other_answer_means_that_rows_were_taken),
        cmocka_unit_test(rows_that_name_an_object_are_counted),
        cmocka_unit_test(an_answer_of_404_is_for_the_row_on_its_line),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
