/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <math.h>
#include <smartrest/record.h>
#include <stdlib.h>
#include <string.h>

#include "record/alloc_test.h"

/* --- helpers ------------------------------------------------------------ */

/* A parser and its text, which lies at the very end of its memory. */
struct fixture {
    struct sr_parser parser;
    struct sr_record *record; /* the last one */
    char *text;
    size_t len;
};

static void read_bytes(struct fixture *fx, const char *text, size_t len)
{
    fx->text = malloc(len ? len : 1);
    fx->len = len;
    memcpy(fx->text, text, len);
    sr_parser_init(&fx->parser, fx->text, len);
}

static void reading(struct fixture *fx, const char *text)
{
    read_bytes(fx, text, strlen(text));
}

static void done(struct fixture *fx)
{
    sr_parser_release(&fx->parser);
    free(fx->text);
}

#define expect_row(fx) assert_int_equal(sr_parser_next(&(fx)->parser, &(fx)->record), 0)
#define expect_end(fx) \
    assert_int_equal(sr_parser_next(&(fx)->parser, &(fx)->record), SR_E_END)
#define expect_malformed(fx, offset)                                                 \
    do {                                                                             \
        assert_int_equal(sr_parser_next(&(fx)->parser, &(fx)->record), SR_E_SYNTAX); \
        assert_int_equal(sr_parser_error_offset(&(fx)->parser), offset);             \
    } while (0)
#define expect_text(fx, i, text) \
    assert_string_equal(sr_record_value((fx)->record, i), text)

/* Runs `text` into the only row it holds, then `check`s it. */
static void with_row(const char *text, void (*check)(struct sr_record *))
{
    struct fixture fx;

    reading(&fx, text);
    expect_row(&fx);
    check(fx.record);
    done(&fx);
}

/* --- rows --------------------------------------------------------------- */

static void gives_row_after_row(void **state)
{
    struct fixture fx;

    (void)state;
    reading(&fx, "50,1,404\n\"20\",\"a \"\"b\"\"\"\r\n502,,x");
    expect_row(&fx);
    assert_int_equal(sr_record_size(fx.record), 3);
    expect_text(&fx, 0, "50");
    expect_text(&fx, 2, "404");
    expect_row(&fx);
    assert_int_equal(sr_record_size(fx.record), 2);
    expect_text(&fx, 0, "20");
    expect_text(&fx, 1, "a \"b\"");
    expect_row(&fx);
    assert_int_equal(sr_record_size(fx.record), 3);
    expect_text(&fx, 1, "");
    expect_text(&fx, 2, "x");
    expect_end(&fx);
    expect_end(&fx);
    done(&fx);
}

static void a_body_without_a_value_holds_no_row(void **state)
{
    static const char *const bodies[] = { "",        "\n",      "\n\n\r\n", " ",
                                          "     \t", "  \n \n", "\r\n   " };
    struct fixture fx;

    (void)state;
    for (size_t i = 0; i < sizeof bodies / sizeof *bodies; i++) {
        reading(&fx, bodies[i]);
        expect_end(&fx);
        done(&fx);
    }
    sr_parser_init(&fx.parser, NULL, 0);
    expect_end(&fx);
    sr_parser_release(&fx.parser);
}

static void heartbeats_in_front_of_a_row_are_skipped(void **state)
{
    struct fixture fx;

    (void)state;
    reading(&fx, "      88,1\n   86,,10000\n  ");
    expect_row(&fx);
    expect_text(&fx, 0, "88");
    expect_row(&fx);
    expect_text(&fx, 0, "86");
    expect_end(&fx);
    done(&fx);
}

static void counts_rows_as_lines_and_empty_ones_too(void **state)
{
    struct fixture fx;

    (void)state;
    reading(&fx, "\n100,\"a\nb\n\"\n  \n\n101\nx\"\n102,\"");
    expect_row(&fx);
    assert_int_equal(sr_parser_line(&fx.parser), 2);
    expect_row(&fx); /* the value over three lines is one line */
    assert_int_equal(sr_parser_line(&fx.parser), 5);
    expect_malformed(&fx, 21);
    assert_int_equal(sr_parser_line(&fx.parser), 6);
    expect_malformed(&fx, 27);
    assert_int_equal(sr_parser_line(&fx.parser), 7);
    expect_end(&fx);
    assert_int_equal(sr_parser_line(&fx.parser), 7);
    done(&fx);
}

