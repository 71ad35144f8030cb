/* SPDX-License-Identifier: MIT */
/* The lint says what it finds as people will read it: "E2:4 rule", errors, warnings and
 * notes, line and column. */
#include <setjmp.h>
#include <smartrest/template.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
/* after what it needs */
#include <cmocka.h>

#define J "application/json"

struct findings {
    char places[1000]; /* "E2:4 rule\n" each */
    char texts[3000];
    size_t last_line;
};

static void note(const struct sr_template_finding *finding, void *arg)
{
    struct findings *f = arg;
    size_t at = strlen(f->places), text_at = strlen(f->texts);

    assert_true(finding->line >= f->last_line);
    f->last_line = finding->line;
    snprintf(f->places + at, sizeof f->places - at, "%c%zu:%zu %s\n",
             finding->is_error  ? 'E'
             : finding->is_note ? 'N'
                                : 'W',
             finding->line, finding->column, finding->rule);
    snprintf(f->texts + text_at, sizeof f->texts - text_at, "%s\n", finding->text);
}

static struct findings lint(const char *version, const char *text)
{
    struct findings f = { .last_line = 0 };
    int rc = sr_template_lint(version, text, strlen(text), note, &f);

    assert_int_equal(rc, strchr(f.places, 'E') ? SR_E_REFUSED : 0);
    return f;
}

static void expect(const char *rows, const char *places)
{
    struct findings f = lint("v1", rows);

    if (strcmp(f.places, places))
        fail_msg("\n%s\nfindings:\n%s%snot\n%s", rows, f.places, f.texts, places);
}

static void expect_says(const char *rows, const char *text)
{
    struct findings f = lint("v1", rows);

    if (!strstr(f.texts, text))
        fail_msg("\n%s\nfindings:\n%snot\n%s", rows, f.texts, text);
}

static void expect_file(const char *file, const char *places)
{
    struct findings f = lint(NULL, file);

    if (strcmp(f.places, places))
        fail_msg("\n%s\nfindings:\n%s%snot\n%s", file, f.places, f.texts, places);
}

/* --- what is right ------------------------------------------------------ */

static void finds_nothing_wrong_in_templates_of_the_guide(void **state)
{
    (void)state;
    expect("10,100,GET,/identity/externalIds/c8y_Serial/%%,," J ",%%,STRING,\n"
           "10,101,POST,/inventory/managedObjects," J "," J ",%%,,"
           "\"{\"\"name\"\":\"\"HelloC8Y-Agent\"\",\"\"c8y_IsDevice\"\":{}}\"\r\n"
           "10,102,POST,/identity/globalIds/%%/externalIds," J ",,%%,UNSIGNED STRING,"
           "\"{\"\"type\"\":\"\"c8y_Serial\"\",\"\"externalId\"\":\"\"%%\"\"}\"\n"
           "10,103,POST,/measurement/measurements," J ",,%%,NOW UNSIGNED NUMBER,"
           "\"{\"\"time\"\":\"\"%%\"\",\"\"source\"\":{\"\"id\"\":\"\"%%\"\"},"
           "\"\"C\"\":{\"\"W\"\":{\"\"value\"\":%%,\"\"unit\"\":\"\"%\"\"}}}\"\n"
           "10,104,PUT,/inventory/managedObjects/%%," J ",,%%,UNSIGNED STRING,"
           "\"{\"\"c8y_SupportedOperations\"\":[%%]}\"\n"
           "10,106,GET,/devicecontrol/operations?deviceId=%%&status=%%,,,%%,,\n"
           "10,107,DELETE,/inventory/managedObjects/&&,,,&&,UNSIGNED,\n"
           "11,500,$.managedObject,,$.id\n"
           "11,100,,$.c8y_IsDevice,$.id\n"
           "11,835,alarms,$.a.b[0],$.id,$['a b'],\"$[\"\"c\"\"][12].d\"\n"
           "11,836,,$,$\n",
           "N3:128 text-in-json\n");
}

