/* SPDX-License-Identifier: MIT */
/* The lint and the sandbox have been written apart, from the same protocol. Here both
 * judge the same templates. */
#include "../../sandbox/fixture.h"
#include "../../sandbox/json.h"
#include "template/json.h"

#include <smartrest/template.h>
#include <stdio.h>

#define J  "application/json"
#define Q  "\"\""
#define OK "11,500,,,$.id\n" /* a row that both accept */

/* --- judges ------------------------------------------------------------- */

struct verdict {
    bool collection; /* refused as a whole */
    bool body;       /* a row that uses it is refused */
    char said[2000];
};

static void note(const struct sr_template_finding *finding, void *arg)
{
    struct verdict *v = arg;
    size_t len = strlen(v->said);

    if (!finding->is_error)
        return;
    if (strcmp(finding->rule, "json") == 0)
        v->body = true;
    else
        v->collection = true;
    snprintf(v->said + len, sizeof v->said - len, "%zu:%zu %s\n", finding->line,
             finding->column, finding->text);
}

static struct verdict lint(const char *version, const char *rows)
{
    struct verdict v = { .body = false };

    sr_template_lint(version, rows, strlen(rows), note, &v);
    return v;
}

/* One row 20, and nothing that went elsewhere or was refused. */
static bool sandbox_registers(struct fixture *fx, const char *version,
                              const char *templates)
{
    const char *answer = rows(fx, &fx->gw, version, templates);

    return strncmp(answer, "20,", 3) == 0 && !strstr(answer, "\n4");
}

/* A name that is not taken. */
static const char *fresh(void)
{
    static char name[32];
    static int n;

    snprintf(name, sizeof name, "lint-%d", n++);
    return name;
}

static void both_judge(struct fixture *fx, const char *version, const char *templates)
{
    bool registered = sandbox_registers(fx, version, templates);
    struct verdict v = lint(version, templates);

    if (registered == v.collection)
        fail_msg("\n%s\n%s\nthe sandbox says %s\nthe lint says %s", version, templates,
                 fx->answer, v.said);
}

/* --- collections -------------------------------------------------------- */

