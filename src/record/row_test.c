/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <float.h>
#include <inttypes.h>
#include <limits.h>
#include <locale.h>
#include <math.h>
#include <smartrest/record.h>
#include <smartrest/row.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <wchar.h>

#include "record/alloc_test.h"
#include "record/number.h"

/* --- helpers ------------------------------------------------------------ */

#define expect_text(row, text)                           \
    do {                                                 \
        assert_int_equal(sr_row_error(row), 0);          \
        assert_string_equal(sr_row_text(row), text);     \
        assert_int_equal(sr_row_len(row), strlen(text)); \
    } while (0)

#define expect_error(row, error)                    \
    do {                                            \
        assert_int_equal(sr_row_error(row), error); \
        assert_string_equal(sr_row_text(row), "");  \
        assert_int_equal(sr_row_len(row), 0);       \
    } while (0)

/* The row that `...` makes is `text`. */
#define expect_format(text, ...)         \
    do {                                 \
        struct sr_row r_;                \
        sr_row_init(&r_, 0);             \
        sr_row_format(&r_, __VA_ARGS__); \
        expect_text(&r_, text);          \
        sr_row_release(&r_);             \
    } while (0)

/* For formats that the compiler would rightly warn of. */
static void unchecked(struct sr_row *row, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    sr_row_vformat(row, format, args);
    va_end(args);
}

/* What the row's error is after the format `...`. */
#define error_of(...)                                                        \
    (sr_row_init(&unchecked_row, 0), unchecked(&unchecked_row, __VA_ARGS__), \
     error_and_release(&unchecked_row))

static struct sr_row unchecked_row;

static int error_and_release(struct sr_row *row)
{
    int error = sr_row_error(row);

    if (error)
        expect_error(row, error);
    sr_row_release(row);
    return error;
}

static void expect_quoting(const char *value, const char *text)
{
    struct sr_row row;

    sr_row_init(&row, 0);
    sr_row_start(&row, 7);
    sr_row_string(&row, value);
    assert_int_equal(sr_row_error(&row), 0);
    assert_memory_equal(sr_row_text(&row), "7,", 2);
    assert_string_equal(sr_row_text(&row) + 2, text);
    sr_row_release(&row);
}

/* --- value by value ----------------------------------------------------- */

static void builds_a_row_value_by_value(void **state)
{
    struct sr_row row;

    (void)state;
    sr_row_init(&row, 0);
    expect_text(&row, "");
    sr_row_start(&row, 114);
    sr_row_string(&row, "c8y_Restart");
    sr_row_string(&row, NULL);
    sr_row_int(&row, INT64_MIN);
    sr_row_uint(&row, UINT64_MAX);
    sr_row_double(&row, 20.5);
    sr_row_bytes(&row, "abc", 2);
    sr_row_bytes(&row, NULL, 0);
    expect_text(&row,
                "114,c8y_Restart,,-9223372036854775808,18446744073709551615,20.5,ab,");
    sr_row_release(&row);
}

static void begins_a_new_row_behind_what_is_there(void **state)
{
    struct sr_row row;

    (void)state;
    sr_row_init(&row, 0);
    sr_row_start(&row, 100);
    sr_row_start(&row, 101);
    sr_row_string(&row, "a");
    sr_row_format(&row, "102,%d", 5);
    sr_row_string(&row, "b");
    sr_row_format(&row, "103");
    expect_text(&row, "100\n101,a\n102,5,b\n103");
    sr_row_release(&row);
}

static void without_a_row_a_value_is_its_first(void **state)
{
    struct sr_row row;

    (void)state;
    sr_row_init(&row, 0);
    sr_row_string(&row, "15");
    sr_row_string(&row, "com.acme");
    expect_text(&row, "15,com.acme");
    sr_row_clear(&row);
    sr_row_string(&row, ""); /* bare, it would not be there */
    sr_row_string(&row, "");
    expect_text(&row, "\"\",");
    sr_row_release(&row);
}

static void quotes_what_would_break_the_row(void **state)
{
    (void)state;
    expect_quoting("plain text", "plain text");
    expect_quoting("a,b", "\"a,b\"");
    expect_quoting("5\" pipe", "\"5\"\" pipe\"");
    expect_quoting("\"", "\"\"\"\"");
    expect_quoting("a\nb", "\"a\nb\"");
    expect_quoting("a\rb", "\"a\rb\"");
    expect_quoting("a\tb", "\"a\tb\"");
    expect_quoting(" a", "\" a\"");
    expect_quoting("a ", "\"a \"");
    expect_quoting("\va", "\"\va\"");
    expect_quoting("a\f", "\"a\f\"");
    expect_quoting(" ", "\" \"");
    expect_quoting("it's 20 %", "it's 20 %");
    expect_quoting("\xc3\xa4\xff", "\xc3\xa4\xff");
}

