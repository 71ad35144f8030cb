/* SPDX-License-Identifier: MIT */
/* The pure parts: times, JSON, JSONPath. */
#include "datetime.h"
#include "json.h"
#include "jsonpath.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* --- times ---------------------------------------------------------------------- */

static void expect_time(const char *text, const char *utc)
{
    char buffer[SB_TIME_SIZE];
    int64_t ms;

    if (!sb_time_parse(text, &ms))
        fail_msg("%s is refused", text);
    assert_string_equal(sb_time_format(ms, buffer), utc);
}

static void reads_every_form_of_time_in_use(void **state)
{
    (void)state;
    expect_time("2026-01-31T10:15:30.123Z", "2026-01-31T10:15:30.123Z");
    expect_time("2026-01-31T10:15:30Z", "2026-01-31T10:15:30.000Z");
    expect_time("2026-01-31T10:15:30.1239999Z", "2026-01-31T10:15:30.123Z");
    expect_time("2026-01-31T10:15:30+02:00", "2026-01-31T08:15:30.000Z");
    expect_time("2026-01-31T10:15:30+0200", "2026-01-31T08:15:30.000Z");
    expect_time("2025-12-31T23:30:00-01:30", "2026-01-01T01:00:00.000Z");
    expect_time("2026-01-31T10:15Z", "2026-01-31T10:15:00.000Z");
    expect_time("2026-01-31T10:15:30", "2026-01-31T10:15:30.000Z");
    expect_time("2024-02-29", "2024-02-29T00:00:00.000Z");
    expect_time("1969-12-31T23:59:59.999Z", "1969-12-31T23:59:59.999Z");
    expect_time("0001-01-01", "0001-01-01T00:00:00.000Z");
}

static void refuses_what_is_no_time(void **state)
{
    static const char *const texts[] = {
        "",
        "now",
        "2026",
        "2026-1-31",
        "2026-13-01",
        "2026-00-01",
        "2026-02-29",
        "2026-01-32",
        "2026-01-31T",
        "2026-01-31T25:00:00Z",
        "2026-01-31T10:60:00Z",
        "2026-01-31T10:15:30.Z",
        "2026-01-31T10:15:30+2",
        "2026-01-31T10:15:30ZZ",
        "2026-01-31 10:15:30Z",
        "99999-01-01",
        "-001-01-01",
    };
    size_t i;
    int64_t ms;

    (void)state;
    for (i = 0; i < sizeof texts / sizeof texts[0]; i++)
        if (sb_time_parse(texts[i], &ms))
            fail_msg("%s is accepted", texts[i]);
}

/* --- JSON ---------------------------------------------------------------------------- */

static void expect_json(const char *in, const char *out)
{
    char error[SB_JSON_ERROR];
    json_t *value = sb_json_read(in, strlen(in), error);
    struct sb_text text = { 0 };

    if (!value)
        fail_msg("%s is refused: %s", in, error);
    sb_json_write(&text, value);
    assert_string_equal(sb_text_get(&text), out);
    sb_text_release(&text);
    json_decref(value);
}

static void writes_json_as_short_as_it_can_be_read_back(void **state)
{
    (void)state;
    expect_json("[0.1, 20.5, 1e3, 100000000000000000000.0, 5e-324, -0.0]",
                "[0.1,20.5,1000.0,1e+20,4.94065645841247e-324,-0.0]");
    expect_json("[0.30000000000000004, 12.0]", "[0.30000000000000004,12.0]");
    expect_json("[9223372036854775807, -9223372036854775808]",
                "[9223372036854775807,-9223372036854775808]");
    expect_json("{\"a\" : [ true, false, null ], \"b\":{} }",
                "{\"a\":[true,false,null],\"b\":{}}");
    expect_json("[\"\\u0001\\n\\t\\r\\\"\\\\/\\u00e9\"]",
                "[\"\\u0001\\n\\t\\r\\\"\\\\/\xc3\xa9\"]");
}

static void refuses_json_that_the_store_could_not_take(void **state)
{
    static const char *const texts[] = {
        "",
        "nonsense",
        "{\"a\":1",
        "{\"a\":1}x",
        "\"text\"",
        "[1e400]",
        "[99999999999999999999]",
        "[\"\xff\"]",
        "[\"\\u0000\"]",
        "[\"\xed\xa0\x80\"]",
    };
    char error[SB_JSON_ERROR], deep[1000];
    size_t i;

    (void)state;
    for (i = 0; i < sizeof texts / sizeof texts[0]; i++)
        if (sb_json_read(texts[i], strlen(texts[i]), error))
            fail_msg("%s is accepted", texts[i]);
    assert_null(sb_json_read("{\"a\":\"b\0c\"}", 11, error));
    memset(deep, '[', 500);
    memset(deep + 500, ']', 500);
    assert_null(sb_json_read(deep, 1000, error));
    assert_non_null(strstr(error, "deeper than 100"));
}

/* --- JSONPath -------------------------------------------------------------------------- */

