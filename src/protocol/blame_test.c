/* SPDX-License-Identifier: MIT */
#include "protocol/blame.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static const char payload[] = "15,24830\n102,24871,20.5\n102,24871,\"two\nlines\"\n"
                              "15,other\n200,x\n15,24830\n999,1";

static void assert_line(uint64_t line, bool count_15, const char *row)
{
    size_t len = 0;
    const char *found = sr_row_on_line(payload, strlen(payload), line, count_15, &len);

    if (!row) {
        assert_null(found);
        return;
    }
    assert_non_null(found);
    assert_int_equal(len, strlen(row));
    assert_memory_equal(found, row, len);
}

static void finds_rows_where_15_rows_count(void **state)
{
    (void)state;
    assert_line(2, true, "102,24871,20.5");
    assert_line(3, true, "102,24871,\"two\nlines\"");
    assert_line(5, true, "200,x");
    assert_line(7, true, "999,1");
}

static void finds_rows_where_15_rows_do_not_count(void **state)
{
    (void)state;
    assert_line(1, false, "102,24871,20.5");
    assert_line(2, false, "102,24871,\"two\nlines\"");
    assert_line(3, false, "200,x");
    assert_line(4, false, "999,1");
}

static void blames_no_row_that_is_not_there(void **state)
{
    (void)state;
    assert_line(0, true, NULL);
    assert_line(0, false, NULL);
    assert_line(1, true, NULL);
    assert_line(4, true, NULL);
    assert_line(8, true, NULL);
    assert_line(5, false, NULL);
    assert_line(UINT64_MAX, true, NULL);
}

static bool names_line_1(const char *answer)
{
    struct sr_rows rows;
    bool found;

    sr_rows_read(&rows, answer, strlen(answer));
    found = sr_answer_has_line_1(&rows);
    sr_rows_release(&rows);
    return found;
}

static void line_1_in_an_answer_shows_that_15_rows_do_not_count(void **state)
{
    (void)state;
    assert_true(names_line_1("45,1,Wrong number of arguments\n"));
    assert_true(names_line_1("87,1,24830\n500,1,24871\n"));
    assert_false(names_line_1("45,2,Value is not a NUMBER: hot\n43,3,x\n"));
}

static void rows_without_a_line_show_nothing(void **state)
{
    (void)state;
    assert_false(names_line_1("20,1\n"));
    assert_false(names_line_1("87,1,24830\n"));
    assert_false(names_line_1("88,1\n"));
    assert_false(names_line_1("45\n45,\nx,1\n\"broken,1"));
    assert_false(names_line_1(""));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(finds_rows_where_15_rows_count),
        cmocka_unit_test(finds_rows_where_15_rows_do_not_count),
        cmocka_unit_test(blames_no_row_that_is_not_there),
        cmocka_unit_test(line_1_in_an_answer_shows_that_15_rows_do_not_count),
        cmocka_unit_test(rows_without_a_line_show_nothing),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