static void keeps_nul_bytes(void **state)
{
    struct sr_row row;

    (void)state;
    sr_row_init(&row, 0);
    sr_row_bytes(&row, "a\0,b", 4);
    assert_int_equal(sr_row_len(&row), 6);
    assert_memory_equal(sr_row_text(&row), "\"a\0,b\"", 7);
    sr_row_release(&row);
}

static void escapes_for_json_and_then_for_csv(void **state)
{
    struct sr_row row;

    (void)state;
    sr_row_init(&row, 0);
    sr_row_start(&row, 9);
    sr_row_json(&row, "plain");
    sr_row_json(&row, "a\\b");
    sr_row_json(&row, "\b\f\n\r\t\x01\x1f\x7f");
    sr_row_json(&row, NULL);
    sr_row_json(&row, "\xc3\xa4/'");
    sr_row_json(&row, "say \"hi\"");
    expect_text(&row, "9,plain,a\\\\b,\\b\\f\\n\\r\\t\\u0001\\u001f\x7f,,\xc3\xa4/',"
                      "\"say \\\"\"hi\\\"\"\"");
    sr_row_release(&row);
}

static void what_is_not_utf8_becomes_a_replacement_character_in_json(void **state)
{
    static const struct {
        const char *text, *json;
    } cases[] = {
        {"gr\xfc\xdf",         "gr\ufffd\ufffd"          }, /* Latin-1 */
        { "\xed\xa0\x80z",     "\ufffd\ufffd\ufffdz"     }, /* a lone surrogate */
        { "\xc0\xaf",          "\ufffd\ufffd"            }, /* overlong */
        { "\xe2\x82",          "\ufffd\ufffd"            }, /* cut at the end */
        { "\xe2\x82\"",        "\"\ufffd\ufffd\\\"\"\""  }, /* or by a quote */
        { "\x80",              "\ufffd"                  },
        { "\xf5\x80\x80\x80",  "\ufffd\ufffd\ufffd\ufffd"},
        { "\xf0\x9f\x98\x80!", "\U0001f600!"             }, /* is UTF-8 */
        { "\xe2\x80\xa8",      "\xe2\x80\xa8"            }, /* U+2028 as well */
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct sr_row row;

        sr_row_init(&row, 0);
        sr_row_json(&row, cases[i].text);
        expect_text(&row, cases[i].json);
        sr_row_release(&row);
    }
}

/* --- doubles ------------------------------------------------------------ */

static void a_double_is_the_shortest_text_that_reads_back(void **state)
{
    static const struct {
        double number;
        const char *text;
    } cases[] = {
        {0,                     "0"                      },
        { -0.0,                 "-0"                     },
        { 1,                    "1"                      },
        { -20.5,                "-20.5"                  },
        { 0.1,                  "0.1"                    },
        { 0x1.3333333333334p-2, "0.30000000000000004"    }, /* 0.1 + 0.2 in doubles */
        { 1.0 / 3,              "0.3333333333333333"     },
        { 100000,               "100000"                 },
        { 1e20,                 "100000000000000000000"  },
        { 123456789e12,         "123456789000000000000"  },
        { 1e21,                 "1e21"                   },
        { 1.5e300,              "1.5e300"                },
        { 0.000001,             "0.000001"               },
        { 0.00000123,           "0.00000123"             },
        { 1e-7,                 "1e-7"                   },
        { 1.25e-9,              "1.25e-9"                },
        { 9007199254740993.0,   "9007199254740992"       },
        { 5e-324,               "5e-324"                 },
        { 1.5e-323,             "1.5e-323"               },
        { DBL_MIN,              "2.2250738585072014e-308"},
        { DBL_MAX,              "1.7976931348623157e308" },
        { 5e20,                 "500000000000000000000"  },
        { 0x1p-44,              "5.684341886080802e-14"  }, /* the nearest 16 digits are others */
        { 9.5367431640625e-7,   "9.5367431640625e-7"     },
        { 2e-308,               "2e-308"                 },
        { 1.8e1,                "18"                     },
    };
    char text[SR_NUMBER_MAX];

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        assert_int_equal(sr_number_write(cases[i].number, text), strlen(cases[i].text));
        assert_string_equal(text, cases[i].text);
    }
}

