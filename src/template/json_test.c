/* SPDX-License-Identifier: MIT */
#include "template/json.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
/* after what it needs */
#include <cmocka.h>

/* Arguments, as the lint writes them. */
#define ANY    "\x01"
#define NUMBER "\x02"
#define TIME   "\x03"

/* In memory of exactly that size, so that a read beyond it shows. */
static const char *check(const char *text, size_t *ret_at)
{
    size_t len = strlen(text);
    char *exact = malloc(len ? len : 1);
    const char *wrong;

    memcpy(exact, text, len);
    wrong = sr_json_wrong(exact, len, ret_at);
    free(exact);
    return wrong;
}

static void is_json(const char *text)
{
    size_t at;
    const char *wrong = check(text, &at);

    if (wrong)
        fail_msg("%s\nis refused at %zu: %s", text, at, wrong);
}

static void is_not_json(const char *text, size_t at_expected, const char *says)
{
    size_t at = SIZE_MAX;
    const char *wrong = check(text, &at);

    if (!wrong)
        fail_msg("%s\nis accepted", text);
    if (at != at_expected || !strstr(wrong, says))
        fail_msg("%s\nis refused at %zu: %s", text, at, wrong);
}

static void accepts_what_is_json(void **state)
{
    (void)state;
    is_json("{}");
    is_json("[]");
    is_json(" \t\r\n{ \"a\" : [ 1 , -0.5e+3 , true , false , null ] , \"b\":{}} \n");
    is_json("[0,-0,10,1.0,1e1,1E-1,9223372036854775807,1.7e308]");
    is_json("[\"\\\"\\\\\\/\\b\\f\\n\\r\\t\\u00e9\\ud83d\\ude00 \xc3\xa9\"]");
    is_json("{\"a\":1,\"a\":2}");
}

static void refuses_what_is_not_and_says_where(void **state)
{
    (void)state;
    is_not_json("", 0, "object or a list");
    is_not_json("1", 0, "object or a list");
    is_not_json("\"a\"", 0, "object or a list");
    is_not_json("{", 1, "name of a member");
    is_not_json("{\"a\"}", 4, "`:`");
    is_not_json("{\"a\":}", 5, "value is expected");
    is_not_json("{\"a\":1,}", 7, "name of a member");
    is_not_json("{\"a\":1 \"b\":2}", 7, "`,` or `}`");
    is_not_json("{a:1}", 1, "name of a member");
    is_not_json("['a']", 1, "value is expected");
    is_not_json("[1,]", 3, "value is expected");
    is_not_json("[1", 2, "`,` or `]`");
    is_not_json("[1]]", 3, "behind the end");
    is_not_json("{}{}", 2, "behind the end");
    is_not_json("[\"abc]", 1, "without an end");
    is_not_json("[\"a\nb\"]", 3, "control character");
    is_not_json("[\"\\x\"]", 2, "escape");
    is_not_json("[\"\\", 2, "escape");
}

static void numbers_are_strict_and_fit(void **state)
{
    static const char *const bad[] = { "[01]", "[+1]",  "[.5]", "[1.]",
                                       "[1e]", "[1e+]", "[-]",  "[0x1]" };

    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        is_not_json(bad[i], 1, "number");
    is_not_json("[TRUE]", 1, "neither a value");
    is_not_json("[nul]", 1, "neither a value");
    is_not_json("[9223372036854775808]", 1, "too large");
    is_not_json("[1e999]", 1, "too large");
}

static void unicode_escapes_are_whole(void **state)
{
    (void)state;
    is_not_json("[\"\\u12\"]", 2, "four");
    is_not_json("[\"\\u12", 2, "four");
    is_not_json("[\"\\u0000\"]", 2, "u0000");
    is_not_json("[\"\\ud83d\"]", 2, "surrogate");
    is_not_json("[\"\\ude00\"]", 2, "surrogate");
    is_not_json("[\"\\ud83d\\u0041\"]", 2, "surrogate");
}

/* `depth` brackets, one in the other. */
static char *nested(int depth)
{
    char *text = calloc(1, 2 * (size_t)depth + 1);

    memset(text, '[', (size_t)depth);
    memset(text + depth, ']', (size_t)depth);
    return text;
}

static void nesting_has_a_bound(void **state)
{
    char *deepest = nested(SR_JSON_DEPTH), *deeper = nested(SR_JSON_DEPTH + 1),
         *abyss = nested(1000000);

    (void)state;
    is_json(deepest);
    is_not_json(deeper, SR_JSON_DEPTH, "deeper");
    is_not_json(abyss, SR_JSON_DEPTH, "deeper");
    free(deepest);
    free(deeper);
    free(abyss);
}

static void an_argument_can_be_a_value_an_element_or_members(void **state)
{
    (void)state;
    is_json(ANY);
    is_json("{\"a\":" ANY "}");
    is_json("{\"a\":" NUMBER ",\"b\":-" NUMBER ",\"c\":" NUMBER "." NUMBER "e" NUMBER
            "}");
    is_json("{\"ops\":[" ANY "]}");
    is_json("{" ANY "}");
    is_json("{\"a\":1," ANY ",\"b\":2}");
    is_json("{" ANY ":1}");
    is_json("{\"" ANY "\":\"x" NUMBER "y" TIME "z\"}");
    is_json("{\"a\":" ANY ANY "}");
}

static void an_argument_that_cannot_fit_is_found(void **state)
{
    (void)state;
    is_not_json("{\"time\":" TIME "}", 8, "time");
    is_not_json("{" NUMBER ":1}", 1, "name of a member");
    is_not_json(NUMBER, 0, "object or a list");
    is_not_json("{\"a\":0" NUMBER "}", 5, "number");
    is_not_json("{\"a\":x" NUMBER "}", 5, "neither");
    is_not_json("{\"a\" " ANY "}", 5, "`:`");
    is_not_json("{\"a\":" ANY "\"b\"}", 6, "`,` or `}`");
    is_not_json("{\"a\":\"\\" ANY "\"}", 6, "escape");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(accepts_what_is_json),
        cmocka_unit_test(refuses_what_is_not_and_says_where),
        cmocka_unit_test(numbers_are_strict_and_fit),
        cmocka_unit_test(unicode_escapes_are_whole),
        cmocka_unit_test(nesting_has_a_bound),
        cmocka_unit_test(an_argument_can_be_a_value_an_element_or_members),
        cmocka_unit_test(an_argument_that_cannot_fit_is_found),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
