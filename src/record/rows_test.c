/* SPDX-License-Identifier: MIT */
#include "record/rows.h"

#include "record/alloc_test.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
/* after what it needs */
#include <cmocka.h>

static void expect_same_record(struct sr_record *a, struct sr_record *b)
{
    size_t a_at, a_len, b_at, b_len;

    sr_record_range(a, &a_at, &a_len);
    sr_record_range(b, &b_at, &b_len);
    assert_int_equal(a_at, b_at);
    assert_int_equal(a_len, b_len);
    assert_int_equal(sr_record_size(a), sr_record_size(b));
    for (size_t i = 0; i <= sr_record_size(b); i++) {
        assert_int_equal(sr_record_type(a, i), sr_record_type(b, i));
        assert_string_equal(sr_record_value(a, i), sr_record_value(b, i));
    }
}

/* Row by row what the parser says. */
static void expect_same(const char *text, size_t len)
{
    struct sr_parser parser;
    struct sr_record *record;
    struct sr_rows rows;
    size_t i = 0;
    int rc;

    sr_rows_read(&rows, text, len);
    assert_false(rows.cut);
    sr_parser_init(&parser, text, len);
    for (; (rc = sr_parser_next(&parser, &record)) != SR_E_END; i++) {
        assert_true(i < rows.count);
        assert_int_equal(sr_rows_line(&rows, i), sr_parser_line(&parser));
        if (rc)
            assert_null(sr_rows_at(&rows, i));
        else
            expect_same_record(sr_rows_at(&rows, i), record);
    }
    assert_int_equal(rows.count, i);
    sr_parser_release(&parser);
    sr_rows_release(&rows);
}

static void each_row_is_what_the_parser_says(void **state)
{
    static const char *const texts[] = {
        "",
        "\n\n",
        "500,1,a",
        "500,1,a\r\n501,2,\"b\"\"c\"\n",
        "  \n 1,2\n\n\n3,\"a\nb\",4\n5",
        "1,a\"b\n2,c\n\"open,\n3",
        "1,\"a\"b,c\n2",
        ",,\n,1\n\"\"\n1,",
        "\"1\",2\n87,1,child\n88,3",
    };

    (void)state;
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        expect_same(texts[i], strlen(texts[i]));
}

static void whatever_the_text_is(void **state)
{
    static const char letters[] = "1,\"\n\r a\0";
    char text[64];
    uint32_t seed = 1;

    (void)state;
    for (int round = 0; round < 20000; round++) {
        size_t len = round % sizeof text;

        for (size_t i = 0; i < len; i++) {
            seed = seed * 1664525 + 1013904223;
            text[i] = letters[(seed >> 24) % (sizeof letters - 1)];
        }
        expect_same(text, len);
    }
}

static void a_row_may_be_looked_at_again(void **state)
{
    struct sr_rows rows;

    (void)state;
    sr_rows_read(&rows, "1,a\n2,\"b\"\"b\"\n3,c", 17);
    assert_string_equal(sr_record_value(sr_rows_at(&rows, 1), 1), "b\"b");
    assert_string_equal(sr_record_value(sr_rows_at(&rows, 0), 1), "a");
    assert_string_equal(sr_record_value(sr_rows_at(&rows, 2), 1), "c");
    assert_string_equal(sr_record_value(sr_rows_at(&rows, 1), 1), "b\"b");
    sr_rows_release(&rows);
    sr_rows_release(&rows);
}

static void the_text_may_move(void **state)
{
    char *first = strdup("1,a\n2,b"), *second = strdup(first);
    struct sr_rows rows;

    (void)state;
    sr_rows_read(&rows, first, 7);
    sr_rows_move(&rows, second);
    free(first);
    assert_string_equal(sr_record_value(sr_rows_at(&rows, 1), 1), "b");
    sr_rows_release(&rows);
    free(second);
}

static void without_memory_the_first_rows_are_there(void **state)
{
    char text[4096] = "";
    struct sr_rows rows;
    size_t needed;

    (void)state;
    for (int i = 0; i < 300; i++)
        strcat(text, "1,a,b,c\n");
    fail_allocations_after(SIZE_MAX);
    sr_rows_read(&rows, text, strlen(text));
    needed = stop_failing();
    assert_int_equal(rows.count, 300);
    sr_rows_release(&rows);
    for (size_t good = 0; good < needed; good++) {
        fail_allocations_after(good);
        sr_rows_read(&rows, text, strlen(text));
        stop_failing();
        assert_true(rows.cut);
        assert_true(rows.count < 300);
        for (size_t i = 0; i < rows.count; i++)
            assert_string_equal(sr_record_value(sr_rows_at(&rows, i), 3), "c");
        sr_rows_release(&rows);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_row_is_what_the_parser_says),
        cmocka_unit_test(whatever_the_text_is),
        cmocka_unit_test(a_row_may_be_looked_at_again),
        cmocka_unit_test(the_text_may_move),
        cmocka_unit_test(without_memory_the_first_rows_are_there),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