static uint64_t next_random(uint64_t *seed)
{
    *seed ^= *seed << 13;
    *seed ^= *seed >> 7;
    *seed ^= *seed << 17;
    return *seed;
}

static void every_double_reads_back(void **state)
{
    uint64_t seed = 88172645463325252u;
    char text[SR_NUMBER_MAX];

    (void)state;
    for (int i = 0; i < 20000; i++) {
        uint64_t bits = next_random(&seed);
        double number, back;
        size_t len;

        if (i % 3 == 0) /* powers of two: the awkward ones */
            bits &= UINT64_C(0xfff0000000000000);
        memcpy(&number, &bits, sizeof number);
        if (!isfinite(number))
            continue;
        len = sr_number_write(number, text);
        assert_true(len < sizeof text);
        assert_int_equal(sr_number_read_double(text, len, &back), 0);
        if (memcmp(&number, &back, sizeof number) != 0)
            fail_msg("%a is written as %s", number, text);
    }
}

static void a_double_that_is_not_finite_is_refused(void **state)
{
    static const double numbers[] = { INFINITY, -INFINITY, NAN };
    struct sr_row row;

    (void)state;
    sr_row_init(&row, 0);
    for (size_t i = 0; i < 3; i++) {
        sr_row_clear(&row);
        sr_row_start(&row, 1);
        sr_row_double(&row, numbers[i]);
        expect_error(&row, SR_E_INVAL);
    }
    sr_row_release(&row);
}

/* --- format: rows and values -------------------------------------------- */

static void formats_a_row(void **state)
{
    (void)state;
    expect_format("103,4711,20.5", "103,%s,%.1f", "4711", 20.5);
    expect_format("100", "100");
    expect_format("100,,", "100,,");
    expect_format("100,a b", "100,a b");
    expect_format("100,100%", "100,%d%%", 100);
}

static void a_value_from_outside_cannot_break_the_row(void **state)
{
    (void)state;
    expect_format("400,4711,\"5\"\" pipe, burst\"", "400,%s,%s", "4711",
                  "5\" pipe, burst");
    expect_format("1,\"a\n2,b\",c", "1,%s,%s", "a\n2,b", "c");
    expect_format("104,1,\"\"\"c8y_Restart\"\"\"", "104,%s,%s", "1", "\"c8y_Restart\"");
    expect_format("1,\",\"", "1,%c", ',');
    expect_format("1,\"\n\"", "1,%c", '\n');
    expect_format("1,%s", "1,%s", "%s");
}

static void literal_text_and_conversions_make_one_value(void **state)
{
    (void)state;
    expect_format("1,a-b-c,d", "1,%s-%s-c,d", "a", "b");
    expect_format("1,\"x is a,b!\"", "1,x is %s!", "a,b");
    expect_format("1,\"say \"\"x\"\"\"", "1,say \"%s\"", "x");
    expect_format("1,\"   12\",\"12   \"", "1,%5d,%-5d", 12, 12);
    expect_format("1,\"a \"", "1,%s ", "a");
}

static void a_value_in_quotes_stays_in_quotes(void **state)
{
    (void)state;
    expect_format("1,\"a\",b", "1,\"%s\",b", "a");
    expect_format("1,\"a\"\"b\",c", "1,\"%s\",c", "a\"b");
    expect_format("1,\"x,\ny\"", "1,\"x,\ny\"");
    expect_format("1,\"\"\"c8y_Restart\"\"\"", "1,\"\"\"c8y_Restart\"\"\"");
    expect_format("1,\"\",", "1,\"\",");
    expect_format("1,\" a \"", "1,\" %s \"", "a");
    expect_format("1,\"\r\"", "1,\"\r\"");
}

static void blanks_in_front_of_a_value_of_the_format_are_skipped(void **state)
{
    (void)state;
    expect_format("1,a,\"b\",", " 1, %s,\t\"%s\", ", "a", "b");
    expect_format("1,\" a\"", "1, %s", " a");
}

static void line_ends_in_the_format_part_rows(void **state)
{
    (void)state;
    expect_format("1,a\n2,b\n3", "1,%s\n2,%s\r\n3", "a", "b");
    expect_format("1,a", "1,%s\n", "a");
    expect_format("1\n2", "\n1\n\n  \r\n2\r\n");
    expect_format("1,\n2", "1,\n2");
    expect_format("1,\"a\"\n2", "1,\"a\"\n2");
    expect_format("1,\"\r\"", "1,\r");
}