static void a_file_has_its_version_and_comments(void **state)
{
    (void)state;
    expect_file("com.acme.gw-v1\n# comment, \"odd\n\n11,500,$.a,,$.id\n", "");
    expect_file("gw:1\n11,500,$.a,,$.id", "W1:3 version-characters\n");
    expect_file("4711\n11,500,$.a,,$.id", "W1:1 version-digits\n");
    expect_file("gw 1\n11,500,$.a,,$.id", "E1:3 version\n");
    expect_file("\n11,500,$.a,,$.id", "E1:1 version\n");
    expect_file("", "E1:1 version\nE1:1 no-templates\n");
    expect_file("v1\n#\n", "E2:1 no-templates\n");
}

/* --- rows --------------------------------------------------------------- */

static void counts_the_values(void **state)
{
    (void)state;
    expect("10,100,GET,/a,,,,\n", "E1:1 fields\n");
    expect("10,100,GET,/a,,,,,,\n", "E1:1 fields\n");
    expect("11,500,,$.id\n", "E1:1 fields\n");
    expect("10\n", "E1:1 fields\n");
    expect_says("10,100,GET,/a,,,,\n", "8 values; a request template has 9");
}

static void rows_are_csv(void **state)
{
    (void)state;
    expect("11,500,\"$.a,,$.id\n11,501,,,$.id\n", "E1:8 syntax\n");
    expect("11,500,$.\"a,,$.id\n", "E1:10 syntax\n");
    expect("11,500,\"$.a\"x,,$.id\n", "E1:13 syntax\n");
    expect("11,500,,,\"$.id\" \n", "W1:16 trailing-blanks\nE1:16 syntax\n");
}

static void other_rows_do_not_belong_there(void **state)
{
    (void)state;
    expect("15,v2\n 12,a\n11,501,,,$.id\n", "E1:1 message-id\nE2:2 message-id\n");
    expect("# no comment here\n", "E1:1 message-id\n");
    expect("\n11,501,,,$.id\n \n", "W1:1 empty-row\nW3:1 empty-row\n");
    expect("", "E1:1 no-templates\n");
}

static void ids_are_numbers_that_are_free(void **state)
{
    (void)state;
    expect("11,x,,,$.id\n", "E1:4 id\n");
    expect("11,-5,,,$.id\n", "E1:4 id\n");
    expect("11,,,,$.id\n", "E1:4 id\n");
    expect("11,1234567890,,,$.id\n", "E1:4 id\n");
    expect("11,10,,,$.id\n11,99,,,$.id\n", "E1:4 reserved-id\nE2:4 reserved-id\n");
    expect("11,9,,,$.id\n11,100,,,$.id\n", "W1:4 low-id\n");
}

static void an_id_is_once_among_requests(void **state)
{
    (void)state;
    expect("10,100,GET,/a,,,,,\n11,100,,,$.id\n10,0100,GET,/b,,,,,\n11,100,,,$.b\n",
           "E3:4 duplicate-id\nW4:4 duplicate-id\n");
    expect_says("10,100,GET,/a,,,,,\n10,100,GET,/a,,,,,\n", "on line 1 already");
}

/* Quadratic, this would take minutes. */
static void many_ids_are_looked_at_quickly(void **state)
{
    static char text[1024 * 1024];
    size_t len = 0;
    clock_t begin = clock();

    (void)state;
    for (unsigned id = 100; len < sizeof text - 40; id++)
        len += (size_t)sprintf(text + len, "11,%u,,,$\n", id);
    assert_int_equal(sr_template_lint("v1", text, len, NULL, NULL), 0);
    assert_true(clock() - begin < 10 * CLOCKS_PER_SEC);
}

/* --- row 10 ------------------------------------------------------------- */