static void line_ends_behind_the_last_row_do_not_count_for_it(void **state)
{
    struct fixture fx;

    (void)state;
    reading(&fx, "100\n\n\n");
    expect_row(&fx);
    expect_end(&fx);
    expect_end(&fx);
    assert_int_equal(sr_parser_line(&fx.parser), 1);
    done(&fx);
}

static void tells_where_a_row_stands(void **state)
{
    static const char text[] = "  1,2\r\n\n \"a\"\"\",b \n,\n";
    static const struct {
        size_t offset, len;
    } rows[] = {
        {2,   3},
        { 9,  8},
        { 18, 1}
    };
    struct fixture fx;
    size_t offset, len;

    (void)state;
    reading(&fx, text);
    for (size_t i = 0; i < 3; i++) {
        expect_row(&fx);
        sr_record_range(fx.record, &offset, &len);
        assert_int_equal(offset, rows[i].offset);
        assert_int_equal(len, rows[i].len);
    }
    expect_end(&fx);
    done(&fx);
}

/* --- malformed rows ----------------------------------------------------- */

static void goes_on_behind_a_malformed_row(void **state)
{
    struct fixture fx;

    (void)state;
    reading(&fx, "1,a\"b\n2,\"c\"d\n3,e\rf\n4");
    expect_malformed(&fx, 3);
    expect_malformed(&fx, 11);
    expect_malformed(&fx, 16);
    expect_row(&fx);
    expect_text(&fx, 0, "4");
    assert_int_equal(sr_parser_line(&fx.parser), 4);
    expect_end(&fx);
    done(&fx);
}

/* Every malformed shape as every value of a row, the row first, last and between. */
static void a_malformed_value_spoils_its_row_wherever_it_stands(void **state)
{
    static const struct {
        const char *text;
        size_t offset; /* of the offending byte in it */
    } shapes[] = {
        {"a\"",         1},
        { "a\"b\"",     1},
        { "\"a\"b",     3},
        { "\"a\" ",     3},
        { "\"\"x",      2},
        { "a\rb",       1},
        { "\rb",        0},
        { "\"a\"\rb",   3},
        { "\"a\"\"\"x", 5},
        { "\"a\nb\"c",  5}
    };
    struct fixture fx;

    (void)state;
    for (size_t s = 0; s < sizeof shapes / sizeof *shapes; s++)
        for (size_t at = 0; at < 5; at++) {
            char text[64] = "7,x\n";
            size_t offset = 0;

            for (size_t i = 0; i < 5; i++) {
                if (i == at)
                    offset = strlen(text) + shapes[s].offset;
                strcat(text, i == at ? shapes[s].text : "v");
                strcat(text, i < 4 ? "," : "\n8,y\n");
            }
            reading(&fx, text);
            expect_row(&fx);
            expect_malformed(&fx, offset);
            expect_row(&fx);
            expect_text(&fx, 0, "8");
            expect_end(&fx);
            done(&fx);
        }
}

static void an_unterminated_quote_takes_the_rest(void **state)
{
    struct fixture fx;

    (void)state;
    reading(&fx, "1,2\n3,\"4\n5,6\n");
    expect_row(&fx);
    expect_malformed(&fx, 6);
    expect_end(&fx);
    done(&fx);
}

/* Any part of a body is rows, errors, and then the end; within bounds, and
 * without standing still. */
static void a_body_may_be_cut_anywhere(void **state)
{
    static const char body[] =
        "  \n87,2,\"com.acme\"\r\n502,1,\"a \"\"b\"\"\n\xc3\xa4\",,12.5e-3\n"
        "a\"b\n\"c\"d\ne\rf\n\"\",\"\"\"\"\r\n   510,\"\xff\"\n,\n\"open,\n";
    struct fixture fx;

    (void)state;
    for (size_t begin = 0; begin < sizeof body; begin++)
        for (size_t len = 0; begin + len < sizeof body; len++) {
            size_t calls = 0;
            int rc;

            read_bytes(&fx, body + begin, len);
            while ((rc = sr_parser_next(&fx.parser, &fx.record)) != SR_E_END) {
                assert_true(rc == 0 || rc == SR_E_SYNTAX);
                assert_true(calls++ < len);
                if (rc == 0)
                    for (size_t i = 0; i < sr_record_size(fx.record); i++)
                        sr_record_value(fx.record, i);
                else
                    assert_true(sr_parser_error_offset(&fx.parser) < len);
            }
            done(&fx);
        }
}