static void a_format_of_nothing_is_no_row(void **state)
{
    struct sr_row row;

    (void)state;
    sr_row_init(&row, 0);
    sr_row_start(&row, 1);
    sr_row_format(&row, "%s", ""); /* one value, an empty one */
    unchecked(&row, "");
    sr_row_format(&row, "  \n");
    expect_text(&row, "1\n\"\"");
    sr_row_release(&row);
}

static void a_format_that_is_no_row_is_refused(void **state)
{
    (void)state;
    assert_int_equal(error_of("1,\"a"), SR_E_INVAL);
    assert_int_equal(error_of("1,\"a\"\""), SR_E_INVAL);
    assert_int_equal(error_of("1,\"a\"b"), SR_E_INVAL);
    assert_int_equal(error_of("1,\"a\" ,b"), SR_E_INVAL);
    assert_int_equal(error_of("1,\"a\"%s", "b"), SR_E_INVAL);
    assert_int_equal(error_of("1,\"a\"\rb"), SR_E_INVAL);
}

/* --- format: conversions ------------------------------------------------ */

static void knows_all_lengths_of_integers(void **state)
{
    (void)state;
    expect_format("-1,-2,-3,-4", "%hhd,%hd,%d,%ld", (signed char)-1, (short)-2, -3,
                  -4L);
    expect_format("-5,-6,-7,-8", "%lld,%jd,%zd,%td", -5LL, (intmax_t)-6, (ssize_t)-7,
                  (ptrdiff_t)-8);
    expect_format("255,65535,4294967295", "%hhu,%hu,%u", (unsigned char)-1,
                  (unsigned short)-1, -1U);
    expect_format("18446744073709551615,18446744073709551615", "%llu,%ju", ULLONG_MAX,
                  UINTMAX_MAX);
    expect_format(sizeof(size_t) == 8 ? "18446744073709551615" : "4294967295", "%zu",
                  SIZE_MAX);
    expect_format("ff,FF,0xff,0377,i:5", "%x,%X,%#x,%#o,i:%i", 255, 255, 255, 255, 5);
    expect_format(sizeof(long) == 8 ? "ffffffffffffffff,377" : "ffffffff,377",
                  "%lx,%hho", ULONG_MAX, (unsigned char)255);
    expect_format("-9223372036854775808", "%" PRId64, INT64_MIN);
    assert_int_equal(error_of("%Ld", 1), SR_E_INVAL);
}

static void an_integer_is_cut_to_its_length(void **state)
{
    struct sr_row row;

    (void)state;
    sr_row_init(&row, 0);
    unchecked(&row, "%hhd,%hhu,%hd,%hu", 300, 300, 70000, 70000);
    expect_text(&row, "44,44,4464,4464");
    sr_row_release(&row);
}

static void knows_flags_width_and_precision(void **state)
{
    struct sr_row row;

    (void)state;
    expect_format("+5,007,0x1f,-05", "%+d,%03d,%#x,%03d", 5, 7, 31, -5);
    expect_format("\" 5\",\"5  \"", "% d,%-3d", 5, 5);
    expect_format("\"    5\",\"5    \",5", "%*d,%*d,%.*d", 5, 5, -5, 5, -1, 5);
    expect_format("00005,\"   005\"", "%.5d,%6.3d", 5, 5);
    expect_format("ab,abc,\"   ab\"", "%.2s,%.*s,%5.2s", "abc", -1, "abc", "abc");
    expect_format("1.50,2,\"  2.500\"", "%.2f,%.0f,%7.3f", 1.5, 2.0, 2.5);
    sr_row_init(&row, 0);
    unchecked(&row, "%--+--0+-++#d", 5); /* flags may repeat */
    expect_text(&row, "+5");
    sr_row_release(&row);
}

static void knows_all_floating_point_conversions(void **state)
{
    (void)state;
    expect_format("1.500000,1.500000", "%f,%F", 1.5, 1.5);
    expect_format("1.5e+00,1.5E+00,1.5,1.5", "%.1e,%.1E,%g,%G", 1.5, 1.5, 1.5, 1.5);
    expect_format("0x1.8p+0,0X1.8P+0", "%a,%A", 1.5, 1.5);
    expect_format("2.5,2.50", "%Lg,%.2Lf", 2.5L, 2.5L);
    expect_format("1.5", "%lg", 1.5);
    expect_format("5.", "%#.0f", 5.0);
    assert_int_equal(error_of("%hf", 1.0), SR_E_INVAL);
}

