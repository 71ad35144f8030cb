/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <smartrest/record.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Writes tokens as text: a value is [bytes] or "bytes", with ! if it is escaped, a
 * line end is /, an error is E and its offset, the end is nothing. */
static void tokens(const char *text, size_t len, char *to, size_t room)
{
    struct sr_lexer lexer;
    struct sr_span span;
    enum sr_token token;
    size_t used = 0;

    sr_lexer_init(&lexer, text, len);
    to[0] = '\0';
    while ((token = sr_lexer_next(&lexer, &span)) != SR_TOKEN_END) {
        char *at = to + used;

        if (token == SR_TOKEN_NEWLINE)
            snprintf(at, room - used, "/");
        else if (token == SR_TOKEN_ERROR)
            snprintf(at, room - used, "E%zu", lexer.error);
        else
            snprintf(at, room - used, span.quoted ? "\"%.*s\"%s" : "[%.*s]%s",
                     (int)span.len, text + span.offset, span.escaped ? "!" : "");
        used += strlen(at);
    }
    assert_int_equal(sr_lexer_next(&lexer, &span), SR_TOKEN_END);
}

/* The text lies at the very end of its memory, so that tools see every read
 * beyond it; and once more far into a larger text, to meet the blocks the lexer
 * looks at in another place. */
static void expect_at(const char *text, const char *expected, size_t shift,
                      const char *file, int line)
{
    size_t len = strlen(text), all = shift + len;
    char *copy = malloc(all ? all : 1), seen[4096];

    memset(copy, ' ', shift);
    memcpy(copy + shift, text, len);
    tokens(copy, all, seen, sizeof seen);
    if (strcmp(seen, expected)) {
        print_message("%zu blanks, then: %s\n", shift, text);
        _assert_string_equal(seen, expected, file, line);
    }
    free(copy);
}

static void expect_tokens(const char *text, const char *expected, const char *file,
                          int line)
{
    expect_at(text, expected, 0, file, line);
    if (!strchr(expected, 'E'))
        for (size_t shift = 1; shift < 130; shift++)
            expect_at(text, expected, shift, file, line);
}

#define expect(text, expected) expect_tokens(text, expected, __FILE__, __LINE__)

static void a_comma_parts_values(void **state)
{
    (void)state;
    expect("a", "[a]");
    expect("a,b", "[a][b]");
    expect("503,1,c8y_Restart", "[503][1][c8y_Restart]");
}

static void no_byte_between_two_commas_is_an_empty_value(void **state)
{
    (void)state;
    expect("a,,b\n", "[a][][b]/");
    expect(",", "[][]");
    expect(",\n", "[][]/");
    expect("a,", "[a][]");
    expect("a,\nb", "[a][]/[b]");
    expect(",,,", "[][][][]");
    expect("\"\"", "\"\"");
    expect("\"\",\"\"\n", "\"\"\"\"/");
}

static void a_row_ends_with_lf_or_cr_lf_or_the_text(void **state)
{
    (void)state;
    expect("a\nb\r\nc", "[a]/[b]/[c]");
    expect("a,b\r\n", "[a][b]/");
    expect("a,\r\n", "[a][]/");
    expect("\"a\"\n\"b\"\r\n\"c\"", "\"a\"/\"b\"/\"c\"");
    expect("", "");
}

static void a_row_of_nothing_or_blanks_is_a_line_end(void **state)
{
    (void)state;
    expect("\n", "/");
    expect("\n\r\n\n", "///");
    expect("a\n\nb", "[a]//[b]");
    expect("   \n\t\r\na", "//[a]");
    expect("    \t ", "");
    expect("a\n  ", "[a]/");
}

static void blanks_in_front_of_a_value_are_skipped(void **state)
{
    (void)state;
    expect("  a, \t b", "[a][b]");
    expect("  \"a\",\t\"b\"", "\"a\"\"b\"");
    expect("a,  \nb", "[a][]/[b]");
    expect("a,  ", "[a][]");
    expect("a , b ", "[a ][b ]");
    expect("a b\t,c", "[a b\t][c]");
}

static void inside_quotes_every_byte_stands_for_itself(void **state)
{
    (void)state;
    expect("\"a,b\"", "\"a,b\"");
    expect("\"a\nb\r\nc\rd\"\n", "\"a\nb\r\nc\rd\"/");
    expect("\" a \",\"\t\"", "\" a \"\"\t\"");
    expect("\"it's\"", "\"it's\"");
}

static void a_doubled_quote_inside_quotes_is_escaped(void **state)
{
    (void)state;
    expect("\"a\"\"b\"", "\"a\"\"b\"!");
    expect("\"\"\"\"", "\"\"\"\"!");
    expect("\"\"\"a\"\"\",b", "\"\"\"a\"\"\"![b]");
    expect("\"\"\"\"\"\"", "\"\"\"\"\"\"!");
}

static void bytes_below_the_comma_do_not_end_a_value(void **state)
{
    (void)state;
    expect("a+b!c#d$e%f&g'h(i)j*k", "[a+b!c#d$e%f&g'h(i)j*k]");
    expect("\x01\x1f,\v\f\b", "[\x01\x1f][\v\f\b]");
}