static const char document[] =
    "{\"a\":{\"b\":{\"c\":7}},\"list\":[{\"id\":1},{\"id\":2}],\"x y\":3,"
    "\"null\":null,\"d-e\":{\"f:g\":4},\"\xc3\xa9\":5,\"\":6}";

static void expect_at(const char *path, const char *json)
{
    json_t *root = json_loads(document, 0, NULL);
    struct sb_jsonpath *parsed;
    const char *wrong = sb_jsonpath_parse(path, &parsed);
    struct sb_text text = { 0 };
    json_t *found;

    if (wrong)
        fail_msg("%s: %s", path, wrong);
    found = sb_jsonpath_find(parsed, root);
    if (found)
        sb_json_write(&text, found);
    if (strcmp(sb_text_get(&text), json))
        fail_msg("%s gives %s, not %s", path, sb_text_get(&text), json);
    sb_text_release(&text);
    sb_jsonpath_free(parsed);
    json_decref(root);
}

static void finds_values_by_path(void **state)
{
    (void)state;
    expect_at("$.a.b.c", "7");
    expect_at("a.b.c", "7");
    expect_at("$.a.b", "{\"c\":7}");
    expect_at("$['a'].b[\"c\"]", "7");
    expect_at("$.list", "[{\"id\":1},{\"id\":2}]");
    expect_at("$.list[1].id", "2");
    expect_at("list[0]", "{\"id\":1}");
    expect_at("$['x y']", "3");
    expect_at("$.d-e.f:g", "4");
    expect_at("$.\xc3\xa9", "5");
    expect_at("$.list[2]", "");
    expect_at("$.list.id", "");
    expect_at("$.a[0]", "");
    expect_at("$.null", "");
    expect_at("$.a.b.c.d", "");
    expect_at("$.nothing", "");
    expect_at("$[18446744073709551]", "");
}

static void dollar_alone_is_the_whole(void **state)
{
    json_t *root = json_loads(document, 0, NULL);
    struct sb_jsonpath *path;

    (void)state;
    assert_null(sb_jsonpath_parse("$", &path));
    assert_ptr_equal(sb_jsonpath_find(path, root), root);
    sb_jsonpath_free(path);
    json_decref(root);
}

static void says_what_is_wrong_with_a_path(void **state)
{
    static const char invalid[] = "Invalid JsonPath";
    static const char lists[] = "Using JsonPath to refer to a list of objects is not "
                                "allowed for SmartRest";
    static const char filters[] =
        "Using Filters (?) in JsonPath is not allowed for SmartRest";
    static const struct {
        const char *path, *wrong;
    } cases[] = {
        {"",                              invalid},
        { "$.",                           invalid},
        { "$a",                           invalid},
        { "$.a.",                         invalid},
        { "$.a b",                        invalid},
        { "$.a[",                         invalid},
        { "$.a[]",                        invalid},
        { "$.a[-1]",                      invalid},
        { "$.a[1",                        invalid},
        { "$.a[x]",                       invalid},
        { "$.a['b",                       invalid},
        { "$.a['b'",                      invalid},
        { "$.a['']",                      invalid},
        { "$.length()",                   invalid},
        { "$.a[99999999999999999999999]", invalid},
        { "@.a",                          invalid},
        { "$..a",                         lists  },
        { "$.*",                          lists  },
        { "$.a[*]",                       lists  },
        { "$.a[*].b",                     lists  },
        { "$.a[0,1]",                     lists  },
        { "$.a[0:2]",                     lists  },
        { "$['a','b']",                   lists  },
        { "$.a[?(@.b==1)]",               filters},
        { "$.a.?(@.b)",                   filters},
    };
    struct sb_jsonpath *path;
    size_t i;

    (void)state;
    for (i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        const char *wrong = sb_jsonpath_parse(cases[i].path, &path);

        if (!wrong || strcmp(wrong, cases[i].wrong))
            fail_msg("%s: %s", cases[i].path, wrong ? wrong : "accepted");
    }
}

static void bounds_the_length_of_a_path(void **state)
{
    char path[1 + 2 * 100 + 1] = "$";
    struct sb_jsonpath *parsed;
    int i;

    (void)state;
    for (i = 0; i < 64; i++)
        strcat(path, ".a");
    assert_null(sb_jsonpath_parse(path, &parsed));
    sb_jsonpath_free(parsed);
    strcat(path, ".a");
    assert_string_equal(sb_jsonpath_parse(path, &parsed), "Invalid JsonPath");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads_every_form_of_time_in_use),
        cmocka_unit_test(refuses_what_is_no_time),
        cmocka_unit_test(writes_json_as_short_as_it_can_be_read_back),
        cmocka_unit_test(refuses_json_that_the_store_could_not_take),
        cmocka_unit_test(finds_values_by_path),
        cmocka_unit_test(dollar_alone_is_the_whole),
        cmocka_unit_test(says_what_is_wrong_with_a_path),
        cmocka_unit_test(bounds_the_length_of_a_path),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