/* --- values ------------------------------------------------------------- */

static void values_point_into_the_text(void **state)
{
    struct fixture fx;
    size_t len;

    (void)state;
    reading(&fx, "1,abc,\"d,e\",\"f\"\"g\"");
    expect_row(&fx);
    assert_ptr_equal(sr_record_bytes(fx.record, 1, &len), fx.text + 2);
    assert_int_equal(len, 3);
    assert_ptr_equal(sr_record_bytes(fx.record, 2, &len), fx.text + 7);
    assert_int_equal(len, 3);
    assert_memory_equal(sr_record_bytes(fx.record, 3, &len), "f\"g", 3);
    assert_int_equal(len, 3);
    done(&fx);
}

static void a_value_the_row_does_not_have_is_empty(void **state)
{
    struct fixture fx;
    size_t len = 99;
    uint64_t number;
    int64_t integer;
    double real;

    (void)state;
    reading(&fx, "1,2");
    expect_row(&fx);
    expect_text(&fx, 2, "");
    expect_text(&fx, SIZE_MAX, "");
    assert_null(sr_record_bytes(fx.record, 2, &len));
    assert_int_equal(len, 0);
    assert_int_equal(sr_record_type(fx.record, 2), SR_NONE);
    assert_int_equal(sr_record_uint(fx.record, 2, &number), SR_E_NOTFOUND);
    assert_int_equal(sr_record_int(fx.record, 2, &integer), SR_E_NOTFOUND);
    assert_int_equal(sr_record_double(fx.record, 2, &real), SR_E_NOTFOUND);
    done(&fx);
}

static void an_empty_value_is_no_missing_value(void **state)
{
    struct fixture fx;
    size_t len = 99;

    (void)state;
    reading(&fx, "1,,\"\"");
    expect_row(&fx);
    assert_non_null(sr_record_bytes(fx.record, 1, &len));
    assert_int_equal(len, 0);
    assert_non_null(sr_record_bytes(fx.record, 2, &len));
    assert_int_equal(len, 0);
    assert_int_equal(sr_record_type(fx.record, 1), SR_STRING);
    done(&fx);
}

static void values_handed_out_stay_while_the_record_lives(void **state)
{
    struct fixture fx;
    const char *first, *second, *third, *empty;

    (void)state;
    reading(&fx, "1,\"a\"\"b\",\"c\"\"\"\"d\",,\"\"\"\"");
    expect_row(&fx);
    third = sr_record_value(fx.record, 4);
    second = sr_record_value(fx.record, 2);
    empty = sr_record_value(fx.record, 3);
    first = sr_record_value(fx.record, 1);
    assert_ptr_equal(sr_record_value(fx.record, 2), second);
    assert_string_equal(first, "a\"b");
    assert_string_equal(second, "c\"\"d");
    assert_string_equal(empty, "");
    assert_string_equal(third, "\"");
    done(&fx);
}

static void a_value_with_nul_is_shown_whole_as_bytes(void **state)
{
    struct fixture fx;
    const char *bytes;
    size_t len;

    (void)state;
    read_bytes(&fx, "1,a\0b,\"c\0\"\"d\"", 13);
    expect_row(&fx);
    expect_text(&fx, 1, "a");
    bytes = sr_record_bytes(fx.record, 1, &len);
    assert_int_equal(len, 3);
    assert_memory_equal(bytes, "a\0b", 3);
    bytes = sr_record_bytes(fx.record, 2, &len);
    assert_int_equal(len, 4);
    assert_memory_equal(bytes, "c\0\"d", 4);
    done(&fx);
}

static void a_row_may_have_a_million_values(void **state)
{
    size_t count = 1000000;
    char *text = malloc(2 * count);
    struct fixture fx;

    (void)state;
    for (size_t i = 0; i < count; i++) {
        text[2 * i] = (char)('0' + i % 10);
        text[2 * i + 1] = ',';
    }
    read_bytes(&fx, text, 2 * count - 1);
    expect_row(&fx);
    assert_int_equal(sr_record_size(fx.record), count);
    for (size_t i = 0; i < count; i++)
        assert_int_equal(sr_record_value(fx.record, i)[0], '0' + i % 10);
    expect_end(&fx);
    done(&fx);
    free(text);
}