static void the_method_decides_about_content_type_and_body(void **state)
{
    (void)state;
    expect("10,100,PATCH,/a,,,,,\n", "E1:8 method\n");
    expect("10,100,get,/a,,,,,\n", "E1:8 method\n");
    expect("10,100,GET,/a," J ",,,,\n", "E1:15 content-type\n");
    expect("10,100,DELETE,/a,,,,,{}\n", "E1:22 body\n");
    expect("10,100,PUT,/a,,,,,{}\n", "E1:15 content-type\n");
    expect("10,100,POST,/a," J ",,,,\n", "E1:36 body\n");
    expect("10,100,POST,/a,text/plain,,,,hello\n", "W1:16 content-type-json\n");
}

static void a_uri_begins_with_a_slash(void **state)
{
    (void)state;
    expect("10,100,GET,a/b,,,,,\n", "E1:12 uri\n");
    expect("10,100,GET,,,,,,\n", "E1:12 uri\n");
    expect("10,100,GET,http://h/a,,,,,\n", "E1:12 uri\n");
    expect("10,100,GET,/a b,,,,,\n", "W1:14 uri-characters\n");
    expect("10,100,GET,/%2F%%/%,,,%%,,\n", "W1:19 uri-characters\n");
    expect("10,100,GET,\"/a,\"\"\",,,,,\n", "W1:16 uri-characters\n");
}

static void types_are_as_many_as_placeholders(void **state)
{
    (void)state;
    expect("10,100,GET,/a/%%/%%,,,%%,STRING,\n", "E1:26 type-count\n");
    expect("10,100,GET,/a/%%,,,%%,STRING NOW,\n", "E1:23 type-count\n");
    expect("10,100,GET,/a,,,%%,STRING,\n", "E1:20 type-count\n");
    expect("10,100,GET,/a/%%,,,%%,,\n", "");
    expect("10,100,GET,/a/%%%%%,,,%%,STRING  STRING,\n", "W1:19 uri-characters\n");
    expect("10,100,GET,/a,,,,STRING,\n", "W1:18 types-unused\n");
    expect_says("10,100,PUT,/a/%%," J ",,%%,STRING,\"[%%,%%]\"\n",
                "1 types for 3 placeholders (1 in the URI, 2 in the body)");
}

static void types_are_known(void **state)
{
    (void)state;
    expect("10,100,GET,/%%/%%,,,%%,STRING FLAG,\n", "E1:31 type\n");
    expect("10,100,GET,/%%,,,%%,string,\n", "E1:21 type\n");
    expect("10,100,GET,/%%/%%,,,%%,STRING\tSTRING,\n", "E1:24 type\n");
}

/* --- bodies ------------------------------------------------------------- */

/* A body, CSV-quoted already, in a template with placeholder %% and these types. */
static void expect_body(const char *types, const char *body, const char *places)
{
    char row[500];

    snprintf(row, sizeof row, "10,100,PUT,/a," J ",,%%%%,%s,\"%s\"\n", types, body);
    expect(row, places);
}

static void the_body_is_json_when_it_is_filled(void **state)
{
    (void)state;
    expect_body("NUMBER", "{\"\"a\"\":%%}", "");
    expect_body("STRING", "{\"\"a\"\":\"\"x %% y\"\"}", "N1:55 text-in-json\n");
    expect_body("STRING", "{\"\"a\"\":[%%]}", "");
    expect_body("NOW", "{\"\"a\"\":\"\"%%\"\"}", "");
    expect_body("", "{%%}", "");
    expect_body("", "%%", "");
}

static void a_body_that_is_none_is_shown_where_it_breaks(void **state)
{
    (void)state;
    expect_body("", "{\"\"a\"\":}", "E1:45 json\n");
    expect_body("STRING", "{\"\"a\"\":\"\"%%\"\",}", "E1:58 json\n");
    expect_body("NUMBER NUMBER", "{\"\"a\"\":%%,\"\"b\"\":%% x}", "E1:70 json\n");
    expect_body("", "{'a':1}", "E1:39 json\n");
    expect_body("", "{\"\"a\"\":\"\"\x01\"\"}", "E1:47 json\n");
}