static void a_number_that_is_not_finite_is_refused(void **state)
{
    static const char *const types[] = { "f", "F", "e", "E", "g", "G", "a", "A" };
    static const double numbers[] = { (double)NAN, (double)INFINITY,
                                      -(double)INFINITY };
    char format[32];

    (void)state;
    for (size_t i = 0; i < sizeof types / sizeof *types; i++)
        for (size_t k = 0; k < sizeof numbers / sizeof *numbers; k++) {
            snprintf(format, sizeof format, "103,%%s,%%.1%s", types[i]);
            assert_int_equal(error_of(format, "1", numbers[k]), SR_E_INVAL);
            snprintf(format, sizeof format, "%%8l%s", types[i]);
            assert_int_equal(error_of(format, numbers[k]), SR_E_INVAL);
            if (getenv("VALGRIND")) /* which has no long double */
                continue;
            snprintf(format, sizeof format, "\"%%L%s\"", types[i]);
            assert_int_equal(error_of(format, (long double)numbers[k]), SR_E_INVAL);
        }
#if LDBL_MAX_EXP > DBL_MAX_EXP
    if (!getenv("VALGRIND"))
        expect_format("1e+400", "%.0Le", 1e400L); /* beyond a double, and finite */
#endif
}

/* --- format: text for JSON ---------------------------------------------- */

static void text_for_json_cannot_break_the_json(void **state)
{
    const char *none = NULL;
    static char reason[] = "said \"no\",\nthen C:\\x\x01";

    (void)state;
    expect_format("105,7,FAILED,\"said \\\"\"no\\\"\",\\nthen C:\\\\x\\u0001\"",
                  "105,%s,FAILED,%pJ", "7", sr_json(reason));
    expect_format("1,\"x\\\"\",\\\"\"type\\\"\":\\\"\"injected\"", "1,%pJ",
                  sr_json("x\",\"type\":\"injected"));
    expect_format("1,,2", "1,%pJ,2", sr_json(none));
    expect_format("1,plain,2", "1,%pJ,%d", sr_json("plain"), 2);
}

static void text_for_json_is_quoted_for_csv_like_any_value(void **state)
{
    (void)state;
    expect_format("1,\"a,b\",\" c\"", "1,%pJ,%pJ", sr_json("a,b"), sr_json(" c"));
    expect_format("1,in a.b 5kg", "1,in %pJ.%pJ %dkg", sr_json("a"), sr_json("b"), 5);
    expect_format("1,\"a\\tb\"\n2,c", "1,\"%pJ\"\n2,%pJ", sr_json("a\tb"),
                  sr_json("c"));
    expect_format("1,gr\ufffd", "1,%pJ", sr_json("gr\xfc"));
    expect_format("1,xyz", "1,%pJyz", sr_json("x"));
}

static void long_text_for_json_meets_the_limit(void **state)
{
    static char text[100001];
    struct sr_row row;

    (void)state;
    memset(text, '\n', sizeof text - 1);
    sr_row_init(&row, 0);
    sr_row_format(&row, "1,%pJ", sr_json(text));
    assert_int_equal(sr_row_error(&row), 0);
    assert_int_equal(sr_row_len(&row), 2 + 2 * (sizeof text - 1));
    sr_row_release(&row);
    sr_row_init(&row, 1 << 15);
    sr_row_format(&row, "1,%pJ", sr_json(text));
    expect_error(&row, SR_E_TOOBIG);
    sr_row_release(&row);
}

static void a_pointer_with_another_letter_is_refused(void **state)
{
    static const char *const formats[] = { "%pj",   "%pS",  "%px",  "%5pJ", "%-pJ",
                                           "%.3pJ", "%lpJ", "%#pJ", "%hp",  "%jpJ" };

    (void)state;
    for (size_t i = 0; i < sizeof formats / sizeof *formats; i++)
        if (error_of(formats[i], "text") != SR_E_INVAL)
            fail_msg("%s was taken", formats[i]);
    expect_format("0x10,0x10.,0x10-", "%p,%p.,%p-", (void *)16, (void *)16, (void *)16);
}

static void no_format_is_refused(void **state)
{
    struct sr_row row;

    (void)state;
    sr_row_init(&row, 0);
    unchecked(&row, NULL);
    expect_error(&row, SR_E_INVAL);
    sr_row_release(&row);
}

