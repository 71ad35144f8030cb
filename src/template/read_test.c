/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <setjmp.h>
#include <smartrest/template.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
/* after what it needs */
#include <cmocka.h>

#define GET_ROW \
    "10,100,GET,/identity/externalIds/c8y_Serial/%%,,application/json,%%,STRING,"
#define PUT_ROW                                                                     \
    "10,105,PUT,/devicecontrol/operations/%%,application/json,,%%,UNSIGNED STRING," \
    "\"{\"\"status\"\":\"\"%%\"\"}\""
#define ANSWER_ROW "11,500,$.managedObject,,$.id"

/* --- helpers ------------------------------------------------------------ */

static struct sr_template read_text(const char *text)
{
    struct sr_template tmpl = { 0 };
    struct sr_template_error error;
    int rc = sr_template_parse("t.txt", text, strlen(text), &tmpl, &error);

    if (rc)
        fail_msg("\n%s\nis refused: %s", text, error.text);
    return tmpl;
}

static void expect_rows(const char *text, const char *version, const char *rows)
{
    struct sr_template tmpl = read_text(text);

    assert_string_equal(tmpl.version, version);
    assert_string_equal(tmpl.rows, rows);
    sr_template_release(&tmpl);
}

static void expect_bytes_refused(const char *text, size_t len, const char *message)
{
    static const struct sr_template untouched = { .n_rows = 77 };
    struct sr_template tmpl = untouched;
    struct sr_template_error error;

    assert_int_equal(sr_template_parse("t.txt", text, len, &tmpl, &error), SR_E_SYNTAX);
    assert_string_equal(error.text, message);
    assert_memory_equal(&tmpl, &untouched, sizeof tmpl);
}

static void expect_refused(const char *text, const char *message)
{
    expect_bytes_refused(text, strlen(text), message);
}

/* A file with these bytes; its path. */
static const char *file_of(const char *bytes, size_t len)
{
    static char path[64];
    int fd;

    strcpy(path, "/tmp/template_test.XXXXXX");
    fd = mkstemp(path);
    assert_true(fd >= 0 && write(fd, bytes, len) == (ssize_t)len);
    close(fd);
    return path;
}

/* --- what is read ------------------------------------------------------- */

static void reads_version_and_rows(void **state)
{
    (void)state;
    expect_rows("com.acme.gw-v1\n" GET_ROW "\n" ANSWER_ROW "\n", "com.acme.gw-v1",
                GET_ROW "\n" ANSWER_ROW "\n");
}

static void line_ends_may_be_of_either_kind_and_the_last_may_be_missing(void **state)
{
    (void)state;
    expect_rows("v1\r\n" GET_ROW "\r\n" ANSWER_ROW, "v1", GET_ROW "\n" ANSWER_ROW "\n");
    expect_rows("v1\n" PUT_ROW "\r\n", "v1", PUT_ROW "\n");
}

static void drops_empty_lines_and_comments(void **state)
{
    struct sr_template tmpl = read_text("v1\n\n# identity, \"quotes\" and all\n" GET_ROW
                                        "\n\r\n#\n   \n" ANSWER_ROW "\n\n");

    (void)state;
    assert_string_equal(tmpl.rows, GET_ROW "\n" ANSWER_ROW "\n");
    assert_int_equal(tmpl.n_rows, 2);
    assert_int_equal(tmpl.line[0], 4);
    assert_int_equal(tmpl.line[1], 8);
    sr_template_release(&tmpl);
}

static void leaves_out_blanks_at_the_end_of_a_line(void **state)
{
    (void)state;
    expect_rows("v1 \t\r\n" PUT_ROW "  \r\n" ANSWER_ROW "\t", "v1",
                PUT_ROW "\n" ANSWER_ROW "\n");
}

static void text_beyond_ascii_stays_as_it_is(void **state)
{
    (void)state;
    expect_rows("v1\n11,500,,$.Stra\xc3\x9f"
                "e,$.id\n",
                "v1",
                "11,500,,$.Stra\xc3\x9f"
                "e,$.id\n");
}

/* --- what is not -------------------------------------------------------- */