static void a_time_in_a_body_stands_in_quotes(void **state)
{
    (void)state;
    expect_body("NOW", "{\"\"time\"\":%%}", "E1:51 json\n");
    expect_body("DATE", "{\"\"time\"\":%%}", "E1:52 json\n");
}

/* --- row 11 ------------------------------------------------------------- */

static void paths_name_one_value(void **state)
{
    (void)state;
    expect("11,500,$.a[*],,$.id\n", "E1:12 path\n");
    expect("11,500,$.*,,$.id\n", "E1:10 path\n");
    expect("11,500,$..a,,$.id\n", "E1:10 path\n");
    expect("11,500,$.a[0:2],,$.id\n", "E1:13 path\n");
    expect("11,500,,\"$['a','b']\",$.id\n", "E1:13 path\n");
    expect("11,500,,$.a[?(@.b)],$.id\n", "E1:13 path\n");
    expect("11,500,,$.a.,$.id\n", "E1:13 path\n");
    expect("11,500,,$a,$.id\n", "E1:10 path\n");
    expect("11,500,,$.a[x],$.id\n", "E1:13 path\n");
    expect("11,500,,$.a[1,$.id\n", "E1:14 path\n");
    expect("11,500,,,$.a b\n", "E1:13 path\n");
    expect("11,500,,,$.id \n", "W1:14 trailing-blanks\nE1:14 path\n");
    expect_says("11,500,,$.a[?(@.b)],$.id\n", "filters");
    expect_says("11,500,$.a[*],,$.id\n", "one value");
}

static void values_are_paths_and_none_is_empty(void **state)
{
    (void)state;
    expect("11,500,,,\n", "E1:10 path\n");
    expect("11,500,,,$.id,,$.b\n", "E1:15 path\n");
    expect("11,500,,a.b,id\n", "W1:9 path-dollar\nW1:13 path-dollar\n");
}

/* --- lines -------------------------------------------------------------- */

static void in_a_file_blanks_at_the_end_do_no_harm(void **state)
{
    (void)state;
    expect_file("v1 \n11,500,,,$.id \n11,501,,,\"$.id\"\t\r\n",
                "W1:3 trailing-blanks\nW2:14 trailing-blanks\nW3:16 trailing-blanks\n");
}

static void a_row_fits_a_message(void **state)
{
    static char row[20000];

    (void)state;
    strcpy(row, "11,500,,,$.");
    memset(row + strlen(row), 'a', 15360 - strlen(row));
    expect(row, "");
    strcat(row, "a\n");
    expect(row, "W1:15361 long-row\n");
}

static void bytes_that_are_no_text_are_found(void **state)
{
    static const char nul[] = "11,500,,,$.\0id\n";
    struct findings f = { .last_line = 0 };

    (void)state;
    expect("11,500,,,$.\xff\n", "E1:12 bytes\n");
    expect("11,500,,,$.\rid\n", "E1:12 bytes\n");
    expect_file("\xef\xbb\xbfv1\n11,500,,,$.id\n", "E1:1 bytes\n");
    assert_int_equal(sr_template_lint("v1", nul, sizeof nul - 1, note, &f),
                     SR_E_REFUSED);
    assert_string_equal(f.places, "E1:12 bytes\n");
}

static void what_is_quoted_in_a_message_is_printable(void **state)
{
    (void)state;
    expect_says("10,100,\"\x1b[2J\xc3\xa9\",/a,,,,,\n", "'?[2J?\?'");
}