static const char *const templates[] = {
    /* as they should be */
    "10,100,GET,/identity/externalIds/c8y_Serial/%%,," J ",%%,STRING,\n" OK,
    "10,101,POST,/inventory/managedObjects," J "," J ",%%,,\"{" Q "a" Q ":{}}\"\n",
    "10,102,PUT,/a/%%," J ",,%%,UNSIGNED STRING,\"[%%]\"\r\n" OK,
    "10,103,DELETE,/a/&&,,,&&,UNSIGNED,",
    OK "\n\n" OK,
    /* number of values */
    "10,100,GET,/a,,,,\n",
    "10,100,GET,/a,,,,,,\n",
    "10\n",
    "11,500,,$.id\n",
    "11,500,,\n",
    "11,500,,,$.id,$.b,$.c,$.d,$.e,$.f,$.g,$.h\n",
    /* message ids */
    OK "15,other\n",
    OK "100,a\n",
    OK "12,a\n",
    OK "x\n",
    OK "010,100,GET,/a,,,,,\n",
    OK "\"10\",100,GET,/a,,,,,\n",
    OK " 10,100,GET,/a,,,,,\n",
    OK "# a comment\n",
    /* ids */
    "11,x,,,$.id\n",
    "11,,,,$.id\n",
    "11,-1,,,$.id\n",
    "11,+100,,,$.id\n",
    "11,1e3,,,$.id\n",
    "11,0,,,$.id\n",
    "11,9,,,$.id\n",
    "11,10,,,$.id\n",
    "11,99,,,$.id\n",
    "11,100,,,$.id\n",
    "11,999999999,,,$.id\n",
    "11,1000000000,,,$.id\n",
    "10,50,GET,/a,,,,,\n",
    "10,1,GET,/a,,,,,\n",
    /* duplicates */
    "10,100,GET,/a,,,,,\n10,100,GET,/b,,,,,\n",
    "10,100,GET,/a,,,,,\n10,0100,GET,/b,,,,,\n",
    "10,100,GET,/a,,,,,\n11,100,,,$.id\n",
    "11,100,,,$.id\n11,100,,,$.b\n",
    /* methods, and what belongs to them */
    "10,100,get,/a,,,,,\n",
    "10,100,PATCH,/a," J ",,,,{}\n",
    "10,100,,/a,,,,,\n",
    "10,100,GET,/a," J ",,,,\n",
    "10,100,DELETE,/a," J ",,,,\n",
    "10,100,GET,/a,,,,,{}\n",
    "10,100,DELETE,/a,,,,,{}\n",
    "10,100,POST,/a,," J ",,,{}\n",
    "10,100,PUT,/a,,,,,{}\n",
    "10,100,POST,/a," J ",,,,\n",
    "10,100,PUT,/a," J ",,,,\n",
    "10,100,PUT,/a,text/plain,,,,{}\n",
    /* URIs */
    "10,100,GET,a,,,,,\n",
    "10,100,GET,,,,,,\n",
    "10,100,GET,http://h/a,,,,,\n",
    "10,100,GET,%%,,,%%,STRING,\n",
    "10,100,GET,/a b,,,,,\n",
    "10,100,GET,\"/a,b\",,,,,\n",
    /* placeholders and types */
    "10,100,GET,/%%/%%,,,%%,STRING,\n",
    "10,100,GET,/%%,,,%%,STRING STRING,\n",
    "10,100,GET,/%%/%%,,,%%,STRING UNSIGNED,\n",
    "10,100,GET,/%%/%%,,,%%,  STRING   UNSIGNED ,\n",
    "10,100,GET,/%%/%%,,,%%,,\n",
    "10,100,GET,/a,,,%%,STRING,\n",
    "10,100,GET,/a,,,%%,,\n",
    "10,100,GET,/a,,,,STRING,\n",
    "10,100,GET,/a,,,,FLAG,\n",
    "10,100,GET,/%%,,,%%,FLAG,\n",
    "10,100,GET,/%%,,,%%,string,\n",
    "10,100,GET,/%%/%%,,,%%,STRING\tSTRING,\n",
    "10,100,GET,/%%%%%,,,%%,STRING STRING,\n",
    "10,100,GET,/%,,,%,STRING,\n",
    "10,100,PUT,/%%," J ",,%%,UNSIGNED NOW,\"{" Q "t" Q ":" Q "%%" Q "}\"\n",
    "10,100,PUT,/%%," J ",,%%,UNSIGNED,\"{" Q "t" Q ":" Q "%%" Q "}\"\n",
    "10,100,PUT,/%%," J ",,%%,UNSIGNED NOW NUMBER,\"{" Q "t" Q ":" Q "%%" Q "}\"\n",
    /* CSV */
    "11,500,\"$.a,,$.id\n" OK,
    "11,500,$.\"a\",,$.id\n",
    "11,500,\"$.a\"b,,$.id\n",
    "11,500,\"$.a\" ,,$.id\n",
    "11,500, $.a, ,  $.id\n",
    "11,500,\"$.a\",\"\",\"$.id\"\n",
    "10,100,PUT,/a," J ",,,,{\"a\":1}\n",
    "10,100,PUT,/a," J ",,,,\"{\"a\":1}\"\n",
    "11,500,,,$.\xff\n",
    "11,500,,,$.\xc3\xa9\n",
    "11,500,,,$.\xed\xa0\x80\n",
    "11,500,,,$.\xc0\x80\n",
    /* paths */
    "11,500,$,$,$\n",
    "11,500,alarms,a.b,id\n",
    "11,500,$.a.b.c,$.d[0],$['e f'],\"$[" Q "g" Q "][1][2].h\"\n",
    "11,500,[0],,['a']\n",
    "11,500,,,\n",
    "11,500,,,$.a,\n",
    "11,500,,,$.\n",
    "11,500,,,$..a\n",
    "11,500,,,.a\n",
    "11,500,,,$a\n",
    "11,500,,,$.*\n",
    "11,500,,,*\n",
    "11,500,$.a[*],,$.id\n",
    "11,500,,,$[?(@.a)]\n",
    "11,500,,,$.a?\n",
    "11,500,,,$.?(a)\n",
    "11,500,,,\"$['a','b']\"\n",
    "11,500,,,\"$[0,1]\"\n",
    "11,500,,,$[0:1]\n",
    "11,500,,,$[:1]\n",
    "11,500,,,$[-1]\n",
    "11,500,,,$[a]\n",
    "11,500,,,$[]\n",
    "11,500,,,$['']\n",
    "11,500,,,$['a\n",
    "11,500,,,$['a'\n",
    "11,500,,,$['a']b\n",
    "11,500,,,$[0\n",
    "11,500,,,$[99999999999999999999]\n",
    "11,500,,,$.a b\n",
    "11,500,,,$.a@b\n",
    "11,500,,,$.a(b)\n",
    "11,500,,,$.a-b_c:d/e\n",
    "11,500,,,$.id \n",
    "11,500,$.a ,,$.id\n",
};