static void the_version_stands_alone_on_the_first_line(void **state)
{
    (void)state;
    expect_refused("", "t.txt:1:1: no version: the name of the collection is missing");
    expect_refused("\nv1\n" GET_ROW,
                   "t.txt:1:1: no version: the name of the collection is missing");
    expect_refused("gw v1\n" GET_ROW,
                   "t.txt:1:3: not a version: it has letters, digits and . - _");
    expect_refused(GET_ROW "\n",
                   "t.txt:1:3: not a version: it has letters, digits and . - _");
    expect_refused("# comment\nv1\n" GET_ROW,
                   "t.txt:1:1: not a version: it has letters, digits and . - _");
}

static void a_version_of_255_bytes_is_the_longest(void **state)
{
    char text[400], version[300];

    (void)state;
    memset(version, 'v', sizeof version);
    version[255] = '\0';
    snprintf(text, sizeof text, "%s\n" ANSWER_ROW "\n", version);
    expect_rows(text, version, ANSWER_ROW "\n");
    snprintf(text, sizeof text, "%sv\n" ANSWER_ROW "\n", version);
    expect_refused(text, "t.txt:1:256: the version has more than 255 bytes");
}

static void a_file_without_templates_is_none(void **state)
{
    (void)state;
    expect_refused("v1", "t.txt:1:1: no template follows the version");
    expect_refused("v1\n# nothing\n\n", "t.txt:3:1: no template follows the version");
}

static void only_rows_10_and_11_are_templates(void **state)
{
    (void)state;
    expect_refused("v1\n" GET_ROW "\n15,other\n",
                   "t.txt:3:1: not a template: a row 10 or 11 is expected");
    expect_refused("v1\n110,a\n",
                   "t.txt:2:1: not a template: a row 10 or 11 is expected");
    expect_refused("v1\n  \"12\",a\n",
                   "t.txt:2:3: not a template: a row 10 or 11 is expected");
}

static void quotes_that_do_not_pair_are_found_on_their_line(void **state)
{
    (void)state;
    expect_refused("v1\n10,100,PUT,/a,b,c,,,\"{\"\"a\"\":1}\n" ANSWER_ROW "\n",
                   "t.txt:2:21: this quote is not closed on its line");
    expect_refused("v1\n\n10,100,PUT,/a,b,c,,,\"{\"a\":1}\"\n",
                   "t.txt:3:24: text behind a closing quote "
                   "(inside quotes a quote is written twice)");
    expect_refused("v1\n10,100,PUT,/a,b,c,,,{\"a\":1}\n",
                   "t.txt:2:22: a quote inside a value that is not in quotes");
}

static void a_template_does_not_go_over_a_line_end(void **state)
{
    (void)state;
    expect_refused("v1\n10,100,PUT,/a,b,c,,,\"{\n}\"\n",
                   "t.txt:2:21: this quote is not closed on its line");
}

static void bytes_that_no_text_file_has_are_refused(void **state)
{
    static const char nul[] = "v1\n11,5\0,,,$.id\n", in_comment[] = "v1\n# \0\n";

    (void)state;
    expect_bytes_refused(nul, sizeof nul - 1, "t.txt:2:5: a NUL byte");
    expect_bytes_refused(in_comment, sizeof in_comment - 1, "t.txt:2:3: a NUL byte");
    expect_refused("v1\r11,500,,,$.id", "t.txt:1:3: a CR without LF");
    expect_refused("v1\n11,500,,,$.\xe4\n", "t.txt:2:12: not UTF-8");
    expect_refused("v1\n11,500,,,$.\xc3", "t.txt:2:12: not UTF-8");
    expect_refused("\xef\xbb\xbfv1\n" ANSWER_ROW,
                   "t.txt:1:1: a byte order mark: save the file as UTF-8 without it");
}

/* --- files -------------------------------------------------------------- */

static void reads_a_file(void **state)
{
    static const char text[] = "v1\n" ANSWER_ROW "\n";
    const char *path = file_of(text, strlen(text));
    struct sr_template tmpl;

    (void)state;
    assert_int_equal(sr_template_read(path, &tmpl, NULL), 0);
    assert_string_equal(tmpl.rows, ANSWER_ROW "\n");
    sr_template_release(&tmpl);
    sr_template_release(&tmpl);
    unlink(path);
}