static void findings_go_on_behind_an_error(void **state)
{
    (void)state;
    expect("10,x,FETCH,a,,,,FOO,\n11,500\n11,501,,\"$.a,$.b\n11,502,,,$.*\n",
           "E1:4 id\nE1:6 method\nE1:12 uri\nE1:17 type\nE2:1 fields\nE3:9 syntax\n"
           "E4:12 path\n");
}

static void a_file_is_linted_by_its_path(void **state)
{
    char path[] = "/tmp/lint_test.XXXXXX";
    struct findings f = { .last_line = 0 };
    int fd = mkstemp(path);

    (void)state;
    assert_int_equal(write(fd, "v1\n11,500,,,x\n", 14), 14);
    close(fd);
    assert_int_equal(sr_template_lint_file(path, note, &f), 0);
    assert_string_equal(f.places, "W2:10 path-dollar\n");
    unlink(path);
    assert_int_equal(sr_template_lint_file(path, note, &f), SR_E_IO);
    assert_int_equal(sr_template_lint_file("/dev/zero", note, &f), SR_E_IO);
    assert_int_equal(sr_template_lint_file(NULL, note, &f), SR_E_INVAL);
    assert_int_equal(sr_template_lint("v1", NULL, 3, note, &f), SR_E_INVAL);
}

/* --- what can go wrong later -------------------------------------------- */

#define PUT(id, types, body) \
    "10," id ",PUT,/inventory/managedObjects/%%," J ",,%%," types ",\"" body "\"\n"

static void values_that_are_text_in_json_are_noted(void **state)
{
    (void)state;
    expect_says(PUT("105", "UNSIGNED STRING STRING",
                    "{\"\"status\"\":\"\"%%\"\",\"\"failureReason\"\":\"\"%%\"\"}"),
                "values 2, 3: text inside of JSON, send it with %pJ\n");
    expect_says("10,106,POST,/event/events," J ",,%%,NOW UNSIGNED STRING,"
                "\"{\"\"time\"\":\"\"%%\"\",\"\"source\"\":{\"\"id\"\":\"\"%%\"\"},"
                "\"\"text\"\":\"\"a \\\"\" %%\"\"}\"\n",
                "value 2: text"); /* NOW takes none of the row */
    expect_says(PUT("107", "", "{\"\"%%\"\":[%%]}"), "value 2: text");
    expect(PUT("108", "UNSIGNED NUMBER", "{\"\"a\"\":\"\"%%\"\"}"), "");
    expect(PUT("109", "UNSIGNED STRING", "{\"\"a\"\":[\"\"b\"\",%%]}"), "");
    expect(PUT("110", "UNSIGNED DATE", "{\"\"a\"\":\"\"%%\"\"}"), "");
}

static void operations_that_lack_a_value_are_thought_of(void **state)
{
    (void)state;
    expect("11,510,,$.c8y_LogfileRequest,$.id,$.c8y_LogfileRequest.searchText\n",
           "W1:35 missing-value\n");
    expect_says(
        "11,510,,$.x_SetInterval,$.deviceId,$.id,$.x_SetInterval.s,$.x_SetInterval.t\n",
        "an operation x_SetInterval without '$.x_SetInterval.s' makes no row and "
        "stays PENDING: add a template of '$.id' alone");
    expect("11,510,$,$.c8y_Command[0],$.id\n", "W1:10 missing-value\n");
    /* one that is enough, above or below */
    expect("11,510,,$.c8y_Command,$.id,$.c8y_Command.text\n"
           "11,511,,$.c8y_Command,$.id\n",
           "");
    expect("11,511,,$.c8y_Command,$.id,$.c8y_Command\n"
           "11,510,,$.c8y_Command,$.id,$.c8y_Command.text\n",
           "");
    expect("11,511,,$.c8y_Com,$.id\n"
           "11,510,,$.c8y_Command,$.id,$.c8y_Command.text\n",
           "W2:28 missing-value\n");
    /* once for a fragment */
    expect("11,510,,$.c8y_Command,$.id,$.c8y_Command.text\n"
           "11,511,,$.c8y_Command,$.id,$.c8y_Command.a\n",
           "W1:28 missing-value\n");
    /* by itself, and in a list */
    expect("11,511,,$.c8y_Command,$.id\n"
           "11,510,$.operations,$.c8y_Command,$.id,$.c8y_Command.text\n",
           "W2:40 missing-value\n");
    /* not about operations */
    expect("11,500,$.managedObject,$.a,$.id,$.a.b\n", "");
    expect("11,500,,$.c8y_Position,$.c8y_Position.lat\n", "");
    expect("11,500,,,$.id,$.a.b\n", "");
    expect_file("v1\n11,510,,$.c8y_Command,$.id,$.c8y_Command.text\n#\n"
                "11,511,,$.c8y_Command,$.id\n",
                "");
}