/* --- types and numbers -------------------------------------------------- */

static void check_types(struct sr_record *record)
{
    for (size_t i = 1; i < sr_record_size(record); i++) {
        static const enum sr_type types[] = { SR_STRING, SR_INTEGER, SR_FLOAT };
        const char *value = sr_record_value(record, i);
        size_t kind = (size_t)(sr_record_value(record, 0)[0] - '0');

        if (sr_record_type(record, i) != types[kind])
            fail_msg("'%s' has type %d", value, sr_record_type(record, i));
    }
}

static void the_type_is_what_a_value_looks_like(void **state)
{
    (void)state;
    with_row("1,12,-7,+0,007,99999999999999999999999999", check_types);
    with_row("2,.5,20.5,1e-3,5.,-.5E+10,+1E5,0.0", check_types);
    with_row(
        "0,,-,+,.,e5,.e5,1e,1e+,1.2.3,0x10,12a,a12,--1,1 ,1-2,inf,nan,1_0,\xd9\xa1",
        check_types);
}

static void a_quoted_value_is_a_string(void **state)
{
    (void)state;
    with_row("0,\"12\",\"1.5\",\"\",\"a\"", check_types);
}

static void check_integers(struct sr_record *record)
{
    uint64_t number = 5;
    int64_t integer;

    assert_int_equal(sr_record_uint(record, 0, &number), 0);
    assert_true(number == UINT64_MAX);
    assert_int_equal(sr_record_uint(record, 1, &number), SR_E_INVAL);
    assert_true(number == UINT64_MAX); /* untouched */
    assert_int_equal(sr_record_int(record, 0, &integer), SR_E_INVAL);
    assert_int_equal(sr_record_int(record, 2, &integer), 0);
    assert_true(integer == INT64_MIN);
    assert_int_equal(sr_record_uint(record, 2, &number), SR_E_INVAL);
    assert_int_equal(sr_record_int(record, 3, &integer), SR_E_INVAL);
    assert_int_equal(sr_record_int(record, 4, &integer), 0);
    assert_true(integer == INT64_MAX);
    assert_int_equal(sr_record_int(record, 5, &integer), SR_E_INVAL);
    assert_int_equal(sr_record_uint(record, 6, &number), 0);
    assert_true(number == 42);
    assert_int_equal(sr_record_int(record, 7, &integer), 0);
    assert_true(integer == 0);
}

static void integers_are_read_up_to_their_bounds(void **state)
{
    (void)state;
    with_row(
        "18446744073709551615,18446744073709551616,-9223372036854775808,"
        "-9223372036854775809,9223372036854775807,9223372036854775808,\"+0042\",-0",
        check_integers);
}

static void check_no_integers(struct sr_record *record)
{
    uint64_t number;
    int64_t integer;

    for (size_t i = 0; i < sr_record_size(record); i++) {
        assert_int_equal(sr_record_uint(record, i, &number), SR_E_INVAL);
        assert_int_equal(sr_record_int(record, i, &integer), SR_E_INVAL);
    }
}

static void what_is_no_integer_is_refused(void **state)
{
    (void)state;
    with_row("x,,1.0,1e3,12x,\" 12\",\"1\"\"\",-,99999999999999999999",
             check_no_integers);
}

/* What strtod() makes of the same text: in the C locale, where tests run, that is
 * what ours has to be in every locale. */
static void expect_double(const char *text)
{
    struct fixture fx;
    double expected = strtod(text, NULL), number;

    reading(&fx, text);
    expect_row(&fx);
    if (isinf(expected)) {
        assert_int_equal(sr_record_double(fx.record, 0, &number), SR_E_INVAL);
    } else {
        assert_int_equal(sr_record_double(fx.record, 0, &number), 0);
        if (memcmp(&number, &expected, sizeof number) != 0)
            fail_msg("%s is read as %.17g", text, number);
    }
    done(&fx);
}