static void knows_text_and_pointers(void **state)
{
    static const char not_terminated[] = { 'a', 'b', 'c' };
    const char *none = NULL;
    const wchar_t *no_wide = NULL;
    struct sr_row row;

    (void)state;
    expect_format("x,\"  x\"", "%c,%3c", 'x', 'x');
    expect_format("wide,w,wi", "%ls,%lc,%.2ls", L"wide", (wint_t)L'w', L"wide");
    expect_format("ab", "%.*s", 2, not_terminated);
    sr_row_init(&row, 0);
    unchecked(&row, "1,%s,%3s,%ls", none, none, no_wide);
    expect_text(&row, "1,,\"   \",");
    sr_row_release(&row);
    expect_format("0x10", "%p", (void *)16);
}

static void a_conversion_may_make_much(void **state)
{
    struct sr_row row;

    (void)state;
    sr_row_init(&row, 0);
    sr_row_format(&row, "1,%0100000d,%s", 7, "x");
    assert_int_equal(sr_row_error(&row), 0);
    assert_int_equal(sr_row_len(&row), 100004);
    assert_string_equal(sr_row_text(&row) + 99998, "0007,x");
    sr_row_release(&row);
}

static void refuses_what_is_no_conversion_of_c11(void **state)
{
    static const char *const formats[] = { "%n",
                                           "%hhn",
                                           "1,%d%n",
                                           "%",
                                           "%5",
                                           "%l",
                                           "%m",
                                           "%C",
                                           "%S",
                                           "%k",
                                           "%-%",
                                           "%hs",
                                           "%lp",
                                           "%99999999999d",
                                           "%.99999999999d",
                                           "%1$d" };
    int untouched = 42;

    (void)state;
    for (size_t i = 0; i < sizeof formats / sizeof *formats; i++)
        if (error_of(formats[i], &untouched) != SR_E_INVAL)
            fail_msg("%s was taken", formats[i]);
    assert_int_equal(untouched, 42);
    assert_int_equal(error_of("%*d", INT_MIN, 1), SR_E_INVAL);
}

/* --- format: the locale ------------------------------------------------- */

static void a_foreign_decimal_point_becomes_a_point(void **state)
{
    static const char *const cases[][2] = {
        {"1,5",         "1.5"      },
        { "-0,25e+10",  "-0.25e+10"},
        { "  1,5  ",    "  1.5  "  },
        { "1\xd9\xab"
          "5", "1.5"      },
        { "12",         "12"       },
        { "inf",        "inf"      },
        { "0x1,8p+0",   "0x1.8p+0" },
        { "5,",         "5."       },
        { "1.5",        "1.5"      },
        { "",           ""         },
    };
    char text[32];

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        size_t len;

        strcpy(text, cases[i][0]);
        len = sr_number_fix_point(text, strlen(text));
        assert_int_equal(len, strlen(cases[i][1]));
        assert_memory_equal(text, cases[i][1], len);
    }
}

/* True if there is such a locale; the build makes one where it can. LOCPATH is set
 * as late as here, because other libraries of the program look at it when they are
 * loaded. */
static bool use_comma_locale(void)
{
    const char *path = getenv("COMMA_LOCALE_PATH");

    if (path)
        setenv("LOCPATH", path, 1);
    return setlocale(LC_NUMERIC, "de_DE.UTF-8") != NULL;
}

static void numbers_have_a_point_whatever_the_locale(void **state)
{
    struct sr_row row;
    char text[32];
    double number;

    (void)state;
    if (!use_comma_locale())
        skip();
    snprintf(text, sizeof text, "%.1f", 1.5);
    assert_string_equal(text, "1,5"); /* the locale is what it should be */

    sr_row_init(&row, 0);
    sr_row_format(&row, "1,%.1f,%g,%.1Le,%a", 1.5, 2.25, 3.5L, 1.5);
    sr_row_format(&row, "%s,%.2f%%", "a,b", 99.5);
    sr_row_double(&row, 20.5);
    sr_row_double(&row, 1.5e-10);
    assert_int_equal(sr_number_read_double("20.5", 4, &number), 0);
    setlocale(LC_NUMERIC, "C");
    expect_text(&row, "1,1.5,2.25,3.5e+00,0x1.8p+0\n\"a,b\",99.50%,20.5,1.5e-10");
    assert_true(number == 20.5);
    sr_row_release(&row);
}