static void a_file_that_cannot_be_read_is_named_with_the_reason(void **state)
{
    struct sr_template tmpl;
    struct sr_template_error error;

    (void)state;
    assert_int_equal(sr_template_read("/no/such/file", &tmpl, &error), SR_E_IO);
    assert_string_equal(error.text, "/no/such/file: No such file or directory");
    assert_int_equal(error.line, 0);
    assert_int_equal(sr_template_read("/tmp", &tmpl, &error), SR_E_IO);
    assert_string_equal(error.text, "/tmp: Is a directory");
    assert_int_equal(sr_template_read("/no/such/file", &tmpl, NULL), SR_E_IO);
    assert_int_equal(sr_template_read(NULL, &tmpl, &error), SR_E_INVAL);
}

static void a_fifo_is_refused_and_not_waited_for(void **state)
{
    char path[] = "/tmp/template-fifo.XXXXXX";
    struct sr_template tmpl;
    struct sr_template_error error;

    (void)state;
    assert_int_equal(close(mkstemp(path)), 0);
    assert_int_equal(unlink(path) | mkfifo(path, 0600), 0);
    assert_int_equal(sr_template_read(path, &tmpl, &error), SR_E_IO);
    assert_non_null(strstr(error.text, "it is no regular file"));
    unlink(path);
}

static void a_file_has_a_bound_and_endless_ones_are_refused(void **state)
{
    char *text = malloc(SR_TEMPLATE_FILE_MAX + 1);
    struct sr_template tmpl;
    struct sr_template_error error;
    const char *path;

    (void)state;
    memset(text, '#', SR_TEMPLATE_FILE_MAX + 1);
    memcpy(text, "v1\n" ANSWER_ROW "\n", strlen("v1\n" ANSWER_ROW "\n"));
    path = file_of(text, SR_TEMPLATE_FILE_MAX);
    assert_int_equal(sr_template_read(path, &tmpl, &error), 0);
    sr_template_release(&tmpl);
    unlink(path);
    path = file_of(text, SR_TEMPLATE_FILE_MAX + 1);
    assert_int_equal(sr_template_read(path, &tmpl, &error), SR_E_TOOBIG);
    assert_non_null(strstr(error.text, ": larger than 1 MiB"));
    unlink(path);
    assert_int_equal(sr_template_read("/dev/zero", &tmpl, &error), SR_E_IO);
    free(text);
}

static void a_message_keeps_the_end_of_a_long_path(void **state)
{
    char name[1000];
    struct sr_template tmpl;
    struct sr_template_error error;

    (void)state;
    memset(name, 'd', sizeof name);
    strcpy(name + sizeof name - 7, "/t.txt");
    assert_int_equal(sr_template_parse(name, "v1", 2, &tmpl, &error), SR_E_SYNTAX);
    assert_non_null(strstr(error.text, "d/t.txt:1:1: no template follows the version"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads_version_and_rows),
        cmocka_unit_test(line_ends_may_be_of_either_kind_and_the_last_may_be_missing),
        cmocka_unit_test(drops_empty_lines_and_comments),
        cmocka_unit_test(leaves_out_blanks_at_the_end_of_a_line),
        cmocka_unit_test(text_beyond_ascii_stays_as_it_is),
        cmocka_unit_test(the_version_stands_alone_on_the_first_line),
        cmocka_unit_test(a_version_of_255_bytes_is_the_longest),
        cmocka_unit_test(a_file_without_templates_is_none),
        cmocka_unit_test(only_rows_10_and_11_are_templates),
        cmocka_unit_test(quotes_that_do_not_pair_are_found_on_their_line),
        cmocka_unit_test(a_template_does_not_go_over_a_line_end),
        cmocka_unit_test(bytes_that_no_text_file_has_are_refused),
        cmocka_unit_test(reads_a_file),
        cmocka_unit_test(a_file_that_cannot_be_read_is_named_with_the_reason),
        cmocka_unit_test(a_fifo_is_refused_and_not_waited_for),
        cmocka_unit_test(a_file_has_a_bound_and_endless_ones_are_refused),
        cmocka_unit_test(a_message_keeps_the_end_of_a_long_path),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