static void doubles_are_read_to_the_nearest(void **state)
{
    static const char *const texts[] = {
        "0",
        "-0",
        "0.0",
        "-.0",
        "1",
        "20.5",
        ".5",
        "5.",
        "-12.25",
        "1e3",
        "1E-3",
        "+1.5e+3",
        "0.1",
        "123456789012345678901234567890",
        "4.9e-324",
        "2.4e-324",
        "2.5e-324",
        "2.2250738585072011e-308",
        "1.7976931348623157e308",
        "1.7976931348623159e308",
        "1e308",
        "1e309",
        "-1e309",
        "1e-400",
        "0e999999999999999999999",
        "1e999999999999999999999",
        "1e-999999999999999999999",
        "9007199254740993",
        "9007199254740993.00000000000000000000000000000001",
        "0.000000000000000000000000000000000000000123e39",
        "00000000000000000001.5",
    };

    (void)state;
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        expect_double(texts[i]);
}

/* 1 + 2^-53 lies half-way between two doubles: the last of many digits decides. */
static void the_last_of_a_thousand_digits_counts(void **state)
{
    static const char half_way[] =
        "1.00000000000000011102230246251565404236316680908203125";
    char text[1100];

    (void)state;
    expect_double(half_way);
    memset(text, '0', sizeof text);
    memcpy(text, half_way, sizeof half_way - 1);
    text[sizeof text - 2] = '1';
    text[sizeof text - 1] = '\0';
    expect_double(text);
    memset(text, '9', 1000);
    text[300] = '.';
    text[1000] = '\0';
    expect_double(text);
    memset(text, '1', 1000);
    memcpy(text + 1000, "e-900", 6);
    expect_double(text);
}

static void check_no_doubles(struct sr_record *record)
{
    double number;

    for (size_t i = 0; i < sr_record_size(record); i++)
        assert_int_equal(sr_record_double(record, i, &number), SR_E_INVAL);
}

static void what_is_no_number_is_refused(void **state)
{
    (void)state;
    with_row("x,,inf,nan,0x1p3,1.5 ,\" 1.5\",1e,\"1,5\",1.5.2,-", check_no_doubles);
}

/* --- copies ------------------------------------------------------------- */

static void a_copy_outlives_parser_and_text(void **state)
{
    struct sr_record *copy;
    struct fixture fx;
    size_t offset, len;

    (void)state;
    reading(&fx, "\n502,1,\"a\"\"b\",7.5\nnext");
    expect_row(&fx);
    assert_int_equal(sr_record_copy(fx.record, &copy), 0);
    expect_row(&fx);
    memset(fx.text, '#', fx.len);
    done(&fx);

    assert_int_equal(sr_record_size(copy), 4);
    assert_string_equal(sr_record_value(copy, 0), "502");
    assert_string_equal(sr_record_value(copy, 2), "a\"b");
    assert_memory_equal(sr_record_bytes(copy, 2, &len), "a\"b", 3);
    assert_int_equal(sr_record_type(copy, 3), SR_FLOAT);
    sr_record_range(copy, &offset, &len);
    assert_int_equal(offset, 1);
    assert_int_equal(len, 16);
    sr_record_free(copy);
    sr_record_free(NULL);
}

/* --- memory ------------------------------------------------------------- */

static void reads_on_without_asking_for_memory_again(void **state)
{
    struct fixture fx;
    size_t rows = 0;

    (void)state;
    reading(&fx, "100,\"a long \"\"value\"\"\",b\n1,\"\"\"\"\n2,x\n3,\"\"\"\",y,z\n");
    expect_row(&fx);
    sr_record_value(fx.record, 1);
    fail_allocations_after(0);
    while (sr_parser_next(&fx.parser, &fx.record) == 0)
        rows += strlen(sr_record_value(fx.record, 1)) == 1;
    assert_int_equal(stop_failing(), 0);
    assert_int_equal(rows, 3);
    done(&fx);
}

/* Twenty values make the list of values grow; the calling sequence of the header
 * comes to its end whichever allocation fails, and reads what it can. */