static void thousands_are_not_parted(void **state)
{
    struct sr_row row;

    (void)state;
    use_comma_locale(); /* or not: the same either way */
    sr_row_init(&row, 0);
    unchecked(&row, "%'d,%'.1f", 1234567, 1234567.5); /* POSIX, not C11 */
    setlocale(LC_NUMERIC, "C");
    expect_text(&row, "1234567,1234567.5");
    sr_row_release(&row);
}

/* --- errors ------------------------------------------------------------- */

static void the_limit_holds_after_quoting(void **state)
{
    struct sr_row row;

    (void)state;
    sr_row_init(&row, 7);
    sr_row_format(&row, "1,%s", "a,b"); /* 1,"a,b" */
    expect_text(&row, "1,\"a,b\"");
    sr_row_string(&row, "");
    expect_error(&row, SR_E_TOOBIG);

    sr_row_clear(&row);
    sr_row_format(&row, "1,%s", "a\"b"); /* 1,"a""b" */
    expect_error(&row, SR_E_TOOBIG);
    sr_row_clear(&row);
    sr_row_format(&row, "1,%05d", 1);
    expect_text(&row, "1,00001");
    sr_row_clear(&row);
    sr_row_format(&row, "1,%06d", 1);
    expect_error(&row, SR_E_TOOBIG);
    sr_row_clear(&row);
    sr_row_string(&row, "a\"bc"); /* "a""bc" */
    expect_text(&row, "\"a\"\"bc\"");
    sr_row_start(&row, 1);
    expect_error(&row, SR_E_TOOBIG);
    sr_row_release(&row);
}

static void memory_is_not_taken_beyond_the_limit(void **state)
{
    static char big[1 << 20];
    struct sr_row row;

    (void)state;
    memset(big, 'x', sizeof big - 1);
    sr_row_init(&row, 100);
    sr_row_string(&row, big);
    expect_error(&row, SR_E_TOOBIG);
    assert_true(row.cap < 1000);
    sr_row_release(&row);
}

static void an_error_sticks_until_the_row_is_cleared(void **state)
{
    struct sr_row row;

    (void)state;
    sr_row_init(&row, 4);
    sr_row_string(&row, "too long");
    sr_row_start(&row, 1);
    sr_row_string(&row, "a");
    sr_row_bytes(&row, "a", 1);
    sr_row_int(&row, 1);
    sr_row_uint(&row, 1);
    sr_row_double(&row, NAN); /* the first error is the one that is told */
    sr_row_json(&row, "a");
    sr_row_format(&row, "%d", 1);
    expect_error(&row, SR_E_TOOBIG);
    sr_row_clear(&row);
    sr_row_start(&row, 1);
    expect_text(&row, "1");
    sr_row_release(&row);
    expect_text(&row, "");
}

static void a_row_is_whole_or_not_there_without_memory(void **state)
{
    static const char text[] = "1,\"a\"\"b\"\n2,\"  5\",x\\\\,2.5,\"long, longer, "
                               "and longer still, so that the row has to grow\"";
    struct sr_row row;
    size_t calls = 1;

    (void)state;
    for (size_t good = 0; good <= calls; good++) {
        sr_row_init(&row, 0);
        fail_allocations_after(good);
        sr_row_start(&row, 1);
        sr_row_string(&row, "a\"b");
        sr_row_format(&row, "2,%3d", 5);
        sr_row_json(&row, "x\\");
        sr_row_double(&row, 2.5);
        sr_row_string(&row,
                      "long, longer, and longer still, so that the row has to grow");
        calls = stop_failing();
        if (good >= calls)
            expect_text(&row, text);
        else
            expect_error(&row, SR_E_NOMEM);
        sr_row_release(&row);
    }
    assert_true(calls >= 2);
}

static void a_cleared_row_keeps_its_memory(void **state)
{
    struct sr_row row;

    (void)state;
    sr_row_init(&row, 0);
    sr_row_format(&row, "1,%0200d", 1);
    sr_row_clear(&row);
    expect_text(&row, "");
    fail_allocations_after(0);
    sr_row_format(&row, "2,%0200d", 1);
    assert_int_equal(stop_failing(), 0);
    assert_int_equal(sr_row_error(&row), 0);
    sr_row_release(&row);
}

/* --- the way back ------------------------------------------------------- */

#define VALUES 5

struct value {
    char bytes[24];
    size_t len;
};