#define MEASURE(body)                                                                  \
    "10,100,POST,/measurement/measurements," J ",,%%,NUMBER,\"{\"\"type\"\":\"\"a b.c" \
    "\"\"," body "}\"\n"

static void names_that_no_path_can_name_are_found(void **state)
{
    (void)state;
    expect(MEASURE("\"\"c8y_Temp\"\":{\"\"T\"\":{\"\"value\"\":%%}}"), "");
    expect(MEASURE("\"\"c8y.Temp\"\":{\"\"T 1\"\":{\"\"value\"\":%%}}"),
           "W1:93 name-characters\nW1:105 name-characters\n");
    expect_says(MEASURE("\"\"c8y.Temp\"\":{\"\"T\"\":{\"\"value\"\":%%}}"),
                "a dot in 'c8y.Temp': a path of the platform cannot name it");
    expect_says(MEASURE("\"\"c\"\":{\"\"T 1\"\":{\"\"value\"\":%%}}"),
                "a blank in 'T 1'");
    expect(PUT("104", "UNSIGNED NUMBER", "{\"\"acme_X\"\":{\"\"a b\"\":%%}}"), "");
    expect(PUT("104", "UNSIGNED NUMBER", "{\"\"acme X\"\":%%}"),
           "W1:86 name-characters\n");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(finds_nothing_wrong_in_templates_of_the_guide),
        cmocka_unit_test(a_file_has_its_version_and_comments),
        cmocka_unit_test(counts_the_values),
        cmocka_unit_test(rows_are_csv),
        cmocka_unit_test(other_rows_do_not_belong_there),
        cmocka_unit_test(ids_are_numbers_that_are_free),
        cmocka_unit_test(an_id_is_once_among_requests),
        cmocka_unit_test(many_ids_are_looked_at_quickly),
        cmocka_unit_test(the_method_decides_about_content_type_and_body),
        cmocka_unit_test(a_uri_begins_with_a_slash),
        cmocka_unit_test(types_are_as_many_as_placeholders),
        cmocka_unit_test(types_are_known),
        cmocka_unit_test(the_body_is_json_when_it_is_filled),
        cmocka_unit_test(a_body_that_is_none_is_shown_where_it_breaks),
        cmocka_unit_test(a_time_in_a_body_stands_in_quotes),
        cmocka_unit_test(paths_name_one_value),
        cmocka_unit_test(values_are_paths_and_none_is_empty),
        cmocka_unit_test(in_a_file_blanks_at_the_end_do_no_harm),
        cmocka_unit_test(a_row_fits_a_message),
        cmocka_unit_test(bytes_that_are_no_text_are_found),
        cmocka_unit_test(what_is_quoted_in_a_message_is_printable),
        cmocka_unit_test(findings_go_on_behind_an_error),
        cmocka_unit_test(a_file_is_linted_by_its_path),
        cmocka_unit_test(values_that_are_text_in_json_are_noted),
        cmocka_unit_test(operations_that_lack_a_value_are_thought_of),
        cmocka_unit_test(names_that_no_path_can_name_are_found),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