static void gets_to_the_end_without_memory(void **state)
{
    static const char text[] = "1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17,18,19,20\n"
                               "x\"\n21,\"\"\"\"\n";
    struct fixture fx;
    size_t calls = 1;

    (void)state;
    for (size_t good = 0; good < calls; good++) {
        int rc, rows = 0, errors = 0;

        reading(&fx, text);
        fail_allocations_after(good);
        while ((rc = sr_parser_next(&fx.parser, &fx.record)) != SR_E_END) {
            assert_true(rc == 0 || rc == SR_E_NOMEM || rc == SR_E_SYNTAX);
            rows += rc != SR_E_SYNTAX;
            errors += rc == SR_E_SYNTAX;
            if (rc == 0)
                sr_record_value(fx.record, 1);
        }
        calls = stop_failing();
        assert_int_equal(rows, 2);
        assert_int_equal(errors, 1);
        assert_int_equal(sr_parser_line(&fx.parser), 3);
        done(&fx);
    }
}

static void a_value_that_finds_no_memory_is_empty(void **state)
{
    struct sr_record *copy = NULL;
    struct fixture fx;
    size_t len;

    (void)state;
    reading(&fx, "1,\"\"\"\",abc");
    expect_row(&fx);
    fail_allocations_after(0);
    expect_text(&fx, 0, "");
    assert_null(sr_record_bytes(fx.record, 1, &len));
    assert_int_equal(len, 0);
    assert_memory_equal(sr_record_bytes(fx.record, 2, &len), "abc", 3);
    assert_int_equal(sr_record_copy(fx.record, &copy), SR_E_NOMEM);
    assert_null(copy);
    stop_failing();
    expect_text(&fx, 0, "1");
    done(&fx);
}

static void a_copy_needs_no_memory_for_its_values(void **state)
{
    struct sr_record *copy;
    struct fixture fx;

    (void)state;
    reading(&fx, "1,\"\"\"\"");
    expect_row(&fx);
    assert_int_equal(sr_record_copy(fx.record, &copy), 0);
    done(&fx);
    fail_allocations_after(0);
    assert_string_equal(sr_record_value(copy, 1), "\"");
    stop_failing();
    sr_record_free(copy);
}

static void a_released_parser_reads_again(void **state)
{
    struct fixture fx;

    (void)state;
    reading(&fx, "1,2");
    expect_row(&fx);
    sr_parser_release(&fx.parser);
    expect_end(&fx);
    sr_parser_release(&fx.parser);
    sr_parser_init(&fx.parser, fx.text, fx.len);
    expect_row(&fx);
    expect_text(&fx, 1, "2");
    done(&fx);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(gives_row_after_row),
        cmocka_unit_test(a_body_without_a_value_holds_no_row),
        cmocka_unit_test(heartbeats_in_front_of_a_row_are_skipped),
        cmocka_unit_test(counts_rows_as_lines_and_empty_ones_too),
        cmocka_unit_test(line_ends_behind_the_last_row_do_not_count_for_it),
        cmocka_unit_test(tells_where_a_row_stands),
        cmocka_unit_test(goes_on_behind_a_malformed_row),
        cmocka_unit_test(a_malformed_value_spoils_its_row_wherever_it_stands),
        cmocka_unit_test(an_unterminated_quote_takes_the_rest),
        cmocka_unit_test(a_body_may_be_cut_anywhere),
        cmocka_unit_test(values_point_into_the_text),
        cmocka_unit_test(a_value_the_row_does_not_have_is_empty),
        cmocka_unit_test(an_empty_value_is_no_missing_value),
        cmocka_unit_test(values_handed_out_stay_while_the_record_lives),
        cmocka_unit_test(a_value_with_nul_is_shown_whole_as_bytes),
        cmocka_unit_test(a_row_may_have_a_million_values),
        cmocka_unit_test(the_type_is_what_a_value_looks_like),
        cmocka_unit_test(a_quoted_value_is_a_string),
        cmocka_unit_test(integers_are_read_up_to_their_bounds),
        cmocka_unit_test(what_is_no_integer_is_refused),
        cmocka_unit_test(doubles_are_read_to_the_nearest),
        cmocka_unit_test(the_last_of_a_thousand_digits_counts),
        cmocka_unit_test(what_is_no_number_is_refused),
        cmocka_unit_test(a_copy_outlives_parser_and_text),
        cmocka_unit_test(reads_on_without_asking_for_memory_again),
        cmocka_unit_test(gets_to_the_end_without_memory),
        cmocka_unit_test(a_value_that_finds_no_memory_is_empty),
        cmocka_unit_test(a_copy_needs_no_memory_for_its_values),
        cmocka_unit_test(a_released_parser_reads_again),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