static void refuse_the_same_templates(void **state)
{
    for (size_t i = 0; i < sizeof templates / sizeof *templates; i++)
        both_judge(*state, fresh(), templates[i]);
}

/* `text` n times between the others. */
static char *repeated(const char *before, const char *text, int n, const char *behind)
{
    char *all =
        calloc(1, strlen(before) + strlen(text) * (size_t)n + strlen(behind) + 1);

    strcpy(all, before);
    while (n--)
        strcat(all, text);
    strcat(all, behind);
    return all;
}

static void have_the_same_limits(void **state)
{
    char *rows_of[] = {
        repeated("11,500,,,$", ".a", 64, "\n"),
        repeated("11,500,,,$", ".a", 65, "\n"),
        repeated("11,500,,,a", ".a", 63, "\n"),
        repeated("11,500,,,a", ".a", 64, "\n"),
        repeated("11,500,,,$", "[0]", 65, "\n"),
        repeated("11,500,,", ",$.a", 300, "\n"),
        repeated("10,100,GET,/", "%%", 256, ",,,%%,,\n"),
    };
    char *uri = repeated("10,100,GET,/", "%%", 257, ",,,%%,"), *types;

    for (size_t i = 0; i < sizeof rows_of / sizeof *rows_of; i++) {
        both_judge(*state, fresh(), rows_of[i]);
        free(rows_of[i]);
    }
    types = repeated(uri, "STRING ", 257, ",\n");
    both_judge(*state, fresh(), types);
    free(types);
    free(uri);
    uri = repeated("10,100,GET,/", "%%", 256, ",,,%%,");
    types = repeated(uri, "STRING ", 256, ",\n");
    both_judge(*state, fresh(), types);
    free(types);
    free(uri);
}

static void refuse_the_same_names(void **state)
{
    static const char *const names[] = {
        "com.acme.gw-v1_2",
        "a b",
        "a/b",
        "a+b",
        "a#b",
        "a,b",
        "a\"b",
        "a\\b",
        "a:b",
        "a~(b)",
        "gr\xc3\xbc",
        "a\tb",
    };
    char *longest = repeated("", "x", 255, ""), *longer = repeated("", "x", 256, "");

    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        both_judge(*state, names[i], OK);
    both_judge(*state, longest, OK);
    both_judge(*state, longer, OK);
    free(longest);
    free(longer);
}

/* The one place where the lint is stricter, on purpose: docs/templates.md. */
static void only_the_sandbox_takes_a_template_over_two_lines(void **state)
{
    static const char two_lines[] = "10,100,PUT,/a," J ",,,,\"{\n}\"\n";

    assert_true(sandbox_registers(*state, fresh(), two_lines));
    assert_true(lint("v1", two_lines).collection);
}

/* --- bodies ------------------------------------------------------------- */

static const struct {
    const char *types, *body; /* of POST /inventory/managedObjects */
    const char *arguments;
} bodies[] = {
    {"STRING",             "{" Q "a" Q ":" Q "%%" Q "}", ",x y"                    },
    { "STRING",            "{" Q "a" Q ":[%%]}",         ",\"\"\"c8y_Restart\"\"\""},
    { "STRING",            "{%%}",                       ",\"\"\"a\"\":1\""        },
    { "STRING",            "{" Q "b" Q ":2,%%}",         ",\"\"\"a\"\":1\""        },
    { "",                  "%%",                         ",{}"                     },
    { "NUMBER",            "{" Q "a" Q ":%%}",           ",1.5"                    },
    { "NUMBER",            "{" Q "a" Q ":%%,}",          ",1.5"                    },
    { "NUMBER",            "{" Q "a" Q ":%% %%}",        ",1.5,2"                  },
    { "UNSIGNED",          "{%%:1}",                     ",1"                      },
    { "UNSIGNED UNSIGNED", "{" Q "a" Q ":-%%.%%}",       ",1,5"                    },
    { "NOW",               "{" Q "t" Q ":" Q "%%" Q "}", ""                        },
    { "NOW",               "{" Q "t" Q ":%%}",           ""                        },
    { "DATE",              "{" Q "t" Q ":%%}",           ",2026-01-31T10:15:30Z"   },
    { "DATE",              "{" Q "t" Q ":" Q "%%" Q "}", ",2026-01-31T10:15:30Z"   },
    { "",                  "{'a':1}",                    ""                        },
    { "",                  "{" Q "a" Q ":" Q "\t" Q "}", ""                        },
    { "",                  "{" Q "a" Q ":tru}",          ""                        },
    { "",                  "{" Q "a" Q ":1",             ""                        },
};