static void bytes_above_0x7f_are_never_looked_at(void **state)
{
    (void)state;
    expect("\xc3\xa4,\xff\xfe\x80", "[\xc3\xa4][\xff\xfe\x80]");
    expect("\xa2\xac\x8a\x8d,\"\xa2\xac\x8a\x8d\"",
           "[\xa2\xac\x8a\x8d]\"\xa2\xac\x8a\x8d\"");
    expect("\xc2\xa0x", "[\xc2\xa0x]"); /* a blank to Unicode, not to the wire */
}

static void nul_is_a_byte_like_others(void **state)
{
    static const char text[] = "a\0b,\"c\0d\",\0";
    struct sr_lexer lexer;
    struct sr_span span;

    (void)state;
    sr_lexer_init(&lexer, text, sizeof text - 1);
    assert_int_equal(sr_lexer_next(&lexer, &span), SR_TOKEN_VALUE);
    assert_int_equal(span.offset, 0);
    assert_int_equal(span.len, 3);
    assert_int_equal(sr_lexer_next(&lexer, &span), SR_TOKEN_VALUE);
    assert_int_equal(span.offset, 5);
    assert_int_equal(span.len, 3);
    assert_int_equal(sr_lexer_next(&lexer, &span), SR_TOKEN_VALUE);
    assert_int_equal(span.offset, 10);
    assert_int_equal(span.len, 1);
    assert_int_equal(sr_lexer_next(&lexer, &span), SR_TOKEN_END);
}

static void a_quote_that_never_closes_is_an_error_at_the_quote(void **state)
{
    (void)state;
    expect("\"", "E0");
    expect("a,b,\"c", "[a][b]E4");
    expect("a,  \"c", "[a]E4");
    expect("a\n\"b\nc\nd\n", "[a]/E2");
    expect("\"a\"\"", "E0");
    expect("\"\"\"", "E0");
}

static void a_quote_inside_an_unquoted_value_is_an_error(void **state)
{
    (void)state;
    expect("a\"b\",c\nd", "E1[d]");
    expect("x,a\"\nd", "[x]E3[d]");
    expect("a \"b\"\nd", "E2[d]");
    expect("a\"", "E1");
}

static void anything_behind_a_closing_quote_is_an_error(void **state)
{
    (void)state;
    expect("\"a\"b,c\nd", "E3[d]");
    expect("\"a\" ,c\nd", "E3[d]");
    expect("\"a\"\t\nd", "E3[d]");
    expect("\"\"x\nd", "E2[d]");
    expect("x,\"a\"\"b\"c", "[x]E8");
    expect("\"a\"\rb\nc", "E3[c]");
    expect("\"a\nb\"x\nd", "E5[d]"); /* the line end inside is no line end */
}

static void a_cr_without_its_lf_is_an_error(void **state)
{
    (void)state;
    expect("a\rb\nc", "E1[c]");
    expect("a\r", "E1");
    expect("\r", "E0");
    expect("\ra\nb", "E0[b]");
    expect("a,\rb\nc", "[a]E2[c]");
    expect("a\r\r\nb", "E1[b]");
    expect("  \rx\nb", "E2[b]");
}

static void an_error_does_not_leak_into_the_next_row(void **state)
{
    (void)state;
    expect("a,b\"\n\nc", "[a]E3/[c]");
    expect("a,b\"\n,c", "[a]E3[][c]");
    expect("a\"b,c\"\n\"d\"", "E1\"d\"");
}

/* A value of every length at every place of a block. */
static void values_may_be_of_any_length(void **state)
{
    char text[512], expected[512];

    (void)state;
    for (size_t first = 0; first < 140; first++)
        for (size_t second = 0; second < 140; second += 7) {
            memset(text, 'v', sizeof text);
            text[first] = ',';
            text[first + 1] = '"';
            text[first + 2 + second] = '"';
            strcpy(text + first + 3 + second, ",w");
            snprintf(expected, sizeof expected, "[%.*s]\"%.*s\"[w]", (int)first, text,
                     (int)second, text + first + 2);
            expect_at(text, expected, 0, __FILE__, __LINE__);
        }
}

static void no_text_is_no_token(void **state)
{
    struct sr_lexer lexer;
    struct sr_span span;

    (void)state;
    sr_lexer_init(&lexer, NULL, 0);
    assert_int_equal(sr_lexer_next(&lexer, &span), SR_TOKEN_END);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_comma_parts_values),
        cmocka_unit_test(no_byte_between_two_commas_is_an_empty_value),
        cmocka_unit_test(a_row_ends_with_lf_or_cr_lf_or_the_text),
        cmocka_unit_test(a_row_of_nothing_or_blanks_is_a_line_end),
        cmocka_unit_test(blanks_in_front_of_a_value_are_skipped),
        cmocka_unit_test(inside_quotes_every_byte_stands_for_itself),
        cmocka_unit_test(a_doubled_quote_inside_quotes_is_escaped),
        cmocka_unit_test(bytes_below_the_comma_do_not_end_a_value),
        cmocka_unit_test(bytes_above_0x7f_are_never_looked_at),
        cmocka_unit_test(nul_is_a_byte_like_others),
        cmocka_unit_test(a_quote_that_never_closes_is_an_error_at_the_quote),
        cmocka_unit_test(a_quote_inside_an_unquoted_value_is_an_error),
        cmocka_unit_test(anything_behind_a_closing_quote_is_an_error),
        cmocka_unit_test(a_cr_without_its_lf_is_an_error),
        cmocka_unit_test(an_error_does_not_leak_into_the_next_row),
        cmocka_unit_test(values_may_be_of_any_length),
        cmocka_unit_test(no_text_is_no_token),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