/* Mostly the bytes that matter. */
static struct value random_value(uint64_t *seed)
{
    static const char special[] = "\",\n\r\t a\0\\\xc3";
    struct value value = { .len = next_random(seed) % sizeof value.bytes };

    for (size_t i = 0; i < value.len; i++) {
        uint64_t dice = next_random(seed);

        value.bytes[i] =
            dice & 1 ? special[(dice >> 8) % (sizeof special - 1)] : (char)(dice >> 16);
    }
    return value;
}

static void expect_values(struct sr_record *record, const struct value *values)
{
    assert_int_equal(sr_record_size(record), VALUES);
    for (size_t i = 0; i < VALUES; i++) {
        size_t len;
        const char *bytes = sr_record_bytes(record, i, &len);

        assert_int_equal(len, values[i].len);
        assert_memory_equal(bytes, values[i].bytes, len);
    }
}

static void what_was_written_is_read_back(void **state)
{
    uint64_t seed = 42;

    (void)state;
    for (int round = 0; round < 20000; round++) {
        struct value values[VALUES];
        struct sr_parser parser;
        struct sr_record *record;
        struct sr_row row;

        sr_row_init(&row, 0);
        for (size_t i = 0; i < VALUES; i++) {
            values[i] = random_value(&seed);
            sr_row_bytes(&row, values[i].bytes, values[i].len);
        }
        assert_int_equal(sr_row_error(&row), 0);
        sr_parser_init(&parser, sr_row_text(&row), sr_row_len(&row));
        assert_int_equal(sr_parser_next(&parser, &record), 0);
        expect_values(record, values);
        assert_int_equal(sr_parser_next(&parser, &record), SR_E_END);
        sr_parser_release(&parser);
        sr_row_release(&row);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(builds_a_row_value_by_value),
        cmocka_unit_test(begins_a_new_row_behind_what_is_there),
        cmocka_unit_test(without_a_row_a_value_is_its_first),
        cmocka_unit_test(quotes_what_would_break_the_row),
        cmocka_unit_test(keeps_nul_bytes),
        cmocka_unit_test(escapes_for_json_and_then_for_csv),
        cmocka_unit_test(what_is_not_utf8_becomes_a_replacement_character_in_json),
        cmocka_unit_test(a_double_is_the_shortest_text_that_reads_back),
        cmocka_unit_test(every_double_reads_back),
        cmocka_unit_test(a_double_that_is_not_finite_is_refused),
        cmocka_unit_test(formats_a_row),
        cmocka_unit_test(a_value_from_outside_cannot_break_the_row),
        cmocka_unit_test(literal_text_and_conversions_make_one_value),
        cmocka_unit_test(a_value_in_quotes_stays_in_quotes),
        cmocka_unit_test(blanks_in_front_of_a_value_of_the_format_are_skipped),
        cmocka_unit_test(line_ends_in_the_format_part_rows),
        cmocka_unit_test(a_format_of_nothing_is_no_row),
        cmocka_unit_test(a_format_that_is_no_row_is_refused),
        cmocka_unit_test(knows_all_lengths_of_integers),
        cmocka_unit_test(an_integer_is_cut_to_its_length),
        cmocka_unit_test(knows_flags_width_and_precision),
        cmocka_unit_test(knows_all_floating_point_conversions),
        cmocka_unit_test(a_number_that_is_not_finite_is_refused),
        cmocka_unit_test(text_for_json_cannot_break_the_json),
        cmocka_unit_test(text_for_json_is_quoted_for_csv_like_any_value),
        cmocka_unit_test(long_text_for_json_meets_the_limit),
        cmocka_unit_test(a_pointer_with_another_letter_is_refused),
        cmocka_unit_test(no_format_is_refused),
        cmocka_unit_test(knows_text_and_pointers),
        cmocka_unit_test(a_conversion_may_make_much),
        cmocka_unit_test(refuses_what_is_no_conversion_of_c11),
        cmocka_unit_test(a_foreign_decimal_point_becomes_a_point),
        cmocka_unit_test(numbers_have_a_point_whatever_the_locale),
        cmocka_unit_test(thousands_are_not_parted),
        cmocka_unit_test(the_limit_holds_after_quoting),
        cmocka_unit_test(memory_is_not_taken_beyond_the_limit),
        cmocka_unit_test(an_error_sticks_until_the_row_is_cleared),
        cmocka_unit_test(a_row_is_whole_or_not_there_without_memory),
        cmocka_unit_test(a_cleared_row_keeps_its_memory),
        cmocka_unit_test(what_was_written_is_read_back),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