static void a_body_that_is_no_json_never_gets_through(void **state)
{
    struct fixture *fx = *state;
    char row[400], use[200];

    for (size_t i = 0; i < sizeof bodies / sizeof *bodies; i++) {
        const char *version = fresh();
        struct verdict v;
        bool refused;

        snprintf(row, sizeof row,
                 "10,100,POST,/inventory/managedObjects," J "," J ",%%%%,%s,\"%s\"\n",
                 bodies[i].types, bodies[i].body);
        v = lint(version, row);
        both_judge(fx, version, row);
        snprintf(use, sizeof use, "100%s\n", bodies[i].arguments);
        refused = strstr(rows(fx, &fx->gw, version, use), "JSON") != NULL;
        if (!v.collection && v.body != refused)
            fail_msg("\n%s%s\nthe sandbox says %s\nthe lint says %s", row, use,
                     fx->answer, v.said);
    }
}

static const char *const documents[] = {
    "",
    " ",
    "1",
    "\"a\"",
    "null",
    "{}",
    "[]",
    " [ ] ",
    "{",
    "[",
    "}",
    "[}",
    "{]",
    "[1,2]",
    "[1,]",
    "[,1]",
    "[1 2]",
    "{\"a\":1}",
    "{\"a\":1,}",
    "{\"a\"}",
    "{\"a\":}",
    "{a:1}",
    "{1:1}",
    "{\"a\" :\t1\r\n}",
    "[]]",
    "{}x",
    "[\"",
    "[\"a]",
    "[\"\\\"]",
    "[\"\\\"\"]",
    "[\"\\a\"]",
    "[\"\\/\\b\\f\\n\\r\\t\\\\\"]",
    "[\"\\u00e9\"]",
    "[\"\\u00E9\"]",
    "[\"\\u00g9\"]",
    "[\"\\u00\"]",
    "[\"\\u0000\"]",
    "[\"\\ud83d\"]",
    "[\"\\ud83d\\ude00\"]",
    "[\"\\ude00\\ud83d\"]",
    "[\"\\ud83dx\"]",
    "[\"\n\"]",
    "[\"\x7f\"]",
    "[\"\xc3\xa9\"]",
    "[0]",
    "[-0]",
    "[01]",
    "[-01]",
    "[+1]",
    "[-]",
    "[.5]",
    "[5.]",
    "[0.5]",
    "[1e5]",
    "[1E+5]",
    "[1e-5]",
    "[1e]",
    "[1e+]",
    "[0e0]",
    "[1.5.5]",
    "[9223372036854775807]",
    "[-9223372036854775808]",
    "[9223372036854775808]",
    "[1e308]",
    "[1e309]",
    "[1e-400]",
    "[true,false,null]",
    "[True]",
    "[truex]",
    "[nan]",
    "[Infinity]",
    "[0x10]",
    "[1_000]",
    "// c\n[]",
    "[/**/]",
    "\v[]",
    "[1]\f",
    "{\"a\":1,\"a\":2}",
    "{\"\":1}",
};

static void read_json_alike(void **state)
{
    char why[SB_JSON_ERROR];

    (void)state;
    for (size_t i = 0; i < sizeof documents / sizeof *documents; i++) {
        const char *text = documents[i];
        json_t *value = sb_json_read(text, strlen(text), why);
        size_t at = 0;
        const char *wrong = sr_json_wrong(text, strlen(text), &at);

        if (!value != !!wrong)
            fail_msg("\n%s\nthe sandbox: %s\nthe lint at %zu: %s", text,
                     value ? "fine" : why, at, wrong ? wrong : "fine");
        json_decref(value);
    }
}

static void nest_json_alike(void **state)
{
    char why[SB_JSON_ERROR];

    (void)state;
    for (int depth = 98; depth < 103; depth++) {
        char *open = repeated("", "[", depth, "1"),
             *text = repeated(open, "]", depth, "");
        json_t *value = sb_json_read(text, strlen(text), why);
        size_t at;

        assert_int_equal(!value, !!sr_json_wrong(text, strlen(text), &at));
        json_decref(value);
        free(open);
        free(text);
    }
}

int main(void)
{
#define TEST(name) \
    cmocka_unit_test_setup_teardown(name, fixture_setup, fixture_teardown)
    const struct CMUnitTest tests[] = {
        TEST(refuse_the_same_templates),
        TEST(have_the_same_limits),
        TEST(refuse_the_same_names),
        TEST(only_the_sandbox_takes_a_template_over_two_lines),
        TEST(a_body_that_is_no_json_never_gets_through),
        cmocka_unit_test(read_json_alike),
        cmocka_unit_test(nest_json_alike),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
